use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

const LIMITS: ReaderLimits = ReaderLimits {
    message_bytes_max: 8 << 20,
    partial_messages_max: 32,
    partial_bytes_max: 16 << 20,
};

fn read_all(bytes: &[u8]) -> (Vec<Message>, Option<ChunkError>) {
    let mut reader = Reader::new(LIMITS);
    read_on(&mut reader, bytes)
}

fn read_on(reader: &mut Reader, mut bytes: &[u8]) -> (Vec<Message>, Option<ChunkError>) {
    let mut out = Vec::new();
    loop {
        match reader.read(&mut bytes) {
            Ok(Some(message)) => out.push(message),
            Ok(None) => return (out, None),
            Err(error) => return (out, Some(error)),
        }
    }
}

/// Times and payloads of what was read.
fn times(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let (messages, error) = read_all(bytes);
    assert_eq!(error, None);
    messages
        .into_iter()
        .map(|m| (m.timestamp, m.payload.to_vec()))
        .collect()
}

fn full(id: u8, timestamp: u32, length: u32, kind: u8) -> Vec<u8> {
    let mut out = vec![id];
    out.extend_from_slice(&timestamp.min(0xff_ffff).to_be_bytes()[1..]);
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&1u32.to_le_bytes());
    if timestamp >= 0xff_ffff {
        out.extend_from_slice(&timestamp.to_be_bytes());
    }
    out
}

fn set_chunk_size(size: u32) -> Vec<u8> {
    [full(2, 0, 4, kind::SET_CHUNK_SIZE), size.to_be_bytes().to_vec()].concat()
}

#[test]
fn b1_default_chunk_size_is_128() {
    let bytes = [full(4, 10, 200, 9), vec![1; 128], vec![0xc4], vec![2; 72]].concat();
    assert_eq!(times(&bytes), [(10, [vec![1; 128], vec![2; 72]].concat())]);
}

#[test]
fn b2_chunk_sizes() {
    for size in [1u32, 2, 65_536, 0x7fff_ffff] {
        let mut bytes = set_chunk_size(size);
        bytes.extend(full(4, 10, 3, 9));
        for (i, chunk) in [7u8, 8, 9].chunks(size.min(3) as usize).enumerate() {
            bytes.extend((i > 0).then_some(0xc4));
            bytes.extend_from_slice(chunk);
        }
        assert_eq!(read_all(&bytes).0[1].payload, [7, 8, 9][..], "size {size}");
    }
    for size in [0, 0x8000_0000, 0xffff_ffff] {
        assert_eq!(read_all(&set_chunk_size(size)).1, Some(ChunkError::ChunkSize(size)));
    }
    let short = [full(2, 0, 2, kind::SET_CHUNK_SIZE), vec![0, 1]].concat();
    assert_eq!(
        read_all(&short).1,
        Some(ChunkError::ShortControl { kind: 1, length: 2 })
    );
}

#[test]
fn b3_chunk_size_changes_in_the_middle_of_another_message() {
    let bytes = [
        full(4, 10, 300, 9),
        vec![1; 128],
        set_chunk_size(200),
        vec![0xc4],
        vec![2; 172],
    ]
    .concat();
    let (messages, error) = read_all(&bytes);
    assert_eq!(error, None);
    assert_eq!(messages[1].payload.len(), 300);
}

#[test]
fn b4_chunk_stream_ids_of_every_length() {
    for id in [2, 3, 63, 64, 319, 320, 65_599] {
        let message = Message {
            chunk_stream: id,
            timestamp: 5,
            kind: 9,
            stream: 1,
            payload: Bytes::from(vec![id as u8; 300]),
        };
        let mut out = BytesMut::new();
        Writer::new().write(&mut out, &message);
        assert_eq!(read_all(&out), (vec![message], None), "id {id}");
    }
    // the 3-byte form of a small id
    let mut bytes = full(1, 5, 1, 9);
    bytes.splice(1..1, [36, 0]);
    bytes.push(7);
    assert_eq!(read_all(&bytes).0[0].chunk_stream, 100);
}

