//! What the tests across processes share: the real binary as a newcomer runs it, independent clients, and judges.

pub mod browser;
pub mod certificates;
pub mod chain;
pub mod channel;
pub mod dev;
pub mod encoder;
pub mod farm;
pub mod front;
pub mod hls;
pub mod http;
pub mod marks;
pub mod outside;
pub mod proc;
pub mod provider;
pub mod receiver;
pub mod smtp;
