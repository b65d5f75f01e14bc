//! AAC: the AudioSpecificConfig.

use bytes::Bytes;

/// A parsed AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    record: Bytes,
}

impl Config {
    /// The record as it stands in the sample entry.
    pub fn record(&self) -> &Bytes {
        &self.record
    }

    /// `mp4a.40.` and the audio object type.
    pub fn codec_string(&self) -> String {
        format!("mp4a.40.{}", self.record.first().map_or(2, |b| b >> 3))
    }
}
