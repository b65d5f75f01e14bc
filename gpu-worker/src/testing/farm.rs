//! What a broadcast needs around it, and what is asked of it afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use headwater_media::window::Window;
use headwater_media::window::key::{Key, SegmentName};
use headwater_model::proto::worker::{Assignment, LiveEvent, Rung, live_event::Kind};
use headwater_platform::clock::WallClock;
use headwater_platform::rpc::{RpcConfig, Streams};
use headwater_platform::store::{MemoryStore, ObjectStore as _};

use super::edge::Edge;
use super::media::{Probed, Source, probe};
use super::transcoder;
use crate::broadcast::{Broadcast, Outcome, Tools};
use crate::still::Desk;
use crate::storage::resume::read_index;
use crate::storage::spool::Spool;
use crate::storage::upload;

pub(crate) const TENANT: &str = "ten_test";
pub(crate) const BROADCAST: &str = "br_test";
/// Nothing here takes this long; a test that does has hung.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// One edge with its sources, a store, and a worker's tools.
pub(crate) struct Farm {
    pub(crate) edge: Edge,
    pub store: Arc<MemoryStore>,
    pub tools: Tools,
    pub ladder: Vec<Rung>,
    _spool: tempfile::TempDir,
}

/// The source passed through.
pub(crate) fn source() -> Rung {
    Rung {
        name: "source".into(),
        passthrough: true,
        width: 320,
        height: 180,
        bitrate_bps: 400_000,
        fps_max_milli: 60_000,
    }
}

/// An encoded rung.
pub(crate) fn rung(name: &str, width: u32, height: u32) -> Rung {
    Rung {
        name: name.into(),
        passthrough: false,
        width,
        height,
        bitrate_bps: 100_000,
        fps_max_milli: 30_000,
    }
}

impl Farm {
    pub(crate) async fn new(sources: Vec<Source>, ladder: Vec<Rung>) -> Self {
        let rpc = RpcConfig::with_secret("test");
        let edge = Edge::start(sources, &rpc).await;
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tools = Tools {
            worker_id: "wk_test".into(),
            store: store.clone(),
            spool: Spool::open(folder.path(), 1 << 30).expect("an empty folder"),
            limits: upload::Limits {
                bytes_max: 64 << 10,
                writes_max: 4,
            },
            streams: Arc::new(Streams::new(rpc.clone())),
            rpc,
            scheduler_url: edge.url.clone(),
            transcoder: transcoder(),
            desk: Desk::closed(),
            preset: "ultrafast".into(),
            audio_bps: 96_000,
            window_ms: 6_000,
            stall: Duration::from_secs(5),
            clock: WallClock::system(),
        };
        Self {
            edge,
            store,
            tools,
            ladder,
            _spool: folder,
        }
    }

    pub(crate) fn transcoder(mut self, program: impl Into<PathBuf>) -> Self {
        self.tools.transcoder = program.into();
        self
    }

    /// With thumbnails.
    pub(crate) fn pictured(mut self) -> Self {
        self.tools.desk = Desk::new(transcoder());
        self
    }

    /// A broadcast under this generation; nothing runs yet.
    pub(crate) fn broadcast(&self, generation: u64) -> Arc<Broadcast> {
        let assignment = Assignment {
            tenant_id: TENANT.into(),
            channel_id: "ch_test".into(),
            broadcast_id: BROADCAST.into(),
            generation,
            edge_url: self.edge.url.clone(),
            latency_mode: "low".into(),
            ladder: self.ladder.clone(),
            traceparent: String::new(),
            anchor_wallclock_ms: 0,
            left_out: Vec::new(),
        };
        Broadcast::new(assignment, self.tools.window_ms)
    }

    /// Runs a broadcast to its end.
    pub(crate) async fn run(&self) -> Outcome {
        let run = self.broadcast(1).run(self.tools.clone());
        tokio::time::timeout(HANG, run).await.expect("it ends")
    }

    /// What the scheduler was told that the replay lacks.
    pub(crate) fn harm(&self) -> String {
        let finished = self.edge.heard.finished.lock().expect("not poisoned");
        finished.last().expect("the broadcast is finished").error.clone()
    }

