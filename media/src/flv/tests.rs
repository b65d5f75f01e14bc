use bytes::Bytes;

use super::*;

fn read_video(bytes: &[u8]) -> Result<Vec<VideoTag>, FlvError> {
    video(Bytes::copy_from_slice(bytes))
}

fn read_audio(bytes: &[u8]) -> Result<Vec<AudioTag>, FlvError> {
    audio(Bytes::copy_from_slice(bytes))
}

fn picture(composition_ms: i32, key: bool, data: &'static [u8]) -> VideoBody {
    VideoBody::Frame {
        composition_ms,
        key,
        data: Bytes::from_static(data),
    }
}

#[test]
fn e1_e4_e8_e9_e10_legacy_video() {
    let config = VideoBody::Config(Bytes::from_static(b"cfg"));
    let cases: [(&[u8], VideoCodec, VideoBody); 11] = [
        (b"\x17\x00\x00\x00\x00cfg", VideoCodec::H264, config),
        (b"\x17\x01\x00\x00\x43abc", VideoCodec::H264, picture(67, true, b"abc")),
        (b"\x27\x01\xff\xff\xde", VideoCodec::H264, picture(-34, false, b"")),
        (
            b"\x37\x01\x7f\xff\xffa",
            VideoCodec::H264,
            picture(0x7f_ffff, false, b"a"),
        ),
        (
            b"\x27\x01\x80\x00\x00a",
            VideoCodec::H264,
            picture(-0x80_0000, false, b"a"),
        ),
        (b"\x17\x02\x00\x00\x00", VideoCodec::H264, VideoBody::End),
        (b"\x17\x09\x00\x00\x00", VideoCodec::H264, VideoBody::Ignored),
        (b"\x57\x00", VideoCodec::H264, VideoBody::Ignored),
        (b"\x1c\x01\x00\x00\x00a", VideoCodec::Hevc, picture(0, true, b"a")),
        (b"\x12abc", VideoCodec::Legacy(2), picture(0, true, b"abc")),
        (b"\x24", VideoCodec::Legacy(4), picture(0, false, b"")),
    ];
    for (bytes, codec, body) in cases {
        assert_eq!(
            read_video(bytes),
            Ok(vec![VideoTag { track: 0, codec, body }]),
            "{bytes:x?}"
        );
    }
    assert_eq!(read_video(&[]), Ok(vec![]));
    assert_eq!(read_video(&[0x17, 1, 0]), Err(FlvError::Truncated(3)));
}

#[test]
fn e11_e12_legacy_audio() {
    let sound = |data: &'static [u8]| AudioBody::Frame(Bytes::from_static(data));
    let cases: [(&[u8], AudioCodec, AudioBody); 8] = [
        (
            b"\xaf\x00\x12\x10",
            AudioCodec::Aac,
            AudioBody::Config(Bytes::from_static(b"\x12\x10")),
        ),
        (b"\xa0\x01abc", AudioCodec::Aac, sound(b"abc")),
        (b"\xaf\x01", AudioCodec::Aac, AudioBody::Ignored),
        (b"\xaf\x07a", AudioCodec::Aac, AudioBody::Ignored),
        (b"\x2fabc", AudioCodec::Mp3, sound(b"abc")),
        (b"\x7fa", AudioCodec::Legacy(7), sound(b"a")),
        (b"\xbfa", AudioCodec::Legacy(11), sound(b"a")),
        (b"\x3f", AudioCodec::Legacy(3), AudioBody::Ignored),
    ];
    for (bytes, codec, body) in cases {
        assert_eq!(
            read_audio(bytes),
            Ok(vec![AudioTag { track: 0, codec, body }]),
            "{bytes:x?}"
        );
    }
    assert_eq!(read_audio(&[]), Ok(vec![]));
    assert_eq!(read_audio(&[0xaf]), Err(FlvError::Truncated(1)));
}

