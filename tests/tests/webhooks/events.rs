//! What is told: by every writer, in one transaction with the change, numbered, and again for those who ask.

use headwater_api::webhook::Rules;
use headwater_model::{BroadcastId, PlaybackId, PublishId};
use headwater_tests::front::Caller;
use headwater_tests::receiver::{Received, Receiver};
use serde_json::{Value, json};

use super::{Outcome, deliver, endpoint, front, verifies};

const EVENTS: &str =
    "query($after: String, $o: ID) { webhookEvents(first: 100, after: $after, filter: { objectId: $o }) {
    nodes { id type objectId sequence cursor body data environment } pageInfo { endCursor hasNextPage } } }";

async fn events(caller: &Caller, after: Option<&str>, object: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let answer = caller.ask(EVENTS, json!({ "after": after, "o": object })).await?;
    let nodes = answer.data("/webhookEvents/nodes")?.as_array().cloned();
    Ok(nodes.unwrap_or_default())
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test]
async fn changes_arrive_signed_and_numbered_and_can_be_asked_for() -> Outcome {
    let front = front().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let _delivering = deliver(&front, Rules::default());
    let (everything, channels) = (Receiver::start().await?, Receiver::start().await?);
    let (hook, secret) = endpoint(&ada, &everything.url(), &[]).await?;
    endpoint(&ada, &channels.url(), &["CHANNEL_CREATED", "CHANNEL_UPDATED"]).await?;
    let in_test = ada.with("headwater-environment", "test");
    let of_test = Receiver::start().await?;
    endpoint(&in_test, &of_test.url(), &[]).await?;

    let id = ada.channel("Town hall").await?;
    let update =
        "mutation($id: ID!, $v: Int!, $t: String, $d: Boolean) { channelUpdate(input: { id: $id, expectedVersion: $v,
        title: $t, disabled: $d }) { channel { id } userErrors { code } } }";
    ada.ask(update, json!({ "id": id, "v": 1, "t": "Great hall" })).await?;
    let stale = ada.ask(update, json!({ "id": id, "v": 1, "t": "Never" })).await?;
    assert_eq!(stale.text("/channelUpdate/userErrors/0/code")?, "STALE");
    ada.ask(update, json!({ "id": id, "v": 2, "d": true })).await?;

    let mut came = everything.messages(4).await?;
    came.sort_by_key(|message| message.json()["cursor"].to_string().len());
    let of_channel = |came: &[Received]| -> Vec<(u64, String)> {
        let mut told: Vec<_> = came
            .iter()
            .filter(|message| message.json()["object"]["id"] == *id)
            .collect();
        told.sort_by_key(|message| message.json()["object"]["sequence"].as_u64());
        told.iter()
            .map(|message| {
                (
                    message.json()["object"]["sequence"].as_u64().unwrap_or(0),
                    message.kind(),
                )
            })
            .collect()
    };
    let told = |pairs: &[(u64, &str)]| {
        pairs
            .iter()
            .map(|(n, kind)| (*n, (*kind).to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of_channel(&came),
        told(&[(1, "channel.created"), (2, "channel.updated"), (3, "channel.disabled")])
    );
    assert_eq!(
        of_channel(&channels.messages(2).await?).len(),
        2,
        "only what was asked for"
    );
    for message in &came {
        assert!(verifies(&secret, message), "{message:?}");
        assert!(!verifies("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", message));
        let mut forged = message.clone();
        forged.body = forged.body.iter().map(|byte| byte ^ 1).collect::<Vec<_>>().into();
        assert!(!verifies(&secret, &forged), "another body under the same signature");
        let json = message.json();
        assert_eq!(message.header("webhook-id"), json["id"]);
        assert_eq!(json["environment"], "LIVE");
        assert!(message.body.len() < 20_000);
    }

    // By cursor, in the order in which it happened: the very same messages, and nothing of the other environment.
    let asked = events(&ada, None, None).await?;
    assert_eq!(
        kinds(&asked),
        [
            "MEMBER_CREATED",
            "CHANNEL_CREATED",
            "STREAM_KEY_CREATED",
            "CHANNEL_UPDATED",
            "CHANNEL_DISABLED"
        ]
    );
    for message in &came {
        let body = String::from_utf8(message.body.to_vec())?;
        assert!(asked.iter().any(|event| event["body"] == body), "{body}");
    }
    let since = asked[2]["cursor"].as_str().unwrap_or_default();
    assert_eq!(
        kinds(&events(&ada, Some(since), None).await?),
        ["CHANNEL_UPDATED", "CHANNEL_DISABLED"]
    );
    assert_eq!(events(&ada, None, Some(&id)).await?.len(), 3);
    let stored = asked.iter().map(ToString::to_string).collect::<String>();
    assert!(
        !stored.contains("sk_") && !stored.contains("whsec_"),
        "no event tells a secret"
    );
    assert!(of_test.received().is_empty() && events(&in_test, None, None).await?.is_empty());

    // Rotated, both secrets sign; without overlap, the new one alone.
    let rotate = "mutation($id: ID!, $s: Int!) { webhookEndpointRotateSecret(input: { id: $id, overlapS: $s }) {
        secret webhookEndpoint { previousSecretExpiresAt } userErrors { code } } }";
    let rotated = ada.ask(rotate, json!({ "id": hook, "s": 60 })).await?;
    let second = rotated.text("/webhookEndpointRotateSecret/secret")?;
    rotated.data("/webhookEndpointRotateSecret/webhookEndpoint/previousSecretExpiresAt")?;
    let test = "mutation($id: ID!) { webhookEndpointTest(input: { id: $id }) { event { type } userErrors { code } } }";
    let tried = ada.ask(test, json!({ "id": hook })).await?;
    assert_eq!(tried.text("/webhookEndpointTest/event/type")?, "WEBHOOK_TEST");
    let came = everything.messages(5).await?;
    assert_eq!(came[4].kind(), "webhook.test");
    assert!(verifies(&secret, &came[4]) && verifies(&second, &came[4]));
    let third = ada.ask(rotate, json!({ "id": hook, "s": 0 })).await?;
    let third = third.text("/webhookEndpointRotateSecret/secret")?;
    ada.ask(test, json!({ "id": hook })).await?;
    let came = everything.messages(6).await?;
    assert!(verifies(&third, &came[5]) && !verifies(&second, &came[5]) && !verifies(&secret, &came[5]));
    assert_eq!(channels.received().len(), 2, "a test is for one endpoint alone");
    let kept: Vec<Vec<u8>> = sqlx::query_scalar("select secret from webhook_endpoint")
        .fetch_all(&mut front.database.connect().await?)
        .await?;
    for shown in [&secret, &second, &third] {
        let clear = shown.as_bytes();
        assert!(
            kept.iter()
                .all(|sealed| !sealed.windows(clear.len()).any(|part| part == clear))
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_the_scheduler_writes_is_told_too() -> Outcome {
    let front = front().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let id = ada.channel("Town hall").await?;
    let broadcast = BroadcastId::random();
    let mut connection = front.database.connect().await?;
    sqlx::query(
        "insert into broadcast (broadcast_id, tenant_id, channel_id, playback_id, state, latency_mode, reconnect_window_s, \
                                publish_id, edge_url, anchor_ms, source, ladder, started_at) \
         values ($1, $2, $3, $4, 'connecting', 'low', 60, $5, 'http://127.0.0.1:1', 0, '{\"audio\": true}', \
                 '{\"video\": [], \"audio\": true}', now())",
    )
    .bind(broadcast.as_str())
    .bind(&tenant)
    .bind(&id)
    .bind(PlaybackId::random().as_str())
    .bind(PublishId::random().as_str())
    .execute(&mut connection)
    .await?;
    for change in [
        "update broadcast set state = 'live', playable_at = now() where broadcast_id = $1".to_owned(),
        "update broadcast set state = 'reconnecting', away_at = now(), away_cause = 'publisher' where broadcast_id = $1".into(),
        "update broadcast set state = 'live', away_at = null, away_cause = null where broadcast_id = $1".into(),
        "update broadcast set state = 'finishing', finishing_at = now(), finishing_cause = 'publisher' \
         where broadcast_id = $1"
            .into(),
        "update broadcast set state = 'ended', ended_at = now(), duration_ms = 5000, size_bytes = 9 where broadcast_id = $1"
            .into(),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(change))
            .bind(broadcast.as_str())
            .execute(&mut connection)
            .await?;
    }
    let told = events(&ada, None, None).await?;
    let told: Vec<_> = told
        .iter()
        .filter(|event| {
            event["type"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("BROADCAST") || kind.starts_with("ASSET"))
        })
        .collect();
    let lines: Vec<String> = told
        .iter()
        .map(|event| format!("{} {}", event["type"].as_str().unwrap_or_default(), event["sequence"]))
        .collect();
    assert_eq!(
        lines,
        [
            "BROADCAST_CONNECTED 1",
            "ASSET_CREATED 1",
            "BROADCAST_ACTIVE 2",
            "BROADCAST_DISCONNECTED 3",
            "BROADCAST_CONNECTED 4",
            "BROADCAST_IDLE 5",
            "BROADCAST_ENDED 6",
            "ASSET_READY 2"
        ]
    );
    assert_eq!(told[3]["data"]["disconnectedCause"], "PUBLISHER");
    assert_eq!(told[7]["data"]["durationMs"], 5_000);
    assert_eq!(told[7]["data"]["channelId"], id);
    Ok(())
}
