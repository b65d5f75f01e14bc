//! Valid input for each target, for fuzzers to begin with.

use crate::codec::aac;
use crate::{CodecConfig, Timescale, Track, TrackId, cmaf};

/// Valid input for the target `name`, to be damaged. Panics for a name that is not one of [`super::TARGETS`].
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    let avc = b"\x01\x64\x00\x28\xff\xe1\x00\x19\x67\x64\x00\x28\xac\xd9\x40\x78\x02\x27\xe5\xc0\x44\x00\x00\x0f\xa4\x00\x03\xa9\x80\x3c\x60\xc6\x58\x01\x00\x04\x68\xef\x8f\xcb\xfd\xf8\xf8\x00";
    let record = |kind: u8, step: u8, payload: &[u8]| [&[kind, payload.len() as u8, step, 5][..], payload].concat();
    match name {
        "rtmp_session" => {
            let mut bytes = vec![200, 3];
            bytes.extend([0; 8].iter().chain(&[7; 1_528]).chain(&[9; 1_536]));
            let command = b"\x03\0\0\0\0\0\x2a\x14\0\0\0\0\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09";
            bytes.extend(command);
            bytes.extend(b"\x43\0\0\0\0\0\x22\x14\x02\0\x07publish\0\x40\x14\0\0\0\0\0\0\x05\x02\0\x03KEY");
            bytes.extend(b"\x04\0\0\x28\0\0\x05\x09\x01\0\0\0\x17\0\0\0\0\xc4\x17\0\0\0\0");
            vec![bytes]
        }
        "rtmp_chunk" => vec![
            b"\x04\xff\xff\xff\0\0\x05\x09\x01\0\0\0\x01\0\0\0abcde\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\x10\0\xc4"
                .to_vec(),
        ],
        "amf0" => vec![
            b"\x02\0\x0aonMetaData\x08\0\0\0\x02\0\x05width\0\x40\x94\0\0\0\0\0\0\0\x01a\x0a\0\0\0\x01\x05\0\0\x09"
                .to_vec(),
            b"\x11\x0a\x0b\x01\x03a\x03\x03b\x06\0\x01\x11\x09\x05\x01\x01\x04\x81\0".to_vec(),
        ],
        "address" => vec![b"live/_definst_?a=1\nmp4:KEY%2fx?b=2\nrtmp://u:p@h:1935/live?c=3".to_vec()],
        "flv" => vec![
            [&b"\x17\0\0\0\0"[..], avc].concat(),
            b"\x97\x02\0\0\x09\x06\x11avc1\x02\0\0\x01a\0\0\0\x02bc".to_vec(),
            b"\x95\x20mp4a\0\0\0\x02ab".to_vec(),
        ],
        "h264" => vec![
            avc.to_vec(),
            avc[8..33].to_vec(),
            b"\0\0\0\x02\x09\xf0\0\0\0\x03\x65\x01\x02\0\0\x01\x41".to_vec(),
        ],
        "aac" => vec![
            b"\x2b\x11\x88\0".to_vec(),
            b"\x13\x10\x56\xe5\x98".to_vec(),
            b"\xff\xf1\x4c\x80\x01\x3f\xfc\x21\x10".to_vec(),
        ],
        "normalise" => {
            let mut bytes = record(0, 0, &[&b"\x17\0\0\0\0"[..], avc].concat());
            bytes.extend(record(2, 0, b"\xaf\0\x11\x90"));
            for i in 0..20u8 {
                let nal = if i % 5 == 0 { 0x65 } else { 0x41 };
                bytes.extend(record(0, 0x2a, &[0x27, 1, 0, 0, 0, 0, 0, 0, 3, nal, 1, 2]));
                bytes.extend(record(2, 0, b"\xaf\x01\x21\x10"));
            }
            vec![bytes]
        }
        "cmaf_boxes" => {
            let sound = Track {
                id: TrackId::AUDIO,
                timescale: Timescale::new(48_000).expect("not zero"),
                config: CodecConfig::Aac(aac::Config::parse(b"\x11\x90".to_vec().into()).expect("a valid record")),
                language: None,
            };
            let moof =
                b"\0\0\0\x58moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x01\0\0\0\x40traf\0\0\0\x14tfhd\0\x02\0\x02\0\0\0\x01\
                \0\0\0\x01\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10trun\0\0\0\0\0\0\0\0\0\0\0\x09mdatx";
            vec![cmaf::init_segment(&sound).to_vec(), moof.to_vec()]
        }
        "hls_directives" => vec![b"_HLS_msn=12&_HLS_part=3&_HLS_skip=YES&token=x".to_vec()],
        "object_keys" => vec![b"720p/12-1-2160000-180000.m4s".to_vec(), b"12-1.3.m4s".to_vec()],
        other => panic!("no seed for {other}"),
    }
}
