use super::*;

fn hex(s: &str) -> Bytes {
    let digits: Vec<u8> = s
        .bytes()
        .filter_map(|b| (b as char).to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
}

/// Written by libx264 164 through FFmpeg's FLV muxer: 1920x1080, 30000/1001, High, two B-frames.
const RECORD_1080P: &str = "01640028ffe1001967640028acd940780227e5c04400000fa40003a9803c60c65801000468ef8fcbfdf8f800";

#[test]
fn record_of_1080p_2997() {
    let config = Config::parse(hex(RECORD_1080P)).expect("parses");
    let sps = config.sps();
    assert_eq!((sps.width, sps.height), (1920, 1080));
    assert_eq!((sps.profile, sps.level, sps.chroma, sps.bit_depth), (100, 40, 1, 8));
    assert_eq!(sps.frame_rate, Some((30_000, 1_001)));
    assert_eq!(sps.max_num_reorder, Some(2));
    assert!(!sps.interlaced);
    assert_eq!(config.codec_string(), "avc1.640028");
    assert_eq!(config.record(), &hex(RECORD_1080P));
    assert_eq!(config.nal_length_size(), 4);
}

#[test]
fn record_is_rebuilt_from_its_parameter_sets() {
    let config = Config::parse(hex(RECORD_1080P)).expect("parses");
    let again = Config::from_parameter_sets(config.sps_nals(), config.pps_nals()).expect("makes a record");
    assert_eq!(again.record(), config.record());
}

#[test]
fn e6_record_with_short_lengths_is_rewritten_for_samples() {
    let mut record = hex(RECORD_1080P).to_vec();
    record[4] = 0xfd;
    let config = Config::parse(record.into()).expect("parses");
    assert_eq!(config.nal_length_size(), 2);
    assert_eq!(config.record(), &hex(RECORD_1080P));
}

#[test]
fn truncated_records_are_errors() {
    let record = hex(RECORD_1080P);
    for length in 0..record.len() - 4 {
        assert!(Config::parse(record.slice(..length)).is_err(), "{length} bytes");
    }
}

#[test]
fn g1_record_without_parameter_sets_says_what_is_missing() {
    let none = Config::parse(Bytes::from_static(&[1, 100, 0, 40, 0xff, 0xe0, 0]));
    assert_eq!(none, Err(ConfigError::Missing("sequence parameter set")));
}

#[test]
fn e2_hevc_parameter_set_marked_as_h264_is_refused() {
    // A hvcC's first bytes, and a record whose SPS is HEVC's.
    let mut record = vec![1, 1, 0x60, 0, 0xff, 0xe1, 0, 8];
    record.extend_from_slice(&[0x42, 1, 1, 1, 0x60, 0, 0, 3]);
    record.extend_from_slice(&[1, 0, 2, 0x44, 1]);
    assert!(matches!(
        Config::parse(record.into()),
        Err(ConfigError::Sps(SpsError::NotSps(2)) | ConfigError::NotPps(_))
    ));
}

/// Writes bits for parameter sets of the tests' own.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn u(&mut self, count: u32, value: u32) -> &mut Self {
        (0..count).rev().for_each(|i| self.0.push(value >> i & 1 == 1));
        self
    }
    fn ue(&mut self, value: u32) -> &mut Self {
        let length = 32 - (value + 1).leading_zeros();
        self.u(length - 1, 0).u(length, value + 1)
    }
    fn nal(&self) -> Bytes {
        let mut bits = self.0.clone();
        bits.push(true);
        bits.resize(bits.len().div_ceil(8) * 8, false);
        let mut out: Vec<u8> = Vec::new();
        for byte in bits
            .chunks(8)
            .map(|c| c.iter().fold(0u8, |b, &bit| b << 1 | u8::from(bit)))
        {
            if byte <= 3 && out.ends_with(&[0, 0]) {
                out.push(3);
            }
            out.push(byte);
        }
        out.into()
    }
}

struct Shape {
    columns: u32,
    rows: u32,
    interlaced: bool,
    crop: Option<[u32; 4]>,
    vui: Option<(u32, u32, bool)>,
}

