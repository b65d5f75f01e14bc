//! The provider: what it says of itself, its keys, and the exchange of a code for a token.

use std::sync::Arc;
use std::time::Duration;

use headwater_platform::Secret;
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::CertificateDer;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::Failed;
use super::token::{self, Claims, Expected, Refused};
use crate::outbound::{Outbound, Reply};
use crate::webhook::Guard;

/// How long what a provider says of itself is believed.
const DISCOVERY_AGE: Duration = Duration::from_secs(3_600);
/// How long its keys are.
const KEYS_AGE: Duration = Duration::from_secs(600);
/// Keys are not asked for again sooner, however many unknown ones are named.
const KEYS_PAUSE: Duration = Duration::from_secs(20);
/// Longest that one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// What an operator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The provider's issuer identifier: https://accounts.example.com
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// `None` for a public client, whom PKCE alone protects.
    pub client_secret: Option<Secret>,
    /// What people call the provider.
    pub name: String,
}

/// A provider; cheap to clone.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    settings: Settings,
    outbound: Outbound,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    discovery: Option<(Instant, Arc<Discovery>)>,
    keys: Option<(Instant, Arc<[Jwk]>)>,
}

/// OpenID Connect Discovery §3, as far as it matters here.
#[derive(Deserialize)]
pub(super) struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: Option<String>,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

fn failed(why: impl Into<String>) -> Failed {
    Failed::Provider(why.into())
}

impl Provider {
    /// One that is reached where `guard` lets it be; trusts the machine's certificate authorities, and `authorities`. Fails for an
    /// issuer that is no address.
    pub fn new(settings: Settings, guard: Guard, authorities: Vec<CertificateDer<'static>>) -> anyhow::Result<Self> {
        guard.target(&settings.issuer).map_err(|refused| {
            anyhow::anyhow!(
                "HEADWATER_API_OIDC_ISSUER: {refused}; HEADWATER_API_OIDC_ALLOW opens networks of one's own"
            )
        })?;
        anyhow::ensure!(
            !settings.client_id.is_empty(),
            "HEADWATER_API_OIDC_CLIENT_ID is needed with an issuer"
        );
        Ok(Self(Arc::new(Inner {
            settings,
            outbound: Outbound::new(guard, authorities),
            known: Mutex::default(),
        })))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.settings.name
    }

    pub(super) fn issuer(&self) -> &str {
        &self.0.settings.issuer
    }

    /// Where the browser goes (OpenID Connect Core §3.1.2.1, RFC 7636 §4.3).
    pub(super) async fn authorization(
        &self,
        redirect: &str,
        (state, nonce, challenge): (&str, &str, &str),
    ) -> Result<String, Failed> {
        let discovery = self.discovery().await?;
        let mut url = Url::parse(&discovery.authorization_endpoint)
            .map_err(|_| failed("its authorization endpoint is malformed"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(failed("its authorization endpoint is no web address"));
        }
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", self.0.settings.client_id.as_str()),
            ("redirect_uri", redirect),
            ("scope", "openid email profile"),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url.into())
    }

    /// What the provider says of whoever brought `code`.
    pub(super) async fn redeem(
        &self,
        code: &str,
        redirect: &str,
        verifier: &str,
        nonce: &str,
    ) -> Result<Claims, Failed> {
        let discovery = self.discovery().await?;
        let tokens: Tokens = self.exchange(&discovery, code, redirect, verifier).await?;
        let expected = Expected {
            issuer: &self.0.settings.issuer,
            client_id: &self.0.settings.client_id,
            nonce,
        };
        let keys = self.keys(&discovery, KEYS_AGE).await?;
        let mut checked = token::verify(&tokens.id_token, &keys, &expected);
        if matches!(checked, Err(Refused::NoKey)) {
            let newer = self.keys(&discovery, KEYS_PAUSE).await?;
            checked = token::verify(&tokens.id_token, &newer, &expected);
        }
        let mut claims = checked.map_err(|refused| failed(refused.to_string()))?;
        // Some providers put the address into the other answer alone (§5.3.2: the subject must be the same one).
        if let (None, Some(url), Some(access)) = (&claims.email, &discovery.userinfo_endpoint, &tokens.access_token) {
            let more: Claims = self.json(self.get(url, Some(access)).await?)?;
            if more.sub != claims.sub {
                return Err(failed("its userinfo speaks of somebody else"));
            }
            claims = more;
        }
        Ok(claims)
    }

