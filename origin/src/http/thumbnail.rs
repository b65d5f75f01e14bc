//! `GET /{playback}/thumbnail.jpg?width=320|640|1280`

use http::Response;

use super::answer::{self, Cache, Kind, Refusal};
use super::body::Body;
use super::{Origin, refusal};
use crate::playback::FindError;
use crate::playback::objects::ReadError;

/// Widths that can be asked for, in pixels; the first one where nothing is asked.
const WIDTHS: [u32; 3] = [640, 320, 1_280];

impl Origin {
    pub(super) async fn thumbnail(&self, playback: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let wanted = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("width=")));
        let width = match wanted {
            None => Some(WIDTHS[0]),
            Some(text) => WIDTHS.into_iter().find(|width| width.to_string() == text),
        };
        let width = width.ok_or(Refusal::BadRequest("a thumbnail is 320, 640 or 1280 pixels wide"))?;
        let found = self.resolver.resolve(playback).await;
        let (_, now) = found.map_err(|error| refusal::find(FindError::from(error)))?;
        if now.broadcast.is_empty() {
            return Err(refusal::find(FindError::Offline));
        }
        let live = now.state.is_running();
        match self.thumbnails.get(&now.tenant, &now.broadcast, live, width).await {
            Ok(Some(jpeg)) => {
                let cache = if now.is_replay && !live {
                    Cache::HOUR
                } else {
                    Cache::PICTURE
                };
                Ok(answer::ok(Kind::Jpeg, cache, jpeg))
            }
            Ok(None) => Err(Refusal::NotFound("there is no picture of this yet")),
            Err(ReadError::NotFound) => Err(Refusal::NotFound("the picture is just being replaced")),
            Err(ReadError::Unavailable) => Err(Refusal::Unavailable("the picture cannot be read at the moment")),
        }
    }
}
