//! The multivariant playlist: reading it, and its rules.

use std::collections::BTreeSet;

use super::Finding;
use super::parse::{attributes, pick};
use super::rules::Findings;

/// A multivariant playlist as its text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultivariantPlaylist {
    /// `EXT-X-STREAM-INF`, in order.
    pub variants: Vec<Variant>,
    /// `EXT-X-MEDIA`, in order.
    pub media: Vec<MediaGroup>,
}

/// One variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Line of its tag.
    pub line: usize,
    /// Its playlist.
    pub uri: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
}

/// One rendition of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaGroup {
    /// Line of its tag.
    pub line: usize,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
}

impl Variant {
    /// An attribute's value, without quotes.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        pick(&self.attributes, name)
    }
}

impl MediaGroup {
    /// An attribute's value, without quotes.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        pick(&self.attributes, name)
    }
}

impl MultivariantPlaylist {
    /// Reads a multivariant playlist.
    pub fn parse(body: &str) -> Result<Self, Finding> {
        let bad = |line: usize, rule, text: &str| Finding {
            line,
            rule,
            detail: text.to_owned(),
        };
        if body.lines().next() != Some("#EXTM3U") {
            return Err(bad(1, "EXTM3U is the first line", body.lines().next().unwrap_or("")));
        }
        let mut this = Self::default();
        let mut open: Option<(usize, Vec<(String, String)>)> = None;
        for (i, text) in body.lines().enumerate().skip(1) {
            let line = i + 1;
            let list =
                |value: &str| attributes(value).ok_or_else(|| bad(line, "an attribute list is well formed", text));
            match text.split_once(':') {
                Some(("#EXT-X-STREAM-INF", value)) => open = Some((line, list(value)?)),
                Some(("#EXT-X-MEDIA", value)) => this.media.push(MediaGroup {
                    line,
                    attributes: list(value)?,
                }),
                _ if text.starts_with('#') || text.is_empty() => {}
                _ => {
                    let (line, attributes) = open
                        .take()
                        .ok_or_else(|| bad(line, "STREAM-INF stands before each variant", text))?;
                    this.variants.push(Variant {
                        line,
                        uri: text.to_owned(),
                        attributes,
                    });
                }
            }
        }
        Ok(this)
    }

    /// Addresses of every media playlist, variants first.
    pub fn playlists(&self) -> impl Iterator<Item = &str> {
        let media = self.media.iter().filter_map(|m| m.attribute("URI"));
        self.variants.iter().map(|v| v.uri.as_str()).chain(media)
    }

    /// Holds the playlist against the rules.
    pub fn check(&self) -> Vec<Finding> {
        let mut out = Findings(Vec::new());
        out.unless(!self.variants.is_empty(), 0, "there is a variant", String::new);
        let groups: BTreeSet<_> = self.media.iter().filter_map(|m| m.attribute("GROUP-ID")).collect();
        let mut uris = BTreeSet::new();
        for variant in &self.variants {
            let (line, get) = (variant.line, |name| variant.attribute(name));
            let rate = |name| get(name).and_then(|v| v.parse::<u64>().ok());
            let detail = || variant.uri.clone();
            out.unless(
                rate("BANDWIDTH").is_some_and(|b| b > 0),
                line,
                "BANDWIDTH is required",
                detail,
            );
            let average = rate("AVERAGE-BANDWIDTH");
            out.unless(average.is_some(), line, "AVERAGE-BANDWIDTH is required", detail);
            out.unless(
                average <= rate("BANDWIDTH"),
                line,
                "the average is below the peak",
                detail,
            );
            out.unless(
                get("CODECS").is_some_and(|c| !c.is_empty()),
                line,
                "CODECS is required",
                detail,
            );
            if get("RESOLUTION").is_some() {
                let rate = get("FRAME-RATE").and_then(|r| r.split_once('.'));
                out.unless(
                    rate.is_none_or(|(_, f)| f.len() == 3),
                    line,
                    "FRAME-RATE has three decimals",
                    detail,
                );
                let said = get("CLOSED-CAPTIONS").is_some();
                out.unless(said, line, "CLOSED-CAPTIONS is said, if only NONE", detail);
            }
            if let Some(group) = get("AUDIO") {
                out.unless(groups.contains(group), line, "the group exists", || group.to_owned());
                let codecs = get("CODECS").is_some_and(|c| c.contains(','));
                out.unless(codecs, line, "CODECS names those of the group too", detail);
            }
            out.unless(uris.insert(variant.uri.as_str()), line, "variants differ", detail);
        }
        for media in &self.media {
            for name in ["TYPE", "GROUP-ID", "NAME"] {
                out.unless(
                    media.attribute(name).is_some(),
                    media.line,
                    "MEDIA has TYPE, GROUP-ID, NAME",
                    String::new,
                );
            }
            let default = media.attribute("DEFAULT") != Some("YES") || media.attribute("AUTOSELECT") == Some("YES");
            out.unless(
                default,
                media.line,
                "what is default is selected by itself",
                String::new,
            );
        }
        out.0
    }
}
