//! What the publisher sends, as far as the ladder cares.

use headwater_media::codec::h264;
use headwater_media::{CodecConfig, Track, TrackKind};
use serde::{Deserialize, Serialize};

/// Longest side of a picture that is taken, pixels.
pub const SIDE_MAX_PX: u32 = 8_192;
/// Shortest side of a picture that is taken, pixels.
pub const SIDE_MIN_PX: u32 = 16;

/// Whether the source's coded video plays everywhere as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    /// H.264 of a profile that every player decodes: 8 bits, 4:2:0, progressive.
    H264Common,
    /// Anything else that a worker decodes.
    Other,
}

/// The source's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Video {
    /// What it is coded in.
    pub codec: VideoCodec,
    /// Pixels after cropping.
    pub width: u32,
    /// Pixels after cropping.
    pub height: u32,
    /// Sample aspect ratio, width part. 0 is read as 1:1.
    pub sar_num: u32,
    /// Sample aspect ratio, height part. 0 is read as 1:1.
    pub sar_den: u32,
    /// Frames per second × 1000; 0 when unknown.
    pub fps_milli: u32,
    /// Bits/s; 0 when unknown.
    pub bitrate_bps: u64,
}

/// What a publisher sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The picture, where there is one.
    pub video: Option<Video>,
    /// Whether there is sound.
    pub audio: bool,
}

/// A source no ladder fits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A side outside the range.
    #[error("the picture is {width}x{height}; each side lies between {SIDE_MIN_PX} and {SIDE_MAX_PX} pixels")]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// No picture and no sound.
    #[error("the publisher sends neither picture nor sound")]
    Nothing,
}

impl Source {
    /// What these tracks are, as far as their configurations say. `bitrate_bps` and `fps_milli` (frames per second ×
    /// 1000) are the edge's measurements, 0 where it has none; a measured rate goes before the one in the headers.
    pub fn of_tracks(tracks: &[Track], bitrate_bps: u64, fps_milli: u32) -> Self {
        let video = tracks.iter().find_map(|track| match &track.config {
            CodecConfig::H264(config) => Some(h264_video(config, bitrate_bps, fps_milli)),
            _ => None,
        });
        Self {
            video,
            audio: tracks.iter().any(|track| track.config.kind() == TrackKind::Audio),
        }
    }

    /// Refuses pictures that nothing can be made of.
    pub fn validate(&self) -> Result<(), SourceError> {
        match self.video {
            Some(Video { width, height, .. })
                if [width, height]
                    .iter()
                    .any(|side| !(SIDE_MIN_PX..=SIDE_MAX_PX).contains(side)) =>
            {
                Err(SourceError::Size { width, height })
            }
            None if !self.audio => Err(SourceError::Nothing),
            _ => Ok(()),
        }
    }
}

impl Video {
    /// The picture as it is shown: square pixels, each side even and rounded down. The wider axis is stretched, so
    /// no line of the source is lost. Ratios beyond 4:1 are taken for a broken header and read as 1:1.
    pub fn display_size(&self) -> (u32, u32) {
        let (num, den) = (u64::from(self.sar_num), u64::from(self.sar_den));
        let square = num == 0 || den == 0 || num > 4 * den || den > 4 * num;
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        let (width, height) = match (square, num > den) {
            (true, _) => (width, height),
            (false, true) => (width * num / den, height),
            (false, false) => (width, height * den / num),
        };
        let even = |side: u64| (side.clamp(2, u64::from(4 * SIDE_MAX_PX)) as u32) & !1;
        (even(width), even(height))
    }
}

/// Baseline, Main and High: what browsers and televisions decode.
const COMMON_PROFILES: [u8; 3] = [66, 77, 100];

fn h264_video(config: &h264::Config, bitrate_bps: u64, fps_milli: u32) -> Video {
    let sps = config.sps();
    let common = COMMON_PROFILES.contains(&sps.profile)
        && sps.chroma == 1
        && sps.bit_depth == 8
        && sps.bit_depth_chroma == 8
        && !sps.interlaced;
    let header_fps_milli = sps
        .frame_rate
        .map_or(0, |(num, den)| u64::from(num) * 1_000 / u64::from(den.max(1)));
    let fps_milli = if fps_milli > 0 {
        fps_milli
    } else {
        u32::try_from(header_fps_milli).unwrap_or(0)
    };
    Video {
        codec: if common {
            VideoCodec::H264Common
        } else {
            VideoCodec::Other
        },
        width: sps.width,
        height: sps.height,
        sar_num: sps.sample_aspect.0,
        sar_den: sps.sample_aspect.1,
        fps_milli,
        bitrate_bps,
    }
}
