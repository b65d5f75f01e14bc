//! The data folder: one running instance at a time, and the secrets that this installation made for itself.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Secrets made at the first start and kept for the next ones. Never leave this folder.
#[derive(Serialize, Deserialize)]
pub struct Credentials {
    /// Of the role that owns the private PostgreSQL.
    pub postgres_password: String,
    /// Of the private Redis.
    pub redis_password: String,
    /// Of the in-process S3.
    pub s3_access_key: String,
    /// Of the in-process S3.
    pub s3_secret_key: String,
    /// Shared by the roles.
    pub rpc_secret: String,
    /// Key of the demo channel; everywhere else only its hash is kept.
    pub demo_stream_key: Option<String>,
    /// Of the person who owns the demo tenant.
    #[serde(default)]
    pub demo_password: Option<String>,
}

impl Credentials {
    fn random() -> Self {
        Self {
            postgres_password: token(32),
            redis_password: token(32),
            s3_access_key: token(20),
            s3_secret_key: token(40),
            rpc_secret: token(40),
            demo_stream_key: None,
            demo_password: None,
        }
    }
}

fn token(length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = rand::rng();
    (0..length)
        .map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]))
        .collect()
}

/// The folder, locked for this process until dropped.
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Creates the folder if need be and locks it. Fails when another instance runs in it.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("cannot create the data folder {}", root.display()))?;
        // The private PostgreSQL runs as another user when this process is root: it must be able to pass through.
        fs::set_permissions(root, fs::Permissions::from_mode(0o711))?;
        let root = root.canonicalize()?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(root.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                lock.read_to_string(&mut holder)?;
                bail!(
                    "another `headwater dev` (process {}) runs in {}; stop it, or choose another HEADWATER_DEV_DATA_DIR",
                    holder.trim(),
                    root.display()
                );
            }
            Err(fs::TryLockError::Error(error)) => return Err(error).context("cannot lock the data folder"),
        }
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self { root, _lock: lock })
    }

    /// The demo person's password, made at the first start that needs it.
    pub fn demo_password(&self, credentials: &mut Credentials) -> anyhow::Result<String> {
        if let Some(password) = &credentials.demo_password {
            return Ok(password.clone());
        }
        let password = token(20);
        credentials.demo_password = Some(password.clone());
        self.save(credentials)?;
        Ok(password)
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Reads the secrets, making them at the first start.
    pub fn credentials(&self) -> anyhow::Result<Credentials> {
        let path = self.path("credentials.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; remove the data folder to start afresh", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let credentials = Credentials::random();
                self.save(&credentials)?;
                Ok(credentials)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Replaces the secrets' file in one step.
    pub fn save(&self, credentials: &Credentials) -> anyhow::Result<()> {
        let (path, fresh) = (self.path("credentials.json"), self.path("credentials.json.new"));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(credentials)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &path).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_instance_is_refused_and_told_who_holds_the_folder() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let first = DataFolder::open(root.path()).expect("the first instance");
        let refusal = DataFolder::open(root.path()).err().expect("a refusal").to_string();
        assert!(refusal.contains(&std::process::id().to_string()), "{refusal}");
        drop(first);
        DataFolder::open(root.path()).expect("the folder is free again");
    }

    #[test]
    fn credentials_outlive_the_process_and_are_private() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::open(root.path()).expect("the folder");
        let first = folder.credentials().expect("made");
        assert_eq!(folder.credentials().expect("read").rpc_secret, first.rpc_secret);
        let mode = fs::metadata(folder.path("credentials.json"))
            .expect("the file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "others may not read it");
    }
}
