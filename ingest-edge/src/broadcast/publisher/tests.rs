//! A publisher's clock against the edge's: the tests' own time, no socket.

use std::sync::Arc;

use headwater_model::proto::edge::pull_event::Kind;
use headwater_model::{ChannelId, PlaybackId, StreamKeyId, TenantId};
use headwater_platform::clock::WallClock;
use headwater_platform::rpc::{self, RpcConfig};
use tokio::time::advance;

use super::*;
use crate::broadcast::{Deps, Scheduler};
use crate::clock::MediaClock;
use crate::replay_buffer::{Budget, Limits};

/// Blocks of 1024 samples at 48 kHz in five seconds.
const FIVE_SECONDS: u32 = 234;

fn registry() -> Arc<Registry> {
    let channel = rpc::client("http://127.0.0.1:9", &RpcConfig::with_secret("s")).expect("an address");
    let limits = Limits {
        time_max: Duration::from_secs(600),
        bytes_max: 1 << 24,
    };
    Registry::new(Deps {
        limits,
        budget: Budget::new(1 << 30),
        scheduler: Scheduler::new(channel, String::new()),
        clock: MediaClock::start(&WallClock::manual(1_700_000_000_000_000)),
        recheck: std::time::Duration::from_secs(15),
    })
}

fn grant() -> Arc<Grant> {
    Arc::new(Grant {
        tenant_id: TenantId::numbered(1),
        channel_id: ChannelId::numbered(1),
        stream_key_id: StreamKeyId::numbered(1),
        playback_id: PlaybackId::numbered(1),
        reconnect_window: Duration::from_secs(60),
        cache_ttl: Duration::from_secs(60),
        bitrate_max_bps: None,
    })
}

/// Sends numbered blocks of sound, and never has to wait before it is read.
struct Speaker {
    publisher: Publisher,
    block: u32,
}

impl Speaker {
    fn new() -> Self {
        let bounds = Bounds {
            burst: Duration::from_secs(8),
            media_timeout: Duration::from_secs(600),
            bitrate_max_bps: 10_000_000,
        };
        let mut publisher = Publisher::new(registry(), grant(), bounds, "rtmp", true, None);
        publisher.audio(0, Bytes::from_static(&[0xaf, 0, 0x11, 0x90]));
        Self { publisher, block: 0 }
    }

    /// `speed` times as fast as it plays.
    async fn speak(&mut self, blocks: u32, speed: u32) {
        for _ in 0..blocks {
            advance(Duration::from_micros(64_000_000 / 3_000 / u64::from(speed))).await;
            let payload = [&[0xaf, 1, 0x21][..], &self.block.to_be_bytes()].concat();
            self.publisher.audio(self.block * 64 / 3, payload.into());
            self.block += 1;
            self.publisher.flush().expect("goes on");
            assert_eq!(self.publisher.ahead(), None, "block {} is read at once", self.block);
        }
    }
}

/// Numbers of the blocks that a worker gets, by epoch.
async fn pulled(buffer: &Arc<crate::replay_buffer::ReplayBuffer>) -> Vec<(String, Vec<u32>)> {
    let mut reader = buffer.open(1, 0).expect("nobody else reads");
    let mut epochs = Vec::new();
    loop {
        match reader
            .next()
            .await
            .expect("holds the link")
            .expect("more until the end")
        {
            Kind::Epoch(epoch) => epochs.push((epoch.cause, Vec::new())),
            Kind::Unit(unit) => {
                let number = unit.data[1..].first_chunk().expect("a number");
                epochs.last_mut().expect("an epoch").1.push(u32::from_be_bytes(*number));
            }
            Kind::End(_) => return epochs,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn i15_a_backlog_stays_outside_and_what_was_accepted_stays_in() {
    let mut speaker = Speaker::new();
    speaker.speak(FIVE_SECONDS, 1).await;
    // A minute of sleep; its sound comes in two seconds, and then it is live again.
    advance(Duration::from_secs(60)).await;
    let asleep = FIVE_SECONDS * 12;
    speaker.speak(asleep, 30).await;
    speaker.speak(FIVE_SECONDS, 1).await;
    let session = speaker.publisher.session.as_ref().expect("media came");
    let buffer = session.broadcast.buffer().clone();
    let dropped = session.normaliser.counters().of(&Issue::BacklogDropped(0));
    speaker.publisher.leave(Leave::Clean);

    let epochs = pulled(&buffer).await;
    let causes: Vec<&str> = epochs.iter().map(|(cause, _)| cause.as_str()).collect();
    assert_eq!((causes.as_slice(), dropped), (&["start", "jump"][..], 1));
    let (before, after) = (&epochs[0].1, &epochs[1].1);
    assert_eq!(
        *before,
        (0..FIVE_SECONDS).collect::<Vec<_>>(),
        "all of what was accepted, once and in order"
    );
    let live = FIVE_SECONDS + asleep;
    // A second passes before it is clear that nothing more has piled up.
    assert!(after[0].abs_diff(live) <= 60, "from the live edge on: {}", after[0]);
    assert_eq!(
        *after,
        (after[0]..live + FIVE_SECONDS).collect::<Vec<_>>(),
        "and then all of it"
    );
    assert_eq!(buffer.stats().gops_lost, 0);
}

#[tokio::test(start_paused = true)]
async fn i15_a_backlog_of_less_than_ten_seconds_is_kept_whole() {
    let mut speaker = Speaker::new();
    speaker.speak(FIVE_SECONDS, 1).await;
    advance(Duration::from_secs(9)).await;
    speaker.speak(9 * FIVE_SECONDS / 5, 30).await;
    speaker.speak(FIVE_SECONDS, 1).await;
    let buffer = speaker
        .publisher
        .session
        .as_ref()
        .expect("media came")
        .broadcast
        .buffer()
        .clone();
    let sent = speaker.block;
    speaker.publisher.leave(Leave::Clean);
    let epochs = pulled(&buffer).await;
    assert_eq!(epochs, [("start".to_owned(), (0..sent).collect())]);
}
