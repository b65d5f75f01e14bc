//! Codec facts read from configuration records and bitstreams.

pub mod aac;
mod bits;
pub mod h264;
