//! Thousands of open subscriptions: what each takes, and how long one event is on its way to all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::{SinkExt as _, StreamExt as _};
use headwater_platform::Secret;
use headwater_platform::hints::MemoryHints;
use headwater_tests::dev::Dev;
use headwater_tests::front::{Caller, Front};
use headwater_tests::proc::own_mib;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

const SUBSCRIPTIONS: usize = 2_000;
const ROUNDS: usize = 10;
/// Longest that an event may take to anybody.
const LIMIT: Duration = Duration::from_secs(60);
const WATCH: &str = "subscription($id: ID!) { channelUpdated(id: $id) { id title state version } }";
const RENAME: &str = "mutation($input: ChannelUpdateInput!) { channelUpdate(input: $input) { channel { version } } }";

type Socket = WebSocketStream<TcpStream>;

/// Prints one table.
pub async fn run() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&[], &[("HEADWATER_LOG", "warn")]).await?;
    let front = Front::beside(&Secret::new(&dev.running.database_url), Arc::new(MemoryHints::new()))?;
    let (owner, _) = front.sign_up("Ada").await?;
    let channel = owner.channel("Stage").await?;
    let host = dev.running.api_url.strip_prefix("http://").context("http")?.to_owned();
    // The first ones pay for what all share.
    let mut sockets = open(&host, &owner, &channel, 20).await?;
    let before = own_mib(dev.pid()?);
    sockets.extend(open(&host, &owner, &channel, SUBSCRIPTIONS).await?);
    let open_mib = own_mib(dev.pid()?);
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (to_first, to_last, still) = event(&owner, &channel, round, sockets).await?;
        sockets = still;
        first.push(to_first);
        last.push(to_last);
    }
    let told_mib = own_mib(dev.pid()?);
    first.sort_by(f64::total_cmp);
    last.sort_by(f64::total_cmp);
    let each_kib = |mib: f64| (mib - before) * 1024.0 / SUBSCRIPTIONS as f64;
    println!("### {SUBSCRIPTIONS} open subscriptions\n");
    println!(
        "One WebSocket and one channelUpdated of the same channel each; {ROUNDS} events. Clients on the same cores.\n"
    );
    println!("| what | |\n|---|---|");
    println!(
        "| memory of the api per subscription, opened | {:.1} KiB |",
        each_kib(open_mib)
    );
    println!("| the same after {ROUNDS} events | {:.1} KiB |", each_kib(told_mib));
    println!(
        "| asking for the change to its arrival at the first, median | {:.0} ms |",
        first[ROUNDS / 2]
    );
    println!(
        "| asking for the change to its arrival at the last, median | {:.0} ms |",
        last[ROUNDS / 2]
    );
    println!("| the same, worst | {:.0} ms |\n", last[ROUNDS - 1]);
    drop(sockets);
    dev.stop().await?;
    Ok(())
}

/// Opens subscriptions and takes the first answer of each.
async fn open(host: &str, caller: &Caller, channel: &str, many: usize) -> anyhow::Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(many);
    for _ in 0..many {
        let mut request = format!("ws://{host}/graphql").into_client_request()?;
        for (name, value) in &caller.headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse()?;
            request.headers_mut().insert(name, value.parse()?);
        }
        let protocol = "graphql-transport-ws".parse()?;
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(0);
        let tcp = TcpStream::connect(host).await?;
        let (mut socket, _) = tokio_tungstenite::client_async_with_config(request, tcp, Some(config)).await?;
        send(&mut socket, json!({ "type": "connection_init" })).await?;
        let told = next(&mut socket).await?;
        ensure!(told["type"] == "connection_ack", "{told}");
        let payload = json!({ "query": WATCH, "variables": { "id": channel } });
        send(
            &mut socket,
            json!({ "id": "1", "type": "subscribe", "payload": payload }),
        )
        .await?;
        let told = next(&mut socket).await?;
        ensure!(told["type"] == "next", "{told}");
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Changes the channel. Returns the milliseconds until the first and until the last has heard of it.
async fn event(
    owner: &Caller,
    channel: &str,
    round: usize,
    sockets: Vec<Socket>,
) -> anyhow::Result<(f64, f64, Vec<Socket>)> {
    let title = format!("Stage {round}");
    let begun = Instant::now();
    let hearing: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            let wanted = title.clone();
            tokio::spawn(async move {
                loop {
                    let told = tokio::time::timeout(LIMIT, next(&mut socket)).await??;
                    if told["payload"]["data"]["channelUpdated"]["title"] == wanted.as_str() {
                        return anyhow::Ok((begun.elapsed().as_secs_f64() * 1e3, socket));
                    }
                    ensure!(told["payload"]["errors"].is_null(), "{told}");
                }
            })
        })
        .collect();
    let input = json!({ "id": channel, "expectedVersion": round + 1, "title": title });
    owner
        .ask(RENAME, json!({ "input": input }))
        .await?
        .data("/channelUpdate/channel/version")?;
    let mut still = Vec::with_capacity(hearing.len());
    let (mut first, mut last) = (f64::MAX, 0f64);
    for heard in hearing {
        let (ms, socket) = heard.await??;
        (first, last) = (first.min(ms), last.max(ms));
        still.push(socket);
    }
    Ok((first, last, still))
}

async fn send(socket: &mut Socket, message: Value) -> anyhow::Result<()> {
    socket.send(Message::text(message.to_string())).await?;
    Ok(())
}

/// The next message; pings of the server are answered.
async fn next(socket: &mut Socket) -> anyhow::Result<Value> {
    loop {
        match socket.next().await.context("closed")?? {
            Message::Text(text) => {
                let told: Value = serde_json::from_str(&text)?;
                if told["type"] == "ping" {
                    send(socket, json!({ "type": "pong" })).await?;
                    continue;
                }
                return Ok(told);
            }
            Message::Ping(_) => socket.send(Message::Pong(Default::default())).await?,
            other => anyhow::bail!("{other:?}"),
        }
    }
}
