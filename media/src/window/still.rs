//! Names of pictures: JPEGs of a broadcast, beside its renditions.
//!
//! ```text
//! {tenant}/{broadcast}/thumbnail/live-{generation}-{width}.jpg      the newest picture, written again and again
//! {tenant}/{broadcast}/thumbnail/poster-{generation}-{width}.jpg    the first that shows something, written once
//! ```

use std::fmt::{self, Display};

/// Where pictures lie under a broadcast's prefix. No rendition is called so: rungs are named for their height, or `source`.
pub const STILLS: &str = "thumbnail/";

/// What a picture is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Still {
    /// The newest moment.
    Live,
    /// What stands for the whole.
    Poster,
}

/// The facts in a picture's object name. `Display` writes the name, without its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StillKey {
    /// What it is of.
    pub still: Still,
    /// Who made it.
    pub generation: u64,
    /// Pixels.
    pub width: u32,
}

impl StillKey {
    /// Reads what `Display` writes; `None` for any other name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut fields = name.strip_suffix(".jpg")?.split('-');
        let still = match fields.next()? {
            "live" => Still::Live,
            "poster" => Still::Poster,
            _ => return None,
        };
        let this = Self {
            still,
            generation: fields.next()?.parse().ok()?,
            width: fields.next()?.parse().ok()?,
        };
        (this.to_string() == name).then_some(this)
    }
}

impl Display for StillKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let still = match self.still {
            Still::Live => "live",
            Still::Poster => "poster",
        };
        write!(f, "{still}-{}-{}.jpg", self.generation, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::key::Key;

    #[test]
    fn one_spelling_each_and_no_segment() {
        for still in [Still::Live, Still::Poster] {
            let key = StillKey {
                still,
                generation: 12,
                width: 640,
            };
            assert_eq!(StillKey::parse(&key.to_string()), Some(key));
            assert_eq!(
                Key::parse(&format!("{STILLS}{key}")),
                Key::Other,
                "listings pass over it"
            );
        }
        for name in [
            "live-1-640.png",
            "live-01-640.jpg",
            "live-1.jpg",
            "live-1-640-2.jpg",
            "cover-1-640.jpg",
            "live--640.jpg",
        ] {
            assert_eq!(StillKey::parse(name), None, "{name}");
        }
    }
}
