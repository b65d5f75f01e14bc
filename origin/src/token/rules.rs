//! Keys and revocations of tenants: asked of the api, remembered, and used on while the api is silent.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_model::proto::api::playback_client::PlaybackClient;
use headwater_model::proto::api::{TokenRulesRequest, TokenRulesResponse, UseTokenRequest};
use headwater_platform::rpc;
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::time::Instant;
use tonic::Code;

use super::claims::{Claims, Denied};
use crate::limits::RESOLVE;
use crate::lock;

/// How long rules are used without asking whether they still hold.
const FRESH: Duration = Duration::from_millis(800);
/// Tenants' environments remembered at once; beyond it all are forgotten, and asked for again as they are needed.
const PLACES_MAX: usize = 10_000;

/// A key that tokens may be signed with. The algorithm belongs to the key: what a token says of it must be the same.
pub(crate) struct Key {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

/// What decides over the tokens of one tenant's environment.
#[derive(Default)]
pub(crate) struct RuleSet {
    version: String,
    pub keys: HashMap<String, Key>,
    tokens: HashSet<String>,
    /// Unix milliseconds.
    viewers: HashMap<String, i64>,
}

impl RuleSet {
    pub(crate) fn of(response: TokenRulesResponse) -> Self {
        let mut set = Self {
            version: response.version,
            ..Self::default()
        };
        for key in response.keys {
            let pem = key.public_key.as_bytes();
            let read = match key.algorithm.as_str() {
                "RS256" => DecodingKey::from_rsa_pem(pem).map(|key| (Algorithm::RS256, key)),
                "ES256" => DecodingKey::from_ec_pem(pem).map(|key| (Algorithm::ES256, key)),
                "EdDSA" => DecodingKey::from_ed_pem(pem).map(|key| (Algorithm::EdDSA, key)),
                // A newer api knows more.
                _ => continue,
            };
            match read {
                Ok((algorithm, read)) => drop(set.keys.insert(key.signing_key_id, Key { algorithm, key: read })),
                Err(error) => tracing::warn!("signing key {} cannot be used: {error}", key.signing_key_id),
            }
        }
        for revocation in response.revocations {
            if revocation.kind == "token" {
                set.tokens.insert(revocation.subject);
            } else if revocation.kind == "viewer" {
                set.viewers.insert(revocation.subject, revocation.revoked_ms);
            }
        }
        set
    }

    /// Refuses what was revoked. A token that does not say when it was issued was issued before everything.
    pub(crate) fn stands(&self, claims: &Claims) -> Result<(), Denied> {
        if claims.jti.as_ref().is_some_and(|id| self.tokens.contains(id)) {
            return Err(Denied::Revoked);
        }
        let revoked_ms = claims.viewer_id.as_ref().and_then(|viewer| self.viewers.get(viewer));
        match revoked_ms {
            // A second that both fall into counts as before.
            Some(revoked_ms) if claims.iat.unwrap_or(0) <= *revoked_ms / 1_000 => Err(Denied::Revoked),
            _ => Ok(()),
        }
    }
}

#[derive(Default)]
struct Place {
    known: Mutex<Known>,
    /// Held while the api is asked, so that one question serves all.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    rules: Option<Arc<RuleSet>>,
    asked: Option<Instant>,
    /// How often a change was told, and how often of that the rules take into account.
    told: u64,
    seen: u64,
}

impl Known {
    fn fresh(&self) -> Option<Result<Arc<RuleSet>, Denied>> {
        let is_fresh = self.told == self.seen && self.asked.is_some_and(|asked| asked.elapsed() < FRESH);
        is_fresh.then(|| self.rules.clone().ok_or(Denied::Unchecked))
    }
}

/// The rules of every place asked for lately.
pub(crate) struct Rules {
    api: PlaybackClient<rpc::Client>,
    places: Mutex<HashMap<(String, String), Arc<Place>>>,
}

impl Rules {
    pub(crate) fn new(api: rpc::Client) -> Self {
        Self {
            api: PlaybackClient::new(api),
            places: Mutex::default(),
        }
    }

    /// The rules of a tenant's environment, at most a second old unless the api is silent: then the last ones.
    pub(crate) async fn of(&self, tenant: &str, environment: &str) -> Result<Arc<RuleSet>, Denied> {
        let place = {
            let mut places = lock(&self.places);
            if places.len() >= PLACES_MAX {
                places.clear();
            }
            let at = (tenant.to_owned(), environment.to_owned());
            places.entry(at).or_default().clone()
        };
        if let Some(rules) = fresh(&place) {
            return rules;
        }
        let _asking = place.asking.lock().await;
        // Somebody else may have asked while we waited.
        if let Some(rules) = fresh(&place) {
            return rules;
        }
        let (known, told) = {
            let memory = lock(&place.known);
            (memory.rules.clone(), memory.told)
        };
        let version = known.as_ref().map(|rules| rules.version.clone()).unwrap_or_default();
        let rules = self.ask(tenant, environment, version).await.unwrap_or(known);
        let mut memory = lock(&place.known);
        memory.rules = rules.clone();
        memory.asked = Some(Instant::now());
        memory.seen = told;
        rules.ok_or(Denied::Unchecked)
    }

    /// `None`: what was known still holds, or is the best that there is.
    async fn ask(&self, tenant: &str, environment: &str, version: String) -> Option<Option<Arc<RuleSet>>> {
        let request = TokenRulesRequest {
            tenant_id: tenant.to_owned(),
            environment: environment.to_owned(),
            version,
        };
        match tokio::time::timeout(RESOLVE, self.api.clone().token_rules(request)).await {
            Ok(Ok(answer)) => {
                let answer = answer.into_inner();
                (!answer.unchanged).then(|| Some(Arc::new(RuleSet::of(answer))))
            }
            Ok(Err(status)) => {
                tracing::warn!(code = ?status.code(), "the api did not say which tokens are good; the last answer is used");
                None
            }
            Err(_) => {
                tracing::warn!("the api took too long to say which tokens are good; the last answer is used");
                None
            }
        }
    }

    /// A tenant's rules have changed: the next request asks.
    pub(crate) fn changed(&self, tenant: &str) {
        let places = lock(&self.places);
        for (_, place) in places.iter().filter(|((of, _), _)| of == tenant) {
            lock(&place.known).told += 1;
        }
    }

    /// Uses a token up.
    pub(crate) async fn use_up(&self, tenant: &str, environment: &str, token_id: &str) -> Result<(), Denied> {
        let request = UseTokenRequest {
            tenant_id: tenant.to_owned(),
            environment: environment.to_owned(),
            token_id: token_id.to_owned(),
        };
        match tokio::time::timeout(RESOLVE, self.api.clone().use_token(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) if status.code() == Code::AlreadyExists => Err(Denied::Used),
            Ok(Err(status)) if status.code() == Code::InvalidArgument => Err(Denied::SingleUse),
            Ok(Err(_)) | Err(_) => Err(Denied::Unchecked),
        }
    }
}

fn fresh(place: &Place) -> Option<Result<Arc<RuleSet>, Denied>> {
    lock(&place.known).fresh()
}
