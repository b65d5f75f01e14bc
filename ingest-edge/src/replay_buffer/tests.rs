//! The buffer's rules on a made-up broadcast: 25 pictures a second in GOPs of one second, 48 kHz AAC beside it.

use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake};

use bytes::Bytes;
use headwater_media::{MediaTime, Timescale, TrackId};
use headwater_model::proto::edge::pull_event::Kind;

use super::*;

const SECOND: i64 = 90_000;
const FRAME: i64 = 3_600;
const AUDIO_HZ: u32 = 48_000;
const LIMITS: Limits = Limits {
    time_max: Duration::from_secs(60),
    bytes_max: 64 << 20,
};

fn buffer(limits: Limits) -> Arc<ReplayBuffer> {
    ReplayBuffer::new(limits, Budget::new(1 << 30))
}

fn epoch(index: u32, start_90k: i64) -> Item {
    let track = |id: TrackId, timescale| media::Track {
        id: id.0,
        timescale,
        ..Default::default()
    };
    Item::Epoch(media::Epoch {
        index,
        start_90k,
        wallclock_ms: 1_000_000 + start_90k / 90,
        tracks: vec![track(TrackId::VIDEO, 90_000), track(TrackId::AUDIO, AUDIO_HZ)],
        cause: "start".into(),
    })
}

fn video(pts: i64, key: bool) -> Item {
    Item::Unit(
        AccessUnit {
            track: TrackId::VIDEO,
            dts: MediaTime::video(pts),
            pts: MediaTime::video(pts),
            duration: Some(FRAME as u32),
            key,
            data: Bytes::from(vec![0; if key { 4_000 } else { 400 }]),
        },
        0,
    )
}

fn audio(pts: i64) -> Item {
    let at = MediaTime::new(pts, Timescale::new(AUDIO_HZ).expect("not zero"));
    let data = Bytes::from_static(&[0; 100]);
    Item::Unit(
        AccessUnit {
            track: TrackId::AUDIO,
            dts: at,
            pts: at,
            duration: Some(1024),
            key: true,
            data,
        },
        0,
    )
}

/// Seconds `from..to` interleaved by time, with the audio some 100 ms ahead of the video as encoders send it.
fn seconds(from: i64, to: i64) -> Vec<Item> {
    let mut items: Vec<(i64, Item)> = (from * 25..to * 25)
        .map(|n| (n * FRAME, video(n * FRAME, n % 25 == 0)))
        .collect();
    let first = (from * i64::from(AUDIO_HZ) + 1023) / 1024;
    let last = (to * i64::from(AUDIO_HZ) + 1023) / 1024;
    items.extend((first..last).map(|n| (n * 1024 * 90 / 48 - 9_000, audio(n * 1024))));
    items.sort_by_key(|(at, _)| *at);
    items.into_iter().map(|(_, item)| item).collect()
}

fn drain(reader: &mut Reader) -> Vec<Kind> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    while let Poll::Ready(Ok(Some(kind))) = reader.poll_next(&mut cx) {
        all.push(kind);
    }
    all
}

/// Positions of the units of a track, in its timescale.
fn times(events: &[Kind], track: TrackId) -> Vec<i64> {
    let of = |k: &Kind| matches!(k, Kind::Unit(u) if u.track == track.0);
    let pts = |k: &Kind| if let Kind::Unit(u) = k { u.pts } else { 0 };
    events.iter().filter(|k| of(k)).map(pts).collect()
}

fn video_range(from: i64, to: i64) -> Vec<i64> {
    (from..to).step_by(FRAME as usize).collect()
}

/// Audio with `from <= start < to`, positions 1/90000 s.
fn audio_range(from: i64, to: i64) -> Vec<i64> {
    (0..)
        .map(|n| n * 1024)
        .skip_while(|t| t * 90 < from * 48)
        .take_while(|t| t * 90 < to * 48)
        .collect()
}

