//! An OpenID Connect provider: discovery, authorization, tokens and keys, as strict about the code flow with PKCE as a good one, and
//! as wrong about its tokens as a test wants.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use aws_lc_rs::digest;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// What it calls us.
pub const CLIENT_ID: &str = "headwater & co";
/// What we show it.
pub const CLIENT_SECRET: &str = "s:cret/+";

/// How a token is made.
#[derive(Clone)]
pub struct Token {
    /// Claims that replace or, being null, remove the right ones.
    pub claims: Value,
    /// The algorithm and the key that it is signed with: one of the provider's, RS256, ES256 or EdDSA; or HS256, or none.
    pub algorithm: &'static str,
    /// Claims that only userinfo tells.
    pub userinfo: Value,
}

impl Token {
    /// A good one of somebody.
    pub fn of(subject: &str, email: &str) -> Self {
        Self {
            claims: json!({ "sub": subject, "email": email, "email_verified": true, "name": "Grace Hopper" }),
            algorithm: "RS256",
            userinfo: json!({}),
        }
    }

    /// With one claim changed.
    pub fn with(mut self, claim: &str, value: Value) -> Self {
        self.claims[claim] = value;
        self
    }
}

struct Asked {
    challenge: String,
    nonce: String,
    redirect: String,
}

struct Desk {
    issuer: String,
    keys: HashMap<&'static str, (EncodingKey, Value)>,
    next: Mutex<Token>,
    codes: Mutex<HashMap<String, Asked>>,
    /// Requests for its keys.
    keys_asked: Mutex<usize>,
}

