//! `cargo +nightly fuzz run normalise`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::normaliser(bytes));
