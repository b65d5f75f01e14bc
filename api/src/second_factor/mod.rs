//! The second factor: codes of an authenticator app, and recovery codes for when it is lost.
//!
//! A sign-in of somebody who has one takes two steps. The first, by password or by a provider, yields a challenge instead of a
//! session; the challenge and a code yield the session. A code is good once, guesses are counted per challenge, account and address.

mod queries;
mod totp;

use chrono::{DateTime, Utc};
use headwater_model::UserId;
use serde_json::json;
use sqlx::PgConnection;

use crate::database::{Tx, id};
use crate::mail::{self, Letter, Notice};
use crate::op::Op;
use crate::problem::{Answer, Code, Problem};
use crate::secret::{self, Kind, sha256_hex};
use crate::user::{self, SignedIn, User, password};
use crate::{audit, session};

/// How long a challenge is good for.
pub const CHALLENGE_MINUTES: i32 = 10;
/// Codes that may be tried on one challenge.
pub const CHALLENGE_CODES_MAX: i32 = 10;
/// Recovery codes that somebody gets.
pub const RECOVERY_CODES: usize = 10;
/// As authenticator apps name the account.
const ISSUER: &str = "Headwater";

/// Where somebody stands.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Since when codes are asked for; `None`: they are not.
    pub enabled_at: Option<DateTime<Utc>>,
    /// Recovery codes that were not used.
    pub recovery_codes_left: i64,
    /// Whether they have a password.
    pub has_password: bool,
}

/// A secret for an authenticator app, shown this once.
pub struct Enrolment {
    /// Base32, for typing.
    pub secret: String,
    /// For a QR code.
    pub uri: String,
}

/// How somebody shows that it is them before their account changes.
#[derive(Default)]
pub struct Proof {
    /// Wanted of whoever has one.
    pub password: Option<String>,
    /// A code of the app or a recovery code, from whoever has no password.
    pub code: Option<String>,
}

/// Where the signed-in person stands.
pub async fn status(op: &Op, user: UserId) -> Answer<Status> {
    let mut door = op.services().database.door(Some(user)).await?;
    queries::status(&mut door, user).await
}

/// Begins: makes a secret that is asked for once [`confirm`]ed. An unconfirmed one is replaced.
pub async fn enrol(op: &Op, proof: Proof) -> Answer<Enrolment> {
    let user = op.user()?;
    let status = status(op, user).await?;
    if status.enabled_at.is_some() {
        let sentence = "You have a second factor already. Switch it off first.";
        return Err(Problem::mend_all(Code::State, sentence));
    }
    if status.has_password {
        check_password(op, user, proof.password).await?;
    }
    let secret = totp::secret();
    let sealed = op.services().seals.seal(user.as_str(), &secret);
    let mut tx = op.services().database.door(Some(user)).await?;
    let person = user::by_id_in(&mut tx, user).await?;
    queries::begin(&mut tx, user, &sealed).await?;
    tx.commit().await?;
    let secret = totp::base32(&secret);
    let uri = totp::uri(ISSUER, &person.email, &secret);
    Ok(Enrolment { secret, uri })
}

/// Switches it on, for whoever's app shows the right code. Every other session ends. Returns the recovery codes, shown this once.
pub async fn confirm(op: &Op, code: &str) -> Answer<(User, Vec<String>)> {
    let user = op.user()?;
    throttle(op, user).await?;
    let mut tx = op.services().database.door(Some(user)).await?;
    let Some(factor) = queries::factor(&mut tx, user)
        .await?
        .filter(|factor| factor.confirmed_at.is_none())
    else {
        return Err(Problem::mend_all(Code::State, "Begin with a new secret for your app."));
    };
    let step = right_step(op, user, &factor, code)?;
    let step = step.ok_or_else(|| {
        Problem::mend(
            Code::Credentials,
            "code",
            "The code is wrong. Does your app's clock run right?",
        )
    })?;
    queries::switch_on(&mut tx, user, step).await?;
    let codes = new_recovery_codes(&mut tx, user).await?;
    session::revoke_others(&mut tx, op, user).await?;
    note(&mut tx, op, user, "user.second_factor.enable", Notice::SecondFactorOn).await?;
    let person = user::by_id_in(&mut tx, user).await?;
    tx.commit().await?;
    Ok((person, codes))
}

