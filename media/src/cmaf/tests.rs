//! Every box there and back, damaged boxes, merged init segments.

use bytes::Bytes;

use super::*;
use crate::segmenter::{Part, Sample};
use crate::unit::TrackKind;

fn round_trip<A: Atom + PartialEq + std::fmt::Debug>(atom: &A) {
    let bytes = atom.to_vec();
    assert_eq!(
        bytes.len(),
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
    );
    assert_eq!(bytes[4..8], A::KIND.0);
    assert_eq!(&A::find(&bytes).expect("reads what it wrote"), atom);
    // Cut short anywhere, a box is an error or (an open-ended one) something else, and never a panic.
    for len in 0..bytes.len() {
        assert!(A::find(&bytes[..len]).is_err(), "{:?} cut to {len} bytes", A::KIND);
    }
}

fn avc1() -> Avc1 {
    Avc1 {
        width: 1_920,
        height: 1_080,
        record: Bytes::from_static(&[1, 0x64, 0, 0x28, 0xff, 0xe0, 0]),
        colour: Some(Colr {
            primaries: 9,
            transfer: 16,
            matrix: 9,
            full_range: true,
        }),
        aspect: Some(Pasp {
            h_spacing: 4,
            v_spacing: 3,
        }),
        bitrate: Some(Btrt {
            buffer_size: 0,
            max_bitrate: 5_000_000,
            average_bitrate: 4_500_000,
        }),
    }
}

fn mp4a() -> Mp4a {
    let stream = Esds {
        max_bitrate: 128_000,
        average_bitrate: 96_000,
        record: Bytes::from_static(&[0x11, 0x90]),
    };
    Mp4a {
        channels: 2,
        sample_rate: 48_000,
        stream,
        bitrate: None,
    }
}

fn moov(track_id: u32, timescale: u32, entry: SampleEntry) -> Moov {
    Moov {
        header: Mvhd {
            timescale,
            duration: 0,
            next_track_id: track_id + 1,
        },
        traks: vec![Trak {
            header: Tkhd {
                track_id,
                duration: 0,
                volume: 0,
                width: 640 << 16,
                height: 360 << 16,
            },
            media: Mdia {
                header: Mdhd {
                    timescale,
                    duration: 0,
                    language: *b"eng",
                },
                handler: Hdlr::VIDEO,
                info: Minf {
                    header: MediaHeader::Video,
                    table: Stbl {
                        descriptions: Stsd { entries: vec![entry] },
                    },
                },
            },
        }],
        extends: Mvex {
            tracks: vec![Trex {
                track_id,
                default_sample_description_index: 1,
                default_duration: 0,
                default_size: 0,
                default_flags: 0,
            }],
        },
    }
}

