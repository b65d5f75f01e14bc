//! What goes in comes out: pictures and sound through the real binary, judged by content.

use std::time::Duration;

use headwater_tests::dev::Dev;
use headwater_tests::encoder;
use headwater_tests::http;
use headwater_tests::marks::Film;

mod content;
mod inputs;
mod live;

const LIVE_LIMIT: Duration = Duration::from_secs(30);
const END_LIMIT: Duration = Duration::from_secs(90);

/// A broadcast that is over.
struct Ended {
    id: String,
    /// Its multivariant playlist.
    multivariant: String,
}

impl Ended {
    /// Pushes a film from start to end and waits until its replay is there.
    async fn of(dev: &Dev, film: &Film) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("film.flv");
        film.shoot(&file).await?;
        let encoder = encoder::push_file(&file, &dev.push_url())?;
        dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
        encoder.finished().await?;
        Self::wait(dev).await
    }

    /// Waits for the end of what is running.
    async fn wait(dev: &Dev) -> anyhow::Result<Self> {
        let state = dev.wait_for_state(&["ended"], END_LIMIT).await?;
        let answer = http::get(&dev.play("main.m3u8")).await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.text());
        Ok(Self {
            id: state["broadcast_id"].as_str().unwrap_or_default().to_owned(),
            multivariant: answer.text(),
        })
    }

    /// Attribute lists of the variants, with the address after them.
    fn variants(&self) -> Vec<(&str, &str)> {
        let lines: Vec<&str> = self.multivariant.lines().collect();
        let pairs = lines.windows(2).filter_map(|w| {
            let attributes = w[0].strip_prefix("#EXT-X-STREAM-INF:")?;
            Some((attributes, w[1]))
        });
        pairs.collect()
    }
}
