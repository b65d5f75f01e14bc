//! Judging any bytes as tokens, without an api to ask.

use headwater_model::proto::api::TokenRulesResponse;
use jsonwebtoken::DecodingKey;

use super::claims::{Asked, Claims};
use super::{RuleSet, TOKEN_BYTES_MAX, verify};

/// Knows some keys.
pub(crate) struct Judge {
    sessions: DecodingKey,
    rules: RuleSet,
    /// What the good tokens say.
    good: Vec<Claims>,
}

/// Tenant and environment.
const PLACE: &str = "ten_a/live";
/// While the good tokens are good.
const NOW_S: i64 = 1_800_000_000;

impl Judge {
    /// `tokens` are those of which some are good. Panics when none is.
    pub(crate) fn new(rules: TokenRulesResponse, tokens: &[Vec<u8>]) -> Self {
        let mut judge = Self {
            sessions: DecodingKey::from_secret(b"of the farm"),
            rules: RuleSet::of(rules),
            good: Vec::new(),
        };
        let texts = tokens.iter().map(|token| String::from_utf8_lossy(token));
        let checked = texts.filter_map(|token| verify(&judge.sessions, &judge.rules, PLACE, &token).ok());
        judge.good = checked.map(|checked| checked.claims).collect();
        assert_eq!(judge.good.len(), 3, "one good token of each kind of key");
        judge
    }

    /// Checks a token as a request's would be; panics when one is good that nobody signed.
    pub(crate) fn judge(&self, token: &str) {
        let asked = Asked {
            playback: "pb_aaaaaaaaaaaaaaaaaaaaaaaa",
            now_s: NOW_S,
            origin: Some("https://example.com"),
            address: Some([10, 0, 0, 1].into()),
            country: Some("DE"),
            ..Asked::default()
        };
        if token.len() <= TOKEN_BYTES_MAX
            && let Ok(checked) = verify(&self.sessions, &self.rules, PLACE, token)
        {
            assert!(self.good.contains(&checked.claims), "nobody signed {token}");
            let _ = checked.claims.fit(&asked);
        }
        // The same as bare claims: what is said is judged, whatever it is.
        if let Ok(claims) = serde_json::from_str::<Claims>(token) {
            let _ = claims.fit(&asked);
            let _ = self.rules.stands(&claims);
        }
    }
}
