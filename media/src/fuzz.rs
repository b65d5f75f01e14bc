//! One entry per parser of outside bytes, for `fuzz/` and for the tests' own seeded mutations.
//!
//! Each takes any bytes and must neither panic nor run long; the results are looked at no further.

mod seeds;
mod smoke;

use bytes::{Bytes, BytesMut};

use crate::codec::{aac, h264};
use crate::hls::Directives;
use crate::rtmp::address::Address;
use crate::rtmp::amf0;
use crate::rtmp::chunk::{Reader, ReaderLimits};
use crate::rtmp::{Event, Limits, RANDOM_BYTES, ServerSession};
use crate::window::key::{Key, PublicName};
use crate::{cmaf, flv, normalise};

pub use seeds::seeds;
pub use smoke::{Random, mutate, smoke};

/// A parser's entry.
pub type Target = fn(&[u8]);

/// All entries by name.
pub const TARGETS: [(&str, Target); 11] = [
    ("rtmp_session", rtmp_session),
    ("rtmp_chunk", rtmp_chunk),
    ("amf0", amf),
    ("address", address),
    ("flv", flv_tags),
    ("h264", h264_bits),
    ("aac", aac_bits),
    ("normalise", normaliser),
    ("cmaf_boxes", cmaf_boxes),
    ("hls_directives", hls_directives),
    ("object_keys", object_keys),
];

/// A connection: the first byte says how the rest is split.
pub fn rtmp_session(bytes: &[u8]) {
    let Some((&split, rest)) = bytes.split_first() else {
        return;
    };
    let mut session = ServerSession::new(Limits::default(), [7; RANDOM_BYTES]);
    for part in rest.chunks(usize::from(split) * 16 + 1) {
        let alive = session.receive(part).is_ok();
        while let Some(event) = session.poll_event() {
            if matches!(event, Event::PublishRequested(_)) {
                session.accept_publish();
            }
        }
        session.take_output();
        if !alive {
            break;
        }
    }
    session.disconnected();
}

/// A chunk stream.
pub fn rtmp_chunk(bytes: &[u8]) {
    let limits = ReaderLimits {
        message_bytes_max: 1 << 20,
        partial_messages_max: 32,
        partial_bytes_max: 4 << 20,
    };
    let (mut reader, mut input) = (Reader::new(limits), bytes);
    while let Ok(Some(_)) = reader.read(&mut input) {}
}

/// AMF0 and AMF3 values; what was read is written and read again.
pub fn amf(bytes: &[u8]) {
    let (values, _) = amf0::decode(bytes);
    let mut out = BytesMut::new();
    values.iter().for_each(|value| amf0::encode(&mut out, value));
    amf0::decode(&out);
}

/// An address in three parts, split at line ends.
pub fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(3, '\n');
    let mut part = || parts.next().unwrap_or_default();
    if let Ok(address) = Address::resolve(part(), part(), part()) {
        assert!(!address.key.is_empty() && !address.key.contains('/'));
    }
}

/// Video and audio tags.
pub fn flv_tags(bytes: &[u8]) {
    let payload = Bytes::copy_from_slice(bytes);
    let _ = flv::video(payload.clone());
    let _ = flv::audio(payload);
}

/// Records, parameter sets and access units.
pub fn h264_bits(bytes: &[u8]) {
    let payload = Bytes::copy_from_slice(bytes);
    if let Ok(config) = h264::Config::parse(payload.clone()) {
        let again = h264::Config::parse(config.record().clone()).expect("what we write, we read");
        assert!(config.same_meaning(&again));
    }
    let _ = h264::Sps::parse(bytes);
    for length_size in 1..=4 {
        if let Ok(unit) = h264::normalise_access_unit(&payload, length_size) {
            assert!(h264::nal::by_length(&unit.data, 4).all(|nal| nal.is_ok()));
        }
    }
}

/// Configurations and ADTS.
pub fn aac_bits(bytes: &[u8]) {
    let payload = Bytes::copy_from_slice(bytes);
    let _ = aac::Config::parse(payload.clone());
    let _ = aac::unwrap_adts(&payload);
}

/// A publish: records of kind, length, timestamp step and payload.
pub fn normaliser(bytes: &[u8]) {
    let mut n = normalise::Normaliser::new(normalise::Start::FIRST);
    let (mut now, mut timestamp, mut rest) = (1_700_000_000_000i64, 0u32, bytes);
    while let [kind, length, step, wait, tail @ ..] = rest {
        let (payload, after) = tail.split_at(usize::from(*length).min(tail.len()));
        // Steps grow fast, so that small inputs reach every kind of jump.
        timestamp = timestamp.wrapping_add(u32::from(*step & 0xf) << ((step >> 4) * 2));
        now += i64::from(*wait) * i64::from(*wait);
        let payload = Bytes::copy_from_slice(payload);
        match kind & 3 {
            0 | 1 => n.video(now, timestamp, payload),
            2 => n.audio(now, timestamp, payload),
            _ => n.tick(now),
        }
        while n.poll().is_some() {}
        rest = after;
    }
    n.finish();
}

/// Init and media segments, as a download reads them back from the store.
pub fn cmaf_boxes(bytes: &[u8]) {
    let _ = cmaf::fragments(bytes);
    let _ = cmaf::merge_inits(&[bytes, bytes]);
    let _ = cmaf::set_description(&mut bytes.to_vec(), 2);
}

/// Query strings of playlist requests.
pub fn hls_directives(bytes: &[u8]) {
    let _ = Directives::parse(&String::from_utf8_lossy(bytes));
}

/// Object keys and public names.
pub fn object_keys(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = Key::parse(&text);
    let _ = PublicName::parse(&text);
}
