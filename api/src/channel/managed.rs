//! Channels as their tenant's members and programs see and change them.

use chrono::{DateTime, Utc};
use headwater_model::ladder::{Policy, PolicyError};
use headwater_model::{ChannelId, LatencyMode, PlaybackId, Recording, StreamKey, StreamKeyId};
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, QueryBuilder};

use crate::access::Action;
use crate::audit;
use crate::database::DatabaseError;
use crate::op::{Op, Place};
use crate::page::{Order, Page, Paged, containing, instant, words};
use crate::problem::{Answer, Code, Problem, text};
use crate::stream_key;

/// Characters of a title or reference at most.
pub const TEXT_CHARS_MAX: usize = 200;
/// Keys of the metadata at most, and bytes of its JSON.
pub const METADATA_KEYS_MAX: usize = 50;
/// See [`METADATA_KEYS_MAX`].
pub const METADATA_BYTES_MAX: usize = 8 * 1024;
/// Channels of one tenant in one environment at most.
pub const CHANNELS_MAX: i64 = 10_000;
/// Seconds.
const RECONNECT_WINDOW_S: std::ops::RangeInclusive<i64> = 0..=3_600;
/// Bits/s.
const BITRATE_BPS: std::ops::RangeInclusive<i64> = 64_000..=1_000_000_000;

const COLUMNS: &str = "c.channel_id, c.tenant_id, c.environment, c.reference, c.title, c.metadata, c.latency_mode, \
    c.reconnect_window_s, c.ladder, c.bitrate_max_bps, c.recording, c.disabled_at, c.created_at, c.updated_at, c.version, \
    (select t.suspended_at is not null from tenant t where t.tenant_id = c.tenant_id) as suspended, \
    (select b.state from broadcast b where b.channel_id = c.channel_id and b.state <> 'ended' \
     order by b.started_at desc limit 1) as broadcast_state";

/// A channel.
#[derive(Clone, Debug, FromRow)]
pub struct Channel {
    /// Its id.
    pub channel_id: String,
    /// Whose.
    pub tenant_id: String,
    /// `live` or `test`.
    pub environment: String,
    /// The tenant's own name for it.
    pub reference: Option<String>,
    /// For people.
    pub title: String,
    /// The tenant's own words.
    pub metadata: Value,
    /// Delay against quality.
    pub latency_mode: String,
    /// Seconds.
    pub reconnect_window_s: i32,
    /// Which renditions.
    pub ladder: Json<Policy>,
    /// Bits/s over ten seconds; `None`: the edge's own limit.
    pub bitrate_max_bps: Option<i64>,
    /// What is kept of its broadcasts: the word of a [`Recording`].
    pub recording: String,
    /// Since when it lets no new publisher in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Goes up with every change.
    pub version: i32,
    suspended: Option<bool>,
    broadcast_state: Option<String>,
}

/// What a channel is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, async_graphql::Enum)]
#[graphql(name = "ChannelState")]
pub enum State {
    /// Nobody publishes.
    Offline,
    /// A publisher sends; nothing can be watched yet.
    Connecting,
    /// On air.
    Live,
    /// The publisher is away and may come back.
    Reconnecting,
    /// The replay is being written.
    Ending,
    /// Its owner lets nobody publish.
    Disabled,
    /// The tenant may not publish.
    Suspended,
}

impl Channel {
    /// What it is doing.
    pub fn state(&self) -> State {
        match self.broadcast_state.as_deref() {
            Some("connecting") => State::Connecting,
            Some("live") => State::Live,
            Some("reconnecting") => State::Reconnecting,
            Some("finishing") => State::Ending,
            _ if self.suspended == Some(true) => State::Suspended,
            _ if self.disabled_at.is_some() => State::Disabled,
            _ => State::Offline,
        }
    }

    fn facts(&self) -> Value {
        json!({
            "title": self.title,
            "reference": self.reference,
            "metadata": self.metadata,
            "latencyMode": self.latency_mode,
            "ladder": self.ladder.0,
            "reconnectWindowS": self.reconnect_window_s,
            "bitrateMaxBps": self.bitrate_max_bps,
            "recording": self.recording,
            "disabled": self.disabled_at.is_some(),
        })
    }
}

