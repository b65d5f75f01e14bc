//! What an object carries beside its bytes. The usual ones follow from the key's extension and cost nothing; others are
//! kept in a small file named by the object's ETag, so that they come and go with that very version.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use s3s::dto::{ETag, Metadata, Timestamp, TimestampFormat};
use serde::{Deserialize, Serialize};

use super::names;

/// Type of what was sent without one.
const UNTYPED: &str = "binary/octet-stream";

/// Headers that an object is given back with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website_redirect_location: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-meta-…`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Takes the attributes out of any of the inputs that carry them.
macro_rules! attributes_of {
    ($input:expr) => {
        $crate::dev::s3::attributes::Attributes {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_encoding: $input.content_encoding.take(),
            content_disposition: $input.content_disposition.take(),
            content_language: $input.content_language.take(),
            website_redirect_location: $input.website_redirect_location.take(),
            expires: $input
                .expires
                .take()
                .and_then(|t| $crate::dev::s3::attributes::written(&t)),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(super) use attributes_of;

/// A time as RFC 3339.
pub(super) fn written(time: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    time.format(TimestampFormat::DateTime, &mut text).ok()?;
    String::from_utf8(text).ok()
}

impl Attributes {
    /// What an object with this key carries when nothing else is written down: what Headwater gives its media.
    pub(super) fn implied(key: &str) -> Self {
        let (content_type, cache_control) = match key.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "m4s" | "mp4" => ("video/mp4", Some("public, max-age=31536000, immutable")),
            "m3u8" => ("application/vnd.apple.mpegurl", Some("public, max-age=60")),
            "mpd" => ("application/dash+xml", Some("public, max-age=60")),
            "json" => ("application/json", None),
            _ => (UNTYPED, None),
        };
        Self {
            content_type: Some(content_type.into()),
            cache_control: cache_control.map(Into::into),
            ..Self::default()
        }
    }

    /// With the type that S3 gives to what was sent without one.
    pub(super) fn with_type(mut self) -> Self {
        self.content_type.get_or_insert_with(|| UNTYPED.into());
        self
    }

    /// Writes down what `key` does not imply, for the version of it that has this ETag. Returns whether that was needed.
    pub(super) fn save(&self, root: &Path, bucket: &str, key: &str, etag: &ETag) -> io::Result<bool> {
        if *self == Self::implied(key) {
            return Ok(false);
        }
        let path = names::attributes(root, bucket, etag);
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        if let Err(error) = fs::write(&path, &text) {
            if error.kind() != ErrorKind::NotFound {
                return Err(error);
            }
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, &text)?;
        }
        Ok(true)
    }

    /// Those of the version of `key` that has this ETag.
    pub(super) fn load(root: &Path, bucket: &str, key: &str, etag: &ETag) -> io::Result<Self> {
        match fs::read(names::attributes(root, bucket, etag)) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::implied(key)),
            Err(error) => Err(error),
        }
    }

    /// Forgets those of a version that is gone.
    pub(super) fn forget(root: &Path, bucket: &str, etag: &ETag) {
        // Most versions have none.
        let _ = fs::remove_file(names::attributes(root, bucket, etag));
    }

    /// `x-amz-meta-…`, as answers want it.
    pub(super) fn metadata(&self) -> Option<Metadata> {
        (!self.metadata.is_empty()).then(|| self.metadata.clone().into_iter().collect())
    }

    /// When the object is to be taken for stale.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        Timestamp::parse(TimestampFormat::DateTime, self.expires.as_deref()?).ok()
    }
}
