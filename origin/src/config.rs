//! What an operator sets.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use headwater_platform::hints::HintsConfig;
use headwater_platform::rpc::RpcConfig;
use headwater_platform::store::StoreConfig;

/// The origin's configuration.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address that viewers and CDNs connect to.
    #[arg(long, env = "HEADWATER_ORIGIN_LISTEN", default_value = "127.0.0.1:8088")]
    pub origin_listen: SocketAddr,
    /// PEM file of the certificate chain; with the key, the listener speaks TLS (HTTP/2 and HTTP/1.1).
    #[arg(long, env = "HEADWATER_ORIGIN_TLS_CERT", requires = "origin_tls_key")]
    pub origin_tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key.
    #[arg(long, env = "HEADWATER_ORIGIN_TLS_KEY", requires = "origin_tls_cert")]
    pub origin_tls_key: Option<PathBuf>,
    /// Address under which viewers reach this origin (https://media.example.com), for the few links that must be
    /// absolute. Empty: links are relative. Request headers are never trusted for this.
    #[arg(long, env = "HEADWATER_ORIGIN_PUBLIC_URL", default_value = "")]
    pub origin_public_url: String,
    /// gRPC address of the api.
    #[arg(long, env = "HEADWATER_API_RPC_URL", default_value = "http://127.0.0.1:7001")]
    pub api_rpc_url: String,
    /// Seconds that a live playlist lists. Higher lets viewers step back further without the DVR playlist, and makes
    /// every playlist longer.
    #[arg(long, env = "HEADWATER_ORIGIN_WINDOW_S", default_value_t = 60, value_parser = clap::value_parser!(u32).range(24..=900))]
    pub origin_window_s: u32,
    /// Seconds that a DVR playlist of a live broadcast lists at most; a replay is never cut.
    #[arg(long, env = "HEADWATER_ORIGIN_DVR_S", default_value_t = 14_400, value_parser = clap::value_parser!(u32).range(60..=86_400))]
    pub origin_dvr_s: u32,
    /// Bytes of media kept in memory at most, live and read from the store together. Higher means fewer reads of the
    /// store.
    #[arg(long, env = "HEADWATER_ORIGIN_CACHE_BYTES", default_value_t = 512 << 20)]
    pub origin_cache_bytes: u64,
    /// Requests that may wait for media at once; further ones are answered 503.
    #[arg(long, env = "HEADWATER_ORIGIN_WAITING_MAX", default_value_t = 50_000)]
    pub origin_waiting_max: u32,
    /// Header field in which a CDN or proxy in front says the viewer's country (CF-IPCountry, CloudFront-Viewer-Country), for
    /// tokens with a rule of countries. Empty: no such token lets in. Whoever reaches the origin directly can forge it.
    #[arg(long, env = "HEADWATER_ORIGIN_COUNTRY_HEADER", default_value = "")]
    pub origin_country_header: String,
    /// Header field in which a CDN or proxy in front says the viewer's address, alone, for tokens with a rule of networks.
    /// Empty: the address of the connection.
    #[arg(long, env = "HEADWATER_ORIGIN_ADDRESS_HEADER", default_value = "")]
    pub origin_address_header: String,
    /// Whether shared caches may keep what a token was needed for. Only where the CDN itself checks the token of every request
    /// and leaves it out of its cache keys.
    #[arg(long, env = "HEADWATER_ORIGIN_SIGNED_CACHE_SHARED")]
    pub origin_signed_cache_shared: bool,
    /// How processes trust one another.
    #[command(flatten)]
    pub rpc: RpcConfig,
    /// Where segments are kept.
    #[command(flatten)]
    pub store: StoreConfig,
    /// Where hints are kept.
    #[command(flatten)]
    pub hints: HintsConfig,
}