/// A Main profile SPS; the VUI is (num_units_in_tick, time_scale, with HRD).
fn sps_nal(shape: &Shape) -> Bytes {
    let mut b = Bits::default();
    b.u(8, 0x67).u(8, 77).u(8, 0x40).u(8, 31).ue(0);
    b.ue(0).ue(2).ue(3).u(1, 0);
    b.ue(shape.columns - 1)
        .ue(shape.rows - 1)
        .u(1, u32::from(!shape.interlaced));
    if shape.interlaced {
        b.u(1, 1);
    }
    b.u(1, 1);
    b.u(1, u32::from(shape.crop.is_some()));
    shape.crop.iter().flatten().for_each(|&c| {
        b.ue(c);
    });
    b.u(1, u32::from(shape.vui.is_some()));
    if let Some((ticks, scale, hrd)) = shape.vui {
        b.u(1, 0).u(1, 0).u(1, 0).u(1, 0);
        b.u(1, 1).u(32, ticks).u(32, scale).u(1, 1);
        b.u(1, u32::from(hrd));
        if hrd {
            b.ue(0).u(8, 0x11).ue(1234).ue(5678).u(1, 1).u(20, 0x5_5555);
        }
        b.u(1, 0);
        if hrd {
            b.u(1, 0);
        }
        b.u(1, 0).u(1, 0);
    }
    b.nal()
}

const PLAIN: Shape = Shape {
    columns: 80,
    rows: 45,
    interlaced: false,
    crop: None,
    vui: None,
};

#[test]
fn g3_sps_table() {
    let cases = [
        ("no VUI", PLAIN, (1280, 720), None),
        (
            "time scale 0",
            Shape {
                vui: Some((1, 0, false)),
                ..PLAIN
            },
            (1280, 720),
            None,
        ),
        (
            "ticks 0",
            Shape {
                vui: Some((0, 50, false)),
                ..PLAIN
            },
            (1280, 720),
            None,
        ),
        (
            "ticks huge",
            Shape {
                vui: Some((u32::MAX, u32::MAX, false)),
                ..PLAIN
            },
            (1280, 720),
            None,
        ),
        (
            "25 fps",
            Shape {
                vui: Some((1, 50, false)),
                ..PLAIN
            },
            (1280, 720),
            Some((25, 1)),
        ),
        (
            "59.94 with HRD",
            Shape {
                vui: Some((1001, 120_000, true)),
                ..PLAIN
            },
            (1280, 720),
            Some((60_000, 1_001)),
        ),
        (
            "1366x768",
            Shape {
                columns: 86,
                rows: 48,
                crop: Some([0, 5, 0, 0]),
                ..PLAIN
            },
            (1366, 768),
            None,
        ),
        (
            "1080i",
            Shape {
                columns: 120,
                rows: 34,
                interlaced: true,
                crop: Some([0, 0, 0, 2]),
                ..PLAIN
            },
            (1920, 1080),
            None,
        ),
    ];
    for (name, shape, size, rate) in cases {
        let sps = Sps::parse(&sps_nal(&shape)).expect(name);
        assert_eq!((sps.width, sps.height), size, "{name}");
        assert_eq!(sps.frame_rate, rate, "{name}");
        assert_eq!(sps.interlaced, shape.interlaced, "{name}");
    }
}

#[test]
fn g3_broken_vui_does_not_reject_the_stream() {
    let whole = sps_nal(&Shape {
        vui: Some((1, 50, true)),
        ..PLAIN
    });
    let cut = Sps::parse(&whole[..whole.len() - 9]).expect("the picture's fields are whole");
    assert_eq!((cut.width, cut.height), (1280, 720));
}

#[test]
fn g5_sizes_outside_the_limits_are_refused_before_anything_is_allocated() {
    for (columns, rows) in [(1024, 1024), (u32::MAX >> 1, 1), (1, u32::MAX >> 1)] {
        let sps = sps_nal(&Shape { columns, rows, ..PLAIN });
        assert!(
            matches!(Sps::parse(&sps), Err(SpsError::Size { .. })),
            "{columns}x{rows}"
        );
    }
    let cropped_away = sps_nal(&Shape {
        columns: 1,
        rows: 1,
        crop: Some([4, 4, 0, 0]),
        ..PLAIN
    });
    assert!(matches!(Sps::parse(&cropped_away), Err(SpsError::Size { .. })));
}

#[test]
fn g19_only_what_matters_makes_a_new_configuration() {
    let pps = [Bytes::from_static(&[0x68, 0xef, 0x8f])];
    let config = |shape| Config::from_parameter_sets(&[sps_nal(&shape)], &pps).expect("parses");
    let base = config(PLAIN);
    assert!(base.same_meaning(&config(PLAIN)));
    assert!(
        base.same_meaning(&config(Shape {
            vui: Some((1, 50, true)),
            ..PLAIN
        })),
        "HRD and timing only"
    );
    assert!(!base.same_meaning(&config(Shape { columns: 40, ..PLAIN })), "width");
    let other_pps = Config::from_parameter_sets(&[sps_nal(&PLAIN)], &[Bytes::from_static(&[0x68, 0xee, 0x8f])]);
    assert!(!base.same_meaning(&other_pps.expect("parses")), "picture parameter set");
}

