//! An origin with made-up neighbours, for measuring it alone: `cargo run --release --example offline`.
//!
//! Prints the addresses of a playlist, a segment of 1 MB and a part of 100 kB of a live broadcast, and serves until it
//! is stopped. Every line read from standard input makes one more part, for measuring how fast waiting reloads are
//! answered.

#[path = "../tests/support/mod.rs"]
mod support;

use headwater_model::proto::worker::live_event::Kind as EventKind;
use headwater_model::proto::worker::{Part, Segment};
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, TENANT};
use support::media::{Recipe, event, make};
use tokio::io::{AsyncBufReadExt, BufReader};

const PART_BYTES: usize = 100_000;
const PARTS: u32 = 6;
const SEGMENT_BYTES: usize = 1 << 20;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let made = make(TENANT, BROADCAST, Recipe::low(16));
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, made.through_segment(4)).await;
    farm.goes_live(&worker, 1);
    // Segment 5 has six parts of 100 kB; segment 6 is 1 MiB in six parts.
    segment(&worker, 5, PART_BYTES);
    segment(&worker, 6, SEGMENT_BYTES / PARTS as usize + 1);
    println!("http://{}/{CHANNEL}/main.m3u8", farm.origin);
    for file in ["index.m3u8", "6-1.m4s", "5-1.1.m4s"] {
        println!("http://{}/{CHANNEL}/{BROADCAST}/source/{file}", farm.origin);
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut index = 0;
    while lines.next_line().await?.is_some() {
        worker.say(event(EventKind::Part(part(7, index, PART_BYTES))));
        index += 1;
    }
    std::future::pending().await
}

fn segment(worker: &FakeWorker, seq: u64, part_bytes: usize) {
    for index in 0..PARTS {
        worker.say(event(EventKind::Part(part(seq, index, part_bytes))));
    }
    worker.say(event(EventKind::Segment(Segment {
        rendition: "source".into(),
        seq,
        generation: 1,
        decode_time: start(seq),
        duration: 180_000,
        size_bytes: part_bytes as u64 * u64::from(PARTS),
        durable_seq: 0,
        parts: PARTS,
        data: Default::default(),
    })));
}

fn part(seq: u64, index: u32, size: usize) -> Part {
    Part {
        rendition: "source".into(),
        seq,
        index,
        generation: 1,
        decode_time: start(seq) + i64::from(index) * 30_000,
        duration: 30_000,
        independent: index == 0,
        data: vec![index as u8; size].into(),
        arrival_us: 0,
        durable_seq: 0,
    }
}

/// The broadcast's first two segments last a second each, all others two.
fn start(seq: u64) -> i64 {
    (seq as i64 * 2 - 2) * 90_000
}
