//! An S3 store in this process, behind a line that can be cut and slowed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Bytes that the line carries at a time.
const PIECE_BYTES: usize = 64 << 10;

/// How the line to the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Everything passes at once.
    Open,
    /// Open connections break, and new ones are closed unanswered.
    Cut,
    /// Every piece waits this long, in both directions.
    Slow(Duration),
}

/// A running store. It ends when dropped.
pub struct Store {
    /// `http://` address of the line to it.
    pub endpoint: String,
    line: watch::Sender<Line>,
    _stop: DropGuard,
}

impl Store {
    /// The bucket that exists.
    pub const BUCKET: &str = "headwater";
    /// Access key id.
    pub const ACCESS_KEY: &str = "tests";
    /// Secret access key.
    pub const SECRET_KEY: &str = "a-secret-key-for-tests";

    /// Serves `folder`.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder.join(Self::BUCKET))?;
        let files = FileSystem::new(folder).map_err(|e| anyhow!("cannot open {}: {e:?}", folder.display()))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(Self::ACCESS_KEY, Self::SECRET_KEY));
        let service = builder.build();
        let (behind, front) = (
            TcpListener::bind("127.0.0.1:0").await?,
            TcpListener::bind("127.0.0.1:0").await?,
        );
        let (address, endpoint) = (behind.local_addr()?, format!("http://{}", front.local_addr()?));
        let stop = CancellationToken::new();
        let (line, state) = watch::channel(Line::Open);
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            let http = Builder::new(TokioExecutor::new());
            while let Ok((socket, _)) = behind.accept().await {
                let connection = http
                    .serve_connection(TokioIo::new(socket), service.clone())
                    .into_owned();
                // Connections are broken on purpose here.
                tokio::spawn(async move { drop(connection.await) });
            }
        }));
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((socket, _)) = front.accept().await {
                if *state.borrow() != Line::Cut
                    && let Ok(store) = TcpStream::connect(address).await
                {
                    tokio::spawn(connect(socket, store, state.clone()));
                }
            }
        }));
        Ok(Self {
            endpoint,
            line,
            _stop: stop.drop_guard(),
        })
    }

    /// Changes the line, for open connections too.
    pub fn set_line(&self, line: Line) {
        self.line.send_replace(line);
    }
}

/// Carries one connection until either side ends it or the line is cut.
async fn connect(client: TcpStream, store: TcpStream, line: watch::Receiver<Line>) {
    let (_, _) = (client.set_nodelay(true), store.set_nodelay(true));
    let ((from_client, to_client), (from_store, to_store)) = (client.into_split(), store.into_split());
    let mut cut = line.clone();
    tokio::select! {
        _ = carry(from_client, to_store, line.clone()) => {}
        _ = carry(from_store, to_client, line) => {}
        _ = cut.wait_for(|line| *line == Line::Cut) => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: watch::Receiver<Line>) -> anyhow::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let size = from.read(&mut piece).await.context("the sender is gone")?;
        if size == 0 {
            return Ok(());
        }
        let state = *line.borrow();
        if let Line::Slow(delay) = state {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&piece[..size]).await.context("the receiver is gone")?;
    }
}
