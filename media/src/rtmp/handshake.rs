//! The handshake of RTMP 1.0 §5.2, plain and with digests.
//!
//! A digest client marks C1 with a version in its second word and an HMAC-SHA256 at one of two places ("schemes").
//! Its answer proves the same knowledge back; a client whose digest fits neither place is answered plainly.

use bytes::{BufMut, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Random bytes that one server handshake uses.
pub const RANDOM_BYTES: usize = 1528;

/// Bytes of C1, C2, S1 and S2.
pub(super) const PACKET_BYTES: usize = 1536;
const DIGEST_BYTES: usize = 32;

/// Keys of the two sides; the first 30 and 36 bytes are text, all of it is public knowledge.
const CLIENT_TEXT: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_TEXT: &[u8] = b"Genuine Adobe Flash Media Server 001";
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57, 0x6e, 0xec, 0x5d,
    0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];
/// Version in S1's second word when digests are spoken.
const SERVER_VERSION: [u8; 4] = [3, 5, 1, 1];

/// Why the first bytes are not a handshake of ours.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// RTMPE, obsolete.
    #[error("first byte {0:#04x} asks for RTMPE; only RTMP and RTMPS are spoken")]
    Encrypted(u8),
    /// A TLS ClientHello on the plain port.
    #[error("a TLS handshake on the port for plain RTMP")]
    Tls,
    /// HTTP, or RTMP tunnelled in it.
    #[error("an HTTP request on the port for RTMP")]
    Http,
    /// Anything else.
    #[error("first byte {0:#04x} is no RTMP version")]
    Version(u8),
}

/// Judges C0. Versions below 32 other than the known strangers are answered with 3 (§5.2.2).
pub(super) fn check_version(byte: u8) -> Result<(), HandshakeError> {
    match byte {
        6 | 8 => Err(HandshakeError::Encrypted(byte)),
        0x16 => Err(HandshakeError::Tls),
        b'A'..=b'Z' => Err(HandshakeError::Http),
        0..32 => Ok(()),
        _ => Err(HandshakeError::Version(byte)),
    }
}

/// What a stranger is told in its own protocol, where that is simple enough to be read.
pub(super) fn word_to(stranger: HandshakeError) -> Option<String> {
    const SENTENCE: &str = "This port takes live streams over RTMP. Set rtmp:// and this address in an encoder; \
                            to watch, use the address of the player page.\n";
    (stranger == HandshakeError::Http).then(|| {
        format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n{SENTENCE}",
            SENTENCE.len()
        )
    })
}

/// S0, S1 and S2 for a C1.
pub(super) fn answer(c1: &[u8; PACKET_BYTES], random: &[u8; RANDOM_BYTES]) -> BytesMut {
    let mut out = BytesMut::with_capacity(1 + 2 * PACKET_BYTES);
    out.put_u8(3);
    out.put_u32(0);
    let digest = (c1[4..8] != [0; 4]).then(|| client_digest(c1)).flatten();
    let Some((scheme, digest)) = digest else {
        out.put_u32(0);
        out.put_slice(random);
        // S2 echoes C1, with the time at which it was read (ours is always 0) in the second word.
        out.put_slice(&c1[..4]);
        out.put_u32(0);
        out.put_slice(&c1[8..]);
        return out;
    };
    out.put_slice(&SERVER_VERSION);
    out.put_slice(random);
    let s1 = &mut out[1..];
    let at = digest_at(s1, scheme);
    let own = hmac_around(SERVER_TEXT, s1, at);
    s1[at..at + DIGEST_BYTES].copy_from_slice(&own);

    let key = hmac(&[SERVER_TEXT, &KEY_TAIL].concat(), &digest);
    let s2 = &random[..PACKET_BYTES - DIGEST_BYTES];
    out.put_slice(s2);
    out.put_slice(&hmac(&key, s2));
    out
}

/// Where the four bytes that place the digest stand, by scheme.
const SCHEMES: [usize; 2] = [8, 772];

