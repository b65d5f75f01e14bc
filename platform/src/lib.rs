//! The outside world, each thing beside the in-memory twin that stands in for it.
//!
//! Processes get a [`Process`] (shutdown, health) and build from their configuration what they need:
//! a [`store::ObjectStore`] for media, [`hints::Hints`] for what may be lost, and [`rpc`] channels to one
//! another. This crate knows none of Headwater's nouns.

pub mod admin;
pub mod clock;
pub mod health;
pub mod hints;
pub mod retry;
pub mod rpc;
pub mod secret;
pub mod shutdown;
pub mod store;
pub mod telemetry;

pub use secret::Secret;
pub use shutdown::Process;

/// Chooses the one TLS implementation of the process. Call first in `main` and in tests that use TLS; later calls do
/// nothing.
pub fn install_crypto() {
    // An error only says that a provider was installed before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
