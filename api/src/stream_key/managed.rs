//! Stream keys as their tenant's members and programs see and change them.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use headwater_model::stream_key::STREAM_KEY_TOPIC;
use headwater_model::{ChannelId, StreamKey, StreamKeyId};
use serde_json::json;
use sqlx::{FromRow, PgConnection, QueryBuilder};

use crate::access::Action;
use crate::audit;
use crate::channel;
use crate::database::id;
use crate::op::{Change, Op, Place};
use crate::page::{Order, Page, Paged, instant};
use crate::problem::{Answer, Code, Problem, at_most};

use super::New;

/// Characters of a label at most.
pub const LABEL_CHARS_MAX: usize = 200;
/// Working keys of a channel at a time.
pub const KEYS_MAX: i64 = 50;
/// Longest time for which an old key goes on working beside the one that replaces it, seconds.
pub const OVERLAP_S_MAX: i64 = 30 * 86_400;

const COLUMNS: &str = "k.stream_key_id, k.channel_id, k.label, k.hint, k.expires_at, k.revoked_at, k.last_used_at, \
    k.created_at, exists (select from publish p join broadcast b on b.publish_id = p.publish_id \
                          where p.stream_key_id = k.stream_key_id and p.tenant_id = k.tenant_id \
                            and b.state in ('connecting', 'live')) as in_use";
const WORKING: &str = "k.revoked_at is null and (k.expires_at is null or k.expires_at > now())";

/// A key, without its secret.
#[derive(Clone, Debug, FromRow)]
pub struct Key {
    /// Its id.
    pub stream_key_id: String,
    /// Of which channel.
    pub channel_id: String,
    /// The owner's words for it.
    pub label: String,
    /// Last characters of the secret; empty for old keys.
    pub hint: String,
    /// From when on it lets nobody in.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it lets nobody in.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it last let somebody in, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// A publisher sends with it now.
    pub in_use: bool,
}

fn scoped(start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(start);
    query.push(
        " from stream_key k join channel c on c.tenant_id = k.tenant_id and c.channel_id = k.channel_id \
         where c.deleted_at is null and k.tenant_id = ",
    );
    query.push_bind(place.tenant_id.to_string());
    query
        .push(" and c.environment = ")
        .push_bind(place.environment.as_str());
    query
}

/// A page of the keys of each of several channels, newest first, in one statement (two with `count`).
pub async fn lists(
    op: &Op,
    channels: &[String],
    inactive: bool,
    page: &Page,
    count: bool,
) -> Answer<HashMap<String, Paged<Key>>> {
    let place = op.require(Action::StreamKeyRead)?;
    let mut tx = op.look(place).await?;
    let which = if inactive {
        String::new()
    } else {
        format!(" and {WORKING}")
    };
    let mut totals: HashMap<String, i64> = HashMap::new();
    if count {
        let mut query = scoped("select k.channel_id, count(*)".into(), place);
        query
            .push(&which)
            .push(" and k.channel_id = any(")
            .push_bind(channels)
            .push(") group by k.channel_id");
        let rows: Vec<(String, i64)> = query.build_query_as().fetch_all(&mut *tx).await?;
        totals.extend(rows);
    }
    let mut query = QueryBuilder::new("select page.* from unnest(");
    query.push_bind(channels);
    query
        .push("::text[]) wanted(channel_id) cross join lateral (select ")
        .push(COLUMNS);
    query.push(
        " from stream_key k join channel c on c.tenant_id = k.tenant_id and c.channel_id = k.channel_id \
         where c.deleted_at is null and k.channel_id = wanted.channel_id and k.tenant_id = ",
    );
    query.push_bind(place.tenant_id.to_string());
    query
        .push(" and c.environment = ")
        .push_bind(place.environment.as_str())
        .push(&which);
    let order = Order::newest("k.created_at", "k.stream_key_id");
    page.seek(&mut query, order);
    query.push(") page");
    let rows: Vec<Key> = query.build_query_as().fetch_all(&mut *tx).await?;
    let mut of_channel: HashMap<String, Vec<Key>> = channels.iter().map(|id| (id.clone(), Vec::new())).collect();
    for key in rows {
        of_channel.entry(key.channel_id.clone()).or_default().push(key);
    }
    let paged = of_channel.into_iter().map(|(channel, keys)| {
        let total = totals.get(&channel).copied().unwrap_or(0);
        let paged = Paged::of(keys, page, total, |key| {
            (instant(key.created_at), key.stream_key_id.clone())
        });
        (channel, paged)
    });
    Ok(paged.collect())
}

