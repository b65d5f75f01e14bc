//! Replays: what is changed, by whom, and when it is refused.

use headwater_model::{BroadcastId, PlaybackId, PublishId};
use headwater_tests::front::{Caller, Front};
use serde_json::{Value, json};

use super::Outcome;

const UPDATE: &str = "mutation($i: AssetUpdateInput!) { assetUpdate(input: $i) {
    asset { version title metadata playbackPolicy playbackIds { policy } } userErrors { code field } } }";
const DELETE: &str =
    "mutation($id: ID!) { assetDelete(input: { id: $id }) { asset { state deletesAt version } userErrors { code } } }";
const RESTORE: &str =
    "mutation($id: ID!) { assetRestore(input: { id: $id }) { asset { state deletesAt } userErrors { code } } }";

/// A channel's broadcast in this state, as the scheduler writes it. Returns the asset's id and the broadcast's.
async fn replay(front: &Front, ada: &Caller, tenant: &str, state: &str) -> anyhow::Result<(String, String)> {
    let channel = "mutation { channelCreate(input: { title: \"Town hall\" }) { channel { id } } }";
    let channel = ada.ask(channel, json!({})).await?.text("/channelCreate/channel/id")?;
    of_channel(front, tenant, &channel, state).await
}

async fn of_channel(front: &Front, tenant: &str, channel: &str, state: &str) -> anyhow::Result<(String, String)> {
    let broadcast = BroadcastId::random();
    sqlx::query(
        "insert into broadcast (broadcast_id, tenant_id, channel_id, playback_id, state, latency_mode, reconnect_window_s, \
                                publish_id, edge_url, anchor_ms, source, ladder, started_at, duration_ms, size_bytes, ended_at, \
                                finishing_at, recording) \
         select $1, $2, $3, $4, $6, 'low', 60, $5, 'http://127.0.0.1:1', 0, '{\"audio\": true}'::jsonb, \
                '{\"video\": [], \"audio\": true}'::jsonb, now(), 5000, 9000, case when $6 = 'ended' then now() end, \
                case when $6 = 'ended' then now() end, recording from channel where channel_id = $3",
    )
    .bind(broadcast.as_str())
    .bind(tenant)
    .bind(channel)
    .bind(PlaybackId::random().as_str())
    .bind(PublishId::random().as_str())
    .bind(state)
    .execute(&mut front.database.connect().await?)
    .await?;
    let asset = format!("as_{}", &broadcast.as_str()[3..]);
    Ok((asset, broadcast.to_string()))
}

async fn asset(ada: &Caller, id: &str) -> anyhow::Result<Value> {
    let asked = "query($id: ID!) { asset(id: $id) { state version deletesAt thumbnailUrl downloadUrl sizeBytes } }";
    Ok(ada.ask(asked, json!({ "id": id })).await?.data("/asset")?.clone())
}

