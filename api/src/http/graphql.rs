//! `/graphql`: GraphQL over HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationType};
use async_graphql::{Request, Variables};
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequestParts as _, Query, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use headwater_model::UserId;
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::who::{self, Credentials};
use crate::graphql;
use crate::idempotency::{KEY_CHARS_MAX, Repeat};
use crate::limits::Standing;
use crate::op::{Actor, Op};
use crate::problem::{Answer, Problem};

/// Bytes of a request at most.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Longest that an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const GRAPHQL_JSON: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    query: String,
    operation_name: Option<String>,
    variables: Option<Value>,
    #[expect(dead_code, reason = "clients send it and nothing here reads it")]
    extensions: Option<Value>,
}

/// The same in an address, where nested members are JSON texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AskedInAddress {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
}

/// An answer without `data`: the request was not executed.
struct Unanswered {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after_s: Option<u64>,
}

impl Unanswered {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after_s: None,
        }
    }
}

impl From<Problem> for Unanswered {
    fn from(problem: Problem) -> Self {
        let code = problem.code();
        let status = match code {
            "UNAUTHENTICATED" => StatusCode::UNAUTHORIZED,
            "FORBIDDEN" => StatusCode::FORBIDDEN,
            "CONFLICT" => StatusCode::CONFLICT,
            "RATE_LIMITED" => StatusCode::TOO_MANY_REQUESTS,
            "UNAVAILABLE" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let retry_after_s = match &problem {
            Problem::Refused { retry_after_s, .. } => *retry_after_s,
            _ => None,
        };
        Self {
            retry_after_s,
            ..Self::new(status, code, problem.message())
        }
    }
}

/// GET (queries, and the WebSocket's upgrade) and POST.
pub(super) async fn handle(
    State(api): State<Api>,
    peer: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    request: axum::extract::Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let peer = peer.map(|peer| peer.0.0);
    if super::socket::wanted(&parts.headers) {
        return super::socket::upgrade(api, &mut parts, peer).await;
    }
    let Some(media) = negotiate(&parts.headers) else {
        return unanswered(
            JSON,
            Unanswered::new(StatusCode::NOT_ACCEPTABLE, "BAD_INPUT", "Accept application/json."),
        );
    };
    let asked = match parts.method {
        Method::POST => read(&parts.headers, body).await,
        Method::GET => in_address(&mut parts).await,
        _ => {
            let refused = Unanswered::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "BAD_INPUT",
                "Use POST, or GET for queries.",
            );
            let mut response = unanswered(media, refused);
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, POST"));
            return response;
        }
    };
    let mut standing = None;
    let answered = match asked {
        Ok((asked, bytes)) => {
            answer(
                &api,
                &parts.headers,
                &parts.method,
                peer,
                media,
                asked,
                &bytes,
                &mut standing,
            )
            .await
        }
        Err(refused) => Err(refused),
    };
    let mut response = answered.unwrap_or_else(|refused| {
        let by_get = refused.status == StatusCode::METHOD_NOT_ALLOWED;
        let mut response = unanswered(media, refused);
        if by_get {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    });
    if let Some(standing) = standing {
        rate_headers(response.headers_mut(), standing);
    }
    response
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one request, taken apart by its only caller"
)]
async fn answer(
    api: &Api,
    headers: &HeaderMap,
    method: &Method,
    peer: Option<SocketAddr>,
    media: &'static str,
    asked: Asked,
    bytes: &[u8],
    standing: &mut Option<Standing>,
) -> Result<Response, Unanswered> {
    let urls = &api.services.urls;
    let credentials = Credentials::of(headers, urls.secure());
    if credentials.bearer.is_none() && credentials.session.is_some() {
        who::same_site(headers, urls.public_origin())?;
        if !headers.contains_key(who::CLIENT) {
            let sentence =
                "A request with a cookie needs the header Headwater-Client, such as Headwater-Client: my-script.";
            return Err(Problem::forbidden(sentence).into());
        }
    }
    let op = credentials
        .operation(&api.services, who::caller(headers, peer, &api.proxies))
        .await?;
    let now = count(api, &op).await;
    *standing = Some(now);
    if now.over {
        return Err(Problem::rate_limited("Too many requests. Wait for the time in Retry-After.", now.reset_s).into());
    }

    let document = api.documents.read(&asked.query).map_err(|refused| {
        let status = match refused.is_syntax() {
            true => StatusCode::BAD_REQUEST,
            false => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Unanswered::new(status, refused.code(), refused.to_string())
    })?;
    let kind = operation(&document, asked.operation_name.as_deref()).ok_or_else(|| {
        let sentence = "The document has no such operation; with several, name one in operationName.";
        Unanswered::new(StatusCode::UNPROCESSABLE_ENTITY, "GRAPHQL_VALIDATION_FAILED", sentence)
    })?;
    match kind {
        OperationType::Mutation if method == Method::GET => {
            let sentence = "Mutations are sent by POST.";
            return Err(Unanswered::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_INPUT", sentence));
        }
        OperationType::Subscription => {
            let sentence = "Subscriptions are sent over a WebSocket of the protocol graphql-transport-ws.";
            return Err(Unanswered::new(StatusCode::UNPROCESSABLE_ENTITY, "BAD_INPUT", sentence));
        }
        OperationType::Query | OperationType::Mutation => {}
    }
    let repeat = match kind {
        OperationType::Mutation => repeat(&op, headers, &credentials, bytes)?,
        _ => None,
    };
    if let Some(repeat) = &repeat
        && let Some(before) = repeat.answered(&api.services.database).await?
    {
        let mut response = rendered(media, StatusCode::OK, before.into());
        let replayed = HeaderName::from_static("idempotency-replayed");
        response
            .headers_mut()
            .insert(replayed, HeaderValue::from_static("true"));
        return Ok(response);
    }
    let op = match &repeat {
        Some(repeat) => op.repeatable(repeat.clone()),
        None => op,
    };
    let mut request = Request::new(asked.query)
        .variables(asked.variables.map(Variables::from_json).unwrap_or_default())
        .data(graphql::loaders(op.clone()))
        .data(op)
        .data(Mutex::new(None::<UserId>));
    request.operation_name = asked.operation_name;
    request.set_parsed_query(document);
    // A change that was begun is finished even if its caller hangs up: only its answer is lost.
    let executing = api.schema.clone();
    let task = tokio::spawn(async move { executing.execute(request).await });
    let mut response = match tokio::time::timeout(ANSWER_LIMIT, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            let sentence = "Something went wrong in the service, and was noted.";
            return Err(Unanswered::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", sentence));
        }
        Err(_) => {
            let sentence = "The answer took too long. Ask for less at a time.";
            return Err(Unanswered::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                sentence,
            ));
        }
    };
    graphql::document::mark_input(&mut response.errors);
    // Errors without a path were found before anything was executed.
    let executed = response.errors.is_empty() || response.errors.iter().any(|error| !error.path.is_empty());
    let status = match (executed, media) {
        (true, _) | (false, JSON) => StatusCode::OK,
        (false, _) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let body = if executed {
        // As it is, fields stand in the order in which they were asked for (GraphQL §7.2.2).
        serde_json::to_string(&response)
    } else {
        let mut body = json!(response);
        if let Some(members) = body.as_object_mut() {
            members.remove("data");
            mark_validation(members);
        }
        serde_json::to_string(&body)
    };
    let body = body.map_err(|_| {
        let sentence = "Something went wrong in the service, and was noted.";
        Unanswered::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", sentence)
    })?;
    if let Some(repeat) = &repeat
        && let Err(error) = repeat.keep(&api.services.database, body.as_bytes()).await
    {
        tracing::warn!("the answer to an idempotent request was not kept: {}", error.0);
    }
    let mut rendered = rendered(media, status, body.into());
    for (name, value) in &response.http_headers {
        rendered.headers_mut().append(name.clone(), value.clone());
    }
    Ok(rendered)
}

/// Gives validation errors their code.
fn mark_validation(members: &mut serde_json::Map<String, Value>) {
    let errors = members.get_mut("errors").and_then(Value::as_array_mut);
    for error in errors.into_iter().flatten() {
        if let Some(error) = error.as_object_mut() {
            let extensions = error.entry("extensions").or_insert_with(|| json!({}));
            if let Some(extensions) = extensions.as_object_mut() {
                extensions
                    .entry("code")
                    .or_insert_with(|| json!("GRAPHQL_VALIDATION_FAILED"));
            }
        }
    }
}

/// Counts the request against whoever sent it.
async fn count(api: &Api, op: &Op) -> Standing {
    let limit = u64::from(api.rate_per_minute);
    match op.actor() {
        Actor::Token { token_id, .. } => api.services.limits.request(token_id.as_str(), limit).await,
        Actor::User { session_id, .. } => api.services.limits.request(session_id.as_str(), limit).await,
        // Nobody may do little more than sign in.
        Actor::Nobody => {
            let address = op.caller().address();
            api.services
                .limits
                .request(&format!("address:{address}"), limit.div_ceil(4))
                .await
        }
    }
}

fn repeat(op: &Op, headers: &HeaderMap, credentials: &Credentials, bytes: &[u8]) -> Answer<Option<Arc<Repeat>>> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > KEY_CHARS_MAX {
        return Err(Problem::bad_input(format!(
            "An idempotency key has 1 to {KEY_CHARS_MAX} ASCII characters."
        )));
    }
    let actor = match op.actor() {
        Actor::Token { token_id, .. } => token_id.to_string(),
        Actor::User { session_id, .. } => session_id.to_string(),
        Actor::Nobody => return Ok(None),
    };
    let Some(place) = op.place() else { return Ok(None) };
    let repeat = Repeat::new(place.tenant_id, actor, credentials.secret(), key, bytes);
    Ok(Some(Arc::new(repeat)))
}

/// The media type of the answer; `None` when the caller takes neither.
fn negotiate(headers: &HeaderMap) -> Option<&'static str> {
    let mut accepts = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    if accepts.peek().is_none() {
        return Some(JSON);
    }
    let mut found = None;
    for range in accepts.flat_map(|value| value.split(',')) {
        let mut words = range.split(';').map(str::trim);
        let media = words.next().unwrap_or_default().to_ascii_lowercase();
        if words.any(|word| matches!(word, "q=0" | "q=0.0" | "q=0.00" | "q=0.000")) {
            continue;
        }
        match media.as_str() {
            GRAPHQL_JSON => return Some(GRAPHQL_JSON),
            JSON | "*/*" | "application/*" => found = Some(JSON),
            _ => {}
        }
    }
    found
}

