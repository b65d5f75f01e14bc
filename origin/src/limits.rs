//! Every bound of the origin, with its unit, and what happens at it.
//!
//! Memory on paper: a followed broadcast of 12 Mbit/s keeps [`RECENT_MEDIA_S`] of what is watched, 30 MB, until the
//! process-wide `--origin-cache-bytes` says less; measured, an idle connection costs 6 kB, one with a waiting reload 21 kB.

use std::time::Duration;

/// Connections open at once. Further ones wait in the kernel's queue.
pub(crate) const CONNECTIONS_MAX: usize = 60_000;
/// Connections that the kernel holds until they are accepted (it may hold fewer: `net.core.somaxconn`).
pub(crate) const ACCEPT_QUEUE_CONNECTIONS: u32 = 8_192;
/// Bytes of one request's line and headers (HTTP/1.1); beyond it the connection is closed with 431.
pub(crate) const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one request's decoded header list (HTTP/2).
pub(crate) const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// Bytes of path and query together; beyond it 414.
pub(crate) const TARGET_BYTES_MAX: usize = 2_048;
/// Requests in progress on one HTTP/2 connection.
pub(crate) const STREAMS_PER_CONNECTION_MAX: u32 = 128;
/// From the first byte (or the end of the answer before) to the end of a request's headers; then the connection closes.
pub(crate) const HEADER_READ: Duration = Duration::from_secs(30);
/// A TLS handshake that takes longer is dropped.
pub(crate) const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// A reader that takes nothing for this long is cut off.
pub(crate) const WRITE_STALL: Duration = Duration::from_secs(30);
/// Connections still answering this long after shutdown began are cut off.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// Playback ids remembered at once; the ones least recently asked for are forgotten.
pub(crate) const PLAYBACKS_MAX: usize = 50_000;
/// Broadcasts that one playback id may still be asked for after it moved on to newer ones.
pub(crate) const BROADCASTS_PER_PLAYBACK_MAX: usize = 8;
/// Replays whose index is kept in memory at once.
pub(crate) const REPLAYS_MAX: usize = 64;
/// How long the api's answer for a live or offline playback id is used without asking again.
pub(crate) const LIVE_ANSWER: Duration = Duration::from_secs(1);
/// The same for a replay, which hardly ever changes; when it does, hints tell at once.
pub(crate) const REPLAY_ANSWER: Duration = Duration::from_secs(10);
/// How long a request for a state other than the present one is held; then the present one is its answer.
pub(crate) const STATE_HOLD: Duration = Duration::from_secs(20);
/// An api that has not answered by then counts as down for this request: the last answer is used.
pub(crate) const RESOLVE: Duration = Duration::from_secs(2);
/// A live broadcast nobody has asked for during this time is no longer followed.
pub(crate) const FOLLOW_IDLE: Duration = Duration::from_secs(60);
/// How long after its end an unrecorded broadcast is shown to those who watch it, from memory: longer than any player lags behind.
pub(crate) const LAST_LOOK: Duration = Duration::from_secs(60);
/// First and longest pause between two attempts to subscribe.
pub(crate) const SUBSCRIBE_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Seconds of finished segments whose bytes stay in memory while the object store answers, of renditions that somebody
/// watches; older ones are read from it. Of the others what is not stored yet stays.
pub(crate) const RECENT_MEDIA_S: u64 = 20;
/// A rendition is watched until so many segments have come since media of it was asked for.
pub(crate) const WATCHED_SEGMENTS: u32 = 15;
/// Seconds kept while the object store does not answer.
pub(crate) const RECENT_MEDIA_WITHOUT_STORE_S: u64 = 60;
/// Reads of the object store in progress at once; more wait for one to end.
pub(crate) const STORE_READS_MAX: usize = 64;
/// One read of the object store.
pub(crate) const STORE_READ: Duration = Duration::from_secs(10);
/// Pieces of a download fetched ahead of the reader.
pub(crate) const DOWNLOAD_AHEAD_MAX: usize = 2;
/// Attempts to read one piece of a download.
pub(crate) const DOWNLOAD_ATTEMPTS_MAX: u32 = 5;

/// Thumbnails in memory at once: some 40 kB each.
pub(crate) const THUMBNAILS_MAX: usize = 512;
/// How long the thumbnail of a broadcast on air is used without asking the store again, and one of a replay.
pub(crate) const THUMBNAIL_AGE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// Seconds that the manifest of a live broadcast lists at most: players parse all of it at every update.
pub(crate) const DASH_WINDOW_S_MAX: u32 = 1_800;

/// Target durations of a part that a manifest is held back for the next segment to begin: it begins with a part.
pub(crate) const BETWEEN_PARTS: u64 = 2;

/// Target durations that a request may wait for what it names (rfc8216bis §6.2.5.2).
pub(crate) const HOLD_TARGETS: u32 = 3;
