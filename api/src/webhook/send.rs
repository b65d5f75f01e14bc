//! One attempt: a POST to an address that was judged, on a connection of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};

use crate::outbound::{Outbound, Reply};

/// Bytes of an answer that are read; the rest is cut off with the connection.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Characters of an answer that are kept.
pub(super) const ANSWER_CHARS_MAX: usize = 4_000;
/// Longest pause that an endpoint can ask for.
const RETRY_AFTER_MAX_S: u64 = 86_400;

/// What became of one attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) status: Option<u16>,
    /// Why there is no answer, in words for the endpoint's owner.
    pub(super) error: Option<String>,
    /// As much of the answer's body as is kept.
    pub(super) answer: String,
    /// How long the endpoint wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    pub(super) took: Duration,
}

impl Outcome {
    /// 2xx and nothing else: redirects are not followed.
    pub(super) fn delivered(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// A message to send.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) timestamp_s: i64,
    pub(super) signature: String,
    pub(super) body: Bytes,
}

/// Sends, for at most `limit`.
pub(super) async fn post(out: &Outbound, url: &str, message: Message, limit: Duration) -> Outcome {
    let begun = Instant::now();
    let sent = out.send(url, ANSWER_BYTES_MAX, limit, |request| {
        request
            .method("POST")
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("Headwater-Webhooks/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp_s)
            .header("webhook-signature", message.signature)
            .body(message.body.into())
    });
    let outcome = match sent.await {
        Ok(reply) => Outcome {
            status: Some(reply.parts.status.as_u16()),
            retry_after: retry_after(&reply.parts.headers),
            answer: text(&reply),
            ..Outcome::default()
        },
        Err(error) => Outcome {
            error: Some(error),
            ..Outcome::default()
        },
    };
    Outcome {
        took: begun.elapsed(),
        ..outcome
    }
}

/// `Retry-After` in seconds; the form with a date is rare and left out.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_MAX_S)))
}

/// The beginning of the body as text that PostgreSQL can keep.
fn text(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body).replace('\0', "\u{fffd}");
    text.chars().take(ANSWER_CHARS_MAX).collect()
}
