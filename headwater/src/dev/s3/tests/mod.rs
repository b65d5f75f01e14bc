//! The whole store through Amazon's own SDK, over a socket.

mod names;
mod objects;

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, MetadataDirective, ObjectIdentifier};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{BUCKET, serve};

const KEY: &str = "tenant/broadcast/1080p/17-2-3060000-180000.m4s";

struct Store {
    root: TempDir,
    address: String,
    client: Client,
    _stop: DropGuard,
}

impl Store {
    async fn start() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let stop = CancellationToken::new();
        serve(listener, root.path(), "access", "secret", stop.clone()).expect("the store");
        Self {
            client: client(&address, "secret"),
            root,
            address,
            _stop: stop.drop_guard(),
        }
    }

    async fn put(&self, key: &str, body: impl Into<ByteStream>) {
        let put = self.client.put_object().bucket(BUCKET).key(key).body(body.into());
        put.send().await.unwrap_or_else(|e| panic!("{key} is stored: {e:?}"));
    }

    async fn get(&self, key: &str) -> Vec<u8> {
        let got = self.client.get_object().bucket(BUCKET).key(key).send().await;
        let got = got.unwrap_or_else(|e| panic!("{key} is there: {e:?}"));
        got.body.collect().await.expect("the body").to_vec()
    }

    async fn keys(&self) -> Vec<String> {
        let listed = self
            .client
            .list_objects_v2()
            .bucket(BUCKET)
            .send()
            .await
            .expect("a list");
        listed.contents().iter().filter_map(|o| o.key.clone()).collect()
    }

    /// What was begun and has not ended: nothing, once every request has its answer.
    fn unfinished(&self) -> Vec<String> {
        let mut files = self.own_files();
        files.retain(|file| !file.starts_with("attributes/"));
        files
    }

    /// Everything under the server's own folder, relative to it.
    fn own_files(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    walk(&path, root, found);
                } else {
                    found.push(path.strip_prefix(root).expect("inside").display().to_string());
                }
            }
        }
        let (mut found, own) = (Vec::new(), self.root.path().join(".s3"));
        walk(&own, &own, &mut found);
        found
    }
}

fn client(address: &str, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{address}"))
        .force_path_style(true)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .credentials_provider(Credentials::new("access", secret, None, None, "tests"));
    Client::from_conf(config.build())
}

fn code<E: ProvideErrorMetadata + std::fmt::Debug, T: std::fmt::Debug>(
    answer: Result<T, SdkError<E>>,
) -> (u16, String) {
    let error = answer.expect_err("a refusal");
    let status = error.raw_response().map_or(0, |r| r.status().as_u16());
    (status, error.code().unwrap_or_default().to_string())
}

fn body(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}