#[test]
fn a_reader_gets_everything_in_order_from_the_start() {
    let buffer = buffer(LIMITS);
    let mut reader = buffer.open(1, 0).expect("first reader");
    buffer.append([epoch(0, 0)]);
    assert!(drain(&mut reader).is_empty(), "nothing to decode yet");
    buffer.append(seconds(0, 3));
    buffer.append([Item::End("over".into())]);
    let events = drain(&mut reader);
    assert!(matches!(&events[0], Kind::Epoch(e) if e.index == 0));
    assert_eq!(times(&events, TrackId::VIDEO), video_range(0, 3 * SECOND));
    assert_eq!(times(&events, TrackId::AUDIO), audio_range(0, 3 * SECOND));
    assert!(matches!(events.last(), Some(Kind::End(e)) if e.reason == "over"));
}

#[test]
fn a_resumed_reader_gets_every_unit_from_the_durable_position_exactly_once() {
    for crash_at in 1..8 {
        let buffer = buffer(LIMITS);
        buffer.append([epoch(0, 0)]);
        buffer.append(seconds(0, 8));
        let mut first = buffer.open(1, 0).expect("first reader");
        drain(&mut first);
        first.ack(crash_at * SECOND).expect("holds the link");
        drop(first);
        let mut second = buffer.open(2, crash_at * SECOND).expect("second reader");
        let events = drain(&mut second);
        assert!(matches!(&events[0], Kind::Epoch(_)));
        assert!(
            !events.iter().any(|k| matches!(k, Kind::Lost(_))),
            "at {crash_at}: {events:?}"
        );
        assert_eq!(
            times(&events, TrackId::VIDEO),
            video_range(crash_at * SECOND, 8 * SECOND)
        );
        assert_eq!(
            times(&events, TrackId::AUDIO),
            audio_range(crash_at * SECOND, 8 * SECOND)
        );
    }
}

#[test]
fn resuming_between_keyframes_starts_at_the_one_before() {
    let buffer = buffer(LIMITS);
    buffer.append([epoch(0, 0)]);
    buffer.append(seconds(0, 6));
    let at = 3 * SECOND + 10 * FRAME;
    let mut first = buffer.open(1, 0).expect("first reader");
    drain(&mut first);
    first.ack(at).expect("holds the link");
    let mut second = buffer.open(2, at).expect("second reader");
    let events = drain(&mut second);
    assert_eq!(times(&events, TrackId::VIDEO), video_range(3 * SECOND, 6 * SECOND));
    assert_eq!(times(&events, TrackId::AUDIO), audio_range(3 * SECOND, 6 * SECOND));
}

#[test]
fn resuming_at_the_live_edge_waits_for_the_picture_that_decides() {
    let buffer = buffer(LIMITS);
    buffer.append([epoch(0, 0)]);
    buffer.append(seconds(0, 2));
    let mut reader = buffer.open(1, 2 * SECOND).expect("reader");
    assert!(drain(&mut reader).is_empty());
    buffer.append(seconds(2, 3));
    let events = drain(&mut reader);
    assert_eq!(times(&events, TrackId::VIDEO), video_range(2 * SECOND, 3 * SECOND));
    assert_eq!(times(&events, TrackId::AUDIO), audio_range(2 * SECOND, 3 * SECOND));
}

#[test]
fn resuming_across_a_pause_gets_the_pause_and_the_next_epoch() {
    let buffer = buffer(LIMITS);
    buffer.append([epoch(0, 0)]);
    buffer.append(seconds(0, 2));
    buffer.append([Item::Paused]);
    let mut reader = buffer.open(1, 2 * SECOND).expect("reader");
    let events = drain(&mut reader);
    assert!(matches!(&events[..], [Kind::Epoch(_), Kind::Paused(_)]), "{events:?}");
    buffer.append([epoch(1, 5 * SECOND)]);
    buffer.append(seconds(5, 6));
    let events = drain(&mut reader);
    assert!(matches!(&events[0], Kind::Epoch(e) if e.index == 1));
    assert_eq!(times(&events, TrackId::VIDEO), video_range(5 * SECOND, 6 * SECOND));
}

