//! Subscriptions: the object as it is now, then after every change of it.

use std::collections::VecDeque;

use async_graphql::{Context, ID, Result, Subscription};
use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use headwater_model::{BroadcastId, ChannelId};

use super::broadcast::Broadcast;
use super::channel::Channel;
use super::common::parse;
use super::following::Following;
use super::health::BroadcastHealth;
use crate::access::Action;
use crate::changes::{Change, Watch};
use crate::op::{Actor, Op};
use crate::page::Page;
use crate::problem::{Answer, Problem};
use crate::{broadcast, channel};

/// Channels that a list of channels looks at again when changes may have been missed.
const LOOK_AGAIN_ROWS: i32 = 100;

/// What can be watched.
#[derive(Default)]
pub struct Subscription;

#[Subscription]
impl Subscription {
    /// The channel as it is now, then after every change of it, its keys and its broadcasts. Ends when it is deleted.
    async fn channel_updated(&self, ctx: &Context<'_>, id: ID) -> Result<impl Stream<Item = Result<Channel>> + use<>> {
        let op = Op::of(ctx).clone();
        op.require(Action::ChannelRead)?;
        let wanted: ChannelId = parse(&id).ok_or_else(|| not_found("channel"))?;
        let watch = op.services().changes.subscribe();
        let found = channel::by_id(&op, wanted).await?.ok_or_else(|| not_found("channel"))?;
        let concerns = move |change: &Change| match change {
            Change::Of { channel, .. } => *channel == wanted,
            Change::LookAgain => true,
        };
        let look = move |op: Op, since: u64| -> BoxFuture<'static, Answer<Option<channel::Channel>>> {
            Box::pin(async move { channel_since(&op, wanted, since).await })
        };
        Ok(watched(op, watch, found, concerns, look).map(|item| item.map(Channel)))
    }

    /// The broadcast as it is now, then after every change of it.
    async fn broadcast_updated(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> Result<impl Stream<Item = Result<Broadcast>> + use<>> {
        let op = Op::of(ctx).clone();
        op.require(Action::BroadcastRead)?;
        let wanted: BroadcastId = parse(&id).ok_or_else(|| not_found("broadcast"))?;
        let watch = op.services().changes.subscribe();
        let found = broadcast::by_id(&op, wanted)
            .await?
            .ok_or_else(|| not_found("broadcast"))?;
        let concerns = move |change: &Change| match change {
            Change::Of { broadcast, .. } => *broadcast == Some(wanted),
            Change::LookAgain => true,
        };
        let look = move |op: Op, since: u64| -> BoxFuture<'static, Answer<Option<broadcast::Entry>>> {
            Box::pin(async move { broadcast_since(&op, wanted, since).await })
        };
        Ok(watched(op, watch, found, concerns, look).map(|item| item.map(Broadcast)))
    }

    /// How the broadcast does: now, then about every second while it is on air. Ends with it.
    async fn broadcast_health(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> Result<impl Stream<Item = Result<BroadcastHealth>> + use<>> {
        let op = Op::of(ctx).clone();
        let place = op.require(Action::BroadcastRead)?;
        let wanted: BroadcastId = parse(&id).ok_or_else(|| not_found("broadcast"))?;
        let changes = op.services().changes.subscribe();
        let found = broadcast::by_id(&op, wanted)
            .await?
            .ok_or_else(|| not_found("broadcast"))?;
        let (hints, watched) = (&op.services().hints, &op.services().watched);
        let heard = watched.watch(hints, place.tenant_id, wanted);
        let heard =
            heard.ok_or_else(|| Problem::rate_limited("Too many broadcasts are watched here. Try again later.", 10))?;
        // What cannot be read now is heard within a second.
        let kept = crate::health::newest(hints, place.tenant_id, &[wanted]).await;
        let newest = kept.ok().and_then(|mut newest| newest.pop()).unwrap_or_default();
        Ok(Following::new(
            op,
            place.tenant_id,
            wanted,
            newest,
            heard,
            changes,
            found.state == "ended",
        )
        .stream())
    }

    /// Every channel of the environment that changes, after it has.
    async fn channels_updated(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = Result<Channel>> + use<>> {
        let op = Op::of(ctx).clone();
        let place = op.require(Action::ChannelRead)?;
        let watch = op.services().changes.subscribe();
        let seen = (op, watch, VecDeque::<channel::Channel>::new(), false);
        let items = stream::unfold(seen, move |(op, mut watch, mut ready, over)| async move {
            if over {
                return None;
            }
            loop {
                if let Some(channel) = ready.pop_front() {
                    return Some((Ok(Channel(channel)), (op, watch, ready, false)));
                }
                let (since, change) = watch.next().await?;
                let found = match change {
                    Change::Of { tenant, channel, .. } if tenant == place.tenant_id => {
                        let found = still(&op, since, channel_since(&op, channel, since)).await;
                        found.map(|found| found.into_iter().collect())
                    }
                    Change::Of { .. } => continue,
                    Change::LookAgain => still(&op, since, recent(&op)).await,
                };
                match found {
                    Ok(found) => ready.extend(found),
                    Err(problem) => return Some((Err(problem.into()), (op, watch, ready, true))),
                }
            }
        });
        Ok(items)
    }
}

async fn recent(op: &Op) -> Answer<Vec<channel::Channel>> {
    let page = Page::new(Some(LOOK_AGAIN_ROWS), None, None, None)?;
    let paged = channel::list(
        op,
        &channel::Filter::default(),
        channel::SortBy::CreatedAt,
        true,
        &page,
        false,
    )
    .await?;
    Ok(paged.rows.into_iter().map(|(_, channel)| channel).collect())
}

fn not_found(what: &str) -> Problem {
    Problem::bad_input(format!("There is no such {what}."))
}

/// The channel as it is after the change `since`, looked at once for all who want it.
async fn channel_since(op: &Op, wanted: ChannelId, since: u64) -> Answer<Option<channel::Channel>> {
    let place = op.require(Action::ChannelRead)?;
    let (services, own) = (op.services(), op.clone());
    let look = move || -> BoxFuture<'static, Answer<Option<channel::Channel>>> {
        let op = own.clone();
        Box::pin(async move { channel::by_id(&op, wanted).await })
    };
    let key = (place.tenant_id, place.environment, wanted);
    let shared = services
        .shared
        .channels
        .look(key, since, services.changes.heard(), look);
    shared.await
}

