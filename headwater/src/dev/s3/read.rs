//! Reading under conditions: what GET, HEAD and both kinds of copy share.

use std::fs::File;
use std::ops::Range;

use http::HeaderMap;
use http::header::{ETAG, HeaderValue};
use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::attributes::Attributes;
use super::folder::{Folder, Found, failed, matches};

/// Conditions on reading (RFC 9110 §13.2.2, with S3's order of precedence).
pub(super) struct ReadCondition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

impl ReadCondition {
    /// `PreconditionFailed` or `NotModified` where the object is not to be sent.
    fn check(&self, found: &Found) -> S3Result<()> {
        let modified = &found.modified;
        let is_same = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => matches(condition, &found.etag),
            (None, Some(since)) => modified <= since,
            (None, None) => true,
        };
        if !is_same {
            return Err(s3_error!(PreconditionFailed, "the object is another one"));
        }
        let is_known = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => condition.as_etag().is_none_or(|e| e.weak_cmp(&found.etag)),
            (None, Some(since)) => modified <= since,
            (None, None) => false,
        };
        if is_known {
            let mut unchanged = S3Error::new(S3ErrorCode::NotModified);
            let etag = HeaderValue::try_from(format!("\"{}\"", found.etag.value()));
            unchanged.set_headers(etag.map(|v| HeaderMap::from_iter([(ETAG, v)])).unwrap_or_default());
            return Err(unchanged);
        }
        Ok(())
    }
}

/// Takes the conditions out of the inputs of GET and HEAD.
macro_rules! read_condition_of {
    ($input:expr) => {
        $crate::dev::s3::read::ReadCondition {
            if_match: $input.if_match.take(),
            if_none_match: $input.if_none_match.take(),
            if_modified_since: $input.if_modified_since.take(),
            if_unmodified_since: $input.if_unmodified_since.take(),
        }
    };
}
pub(super) use read_condition_of;

/// The source of a copy, or of a part.
pub(super) struct Source {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) condition: ReadCondition,
}

/// Takes the source out of the inputs of both kinds of copy.
macro_rules! source_of {
    ($input:expr) => {{
        let s3s::dto::CopySource::Bucket { bucket, key, .. } = &$input.copy_source else {
            return Err(s3s::s3_error!(
                NotImplemented,
                "only objects of this store can be copied"
            ));
        };
        $crate::dev::s3::read::Source {
            bucket: bucket.to_string(),
            key: key.to_string(),
            condition: $crate::dev::s3::read::ReadCondition {
                if_match: $input.copy_source_if_match.take(),
                if_none_match: $input.copy_source_if_none_match.take(),
                if_modified_since: $input.copy_source_if_modified_since.take(),
                if_unmodified_since: $input.copy_source_if_unmodified_since.take(),
            },
        }
    }};
}
pub(super) use source_of;

impl Source {
    pub(super) fn open(&self, folder: &Folder) -> S3Result<(File, Found)> {
        let (file, found) = folder.object(&self.bucket, &self.key)?;
        match self.condition.check(&found) {
            Ok(()) => Ok((file, found)),
            Err(_) => Err(s3_error!(PreconditionFailed, "the source is another object")),
        }
    }
}

/// What GET and HEAD say of an object.
pub(super) struct Opened {
    pub(super) found: Found,
    pub(super) attributes: Attributes,
    /// Bytes that were asked for.
    pub(super) range: Range<u64>,
    pub(super) content_range: Option<String>,
}

impl Opened {
    /// Bytes that will be sent.
    pub(super) fn length(&self) -> Option<i64> {
        i64::try_from(self.range.end - self.range.start).ok()
    }
}

/// Opens an object for what was asked of it.
pub(super) fn open(
    folder: &Folder,
    bucket: &str,
    key: &str,
    condition: &ReadCondition,
    range: Option<s3s::dto::Range>,
) -> S3Result<(File, Opened)> {
    let (file, found) = folder.object(bucket, key)?;
    condition.check(&found)?;
    let size = found.size;
    let (range, content_range) = match range {
        None => (0..size, None),
        Some(range) => {
            let range = range.check(size)?;
            let said = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
            (range, Some(said))
        }
    };
    let attributes = Attributes::load(&folder.root, bucket, key, &found.etag).map_err(failed)?;
    let opened = Opened {
        found,
        attributes,
        range,
        content_range,
    };
    Ok((file, opened))
}
