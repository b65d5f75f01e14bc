//! Which files stand for which objects: `{root}/{bucket}/{key}`, so that a person finds media under its own name.
//!
//! A key becomes a path only when every piece of it is an ordinary file name; nothing else can leave the folder.

use std::path::{Path, PathBuf};

use s3s::dto::ETag;
use s3s::{S3Error, S3Result, s3_error};

/// Longest key, bytes (as in Amazon S3).
const KEY_BYTES_MAX: usize = 1024;
/// Longest piece of a key between slashes, bytes: the longest file name of every usual file system.
const PIECE_BYTES_MAX: usize = 255;
/// Where the server keeps what is not an object. No bucket's name begins with a dot.
const OWN: &str = ".s3";

/// The folder of a bucket.
pub(super) fn bucket(root: &Path, bucket: &str) -> S3Result<PathBuf> {
    if s3s::path::check_bucket_name(bucket) {
        Ok(root.join(bucket))
    } else {
        Err(s3_error!(
            InvalidBucketName,
            "{bucket:?} cannot be the name of a bucket"
        ))
    }
}

/// The file of an object that is to be written. Refuses keys that cannot be a file's path, and says why.
pub(super) fn new_object(root: &Path, name: &str, key: &str) -> S3Result<PathBuf> {
    if key.len() > KEY_BYTES_MAX {
        return Err(s3_error!(KeyTooLongError, "a key has at most {KEY_BYTES_MAX} bytes"));
    }
    for piece in key.split('/') {
        let wrong = match piece {
            "" => "an empty piece (it begins or ends with '/', or holds '//')",
            "." | ".." => "the piece '.' or '..'",
            _ if piece.len() > PIECE_BYTES_MAX => "a piece longer than 255 bytes",
            _ if piece.bytes().any(|b| b == 0) => "a zero byte",
            _ => continue,
        };
        return Err(s3_error!(
            InvalidArgument,
            "this store keeps objects as files, and this key cannot be one: it holds {wrong}"
        ));
    }
    Ok(bucket(root, name)?.join(key))
}

/// The file of an object that may exist. A key that cannot be a file's path has none.
pub(super) fn object(root: &Path, name: &str, key: &str) -> S3Result<PathBuf> {
    let folder = bucket(root, name)?;
    new_object(root, name, key).map_err(|_| absent(&folder))
}

/// What to say when the file of an object is not there.
pub(super) fn absent(bucket: &Path) -> S3Error {
    if bucket.is_dir() {
        s3_error!(NoSuchKey, "there is no object with this key")
    } else {
        s3_error!(NoSuchBucket, "there is no such bucket")
    }
}

/// The folder of what is being received.
pub(super) fn incoming(root: &Path) -> PathBuf {
    root.join(OWN).join("incoming")
}

/// The folder of multipart uploads that are not complete.
pub(super) fn uploads(root: &Path) -> PathBuf {
    root.join(OWN).join("uploads")
}

/// The file of those attributes of one version of an object that its name does not tell.
pub(super) fn attributes(root: &Path, bucket: &str, etag: &ETag) -> PathBuf {
    root.join(OWN).join("attributes").join(bucket).join(etag.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_inside_the_bucket() {
        let root = Path::new("/data");
        assert_eq!(
            new_object(root, "media", "a/b c/ü.m4s").expect("an ordinary key"),
            Path::new("/data/media/a/b c/ü.m4s")
        );
        let long = "x".repeat(256);
        let deep = "x/".repeat(600);
        for key in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/../../b",
            "a/./b",
            "a\0b",
            &long,
            &deep,
        ] {
            assert!(new_object(root, "media", key).is_err(), "{key:?}");
            assert!(object(root, "media", key).is_err(), "{key:?}");
        }
        for name in ["", "..", ".s3", "a", "A-bucket", "me/dia", "me..dia"] {
            assert!(bucket(root, name).is_err(), "{name:?}");
        }
    }
}
