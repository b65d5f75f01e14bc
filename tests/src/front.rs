//! The tenants' front door as its callers see it: the api's real router over a real PostgreSQL, without a socket.

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request};
use headwater_api::http::{Api, router};
use headwater_api::mail::Mailer;
use headwater_api::oidc::Provider;
use headwater_api::op::Services;
use headwater_api::webhook::Guard;
use headwater_api::{Database, Seals, Urls};
use headwater_platform::Secret;
use headwater_platform::hints::{MemoryHints, SharedHints};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt as _;

use crate::outside::TestDatabase;

/// Requests of one caller each minute: more than any test sends.
const RATE_PER_MINUTE: u32 = 100_000;
/// What a front seals with.
pub const SEALING_KEY: &str = "of-the-tests";

fn urls() -> Urls {
    Urls {
        api_public_url: "http://127.0.0.1:8080".into(),
        api_playback_url: "http://127.0.0.1:8088".into(),
        api_ingest_url: "rtmp://127.0.0.1:1935/live".into(),
    }
}

/// An api with a database of its own.
pub struct Front {
    /// Where promises are kept.
    pub database: TestDatabase,
    /// What the api works with.
    pub services: Services,
    /// Where it tells edges of revoked keys.
    pub hints: SharedHints,
    /// Its routes.
    pub router: Router,
    _listening: AbortOnDropHandle<()>,
}

/// Somebody who asks.
#[derive(Clone)]
pub struct Caller {
    router: Router,
    /// Header fields of every request.
    pub headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body; null where it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The member of `data` at this JSON pointer; fails, with everything that came back, when there is none.
    pub fn data(&self, pointer: &str) -> anyhow::Result<&Value> {
        let found = self
            .body
            .pointer(&format!("/data{pointer}"))
            .filter(|value| !value.is_null());
        found.with_context(|| format!("nothing at {pointer}: {}", self.body))
    }

    /// As [`data`](Self::data), a text.
    pub fn text(&self, pointer: &str) -> anyhow::Result<String> {
        let found = self.data(pointer)?.as_str();
        Ok(found
            .with_context(|| format!("no text at {pointer}: {}", self.body))?
            .to_owned())
    }

    /// `extensions.code` of the first error.
    pub fn code(&self) -> &str {
        let code = self.body.pointer("/errors/0/extensions/code");
        code.and_then(Value::as_str).unwrap_or("")
    }
}

impl Front {
    /// A fresh one, whose tenants may send webhooks to the public internet.
    pub async fn fresh() -> anyhow::Result<Self> {
        Self::with_guard(Guard::new(&[])).await
    }

    /// A fresh one whose webhooks go where `guard` lets them.
    pub async fn with_guard(guard: Guard) -> anyhow::Result<Self> {
        let database = TestDatabase::fresh().await?;
        Self::over(database, Arc::new(MemoryHints::new()), guard, None)
    }

    /// A fresh one where people sign in with a provider, too.
    pub async fn with_provider(provider: Provider) -> anyhow::Result<Self> {
        let mut front = Self::fresh().await?;
        front.services = front.services.with_provider(Some(provider));
        front.router = router(Api::new(
            front.services.clone(),
            RATE_PER_MINUTE,
            CancellationToken::new(),
        ));
        Ok(front)
    }

    /// A fresh one that sends mail.
    pub async fn with_mail(mailer: Mailer) -> anyhow::Result<Self> {
        let database = TestDatabase::fresh().await?;
        Self::over(database, Arc::new(MemoryHints::new()), Guard::new(&[]), Some(mailer))
    }

    /// One that works beside other processes, on their database and with their hints.
    pub fn beside(database_url: &Secret, hints: SharedHints) -> anyhow::Result<Self> {
        let database = TestDatabase {
            url: database_url.clone(),
            api: Database::open(database_url, 4)?,
        };
        Self::over(database, hints, Guard::new(&[]), None)
    }

