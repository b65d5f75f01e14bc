//! S3's operations on a [`Folder`]: parse, call the folder where blocking hurts nobody, render.

use std::io;
use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::attributes::{Attributes, attributes_of};
use super::body::{self, blocking, expected_of};
use super::folder::{Folder, Found, Precondition, failed};
use super::list::{self, PAGE_ENTRIES_MAX, Query, Spelling};
use super::read::{open, read_condition_of, source_of};
use super::uploads::Upload;

/// A folder as s3s serves it.
pub(super) struct Service(pub(super) Arc<Folder>);

impl Service {
    async fn on_folder<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> S3Result<T> + Send + 'static,
    ) -> S3Result<T> {
        let folder = Arc::clone(&self.0);
        blocking(move || work(&folder)).await
    }
}

fn entries_max(asked: Option<i32>) -> S3Result<usize> {
    match asked {
        None => Ok(PAGE_ENTRIES_MAX),
        Some(asked) => usize::try_from(asked)
            .map(|n| n.min(PAGE_ENTRIES_MAX))
            .map_err(|_| s3_error!(InvalidArgument, "a page cannot have a negative number of entries")),
    }
}

fn count(n: usize) -> Option<i32> {
    i32::try_from(n).ok()
}

/// A continuation token is the last entry of the page before, so it outlives the server and needs no memory.
fn token(last: &str) -> String {
    hex::encode(last)
}