#[tokio::test]
async fn a_replay_is_renamed_made_private_and_never_overwritten() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let (id, _) = replay(&front, &ada, &tenant, "ended").await?;
    let version = asset(&ada, &id).await?["version"].clone();
    let input = json!({ "id": id, "expectedVersion": version, "title": " Hall, the first ", "metadata": { "a": [1] },
        "playbackPolicy": "SIGNED" });
    let changed = ada.ask(UPDATE, json!({ "i": input })).await?;
    assert_eq!(changed.text("/assetUpdate/asset/title")?, "Hall, the first");
    assert_eq!(changed.data("/assetUpdate/asset/metadata")?, &json!({ "a": [1] }));
    assert_eq!(changed.text("/assetUpdate/asset/playbackIds/0/policy")?, "SIGNED");
    let stale = ada.ask(UPDATE, json!({ "i": input })).await?;
    assert_eq!(stale.text("/assetUpdate/userErrors/0/code")?, "STALE");
    let now = changed.data("/assetUpdate/asset/version")?.clone();
    for (wrong, code, field) in [
        (json!({ "title": " " }), "BLANK", "title"),
        (json!({ "title": "x".repeat(201) }), "TOO_LONG", "title"),
        (json!({ "metadata": [1] }), "INVALID", "metadata"),
        (
            json!({ "metadata": { "a": "x".repeat(9_000) } }),
            "TOO_LONG",
            "metadata",
        ),
    ] {
        let mut input = json!({ "id": id, "expectedVersion": now });
        for (name, value) in wrong.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        let refused = ada.ask(UPDATE, json!({ "i": input })).await?;
        assert_eq!(refused.text("/assetUpdate/userErrors/0/code")?, code, "{wrong}");
        assert_eq!(refused.text("/assetUpdate/userErrors/0/field/1")?, field, "{wrong}");
    }
    // What is left out stays; null has it follow its channel again.
    let followed = ada
        .ask(
            UPDATE,
            json!({ "i": { "id": id, "expectedVersion": now, "playbackPolicy": null } }),
        )
        .await?;
    assert_eq!(followed.text("/assetUpdate/asset/title")?, "Hall, the first");
    assert!(followed.data("/assetUpdate/asset/playbackPolicy").is_err());
    assert_eq!(followed.text("/assetUpdate/asset/playbackIds/0/policy")?, "PUBLIC");
    let log = ada
        .ask(
            "{ tenant { auditLog(first: 1) { nodes { action before after } } } }",
            json!({}),
        )
        .await?;
    assert_eq!(log.text("/tenant/auditLog/nodes/0/action")?, "asset.update");
    assert_eq!(log.text("/tenant/auditLog/nodes/0/before/playbackPolicy")?, "signed");
    Ok(())
}

#[tokio::test]
async fn a_deletion_is_refused_on_air_undone_in_time_and_final_after() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let (on_air, _) = replay(&front, &ada, &tenant, "live").await?;
    let refused = ada.ask(DELETE, json!({ "id": on_air })).await?;
    assert_eq!(refused.text("/assetDelete/userErrors/0/code")?, "STATE");
    let unknown = ada.ask(DELETE, json!({ "id": "as_aaaaaaaaaaaaaaaaaaaaaaaa" })).await?;
    assert_eq!(unknown.text("/assetDelete/userErrors/0/code")?, "NOT_FOUND");

    let (id, _) = replay(&front, &ada, &tenant, "ended").await?;
    let refused = ada.ask(RESTORE, json!({ "id": id })).await?;
    assert_eq!(
        refused.text("/assetRestore/userErrors/0/code")?,
        "STATE",
        "nothing to restore"
    );
    let before = asset(&ada, &id).await?;
    assert!(
        before["thumbnailUrl"].is_string() && before["downloadUrl"].is_string(),
        "{before}"
    );
    let deleted = ada.ask(DELETE, json!({ "id": id })).await?;
    let at = deleted.text("/assetDelete/asset/deletesAt")?;
    let again = ada.ask(DELETE, json!({ "id": id })).await?;
    assert_eq!(
        again.text("/assetDelete/asset/deletesAt")?,
        at,
        "asking twice is asking once"
    );
    let during = asset(&ada, &id).await?;
    assert_eq!(
        (&during["state"], &during["thumbnailUrl"], &during["downloadUrl"]),
        (&json!("READY"), &Value::Null, &Value::Null)
    );
    let update = json!({ "i": { "id": id, "expectedVersion": during["version"], "title": "New" } });
    assert_eq!(
        ada.ask(UPDATE, update).await?.text("/assetUpdate/userErrors/0/code")?,
        "STATE"
    );
    let restored = ada.ask(RESTORE, json!({ "id": id })).await?;
    assert_eq!(restored.text("/assetRestore/asset/state")?, "READY");
    assert!(restored.data("/assetRestore/asset/deletesAt").is_err());

    // The time to undo is over: it is deleted, whether or not the store was emptied, and listed where it is asked for alone.
    ada.ask(DELETE, json!({ "id": id })).await?.data("/assetDelete/asset")?;
    sqlx::query("update asset set deletes_at = now() where asset_id = $1")
        .bind(&id)
        .execute(&mut front.database.connect().await?)
        .await?;
    assert_eq!(asset(&ada, &id).await?["state"], "DELETED");
    let refused = ada.ask(RESTORE, json!({ "id": id })).await?;
    assert_eq!(refused.text("/assetRestore/userErrors/0/code")?, "STATE");
    let lists = "{ all: assets { totalCount } deleted: assets(filter: { state: DELETED }) { totalCount nodes { id } }
        ready: assets(filter: { state: READY }) { totalCount } }";
    let lists = ada.ask(lists, json!({})).await?;
    assert_eq!(lists.data("/all/totalCount")?, &json!(1), "what is on air");
    assert_eq!(lists.text("/deleted/nodes/0/id")?, id);
    assert_eq!(lists.data("/ready/totalCount")?, &json!(0));
    Ok(())
}

