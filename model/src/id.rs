//! Typed ids: a prefix that says what, and 24 random characters that say nothing else.
//!
//! An id is 120 random bits in `[a-z2-7]`. It lives inline (no allocation) and is `Copy`; parsing is the only way
//! in from the outside, so an id that exists is well formed.

use std::fmt;

use rand::RngCore;

/// Characters after the prefix of every id.
pub const ID_CHARS: usize = 24;

/// The alphabet of ids and stream keys: RFC 4648 base32 in lower case, five bits a character.
pub(crate) const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Another prefix, or none.
    #[error("a {kind} id starts with {prefix:?}")]
    Prefix {
        /// What was wanted.
        kind: &'static str,
        /// How such ids start.
        prefix: &'static str,
    },
    /// Too short or too long.
    #[error("a {kind} id has {ID_CHARS} characters after its prefix, not {chars}")]
    Length {
        /// What was wanted.
        kind: &'static str,
        /// How many bytes followed the prefix.
        chars: usize,
    },
    /// A character outside `[a-z2-7]`.
    #[error("a {kind} id has only a to z and 2 to 7 after its prefix; byte {at} is another")]
    Character {
        /// What was wanted.
        kind: &'static str,
        /// Which byte of the whole text, from 0.
        at: usize,
    },
}

/// Fills `out` with random characters of the alphabet.
pub(crate) fn fill_random(out: &mut [u8]) {
    rand::rng().fill_bytes(out);
    for byte in out {
        // 256 is a multiple of 32, so every character is equally likely.
        *byte = ALPHABET[usize::from(*byte & 31)];
    }
}

pub(crate) fn is_alphabet(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $prefix.len() + ID_CHARS]);

        impl $name {
            /// How every id of this kind starts.
            pub const PREFIX: &'static str = $prefix;

            /// A new id from the system's random numbers.
            pub fn random() -> Self {
                let mut text = [0; $prefix.len() + ID_CHARS];
                text[..$prefix.len()].copy_from_slice($prefix.as_bytes());
                fill_random(&mut text[$prefix.len()..]);
                Self(text)
            }

            /// The id that stands for `number`: the same one every time, for tests and simulations.
            pub const fn numbered(mut number: u64) -> Self {
                let mut text = [b'a'; $prefix.len() + ID_CHARS];
                let prefix = $prefix.as_bytes();
                let mut at = 0;
                while at < prefix.len() {
                    text[at] = prefix[at];
                    at += 1;
                }
                let mut last = text.len();
                while number > 0 {
                    last -= 1;
                    text[last] = ALPHABET[(number % 32) as usize];
                    number /= 32;
                }
                Self(text)
            }

            /// Reads an id; anything but exactly one is refused.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let kind = $kind;
                let rest = text.strip_prefix($prefix).ok_or(IdError::Prefix { kind, prefix: $prefix })?;
                if rest.len() != ID_CHARS {
                    return Err(IdError::Length { kind, chars: rest.len() });
                }
                if let Some(at) = rest.bytes().position(|b| !is_alphabet(b)) {
                    return Err(IdError::Character { kind, at: at + $prefix.len() });
                }
                let mut bytes = [0; $prefix.len() + ID_CHARS];
                bytes.copy_from_slice(text.as_bytes());
                Ok(Self(bytes))
            }

            /// Prefix and characters.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).expect("only ASCII ever enters an id")
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// A paying account.
    TenantId = "ten_", "tenant";
    /// The lasting address a tenant publishes to.
    ChannelId = "ch_", "channel";
    /// One row of a channel's stream keys; not the secret itself.
    StreamKeyId = "skid_", "stream key";
    /// One continuous publish on a channel, reconnects included.
    BroadcastId = "br_", "broadcast";
    /// What public URLs carry: leads to a channel or to one broadcast's replay.
    PlaybackId = "pb_", "playback";
    /// One run of a `gpu-worker` process. A worker takes a fresh id at every start, so an id never comes back
    /// with less than it had.
    WorkerId = "wk_", "worker";
    /// One run of an `ingest-edge` process.
    EdgeId = "ed_", "edge";
    /// One publisher's connection, chosen by the edge.
    PublishId = "pub_", "publish";
    /// A person who signs in.
    UserId = "usr_", "user";
    /// One browser that a person signed in with.
    SessionId = "ses_", "session";
    /// A person's place in a tenant.
    MemberId = "mem_", "member";
    /// A place in a tenant that is offered to an e-mail address.
    InvitationId = "inv_", "invitation";
    /// One row of a tenant's API tokens; not the secret itself.
    ApiTokenId = "tok_", "API token";
    /// One line of a tenant's audit log.
    AuditId = "aud_", "audit entry";
    /// A replay.
    AssetId = "as_", "asset";
    /// A key that a tenant signs playback tokens with.
    SigningKeyId = "sgk_", "signing key";
    /// An address of a tenant's own that is told of events.
    WebhookEndpointId = "wh_", "webhook endpoint";
    /// One event of a tenant.
    EventId = "evt_", "event";
    /// One event on its way to one endpoint.
    DeliveryId = "whd_", "webhook delivery";
    /// One message that is sent by e-mail.
    MailId = "ml_", "mail";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_parse_back_and_differ() {
        let (a, b) = (BroadcastId::random(), BroadcastId::random());
        assert_ne!(a, b);
        assert_eq!(BroadcastId::parse(a.as_str()), Ok(a));
        assert_eq!(a.to_string().len(), "br_".len() + 24);
    }

    #[test]
    fn foreign_and_broken_ids_are_refused() {
        let good = "ten_abcdefghijklmnopqrstuvwx";
        assert_eq!(TenantId::parse(good).map(|id| id.to_string()), Ok(good.to_owned()));
        let (kind, prefix) = ("tenant", "ten_");
        for (text, error) in [
            ("ch_abcdefghijklmnopqrstuvwx", IdError::Prefix { kind, prefix }),
            ("", IdError::Prefix { kind, prefix }),
            ("ten_abc", IdError::Length { kind, chars: 3 }),
            ("ten_abcdefghijklmnopqrstuvwxy", IdError::Length { kind, chars: 25 }),
            ("ten_abcdefghijklmnopqrstuvw1", IdError::Character { kind, at: 27 }),
            ("ten_Abcdefghijklmnopqrstuvwx", IdError::Character { kind, at: 4 }),
            ("ten_abcdefghijklmnopqrstuv\u{e9}", IdError::Character { kind, at: 26 }),
        ] {
            assert_eq!(TenantId::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn numbered_ids_are_stable_and_ordered() {
        assert_eq!(WorkerId::numbered(0).as_str(), "wk_aaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(WorkerId::numbered(33).as_str(), "wk_aaaaaaaaaaaaaaaaaaaaaabb");
        assert!(WorkerId::numbered(1) < WorkerId::numbered(2));
        assert_eq!(
            WorkerId::parse(WorkerId::numbered(u64::MAX).as_str()),
            Ok(WorkerId::numbered(u64::MAX))
        );
    }

    #[test]
    fn serde_is_the_text() {
        let id = ChannelId::numbered(7);
        let json = serde_json::to_string(&id).expect("an id is a string");
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<ChannelId>(&json).expect("its own text"), id);
        assert!(serde_json::from_str::<ChannelId>("\"ch_x\"").is_err());
    }
}
