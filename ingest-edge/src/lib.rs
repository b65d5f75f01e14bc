//! Publishers in, access units out.
//!
//! A publisher's bytes become access units on the broadcast's timeline ([`headwater_media::normalise`]); the
//! [`replay_buffer`] keeps them until a worker has stored what it made of them, and the worker pulls them over gRPC.
//! [`key`] asks who may publish.

pub mod clock;
mod config;
pub mod key;
pub mod replay_buffer;

pub use config::Config;
