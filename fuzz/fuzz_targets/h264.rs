//! `cargo +nightly fuzz run h264`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::h264_bits(bytes));