#[test]
fn acknowledged_media_is_forgotten_and_the_rest_kept() {
    let budget = Budget::new(1 << 30);
    let buffer = ReplayBuffer::new(LIMITS, budget.clone());
    buffer.append([epoch(0, 0)]);
    buffer.append(seconds(0, 10));
    let whole = buffer.stats();
    let mut reader = buffer.open(1, 0).expect("reader");
    drain(&mut reader);
    reader.ack(8 * SECOND).expect("holds the link");
    let left = buffer.stats();
    assert!(left.bytes * 4 < whole.bytes, "{left:?} of {whole:?}");
    assert_eq!(left.ack_lag_90k / SECOND, 2);
    assert_eq!(budget.used_bytes(), left.bytes as u64);
    drop((reader, buffer));
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn an_acknowledgement_never_takes_what_the_reader_has_not_had() {
    let buffer = buffer(LIMITS);
    buffer.append([epoch(0, 0)]);
    buffer.append(seconds(0, 2));
    let mut reader = buffer.open(1, 0).expect("reader");
    drain(&mut reader);
    buffer.append([Item::Paused, epoch(1, 4 * SECOND)]);
    buffer.append(seconds(4, 5));
    reader.ack(2 * SECOND).expect("holds the link");
    let events = drain(&mut reader);
    assert!(matches!(&events[..2], [Kind::Paused(_), Kind::Epoch(_)]), "{events:?}");
}

#[test]
fn at_the_bound_the_oldest_gop_goes_and_the_reader_is_told() {
    let limits = Limits {
        time_max: Duration::from_secs(4),
        ..LIMITS
    };
    let buffer = buffer(limits);
    buffer.append([epoch(0, 0)]);
    let mut reader = buffer.open(1, 0).expect("reader");
    buffer.append(seconds(0, 2));
    drain(&mut reader);
    for n in 2..10 {
        buffer.append(seconds(n, n + 1));
    }
    let stats = buffer.stats();
    assert!(stats.span_90k <= 4 * SECOND + SECOND / 2, "{stats:?}");
    assert_eq!(stats.gops_dropped_delivered, 2);
    assert_eq!(stats.gops_lost, 4);
    let events = drain(&mut reader);
    let Kind::Lost(lost) = &events[0] else {
        panic!("{events:?}")
    };
    assert!(
        lost.from_90k < 2 * SECOND + SECOND / 2 && lost.from_90k >= 2 * SECOND - FRAME,
        "{lost:?}"
    );
    assert_eq!(lost.to_90k / SECOND, 6);
    assert_eq!(times(&events, TrackId::VIDEO), video_range(6 * SECOND, 10 * SECOND));
    assert_eq!(
        events.iter().filter(|k| matches!(k, Kind::Epoch(_))).count(),
        0,
        "the epoch is the same"
    );
}

#[test]
fn delivered_media_dropped_at_the_bound_is_lost_only_to_who_resumes_before_it() {
    let limits = Limits {
        time_max: Duration::from_secs(4),
        ..LIMITS
    };
    let buffer = buffer(limits);
    buffer.append([epoch(0, 0)]);
    let mut first = buffer.open(1, 0).expect("reader");
    for n in 0..10 {
        buffer.append(seconds(n, n + 1));
        assert!(!drain(&mut first).iter().any(|k| matches!(k, Kind::Lost(_))));
    }
    assert_eq!(buffer.stats().gops_lost, 0);
    let mut same = buffer.open(2, 8 * SECOND).expect("reader");
    assert!(!drain(&mut same).iter().any(|k| matches!(k, Kind::Lost(_))));
    let mut late = buffer.open(3, SECOND).expect("reader");
    let events = drain(&mut late);
    assert!(
        events
            .iter()
            .any(|k| matches!(k, Kind::Lost(l) if l.from_90k == SECOND)),
        "{events:?}"
    );
}

#[test]
fn a_gop_without_end_is_bounded_too() {
    let limits = Limits {
        time_max: Duration::from_secs(3),
        ..LIMITS
    };
    let buffer = buffer(limits);
    buffer.append([epoch(0, 0)]);
    for n in 0..1_000 {
        buffer.append([video(n * FRAME, n == 0)]);
    }
    assert!(buffer.stats().span_90k <= 3 * SECOND);
    let bytes = Limits {
        bytes_max: 10_000,
        ..LIMITS
    };
    let buffer = super::tests::buffer(bytes);
    buffer.append([epoch(0, 0)]);
    for n in 0..1_000 {
        buffer.append([video(n * FRAME, n == 0)]);
    }
    assert!(buffer.stats().bytes < 10_000 + 25 * 600, "{:?}", buffer.stats());
}

#[test]
fn room_follows_what_is_held() {
    let buffer = buffer(LIMITS);
    let room = || {
        let state = buffer.lock();
        (
            state.store.capacity(),
            (state.store.next_seq() - state.store.first_seq()) as usize,
        )
    };
    buffer.append([epoch(0, 0)]);
    let mut reader = buffer.open(1, 0).expect("reader");
    for n in 0..40 {
        buffer.append(seconds(n, n + 1));
        drain(&mut reader);
        let (room, held) = room();
        assert!(
            room <= held + held / 4 + 64,
            "grows by little: room for {room}, {held} held"
        );
    }
    reader.ack(39 * SECOND).expect("holds the link");
    let (room, held) = room();
    assert!(room <= 2 * (held + 64), "and shrinks: room for {room}, {held} held");
}

#[test]
fn a_higher_generation_takes_the_link_and_lower_ones_stay_out() {
    let buffer = buffer(LIMITS);
    buffer.append([epoch(0, 0)]);
    buffer.append(seconds(0, 1));
    let mut old = buffer.open(3, 0).expect("generation 3");
    drain(&mut old);
    let acks = old.acks();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    assert!(old.poll_next(&mut Context::from_waker(&waker)).is_pending());
    let mut new = buffer.open(4, 0).expect("generation 4");
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "the old reader learns at once");
    let fenced = ReadError::Fenced { generation: 3, by: 4 };
    assert_eq!(
        old.poll_next(&mut Context::from_waker(&waker)),
        Poll::Ready(Err(fenced))
    );
    assert!(acks.ack(SECOND).is_err(), "what a fenced worker stored does not count");
    assert_eq!(
        buffer.open(3, 0).err(),
        Some(ReadError::Fenced { generation: 3, by: 4 })
    );
    drop(old);
    assert!(
        !drain(&mut new).is_empty(),
        "the old reader's end does not touch the new one's link"
    );
}

