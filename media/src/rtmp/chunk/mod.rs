//! The chunk stream of RTMP 1.0 §5.3.
