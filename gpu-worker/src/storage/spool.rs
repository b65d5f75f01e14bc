//! Segments on disk, while the store does not take them and memory has no room.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;

/// A folder with a bound, shared by every broadcast of the worker.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    bytes_max: u64,
    bytes: AtomicU64,
    names: AtomicU64,
}

/// One body on disk; dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Spooled {
    path: PathBuf,
    size: u64,
    spool: Spool,
}

impl Spool {
    /// Empties and takes over `folder`.
    pub(crate) fn open(folder: &Path, bytes_max: u64) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "spooled") {
                std::fs::remove_file(path)?;
            }
        }
        let inner = Inner {
            folder: folder.into(),
            bytes_max,
            bytes: AtomicU64::new(0),
            names: AtomicU64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether `size` more bytes fit.
    pub(crate) fn has_room(&self, size: u64) -> bool {
        self.inner.bytes.load(Ordering::Relaxed).saturating_add(size) <= self.inner.bytes_max
    }

    /// Writes a body. Two processes may share a folder: names carry the process id.
    pub(crate) async fn write(&self, body: &[Bytes]) -> std::io::Result<Spooled> {
        let size = body.iter().map(|b| b.len() as u64).sum();
        let number = self.inner.names.fetch_add(1, Ordering::Relaxed);
        let path = self
            .inner
            .folder
            .join(format!("{}-{number}.spooled", std::process::id()));
        self.inner.bytes.fetch_add(size, Ordering::Relaxed);
        let spooled = Spooled {
            path,
            size,
            spool: self.clone(),
        };
        let mut file = tokio::fs::File::create(&spooled.path).await?;
        for bytes in body {
            file.write_all(bytes).await?;
        }
        file.flush().await?;
        Ok(spooled)
    }
}

impl Spooled {
    /// The body again.
    pub(crate) async fn read(&self) -> std::io::Result<Bytes> {
        tokio::fs::read(&self.path).await.map(Bytes::from)
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        self.spool.inner.bytes.fetch_sub(self.size, Ordering::Relaxed);
        // A file that stays is removed when the worker next starts.
        let _ = std::fs::remove_file(&self.path);
    }
}