    async fn exchange(
        &self,
        discovery: &Discovery,
        code: &str,
        redirect: &str,
        verifier: &str,
    ) -> Result<Tokens, Failed> {
        let (body, authorization) = self.proof(
            discovery,
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", redirect),
                ("code_verifier", verifier),
            ],
        );
        let sent = self
            .0
            .outbound
            .send(&discovery.token_endpoint, ANSWER_BYTES_MAX, ANSWER_LIMIT, |request| {
                let request = request
                    .method("POST")
                    .header("content-type", "application/x-www-form-urlencoded")
                    .header("accept", "application/json");
                match &authorization {
                    Some(value) => request.header("authorization", value),
                    None => request,
                }
                .body(body.into())
            });
        self.json(sent.await.map_err(failed)?)
    }

    /// The form with what shows that it is us: in the form, or as the value of `Authorization` (RFC 6749 §2.3.1).
    fn proof(&self, discovery: &Discovery, pairs: &[(&str, &str)]) -> (String, Option<String>) {
        let settings = &self.0.settings;
        let mut form = Serializer::new(String::new());
        form.extend_pairs(pairs);
        let methods = &discovery.token_endpoint_auth_methods_supported;
        let in_form = methods.iter().any(|method| method == "client_secret_post")
            && !methods.iter().any(|method| method == "client_secret_basic");
        let mut authorization = None;
        match &settings.client_secret {
            Some(secret) if in_form => {
                form.append_pair("client_id", &settings.client_id);
                form.append_pair("client_secret", secret.reveal());
            }
            // Both are form-encoded first.
            Some(secret) => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&settings.client_id), encoded(secret.reveal()));
                authorization = Some(format!("Basic {}", base64_simd::STANDARD.encode_to_string(pair)));
            }
            None => {
                form.append_pair("client_id", &settings.client_id);
            }
        }
        (form.finish(), authorization)
    }

    async fn discovery(&self) -> Result<Arc<Discovery>, Failed> {
        let mut known = self.0.known.lock().await;
        if let Some((at, discovery)) = &known.discovery
            && at.elapsed() < DISCOVERY_AGE
        {
            return Ok(discovery.clone());
        }
        let url = format!(
            "{}/.well-known/openid-configuration",
            self.issuer().trim_end_matches('/')
        );
        let found: Discovery = self.json(self.get(&url, None).await?)?;
        if found.issuer != self.issuer() {
            return Err(failed(format!("it says that its issuer is {:?}", found.issuer)));
        }
        let found = Arc::new(found);
        known.discovery = Some((Instant::now(), found.clone()));
        Ok(found)
    }

    /// Its keys, at most as old as `age`.
    async fn keys(&self, discovery: &Discovery, age: Duration) -> Result<Arc<[Jwk]>, Failed> {
        let mut known = self.0.known.lock().await;
        if let Some((at, keys)) = &known.keys
            && at.elapsed() < age
        {
            return Ok(keys.clone());
        }
        let found: Keys = self.json(self.get(&discovery.jwks_uri, None).await?)?;
        // Kinds of keys that are not known here do not spoil the others.
        let keys: Arc<[Jwk]> = found
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect();
        known.keys = Some((Instant::now(), keys.clone()));
        Ok(keys)
    }

    async fn get(&self, url: &str, access: Option<&str>) -> Result<Reply, Failed> {
        let sent = self.0.outbound.send(url, ANSWER_BYTES_MAX, ANSWER_LIMIT, |request| {
            let request = request.method("GET").header("accept", "application/json");
            match access {
                Some(token) => request.header("authorization", format!("Bearer {token}")),
                None => request,
            }
            .body(bytes::Bytes::new().into())
        });
        sent.await.map_err(failed)
    }

    fn json<T: DeserializeOwned>(&self, reply: Reply) -> Result<T, Failed> {
        if reply.parts.status != 200 {
            return Err(failed(format!("it answers {}", reply.parts.status)));
        }
        if !reply.whole {
            return Err(failed("its answer breaks off or is too long"));
        }
        serde_json::from_slice(&reply.body).map_err(|error| failed(format!("its answer cannot be read: {error}")))
    }
}
