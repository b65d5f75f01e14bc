//! The scheduler on a real PostgreSQL and Redis, with workers simulated behind the same messages.

mod outages;
mod placement;

use headwater_api::{channel, tenant};
use headwater_model::heartbeat::Capacity;
use headwater_model::proto::api::playback_client::PlaybackClient;
use headwater_model::proto::api::{ResolveRequest, ResolveResponse};
use headwater_model::proto::scheduler::report_publisher_request::State;
use headwater_model::proto::scheduler::scheduler_client::SchedulerClient;
use headwater_model::proto::scheduler::{
    FinishBroadcastRequest, OpenBroadcastRequest, OpenBroadcastResponse, ReportPlayableRequest, ReportPublisherRequest,
};
use headwater_model::{BroadcastId, PublishId, StreamKeyId, TenantId};
use headwater_platform::rpc;
use headwater_tests::farm::{self, Role, SimWorker, audio_track, rpc_config, video_track};
use headwater_tests::outside::{Redis, TestDatabase};
use tonic::Status;

type Outcome = anyhow::Result<()>;

const ROOMY: Capacity = Capacity {
    encode_px_per_s: 1_000_000_000,
    slots: 16,
};

/// A tenant with one channel, and the control plane around it.
struct Stage {
    database: TestDatabase,
    redis: Redis,
    tenant: TenantId,
    channel: channel::Created,
    api: Role,
    scheduler: Role,
}

impl Stage {
    async fn set(reconnect_window_s: u32) -> anyhow::Result<Self> {
        Self::set_in(TestDatabase::fresh().await?, reconnect_window_s).await
    }

    async fn set_in(database: TestDatabase, reconnect_window_s: u32) -> anyhow::Result<Self> {
        let redis = Redis::start().await?;
        let tenant = tenant::create(&database.api, "acme", "Acme").await?.id;
        let new = channel::New {
            reconnect_window_s,
            ..channel::New::titled(tenant, "Town hall")
        };
        let channel = channel::create(&database.api, new).await?;
        let api = farm::api(&database.url).await?;
        let scheduler = farm::leading_scheduler(&database.url, &redis.url()).await?;
        Ok(Self {
            database,
            redis,
            tenant,
            channel,
            api,
            scheduler,
        })
    }

    async fn worker(&self) -> anyhow::Result<SimWorker> {
        SimWorker::start(&self.redis.url(), ROOMY).await
    }

    fn client(&self) -> anyhow::Result<SchedulerClient<rpc::Client>> {
        Ok(SchedulerClient::new(rpc::client(&self.scheduler.url, &rpc_config())?))
    }

    async fn open(&self, publish: PublishId, edge: &str) -> anyhow::Result<Result<OpenBroadcastResponse, Status>> {
        let request = OpenBroadcastRequest {
            tenant_id: self.tenant.into(),
            channel_id: self.channel.channel_id.into(),
            publish_id: publish.into(),
            edge_url: edge.into(),
            tracks: vec![video_track(), audio_track()],
            source_bitrate_bps: 2_500_000,
            source_fps_milli: 30_000,
            start_wallclock_ms: 0,
            stream_key_id: StreamKeyId::numbered(1).to_string(),
        };
        Ok(self
            .client()?
            .open_broadcast(request)
            .await
            .map(|response| response.into_inner()))
    }

    /// Says what became of a publisher; whether the broadcast is over.
    async fn report(&self, broadcast: BroadcastId, publish: PublishId, state: State) -> Result<bool, Status> {
        let request = ReportPublisherRequest {
            broadcast_id: broadcast.into(),
            publish_id: publish.into(),
            state: state.into(),
            reason: "as the test wants it".into(),
        };
        let mut client = self.client().map_err(|error| Status::internal(error.to_string()))?;
        client
            .report_publisher(request)
            .await
            .map(|said| said.into_inner().over)
    }

    /// A worker says that it can be watched.
    async fn playable(&self, broadcast: BroadcastId, generation: u64) -> Result<(), Status> {
        let request = ReportPlayableRequest {
            broadcast_id: broadcast.into(),
            generation,
        };
        let mut client = self.client().map_err(|error| Status::internal(error.to_string()))?;
        client.report_playable(request).await.map(|_| ())
    }

    /// What PostgreSQL says of a broadcast: its state, and why it is finishing.
    async fn kept(&self, broadcast: BroadcastId) -> anyhow::Result<(String, Option<String>)> {
        let kept = sqlx::query_as("select state, finishing_cause from broadcast where broadcast_id = $1");
        let mut connection = self.database.connect().await?;
        Ok(kept.bind(broadcast.as_str()).fetch_one(&mut connection).await?)
    }

    async fn finish(&self, broadcast: BroadcastId, generation: u64) -> Result<(), Status> {
        let request = FinishBroadcastRequest {
            broadcast_id: broadcast.into(),
            generation,
            worker_id: "wk_aaaaaaaaaaaaaaaaaaaaaaaa".into(),
            duration_ms: 61_500,
            size_bytes: 1_000,
            error: String::new(),
        };
        let mut client = self.client().map_err(|error| Status::internal(error.to_string()))?;
        client.finish_broadcast(request).await.map(|_| ())
    }

    async fn shown(&self, playback_id: &str) -> anyhow::Result<ResolveResponse> {
        let mut client = PlaybackClient::new(rpc::client(&self.api.url, &rpc_config())?);
        Ok(client
            .resolve(ResolveRequest {
                playback_id: playback_id.into(),
            })
            .await?
            .into_inner())
    }

    async fn channel_shown(&self) -> anyhow::Result<ResolveResponse> {
        self.shown(self.channel.playback_id.as_str()).await
    }

    /// Opens and publishes on another channel until that one is placed: the scheduler has looked at everything since.
    async fn another_is_placed(&self, worker: &SimWorker) -> Outcome {
        let made = channel::create(&self.database.api, channel::New::titled(self.tenant, "Another")).await?;
        let request = OpenBroadcastRequest {
            tenant_id: self.tenant.into(),
            channel_id: made.channel_id.into(),
            publish_id: PublishId::random().into(),
            edge_url: "http://edge-9:7003".into(),
            tracks: vec![video_track()],
            ..Default::default()
        };
        let opened = self.client()?.open_broadcast(request).await?.into_inner();
        worker
            .assigned(|assignment| assignment.broadcast_id == opened.broadcast_id)
            .await?;
        Ok(())
    }
}

fn id(opened: &OpenBroadcastResponse) -> anyhow::Result<BroadcastId> {
    Ok(BroadcastId::parse(&opened.broadcast_id)?)
}
