//! What the origin's tests share.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod client;
pub mod farm;
pub mod media;