/// The channel and the newest of its broadcasts.
const POLICIES: &str = "query($id: ID!) { channel(id: $id) { version recording }
    broadcasts(filter: { channelId: $id }) { nodes { recording asset { id } } } }";

#[tokio::test]
async fn what_a_channel_records_is_a_setting_that_a_broadcast_begins_with() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let create = "mutation($i: ChannelCreateInput!) { channelCreate(input: $i) { channel { id recording } } }";
    let usual = ada.ask(create, json!({ "i": { "title": "Usual" } })).await?;
    assert_eq!(usual.text("/channelCreate/channel/recording")?, "RECORD");
    let made = ada
        .ask(create, json!({ "i": { "title": "Town hall", "recording": "NONE" } }))
        .await?;
    assert_eq!(made.text("/channelCreate/channel/recording")?, "NONE");
    let channel = made.text("/channelCreate/channel/id")?;

    // On air, and recorded from the next broadcast on: this one keeps what it began with.
    let (asset, broadcast) = of_channel(&front, &tenant, &channel, "live").await?;
    let update = "mutation($id: ID!, $r: RecordingPolicy) { channelUpdate(input: { id: $id, expectedVersion: 1, recording: $r }) {
        channel { recording } userErrors { code } } }";
    let updated = ada.ask(update, json!({ "id": channel, "r": "RECORD" })).await?;
    assert_eq!(updated.text("/channelUpdate/channel/recording")?, "RECORD");
    let seen = ada.ask(POLICIES, json!({ "id": channel })).await?;
    assert_eq!(seen.text("/channel/recording")?, "RECORD");
    assert_eq!(
        seen.data("/broadcasts/nodes")?,
        &json!([{ "recording": "NONE", "asset": null }])
    );
    let log = ada
        .ask(
            "{ tenant { auditLog(first: 1) { nodes { action before after } } } }",
            json!({}),
        )
        .await?;
    assert_eq!(log.text("/tenant/auditLog/nodes/0/before/recording")?, "none");
    assert_eq!(log.text("/tenant/auditLog/nodes/0/after/recording")?, "record");

    // It ends. There is no asset under any name, before, during and after, and nobody is told of one.
    let mut connection = front.database.connect().await?;
    sqlx::query("update broadcast set state = 'ended', ended_at = now(), finishing_at = now() where broadcast_id = $1")
        .bind(&broadcast)
        .execute(&mut connection)
        .await?;
    let named = "query($id: ID!) { asset(id: $id) { id } node(id: $id) { id } all: assets { totalCount }
        deleted: assets(filter: { state: DELETED }) { totalCount } }";
    let named = ada.ask(named, json!({ "id": asset })).await?;
    assert_eq!(
        named.body["data"],
        json!({ "asset": null, "node": null, "all": { "totalCount": 0 }, "deleted": { "totalCount": 0 } })
    );
    for asked in [DELETE, RESTORE] {
        let refused = ada.ask(asked, json!({ "id": asset })).await?;
        assert!(refused.body.to_string().contains("NOT_FOUND"), "{}", refused.body);
    }
    // The next one is recorded.
    of_channel(&front, &tenant, &channel, "ended").await?;
    let seen = ada.ask(POLICIES, json!({ "id": channel })).await?;
    assert_eq!(seen.text("/broadcasts/nodes/0/recording")?, "RECORD");
    seen.text("/broadcasts/nodes/0/asset/id")?;
    let told = ada
        .ask(
            "{ webhookEvents(first: 50) { nodes { type objectId body } } }",
            json!({}),
        )
        .await?;
    let told = told
        .data("/webhookEvents/nodes")?
        .as_array()
        .cloned()
        .unwrap_or_default();
    let of = |id: &str| -> Vec<&Value> { told.iter().filter(|event| event["objectId"] == id).collect() };
    assert!(of(&asset).is_empty(), "{told:?}");
    let ended = of(&broadcast)
        .pop()
        .and_then(|event| event["body"].as_str())
        .unwrap_or_default();
    let ended: Value = serde_json::from_str(ended)?;
    assert_eq!(
        (&ended["type"], &ended["data"]["recording"], &ended["data"]["assetId"]),
        (&json!("broadcast.ended"), &json!("NONE"), &Value::Null)
    );
    Ok(())
}

