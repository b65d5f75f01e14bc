//! ingest-edge
