//! `mp4a` with `esds` (ISO/IEC 14496-14 §5.6, 14496-1 §7.2.6): MPEG-4 audio.

use bytes::Bytes;

use super::shape::Btrt;
use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader};

/// An MPEG-4 audio sample entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mp4a {
    /// As many as come out of the decoder; 2 where only the configuration knows.
    pub channels: u16,
    /// Hz; 0 where it does not fit.
    pub sample_rate: u16,
    /// Elementary stream.
    pub stream: Esds,
    /// Where known.
    pub bitrate: Option<Btrt>,
}

/// The elementary stream descriptor, as far as decoders care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Esds {
    /// Bits/s; 0 where unknown.
    pub max_bitrate: u32,
    /// Bits/s; 0 where unknown.
    pub average_bitrate: u32,
    /// The AudioSpecificConfig.
    pub record: Bytes,
}

const ES: u8 = 3;
const DECODER_CONFIG: u8 = 4;
const DECODER_SPECIFIC: u8 = 5;
const SL_CONFIG: u8 = 6;
/// ISO/IEC 14496-3 audio.
const MPEG4_AUDIO: u8 = 0x40;
/// streamType 5 (audio), not upstream, reserved bit set.
const AUDIO_STREAM: u8 = 0x15;

impl Atom for Mp4a {
    const KIND: FourCc = FourCc(*b"mp4a");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        r.bytes(6 + 2 + 8)?;
        let channels = r.u16()?;
        r.bytes(2 + 4)?;
        let sample_rate = (r.u32()? >> 16) as u16;
        let (mut stream, mut bitrate) = (None, None);
        while let Some(mut child) = r.child()? {
            match child.kind() {
                Esds::KIND => r.once(&mut stream, &mut child)?,
                Btrt::KIND => r.once(&mut bitrate, &mut child)?,
                _ => {}
            }
        }
        Ok(Self {
            channels,
            sample_rate,
            stream: r.found(stream)?,
            bitrate,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.zeros(6);
        out.u16(1);
        out.zeros(8);
        out.u16(self.channels);
        out.u16(16);
        out.zeros(4);
        out.u32(u32::from(self.sample_rate) << 16);
        self.stream.encode(out);
        if let Some(bitrate) = &self.bitrate {
            bitrate.encode(out);
        }
    }
}

impl Atom for Esds {
    const KIND: FourCc = FourCc(*b"esds");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        r.full(0)?;
        let len = descriptor(r, ES)?;
        let mut es = inside(r, len)?;
        es.u16()?;
        let flags = es.u8()?;
        if flags & 0x80 != 0 {
            es.u16()?;
        }
        if flags & 0x40 != 0 {
            let url = es.u8()?;
            es.bytes(usize::from(url))?;
        }
        if flags & 0x20 != 0 {
            es.u16()?;
        }
        let len = descriptor(&mut es, DECODER_CONFIG)?;
        let mut config = inside(&mut es, len)?;
        let object_type = config.u8()?;
        if object_type != MPEG4_AUDIO {
            return Err(config.bad("objectTypeIndication", u64::from(object_type)));
        }
        config.bytes(4)?;
        let (max_bitrate, average_bitrate) = (config.u32()?, config.u32()?);
        let len = descriptor(&mut config, DECODER_SPECIFIC)?;
        let record = Bytes::copy_from_slice(config.bytes(len)?);
        Ok(Self {
            max_bitrate,
            average_bitrate,
            record,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        let specific = self.record.len();
        let config = 13 + 1 + length_bytes(specific) + specific;
        let es = 3 + 1 + length_bytes(config) + config + 3;
        out.full(0, 0);
        out.u8(ES);
        length(out, es);
        out.u16(0);
        out.u8(0);
        out.u8(DECODER_CONFIG);
        length(out, config);
        out.u8(MPEG4_AUDIO);
        out.u8(AUDIO_STREAM);
        out.zeros(3);
        out.u32(self.max_bitrate);
        out.u32(self.average_bitrate);
        out.u8(DECODER_SPECIFIC);
        length(out, specific);
        out.extend_from_slice(&self.record);
        // Predefined: what MP4 files use.
        out.extend([SL_CONFIG, 1, 2]);
    }
}

/// Reads a descriptor's tag, which must be `tag`, and its length.
fn descriptor(r: &mut Reader<'_>, tag: u8) -> Result<usize, BoxError> {
    let got = r.u8()?;
    if got != tag {
        return Err(r.bad("descriptor tag", u64::from(got)));
    }
    let mut len = 0usize;
    for _ in 0..4 {
        let byte = r.u8()?;
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(len);
        }
    }
    Err(r.bad("descriptor length", len as u64))
}

/// The next `len` bytes as a reader of their own.
fn inside<'a>(r: &mut Reader<'a>, len: usize) -> Result<Reader<'a>, BoxError> {
    r.bytes(len)
        .map(|bytes| Reader::within(Esds::KIND, bytes, r.at() - len))
}

fn length_bytes(len: usize) -> usize {
    if len < 0x80 { 1 } else { 4 }
}

/// One byte where it fits, else four.
fn length(out: &mut Vec<u8>, len: usize) {
    if len < 0x80 {
        return out.u8(len as u8);
    }
    for shift in [21, 14, 7] {
        out.u8(0x80 | (len >> shift & 0x7f) as u8);
    }
    out.u8((len & 0x7f) as u8);
}
