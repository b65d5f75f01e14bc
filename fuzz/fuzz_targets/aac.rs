//! `cargo +nightly fuzz run aac`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::aac_bits(bytes));
