//! `GET /{playback}/manifest.mpd`: DASH over the same segments.

use std::time::Duration;

use headwater_media::dash::{self, ManifestOptions};
use http::Response;
use http::header::HeaderMap;

use super::answer::{Cache, Kind, Refusal};
use super::body::Body;
use super::{Origin, playlist, refusal};
use crate::limits::{BETWEEN_PARTS, DASH_WINDOW_S_MAX};
use crate::playback::broadcast::{RenderKind, State, WaitError};

/// The manifest's place among what is rendered of all renditions together; the multivariant playlists come first.
const MANIFEST: RenderKind = 2;
const NOTHING: Refusal = Refusal::NotFound("nothing of the broadcast can be played yet");

impl Origin {
    pub(super) async fn manifest(&self, headers: &HeaderMap, playback: &str) -> Result<Response<Body>, Refusal> {
        let shown = self.broadcasts.find(playback, None).await.map_err(refusal::find)?;
        let broadcast = &shown.broadcast;
        let listable = |state: &State| (state.is_synced && dash::is_playable(&state.window)).then_some(());
        match broadcast.wait_for(broadcast.all(), listable).await {
            Ok(()) => {}
            Err(WaitError::TimedOut) => return Err(NOTHING),
            Err(error) => return Err(refusal::wait(error)),
        }
        // Between two segments a manifest is held back until the next one has begun. Where none begins it is given as it is.
        let settled = |state: &State| (!dash::is_between(&state.window)).then_some(());
        let part_ms = broadcast.read().window.settings().latency.part_target_ms();
        let limit = Duration::from_millis(u64::from(part_ms) * BETWEEN_PARTS);
        let _ = broadcast.wait_within(limit, broadcast.all(), settled).await;
        let base = format!("{}/", broadcast.id);
        let rendered = broadcast.rendered(broadcast.all(), MANIFEST, |state| {
            let keep_ms = (!state.is_final).then(|| i64::from(self.dvr_s.min(DASH_WINDOW_S_MAX)) * 1_000);
            let options = ManifestOptions {
                base: &base,
                time_url: &self.time_url,
                keep_ms,
                objects: false,
            };
            dash::manifest(&state.window, &options)
        });
        let settled = shown.now.is_replay && broadcast.read().is_final;
        let cache = if settled { Cache::HOUR } else { Cache::LIVE };
        let rendered = rendered.ok_or(NOTHING)?;
        Ok(playlist::respond(headers, Kind::Manifest, cache, &rendered))
    }
}
