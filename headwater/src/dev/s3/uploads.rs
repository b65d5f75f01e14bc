//! Multipart uploads: `.s3/uploads/{id}/` holds `upload.json` and one file per part, until they become one object.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rand::Rng as _;
use s3s::dto::{CompletedPart, Timestamp};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::folder::{Folder, Found, Precondition, Received, failed};
use super::names;

/// Highest number of a part (as in Amazon S3).
const PARTS_MAX: i32 = 10_000;
/// Smallest part that is not the last, bytes (as in Amazon S3).
const PART_BYTES_MIN: u64 = 5 << 20;
/// Uploads that nobody touched for this long are removed at the next start.
const ABANDONED_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
const NOTE: &str = "upload.json";

/// What an upload is to become.
#[derive(Serialize, Deserialize)]
pub(super) struct Upload {
    pub bucket: String,
    pub key: String,
    pub attributes: Attributes,
}

/// An upload that is not complete.
pub(super) struct Pending {
    pub id: String,
    pub key: String,
    pub began: Timestamp,
}

impl Folder {
    pub(super) fn forget_old_uploads(&self) -> io::Result<()> {
        let folder = names::uploads(&self.root);
        fs::create_dir_all(&folder)?;
        let now = SystemTime::now();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let changed = entry.metadata()?.modified()?;
            if now.duration_since(changed).is_ok_and(|age| age > ABANDONED_AFTER) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Begins an upload and returns its id.
    pub(super) fn begin_upload(&self, upload: &Upload) -> S3Result<String> {
        self.want_bucket(&upload.bucket)?;
        names::new_object(&self.root, &upload.bucket, &upload.key)?;
        let id = format!("{:032x}", rand::rng().random::<u128>());
        let folder = names::uploads(&self.root).join(&id);
        fs::create_dir(&folder).map_err(failed)?;
        let note = serde_json::to_vec(upload).map_err(io::Error::other).map_err(failed)?;
        fs::write(folder.join(NOTE), note).map_err(failed)?;
        Ok(id)
    }

    /// The folder and the note of an upload of this very object.
    fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<(PathBuf, Upload)> {
        let none = || s3_error!(NoSuchUpload, "there is no such upload of this object");
        if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(none());
        }
        let folder = names::uploads(&self.root).join(id);
        let note = match fs::read(folder.join(NOTE)) {
            Ok(note) => note,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(none()),
            Err(error) => return Err(failed(error)),
        };
        let upload: Upload = serde_json::from_slice(&note).map_err(|_| none())?;
        if upload.bucket != bucket || upload.key != key {
            return Err(none());
        }
        Ok((folder, upload))
    }

    /// Makes a received file a part, replacing one of the same number.
    pub(super) fn put_part(
        &self,
        received: &Received,
        bucket: &str,
        key: &str,
        id: &str,
        part: i32,
    ) -> S3Result<Found> {
        if !(1..=PARTS_MAX).contains(&part) {
            return Err(s3_error!(InvalidArgument, "parts are numbered from 1 to {PARTS_MAX}"));
        }
        let (folder, _) = self.upload(bucket, key, id)?;
        let found = self.stamp(received).map_err(failed)?;
        match received.rename(&folder.join(part_name(part))) {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(s3_error!(NoSuchUpload, "the upload has ended")),
            named => named.map(|()| found).map_err(failed),
        }
    }

    /// The parts that have come, by number.
    pub(super) fn parts(&self, bucket: &str, key: &str, id: &str) -> S3Result<Vec<(i32, Found)>> {
        let (folder, _) = self.upload(bucket, key, id)?;
        let mut parts = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(number) = number {
                let metadata = entry.metadata().map_err(failed)?;
                parts.push((number, Found::of(&metadata).map_err(failed)?));
            }
        }
        parts.sort_unstable_by_key(|(number, _)| *number);
        Ok(parts)
    }

    /// Joins the named parts into one object and forgets the upload.
    pub(super) fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        parts: &[CompletedPart],
        condition: &Precondition,
    ) -> S3Result<Found> {
        let (folder, upload) = self.upload(bucket, key, id)?;
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML, "an object has at least one part"));
        }
        let mut last = 0;
        let mut files = Vec::with_capacity(parts.len());
        for (n, part) in parts.iter().enumerate() {
            let number = part.part_number.unwrap_or_default();
            if number <= last {
                return Err(s3_error!(InvalidPartOrder, "parts must be named in ascending order"));
            }
            last = number;
            let invalid = || s3_error!(InvalidPart, "part {number} did not come, or has another ETag");
            let path = folder.join(part_name(number));
            let found = Found::of(&fs::metadata(&path).map_err(|_| invalid())?).map_err(failed)?;
            if part.e_tag.as_ref().is_some_and(|e| e.value() != found.etag.value()) {
                return Err(invalid());
            }
            if n + 1 < parts.len() && found.size < PART_BYTES_MIN {
                return Err(s3_error!(EntityTooSmall, "every part but the last has at least 5 MiB"));
            }
            files.push(path);
        }
        let mut object = self.receive()?;
        for path in files {
            let mut file = File::open(path).map_err(failed)?;
            io::copy(&mut file, &mut object.file).map_err(failed)?;
        }
        let found = self.commit(&object, bucket, key, &upload.attributes, condition)?;
        match fs::remove_dir_all(folder) {
            // Somebody completed it at the same time.
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(found),
        }
    }

    /// Forgets an upload and its parts.
    pub(super) fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<()> {
        let (folder, _) = self.upload(bucket, key, id)?;
        fs::remove_dir_all(folder).map_err(failed)
    }

    /// The uploads to this bucket that are not complete, by key and id.
    pub(super) fn uploads(&self, bucket: &str) -> S3Result<Vec<Pending>> {
        self.want_bucket(bucket)?;
        let mut pending = Vec::new();
        for entry in fs::read_dir(names::uploads(&self.root)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // One that ends meanwhile is not listed.
            let Ok(note) = File::open(entry.path().join(NOTE)) else {
                continue;
            };
            let began = note.metadata().and_then(|m| m.modified()).map_err(failed)?;
            let upload: Result<Upload, _> = serde_json::from_reader(io::BufReader::new(note));
            if let (Ok(upload), Ok(id)) = (upload, entry.file_name().into_string())
                && upload.bucket == bucket
            {
                pending.push(Pending {
                    id,
                    key: upload.key,
                    began: began.into(),
                });
            }
        }
        pending.sort_unstable_by(|a, b| (&a.key, &a.id).cmp(&(&b.key, &b.id)));
        Ok(pending)
    }
}

fn part_name(number: i32) -> String {
    format!("{number:05}")
}
