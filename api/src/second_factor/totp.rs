//! One-time codes by time: RFC 6238 over HOTP, RFC 4226, with what every authenticator app takes for granted: HMAC-SHA-1, six
//! digits, 30 seconds.

use aws_lc_rs::hmac;

/// Bytes of a secret: as many as HMAC-SHA-1 has (RFC 4226 §4, R6).
pub(super) const SECRET_BYTES: usize = 20;
const STEP_S: i64 = 30;
const DIGITS: usize = 6;
/// Steps that an app's clock may be behind or ahead.
const SLACK: i64 = 1;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret.
pub(super) fn secret() -> [u8; SECRET_BYTES] {
    let mut bytes = [0; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// The code of a counter (RFC 4226 §5.3).
fn hotp(secret: &[u8], counter: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 15);
    let word = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]);
    (word & 0x7fff_ffff) % 10_u32.pow(DIGITS as u32)
}

/// The time step that `code` belongs to, where it is one of now or next to it, and later than `after`; each step's code is good once.
pub(super) fn step_of(secret: &[u8], code: u32, now_s: i64, after: i64) -> Option<i64> {
    let now = now_s.div_euclid(STEP_S);
    let mut steps = (now - SLACK..=now + SLACK).filter(|step| *step > after);
    steps.find(|step| u64::try_from(*step).is_ok_and(|counter| hotp(secret, counter) == code))
}

/// The code that people typed: six digits, with spaces as apps show them. `None`: it is no such code.
pub(super) fn digits(text: &str) -> Option<u32> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let fine = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    fine.then(|| digits.parse().ok()).flatten()
}

/// Base32 without padding (RFC 4648 §6), as apps take a secret that is typed.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(char::from(BASE32[(bits >> count & 31) as usize]));
        }
    }
    if count > 0 {
        text.push(char::from(BASE32[(bits << (5 - count) & 31) as usize]));
    }
    text
}

/// The address that a QR code shows to an app.
pub(super) fn uri(issuer: &str, account: &str, secret: &str) -> String {
    let (issuer, account) = (encoded(issuer), encoded(account));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_S}"
    )
}

/// Percent-encoded down to unreserved characters (RFC 3986 §2.3): apps differ in what else they bear.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn rfc_4226_appendix_d() {
        let expected = [
            755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489,
        ];
        for (counter, code) in expected.into_iter().enumerate() {
            assert_eq!(hotp(SECRET, counter as u64), code, "{counter}");
        }
    }

    #[test]
    fn rfc_6238_appendix_b() {
        // Its codes have eight digits, of which ours are the last six.
        for (at_s, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130_u32),
        ] {
            assert_eq!(step_of(SECRET, code % 1_000_000, at_s, 0), Some(at_s / 30), "{at_s}");
        }
    }

    #[test]
    fn a_code_is_good_for_a_step_either_way_and_once() {
        let (now, step) = (1_111_111_111, 37_037_037);
        let code = |step: i64| hotp(SECRET, step.unsigned_abs());
        for (at, good) in [
            (step - 2, false),
            (step - 1, true),
            (step, true),
            (step + 1, true),
            (step + 2, false),
        ] {
            assert_eq!(step_of(SECRET, code(at), now, 0), good.then_some(at), "{at}");
        }
        assert_eq!(step_of(SECRET, code(step), now, step), None, "used");
        assert_eq!(
            step_of(SECRET, code(step - 1), now, step),
            None,
            "older than the one used"
        );
        assert_eq!(step_of(SECRET, code(step + 1), now, step), Some(step + 1));
    }

    #[test]
    fn codes_are_six_digits() {
        assert_eq!((digits("012 345"), digits(" 123456 ")), (Some(12_345), Some(123_456)));
        for text in [
            "",
            "12345",
            "1234567",
            "12345a",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
            "-12345",
            "+12345",
        ] {
            assert_eq!(digits(text), None, "{text}");
        }
    }

    #[test]
    fn secrets_are_written_as_apps_read_them() {
        assert_eq!(base32(SECRET), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        for (plain, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
        ] {
            assert_eq!(base32(plain.as_bytes()), text, "RFC 4648 §10");
        }
        assert_eq!(
            uri("Headwater", "a+b c@example.com", "MZXW6"),
            "otpauth://totp/Headwater:a%2Bb%20c%40example.com?secret=MZXW6&issuer=Headwater&algorithm=SHA1&digits=6&period=30"
        );
    }
}
