//! AAC: the AudioSpecificConfig, and ADTS where a publisher sends it by mistake.

use bytes::Bytes;

mod adts;

pub use adts::{Adts, unwrap_adts};

use super::bits::{BitReader, OutOfBits};

/// Core rates by `samplingFrequencyIndex` (ISO/IEC 14496-3 Table 1.18).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/// Lowest and highest sample rate accepted, in Hz.
pub const RATE_RANGE: std::ops::RangeInclusive<u32> = 7_350..=192_000;

/// A parsed AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    record: Bytes,
    object_type: u8,
    core_rate: u32,
    output_rate: u32,
    channel_configuration: u8,
    sbr: bool,
    ps: bool,
    core_samples: u32,
}

/// Why a configuration cannot be used.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// It ends too early.
    #[error("AudioSpecificConfig ends too early")]
    Truncated,
    /// A rate that the table does not have, or outside [`RATE_RANGE`].
    #[error("AudioSpecificConfig has sample rate {0}")]
    Rate(u32),
    /// A channel configuration that is reserved.
    #[error("AudioSpecificConfig has reserved channel configuration {0}")]
    Channels(u8),
    /// An audio object type other than AAC Main, LC, SSR, LTP, SBR and PS.
    #[error("audio object type {0} is not supported")]
    ObjectType(u8),
}

impl Config {
    /// Parses an AudioSpecificConfig. Extensions that are cut off read as absent.
    pub fn parse(record: Bytes) -> Result<Self, ConfigError> {
        let mut r = BitReader::new(&record);
        let mut object_type = object_type_of(&mut r)?;
        let core_rate = rate_of(&mut r)?;
        let channel_configuration = r.bits(4)? as u8;
        let (mut output_rate, mut sbr, mut ps) = (core_rate, false, false);
        if matches!(object_type, 5 | 29) {
            // Explicit, hierarchical signalling: the extension comes before the core's type.
            sbr = true;
            ps = object_type == 29;
            output_rate = rate_of(&mut r)?;
            object_type = object_type_of(&mut r)?;
        }
        if !matches!(object_type, 1..=4) {
            return Err(ConfigError::ObjectType(object_type));
        }
        if !matches!(channel_configuration, 0..=7 | 11 | 12 | 14) {
            return Err(ConfigError::Channels(channel_configuration));
        }
        let core_samples = if r.bit()? { 960 } else { 1_024 };
        if r.bit()? {
            r.bits(14)?; // coreCoderDelay
        }
        r.bit()?; // extensionFlag, 0 for these types
        // A program config element stands between; its owner signals SBR, if at all, in the stream.
        if channel_configuration != 0
            && !sbr
            && let Ok(Some((rate, with_ps))) = backward_compatible_extension(&mut r)
        {
            (sbr, ps) = (true, with_ps);
            output_rate = rate;
        }
        Ok(Self {
            object_type,
            core_rate,
            output_rate,
            channel_configuration,
            sbr,
            ps,
            core_samples,
            record,
        })
    }

    /// A plain configuration: `object_type` 2 is AAC-LC.
    pub fn new(object_type: u8, rate: u32, channel_configuration: u8) -> Result<Self, ConfigError> {
        let mut bits = u64::from(object_type & 0x1f) << 59;
        let bytes = match RATES.iter().position(|&r| r == rate) {
            Some(index) => {
                bits |= (index as u64) << 55 | u64::from(channel_configuration & 0xf) << 51;
                2
            }
            None => {
                bits |= 0xf << 55 | u64::from(rate & 0xff_ffff) << 31 | u64::from(channel_configuration & 0xf) << 27;
                5
            }
        };
        Self::parse(Bytes::copy_from_slice(&bits.to_be_bytes()[..bytes]))
    }

    /// The record as it stands in the sample entry.
    pub fn record(&self) -> &Bytes {
        &self.record
    }

    /// RFC 6381: `mp4a.40.` and the audio object type, 5 with SBR, 29 with parametric stereo.
    pub fn codec_string(&self) -> String {
        let object_type = match (self.sbr, self.ps) {
            (_, true) => 29,
            (true, false) => 5,
            (false, false) => self.object_type,
        };
        format!("mp4a.40.{object_type}")
    }

    /// `audioObjectType` of the core: 2 is AAC-LC.
    pub fn object_type(&self) -> u8 {
        self.object_type
    }

    /// Samples per second that a decoder gives out, SBR applied where signalled. The track's timescale.
    pub fn output_rate(&self) -> u32 {
        self.output_rate
    }

    /// Samples per second of the core.
    pub fn core_rate(&self) -> u32 {
        self.core_rate
    }

    /// Samples per channel and frame at [`Self::output_rate`]: 1024, or 960, and twice that with SBR.
    pub fn frame_samples(&self) -> u32 {
        if self.output_rate == self.core_rate {
            self.core_samples
        } else {
            self.core_samples * 2
        }
    }

    /// Channels given out; `None` when a program config element says (channel configuration 0).
    pub fn channels(&self) -> Option<u8> {
        match self.channel_configuration {
            1 if self.ps => Some(2),
            n @ 1..=6 => Some(n),
            7 | 12 | 14 => Some(8),
            11 => Some(7),
            _ => None,
        }
    }

    /// Spectral band replication is signalled.
    pub fn sbr(&self) -> bool {
        self.sbr
    }

    /// Parametric stereo is signalled.
    pub fn ps(&self) -> bool {
        self.ps
    }

    /// Whether a decoder could not tell the difference, however the record is written.
    pub fn same_meaning(&self, other: &Self) -> bool {
        let facts = |c: &Self| Self {
            record: Bytes::new(),
            ..c.clone()
        };
        facts(self) == facts(other) && (self.channel_configuration != 0 || self.record == other.record)
    }
}

