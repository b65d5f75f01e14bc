//! Sealing what must come back in the clear: AES-256-GCM, bound to what it belongs to.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use headwater_platform::Secret;

/// Seals `plain` so that it opens with `key` and the same `context` alone.
pub(crate) fn seal(key: &[u8; 32], context: &str, plain: &[u8]) -> Vec<u8> {
    let mut sealed = plain.to_vec();
    let nonce = cipher(key)
        .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut sealed)
        .expect("what is sealed here is far shorter than AES-GCM allows");
    [nonce.as_ref().as_slice(), &sealed].concat()
}

/// Opens what [`seal`] made; `None` for another key, another context, or damage.
pub(crate) fn open(key: &[u8; 32], context: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let mut rest = sealed.split_off(NONCE_LEN.min(sealed.len()));
    let nonce = Nonce::try_assume_unique_for_key(&sealed).ok()?;
    let aad = Aad::from(context.as_bytes());
    Some(cipher(key).open_in_place(nonce, aad, &mut rest).ok()?.to_vec())
}

fn cipher(key: &[u8; 32]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has the length of AES-256")
}

/// The installation's keys: the first one seals, every one opens, so that a new one can be put in front.
#[derive(Clone)]
pub struct Seals(Arc<[[u8; 32]]>);

impl Seals {
    /// From the operator's texts, which hold at least 128 random bits each; `fallback` where there are none.
    pub fn new(texts: &[Secret], fallback: &Secret) -> Self {
        let given: Vec<&Secret> = texts.iter().filter(|text| !text.reveal().is_empty()).collect();
        let texts = if given.is_empty() { vec![fallback] } else { given };
        Self(texts.into_iter().map(derive).collect())
    }

    pub(crate) fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        seal(&self.0[0], context, plain)
    }

    pub(crate) fn open(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.iter().find_map(|key| open(key, context, sealed.to_vec()))
    }
}

fn derive(text: &Secret) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, text.reveal().as_bytes());
    let tag = hmac::sign(&key, b"headwater sealing key");
    tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(texts: &[&str], fallback: &str) -> Seals {
        let texts: Vec<_> = texts.iter().map(|text| Secret::new(*text)).collect();
        Seals::new(&texts, &Secret::new(fallback))
    }

    #[test]
    fn a_new_key_in_front_opens_what_older_ones_sealed() {
        let sealed = seals(&[], "farm").seal("wh_1", b"secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(
            seals(&[""], "farm").open("wh_1", &sealed).as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(
            seals(&["new", "farm"], "x").open("wh_1", &sealed).as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(
            seals(&["new"], "farm").open("wh_1", &sealed),
            None,
            "given keys stand alone"
        );
        assert_eq!(seals(&[], "farm").open("wh_2", &sealed), None, "moved to another row");
        assert_eq!(seals(&[], "farm").open("wh_1", &[1, 2, 3]), None);
    }
}
