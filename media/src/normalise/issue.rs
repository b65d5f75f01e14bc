//! What was wrong with a publisher's stream, typed and counted.

use std::collections::VecDeque;

use super::Output;
use crate::codec::{aac, h264};
use crate::flv::{AudioCodec, FlvError, VideoCodec};
use crate::unit::TrackKind;

/// One thing that had to be settled. `Display` is a sentence for the streamer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Issue {
    /// The video codec cannot be used; audio goes on.
    #[error("video codec {0:?} is not supported: send H.264")]
    UnsupportedVideo(VideoCodec),
    /// The audio codec cannot be used; video goes on.
    #[error("audio codec {0:?} is not supported: send AAC")]
    UnsupportedAudio(AudioCodec),
    /// The video configuration cannot be used; audio goes on.
    #[error("the video configuration cannot be used")]
    VideoConfig(#[source] h264::ConfigError),
    /// The audio configuration cannot be used; video goes on.
    #[error("the audio configuration cannot be used")]
    AudioConfig(#[source] aac::ConfigError),
    /// H.264 Extended profile, which no player decodes.
    #[error("video uses data partitioning: choose Baseline, Main or High profile")]
    DataPartitioning,
    /// A second track of a kind; only the default one is used.
    #[error("a further {0:?} track is not used")]
    ExtraTrack(TrackKind),
    /// Units came before their configuration.
    #[error("{0:?} came without its configuration")]
    NoConfig(TrackKind),
    /// No key frame for [`super::KEY_WAIT_MS`].
    #[error("video has no key frame: set a key frame interval of 2 seconds")]
    NoKeyFrame,
    /// A tag body that cannot be read.
    #[error("a {0:?} message is malformed")]
    BrokenTag(TrackKind, #[source] FlvError),
    /// An access unit that does not divide into NAL units.
    #[error("a video frame is malformed")]
    BrokenUnit(#[source] h264::UnitError),
    /// Video units dropped because no key frame had come, or its configuration had changed without one.
    #[error("video frames before a key frame were left out")]
    BeforeKeyFrame,
    /// Frames with start codes where lengths belong.
    #[error("video is framed as Annex B inside RTMP")]
    StartCodes,
    /// ADTS headers inside audio frames.
    #[error("audio carries ADTS headers inside RTMP")]
    AdtsHeaders,
    /// Time went back a little; decode times were bumped.
    #[error("{kind:?} time went back by {by_ms} ms")]
    SmallStepBack {
        /// Which track.
        kind: TrackKind,
        /// Milliseconds.
        by_ms: i64,
    },
    /// Time went back, and the track was moved to go on without a break.
    #[error("{kind:?} time went back by {by_ms} ms and was corrected")]
    Retimed {
        /// Which track.
        kind: TrackKind,
        /// Milliseconds.
        by_ms: i64,
    },
    /// Time jumped so far that a new epoch begins.
    #[error("{kind:?} time jumped by {by_ms} ms")]
    Jump {
        /// Which track.
        kind: TrackKind,
        /// Milliseconds, negative when back.
        by_ms: i64,
    },
    /// Sound runs on a clock of its own and was aligned with the pictures by arrival.
    #[error("audio time differs from video time by {by_ms} ms and was corrected")]
    OffsetAudio {
        /// Milliseconds.
        by_ms: i64,
    },
    /// Nothing on a track for a while.
    #[error("{kind:?} has a gap of {by_ms} ms")]
    Gap {
        /// Which track.
        kind: TrackKind,
        /// Milliseconds.
        by_ms: i64,
    },
    /// More audio than time for it; a frame was left out.
    #[error("audio frames overlap")]
    AudioOverlap,
    /// Successive video units with the same time.
    #[error("video frames share a timestamp")]
    EqualTimes,
    /// Timestamps stand still; times are made from arrival.
    #[error("{0:?} timestamps do not advance")]
    ConstantTimes(TrackKind),
    /// Presentation before decoding; decode times were shifted.
    #[error("video frames are to be shown before they are decoded")]
    ShownBeforeDecoded,
    /// A composition time beyond [`super::COMPOSITION_MS_MAX`].
    #[error("a video frame has a composition time of {0} ms")]
    AbsurdComposition(i32),
    /// Timestamps are not milliseconds.
    #[error("timestamps run {0} times too fast: they must be milliseconds")]
    WrongTimeUnit(u32),
    /// Media that had piled up while the publisher paused was left out to be live again.
    #[error("{0} ms of delayed media were left out to catch up")]
    BacklogDropped(i64),
    /// Units were left out because too many waited for a track or a key frame.
    #[error("too much media waited for a track or key frame")]
    HoldOverflow,
    /// The publisher calls a picture a key frame, and it is no IDR: an open GOP, or intra refresh.
    #[error("a key frame is no IDR frame: turn open GOP off")]
    KeyNotIdr,
}

impl Issue {
    /// The stream cannot be used at all: refuse it with the sentence.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::WrongTimeUnit(_))
    }

    fn index(&self) -> usize {
        match self {
            Self::UnsupportedVideo(_) => 0,
            Self::UnsupportedAudio(_) => 1,
            Self::VideoConfig(_) => 2,
            Self::AudioConfig(_) => 3,
            Self::DataPartitioning => 4,
            Self::ExtraTrack(_) => 5,
            Self::NoConfig(_) => 6,
            Self::NoKeyFrame => 7,
            Self::BrokenTag(..) => 8,
            Self::BrokenUnit(_) => 9,
            Self::BeforeKeyFrame => 10,
            Self::StartCodes => 11,
            Self::AdtsHeaders => 12,
            Self::SmallStepBack { .. } => 13,
            Self::Retimed { .. } => 14,
            Self::Jump { .. } => 15,
            Self::OffsetAudio { .. } => 16,
            Self::Gap { .. } => 17,
            Self::AudioOverlap => 18,
            Self::EqualTimes => 19,
            Self::ConstantTimes(_) => 20,
            Self::ShownBeforeDecoded => 21,
            Self::AbsurdComposition(_) => 22,
            Self::WrongTimeUnit(_) => 23,
            Self::BacklogDropped(_) => 24,
            Self::HoldOverflow => 25,
            Self::KeyNotIdr => 26,
        }
    }
}

/// Names of the issues as metrics spell them, in the order of [`Counters`].
const NAMES: [&str; 27] = [
    "unsupported_video",
    "unsupported_audio",
    "video_config",
    "audio_config",
    "data_partitioning",
    "extra_track",
    "no_config",
    "no_key_frame",
    "broken_tag",
    "broken_unit",
    "before_key_frame",
    "start_codes",
    "adts_headers",
    "small_step_back",
    "retimed",
    "jump",
    "offset_audio",
    "gap",
    "audio_overlap",
    "equal_times",
    "constant_times",
    "shown_before_decoded",
    "absurd_composition",
    "wrong_time_unit",
    "backlog_dropped",
    "hold_overflow",
    "key_not_idr",
];

/// How often each kind of issue has come up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters([u64; NAMES.len()]);

impl Counters {
    /// Names, as metrics spell them, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.into_iter().zip(self.0)
    }

    /// How often issues like this one have come up, whatever their numbers.
    pub fn of(&self, issue: &Issue) -> u64 {
        self.0[issue.index()]
    }
}

/// Where outputs go.
#[derive(Default)]
pub(super) struct Sink {
    pub output: VecDeque<Output>,
    pub counters: Counters,
}

impl Sink {
    /// Counts an issue, and gives it out the first, second, fourth, eighth time and so on.
    pub fn issue(&mut self, issue: Issue) {
        let count = &mut self.counters.0[issue.index()];
        *count += 1;
        if count.is_power_of_two() {
            self.output.push_back(Output::Issue(issue));
        }
    }
}
