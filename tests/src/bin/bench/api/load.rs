//! The mix of requests, asked of the api and of the bare handler alike.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::wire::Wire;

/// What is asked: of twenty requests eight for a list, nine for one channel, two that change one and one that makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    List,
    One,
    Update,
    Create,
}

/// All of them.
pub const KINDS: [Kind; 4] = [Kind::List, Kind::One, Kind::Update, Kind::Create];

/// The order in which each connection asks, each from another place of it.
const MIX: [Kind; 20] = {
    use Kind::*;
    [
        List, One, One, List, Update, One, List, One, List, One, List, One, Update, List, One, List, One, Create, List,
        One,
    ]
};

const LIST: &str = "{ channels(first: 25) { nodes { id title reference state latencyMode reconnectWindowS createdAt updatedAt } \
    pageInfo { hasNextPage endCursor } } }";
const ONE: &str = "query($id: ID!) { channel(id: $id) { id title reference metadata state version latencyMode \
    ladder { kind passthrough } bitrateMaxBps createdAt playbackIds { id urls { hls } } \
    streamKeys(first: 10) { nodes { id label hint state } } broadcast { id } } }";
const UPDATE: &str = "mutation($input: ChannelUpdateInput!) { channelUpdate(input: $input) { channel { id title version } \
    userErrors { code message } } }";
const CREATE: &str = "mutation($input: ChannelCreateInput!) { channelCreate(input: $input) { channel { id title } \
    streamKeySecret userErrors { code message } } }";

/// Whom a connection asks, and as whom.
#[derive(Clone)]
pub enum Target {
    /// The api, with these header lines.
    Api(String),
    /// The bare handler.
    Bare,
}

/// One connection's work.
#[derive(Clone)]
pub struct Work {
    pub target: Target,
    pub tenant: String,
    /// A channel that nobody else changes.
    pub channel: String,
    /// Of the channel.
    pub version: i64,
    pub number: usize,
}

/// What one connection had.
#[derive(Default)]
pub struct Had {
    pub version: i64,
    /// Kind and milliseconds of each request.
    pub took: Vec<(Kind, f64)>,
}

/// Asks until `end`; `only` narrows the mix to one kind.
pub async fn ask(host: String, mut work: Work, only: Option<Kind>, end: Instant) -> anyhow::Result<Had> {
    let mut wire = Wire::connect(&host).await?;
    let mut had = Had::default();
    let mut turn = work.number * 7;
    while Instant::now() < end {
        let kind = only.unwrap_or(MIX[turn % MIX.len()]);
        turn += 1;
        let begun = Instant::now();
        once(&mut wire, &mut work, kind, turn)
            .await
            .with_context(|| format!("{kind:?}"))?;
        had.took.push((kind, begun.elapsed().as_secs_f64() * 1e3));
    }
    had.version = work.version;
    Ok(had)
}

async fn once(wire: &mut Wire, work: &mut Work, kind: Kind, turn: usize) -> anyhow::Result<()> {
    let title = format!("Stage {} of {}", turn, work.number);
    let Target::Api(headers) = &work.target else {
        let path = match kind {
            Kind::List => "/list",
            Kind::One => "/one",
            Kind::Update => "/update",
            Kind::Create => "/create",
        };
        let body = json!({ "tenant": work.tenant, "channel": work.channel, "title": title }).to_string();
        let answer = wire.post(path, "", &body).await?;
        if kind == Kind::Update {
            work.version = serde_json::from_slice::<Value>(answer)?["version"]
                .as_i64()
                .context("no version")?;
        }
        return Ok(());
    };
    let (query, variables) = match kind {
        Kind::List => (LIST, json!({})),
        Kind::One => (ONE, json!({ "id": work.channel })),
        Kind::Update => {
            let input = json!({ "id": work.channel, "expectedVersion": work.version, "title": title });
            (UPDATE, json!({ "input": input }))
        }
        Kind::Create => (CREATE, json!({ "input": { "title": title } })),
    };
    let body = json!({ "query": query, "variables": variables }).to_string();
    let keyed;
    let headers = match kind {
        Kind::List | Kind::One => headers.as_str(),
        Kind::Update | Kind::Create => {
            keyed = format!("{headers}Idempotency-Key: {}-{turn}-{}\r\n", work.number, nanos());
            keyed.as_str()
        }
    };
    let answer = wire.post("/graphql", headers, &body).await?;
    let fine = !has(answer, b"\"errors\":") && (has(answer, b"\"userErrors\":[]") || !has(answer, b"\"userErrors\""));
    ensure!(fine, "{}", String::from_utf8_lossy(answer));
    if kind == Kind::Update {
        let answer: Value = serde_json::from_slice(answer)?;
        let version = answer.pointer("/data/channelUpdate/channel/version");
        work.version = version.and_then(Value::as_i64).context("no version")?;
    }
    Ok(())
}

/// A number that no earlier run had.
fn nanos() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or(Duration::ZERO).as_nanos()
}

fn has(answer: &[u8], what: &[u8]) -> bool {
    answer.windows(what.len()).any(|window| window == what)
}
