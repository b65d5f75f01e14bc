//! Signing in with an OpenID Connect provider: the authorization code flow with PKCE.
//!
//! What the callback must match (state, nonce, PKCE verifier) is kept by the browser, sealed, in a cookie of its own: an answer
//! that another browser asked for leads nowhere. Somebody whom the provider has not brought before is found by their e-mail
//! address, if both the provider and we know it to be theirs; otherwise they are new here.

mod provider;
mod queries;
mod token;

use aws_lc_rs::digest;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::database::DatabaseError;
use crate::op::{Op, Services};
use crate::problem::Problem;
use crate::user::{self, FirstStep};

pub use provider::{Provider, Settings};

/// How long a browser may take at the provider.
pub(crate) const ATTEMPT_S: i64 = 600;
const CONTEXT: &str = "oidc attempt";

/// Why nobody was signed in.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The person, or the provider, said no.
    Denied,
    /// Too late, or begun by another browser.
    Expired,
    /// The provider does not vouch for the e-mail address.
    EmailUnverified,
    /// Somebody here has this address, and has not shown that it is theirs.
    AccountUnverified,
    /// The provider does not do what it should; for operators.
    Provider(String),
    /// Ourselves.
    Problem(Problem),
}

impl Failed {
    /// The word that the sign-in page gets.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Denied => "oidc_denied",
            Self::Expired => "oidc_expired",
            Self::EmailUnverified => "oidc_email_unverified",
            Self::AccountUnverified => "oidc_account_unverified",
            Self::Provider(_) | Self::Problem(_) => "oidc_failed",
        }
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<DatabaseError> for Failed {
    fn from(error: DatabaseError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Problem(error.into())
    }
}

/// A sign-in that is under way.
#[derive(Serialize, Deserialize)]
struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until_s: i64,
}

/// Where the browser goes, and what it keeps meanwhile.
pub(crate) struct Begun {
    pub(crate) location: String,
    pub(crate) cookie: String,
}

/// What the provider sends the browser back with.
#[derive(Deserialize)]
pub(crate) struct Answered {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    /// RFC 9207.
    iss: Option<String>,
}

fn redirect(services: &Services) -> String {
    format!(
        "{}/auth/oidc/callback",
        services.urls.api_public_url.trim_end_matches('/')
    )
}

/// 256 random bits as text.
fn random() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Begins a sign-in that ends at `next`, a path of our own.
pub(crate) async fn begin(services: &Services, provider: &Provider, next: &str) -> Result<Begun, Failed> {
    let attempt = Attempt {
        state: random(),
        nonce: random(),
        verifier: random(),
        next: own_path(next).to_owned(),
        until_s: Utc::now().timestamp() + ATTEMPT_S,
    };
    let challenge = digest::digest(&digest::SHA256, attempt.verifier.as_bytes());
    let challenge = base64_simd::URL_SAFE_NO_PAD.encode_to_string(challenge);
    let said = (attempt.state.as_str(), attempt.nonce.as_str(), challenge.as_str());
    let location = provider.authorization(&redirect(services), said).await?;
    let plain = serde_json::to_vec(&attempt).expect("an attempt is JSON");
    let cookie = base64_simd::URL_SAFE_NO_PAD.encode_to_string(services.seals.seal(CONTEXT, &plain));
    Ok(Begun { location, cookie })
}

/// The attempt that a browser keeps; `None` when it has none, or one that is too old.
fn kept(services: &Services, cookie: Option<&str>) -> Option<Attempt> {
    let sealed = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(cookie?).ok()?;
    let plain = services.seals.open(CONTEXT, &sealed)?;
    let attempt: Attempt = serde_json::from_slice(&plain).ok()?;
    (attempt.until_s > Utc::now().timestamp()).then_some(attempt)
}

/// Where the browser wanted to go, as far as that is known.
pub(crate) fn wanted(services: &Services, cookie: Option<&str>) -> String {
    kept(services, cookie).map_or_else(|| "/".to_owned(), |attempt| attempt.next)
}

/// Ends a sign-in: what the provider says is checked, and the person found or made.
pub(crate) async fn finish(
    op: &Op,
    provider: &Provider,
    answered: Answered,
    cookie: Option<&str>,
) -> Result<FirstStep, Failed> {
    let services = op.services();
    let attempt = kept(services, cookie).ok_or(Failed::Expired)?;
    if answered.state.as_deref() != Some(attempt.state.as_str()) {
        return Err(Failed::Expired);
    }
    if answered.iss.is_some_and(|issuer| issuer != provider.issuer()) {
        return Err(Failed::Provider("another provider answered".into()));
    }
    match answered.error.as_deref() {
        None => {}
        Some("access_denied" | "login_required" | "interaction_required" | "consent_required") => {
            return Err(Failed::Denied);
        }
        Some(other) => {
            let word: String = other.chars().filter(char::is_ascii_graphic).take(100).collect();
            return Err(Failed::Provider(format!("it refuses with {word}")));
        }
    }
    let code = answered
        .code
        .ok_or_else(|| Failed::Provider("it answers without a code".into()))?;
    let redirect = redirect(services);
    let claims = provider
        .redeem(&code, &redirect, &attempt.verifier, &attempt.nonce)
        .await?;
    let person = queries::person(op, provider.issuer(), &claims).await?;
    Ok(user::first_step(op, person).await?)
}

/// A path of our own; the front page for anything else, such as `//elsewhere.example`.
pub(crate) fn own_path(next: &str) -> &str {
    let mut chars = next.chars();
    let own = chars.next() == Some('/') && !matches!(chars.next(), Some('/' | '\\'));
    let clean = next.len() <= 1_000 && next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if own && clean { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn nobody_is_led_elsewhere() {
        for next in ["/", "/t/acme/channels?x=1#y", "/invitation?secret=hwi_x"] {
            assert_eq!(own_path(next), next);
        }
        for next in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie: x",
            "/\t/evil.example",
            "\\\\evil",
        ] {
            assert_eq!(own_path(next), "/", "{next:?}");
        }
    }
}