async fn read(headers: &HeaderMap, body: Body) -> Result<(Asked, Bytes), Unanswered> {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case(JSON) {
        let sentence = "Send the request as application/json.";
        return Err(Unanswered::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "BAD_INPUT",
            sentence,
        ));
    }
    let bytes = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|error| {
        match error.is::<http_body_util::LengthLimitError>() {
            true => {
                let sentence = format!("A request has at most {BODY_BYTES_MAX} bytes.");
                Unanswered::new(StatusCode::PAYLOAD_TOO_LARGE, "BAD_INPUT", sentence)
            }
            false => Unanswered::new(StatusCode::BAD_REQUEST, "BAD_INPUT", "The request broke off."),
        }
    })?;
    let bytes = bytes.to_bytes();
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
        Unanswered::new(
            StatusCode::BAD_REQUEST,
            "BAD_INPUT",
            format!("This is not JSON: {error}."),
        )
    })?;
    well_formed(value).map(|asked| (asked, bytes))
}

fn well_formed(value: Value) -> Result<Asked, Unanswered> {
    let malformed = |sentence: String| Unanswered::new(StatusCode::UNPROCESSABLE_ENTITY, "BAD_INPUT", sentence);
    let asked: Asked = serde_json::from_value(value).map_err(|error| {
        malformed(format!(
            "This is not a GraphQL request: {error}. Batches are not taken."
        ))
    })?;
    match &asked.variables {
        None | Some(Value::Object(_) | Value::Null) => Ok(asked),
        Some(_) => Err(malformed("variables is an object.".into())),
    }
}

