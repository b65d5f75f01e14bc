//! `cargo +nightly fuzz run rtmp_session`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::rtmp_session(bytes));
