//! The media link: pulling a broadcast's units from the edge that holds its publisher.

use headwater_model::detach;
use headwater_model::proto::edge::media_link_client::MediaLinkClient;
use headwater_model::proto::edge::{Ack, Open, PullEvent, PullRequest, pull_event, pull_request};
use headwater_platform::rpc::{MESSAGE_MAX_BYTES, Place, Streams};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Acknowledgements that wait for the edge; newer ones replace what does not fit.
const ACKS_MAX: usize = 16;

/// An open pull.
pub(crate) struct Link {
    requests: mpsc::Sender<PullRequest>,
    events: Streaming<PullEvent>,
    _place: Place,
}

impl Link {
    /// Asks the edge for everything from `resume_90k` on.
    pub(crate) async fn dial(
        edge_url: &str,
        streams: &Streams,
        broadcast_id: &str,
        generation: u64,
        resume_90k: i64,
    ) -> Result<Self, Status> {
        let (client, place) = streams
            .client(edge_url)
            .map_err(|e| Status::invalid_argument(format!("{e:#}")))?;
        let mut client = MediaLinkClient::new(client).max_decoding_message_size(MESSAGE_MAX_BYTES);
        let (requests, outgoing) = mpsc::channel(ACKS_MAX);
        let open = Open {
            broadcast_id: broadcast_id.to_owned(),
            generation,
            resume_90k,
        };
        let request = PullRequest {
            kind: Some(pull_request::Kind::Open(open)),
        };
        requests
            .try_send(request)
            .map_err(|_| Status::internal("a new channel has room for one request"))?;
        let events = client.pull(ReceiverStream::new(outgoing)).await?.into_inner();
        Ok(Self {
            requests,
            events,
            _place: place,
        })
    }

    /// The next event. An end without `End` is a broken link.
    pub(crate) async fn next(&mut self) -> Result<PullEvent, Status> {
        match self.events.message().await? {
            Some(mut event) => {
                if let Some(pull_event::Kind::Unit(unit)) = &mut event.kind {
                    detach(&mut unit.data);
                }
                Ok(event)
            }
            None => Err(Status::unavailable("the edge closed the link")),
        }
    }

    /// Tells the edge what is stored. `false` when it was too busy to hear it; tell it again.
    pub(crate) fn ack(&self, durable_90k: i64) -> bool {
        let request = PullRequest {
            kind: Some(pull_request::Kind::Ack(Ack { durable_90k })),
        };
        self.requests.try_send(request).is_ok()
    }
}
