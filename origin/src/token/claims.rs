//! What a token says, and whether that fits a request.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Seconds that the clock of whoever signs may be ahead of ours.
const LEEWAY_S: i64 = 60;
/// Seconds from now that a token may expire at most: revocations are kept for a day longer.
const LIFE_S_MAX: i64 = 30 * 86_400;

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(text) => text == wanted,
            Self::Many(texts) => texts.iter().any(|text| text == wanted),
        }
    }
}

/// The claims that count. Times are Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Playback id that may be watched.
    pub sub: String,
    /// `v`: to watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Texts>,
    pub exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Where the header has none (Mux).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The token's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewer_id: Option<String>,
    /// ISO 3166-1 codes of countries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub countries: Option<Vec<String>>,
    /// Origins of pages, such as `https://example.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<String>>,
    /// Networks of viewers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<IpNet>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub downloadable: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_use: bool,
}

/// Who asks, and for what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked<'a> {
    pub playback: &'a str,
    pub download: bool,
    pub now_s: i64,
    /// The page that plays, as the browser names it.
    pub origin: Option<&'a str>,
    pub address: Option<IpAddr>,
    pub country: Option<&'a str>,
}

/// Why a token does not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Denied {
    #[error("a token is needed to watch this")]
    Missing,
    #[error("the token is malformed, or its key is not known or was revoked")]
    Unknown,
    #[error("the token is for something else")]
    Elsewhere,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not good yet")]
    Early,
    #[error("the token expires more than 30 days from now")]
    TooLong,
    #[error("the token was revoked")]
    Revoked,
    #[error("the token was used before")]
    Used,
    #[error("a token for one use has jti, and begins with ?token= at a playlist or manifest")]
    SingleUse,
    #[error("the token is not good for this page, network or country")]
    Rule,
    #[error("the token does not allow downloads")]
    Download,
    #[error("tokens cannot be checked at the moment")]
    Unchecked,
}

