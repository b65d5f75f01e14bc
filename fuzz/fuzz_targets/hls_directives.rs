//! `cargo +nightly fuzz run hls_directives`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_media::fuzz::hls_directives(bytes));
