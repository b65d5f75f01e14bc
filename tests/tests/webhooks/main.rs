//! Webhooks end to end: changes made over GraphQL or by the scheduler's SQL on a real PostgreSQL, sent by the api's own
//! deliverer to real HTTP servers.

mod delivery;
mod events;
mod hostile;
mod secured;

use std::time::Duration;

use headwater_api::webhook::{Deliverer, Guard, Rules};
use headwater_tests::front::{Answer, Caller, Front};
use headwater_tests::receiver::Received;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

type Outcome = anyhow::Result<()>;

/// A front whose tenants may send to this machine.
async fn front() -> anyhow::Result<Front> {
    Front::with_guard(Guard::new(&["127.0.0.0/8".parse()?])).await
}

/// Sends as the api process does, until dropped.
fn deliver(front: &Front, rules: Rules) -> AbortOnDropHandle<()> {
    let deliverer = Deliverer::new(&front.services, rules, CancellationToken::new());
    AbortOnDropHandle::new(tokio::spawn(deliverer.run()))
}

/// Everything as usual, but a hundred times as fast.
fn hasty() -> Rules {
    Rules {
        waits: vec![Duration::from_millis(30); 3],
        attempt: Duration::from_millis(500),
        pause: (Duration::from_millis(20), Duration::from_millis(60)),
        ..Rules::default()
    }
}

const ENDPOINT: &str = "mutation($i: WebhookEndpointCreateInput!) { webhookEndpointCreate(input: $i) {
    webhookEndpoint { id version } secret userErrors { code field message } } }";

/// Makes an endpoint. Returns its id and its secret.
async fn endpoint(caller: &Caller, url: &str, types: &[&str]) -> anyhow::Result<(String, String)> {
    let input = json!({ "url": url, "eventTypes": types });
    let made = caller.ask(ENDPOINT, json!({ "i": input })).await?;
    Ok((
        made.text("/webhookEndpointCreate/webhookEndpoint/id")?,
        made.text("/webhookEndpointCreate/secret")?,
    ))
}

/// The deliveries to an endpoint, newest first.
async fn deliveries(caller: &Caller, endpoint: &str) -> anyhow::Result<Vec<Value>> {
    let asked =
        "query($e: ID!) { webhookDeliveries(filter: { endpointId: $e }) { nodes { id state attemptCount nextAttemptAt
        event { id type } endpoint { id } attempts { number status error answer durationMs } } } }";
    let answer = caller.ask(asked, json!({ "e": endpoint })).await?;
    let nodes = answer.data("/webhookDeliveries/nodes")?.as_array().cloned();
    Ok(nodes.unwrap_or_default())
}

/// Waits until the endpoint's deliveries are as wanted.
async fn settled(
    caller: &Caller,
    endpoint: &str,
    what: &str,
    wanted: impl Fn(&[Value]) -> bool,
) -> anyhow::Result<Vec<Value>> {
    headwater_tests::farm::until(what, async || {
        deliveries(caller, endpoint).await.ok().filter(|found| wanted(found))
    })
    .await
}

async fn look(caller: &Caller, endpoint: &str) -> anyhow::Result<Answer> {
    let asked = "query($e: ID!) { webhookEndpoint(id: $e) { version disabled disabledCause failingSince waiting } }";
    caller.ask(asked, json!({ "e": endpoint })).await
}

/// Whether the reference library of Standard Webhooks accepts the message.
fn verifies(secret: &str, message: &Received) -> bool {
    let verifier = Webhook::new(secret).expect("a secret");
    verifier.verify(&message.body, &message.headers).is_ok()
}