#[test]
fn g2_parameter_sets_are_replaced_by_id() {
    let config = Config::from_parameter_sets(&[sps_nal(&PLAIN)], &[Bytes::from_static(&[0x68, 0xef])]).expect("parses");
    let same_id = config
        .updated_by(&[], &[Bytes::from_static(&[0x68, 0xff])])
        .expect("parses");
    assert_eq!(same_id.pps_nals(), [Bytes::from_static(&[0x68, 0xff])]);
    let new_id = config
        .updated_by(&[], &[Bytes::from_static(&[0x68, 0x5f])])
        .expect("parses");
    assert_eq!(new_id.pps_nals().len(), 2);
}

fn unit(nals: &[&[u8]]) -> Bytes {
    nals.iter()
        .flat_map(|n| [&(n.len() as u32).to_be_bytes()[..], n].concat())
        .collect::<Vec<u8>>()
        .into()
}

#[test]
fn e8_bitstream_says_what_is_an_idr() {
    for (nal, idr) in [([0x65, 1], true), ([0x41, 1], false)] {
        assert_eq!(normalise_access_unit(&unit(&[&nal]), 4).expect("fits").idr, idr);
    }
}

#[test]
fn e7_both_framings_give_the_same_unit_without_what_does_not_belong() {
    let lengths = unit(&[
        &[9, 0xf0],
        &[0x67, 1],
        &[0x68, 2],
        &[6, 5, 1, 0x80],
        &[0x65, 7, 7],
        &[12, 0xff],
        &[0x65, 8],
    ]);
    let codes = [
        &[
            0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 1, 6, 5, 1, 0x80,
        ][..],
        &[0, 0, 1, 0x65, 7, 7, 0, 0, 1, 12, 0xff, 0, 0, 1, 0x65, 8],
    ]
    .concat();
    let expected = unit(&[&[6, 5, 1, 0x80], &[0x65, 7, 7], &[0x65, 8]]);
    for (payload, start_codes) in [(lengths, false), (codes.into(), true)] {
        let got = normalise_access_unit(&payload, 4).expect("fits");
        assert_eq!(got.data, expected);
        assert_eq!((got.idr, got.start_codes), (true, start_codes));
        assert_eq!(
            (got.sps, got.pps),
            (
                vec![Bytes::from_static(&[0x67, 1])],
                vec![Bytes::from_static(&[0x68, 2])]
            )
        );
    }
}

#[test]
fn kept_units_in_one_stretch_are_not_copied() {
    let payload = unit(&[&[9, 0xf0], &[6, 5, 1, 0x80], &[0x65, 7, 7]]);
    let got = normalise_access_unit(&payload, 4).expect("fits");
    assert_eq!(got.data.as_ptr(), payload[6..].as_ptr());
}

#[test]
fn e5_units_without_a_slice_are_empty() {
    for payload in [
        Bytes::new(),
        unit(&[&[]]),
        unit(&[&[9, 0xf0]]),
        unit(&[&[6, 1, 1, 0x80]]),
    ] {
        assert!(normalise_access_unit(&payload, 4).expect("fits").data.is_empty());
    }
}

#[test]
fn e6_length_beyond_the_unit_is_an_error() {
    assert!(normalise_access_unit(&Bytes::from_static(&[0, 0, 0, 9, 0x65]), 4).is_err());
    let two = normalise_access_unit(&Bytes::from_static(&[0, 2, 0x65, 1]), 2).expect("fits");
    assert_eq!(two.data, unit(&[&[0x65, 1]]));
}

#[test]
fn v1_thousands_of_nal_units_are_refused() {
    let bomb: Vec<u8> = [0, 0, 0, 1, 0x41].repeat(NALS_MAX + 1);
    assert_eq!(normalise_access_unit(&bomb.into(), 4), Err(UnitError::TooMany));
}

#[test]
fn p078_levels() {
    for (width, height, fps, kbps, level) in [
        (640, 360, 30, 800, 30),
        (854, 480, 30, 1_400, 31),
        (1280, 720, 30, 2_800, 31),
        (1280, 720, 60, 3_500, 32),
        (1920, 1080, 30, 5_000, 40),
        (1920, 1080, 60, 6_000, 42),
        (2560, 1440, 30, 9_000, 50),
        (2560, 1440, 60, 9_000, 51),
        (3840, 2160, 30, 12_000, 51),
        (3840, 2160, 60, 18_000, 52),
        (1920, 1080, 30, 40_000, 41),
    ] {
        assert_eq!(
            level_for(width, height, (fps, 1), kbps * 1_000, true),
            level,
            "{width}x{height}@{fps}"
        );
    }
}
