//! One accepted publish, whatever its protocol: tags in, access units into the broadcast's replay buffer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_media::flv::Metadata;
use headwater_media::normalise::{Counters, Issue, Normaliser, Output};
use headwater_media::{MediaTime, Timescale, TrackId};
use headwater_model::PublishId;
use metrics::{Counter, Gauge, counter, gauge};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info};

use super::pace::{BitRate, Pace};
use super::{Broadcast, Close, Handle, Hints, Leave, News, Registry};
use crate::health::Link;
use crate::key::Grant;

/// Stream health is told of a normaliser's issues this often.
const NOTE_EVERY: Duration = Duration::from_millis(900);

/// Bounds of one publish.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How far media may run ahead of real time.
    pub burst: Duration,
    /// Without media this long, the publisher counts as gone.
    pub media_timeout: Duration,
    /// Bits per second over ten seconds.
    pub bitrate_max_bps: u64,
}

/// Why a publish cannot go on. `Display` is for the streamer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// Another publisher has taken its place, or the broadcast was closed.
    #[error("Another encoder has taken over.")]
    Replaced,
    /// Above its bit rate.
    #[error("The stream is at {got_kbps} kbit/s; this channel takes {max_kbps} kbit/s. Lower the encoder's bit rate.")]
    BitRate {
        /// Measured over ten seconds.
        got_kbps: u64,
        /// Allowed.
        max_kbps: u64,
    },
    /// Connected, but silent.
    #[error("No audio or video has arrived for {0} seconds. Check the encoder and the network, and start again.")]
    Silent(u64),
    /// The stream itself cannot be used.
    #[error("{0}")]
    Unusable(Issue),
}

/// See the [module](self).
pub struct Publisher {
    registry: Arc<Registry>,
    grant: Arc<Grant>,
    handle: Handle,
    bounds: Bounds,
    /// False: media is measured and left out.
    keeps: bool,
    metadata: Option<Metadata>,
    /// From the first media on.
    session: Option<Session>,
    pace: Pace,
    rate: BitRate,
    last_media: Instant,
    /// It was held back since stream health was told.
    held: bool,
    figures: Figures,
}

struct Session {
    broadcast: Arc<Broadcast>,
    normaliser: Normaliser,
    news: Vec<News>,
    /// What the metrics have been told.
    issues: Counters,
    /// When stream health is told of the issues next.
    note_at: Instant,
}

/// Counted per read, not per unit.
struct Figures {
    bytes: Counter,
    video_units: Counter,
    audio_units: Counter,
    live: Gauge,
}

impl Publisher {
    /// A publish that `grant` allows. Without `keeps` nothing is broadcast: the publisher measures its uplink. `link`: what
    /// it comes over, where that is a TCP connection.
    pub fn new(
        registry: Arc<Registry>,
        grant: Arc<Grant>,
        bounds: Bounds,
        protocol: &'static str,
        keeps: bool,
        link: Option<Link>,
    ) -> Self {
        let now = Instant::now();
        let live = gauge!("ingest_publishers", "protocol" => protocol);
        live.increment(1);
        Self {
            registry,
            grant,
            handle: Handle {
                id: PublishId::random(),
                link,
                close: watch::Sender::new(None),
            },
            bounds,
            keeps,
            metadata: None,
            session: None,
            pace: Pace::new(bounds.burst, now),
            rate: BitRate::new(now),
            last_media: now,
            held: false,
            figures: Figures {
                bytes: counter!("ingest_media_bytes_total", "protocol" => protocol),
                video_units: counter!("ingest_units_total", "protocol" => protocol, "kind" => "video"),
                audio_units: counter!("ingest_units_total", "protocol" => protocol, "kind" => "audio"),
                live,
            },
        }
    }

    /// Its id.
    pub fn id(&self) -> PublishId {
        self.handle.id
    }

    /// Tells when the edge wants it closed, and why.
    pub fn closer(&self) -> Closer {
        Closer {
            handle: self.handle.clone(),
            wanted: self.handle.close.subscribe(),
        }
    }

