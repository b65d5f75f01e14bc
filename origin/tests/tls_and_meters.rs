//! HTTP/2 behind TLS, and what operators can read off.

mod support;

use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use metrics_exporter_prometheus::PrometheusBuilder;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use support::client::get;
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, OTHER, TENANT};
use support::media::{Recipe, make};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[tokio::test]
async fn http2_is_offered_first_behind_tls() {
    headwater_platform::install_crypto();
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args([
            std::ffi::OsStr::new("-keyout"),
            key.as_os_str(),
            "-out".as_ref(),
            cert.as_os_str(),
        ])
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (cert, key) = (cert.to_str().expect("plain"), key.to_str().expect("plain"));
    let farm = Farm::start_with(&["--origin-tls-cert", cert, "--origin-tls-key", key]).await;

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(cert).expect("a certificate"))
        .expect("usable");
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let socket = TcpStream::connect(farm.origin).await.expect("the origin listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let socket = TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .expect("a handshake");
    assert_eq!(socket.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    // Many at once on one connection, as players and CDNs do.
    let requests = (0..20).map(|n| {
        let mut sender = sender.clone();
        async move {
            let path = if n % 2 == 0 { "/time" } else { "/healthz" };
            let method = if n % 4 == 0 { "HEAD" } else { "GET" };
            let request = Request::builder()
                .method(method)
                .uri(format!("https://localhost{path}"));
            sender
                .send_request(request.body(Empty::<Bytes>::new()).expect("good"))
                .await
                .expect("an answer")
        }
    });
    for answer in futures::future::join_all(requests).await {
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
        answer.into_body().collect().await.expect("the whole body");
    }
}

#[tokio::test]
async fn requests_and_part_delays_are_counted() {
    let recorder = PrometheusBuilder::new()
        .install_recorder()
        .expect("the first in this process");
    let mut made = make(TENANT, BROADCAST, Recipe::low(8));
    let now_us = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_micros();
    for event in &mut made.events {
        if let Some(headwater_model::proto::worker::live_event::Kind::Part(part)) = &mut event.kind {
            part.arrival_us = now_us as i64;
        }
    }
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, made.through_segment(2)).await;
    farm.goes_live(&worker, 1);
    for _ in 0..3 {
        get(farm.origin, &format!("/{CHANNEL}/{BROADCAST}/source/2-1.0.m4s")).await;
        get(farm.origin, &format!("/{OTHER}/main.m3u8")).await;
    }
    let text = recorder.render();
    for line in [
        "origin_requests_total{class=\"part\",status=\"200\"} 3",
        "origin_requests_total{class=\"multivariant\",status=\"404\"} 3",
        "origin_subscriptions_total 1",
        "origin_followed_broadcasts 1",
        "origin_part_delay_seconds_count 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}
