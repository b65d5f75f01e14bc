//! Logs, traces and metrics of the operating-system process.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Buckets of every `_seconds` histogram.
const SECONDS_BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Logs and traces.
#[derive(Args, Clone, Debug)]
pub struct TelemetryConfig {
    /// `json` for collectors, `pretty` for people.
    #[arg(long, env = "HEADWATER_LOG_FORMAT", value_enum, default_value = "pretty")]
    pub log_format: LogFormat,
    /// Which lines: a level, or `target=level` pairs with commas. More lines cost CPU and disk.
    #[arg(long, env = "HEADWATER_LOG", default_value = "info,sqlx=warn")]
    pub log: String,
    /// OTLP/gRPC collector for traces (http://host:4317); empty exports nothing.
    #[arg(long, env = "HEADWATER_OTLP_ENDPOINT", default_value = "")]
    pub otlp_endpoint: String,
}

/// Keeps exporters alive; call [`Telemetry::flush`] before the process ends.
pub struct Telemetry {
    /// Renders the metrics of this process.
    pub metrics: PrometheusHandle,
    traces: Option<SdkTracerProvider>,
}

/// Installs logging, tracing and metrics for the process named `role`. Call once, inside a tokio runtime.
pub fn init(role: &'static str, config: &TelemetryConfig) -> anyhow::Result<Telemetry> {
    let filter: Targets = config
        .log
        .parse()
        .context("HEADWATER_LOG is not a level or a list of target=level")?;
    let traces = (!config.otlp_endpoint.is_empty())
        .then(|| exporter(role, &config.otlp_endpoint))
        .transpose()?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let lines = match config.log_format {
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr)
            .boxed(),
        LogFormat::Pretty => tracing_subscriber::fmt::layer()
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .boxed(),
    };
    // Our own spans whatever the log shows, and never those of the exporter's own connection. Where in the source and on
    // which thread says nothing of a broadcast.
    let spans = traces.as_ref().map(|t| {
        tracing_opentelemetry::layer()
            .with_tracer(t.tracer("headwater"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target("headwater", LevelFilter::INFO))
    });
    tracing_subscriber::registry()
        .with(spans)
        .with(lines.with_filter(filter))
        .try_init()
        .context("logging is set up twice")?;
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(
            metrics_exporter_prometheus::Matcher::Suffix("_seconds".into()),
            &SECONDS_BUCKETS,
        )?
        .install_recorder()
        .context("metrics are set up twice")?;
    Ok(Telemetry { metrics, traces })
}

fn exporter(role: &'static str, endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .context("HEADWATER_OTLP_ENDPOINT is malformed")?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(
            Resource::builder()
                .with_service_name(format!("headwater-{role}"))
                .build(),
        )
        .build())
}

impl Telemetry {
    /// Sends what is still buffered.
    pub fn flush(self) {
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown()
        {
            tracing::warn!("traces were not all exported: {error}");
        }
    }
}
