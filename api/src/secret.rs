//! Secrets that the service hands out: shown once, kept as a hash.
//!
//! Each is a prefix that says what it is, 32 random characters (160 bits) and 6 that check them, so that a mistyped or made-up
//! one is refused without asking the database. With that much randomness a fast hash is the right one.

use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const RANDOM_CHARS: usize = 32;
const CHECK_CHARS: usize = 6;
const WORD_CHARS: usize = 24;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    LiveToken,
    TestToken,
    Session,
    Invitation,
    PasswordReset,
    EmailVerification,
    /// Owes the second factor of a sign-in.
    Challenge,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::LiveToken => "hw_live_",
            Self::TestToken => "hw_test_",
            Self::Session => "hws_",
            Self::Invitation => "hwi_",
            Self::PasswordReset => "hwp_",
            Self::EmailVerification => "hwe_",
            Self::Challenge => "hwc_",
        }
    }
}

/// A new secret.
pub(crate) fn random(kind: Kind) -> String {
    let mut bytes = [0; RANDOM_CHARS];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    let mut text = kind.prefix().to_owned();
    text.extend(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])));
    let check = check(&text);
    text + &check
}

/// Random characters that are no secret: an id that nobody else makes up.
pub(crate) fn word() -> String {
    let mut bytes = [0; WORD_CHARS];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
        .collect()
}

/// Letters of a recovery code: 80 random bits.
pub(crate) const RECOVERY_CHARS: usize = 16;

/// A code that people write down: four groups of four letters.
pub(crate) fn recovery_code() -> String {
    let mut bytes = [0; RECOVERY_CHARS];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    let letters: Vec<char> = bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
        .collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// Whether `text` is well formed.
pub(crate) fn well_formed(kind: Kind, text: &str) -> bool {
    let length = kind.prefix().len() + RANDOM_CHARS + CHECK_CHARS;
    text.len() == length
        && text.starts_with(kind.prefix())
        && text.is_ascii()
        && text[length - CHECK_CHARS..] == check(&text[..length - CHECK_CHARS])
}

fn check(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let chars = digest.iter().take(CHECK_CHARS);
    chars.map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// SHA-256 in lower-case hex: what is stored and compared.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The last characters, by which people tell secrets apart.
pub(crate) fn hint(text: &str) -> String {
    text[text.len().saturating_sub(4)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_check_themselves() {
        for kind in [Kind::LiveToken, Kind::TestToken, Kind::Session, Kind::Invitation] {
            let secret = random(kind);
            assert!(well_formed(kind, &secret));
            assert_ne!(secret, random(kind));
            for at in 0..secret.len() {
                let mut broken = secret.clone().into_bytes();
                broken[at] = if broken[at] == b'a' { b'b' } else { b'a' };
                assert!(
                    !well_formed(kind, &String::from_utf8(broken).expect("ASCII")),
                    "byte {at}"
                );
            }
        }
        assert!(!well_formed(Kind::LiveToken, &random(Kind::TestToken)));
        assert!(!well_formed(Kind::Session, "hws_\u{e9}") && !well_formed(Kind::Session, ""));
    }
}
