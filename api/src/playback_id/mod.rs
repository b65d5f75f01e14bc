//! Playback ids: what public addresses carry in place of a tenant's or a channel's id.

use chrono::{DateTime, Utc};
use headwater_model::{ChannelId, PlaybackId};
use serde_json::json;
use sqlx::{FromRow, PgConnection, QueryBuilder};

use crate::access::Action;
use crate::op::{Op, Place};
use crate::problem::{Answer, Code, Problem};
use crate::{audit, channel};

/// Playback ids of one channel at most.
pub const PER_CHANNEL_MAX: usize = 20;

/// A playback id of a channel.
#[derive(Clone, Debug, FromRow)]
pub struct Playback {
    /// The id itself.
    pub playback_id: String,
    /// Which channel it leads to.
    pub channel_id: String,
    /// Who may watch.
    pub policy: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The playback ids of these channels, the oldest first.
pub async fn of_channels(op: &Op, channels: &[String]) -> Answer<Vec<Playback>> {
    let place = op.require(Action::ChannelRead)?;
    let mut tx = op.look(place).await?;
    of_channels_in(&mut tx, place, channels).await
}

async fn of_channels_in(on: &mut PgConnection, place: Place, channels: &[String]) -> Answer<Vec<Playback>> {
    let mut query = scoped(place);
    query.push(" and p.channel_id = any(").push_bind(channels);
    query.push(") order by p.created_at, p.playback_id");
    Ok(query.build_query_as().fetch_all(on).await?)
}

/// The playback id, if it leads to a channel of the operation's environment.
pub async fn by_id(op: &Op, id: PlaybackId) -> Answer<Option<Playback>> {
    let place = op.require(Action::ChannelRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(place);
    query.push(" and p.playback_id = ").push_bind(id.to_string());
    Ok(query.build_query_as().fetch_optional(&mut *tx).await?)
}

fn scoped(place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(
        "select p.playback_id, p.channel_id, p.policy, p.created_at from playback_id p \
         join channel c on c.tenant_id = p.tenant_id and c.channel_id = p.channel_id \
         where c.deleted_at is null and p.tenant_id = ",
    );
    query.push_bind(place.tenant_id.to_string());
    query
        .push(" and c.environment = ")
        .push_bind(place.environment.as_str());
    query
}

/// Gives a channel another public address. `policy`: `public` or `signed`.
pub async fn create(op: &Op, channel: ChannelId, policy: &str) -> Answer<Playback> {
    let place = op.require(Action::ChannelWrite)?;
    let mut change = op.change(place).await?;
    let held = channel::hold(change.on(), place, channel.as_str(), "channelId").await?;
    let known = of_channels_in(change.on(), place, &[channel.to_string()]).await?;
    if known.len() >= PER_CHANNEL_MAX {
        let sentence = format!("A channel has at most {PER_CHANNEL_MAX} playback ids.");
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    let made: Playback = sqlx::query_as(
        "insert into playback_id (playback_id, tenant_id, channel_id, policy) values ($1, $2, $3, $4) \
         returning playback_id, channel_id, policy, created_at",
    )
    .bind(PlaybackId::random().as_str())
    .bind(place.tenant_id.as_str())
    .bind(channel.as_str())
    .bind(policy)
    .fetch_one(change.on())
    .await?;
    change
        .record(audit::New {
            action: "playback_id.create",
            subject_id: &made.playback_id,
            subject_name: &held.title,
            before: None,
            after: Some(json!({ "channelId": channel, "policy": made.policy })),
        })
        .await?;
    change.commit().await?;
    Ok(made)
}

/// Takes a public address away. A channel keeps at least one.
pub async fn delete(op: &Op, id: PlaybackId) -> Answer<String> {
    let place = op.require(Action::ChannelWrite)?;
    let unknown = || Problem::not_found("id", "playback id");
    let mut change = op.change(place).await?;
    let mut query = scoped(place);
    query.push(" and p.playback_id = ").push_bind(id.to_string());
    let found: Option<Playback> = query.build_query_as().fetch_optional(change.on()).await?;
    let found = found.ok_or_else(unknown)?;
    // Holding the channel, so that two cannot each take what the other leaves.
    let held = channel::hold(change.on(), place, &found.channel_id, "id").await?;
    let known = of_channels_in(change.on(), place, std::slice::from_ref(&found.channel_id)).await?;
    if !known.iter().any(|other| other.playback_id == found.playback_id) {
        return Err(unknown());
    }
    if known.len() == 1 {
        let sentence = "A channel keeps at least one playback id. Make another one first.";
        return Err(Problem::mend(Code::State, "id", sentence));
    }
    sqlx::query("delete from playback_id where tenant_id = $1 and playback_id = $2")
        .bind(place.tenant_id.as_str())
        .bind(id.as_str())
        .execute(change.on())
        .await?;
    change
        .record(audit::New {
            action: "playback_id.delete",
            subject_id: &found.playback_id,
            subject_name: &held.title,
            before: Some(json!({ "channelId": found.channel_id, "policy": found.policy })),
            after: None,
        })
        .await?;
    change.commit().await?;
    Ok(found.playback_id)
}
