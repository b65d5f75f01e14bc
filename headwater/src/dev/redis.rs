//! A private Redis from the distribution's package. It keeps hints only, so nothing is written to disk.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::child::{self, Supervised};

const START_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running private Redis.
pub struct Redis {
    server: Supervised,
    /// `redis://` address.
    pub url: String,
}

impl Redis {
    /// Starts it on `port`.
    pub async fn start(log: &Path, port: u16, password: &str) -> anyhow::Result<Self> {
        let program = [
            "/usr/bin/redis-server",
            "/usr/bin/valkey-server",
            "/usr/local/bin/redis-server",
        ]
        .into_iter()
        .find(|p| Path::new(p).exists())
        .context(
            "Redis is not installed: run `make packages`, or `apt-get install redis-server`, \
                 or give HEADWATER_REDIS_URL to use one that runs elsewhere",
        )?;
        let mut command = child::command(program, "KILL", None);
        // Read from standard input, so that the password is in no argument list and no file.
        command.arg("-").stdin(std::process::Stdio::piped()).current_dir("/");
        child::log_to(&mut command, log)?;
        let mut server = command.spawn().context("cannot start Redis")?;
        let settings = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave \"\"\nappendonly no\nmaxmemory 128mb\n\
             maxmemory-policy allkeys-lru\ndaemonize no\n"
        );
        let mut input = server.stdin.take().context("Redis has no standard input")?;
        input.write_all(settings.as_bytes()).await?;
        drop(input);
        let mut server = Supervised::adopt("Redis", server);
        let mut every = tokio::time::interval(Duration::from_millis(20));
        let ready = async {
            loop {
                every.tick().await;
                if let Some(status) = server.ended() {
                    bail!("Redis ended at once ({status}); its log is {}", log.display());
                }
                if answers(port, password).await {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(START_LIMIT, ready)
            .await
            .with_context(|| format!("Redis did not get ready; its log is {}", log.display()))??;
        Ok(Self {
            server,
            url: format!("redis://:{password}@127.0.0.1:{port}/0"),
        })
    }

    /// Ends it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server.stop("TERM", STOP_LIMIT).await
    }
}

async fn answers(port: u16, password: &str) -> bool {
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let mut answer = [0u8; 12];
    socket
        .write_all(format!("AUTH {password}\r\nPING\r\n").as_bytes())
        .await
        .is_ok()
        && socket.read_exact(&mut answer).await.is_ok()
        && &answer == b"+OK\r\n+PONG\r\n"
}
