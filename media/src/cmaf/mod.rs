//! ISO base media boxes as CMAF uses them (ISO/IEC 14496-12, 23000-19): init segments and chunks.

mod chunk;
mod init;

pub use chunk::{ChunkWriter, ntp_of_unix_us};
pub use init::init_segment;
