//! `cargo +nightly fuzz run rtmp_chunk`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::rtmp_chunk(bytes));
