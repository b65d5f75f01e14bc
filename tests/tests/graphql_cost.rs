//! What an answer costs: statements do not grow with rows, and a subscription hears of a change at once.

use std::cell::Cell;
use std::sync::Once;
use std::time::Duration;

use async_graphql::Request;
use futures::StreamExt as _;
use headwater_api::access::{Environment, Role};
use headwater_api::graphql;
use headwater_api::op::{Actor, Caller as From, Op, Place};
use headwater_tests::front::{Caller, Front};
use serde_json::json;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Outcome = anyhow::Result<()>;

thread_local! {
    /// Statements of this thread.
    static COUNTED: Cell<usize> = const { Cell::new(0) };
}

/// Counts the statements that sqlx tells of, for each thread by itself.
struct Statements;

impl Statements {
    /// For the whole process: whether anybody listens is remembered at each place that tells, for all threads at once.
    fn listen() {
        static LISTENING: Once = Once::new();
        LISTENING
            .call_once(|| tracing::subscriber::set_global_default(Self).expect("nobody else listens in this process"));
    }
}

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        COUNTED.with(|counted| counted.set(counted.get() + 1));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const PAGE: &str = "query($n: Int) { channels(first: $n) { totalCount nodes { id title state
    streamKeys(first: 5) { totalCount nodes { id label channel { id title } } }
    playbackIds { id channel { title } urls { hls } }
    broadcast { id asset { id } } } } broadcasts { nodes { id channel { title } asset { id broadcast { id } } } } }";

async fn fill(caller: &Caller, many: usize) -> Outcome {
    for n in 0..many {
        caller.channel(&format!("Stage {n}")).await?;
    }
    Ok(())
}

/// On one thread, so that the count is this test's alone.
#[tokio::test]
async fn statements_do_not_grow_with_rows() -> Outcome {
    Statements::listen();
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let counted = async |rows: usize| -> anyhow::Result<usize> {
        let mut least = usize::MAX;
        // A loader collects for a millisecond: on a machine that is slow to ask, one may load twice.
        for _ in 0..8 {
            let before = COUNTED.get();
            let answer = ada.ask(PAGE, json!({ "n": 50 })).await?;
            let nodes = answer.data("/channels/nodes")?.as_array().map_or(0, Vec::len);
            assert_eq!(nodes, rows, "{}", answer.body);
            least = least.min(COUNTED.get() - before);
        }
        Ok(least)
    };
    fill(&ada, 1).await?;
    let one = counted(1).await?;
    fill(&ada, 19).await?;
    let twenty = counted(20).await?;
    assert!(one > 5, "the statements are counted at all: {one}");
    assert!(twenty <= one, "twenty rows cost {twenty} statements, one {one}");
    Ok(())
}

#[tokio::test]
async fn a_subscription_hears_of_every_change_and_ends_with_its_session() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let watcher = front.sign_in("Ada").await?;
    let id = ada.channel("Before").await?;
    let own = watcher
        .ask("{ me { id sessions { nodes { id current } } } }", json!({}))
        .await?;
    let sessions = own.data("/me/sessions/nodes")?.as_array().cloned().unwrap_or_default();
    let session = sessions.iter().find(|session| session["current"] == true);
    let session = session
        .and_then(|session| session["id"].as_str())
        .unwrap_or_default()
        .to_owned();
    let actor = Actor::User {
        user_id: own.text("/me/id")?.parse()?,
        session_id: session.parse()?,
        name: "Ada".into(),
    };
    let place = Place {
        tenant_id: tenant.parse()?,
        environment: Environment::Live,
        role: Some(Role::Owner),
    };
    let op = Op::new(front.services.clone(), actor, Some(place), From::default());
    let watch = format!("subscription {{ channelUpdated(id: \"{id}\") {{ title streamKeys {{ totalCount }} }} }}");
    let request = Request::new(watch).data(graphql::loaders(op.clone())).data(op);
    let mut answers = graphql::schema().execute_stream(request);
    let mut next = async || -> anyhow::Result<serde_json::Value> {
        let answer = tokio::time::timeout(Duration::from_secs(10), answers.next()).await?;
        Ok(json!(answer))
    };
    assert_eq!(next().await?["data"]["channelUpdated"]["title"], "Before");
    let rename = "mutation($id: ID!) { channelUpdate(input: { id: $id, expectedVersion: 1, title: \"After\" }) { channel { id } } }";
    ada.ask(rename, json!({ "id": id }))
        .await?
        .data("/channelUpdate/channel/id")?;
    // Looking again when the listener begins may repeat the first.
    let mut heard = next().await?;
    while heard["data"]["channelUpdated"]["title"] == "Before" {
        heard = next().await?;
    }
    assert_eq!(heard["data"]["channelUpdated"]["title"], "After");
    let key = "mutation($id: ID!) { streamKeyCreate(input: { channelId: $id }) { streamKey { id } } }";
    ada.ask(key, json!({ "id": id }))
        .await?
        .data("/streamKeyCreate/streamKey/id")?;
    while next().await?["data"]["channelUpdated"]["streamKeys"]["totalCount"] != 2 {}

    let revoke = "mutation($id: ID!) { sessionRevoke(input: { id: $id }) { revokedIds } }";
    ada.ask(revoke, json!({ "id": session }))
        .await?
        .data("/sessionRevoke/revokedIds/0")?;
    ada.ask(key, json!({ "id": id }))
        .await?
        .data("/streamKeyCreate/streamKey/id")?;
    let last = next().await?;
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{last}");
    assert_eq!(next().await?, serde_json::Value::Null, "nothing follows");
    Ok(())
}

/// Bytes: half of what a thread of the binary has.
const STACK: usize = 4 << 20;

/// A stack that overflows ends the process, and every broadcast with it.
#[test]
fn the_deepest_question_fits_a_stack() -> Outcome {
    let (mut asked, mut levels) = ("id".to_owned(), 1);
    while levels + 2 <= graphql::DEPTH_MAX {
        asked = match levels % 4 {
            1 => format!("playbackIds {{ channel {{ {asked} }} }}"),
            _ => format!("streamKeys(first: 1) {{ nodes {{ channel {{ {asked} }} }} }}"),
        };
        levels += if levels % 4 == 1 { 2 } else { 3 };
    }
    let asked = format!("query($id: ID!) {{ channel(id: $id) {{ {asked} }} }}");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).thread_stack_size(STACK).enable_all();
    runtime.build()?.block_on(async {
        tokio::spawn(async move {
            let front = Front::fresh().await?;
            let (ada, _) = front.sign_up("Ada").await?;
            let id = ada.channel("Deep").await?;
            let answer = ada.ask(&asked, json!({ "id": id })).await?;
            assert_eq!(answer.code(), "", "{asked}: {}", answer.body);
            assert!(
                answer.body.to_string().matches("channel").count() >= 5,
                "{}",
                answer.body
            );
            Ok(())
        })
        .await?
    })
}
