//! CMAF tests.
