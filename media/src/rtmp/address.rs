//! Where the stream key is: one normaliser for the shapes in which encoders send it.

/// A publish address taken apart.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// First path item of the application; empty when the address holds only the key.
    pub app: String,
    /// The stream key. Never log it.
    pub key: String,
    /// Query parameters, decoded; those of the name win over those of the application, those over `tcUrl`'s.
    pub query: Vec<(String, String)>,
    /// User and password of `tcUrl`. Never log them: one may be the key.
    pub credentials: Option<(String, String)>,
}

/// Why an address has no usable key.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing that could be a key.
    #[error("no stream key in the address")]
    NoKey,
    /// Longer than [`KEY_BYTES_MAX`].
    #[error("stream key of {0} bytes; at most {KEY_BYTES_MAX} are accepted")]
    TooLong(usize),
    /// Bytes that are not printable text.
    #[error("stream key holds unprintable characters")]
    Unprintable,
}

/// Longest key looked at, in bytes.
pub const KEY_BYTES_MAX: usize = 512;

/// Most query parameters kept.
const PARAMETERS_MAX: usize = 32;

impl Address {
    /// Takes apart what `connect` and `publish` said. The key is the last path item of the name, else of the
    /// application: encoders split one address at different slashes, or leave a field empty.
    pub fn resolve(app: &str, name: &str, tc_url: &str) -> Result<Self, AddressError> {
        let name = Part::of(name);
        let application = Part::of(app);
        let url = Part::of(tc_url);
        let mut key = name.items.last().cloned();
        let mut apps = application.items.iter();
        if key.is_none() {
            key = apps.next_back().cloned();
        }
        if key.is_none() {
            let filled_in = |(user, password): &(String, String)| [password, user].map(String::to_owned);
            let texts = url.credentials.as_ref().map(filled_in).into_iter().flatten();
            key = texts.into_iter().find(|text| !trim(text).is_empty());
        }
        let key = tidy_key(key.unwrap_or_default())?;
        // Applications and names that repeat each other ("live" and "live/KEY") say it once.
        let app = apps
            .next()
            .or(name.items.first().filter(|_| name.items.len() > 1))
            .cloned()
            .unwrap_or_default();
        let mut query: Vec<(String, String)> = Vec::new();
        for (name, value) in [name.query, application.query, url.query].into_iter().flatten() {
            if query.len() < PARAMETERS_MAX && !query.iter().any(|(known, _)| *known == name) {
                query.push((name, value));
            }
        }
        Ok(Self {
            app,
            key,
            query,
            credentials: url.credentials,
        })
    }

    /// The same with the first text as its key that `is_key` knows the shape of: the key itself, then what was filled
    /// in as password or user. Unchanged where none is one.
    pub fn with_key(mut self, is_key: impl Fn(&str) -> bool) -> Self {
        let (user, password) = self.credentials.clone().unwrap_or_default();
        let asked = ["password", "user"].map(|name| self.parameter(name).unwrap_or_default().to_owned());
        let texts = [self.key.clone(), password, user].into_iter().chain(asked);
        if let Some(key) = texts.filter_map(|text| tidy_key(text).ok()).find(|text| is_key(text)) {
            self.key = key;
        }
        self
    }

    /// A query parameter by name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The publisher only measures its uplink (`?bandwidthtest=true`): take the media, keep nothing.
    pub fn is_bandwidth_test(&self) -> bool {
        self.parameter("bandwidthtest")
            .is_some_and(|v| !matches!(v, "0" | "false"))
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address")
            .field("app", &self.app)
            .field("key", &"[redacted]")
            .finish_non_exhaustive()
    }
}

/// One of the three texts, as path items and query.
#[derive(Default)]
struct Part {
    items: Vec<String>,
    query: Vec<(String, String)>,
    credentials: Option<(String, String)>,
}

impl Part {
    fn of(text: &str) -> Self {
        let text = trim(text);
        let (path, mut query) = split_query(text);
        let decoded = percent_decode(path);
        // A question mark may itself have been encoded.
        let (path, inner_query) = split_query(&decoded);
        query.extend(inner_query);
        let mut part = Self {
            query,
            ..Self::default()
        };
        let mut rest = path;
        if let Some((scheme, after)) = path.split_once("://")
            && matches!(
                scheme.to_ascii_lowercase().as_str(),
                "rtmp" | "rtmps" | "rtmpt" | "rtmpte" | "rtmpe"
            )
        {
            let (authority, path) = after.split_once('/').unwrap_or((after, ""));
            part.credentials = authority.rsplit_once('@').map(|(user_info, _)| {
                let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
                (user.to_owned(), password.to_owned())
            });
            rest = path;
        }
        let items = rest
            .split('/')
            .map(trim)
            .filter(|item| !item.is_empty() && *item != "_definst_");
        part.items = items.map(str::to_owned).collect();
        part
    }
}

