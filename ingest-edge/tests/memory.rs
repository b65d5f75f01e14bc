//! What a publisher's media costs while it is held, as the operating system counts it. Alone in its process.

use bytes::{Bytes, BytesMut};
use headwater_ingest_edge::replay_buffer::{Budget, Item, Limits, ReplayBuffer};
use headwater_media::normalise::{Normaliser, Output, Start};
use headwater_media::rtmp::amf0::{Value, encode_all, object};
use headwater_media::rtmp::chunk::{Message, Writer, kind};
use headwater_media::rtmp::{Event, RANDOM_BYTES, ServerSession};
use headwater_model::convert::epoch_to_proto;

/// What a held unit may cost beside its bytes.
const UNIT_BYTES_MAX: usize = 200;
/// x264, 320x240 at 25 frames/s, Main, level 1.3.
const VIDEO_CONFIG: &[u8] =
    b"\x17\0\0\0\0\x01\x4d\x40\x0d\xff\xe1\0\x18\x67\x4d\x40\x0d\xd9\x01\x41\xfb\x01\x10\0\0\x03\
\0\x10\0\0\x03\x03\x20\xf1\x42\xa4\x80\x01\0\x05\x68\xeb\xc3\xcb\x20";

/// Bytes of memory that this process really has.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("pages in memory");
    pages * 4_096
}

struct Publisher {
    writer: Writer,
    out: BytesMut,
    session: ServerSession,
    normaliser: Normaliser,
}

impl Publisher {
    fn live() -> Self {
        let mut publisher = Self {
            writer: Writer::new(),
            out: BytesMut::from(&[&[3][..], &[0; 2 * 1_536]].concat()[..]),
            session: ServerSession::new(Default::default(), [5; RANDOM_BYTES]),
            normaliser: Normaliser::new(Start::FIRST),
        };
        publisher.writer.set_chunk_bytes(&mut publisher.out, 4_096);
        let connect = ["connect".into(), 1.0.into(), object([("app", "live".into())])];
        publisher.message(kind::COMMAND_AMF0, 0, &encode_all(&connect));
        let publish = ["publish".into(), 2.0.into(), Value::Null, "KEY".into()];
        publisher.message(kind::COMMAND_AMF0, 0, &encode_all(&publish));
        publisher.message(kind::VIDEO, 0, VIDEO_CONFIG);
        publisher.message(kind::AUDIO, 0, b"\xaf\0\x11\x90");
        publisher
    }

    fn message(&mut self, kind: u8, timestamp: u32, payload: &[u8]) {
        let message = Message {
            chunk_stream: 3 + u32::from(kind),
            timestamp,
            kind,
            stream: 1,
            payload: Bytes::copy_from_slice(payload),
        };
        self.writer.write(&mut self.out, &message);
    }

    /// Gives what was written to the buffer, in reads as large as the edge's; bytes and units that it holds then.
    fn flush(&mut self, buffer: &ReplayBuffer) -> (usize, usize) {
        let (mut bytes, mut units) = (0, 0);
        for read in self.out.split().chunks(64 << 10) {
            self.session.receive(read).expect("valid");
            while let Some(event) = self.session.poll_event() {
                match event {
                    Event::PublishRequested(_) => self.session.accept_publish(),
                    Event::Video { timestamp, payload } => {
                        self.normaliser
                            .video(1_000_000 + i64::from(timestamp), timestamp, payload)
                    }
                    Event::Audio { timestamp, payload } => {
                        self.normaliser
                            .audio(1_000_000 + i64::from(timestamp), timestamp, payload)
                    }
                    _ => {}
                }
            }
            self.session.take_output();
            let outputs = std::iter::from_fn(|| self.normaliser.poll());
            let items: Vec<Item> = outputs
                .map(|output| match output {
                    Output::Epoch(epoch) => Item::Epoch(epoch_to_proto(&epoch)),
                    Output::Unit(unit) => {
                        bytes += unit.data.len();
                        units += 1;
                        Item::Unit(unit, 0)
                    }
                    Output::Issue(issue) => panic!("{issue}"),
                })
                .collect();
            buffer.append(items);
        }
        (bytes, units)
    }
}

/// An access unit: a delimiter, parameter sets with the IDR, a slice, and the filler that keeps a bit rate constant.
fn picture(n: u32, slice_bytes: usize, filler_bytes: usize) -> Vec<u8> {
    let key = n.is_multiple_of(25);
    let mut tag = vec![if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    let mut nal = |head: &[u8], bytes: usize| {
        tag.extend(((head.len() + bytes) as u32).to_be_bytes());
        tag.extend(head);
        tag.extend(std::iter::repeat_n(n as u8 | 1, bytes));
    };
    nal(&[9, 0xf0], 0);
    if key {
        nal(&VIDEO_CONFIG[13..37], 0);
        nal(&VIDEO_CONFIG[40..], 0);
    }
    nal(if key { &[0x65, 0x88, 0x84] } else { &[0x41, 0x9a, 0x24] }, slice_bytes);
    if filler_bytes > 0 {
        nal(&[12], filler_bytes);
    }
    tag
}

#[test]
fn a_held_unit_costs_its_bytes_and_less_than_200_more() {
    // (slice, filler, sound): a meagre stream, a constant bit rate, and pictures beyond what is reserved in advance.
    // All are held to the end, for memory that one gives back hides what the next one takes.
    let mut all = Vec::new();
    for (pictures, slice, filler, sound) in [
        (16_000u32, 300, 0, 100),
        (8_000, 1_500, 6_000, 60),
        (150, 530_000, 0, 100),
    ] {
        let limits = Limits {
            time_max: std::time::Duration::from_secs(1 << 20),
            bytes_max: usize::MAX,
        };
        let budget = Budget::new(u64::MAX);
        let buffer = ReplayBuffer::new(limits, budget.clone());
        let mut publisher = Publisher::live();
        publisher.flush(&buffer);
        let before = resident_bytes();
        let (mut bytes, mut units, mut blocks) = (0, 0, 0);
        for n in 0..pictures {
            while blocks * 64 / 3 <= n * 40 {
                publisher.message(
                    kind::AUDIO,
                    blocks * 64 / 3,
                    &[&b"\xaf\x01\x21"[..], &vec![7; sound]].concat(),
                );
                blocks += 1;
            }
            publisher.message(kind::VIDEO, n * 40, &picture(n, slice, filler));
            let (more, one) = publisher.flush(&buffer);
            (bytes, units) = (bytes + more, units + one);
        }
        let stats = buffer.stats();
        assert!(
            units as u32 + 2 >= pictures + blocks && stats.units >= units,
            "{units} of {pictures}: {stats:?}"
        );
        // What a connection in progress and the allocator's pools take does not grow with the units; large pieces of
        // memory come in whole pages.
        let held = resident_bytes().saturating_sub(before).saturating_sub(512 << 10);
        let each = held.saturating_sub(bytes + bytes / 64) / units;
        println!("{units} units, {bytes} bytes: {each} bytes beside its own for each");
        assert!(
            each < UNIT_BYTES_MAX,
            "{each} bytes for each of {units} units of {bytes} bytes"
        );
        assert!(held + (2 << 20) > bytes, "{held} held of {bytes}");
        // And the books say so: no less than is there, nor much more.
        let booked = (stats.bytes - bytes) / units;
        assert_eq!(budget.used_bytes(), stats.bytes as u64);
        assert!(
            booked < UNIT_BYTES_MAX && booked + 16 > each,
            "{booked} booked for each, {each} there"
        );
        all.push(buffer);
    }
}
