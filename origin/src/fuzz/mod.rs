//! Entries for `fuzz/` and for the tests' own seeded mutations: what viewers send to be let in.
//!
//! Each takes any bytes and must neither panic nor run long; what must not be let in is asserted.

mod seeds;

use std::sync::LazyLock;

use crate::http;
use crate::token::fuzz::Judge;

/// An entry.
pub type Target = fn(&[u8]);
/// Valid input to begin with.
pub type Seeds = fn() -> Vec<Vec<u8>>;

/// All entries by name, with valid input to begin with.
pub const TARGETS: [(&str, Target, Seeds); 2] = [
    ("playback_token", playback_token, seeds::tokens),
    ("playback_path", playback_path, seeds::paths),
];

/// A token. None is good but those that were signed, however they are written.
pub fn playback_token(bytes: &[u8]) {
    static JUDGE: LazyLock<Judge> = LazyLock::new(|| Judge::new(seeds::rules(), &seeds::tokens()));
    JUDGE.judge(&String::from_utf8_lossy(bytes));
}

/// A path with its query, token included: what is split is whole again, and what is found has one spelling.
pub fn playback_path(bytes: &[u8]) {
    http::fuzz(&String::from_utf8_lossy(bytes));
}