    /// Takes the encoder's hints.
    pub fn metadata(&mut self, metadata: Metadata) {
        match &mut self.session {
            Some(session) => session.normaliser.metadata(&metadata),
            None => self.metadata = Some(metadata),
        }
    }

    /// Takes an FLV video tag body. Call [`Self::flush`] when what the socket had is taken.
    pub fn video(&mut self, timestamp: u32, payload: Bytes) {
        let now_ms = self.media(payload.len());
        if let Some(session) = self.session() {
            session.normaliser.video(now_ms, timestamp, payload);
        }
    }

    /// Takes an FLV audio tag body. Call [`Self::flush`] when what the socket had is taken.
    pub fn audio(&mut self, timestamp: u32, payload: Bytes) {
        let now_ms = self.media(payload.len());
        if let Some(session) = self.session() {
            session.normaliser.audio(now_ms, timestamp, payload);
        }
    }

    fn allowed_bps(&self) -> u64 {
        self.grant.bitrate_max_bps.unwrap_or(self.bounds.bitrate_max_bps)
    }

    fn media(&mut self, bytes: usize) -> i64 {
        self.last_media = Instant::now();
        self.rate.add(bytes, None, self.last_media);
        self.figures.bytes.increment(bytes as u64);
        self.registry.deps.clock.now_ms()
    }

    /// Joins the channel's broadcast with the first media.
    fn session(&mut self) -> Option<&mut Session> {
        if self.keeps && self.session.is_none() {
            let (registry, allowed) = (&self.registry, self.allowed_bps());
            let (broadcast, start) = registry.join(&self.grant, &self.handle, allowed, self.last_media);
            let mut normaliser = Normaliser::new(start);
            if let Some(metadata) = self.metadata.take() {
                normaliser.metadata(&metadata);
                self.metadata = Some(metadata);
            }
            self.session = Some(Session {
                broadcast,
                normaliser,
                news: Vec::new(),
                issues: Counters::default(),
                note_at: self.last_media,
            });
        }
        self.session.as_mut()
    }

    /// Moves what has been settled into the replay buffer.
    pub fn flush(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        let arrival_us = self.registry.deps.clock.now_us();
        let (mut reach, mut video, mut audio, mut issues, mut fatal) = (None, 0, 0, false, None);
        while let Some(output) = session.normaliser.poll() {
            match output {
                Output::Unit(unit) => {
                    if unit.track < TrackId::AUDIO {
                        video += 1;
                    } else {
                        audio += 1;
                    }
                    let at = position(unit.dts);
                    let (first, newest) = reach.get_or_insert((at, at));
                    (*first, *newest) = (at.min(*first), at.max(*newest));
                    session.news.push(News::Unit(unit, arrival_us));
                }
                Output::Epoch(epoch) => {
                    let hints = hints(self.metadata.as_ref(), session.normaliser.frame_rate());
                    info!(
                        epoch.index = epoch.index,
                        epoch.tracks = epoch.tracks.len(),
                        "epoch {} begins: {}",
                        epoch.index,
                        epoch.cause.as_str()
                    );
                    counter!("ingest_epochs_total", "cause" => epoch.cause.as_str()).increment(1);
                    session.news.push(News::Epoch(epoch, hints));
                }
                Output::Issue(issue) => {
                    debug!("stream issue: {issue}");
                    issues = true;
                    if issue.is_fatal() {
                        fatal.get_or_insert(issue);
                    }
                }
            }
        }
        if issues {
            session.count_issues();
        }
        if now >= session.note_at {
            session.note_at = now + NOTE_EVERY;
            let held = std::mem::take(&mut self.held);
            session
                .broadcast
                .note(self.handle.id, session.normaliser.counters(), held);
        }
        self.figures.video_units.increment(video);
        self.figures.audio_units.increment(audio);
        if !session.news.is_empty() && !session.broadcast.append(self.handle.id, &mut session.news, now) {
            return Err(Stop::Replaced);
        }
        if let Some((first, newest)) = reach {
            for position in [first, newest] {
                self.pace.advance(position, now);
                self.rate.add(0, Some(position), now);
            }
        }
        if let Some(issue) = fatal {
            return Err(Stop::Unusable(issue));
        }
        let allowed = self.allowed_bps();
        match self.rate.bps() {
            got if got > allowed => Err(Stop::BitRate {
                got_kbps: got / 1_000,
                max_kbps: allowed / 1_000,
            }),
            _ => Ok(()),
        }
    }

