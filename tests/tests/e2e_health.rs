//! How a broadcast does, as its tenant is told: real publishers through all roles, followed by a GraphQL subscription.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_graphql::{Request, Response, Variables};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt as _};
use headwater_api::access::{Environment, Role};
use headwater_api::graphql;
use headwater_api::op::{Actor, Caller as From, Op, Place};
use headwater_tests::chain::{Chain, Channel, Setup, until};
use headwater_tests::encoder::Source;
use headwater_tests::front::{Caller, Front};
use headwater_tests::http;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

/// Longest that a word which is due may take.
const DUE: Duration = Duration::from_secs(40);
const FOLLOW: &str = "subscription($id: ID!) { broadcastHealth(id: $id) {
    status issues { code severity message advice docsUrl since }
    latest { at videoBitrateBps audioBitrateBps framerate keyframeIntervalMs avOffsetMs droppedFrames latencyMs rttMs } } }";

/// Somebody signed in, as subscriptions know them.
async fn op(front: &Front, caller: &Caller, tenant: &str) -> anyhow::Result<Op> {
    let me = caller.ask("{ me { id sessions { nodes { id } } } }", json!({})).await?;
    let actor = Actor::User {
        user_id: me.text("/me/id")?.parse()?,
        session_id: me.text("/me/sessions/nodes/0/id")?.parse()?,
        name: "Somebody".into(),
    };
    let place = Place {
        tenant_id: tenant.parse()?,
        environment: Environment::Live,
        role: Some(Role::Owner),
    };
    Ok(Op::new(front.services.clone(), actor, Some(place), From::default()))
}

/// What a subscription says.
struct Following(Pin<Box<dyn Stream<Item = Response> + Send>>);

impl Following {
    fn new(op: &Op, id: &str) -> Self {
        let variables = Variables::from_json(json!({ "id": id }));
        let loaders = graphql::loaders(op.clone());
        let request = Request::new(FOLLOW).variables(variables).data(loaders).data(op.clone());
        Self(Box::pin(graphql::schema().execute_stream(request)))
    }

    /// The next word; `None` at the end.
    async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let next = tokio::time::timeout(DUE, self.0.next())
            .await
            .context("nothing is said")?;
        let Some(response) = next else { return Ok(None) };
        if !response.errors.is_empty() {
            bail!("{:?}", response.errors);
        }
        Ok(Some(response.data.into_json()?["broadcastHealth"].take()))
    }

    /// The first word that holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let found = async {
            loop {
                match self.next().await? {
                    Some(word) if holds(&word) => return Ok(word),
                    Some(_) => {}
                    None => bail!("it ended before {what}"),
                }
            }
        };
        tokio::time::timeout(DUE, found)
            .await
            .with_context(|| format!("never: {what}"))?
    }
}

fn issue<'w>(word: &'w Value, code: &str) -> Option<&'w Value> {
    let issues = word["issues"].as_array()?;
    issues.iter().find(|issue| issue["code"] == code)
}

fn at(word: &Value) -> anyhow::Result<DateTime<Utc>> {
    let text = word["latest"]["at"].as_str().context("no sample")?;
    Ok(text.parse()?)
}

async fn channel(caller: &Caller) -> anyhow::Result<Channel> {
    let asked = "mutation { channelCreate(input: { title: \"Town hall\", ladder: { kind: SOURCE } }) {
        channel { id playbackIds { id } } streamKeySecret userErrors { message } } }";
    let made = caller.ask(asked, json!({})).await?;
    Ok(Channel::of(
        made.text("/channelCreate/channel/id")?,
        made.text("/channelCreate/channel/playbackIds/0/id")?,
        made.text("/channelCreate/streamKeySecret")?,
    ))
}

