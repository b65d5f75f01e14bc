//! How long a round trip of a publisher's connection takes, as its TCP measures it.
//!
//! Asked of the kernel through netlink (sock_diag(7)), which is written and read like any socket. The same figure stands in
//! `TCP_INFO` of getsockopt(2), for which nobody has a safe binding. One question is two system calls and waits for nothing.

use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tracing::info;

// linux/socket.h, linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const IPPROTO_TCP: u8 = 6;
const INET_DIAG_INFO: u16 = 2;
/// `struct nlmsghdr`
const HEADER_BYTES: usize = 16;
/// `struct inet_diag_req_v2`
const REQUEST_BYTES: usize = 56;
/// `struct inet_diag_msg`
const ANSWER_BYTES: usize = 72;
/// `tcpi_rtt` in `struct tcp_info`: smoothed, microseconds.
const RTT_AT: usize = 68;
/// An answer has some 400 bytes.
const ANSWER_BYTES_MAX: usize = 4_096;

/// The two ends of a connection, as this machine sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// This end.
    pub local: SocketAddr,
    /// The publisher's.
    pub peer: SocketAddr,
}

/// See the [module](self).
#[derive(Debug)]
pub struct RoundTrips {
    /// `None`: the kernel does not tell.
    socket: Option<Socket>,
    questions: u32,
}

impl RoundTrips {
    /// Ready to ask. Where the kernel refuses, nothing is known of any connection.
    pub fn open() -> Self {
        let open = || -> io::Result<Socket> {
            let protocol = Protocol::from(NETLINK_SOCK_DIAG);
            let socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(protocol))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let socket = open()
            .inspect_err(|error| info!("round trips of publishers are not measured: {error}"))
            .ok();
        Self { socket, questions: 0 }
    }

    /// The smoothed round trip of a connection of this machine; `None` where the kernel has or tells none.
    pub fn of(&mut self, link: Link) -> Option<Duration> {
        let socket = self.socket.as_mut()?;
        self.questions = self.questions.wrapping_add(1);
        socket.send(&question(self.questions, link)).ok()?;
        let mut buffer = [0; ANSWER_BYTES_MAX];
        // The answer is there already. One to an earlier question, which would have come too late, is passed over.
        loop {
            let len = socket.read(&mut buffer).ok()?;
            let answer = buffer.get(..len)?;
            if u32_at(answer, 8)? == self.questions {
                let us = round_trip_us(answer)?;
                return Some(Duration::from_micros(u64::from(us)));
            }
        }
    }
}

fn question(number: u32, link: Link) -> Vec<u8> {
    // A socket of both families knows its IPv4 connections by mapped addresses; they are looked up as what they are.
    let (local, peer) = (link.local.ip().to_canonical(), link.peer.ip().to_canonical());
    let interface = match link.peer {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    let mut out = Vec::with_capacity(HEADER_BYTES + REQUEST_BYTES);
    out.extend(((HEADER_BYTES + REQUEST_BYTES) as u32).to_ne_bytes());
    out.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    out.extend(NLM_F_REQUEST.to_ne_bytes());
    out.extend(number.to_ne_bytes());
    out.extend(0u32.to_ne_bytes());
    out.extend([
        if peer.is_ipv4() { AF_INET } else { AF_INET6 },
        IPPROTO_TCP,
        1 << (INET_DIAG_INFO - 1),
        0,
    ]);
    // In whatever state it is.
    out.extend(u32::MAX.to_ne_bytes());
    out.extend(link.local.port().to_be_bytes());
    out.extend(link.peer.port().to_be_bytes());
    out.extend(address(local));
    out.extend(address(peer));
    out.extend(interface.to_ne_bytes());
    // No cookie: the addresses name one connection.
    out.extend([0xff; 8]);
    out
}

fn address(ip: IpAddr) -> [u8; 16] {
    let mut out = [0; 16];
    match ip {
        IpAddr::V4(v4) => out[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => out = v6.octets(),
    }
    out
}

/// `None` where the answer is a refusal, or says nothing of it.
fn round_trip_us(answer: &[u8]) -> Option<u32> {
    if u16_at(answer, 4)? != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let mut attributes = answer.get(HEADER_BYTES + ANSWER_BYTES..)?;
    loop {
        let len = usize::from(u16_at(attributes, 0)?);
        if u16_at(attributes, 2)? == INET_DIAG_INFO {
            // 0 is what a connection has before it was first measured.
            return u32_at(attributes.get(4..len)?, RTT_AT).filter(|us| *us > 0);
        }
        attributes = attributes.get(len.max(4).next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// A connection to a listener on `at`, by `via`; both ends, and the accepting one's link.
    fn connect(at: &str, via: IpAddr) -> (TcpStream, TcpStream, Link) {
        let listener = TcpListener::bind(at).expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let near = TcpStream::connect((via, port)).expect("it listens");
        let (far, peer) = listener.accept().expect("it connects");
        let local = far.local_addr().expect("connected");
        (near, far, Link { local, peer })
    }

    #[test]
    fn the_kernel_tells_of_connections_of_both_families() {
        let mut trips = RoundTrips::open();
        let v4 = IpAddr::from([127, 0, 0, 1]);
        let v6 = IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]);
        for (at, via) in [("127.0.0.1:0", v4), ("[::1]:0", v6), ("[::]:0", v4)] {
            let (near, _far, link) = connect(at, via);
            let found = trips.of(link).expect("it is connected");
            assert!(found < Duration::from_secs(1), "{at}: {found:?} on loopback");
            let elsewhere = SocketAddr::new(link.peer.ip(), 1);
            let unknown = Link {
                peer: elsewhere,
                ..link
            };
            assert_eq!(trips.of(unknown), None, "{at}: nobody is connected from there");
            drop(near);
        }
    }

    #[test]
    fn answers_that_are_torn_say_nothing() {
        let mut whole = vec![0; HEADER_BYTES + ANSWER_BYTES];
        whole[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        let attribute = |kind: u16, payload: &[u8]| {
            let len = (4 + payload.len()) as u16;
            let padding = vec![0; payload.len().next_multiple_of(4) - payload.len()];
            [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), payload, &padding].concat()
        };
        let mut info = vec![0; RTT_AT + 36];
        info[RTT_AT..RTT_AT + 4].copy_from_slice(&12_345u32.to_ne_bytes());
        whole.extend(attribute(5, b"odd"));
        whole.extend(attribute(INET_DIAG_INFO, &info));
        assert_eq!(round_trip_us(&whole), Some(12_345));
        for len in 0..whole.len() {
            assert_eq!(round_trip_us(&whole[..len]), None, "{len} bytes");
        }
        // A length of nothing does not turn in circles.
        let at = HEADER_BYTES + ANSWER_BYTES;
        whole[at..at + 2].fill(0);
        assert_eq!(round_trip_us(&whole), None);
    }
}
