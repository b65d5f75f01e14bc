//! What an operator sets.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use headwater_platform::Secret;
use headwater_platform::hints::HintsConfig;
use headwater_platform::rpc::RpcConfig;
use headwater_platform::store::StoreConfig;
use ipnet::IpNet;

use crate::Database;
use crate::mail::Mailer;
use crate::oidc::{Provider, Settings};
use crate::outbound::guard::Guard;
use crate::urls::Urls;

/// The api's configuration.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address of the HTTP listener for people and probes.
    #[arg(long, env = "HEADWATER_API_LISTEN", default_value = "127.0.0.1:8080")]
    pub api_listen: SocketAddr,
    /// Address of the gRPC listener for edges and origins.
    #[arg(long, env = "HEADWATER_API_RPC_LISTEN", default_value = "127.0.0.1:7001")]
    pub api_rpc_listen: SocketAddr,
    /// Requests that one token or session may send each minute; nobody in particular may send a quarter of it from one
    /// address. Higher lets programs do more at once, and one of them take more from the others.
    #[arg(long, env = "HEADWATER_API_RATE_PER_MINUTE", default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub api_rate_per_minute: u32,
    /// Networks outside the public internet that webhooks may be sent to, such as 10.2.0.0/16, separated by commas; http is
    /// allowed to these alone. Whoever may create an endpoint can reach them.
    #[arg(long, env = "HEADWATER_API_WEBHOOK_ALLOW", value_delimiter = ',')]
    pub api_webhook_allow: Vec<IpNet>,
    /// Keys for what is kept sealed in the database, such as webhook secrets, separated by commas: the first one seals, every
    /// one opens. At least 32 random characters each. None: one is made from HEADWATER_RPC_SECRET.
    #[arg(
        long,
        env = "HEADWATER_API_SEALING_KEYS",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub api_sealing_keys: Vec<Secret>,
    /// Seconds that a deleted replay can be restored; after them its media is removed from the object store. Higher forgives
    /// more, and keeps what nobody wants for longer.
    #[arg(long, env = "HEADWATER_API_ASSET_UNDO_S", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(0..=2_592_000))]
    pub api_asset_undo_s: u32,
    /// Networks of the proxies in front, such as 10.2.0.0/16, separated by commas: from these alone X-Forwarded-For or Forwarded say
    /// who asks, for throttles and the audit log.
    #[arg(long, env = "HEADWATER_API_TRUSTED_PROXIES", value_delimiter = ',')]
    pub api_trusted_proxies: Vec<IpNet>,
    /// Who signs people in besides their passwords.
    #[command(flatten)]
    pub oidc: OidcConfig,
    /// How mail leaves.
    #[command(flatten)]
    pub mail: MailConfig,
    /// Where the public finds this installation.
    #[command(flatten)]
    pub urls: Urls,
    /// Where promises are kept.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where media is kept, to remove that of deleted replays.
    #[command(flatten)]
    pub store: StoreConfig,
    /// Where hints are kept.
    #[command(flatten)]
    pub hints: HintsConfig,
    /// How processes trust one another.
    #[command(flatten)]
    pub rpc: RpcConfig,
}

/// How mail leaves this installation.
#[derive(Args, Clone, Debug)]
pub struct MailConfig {
    /// Mail server that takes what is sent: smtps://user:password@host (TLS from the start, port 465), smtp://user:password@host
    /// (STARTTLS, port 587), or smtp://host:25?tls=none inside one's own network. Reserved characters of user and password are
    /// percent-encoded.
    #[arg(long, env = "HEADWATER_API_SMTP_URL", hide_env_values = true)]
    pub api_smtp_url: Option<Secret>,
    /// Folder that mail is written to instead, a file for each message, for those who develop. A server goes before it.
    #[arg(long, env = "HEADWATER_API_MAIL_DIR")]
    pub api_mail_dir: Option<PathBuf>,
    /// Sender of all mail. The mail server must let this address through.
    #[arg(
        long,
        env = "HEADWATER_API_MAIL_FROM",
        default_value = "Headwater <no-reply@headwater.example>"
    )]
    pub api_mail_from: String,
}

impl MailConfig {
    /// The way out; `None` where no mail is sent. Fails for malformed settings.
    pub fn mailer(&self) -> anyhow::Result<Option<Mailer>> {
        let folder = self
            .api_mail_dir
            .as_deref()
            .filter(|folder| !folder.as_os_str().is_empty());
        Mailer::of_settings(self.api_smtp_url.as_ref(), folder, &self.api_mail_from)
    }
}

/// An OpenID Connect provider that people may sign in with.
#[derive(Args, Clone, Debug)]
pub struct OidcConfig {
    /// The provider's issuer identifier: https://accounts.example.com. Without it, people sign in with passwords alone. It sends
    /// browsers back to /auth/oidc/callback under HEADWATER_API_PUBLIC_URL.
    #[arg(long, env = "HEADWATER_API_OIDC_ISSUER")]
    pub api_oidc_issuer: Option<String>,
    /// What the provider calls this installation.
    #[arg(long, env = "HEADWATER_API_OIDC_CLIENT_ID", default_value = "")]
    pub api_oidc_client_id: String,
    /// What this installation shows the provider; none for a public client.
    #[arg(long, env = "HEADWATER_API_OIDC_CLIENT_SECRET", hide_env_values = true)]
    pub api_oidc_client_secret: Option<Secret>,
    /// What people call the provider: the button says it.
    #[arg(long, env = "HEADWATER_API_OIDC_NAME", default_value = "Single sign-on")]
    pub api_oidc_name: String,
    /// Networks outside the public internet where the provider is, such as 10.2.0.0/16, separated by commas; http is allowed to
    /// these alone.
    #[arg(long, env = "HEADWATER_API_OIDC_ALLOW", value_delimiter = ',')]
    pub api_oidc_allow: Vec<IpNet>,
}

impl OidcConfig {
    /// The provider, where there is one. Fails for settings that make no sense.
    pub fn provider(&self) -> anyhow::Result<Option<Provider>> {
        let Some(issuer) = self.api_oidc_issuer.clone().filter(|issuer| !issuer.is_empty()) else {
            return Ok(None);
        };
        let settings = Settings {
            issuer,
            client_id: self.api_oidc_client_id.clone(),
            client_secret: self
                .api_oidc_client_secret
                .clone()
                .filter(|secret| !secret.reveal().is_empty()),
            name: self.api_oidc_name.clone(),
        };
        Provider::new(settings, Guard::new(&self.api_oidc_allow), Vec::new()).map(Some)
    }
}

/// Where promises are kept.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// PostgreSQL address, with its user: postgres://user:password@host:port/database
    #[arg(long, env = "HEADWATER_DATABASE_URL", hide_env_values = true)]
    pub database_url: Secret,
    /// Connections of the api to PostgreSQL at most. Higher answers more calls at once; each costs the server about
    /// 10 MB.
    #[arg(long, env = "HEADWATER_API_DATABASE_CONNECTIONS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub api_database_connections: u32,
}

impl DatabaseConfig {
    /// A pool for operators and migrations, which connects when first used. Fails only for a malformed address.
    pub fn open(&self) -> anyhow::Result<Database> {
        Database::open(&self.database_url, self.api_database_connections)
    }

    /// A pool to serve from, in roles that bypass nothing. Fails only for a malformed address.
    pub fn serve(&self) -> anyhow::Result<Database> {
        Database::serve(&self.database_url, self.api_database_connections)
    }
}
