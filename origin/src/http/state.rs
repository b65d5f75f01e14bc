//! What the embed player asks: `GET /{playback}/state.json`, and `?after={version}` to be told of the next change.

use bytes::Bytes;
use http::Response;
use serde::Serialize;

use super::answer::{self, Cache, Kind, Refusal};
use super::body::Body;
use super::{Origin, refusal};

#[derive(Serialize)]
struct PlayerState<'a> {
    state: &'static str,
    version: String,
    kind: &'static str,
    title: &'a str,
    latency_mode: &'a str,
    broadcast_id: Option<&'a str>,
    started_ms: Option<i64>,
    replay_playback_id: Option<&'a str>,
}

impl Origin {
    pub(super) async fn state(&self, playback: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let after = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("after=")));
        let now = self.broadcasts.state(playback, after).await.map_err(refusal::find)?;
        let state = PlayerState {
            state: now.state.as_str(),
            version: now.version(),
            kind: if now.is_replay { "replay" } else { "channel" },
            title: &now.title,
            latency_mode: &now.latency_mode,
            broadcast_id: some(&now.broadcast),
            started_ms: (now.started_ms > 0).then_some(now.started_ms),
            replay_playback_id: some(&now.replay_playback_id),
        };
        let json = serde_json::to_vec(&state).map_err(|_| Refusal::Internal)?;
        Ok(answer::ok(Kind::Json, Cache::LIVE, Bytes::from(json)))
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
