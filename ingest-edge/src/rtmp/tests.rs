//! Deadlines, in no real time at all: the clock is tokio's, paused, and the socket is a pipe.

use std::net::IpAddr;

use headwater_platform::clock::WallClock;
use headwater_platform::rpc::{self, RpcConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::connection::Outcome;
use super::*;
use crate::broadcast::{Deps, Scheduler};
use crate::clock::MediaClock;
use crate::key::Lifetimes;
use crate::replay_buffer::{Budget, Limits};

const C1_AND_C2: usize = 2 * 1536;

fn shared() -> Arc<Shared> {
    let channel = || rpc::client("http://127.0.0.1:9", &RpcConfig::with_secret("s")).expect("an address");
    let lifetimes = Lifetimes {
        fresh: Duration::from_secs(5),
        refused: Duration::from_secs(5),
    };
    Arc::new(Shared {
        keys: Keys::new(channel(), lifetimes),
        registry: Registry::new(Deps {
            limits: Limits {
                time_max: Duration::from_secs(60),
                bytes_max: 1 << 20,
            },
            budget: Budget::new(1 << 20),
            scheduler: Scheduler::new(channel(), String::new()),
            clock: MediaClock::start(&WallClock::manual(0)),
            recheck: std::time::Duration::from_secs(15),
        }),
        bounds: Bounds {
            burst: Duration::from_secs(8),
            media_timeout: Duration::from_secs(10),
            bitrate_max_bps: 1_000_000,
        },
        key_recheck: Duration::from_secs(15),
        stop: CancellationToken::new(),
        started: Instant::now(),
        stop_ends: false,
    })
}

/// A connection under way, and its peer's end.
fn connected() -> (DuplexStream, tokio::task::JoinHandle<(Outcome, Duration)>) {
    let (peer, socket) = tokio::io::duplex(1 << 16);
    let connection = Connection::new(socket, IpAddr::from([127, 0, 0, 1]), shared());
    let begun = Instant::now();
    (
        peer,
        tokio::spawn(async move { (connection.run().await, begun.elapsed()) }),
    )
}

#[tokio::test(start_paused = true)]
async fn a1_a_probe_is_counted_as_one() {
    let (peer, connection) = connected();
    drop(peer);
    assert_eq!(connection.await.expect("no panic").0, Outcome::Probe);
}

#[tokio::test(start_paused = true)]
async fn a2_a_connection_that_says_nothing_is_closed_after_five_seconds() {
    let (_peer, connection) = connected();
    let (outcome, after) = connection.await.expect("no panic");
    assert_eq!(outcome, Outcome::Deadline);
    assert!((5_000..5_100).contains(&after.as_millis()), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a3_a_dripping_handshake_is_closed_after_ten_seconds() {
    let (mut peer, connection) = connected();
    let drip = tokio::spawn(async move {
        let mut sent = 0;
        while peer.write_all(&[3]).await.is_ok() {
            sent += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        sent
    });
    let (outcome, after) = connection.await.expect("no panic");
    assert_eq!(outcome, Outcome::Deadline);
    assert!((10_000..10_100).contains(&after.as_millis()), "{after:?}");
    assert!(drip.await.expect("no panic") <= 11);
}

#[tokio::test(start_paused = true)]
async fn a4_other_protocols_are_told_apart_from_broken_ones() {
    for (opening, outcome) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], Outcome::Foreign),
        (b"\x16\x03\x01", Outcome::Foreign),
        (b"\x06", Outcome::Foreign),
        (b"\xff", Outcome::Broken),
    ] {
        let (mut peer, connection) = connected();
        peer.write_all(opening).await.expect("the edge reads");
        assert_eq!(connection.await.expect("no panic").0, outcome, "{opening:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_greets_and_does_not_publish_is_closed_ten_seconds_later() {
    let (mut peer, connection) = connected();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut hello = vec![0; 1 + C1_AND_C2];
    hello[0] = 3;
    peer.write_all(&hello).await.expect("the edge reads");
    let mut answer = vec![0; 3_073];
    peer.read_exact(&mut answer).await.expect("S0, S1 and S2");
    // Chatter is no publish: a ping a second does not extend the time.
    let chatter = tokio::spawn(async move {
        let ping = [2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1];
        while peer.write_all(&ping).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let (outcome, after) = connection.await.expect("no panic");
    assert_eq!(outcome, Outcome::Deadline);
    assert!((14_000..14_100).contains(&after.as_millis()), "{after:?}");
    chatter.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_stops_closes_its_connections() {
    let (mut peer, socket) = tokio::io::duplex(1 << 16);
    let shared = shared();
    let connection = Connection::new(socket, IpAddr::from([127, 0, 0, 1]), shared.clone());
    let running = tokio::spawn(connection.run());
    shared.stop.cancel();
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.expect("closed in order");
    drop(peer);
    assert_eq!(running.await.expect("no panic"), Outcome::Left);
}
