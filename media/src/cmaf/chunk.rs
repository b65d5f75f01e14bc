//! Parts as CMAF chunks.

use bytes::Bytes;

use super::atom::{Atom, FourCc, wrap};
use super::ftyp::{Ftyp, Styp};
use super::moof::{Entry, Mfhd, Moof, SampleFlags, Tfdt, Tfhd, Traf, Trun};
use super::prft::Prft;
use crate::segmenter::{PARTS_PER_SEGMENT_MAX, Part};
use crate::unit::TrackKind;

/// track_ID of pictures, in every file we write.
pub const VIDEO_TRACK_ID: u32 = 1;
/// track_ID of sound.
pub const AUDIO_TRACK_ID: u32 = 2;

/// Bytes of the boxes around a chunk's samples, at most; and of one sample's `trun` entry.
const BOXES_BYTES: usize = 256;
const ENTRY_BYTES: usize = 16;

/// Writes the parts of one rendition as CMAF chunks. Holds no state but the track's kind: the same part gives the
/// same bytes, whichever worker writes it (but for the producer reference time).
#[derive(Clone, Debug)]
pub struct ChunkWriter {
    track_id: u32,
    /// Put before the first sample of each segment; empty: nothing.
    in_band: Bytes,
}

impl ChunkWriter {
    /// A writer for pictures or sound.
    pub fn new(kind: TrackKind) -> Self {
        Self {
            track_id: if kind == TrackKind::Video {
                VIDEO_TRACK_ID
            } else {
                AUDIO_TRACK_ID
            },
            in_band: Bytes::new(),
        }
    }

    /// Repeats parameter sets ([`h264::Config::in_band`](crate::codec::h264::Config::in_band)) before the sync sample
    /// that starts a segment, for readers that know no sample description but the first of a file or playlist.
    pub fn repeating(self, in_band: Bytes) -> Self {
        Self { in_band, ..self }
    }

    /// One part as bytes: `styp` where it is the first of its segment, `prft` where `ntp` says when (see
    /// [`ntp_of_unix_us`]) its first sample was there, `moof`, `mdat`. The segment is its parts put together.
    pub fn write(&self, part: &Part, ntp: Option<u64>) -> Bytes {
        match part.samples.first() {
            Some(first) if first.key && part.index == 0 && !self.in_band.is_empty() => {
                let mut part = part.clone();
                part.samples[0].data = [&self.in_band[..], &first.data].concat().into();
                self.write_as_it_is(&part, ntp)
            }
            _ => self.write_as_it_is(part, ntp),
        }
    }

    fn write_as_it_is(&self, part: &Part, ntp: Option<u64>) -> Bytes {
        let media: usize = part.samples.iter().map(|s| s.data.len()).sum();
        let mut out = Vec::with_capacity(BOXES_BYTES + ENTRY_BYTES * part.samples.len() + media);
        if part.index == 0 {
            styp(*b"cmfl").encode(&mut out);
        }
        let lead = i64::from(part.decode_lead);
        let decode_time = u64::try_from(part.decode_time.saturating_sub(lead)).unwrap_or(0);
        if let Some(ntp) = ntp {
            let first = part
                .samples
                .first()
                .map_or(0, |s| i64::from(s.composition_offset).saturating_add(lead));
            let media_time = decode_time.saturating_add_signed(first);
            let flags = Prft::CONSISTENT_REAL_TIME;
            Prft {
                flags,
                track_id: self.track_id,
                ntp,
                media_time,
            }
            .encode(&mut out);
        }
        let start = out.len();
        // The samples start behind the header of `mdat`, the next box: known once the `moof` has been written.
        self.moof(part, decode_time, 0).encode(&mut out);
        let offset = i32::try_from(out.len() - start + 8).unwrap_or(i32::MAX);
        out.truncate(start);
        self.moof(part, decode_time, offset).encode(&mut out);
        wrap(&mut out, FourCc(*b"mdat"), |out| {
            for sample in &part.samples {
                out.extend_from_slice(&sample.data);
            }
        });
        out.into()
    }