#[test]
fn b5_first_chunk_may_lean_on_a_zero_base_but_not_on_nothing() {
    let fmt1 = [vec![0x44, 0, 0, 9, 0, 0, 1, 9], vec![7]].concat();
    assert_eq!(times(&fmt1), [(9, vec![7])]);
    // a format 2 without a length before it has length 0
    assert_eq!(times(&[0x84, 0, 0, 9]), []);
    assert_eq!(read_all(&[0xc4]).1, Some(ChunkError::NoHistory(4)));
}

#[test]
fn b6_format_3_starts_a_new_message_with_the_same_delta() {
    let bytes = [
        full(4, 1_000_000, 1, 9),
        vec![1],
        vec![0x84, 0, 0, 40, 2],
        vec![0xc4, 3],
        vec![0xc4, 4],
    ]
    .concat();
    let expected = [
        (1_000_000, vec![1]),
        (1_000_040, vec![2]),
        (1_000_080, vec![3]),
        (1_000_120, vec![4]),
    ];
    assert_eq!(times(&bytes), expected);
    // straight after a full header, its timestamp is the delta where that can be meant
    assert_eq!(
        times(&[full(4, 40, 1, 9), vec![1, 0xc4, 2]].concat()),
        [(40, vec![1]), (80, vec![2])]
    );
    let far = [full(4, 5_000_000, 1, 9), vec![1, 0xc4, 2]].concat();
    assert_eq!(times(&far), [(5_000_000, vec![1]), (5_000_000, vec![2])]);
}

#[test]
fn b7_extended_timestamp_repeated_and_not() {
    let payload = |n: usize| (0..n).map(|i| i as u8 | 1).collect::<Vec<u8>>();
    for time in [0x0100_0000u32, 0xffff_ff00] {
        for length in [129usize, 131, 132, 133, 300] {
            for repeats in [true, false] {
                let mut bytes = full(4, time, length as u32, 9);
                for (i, chunk) in payload(length).chunks(128).enumerate() {
                    if i > 0 {
                        bytes.push(0xc4);
                        bytes.extend(repeats.then_some(time.to_be_bytes()).iter().flatten());
                    }
                    bytes.extend_from_slice(chunk);
                }
                bytes.extend([full(4, time + 40, 1, 9), vec![7]].concat());
                let expected = [(time, payload(length)), (time + 40, vec![7])];
                assert_eq!(times(&bytes), expected, "{time:#x}, {length} bytes, repeated {repeats}");
            }
        }
    }
}

#[test]
fn b7_extended_timestamp_on_format_1_and_2() {
    let start = 0x0100_0000u32;
    let base = [full(4, start, 1, 9), vec![1]].concat();
    for (header, name) in [
        (vec![0x44, 0xff, 0xff, 0xff, 0, 0, 1, 9], "1"),
        (vec![0x84, 0xff, 0xff, 0xff], "2"),
    ] {
        let delta = 0x0100_0005u32;
        let as_delta = [base.clone(), header.clone(), delta.to_be_bytes().to_vec(), vec![2]].concat();
        // 0x01000005 lies 5 ms after the last timestamp: it is one itself
        assert_eq!(times(&as_delta)[1], (start + 5, vec![2]), "format {name}, absolute");
        let far = 0x0300_0000u32;
        let as_delta = [base.clone(), header, far.to_be_bytes().to_vec(), vec![2]].concat();
        assert_eq!(times(&as_delta)[1], (start + far, vec![2]), "format {name}, delta");
    }
}

#[test]
fn b8_exactly_ffffff_is_extended() {
    let bytes = [full(4, 0xff_ffff, 1, 9), vec![1], full(4, 0xff_fffe, 1, 9), vec![2]].concat();
    assert_eq!(times(&bytes), [(0xff_ffff, vec![1]), (0xff_fffe, vec![2])]);
    let delta = [
        full(4, 0, 1, 9),
        vec![1],
        vec![0x84, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 2],
    ]
    .concat();
    assert_eq!(times(&delta)[1].0, 0xff_ffff);
}

#[test]
fn b9_time_may_go_back_with_a_full_header() {
    let bytes = [full(4, 500, 1, 9), vec![1], full(4, 100, 1, 9), vec![2]].concat();
    assert_eq!(times(&bytes), [(500, vec![1]), (100, vec![2])]);
}

