//! Bodies on their way in and out, a piece at a time: at most [`PIECE_BYTES`] of a request or an answer are in memory, plus
//! what the socket delivers at once. A segment of ordinary size is one trip to the threads that may block.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, ChecksumAlgorithm, StreamingBlob};
use s3s::{Body, S3Error, S3Result, StdError, TrailingHeaders, s3_error};

use super::folder::{Folder, Received, failed};

/// Bytes that are gathered before they are written, and read ahead of a slow client.
const PIECE_BYTES: usize = 1 << 20;
/// Largest object that one request may bring, bytes (as in Amazon S3).
pub(super) const BODY_BYTES_MAX: u64 = 5 << 30;

/// Runs what blocks where that hurts nobody.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> S3Result<T> + Send + 'static) -> S3Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(s3_error!(error, InternalError, "a task of the store ended early")),
    }
}

/// What the client said its body would come to. Nothing is computed that it did not name.
#[derive(Default)]
pub(super) struct Expected {
    md5: Option<String>,
    sums: Checksum,
    trailer: Option<(TrailingHeaders, String)>,
}

/// Takes the expectations out of any of the inputs that carry them.
macro_rules! expected_of {
    ($request:expr) => {{
        let input = &mut $request.input;
        let mut sums = s3s::dto::Checksum::default();
        sums.checksum_crc32 = input.checksum_crc32.take();
        sums.checksum_crc32c = input.checksum_crc32c.take();
        sums.checksum_crc64nvme = input.checksum_crc64nvme.take();
        sums.checksum_sha1 = input.checksum_sha1.take();
        sums.checksum_sha256 = input.checksum_sha256.take();
        $crate::dev::s3::body::Expected::new(
            input.content_md5.take(),
            sums,
            $request.trailing_headers.take(),
            &$request.headers,
        )
    }};
}
pub(super) use expected_of;

const TRAILER_PREFIX: &str = "x-amz-checksum-";

impl Expected {
    pub(super) fn new(
        md5: Option<String>,
        sums: Checksum,
        trailers: Option<TrailingHeaders>,
        headers: &HeaderMap,
    ) -> Self {
        let announced = headers.get("x-amz-trailer").and_then(|v| v.to_str().ok());
        let trailer = announced.map(|name| name.trim().to_ascii_lowercase());
        Self {
            md5,
            sums,
            trailer: trailers.zip(trailer.filter(|name| name.starts_with(TRAILER_PREFIX))),
        }
    }

    fn hasher(&self) -> Hasher {
        let announced = self.trailer.as_ref().map(|(_, name)| &name[TRAILER_PREFIX.len()..]);
        let wanted = |sum: &Option<String>, algorithm: &str| {
            sum.is_some() || announced.is_some_and(|name| name.eq_ignore_ascii_case(algorithm))
        };
        let mut sums = ChecksumHasher::default();
        sums.crc32 = wanted(&self.sums.checksum_crc32, ChecksumAlgorithm::CRC32).then(Default::default);
        sums.crc32c = wanted(&self.sums.checksum_crc32c, ChecksumAlgorithm::CRC32C).then(Default::default);
        sums.crc64nvme = wanted(&self.sums.checksum_crc64nvme, ChecksumAlgorithm::CRC64NVME).then(Default::default);
        sums.sha1 = wanted(&self.sums.checksum_sha1, ChecksumAlgorithm::SHA1).then(Default::default);
        sums.sha256 = wanted(&self.sums.checksum_sha256, ChecksumAlgorithm::SHA256).then(Default::default);
        Hasher {
            md5: self.md5.as_ref().map(|_| Md5::new()),
            sums,
        }
    }

    /// Compares with what came. Call when the whole body has been read, since sums may follow it.
    fn check(&self, hasher: Hasher) -> S3Result<Checksum> {
        if let (Some(expected), Some(md5)) = (&self.md5, hasher.md5)
            && base64_simd::STANDARD.encode_to_string(md5.finalize()) != *expected
        {
            return Err(s3_error!(BadDigest, "the body does not have this Content-MD5"));
        }
        let came = hasher.sums.finalize();
        let mut expected = self.sums.clone();
        if let Some((trailers, name)) = &self.trailer {
            let sum = trailers
                .read(|t| t.get(name.as_str()).and_then(|v| v.to_str().ok()).map(str::to_string))
                .flatten();
            let Some(sum) = sum else {
                return Err(s3_error!(InvalidRequest, "the announced trailer {name} did not come"));
            };
            let slot = match &name[TRAILER_PREFIX.len()..] {
                "crc32" => &mut expected.checksum_crc32,
                "crc32c" => &mut expected.checksum_crc32c,
                "crc64nvme" => &mut expected.checksum_crc64nvme,
                "sha1" => &mut expected.checksum_sha1,
                "sha256" => &mut expected.checksum_sha256,
                _ => return Err(s3_error!(NotImplemented, "this store knows no {name}")),
            };
            *slot = Some(sum);
        }
        let same = |a: &Option<String>, b: &Option<String>| a == b;
        if same(&came.checksum_crc32, &expected.checksum_crc32)
            && same(&came.checksum_crc32c, &expected.checksum_crc32c)
            && same(&came.checksum_crc64nvme, &expected.checksum_crc64nvme)
            && same(&came.checksum_sha1, &expected.checksum_sha1)
            && same(&came.checksum_sha256, &expected.checksum_sha256)
        {
            Ok(came)
        } else {
            Err(s3_error!(
                BadDigest,
                "the body does not have the checksum that came with it"
            ))
        }
    }
}

