//! A private Redis per test.

use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{free_port, keeper};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running Redis that keeps nothing on disk. Killed when dropped, and with the process.
pub struct Redis {
    port: u16,
    server: Child,
}

impl Redis {
    /// Starts one on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut redis = Self {
            port,
            server: serve(port)?,
        };
        redis.answers().await?;
        Ok(redis)
    }

    /// `redis://` address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Kills it.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    /// Makes it hang: connections stay, and nothing answers.
    pub fn pause(&self) -> anyhow::Result<()> {
        super::signal(self.server.id(), "STOP")
    }

    /// Ends what [`Redis::pause`] began.
    pub fn resume(&self) -> anyhow::Result<()> {
        super::signal(self.server.id(), "CONT")
    }

    /// Starts it again, empty, where it was.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.server = serve(self.port)?;
        self.answers().await
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        let mut every = tokio::time::interval(Duration::from_millis(10));
        let answers = async {
            loop {
                every.tick().await;
                if let Some(status) = self.server.try_wait()? {
                    bail!("Redis ended at once ({status})");
                }
                let Ok(mut socket) = TcpStream::connect(("127.0.0.1", self.port)).await else {
                    continue;
                };
                let mut answer = [0; 7];
                if socket.write_all(b"PING\r\n").await.is_ok()
                    && socket.read_exact(&mut answer).await.is_ok()
                    && &answer == b"+PONG\r\n"
                {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(START_LIMIT, answers)
            .await
            .context("Redis did not get ready")?
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn serve(port: u16) -> anyhow::Result<Child> {
    let mut server = keeper::command("redis-server", None);
    server
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    keeper::start(server).context("Redis is not installed: run `make packages`")
}