fn read_token(token: &str) -> S3Result<String> {
    let bytes = hex::decode(token).ok();
    bytes
        .and_then(|b| String::from_utf8(b).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not one of ours"))
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = req.input.bucket;
        let location = format!("/{bucket}");
        self.on_folder(move |folder| folder.create_bucket(&bucket)).await?;
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(location),
        }))
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        let bucket = req.input.bucket;
        self.on_folder(move |folder| folder.delete_bucket(&bucket)).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let bucket = req.input.bucket;
        self.on_folder(move |folder| folder.want_bucket(&bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let bucket = req.input.bucket;
        self.on_folder(move |folder| folder.want_bucket(&bucket)).await?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.on_folder(Folder::buckets).await?;
        let bucket = |(name, created)| Bucket {
            name: Some(name),
            creation_date: Some(created),
            ..Bucket::default()
        };
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets.into_iter().map(bucket).collect()),
            ..ListBucketsOutput::default()
        }))
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let expected = expected_of!(req);
        let mut input = req.input;
        let body = input.body.take();
        let attributes = attributes_of!(input);
        let condition = Precondition {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };
        let done = move |folder: &Folder, received: &_, sums: Checksum| {
            let key = &input.key;
            let attributes = attributes.with_type();
            let found = folder.commit(received, &input.bucket, key, &attributes, &condition)?;
            Ok((found, sums))
        };
        let (found, sums) = body::receive(Arc::clone(&self.0), body, expected, done).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(found.etag),
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let mut input = req.input;
        let opening = move |folder: &Folder| {
            let condition = read_condition_of!(input);
            let (file, opened) = open(folder, &input.bucket, &input.key, &condition, input.range)?;
            let mut rest = opened.range.clone();
            let first = body::first_piece(&file, &mut rest)?;
            Ok((file, opened, first, rest))
        };
        let (file, opened, first, rest) = self.on_folder(opening).await?;
        Ok(S3Response::new(GetObjectOutput {
            body: Some(body::answer(file, first, rest)),
            accept_ranges: Some("bytes".into()),
            content_length: opened.length(),
            content_range: opened.content_range,
            metadata: opened.attributes.metadata(),
            expires: opened.attributes.expires(),
            content_type: opened.attributes.content_type,
            cache_control: opened.attributes.cache_control,
            content_encoding: opened.attributes.content_encoding,
            content_disposition: opened.attributes.content_disposition,
            content_language: opened.attributes.content_language,
            website_redirect_location: opened.attributes.website_redirect_location,
            e_tag: Some(opened.found.etag),
            last_modified: Some(opened.found.modified),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let mut input = req.input;
        let opening = move |folder: &Folder| {
            let condition = read_condition_of!(input);
            open(folder, &input.bucket, &input.key, &condition, input.range)
        };
        let (_, opened) = self.on_folder(opening).await?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: opened.length(),
            content_range: opened.content_range,
            metadata: opened.attributes.metadata(),
            expires: opened.attributes.expires(),
            content_type: opened.attributes.content_type,
            cache_control: opened.attributes.cache_control,
            content_encoding: opened.attributes.content_encoding,
            content_disposition: opened.attributes.content_disposition,
            content_language: opened.attributes.content_language,
            website_redirect_location: opened.attributes.website_redirect_location,
            e_tag: Some(opened.found.etag),
            last_modified: Some(opened.found.modified),
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        self.on_folder(move |folder| folder.delete(&input.bucket, &input.key))
            .await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        if delete.objects.len() > PAGE_ENTRIES_MAX {
            return Err(s3_error!(MalformedXML, "one request deletes at most 1000 objects"));
        }
        let is_quiet = delete.quiet.unwrap_or_default();
        let deleting = move |folder: &Folder| {
            folder.want_bucket(&bucket)?;
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in delete.objects {
                let key = Some(object.key.clone());
                match folder.delete(&bucket, &object.key) {
                    Ok(()) if is_quiet => {}
                    Ok(()) => deleted.push(DeletedObject {
                        key,
                        ..DeletedObject::default()
                    }),
                    Err(error) => errors.push(s3s::dto::Error {
                        key,
                        code: Some(error.code().as_str().to_string()),
                        message: error.message().map(str::to_string),
                        version_id: None,
                    }),
                }
            }
            Ok((deleted, errors))
        };
        let (deleted, errors) = self.on_folder(deleting).await?;
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let mut input = req.input;
        let source = source_of!(input);
        let replaced = input
            .metadata_directive
            .as_ref()
            .is_some_and(|d| d.as_str() == MetadataDirective::REPLACE)
            .then(|| attributes_of!(input).with_type());
        let copying = move |folder: &Folder| {
            let (mut file, found) = source.open(folder)?;
            let is_itself = source.bucket == input.bucket && source.key == input.key;
            if is_itself && replaced.is_none() {
                return Err(s3_error!(InvalidRequest, "a copy onto itself must change the metadata"));
            }
            let attributes = match replaced {
                Some(attributes) => attributes,
                None => Attributes::load(&folder.root, &source.bucket, &source.key, &found.etag).map_err(failed)?,
            };
            let mut copy = folder.receive()?;
            io::copy(&mut file, &mut copy.file).map_err(failed)?;
            folder.commit(&copy, &input.bucket, &input.key, &attributes, &Precondition::default())
        };
        let found = self.on_folder(copying).await?;
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(found.etag),
                last_modified: Some(found.modified),
                ..CopyObjectResult::default()
            }),
            ..CopyObjectOutput::default()
        }))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let after = match &input.continuation_token {
            Some(token) => read_token(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let entries_max = entries_max(input.max_keys)?;
        let page = self.page(&input.bucket, &input.prefix, &input.delimiter, after, entries_max);
        let page = page.await?;
        let spelling = Spelling::of(input.encoding_type.as_ref());
        let spell = |name: Option<String>| name.map(|n| spelling.spell(n));
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: spell(Some(input.prefix.unwrap_or_default())),
            delimiter: spell(input.delimiter),
            start_after: spell(input.start_after),
            max_keys: count(entries_max),
            key_count: count(page.objects.len() + page.prefixes.len()),
            is_truncated: Some(page.next.is_some()),
            continuation_token: input.continuation_token,
            next_continuation_token: page.next.as_deref().map(token),
            contents: Some(spelling.objects(page.objects)),
            common_prefixes: Some(spelling.prefixes(page.prefixes)),
            encoding_type: input.encoding_type,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = req.input;
        let after = input.marker.clone().unwrap_or_default();
        let entries_max = entries_max(input.max_keys)?;
        let page = self.page(&input.bucket, &input.prefix, &input.delimiter, after, entries_max);
        let page = page.await?;
        let spelling = Spelling::of(input.encoding_type.as_ref());
        let spell = |name: Option<String>| name.map(|n| spelling.spell(n));
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: spell(Some(input.prefix.unwrap_or_default())),
            delimiter: spell(input.delimiter),
            marker: spell(Some(input.marker.unwrap_or_default())),
            max_keys: count(entries_max),
            is_truncated: Some(page.next.is_some()),
            next_marker: spell(page.next),
            contents: Some(spelling.objects(page.objects)),
            common_prefixes: Some(spelling.prefixes(page.prefixes)),
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut input = req.input;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let upload = Upload {
            attributes: attributes_of!(input).with_type(),
            bucket: input.bucket,
            key: input.key,
        };
        let id = self.on_folder(move |folder| folder.begin_upload(&upload)).await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, mut req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let expected = expected_of!(req);
        let mut input = req.input;
        let body = input.body.take();
        let done = move |folder: &Folder, received: &_, sums: Checksum| {
            let UploadPartInput {
                bucket, key, upload_id, ..
            } = &input;
            let found = folder.put_part(received, bucket, key, upload_id, input.part_number)?;
            Ok((found, sums))
        };
        let (found, sums) = body::receive(Arc::clone(&self.0), body, expected, done).await?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(found.etag),
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            ..UploadPartOutput::default()
        }))
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let mut input = req.input;
        let source = source_of!(input);
        let range = match input.copy_source_range.as_deref().map(s3s::dto::Range::parse) {
            Some(Err(error)) => return Err(s3_error!(error, InvalidArgument, "the range is malformed")),
            Some(Ok(range)) => Some(range),
            None => None,
        };
        let copying = move |folder: &Folder| {
            use io::{Read as _, Seek as _};
            let (mut file, found) = source.open(folder)?;
            let range = range.map_or(Ok(0..found.size), |r| r.check(found.size))?;
            file.seek(io::SeekFrom::Start(range.start)).map_err(failed)?;
            let mut part = folder.receive()?;
            io::copy(&mut file.take(range.end - range.start), &mut part.file).map_err(failed)?;
            folder.put_part(&part, &input.bucket, &input.key, &input.upload_id, input.part_number)
        };
        let found = self.on_folder(copying).await?;
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(CopyPartResult {
                e_tag: Some(found.etag),
                last_modified: Some(found.modified),
                ..CopyPartResult::default()
            }),
            ..UploadPartCopyOutput::default()
        }))
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let mut parts = self.on_folder(move |folder| folder.parts(&bucket, &key, &id)).await?;
        let entries_max = entries_max(input.max_parts)?;
        parts.retain(|(number, _)| *number > input.part_number_marker.unwrap_or_default());
        let is_truncated = parts.len() > entries_max;
        parts.truncate(entries_max);
        let next = parts.last().map(|(number, _)| *number).filter(|_| is_truncated);
        let part = |(number, found): (i32, Found)| Part {
            part_number: Some(number),
            e_tag: Some(found.etag),
            last_modified: Some(found.modified),
            size: i64::try_from(found.size).ok(),
            ..Part::default()
        };
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            part_number_marker: input.part_number_marker,
            next_part_number_marker: next,
            max_parts: count(entries_max),
            is_truncated: Some(is_truncated),
            parts: Some(parts.into_iter().map(part).collect()),
            ..ListPartsOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let mut input = req.input;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let completing = move |folder: &Folder| {
            let condition = Precondition {
                if_match: input.if_match.take(),
                if_none_match: input.if_none_match.take(),
            };
            let parts = input.multipart_upload.and_then(|u| u.parts).unwrap_or_default();
            folder.complete_upload(&input.bucket, &input.key, &input.upload_id, &parts, &condition)
        };
        let found = self.on_folder(completing).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(found.etag),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = req.input;
        self.on_folder(move |folder| folder.abort_upload(&input.bucket, &input.key, &input.upload_id))
            .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let bucket = input.bucket.clone();
        let mut uploads = self.on_folder(move |folder| folder.uploads(&bucket)).await?;
        let (prefix, key) = (input.prefix.clone().unwrap_or_default(), input.key_marker.clone());
        let id = input.upload_id_marker.clone();
        let is_after = |k: &str, i: &str| match (&key, &id) {
            (None, _) => true,
            (Some(key), None) => k > key.as_str(),
            (Some(key), Some(id)) => (k, i) > (key.as_str(), id.as_str()),
        };
        uploads.retain(|u| u.key.starts_with(&prefix) && is_after(&u.key, &u.id));
        let entries_max = entries_max(input.max_uploads)?;
        let is_truncated = uploads.len() > entries_max;
        uploads.truncate(entries_max);
        let last = uploads.last().filter(|_| is_truncated);
        let spelling = Spelling::of(input.encoding_type.as_ref());
        let spell = |name: Option<String>| name.map(|n| spelling.spell(n));
        Ok(S3Response::new(ListMultipartUploadsOutput {
            next_key_marker: spell(last.map(|u| u.key.clone())),
            next_upload_id_marker: last.map(|u| u.id.clone()),
            bucket: Some(input.bucket),
            prefix: spell(input.prefix),
            key_marker: spell(input.key_marker),
            upload_id_marker: input.upload_id_marker,
            max_uploads: count(entries_max),
            is_truncated: Some(is_truncated),
            encoding_type: input.encoding_type,
            uploads: Some(
                uploads
                    .into_iter()
                    .map(|u| MultipartUpload {
                        key: Some(spelling.spell(u.key)),
                        upload_id: Some(u.id),
                        initiated: Some(u.began),
                        ..MultipartUpload::default()
                    })
                    .collect(),
            ),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

impl Service {
    async fn page(
        &self,
        bucket: &str,
        prefix: &Option<String>,
        delimiter: &Option<String>,
        after: String,
        entries_max: usize,
    ) -> S3Result<list::Page> {
        let (bucket, prefix) = (bucket.to_string(), prefix.clone().unwrap_or_default());
        let delimiter = delimiter.clone().unwrap_or_default();
        let listing = move |folder: &Folder| {
            let query = Query {
                prefix: &prefix,
                delimiter: &delimiter,
                after: &after,
                entries_max,
            };
            list::page(&folder.want_bucket(&bucket)?, &query).map_err(failed)
        };
        self.on_folder(listing).await
    }
}