impl Claims {
    /// Whether the token fits, revocations aside.
    pub(crate) fn fit(&self, asked: &Asked<'_>) -> Result<(), Denied> {
        if self.sub != asked.playback || !self.aud.as_ref().is_some_and(|aud| aud.has("v")) {
            return Err(Denied::Elsewhere);
        }
        if self.exp <= asked.now_s {
            return Err(Denied::Expired);
        }
        if self.exp > asked.now_s + LIFE_S_MAX {
            return Err(Denied::TooLong);
        }
        if self.nbf.is_some_and(|nbf| nbf > asked.now_s + LEEWAY_S) {
            return Err(Denied::Early);
        }
        if asked.download && !self.downloadable {
            return Err(Denied::Download);
        }
        // What is not known fits no rule.
        let country = self.countries.as_ref().is_none_or(|countries| {
            let here = |here: &str| countries.iter().any(|country| country.eq_ignore_ascii_case(here));
            asked.country.is_some_and(here)
        });
        let page = self.origins.as_ref().is_none_or(|origins| {
            let here = |here: &str| {
                let same = |origin: &String| origin.trim_end_matches('/').eq_ignore_ascii_case(here);
                origins.iter().any(same)
            };
            asked.origin.is_some_and(here)
        });
        let network = self.ips.as_ref().is_none_or(|networks| {
            let here = |here: IpAddr| networks.iter().any(|network| network.contains(&here.to_canonical()));
            asked.address.is_some_and(here)
        });
        match country && page && network {
            true => Ok(()),
            false => Err(Denied::Rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn good() -> Claims {
        Claims {
            sub: "pb_x".into(),
            aud: Some(Texts::One("v".into())),
            exp: NOW + 10,
            ..Claims::default()
        }
    }

    fn asked() -> Asked<'static> {
        Asked {
            playback: "pb_x",
            now_s: NOW,
            ..Asked::default()
        }
    }

    #[test]
    fn times_subject_and_audience_must_fit() {
        assert_eq!(good().fit(&asked()), Ok(()));
        let many = Some(Texts::Many(vec!["t".into(), "v".into()]));
        assert_eq!(Claims { aud: many, ..good() }.fit(&asked()), Ok(()));
        let early = Some(NOW + LEEWAY_S + 1);
        for (claims, denied) in [
            (
                Claims {
                    sub: "pb_y".into(),
                    ..good()
                },
                Denied::Elsewhere,
            ),
            (Claims { aud: None, ..good() }, Denied::Elsewhere),
            (
                Claims {
                    aud: Some(Texts::One("t".into())),
                    ..good()
                },
                Denied::Elsewhere,
            ),
            (Claims { exp: NOW, ..good() }, Denied::Expired),
            (
                Claims {
                    exp: i64::MIN,
                    ..good()
                },
                Denied::Expired,
            ),
            (
                Claims {
                    exp: NOW + LIFE_S_MAX + 1,
                    ..good()
                },
                Denied::TooLong,
            ),
            (
                Claims {
                    exp: i64::MAX,
                    ..good()
                },
                Denied::TooLong,
            ),
            (Claims { nbf: early, ..good() }, Denied::Early),
        ] {
            assert_eq!(claims.fit(&asked()), Err(denied), "{claims:?}");
        }
        assert_eq!(
            Claims {
                nbf: Some(NOW + LEEWAY_S),
                ..good()
            }
            .fit(&asked()),
            Ok(())
        );
        let download = Asked {
            download: true,
            ..asked()
        };
        assert_eq!(good().fit(&download), Err(Denied::Download));
        assert_eq!(
            Claims {
                downloadable: true,
                ..good()
            }
            .fit(&download),
            Ok(())
        );
    }

    #[test]
    fn rules_hold_and_what_is_unknown_fits_none() {
        let ruled = Claims {
            countries: Some(vec!["DE".into(), "AT".into()]),
            origins: Some(vec!["https://example.com/".into()]),
            ips: Some(vec!["203.0.113.0/24".parse().expect("a network")]),
            ..good()
        };
        let fits = Asked {
            origin: Some("https://example.com"),
            address: Some("203.0.113.7".parse().expect("an address")),
            country: Some("at"),
            ..asked()
        };
        assert_eq!(ruled.fit(&fits), Ok(()));
        let mapped = Some("::ffff:203.0.113.7".parse().expect("an address"));
        assert_eq!(
            ruled.fit(&Asked {
                address: mapped,
                ..fits.clone()
            }),
            Ok(())
        );
        for asked in [
            Asked {
                origin: None,
                ..fits.clone()
            },
            Asked {
                origin: Some("https://example.com.evil.org"),
                ..fits.clone()
            },
            Asked {
                origin: Some("http://example.com"),
                ..fits.clone()
            },
            Asked {
                address: None,
                ..fits.clone()
            },
            Asked {
                address: Some("203.0.114.7".parse().expect("an address")),
                ..fits.clone()
            },
            Asked {
                country: None,
                ..fits.clone()
            },
            Asked {
                country: Some("CH"),
                ..fits.clone()
            },
        ] {
            assert_eq!(ruled.fit(&asked), Err(Denied::Rule), "{asked:?}");
        }
    }

    #[test]
    fn claims_that_are_none_are_refused_rather_than_passed_over() {
        for text in [
            r#"{"sub": "pb_x", "aud": "v"}"#,
            r#"{"sub": "pb_x", "aud": "v", "exp": "tomorrow"}"#,
            r#"{"sub": "pb_x", "aud": "v", "exp": 1, "ips": ["here"]}"#,
            r#"{"sub": "pb_x", "aud": "v", "exp": 1, "countries": "DE"}"#,
            r#"{"sub": "pb_x", "aud": 7, "exp": 1}"#,
        ] {
            assert!(serde_json::from_str::<Claims>(text).is_err(), "{text}");
        }
    }
}
