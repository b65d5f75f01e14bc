//! What a media playlist says.

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use headwater_tests::http;

/// A media playlist as read at one moment.
pub struct Playlist {
    /// As it came.
    pub text: String,
}

impl Playlist {
    /// Reads the first media playlist that `{base}/main.m3u8` lists.
    pub async fn first_of(base: &str) -> anyhow::Result<Self> {
        let variants = variants(&format!("{base}/main.m3u8")).await?;
        let path = variants.first().context("no variant")?;
        let answer = http::get(&format!("{base}/{path}")).await?;
        anyhow::ensure!(answer.status == 200, "{path}: {}", answer.status);
        Ok(Self { text: answer.text() })
    }

    /// Wall clock of the first segment's start.
    pub fn begins(&self) -> Option<DateTime<Utc>> {
        self.text.lines().find_map(date)
    }

    /// Wall clock of the end of the newest finished segment.
    pub fn edge(&self) -> Option<DateTime<Utc>> {
        let mut at = None;
        for line in self.text.lines() {
            if let Some(told) = date(line) {
                at = Some(told);
            } else if let Some(rest) = line.strip_prefix("#EXTINF:") {
                let seconds: f64 = rest.split(',').next()?.parse().ok()?;
                at = Some(at? + TimeDelta::microseconds((seconds * 1e6) as i64));
            }
        }
        at
    }

    /// Whether the newest finished segment ended less than `limit` ago. A looped clip may run a little ahead of the clock.
    pub fn keeps_up(&self, limit: TimeDelta) -> bool {
        let age = self.edge().map(|edge| Utc::now().signed_duration_since(edge));
        age.is_some_and(|age| age < limit)
    }
}

fn date(line: &str) -> Option<DateTime<Utc>> {
    let text = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:")?;
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

/// The addresses that a multivariant playlist lists.
pub async fn variants(url: &str) -> anyhow::Result<Vec<String>> {
    let text = http::get(url).await?.text();
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    Ok(lines.map(String::from).collect())
}
