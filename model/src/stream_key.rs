//! The secret that lets a publisher into one channel.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::id::{fill_random, is_alphabet};

/// The pub/sub topic that carries the ids of stream keys whose publishers must be checked at once. A hint: an edge that
/// misses it finds out at its next regular check.
pub const STREAM_KEY_TOPIC: &str = "hw:stream-key";

/// Characters after `sk_`: 160 random bits.
pub const STREAM_KEY_CHARS: usize = 32;

/// A stream key in clear text. Shown once when made; only its hash is stored. `Debug` prints `[redacted]`, and
/// there is no `Display`: whoever needs the text says [`expose`](Self::expose).
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey(String);

/// Not a stream key. Says nothing about the text itself, which may be a mistyped secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stream key is \"sk_\" and {STREAM_KEY_CHARS} characters of a to z and 2 to 7")]
pub struct StreamKeyError;

impl StreamKey {
    /// How every stream key starts.
    pub const PREFIX: &'static str = "sk_";

    /// A new key from the system's random numbers.
    pub fn random() -> Self {
        let mut text = [0; STREAM_KEY_CHARS];
        fill_random(&mut text);
        let text = std::str::from_utf8(&text).expect("the alphabet is ASCII");
        Self(format!("{}{text}", Self::PREFIX))
    }

    /// Reads a key. Spaces and line ends around it, which pasting adds, are dropped.
    pub fn parse(text: &str) -> Result<Self, StreamKeyError> {
        let text = text.trim();
        let rest = text.strip_prefix(Self::PREFIX).ok_or(StreamKeyError)?;
        if rest.len() != STREAM_KEY_CHARS || !rest.bytes().all(is_alphabet) {
            return Err(StreamKeyError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The clear text, for the one moment it is shown or sent.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the clear text in lower-case hex: what is stored and compared. The key has 160 random bits, so
    /// a slow password hash would add nothing but delay.
    pub fn sha256_hex(&self) -> String {
        Sha256::digest(self.0.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl std::str::FromStr for StreamKey {
    type Err = StreamKeyError;
    fn from_str(text: &str) -> Result<Self, StreamKeyError> {
        Self::parse(text)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_parse_back_and_hide_in_debug() {
        let key = StreamKey::random();
        assert_eq!(StreamKey::parse(&format!("  {}\n", key.expose())).as_ref(), Ok(&key));
        assert_eq!(format!("{key:?}"), "[redacted]");
        assert_ne!(StreamKey::random(), key);
    }

    #[test]
    fn the_hash_is_sha256_of_the_text() {
        let key = StreamKey::parse("sk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").expect("well formed");
        assert_eq!(
            key.sha256_hex(),
            "95808e5d92709002f2a6f0682834d993637ad42dd2baaf8e4549c293cb8db8e0"
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "sk_",
            "sk_short",
            "SK_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "sk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1",
        ] {
            assert_eq!(StreamKey::parse(text), Err(StreamKeyError), "{text}");
        }
    }
}
