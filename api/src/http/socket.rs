//! `/graphql` over a WebSocket: graphql-transport-ws.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_graphql::http::{WebSocket as Protocol, WebSocketProtocols, WsMessage};
use async_graphql::{Data, ErrorExtensionValues, Executor, Request, Response as Answered, ServerError};
use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::header::{SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures::stream::{self, BoxStream};
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::Api;
use super::who::{self, Credentials};
use crate::graphql::document::Documents;
use crate::graphql::{self, Schema};
use crate::op::Caller;

const PROTOCOL: &str = "graphql-transport-ws";
/// Bytes of a message at most.
const MESSAGE_BYTES_MAX: usize = super::graphql::BODY_BYTES_MAX;
/// Bytes that a WebSocket reads at a time: each holds so many for as long as it is open. What is sent goes out at once.
const BUFFER_BYTES: usize = 2 * 1024;
/// Subscriptions and queries under way on one connection at most.
pub const OPERATIONS_MAX: usize = 100;
/// A client that says nothing for so long, not even a ping, is taken for gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Bytes of the reason in a close frame at most (RFC 6455 §5.5 allows 125 with the code).
const REASON_BYTES_MAX: usize = 123;

/// Whether the request is the beginning of a WebSocket.
pub(super) fn wanted(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

pub(super) async fn upgrade(api: Api, parts: &mut Parts, peer: Option<SocketAddr>) -> Response {
    let refuse = |status: StatusCode, sentence: &'static str| (status, sentence).into_response();
    let offered = parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let offered = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    if !offered.map(str::trim).any(|protocol| protocol == PROTOCOL) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "The protocol of the WebSocket is graphql-transport-ws.\n",
        );
    }
    // Browsers send cookies with every WebSocket, whichever page opens it, and always say which one does.
    let urls = &api.services.urls;
    let mut credentials = Credentials::of(&parts.headers, urls.secure());
    if who::same_site(&parts.headers, urls.public_origin()).is_err() {
        credentials.session = None;
    }
    let caller = who::caller(&parts.headers, peer, &api.proxies);
    let Ok(turn) = api.sockets.clone().try_acquire_owned() else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many WebSockets are open. Try again later.\n",
        );
    };
    match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade
            .protocols([PROTOCOL])
            .max_message_size(MESSAGE_BYTES_MAX)
            .max_frame_size(MESSAGE_BYTES_MAX)
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .on_upgrade(move |socket| async move {
                metrics::gauge!("api_sockets").increment(1.0);
                serve(api, socket, credentials, caller).await;
                metrics::gauge!("api_sockets").decrement(1.0);
                drop(turn);
            }),
        Err(refused) => refused.into_response(),
    }
}

async fn serve(api: Api, socket: WebSocket, credentials: Credentials, caller: Caller) {
    let (mut out, incoming) = socket.split();
    let stop = api.stop.clone();
    let under_way = Arc::new(Mutex::new(UnderWay::default()));
    let heard = under_way.clone();
    let texts = incoming
        .take_while(|message| std::future::ready(message.is_ok()))
        .filter_map(async |message| match message.ok()? {
            Message::Text(text) => Some(text.as_bytes().to_vec()),
            Message::Binary(bytes) => Some(bytes.to_vec()),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
        })
        .take_while(move |text| std::future::ready(lock(&heard).hear(text)));
    let executor = Bounded {
        schema: api.schema.clone(),
        documents: api.documents.clone(),
        turns: Arc::new(Semaphore::new(OPERATIONS_MAX)),
    };
    let refused = Arc::new(AtomicBool::new(false));
    let told = refused.clone();
    let begin = move |payload: Value| async move {
        let word = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
        let shown = Credentials {
            bearer: word("authorization").or(credentials.bearer),
            session: credentials.session,
            tenant: word("tenant").or(credentials.tenant),
            environment: word("environment").or(credentials.environment),
        };
        let op = shown
            .operation(&api.services, caller)
            .await
            .inspect_err(|_| told.store(true, Ordering::Relaxed))?;
        let mut data = Data::default();
        data.insert(graphql::loaders(op.clone()));
        data.insert(op);
        Ok(data)
    };
    let protocol = Protocol::new(executor, texts.boxed(), WebSocketProtocols::GraphQLWS)
        .on_connection_init(begin)
        .keepalive_timeout(SILENCE_MAX);
    let mut messages = std::pin::pin!(protocol);
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => Message::Close(Some(CloseFrame {
                code: 1001,
                reason: "the service restarts; connect again".into(),
            })),
            next = messages.next() => match next {
                Some(WsMessage::Text(text)) => {
                    lock(&under_way).say(&text);
                    Message::Text(text.into())
                }
                Some(WsMessage::Close(code, reason)) => closed(code, &reason, refused.load(Ordering::Relaxed)),
                None => match lock(&under_way).twice.take() {
                    Some(id) => closed(4409, &format!("Subscriber for {id} already exists"), false),
                    None => return,
                },
            },
        };
        let last = matches!(message, Message::Close(_));
        if out.send(message).await.is_err() || last {
            return;
        }
    }
}

