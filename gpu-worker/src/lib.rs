//! Access units in, renditions out.
//!
//! A worker is two programs. The *agent* ([`run`]) is safe Rust and does everything but coding: it pulls a broadcast's
//! units from the edge, cuts and packages them, keeps the live window, serves origins, stores segments and tells the
//! edge what is stored. The *codec child* ([`transcoder_main`]) turns units into units: decode once, scale, encode
//! every rung. There is one child for each broadcast that needs a codec; what is passed through needs none.
//!
//! Invariants:
//! - the edge is told that the timeline is durable up to a point only when every rendition is stored up to there;
//! - a segment's number, time and duration follow from the source's timeline alone, whoever makes it;
//! - keys carry the generation, and a broadcast that a higher generation runs elsewhere stops here;
//! - a crash, a hang or a panic ends one child or one broadcast's task, and both go on from what is held or stored.

mod agent;
mod broadcast;
mod codec;
mod pipeline;
mod still;
mod storage;
#[cfg(test)]
mod testing;
pub mod transcoder;

pub use agent::{Config, run};
pub use transcoder::transcoder_main;
