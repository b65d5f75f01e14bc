//! Subscriptions over real WebSockets: graphql-transport-ws as a client meets it, on a real PostgreSQL.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::{SinkExt as _, StreamExt as _};
use headwater_api::http::OPERATIONS_MAX;
use headwater_tests::front::{Caller, Front};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::task::AbortOnDropHandle;

type Outcome = anyhow::Result<()>;

/// Longest that a message which is due may take.
const DUE: Duration = Duration::from_secs(20);
const PROTOCOL: &str = "graphql-transport-ws";
const WATCH: &str = "subscription($id: ID!) { channelUpdated(id: $id) { title version } }";
const RENAME: &str = "mutation($input: ChannelUpdateInput!) { channelUpdate(input: $input) { channel { version } userErrors { code } } }";

/// The api's router behind a real socket.
struct Listening {
    front: Front,
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

/// What came over a WebSocket.
#[derive(Debug, PartialEq)]
enum Came {
    Message(Value),
    Closed(u16, String),
}

struct Socket(WebSocketStream<TcpStream>);

impl Listening {
    async fn fresh() -> anyhow::Result<Self> {
        let front = Front::fresh().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let service = front.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, service).await;
        });
        Ok(Self {
            front,
            address,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// Opens a WebSocket with these header fields.
    async fn open(&self, headers: &[(&str, &str)]) -> Result<Socket, Error> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request()?;
        for (name, value) in headers {
            let name = tokio_tungstenite::tungstenite::http::HeaderName::from_bytes(name.as_bytes())?;
            request.headers_mut().insert(name, HeaderValue::from_str(value)?);
        }
        let stream = TcpStream::connect(self.address).await?;
        let (socket, answer) = tokio_tungstenite::client_async(request, stream).await?;
        assert_eq!(
            answer
                .headers()
                .get("sec-websocket-protocol")
                .map(HeaderValue::as_bytes),
            Some(PROTOCOL.as_bytes())
        );
        Ok(Socket(socket))
    }

    /// As a program with this token, begun.
    async fn program(&self, token: &str) -> anyhow::Result<Socket> {
        let mut socket = self.open(&[("sec-websocket-protocol", PROTOCOL)]).await?;
        socket
            .send(json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } }))
            .await?;
        assert_eq!(socket.next().await?, Came::Message(json!({ "type": "connection_ack" })));
        Ok(socket)
    }
}

impl Socket {
    async fn send(&mut self, message: Value) -> anyhow::Result<()> {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .context("the socket is closed")
    }

    async fn subscribe(&mut self, id: &str, query: &str, variables: Value) -> anyhow::Result<()> {
        self.send(json!({ "id": id, "type": "subscribe", "payload": { "query": query, "variables": variables } }))
            .await
    }

    async fn next(&mut self) -> anyhow::Result<Came> {
        loop {
            let message = tokio::time::timeout(DUE, self.0.next()).await.context("nothing came")?;
            match message.context("the connection broke off")?? {
                Message::Text(text) => return Ok(Came::Message(serde_json::from_str(&text)?)),
                Message::Close(frame) => {
                    let frame = frame.context("a close without a code")?;
                    return Ok(Came::Closed(frame.code.into(), frame.reason.to_string()));
                }
                _ => {}
            }
        }
    }

    /// The next message, which must be one of an operation.
    async fn answer(&mut self) -> anyhow::Result<Value> {
        match self.next().await? {
            Came::Message(message) => Ok(message),
            closed => bail!("{closed:?}"),
        }
    }

    /// Asks for a pong, which must be the very next message: nothing else was under way.
    async fn is_quiet(&mut self) -> Outcome {
        self.send(json!({ "type": "ping", "payload": { "n": 1 } })).await?;
        assert_eq!(self.answer().await?["type"], "pong");
        Ok(())
    }

    async fn closed(&mut self) -> anyhow::Result<(u16, String)> {
        loop {
            if let Came::Closed(code, reason) = self.next().await? {
                return Ok((code, reason));
            }
        }
    }
}

/// A token that may do what `actions` say.
async fn token(caller: &Caller, actions: &[&str]) -> anyhow::Result<(String, String)> {
    let made = caller
        .ask(
            "mutation($input: ApiTokenCreateInput!) { apiTokenCreate(input: $input) { apiToken { id } secret } }",
            json!({ "input": { "name": "tests", "environment": "LIVE", "actions": actions } }),
        )
        .await?;
    Ok((
        made.text("/apiTokenCreate/apiToken/id")?,
        made.text("/apiTokenCreate/secret")?,
    ))
}

async fn channel(caller: &Caller, title: &str) -> anyhow::Result<String> {
    let create = "mutation($input: ChannelCreateInput!) { channelCreate(input: $input) { channel { id } } }";
    let made = caller.ask(create, json!({ "input": { "title": title } })).await?;
    made.text("/channelCreate/channel/id")
}

