//! A worker that pulls a broadcast and checks what every worker relies on.

use std::collections::HashMap;
use std::net::SocketAddr;

use headwater_model::BroadcastId;
use headwater_model::proto::edge::media_link_client::MediaLinkClient;
use headwater_model::proto::edge::pull_event::Kind;
use headwater_model::proto::edge::{Ack, Open, PullEvent, PullRequest, pull_request};
use headwater_model::proto::media::{AccessUnit, Epoch};
use headwater_platform::rpc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{rpc_config, soon};

const VIDEO: u32 = 0;
const AUDIO: u32 = 128;

pub struct Worker {
    requests: mpsc::Sender<PullRequest>,
    events: Streaming<PullEvent>,
    pub epochs: Vec<Epoch>,
    pub units: Vec<AccessUnit>,
    pub lost: usize,
    pub pauses: usize,
    last_dts: HashMap<u32, i64>,
}

impl Worker {
    pub async fn open(link: SocketAddr, id: &BroadcastId, generation: u64, resume_90k: i64) -> Self {
        Self::try_open(link, id, generation, resume_90k)
            .await
            .expect("the link opens")
    }

    pub async fn try_open(
        link: SocketAddr,
        id: &BroadcastId,
        generation: u64,
        resume_90k: i64,
    ) -> Result<Self, Status> {
        let channel = rpc::client(&format!("http://{link}"), &rpc_config()).expect("an address");
        let (requests, receiver) = mpsc::channel(16);
        let open = Open {
            broadcast_id: id.to_string(),
            generation,
            resume_90k,
        };
        let open = PullRequest {
            kind: Some(pull_request::Kind::Open(open)),
        };
        requests.send(open).await.expect("room");
        let mut client = MediaLinkClient::new(channel).max_decoding_message_size(rpc::MESSAGE_MAX_BYTES);
        let events = soon("the link", client.pull(ReceiverStream::new(receiver)))
            .await?
            .into_inner();
        Ok(Self {
            requests,
            events,
            epochs: Vec::new(),
            units: Vec::new(),
            lost: 0,
            pauses: 0,
            last_dts: HashMap::new(),
        })
    }

    /// The next event, checked and remembered; `None` when the stream is over.
    pub async fn next(&mut self) -> Result<Option<Kind>, Status> {
        let Some(event) = soon("an event", self.events.message()).await? else {
            return Ok(None);
        };
        let kind = event.kind.expect("an event of some kind");
        match &kind {
            Kind::Epoch(epoch) => {
                let last = self
                    .epochs
                    .last()
                    .map_or(i64::from(epoch.index) - 1, |e| i64::from(e.index));
                assert_eq!(i64::from(epoch.index), last + 1, "epochs are numbered without gaps");
                assert!(
                    epoch.start_90k >= self.end_90k(),
                    "epoch {} overlaps the one before",
                    epoch.index
                );
                self.last_dts.clear();
                self.epochs.push(epoch.clone());
            }
            Kind::Unit(unit) => {
                let epoch = self.epochs.last().expect("an epoch comes first");
                assert!(
                    epoch.tracks.iter().any(|t| t.id == unit.track),
                    "track {} of the epoch",
                    unit.track
                );
                assert!(unit.pts >= unit.dts, "{unit:?}");
                let first = unit.track == VIDEO && !self.last_dts.contains_key(&VIDEO);
                assert!(!first || unit.key, "video begins with an IDR");
                let last = self.last_dts.insert(unit.track, unit.dts);
                assert!(
                    last.is_none_or(|last| last < unit.dts),
                    "dts goes from {last:?} to {}",
                    unit.dts
                );
                self.units.push(unit.clone());
            }
            Kind::Lost(_) => self.lost += 1,
            Kind::Paused(_) => self.pauses += 1,
            Kind::End(_) => {}
        }
        Ok(Some(kind))
    }

    /// Reads until an event is as wanted.
    pub async fn until(&mut self, what: &str, mut wanted: impl FnMut(&Self, &Kind) -> bool) -> Kind {
        loop {
            match self.next().await {
                Ok(Some(kind)) if wanted(self, &kind) => return kind,
                Ok(Some(_)) => {}
                other => panic!("the link was over before {what}: {other:?}"),
            }
        }
    }

    pub async fn until_units(&mut self, track: u32, count: usize) {
        let what = format!("{count} units of track {track}");
        self.until(&what, |w, _| w.of(track).count() >= count).await;
    }

    pub async fn until_end(&mut self) -> String {
        match self.until("the end", |_, kind| matches!(kind, Kind::End(_))).await {
            Kind::End(end) => end.reason,
            _ => unreachable!("waited for"),
        }
    }

    pub async fn until_paused(&mut self) {
        self.until("a pause", |_, kind| matches!(kind, Kind::Paused(_))).await;
    }

    pub async fn ack(&self, durable_90k: i64) {
        let ack = PullRequest {
            kind: Some(pull_request::Kind::Ack(Ack { durable_90k })),
        };
        self.requests.send(ack).await.expect("the link is open");
    }

    pub fn of(&self, track: u32) -> impl Iterator<Item = &AccessUnit> {
        self.units.iter().filter(move |u| u.track == track)
    }

    pub fn videos(&self) -> usize {
        self.of(VIDEO).count()
    }

    pub fn audios(&self) -> usize {
        self.of(AUDIO).count()
    }

    /// Where the pulled video ends, 1/90000 s.
    pub fn end_90k(&self) -> i64 {
        self.of(VIDEO).map(|u| u.pts + i64::from(u.duration)).max().unwrap_or(0)
    }
}