/// Path, and decoded parameters behind the first question mark.
fn split_query(text: &str) -> (&str, Vec<(String, String)>) {
    let Some((path, query)) = text.split_once('?') else {
        return (text, Vec::new());
    };
    let pairs = query
        .split(['&', '?'])
        .filter(|pair| !pair.is_empty())
        .take(PARAMETERS_MAX);
    let decoded = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(name), percent_decode(value))
    });
    (path, decoded.collect())
}

/// Without what copy and paste leaves around a text.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || c.is_control() || is_invisible(c) || matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’')
    })
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

fn tidy_key(key: String) -> Result<String, AddressError> {
    let mut key = key.as_str();
    for prefix in ["mp4:", "flv:", "f4v:"] {
        key = key.strip_prefix(prefix).unwrap_or(key);
    }
    let key = trim(key.strip_suffix(".flv").unwrap_or(key));
    if key.is_empty() {
        return Err(AddressError::NoKey);
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(AddressError::TooLong(key.len()));
    }
    // U+FFFD stands for bytes that were not UTF-8.
    if key
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || is_invisible(c) || c == '\u{fffd}')
    {
        return Err(AddressError::Unprintable);
    }
    Ok(key.to_owned())
}

/// Decodes `%XX` once; what is no such code stays as it is.
fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |i: usize| bytes.get(i).and_then(|&b| (b as char).to_digit(16));
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d1_to_d15_every_shape_gives_the_key() {
        let url = "rtmp://host/live";
        let cases = [
            ("D1", "live", "KEY", url, "live"),
            ("D2", "live/KEY", "", url, "live"),
            ("D3 leading", "live", "/KEY", url, "live"),
            ("D3 trailing", "live", "KEY/", url, "live"),
            ("D3 double", "live", "//KEY", url, "live"),
            ("D4", "live/", "KEY", url, "live"),
            ("D5", "", "KEY", "rtmp://host/", ""),
            ("D6", "KEY", "", "rtmp://host/KEY", ""),
            ("D7", "live/_definst_", "KEY", url, "live"),
            ("D8 in app", "live/extra", "KEY", url, "live"),
            ("D8 in name", "live", "extra/KEY", url, "live"),
            ("D10 mp4", "live", "mp4:KEY", url, "live"),
            ("D10 flv", "live", "flv:KEY", url, "live"),
            ("D10 suffix", "live", "KEY.flv", url, "live"),
            ("D11", "live", "live/KEY", url, "live"),
            ("D12 slash", "live", "live%2FKEY", url, "live"),
            ("D12 question mark", "live", "KEY%3Fa%3D1", url, "live"),
            ("D13 newline", "live", "KEY\r\n", url, "live"),
            ("D13 zero width", "live", "\u{200b}KEY\u{feff} ", url, "live"),
            ("D13 quotes", "live", "\"KEY\"", url, "live"),
            ("D15", "live", "rtmp://host/live/KEY", url, "live"),
            ("D15 rtmps", "live", "RTMPS://host:443/live/KEY?a=1", url, "live"),
        ];
        for (row, app, name, tc_url, expected_app) in cases {
            let address = Address::resolve(app, name, tc_url).unwrap_or_else(|e| panic!("{row}: {e}"));
            assert_eq!(
                (address.key.as_str(), address.app.as_str()),
                ("KEY", expected_app),
                "{row}"
            );
        }
    }

    #[test]
    fn c2_the_url_beside_the_application_only_informs() {
        for tc_url in [
            "",
            "rtmp://elsewhere.example/other",
            "rtmp://user:pass@host:1935/live?x=1",
            "rtmps://[2001:db8::1]:443/live",
            "not an address",
        ] {
            let address = Address::resolve("live", "KEY", tc_url).unwrap_or_else(|e| panic!("{tc_url}: {e}"));
            assert_eq!(
                (address.app.as_str(), address.key.as_str()),
                ("live", "KEY"),
                "{tc_url}"
            );
        }
    }

    #[test]
    fn d9_queries_merge_name_over_app_over_url() {
        let address = Address::resolve("live?a=app&b=app", "KEY?a=name", "rtmp://h/live?a=url&b=url&c=u%20rl");
        let address = address.expect("has a key");
        let parameters: Vec<_> = ["a", "b", "c", "d"].map(|n| address.parameter(n)).into();
        assert_eq!(parameters, [Some("name"), Some("app"), Some("u rl"), None]);
        assert_eq!((address.key.as_str(), address.app.as_str()), ("KEY", "live"));
    }

    #[test]
    fn d12_decoded_once_and_case_kept() {
        let address = Address::resolve("live", "kE%79%2541", "").expect("has a key");
        assert_eq!(address.key, "kEy%41");
        assert_eq!(Address::resolve("live", "a+b=c", "").expect("has a key").key, "a+b=c");
        assert_eq!(Address::resolve("live", "50%", "").expect("has a key").key, "50%");
    }

    #[test]
    fn d14_credentials_are_kept_apart() {
        let address = Address::resolve("live", "KEY", "rtmp://user:p@ss@host:1935/live").expect("has a key");
        assert_eq!(address.credentials, Some(("user".into(), "p@ss".into())));
        assert_eq!(
            Address::resolve("live", "KEY", "rtmp://[::1]:1935/live")
                .expect("has a key")
                .credentials,
            None
        );
    }

    #[test]
    fn c19_d14_a_key_filled_in_as_user_or_password_is_found() {
        let is_key = |text: &str| text.starts_with("sk_");
        let cases = [
            ("live", "sk_a", "rtmp://sk_b:sk_c@h/live", "sk_a"),
            ("live", "stream", "rtmp://studio:sk_c@h/live", "sk_c"),
            ("live", "stream", "rtmp://sk_b:x@h/live", "sk_b"),
            ("live", "", "rtmp://sk_b@h/live", "sk_b"),
            ("", "", "rtmp://studio:sk_c@h/", "sk_c"),
            ("", "", "rtmp://sk_b@h", "sk_b"),
            ("live?authmod=adobe&user=sk_d", "stream", "rtmp://h/live", "sk_d"),
            (
                "live?authmod=llnw&user=studio",
                "sk_a",
                "rtmp://h/live?authmod=llnw&user=studio",
                "sk_a",
            ),
            ("live", "stream", "rtmp://studio:secret@h/live", "stream"),
        ];
        for (app, name, tc_url, key) in cases {
            let address = Address::resolve(app, name, tc_url).expect("has a key").with_key(is_key);
            assert_eq!(address.key, key, "{app} {name} {tc_url}");
        }
    }

    #[test]
    fn d17_long_keys_are_refused() {
        assert_eq!(
            Address::resolve("live", &"k".repeat(512), "").map(|a| a.key.len()),
            Ok(512)
        );
        assert_eq!(
            Address::resolve("live", &"k".repeat(4_096), ""),
            Err(AddressError::TooLong(4_096))
        );
    }

    #[test]
    fn d18_bandwidth_test_is_seen() {
        for (name, expected) in [
            ("K?bandwidthtest=true", true),
            ("K?bandwidthtest=0", false),
            ("K", false),
        ] {
            assert_eq!(
                Address::resolve("live", name, "")
                    .expect("has a key")
                    .is_bandwidth_test(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn c1_no_key_at_all() {
        for (app, name) in [("", ""), ("/", "///"), ("", "?token=x"), ("_definst_", " ")] {
            assert_eq!(
                Address::resolve(app, name, "rtmp://host"),
                Err(AddressError::NoKey),
                "{app:?} {name:?}"
            );
        }
    }

    #[test]
    fn c17_keys_that_are_not_text_are_refused() {
        for name in ["a\u{fffd}b", "a%ffb", "a\u{0}b", "a b"] {
            assert_eq!(
                Address::resolve("live", name, ""),
                Err(AddressError::Unprintable),
                "{name:?}"
            );
        }
    }

    #[test]
    fn keys_never_show_in_debug_output() {
        let address = Address::resolve("live", "sk_secret?token=hidden", "rtmp://u:pw@h/live").expect("has a key");
        let text = format!("{address:?}");
        assert!(
            !text.contains("secret") && !text.contains("hidden") && !text.contains("pw"),
            "{text}"
        );
    }
}
