//! The two tracks at bitstream level: configurations come and go, units lose what does not belong in a sample.

use std::collections::VecDeque;

use bytes::Bytes;

use super::issue::{Issue, Sink};
use crate::codec::{aac, h264};
use crate::flv::{AudioBody, AudioCodec, AudioTag, VideoBody, VideoCodec, VideoTag};
use crate::unit::TrackKind;

/// Longest that audio waits for its configuration, in milliseconds.
pub const CONFIG_WAIT_MS: i64 = 5_000;
/// Most audio units that wait for their configuration.
const WAITING_UNITS_MAX: usize = 512;
/// Furthest that a picture may be shown after its decoding, in milliseconds.
pub const COMPOSITION_MS_MAX: i32 = 5_000;

/// One unit with its times as sent, unwrapped.
#[derive(Clone, Debug)]
pub(super) struct Coded {
    pub kind: TrackKind,
    pub ms: i64,
    pub composition_ms: i32,
    pub now_ms: i64,
    pub key: bool,
    pub data: Bytes,
}

#[derive(Default)]
pub(super) struct VideoTrack {
    pub config: Option<h264::Config>,
    /// The configuration changed in meaning since [`Self::settle`].
    pub changed: bool,
    length_size: Option<usize>,
    /// Parameter sets met before there was a configuration.
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
}

impl VideoTrack {
    /// Takes a tag; gives a unit if it holds one that can be decoded with the configuration.
    pub fn take(&mut self, tag: VideoTag, ms: i64, now_ms: i64, sink: &mut Sink) -> Option<Coded> {
        if tag.track != 0 {
            sink.issue(Issue::ExtraTrack(TrackKind::Video));
            return None;
        }
        if tag.codec != VideoCodec::H264 {
            if tag.body != VideoBody::Ignored {
                sink.issue(Issue::UnsupportedVideo(tag.codec));
            }
            return None;
        }
        match tag.body {
            VideoBody::Config(record) => {
                self.configure(record, sink);
                None
            }
            VideoBody::Frame {
                composition_ms,
                key,
                data,
            } => {
                let unit = self.frame(composition_ms, &data, ms, now_ms, sink);
                if key && unit.as_ref().is_some_and(|unit| !unit.key) {
                    sink.issue(Issue::KeyNotIdr);
                }
                unit
            }
            VideoBody::End | VideoBody::Ignored => None,
        }
    }

    fn configure(&mut self, record: Bytes, sink: &mut Sink) {
        let length_size = record.get(4).map(|b| usize::from(b & 3) + 1);
        match h264::Config::parse(record) {
            Ok(config) => {
                self.length_size = length_size;
                self.adopt(config);
            }
            // The stream carries its parameter sets itself.
            Err(h264::ConfigError::Missing(_)) => self.length_size = length_size,
            Err(error) => sink.issue(Issue::VideoConfig(error)),
        }
    }

    fn adopt(&mut self, config: h264::Config) {
        if !self.config.as_ref().is_some_and(|old| old.same_meaning(&config)) {
            self.changed = true;
            self.config = Some(config);
        }
    }

    fn frame(&mut self, composition_ms: i32, data: &Bytes, ms: i64, now_ms: i64, sink: &mut Sink) -> Option<Coded> {
        if data.is_empty() {
            return None;
        }
        let unit = match h264::normalise_access_unit(data, self.length_size.unwrap_or(4)) {
            Ok(unit) => unit,
            Err(error) => {
                sink.issue(Issue::BrokenUnit(error));
                return None;
            }
        };
        if unit.start_codes {
            sink.issue(Issue::StartCodes);
        }
        if !unit.sps.is_empty() || !unit.pps.is_empty() {
            self.in_band(&unit, sink);
        }
        if unit.data.is_empty() {
            return None;
        }
        if unit.partitioned {
            sink.issue(Issue::DataPartitioning);
            return None;
        }
        if self.config.is_none() {
            sink.issue(Issue::NoConfig(TrackKind::Video));
            return None;
        }
        let mut composition_ms = composition_ms;
        if composition_ms.abs() > COMPOSITION_MS_MAX {
            sink.issue(Issue::AbsurdComposition(composition_ms));
            composition_ms = 0;
        }
        Some(Coded {
            kind: TrackKind::Video,
            ms,
            composition_ms,
            now_ms,
            key: unit.idr,
            data: unit.data,
        })
    }

