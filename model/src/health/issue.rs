//! The issues, how grave they are, how long they have to last, and what to say of them.

use serde::{Deserialize, Serialize};

/// What is wrong with a broadcast. The words of the API are these in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Issue {
    /// Key frames too far apart.
    GopLong,
    /// Key frames too close together.
    GopShort,
    /// Key frames that later pictures look back beyond.
    GopOpen,
    /// Key frames at changing distances.
    GopIrregular,
    /// Close to the limit of the channel or the service.
    BitrateHigh,
    /// Too few bits for the size of the picture.
    BitrateLow,
    /// Fewer pictures per second than the encoder says, or than look like motion.
    FramerateLow,
    /// Pictures are missing.
    FramesDropped,
    /// Media comes more slowly than it plays.
    Starved,
    /// Media comes faster than it plays.
    FasterThanRealtime,
    /// Timestamps jumped or stood still.
    ClockJump,
    /// Sound and pictures come further and further apart.
    AvDrift,
    /// A size that players do not show.
    ResolutionUnsupported,
    /// A codec that is not taken.
    VideoCodecUnsupported,
    /// A codec that is not taken.
    AudioCodecUnsupported,
    /// No sound.
    AudioMissing,
    /// No pictures.
    VideoMissing,
    /// Fields, not frames.
    Interlaced,
    /// No worker pulls the broadcast.
    WorkerLost,
    /// Renditions are left out.
    RungsReduced,
    /// The object store does not keep up.
    StoreDelayed,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

/// How grave an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; viewers see no difference.
    Info,
    /// Some viewers see or hear it.
    Warning,
    /// Viewers lose picture or sound, or will.
    Error,
}

/// How long an issue has to last before it opens, and to be gone before it closes, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Until it opens.
    pub ill_ms: i64,
    /// Until it closes.
    pub well_ms: i64,
}

