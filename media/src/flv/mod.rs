//! FLV tag bodies, legacy and enhanced, as RTMP carries them.

mod metadata;

pub use metadata::Metadata;
