//! Codec facts read from configuration records and bitstreams.

pub mod aac;
pub mod h264;
