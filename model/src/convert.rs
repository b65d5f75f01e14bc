//! Media messages into media types and back. Coded bytes are shared (`Bytes`), never copied.

use headwater_media::{AccessUnit, CodecConfig, Epoch, MediaTime, Track};

use crate::proto::media as proto;

/// A media message that does not hold together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// A unit of a track that its epoch does not have.
    #[error("access unit of track {track}, which epoch {epoch} does not have")]
    UnknownTrack {
        /// The unit's track.
        track: u32,
        /// The epoch it came in.
        epoch: u32,
    },
    /// Decode time after presentation time.
    #[error("access unit of track {track} decodes at {dts} and shows before that, at {pts}")]
    PtsBeforeDts {
        /// The unit's track.
        track: u32,
        /// Decode time, ticks.
        dts: i64,
        /// Presentation time, ticks.
        pts: i64,
    },
    /// A timescale of zero.
    #[error("track {track} has a timescale of zero")]
    Timescale {
        /// The track.
        track: u32,
    },
}

/// A unit as the media link carries it. `arrival_us`: Unix microseconds at which its last byte reached the edge.
pub fn unit_to_proto(unit: &AccessUnit, arrival_us: i64) -> proto::AccessUnit {
    proto::AccessUnit {
        track: unit.track.0,
        dts: unit.dts.ticks,
        pts: unit.pts.ticks,
        duration: unit.duration.unwrap_or(0),
        key: unit.key,
        data: unit.data.clone(),
        arrival_us,
    }
}

/// A unit of `epoch` as it came over the media link. Its arrival time stays with the caller.
pub fn unit_from_proto(unit: proto::AccessUnit, epoch: &Epoch) -> Result<AccessUnit, ConvertError> {
    let track = epoch
        .tracks
        .iter()
        .find(|track| track.id.0 == unit.track)
        .ok_or(ConvertError::UnknownTrack {
            track: unit.track,
            epoch: epoch.index,
        })?;
    if unit.pts < unit.dts {
        return Err(ConvertError::PtsBeforeDts {
            track: unit.track,
            dts: unit.dts,
            pts: unit.pts,
        });
    }
    Ok(AccessUnit {
        track: track.id,
        dts: MediaTime::new(unit.dts, track.timescale),
        pts: MediaTime::new(unit.pts, track.timescale),
        duration: Some(unit.duration).filter(|ticks| *ticks > 0),
        key: unit.key,
        data: unit.data,
    })
}

/// A track as messages carry it.
pub fn track_to_proto(track: &Track) -> proto::Track {
    let codec = match &track.config {
        CodecConfig::H264(_) => proto::Codec::H264,
        CodecConfig::Aac(_) => proto::Codec::Aac,
        _ => proto::Codec::Unspecified,
    };
    proto::Track {
        id: track.id.0,
        codec: codec.into(),
        timescale: track.timescale.get(),
        config: track.config.record().clone(),
        language: track.language.clone().unwrap_or_default(),
    }
}

/// An epoch as messages carry it.
pub fn epoch_to_proto(epoch: &Epoch) -> proto::Epoch {
    proto::Epoch {
        index: epoch.index,
        start_90k: epoch.start_90k,
        wallclock_ms: epoch.wallclock_ms,
        tracks: epoch.tracks.iter().map(track_to_proto).collect(),
        cause: epoch.cause.as_str().to_owned(),
    }
}
