//! Names: of objects in the store, and of the same things in public addresses.
//!
//! ```text
//! {tenant}/{broadcast}/epoch-{first_seq}.json
//! {tenant}/{broadcast}/{rendition}/init-{first_seq}.mp4
//! {tenant}/{broadcast}/{rendition}/{seq}-{generation}-{decode_time}-{duration}.m4s
//! {tenant}/{broadcast}/index.json, main.m3u8, manifest.mpd, {rendition}/index.m3u8      after the end
//! ```

use std::fmt::{self, Display};

/// The facts in a segment's object name. `Display` writes the name, without its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// Its number.
    pub seq: u64,
    /// Who made it.
    pub generation: u64,
    /// Ticks of the rendition's timescale.
    pub decode_time: i64,
    /// Ticks of the rendition's timescale.
    pub duration: u32,
}

impl Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}-{}-{}.m4s",
            self.seq, self.generation, self.decode_time, self.duration
        )
    }
}

impl SegmentName {
    /// Reads what `Display` writes; `None` for any other name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut fields = name.strip_suffix(".m4s")?.split('-');
        let this = Self {
            seq: number(fields.next()?)?,
            generation: number(fields.next()?)?,
            decode_time: i64::try_from(number(fields.next()?)?).ok()?,
            duration: u32::try_from(number(fields.next()?)?).ok()?,
        };
        (fields.next().is_none() && this.duration > 0).then_some(this)
    }
}

/// A key of one broadcast, relative to its prefix `{tenant}/{broadcast}/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// `{rendition}/{seq}-{generation}-{decode_time}-{duration}.m4s`
    Segment {
        /// Whose.
        rendition: &'a str,
        /// Which.
        name: SegmentName,
    },
    /// `{rendition}/init-{first_seq}.mp4`
    Init {
        /// Whose.
        rendition: &'a str,
        /// First segment that it configures.
        first_seq: u64,
    },
    /// `epoch-{first_seq}.json`
    Epoch {
        /// First segment that it describes.
        first_seq: u64,
    },
    /// `index.json`
    Index,
    /// Something else: a stored playlist or manifest, or not ours.
    Other,
}

impl<'a> Key<'a> {
    /// Reads a key from which `{tenant}/{broadcast}/` was taken off.
    pub fn parse(relative: &'a str) -> Self {
        Self::known(relative).unwrap_or(Self::Other)
    }

    fn known(relative: &'a str) -> Option<Self> {
        match relative.split_once('/') {
            None if relative == "index.json" => Some(Self::Index),
            None => {
                let first_seq = number(relative.strip_prefix("epoch-")?.strip_suffix(".json")?)?;
                Some(Self::Epoch { first_seq })
            }
            Some((rendition, file)) if rendition_name(rendition) => match file.strip_prefix("init-") {
                Some(rest) => Some(Self::Init {
                    rendition,
                    first_seq: number(rest.strip_suffix(".mp4")?)?,
                }),
                None => Some(Self::Segment {
                    rendition,
                    name: SegmentName::parse(file)?,
                }),
            },
            Some(_) => None,
        }
    }
}

impl Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment { rendition, name } => write!(f, "{rendition}/{name}"),
            Self::Init { rendition, first_seq } => write!(f, "{rendition}/init-{first_seq}.mp4"),
            Self::Epoch { first_seq } => write!(f, "epoch-{first_seq}.json"),
            Self::Index => f.write_str("index.json"),
            Self::Other => Ok(()),
        }
    }
}

/// `{tenant}/{broadcast}/`, under which everything of a broadcast lies.
pub fn prefix(tenant: &str, broadcast: &str) -> String {
    format!("{tenant}/{broadcast}/")
}

/// The last piece of a public media address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublicName {
    /// `init-{first_seq}.mp4`
    Init {
        /// First segment that it configures.
        first_seq: u64,
    },
    /// `{seq}-{generation}.m4s`
    Segment {
        /// Its number.
        seq: u64,
        /// Who made it.
        generation: u64,
    },
    /// `{seq}.m4s`, whoever made it: the only form that a DASH template can name.
    AnySegment {
        /// Its number.
        seq: u64,
    },
    /// `{seq}-{generation}.{index}.m4s`
    Part {
        /// Segment it belongs to.
        seq: u64,
        /// Who made it.
        generation: u64,
        /// Counts from 0 within the segment.
        index: u32,
    },
}

impl PublicName {
    /// Reads what `Display` writes; `None` for any other name.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("init-") {
            return Some(Self::Init {
                first_seq: number(rest.strip_suffix(".mp4")?)?,
            });
        }
        let stem = name.strip_suffix(".m4s")?;
        let Some((seq, rest)) = stem.split_once('-') else {
            return Some(Self::AnySegment { seq: number(stem)? });
        };
        let seq = number(seq)?;
        match rest.split_once('.') {
            None => Some(Self::Segment {
                seq,
                generation: number(rest)?,
            }),
            Some((generation, index)) => {
                let index = u32::try_from(number(index)?).ok()?;
                Some(Self::Part {
                    seq,
                    generation: number(generation)?,
                    index,
                })
            }
        }
    }
}

impl Display for PublicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init { first_seq } => write!(f, "init-{first_seq}.mp4"),
            Self::Segment { seq, generation } => write!(f, "{seq}-{generation}.m4s"),
            Self::AnySegment { seq } => write!(f, "{seq}.m4s"),
            Self::Part { seq, generation, index } => write!(f, "{seq}-{generation}.{index}.m4s"),
        }
    }
}

/// Whether a folder may be a rendition's: short, and nothing that means something in a path or an address.
pub fn rendition_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    !name.is_empty() && name.len() <= 32 && name.bytes().all(plain)
}

/// Digits only, without leading zeros, so that every number has one spelling.
fn number(digits: &str) -> Option<u64> {
    let canonical = digits == "0" || !digits.starts_with('0');
    (canonical && !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}
