//! Any S3 endpoint through aws-sdk-s3. The SDK's own retries are off: the caller is the one layer that retries.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{Delete, Object, ObjectIdentifier};
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::StatusCode;
use http_body::{Frame, SizeHint};

use super::{LIST_PAGE_KEYS, Listed, Meta, ObjectStore, Result, StoreConfig, StoreError};

/// A bucket at an S3 endpoint.
pub struct S3Store {
    client: Client,
    bucket: String,
    sign_bodies: bool,
}

/// Whether somebody between here and the endpoint could change a body unnoticed: TLS and the loopback keep it whole by
/// themselves, and hashing every stored byte on both sides costs more CPU than writing it.
fn crosses_plain_network(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let address: Option<IpAddr> = host
        .parse::<SocketAddr>()
        .map(|a| a.ip())
        .or_else(|_| host.parse())
        .ok();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    !(name == "localhost" || address.is_some_and(|a| a.is_loopback()))
}

impl S3Store {
    /// A client for the configured bucket. Nothing is contacted yet.
    pub fn new(config: &StoreConfig) -> Self {
        let timeout = Duration::from_millis(config.s3_timeout_ms);
        let mut builder = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.s3_region.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(timeout.min(Duration::from_secs(3)))
                    .operation_timeout(timeout)
                    .build(),
            )
            // The media path checks lengths itself; a second checksum would only cost CPU.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if !config.s3_endpoint.is_empty() {
            builder = builder.endpoint_url(&config.s3_endpoint).force_path_style(true);
        }
        if !config.s3_access_key.is_empty() {
            builder = builder.credentials_provider(Credentials::new(
                &config.s3_access_key,
                config.s3_secret_key.reveal(),
                None,
                None,
                "headwater-config",
            ));
        }
        Self {
            client: Client::from_conf(builder.build()),
            bucket: config.s3_bucket.clone(),
            sign_bodies: crosses_plain_network(&config.s3_endpoint),
        }
    }

    async fn write(&self, key: &str, body: Vec<Bytes>, meta: Meta, replace: bool) -> Result<()> {
        let body = match <[Bytes; 1]>::try_from(body) {
            Ok([one]) => ByteStream::from(one),
            // A signature needs all of it at once.
            Err(many) if self.sign_bodies => {
                let mut whole = BytesMut::with_capacity(many.iter().map(Bytes::len).sum());
                many.iter().for_each(|b| whole.extend_from_slice(b));
                ByteStream::from(whole.freeze())
            }
            Err(many) => ByteStream::new(SdkBody::from_body_1_x(Pieces::new(many))),
        };
        let mut request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(meta.content_type)
            .cache_control(meta.cache_control)
            .body(body);
        if !replace {
            request = request.if_none_match("*");
        }
        let mut request = request.customize();
        if !self.sign_bodies {
            request = request.disable_payload_signing();
        }
        request.send().await.map(drop).map_err(|e| classify("put", key, e))
    }
}

/// A body in pieces, sent one after the other as they are.
struct Pieces {
    left: VecDeque<Bytes>,
    left_bytes: u64,
}

impl Pieces {
    fn new(pieces: Vec<Bytes>) -> Self {
        Self {
            left_bytes: pieces.iter().map(|piece| piece.len() as u64).sum(),
            left: pieces.into(),
        }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        let piece = self.left.pop_front();
        self.left_bytes -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes)
    }
}

fn listed(contents: &[Object]) -> Vec<Listed> {
    let one = |object: &Object| {
        Some(Listed {
            key: object.key()?.to_string(),
            size: object.size().unwrap_or(0).max(0) as u64,
        })
    };
    contents.iter().filter_map(one).collect()
}

/// Sorts an SDK error by what the caller should do next.
fn classify<E>(operation: &'static str, key: &str, error: SdkError<E>) -> StoreError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = error
        .raw_response()
        .map(|r| r.status().as_u16())
        .and_then(|s| StatusCode::from_u16(s).ok());
    let key = key.to_string();
    match status {
        Some(StatusCode::NOT_FOUND) if error.code() != Some("NoSuchBucket") => StoreError::NotFound { key },
        Some(StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT) if operation == "put" => {
            StoreError::Exists { key }
        }
        Some(s) if s.is_client_error() && s != StatusCode::TOO_MANY_REQUESTS && s != StatusCode::REQUEST_TIMEOUT => {
            StoreError::Refused {
                operation,
                key,
                source: Box::new(error),
            }
        }
        _ => StoreError::Transient {
            operation,
            key,
            source: Box::new(error),
        },
    }
}

