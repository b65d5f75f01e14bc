//! Loaders: what many objects of one answer ask for is asked of PostgreSQL once.

use std::collections::HashMap;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, Error, Result};
use headwater_model::BroadcastId;
use headwater_model::viewers::viewer_sets;

use crate::access::Action;
use crate::health::{self, Newest};
use crate::op::Op;
use crate::page::{Page, Paged};
use crate::{asset, broadcast, channel, member, playback_id, stream_key, webhook};

/// Loads on behalf of one operation.
pub struct Load(pub(super) Op);

/// The loaders of an operation.
pub type Loaders = DataLoader<Load>;

/// The loaders of a resolver's operation.
pub(super) fn of<'c>(ctx: &Context<'c>) -> &'c Loaders {
    ctx.data_unchecked::<Loaders>()
}

type Loaded<K, V> = Result<HashMap<K, V>, Error>;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub String);
    };
}
key!(
    /// A channel by its id.
    ChannelBy
);
key!(
    /// The playback ids of a channel.
    PlaybackOf
);
key!(
    /// The broadcast on air of a channel.
    OnAirOf
);
key!(
    /// A broadcast by its id.
    BroadcastBy
);
key!(
    /// What was last said of how a broadcast does.
    NewestOf
);
key!(
    /// How many watch a broadcast.
    ViewersOf
);
key!(
    /// The asset of a broadcast.
    AssetOf
);
key!(
    /// A member by the person's id.
    PersonBy
);
key!(
    /// A webhook endpoint by its id.
    EndpointBy
);
key!(
    /// An event by its id.
    EventBy
);
key!(
    /// The deliveries of an event.
    DeliveriesOf
);
key!(
    /// The attempts of a delivery.
    AttemptsOf
);

/// A page of a channel's keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeysOf {
    pub(super) channel: String,
    pub(super) inactive: bool,
    pub(super) page: Page,
    pub(super) count: bool,
}