#[test]
fn every_box_comes_back_as_it_was() {
    round_trip(&Ftyp {
        major: FourCc(*b"cmfc"),
        minor: 7,
        compatible: vec![FourCc(*b"iso6"), FourCc(*b"dash")],
    });
    round_trip(&Styp(Ftyp {
        major: FourCc(*b"msdh"),
        minor: 0,
        compatible: vec![FourCc(*b"lmsg")],
    }));
    round_trip(&Prft {
        flags: 24,
        track_id: 1,
        ntp: u64::MAX,
        media_time: 1 << 40,
    });
    for time in [EventTime::Presentation(1 << 40), EventTime::Delta(9)] {
        round_trip(&Emsg {
            timescale: 90_000,
            time,
            duration: u32::MAX,
            id: 3,
            scheme_id_uri: "https://aomedia.org/emsg/ID3".into(),
            value: String::new(),
            data: Bytes::new(),
        });
    }
    round_trip(&Sidx {
        reference_id: 1,
        timescale: 90_000,
        earliest_presentation_time: 1 << 33,
        first_offset: 0,
        references: vec![Reference {
            index: true,
            size: 0x7fff_ffff,
            duration: 9,
            sap: 0x9000_0000,
        }],
    });
    round_trip(&avc1());
    round_trip(&mp4a());
    round_trip(&Mp4a {
        stream: Esds {
            record: Bytes::from(vec![7; 300]),
            ..mp4a().stream
        },
        ..mp4a()
    });
    round_trip(&moov(1, 90_000, SampleEntry::Avc1(avc1())));
    round_trip(&moov(2, 48_000, SampleEntry::Mp4a(mp4a())));
    round_trip(&moov(
        1,
        90_000,
        SampleEntry::Other {
            kind: FourCc(*b"hvc1"),
            body: Bytes::from_static(b"kept"),
        },
    ));
    round_trip(&Mvhd {
        timescale: 1,
        duration: 1 << 40,
        next_track_id: 2,
    });
    round_trip(&Mdhd {
        timescale: 1,
        duration: 1 << 40,
        language: Mdhd::UNDETERMINED,
    });
    round_trip(&Tkhd {
        track_id: 1,
        duration: 1 << 40,
        volume: 0x0100,
        width: 0,
        height: 0,
    });
    let full = Entry {
        duration: Some(3_000),
        size: Some(9),
        flags: Some(SampleFlags::DELTA),
        composition_offset: Some(-3_000),
    };
    let header = Tfhd {
        track_id: 1,
        base_data_offset: Some(1 << 40),
        sample_description_index: Some(2),
        default_duration: Some(1),
        default_size: Some(2),
        default_flags: Some(SampleFlags::SYNC),
    };
    round_trip(&Moof {
        header: Mfhd { sequence_number: 9 },
        trafs: vec![Traf {
            header,
            decode_time: Some(Tfdt {
                base_media_decode_time: 1 << 40,
            }),
            runs: vec![
                Trun {
                    data_offset: Some(-8),
                    first_flags: Some(SampleFlags::SYNC),
                    entries: vec![full, full],
                },
                Trun {
                    data_offset: None,
                    first_flags: None,
                    entries: vec![Entry::default(); 3],
                },
            ],
        }],
    });
}

