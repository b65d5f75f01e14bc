//! Tokens made here, with a managed signing key: for development, and for servers without a library for tokens.

use std::net::IpAddr;

use base64_simd::URL_SAFE_NO_PAD;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use headwater_model::{PlaybackId, SigningKeyId};
use ipnet::IpNet;
use serde::Serialize;
use serde_json::json;
use url::Url;

use super::SUBJECT_CHARS_MAX;
use super::key::{self, Algorithm, SigningKey};
use crate::access::Action;
use crate::op::{Op, Place};
use crate::problem::{Answer, Code, Problem, text};
use crate::{audit, secret};

/// Bounds of a token's life, seconds. Origins refuse what expires more than 30 days ahead.
pub const LIFE_S: std::ops::RangeInclusive<i32> = 60..=2_592_000;
/// What a clock of an origin may be behind ours for a token of the longest life, seconds.
const CLOCKS_S: i64 = 60;
/// Bytes of a token at most: origins refuse longer ones.
pub const TOKEN_BYTES_MAX: usize = 1_600;
/// Countries of one token at most.
pub const COUNTRIES_MAX: usize = 30;
/// Origins of pages, and networks, of one token at most.
pub const RULES_MAX: usize = 10;

/// What is wanted of a token.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Which key signs; `None`: the newest managed one, or one that is made for it.
    pub signing_key_id: Option<SigningKeyId>,
    /// Seconds from now.
    pub expires_in_s: i32,
    /// Not good before.
    pub not_before: Option<DateTime<Utc>>,
    /// The token's own id; `None`: one is made up.
    pub token_id: Option<String>,
    /// Whose it is.
    pub viewer_id: Option<String>,
    /// Good for one playback.
    pub single_use: bool,
    /// For the download as well.
    pub downloadable: bool,
    /// ISO 3166-1 alpha-2.
    pub countries: Option<Vec<String>>,
    /// Origins of pages.
    pub origins: Option<Vec<String>>,
    /// Networks or addresses.
    pub ips: Option<Vec<String>>,
}

