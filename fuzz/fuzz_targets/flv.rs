//! `cargo +nightly fuzz run flv`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::flv_tags(bytes));
