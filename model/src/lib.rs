//! Nouns and messages: typed ids, the ladder, and what processes say to one another. Plain data.
//!
//! Everything here is a value. Ids ([`id`]) and [`StreamKey`] are parsed where text comes in; [`ladder`] decides
//! which renditions a source gets; [`heartbeat`] and [`health`] are what is said in Redis; [`proto`] holds the messages of gRPC,
//! and [`convert`] turns media messages into [`headwater_media`] types and back sharing their bytes.
//!
//! ```
//! use headwater_model::ladder::{Ladder, Policy, Source};
//!
//! let sound_alone = Source { video: None, audio: true };
//! assert!(Ladder::fit(&Policy::Default, &sound_alone).video.is_empty());
//! ```

pub mod broadcast;
pub mod convert;
pub mod health;
pub mod heartbeat;
pub mod id;
pub mod ladder;
pub mod latency;
pub mod pieces;
pub mod recording;
pub mod stream_key;
pub mod viewers;

pub use broadcast::BroadcastState;
pub use id::{
    ApiTokenId, AssetId, AuditId, BroadcastId, ChannelId, DeliveryId, EdgeId, EventId, IdError, InvitationId, MailId,
    MemberId, PlaybackId, PublishId, SessionId, SigningKeyId, StreamKeyId, TenantId, UserId, WebhookEndpointId,
    WorkerId,
};
pub use ladder::Ladder;
pub use latency::LatencyMode;
pub use recording::Recording;
pub use stream_key::StreamKey;

/// Gives bytes of a received message an allocation of their own. They come as a slice of the connection's receive buffer; a
/// slice that is kept keeps all of that buffer, often several times as large, and makes the next message allocate anew.
pub fn detach(data: &mut bytes::Bytes) {
    *data = bytes::Bytes::copy_from_slice(data);
}

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