/// Switches it off.
pub async fn disable(op: &Op, proof: Proof) -> Answer<User> {
    let user = op.user()?;
    let mut tx = prove(op, user, proof).await?;
    queries::remove(&mut tx, user).await?;
    note(&mut tx, op, user, "user.second_factor.disable", Notice::SecondFactorOff).await?;
    let person = user::by_id_in(&mut tx, user).await?;
    tx.commit().await?;
    Ok(person)
}

/// Makes new recovery codes; the old ones end.
pub async fn replace_recovery_codes(op: &Op, proof: Proof) -> Answer<(User, Vec<String>)> {
    let user = op.user()?;
    let mut tx = prove(op, user, proof).await?;
    let codes = new_recovery_codes(&mut tx, user).await?;
    note(
        &mut tx,
        op,
        user,
        "user.recovery_codes.replace",
        Notice::RecoveryCodesReplaced,
    )
    .await?;
    let person = user::by_id_in(&mut tx, user).await?;
    tx.commit().await?;
    Ok((person, codes))
}

/// What comes of a first factor: a challenge for whoever has a second one.
pub(crate) async fn challenge(on: &mut PgConnection, user: UserId) -> Answer<Option<String>> {
    if queries::status(on, user).await?.enabled_at.is_none() {
        return Ok(None);
    }
    let secret = secret::random(Kind::Challenge);
    queries::insert_challenge(on, user, &sha256_hex(&secret)).await?;
    Ok(Some(secret))
}

/// The second step of a sign-in.
pub async fn sign_in(op: &Op, challenge: &str, code: &str) -> Answer<SignedIn> {
    let services = op.services();
    services.limits.secret(&op.caller().address()).await?;
    let over = || {
        Problem::mend(
            Code::Expired,
            "challenge",
            "This sign-in took too long or was tried too often. Begin again.",
        )
    };
    if !secret::well_formed(Kind::Challenge, challenge) {
        return Err(over());
    }
    let hash = sha256_hex(challenge);
    // Counted whatever comes of it.
    let mut door = services.database.door(None).await?;
    let user = queries::count_attempt(&mut door, &hash).await?.ok_or_else(over)?;
    door.commit().await?;
    let user: UserId = id(user.parse())?;
    throttle(op, user).await?;
    let mut tx = services.database.door(Some(user)).await?;
    if !right(&mut tx, op, user, code).await? {
        metrics::counter!("api_sign_in_total", "outcome" => "refused").increment(1);
        return Err(wrong());
    }
    if !queries::use_challenge(&mut tx, &hash).await? {
        return Err(over());
    }
    let (session_id, secret) = session::insert(&mut tx, op, user).await?;
    tx.commit().await?;
    metrics::counter!("api_sign_in_total", "outcome" => "granted").increment(1);
    tracing::info!(user.id = %user, "{user} signed in with a second factor");
    Ok(SignedIn {
        user_id: user,
        session_id,
        secret,
    })
}

/// A transaction in which the person has shown that it is them, and has a second factor.
async fn prove(op: &Op, user: UserId, proof: Proof) -> Answer<Tx> {
    let status = status(op, user).await?;
    if status.enabled_at.is_none() {
        return Err(Problem::mend_all(Code::State, "You have no second factor."));
    }
    if status.has_password {
        check_password(op, user, proof.password).await?;
        return Ok(op.services().database.door(Some(user)).await?);
    }
    throttle(op, user).await?;
    let mut tx = op.services().database.door(Some(user)).await?;
    match right(&mut tx, op, user, proof.code.as_deref().unwrap_or_default()).await? {
        true => Ok(tx),
        false => Err(wrong()),
    }
}

