//! Playback tokens: JSON Web Tokens that a tenant signs and this process checks by itself.
//!
//! A token stands in the path, `/t/{token}/{playback}/…`: every relative link of playlists and manifests leads on under it, so
//! that they stay the same for all viewers. `?token=` at a playlist or manifest leads there. The signature is checked once and
//! remembered; times, rules and revocations count for every request.

mod claims;
pub(crate) mod fuzz;
mod rules;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use headwater_platform::{Secret, rpc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use claims::Claims;
pub(crate) use claims::{Asked, Denied};
use rules::{Key, RuleSet, Rules};

use crate::lock;

/// Bytes of a token at most.
const TOKEN_BYTES_MAX: usize = 1_600;
/// Tokens whose signature is remembered; beyond it all are forgotten, and checked again as they come.
const REMEMBERED_MAX: usize = 20_000;
/// `kid` of the tokens that origins make of tokens for one use.
const SESSION_KID: &str = "headwater-session";

/// A token that was used up, as this farm's origins hand it on.
#[derive(Clone, Serialize, Deserialize)]
struct Session {
    #[serde(flatten)]
    claims: Claims,
    /// Whose it is: `{tenant}/{environment}`.
    place: String,
    /// The tenant's key that signed the token before.
    by: String,
}

/// A token whose signature is right.
struct Checked {
    claims: Claims,
    /// The tenant's key.
    key: String,
}

/// Whose tokens count: tenant and environment.
pub(crate) type Place<'a> = (&'a str, &'a str);

/// Decides who may watch.
pub(crate) struct Gate {
    rules: Rules,
    remembered: Mutex<HashMap<(String, String), Arc<Checked>>>,
    sessions: (EncodingKey, DecodingKey),
}

impl Gate {
    /// `secret` is the farm's: what one origin hands on, every other understands.
    pub(crate) fn new(api: rpc::Client, secret: &Secret) -> Self {
        let secret = format!("headwater playback session {}", secret.reveal());
        Self {
            rules: Rules::new(api),
            remembered: Mutex::default(),
            sessions: (
                EncodingKey::from_secret(secret.as_bytes()),
                DecodingKey::from_secret(secret.as_bytes()),
            ),
        }
    }

    /// A tenant's keys or revocations have changed.
    pub(crate) fn changed(&self, tenant: &str) {
        self.rules.changed(tenant);
    }

    /// Whether `token` may have what is asked for.
    pub(crate) async fn admit(&self, place: Place<'_>, token: &str, asked: &Asked<'_>) -> Result<(), Denied> {
        let checked = self.check(place, token, asked).await?;
        match checked.claims.single_use {
            true => Err(Denied::SingleUse),
            false => Ok(()),
        }
    }

    /// As [`admit`](Self::admit), at the beginning of a playback: returns the token to go on with.
    pub(crate) async fn begin(&self, place: Place<'_>, token: &str, asked: &Asked<'_>) -> Result<String, Denied> {
        let checked = self.check(place, token, asked).await?;
        if !checked.claims.single_use {
            return Ok(token.to_owned());
        }
        let id = checked.claims.jti.as_deref().ok_or(Denied::SingleUse)?;
        self.rules.use_up(place.0, place.1, id).await?;
        let session = Session {
            claims: Claims {
                single_use: false,
                ..checked.claims.clone()
            },
            place: format!("{}/{}", place.0, place.1),
            by: checked.key.clone(),
        };
        let header = Header {
            kid: Some(SESSION_KID.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        jsonwebtoken::encode(&header, &session, &self.sessions.0).map_err(|_| Denied::Unchecked)
    }

    async fn check(&self, place: Place<'_>, token: &str, asked: &Asked<'_>) -> Result<Arc<Checked>, Denied> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Denied::Unknown);
        }
        let rules = self.rules.of(place.0, place.1).await?;
        let at = (format!("{}/{}", place.0, place.1), token.to_owned());
        let known = lock(&self.remembered).get(&at).cloned();
        let checked = match known {
            Some(checked) => checked,
            None => {
                let checked = Arc::new(verify(&self.sessions.1, &rules, &at.0, token)?);
                let mut remembered = lock(&self.remembered);
                if remembered.len() >= REMEMBERED_MAX {
                    remembered.clear();
                }
                remembered.insert(at, checked.clone());
                checked
            }
        };
        // A revoked key takes its tokens with it.
        if !rules.keys.contains_key(&checked.key) {
            return Err(Denied::Unknown);
        }
        checked.claims.fit(asked)?;
        rules.stands(&checked.claims)?;
        Ok(checked)
    }
}

/// Checks a token's signature, with the key that it names; `sessions` is the farm's own.
fn verify(sessions: &DecodingKey, rules: &RuleSet, place: &str, token: &str) -> Result<Checked, Denied> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Unknown)?;
    if header.kid.as_deref() == Some(SESSION_KID) {
        let session: Session = decode(token, sessions, Algorithm::HS256)?;
        return match session.place == place {
            true => Ok(Checked {
                claims: session.claims,
                key: session.by,
            }),
            false => Err(Denied::Unknown),
        };
    }
    let id = match header.kid {
        Some(id) => id,
        None => {
            // Read before it is checked, to find the key that checks it.
            let said = jsonwebtoken::dangerous::insecure_decode::<Claims>(token).map_err(|_| Denied::Unknown)?;
            said.claims.kid.ok_or(Denied::Unknown)?
        }
    };
    let Key { algorithm, key } = rules.keys.get(&id).ok_or(Denied::Unknown)?;
    Ok(Checked {
        claims: decode(token, key, *algorithm)?,
        key: id,
    })
}

/// Checks the signature, with the key's own algorithm, and reads the claims; they are judged elsewhere.
fn decode<T: DeserializeOwned + Clone>(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<T, Denied> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<T>(token, key, &validation);
    decoded.map(|data| data.claims).map_err(|_| Denied::Unknown)
}
