//! Traces as a collector gets them: one trace follows one broadcast through every process, spelled as our words are, and
//! without anybody's secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_tests::dev::Dev;
use headwater_tests::encoder::Source;
use headwater_tests::http;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// What spans may say, and of what.
const WORDS: [&str; 9] = [
    "tenant.id",
    "channel.id",
    "broadcast.id",
    "publish.id",
    "publish.protocol",
    "playback.id",
    "lease.generation",
    "rendition.name",
    "worker.id",
];

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector {
    received: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> anyhow::Result<(Self, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let collector = Self::default();
        let service = TraceServiceServer::new(collector.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Ok((collector, endpoint))
    }

    fn received(&self) -> Vec<ExportTraceServiceRequest> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.received().into_iter().flat_map(|r| r.resource_spans);
        resources.flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
    }
}

fn text(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|v| v.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    span.attributes.iter().find(|a| a.key == key).map(text)
}

#[tokio::test]
async fn one_trace_follows_one_broadcast_and_tells_no_secret() -> anyhow::Result<()> {
    let (collector, endpoint) = Collector::start().await?;
    // Traces do not depend on what the log shows.
    let environment = [
        ("HEADWATER_OTLP_ENDPOINT", endpoint.as_str()),
        ("HEADWATER_LOG", "warn"),
    ];
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &environment).await?;
    let source = Source {
        seconds: Some(6.0),
        ..Source::default()
    };
    let encoder = source.push(&dev.push_url())?;
    dev.wait_for_state(&["live"], Duration::from_secs(20)).await?;
    let playlist = http::get(&dev.play("main.m3u8")).await?;
    assert_eq!(playlist.status, 200, "somebody watches, so the origin follows");
    encoder.finished().await?;
    dev.wait_for_state(&["ended"], Duration::from_secs(40)).await?;
    let secrets = std::fs::read_to_string(dev.data().join("credentials.json"))?;
    assert!(dev.stop().await?.success(), "{}", dev.log());

    let spans = collector.spans();
    let mut of_name: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in &spans {
        of_name.entry(&span.name).or_default().push(span);
    }
    let names: Vec<_> = of_name.keys().collect();
    let publish = of_name.get("ingest.publish").map(Vec::as_slice);
    let Some([publish]) = publish else {
        anyhow::bail!("one publish is one span; these came: {names:?}");
    };
    let broadcast = attribute(publish, "broadcast.id");
    assert!(broadcast.is_some(), "the publish says which broadcast it became");
    for name in [
        "scheduler.open",
        "worker.transcode",
        "scheduler.finish",
        "origin.follow",
    ] {
        let Some(spans) = of_name.get(name) else {
            anyhow::bail!("no {name} came, only {names:?}");
        };
        for span in spans {
            assert_eq!(span.trace_id, publish.trace_id, "{name} is part of the publish's trace");
            assert!(!span.parent_span_id.is_empty(), "{name} has a parent");
        }
    }
    let told: BTreeSet<_> = spans
        .iter()
        .filter(|s| attribute(s, "broadcast.id").is_some())
        .map(|s| (&s.trace_id, attribute(s, "broadcast.id")))
        .collect();
    assert_eq!(
        told,
        BTreeSet::from([(&publish.trace_id, broadcast)]),
        "one broadcast, one trace"
    );

    for span in &spans {
        for attribute in &span.attributes {
            assert!(
                WORDS.contains(&attribute.key.as_str()),
                "{} says {}",
                span.name,
                attribute.key
            );
        }
    }
    let service = collector
        .received()
        .into_iter()
        .flat_map(|r| r.resource_spans)
        .all(|r| {
            let resource = r.resource.unwrap_or_default();
            resource
                .attributes
                .iter()
                .any(|a| a.key == "service.name" && text(a) == "headwater-dev")
        });
    assert!(service, "every resource says which service it is");

    let secrets: BTreeMap<String, Option<String>> = serde_json::from_str(&secrets)?;
    let sent = format!("{:?}", collector.received());
    for (name, secret) in secrets {
        if let Some(secret) = secret.filter(|_| name != "s3_access_key") {
            assert!(!sent.contains(&secret), "{name} was sent to the collector");
        }
    }
    Ok(())
}
