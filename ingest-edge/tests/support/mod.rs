//! An edge with a made-up api and scheduler beside it, an encoder of the tests' own, and a worker that pulls.
#![allow(dead_code, reason = "each test binary uses its share")]

pub mod encoder;
pub mod farm;
pub mod worker;

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use headwater_ingest_edge::{Config, Edge};
use headwater_platform::Process;
use headwater_platform::rpc::RpcConfig;

pub use encoder::Encoder;
pub use farm::Farm;
pub use worker::Worker;

/// Nothing in these tests takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn rpc_config() -> RpcConfig {
    RpcConfig::with_secret("a secret of the tests")
}

/// Waits for `what` at most [`PATIENCE`].
pub async fn soon<T>(what: &str, it: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, it).await {
        Ok(done) => done,
        Err(_) => panic!("waited {} s for {what}", PATIENCE.as_secs()),
    }
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

/// A running edge, its farm, and how to reach them.
pub struct Stage {
    pub farm: Farm,
    /// The first of `listens`.
    pub rtmp: SocketAddr,
    pub listens: Vec<SocketAddr>,
    pub link: SocketAddr,
    pub process: Process,
    serving: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further arguments for the edge.
    pub async fn with(arguments: &[&str]) -> Self {
        let farm = Farm::start().await;
        let url = format!("http://{}", farm.address);
        let fixed = [
            "headwater",
            "--rpc-secret",
            "a secret of the tests",
            "--ingest-rtmp-listen",
            "127.0.0.1:0",
            "--ingest-rpc-listen",
            "127.0.0.1:0",
            "--api-rpc-url",
            &url,
            "--scheduler-rpc-url",
            &url,
        ];
        let arguments = Arguments::parse_from(fixed.into_iter().chain(arguments.iter().copied()));
        let edge = Edge::bind(arguments.config).await.expect("free ports");
        let listens = edge.rtmp_addresses().expect("bound");
        let link = edge.link_address().expect("bound");
        let process = Process::new();
        let serving = tokio::spawn(edge.serve(process.clone()));
        Self {
            farm,
            rtmp: listens[0],
            listens,
            link,
            process,
            serving,
        }
    }

    pub async fn encoder(&self) -> Encoder {
        Encoder::connect(self.rtmp).await
    }

    /// An encoder that is live on channel 1.
    pub async fn live(&self) -> Encoder {
        let mut encoder = self.encoder().await;
        encoder.publish(&self.farm.key(1)).await.started();
        encoder.headers().await;
        encoder
    }

    /// A worker that pulls the `nth` broadcast the scheduler has opened.
    pub async fn worker(&self, nth: usize, generation: u64, resume_90k: i64) -> Worker {
        let id = self.farm.opened(nth).await;
        Worker::open(self.link, &id, generation, resume_90k).await
    }

    /// Stops the edge and waits until it has.
    pub async fn stop(self) {
        self.process.shutdown.cancel();
        soon("the edge to stop", self.serving)
            .await
            .expect("no panic")
            .expect("no error");
    }
}