async fn in_address(parts: &mut axum::http::request::Parts) -> Result<(Asked, Bytes), Unanswered> {
    let bad = |sentence: &str| Unanswered::new(StatusCode::BAD_REQUEST, "BAD_INPUT", sentence);
    let Query(asked) = Query::<AskedInAddress>::from_request_parts(parts, &())
        .await
        .map_err(|_| bad("The address is malformed."))?;
    let variables = asked.variables.filter(|text| !text.is_empty());
    let variables = variables.map(|text| serde_json::from_str(&text)).transpose();
    let value = json!({
        "query": asked.query.ok_or_else(|| bad("Send a query, by POST or in the address."))?,
        "operationName": asked.operation_name.filter(|name| !name.is_empty()),
        "variables": variables.map_err(|_| bad("variables is JSON."))?.unwrap_or(Value::Null),
    });
    well_formed(value).map(|asked| (asked, Bytes::new()))
}

/// What the operation that is to be executed is; `None` when it cannot be told which.
fn operation(document: &ExecutableDocument, name: Option<&str>) -> Option<OperationType> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(operation.node.ty),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name).map(|found| found.node.ty),
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.values();
            let first = all.next().map(|found| found.node.ty);
            if all.next().is_some() { None } else { first }
        }
    }
}

fn rendered(media: &'static str, status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let media = match media {
        GRAPHQL_JSON => "application/graphql-response+json; charset=utf-8",
        _ => "application/json; charset=utf-8",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn unanswered(media: &'static str, refused: Unanswered) -> Response {
    let error = json!({ "errors": [{ "message": refused.message, "extensions": { "code": refused.code } }] });
    let mut response = rendered(media, refused.status, error.to_string().into());
    if let Some(seconds) = refused.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if refused.status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"headwater\"");
        response.headers_mut().insert("www-authenticate", challenge);
    }
    response
}

fn rate_headers(headers: &mut HeaderMap, standing: Standing) {
    for (name, value) in [
        ("ratelimit-limit", standing.limit),
        ("ratelimit-remaining", standing.remaining),
        ("ratelimit-reset", standing.reset_s),
    ] {
        headers.insert(HeaderName::from_static(name), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_media_type_is_heard() {
        for (accept, media) in [
            (
                "application/graphql-response+json, application/json;q=0.9",
                Some(GRAPHQL_JSON),
            ),
            ("application/json", Some(JSON)),
            ("text/html, */*;q=0.1", Some(JSON)),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(negotiate(&headers), media, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), Some(JSON));
    }
}