#[test]
fn f1_f3_enhanced_video() {
    let cases: [(&[u8], VideoCodec, VideoBody); 8] = [
        (
            b"\x90avc1cfg",
            VideoCodec::H264,
            VideoBody::Config(Bytes::from_static(b"cfg")),
        ),
        (b"\x91avc1\x00\x00\x28a", VideoCodec::H264, picture(40, true, b"a")),
        (b"\xa3hvc1a", VideoCodec::Hevc, picture(0, false, b"a")),
        (b"\xa1av01abcd", VideoCodec::Av1, picture(0, false, b"abcd")),
        (b"\x92vp09", VideoCodec::Vp9, VideoBody::End),
        (b"\x94hvc1amf", VideoCodec::Hevc, VideoBody::Ignored),
        (b"\x9ahev1", VideoCodec::Hevc, VideoBody::Ignored),
        (
            b"\x91\x00<>!a",
            VideoCodec::Other(FourCc(*b"\x00<>!")),
            picture(0, true, b"a"),
        ),
    ];
    for (bytes, codec, body) in cases {
        assert_eq!(
            read_video(bytes),
            Ok(vec![VideoTag { track: 0, codec, body }]),
            "{bytes:x?}"
        );
    }
    assert_eq!(read_video(b"\xd1\x00"), Ok(vec![]), "a command frame");
    assert_eq!(read_video(b"\x91av"), Err(FlvError::Truncated(3)));
}

#[test]
fn f4_modifiers_never_desync() {
    // nanoseconds twice, then a size of 256 by the escape
    let long = [
        b"\x97\x02\0\0\x09\x07\x02\0\0\x01\x07\xff\x00\xff".as_slice(),
        &[0; 256],
        b"\x01av01data",
    ]
    .concat();
    let expected = VideoTag {
        track: 0,
        codec: VideoCodec::Av1,
        body: picture(0, true, b"data"),
    };
    assert_eq!(read_video(&long), Ok(vec![expected]));
    assert!(read_video(b"\x97\x09\0").is_err());
    assert_eq!(read_audio(b"\x97\x00\x00\x01mp4aab").map(|t| t.len()), Ok(1));
}

#[test]
fn f5_tracks_of_every_layout() {
    let tags = |bytes: &[u8]| -> Vec<(u8, VideoCodec, VideoBody)> {
        read_video(bytes)
            .expect("valid")
            .into_iter()
            .map(|t| (t.track, t.codec, t.body))
            .collect()
    };
    assert_eq!(
        tags(b"\x96\x01av01\x03abc"),
        [(3, VideoCodec::Av1, picture(0, true, b"abc"))]
    );
    let many = tags(b"\xa6\x13avc1\x02\0\0\x01a\x00\0\0\x02bc");
    let expected = [
        (2, VideoCodec::H264, picture(0, false, b"a")),
        (0, VideoCodec::H264, picture(0, false, b"bc")),
    ];
    assert_eq!(many, expected);
    let codecs = tags(b"\x96\x20avc1\x00\0\0\x01aav01\x01\0\0\x01b");
    assert_eq!(
        codecs.iter().map(|t| t.1).collect::<Vec<_>>(),
        [VideoCodec::H264, VideoCodec::Av1]
    );
    assert_eq!(
        read_video(b"\x96\x11avc1\0\0\0\x09a"),
        Err(FlvError::TrackOverrun { at: 10, length: 9 })
    );
    assert_eq!(read_video(b"\x96\x51avc1"), Err(FlvError::MultitrackType(5)));
    let bomb = [b"\x96\x13avc1".as_slice(), &[0; 4 * 40]].concat();
    assert_eq!(read_video(&bomb), Err(FlvError::TooManyTracks));
}

#[test]
fn f2_enhanced_audio() {
    let cases = [
        (b"mp4a", AudioCodec::Aac),
        (b"Opus", AudioCodec::Opus),
        (b"fLaC", AudioCodec::Flac),
        (b"ac-3", AudioCodec::Ac3),
        (b"ec-3", AudioCodec::Eac3),
        (b".mp3", AudioCodec::Mp3),
        (b"dtsc", AudioCodec::Other(FourCc(*b"dtsc"))),
    ];
    for (four_cc, codec) in cases {
        let bytes = [&[0x91][..], four_cc, b"ab"].concat();
        let body = AudioBody::Frame(Bytes::from_static(b"ab"));
        assert_eq!(read_audio(&bytes), Ok(vec![AudioTag { track: 0, codec, body }]));
    }
    let multichannel = read_audio(b"\x94Opus\x01\x06\0\0\0\x3f").expect("valid");
    assert_eq!(multichannel[0].body, AudioBody::Ignored);
}
