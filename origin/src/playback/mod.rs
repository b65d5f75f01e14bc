//! What viewers can be shown: playback ids, the broadcasts behind them, and their bytes.

pub(crate) mod objects;
pub(crate) mod resolve;
