//! Answer bodies: bytes in memory, shared and never copied, or bytes that are still on their way.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use http_body::{Frame, SizeHint};

use crate::playback::objects::ReadError;

/// Why a body broke off: the connection is closed, so that no cache takes the torso for the whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BodyError {
    /// The rest of an open segment did not come.
    #[error("the segment was not finished")]
    Unfinished,
    /// The object store failed in the middle of a download.
    #[error("a piece of the download could not be read")]
    Store(#[source] ReadError),
    /// An object is not a segment.
    #[error("{key} cannot be read as a segment")]
    Segment {
        /// Which object.
        key: String,
        /// Where it breaks off.
        #[source]
        source: headwater_media::cmaf::BoxError,
    },
    /// An object is not as long as its index says.
    #[error("{key} has {got_bytes} bytes where its index says {want_bytes}")]
    Length {
        /// Which object.
        key: String,
        /// What it has.
        got_bytes: u64,
        /// What was promised in the answer's `Content-Length`.
        want_bytes: u64,
    },
}

/// The body of an answer.
pub(crate) struct Body(Source);

enum Source {
    /// What is left of bytes in memory.
    Memory { pieces: VecDeque<Bytes>, left_bytes: u64 },
    /// The common case of the above, without the queue.
    Whole(Option<Bytes>),
    /// Pieces that come one by one; `len_bytes` where their sum is known.
    Stream {
        pieces: BoxStream<'static, Result<Bytes, BodyError>>,
        left_bytes: Option<u64>,
    },
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self(Source::Whole(None))
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Source::Whole((!bytes.is_empty()).then_some(bytes)))
    }

    /// `len` bytes of the concatenation of `pieces`, from `start` on.
    pub(crate) fn slice_of(pieces: &[Bytes], start: u64, len: u64) -> Self {
        let (mut skip, mut left) = (start, len);
        let mut kept = VecDeque::with_capacity(pieces.len());
        for piece in pieces {
            let size = piece.len() as u64;
            if skip >= size {
                skip -= size;
                continue;
            }
            if left == 0 {
                break;
            }
            let end = size.min(skip + left);
            kept.push_back(piece.slice(skip as usize..end as usize));
            left -= end - skip;
            skip = 0;
        }
        if kept.len() <= 1 {
            return Self(Source::Whole(kept.pop_front()));
        }
        Self(Source::Memory {
            pieces: kept,
            left_bytes: len - left,
        })
    }

    /// Pieces to come. With `len_bytes` the answer has a `Content-Length`, and the pieces must add up to it.
    pub(crate) fn stream(
        pieces: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
        len_bytes: Option<u64>,
    ) -> Self {
        Self(Source::Stream {
            pieces: pieces.boxed(),
            left_bytes: len_bytes,
        })
    }

    /// The length, where it is known before the body is read.
    pub(crate) fn len_bytes(&self) -> Option<u64> {
        match &self.0 {
            Source::Memory { left_bytes, .. } => Some(*left_bytes),
            Source::Whole(bytes) => Some(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Source::Stream { left_bytes, .. } => *left_bytes,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Source::Memory { pieces, left_bytes } => {
                let piece = pieces.pop_front();
                *left_bytes -= piece.as_ref().map_or(0, |b| b.len() as u64);
                Poll::Ready(piece.map(|b| Ok(Frame::data(b))))
            }
            Source::Stream { pieces, left_bytes } => match pieces.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    if let Some(left) = left_bytes {
                        *left = left.saturating_sub(piece.len() as u64);
                    }
                    Poll::Ready(Some(Ok(Frame::data(piece))))
                }
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Memory { pieces, .. } => pieces.is_empty(),
            Source::Stream { left_bytes, .. } => *left_bytes == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.len_bytes().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_slice_is_cut_out_of_its_pieces() {
        let pieces = ["abc", "", "defg", "h"].map(Bytes::from);
        let whole = "abcdefgh";
        for start in 0..=8usize {
            for len in 0..=(8 - start) {
                let body = Body::slice_of(&pieces, start as u64, len as u64);
                assert_eq!(body.len_bytes(), Some(len as u64));
                let got = body.collect().await.expect("in memory").to_bytes();
                assert_eq!(got, whole[start..start + len], "{start}+{len}");
            }
        }
    }
}
