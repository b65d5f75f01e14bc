//! H.264 / AVC: the decoder configuration record.

use bytes::Bytes;

/// A parsed `avcC` (ISO/IEC 14496-15 §5.3.3.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    record: Bytes,
}

impl Config {
    /// The record as it stands in the sample entry.
    pub fn record(&self) -> &Bytes {
        &self.record
    }

    /// `avc1.PPCCLL` from the record's own profile, compatibility and level bytes.
    pub fn codec_string(&self) -> String {
        let hex: String = self.record.iter().skip(1).take(3).map(|b| format!("{b:02x}")).collect();
        format!("avc1.{hex}")
    }
}
