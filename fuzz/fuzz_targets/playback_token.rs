//! `cargo +nightly fuzz run playback_token`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_origin::fuzz::playback_token(bytes));
