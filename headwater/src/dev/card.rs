//! What a person needs to know to push and to watch, on one screen.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use headwater_api::demo::Demo;
use headwater_model::StreamKey;
use serde::Serialize;

use super::{Config, Outside};

/// Addresses and keys of a running installation; saved for scripts, readable by its owner alone.
#[derive(Serialize)]
pub struct Card {
    process_id: u32,
    ingest_url: String,
    stream_key: String,
    playback_id: String,
    watch_url: String,
    origin_url: String,
    api_url: String,
    demo_email: String,
    demo_password: String,
    mail_dir: Option<String>,
    admin_url: String,
    database_url: String,
    redis_url: String,
    s3_endpoint: String,
}

impl Card {
    /// Gathers them.
    pub fn new(
        config: &Config,
        admin: SocketAddr,
        outside: &Outside,
        key: &StreamKey,
        demo: &Demo,
        password: String,
        mail_dir: Option<PathBuf>,
    ) -> Self {
        let origin_url = format!("http://{}", config.http_listen);
        Self {
            process_id: std::process::id(),
            ingest_url: format!("rtmp://{}/live", config.rtmp_listen),
            stream_key: key.expose().to_string(),
            playback_id: demo.playback_id.to_string(),
            watch_url: format!("{origin_url}/embed/{}", demo.playback_id),
            origin_url,
            api_url: format!("http://{}", config.api_listen),
            demo_email: headwater_api::demo::EMAIL.to_string(),
            demo_password: password,
            mail_dir: mail_dir.map(|folder| folder.display().to_string()),
            admin_url: format!("http://{admin}"),
            database_url: outside.database_url.reveal().to_string(),
            redis_url: outside.redis_url.clone(),
            s3_endpoint: outside.store.s3_endpoint.clone(),
        }
    }

    /// `rtmp://…/live/KEY`
    pub fn push_url(&self) -> String {
        format!("{}/{}", self.ingest_url, self.stream_key)
    }

    /// Writes it in one step.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let fresh = path.with_extension("new");
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&fresh, path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Prints it for people.
    pub fn print(&self, demo: bool) {
        let pushing = if demo {
            "  A test broadcast is being pushed to it: open the watch page.".to_string()
        } else {
            format!(
                "  Try it:       ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=440 \\\n\
                 \x20                 -c:v libx264 -preset veryfast -g 60 -c:a aac -f flv {}\n\
                 \x20 Or stop and run `make demo` for a built-in test broadcast.",
                self.push_url()
            )
        };
        println!(
            "\nHeadwater is running.\n\n\
             \x20 Ingest URL    {}\n\
             \x20 Stream key    {}\n\
             \x20 Watch page    {}\n\
             \x20 Dashboard     {}\n\
             \x20   Sign in     {}  {}\n\
             \x20 Mail          {}\n\
             \x20 API           {}/graphql\n\
             \x20 Metrics       {}/metrics\n\n\
             \x20 In OBS: Settings > Stream > Service \"Custom…\", Server = ingest URL, Stream Key = stream key.\n\
             {pushing}\n\n\
             \x20 Ctrl-C stops everything.\n",
            self.ingest_url,
            self.stream_key,
            self.watch_url,
            self.api_url,
            self.demo_email,
            self.demo_password,
            self.mail_dir.as_deref().unwrap_or("is sent by HEADWATER_API_SMTP_URL"),
            self.api_url,
            self.admin_url
        );
    }
}
