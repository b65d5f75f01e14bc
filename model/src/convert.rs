//! Media messages into media types and back. Coded bytes are shared (`Bytes`), never copied.

use headwater_media::codec::{aac, h264};
use headwater_media::{AccessUnit, CodecConfig, Epoch, EpochCause, MediaTime, Timescale, Track, TrackId};

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
    /// A codec this build does not know.
    #[error("track {track} has codec {codec}, which this version does not know")]
    Codec {
        /// The track.
        track: u32,
        /// Its number in the message.
        codec: i32,
    },
    /// An avcC that cannot be read.
    #[error("the H.264 configuration of track {track} cannot be read")]
    H264 {
        /// The track.
        track: u32,
        /// Why not.
        #[source]
        source: h264::ConfigError,
    },
    /// An AudioSpecificConfig that cannot be read.
    #[error("the AAC configuration of track {track} cannot be read")]
    Aac {
        /// The track.
        track: u32,
        /// Why not.
        #[source]
        source: aac::ConfigError,
    },
    /// A cause this build does not know.
    #[error("epoch {epoch} began because of {cause:?}, which this version does not know")]
    Cause {
        /// The epoch.
        epoch: u32,
        /// The word in the message.
        cause: String,
    },
    /// More tracks than a broadcast has.
    #[error("{0} tracks; a broadcast has at most {TRACKS_MAX}")]
    Tracks(usize),
}

/// Tracks of one epoch.
pub const TRACKS_MAX: usize = 16;

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

/// A track as it came in a message. Its configuration record is parsed, so a track that exists can be decoded.
pub fn track_from_proto(track: proto::Track) -> Result<Track, ConvertError> {
    let id = track.id;
    let config = match track.codec() {
        proto::Codec::H264 => CodecConfig::H264(
            h264::Config::parse(track.config).map_err(|source| ConvertError::H264 { track: id, source })?,
        ),
        proto::Codec::Aac => CodecConfig::Aac(
            aac::Config::parse(track.config).map_err(|source| ConvertError::Aac { track: id, source })?,
        ),
        proto::Codec::Unspecified => {
            return Err(ConvertError::Codec {
                track: id,
                codec: track.codec,
            });
        }
    };
    Ok(Track {
        id: TrackId(id),
        timescale: Timescale::new(track.timescale).ok_or(ConvertError::Timescale { track: id })?,
        config,
        language: Some(track.language).filter(|language| !language.is_empty()),
    })
}

/// Every track of a message, in its order.
pub fn tracks_from_proto(tracks: Vec<proto::Track>) -> Result<Vec<Track>, ConvertError> {
    if tracks.len() > TRACKS_MAX {
        return Err(ConvertError::Tracks(tracks.len()));
    }
    tracks.into_iter().map(track_from_proto).collect()
}

/// An epoch as it came in a message.
pub fn epoch_from_proto(epoch: proto::Epoch) -> Result<Epoch, ConvertError> {
    let cause = [
        EpochCause::Start,
        EpochCause::Reconnect,
        EpochCause::Config,
        EpochCause::Jump,
        EpochCause::Track,
    ]
    .into_iter()
    .find(|cause| cause.as_str() == epoch.cause)
    .ok_or(ConvertError::Cause {
        epoch: epoch.index,
        cause: epoch.cause,
    })?;
    Ok(Epoch {
        index: epoch.index,
        start_90k: epoch.start_90k,
        wallclock_ms: epoch.wallclock_ms,
        tracks: tracks_from_proto(epoch.tracks)?,
        cause,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn epoch() -> Epoch {
        let sound = |id, language: Option<&str>| Track {
            id: TrackId(id),
            timescale: Timescale::new(48_000).expect("not zero"),
            config: CodecConfig::Aac(aac::Config::new(2, 48_000, 2).expect("AAC-LC, 48 kHz, stereo")),
            language: language.map(str::to_owned),
        };
        Epoch {
            index: 3,
            start_90k: 900_000,
            wallclock_ms: 1_700_000_000_000,
            tracks: vec![sound(128, None), sound(129, Some("en"))],
            cause: EpochCause::Reconnect,
        }
    }

    #[test]
    fn epochs_and_units_round_trip_and_share_their_bytes() {
        let epoch = epoch();
        assert_eq!(
            epoch_from_proto(epoch_to_proto(&epoch)).expect("its own message"),
            epoch
        );
        let at = |ticks| MediaTime::new(ticks, epoch.tracks[0].timescale);
        let unit = AccessUnit {
            track: TrackId::AUDIO,
            dts: at(-5),
            pts: at(1_019),
            duration: None,
            key: true,
            data: Bytes::from_static(b"frame"),
        };
        let message = unit_to_proto(&unit, 42);
        assert_eq!((message.arrival_us, message.data.as_ptr()), (42, unit.data.as_ptr()));
        assert_eq!(unit_from_proto(message, &epoch).expect("its own message"), unit);
    }

    #[test]
    fn messages_that_do_not_hold_together_are_refused() {
        let epoch = epoch();
        let unit = proto::AccessUnit {
            track: 7,
            ..Default::default()
        };
        let unknown = unit_from_proto(unit, &epoch).expect_err("no track 7").to_string();
        assert_eq!(unknown, "access unit of track 7, which epoch 3 does not have");
        let unit = proto::AccessUnit {
            track: 128,
            dts: 2,
            pts: 1,
            ..Default::default()
        };
        assert!(matches!(
            unit_from_proto(unit, &epoch),
            Err(ConvertError::PtsBeforeDts { .. })
        ));
        let good = track_to_proto(&epoch.tracks[0]);
        let with = |change: fn(&mut proto::Track)| {
            let mut track = good.clone();
            change(&mut track);
            track_from_proto(track)
        };
        assert!(with(|_| ()).is_ok());
        assert!(matches!(
            with(|t| t.timescale = 0),
            Err(ConvertError::Timescale { track: 128 })
        ));
        assert!(matches!(
            with(|t| t.codec = 99),
            Err(ConvertError::Codec { track: 128, codec: 99 })
        ));
        assert!(matches!(
            with(|t| t.config = Bytes::new()),
            Err(ConvertError::Aac { track: 128, .. })
        ));
        assert!(matches!(
            with(|t| t.set_codec(proto::Codec::H264)),
            Err(ConvertError::H264 { track: 128, .. })
        ));
        let mut message = epoch_to_proto(&epoch);
        message.cause = "whim".into();
        assert!(matches!(
            epoch_from_proto(message),
            Err(ConvertError::Cause { epoch: 3, .. })
        ));
        assert!(matches!(
            tracks_from_proto(vec![good; 17]),
            Err(ConvertError::Tracks(17))
        ));
    }
}
