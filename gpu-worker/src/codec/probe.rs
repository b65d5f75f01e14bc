//! A backend that makes no pictures and fails where it is told to, so that tests can watch the pipeline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::{Backend, CodecError, Decoder, Encoder, Frame, Picture, Scaler, Unit, VideoSettings};

/// What goes wrong, and at which frame (counted from 0 in each codec).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Faults {
    /// The decoder refuses this unit but goes on.
    pub corrupt_at: Option<u32>,
    /// The decoder refuses every unit from this one.
    pub corrupt_from: Option<u32>,
    /// The encoder fails for good.
    pub encode_fails_at: Option<u32>,
    /// Opening an encoder fails.
    pub open_fails: bool,
    /// Pictures that the encoder holds back.
    pub hold: u32,
}

/// Opens codecs with [`Faults`], and counts them.
#[derive(Clone, Default)]
pub(crate) struct Probe {
    faults: Faults,
    encoders: Arc<AtomicU32>,
}

impl Probe {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            encoders: Arc::default(),
        }
    }
}

impl Backend for Probe {
    fn decoder(&self, _: &[u8]) -> Result<Box<dyn Decoder>, CodecError> {
        Ok(Box::new(ProbeDecoder {
            faults: self.faults,
            count: 0,
        }))
    }
    fn scaler(&self, _: u32, _: u32) -> Result<Box<dyn Scaler>, CodecError> {
        Ok(Box::new(ProbeScaler))
    }
    fn encoder(&self, settings: &VideoSettings) -> Result<Box<dyn Encoder>, CodecError> {
        if self.faults.open_fails {
            return Err(CodecError::Probe(0));
        }
        let id = self.encoders.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(ProbeEncoder {
            faults: self.faults,
            id,
            height: settings.height,
            count: 0,
            held: VecDeque::new(),
        }))
    }
}

struct ProbeDecoder {
    faults: Faults,
    count: u32,
}
impl Decoder for ProbeDecoder {
    fn decode(&mut self, unit: &Unit) -> Result<Vec<Frame>, CodecError> {
        let at = self.count;
        self.count += 1;
        if self.faults.corrupt_at == Some(at) || self.faults.corrupt_from.is_some_and(|from| at >= from) {
            let source = super::ffmpeg::AvError::for_probe();
            return Err(CodecError::Corrupt {
                codec: "probe",
                dts: unit.dts,
                source,
            });
        }
        Ok(vec![Frame {
            pts: unit.pts,
            picture: Picture::Blank,
        }])
    }
    fn finish(&mut self) -> Result<Vec<Frame>, CodecError> {
        Ok(Vec::new())
    }
}

struct ProbeScaler;
impl Scaler for ProbeScaler {
    fn scale(&mut self, frame: &Frame) -> Result<Frame, CodecError> {
        Ok(frame.clone())
    }
}

struct ProbeEncoder {
    faults: Faults,
    id: u32,
    height: u32,
    count: u32,
    held: VecDeque<Unit>,
}
impl Encoder for ProbeEncoder {
    fn encode(&mut self, frame: &Frame, key: bool) -> Result<Vec<Unit>, CodecError> {
        if self.faults.encode_fails_at == Some(self.count) {
            return Err(CodecError::Probe(frame.pts));
        }
        self.count += 1;
        let data = Bytes::from(format!("{}:{}:{}", self.id, self.height, frame.pts));
        self.held.push_back(Unit {
            dts: frame.pts,
            pts: frame.pts,
            duration: None,
            key,
            data,
        });
        let out = self.held.len().saturating_sub(self.faults.hold as usize);
        Ok(self.held.drain(..out).collect())
    }
    fn finish(&mut self) -> Result<Vec<Unit>, CodecError> {
        Ok(self.held.drain(..).collect())
    }
    fn record(&self) -> Bytes {
        Bytes::from(format!("record {}", self.height))
    }
}
