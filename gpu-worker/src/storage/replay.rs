//! The replay's index, playlists and manifest: written over the very segments that were live.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use headwater_media::dash::{ManifestOptions, manifest};
use headwater_media::hls::{MediaOptions, MultivariantOptions, media_playlist, multivariant};
use headwater_media::window::Window;
use headwater_media::window::key::{Key, prefix};
use headwater_platform::retry::Backoff;
use headwater_platform::store::{Meta, SharedStore};

use super::resume::read_index;

/// Playlists and the index are written again when a broadcast is finished twice, so caches ask.
const REPLACEABLE: &str = "public, max-age=60";

/// What the replay amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Media time from the first segment's start to the last one's end, gaps between epochs left out.
    pub duration_ms: i64,
    /// Bytes of all segments listed.
    pub size_bytes: u64,
}

/// Writes playlists, manifest and, at last, the index. Tries until the store takes them.
pub(crate) async fn write(store: &SharedStore, tenant: &str, broadcast: &str) -> Summary {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    loop {
        match attempt(store, tenant, broadcast).await {
            Ok(summary) => return summary,
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the replay of {broadcast} is not written yet; trying again"
                );
                backoff.wait().await;
            }
        }
    }
}

async fn attempt(store: &SharedStore, tenant: &str, broadcast: &str) -> anyhow::Result<Summary> {
    let mut index = read_index(store, tenant, broadcast).await?;
    if index.epochs.is_empty() {
        return Ok(Summary::default());
    }
    let keys = index.segments.iter().map(|(key, size)| (key.as_str(), *size));
    let mut window = Window::rebuild(index.epochs.clone(), keys).context("what is stored cannot be read")?;
    window.finish();
    // Only what the replay lists: what a replaced generation left behind is for the collector.
    index.segments.retain(|(key, _)| match Key::parse(key) {
        Key::Segment { rendition, name } => window
            .track(rendition)
            .and_then(|track| track.segment(name.seq))
            .is_some_and(|s| s.generation == name.generation && s.decode_time == name.decode_time),
        _ => false,
    });
    let prefix = prefix(tenant, broadcast);
    let put = async |name: String, body: String, content_type| {
        let meta = Meta {
            content_type,
            cache_control: REPLACEABLE,
        };
        let key = format!("{prefix}{name}");
        store
            .put(&key, vec![Bytes::from(body)], meta)
            .await
            .with_context(|| format!("cannot write {key}"))
    };
    const HLS: &str = "application/vnd.apple.mpegurl";
    for (name, _) in window.tracks() {
        if let Some(playlist) = media_playlist(&window, name, &MediaOptions::STORED) {
            put(format!("{name}/index.m3u8"), playlist, HLS).await?;
        }
    }
    if let Some(playlist) = multivariant(
        &window,
        &MultivariantOptions {
            base: "",
            file: "index.m3u8",
            parts_suffice: false,
        },
    ) {
        put("main.m3u8".into(), playlist, HLS).await?;
    }
    // A stored manifest is static: it needs neither a clock nor a window.
    let options = ManifestOptions {
        base: "",
        time_url: "",
        keep_ms: None,
        objects: true,
    };
    if let Some(manifest) = manifest(&window, &options) {
        put("manifest.mpd".into(), manifest, "application/dash+xml").await?;
    }
    let text = serde_json::to_string(&index).context("the index has only string keys")?;
    put("index.json".into(), text, "application/json").await?;
    Ok(summary(&window))
}

fn summary(window: &Window) -> Summary {
    let size_bytes = window
        .tracks()
        .flat_map(|(_, track)| track.segments())
        .map(|s| s.size_bytes)
        .sum();
    let lead = |seq| window.epoch_of(seq).and_then(|(_, epoch)| epoch.renditions.first());
    let ticks_ms = window
        .tracks()
        .flat_map(|(name, track)| track.segments().iter().map(move |s| (name, s)))
        .filter_map(|(name, s)| lead(s.seq).filter(|r| r.name == name).map(|r| (s, r)))
        .map(|(s, r)| i64::from(s.duration) * 1_000 / i64::from(r.timescale.max(1)))
        .sum();
    Summary {
        duration_ms: ticks_ms,
        size_bytes,
    }
}
