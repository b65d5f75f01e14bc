//! ISO base media boxes as CMAF uses them (ISO/IEC 14496-12, 23000-19): init segments and chunks.
//!
//! The tree is the format: one file holds one box (or the few tiny ones that stand together), with its struct and
//! both directions. Reading is strict about sizes and tolerant about boxes it does not know, which it passes over.
//!
//! [`init_segment`] and [`ChunkWriter`] write what the packager needs; [`merge_inits`], [`set_description`] and
//! [`fragments`] are for whoever puts segments together again: the download, validators and tests.

pub mod atom;
mod chunk;
mod emsg;
mod ftyp;
mod init;
mod merge;
mod moof;
mod moov;
mod prft;
mod read;
mod sidx;

pub use atom::{Atom, BoxError, FourCc};
pub use chunk::{AUDIO_TRACK_ID, ChunkWriter, VIDEO_TRACK_ID, mark_last, ntp_of_unix_us};
pub use emsg::{Emsg, EventTime};
pub use ftyp::{Ftyp, Styp};
pub use init::{Bitrate, init_segment, init_segment_with};
pub use merge::{MergeError, Merged, merge_inits};
pub use moof::{Entry, Mfhd, Moof, SampleFlags, Tfdt, Tfhd, Traf, Trun};
pub use moov::{
    Avc1, Btrt, Colr, Esds, Hdlr, Mdhd, Mdia, MediaHeader, Minf, Moov, Mp4a, Mvex, Mvhd, Pasp, SampleEntry, Stbl, Stsd,
    Tkhd, Trak, Trex,
};
pub use prft::Prft;
pub use read::{Fragment, ReadSample, fragments, set_description};
pub use sidx::{Reference, Sidx};

#[cfg(test)]
mod tests;