/// A running provider. It ends when dropped.
pub struct OpenIdProvider {
    /// Its issuer identifier.
    pub issuer: String,
    desk: Arc<Desk>,
    _serving: AbortOnDropHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpenIdProvider {
    /// Starts one on a free port of 127.0.0.1.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address: SocketAddr = listener.local_addr()?;
        let issuer = format!("http://{address}");
        let desk = Arc::new(Desk {
            issuer: issuer.clone(),
            keys: keys()?,
            next: Mutex::new(Token::of("nobody", "nobody@example.com")),
            codes: Mutex::default(),
            keys_asked: Mutex::default(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/keys", get(published))
            .with_state(desk.clone());
        let serving = tokio::spawn(async move {
            // Ends with the provider.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            issuer,
            desk,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// Who comes next, and what is said of them.
    pub fn says(&self, token: Token) {
        *lock(&self.desk.next) = token;
    }

    /// How often its keys were asked for.
    pub fn keys_asked(&self) -> usize {
        *lock(&self.desk.keys_asked)
    }
}

/// A key of each kind, with its public half.
fn keys() -> anyhow::Result<HashMap<&'static str, (EncodingKey, Value)>> {
    let mut keys = HashMap::new();
    for (name, algorithm, arguments) in [
        (
            "RS256",
            Algorithm::RS256,
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..],
        ),
        (
            "ES256",
            Algorithm::ES256,
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ),
        ("EdDSA", Algorithm::EdDSA, &["-algorithm", "ED25519"]),
    ] {
        let made = Command::new("openssl").arg("genpkey").args(arguments).output();
        let pem = made.context("openssl is not installed")?.stdout;
        let key = match name {
            "RS256" => EncodingKey::from_rsa_pem(&pem)?,
            "ES256" => EncodingKey::from_ec_pem(&pem)?,
            _ => EncodingKey::from_ed_pem(&pem)?,
        };
        let mut public = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm)?)?;
        public["kid"] = json!(name);
        public["use"] = json!("sig");
        keys.insert(name, (key, public));
    }
    Ok(keys)
}

async fn discovery(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let at = |path: &str| format!("{}/{path}", desk.issuer);
    Json(json!({
        "issuer": desk.issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
        "userinfo_endpoint": at("userinfo"), "jwks_uri": at("keys"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn published(State(desk): State<Arc<Desk>>) -> Json<Value> {
    *lock(&desk.keys_asked) += 1;
    let mut keys: Vec<&Value> = desk.keys.values().map(|(_, public)| public).collect();
    // A kind that nobody knows spoils nothing.
    let strange = json!({ "kty": "XYZ", "kid": "new" });
    keys.push(&strange);
    Json(json!({ "keys": keys }))
}

/// Whoever comes is signed in already and agrees.
async fn authorize(State(desk): State<Arc<Desk>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let word = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let fine = word("client_id") == CLIENT_ID
        && word("response_type") == "code"
        && word("code_challenge_method") == "S256"
        && word("scope").split(' ').any(|scope| scope == "openid")
        && word("state").len() >= 40;
    if !fine {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let code = format!("code-{}", lock(&desk.codes).len());
    let redirect = word("redirect_uri");
    let back = format!("{redirect}?code={code}&state={}&iss={}", word("state"), desk.issuer);
    let remembered = Asked {
        challenge: word("code_challenge"),
        nonce: word("nonce"),
        redirect,
    };
    lock(&desk.codes).insert(code, remembered);
    Redirect::to(&back).into_response()
}

async fn token(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: String) -> Response {
    // A form is written as a query is.
    let query = format!("/?{body}")
        .parse()
        .map(|uri| Query::<HashMap<String, String>>::try_from_uri(&uri));
    let Ok(Ok(Query(form))) = query else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let word = |name: &str| form.get(name).cloned().unwrap_or_default();
    // RFC 6749 §2.3.1, for `headwater & co` and `s:cret/+`.
    let expected = "Basic aGVhZHdhdGVyKyUyNitjbzpzJTNBY3JldCUyRiUyQg==";
    let known = headers.get("authorization").is_some_and(|value| value == expected);
    let refuse = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
    if !known {
        return refuse("invalid_client");
    }
    // A code is good once.
    let Some(asked) = lock(&desk.codes).remove(&word("code")) else {
        return refuse("invalid_grant");
    };
    let hash = digest::digest(&digest::SHA256, word("code_verifier").as_bytes());
    if encoded(hash.as_ref()) != asked.challenge || word("redirect_uri") != asked.redirect {
        return refuse("invalid_grant");
    }
    let token = lock(&desk.next).clone();
    let now = chrono::Utc::now().timestamp();
    let mut claims =
        json!({ "iss": desk.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked.nonce });
    for (name, value) in token.claims.as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(claims.as_object_mut().and_then(|claims| claims.remove(name))),
            value => claims[name] = value.clone(),
        }
    }
    match sign(&desk, token.algorithm, &claims) {
        Ok(id_token) => {
            Json(json!({ "access_token": "access", "token_type": "Bearer", "id_token": id_token })).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn userinfo(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    match headers
        .get("authorization")
        .is_some_and(|value| value == "Bearer access")
    {
        true => Json(lock(&desk.next).userinfo.clone()).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn sign(desk: &Desk, algorithm: &'static str, claims: &Value) -> anyhow::Result<String> {
    let signed = |algorithm: Algorithm, name: &str, key: &EncodingKey| {
        let header = Header {
            kid: Some(name.to_owned()),
            ..Header::new(algorithm)
        };
        jsonwebtoken::encode(&header, claims, key)
    };
    Ok(match algorithm {
        // With the public key as the secret, as confused libraries take it.
        "HS256" => signed(
            Algorithm::HS256,
            "RS256",
            &EncodingKey::from_secret(desk.keys["RS256"].1.to_string().as_bytes()),
        )?,
        "none" => format!(
            "{}.{}.",
            encoded(b"{\"alg\":\"none\"}"),
            encoded(claims.to_string().as_bytes())
        ),
        // Signed with the right key under a name that nobody has published.
        "unknown" => signed(Algorithm::RS256, "another", &desk.keys["RS256"].0)?,
        // The name of another key than the one that signed.
        "swapped" => {
            let own = EncodingKey::from_ed_pem(
                &Command::new("openssl")
                    .args(["genpkey", "-algorithm", "ED25519"])
                    .output()?
                    .stdout,
            )?;
            signed(Algorithm::EdDSA, "EdDSA", &own)?
        }
        "ES256" => signed(Algorithm::ES256, "ES256", &desk.keys["ES256"].0)?,
        "EdDSA" => signed(Algorithm::EdDSA, "EdDSA", &desk.keys["EdDSA"].0)?,
        _ => signed(Algorithm::RS256, "RS256", &desk.keys["RS256"].0)?,
    })
}

/// Base64 for addresses, without padding (RFC 4648 §5).
fn encoded(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}
