//! Nouns and messages: typed ids, the ladder, and what processes say to one another. Plain data.

/// Messages between processes, generated from `model/proto`.
#[allow(missing_docs, clippy::all)]
pub mod proto {
    /// Media as it travels.
    pub mod media {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("headwater.media.v1");
        }
        pub use v1::*;
    }
    /// Edge and worker.
    pub mod edge {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("headwater.edge.v1");
        }
        pub use v1::*;
    }
    /// The scheduler.
    pub mod scheduler {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("headwater.scheduler.v1");
        }
        pub use v1::*;
    }
    /// Workers and origins.
    pub mod worker {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("headwater.worker.v1");
        }
        pub use v1::*;
    }
    /// The api.
    pub mod api {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("headwater.api.v1");
        }
        pub use v1::*;
    }
}