/// The key of this id.
pub async fn by_id(op: &Op, key: StreamKeyId) -> Answer<Option<Key>> {
    let place = op.require(Action::StreamKeyRead)?;
    let mut tx = op.look(place).await?;
    find(&mut tx, place, key).await
}

async fn find(on: &mut PgConnection, place: Place, key: StreamKeyId) -> Answer<Option<Key>> {
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and k.stream_key_id = ").push_bind(key.to_string());
    Ok(query.build_query_as().fetch_optional(on).await?)
}

async fn find_to_change(change: &mut Change, key: StreamKeyId) -> Answer<Key> {
    let place = change.place();
    let found = find(change.on(), place, key).await?;
    let found = found.ok_or_else(|| Problem::not_found("id", "stream key"))?;
    // Whoever changes a channel's keys does it one after the other.
    channel::hold(change.on(), place, &found.channel_id, "id").await?;
    let again = find(change.on(), place, key).await?;
    again.ok_or_else(|| Problem::not_found("id", "stream key"))
}

fn check_expiry(at: Option<DateTime<Utc>>) -> Answer<()> {
    match at.is_some_and(|at| at <= Utc::now()) {
        true => Err(Problem::mend(Code::Expired, "expiresAt", "This moment has passed.")),
        false => Ok(()),
    }
}