async fn check_password(op: &Op, user: UserId, given: Option<String>) -> Answer<()> {
    let given = given.filter(|given| !given.is_empty());
    let given = given.ok_or_else(|| Problem::mend(Code::Blank, "password", "Your password is needed for this."))?;
    op.services()
        .limits
        .sign_in(user.as_str(), &op.caller().address())
        .await?;
    let known = user::password_of(op, user).await?;
    match password::verify(given, known).await? {
        true => Ok(()),
        false => Err(Problem::mend(
            Code::Credentials,
            "password",
            "This is not your password.",
        )),
    }
}

async fn throttle(op: &Op, user: UserId) -> Answer<()> {
    op.services()
        .limits
        .second_factor(user.as_str(), &op.caller().address())
        .await
}

fn wrong() -> Problem {
    Problem::mend(
        Code::Credentials,
        "code",
        "The code is wrong, or was used already. Wait for the next one.",
    )
}

/// Whether a code of the app or a recovery code is right; uses it up in this transaction.
async fn right(tx: &mut Tx, op: &Op, user: UserId, code: &str) -> Answer<bool> {
    let Some(factor) = queries::factor(tx, user)
        .await?
        .filter(|factor| factor.confirmed_at.is_some())
    else {
        return Ok(false);
    };
    if totp::digits(code).is_some() {
        return match right_step(op, user, &factor, code)? {
            Some(step) => queries::use_step(tx, user, step).await,
            None => Ok(false),
        };
    }
    let Some(hash) = recovery_hash(user, code) else {
        return Ok(false);
    };
    if !queries::use_recovery_code(tx, user, &hash).await? {
        return Ok(false);
    }
    note(tx, op, user, "user.recovery_code.use", Notice::RecoveryCodeUsed).await?;
    Ok(true)
}

fn right_step(op: &Op, user: UserId, factor: &queries::Factor, code: &str) -> Answer<Option<i64>> {
    let opened = op.services().seals.open(user.as_str(), &factor.secret);
    let Some(secret) = opened else {
        tracing::error!(user.id = %user, "the second factor of {user} does not open with HEADWATER_API_SEALING_KEYS");
        let sentence = "Codes cannot be checked right now. Use a recovery code, or ask whoever runs this installation.";
        return Err(Problem::mend(Code::State, "code", sentence));
    };
    let code = totp::digits(code);
    Ok(code.and_then(|code| totp::step_of(&secret, code, Utc::now().timestamp(), factor.last_step)))
}

async fn new_recovery_codes(on: &mut PgConnection, user: UserId) -> Answer<Vec<String>> {
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| secret::recovery_code()).collect();
    let hashes: Vec<String> = codes.iter().filter_map(|code| recovery_hash(user, code)).collect();
    queries::replace_recovery_codes(on, user, &hashes).await?;
    Ok(codes)
}

/// What is stored of a recovery code, however it was typed. `None`: it is none.
fn recovery_hash(user: UserId, code: &str) -> Option<String> {
    let letters: String = code
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .take(64)
        .collect();
    let fine = letters.len() == secret::RECOVERY_CHARS && letters.is_ascii();
    fine.then(|| sha256_hex(&format!("{user} {}", letters.to_ascii_lowercase())))
}

async fn note(on: &mut PgConnection, op: &Op, user: UserId, action: &'static str, what: Notice) -> Answer<()> {
    audit::of_person(on, op, user, action, Some(json!({ "method": "totp" }))).await?;
    mail::post(on, op.services(), &Letter::Notice { user_id: user, what })
        .await?
        .or_not();
    tracing::info!(user.id = %user, "{action}: {user}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_read_as_people_type_them() {
        let (user, other) = (UserId::numbered(1), UserId::numbered(2));
        let code = secret::recovery_code();
        let hash = recovery_hash(user, &code).expect("well formed");
        assert_eq!(
            recovery_hash(user, &code.to_uppercase().replace('-', " ")),
            Some(hash.clone())
        );
        assert_ne!(
            recovery_hash(other, &code),
            Some(hash),
            "a hash says nothing of another person's"
        );
        for text in ["", "abcd", "123456", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
            assert_eq!(recovery_hash(user, text), None, "{text}");
        }
    }
}
