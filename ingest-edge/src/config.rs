//! What an edge can be told. Every value is checked before the process starts.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use clap::value_parser as within;
use headwater_platform::hints::HintsConfig;
use headwater_platform::rpc::RpcConfig;

use crate::key::Rate;
use crate::replay_buffer::Limits;

/// Configuration of the `ingest-edge` role.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Addresses that RTMP publishers connect to, separated by commas. `[::]` takes IPv6 and IPv4, and only IPv4 where
    /// IPv6 is off.
    #[arg(
        long,
        env = "HEADWATER_INGEST_RTMP_LISTEN",
        default_value = "[::]:1935",
        value_delimiter = ','
    )]
    pub ingest_rtmp_listen: Vec<SocketAddr>,
    /// Address of the gRPC listener from which workers pull media.
    #[arg(long, env = "HEADWATER_INGEST_RPC_LISTEN", default_value = "127.0.0.1:7003")]
    pub ingest_rpc_listen: SocketAddr,
    /// The same listener as workers reach it: http://host:port
    #[arg(long, env = "HEADWATER_INGEST_RPC_URL", default_value = "http://127.0.0.1:7003")]
    pub ingest_rpc_url: String,
    /// gRPC address of the api.
    #[arg(long, env = "HEADWATER_API_RPC_URL", default_value = "http://127.0.0.1:7001")]
    pub api_rpc_url: String,
    /// gRPC address of the scheduler.
    #[arg(long, env = "HEADWATER_SCHEDULER_RPC_URL", default_value = "http://127.0.0.1:7002")]
    pub scheduler_rpc_url: String,
    /// How processes trust one another.
    #[command(flatten)]
    pub rpc: RpcConfig,
    /// Where hints are kept: they tell of a revoked key at once.
    #[command(flatten)]
    pub hints: HintsConfig,

    /// Publishers' connections at a time. Higher takes more publishers and more file descriptors.
    #[arg(long, env = "HEADWATER_INGEST_CONNECTIONS_MAX", default_value_t = 10_000, value_parser = within!(u32).range(1..=1_000_000))]
    pub ingest_connections_max: u32,
    /// Connections that one address may open at once.
    #[arg(long, env = "HEADWATER_INGEST_ADDRESS_BURST", default_value_t = 500, value_parser = within!(u32).range(1..=100_000))]
    pub ingest_address_burst: u32,
    /// Connections that one address may open each second in the long run.
    #[arg(long, env = "HEADWATER_INGEST_ADDRESS_PER_S", default_value_t = 50, value_parser = within!(u32).range(1..=100_000))]
    pub ingest_address_per_s: u32,
    /// Milliseconds without media after which a publisher counts as gone. Higher forgives worse uplinks and keeps
    /// viewers waiting longer for nothing.
    #[arg(long, env = "HEADWATER_INGEST_MEDIA_TIMEOUT_MS", default_value_t = 10_000, value_parser = within!(u64).range(100..=600_000))]
    pub ingest_media_timeout_ms: u64,
    /// Milliseconds of media that a publisher may be ahead of real time. Higher lets a publisher catch up faster after
    /// a stall of its network, and costs that much memory.
    #[arg(long, env = "HEADWATER_INGEST_BURST_MS", default_value_t = 8_000, value_parser = within!(u64).range(1_000..=60_000))]
    pub ingest_burst_ms: u64,
    /// Bits per second, over ten seconds, that a publisher may send where its channel says nothing.
    #[arg(long, env = "HEADWATER_INGEST_BITRATE_MAX_BPS", default_value_t = 60_000_000, value_parser = within!(u64).range(64_000..=10_000_000_000))]
    pub ingest_bitrate_max_bps: u64,
    /// Seconds between two checks that a live publisher's key is still good and that its broadcast was not ended. Redis
    /// tells of both at once; this is how long it may take without. Lower asks the api more often.
    #[arg(long, env = "HEADWATER_INGEST_KEY_RECHECK_S", default_value_t = 15, value_parser = within!(u64).range(1..=3_600))]
    pub ingest_key_recheck_s: u64,

    /// Whether stopping this edge ends its broadcasts. Set it where no other edge can continue them; leave it off where
    /// encoders that reconnect find another edge within the window.
    #[arg(long, env = "HEADWATER_INGEST_STOP_ENDS")]
    pub ingest_stop_ends: bool,
    /// Seconds of media that one broadcast's replay buffer holds at most. Higher bridges longer outages of workers and
    /// store, and costs memory only during them.
    #[arg(long, env = "HEADWATER_REPLAY_BUFFER_TIME_MAX_S", default_value_t = 120, value_parser = within!(u64).range(10..=3_600))]
    pub replay_buffer_time_max_s: u64,
    /// Bytes that one broadcast's replay buffer holds at most.
    #[arg(long, env = "HEADWATER_REPLAY_BUFFER_BYTES_MAX", default_value_t = 96 << 20, value_parser = within!(u64).range(1 << 16..))]
    pub replay_buffer_bytes_max: u64,
    /// Bytes that all replay buffers hold together at most; beyond it, those above an equal share give way.
    #[arg(long, env = "HEADWATER_REPLAY_BUFFER_TOTAL_BYTES_MAX", default_value_t = 2 << 30, value_parser = within!(u64).range(1 << 20..))]
    pub replay_buffer_total_bytes_max: u64,
}

impl Config {
    pub(crate) fn replay_limits(&self) -> Limits {
        Limits {
            time_max: Duration::from_secs(self.replay_buffer_time_max_s),
            bytes_max: usize::try_from(self.replay_buffer_bytes_max).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn connection_rate(&self) -> Rate {
        Rate {
            burst: self.ingest_address_burst,
            interval: Duration::from_secs(1) / self.ingest_address_per_s,
        }
    }

    pub(crate) fn media_timeout(&self) -> Duration {
        Duration::from_millis(self.ingest_media_timeout_ms)
    }

    pub(crate) fn burst(&self) -> Duration {
        Duration::from_millis(self.ingest_burst_ms)
    }

    pub(crate) fn key_recheck(&self) -> Duration {
        Duration::from_secs(self.ingest_key_recheck_s)
    }
}
