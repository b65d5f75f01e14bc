//! S3 served in this process from a folder. s3s speaks the protocol (signatures, parsing, XML); the folder is ours: an object
//! is one file under its own key, written under a name that nobody sees and renamed when it is whole.
//!
//! What is acknowledged survives the end of this process, not a loss of power: nothing is forced to the disk. This store is for
//! one machine and for trying things out.

mod attributes;
mod body;
mod folder;
mod list;
mod names;
mod read;
mod service;
#[cfg(test)]
mod tests;
mod uploads;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use folder::Folder;
use service::Service;

/// The bucket that holds all media.
pub const BUCKET: &str = "headwater";
/// Connections served at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;
/// Pause after the system refused a connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `root` on `listener` until `stop` fires. The bucket [`BUCKET`] exists afterwards.
pub fn serve(
    listener: TcpListener,
    root: &Path,
    access_key: &str,
    secret_key: &str,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let folder = Folder::open(root).with_context(|| format!("cannot open {}", root.display()))?;
    if folder.want_bucket(BUCKET).is_err() {
        folder
            .create_bucket(BUCKET)
            .map_err(|e| anyhow!("cannot make a bucket in {}: {e}", root.display()))?;
    }
    let mut builder = S3ServiceBuilder::new(Service(folder));
    builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
    let service = builder.build();
    tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
        let http = Builder::new(TokioExecutor::new());
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            let Ok((socket, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Without it, small answers wait for the peer's delayed acknowledgement.
            let _ = socket.set_nodelay(true);
            let connection = http
                .serve_connection(TokioIo::new(socket), service.clone())
                .into_owned();
            let served = stop.clone().run_until_cancelled_owned(async move {
                if let Err(error) = connection.await {
                    tracing::debug!("S3 connection ended: {error}");
                }
                drop(place);
            });
            tokio::spawn(served);
        }
    }));
    Ok(())
}