/// A token, shown this once.
pub struct Minted {
    /// The JSON Web Token.
    pub token: String,
    /// Its `jti`.
    pub token_id: String,
    /// Which key signed it.
    pub signing_key_id: String,
    /// Of a replay: its broadcast, which the download's address names.
    pub broadcast_id: Option<String>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// For the download as well.
    pub downloadable: bool,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// As `docs/playback-tokens.md` has them. Times are Unix seconds.
#[derive(Serialize)]
struct Claims {
    sub: String,
    aud: &'static str,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    viewer_id: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    single_use: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    countries: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origins: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ips: Option<Vec<String>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    downloadable: bool,
}

/// Makes a token for a playback id. What is written down is what it says, and not the token.
pub async fn mint(op: &Op, playback: PlaybackId, wish: Wish) -> Answer<Minted> {
    let place = op.require(Action::PlaybackTokenCreate)?;
    let claims = claims(playback, &wish, Utc::now())?;
    let broadcast_id = subject(op, place, playback).await?;
    let (key, private) = signer(op, wish.signing_key_id).await?;
    let algorithm = Algorithm::of_word(&key.algorithm);
    let token = algorithm.and_then(|algorithm| sign(algorithm, &key.signing_key_id, &private, &claims));
    let Some(token) = token else {
        let sentence = "This key could not sign. Make another managed key.";
        return Err(Problem::mend(Code::State, "signingKeyId", sentence));
    };
    if token.len() > TOKEN_BYTES_MAX {
        let sentence = format!(
            "The token would have {} bytes; at most {TOKEN_BYTES_MAX} are allowed. Leave out rules, or sign with ES256.",
            token.len()
        );
        return Err(Problem::mend_all(Code::TooLong, sentence));
    }
    let mut change = op.change(place).await?;
    change
        .record(audit::New {
            action: "playback_token.create",
            subject_id: &claims.jti,
            subject_name: playback.as_str(),
            before: None,
            after: Some(json!({ "signingKeyId": key.signing_key_id, "claims": claims })),
        })
        .await?;
    change.commit().await?;
    Ok(Minted {
        token,
        token_id: claims.jti,
        signing_key_id: key.signing_key_id,
        broadcast_id,
        expires_at: DateTime::from_timestamp(claims.exp, 0).unwrap_or_default(),
        downloadable: claims.downloadable,
    })
}

/// The broadcast of a replay's playback id, nothing for a channel's; fails where there is neither.
async fn subject(op: &Op, place: Place, playback: PlaybackId) -> Answer<Option<String>> {
    let mut tx = op.look(place).await?;
    let found: Option<Option<String>> = sqlx::query_scalar(
        "select null from playback_id p join channel c on c.tenant_id = p.tenant_id and c.channel_id = p.channel_id \
         where p.tenant_id = $1 and p.playback_id = $2 and c.environment = $3 and c.deleted_at is null \
         union all \
         select b.broadcast_id from broadcast b join channel c on c.tenant_id = b.tenant_id and c.channel_id = b.channel_id \
         left join asset a on a.tenant_id = b.tenant_id and a.broadcast_id = b.broadcast_id \
         where b.tenant_id = $1 and b.playback_id = $2 and c.environment = $3 and a.deletes_at is null",
    )
    .bind(place.tenant_id.as_str())
    .bind(playback.as_str())
    .bind(place.environment.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    found.ok_or_else(|| Problem::not_found("playbackId", "playback id"))
}

async fn signer(op: &Op, wanted: Option<SigningKeyId>) -> Answer<(SigningKey, Vec<u8>)> {
    let place = op.require(Action::PlaybackTokenCreate)?;
    if let Some(found) = key::managed(op, place, wanted).await? {
        return Ok(found);
    }
    if wanted.is_some() {
        let sentence = "There is no managed signing key of this id, or it was revoked. A managed key is made with \
                        signingKeyCreate(managed: true).";
        return Err(Problem::mend(Code::NotFound, "signingKeyId", sentence));
    }
    if !op.actions().contains(&Action::SigningKeyWrite) {
        let sentence = "There is no managed signing key yet. Somebody with SIGNING_KEY_WRITE makes one with \
                        signingKeyCreate(managed: true).";
        return Err(Problem::mend(Code::State, "signingKeyId", sentence));
    }
    let (made, _) = key::create(op, "Managed key", Algorithm::Es256, true).await?;
    let made = made.signing_key_id.parse().ok();
    let found = key::managed(op, place, made).await?;
    found.ok_or_else(|| {
        Problem::mend(
            Code::State,
            "signingKeyId",
            "The key was revoked at this moment. Try again.",
        )
    })
}

fn sign(algorithm: Algorithm, key: &str, private: &[u8], claims: &Claims) -> Option<String> {
    let header = Header {
        alg: algorithm.as_str(),
        typ: "JWT",
        kid: key,
    };
    let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode_to_string(json);
    let mut token = part(serde_json::to_vec(&header).ok()?);
    token.push('.');
    token.push_str(&part(serde_json::to_vec(claims).ok()?));
    let signature = algorithm.sign(private, token.as_bytes())?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode_to_string(signature));
    Some(token)
}

fn claims(playback: PlaybackId, wish: &Wish, now: DateTime<Utc>) -> Answer<Claims> {
    let now = now.trunc_subsecs(0);
    if !LIFE_S.contains(&wish.expires_in_s) {
        let sentence = format!("A token lives {} to {} seconds.", LIFE_S.start(), LIFE_S.end());
        return Err(Problem::mend(Code::OutOfRange, "expiresInS", sentence));
    }
    let life_s = i64::from(wish.expires_in_s).min(i64::from(*LIFE_S.end()) - CLOCKS_S);
    let exp = now + TimeDelta::seconds(life_s);
    if wish.not_before.is_some_and(|at| at >= exp) {
        let sentence = "A token begins to be good before it expires.";
        return Err(Problem::mend(Code::OutOfRange, "notBefore", sentence));
    }
    let named = |field, value: &Option<String>| {
        value
            .as_deref()
            .map(|value| text(field, value, SUBJECT_CHARS_MAX))
            .transpose()
    };
    Ok(Claims {
        sub: playback.to_string(),
        aud: "v",
        exp: exp.timestamp(),
        iat: now.timestamp(),
        nbf: wish.not_before.map(|at| at.timestamp()),
        jti: named("tokenId", &wish.token_id)?.unwrap_or_else(secret::word),
        viewer_id: named("viewerId", &wish.viewer_id)?,
        single_use: wish.single_use,
        countries: rules("countries", &wish.countries, COUNTRIES_MAX, country)?,
        origins: rules("origins", &wish.origins, RULES_MAX, origin)?,
        ips: rules("ips", &wish.ips, RULES_MAX, network)?,
        downloadable: wish.downloadable,
    })
}

fn rules<T>(
    field: &'static str,
    values: &Option<Vec<String>>,
    max: usize,
    read: impl Fn(&str) -> Option<T>,
) -> Answer<Option<Vec<T>>> {
    let Some(values) = values else { return Ok(None) };
    if values.is_empty() {
        let sentence = "An empty list would let nobody in. Leave it out to let in everybody.";
        return Err(Problem::mend(Code::Blank, field, sentence));
    }
    if values.len() > max {
        let sentence = format!("At most {max} are allowed here.");
        return Err(Problem::mend(Code::LimitReached, field, sentence));
    }
    let read = |value: &String| {
        read(value.trim()).ok_or_else(|| {
            let shown: String = value.chars().take(60).collect();
            let wanted = match field {
                "countries" => "a country of ISO 3166-1 with two letters, such as DE",
                "origins" => "the origin of a page, such as https://example.com",
                _ => "a network or an address, such as 203.0.113.0/24",
            };
            Problem::mend(Code::Invalid, field, format!("{shown:?} is not {wanted}."))
        })
    };
    values.iter().map(read).collect::<Answer<Vec<T>>>().map(Some)
}

fn country(text: &str) -> Option<String> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic())).then(|| text.to_ascii_uppercase())
}

