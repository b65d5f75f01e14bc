//! `emsg` (ISO/IEC 23009-1 §5.10.3.3): a timed event beside the media, such as an ID3 tag or an ad marker.

use bytes::Bytes;

use super::atom::{Atom, BoxError, FourCc, Put, Reader};

/// When an event happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTime {
    /// Version 1: ticks on the track's timeline, which CMAF and HLS need.
    Presentation(u64),
    /// Version 0: ticks after the start of the segment.
    Delta(u32),
}

/// An event message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emsg {
    /// Ticks per second.
    pub timescale: u32,
    /// When.
    pub time: EventTime,
    /// Ticks; `u32::MAX` where unknown.
    pub duration: u32,
    /// Tells repetitions from new events.
    pub id: u32,
    /// What `data` is.
    pub scheme_id_uri: String,
    /// Depends on the scheme.
    pub value: String,
    /// The message.
    pub data: Bytes,
}

impl Atom for Emsg {
    const KIND: FourCc = FourCc(*b"emsg");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (version, _) = r.full(1)?;
        if version == 0 {
            let (scheme_id_uri, value) = (r.string()?, r.string()?);
            let timescale = r.u32()?;
            let time = EventTime::Delta(r.u32()?);
            let (duration, id) = (r.u32()?, r.u32()?);
            return Ok(Self {
                timescale,
                time,
                duration,
                id,
                scheme_id_uri,
                value,
                data: r.rest().to_vec().into(),
            });
        }
        let timescale = r.u32()?;
        let time = EventTime::Presentation(r.u64()?);
        let (duration, id) = (r.u32()?, r.u32()?);
        let (scheme_id_uri, value) = (r.string()?, r.string()?);
        Ok(Self {
            timescale,
            time,
            duration,
            id,
            scheme_id_uri,
            value,
            data: r.rest().to_vec().into(),
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        let strings = |out: &mut Vec<u8>| {
            for text in [&self.scheme_id_uri, &self.value] {
                out.extend(text.bytes().filter(|b| *b != 0));
                out.u8(0);
            }
        };
        match self.time {
            EventTime::Delta(delta) => {
                out.full(0, 0);
                strings(out);
                out.u32(self.timescale);
                out.u32(delta);
                out.u32(self.duration);
                out.u32(self.id);
            }
            EventTime::Presentation(time) => {
                out.full(1, 0);
                out.u32(self.timescale);
                out.u64(time);
                out.u32(self.duration);
                out.u32(self.id);
                strings(out);
            }
        }
        out.extend_from_slice(&self.data);
    }
}
