//! Signing keys: made here, the private half shown once, or brought along as a public key.

use async_graphql::Enum;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use chrono::{DateTime, Utc};
use headwater_model::SigningKeyId;
use serde_json::json;
use sqlx::{FromRow, QueryBuilder};

use super::{pem, tell_origins};
use crate::access::Action;
use crate::audit;
use crate::op::{Op, Place};
use crate::page::{Order, Page, Paged, instant};
use crate::problem::{Answer, Code, Problem, text};

/// Working keys of one tenant in one environment at most.
pub const KEYS_MAX: i64 = 100;
const NAME_CHARS_MAX: usize = 200;
/// Characters of a PEM text at most.
const PEM_CHARS_MAX: usize = 8_000;
const COLUMNS: &str = "signing_key_id, environment, name, algorithm, public_key, imported, \
                       private_key is not null as managed, created_at, revoked_at";

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "SigningAlgorithm")]
pub enum Algorithm {
    /// RSA of 2048 bits, PKCS #1 v1.5 with SHA-256: understood everywhere, and the longest tokens.
    #[graphql(name = "RS256")]
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    #[graphql(name = "ES256")]
    Es256,
    /// Ed25519.
    #[graphql(name = "EDDSA")]
    Eddsa,
}

impl Algorithm {
    /// As tokens name it (RFC 7518, RFC 8037).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Eddsa => "EdDSA",
        }
    }

    /// The algorithm of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::Eddsa]
            .into_iter()
            .find(|known| known.as_str() == word)
    }

    /// Whether `der` is a public key for it.
    fn accepts(self, der: &[u8]) -> bool {
        match self {
            Self::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).is_ok(),
            Self::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der).is_ok(),
            Self::Eddsa => ParsedPublicKey::new(&ED25519, der).is_ok(),
        }
    }

    /// The signature of `message` by the private half `der` (PKCS #8), as tokens carry it (RFC 7515).
    pub(super) fn sign(self, der: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rs256 => {
                let pair = rsa::KeyPair::from_pkcs8(der).ok()?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
                Some(pair.sign(&random, message).ok()?.as_ref().to_vec())
            }
            Self::Eddsa => Some(Ed25519KeyPair::from_pkcs8(der).ok()?.sign(message).as_ref().to_vec()),
        }
    }

    /// A new pair: private and public half in PEM.
    fn generate(self) -> Option<(String, String)> {
        let (private, public) = match self {
            Self::Rs256 => {
                let pair = rsa::KeyPair::generate(KeySize::Rsa2048).ok()?;
                let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).ok()?.as_ref().to_vec();
                (
                    private,
                    AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key())
                        .ok()?
                        .as_ref()
                        .to_vec(),
                )
            }
            Self::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
                let private = pair.to_pkcs8v1().ok()?.as_ref().to_vec();
                (
                    private,
                    AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key())
                        .ok()?
                        .as_ref()
                        .to_vec(),
                )
            }
            Self::Eddsa => {
                let pair = Ed25519KeyPair::generate().ok()?;
                let private = pair.to_pkcs8v1().ok()?.as_ref().to_vec();
                (
                    private,
                    AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key())
                        .ok()?
                        .as_ref()
                        .to_vec(),
                )
            }
        };
        Some((pem::write("PRIVATE KEY", &private), pem::write("PUBLIC KEY", &public)))
    }
}

/// A key, without its private half.
#[derive(Clone, Debug, FromRow)]
pub struct SigningKey {
    /// Its id: the `kid` of tokens.
    pub signing_key_id: String,
    /// `live` or `test`.
    pub environment: String,
    /// For people.
    pub name: String,
    /// `RS256`, `ES256` or `EdDSA`.
    pub algorithm: String,
    /// SubjectPublicKeyInfo in PEM.
    pub public_key: String,
    /// Brought along rather than made here.
    pub imported: bool,
    /// The private half is kept here, sealed.
    pub managed: bool,
    /// When it was made or brought.
    pub created_at: DateTime<Utc>,
    /// Since when no token of its counts.
    pub revoked_at: Option<DateTime<Utc>>,
}

fn scoped(start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(start);
    query
        .push(" from signing_key where tenant_id = ")
        .push_bind(place.tenant_id.to_string());
    query.push(" and environment = ").push_bind(place.environment.as_str());
    query
}

