//! `cargo +nightly fuzz run object_keys`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::object_keys(bytes));