/// Settings as a caller gives them: `None` is not given, `Some(None)` is emptied.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// 1 to 200 characters.
    pub title: Option<String>,
    /// Unique in the environment.
    pub reference: Option<Option<String>>,
    /// A JSON object.
    pub metadata: Option<Value>,
    /// Delay against quality.
    pub latency_mode: Option<LatencyMode>,
    /// Which renditions.
    pub ladder: Option<Policy>,
    /// 0 to 3600.
    pub reconnect_window_s: Option<i64>,
    /// Bits/s.
    pub bitrate_max_bps: Option<Option<i64>>,
    /// What is kept of its broadcasts, from the next one on.
    pub recording: Option<Recording>,
    /// Lets nobody publish.
    pub disabled: Option<bool>,
}

impl Settings {
    fn checked(mut self) -> Answer<Self> {
        if let Some(title) = &mut self.title {
            *title = text("title", title, TEXT_CHARS_MAX)?;
        }
        if let Some(Some(reference)) = &mut self.reference {
            *reference = text("reference", reference, TEXT_CHARS_MAX)?;
        }
        if let Some(metadata) = &self.metadata {
            check_metadata(metadata)?;
        }
        if let Some(s) = self.reconnect_window_s.filter(|s| !RECONNECT_WINDOW_S.contains(s)) {
            let sentence = format!("A reconnect window is 0 to 3600 seconds, not {s}.");
            return Err(Problem::mend(Code::OutOfRange, "reconnectWindowS", sentence));
        }
        if let Some(Some(bps)) = self
            .bitrate_max_bps
            .filter(|bps| bps.is_some_and(|bps| !BITRATE_BPS.contains(&bps)))
        {
            let sentence = format!("A bit rate limit is 64,000 to 1,000,000,000 bits/s, not {bps}.");
            return Err(Problem::mend(Code::OutOfRange, "bitrateMaxBps", sentence));
        }
        if let Some(ladder) = &self.ladder {
            ladder.validate().map_err(|error| ladder_problem(ladder, &error))?;
        }
        Ok(self)
    }
}

/// Names the step that is to blame, where one is.
fn ladder_problem(ladder: &Policy, error: &PolicyError) -> Problem {
    let path = match (error, ladder) {
        (PolicyError::Range { step, field, .. }, _) => {
            let field = match *field {
                "short_side" => "shortSide",
                "bitrate_bps" => "bitrateBps",
                "bitrate_high_fps_bps" => "bitrateHighFpsBps",
                _ => "fpsMax",
            };
            format!("ladder.steps.{step}.{field}")
        }
        (PolicyError::Twice(lines), Policy::Custom { steps, .. }) => {
            let second = steps.iter().rposition(|step| step.short_side == *lines);
            format!("ladder.steps.{}.shortSide", second.unwrap_or_default())
        }
        _ => "ladder".to_owned(),
    };
    let sentence = match error {
        PolicyError::Range { value, min, max, .. } if path.ends_with("fpsMax") => {
            let [value, min, max] = [value, min, max].map(|milli| f64::from(*milli) / 1_000.0);
            format!("This is {min} to {max}, not {value}.")
        }
        PolicyError::Range { value, min, max, .. } => format!("This is {min} to {max}, not {value}."),
        PolicyError::Twice(lines) => format!("Another step has {lines} lines already."),
        other => format!("{other}."),
    };
    Problem::mend(Code::Invalid, path, sentence)
}

pub(crate) fn check_metadata(metadata: &Value) -> Answer<()> {
    let Value::Object(map) = metadata else {
        return Err(Problem::mend(Code::Invalid, "metadata", "Metadata is a JSON object."));
    };
    let bytes = metadata.to_string();
    if map.len() > METADATA_KEYS_MAX || bytes.len() > METADATA_BYTES_MAX {
        let sentence = format!("Metadata has at most {METADATA_KEYS_MAX} keys and {METADATA_BYTES_MAX} bytes of JSON.");
        return Err(Problem::mend(Code::TooLong, "metadata", sentence));
    }
    if bytes.contains("\\u0000") {
        return Err(Problem::mend(
            Code::Invalid,
            "metadata",
            "Zero characters cannot be stored.",
        ));
    }
    Ok(())
}

