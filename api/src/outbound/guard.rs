//! Which addresses may be called: what a tenant types must not reach into the operator's network.
//!
//! A name is resolved once. Every address that comes back must be a public one, or lie in a network that the operator
//! allows; the connection then goes to these very addresses, so that a name cannot mean something else a moment later.
//! What cannot be judged is refused.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ipnet::IpNet;
use url::{Host, Url};

/// Longest wait for a name.
const RESOLVE_LIMIT: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried at most.
const ADDRESSES_MAX: usize = 4;
/// Characters of an address at most.
pub const URL_CHARS_MAX: usize = 2_000;

/// Networks outside the public internet (IANA's special-purpose registry for IPv4), multicast and reserved ones included.
const SPECIAL_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// Of IPv6 only global unicast is public, without what stands for other addresses in it.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    let within = |network: IpAddr, bits| IpNet::new(network, bits).is_ok_and(|net| net.contains(&address));
    match address {
        IpAddr::V4(_) => !SPECIAL_V4
            .iter()
            .any(|(network, bits)| within((*network).into(), *bits)),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(v4.into()),
            None => {
                within(GLOBAL_V6.0.into(), GLOBAL_V6.1)
                    && !SPECIAL_V6
                        .iter()
                        .any(|(network, bits)| within((*network).into(), *bits))
            }
        },
    }
}

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync {
    /// Every address of `host`, with `port`.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Why an address is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Not an address at all, or one with parts that make no sense here.
    #[error("an address looks like https://example.com/path, without user, password or fragment")]
    Malformed,
    /// Neither https nor http.
    #[error("only https addresses are called")]
    Scheme,
    /// Plain http to somewhere public.
    #[error("only https addresses are called; http is for networks that the operator allows")]
    Plain,
    /// Not on the public internet.
    #[error("the address is not a public one")]
    Private,
    /// The name means nothing.
    #[error("the name was not found")]
    Unknown,
}

/// An address that may be called, as far as its text says.
#[derive(Clone, Debug)]
pub struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
}

impl Target {
    /// Whether to speak TLS.
    pub fn tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host as TLS names it.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(v4) => v4.to_string(),
            Host::Ipv6(v6) => v6.to_string(),
        }
    }

    /// The value of `Host`.
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Path and query.
    pub fn path(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// Its one spelling.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }
}

/// The judge of addresses; cheap to clone.
#[derive(Clone)]
pub struct Guard {
    allow: Arc<[IpNet]>,
    resolve: Arc<dyn Resolve>,
}

impl Guard {
    /// Allows the public internet, and `allow` beside it.
    pub fn new(allow: &[IpNet]) -> Self {
        Self::resolving(allow, Arc::new(System))
    }

    /// As [`new`](Self::new), asking `resolve` for names.
    pub fn resolving(allow: &[IpNet], resolve: Arc<dyn Resolve>) -> Self {
        Self {
            allow: allow.into(),
            resolve,
        }
    }

    /// Reads an address and refuses what its text alone condemns.
    pub fn target(&self, text: &str) -> Result<Target, Refused> {
        let url = Url::parse(text).map_err(|_| Refused::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow.is_empty() => return Err(Refused::Plain),
            "http" => {}
            _ => return Err(Refused::Scheme),
        }
        let strange = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
        if strange || url.as_str().len() > URL_CHARS_MAX {
            return Err(Refused::Malformed);
        }
        let host = url.host().ok_or(Refused::Malformed)?.to_owned();
        let port = url
            .port_or_known_default()
            .filter(|port| *port > 0)
            .ok_or(Refused::Malformed)?;
        let target = Target { url, host, port };
        match &target.host {
            Host::Domain(_) => {}
            Host::Ipv4(v4) => self.judge(&target, (*v4).into())?,
            Host::Ipv6(v6) => self.judge(&target, (*v6).into())?,
        }
        Ok(target)
    }