async fn rename(caller: &Caller, id: &str, version: i64, title: &str) -> Outcome {
    let input = json!({ "id": id, "expectedVersion": version, "title": title });
    let changed = caller.ask(RENAME, json!({ "input": input })).await?;
    changed.data("/channelUpdate/channel/version").map(drop)
}

#[tokio::test]
async fn a_subscription_tells_each_change_until_it_is_stopped() -> Outcome {
    let listening = Listening::fresh().await?;
    let (ada, _) = listening.front.sign_up("Ada").await?;
    let id = channel(&ada, "Town hall").await?;
    let (_, secret) = token(&ada, &["CHANNEL_READ"]).await?;
    let mut socket = listening.program(&secret).await?;
    let told = |operation: &str, title: &str, version: i64| {
        let payload = json!({ "data": { "channelUpdated": { "title": title, "version": version } } });
        json!({ "id": operation, "type": "next", "payload": payload })
    };
    socket.subscribe("one", WATCH, json!({ "id": id })).await?;
    assert_eq!(socket.answer().await?, told("one", "Town hall", 1), "as it is now");
    rename(&ada, &id, 1, "Town hall, evening").await?;
    assert_eq!(socket.answer().await?, told("one", "Town hall, evening", 2));

    // A second operation beside it, then each for itself; queries are answered over the same connection.
    socket.subscribe("two", WATCH, json!({ "id": id })).await?;
    assert_eq!(socket.answer().await?, told("two", "Town hall, evening", 2));
    socket.send(json!({ "id": "one", "type": "complete" })).await?;
    assert_eq!(socket.answer().await?, json!({ "id": "one", "type": "complete" }));
    rename(&ada, &id, 2, "Town hall, night").await?;
    assert_eq!(socket.answer().await?, told("two", "Town hall, night", 3));
    socket.is_quiet().await?;
    socket
        .subscribe("ask", "{ channels { totalCount } }", json!({}))
        .await?;
    let answer = json!({ "data": { "channels": { "totalCount": 1 } } });
    assert_eq!(
        socket.answer().await?,
        json!({ "id": "ask", "type": "next", "payload": answer })
    );
    assert_eq!(socket.answer().await?, json!({ "id": "ask", "type": "complete" }));

    // What it is about is deleted: it ends.
    let delete = "mutation($id: ID!) { channelDelete(input: { id: $id }) { deletedId } }";
    ada.ask(delete, json!({ "id": id }))
        .await?
        .data("/channelDelete/deletedId")?;
    assert_eq!(socket.answer().await?, json!({ "id": "two", "type": "complete" }));
    Ok(())
}

#[tokio::test]
async fn nobody_hears_of_a_neighbour_or_after_their_token_has_ended() -> Outcome {
    let listening = Listening::fresh().await?;
    let (ada, _) = listening.front.sign_up("Ada").await?;
    let (eve, _) = listening.front.sign_up("Eve").await?;
    let id = channel(&ada, "Town hall").await?;
    let own = channel(&eve, "Eve's own").await?;
    let (token_id, secret) = token(&eve, &["CHANNEL_READ"]).await?;
    let mut socket = listening.program(&secret).await?;
    socket.subscribe("theirs", WATCH, json!({ "id": id })).await?;
    let refused = socket.answer().await?;
    assert_eq!(
        refused["payload"]["errors"][0]["message"], "There is no such channel.",
        "{refused}"
    );
    assert!(refused["payload"]["data"]["channelUpdated"].is_null(), "{refused}");
    assert_eq!(socket.answer().await?, json!({ "id": "theirs", "type": "complete" }));

    socket
        .subscribe("all", "subscription { channelsUpdated { title } }", json!({}))
        .await?;
    socket.is_quiet().await?;
    rename(&ada, &id, 1, "Not for Eve").await?;
    rename(&eve, &own, 1, "For Eve").await?;
    assert_eq!(
        socket.answer().await?["payload"]["data"]["channelsUpdated"]["title"],
        "For Eve"
    );

    let revoke = "mutation($id: ID!) { apiTokenRevoke(input: { id: $id }) { apiToken { id } } }";
    eve.ask(revoke, json!({ "id": token_id }))
        .await?
        .data("/apiTokenRevoke/apiToken/id")?;
    rename(&eve, &own, 2, "After the end").await?;
    let last = socket.answer().await?;
    assert_eq!(
        last["payload"]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
        "{last}"
    );
    assert!(!last.to_string().contains("After the end"));
    assert_eq!(socket.answer().await?, json!({ "id": "all", "type": "complete" }));
    Ok(())
}