/// As [`channel_since`], a broadcast.
async fn broadcast_since(op: &Op, wanted: BroadcastId, since: u64) -> Answer<Option<broadcast::Entry>> {
    let place = op.require(Action::BroadcastRead)?;
    let (services, own) = (op.services(), op.clone());
    let look = move || -> BoxFuture<'static, Answer<Option<broadcast::Entry>>> {
        let op = own.clone();
        Box::pin(async move { broadcast::by_id(&op, wanted).await })
    };
    let key = (place.tenant_id, place.environment, wanted);
    let shared = services
        .shared
        .broadcasts
        .look(key, since, services.changes.heard(), look);
    shared.await
}

/// Looks, provided that the caller's credential still stands after the change `since`.
async fn still<T>(op: &Op, since: u64, look: impl Future<Output = Answer<T>>) -> Answer<T> {
    let services = op.services();
    let credential = match op.actor() {
        Actor::Nobody => String::new(),
        Actor::Token { token_id, .. } => token_id.to_string(),
        Actor::User { session_id, .. } => session_id.to_string(),
    };
    let (place, own) = (op.place(), op.clone());
    let key = (
        credential,
        place.map(|place| place.tenant_id),
        place.and_then(|place| place.role),
    );
    let stands = move || -> BoxFuture<'static, Answer<bool>> {
        let op = own.clone();
        Box::pin(async move { op.stands().await })
    };
    let shared = &services.shared.credentials;
    match shared.look(key, since, services.changes.heard(), stands).await? {
        true => look.await,
        false => Err(ended()),
    }
}

fn ended() -> Problem {
    Problem::unauthenticated("Your session or token has ended, or your role has changed.")
}

/// `first`, then what `look` finds after each change that concerns it, until it finds nothing or may not look any more.
fn watched<T: Send + 'static>(
    op: Op,
    watch: Watch,
    first: T,
    concerns: impl Fn(&Change) -> bool + Send + Clone + 'static,
    look: impl Fn(Op, u64) -> BoxFuture<'static, Answer<Option<T>>> + Send + Sync + Clone + 'static,
) -> impl Stream<Item = Result<T>> {
    let rest = stream::unfold((op, watch, false), move |(op, mut watch, over)| {
        let (concerns, look) = (concerns.clone(), look.clone());
        async move {
            if over {
                return None;
            }
            let since = loop {
                let (number, change) = watch.next().await?;
                if concerns(&change) {
                    break number;
                }
            };
            match still(&op, since, look(op.clone(), since)).await {
                Ok(Some(found)) => Some((Ok(found), (op, watch, false))),
                Ok(None) => None,
                Err(problem) => Some((Err(problem.into()), (op, watch, true))),
            }
        }
    });
    stream::once(async move { Ok(first) }).chain(rest)
}

/// Looks, provided that the caller's credential stands at this moment, whether or not anything has changed.
pub(super) async fn still_now<T>(op: &Op, look: impl Future<Output = Answer<T>>) -> Answer<T> {
    match op.stands().await? {
        true => look.await,
        false => Err(ended()),
    }
}
