//! A tenant with one of everything, and what is to be found of it.

use headwater_model::{BroadcastId, PlaybackId, PublishId};
use headwater_tests::front::{Caller, Front};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

/// A tenant with one of everything.
pub(crate) struct House {
    pub(crate) owner: Caller,
    pub(crate) tenant: String,
    pub(crate) ids: Vec<String>,
    /// Words that nobody else may read.
    marks: Vec<String>,
}

pub(crate) async fn furnish(front: &Front, name: &str) -> anyhow::Result<House> {
    let (owner, tenant) = front.sign_up(name).await?;
    let mark = format!("secret-of-{}", name.to_lowercase());
    let mut ids = vec![tenant.clone()];
    let channel = "mutation($t: String!) { channelCreate(input: { title: $t, reference: $t }) { channel { id playbackIds { id } } streamKey { id } } }";
    let made = owner.ask(channel, json!({ "t": mark })).await?;
    let channel_id = made.text("/channelCreate/channel/id")?;
    ids.push(channel_id.clone());
    ids.push(made.text("/channelCreate/streamKey/id")?);
    ids.push(made.text("/channelCreate/channel/playbackIds/0/id")?);
    let more = "mutation($c: ID!, $e: String!, $n: String!, $u: String!) {
        playbackIdCreate(input: { channelId: $c }) { playbackId { id } }
        streamKeyCreate(input: { channelId: $c, label: $n }) { streamKey { id } }
        invitationCreate(input: { email: $e, role: ANALYST }) { invitation { id } }
        apiTokenCreate(input: { name: $n, environment: LIVE, actions: [CHANNEL_READ] }) { apiToken { id } }
        signingKeyCreate(input: { name: $n, algorithm: EDDSA }) { signingKey { id } }
        playbackViewerRevoke(input: { viewerId: $n }) { viewerId }
        webhookEndpointCreate(input: { url: $u, description: $n }) { webhookEndpoint { id } } }";
    let variables = json!({ "c": channel_id, "e": format!("{mark}@example.com"), "n": mark,
        "u": format!("https://{mark}.example.com/") });
    let made = owner.ask(more, variables).await?;
    for pointer in [
        "/playbackIdCreate/playbackId/id",
        "/streamKeyCreate/streamKey/id",
        "/invitationCreate/invitation/id",
        "/apiTokenCreate/apiToken/id",
        "/signingKeyCreate/signingKey/id",
        "/webhookEndpointCreate/webhookEndpoint/id",
    ] {
        ids.push(made.text(pointer)?);
    }
    let own = owner
        .ask(
            "{ me { id sessions { nodes { id } } } tenant { members { nodes { id } } auditLog { nodes { id } } } }",
            json!({}),
        )
        .await?;
    ids.push(own.text("/me/id")?);
    ids.push(own.text("/me/sessions/nodes/0/id")?);
    ids.push(own.text("/tenant/members/nodes/0/id")?);
    ids.push(own.text("/tenant/auditLog/nodes/0/id")?);
    let (broadcast, replay) = (BroadcastId::random(), PlaybackId::random());
    let mut connection = front.database.connect().await?;
    sqlx::query(
        "insert into broadcast (broadcast_id, tenant_id, channel_id, playback_id, state, latency_mode, reconnect_window_s, \
                                publish_id, edge_url, anchor_ms, source, ladder, started_at) \
         values ($1, $2, $3, $4, 'live', 'low', 60, $5, 'http://127.0.0.1:1', 0, '{\"audio\": true}', \
                 '{\"video\": [], \"audio\": true}', now())",
    )
    .bind(broadcast.as_str())
    .bind(&tenant)
    .bind(&channel_id)
    .bind(replay.as_str())
    .bind(PublishId::random().as_str())
    .execute(&mut connection)
    .await?;
    let live = owner
        .ask(
            "query($id: ID!) { channel(id: $id) { state broadcast { id asset { id state } } } }",
            json!({ "id": channel_id }),
        )
        .await?;
    assert_eq!(live.text("/channel/state")?, "LIVE");
    assert_eq!(live.text("/channel/broadcast/asset/state")?, "RECORDING");
    let told = owner
        .ask(
            "{ webhookEvents(last: 1) { nodes { id } } webhookDeliveries { nodes { id } } }",
            json!({}),
        )
        .await?;
    ids.push(told.text("/webhookEvents/nodes/0/id")?);
    ids.push(told.text("/webhookDeliveries/nodes/0/id")?);
    ids.push(broadcast.to_string());
    ids.push(live.text("/channel/broadcast/asset/id")?);
    ids.push(replay.to_string());
    Ok(House {
        owner,
        tenant,
        ids,
        marks: vec![mark, format!("{name} Ltd")],
    })
}

/// Everything that belongs to a tenant, as one text; what mere reading moves is left out.
pub(crate) async fn contents(connection: &mut PgConnection, tenant: &str) -> anyhow::Result<String> {
    let mut whole = String::new();
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns \
         where table_schema = 'public' and column_name = 'tenant_id' order by 1",
    )
    .fetch_all(&mut *connection)
    .await?;
    assert!(tables.len() >= 22, "{tables:?}");
    for table in tables {
        let query = format!(
            "select coalesce(string_agg((to_jsonb(t) - 'last_used_at')::text, ',' order by to_jsonb(t)::text), '') \
             from {table} t where tenant_id = $1"
        );
        let rows: String = sqlx::query_scalar(AssertSqlSafe(query))
            .bind(tenant)
            .fetch_one(&mut *connection)
            .await?;
        whole.push_str(&format!("{table}: {rows}\n"));
    }
    let people: String = sqlx::query_scalar(
        "select coalesce(string_agg(to_jsonb(u)::text, ',' order by user_id), '') from user_account u \
         where user_id in (select user_id from member where tenant_id = $1)",
    )
    .bind(tenant)
    .fetch_one(connection)
    .await?;
    Ok(whole + &people)
}

/// What of `house` stands in an answer: nothing should. An id that the caller gave may come back in a sentence.
pub(crate) fn leak<'h>(house: &'h House, answer: &Value) -> Option<&'h String> {
    let data = answer["data"].to_string();
    house
        .ids
        .iter()
        .chain(&house.marks)
        .find(|word| data.contains(word.as_str()))
}
