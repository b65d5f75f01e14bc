//! What enhanced video and audio tags share (Enhanced RTMP v2): ModEx prefixes, FourCC, several tracks.

use bytes::Bytes;

use super::{FlvError, FourCc, TRACKS_MAX};

const MOD_EX: u8 = 7;

/// One track's part of a message.
#[derive(Debug, PartialEq)]
pub(super) struct TrackBody {
    pub track: u8,
    pub packet_type: u8,
    pub codec: FourCc,
    pub data: Bytes,
}

/// Reads bytes off the front of a message.
pub(super) struct Cursor {
    payload: Bytes,
    at: usize,
}

impl Cursor {
    pub fn new(payload: Bytes, at: usize) -> Self {
        Self { payload, at }
    }

    pub fn u8(&mut self) -> Result<u8, FlvError> {
        let byte = self
            .payload
            .get(self.at)
            .copied()
            .ok_or(FlvError::Truncated(self.payload.len()))?;
        self.at += 1;
        Ok(byte)
    }

    pub fn number(&mut self, bytes: usize) -> Result<u32, FlvError> {
        (0..bytes).try_fold(0, |n, _| Ok(n << 8 | u32::from(self.u8()?)))
    }

    fn four_cc(&mut self) -> Result<FourCc, FlvError> {
        Ok(FourCc(self.number(4)?.to_be_bytes()))
    }

    fn take(&mut self, length: usize) -> Result<Bytes, FlvError> {
        if length > self.payload.len() - self.at {
            return Err(FlvError::TrackOverrun { at: self.at, length });
        }
        self.at += length;
        Ok(self.payload.slice(self.at - length..self.at))
    }

    pub fn rest(&self) -> Bytes {
        self.payload.slice(self.at..)
    }

    fn at_end(&self) -> bool {
        self.at >= self.payload.len()
    }

    /// Passes over ModEx prefixes and gives the packet type behind them. What they carry (nanoseconds to add to a
    /// presentation time) is finer than the timeline.
    pub fn packet_type(&mut self, first: u8) -> Result<u8, FlvError> {
        let mut packet_type = first;
        while packet_type == MOD_EX {
            let mut length = self.number(1)? as usize + 1;
            if length == 256 {
                length = self.number(2)? as usize + 1;
            }
            self.take(length)?;
            packet_type = self.u8()? & 0xf;
        }
        Ok(packet_type)
    }

    /// The tracks of a message whose packet type is `packet_type`; `multitrack` is the type that announces several.
    pub fn tracks(mut self, packet_type: u8, multitrack: u8) -> Result<Vec<TrackBody>, FlvError> {
        if packet_type != multitrack {
            let codec = self.four_cc()?;
            return Ok(vec![TrackBody {
                track: 0,
                packet_type,
                codec,
                data: self.rest(),
            }]);
        }
        let byte = self.u8()?;
        let (kind, packet_type) = (byte >> 4, byte & 0xf);
        if kind > 2 {
            return Err(FlvError::MultitrackType(kind));
        }
        let common = if kind == 2 { None } else { Some(self.four_cc()?) };
        let mut out = Vec::new();
        loop {
            let codec = match common {
                Some(codec) => codec,
                None => self.four_cc()?,
            };
            let track = self.u8()?;
            let data = if kind == 0 {
                self.rest()
            } else {
                let length = self.number(3)? as usize;
                self.take(length)?
            };
            out.push(TrackBody {
                track,
                packet_type,
                codec,
                data,
            });
            if kind == 0 || self.at_end() {
                // Each its own memory: a track that is kept must not hold on to the others.
                if out.len() > 1 {
                    out.iter_mut().for_each(|t| t.data = Bytes::copy_from_slice(&t.data));
                }
                return Ok(out);
            }
            if out.len() == TRACKS_MAX {
                return Err(FlvError::TooManyTracks);
            }
        }
    }
}
