//! Entries for `fuzz/` and for the tests' own seeded mutations: what callers send to `/graphql`.
//!
//! Each takes any bytes, asks the real router over a database that is closed, and must neither panic nor run long nor answer
//! without saying what is wrong in a word that programs know.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_graphql::Request;
use axum::Router;
use axum::body::Body;
use headwater_model::{SessionId, TenantId, UserId};
use headwater_platform::Secret;
use headwater_platform::hints::MemoryHints;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::access::{Environment, Role};
use crate::graphql::document::DOCUMENT_BYTES_MAX;
use crate::graphql::{self, Schema};
use crate::http::{Api, router};
use crate::op::{Actor, Caller, Op, Place, Services};
use crate::webhook::Guard;
use crate::{Database, Seals, Urls};

/// An entry.
pub type Target = fn(&[u8]);
/// Valid input to begin with.
pub type Seeds = fn() -> Vec<Vec<u8>>;

/// All entries by name, with valid input to begin with.
pub const TARGETS: [(&str, Target, Seeds); 2] = [
    ("graphql_request", graphql_request, requests),
    ("graphql_document", graphql_document, documents),
];

/// Bytes of an answer to nobody at most: the whole schema is about 400 kB.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Requests of one address each minute, a quarter of it for nobody.
const RATE_PER_MINUTE: u32 = 4_000_000_000;

struct Front {
    runtime: Runtime,
    router: Router,
    schema: Schema,
    owner: Op,
}

static FRONT: LazyLock<Mutex<Front>> = LazyLock::new(|| Mutex::new(Front::new()));

impl Front {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let url = Secret::new("postgres://nobody@127.0.0.1:9/nowhere");
        let services = runtime.block_on(async {
            let database = Database::serve(&url, 1).expect("an address");
            database.close().await;
            let urls = Urls {
                api_public_url: "http://127.0.0.1:8080".into(),
                api_playback_url: "http://127.0.0.1:8088".into(),
                api_ingest_url: "rtmp://127.0.0.1:1935/live".into(),
            };
            let seals = Seals::new(&[], &Secret::new("fuzz"));
            Services::new(database, Arc::new(MemoryHints::new()), urls, seals, Guard::new(&[]))
        });
        let actor = Actor::User {
            user_id: UserId::numbered(1),
            session_id: SessionId::numbered(1),
            name: "Ada".into(),
        };
        let place = Place {
            tenant_id: TenantId::numbered(1),
            environment: Environment::Live,
            role: Some(Role::Owner),
        };
        Self {
            router: router(Api::new(services.clone(), RATE_PER_MINUTE, CancellationToken::new())),
            schema: graphql::schema(),
            owner: Op::new(services, actor, Some(place), Caller::default()),
            runtime,
        }
    }

    /// Posts a body as nobody in particular, and looks at the answer.
    fn post(&self, body: Vec<u8>) {
        let request = axum::http::Request::post("/graphql").header("content-type", "application/json");
        let request = request.body(Body::from(body)).expect("a request");
        let (status, answer) = self.runtime.block_on(async {
            let Ok(response) = self.router.clone().oneshot(request).await;
            let status = response.status().as_u16();
            let answer = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
            (status, answer.expect("an answer within its bound"))
        });
        assert_ne!(status, 500);
        let answer: Value = serde_json::from_slice(&answer).expect("the answer is JSON");
        assert!(
            answer.get("data").is_some() || status != 200 || is_typed(&answer),
            "{status}: {answer}"
        );
        assert!(
            answer.get("errors").is_none() || is_typed(&answer),
            "{status}: {answer}"
        );
    }

    /// Executes a document as somebody who may do everything, as far as the closed database.
    fn execute(&self, text: &str) {
        let Ok(document) = graphql::document::parse(text) else {
            return;
        };
        let mut request = Request::new(text);
        request.set_parsed_query(document);
        self.runtime.block_on(async {
            let request = request
                .data(graphql::loaders(self.owner.clone()))
                .data(self.owner.clone());
            let request = request.data(Mutex::new(None::<UserId>));
            let answer = json!(self.schema.execute(request).await);
            assert!(
                answer.get("data").is_some() || answer.get("errors").is_some(),
                "{answer}"
            );
        });
    }
}

/// Whether every error has a word for programs.
fn is_typed(answer: &Value) -> bool {
    let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let typed = |error: &Value| error["message"].is_string() && error["extensions"]["code"].is_string();
    !errors.is_empty() && errors.iter().all(typed)
}

/// The body of a request.
pub fn graphql_request(bytes: &[u8]) {
    let front = FRONT.lock().unwrap_or_else(PoisonError::into_inner);
    front.post(bytes.to_vec());
}

/// A document, sent by nobody and by somebody who may do everything.
pub fn graphql_document(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let front = FRONT.lock().unwrap_or_else(PoisonError::into_inner);
    if text.len() <= 2 * DOCUMENT_BYTES_MAX {
        front.post(json!({ "query": text }).to_string().into_bytes());
    }
    front.execute(&text);
}

/// Requests that are good.
pub fn requests() -> Vec<Vec<u8>> {
    let with = "query($id: ID!, $n: Int = 2) { channel(id: $id) { title } channels(first: $n) { nodes { id } } }";
    [
        json!({ "query": "{ viewer { role } }" }),
        json!({ "query": with, "variables": { "id": "ch_x", "n": [1, { "a": null }] }, "operationName": null }),
        json!({ "query": "query A { me { id } } mutation B { signOut { signedOut } }", "operationName": "B", "extensions": {} }),
    ]
    .map(|request| request.to_string().into_bytes())
    .to_vec()
}

/// Documents that are good.
pub fn documents() -> Vec<Vec<u8>> {
    [
        "{ viewer { role environment actions tenant { id } } me { email memberships { role tenant { slug } } } }",
        "query Page($n: Int = 5) { channels(first: $n, filter: { search: \"a\", state: LIVE }, orderBy: { field: TITLE, \
         direction: ASC }) { totalCount nodes { ...C } pageInfo { endCursor } } } fragment C on Channel { id title \
         ladder { kind steps { shortSide } } streamKeys(first: 2) { nodes { id label channel { id } } } }",
        "mutation { channelCreate(input: { title: \"\"\"block \\\"\"\" text\"\"\", metadata: { a: [1, 2.5e3, null, true] }, \
         ladder: { kind: CUSTOM, steps: [{ shortSide: 720, bitrateBps: 1000000 }] } }) { channel { id } userErrors { code } } }",
        "{ a: node(id: \"ch_x\") { __typename ... on Channel { id @include(if: true) } } b: channel(id: 1) { id @skip(if: false) } }",
        "subscription { channelsUpdated { id } }",
        "{ __schema { types { name fields { name args { name defaultValue } type { kind ofType { name } } } } } \
         __type(name: \"Channel\") { description } }",
    ]
    .map(|document| document.as_bytes().to_vec())
    .to_vec()
}
