//! Who asks, where proxies stand between.
//!
//! A proxy adds the address that it was called from at the end of `X-Forwarded-For` or of `Forwarded` (RFC 7239); what stands before that
//! was there when the request came and may be anybody's invention. So the headers are read from their ends, and only as far as each
//! next address is that of a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Proxies in a row that are followed.
const HOPS_MAX: usize = 16;

/// The address that asks. `peer` opened the connection; what it says counts where it lies in `proxies`.
pub(super) fn address(headers: &HeaderMap, peer: IpAddr, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let trusted = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    if !trusted(&peer) {
        return peer;
    }
    let follow = |name: &str, read: fn(&str) -> Option<IpAddr>| {
        let all = headers.get_all(name).iter().rev();
        let mut said = all
            .flat_map(|value| value.to_str().unwrap_or("?").rsplit(','))
            .take(HOPS_MAX)
            .peekable();
        said.peek()?;
        let mut known = peer;
        for text in said {
            // Somebody who is not named is as far as one can see.
            let Some(next) = read(text.trim()) else { break };
            known = next.to_canonical();
            if !trusted(&known) {
                break;
            }
        }
        Some(known)
    };
    match (follow("x-forwarded-for", plain), follow("forwarded", element)) {
        (None, None) => peer,
        (Some(found), None) | (None, Some(found)) => found,
        // The proxy wrote one of them, and whoever asks may have written the other.
        (Some(one), Some(other)) => {
            if one == other {
                one
            } else {
                peer
            }
        }
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn plain(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse()
        .ok()
        .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

/// One element of `Forwarded`.
fn element(text: &str) -> Option<IpAddr> {
    text.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let value = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(value);
        name.trim().eq_ignore_ascii_case("for").then(|| plain(value)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        let proxies = [
            "10.0.0.0/8".parse().expect("a network"),
            "2001:db8::/32".parse().expect("a network"),
        ];
        address(&map, peer.parse().expect("an address"), &proxies).to_string()
    }

    #[test]
    fn only_trusted_proxies_say_whom_they_speak_for() {
        const FOR: &str = "x-forwarded-for";
        for (peer, headers, expected) in [
            ("192.0.2.9", &[(FOR, "1.2.3.4")][..], "192.0.2.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(FOR, "1.2.3.4")], "1.2.3.4"),
            ("::ffff:10.0.0.1", &[(FOR, "1.2.3.4")], "1.2.3.4"),
            // What whoever asks wrote in front counts for nothing.
            ("10.0.0.1", &[(FOR, "6.6.6.6, 1.2.3.4")], "1.2.3.4"),
            ("10.0.0.1", &[(FOR, "6.6.6.6, 1.2.3.4, 10.0.0.2")], "1.2.3.4"),
            (
                "10.0.0.1",
                &[(FOR, "6.6.6.6"), (FOR, "1.2.3.4"), (FOR, "10.0.0.2")],
                "1.2.3.4",
            ),
            ("10.0.0.1", &[(FOR, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            ("10.0.0.1", &[(FOR, "1.2.3.4, unknown, 10.0.0.2")], "10.0.0.2"),
            ("10.0.0.1", &[(FOR, "1.2.3.4:5678")], "1.2.3.4"),
            ("10.0.0.1", &[(FOR, "[2a00::1]:443")], "2a00::1"),
            ("10.0.0.1", &[(FOR, "::ffff:1.2.3.4")], "1.2.3.4"),
            ("10.0.0.1", &[(FOR, "")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[("forwarded", "for=6.6.6.6;proto=https, For=\"[2a00::1]:80\";by=10.0.0.1")],
                "2a00::1",
            ),
            ("2001:db8::5", &[("forwarded", "for=1.2.3.4, for=10.0.0.2")], "1.2.3.4"),
            ("10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1"),
            // One of the two is not the proxy's.
            (
                "10.0.0.1",
                &[("forwarded", "for=6.6.6.6"), (FOR, "1.2.3.4")],
                "10.0.0.1",
            ),
            ("10.0.0.1", &[("forwarded", "for=1.2.3.4"), (FOR, "1.2.3.4")], "1.2.3.4"),
        ] {
            assert_eq!(asks(peer, headers), expected, "{peer} {headers:?}");
        }
    }
}