impl ObjectStore for S3Store {
    fn put_new<'a>(&'a self, key: &'a str, body: Vec<Bytes>, meta: Meta) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.write(key, body, meta, false))
    }

    fn put<'a>(&'a self, key: &'a str, body: Vec<Bytes>, meta: Meta) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.write(key, body, meta, true))
    }

    fn get<'a>(&'a self, key: &'a str, range: Option<Range<u64>>) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move {
            if range.as_ref().is_some_and(|r| r.is_empty()) {
                return Ok(Bytes::new());
            }
            let range = range.map(|r| format!("bytes={}-{}", r.start, r.end - 1));
            let answer = self
                .client
                .get_object()
                .bucket(&self.bucket)
                .key(key)
                .set_range(range)
                .send()
                .await
                .map_err(|e| classify("get", key, e))?;
            match answer.body.collect().await {
                Ok(body) => Ok(body.into_bytes()),
                Err(source) => Err(StoreError::Transient {
                    operation: "get",
                    key: key.into(),
                    source: Box::new(source),
                }),
            }
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            let answer = self
                .client
                .head_object()
                .bucket(&self.bucket)
                .key(key)
                .send()
                .await
                .map_err(|e| classify("head", key, e))?;
            Ok(answer.content_length().unwrap_or(0).max(0) as u64)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>>> {
        Box::pin(async move {
            let mut all = Vec::new();
            let mut from = None;
            loop {
                let page = self
                    .client
                    .list_objects_v2()
                    .bucket(&self.bucket)
                    .prefix(prefix)
                    .max_keys(LIST_PAGE_KEYS)
                    .set_continuation_token(from)
                    .send()
                    .await
                    .map_err(|e| classify("list", prefix, e))?;
                all.extend(listed(page.contents()));
                from = page.next_continuation_token().map(str::to_string);
                if from.is_none() {
                    all.sort_by(|a, b| a.key.cmp(&b.key));
                    return Ok(all);
                }
            }
        })
    }

    fn list_first<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>>> {
        Box::pin(async move {
            let asked = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .max_keys(LIST_PAGE_KEYS)
                .send();
            let page = asked.await.map_err(|e| classify("list", prefix, e))?;
            Ok(listed(page.contents()))
        })
    }

    fn delete_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let Some(first) = keys.first() else { return Ok(()) };
            let refused = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Refused {
                operation: "delete",
                key: first.clone(),
                source,
            };
            let named = |key: &String| ObjectIdentifier::builder().key(key).build();
            let objects: std::result::Result<Vec<_>, _> = keys.iter().map(named).collect();
            let objects = objects.map_err(|error| refused(Box::new(error)))?;
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let delete = delete.map_err(|error| refused(Box::new(error)))?;
            let asked = self.client.delete_objects().bucket(&self.bucket).delete(delete).send();
            let answer = asked.await.map_err(|e| classify("delete", first, e))?;
            // Each object is answered for by itself; what is gone already is no error.
            let failed = answer.errors().iter().find(|error| error.code() != Some("NoSuchKey"));
            let Some(failed) = failed else { return Ok(()) };
            let source = format!("{}: {}", failed.code().unwrap_or("?"), failed.message().unwrap_or(""));
            let key = failed.key().unwrap_or(first).to_owned();
            match failed.code() {
                Some("AccessDenied") => Err(refused(source.into())),
                _ => Err(StoreError::Transient {
                    operation: "delete",
                    key,
                    source: source.into(),
                }),
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let answer = self.client.delete_object().bucket(&self.bucket).key(key).send().await;
            match answer.map_err(|e| classify("delete", key, e)) {
                Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
                Err(e) => Err(e),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::crosses_plain_network;

    #[test]
    fn bodies_are_signed_where_nothing_else_protects_them() {
        for safe in [
            "",
            "https://s3.example.com",
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://localhost:9000/",
        ] {
            assert!(!crosses_plain_network(safe), "{safe}");
        }
        for open in ["http://10.0.0.7:9000", "http://minio:9000", "http://s3.example.com"] {
            assert!(crosses_plain_network(open), "{open}");
        }
    }
}