/// The keys of the operation's environment, newest first, revoked ones too.
pub async fn list(op: &Op, page: &Page, count: bool) -> Answer<Paged<SigningKey>> {
    let place = op.require(Action::SigningKeyRead)?;
    let mut tx = op.look(place).await?;
    let order = Order::newest("created_at", "signing_key_id");
    let key = |row: &SigningKey| (instant(row.created_at), row.signing_key_id.clone());
    let list = |start| scoped(start, place);
    page.read(&mut tx, count, COLUMNS, order, list, key).await
}

/// The key of this id.
pub async fn by_id(op: &Op, key: SigningKeyId) -> Answer<Option<SigningKey>> {
    let place = op.require(Action::SigningKeyRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and signing_key_id = ").push_bind(key.to_string());
    Ok(query.build_query_as().fetch_optional(&mut *tx).await?)
}

/// Makes a pair. Returns the key and its private half in PEM (PKCS #8), which is shown this once and kept nowhere; of a
/// `managed` key it is sealed and kept instead, and never shown.
pub async fn create(op: &Op, name: &str, algorithm: Algorithm, managed: bool) -> Answer<(SigningKey, Option<String>)> {
    op.require(Action::SigningKeyWrite)?;
    let name = text("name", name, NAME_CHARS_MAX)?;
    // RSA takes some hundred milliseconds.
    let made = tokio::task::spawn_blocking(move || algorithm.generate())
        .await
        .ok()
        .flatten();
    let Some((private, public)) = made else {
        return Err(Problem::mend_all(Code::State, "No key could be made. Try again."));
    };
    let id = SigningKeyId::random();
    let kept = managed.then(|| op.services().seals.seal(&seal_context(id.as_str()), private.as_bytes()));
    let new = New {
        id,
        name,
        algorithm,
        public,
        kept,
        imported: false,
    };
    let made = insert(op, new).await?;
    Ok((made, (!managed).then_some(private)))
}

/// What a private half is sealed for: it opens for no other key's row.
pub(crate) fn seal_context(key: &str) -> String {
    format!("signing key {key}")
}

/// A managed key that counts, and its private half (PKCS #8): the one of this id, or else the newest.
pub(super) async fn managed(op: &Op, place: Place, key: Option<SigningKeyId>) -> Answer<Option<(SigningKey, Vec<u8>)>> {
    #[derive(FromRow)]
    struct Row {
        #[sqlx(flatten)]
        key: SigningKey,
        private_key: Vec<u8>,
    }
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}, private_key"), place);
    query.push(" and revoked_at is null and private_key is not null");
    if let Some(key) = key {
        query.push(" and signing_key_id = ").push_bind(key.to_string());
    }
    query.push(" order by created_at desc, signing_key_id desc limit 1");
    let found: Option<Row> = query.build_query_as().fetch_optional(&mut *tx).await?;
    let Some(Row { key, private_key }) = found else {
        return Ok(None);
    };
    let id = crate::database::id(SigningKeyId::parse(&key.signing_key_id))?;
    let opened = op.services().seals.open(&seal_context(id.as_str()), &private_key);
    let der = opened.and_then(|pem| pem::read("PRIVATE KEY", std::str::from_utf8(&pem).ok()?));
    match der {
        Some(der) => Ok(Some((key, der))),
        None => {
            tracing::error!(signing_key.id = %id, "the private half of {id} does not open: is its sealing key missing?");
            let sentence = "The private half of this key cannot be read any more. Make another managed key.";
            Err(Problem::mend(Code::State, "signingKeyId", sentence))
        }
    }
}

/// Takes the public half of a pair that was made elsewhere.
pub async fn import(op: &Op, name: &str, algorithm: Algorithm, public_key: &str) -> Answer<SigningKey> {
    op.require(Action::SigningKeyWrite)?;
    let name = text("name", name, NAME_CHARS_MAX)?;
    if public_key.len() > PEM_CHARS_MAX {
        let sentence = format!("A public key has at most {PEM_CHARS_MAX} characters.");
        return Err(Problem::mend(Code::TooLong, "publicKey", sentence));
    }
    let der = pem::read("PUBLIC KEY", public_key).filter(|der| algorithm.accepts(der));
    let Some(der) = der else {
        let sentence = format!(
            "This is no public key for {}: PEM that begins with -----BEGIN PUBLIC KEY----- is wanted, and never a private key.",
            algorithm.as_str()
        );
        return Err(Problem::mend(Code::Invalid, "publicKey", sentence));
    };
    let new = New {
        id: SigningKeyId::random(),
        name,
        algorithm,
        public: pem::write("PUBLIC KEY", &der),
        kept: None,
        imported: true,
    };
    insert(op, new).await
}