/// Which operations a connection has under way, by the ids that its client chose: each may be used again once it has ended.
#[derive(Default)]
struct UnderWay {
    ids: HashSet<String>,
    /// An id that was used while its operation was under way.
    twice: Option<String>,
}

/// As much of a message as concerns an operation's life.
#[derive(Deserialize)]
struct Life<'m> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'m, str>,
    id: Option<String>,
}

impl UnderWay {
    /// Notes what a client says. Returns whether to go on.
    fn hear(&mut self, text: &[u8]) -> bool {
        // What is malformed is answered by whoever reads all of it.
        let Ok(Life { kind, id: Some(id) }) = serde_json::from_slice(text) else {
            return true;
        };
        match &*kind {
            "subscribe" => {
                let new = self.ids.insert(id.clone());
                if !new {
                    self.twice = Some(id);
                }
                new
            }
            "complete" => {
                self.ids.remove(&id);
                true
            }
            _ => true,
        }
    }

    /// Notes what a client is told.
    fn say(&mut self, text: &str) {
        // What has data is longer than it is worth to read.
        if !text.starts_with("{\"type\":\"complete\"") && !text.starts_with("{\"type\":\"error\"") {
            return;
        }
        if let Ok(Life { id: Some(id), .. }) = serde_json::from_str(text) {
            self.ids.remove(&id);
        }
    }
}

fn lock(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A close frame with the codes of graphql-transport-ws, which the library does not know all of.
fn closed(code: u16, reason: &str, refused: bool) -> Message {
    let code = match code {
        1002 if refused => 4403,
        1002 => 4400,
        // Operations before the connection was begun.
        1011 => 4401,
        code => code,
    };
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    Message::Close(Some(CloseFrame {
        code,
        reason: reason[..end].into(),
    }))
}

/// The schema with a bound on what one connection has under way.
#[derive(Clone)]
struct Bounded {
    schema: Schema,
    documents: Arc<Documents>,
    turns: Arc<Semaphore>,
}

impl Executor for Bounded {
    async fn execute(&self, request: Request) -> Answered {
        self.schema.execute(request).await
    }

    fn execute_stream(&self, mut request: Request, session_data: Option<Arc<Data>>) -> BoxStream<'static, Answered> {
        match self.documents.read(&request.query) {
            Ok(document) => request.set_parsed_query(document),
            Err(error) => return refused(error.to_string(), error.code()),
        }
        let Ok(turn) = self.turns.clone().try_acquire_owned() else {
            let sentence = format!("A connection has at most {OPERATIONS_MAX} operations under way.");
            return refused(sentence, "BAD_INPUT");
        };
        let answers = Executor::execute_stream(&self.schema, request, session_data);
        answers
            .map(move |mut answer| {
                let _held = &turn;
                graphql::document::mark_input(&mut answer.errors);
                answer
            })
            .boxed()
    }
}

/// An answer that says why there is none.
fn refused(sentence: String, code: &str) -> BoxStream<'static, Answered> {
    let mut error = ServerError::new(sentence, None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    error.extensions = Some(extensions);
    stream::once(std::future::ready(Answered::from_errors(vec![error]))).boxed()
}