async fn on_air(caller: &Caller, channel: &Channel) -> anyhow::Result<String> {
    let asked = "query($id: ID!) { channel(id: $id) { broadcast { id } } }";
    until("it is on air", async || {
        let answer = caller.ask(asked, json!({ "id": channel.channel_id })).await.ok()?;
        answer.text("/channel/broadcast/id").ok()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_gop_without_sound_is_told_to_its_tenant_alone_and_goes_when_mended() -> Outcome {
    let mut chain = Chain::start(Setup::default()).await?;
    let front = chain.front()?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let (neighbour, next_door) = front.sign_up("Neighbour").await?;
    let hall = channel(&ada).await?;
    let source = Source {
        gop: 300,
        audio: false,
        ..Source::default()
    };
    let encoder = source.push(&chain.push_url(&hall))?;
    let broadcast = on_air(&ada, &hall).await?;
    let mut following = Following::new(&op(&front, &ada, &tenant).await?, &broadcast);
    let steady = |word: &Value| {
        word["latest"]["framerate"]
            .as_f64()
            .is_some_and(|fps| (29.0..31.0).contains(&fps))
    };
    let first = following.until("thirty pictures a second", steady).await?;
    let second = following
        .until("the next sample", |word| at(word).ok() > at(&first).ok())
        .await?;
    let apart = at(&second)? - at(&first)?;
    assert!(
        (700..4_000).contains(&apart.num_milliseconds()),
        "samples are {apart} apart"
    );
    let latest = &second["latest"];
    assert!(
        latest["videoBitrateBps"].as_i64().is_some_and(|bps| bps > 100_000),
        "{latest}"
    );
    assert_eq!(latest["audioBitrateBps"], Value::Null, "{latest}");
    let round_trip_ms = latest["rttMs"].as_i64().context("a round trip is known")?;
    assert!((0..1_000).contains(&round_trip_ms), "{latest} on loopback");

    let both = |word: &Value| issue(word, "GOP_LONG").is_some() && issue(word, "AUDIO_MISSING").is_some();
    let told = following.until("both issues", both).await?;
    assert_eq!(told["status"], "DEGRADED", "{told}");
    let long = issue(&told, "GOP_LONG").context("it is there")?;
    assert_eq!(long["severity"], "WARNING");
    assert_eq!(long["docsUrl"], "http://127.0.0.1:8080/docs/stream-health#gop_long");
    assert!(
        long["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("2 seconds")),
        "{long}"
    );
    let since: DateTime<Utc> = long["since"].as_str().context("a moment")?.parse()?;
    assert!(since <= at(&told)?);
    following
        .until("how long a part takes", |word| word["latest"]["latencyMs"].is_i64())
        .await?;

    until("it is told as an event", async || {
        let asked = "{ webhookEvents(last: 20) { nodes { type data } } }";
        let told = ada.ask(asked, json!({})).await.ok()?.body;
        let nodes = told.pointer("/data/webhookEvents/nodes")?.as_array()?;
        let changed = nodes.iter().filter(|event| event["type"] == "BROADCAST_HEALTH_CHANGED");
        let mut issues = changed.filter_map(|event| event["data"]["issues"].as_array());
        issues
            .any(|issues| issues.iter().any(|issue| issue["code"] == "GOP_LONG"))
            .then_some(())
    })
    .await?;

    // A question finds the same, with what came before; the neighbour finds nothing, and hears nothing.
    let asked = "query($id: ID!) { broadcast(id: $id) { health { status issues { code } samples(first: 5) { at } } } }";
    let answer = ada.ask(asked, json!({ "id": broadcast })).await?;
    assert_eq!(answer.text("/broadcast/health/status")?, "DEGRADED");
    let samples = answer.data("/broadcast/health/samples")?.as_array().map_or(0, Vec::len);
    assert_eq!(samples, 5);
    let foreign = neighbour.ask(asked, json!({ "id": broadcast })).await?;
    assert!(foreign.body["data"]["broadcast"].is_null(), "{}", foreign.body);
    let heard = Following::new(&op(&front, &neighbour, &next_door).await?, &broadcast)
        .next()
        .await;
    assert!(heard.is_err(), "{heard:?}");

    // Without Redis the broadcast goes on and nothing is told; with it, it is told again.
    chain.redis.stop()?;
    let mut encoder = encoder;
    encoder.sends(60).await?;
    let playing = http::get(&chain.play(&hall.playback_id, "main.m3u8")).await?;
    assert_eq!(playing.status, 200);
    chain.redis.start_again().await?;
    let back = Utc::now();
    following
        .until("a sample after the outage", |word| at(word).is_ok_and(|at| at > back))
        .await?;

    // The encoder is told to do better, and comes back within its window.
    encoder.cut().await?;
    let better = Source {
        gop: 60,
        ..Source::default()
    };
    let encoder = better.push(&chain.push_url(&hall))?;
    let mended = |word: &Value| {
        issue(word, "GOP_LONG").is_none()
            && word["status"] == "GOOD"
            && word["latest"]["keyframeIntervalMs"]
                .as_i64()
                .is_some_and(|ms| (1_900..2_100).contains(&ms))
            && word["latest"]["avOffsetMs"].as_i64().is_some_and(|ms| ms.abs() < 400)
    };
    following.until("all is well", mended).await?;
    encoder.stop().await?;
    while following.next().await?.is_some() {}
    chain.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_starving_publisher_is_told_and_recovers_while_it_is_on_air() -> Outcome {
    let chain = Chain::start(Setup::default()).await?;
    let front = chain.front()?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let hall = channel(&ada).await?;
    let encoder = Source::default().push(&chain.push_url(&hall))?;
    let broadcast = on_air(&ada, &hall).await?;
    let mut following = Following::new(&op(&front, &ada, &tenant).await?, &broadcast);
    following.until("all is well", |word| word["status"] == "GOOD").await?;
    encoder.freeze().await?;
    let told = following
        .until("it starves", |word| issue(word, "STARVED").is_some())
        .await?;
    assert_eq!(told["status"], "BAD", "{told}");
    encoder.thaw().await?;
    let well = following
        .until("it has recovered", |word| issue(word, "STARVED").is_none())
        .await?;
    assert!(
        well["latest"]["videoBitrateBps"].as_i64().is_some_and(|bps| bps > 0),
        "{well}"
    );

    // Another that never keeps up: six tenths of the speed.
    encoder.cut().await?;
    let slow = Source {
        speed: "0.6",
        ..Source::default()
    };
    let slow = slow.push(&chain.push_url(&hall))?;
    let told = following
        .until("it starves", |word| issue(word, "STARVED").is_some())
        .await?;
    let message = issue(&told, "STARVED").context("it is there")?["message"].to_string();
    let per_cent: i64 = message
        .split(' ')
        .find_map(|word| word.parse().ok())
        .context("a share")?;
    assert!((30..90).contains(&per_cent), "{message}");
    slow.stop().await?;
    while following.next().await?.is_some() {}
    chain.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_sees_what_is_made_and_who_watches_and_ends_the_broadcast() -> Outcome {
    let chain = Chain::start(Setup::default()).await?;
    let front = chain.front()?;
    let (ada, _) = front.sign_up("Ada").await?;
    let (neighbour, _) = front.sign_up("Neighbour").await?;
    let hall = channel(&ada).await?;
    let encoder = Source::default().push(&chain.push_url(&hall))?;
    let broadcast = on_air(&ada, &hall).await?;
    let asked = "query($id: ID!) { broadcast(id: $id) { lifecycle workerClass viewers renditions { name state }
        channel { state streamKeys { nodes { inUse } } } asset { state } } }";
    let seen = async || ada.ask(asked, json!({ "id": broadcast })).await.ok();
    until("it is on air and told of", async || {
        let answer = seen().await?;
        let made = answer.data("/broadcast/renditions").ok()?.as_array()?.clone();
        let all = !made.is_empty() && made.iter().all(|rendition| rendition["state"] == "PRODUCING");
        let live = answer.text("/broadcast/lifecycle").ok()? == "LIVE";
        (all && live && answer.text("/broadcast/workerClass").ok()? == "PASSTHROUGH").then_some(())
    })
    .await?;
    let answer = seen().await.context("an answer")?;
    assert_eq!(answer.text("/broadcast/channel/state")?, "LIVE");
    assert_eq!(answer.data("/broadcast/channel/streamKeys/nodes/0/inUse")?, true);
    assert_eq!(answer.data("/broadcast/viewers")?, 0);
    let events = ada
        .ask("{ webhookEvents(first: 100) { nodes { type } } }", json!({}))
        .await?;
    let told = events.body.to_string();
    let (connected, active) = (told.find("BROADCAST_CONNECTED"), told.find("BROADCAST_ACTIVE"));
    assert!(connected.is_some() && connected < active, "{told}");

    // A player asks for a list of segments: one watches, however often it asks.
    let lists = headwater_tests::hls::media_playlists(&chain.play(&hall.playback_id, "main.m3u8")).await?;
    until("one watches", async || {
        http::get(&lists[0]).await.ok()?;
        (seen().await?.data("/broadcast/viewers").ok()? == 1).then_some(())
    })
    .await?;

    let end = "mutation($id: ID!) { broadcastEnd(input: { id: $id }) { broadcast { id } userErrors { code } } }";
    let foreign = neighbour.ask(end, json!({ "id": broadcast })).await?;
    assert_eq!(foreign.text("/broadcastEnd/userErrors/0/code")?, "NOT_FOUND");
    let ended = ada.ask(end, json!({ "id": broadcast })).await?;
    assert_eq!(ended.text("/broadcastEnd/broadcast/id")?, broadcast);
    let begun = std::time::Instant::now();
    encoder.refused().await?;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "the publisher went on for {:?}",
        begun.elapsed()
    );
    until("its replay is whole", async || {
        let answer = seen().await?;
        (answer.text("/broadcast/lifecycle").ok()? == "ENDED").then_some(())
    })
    .await?;
    let answer = seen().await.context("an answer")?;
    assert_eq!(answer.text("/broadcast/asset/state")?, "READY");
    assert!(answer.body["data"]["broadcast"]["viewers"].is_null(), "{}", answer.body);
    assert_eq!(answer.data("/broadcast/channel/streamKeys/nodes/0/inUse")?, false);
    let again = ada.ask(end, json!({ "id": broadcast })).await?;
    assert_eq!(again.text("/broadcastEnd/userErrors/0/code")?, "STATE");
    let log = ada
        .ask(
            "{ tenant { auditLog(first: 5) { nodes { action subjectId } } } }",
            json!({}),
        )
        .await?;
    assert!(log.body.to_string().contains("broadcast.end"), "{}", log.body);

    // The key is as good as ever.
    let encoder = Source::default().push(&chain.push_url(&hall))?;
    assert_ne!(on_air(&ada, &hall).await?, broadcast);
    encoder.stop().await?;
    chain.finish().await
}
