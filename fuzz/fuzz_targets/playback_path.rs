//! `cargo +nightly fuzz run playback_path`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_origin::fuzz::playback_path(bytes));