#[test]
fn b10_interleaved_messages_are_bounded() {
    let begun = |n: u8| {
        (0..n)
            .flat_map(|i| [full(3 + i, 0, 200, 9), vec![i; 128]].concat())
            .collect::<Vec<u8>>()
    };
    let mut bytes = begun(20);
    bytes.extend((0..20).flat_map(|i| [vec![0xc0 | (3 + i)], vec![i; 72]].concat()));
    let (messages, error) = read_all(&bytes);
    assert_eq!((messages.len(), error), (20, None));
    assert!(
        messages
            .iter()
            .enumerate()
            .all(|(i, m)| m.payload == vec![i as u8; 200])
    );
    assert_eq!(read_all(&begun(33)).1, Some(ChunkError::TooManyStreams(32)));
}

#[test]
fn b11_empty_messages_are_passed_over() {
    let bytes = [full(4, 5, 0, 9), full(5, 6, 1, 8), vec![1]].concat();
    assert_eq!(times(&bytes), [(6, vec![1])]);
}

#[test]
fn b12_message_length_is_capped() {
    let error = ChunkError::MessageTooLong {
        length: 0xff_ffff,
        max: 8 << 20,
    };
    assert_eq!(read_all(&full(4, 0, 0xff_ffff, 9)).1, Some(error));
}

#[test]
fn b13_abort_drops_the_partial_message() {
    let abort = [full(2, 0, 4, kind::ABORT), vec![0, 0, 0, 4]].concat();
    let bytes = [full(4, 5, 200, 9), vec![1; 128], abort, full(4, 9, 1, 9), vec![2]].concat();
    let (messages, _) = read_all(&bytes);
    assert_eq!(messages.last().map(|m| m.payload.to_vec()), Some(vec![2]));
    assert_eq!(messages.len(), 2);
}

#[test]
fn new_header_in_the_middle_of_a_message_gives_it_up() {
    let bytes = [full(4, 5, 200, 9), vec![1; 128], full(4, 9, 1, 9), vec![2]].concat();
    assert_eq!(times(&bytes), [(9, vec![2])]);
}

#[test]
fn b22_partial_chunk_at_the_end_is_no_message() {
    let whole = [full(4, 5, 3, 9), vec![1, 2, 3]].concat();
    for end in 0..whole.len() {
        assert_eq!(read_all(&whole[..end]), (vec![], None));
    }
}

#[test]
fn v9_unfinished_messages_hold_a_bounded_number_of_bytes() {
    let limits = ReaderLimits {
        partial_bytes_max: 1_000,
        ..LIMITS
    };
    let mut reader = Reader::new(limits);
    let mut bytes = full(4, 5, 100_000, 9);
    for i in 0..20 {
        bytes.extend((i > 0).then_some(0xc4));
        bytes.extend([1; 128]);
    }
    assert_eq!(read_on(&mut reader, &bytes).1, Some(ChunkError::PartialBytes(1_000)));
}

fn message() -> impl Strategy<Value = Message> {
    let time = prop_oneof![0u32..2_000, 0xff_ff00u32..0x100_0100, any::<u32>()];
    let payload = prop::collection::vec(any::<u8>(), 1..600);
    (2u32..70, time, 8u8..10, 0u32..2, payload).prop_map(|(chunk_stream, timestamp, kind, stream, payload)| Message {
        chunk_stream: chunk_stream.min(66),
        timestamp,
        kind,
        stream,
        payload: payload.into(),
    })
}

proptest! {
    /// Reader and writer agree, and a9: it does not matter where the bytes are split.
    #[test]
    fn a9_what_is_written_reads_back_however_it_is_split(
        messages in prop::collection::vec(message(), 1..12),
        chunk_bytes in prop_oneof![Just(1usize), Just(128), 2usize..700],
        cuts in prop::collection::vec(1usize..400, 1..40),
    ) {
        let mut out = BytesMut::new();
        let mut writer = Writer::new();
        writer.set_chunk_bytes(&mut out, chunk_bytes);
        messages.iter().for_each(|m| writer.write(&mut out, m));
        let mut reader = Reader::new(LIMITS);
        let mut read = Vec::new();
        let mut rest = &out[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            let (got, error) = read_on(&mut reader, now);
            prop_assert_eq!(error, None);
            read.extend(got);
            rest = later;
        }
        prop_assert_eq!(&read[1..], &messages[..]);
    }
}
