//! The folder behind the store. Everything here blocks; `service` calls it off the runtime's workers.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::attributes::Attributes;
use super::names;

/// A folder of buckets.
pub(super) struct Folder {
    pub(super) root: PathBuf,
    /// Held while a name appears or goes, so that a condition and what depends on it are one step, and so that no folder is
    /// tidied away under an object that is about to enter it.
    naming: Mutex<()>,
    /// Last modification time given to a file, microseconds since 1970.
    last_us: AtomicU64,
    received: AtomicU64,
}

/// One version of an object.
pub(super) struct Found {
    pub etag: ETag,
    /// Whole seconds: HTTP's dates know no smaller ones, and conditions compare with those.
    pub modified: Timestamp,
    /// Bytes.
    pub size: u64,
}

impl Found {
    /// What the file system says of a file. The ETag is made of its time and size: [`Folder`] gives no two versions the same
    /// time. It holds a dash, so nobody takes it for an MD5 sum.
    pub(super) fn of(metadata: &Metadata) -> io::Result<Self> {
        let modified = metadata.modified()?;
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let size = metadata.len();
        Ok(Self {
            etag: ETag::Strong(format!("{:x}-{size:x}", since.as_micros())),
            modified: (UNIX_EPOCH + Duration::from_secs(since.as_secs())).into(),
            size,
        })
    }
}

/// What must be true of the object that is about to be replaced.
#[derive(Default)]
pub(super) struct Precondition {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
}

impl Precondition {
    fn check(&self, existing: Option<&Found>) -> S3Result<()> {
        if let Some(condition) = &self.if_match {
            match existing {
                None => return Err(s3_error!(NoSuchKey, "there is no object to replace")),
                Some(found) if !matches(condition, &found.etag) => {
                    return Err(s3_error!(PreconditionFailed, "the object has another ETag"));
                }
                Some(_) => {}
            }
        }
        match (&self.if_none_match, existing) {
            (Some(condition), Some(found)) if matches(condition, &found.etag) => {
                Err(s3_error!(PreconditionFailed, "the object exists"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a condition speaks of this ETag.
pub(super) fn matches(condition: &ETagCondition, etag: &ETag) -> bool {
    condition.as_etag().is_none_or(|wanted| wanted.strong_cmp(etag))
}

/// A file that is being received. It has no name that anybody could ask for, and goes when dropped.
pub(super) struct Received {
    pub(super) file: File,
    path: PathBuf,
}

impl Received {
    /// Appends.
    pub(super) fn write(&mut self, pieces: &[Bytes]) -> S3Result<()> {
        pieces.iter().try_for_each(|p| self.file.write_all(p)).map_err(failed)
    }

    /// Gives it a name, and so ends its time as a temporary file.
    pub(super) fn rename(&self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // It is gone when it was given a name.
        let _ = fs::remove_file(&self.path);
    }
}

impl Folder {
    /// Opens a folder, creating it if need be, and removes what a crash left half received.
    pub(super) fn open(root: &Path) -> io::Result<Arc<Self>> {
        fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        match fs::remove_dir_all(names::incoming(&root)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(names::incoming(&root))?,
        }
        let folder = Self {
            root,
            naming: Mutex::new(()),
            last_us: AtomicU64::new(0),
            received: AtomicU64::new(0),
        };
        folder.forget_old_uploads()?;
        Ok(Arc::new(folder))
    }

    fn naming(&self) -> MutexGuard<'_, ()> {
        // It guards no data.
        self.naming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, and later than whatever this returned before.
    fn unique_now(&self) -> SystemTime {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let last = self
            .last_us
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)))
            .unwrap_or_default();
        UNIX_EPOCH + Duration::from_micros(now.max(last + 1))
    }

    /// A fresh file for what is about to be received.
    pub(super) fn receive(&self) -> S3Result<Received> {
        let number = self.received.fetch_add(1, Ordering::Relaxed);
        let path = names::incoming(&self.root).join(number.to_string());
        let file = OpenOptions::new()
            .write(true)
            .read(true)
            .create_new(true)
            .open(&path)
            .map_err(failed)?;
        Ok(Received { file, path })
    }

    /// Stamps a received file: from here on it is one version of something.
    pub(super) fn stamp(&self, received: &Received) -> io::Result<Found> {
        let times = FileTimes::new().set_modified(self.unique_now());
        received.file.set_times(times)?;
        Found::of(&received.file.metadata()?)
    }

    /// Makes a received file the object `key`, whole and at once.
    pub(super) fn commit(
        &self,
        received: &Received,
        bucket: &str,
        key: &str,
        attributes: &Attributes,
        condition: &Precondition,
    ) -> S3Result<Found> {
        let path = names::new_object(&self.root, bucket, key)?;
        let found = self.stamp(received).map_err(failed)?;
        let written = attributes.save(&self.root, bucket, key, &found.etag).map_err(failed)?;
        let named = self.name(received, &path, bucket, key, condition);
        if named.is_err() && written {
            Attributes::forget(&self.root, bucket, &found.etag);
        }
        named.map(|()| found)
    }

    fn name(
        &self,
        received: &Received,
        path: &Path,
        bucket: &str,
        key: &str,
        condition: &Precondition,
    ) -> S3Result<()> {
        let _naming = self.naming();
        let existing = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(both_object_and_folder(key)),
            Ok(metadata) => Some(Found::of(&metadata).map_err(failed)?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(both_object_and_folder(key)),
            Err(error) => return Err(failed(error)),
        };
        condition.check(existing.as_ref())?;
        if let Err(error) = received.rename(path) {
            if error.kind() != ErrorKind::NotFound {
                return Err(failed(error));
            }
            let folder = names::bucket(&self.root, bucket)?;
            if !folder.is_dir() {
                return Err(s3_error!(NoSuchBucket, "there is no such bucket"));
            }
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
            received.rename(path).map_err(failed)?;
        }
        if let Some(replaced) = existing {
            Attributes::forget(&self.root, bucket, &replaced.etag);
        }
        Ok(())
    }

    /// Opens an object.
    pub(super) fn object(&self, bucket: &str, key: &str) -> S3Result<(File, Found)> {
        let path = names::object(&self.root, bucket, key)?;
        let absent = || names::bucket(&self.root, bucket).map_or_else(|e| e, |b| names::absent(&b));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(absent());
            }
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(absent());
        }
        Ok((file, Found::of(&metadata).map_err(failed)?))
    }

    /// Removes an object and the folders that it leaves empty. Fine when there is none.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> S3Result<()> {
        let folder = names::bucket(&self.root, bucket)?;
        let Ok(path) = names::object(&self.root, bucket, key) else {
            return if folder.is_dir() {
                Ok(())
            } else {
                Err(names::absent(&folder))
            };
        };
        let _naming = self.naming();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if !metadata.is_dir() => {
                fs::remove_file(&path).map_err(failed)?;
                Attributes::forget(&self.root, bucket, &Found::of(&metadata).map_err(failed)?.etag);
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                if !folder.is_dir() {
                    return Err(names::absent(&folder));
                }
            }
            Err(error) => return Err(failed(error)),
        }
        let above = path.ancestors().skip(1).take_while(|p| *p != folder);
        // The first one that is not empty ends it.
        let _ = above.map(fs::remove_dir).take_while(Result::is_ok).count();
        Ok(())
    }

    /// Makes an empty bucket.
    pub(super) fn create_bucket(&self, bucket: &str) -> S3Result<()> {
        match fs::create_dir(names::bucket(&self.root, bucket)?) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(s3_error!(BucketAlreadyOwnedByYou, "the bucket exists"))
            }
            made => made.map_err(failed),
        }
    }

    /// Removes an empty bucket.
    pub(super) fn delete_bucket(&self, bucket: &str) -> S3Result<()> {
        let folder = names::bucket(&self.root, bucket)?;
        let _naming = self.naming();
        match fs::remove_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(names::absent(&folder)),
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                Err(s3_error!(BucketNotEmpty, "the bucket holds objects"))
            }
            removed => removed.map_err(failed),
        }
    }

    /// Every bucket with the time when it last changed, by name.
    pub(super) fn buckets(&self) -> S3Result<Vec<(String, Timestamp)>> {
        let mut buckets = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let metadata = entry.metadata().map_err(failed)?;
            if metadata.is_dir() && s3s::path::check_bucket_name(&name) {
                buckets.push((name, metadata.modified().map_err(failed)?.into()));
            }
        }
        buckets.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(buckets)
    }

    /// Fails unless there is such a bucket.
    pub(super) fn want_bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let folder = names::bucket(&self.root, bucket)?;
        if folder.is_dir() {
            Ok(folder)
        } else {
            Err(names::absent(&folder))
        }
    }
}

