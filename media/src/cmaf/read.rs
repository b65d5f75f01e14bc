//! Segments read back, and the one number in them that a download changes.

use std::ops::Range;

use super::atom::{Atom, BoxError, FourCc, Reader};
use super::ftyp::Styp;
use super::moof::{Moof, SampleFlags, Tfhd, Traf};
use super::prft::Prft;

/// Fragments of one segment.
const FRAGMENTS_MAX: usize = 4_096;

/// One `moof` with its `mdat`, and what stood before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// Brands, where they stand right before.
    pub styp: Option<Styp>,
    /// Producer reference time, where it stands right before.
    pub prft: Option<Prft>,
    /// Where the fragment lies in the segment, from `styp` or `prft` to the end of `mdat`.
    pub span: Range<usize>,
    /// Where its `moof` starts.
    pub moof_at: usize,
    /// The `moof`.
    pub moof: Moof,
}

/// A sample with everything that defaults state for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSample {
    /// Ticks of the track's timescale.
    pub decode_time: u64,
    /// Ticks of the track's timescale.
    pub duration: u32,
    /// Presentation minus decode time.
    pub composition_offset: i32,
    /// A sync sample.
    pub key: bool,
    /// Where its bytes lie in the segment.
    pub data: Range<usize>,
}

/// Reads the fragments of a segment or part.
pub fn fragments(segment: &[u8]) -> Result<Vec<Fragment>, BoxError> {
    let mut r = Reader::new(segment);
    let (mut styp, mut prft, mut start) = (None, None, None);
    let mut open: Option<Fragment> = None;
    let mut out = Vec::new();
    loop {
        let at = r.at();
        let Some(mut child) = r.child()? else { break };
        match child.kind() {
            Styp::KIND => {
                start.get_or_insert(at);
                styp = Some(Styp::decode_body(&mut child)?);
            }
            Prft::KIND => {
                start.get_or_insert(at);
                prft = Some(Prft::decode_body(&mut child)?);
            }
            Moof::KIND => {
                let moof = Moof::decode_body(&mut child)?;
                let (styp, prft, start) = (styp.take(), prft.take(), start.take().unwrap_or(at));
                open = Some(Fragment {
                    styp,
                    prft,
                    span: start..r.at(),
                    moof_at: at,
                    moof,
                });
            }
            MDAT => {
                if let Some(mut fragment) = open.take() {
                    fragment.span.end = r.at();
                    if out.len() >= FRAGMENTS_MAX {
                        return Err(r.bad("fragments", out.len() as u64 + 1));
                    }
                    out.push(fragment);
                }
            }
            _ => {}
        }
    }
    if open.is_some() {
        return Err(BoxError::Missing {
            parent: r.kind(),
            child: MDAT,
            at: r.at(),
        });
    }
    Ok(out)
}

const MDAT: FourCc = FourCc(*b"mdat");

impl Fragment {
    /// The only track's samples, in decode order. Each lies within the fragment.
    pub fn samples(&self) -> Result<Vec<ReadSample>, BoxError> {
        let bad = |field, value| BoxError::Value {
            kind: Traf::KIND,
            field,
            value,
            at: self.moof_at,
        };
        let [traf] = self.moof.trafs.as_slice() else {
            return Err(bad("track fragments", self.moof.trafs.len() as u64));
        };
        let mut decode_time = traf.decode_time.map_or(0, |t| t.base_media_decode_time);
        let mut at = self.moof_at as u64;
        let mut out = Vec::new();
        for run in &traf.runs {
            if let Some(offset) = run.data_offset {
                at = (self.moof_at as u64).saturating_add_signed(i64::from(offset));
            }
            for (i, entry) in run.entries.iter().enumerate() {
                let size = entry.size.or(traf.header.default_size).unwrap_or(0);
                let end = at.saturating_add(u64::from(size));
                if end > self.span.end as u64 {
                    return Err(bad("sample end", end));
                }
                let first = run.first_flags.filter(|_| i == 0);
                let flags = first
                    .or(entry.flags)
                    .or(traf.header.default_flags)
                    .unwrap_or(SampleFlags::SYNC);
                let duration = entry.duration.or(traf.header.default_duration).unwrap_or(0);
                out.push(ReadSample {
                    decode_time,
                    duration,
                    composition_offset: entry.composition_offset.unwrap_or(0),
                    key: flags.is_sync(),
                    data: at as usize..end as usize,
                });
                decode_time = decode_time.saturating_add(u64::from(duration));
                at = end;
            }
        }
        Ok(out)
    }
}

/// Makes every fragment of a segment use sample description `index` (see [`merge_inits`](super::merge_inits)).
/// Fails where a `tfhd` does not state one: there is no room for it. On `Err`, nothing has changed.
pub fn set_description(segment: &mut [u8], index: u32) -> Result<(), BoxError> {
    let mut fields = Vec::new();
    let mut file = Reader::new(segment);
    while let Some(mut moof) = file.child()? {
        if moof.kind() != Moof::KIND {
            continue;
        }
        while let Some(mut traf) = moof.child()? {
            if traf.kind() != Traf::KIND {
                continue;
            }
            while let Some(mut child) = traf.child()? {
                if child.kind() != Tfhd::KIND {
                    continue;
                }
                let body = child.at();
                let header = Tfhd::decode_body(&mut child)?;
                if header.sample_description_index.is_none() {
                    return Err(child.bad("sample_description_index", 0));
                }
                let before = if header.base_data_offset.is_some() { 16 } else { 8 };
                fields.push(body + before);
            }
        }
    }
    for at in fields {
        if let Some(field) = segment.get_mut(at..at + 4) {
            field.copy_from_slice(&index.to_be_bytes());
        }
    }
    Ok(())
}