impl From<OutOfBits> for ConfigError {
    fn from(_: OutOfBits) -> Self {
        Self::Truncated
    }
}

fn object_type_of(r: &mut BitReader<'_>) -> Result<u8, ConfigError> {
    Ok(match r.bits(5)? {
        31 => 32 + r.bits(6)?,
        n => n,
    } as u8)
}

fn rate_of(r: &mut BitReader<'_>) -> Result<u32, ConfigError> {
    let rate = match r.bits(4)? {
        15 => r.bits(24)?,
        index => *RATES.get(index as usize).ok_or(ConfigError::Rate(0))?,
    };
    if RATE_RANGE.contains(&rate) {
        Ok(rate)
    } else {
        Err(ConfigError::Rate(rate))
    }
}

/// The sync extension after an AAC-LC config (§1.6.6.2): the output rate, and whether PS is there.
fn backward_compatible_extension(r: &mut BitReader<'_>) -> Result<Option<(u32, bool)>, ConfigError> {
    if r.left() < 16 || r.bits(11)? != 0x2b7 || object_type_of(r)? != 5 || !r.bit()? {
        return Ok(None);
    }
    let rate = rate_of(r)?;
    let ps = r.left() >= 12 && r.bits(11)? == 0x548 && r.bit()?;
    Ok(Some((rate, ps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Config, ConfigError> {
        Config::parse(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn h1_h2_h4_configurations() {
        // bytes, codec string, core rate, output rate, channels, samples per frame
        let cases: [(&[u8], _, _, _, _, _); 13] = [
            (&[0x11, 0x90], "mp4a.40.2", 48_000, 48_000, Some(2), 1024),
            (&[0x12, 0x10], "mp4a.40.2", 44_100, 44_100, Some(2), 1024),
            (
                &[0x12, 0x10, 0x56, 0xe5, 0x00],
                "mp4a.40.2",
                44_100,
                44_100,
                Some(2),
                1024,
            ),
            (&[0x11, 0x88], "mp4a.40.2", 48_000, 48_000, Some(1), 1024),
            (&[0x11, 0x94], "mp4a.40.2", 48_000, 48_000, Some(2), 960),
            (&[0x11, 0xb0], "mp4a.40.2", 48_000, 48_000, Some(6), 1024),
            (&[0x11, 0xb8], "mp4a.40.2", 48_000, 48_000, Some(8), 1024),
            (&[0x11, 0x80], "mp4a.40.2", 48_000, 48_000, None, 1024),
            (&[0x15, 0x88], "mp4a.40.2", 8_000, 8_000, Some(1), 1024),
            // explicit SBR: AOT 5, 24 kHz, stereo, extension 48 kHz, core LC
            (&[0x2b, 0x11, 0x88, 0x00], "mp4a.40.5", 24_000, 48_000, Some(2), 2048),
            // explicit PS: AOT 29, 24 kHz, mono, extension 48 kHz, core LC
            (&[0xeb, 0x09, 0x88, 0x00], "mp4a.40.29", 24_000, 48_000, Some(2), 2048),
            // implicit SBR: LC 24 kHz stereo, sync extension 0x2b7, SBR, 48 kHz
            (
                &[0x13, 0x10, 0x56, 0xe5, 0x98],
                "mp4a.40.5",
                24_000,
                48_000,
                Some(2),
                2048,
            ),
            // rate by the 24-bit escape: LC, 48000, stereo
            (
                &[0x17, 0x80, 0x5d, 0xc0, 0x10],
                "mp4a.40.2",
                48_000,
                48_000,
                Some(2),
                1024,
            ),
        ];
        for (bytes, codec, core, output, channels, samples) in cases {
            let c = parse(bytes).unwrap_or_else(|e| panic!("{bytes:x?}: {e}"));
            assert_eq!(c.codec_string(), codec, "{bytes:x?}");
            assert_eq!((c.core_rate(), c.output_rate()), (core, output), "{bytes:x?}");
            assert_eq!((c.channels(), c.frame_samples()), (channels, samples), "{bytes:x?}");
        }
    }

    #[test]
    fn h4_xhe_aac_and_low_delay_are_refused_by_number() {
        assert_eq!(parse(&[0xf9, 0x50, 0x90, 0]), Err(ConfigError::ObjectType(42)));
        assert_eq!(parse(&[0xb9, 0x90, 0]), Err(ConfigError::ObjectType(23)));
    }

    #[test]
    fn p082_broken_configurations_are_errors() {
        for bytes in [
            &[][..],
            &[0x11],
            &[0x16, 0xf8],
            &[0x17, 0x80, 0, 0, 0x10],
            &[0x11, 0xe8],
        ] {
            assert!(parse(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn new_writes_what_parse_reads() {
        for (rate, channels) in [(48_000, 2), (44_100, 1), (8_000, 6), (47_999, 2)] {
            let c = Config::new(2, rate, channels).expect("valid");
            assert_eq!((c.object_type(), c.output_rate()), (2, rate));
            assert_eq!(c.channels(), Some(channels));
        }
    }

    #[test]
    fn same_meaning_ignores_a_silent_extension() {
        let (a, b) = (
            parse(&[0x12, 0x10]).expect("valid"),
            parse(&[0x12, 0x10, 0x56, 0xe5, 0x00]).expect("valid"),
        );
        assert!(a.same_meaning(&b));
        assert!(!a.same_meaning(&parse(&[0x11, 0x90]).expect("valid")));
    }
}