fn part(index: u32, samples: &[(u32, i32, bool, &'static [u8])]) -> Part {
    let samples: Vec<_> = samples
        .iter()
        .map(|(duration, composition_offset, key, data)| Sample {
            data: Bytes::from_static(data),
            duration: *duration,
            composition_offset: *composition_offset,
            key: *key,
        })
        .collect();
    let duration = samples.iter().map(|s| s.duration).sum();
    Part {
        seq: 3,
        index,
        independent: samples[0].key,
        samples,
        decode_time: 540_000,
        decode_lead: 0,
        decode_gain: 0,
        duration,
    }
}

#[test]
fn what_decodes_early_is_shown_when_it_should_be() {
    let led = Part {
        decode_lead: 6_000,
        ..part(
            0,
            &[
                (3_000, 0, true, b"idr"),
                (3_000, 6_000, false, b"p"),
                (3_000, -6_000, false, b"b"),
            ],
        )
    };
    let bytes = ChunkWriter::new(TrackKind::Video).write(&led, Some(5));
    let [fragment] = fragments(&bytes).expect("ours").try_into().expect("one");
    assert_eq!(fragment.prft.map(|p| p.media_time), Some(540_000));
    let samples = fragment.samples().expect("ours");
    let read: Vec<_> = samples.iter().map(|s| (s.decode_time, s.composition_offset)).collect();
    assert_eq!(read, [(534_000, 6_000), (537_000, 12_000), (540_000, 0)]);
}

#[test]
fn the_first_part_gains_the_lead_that_there_is_no_room_for() {
    let first = Part {
        decode_time: 0,
        decode_gain: 6_000,
        ..part(
            0,
            &[
                (3_000, 0, true, b"i0"),
                (3_000, 6_000, false, b"p3"),
                (3_000, 0, false, b"b2"),
                (3_000, -6_000, false, b"b1"),
                (3_000, 6_000, false, b"p6"),
            ],
        )
    };
    let bytes = ChunkWriter::new(TrackKind::Video).write(&first, Some(5));
    let [fragment] = fragments(&bytes).expect("ours").try_into().expect("one");
    assert_eq!(fragment.prft.map(|p| p.media_time), Some(0));
    let samples = fragment.samples().expect("ours");
    let read: Vec<_> = samples.iter().map(|s| (s.decode_time, s.composition_offset)).collect();
    assert_eq!(
        read,
        [(0, 0), (1_000, 8_000), (2_000, 4_000), (3_000, 0), (6_000, 12_000)]
    );
    let end: u64 = samples.iter().map(|s| u64::from(s.duration)).sum();
    assert_eq!(end, 9_000, "the next part decodes 6000 ticks before it is shown");
}

#[test]
fn parameter_sets_are_repeated_where_a_segment_starts_and_nowhere_else() {
    let writer = ChunkWriter::new(TrackKind::Video).repeating(Bytes::from_static(b"sets"));
    let samples: &[(u32, i32, bool, &[u8])] = &[(3_000, 0, true, b"idr"), (3_000, 0, true, b"idr")];
    for (index, want) in [(0, [&b"setsidr"[..], b"idr"]), (1, [b"idr", b"idr"])] {
        let bytes = writer.write(&part(index, samples), None);
        let [fragment] = fragments(&bytes).expect("ours").try_into().expect("one");
        let read: Vec<&[u8]> = fragment
            .samples()
            .expect("ours")
            .iter()
            .map(|s| &bytes[s.data.clone()])
            .collect();
        assert_eq!(read, want);
    }
    let later = part(0, &[(3_000, 0, false, b"p")]);
    assert_eq!(
        writer.write(&later, None),
        ChunkWriter::new(TrackKind::Video).write(&later, None)
    );
}

#[test]
fn chunks_say_of_each_sample_what_it_was() {
    let writer = ChunkWriter::new(TrackKind::Video);
    for samples in [
        &[(3_000, 0, true, b"idr".as_slice()), (3_000, 0, false, b"p")][..],
        &[
            (3_000, 0, true, b"idr"),
            (3_003, 6_000, false, b"p"),
            (2_997, -3_000, false, b"b"),
        ],
        &[
            (3_000, 0, false, b"p"),
            (3_000, 0, true, b"idr"),
            (3_000, 0, false, b""),
        ],
        &[(1_024, 0, true, b"a"), (1_024, 0, true, b"b")],
    ] {
        for (index, ntp) in [(0, Some(5)), (1, None)] {
            let part = part(index, samples);
            let bytes = writer.write(&part, ntp);
            let [fragment] = fragments(&bytes).expect("ours").try_into().expect("one");
            assert_eq!(fragment.span, 0..bytes.len());
            assert_eq!(fragment.styp.is_some(), index == 0);
            assert_eq!(
                fragment.prft.map(|p| (p.ntp, p.media_time, p.flags)),
                ntp.map(|n| (n, 540_000, 24))
            );
            assert_eq!(fragment.moof.header.sequence_number, 3 * 256 + index + 1);
            let mut at = 540_000;
            for (read, sample) in fragment.samples().expect("ours").iter().zip(&part.samples) {
                assert_eq!((read.decode_time, read.duration), (at, sample.duration));
                assert_eq!(
                    (read.composition_offset, read.key),
                    (sample.composition_offset, sample.key)
                );
                assert_eq!(bytes[read.data.clone()], sample.data);
                at += u64::from(read.duration);
            }
            assert_eq!(at, 540_000 + u64::from(part.duration));
        }
    }
}

#[test]
fn a_chunk_is_these_bytes() {
    let bytes =
        ChunkWriter::new(TrackKind::Audio).write(&part(1, &[(1_024, 0, true, b"ab"), (1_024, 0, true, b"c")]), None);
    let expected = [
        b"\0\0\0\x6cmoof".as_slice(),
        b"\0\0\0\x10mfhd\0\0\0\0\0\0\x03\x02",
        b"\0\0\0\x54traf",
        b"\0\0\0\x1ctfhd\0\x02\0\x2a\0\0\0\x02\0\0\0\x01\0\0\x04\0\x02\0\0\0",
        b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\x08\x3d\x60",
        b"\0\0\0\x1ctrun\x01\0\x02\x01\0\0\0\x02\0\0\0\x74\0\0\0\x02\0\0\0\x01",
        b"\0\0\0\x0bmdatabc",
    ]
    .concat();
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn init_segments_merge_into_one_with_all_descriptions() {
    let file = |moov: &Moov| moov.to_vec();
    let first = file(&moov(1, 90_000, SampleEntry::Avc1(avc1())));
    let sound = file(&moov(2, 48_000, SampleEntry::Mp4a(mp4a())));
    let second = file(&moov(1, 90_000, SampleEntry::Avc1(Avc1 { width: 1_280, ..avc1() })));
    let merged = merge_inits(&[&first, &sound, &second, &sound, &first]).expect("alike");
    assert_eq!(merged.descriptions, [1, 1, 2, 1, 1]);
    let moov_of = Moov::find(&merged.init).expect("ours");
    assert_eq!(
        moov_of.traks.iter().map(|t| t.header.track_id).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!((moov_of.header.next_track_id, moov_of.extends.tracks.len()), (3, 2));

    assert_eq!(merge_inits(&[]), Err(MergeError::Empty));
    assert!(matches!(
        merge_inits(&[&first, b"x"]),
        Err(MergeError::Unreadable { index: 1, .. })
    ));
    let other = file(&moov(1, 30_000, SampleEntry::Avc1(avc1())));
    let scales = MergeError::Timescale {
        track_id: 1,
        index: 1,
        got: 30_000,
        want: 90_000,
    };
    assert_eq!(merge_inits(&[&first, &other]), Err(scales));
}

#[test]
fn a_description_is_changed_in_every_fragment_and_nothing_else() {
    let writer = ChunkWriter::new(TrackKind::Video);
    let parts = [
        part(0, &[(3_000, 0, true, b"one")]),
        part(1, &[(3_000, 0, false, b"two")]),
    ];
    let mut segment: Vec<u8> = parts.iter().flat_map(|p| writer.write(p, Some(1)).to_vec()).collect();
    let before = segment.clone();
    set_description(&mut segment, 7).expect("ours");
    let read = fragments(&segment).expect("ours");
    assert!(
        read.iter()
            .all(|f| f.moof.trafs[0].header.sample_description_index == Some(7))
    );
    set_description(&mut segment, 1).expect("ours");
    assert_eq!(segment, before);
}

#[test]
fn errors_name_the_box_and_the_place() {
    let mut tfdt = Tfdt {
        base_media_decode_time: 0,
    }
    .to_vec();
    tfdt[8] = 7;
    let error = Tfdt::find(&tfdt).expect_err("no such version");
    assert_eq!(error.to_string(), "tfdt version 7 at byte 8; only up to 1 exist");
    let error = Moof::find(b"\0\0\0\x08moof").expect_err("empty");
    assert_eq!(error.to_string(), "moof at byte 8 has no mfhd");
    let error = Moof::find(b"\0\0\0\xffmoof").expect_err("too large");
    assert_eq!(error.to_string(), "moof at byte 0 says it has 255 bytes; 8 are there");
    // Four bytes may not make a reader allocate sixteen gigabytes.
    let mut run = Trun {
        data_offset: None,
        first_flags: None,
        entries: vec![Entry::default()],
    }
    .to_vec();
    run[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(
        Trun::find(&run),
        Err(BoxError::Value {
            field: "sample_count",
            ..
        })
    ));
}

/// Random damage to real boxes, and plain noise: an error or a value, in bounded time and memory.
#[test]
fn damaged_boxes_never_panic() {
    let writer = ChunkWriter::new(TrackKind::Video);
    let chunk = writer
        .write(&part(0, &[(3_000, 0, true, b"idr"), (3_003, 9, false, b"p")]), Some(1))
        .to_vec();
    let init = moov(1, 90_000, SampleEntry::Avc1(avc1())).to_vec();
    let sound = moov(2, 48_000, SampleEntry::Mp4a(mp4a())).to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for round in 0..20_000 {
        let mut bytes = [&chunk, &init, &sound][round % 3].clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] ^= 1 << random(8),
                _ => bytes.truncate(at.max(8)),
            }
        }
        for fragment in fragments(&bytes).unwrap_or_default() {
            for sample in fragment.samples().unwrap_or_default() {
                assert!(bytes.get(sample.data).is_some(), "samples lie within the segment");
            }
        }
        let _ = (
            Moov::find(&bytes),
            merge_inits(&[&bytes, &init]),
            set_description(&mut bytes, 9),
        );
        let _ = (Emsg::find(&bytes), Sidx::find(&bytes), mark_last(&bytes));
    }
}