/// A key to write down.
struct New {
    id: SigningKeyId,
    name: String,
    algorithm: Algorithm,
    /// PEM
    public: String,
    /// The private half, sealed.
    kept: Option<Vec<u8>>,
    imported: bool,
}

async fn insert(op: &Op, new: New) -> Answer<SigningKey> {
    let place = op.require(Action::SigningKeyWrite)?;
    let mut change = op.change(place).await?;
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('signing_key ' || $1, 0))")
        .bind(place.tenant_id.as_str())
        .execute(change.on())
        .await?;
    let mut counted = scoped("select count(*)".into(), place);
    counted.push(" and revoked_at is null");
    let many: i64 = counted.build_query_scalar().fetch_one(change.on()).await?;
    if many >= KEYS_MAX {
        let sentence = format!("An environment has at most {KEYS_MAX} signing keys. Revoke one that is not used.");
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    let mut query = QueryBuilder::new(
        "insert into signing_key (signing_key_id, tenant_id, environment, name, algorithm, public_key, private_key, imported) \
         values (",
    );
    let mut values = query.separated(", ");
    values.push_bind(new.id.to_string());
    values.push_bind(place.tenant_id.to_string());
    values.push_bind(place.environment.as_str());
    values.push_bind(new.name);
    values.push_bind(new.algorithm.as_str());
    values.push_bind(new.public);
    values.push_bind(new.kept);
    values.push_bind(new.imported);
    query.push(format_args!(") returning {COLUMNS}"));
    let made: SigningKey = query.build_query_as().fetch_one(change.on()).await?;
    change
        .record(audit::New {
            action: "signing_key.create",
            subject_id: &made.signing_key_id,
            subject_name: &made.name,
            before: None,
            after: Some(json!({
                "algorithm": made.algorithm, "imported": made.imported, "managed": made.managed,
                "publicKey": made.public_key,
            })),
        })
        .await?;
    change.commit().await?;
    tell_origins(op, place.tenant_id).await;
    Ok(made)
}

/// Ends a key: no token that it signed is good any more. Ending it twice is once.
pub async fn revoke(op: &Op, key: SigningKeyId) -> Answer<SigningKey> {
    let place = op.require(Action::SigningKeyWrite)?;
    let mut change = op.change(place).await?;
    let mut query = QueryBuilder::new(
        "update signing_key set revoked_at = coalesce(revoked_at, now()), private_key = null where tenant_id = ",
    );
    query.push_bind(place.tenant_id.to_string());
    query.push(" and environment = ").push_bind(place.environment.as_str());
    query.push(" and signing_key_id = ").push_bind(key.to_string());
    query.push(format_args!(" returning {COLUMNS}"));
    let found: Option<SigningKey> = query.build_query_as().fetch_optional(change.on()).await?;
    let found = found.ok_or_else(|| Problem::not_found("id", "signing key"))?;
    change
        .record(audit::New {
            action: "signing_key.revoke",
            subject_id: &found.signing_key_id,
            subject_name: &found.name,
            before: None,
            after: Some(json!({ "revokedAt": found.revoked_at })),
        })
        .await?;
    change.commit().await?;
    tell_origins(op, place.tenant_id).await;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_made_and_public_keys_told_apart() {
        let algorithms = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Eddsa];
        for made in algorithms {
            let (private, public) = made.generate().expect("the system has random numbers");
            assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n"));
            let der = pem::read("PUBLIC KEY", &public).expect("PEM");
            for asked in algorithms {
                assert_eq!(asked.accepts(&der), asked == made, "{made:?} as {asked:?}");
            }
            let private = pem::read("PRIVATE KEY", &private).expect("PEM");
            assert!(!made.accepts(&private), "a private key is no public one");
            let signature = made.sign(&private, b"message").expect("a signature");
            let verifying: &dyn aws_lc_rs::signature::VerificationAlgorithm = match made {
                Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
                Algorithm::Eddsa => &ED25519,
            };
            let public = ParsedPublicKey::new(verifying, &der).expect("a public key");
            assert!(public.verify_sig(b"message", &signature).is_ok(), "{made:?}");
            assert!(public.verify_sig(b"massage", &signature).is_err(), "{made:?}");
        }
    }
}