struct Hasher {
    md5: Option<Md5>,
    sums: ChecksumHasher,
}

impl Hasher {
    fn update(&mut self, pieces: &[Bytes]) {
        for piece in pieces {
            if let Some(md5) = &mut self.md5 {
                md5.update(piece);
            }
            self.sums.update(piece);
        }
    }
}

/// Receives a body into a file that nobody sees, checks it, and hands it to `done`, which gives it a name.
pub(super) async fn receive<T: Send + 'static>(
    folder: Arc<Folder>,
    body: Option<StreamingBlob>,
    expected: Expected,
    done: impl FnOnce(&Folder, &Received, Checksum) -> S3Result<T> + Send + 'static,
) -> S3Result<T> {
    let mut body = body.ok_or_else(|| s3_error!(IncompleteBody, "there is no body"))?;
    let mut hasher = expected.hasher();
    let mut received: Option<Received> = None;
    let (mut pieces, mut gathered, mut size) = (Vec::new(), 0, 0_u64);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(cut_short)?;
        size += piece.len() as u64;
        if size > BODY_BYTES_MAX {
            return Err(s3_error!(EntityTooLarge, "one request may bring at most 5 GiB"));
        }
        gathered += piece.len();
        pieces.push(piece);
        if gathered >= PIECE_BYTES {
            let (batch, folder) = (std::mem::take(&mut pieces), Arc::clone(&folder));
            gathered = 0;
            (received, hasher) = blocking(move || append(&folder, received, hasher, &batch)).await?;
        }
    }
    blocking(move || {
        let (received, hasher) = append(&folder, received, hasher, &pieces)?;
        let sums = expected.check(hasher)?;
        let Some(received) = received else {
            return Err(s3_error!(InternalError, "nothing was received"));
        };
        done(&folder, &received, sums)
    })
    .await
}

fn cut_short(error: StdError) -> S3Error {
    let mut answer = s3_error!(IncompleteBody, "the body ended early");
    answer.set_source(error);
    answer
}

fn append(
    folder: &Folder,
    received: Option<Received>,
    mut hasher: Hasher,
    pieces: &[Bytes],
) -> S3Result<(Option<Received>, Hasher)> {
    let mut received = match received {
        Some(received) => received,
        None => folder.receive()?,
    };
    hasher.update(pieces);
    received.write(pieces)?;
    Ok((Some(received), hasher))
}

/// The first piece of `range` of a file.
pub(super) fn first_piece(file: &File, range: &mut Range<u64>) -> S3Result<Bytes> {
    read_piece(file, range).map_err(failed)
}

/// A body of a first piece and the rest of the file's `range`.
pub(super) fn answer(file: File, first: Bytes, rest: Range<u64>) -> StreamingBlob {
    if rest.is_empty() {
        return StreamingBlob::from(Body::from(first));
    }
    let file = Arc::new(file);
    let pieces = stream::try_unfold((file, rest), |(file, mut rest)| async move {
        if rest.is_empty() {
            return Ok(None);
        }
        let reading = tokio::task::spawn_blocking(move || {
            let piece = read_piece(&file, &mut rest)?;
            Ok::<_, io::Error>((piece, (file, rest)))
        });
        reading.await.map_err(io::Error::other)?.map(Some)
    });
    StreamingBlob::wrap(stream::once(async move { Ok::<_, io::Error>(first) }).chain(pieces))
}

fn read_piece(file: &File, range: &mut Range<u64>) -> io::Result<Bytes> {
    struct At<'a>(&'a File, u64);
    impl io::Read for At<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let size = self.0.read_at(into, self.1)?;
            self.1 += size as u64;
            Ok(size)
        }
    }
    let size = (range.end - range.start).min(PIECE_BYTES as u64);
    let mut piece = Vec::with_capacity(size as usize);
    At(file, range.start).take(size).read_to_end(&mut piece)?;
    if piece.len() as u64 != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    range.start += size;
    Ok(piece.into())
}