fn digest_at(packet: &[u8], scheme: usize) -> usize {
    let sum: usize = packet[scheme..scheme + 4].iter().map(|&b| usize::from(b)).sum();
    scheme + 4 + sum % 728
}

fn client_digest(c1: &[u8; PACKET_BYTES]) -> Option<(usize, [u8; DIGEST_BYTES])> {
    SCHEMES.into_iter().find_map(|scheme| {
        let at = digest_at(c1, scheme);
        let digest = hmac_around(CLIENT_TEXT, c1, at);
        (digest == c1[at..at + DIGEST_BYTES]).then_some((scheme, digest))
    })
}

/// Digest of a packet without the place where the digest itself stands.
fn hmac_around(key: &[u8], packet: &[u8], at: usize) -> [u8; DIGEST_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&packet[..at]);
    mac.update(&packet[at + DIGEST_BYTES..PACKET_BYTES]);
    mac.finalize().into_bytes().into()
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> [u8; RANDOM_BYTES] {
        std::array::from_fn(|i| (i * 7 + i / 256) as u8)
    }

    fn c1(version: u32) -> [u8; PACKET_BYTES] {
        let mut c1: [u8; PACKET_BYTES] = std::array::from_fn(|i| (i * 13 + i / 200) as u8);
        c1[4..8].copy_from_slice(&version.to_be_bytes());
        c1
    }

    #[test]
    fn a4_strangers_are_told_apart() {
        let cases = [
            (0x06, Err(HandshakeError::Encrypted(6))),
            (0x08, Err(HandshakeError::Encrypted(8))),
            (0x16, Err(HandshakeError::Tls)),
            (b'G', Err(HandshakeError::Http)),
            (b'P', Err(HandshakeError::Http)),
            (0x80, Err(HandshakeError::Version(0x80))),
        ];
        for (byte, expected) in cases {
            assert_eq!(check_version(byte), expected);
        }
    }

    #[test]
    fn a5_other_versions_are_answered_with_3() {
        for byte in [0, 1, 2, 3, 4, 31] {
            assert_eq!(check_version(byte), Ok(()));
        }
        assert_eq!(answer(&c1(0), &random())[0], 3);
    }

    #[test]
    fn a6_plain_answer_echoes_c1() {
        let c1 = c1(0);
        let out = answer(&c1, &random());
        assert_eq!(out.len(), 3073);
        assert_eq!(out[5..9], [0; 4]);
        assert_eq!(out[9..1537], random());
        assert_eq!((&out[1537..1541], &out[1545..]), (&c1[..4], &c1[8..]));
    }

    #[test]
    fn a7_both_digest_schemes_are_answered_in_kind() {
        for scheme in SCHEMES {
            let mut c1 = c1(0x0900_7c02);
            let at = digest_at(&c1, scheme);
            let digest = hmac_around(CLIENT_TEXT, &c1, at);
            c1[at..at + DIGEST_BYTES].copy_from_slice(&digest);
            let out = answer(&c1, &random());
            let (s1, s2) = (&out[1..1537], &out[1537..]);
            assert_eq!(s1[4..8], SERVER_VERSION);
            let at = digest_at(s1, scheme);
            assert_eq!(
                s1[at..at + DIGEST_BYTES],
                hmac_around(SERVER_TEXT, s1, at),
                "scheme at {scheme}"
            );
            let key = hmac(&[SERVER_TEXT, &KEY_TAIL].concat(), &digest);
            assert_eq!(s2[1504..], hmac(&key, &s2[..1504]), "scheme at {scheme}");
        }
    }

    #[test]
    fn a7_wrong_digest_falls_back_to_the_plain_answer() {
        let c1 = c1(0x0900_7c02);
        let out = answer(&c1, &random());
        assert_eq!(out[5..9], [0; 4]);
        assert_eq!(&out[1545..], &c1[8..]);
    }
}
