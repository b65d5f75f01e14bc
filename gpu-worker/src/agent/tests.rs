//! The worker's services, over gRPC.

use std::sync::Arc;
use std::time::Duration;

use headwater_model::heartbeat::{Capacity, HEARTBEAT_KEY_PREFIX, Heartbeat};
use headwater_model::pieces::Joined;
use headwater_model::proto::worker::live_client::LiveClient;
use headwater_model::proto::worker::live_event::Kind;
use headwater_model::proto::worker::worker_client::WorkerClient;
use headwater_model::proto::worker::{Assignment, ReleaseRequest, SubscribeRequest};
use headwater_model::{BroadcastId, WorkerId};
use headwater_platform::hints::{Hints as _, MemoryHints};
use headwater_platform::{Process, rpc};
use tonic::Code;

use super::broadcasts::Broadcasts;
use super::{heartbeat, services};
use crate::testing::farm::{Farm, HANG, source};
use crate::testing::media::Make;

/// A worker's services on a port of their own.
async fn serve(farm: &Farm, process: &Process) -> (Arc<Broadcasts>, rpc::Client) {
    let broadcasts = Arc::new(Broadcasts::new(farm.tools.clone(), process.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (routes, config) = (services::routes(broadcasts.clone()), farm.tools.rpc.clone());
    let shutdown = process.shutdown.clone().cancelled_owned();
    tokio::spawn(async move { rpc::serve(listener, routes, &config, shutdown).await });
    (broadcasts, rpc::client(&url, &farm.tools.rpc).expect("a plain address"))
}

fn assignment(farm: &Farm, id: BroadcastId, generation: u64) -> Assignment {
    Assignment {
        broadcast_id: id.to_string(),
        generation,
        ..farm.broadcast(generation).assignment.clone()
    }
}

#[tokio::test]
async fn a_broadcast_is_assigned_followed_and_finished() {
    let farm = Farm::new(
        vec![
            Make {
                seconds: 4.0,
                ..Make::default()
            }
            .run(),
        ],
        vec![source()],
    )
    .await;
    farm.edge.heard.gate.send_replace(100);
    let process = Process::new();
    let (broadcasts, client) = serve(&farm, &process).await;
    let (mut worker, mut live) = (WorkerClient::new(client.clone()), LiveClient::new(client));
    let id = BroadcastId::numbered(1);
    worker.assign(assignment(&farm, id, 3)).await.expect("there is room");
    worker
        .assign(assignment(&farm, id, 3))
        .await
        .expect("the same again changes nothing");
    let old = worker
        .assign(assignment(&farm, id, 2))
        .await
        .expect_err("an old generation");
    assert_eq!(old.code(), Code::Aborted);
    let old = ReleaseRequest {
        broadcast_id: id.to_string(),
        generation: 2,
        finish: false,
    };
    assert_eq!(
        worker.release(old).await.expect_err("an old generation").code(),
        Code::Aborted
    );
    let unknown = SubscribeRequest {
        broadcast_id: "br_unknown".into(),
    };
    assert_eq!(
        live.subscribe(unknown).await.expect_err("it does not run here").code(),
        Code::NotFound
    );

    let running = broadcasts.list();
    assert_eq!(
        (running.len(), running[0].broadcast_id, running[0].generation),
        (1, id, 3)
    );
    let request = SubscribeRequest {
        broadcast_id: id.to_string(),
    };
    let mut events = live.subscribe(request).await.expect("it runs here").into_inner();
    let mut kinds = Vec::new();
    let mut joined = Joined::default();
    let read = async {
        while let Some(event) = events.message().await.expect("the stream is whole") {
            let Some(event) = joined.take(event).expect("no piece without end") else {
                continue;
            };
            match event.kind.expect("every event is something") {
                Kind::Presentation(p) => {
                    assert_eq!((p.generation, p.target_duration_s, p.part_target_ms), (3, 4, 350));
                    kinds.push('p');
                }
                Kind::Part(p) => {
                    assert!(p.generation == 3 && !p.data.is_empty());
                    farm.edge.heard.gate.send_replace(usize::MAX);
                }
                Kind::Segment(s) if s.rendition == "source" => kinds.push('s'),
                Kind::Segment(_) => {}
                Kind::Ended(_) => kinds.push('e'),
                Kind::Lagged(_) => kinds.push('l'),
                Kind::Synced(_) => {}
                Kind::Piece(_) => unreachable!("joined above"),
            }
        }
    };
    tokio::time::timeout(HANG, read).await.expect("it ends");
    let text: String = kinds.iter().collect();
    assert!(
        text.starts_with('p') && text.ends_with("sse") && !text.contains('l'),
        "{text}"
    );
    process.shutdown.cancel();
    broadcasts.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn the_higher_generation_wins_and_a_release_stops() {
    let farm = Farm::new(
        vec![
            Make {
                seconds: 4.0,
                ..Make::default()
            }
            .run(),
        ],
        vec![source()],
    )
    .await;
    farm.edge.heard.gate.send_replace(100);
    let process = Process::new();
    let (broadcasts, client) = serve(&farm, &process).await;
    let mut worker = WorkerClient::new(client);
    let id = BroadcastId::numbered(1);
    worker.assign(assignment(&farm, id, 1)).await.expect("there is room");
    let first = broadcasts.find(id.as_ref()).expect("it runs");
    worker
        .assign(assignment(&farm, id, 2))
        .await
        .expect("a higher generation takes its place");
    tokio::time::timeout(HANG, first.stop.cancelled())
        .await
        .expect("the old run is stopped");
    let second = broadcasts.find(id.as_ref()).expect("it runs");
    assert_eq!(second.assignment.generation, 2);
    let moved = Assignment {
        edge_url: "http://127.0.0.1:9".into(),
        ..assignment(&farm, id, 2)
    };
    worker.assign(moved).await.expect("the publisher's edge moved");
    let release = ReleaseRequest {
        broadcast_id: id.to_string(),
        generation: 2,
        finish: false,
    };
    worker.release(release.clone()).await.expect("our own generation");
    tokio::time::timeout(HANG, second.stop.cancelled())
        .await
        .expect("it stops");
    worker.release(release).await.expect("released twice is released");
    process.shutdown.cancel();
    broadcasts.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn heartbeats_say_what_runs_and_are_gone_after_the_end() {
    let farm = Farm::new(Vec::new(), Vec::new()).await;
    let process = Process::new();
    let broadcasts = Arc::new(Broadcasts::new(farm.tools.clone(), process.clone()));
    let id = BroadcastId::numbered(7);
    broadcasts.assign(assignment(&farm, id, 1)).expect("there is room");
    let hints = Arc::new(MemoryHints::new());
    let capacity = Capacity {
        encode_px_per_s: 5,
        slots: 6,
    };
    let beat = heartbeat::Beat {
        worker_id: WorkerId::numbered(9),
        url: "http://w".into(),
        capacity,
    };
    let beating = tokio::spawn(heartbeat::run(beat, hints.clone(), broadcasts.clone(), process.clone()));
    let heard = async {
        loop {
            let found = hints.scan(HEARTBEAT_KEY_PREFIX).await.expect("memory serves");
            if let Some((_, text)) = found.first() {
                return Heartbeat::from_json(text).expect("our own word");
            }
            tokio::task::yield_now().await;
        }
    };
    let heard = tokio::time::timeout(HANG, heard).await.expect("it beats at once");
    assert_eq!(
        (heard.url.as_str(), heard.capacity, heard.broadcasts[0].broadcast_id),
        ("http://w", capacity, id)
    );
    process.shutdown.cancel();
    tokio::time::timeout(HANG, beating)
        .await
        .expect("it ends")
        .expect("it does not panic");
    assert!(
        hints
            .scan(HEARTBEAT_KEY_PREFIX)
            .await
            .expect("memory serves")
            .is_empty()
    );
    broadcasts.stop(Duration::from_secs(5)).await;
}
