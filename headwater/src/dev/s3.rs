//! S3 served in this process from a folder.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The bucket that holds all media.
pub const BUCKET: &str = "headwater";

/// Serves `folder` on `listener` until `stop` fires.
pub fn serve(
    listener: TcpListener,
    folder: &Path,
    access_key: &str,
    secret_key: &str,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder.join(BUCKET)).with_context(|| format!("cannot create {}", folder.display()))?;
    let files = FileSystem::new(folder).map_err(|e| anyhow!("cannot open {}: {e:?}", folder.display()))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
    let service = builder.build();
    tokio::spawn(async move {
        let http = Builder::new(TokioExecutor::new());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((socket, _)) = accepted else { continue };
            // Without it, small answers wait for the peer's delayed acknowledgement.
            let _ = socket.set_nodelay(true);
            let connection = http
                .serve_connection(TokioIo::new(socket), service.clone())
                .into_owned();
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    served = connection => if let Err(error) = served {
                        tracing::debug!("S3 connection ended: {error}");
                    }
                }
            });
        }
    });
    Ok(())
}
