//! Addresses that the api tells its callers.

use clap::Args;

/// Where the public finds the parts of this installation.
#[derive(Args, Clone, Debug)]
pub struct Urls {
    /// Where browsers reach this api and its dashboard: https://host. With https, cookies are sent over TLS alone.
    #[arg(long, env = "HEADWATER_API_PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
    pub api_public_url: String,
    /// Where viewers reach the origin or the CDN in front of it: https://host. The dashboard shows the player from there, and
    /// from nowhere else.
    #[arg(long, env = "HEADWATER_API_PLAYBACK_URL", default_value = "http://127.0.0.1:8088")]
    pub api_playback_url: String,
    /// Where encoders push RTMP: rtmp://host/live
    #[arg(long, env = "HEADWATER_API_INGEST_URL", default_value = "rtmp://127.0.0.1:1935/live")]
    pub api_ingest_url: String,
}

impl Urls {
    /// Whether browsers reach the api over TLS.
    pub fn secure(&self) -> bool {
        self.api_public_url.starts_with("https://")
    }

    /// `scheme://host:port` of the api, as browsers send it in `Origin`.
    pub fn public_origin(&self) -> &str {
        origin(&self.api_public_url)
    }

    /// `scheme://host:port` of the player's page.
    pub fn playback_origin(&self) -> &str {
        origin(&self.api_playback_url)
    }

    /// An address under the origin.
    pub fn playback(&self, path: &str) -> String {
        format!("{}/{path}", self.api_playback_url.trim_end_matches('/'))
    }
}

impl Urls {
    /// A page of the dashboard that takes the secret of a link.
    pub(crate) fn page(&self, path: &str, secret: &str) -> String {
        format!("{}{path}?secret={secret}", self.api_public_url.trim_end_matches('/'))
    }

    /// Where people look after their account.
    pub(crate) fn account(&self) -> String {
        format!("{}/account", self.api_public_url.trim_end_matches('/'))
    }

    /// Where a user error's code is explained.
    pub(crate) fn error_page(&self, code: crate::problem::Code) -> String {
        format!(
            "{}/docs/errors#{}",
            self.api_public_url.trim_end_matches('/'),
            code.word()
        )
    }
}

impl Urls {
    /// Where an issue of stream health is explained.
    pub(crate) fn issue_page(&self, issue: headwater_model::health::Issue) -> String {
        format!(
            "{}/docs/stream-health#{}",
            self.api_public_url.trim_end_matches('/'),
            issue.as_str()
        )
    }
}

fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}
