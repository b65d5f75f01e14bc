//! Pictures of broadcasts: what workers have stored, read once for all who ask, and again when it may have changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use headwater_media::window::key;
use headwater_media::window::still::{STILLS, Still, StillKey};
use tokio::time::Instant;

use super::objects::{Objects, ReadError};
use crate::limits::{THUMBNAIL_AGE, THUMBNAILS_MAX};
use crate::lock;

/// The pictures in memory.
pub(crate) struct Thumbnails {
    objects: Arc<Objects>,
    known: Mutex<HashMap<(String, u32), Arc<Picture>>>,
}

#[derive(Default)]
struct Picture {
    /// When it was read, of what was on air then or not, and what there was.
    read: Mutex<Option<(Instant, bool, Option<Bytes>)>>,
    /// Held while the store is asked, so that one question serves all.
    asking: tokio::sync::Mutex<()>,
}

impl Picture {
    fn fresh(&self, live: bool) -> Option<Option<Bytes>> {
        let read = lock(&self.read);
        let (at, was_live, jpeg) = read.as_ref()?;
        // What is missing may be there a moment later.
        let age = if live || jpeg.is_none() {
            THUMBNAIL_AGE.0
        } else {
            THUMBNAIL_AGE.1
        };
        (*was_live == live && at.elapsed() < age).then(|| jpeg.clone())
    }
}

impl Thumbnails {
    pub(crate) fn new(objects: Arc<Objects>) -> Self {
        Self {
            objects,
            known: Mutex::default(),
        }
    }

    /// The newest picture of a broadcast on air, the poster of one that has ended: the widest there is up to `width`, or else
    /// the narrowest. `None`: there is none yet. While the store is silent, the last one.
    pub(crate) async fn get(
        &self,
        tenant: &str,
        broadcast: &str,
        live: bool,
        width: u32,
    ) -> Result<Option<Bytes>, ReadError> {
        let picture = {
            let mut known = lock(&self.known);
            if known.len() >= THUMBNAILS_MAX {
                known.clear();
            }
            known.entry((broadcast.to_owned(), width)).or_default().clone()
        };
        if let Some(jpeg) = picture.fresh(live) {
            return Ok(jpeg);
        }
        let _asking = picture.asking.lock().await;
        if let Some(jpeg) = picture.fresh(live) {
            return Ok(jpeg);
        }
        let found = match self.read(tenant, broadcast, live, width).await {
            Ok(found) => found,
            Err(error) => {
                let last = lock(&picture.read).as_ref().and_then(|(_, _, jpeg)| jpeg.clone());
                return last.map(Some).ok_or(error);
            }
        };
        *lock(&picture.read) = Some((Instant::now(), live, found.clone()));
        Ok(found)
    }

    async fn read(&self, tenant: &str, broadcast: &str, live: bool, width: u32) -> Result<Option<Bytes>, ReadError> {
        let prefix = key::prefix(tenant, broadcast) + STILLS;
        let listed = self.objects.list(&prefix).await?;
        let stored = listed
            .iter()
            .filter_map(|object| StillKey::parse(object.key.strip_prefix(&prefix)?));
        match choose(stored, live, width) {
            Some(chosen) => self.objects.get_fresh(&format!("{prefix}{chosen}")).await.map(Some),
            None => Ok(None),
        }
    }
}

/// On air the newest picture, which the highest generation makes; afterwards the poster, which the lowest made.
fn choose(stored: impl Iterator<Item = StillKey>, live: bool, width: u32) -> Option<StillKey> {
    let rank = |key: &StillKey| {
        let kind = (key.still == Still::Live) == live;
        let newer = if key.still == Still::Live {
            key.generation as i64
        } else {
            -(key.generation as i64)
        };
        let fits = key.width <= width;
        let size = if fits {
            i64::from(key.width)
        } else {
            -i64::from(key.width)
        };
        (kind, newer, fits, size)
    };
    stored.max_by_key(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_picture_is_looked_for_again_when_it_may_have_changed() {
        let picture = Picture::default();
        assert!(picture.fresh(true).is_none(), "never read");
        let (soon, late) = THUMBNAIL_AGE;
        let jpeg = Some(Bytes::from_static(b"jpeg"));
        for (live, jpeg, age) in [
            (true, jpeg.clone(), soon),
            (false, jpeg, late),
            (true, None, soon),
            (false, None, soon),
        ] {
            *lock(&picture.read) = Some((Instant::now(), live, jpeg.clone()));
            assert_eq!(picture.fresh(live), Some(jpeg));
            assert!(picture.fresh(!live).is_none(), "another one is wanted");
            tokio::time::advance(age).await;
            assert!(picture.fresh(live).is_none(), "live: {live}, after {age:?}");
        }
    }

    #[test]
    fn the_newest_on_air_and_the_first_poster_afterwards() {
        let names = [
            "live-1-640.jpg",
            "live-2-320.jpg",
            "live-2-640.jpg",
            "poster-1-320.jpg",
            "poster-1-640.jpg",
            "poster-2-1280.jpg",
        ];
        let chosen = |live, width| {
            let stored = names.iter().filter_map(|name| StillKey::parse(name));
            choose(stored, live, width).map(|key| key.to_string())
        };
        assert_eq!(chosen(true, 640).as_deref(), Some("live-2-640.jpg"));
        assert_eq!(chosen(true, 320).as_deref(), Some("live-2-320.jpg"));
        assert_eq!(chosen(true, 1_280).as_deref(), Some("live-2-640.jpg"));
        assert_eq!(chosen(false, 640).as_deref(), Some("poster-1-640.jpg"));
        let live_alone = [StillKey::parse("live-3-640.jpg").expect("a key")];
        assert_eq!(
            choose(live_alone.into_iter(), false, 320),
            StillKey::parse("live-3-640.jpg")
        );
        assert_eq!(choose([].into_iter(), true, 640), None);
    }
}
