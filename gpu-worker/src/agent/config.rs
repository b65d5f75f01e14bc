//! What a worker can be told. Every value is checked before the process starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use clap::value_parser as within;
use headwater_model::heartbeat::Capacity;
use headwater_platform::hints::HintsConfig;
use headwater_platform::rpc::RpcConfig;
use headwater_platform::store::StoreConfig;

/// x264 presets that keep up with live video.
const PRESETS: [&str; 6] = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"];
/// Encoded pixels per second that one core offers at `veryfast`: four fifths of the 92 million of the benchmark's
/// ladder, so that a full worker keeps real time.
const PIXELS_PER_CORE: u64 = 75_000_000;

/// Configuration of the `gpu-worker` role.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address of the gRPC listener for schedulers and origins.
    #[arg(long, env = "HEADWATER_WORKER_LISTEN", default_value = "127.0.0.1:7004")]
    pub worker_listen: SocketAddr,
    /// The same listener as others reach it: http://host:port. Empty: the listen address itself.
    #[arg(long, env = "HEADWATER_WORKER_URL", default_value = "")]
    pub worker_url: String,
    /// gRPC address of the scheduler.
    #[arg(long, env = "HEADWATER_SCHEDULER_RPC_URL", default_value = "http://127.0.0.1:7002")]
    pub scheduler_rpc_url: String,
    /// How processes trust one another.
    #[command(flatten)]
    pub rpc: RpcConfig,
    /// Where media is kept.
    #[command(flatten)]
    pub store: StoreConfig,
    /// Where hints are kept.
    #[command(flatten)]
    pub hints: HintsConfig,

    /// Folder for segments that the store does not take and memory has no room for. Emptied at start: what lies there
    /// was never acknowledged, so the edge still has it.
    #[arg(long, env = "HEADWATER_WORKER_SPOOL_DIR", default_value = "/var/tmp/headwater-spool")]
    pub worker_spool_dir: PathBuf,
    /// Bytes that the spool holds at most. Higher bridges longer outages of the store; at the bound the worker stops
    /// taking media in, and the edge's buffer fills.
    #[arg(long, env = "HEADWATER_WORKER_SPOOL_BYTES_MAX", default_value_t = 8 << 30)]
    pub worker_spool_bytes_max: u64,
    /// Bytes of finished segments that one broadcast keeps in memory while the store does not take them.
    #[arg(long, env = "HEADWATER_WORKER_UPLOAD_BYTES_MAX", default_value_t = 16 << 20, value_parser = within!(u64).range(1 << 16..))]
    pub worker_upload_bytes_max: u64,
    /// Objects that one broadcast writes at the same time.
    #[arg(long, env = "HEADWATER_WORKER_UPLOADS", default_value_t = 6, value_parser = within!(u32).range(1..=64))]
    pub worker_uploads: u32,
    /// Milliseconds of finished segments that new subscribers are told of at once; older ones they look for in the store.
    #[arg(long, env = "HEADWATER_WORKER_WINDOW_MS", default_value_t = 60_000, value_parser = within!(u64).range(0..=600_000))]
    pub worker_window_ms: u64,
    /// Milliseconds that a codec child which owes media may do nothing before it is killed and restarted. One that works,
    /// or waits for the CPU, is waited for.
    #[arg(long, env = "HEADWATER_WORKER_STALL_MS", default_value_t = 5_000, value_parser = within!(u64).range(500..=60_000))]
    pub worker_stall_ms: u64,
    /// x264 preset. Slower ones give a better picture at the same bit rate and cost capacity.
    #[arg(long, env = "HEADWATER_WORKER_PRESET", default_value = "veryfast", value_parser = clap::builder::PossibleValuesParser::new(PRESETS))]
    pub worker_preset: String,
    /// Bits per second of audio renditions that are not the source's own.
    #[arg(long, env = "HEADWATER_WORKER_AUDIO_BPS", default_value_t = 128_000, value_parser = within!(u32).range(32_000..=320_000))]
    pub worker_audio_bps: u32,
    /// Encoded pixels per second that this worker offers; 0: 75 million for each core.
    #[arg(long, env = "HEADWATER_WORKER_CAPACITY_PX_PER_S", default_value_t = 0)]
    pub worker_capacity_px_per_s: u64,
    /// Broadcasts with encoded renditions that this worker offers to run; 0: four for each core.
    #[arg(long, env = "HEADWATER_WORKER_SLOTS", default_value_t = 0)]
    pub worker_slots: u32,
    /// Program that runs as the codec child, with the argument `transcoder`; empty: this program itself.
    #[arg(long, env = "HEADWATER_WORKER_TRANSCODER")]
    pub worker_transcoder: Option<PathBuf>,
}

impl Config {
    /// What the worker says it can do, from its settings or from the machine's cores.
    pub fn capacity(&self) -> Capacity {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        Capacity {
            encode_px_per_s: match self.worker_capacity_px_per_s {
                0 => cores * PIXELS_PER_CORE,
                told => told,
            },
            slots: match self.worker_slots {
                0 => (cores * 4) as u32,
                told => told,
            },
        }
    }
}
