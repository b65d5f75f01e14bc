//! GraphQL over HTTP as callers meet it, on a real PostgreSQL: from signing up to a channel that lets a publisher in.

mod assets;
mod http;
mod lists;
mod mending;
mod people;

use std::time::Duration;

use futures::StreamExt as _;
use headwater_api::stream_key;
use headwater_model::stream_key::STREAM_KEY_TOPIC;
use headwater_tests::front::{Answer, Caller, Front, email};
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

const CHANNEL_CREATE: &str = "mutation($input: ChannelCreateInput!) { channelCreate(input: $input) {
    channel { id title version state playbackIds { id urls { hls embed } } ingest { rtmp } }
    streamKey { id hint state } streamKeySecret userErrors { code field message docsUrl } } }";

async fn channel(caller: &Caller, input: Value) -> anyhow::Result<Answer> {
    caller.ask(CHANNEL_CREATE, json!({ "input": input })).await
}

/// What the edge would be told of a key: `None` when it lets in.
async fn refusal(front: &Front, secret: &str) -> Option<&'static str> {
    let answer = stream_key::authorize(&front.database.api, secret, chrono::Utc::now()).await;
    answer.err().map(|refusal| refusal.code())
}

#[tokio::test]
async fn somebody_new_has_a_channel_that_lets_them_publish() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let viewer = ada
        .ask("{ me { email memberships { role tenant { id slug } } } viewer { role environment actions tenant { id } } }", json!({}))
        .await?;
    assert_eq!(viewer.text("/me/email")?, email("Ada"));
    assert_eq!(viewer.text("/me/memberships/0/role")?, "OWNER");
    assert_eq!(viewer.text("/me/memberships/0/tenant/slug")?, "ada-ltd");
    assert_eq!(viewer.text("/viewer/tenant/id")?, tenant);

    let made = channel(
        &ada,
        json!({ "title": "Town hall", "reference": "hall", "metadata": { "floor": 3 } }),
    )
    .await?;
    let secret = made.text("/channelCreate/streamKeySecret")?;
    let key = made.text("/channelCreate/streamKey/id")?;
    let id = made.text("/channelCreate/channel/id")?;
    assert!(
        made.text("/channelCreate/streamKey/hint")?
            .ends_with(&secret[secret.len() - 4..])
    );
    assert!(
        made.text("/channelCreate/channel/playbackIds/0/urls/hls")?
            .ends_with("/main.m3u8")
    );
    assert_eq!(refusal(&front, &secret).await, None);

    // Rotated, both work; revoked, the old one does not, and edges are told at once.
    let rotate = "mutation($id: ID!) { streamKeyRotate(input: { id: $id, overlapS: 3600 }) { secret previous { id expiresAt } } }";
    let rotated = ada.ask(rotate, json!({ "id": key })).await?;
    let second = rotated.text("/streamKeyRotate/secret")?;
    rotated.data("/streamKeyRotate/previous/expiresAt")?;
    assert_eq!(
        (refusal(&front, &secret).await, refusal(&front, &second).await),
        (None, None)
    );
    let mut told = front.hints.subscribe(STREAM_KEY_TOPIC);
    let revoke =
        "mutation($id: ID!) { streamKeyRevoke(input: { id: $id }) { streamKey { state } userErrors { code } } }";
    let revoked = ada.ask(revoke, json!({ "id": key })).await?;
    assert_eq!(revoked.text("/streamKeyRevoke/streamKey/state")?, "REVOKED");
    assert_eq!(
        (refusal(&front, &secret).await, refusal(&front, &second).await),
        (Some("revoked"), None)
    );
    let told = tokio::time::timeout(Duration::from_secs(1), told.next()).await?;
    assert_eq!(told.as_deref(), Some(key.as_str()));

    // Switched off, nobody gets in. Deleted, it is gone for its owner too, and the log says who did what.
    let update = "mutation($id: ID!, $v: Int!) { channelUpdate(input: { id: $id, expectedVersion: $v, disabled: true, reference: null })
        { channel { state reference version title } userErrors { code field } } }";
    let off = ada.ask(update, json!({ "id": id, "v": 1 })).await?;
    assert_eq!(off.text("/channelUpdate/channel/state")?, "DISABLED");
    assert_eq!(
        off.text("/channelUpdate/channel/title")?,
        "Town hall",
        "what is left out stays"
    );
    assert_eq!(refusal(&front, &second).await, Some("disabled"));
    let stale = ada.ask(update, json!({ "id": id, "v": 1 })).await?;
    assert_eq!(
        stale.text("/channelUpdate/userErrors/0/code")?,
        "STALE",
        "a lost update is refused"
    );
    let delete = "mutation($id: ID!) { channelDelete(input: { id: $id }) { deletedId userErrors { code } } }";
    ada.ask(delete, json!({ "id": id }))
        .await?
        .data("/channelDelete/deletedId")?;
    let gone = ada
        .ask(
            "query($id: ID!) { channel(id: $id) { id } channels { totalCount } }",
            json!({ "id": id }),
        )
        .await?;
    assert_eq!(
        gone.body,
        json!({ "data": { "channel": null, "channels": { "totalCount": 0 } } })
    );
    assert_eq!(refusal(&front, &second).await, Some("unknown"));
    let log = ada
        .ask(
            "{ tenant { auditLog { nodes { action actorName subjectName before after } } } }",
            json!({}),
        )
        .await?;
    let actions: Vec<_> = log
        .data("/tenant/auditLog/nodes")?
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let words: Vec<_> = actions.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(
        words,
        [
            "channel.delete",
            "channel.update",
            "stream_key.revoke",
            "stream_key.rotate",
            "stream_key.create",
            "channel.create",
            "tenant.create"
        ]
    );
    assert!(actions.iter().all(|entry| entry["actorName"] == "Ada"));
    assert!(!log.body.to_string().contains(&second), "no secret is in the log");
    Ok(())
}

#[tokio::test]
async fn the_two_environments_have_nothing_in_common() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let test = ada.with("headwater-environment", "test");
    let made = channel(&test, json!({ "title": "Trial", "reference": "same" })).await?;
    let id = made.text("/channelCreate/channel/id")?;
    channel(&ada, json!({ "title": "Real", "reference": "same" }))
        .await?
        .data("/channelCreate/channel/id")?;
    let ask = "query($id: ID!) { channel(id: $id) { id } node(id: $id) { id } channels { nodes { title } } }";
    let live = ada.ask(ask, json!({ "id": id })).await?;
    assert_eq!(
        live.body["data"],
        json!({ "channel": null, "node": null, "channels": { "nodes": [{ "title": "Real" }] } })
    );
    let trial = test.ask(ask, json!({ "id": id })).await?;
    assert_eq!(trial.text("/node/id")?, id);
    assert_eq!(
        ada.with("headwater-environment", "stage")
            .ask("{ me { id } }", json!({}))
            .await?
            .status,
        400
    );
    Ok(())
}