#[test]
fn an_append_wakes_a_waiting_reader_once() {
    let buffer = buffer(LIMITS);
    let mut reader = buffer.open(1, 0).expect("reader");
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    assert!(reader.poll_next(&mut Context::from_waker(&waker)).is_pending());
    buffer.append([epoch(0, 0)]);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    buffer.append(seconds(0, 1));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "not parked, so not woken again");
}

#[test]
fn held_media_moves_when_an_earlier_broadcast_continues() {
    let buffer = buffer(LIMITS);
    buffer.append([epoch(0, 0)]);
    buffer.append(seconds(0, 1));
    buffer.rebase(10 * SECOND, 7);
    let mut reader = buffer.open(1, 10 * SECOND).expect("reader");
    let events = drain(&mut reader);
    assert!(matches!(&events[0], Kind::Epoch(e) if e.index == 7 && e.start_90k == 10 * SECOND));
    assert_eq!(times(&events, TrackId::VIDEO), video_range(10 * SECOND, 11 * SECOND));
    assert_eq!(times(&events, TrackId::AUDIO)[0], 480_000);
}

#[test]
fn a_full_budget_takes_from_those_above_their_share() {
    let budget = Budget::new(200_000);
    let big = ReplayBuffer::new(LIMITS, budget.clone());
    let small = ReplayBuffer::new(LIMITS, budget.clone());
    for buffer in [&big, &small] {
        buffer.append([epoch(0, 0)]);
    }
    small.append(seconds(0, 2));
    let before = small.stats();
    for n in 0..60 {
        big.append(seconds(n, n + 1));
    }
    small.append([video(2 * SECOND, true)]);
    assert_eq!(small.stats().units, before.units + 1, "the small one keeps all");
    assert!(big.stats().bytes <= 200_000, "{:?}", big.stats());
}

#[test]
fn over_and_stored_is_settled() {
    let buffer = buffer(LIMITS);
    buffer.append([epoch(0, 0)]);
    buffer.append(seconds(0, 2));
    let mut reader = buffer.open(1, 0).expect("reader");
    buffer.append([Item::End("over".into())]);
    let acks = reader.acks();
    drain(&mut reader);
    assert!(!buffer.is_settled());
    acks.ack(2 * SECOND).expect("holds the link");
    assert!(buffer.is_settled());
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
