//! Checking an ID token (OpenID Connect Core §3.1.3.7): signed by the provider, for us, now, for the sign-in that asked for it.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

/// Seconds that the provider's clock may differ from ours.
const LEEWAY_S: u64 = 60;
/// Bytes of a token at most.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Characters of a subject at most (§2).
const SUBJECT_CHARS_MAX: usize = 255;

/// What the provider says of the person.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    #[serde(default)]
    aud: Value,
    azp: Option<String>,
    nonce: Option<String>,
    pub(super) email: Option<String>,
    email_verified: Option<Value>,
    pub(super) name: Option<String>,
}

impl Claims {
    /// The address, where the provider vouches for it. Some providers say `"true"`.
    pub(super) fn verified_email(&self) -> Option<&str> {
        let verified = match &self.email_verified {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(word)) => word == "true",
            _ => false,
        };
        self.email.as_deref().filter(|_| verified)
    }
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the ID token is malformed")]
    Malformed,
    #[error("the ID token is signed in a way that is not taken; RS256, ES256 and EdDSA are")]
    Algorithm,
    /// It may be newer than the keys that we have.
    #[error("the provider shows no key that the ID token can be signed with")]
    NoKey,
    #[error("the ID token's signature, issuer, audience or time is wrong")]
    Wrong,
    #[error("the ID token is for somebody else too, and not from our request")]
    Party,
    #[error("the ID token belongs to another sign-in")]
    Nonce,
}

/// Who is expected to have made the token, for whom, and in answer to what.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
}

/// Checks a token against the provider's keys.
pub(super) fn verify(token: &str, keys: &[Jwk], expected: &Expected<'_>) -> Result<Claims, Refused> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refused::Malformed);
    }
    // `none` is no algorithm here at all.
    let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::Malformed)?;
    let algorithm = header.alg;
    if !matches!(algorithm, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) {
        return Err(Refused::Algorithm);
    }
    let named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
    let mut fitting = keys.iter().filter(named).filter(|key| fits(key, algorithm)).peekable();
    if fitting.peek().is_none() {
        return Err(Refused::NoKey);
    }
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    let claims: Claims = fitting
        .find_map(|key| {
            let key = DecodingKey::from_jwk(key).ok()?;
            Some(jsonwebtoken::decode(token, &key, &validation).ok()?.claims)
        })
        .ok_or(Refused::Wrong)?;
    let several = claims.aud.as_array().is_some_and(|audiences| audiences.len() > 1);
    match claims.azp.as_deref() {
        Some(party) if party != expected.client_id => return Err(Refused::Party),
        None if several => return Err(Refused::Party),
        _ => {}
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(Refused::Nonce);
    }
    match (1..=SUBJECT_CHARS_MAX).contains(&claims.sub.chars().count()) && !claims.sub.contains('\0') {
        true => Ok(claims),
        false => Err(Refused::Malformed),
    }
}

/// Whether a key is one to check signatures of this algorithm with.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let of_kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => algorithm == Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) => {
            algorithm == Algorithm::ES256 && curve.curve == EllipticCurve::P256
        }
        AlgorithmParameters::OctetKeyPair(curve) => {
            algorithm == Algorithm::EdDSA && curve.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    signs && of_kind
}