    /// Lets time pass: ends waits for tracks that do not come, and finds silence. Call at [`Self::deadline`].
    pub fn tick(&mut self) -> Result<(), Stop> {
        if Instant::now() >= self.last_media + self.bounds.media_timeout {
            return Err(Stop::Silent(self.bounds.media_timeout.as_secs()));
        }
        if let Some(session) = &mut self.session {
            session.normaliser.tick(self.registry.deps.clock.now_ms());
        }
        self.flush()
    }

    /// When to call [`Self::tick`] at the latest.
    pub fn deadline(&self) -> Instant {
        let silent = self.last_media + self.bounds.media_timeout;
        let normaliser = self
            .session
            .as_ref()
            .and_then(|session| session.normaliser.deadline_ms());
        normaliser.map_or(silent, |at| silent.min(self.registry.deps.clock.instant_of(at)))
    }

    /// How long not to read from the publisher, because it is ahead of real time.
    pub fn ahead(&mut self) -> Option<Duration> {
        self.pace.wait(Instant::now())
    }

    /// The time in which it was not read does not count as silence.
    pub fn held_back(&mut self) {
        self.held = true;
        self.last_media = Instant::now();
    }

    /// The publish is over: gives out what was held, then ends the broadcast or leaves it waiting.
    pub fn leave(mut self, how: Leave) {
        let Some(session) = &mut self.session else { return };
        session.normaliser.finish();
        // Whatever is wrong with the stream no longer matters.
        let _ = self.flush();
        if let Some(session) = &mut self.session {
            session.count_issues();
            session.broadcast.leave(self.handle.id, how, Instant::now());
        }
    }
}

impl Session {
    fn count_issues(&mut self) {
        let counters = self.normaliser.counters();
        for ((name, now), (_, told)) in counters
            .iter()
            .zip(self.issues.iter())
            .filter(|(now, told)| now != told)
        {
            counter!("ingest_issues_total", "issue" => name).increment(now - told);
        }
        self.issues.clone_from(counters);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.figures.live.decrement(1.0);
        // After a panic of the connection, the broadcast still learns that its publisher is gone.
        if let Some(session) = &self.session {
            let how = Leave::Dropped("the connection failed".into());
            session.broadcast.leave(self.handle.id, how, Instant::now());
        }
    }
}

fn position(at: MediaTime) -> i64 {
    at.ticks_in(Timescale::VIDEO)
}

fn hints(metadata: Option<&Metadata>, frame_rate: Option<(u32, u32)>) -> Hints {
    let kbps = metadata.map_or(0.0, |m| m.video_kbps.unwrap_or(0.0) + m.audio_kbps.unwrap_or(0.0));
    let exact = frame_rate
        .filter(|(_, den)| *den > 0)
        .map(|(num, den)| f64::from(num) / f64::from(den));
    let fps = exact.or(metadata.and_then(|m| m.frame_rate)).unwrap_or(0.0);
    Hints {
        bitrate_bps: (kbps * 1_000.0) as u64,
        fps_milli: (fps * 1_000.0).round() as u32,
    }
}

/// Watches whether the edge wants a publish closed, and can want it itself.
#[derive(Clone, Debug)]
pub struct Closer {
    handle: Handle,
    wanted: watch::Receiver<Option<Close>>,
}

impl Closer {
    /// Waits until the edge wants the publish closed.
    pub async fn closed(&mut self) -> Close {
        match self.wanted.wait_for(Option::is_some).await.map(|close| close.clone()) {
            Ok(Some(close)) => close,
            // The handle above keeps the sender alive.
            _ => std::future::pending().await,
        }
    }

    /// Why the edge wants it closed, if it does.
    pub fn wanted(&self) -> Option<Close> {
        self.wanted.borrow().clone()
    }

    /// Wants it closed.
    pub fn close(&self, why: Close) {
        self.handle.close(why);
    }
}

#[cfg(test)]
mod tests;
