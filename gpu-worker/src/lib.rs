//! Access units in, renditions out.

mod codec;
mod pipeline;
pub mod transcoder;

pub use transcoder::transcoder_main;