    /// The same caller at another api on the same database, which has these sealing keys.
    pub fn sealing_with(&self, keys: &[&str], caller: &Caller) -> anyhow::Result<Caller> {
        let keys: Vec<_> = keys.iter().map(|key| Secret::new(*key)).collect();
        let (database, seals) = (
            Database::serve(&self.database.url, 2)?,
            Seals::new(&keys, &Secret::new("")),
        );
        let services = Services::new(database, self.hints.clone(), urls(), seals, Guard::new(&[]));
        Ok(Caller {
            router: router(Api::new(services, RATE_PER_MINUTE, CancellationToken::new())),
            headers: caller.headers.clone(),
        })
    }

    fn over(database: TestDatabase, hints: SharedHints, guard: Guard, mailer: Option<Mailer>) -> anyhow::Result<Self> {
        let seals = Seals::new(&[], &Secret::new(SEALING_KEY));
        let serving = Database::serve(&database.url, 8)?;
        let services = Services::new(serving, hints.clone(), urls(), seals, guard).with_mail(mailer);
        let api = Api::new(services.clone(), RATE_PER_MINUTE, CancellationToken::new());
        let listening = tokio::spawn(services.clone().listen(CancellationToken::new()));
        Ok(Self {
            database,
            services,
            hints,
            router: router(api),
            _listening: AbortOnDropHandle::new(listening),
        })
    }

    /// Nobody in particular.
    pub fn nobody(&self) -> Caller {
        Caller {
            router: self.router.clone(),
            headers: Vec::new(),
        }
    }

    /// Signs somebody up. Returns them and the id of their tenant.
    pub async fn sign_up(&self, name: &str) -> anyhow::Result<(Caller, String)> {
        let asked = "mutation($input: SignUpInput!) { signUp(input: $input) { tenant { id } userErrors { message } } }";
        let input =
            json!({ "email": email(name), "password": PASSWORD, "name": name, "tenantName": format!("{name} Ltd") });
        let answer = self.nobody().ask(asked, json!({ "input": input })).await?;
        let tenant = answer.text("/signUp/tenant/id")?;
        Ok((self.with_cookie(&answer)?, tenant))
    }

    /// Signs in again.
    pub async fn sign_in(&self, name: &str) -> anyhow::Result<Caller> {
        let asked = "mutation($input: SignInInput!) { signIn(input: $input) { user { id } userErrors { code } } }";
        let answer = self
            .nobody()
            .ask(
                asked,
                json!({ "input": { "email": email(name), "password": PASSWORD } }),
            )
            .await?;
        answer.data("/signIn/user/id")?;
        self.with_cookie(&answer)
    }

    fn with_cookie(&self, answer: &Answer) -> anyhow::Result<Caller> {
        let cookie = answer.headers.get("set-cookie").context("no cookie")?.to_str()?;
        let pair = cookie.split(';').next().context("an empty cookie")?;
        Ok(self.nobody().with("cookie", pair).with("headwater-client", "tests"))
    }

    /// A program with this token.
    pub fn program(&self, secret: &str) -> Caller {
        self.nobody().with("authorization", &format!("Bearer {secret}"))
    }
}

impl Caller {
    /// Somebody who comes to `router` from `peer`.
    pub fn at(router: Router, peer: SocketAddr) -> Self {
        let router = router.layer(axum::Extension(ConnectInfo(peer)));
        Self {
            router,
            headers: Vec::new(),
        }
    }
}

/// Everybody's password.
pub const PASSWORD: &str = "a long enough password";

/// Somebody's address.
pub fn email(name: &str) -> String {
    format!("{}@example.com", name.to_lowercase().replace(' ', "."))
}

impl Caller {
    /// With one more header field.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.retain(|(known, _)| known != name);
        caller.headers.push((name.to_owned(), value.to_owned()));
        caller
    }

    /// Asks by POST.
    pub async fn ask(&self, query: &str, variables: Value) -> anyhow::Result<Answer> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.send("POST", "/graphql", &[("content-type", "application/json")], body)
            .await
    }

    /// Makes a channel. Returns its id.
    pub async fn channel(&self, title: &str) -> anyhow::Result<String> {
        let asked =
            "mutation($t: String!) { channelCreate(input: { title: $t }) { channel { id } userErrors { message } } }";
        let made = self.ask(asked, json!({ "t": title })).await?;
        made.text("/channelCreate/channel/id")
    }

    /// Any request.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into())?).await?;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 16 << 20).await?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }
}
