//! `cargo +nightly fuzz run amf0`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::amf(bytes));