mod purging {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::Bytes;
    use headwater_api::Database;
    use headwater_api::asset::purge::{Pace, Purger};
    use headwater_platform::store::{Fault, MemoryStore, Meta, ObjectStore as _};

    use super::*;

    fn purger(front: &Front, store: &Arc<MemoryStore>) -> anyhow::Result<Purger> {
        let pace = Pace {
            again: Duration::ZERO,
            ..Pace::default()
        };
        Ok(Purger::new(
            Database::serve(&front.database.url, 2)?,
            store.clone(),
            pace,
        ))
    }

    #[tokio::test]
    async fn everything_under_the_prefix_goes_and_nothing_else_whatever_fails_in_between() -> Outcome {
        let front = Front::fresh().await?;
        let (ada, tenant) = front.sign_up("Ada").await?;
        let (id, broadcast) = replay(&front, &ada, &tenant, "ended").await?;
        let (kept, kept_broadcast) = replay(&front, &ada, &tenant, "ended").await?;
        let store = Arc::new(MemoryStore::new());
        let put = async |key: String| {
            let meta = Meta::immutable("video/mp4");
            store.put(&key, vec![Bytes::from_static(b"x")], meta).await
        };
        // More than two pages, and neighbours whose names begin alike.
        for seq in 0..2_500 {
            put(format!("{tenant}/{broadcast}/source/{seq}-1-0-1.m4s")).await?;
        }
        for other in [
            format!("{tenant}/{kept_broadcast}/index.json"),
            format!("{tenant}/{broadcast}x/a"),
            format!("{tenant}/index"),
        ] {
            put(other).await?;
        }
        let purger = purger(&front, &store)?;
        assert_eq!(purger.look().await?, 0, "nobody deletes it");
        ada.ask(DELETE, json!({ "id": id })).await?.data("/assetDelete/asset")?;
        assert_eq!(purger.look().await?, 0, "there is time to undo it");
        assert_eq!(store.keys().len(), 2_503);
        let mut connection = front.database.connect().await?;
        sqlx::query("update asset set deletes_at = now() where asset_id = $1")
            .bind(&id)
            .execute(&mut connection)
            .await?;
        store.set_fault(Fault::Down);
        assert_eq!(purger.look().await?, 0, "the store is away");
        store.set_fault(Fault::AnswerLost);
        assert_eq!(purger.look().await?, 0, "a page is gone, and nobody knows");
        assert_eq!(store.keys().len(), 1_503);
        assert_eq!(asset(&ada, &id).await?["state"], "DELETED");
        store.set_fault(Fault::None);
        assert_eq!(purger.look().await?, 1);
        assert_eq!(store.keys().len(), 3, "{:?}", store.keys());
        assert_eq!(asset(&ada, &id).await?["sizeBytes"], 0);
        assert_eq!(purger.look().await?, 0, "once is enough");
        assert_eq!(asset(&ada, &kept).await?["state"], "READY");
        let told = ada
            .ask("{ webhookEvents(first: 50) { nodes { type objectId } } }", json!({}))
            .await?;
        let events = told.body.to_string();
        assert_eq!(events.matches("ASSET_DELETED").count(), 1, "{events}");
        Ok(())
    }

