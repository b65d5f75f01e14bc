//! Changing replays: title, metadata, policy, and their end.

use chrono::{DateTime, Utc};
use headwater_model::AssetId;
use headwater_model::heartbeat::PLAYBACK_TOPIC;
use serde_json::{Value, json};
use sqlx::{PgConnection, QueryBuilder};

use super::{Asset, COLUMNS, scoped};
use crate::access::Action;
use crate::audit;
use crate::channel::check_metadata;
use crate::op::{Op, Place};
use crate::problem::{Answer, Code, Problem, text};

/// Characters of a title at most.
const TITLE_CHARS_MAX: usize = 200;

/// A change: what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// For people.
    pub title: Option<String>,
    /// The tenant's own words, a JSON object.
    pub metadata: Option<Value>,
    /// `public` or `signed`; `Some(None)`: as the channel's playback ids say.
    pub policy: Option<Option<&'static str>>,
}

impl Asset {
    fn facts(&self) -> Value {
        json!({
            "title": self.title, "metadata": self.metadata, "playbackPolicy": self.own_policy, "deletesAt": self.deletes_at,
        })
    }
}

/// Changes a replay. Fails with [`Code::Stale`] when somebody else changed it since `expected_version`.
pub async fn update(op: &Op, asset: AssetId, expected_version: i32, new: Change) -> Answer<Asset> {
    let place = op.require(Action::AssetWrite)?;
    let title = new.title.as_deref().map(|title| text("title", title, TITLE_CHARS_MAX));
    let title = title.transpose()?;
    if let Some(metadata) = &new.metadata {
        check_metadata(metadata)?;
    }
    let mut change = op.change(place).await?;
    let before = hold(change.on(), place, asset).await?;
    if before.version != expected_version {
        return Err(Problem::stale("asset"));
    }
    if before.deletes_at.is_some() || before.state == "deleted" {
        let sentence = "This asset is being deleted. Restore it first.";
        return Err(Problem::mend(Code::State, "id", sentence));
    }
    let mut query = moved();
    if let Some(title) = title {
        query.push(", title = ").push_bind(title);
    }
    if let Some(metadata) = new.metadata {
        query.push(", metadata = ").push_bind(metadata);
    }
    if let Some(policy) = new.policy {
        query.push(", policy = ").push_bind(policy);
    }
    write(change.on(), query, place, asset).await?;
    let after = hold(change.on(), place, asset).await?;
    record(&mut change, "asset.update", &before, &after).await?;
    let shows = shows(change.on(), place, &after).await?;
    change.commit().await?;
    if before.policy != after.policy {
        tell_origins(op, &shows).await;
    }
    Ok(after)
}

/// Has a replay shown to nobody from now on, and removed when the time to undo is over. Asking twice is asking once.
pub async fn delete(op: &Op, asset: AssetId) -> Answer<Asset> {
    let place = op.require(Action::AssetWrite)?;
    let mut change = op.change(place).await?;
    let before = hold(change.on(), place, asset).await?;
    if before.deletes_at.is_some() || before.state == "deleted" {
        return Ok(before);
    }
    if matches!(before.state.as_str(), "recording" | "preparing") {
        let sentence = "Its broadcast is on air, or the replay is being written. Delete it when that is over.";
        return Err(Problem::mend(Code::State, "id", sentence));
    }
    let mut query = moved();
    query
        .push(", deletes_at = ")
        .push_bind(Utc::now() + op.services().asset_undo);
    write(change.on(), query, place, asset).await?;
    let after = hold(change.on(), place, asset).await?;
    record(&mut change, "asset.delete", &before, &after).await?;
    let shows = shows(change.on(), place, &after).await?;
    change.commit().await?;
    tell_origins(op, &shows).await;
    tracing::info!(tenant.id = %place.tenant_id, asset.id = %asset, "asset {asset} is being deleted");
    Ok(after)
}

/// Undoes a deletion.
pub async fn restore(op: &Op, asset: AssetId) -> Answer<Asset> {
    let place = op.require(Action::AssetWrite)?;
    let mut change = op.change(place).await?;
    let before = hold(change.on(), place, asset).await?;
    if before.state == "deleted" {
        let sentence = "This asset is deleted: the time to undo it is over.";
        return Err(Problem::mend(Code::State, "id", sentence));
    }
    if before.deletes_at.is_none() {
        let sentence = "This asset is not being deleted.";
        return Err(Problem::mend(Code::State, "id", sentence));
    }
    let mut query = moved();
    query.push(", deletes_at = ").push_bind(None::<DateTime<Utc>>);
    write(change.on(), query, place, asset).await?;
    let after = hold(change.on(), place, asset).await?;
    record(&mut change, "asset.restore", &before, &after).await?;
    let shows = shows(change.on(), place, &after).await?;
    change.commit().await?;
    tell_origins(op, &shows).await;
    Ok(after)
}

/// Finds a replay and holds its row until the transaction ends.
async fn hold(on: &mut PgConnection, place: Place, asset: AssetId) -> Answer<Asset> {
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and a.asset_id = ").push_bind(asset.to_string());
    query.push(" for update of a");
    let found = query.build_query_as().fetch_optional(on).await?;
    found.ok_or_else(|| Problem::not_found("id", "asset"))
}

fn moved() -> QueryBuilder<sqlx::Postgres> {
    QueryBuilder::new("update asset set version = version + 1, updated_at = now()")
}

async fn write(
    on: &mut PgConnection,
    mut query: QueryBuilder<sqlx::Postgres>,
    place: Place,
    asset: AssetId,
) -> Answer<()> {
    query.push(" where tenant_id = ").push_bind(place.tenant_id.to_string());
    query.push(" and asset_id = ").push_bind(asset.to_string());
    query.build().execute(on).await?;
    Ok(())
}

async fn record(change: &mut crate::op::Change, action: &'static str, before: &Asset, after: &Asset) -> Answer<()> {
    let entry = audit::New {
        action,
        subject_id: &after.asset_id,
        subject_name: &after.title,
        before: Some(before.facts()),
        after: Some(after.facts()),
    };
    change.record(entry).await
}

/// Every playback id that may show it: its own and its channel's.
async fn shows(on: &mut PgConnection, place: Place, asset: &Asset) -> Answer<Vec<String>> {
    let mut ids: Vec<String> =
        sqlx::query_scalar("select playback_id from playback_id where tenant_id = $1 and channel_id = $2")
            .bind(place.tenant_id.as_str())
            .bind(&asset.channel_id)
            .fetch_all(on)
            .await?;
    ids.push(asset.playback_id.clone());
    Ok(ids)
}

/// Has origins ask again what these ids show. A hint: without it they do so within seconds.
async fn tell_origins(op: &Op, playback_ids: &[String]) {
    for id in playback_ids {
        if let Err(error) = op.services().hints.publish(PLAYBACK_TOPIC, id.clone()).await {
            tracing::warn!("origins learn of a changed replay at their next look: {error}");
            return;
        }
    }
}