    /// Fields that are the same for all samples are stated once, in `tfhd`; those that are 0 for all, nowhere.
    fn moof(&self, part: &Part, decode_time: u64, data_offset: i32) -> Moof {
        let samples = &part.samples;
        let times = decode_times(part);
        let duration = |i: usize| u32::try_from(times[i + 1] - times[i]).unwrap_or(u32::MAX);
        let same_duration = (1..samples.len()).all(|i| duration(i) == duration(0));
        let shown = shown_at(part);
        let shown_as_decoded = shown.iter().zip(&times).all(|(shown, decoded)| shown == decoded);
        let first_key = samples.first().is_some_and(|s| s.key);
        // Keys all through, or at the front alone, or nowhere: no need to say it for each.
        let all_key = samples.iter().all(|s| s.key);
        let plain = all_key || samples.iter().skip(1).all(|s| !s.key);
        let entries = samples.iter().enumerate().map(|(i, sample)| Entry {
            duration: (!same_duration).then(|| duration(i)),
            size: Some(u32::try_from(sample.data.len()).unwrap_or(u32::MAX)),
            flags: (!plain).then(|| SampleFlags::of(sample.key)),
            composition_offset: (!shown_as_decoded).then(|| clamp_i32(shown[i] - times[i])),
        });
        // Starts at 1 and rises through the rendition, whoever writes; wraps after a year of 2 s segments.
        let number = part
            .seq
            .wrapping_mul(u64::from(PARTS_PER_SEGMENT_MAX))
            .wrapping_add(u64::from(part.index) + 1);
        Moof {
            header: Mfhd {
                sequence_number: number as u32,
            },
            trafs: vec![Traf {
                header: Tfhd {
                    track_id: self.track_id,
                    sample_description_index: Some(1),
                    default_duration: (same_duration && !samples.is_empty()).then(|| duration(0)),
                    default_flags: plain.then(|| SampleFlags::of(all_key)),
                    ..Tfhd::default()
                },
                decode_time: Some(Tfdt {
                    base_media_decode_time: decode_time,
                }),
                runs: vec![Trun {
                    data_offset: Some(data_offset),
                    first_flags: (plain && first_key && !all_key).then_some(SampleFlags::SYNC),
                    entries: entries.collect(),
                }],
            }],
        }
    }
}

/// When each sample is shown, from the part's decode time on the segment's clock on.
fn shown_at(part: &Part) -> Vec<i64> {
    let mut clock = part.decode_time;
    let shown = part.samples.iter().map(|sample| {
        let at = clock.saturating_add(i64::from(sample.composition_offset));
        clock = clock.saturating_add(i64::from(sample.duration));
        at
    });
    shown.collect()
}

/// When each sample decodes, and where the last one ends. Samples that would have to decode before the part starts to
/// gain its lead share the time until the first that need not.
fn decode_times(part: &Part) -> Vec<i64> {
    let first = part.decode_time.saturating_sub(i64::from(part.decode_lead));
    let (mut at, mut times) = (first, Vec::with_capacity(part.samples.len() + 1));
    for sample in &part.samples {
        times.push(at);
        at = at.saturating_add(i64::from(sample.duration));
    }
    times.push(at);
    if part.decode_gain > 0 {
        times
            .iter_mut()
            .for_each(|at| *at = at.saturating_sub(i64::from(part.decode_gain)));
        let early = times.partition_point(|at| *at <= first).min(part.samples.len());
        let free = times[early];
        for (i, at) in times[..early].iter_mut().enumerate() {
            *at = first + (free - first) * i as i64 / early as i64;
        }
        for i in 1..times.len() {
            times[i] = times[i].max(times[i - 1] + 1);
        }
    }
    times
}

fn clamp_i32(v: i64) -> i32 {
    i32::try_from(v).unwrap_or(if v < 0 { i32::MIN } else { i32::MAX })
}

/// Marks a whole segment as the last of its rendition: the brand `lmsg` takes the place of `cmfl` in its `styp`, so
/// that nothing moves. `None` where the segment does not start with a `styp` of ours.
pub fn mark_last(segment: &[u8]) -> Option<Bytes> {
    let (was, is) = (styp(*b"cmfl").to_vec(), styp(*b"lmsg").to_vec());
    let rest = segment.strip_prefix(was.as_slice())?;
    Some([is.as_slice(), rest].concat().into())
}

fn styp(last: [u8; 4]) -> Styp {
    let compatible = [*b"msdh", *b"cmfs", *b"cmff", last].map(FourCc).to_vec();
    Styp(Ftyp {
        major: FourCc(*b"msdh"),
        minor: 0,
        compatible,
    })
}

/// NTP time (32.32 seconds from 1900) of Unix microseconds.
pub fn ntp_of_unix_us(unix_us: i64) -> u64 {
    const UNIX_TO_NTP_S: i128 = 2_208_988_800;
    let us = (i128::from(unix_us) + UNIX_TO_NTP_S * 1_000_000).max(0);
    u64::try_from((us << 32) / 1_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::atom::Put;
    use super::*;

    #[test]
    fn ntp_counts_from_1900_in_fractions_of_two_to_the_32() {
        assert_eq!(ntp_of_unix_us(0), 2_208_988_800 << 32);
        assert_eq!(ntp_of_unix_us(500_000), (2_208_988_800 << 32) + (1 << 31));
        assert_eq!(ntp_of_unix_us(i64::MIN), 0);
    }

    #[test]
    fn only_our_own_segments_are_marked_as_last() {
        let mut out = Vec::new();
        styp(*b"cmfl").encode(&mut out);
        out.u32(7);
        let marked = mark_last(&out).expect("starts with our styp");
        assert_eq!(marked.len(), out.len());
        assert!(
            Styp::find(&marked[..out.len() - 4])
                .expect("a styp")
                .0
                .compatible
                .contains(&FourCc(*b"lmsg"))
        );
        assert_eq!(mark_last(&marked), None);
    }
}