fn keyed<K: std::hash::Hash + Eq, V>(rows: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, V> {
    rows.into_iter().map(|row| (key(&row), row)).collect()
}

fn ids<K>(keys: &[K], id: impl Fn(&K) -> &String) -> Vec<String> {
    keys.iter().map(|key| id(key).clone()).collect()
}

impl Loader<ChannelBy> for Load {
    type Value = channel::Channel;
    type Error = Error;
    async fn load(&self, keys: &[ChannelBy]) -> Loaded<ChannelBy, channel::Channel> {
        let found = channel::by_ids(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(keyed(found, |row| ChannelBy(row.channel_id.clone())))
    }
}

impl Loader<PlaybackOf> for Load {
    type Value = Vec<playback_id::Playback>;
    type Error = Error;
    async fn load(&self, keys: &[PlaybackOf]) -> Loaded<PlaybackOf, Vec<playback_id::Playback>> {
        let mut of: HashMap<_, Vec<_>> = HashMap::new();
        for row in playback_id::of_channels(&self.0, &ids(keys, |key| &key.0)).await? {
            of.entry(PlaybackOf(row.channel_id.clone())).or_default().push(row);
        }
        Ok(of)
    }
}

impl Loader<OnAirOf> for Load {
    type Value = broadcast::Entry;
    type Error = Error;
    async fn load(&self, keys: &[OnAirOf]) -> Loaded<OnAirOf, broadcast::Entry> {
        let found = broadcast::on_air(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(keyed(found, |row| OnAirOf(row.channel_id.clone())))
    }
}

impl Loader<BroadcastBy> for Load {
    type Value = broadcast::Entry;
    type Error = Error;
    async fn load(&self, keys: &[BroadcastBy]) -> Loaded<BroadcastBy, broadcast::Entry> {
        let found = broadcast::by_ids(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(keyed(found, |row| BroadcastBy(row.broadcast_id.clone())))
    }
}

impl Loader<NewestOf> for Load {
    type Value = Newest;
    type Error = Error;
    async fn load(&self, keys: &[NewestOf]) -> Loaded<NewestOf, Newest> {
        let place = self.0.require(Action::BroadcastRead)?;
        let known = keys
            .iter()
            .filter_map(|key| Some((key.clone(), key.0.parse::<BroadcastId>().ok()?)));
        let (keys, broadcasts): (Vec<_>, Vec<_>) = known.unzip();
        let hints = &self.0.services().hints;
        match health::newest(hints, place.tenant_id, &broadcasts).await {
            Ok(newest) => Ok(keys.into_iter().zip(newest).collect()),
            Err(error) => {
                tracing::debug!("how broadcasts do is not known: {error}");
                Ok(HashMap::new())
            }
        }
    }
}

impl Loader<ViewersOf> for Load {
    type Value = u64;
    type Error = Error;
    async fn load(&self, keys: &[ViewersOf]) -> Loaded<ViewersOf, u64> {
        let now_s = chrono::Utc::now().timestamp();
        let known = keys
            .iter()
            .filter_map(|key| Some((key.clone(), key.0.parse::<BroadcastId>().ok()?)));
        let (keys, broadcasts): (Vec<_>, Vec<BroadcastId>) = known.unzip();
        let sets = broadcasts.iter().map(|id| viewer_sets(id, now_s).to_vec()).collect();
        match self.0.services().hints.distinct(sets).await {
            Ok(counts) => Ok(keys.into_iter().zip(counts).collect()),
            Err(error) => {
                tracing::debug!("how many watch is not known: {error}");
                Ok(HashMap::new())
            }
        }
    }
}

impl Loader<AssetOf> for Load {
    type Value = asset::Asset;
    type Error = Error;
    async fn load(&self, keys: &[AssetOf]) -> Loaded<AssetOf, asset::Asset> {
        let found = asset::of_broadcasts(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(keyed(found, |row| AssetOf(row.broadcast_id.clone())))
    }
}

impl Loader<PersonBy> for Load {
    type Value = member::Member;
    type Error = Error;
    async fn load(&self, keys: &[PersonBy]) -> Loaded<PersonBy, member::Member> {
        let found = member::by_users(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(keyed(found, |row| PersonBy(row.user_id.clone())))
    }
}

impl Loader<EndpointBy> for Load {
    type Value = webhook::endpoint::Endpoint;
    type Error = Error;
    async fn load(&self, keys: &[EndpointBy]) -> Loaded<EndpointBy, webhook::endpoint::Endpoint> {
        let found = webhook::endpoint::by_ids(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(keyed(found, |row| EndpointBy(row.webhook_endpoint_id.clone())))
    }
}

impl Loader<EventBy> for Load {
    type Value = webhook::event::Event;
    type Error = Error;
    async fn load(&self, keys: &[EventBy]) -> Loaded<EventBy, webhook::event::Event> {
        let found = webhook::event::by_ids(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(keyed(found, |row| EventBy(row.event_id.clone())))
    }
}

impl Loader<DeliveriesOf> for Load {
    type Value = Vec<webhook::log::Delivery>;
    type Error = Error;
    async fn load(&self, keys: &[DeliveriesOf]) -> Loaded<DeliveriesOf, Vec<webhook::log::Delivery>> {
        let found = webhook::log::of_events(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(found.into_iter().map(|(id, rows)| (DeliveriesOf(id), rows)).collect())
    }
}

impl Loader<AttemptsOf> for Load {
    type Value = Vec<webhook::log::Attempt>;
    type Error = Error;
    async fn load(&self, keys: &[AttemptsOf]) -> Loaded<AttemptsOf, Vec<webhook::log::Attempt>> {
        let found = webhook::log::attempts(&self.0, &ids(keys, |key| &key.0)).await?;
        Ok(found.into_iter().map(|(id, rows)| (AttemptsOf(id), rows)).collect())
    }
}

impl Loader<KeysOf> for Load {
    type Value = Paged<stream_key::Key>;
    type Error = Error;
    async fn load(&self, keys: &[KeysOf]) -> Loaded<KeysOf, Paged<stream_key::Key>> {
        // One statement for each different page that is asked for; in practice they are all the same.
        let mut alike: HashMap<(bool, Page, bool), Vec<String>> = HashMap::new();
        for key in keys {
            let page = (key.inactive, key.page.clone(), key.count);
            alike.entry(page).or_default().push(key.channel.clone());
        }
        let mut loaded = HashMap::new();
        for ((inactive, page, count), channels) in alike {
            let lists = stream_key::lists(&self.0, &channels, inactive, &page, count).await?;
            loaded.extend(lists.into_iter().map(|(channel, paged)| {
                let key = KeysOf {
                    channel,
                    inactive,
                    page: page.clone(),
                    count,
                };
                (key, paged)
            }));
        }
        Ok(loaded)
    }
}
