//! Segmenter tests.