/// A list's sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When it was made.
    #[default]
    CreatedAt,
    /// Its title.
    Title,
}

/// Which channels.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In title or reference.
    pub search: Option<String>,
    /// Exactly this reference.
    pub reference: Option<String>,
    /// Doing this.
    pub state: Option<State>,
}

fn scoped(start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(start);
    query.push(" from channel c where c.deleted_at is null and c.tenant_id = ");
    query.push_bind(place.tenant_id.to_string());
    query
        .push(" and c.environment = ")
        .push_bind(place.environment.as_str());
    query
}

/// The channels of the operation's environment.
pub async fn list(
    op: &Op,
    filter: &Filter,
    by: SortBy,
    descending: bool,
    page: &Page,
    count: bool,
) -> Answer<Paged<Channel>> {
    let place = op.require(Action::ChannelRead)?;
    let mut tx = op.look(place).await?;
    let filtered = |start: String| {
        let mut query = scoped(start, place);
        if let Some(search) = words(filter.search.as_deref()) {
            let like = containing(search);
            query.push(" and (c.title ilike ").push_bind(like.clone());
            query.push(" or c.reference ilike ").push_bind(like).push(")");
        }
        if let Some(reference) = &filter.reference {
            query.push(" and c.reference = ").push_bind(reference.clone());
        }
        let running = |state: &str| {
            format!(
                "exists (select from broadcast b where b.channel_id = c.channel_id and b.tenant_id = c.tenant_id and \
                 b.state {state})"
            )
        };
        let suspended = "(select t.suspended_at is not null from tenant t where t.tenant_id = c.tenant_id)";
        let idle = format!("not {}", running("<> 'ended'"));
        let condition = filter.state.map(|state| match state {
            State::Connecting => running("= 'connecting'"),
            State::Live => running("= 'live'"),
            State::Reconnecting => running("= 'reconnecting'"),
            State::Ending => format!(
                "{} and not {}",
                running("= 'finishing'"),
                running("in ('connecting', 'live', 'reconnecting')")
            ),
            State::Suspended => format!("{idle} and {suspended}"),
            State::Disabled => format!("{idle} and not {suspended} and c.disabled_at is not null"),
            State::Offline => format!("{idle} and not {suspended} and c.disabled_at is null"),
        });
        if let Some(condition) = condition {
            query.push(" and ").push(condition);
        }
        query
    };
    let (column, cast) = match by {
        SortBy::CreatedAt => ("c.created_at", "timestamptz"),
        SortBy::Title => ("c.title", "text"),
    };
    let order = Order {
        column,
        id: "c.channel_id",
        cast,
        descending,
    };
    let key = |row: &Channel| {
        let sort = match by {
            SortBy::CreatedAt => instant(row.created_at),
            SortBy::Title => row.title.clone(),
        };
        (sort, row.channel_id.clone())
    };
    page.read(&mut tx, count, COLUMNS, order, filtered, key).await
}

