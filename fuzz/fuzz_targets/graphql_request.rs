//! `cargo +nightly fuzz run graphql_request`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_api::fuzz::graphql_request(bytes));