/// What is said of an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What is the case.
    pub message: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Issue {
    /// Every one that is known.
    pub const ALL: [Self; 21] = [
        Self::GopLong,
        Self::GopShort,
        Self::GopOpen,
        Self::GopIrregular,
        Self::BitrateHigh,
        Self::BitrateLow,
        Self::FramerateLow,
        Self::FramesDropped,
        Self::Starved,
        Self::FasterThanRealtime,
        Self::ClockJump,
        Self::AvDrift,
        Self::ResolutionUnsupported,
        Self::VideoCodecUnsupported,
        Self::AudioCodecUnsupported,
        Self::AudioMissing,
        Self::VideoMissing,
        Self::Interlaced,
        Self::WorkerLost,
        Self::RungsReduced,
        Self::StoreDelayed,
    ];

    /// The word in messages, metrics and addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GopLong => "gop_long",
            Self::GopShort => "gop_short",
            Self::GopOpen => "gop_open",
            Self::GopIrregular => "gop_irregular",
            Self::BitrateHigh => "bitrate_high",
            Self::BitrateLow => "bitrate_low",
            Self::FramerateLow => "framerate_low",
            Self::FramesDropped => "frames_dropped",
            Self::Starved => "starved",
            Self::FasterThanRealtime => "faster_than_realtime",
            Self::ClockJump => "clock_jump",
            Self::AvDrift => "av_drift",
            Self::ResolutionUnsupported => "resolution_unsupported",
            Self::VideoCodecUnsupported => "video_codec_unsupported",
            Self::AudioCodecUnsupported => "audio_codec_unsupported",
            Self::AudioMissing => "audio_missing",
            Self::VideoMissing => "video_missing",
            Self::Interlaced => "interlaced",
            Self::WorkerLost => "worker_lost",
            Self::RungsReduced => "rungs_reduced",
            Self::StoreDelayed => "store_delayed",
            Self::Unknown => "unknown",
        }
    }

    /// How grave it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::GopShort
            | Self::GopIrregular
            | Self::BitrateLow
            | Self::FasterThanRealtime
            | Self::Interlaced
            | Self::Unknown => Severity::Info,
            Self::GopLong
            | Self::GopOpen
            | Self::BitrateHigh
            | Self::FramerateLow
            | Self::FramesDropped
            | Self::ClockJump
            | Self::AvDrift
            | Self::AudioMissing
            | Self::VideoMissing
            | Self::RungsReduced
            | Self::StoreDelayed => Severity::Warning,
            Self::Starved
            | Self::ResolutionUnsupported
            | Self::VideoCodecUnsupported
            | Self::AudioCodecUnsupported
            | Self::WorkerLost => Severity::Error,
        }
    }

    /// How long it has to last, and to be gone.
    pub const fn holds(self) -> Holds {
        let (ill_ms, well_ms) = match self {
            // Settings: they hold until the encoder is told otherwise.
            Self::VideoCodecUnsupported
            | Self::AudioCodecUnsupported
            | Self::ResolutionUnsupported
            | Self::Interlaced
            | Self::RungsReduced => (0, 5_000),
            Self::GopLong => (3_000, 5_000),
            Self::GopShort => (5_000, 10_000),
            Self::GopIrregular => (10_000, 20_000),
            Self::BitrateLow => (10_000, 10_000),
            // One event is enough, and stays to be read.
            Self::GopOpen | Self::ClockJump => (0, 30_000),
            Self::BitrateHigh | Self::FramesDropped => (2_000, 10_000),
            Self::FramerateLow => (5_000, 5_000),
            Self::Starved => (1_000, 8_000),
            Self::FasterThanRealtime | Self::AvDrift => (3_000, 8_000),
            Self::AudioMissing | Self::VideoMissing => (3_000, 3_000),
            Self::WorkerLost | Self::Unknown => (0, 3_000),
            Self::StoreDelayed => (2_000, 5_000),
        };
        Holds { ill_ms, well_ms }
    }

    /// What to say, with the figure that shows it: milliseconds for times, bits/s for rates, thousandths for shares and frame
    /// rates, a count elsewhere.
    pub fn words(self, figure: Option<i64>) -> Words {
        let n = figure.unwrap_or(0);
        let seconds = n as f64 / 1_000.0;
        let per_cent = n as f64 / 10.0;
        let (message, advice) = match self {
            Self::GopLong => (
                format!("Key frames are {seconds:.1} s apart."),
                "Set the encoder's keyframe interval to 2 seconds. Until then the source is encoded anew for viewers, who wait longer.",
            ),
            Self::GopShort => (
                format!("Key frames are {seconds:.2} s apart."),
                "Set the encoder's keyframe interval to 2 seconds: key frames this close together cost bits that the picture lacks.",
            ),
            Self::GopOpen => (
                "The video has open GOPs: some key frames are no place to begin.".to_owned(),
                "Turn open GOP off in the encoder (x264: open-gop=0), so that every key frame is an IDR frame.",
            ),
            Self::GopIrregular => (
                format!("Key frames come at changing distances, up to {seconds:.1} s."),
                "Set a fixed keyframe interval of 2 seconds and turn scene-cut detection off (x264: scenecut=0).",
            ),
            Self::BitrateHigh => (
                format!("The stream is at {:.1} Mbit/s, close to its limit.", n as f64 / 1e6),
                "Lower the encoder's bit rate: a publisher above the limit is disconnected.",
            ),
            Self::BitrateLow => (
                format!("The video has {} kbit/s, which is little for its size.", n / 1_000),
                "Raise the encoder's bit rate, or lower the picture's size. For still slides this is as it should be.",
            ),
            Self::FramerateLow => (
                format!("Only {seconds:.1} pictures per second arrive."),
                "See whether the encoder is overloaded, or lower its picture size, frame rate or preset.",
            ),
            Self::FramesDropped => (
                format!("{per_cent:.1} % of the pictures are missing."),
                "The encoder drops pictures: lower its bit rate if the network is the cause, its picture size or preset if the machine is.",
            ),
            Self::Starved => (
                format!("Media arrives at {per_cent:.0} % of the speed at which it plays."),
                "The network does not carry the stream, or the encoder is too slow: lower the bit rate, and use a wired connection.",
            ),
            Self::FasterThanRealtime => (
                "Media arrives faster than it plays, and is slowed down.".to_owned(),
                "When pushing a file, send it at its own speed (ffmpeg: -re).",
            ),
            Self::ClockJump => (
                "The encoder's timestamps have jumped or stood still.".to_owned(),
                "If it happens again, restart the encoder and take it to a version without this fault: viewers see a short break each time.",
            ),
            Self::AvDrift => (
                format!("Sound and pictures arrive {:.1} s apart.", seconds.abs()),
                "Check the sync offsets of the encoder's audio and video sources, and restart it if the distance grows.",
            ),
            Self::ResolutionUnsupported => (
                format!("The picture's longer side has {n} pixels, which many players cannot show."),
                "Send at most 4096x2304 pixels and at least 96 on the shorter side.",
            ),
            Self::VideoCodecUnsupported => (
                "The video is coded in a way that is not taken, and is left out.".to_owned(),
                "Choose H.264 in the encoder.",
            ),
            Self::AudioCodecUnsupported => (
                "The sound is coded in a way that is not taken, and is left out.".to_owned(),
                "Choose AAC in the encoder.",
            ),
            Self::AudioMissing => (
                "There is no sound.".to_owned(),
                "If there should be any, check the encoder's audio source and that it is not muted.",
            ),
            Self::VideoMissing => (
                "There are no pictures.".to_owned(),
                "If there should be any, check the encoder's video source.",
            ),
            Self::Interlaced => (
                "The video is interlaced, and is encoded anew for players.".to_owned(),
                "Deinterlace in the encoder, or choose a progressive source: it is sharper and less delayed.",
            ),
            Self::WorkerLost => (
                format!("No worker has taken the stream for {seconds:.0} s."),
                "Nothing is wrong with the encoder: leave it running. What it sends is kept and goes on when a worker takes over.",
            ),
            Self::RungsReduced => (
                format!("{n} renditions are left out, because there is not enough room to encode them."),
                "Nothing is wrong with the encoder. A smaller ladder asks for less; viewers get the renditions that remain.",
            ),
            Self::StoreDelayed => (
                format!("Recording lies {seconds:.0} s behind."),
                "Nothing is wrong with the encoder. What is not stored yet waits here and is stored later.",
            ),
            Self::Unknown => (
                "Something is wrong that this version has no words for.".to_owned(),
                "See the documentation of the newest version.",
            ),
        };
        Words { message, advice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_ones_on_the_wire_and_every_issue_has_its_own() {
        let mut messages: Vec<String> = Vec::new();
        for issue in Issue::ALL {
            let wire = serde_json::to_value(issue).expect("a unit variant");
            assert_eq!(wire, issue.as_str());
            let words = issue.words(Some(1_500));
            assert!(words.message.ends_with('.') && words.advice.ends_with('.'), "{words:?}");
            messages.push(words.message);
        }
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len(), Issue::ALL.len());
        assert_eq!(
            Issue::GopLong.words(Some(10_000)).message,
            "Key frames are 10.0 s apart."
        );
        assert_eq!(
            Issue::Starved.words(Some(700)).message,
            "Media arrives at 70 % of the speed at which it plays."
        );
    }
}
