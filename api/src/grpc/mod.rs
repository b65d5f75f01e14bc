//! What edges and origins ask, over gRPC.

mod ingest;
mod playback;

use headwater_model::proto::api::ingest_server::IngestServer;
use headwater_model::proto::api::playback_server::PlaybackServer;
use tonic::service::Routes;

use crate::Database;

/// The services of the api's gRPC listener.
pub fn routes(database: &Database) -> Routes {
    Routes::new(IngestServer::new(ingest::Service::new(database.clone())))
        .add_service(PlaybackServer::new(playback::Service::new(database.clone())))
}