/// Adds a key to a channel. Returns it with its secret, which is shown this once.
pub async fn create_for(
    op: &Op,
    channel: ChannelId,
    label: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Answer<(Key, StreamKey)> {
    let place = op.require(Action::StreamKeyWrite)?;
    let label = at_most("label", label, LABEL_CHARS_MAX)?;
    check_expiry(expires_at)?;
    let mut change = op.change(place).await?;
    channel::hold(change.on(), place, channel.as_str(), "channelId").await?;
    let made = add(&mut change, channel, label, expires_at).await?;
    change.commit().await?;
    Ok(made)
}

async fn add(
    change: &mut Change,
    channel: ChannelId,
    label: String,
    expires_at: Option<DateTime<Utc>>,
) -> Answer<(Key, StreamKey)> {
    let place = change.place();
    let mut counted = scoped("select count(*)".into(), place);
    counted
        .push(format_args!(" and {WORKING} and k.channel_id = "))
        .push_bind(channel.to_string());
    let many: i64 = counted.build_query_scalar().fetch_one(change.on()).await?;
    if many >= KEYS_MAX {
        let sentence = format!("A channel has at most {KEYS_MAX} working keys. Revoke one that is not used.");
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    let (key_id, key) = (StreamKeyId::random(), StreamKey::random());
    let new = New {
        tenant_id: place.tenant_id,
        channel_id: channel,
        key: key.clone(),
        label,
        expires_at,
    };
    super::insert(change.on(), key_id, &new)
        .await
        .map_err(|error| match error {
            super::Error::Database(error) => Problem::from(error),
            other => Problem::mend_all(Code::Invalid, other.to_string()),
        })?;
    let made = find(change.on(), place, key_id).await?;
    let made = made.ok_or_else(|| Problem::not_found("channelId", "channel"))?;
    change
        .record(audit::New {
            action: "stream_key.create",
            subject_id: key_id.as_str(),
            subject_name: &made.label,
            before: None,
            after: Some(json!({ "channelId": channel, "label": made.label, "expiresAt": made.expires_at })),
        })
        .await?;
    Ok((made, key))
}

/// Changes label or expiry; `None` is not given, `Some(None)` takes the expiry away.
pub async fn update(
    op: &Op,
    key: StreamKeyId,
    label: Option<&str>,
    expires_at: Option<Option<DateTime<Utc>>>,
) -> Answer<Key> {
    let place = op.require(Action::StreamKeyWrite)?;
    let label = label
        .map(|label| at_most("label", label, LABEL_CHARS_MAX))
        .transpose()?;
    check_expiry(expires_at.flatten())?;
    let mut change = op.change(place).await?;
    let before = find_to_change(&mut change, key).await?;
    if before.revoked_at.is_some() {
        let sentence = "This key was revoked, which cannot be undone. Make a new one.";
        return Err(Problem::mend(Code::State, "id", sentence));
    }
    let after = Key {
        label: label.unwrap_or_else(|| before.label.clone()),
        expires_at: expires_at.unwrap_or(before.expires_at),
        ..before.clone()
    };
    save(&mut change, &after).await?;
    change
        .record(audit::New {
            action: "stream_key.update",
            subject_id: key.as_str(),
            subject_name: &after.label,
            before: Some(json!({ "label": before.label, "expiresAt": before.expires_at })),
            after: Some(json!({ "label": after.label, "expiresAt": after.expires_at })),
        })
        .await?;
    change.commit().await?;
    Ok(after)
}

async fn save(change: &mut Change, key: &Key) -> Answer<()> {
    let place = change.place();
    sqlx::query("update stream_key set label = $3, expires_at = $4, revoked_at = $5 where tenant_id = $1 and stream_key_id = $2")
        .bind(place.tenant_id.as_str())
        .bind(&key.stream_key_id)
        .bind(&key.label)
        .bind(key.expires_at)
        .bind(key.revoked_at)
        .execute(change.on())
        .await?;
    Ok(())
}

/// Makes a key that replaces another, which goes on working for `overlap_s` seconds. Returns the new key, its secret, and the
/// old key.
pub async fn rotate(op: &Op, key: StreamKeyId, overlap_s: i64, label: Option<&str>) -> Answer<(Key, StreamKey, Key)> {
    let place = op.require(Action::StreamKeyWrite)?;
    if !(0..=OVERLAP_S_MAX).contains(&overlap_s) {
        let sentence = format!("The overlap is 0 to {OVERLAP_S_MAX} seconds, not {overlap_s}.");
        return Err(Problem::mend(Code::OutOfRange, "overlapS", sentence));
    }
    let label = label
        .map(|label| at_most("label", label, LABEL_CHARS_MAX))
        .transpose()?;
    let mut change = op.change(place).await?;
    let before = find_to_change(&mut change, key).await?;
    let now = Utc::now();
    if before.revoked_at.is_some() || before.expires_at.is_some_and(|at| at <= now) {
        let sentence = "This key works no more, so there is nothing to rotate. Make a new one.";
        return Err(Problem::mend(Code::State, "id", sentence));
    }
    let channel: ChannelId = id(before.channel_id.parse())?;
    let label = label.unwrap_or_else(|| before.label.clone());
    let (made, secret) = add(&mut change, channel, label, None).await?;
    let until = now + Duration::seconds(overlap_s);
    let previous = Key {
        expires_at: Some(before.expires_at.map_or(until, |at| at.min(until))),
        revoked_at: (overlap_s == 0).then_some(now),
        ..before.clone()
    };
    save(&mut change, &previous).await?;
    change
        .record(audit::New {
            action: "stream_key.rotate",
            subject_id: key.as_str(),
            subject_name: &previous.label,
            before: Some(json!({ "expiresAt": before.expires_at })),
            after: Some(json!({ "expiresAt": previous.expires_at, "replacedBy": made.stream_key_id })),
        })
        .await?;
    change.commit().await?;
    if overlap_s == 0 {
        tell_edges(op, &[key.to_string()]).await;
    }
    Ok((made, secret, previous))
}

/// Ends a key; a publisher that sends with it is disconnected. Ending it twice is once.
pub async fn end(op: &Op, key: StreamKeyId) -> Answer<Key> {
    let place = op.require(Action::StreamKeyWrite)?;
    let mut change = op.change(place).await?;
    let before = find_to_change(&mut change, key).await?;
    let after = Key {
        revoked_at: before.revoked_at.or_else(|| Some(Utc::now())),
        ..before
    };
    save(&mut change, &after).await?;
    change
        .record(audit::New {
            action: "stream_key.revoke",
            subject_id: key.as_str(),
            subject_name: &after.label,
            before: None,
            after: Some(json!({ "channelId": after.channel_id, "revokedAt": after.revoked_at })),
        })
        .await?;
    change.commit().await?;
    tell_edges(op, &[key.to_string()]).await;
    tracing::info!(tenant.id = %place.tenant_id, "revoked stream key {key}");
    Ok(after)
}

/// Ends every key of a channel; part of ending the channel. Returns which.
pub(crate) async fn revoke_all(on: &mut PgConnection, place: Place, channel: ChannelId) -> Answer<Vec<String>> {
    let ended = sqlx::query_scalar(
        "update stream_key set revoked_at = now() where tenant_id = $1 and channel_id = $2 and revoked_at is null \
         returning stream_key_id",
    )
    .bind(place.tenant_id.as_str())
    .bind(channel.as_str())
    .fetch_all(on)
    .await?;
    Ok(ended)
}

/// Has every edge check these keys again now. A hint: without it they do so at their next regular check.
pub(crate) async fn tell_edges(op: &Op, keys: &[String]) {
    for key in keys {
        if let Err(error) = op.services().hints.publish(STREAM_KEY_TOPIC, key.clone()).await {
            tracing::warn!("edges learn of the end of stream key {key} at their next regular check: {error}");
            return;
        }
    }
}