/// Scheme, host and port as a browser says them, and nothing else.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    bare.then(|| url.origin().ascii_serialization())
}

fn network(text: &str) -> Option<String> {
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|network| network.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> Wish {
        Wish {
            expires_in_s: 600,
            ..Wish::default()
        }
    }

    fn refused(wish: &Wish) -> (Code, Option<String>) {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        match claims(PlaybackId::numbered(1), wish, now) {
            Err(Problem::Mend { code, field, .. }) => (code, field.map(Into::into)),
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{wish:?} was taken"),
        }
    }

    #[test]
    fn claims_are_what_origins_read() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        let wish = Wish {
            token_id: Some(" t-1 ".into()),
            viewer_id: Some("viewer".into()),
            countries: Some(vec!["de".into()]),
            origins: Some(vec!["https://Example.com:443/".into()]),
            ips: Some(vec!["203.0.113.0/24".into(), "2001:db8::1".into()]),
            downloadable: true,
            not_before: Some(now + TimeDelta::seconds(5)),
            ..wish()
        };
        let id = PlaybackId::numbered(1);
        let made = claims(id, &wish, now)
            .ok()
            .and_then(|claims| serde_json::to_value(claims).ok());
        let expected = json!({
            "sub": id, "aud": "v", "exp": 1_800_000_600, "iat": 1_800_000_000, "nbf": 1_800_000_005, "jti": "t-1",
            "viewer_id": "viewer", "countries": ["DE"], "origins": ["https://example.com"],
            "ips": ["203.0.113.0/24", "2001:db8::1/128"], "downloadable": true,
        });
        assert_eq!(made, Some(expected));
    }

    #[test]
    fn what_origins_would_refuse_is_refused_here() {
        let some = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let long = "x".repeat(201);
        for (wish, expected) in [
            (
                Wish {
                    expires_in_s: 59,
                    ..wish()
                },
                (Code::OutOfRange, "expiresInS"),
            ),
            (
                Wish {
                    expires_in_s: 2_592_001,
                    ..wish()
                },
                (Code::OutOfRange, "expiresInS"),
            ),
            (
                Wish {
                    token_id: Some(String::new()),
                    ..wish()
                },
                (Code::Blank, "tokenId"),
            ),
            (
                Wish {
                    viewer_id: Some(long),
                    ..wish()
                },
                (Code::TooLong, "viewerId"),
            ),
            (
                Wish {
                    countries: some(&["GER"]),
                    ..wish()
                },
                (Code::Invalid, "countries"),
            ),
            (
                Wish {
                    countries: some(&[]),
                    ..wish()
                },
                (Code::Blank, "countries"),
            ),
            (
                Wish {
                    origins: some(&["https://example.com/page"]),
                    ..wish()
                },
                (Code::Invalid, "origins"),
            ),
            (
                Wish {
                    origins: some(&["javascript:alert(1)"]),
                    ..wish()
                },
                (Code::Invalid, "origins"),
            ),
            (
                Wish {
                    origins: some(&["https://e.com"; 11]),
                    ..wish()
                },
                (Code::LimitReached, "origins"),
            ),
            (
                Wish {
                    ips: some(&["203.0.113.0/33"]),
                    ..wish()
                },
                (Code::Invalid, "ips"),
            ),
        ] {
            assert_eq!(refused(&wish), (expected.0, Some(expected.1.to_owned())));
        }
        let at = DateTime::from_timestamp(1_800_000_600, 0);
        assert_eq!(
            refused(&Wish {
                not_before: at,
                ..wish()
            }),
            (Code::OutOfRange, Some("notBefore".to_owned()))
        );
    }
}