    fn in_band(&mut self, unit: &h264::NormalisedUnit, sink: &mut Sink) {
        let made = match &self.config {
            Some(config) => {
                let known = |sets: &[Bytes], new: &[Bytes]| new.iter().all(|set| sets.contains(set));
                if known(config.sps_nals(), &unit.sps) && known(config.pps_nals(), &unit.pps) {
                    return;
                }
                config.updated_by(&unit.sps, &unit.pps)
            }
            None => {
                if !unit.sps.is_empty() {
                    self.sps = unit.sps.clone();
                }
                if !unit.pps.is_empty() {
                    self.pps = unit.pps.clone();
                }
                h264::Config::from_parameter_sets(&self.sps, &self.pps)
            }
        };
        match made {
            Ok(config) => self.adopt(config),
            Err(h264::ConfigError::Missing(_)) => {}
            Err(error) => sink.issue(Issue::VideoConfig(error)),
        }
    }
}

#[derive(Default)]
pub(super) struct AudioTrack {
    pub config: Option<aac::Config>,
    /// The configuration changed in meaning since an epoch took it up.
    pub changed: bool,
    waiting: VecDeque<Coded>,
    given_up: bool,
}

impl AudioTrack {
    /// What a unit should last, in milliseconds.
    pub fn nominal_ms(&self) -> i64 {
        self.config.as_ref().map_or(21, |c| {
            i64::from(c.frame_samples()) * 1_000 / i64::from(c.output_rate())
        })
    }

    /// Takes a tag; appends the units that it completes.
    pub fn take(&mut self, tag: AudioTag, ms: i64, now_ms: i64, out: &mut Vec<Coded>, sink: &mut Sink) {
        if tag.track != 0 {
            sink.issue(Issue::ExtraTrack(TrackKind::Audio));
            return;
        }
        if tag.codec != AudioCodec::Aac {
            if tag.body != AudioBody::Ignored {
                sink.issue(Issue::UnsupportedAudio(tag.codec));
            }
            return;
        }
        match tag.body {
            AudioBody::Config(record) => match aac::Config::parse(record) {
                Ok(config) => {
                    self.adopt(config);
                    out.extend(self.waiting.drain(..));
                }
                Err(error) => sink.issue(Issue::AudioConfig(error)),
            },
            AudioBody::Frame(data) => self.frame(data, ms, now_ms, out, sink),
            AudioBody::End | AudioBody::Ignored => {}
        }
    }

    fn adopt(&mut self, config: aac::Config) {
        if !self.config.as_ref().is_some_and(|old| old.same_meaning(&config)) {
            self.changed = true;
            self.config = Some(config);
        }
    }

    fn frame(&mut self, data: Bytes, ms: i64, now_ms: i64, out: &mut Vec<Coded>, sink: &mut Sink) {
        let coded = |ms, data| Coded {
            kind: TrackKind::Audio,
            ms,
            composition_ms: 0,
            now_ms,
            key: true,
            data,
        };
        match aac::unwrap_adts(&data) {
            Some(Ok(adts)) => {
                sink.issue(Issue::AdtsHeaders);
                if self.config.is_none() {
                    self.adopt(adts.config);
                    out.extend(self.waiting.drain(..));
                }
                let each = self.nominal_ms();
                out.extend(
                    adts.frames
                        .into_iter()
                        .enumerate()
                        .map(|(i, frame)| coded(ms + i as i64 * each, frame)),
                );
            }
            Some(Err(error)) => sink.issue(Issue::AudioConfig(error)),
            None if self.config.is_some() => out.push(coded(ms, data)),
            None => self.wait(coded(ms, data), sink),
        }
    }

    /// Holds a unit for the configuration that is due.
    fn wait(&mut self, unit: Coded, sink: &mut Sink) {
        let overdue = self
            .waiting
            .front()
            .is_some_and(|first| unit.now_ms - first.now_ms > CONFIG_WAIT_MS);
        if self.given_up || overdue || self.waiting.len() >= WAITING_UNITS_MAX {
            self.given_up = true;
            self.waiting.clear();
            sink.issue(Issue::NoConfig(TrackKind::Audio));
        } else {
            self.waiting.push_back(unit);
        }
    }
}
