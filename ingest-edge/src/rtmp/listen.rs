//! Where publishers connect to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1_024;

/// Binds every address. `[::]` takes IPv4 publishers too, unless `0.0.0.0` stands beside it with the same port; where
/// IPv6 is off it means `0.0.0.0`. On `Err`, the address that could not be had.
pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    bind_with(addresses, listen)
}

fn bind_with<T>(
    addresses: &[SocketAddr],
    mut listen: impl FnMut(SocketAddr, Family) -> io::Result<T>,
) -> Result<Vec<T>, (SocketAddr, io::Error)> {
    let any_v4 = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let mut one = |&address: &SocketAddr| {
        let any_v6 = address.is_ipv6() && address.ip().is_unspecified();
        if !any_v6 || (address.port() != 0 && addresses.contains(&any_v4(address.port()))) {
            return listen(address, Family::Own);
        }
        listen(address, Family::Both).or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            _ => listen(any_v4(address.port()), Family::Own),
        })
    };
    let bound = addresses
        .iter()
        .map(|address| one(address).map_err(|error| (*address, error)));
    bound.collect()
}

/// Whose connections an address takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Those of its own family.
    Own,
    /// IPv4 ones as well as IPv6 ones.
    Both,
}

fn listen(address: SocketAddr, family: Family) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(family == Family::Own)?;
    }
    // A restarted edge gets its port back though connections of the last one linger.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(of: &[&str]) -> Vec<SocketAddr> {
        of.iter().map(|a| a.parse().expect("an address")).collect()
    }

    fn said(of: &[&str], refuses: Option<io::ErrorKind>) -> Result<Vec<String>, io::ErrorKind> {
        let listen = |address: SocketAddr, family| match refuses {
            Some(kind) if address.is_ipv6() => Err(kind.into()),
            _ => Ok(format!("{address} {family:?}")),
        };
        bind_with(&addresses(of), listen).map_err(|(_, error)| error.kind())
    }

    #[test]
    fn a18_any_address_takes_both_families_where_there_are_two() {
        assert_eq!(said(&["[::]:1935"], None), Ok(vec!["[::]:1935 Both".into()]));
        let off = Some(io::ErrorKind::Other);
        assert_eq!(said(&["[::]:1935"], off), Ok(vec!["0.0.0.0:1935 Own".into()]));
        let apart = said(&["0.0.0.0:1935", "[::]:1935"], None);
        assert_eq!(apart, Ok(vec!["0.0.0.0:1935 Own".into(), "[::]:1935 Own".into()]));
        assert_eq!(said(&["127.0.0.1:1935"], off), Ok(vec!["127.0.0.1:1935 Own".into()]));
        let taken = io::ErrorKind::AddrInUse;
        assert_eq!(
            said(&["[::]:1935"], Some(taken)),
            Err(taken),
            "a port in use is no reason to fall back"
        );
        assert_eq!(
            said(&["[::1]:1935"], off),
            Err(io::ErrorKind::Other),
            "what was asked for by name"
        );
    }
}
