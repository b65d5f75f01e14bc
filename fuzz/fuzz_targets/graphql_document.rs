//! `cargo +nightly fuzz run graphql_document`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headwater_api::fuzz::graphql_document(bytes));