    #[tokio::test]
    async fn what_is_not_recorded_goes_when_it_has_ended_with_what_comes_late() -> Outcome {
        let front = Front::fresh().await?;
        let (ada, tenant) = front.sign_up("Ada").await?;
        let made = "mutation { channelCreate(input: { title: \"Town hall\", recording: NONE }) { channel { id } } }";
        let channel = ada.ask(made, json!({})).await?.text("/channelCreate/channel/id")?;
        let (asset, broadcast) = of_channel(&front, &tenant, &channel, "live").await?;
        let (_, kept) = replay(&front, &ada, &tenant, "ended").await?;
        let store = Arc::new(MemoryStore::new());
        let put = async |key: String| {
            let meta = Meta::immutable("video/mp4");
            store.put(&key, vec![Bytes::from_static(b"x")], meta).await
        };
        for seq in 0..10 {
            put(format!("{tenant}/{broadcast}/source/{seq}-1-0-1.m4s")).await?;
        }
        put(format!("{tenant}/{kept}/index.json")).await?;
        let purger = purger(&front, &store)?;
        purger.look().await?;
        assert_eq!(store.keys().len(), 11, "it is on air");
        let mut connection = front.database.connect().await?;
        let state = "update broadcast set state = $2, finishing_at = now(), \
                            ended_at = case when $2 = 'ended' then now() end where broadcast_id = $1";
        for word in ["finishing", "ended"] {
            sqlx::query(state)
                .bind(&broadcast)
                .bind(word)
                .execute(&mut connection)
                .await?;
            if word == "finishing" {
                purger.look().await?;
                assert_eq!(store.keys().len(), 11, "its end is being written");
            }
        }
        store.set_fault(Fault::Down);
        purger.look().await?;
        assert_eq!(store.keys().len(), 11, "the store is away");
        store.set_fault(Fault::None);
        purger.look().await?;
        assert_eq!(
            store.keys(),
            [format!("{tenant}/{kept}/index.json")],
            "nothing is waited for"
        );

        // A worker that was replaced writes once more. It is looked at again when that is over.
        put(format!("{tenant}/{broadcast}/source/11-1-0-1.m4s")).await?;
        purger.look().await?;
        assert_eq!(store.keys().len(), 2, "not yet");
        sqlx::query(
            "update asset set deletes_at = deletes_at - interval '1 hour', claimed_until = claimed_until - interval '1 hour' \
             where asset_id = $1",
        )
        .bind(&asset)
        .execute(&mut connection)
        .await?;
        assert_eq!(purger.look().await?, 1);
        assert_eq!(store.keys().len(), 1);
        assert_eq!(purger.look().await?, 0, "once is enough");
        let told = ada
            .ask("{ webhookEvents(first: 50) { nodes { type objectId } } }", json!({}))
            .await?;
        assert!(!told.body.to_string().contains(&asset), "{}", told.body);
        Ok(())
    }

    #[tokio::test]
    async fn what_is_on_air_or_held_by_another_process_is_let_alone() -> Outcome {
        let front = Front::fresh().await?;
        let (ada, tenant) = front.sign_up("Ada").await?;
        let (on_air, _) = replay(&front, &ada, &tenant, "live").await?;
        let (held, _) = replay(&front, &ada, &tenant, "ended").await?;
        let mut connection = front.database.connect().await?;
        sqlx::query("update asset set deletes_at = now() where asset_id = any($1)")
            .bind(vec![on_air.clone(), held.clone()])
            .execute(&mut connection)
            .await?;
        sqlx::query("update asset set claimed_until = now() + interval '1 hour' where asset_id = $1")
            .bind(&held)
            .execute(&mut connection)
            .await?;
        let purger = purger(&front, &Arc::new(MemoryStore::new()))?;
        assert_eq!(purger.look().await?, 0);
        sqlx::query("update asset set claimed_until = now() where asset_id = $1")
            .bind(&held)
            .execute(&mut connection)
            .await?;
        assert_eq!(purger.look().await?, 1, "who held it has vanished");
        let state: String = sqlx::query_scalar("select state from asset where asset_id = $1")
            .bind(&on_air)
            .fetch_one(&mut connection)
            .await?;
        assert_eq!(state, "recording");
        Ok(())
    }
}