    fn judge(&self, target: &Target, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        if self.allow.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        match (is_public(address), target.tls()) {
            (true, true) => Ok(()),
            (true, false) => Err(Refused::Plain),
            (false, _) => Err(Refused::Private),
        }
    }

    /// Resolves the target, this once. One address that may not be called condemns them all: it shows what the name is for.
    pub async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Refused> {
        let found = match &target.host {
            Host::Ipv4(v4) => vec![SocketAddr::new((*v4).into(), target.port)],
            Host::Ipv6(v6) => vec![SocketAddr::new((*v6).into(), target.port)],
            Host::Domain(name) => {
                let asked = tokio::time::timeout(RESOLVE_LIMIT, self.resolve.resolve(name, target.port));
                asked
                    .await
                    .map_err(|_| Refused::Unknown)?
                    .map_err(|_| Refused::Unknown)?
            }
        };
        if found.is_empty() {
            return Err(Refused::Unknown);
        }
        for address in &found {
            self.judge(target, address.ip())?;
        }
        Ok(found.into_iter().take(ADDRESSES_MAX).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_the_public_internet_is_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(ip(text)), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip(text)), "{text}");
        }
    }

    #[test]
    fn texts_are_judged_before_anything_is_resolved() {
        let guard = Guard::new(&[]);
        for (text, refused) in [
            ("", Refused::Malformed),
            ("example.com", Refused::Malformed),
            ("https://", Refused::Malformed),
            ("https://user@example.com/", Refused::Malformed),
            ("https://example.com/#x", Refused::Malformed),
            ("https://example.com:0/", Refused::Malformed),
            ("ftp://example.com/", Refused::Scheme),
            ("file:///etc/passwd", Refused::Scheme),
            ("http://example.com/", Refused::Plain),
            ("https://127.0.0.1/", Refused::Private),
            // The other spellings of the same address.
            ("https://2130706433/", Refused::Private),
            ("https://0x7f.1/", Refused::Private),
            ("https://0177.0.0.1/", Refused::Private),
            ("https://[::1]/", Refused::Private),
            ("https://[::ffff:169.254.169.254]/latest", Refused::Private),
        ] {
            assert_eq!(guard.target(text).err(), Some(refused), "{text}");
        }
        let good = guard.target("https://Example.com:8443/a?b=c").expect("a good address");
        assert_eq!(
            (good.host(), good.authority(), good.path(), good.tls()),
            ("example.com".into(), "example.com:8443".into(), "/a?b=c".into(), true)
        );
    }

    #[test]
    fn the_operator_opens_networks_and_no_more() {
        let guard = Guard::new(&["127.0.0.0/8".parse().expect("a network")]);
        assert!(guard.target("http://127.0.0.1:9/").is_ok() && guard.target("https://127.1.2.3/").is_ok());
        assert_eq!(guard.target("http://10.0.0.1/").err(), Some(Refused::Private));
        assert_eq!(guard.target("http://1.1.1.1/").err(), Some(Refused::Plain));
        assert!(
            guard.target("http://[::ffff:127.0.0.1]/").is_ok(),
            "mapped, it is the same address"
        );
    }

    struct Fixed(Vec<SocketAddr>);
    impl Resolve for Fixed {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    #[tokio::test]
    async fn one_private_address_among_public_ones_condemns_the_name() {
        let asked = async |addresses: &[&str]| {
            let found = addresses.iter().map(|a| a.parse().expect("an address")).collect();
            let guard = Guard::resolving(&[], Arc::new(Fixed(found)));
            let target = guard.target("https://rebind.example/").expect("a name");
            guard.addresses(&target).await.map(|found| found.len())
        };
        assert_eq!(asked(&["1.1.1.1:443", "[2606:4700::1111]:443"]).await, Ok(2));
        assert_eq!(asked(&["1.1.1.1:443", "10.0.0.1:443"]).await, Err(Refused::Private));
        assert_eq!(asked(&[]).await, Err(Refused::Unknown));
    }
}