#[tokio::test]
async fn cookies_count_on_pages_of_our_own_alone() -> Outcome {
    let listening = Listening::fresh().await?;
    let (ada, tenant) = listening.front.sign_up("Ada").await?;
    let (_, cookie) = ada
        .headers
        .iter()
        .find(|(name, _)| name == "cookie")
        .context("a cookie")?;
    let own = format!("http://{}", listening.address);
    for (origin, signed_in) in [(own.as_str(), true), ("https://evil.example", false), ("null", false)] {
        let headers = [
            ("sec-websocket-protocol", PROTOCOL),
            ("cookie", cookie),
            ("origin", origin),
        ];
        let mut socket = listening.open(&headers).await?;
        socket
            .send(json!({ "type": "connection_init", "payload": { "tenant": tenant } }))
            .await?;
        assert_eq!(socket.answer().await?["type"], "connection_ack");
        socket.subscribe("who", "{ me { name } }", json!({})).await?;
        let answer = socket.answer().await?;
        let name = &answer["payload"]["data"]["me"]["name"];
        assert_eq!(name == "Ada", signed_in, "{origin}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() -> Outcome {
    let listening = Listening::fresh().await?;
    for offered in ["graphql-ws", ""] {
        let headers: &[_] = if offered.is_empty() {
            &[]
        } else {
            &[("sec-websocket-protocol", offered)]
        };
        match listening.open(headers).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status().as_u16(), 400, "{offered:?}"),
            Err(other) => bail!("{offered:?}: {other}"),
            Ok(_) => bail!("{offered:?} was taken"),
        }
    }
    let init = json!({ "type": "connection_init" });
    let unknown = json!({ "type": "connection_init", "payload": { "authorization": "Bearer hw_live_nobody" } });
    let long = json!({ "type": "x".repeat(4_000) });
    let query = json!({ "id": "1", "type": "subscribe", "payload": { "query": "{ me { id } }" } });
    for (messages, code) in [
        (vec![query], 4401),
        (vec![unknown], 4403),
        (vec![init.clone(), init], 4429),
        (vec![long], 4400),
    ] {
        let mut socket = listening.open(&[("sec-websocket-protocol", PROTOCOL)]).await?;
        for message in &messages {
            socket.send(message.clone()).await?;
        }
        let (closed, reason) = socket.closed().await?;
        assert_eq!(closed, code, "{reason}: {messages:?}");
        assert!(!reason.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn an_id_is_used_again_once_its_operation_has_ended() -> Outcome {
    let listening = Listening::fresh().await?;
    let (ada, _) = listening.front.sign_up("Ada").await?;
    let id = channel(&ada, "Town hall").await?;
    let (_, secret) = token(&ada, &["CHANNEL_READ"]).await?;
    let mut socket = listening.program(&secret).await?;
    // Twice by itself, twice by its client.
    for _ in 0..2 {
        socket
            .subscribe("ask", "{ channels { totalCount } }", json!({}))
            .await?;
        assert_eq!(socket.answer().await?["type"], "next");
        assert_eq!(socket.answer().await?, json!({ "id": "ask", "type": "complete" }));
        socket.subscribe("watch", WATCH, json!({ "id": id })).await?;
        assert_eq!(socket.answer().await?["type"], "next");
        socket.send(json!({ "id": "watch", "type": "complete" })).await?;
        assert_eq!(socket.answer().await?, json!({ "id": "watch", "type": "complete" }));
    }
    socket.subscribe("watch", WATCH, json!({ "id": id })).await?;
    assert_eq!(socket.answer().await?["type"], "next");
    socket.subscribe("watch", WATCH, json!({ "id": id })).await?;
    assert_eq!(
        socket.closed().await?,
        (4409, "Subscriber for watch already exists".into())
    );
    Ok(())
}

#[tokio::test]
async fn a_connection_has_so_many_operations_and_no_more() -> Outcome {
    let listening = Listening::fresh().await?;
    let (ada, _) = listening.front.sign_up("Ada").await?;
    let id = channel(&ada, "Town hall").await?;
    let (_, secret) = token(&ada, &["CHANNEL_READ"]).await?;
    let mut socket = listening.program(&secret).await?;
    for number in 0..OPERATIONS_MAX {
        socket
            .subscribe(&number.to_string(), WATCH, json!({ "id": id }))
            .await?;
        assert_eq!(
            socket.answer().await?["payload"]["data"]["channelUpdated"]["version"],
            1
        );
    }
    socket.subscribe("over", WATCH, json!({ "id": id })).await?;
    let refused = socket.answer().await?;
    assert_eq!(refused["id"], "over");
    assert!(
        refused["payload"]["errors"][0]["message"]
            .as_str()
            .is_some_and(|text| text.contains("at most 100")),
        "{refused}"
    );
    assert_eq!(socket.answer().await?, json!({ "id": "over", "type": "complete" }));
    // One that ends makes room for another.
    socket.send(json!({ "id": "0", "type": "complete" })).await?;
    assert_eq!(socket.answer().await?, json!({ "id": "0", "type": "complete" }));
    socket.subscribe("again", WATCH, json!({ "id": id })).await?;
    assert_eq!(
        socket.answer().await?["payload"]["data"]["channelUpdated"]["version"],
        1
    );
    Ok(())
}