fn both_object_and_folder(key: &str) -> S3Error {
    s3_error!(
        InvalidArgument,
        "this store keeps objects as files: {key:?}, or what comes before one of its slashes, is a folder of other \
         objects and an object at once"
    )
}

/// What to tell a client of a failure of the file system.
pub(super) fn failed(error: io::Error) -> S3Error {
    let mut answer = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            let mut full = S3Error::with_message(
                S3ErrorCode::Custom("InsufficientStorage".into()),
                "the disk that holds this store is full",
            );
            full.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
            full
        }
        ErrorKind::FileTooLarge => s3_error!(EntityTooLarge, "the file system holds no file of this size"),
        kind => s3_error!(InternalError, "the disk that holds this store failed: {kind}"),
    };
    tracing::warn!("the folder behind S3 failed: {error}");
    answer.set_source(Box::new(error));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_versions_get_the_same_time() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(root.path()).expect("the folder");
        let mut last = UNIX_EPOCH;
        for _ in 0..10_000 {
            let now = folder.unique_now();
            assert!(now > last);
            last = now;
        }
    }

    #[test]
    fn a_crash_leaves_nothing_half_received() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(root.path()).expect("the folder");
        folder.create_bucket("media").expect("a bucket");
        let mut received = folder.receive().expect("a file");
        received.write(&[Bytes::from_static(b"half")]).expect("room");
        std::mem::forget(received);
        assert_eq!(
            fs::read_dir(names::incoming(&folder.root)).expect("a folder").count(),
            1
        );
        let folder = Folder::open(root.path()).expect("the folder again");
        assert_eq!(
            fs::read_dir(names::incoming(&folder.root)).expect("a folder").count(),
            0
        );
        assert_eq!(fs::read_dir(root.path().join("media")).expect("the bucket").count(), 0);
    }

    #[test]
    fn a_full_disk_is_said_to_be_full() {
        let full = failed(io::Error::from(ErrorKind::StorageFull));
        assert_eq!(full.status_code(), Some(StatusCode::INSUFFICIENT_STORAGE));
        assert!(full.message().expect("a sentence").contains("full"));
    }
}