    /// What is stored.
    pub(crate) async fn stored(&self) -> Stored {
        let store: Arc<dyn headwater_platform::store::ObjectStore> = self.store.clone();
        let index = read_index(&store, TENANT, BROADCAST).await.expect("the twin serves");
        let keys = index.segments.iter().map(|(key, size)| (key.as_str(), *size));
        let window = Window::rebuild(index.epochs.clone(), keys).expect("it can be rebuilt");
        Stored {
            store: self.store.clone(),
            window,
        }
    }
}

/// What is in the store after (or during) a broadcast.
pub(crate) struct Stored {
    store: Arc<MemoryStore>,
    pub window: Window,
}

impl Stored {
    /// Segments of a rendition: number, decode time, duration.
    pub(crate) fn segments(&self, rendition: &str) -> Vec<(u64, i64, u32)> {
        let track = self
            .window
            .track(rendition)
            .unwrap_or_else(|| panic!("nothing is stored of {rendition}"));
        track
            .segments()
            .iter()
            .map(|s| (s.seq, s.decode_time, s.duration))
            .collect()
    }

    /// One rendition of one epoch, put together and judged by ffprobe.
    pub(crate) async fn probe(&self, epoch: usize, rendition: &str) -> Probed {
        probe(&self.file(epoch, rendition).await, "mp4")
    }

    /// One rendition of one epoch as one file.
    pub(crate) async fn file(&self, epoch: usize, rendition: &str) -> Vec<u8> {
        let epochs = self.window.epochs();
        let first_seq = epochs[epoch].first_seq;
        let until = epochs.get(epoch + 1).map_or(u64::MAX, |e| e.first_seq);
        let mut file = self.get(&Key::Init { rendition, first_seq }.to_string()).await;
        let track = self.window.track(rendition).expect("something is stored of it");
        for s in track.segments().iter().filter(|s| (first_seq..until).contains(&s.seq)) {
            let name = SegmentName {
                seq: s.seq,
                generation: s.generation,
                decode_time: s.decode_time,
                duration: s.duration,
            };
            file.extend(self.get(&Key::Segment { rendition, name }.to_string()).await);
        }
        file
    }

    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        let key = format!("{TENANT}/{BROADCAST}/{key}");
        self.store
            .get(&key, None)
            .await
            .unwrap_or_else(|e| panic!("{key}: {e}"))
            .to_vec()
    }

    /// Durations add up and numbers count up: nothing is missing and nothing is there twice.
    pub(crate) fn assert_unbroken(&self, rendition: &str) {
        for w in self.segments(rendition).windows(2) {
            assert_eq!(w[0].0 + 1, w[1].0, "{rendition}: numbers");
            assert_eq!(
                w[0].1 + i64::from(w[0].2),
                w[1].1,
                "{rendition}: times around segment {}",
                w[1].0
            );
        }
    }
}

/// What one follower saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Parts of each rendition: segment, number.
    pub parts: BTreeMap<String, Vec<(u64, u32)>>,
    /// Whole segments.
    pub segments: usize,
    /// Presentations.
    pub presentations: usize,
    pub ended: bool,
    pub lagged: bool,
}

/// Follows a broadcast until `until` says so, or to its end.
pub(crate) async fn follow(broadcast: &Broadcast, mut until: impl FnMut(&LiveEvent) -> bool) -> Seen {
    let mut subscription = broadcast.hub.subscribe().expect("room for a follower");
    let mut seen = Seen::default();
    while let Some(event) = subscription.next().await {
        let event = event.expect("no status");
        let done = until(&event);
        match event.kind {
            Some(Kind::Presentation(_)) => seen.presentations += 1,
            Some(Kind::Part(p)) => seen.parts.entry(p.rendition).or_default().push((p.seq, p.index)),
            Some(Kind::Segment(_)) => seen.segments += 1,
            Some(Kind::Ended(_)) => seen.ended = true,
            Some(Kind::Lagged(_)) => seen.lagged = true,
            Some(Kind::Synced(_) | Kind::Piece(_)) | None => {}
        }
        if done {
            break;
        }
    }
    seen
}
