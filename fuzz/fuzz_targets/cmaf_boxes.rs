//! `cargo +nightly fuzz run cmaf_boxes`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::cmaf_boxes(bytes));
