//! A plain HTTP/1.1 client: one connection per request.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the answer is text")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("plain text"))
    }
}

/// Sends a request and returns when the headers of its answer are there.
pub async fn open(at: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
    let socket = TcpStream::connect(at).await.expect("the origin listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .expect("HTTP/1.1");
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "origin.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::<Bytes>::new()).expect("a good request");
    sender.send_request(request).await.expect("an answer")
}

pub async fn send(at: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let (parts, body) = open(at, method, path, headers).await.into_parts();
    let body = body.collect().await.expect("the whole body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub async fn get(at: SocketAddr, path: &str) -> Answer {
    send(at, Method::GET, path, &[]).await
}
