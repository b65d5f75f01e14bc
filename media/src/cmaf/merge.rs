//! Several init segments as one, so that one file can hold the segments of all.

use bytes::Bytes;

use super::atom::{Atom, BoxError, FourCc};
use super::ftyp::Ftyp;
use super::init::trex;
use super::moov::{Moov, Mvex, Trak};

/// Sample descriptions of one track: as many as a broadcast has epochs.
const DESCRIPTIONS_MAX: usize = 4_096;

/// One init segment for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// `ftyp` and `moov`.
    pub init: Bytes,
    /// For each init segment that went in: the sample description that its segments must use
    /// ([`set_description`](super::set_description)).
    pub descriptions: Vec<u32>,
}

/// Why init segments cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// Nothing to merge.
    #[error("no init segment is given")]
    Empty,
    /// One of them cannot be read.
    #[error("init segment {index} cannot be read")]
    Unreadable {
        /// Which, from 0.
        index: usize,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// One of them has not one track with one sample description.
    #[error("init segment {index} has {traks} tracks; exactly one is taken")]
    Tracks {
        /// Which, from 0.
        index: usize,
        /// How many it has.
        traks: usize,
    },
    /// Times of one track are in two scales.
    #[error("track {track_id} counts {got} ticks per second in init segment {index}, and {want} in those before")]
    Timescale {
        /// Which track.
        track_id: u32,
        /// Which init segment, from 0.
        index: usize,
        /// What it says.
        got: u32,
        /// What the others say.
        want: u32,
    },
    /// More epochs than anyone has.
    #[error("track {track_id} has more than {DESCRIPTIONS_MAX} sample descriptions")]
    Descriptions {
        /// Which track.
        track_id: u32,
    },
}

/// Merges init segments of one track each, in any order: tracks with the same track_ID become one track, with one
/// sample description for each different one.
pub fn merge_inits(inits: &[&[u8]]) -> Result<Merged, MergeError> {
    let mut traks: Vec<Trak> = Vec::new();
    let mut descriptions = Vec::with_capacity(inits.len());
    let mut movie = None;
    for (index, init) in inits.iter().enumerate() {
        let moov = Moov::find(init).map_err(|source| MergeError::Unreadable { index, source })?;
        let count = moov.traks.len();
        let Ok([trak]) = <[Trak; 1]>::try_from(moov.traks) else {
            return Err(MergeError::Tracks { index, traks: count });
        };
        let timescale = trak.media.header.timescale;
        movie.get_or_insert(moov.header);
        let track_id = trak.header.track_id;
        let Some(known) = traks.iter_mut().find(|t| t.header.track_id == track_id) else {
            traks.push(trak);
            descriptions.push(1);
            continue;
        };
        let want = known.media.header.timescale;
        if want != timescale {
            return Err(MergeError::Timescale {
                track_id,
                index,
                got: timescale,
                want,
            });
        }
        // The picture is as large as its largest epoch.
        known.header.width = known.header.width.max(trak.header.width);
        known.header.height = known.header.height.max(trak.header.height);
        let entries = &mut known.media.info.table.descriptions.entries;
        let Some(entry) = trak.media.info.table.descriptions.entries.into_iter().next() else {
            return Err(MergeError::Tracks { index, traks: count });
        };
        let at = entries.iter().position(|e| *e == entry).unwrap_or(entries.len());
        if at >= DESCRIPTIONS_MAX {
            return Err(MergeError::Descriptions { track_id });
        }
        if at == entries.len() {
            entries.push(entry);
        }
        descriptions.push(u32::try_from(at + 1).unwrap_or(u32::MAX));
    }
    let mut header = movie.ok_or(MergeError::Empty)?;
    traks.sort_by_key(|t| t.header.track_id);
    header.next_track_id = traks.last().map_or(1, |t| t.header.track_id.saturating_add(1));
    let extends = Mvex {
        tracks: traks.iter().map(|t| trex(t.header.track_id)).collect(),
    };
    let mut init = Vec::new();
    let compatible = [*b"iso6", *b"mp41"].map(FourCc).to_vec();
    Ftyp {
        major: FourCc(*b"iso6"),
        minor: 0,
        compatible,
    }
    .encode(&mut init);
    Moov { header, traks, extends }.encode(&mut init);
    Ok(Merged {
        init: init.into(),
        descriptions,
    })
}