/// The channels of these ids in the operation's environment, in any order.
pub async fn by_ids(op: &Op, ids: &[String]) -> Answer<Vec<Channel>> {
    let place = op.require(Action::ChannelRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and c.channel_id = any(").push_bind(ids).push(")");
    Ok(query.build_query_as().fetch_all(&mut *tx).await?)
}

/// The channel of this id.
pub async fn by_id(op: &Op, channel: ChannelId) -> Answer<Option<Channel>> {
    Ok(by_ids(op, &[channel.to_string()]).await?.pop())
}

/// The channel that the tenant calls so.
pub async fn of_reference(op: &Op, reference: &str) -> Answer<Option<Channel>> {
    let place = op.require(Action::ChannelRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and c.reference = ").push_bind(reference.to_owned());
    Ok(query.build_query_as().fetch_optional(&mut *tx).await?)
}

/// Finds a channel and holds its row until the transaction ends.
pub(crate) async fn hold(on: &mut PgConnection, place: Place, channel: &str, field: &'static str) -> Answer<Channel> {
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query
        .push(" and c.channel_id = ")
        .push_bind(channel.to_owned())
        .push(" for update");
    let found = query.build_query_as().fetch_optional(on).await?;
    found.ok_or_else(|| Problem::not_found(field, "channel"))
}

/// Makes a channel with a first stream key, which is shown this once, and a playback id.
pub async fn create_for(op: &Op, settings: Settings) -> Answer<(Channel, StreamKeyId, StreamKey)> {
    let place = op.require(Action::ChannelWrite)?;
    op.require(Action::StreamKeyWrite)?;
    let settings = settings.checked()?;
    let Some(title) = settings.title.clone() else {
        return Err(Problem::mend(Code::Blank, "title", "A channel has a title."));
    };
    let (channel, key_id, key) = (ChannelId::random(), StreamKeyId::random(), StreamKey::random());
    let mut change = op.change(place).await?;
    let mut counted = scoped("select count(*)".into(), place);
    let many: i64 = counted.build_query_scalar().fetch_one(change.on()).await?;
    if many >= CHANNELS_MAX {
        let sentence = format!("An environment has at most {CHANNELS_MAX} channels.");
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    sqlx::query(
        "insert into channel (channel_id, tenant_id, environment, title, reference, metadata, latency_mode, \
                              reconnect_window_s, ladder, bitrate_max_bps, disabled_at, recording) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, case when $11 then now() end, $12)",
    )
    .bind(channel.as_str())
    .bind(place.tenant_id.as_str())
    .bind(place.environment.as_str())
    .bind(title)
    .bind(settings.reference.flatten())
    .bind(settings.metadata.unwrap_or_else(|| json!({})))
    .bind(settings.latency_mode.unwrap_or_default().as_str())
    .bind(settings.reconnect_window_s.unwrap_or(60) as i32)
    .bind(Json(settings.ladder.unwrap_or_default()))
    .bind(settings.bitrate_max_bps.flatten())
    .bind(settings.disabled.unwrap_or(false))
    .bind(settings.recording.unwrap_or_default().as_str())
    .execute(change.on())
    .await
    .map_err(of_write)?;
    sqlx::query("insert into playback_id (playback_id, tenant_id, channel_id) values ($1, $2, $3)")
        .bind(PlaybackId::random().as_str())
        .bind(place.tenant_id.as_str())
        .bind(channel.as_str())
        .execute(change.on())
        .await?;
    let new = stream_key::New {
        tenant_id: place.tenant_id,
        channel_id: channel,
        key: key.clone(),
        label: "First key".to_owned(),
        expires_at: None,
    };
    stream_key::insert(change.on(), key_id, &new)
        .await
        .map_err(|error| match error {
            stream_key::Error::Database(error) => Problem::from(error),
            other => Problem::mend_all(Code::Invalid, other.to_string()),
        })?;
    let made = hold(change.on(), place, channel.as_str(), "id").await?;
    change
        .record(audit::New {
            action: "channel.create",
            subject_id: channel.as_str(),
            subject_name: &made.title,
            before: None,
            after: Some(made.facts()),
        })
        .await?;
    change.commit().await?;
    tracing::info!(tenant.id = %place.tenant_id, channel.id = %channel, "created channel {channel}");
    Ok((made, key_id, key))
}

/// Changes settings. Fails with [`Code::Stale`] when somebody else changed the channel since `expected_version`. A broadcast
/// on air keeps the settings it began with.
pub async fn update(op: &Op, channel: ChannelId, expected_version: i32, settings: Settings) -> Answer<Channel> {
    let place = op.require(Action::ChannelWrite)?;
    let settings = settings.checked()?;
    let mut change = op.change(place).await?;
    let before = hold(change.on(), place, channel.as_str(), "id").await?;
    if before.version != expected_version {
        return Err(Problem::stale("channel"));
    }
    let mut query = QueryBuilder::new("update channel set version = version + 1, updated_at = now()");
    if let Some(title) = settings.title {
        query.push(", title = ").push_bind(title);
    }
    if let Some(reference) = settings.reference {
        query.push(", reference = ").push_bind(reference);
    }
    if let Some(metadata) = settings.metadata {
        query.push(", metadata = ").push_bind(metadata);
    }
    if let Some(mode) = settings.latency_mode {
        query.push(", latency_mode = ").push_bind(mode.as_str());
    }
    if let Some(ladder) = settings.ladder {
        query.push(", ladder = ").push_bind(Json(ladder));
    }
    if let Some(seconds) = settings.reconnect_window_s {
        query.push(", reconnect_window_s = ").push_bind(seconds as i32);
    }
    if let Some(bps) = settings.bitrate_max_bps {
        query.push(", bitrate_max_bps = ").push_bind(bps);
    }
    if let Some(recording) = settings.recording {
        query.push(", recording = ").push_bind(recording.as_str());
    }
    match settings.disabled {
        Some(true) => drop(query.push(", disabled_at = coalesce(disabled_at, now())")),
        Some(false) => drop(query.push(", disabled_at = null")),
        None => {}
    }
    query.push(" where tenant_id = ").push_bind(place.tenant_id.to_string());
    query.push(" and channel_id = ").push_bind(channel.to_string());
    query.build().execute(change.on()).await.map_err(of_write)?;
    let after = hold(change.on(), place, channel.as_str(), "id").await?;
    change
        .record(audit::New {
            action: "channel.update",
            subject_id: channel.as_str(),
            subject_name: &after.title,
            before: Some(before.facts()),
            after: Some(after.facts()),
        })
        .await?;
    change.commit().await?;
    Ok(after)
}

/// Ends a channel: its keys and playback ids stop working, its replays stay. Refused while it is on air.
pub async fn delete(op: &Op, channel: ChannelId) -> Answer<()> {
    let place = op.require(Action::ChannelWrite)?;
    let mut change = op.change(place).await?;
    // The scheduler takes the same lock to open a broadcast: one of the two comes first.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(channel.as_str())
        .execute(change.on())
        .await?;
    let found = hold(change.on(), place, channel.as_str(), "id").await?;
    if found.broadcast_state.is_some() {
        let sentence = "This channel is on air, or its replay is being written. Delete it when that is over.";
        return Err(Problem::mend(Code::State, "id", sentence));
    }
    let keys = stream_key::revoke_all(change.on(), place, channel).await?;
    sqlx::query("update channel set kept_policy = replay_policy(tenant_id, channel_id) where tenant_id = $1 and channel_id = $2")
        .bind(place.tenant_id.as_str())
        .bind(channel.as_str())
        .execute(change.on())
        .await?;
    sqlx::query("delete from playback_id where tenant_id = $1 and channel_id = $2")
        .bind(place.tenant_id.as_str())
        .bind(channel.as_str())
        .execute(change.on())
        .await?;
    sqlx::query(
        "update channel set deleted_at = now(), reference = null, updated_at = now(), version = version + 1 \
         where tenant_id = $1 and channel_id = $2",
    )
    .bind(place.tenant_id.as_str())
    .bind(channel.as_str())
    .execute(change.on())
    .await?;
    change
        .record(audit::New {
            action: "channel.delete",
            subject_id: channel.as_str(),
            subject_name: &found.title,
            before: Some(found.facts()),
            after: None,
        })
        .await?;
    change.commit().await?;
    stream_key::tell_edges(op, &keys).await;
    tracing::info!(tenant.id = %place.tenant_id, channel.id = %channel, "deleted channel {channel}");
    Ok(())
}

fn of_write(error: sqlx::Error) -> Problem {
    let error = DatabaseError::from(error);
    match error.constraint() {
        Some("channel_reference_key") => Problem::mend(
            Code::Taken,
            "reference",
            "Another channel of this environment has this reference.",
        ),
        Some("channel_metadata") => Problem::mend(Code::TooLong, "metadata", "Metadata is too large."),
        _ => error.into(),
    }
}
