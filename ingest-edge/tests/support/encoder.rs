//! An encoder of the tests' own: 25 pictures a second in GOPs of one second, 48 kHz AAC, byte by byte.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use headwater_media::rtmp::amf0::{Value, decode, encode_all, object};
use headwater_media::rtmp::chunk::{Message, Reader, ReaderLimits, Writer, kind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::soon;

/// x264, 320x240 at 25 frames/s, Main, level 1.3.
const SPS: &[u8] = &[
    0x67, 0x4d, 0x40, 0x0d, 0xd9, 0x01, 0x41, 0xfb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03,
    0x20, 0xf1, 0x42, 0xa4, 0x80,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xc3, 0xcb, 0x20];
/// AAC-LC, 48 kHz, stereo.
const AUDIO_CONFIG: &[u8] = &[0x11, 0x90];

const AUDIO: u32 = 4;
const VIDEO: u32 = 6;
const COMMANDS: u32 = 3;

/// What a publish was answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub level: String,
    pub code: String,
    pub description: String,
}

impl Status {
    pub fn started(&self) {
        assert_eq!(self.code, "NetStream.Publish.Start", "{self:?}");
    }
}

pub struct Encoder {
    socket: TcpStream,
    writer: Writer,
    reader: Reader,
    inbox: BytesMut,
    outbox: BytesMut,
    stream: u32,
    /// The next picture and audio frame.
    pub picture: u32,
    pub sound: u32,
}

impl Encoder {
    pub async fn connect(edge: SocketAddr) -> Self {
        Self::connect_from("127.0.0.1".parse().expect("an address"), edge).await
    }

    /// From another loopback address.
    pub async fn connect_from(from: std::net::IpAddr, edge: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(from, 0)).expect("a free port");
        let socket = socket.connect(edge).await.expect("the edge listens");
        socket.set_nodelay(true).expect("a socket option");
        let limits = ReaderLimits {
            message_bytes_max: 1 << 20,
            partial_messages_max: 8,
            partial_bytes_max: 1 << 20,
        };
        let mut encoder = Self {
            socket,
            writer: Writer::new(),
            reader: Reader::new(limits),
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            stream: 0,
            picture: 0,
            sound: 0,
        };
        encoder.handshake().await;
        encoder
    }

    async fn handshake(&mut self) {
        let mut hello = vec![7; 1 + 1536];
        hello[0] = 3;
        hello[5..9].fill(0);
        self.socket.write_all(&hello).await.expect("C0 and C1");
        let mut answer = vec![0; 1 + 2 * 1536];
        soon("S0, S1 and S2", self.socket.read_exact(&mut answer))
            .await
            .expect("an answer");
        self.socket.write_all(&answer[1..1537]).await.expect("C2");
        self.writer.set_chunk_bytes(&mut self.outbox, 4_096);
    }

    /// Everything up to the answer to `publish`.
    pub async fn publish(&mut self, key: &str) -> Status {
        self.publish_at("live", key).await
    }

    pub async fn publish_at(&mut self, app: &str, name: &str) -> Status {
        let fields = object([
            ("app", app.into()),
            ("type", "nonprivate".into()),
            ("tcUrl", "rtmp://edge/live".into()),
        ]);
        self.command(0, &["connect".into(), 1.0.into(), fields]);
        self.command(0, &["releaseStream".into(), 2.0.into(), Value::Null, name.into()]);
        self.command(0, &["FCPublish".into(), 3.0.into(), Value::Null, name.into()]);
        self.command(0, &["createStream".into(), 4.0.into(), Value::Null]);
        self.send().await.expect("the edge reads");
        loop {
            let command = self.read_command().await.expect("an answer to createStream");
            let names_stream = command[0].as_str() == Some("_result") && command[1].as_number() == Some(4.0);
            if let (true, Some(stream)) = (names_stream, command.get(3).and_then(Value::as_number)) {
                self.stream = stream as u32;
                break;
            }
        }
        let stream = self.stream;
        self.command(
            stream,
            &["publish".into(), 5.0.into(), Value::Null, name.into(), "live".into()],
        );
        self.send().await.expect("the edge reads");
        self.status().await.expect("an answer to publish")
    }

    /// The next `onStatus`; `None` when the edge closes before.
    pub async fn status(&mut self) -> Option<Status> {
        loop {
            let command = self.read_command().await?;
            if command[0].as_str() == Some("onStatus") {
                let text = |name| {
                    command[3]
                        .property(name)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                return Some(Status {
                    level: text("level"),
                    code: text("code"),
                    description: text("description"),
                });
            }
        }
    }

    /// Waits until the edge has closed.
    pub async fn closed(&mut self) {
        while self.read_command().await.is_some() {}
    }

    async fn read_command(&mut self) -> Option<Vec<Value>> {
        loop {
            let mut input = &self.inbox[..];
            let message = self.reader.read(&mut input).expect("the edge speaks RTMP");
            let used = self.inbox.len() - input.len();
            drop(self.inbox.split_to(used));
            match message {
                Some(message) if message.kind == kind::COMMAND_AMF0 => return Some(decode(&message.payload).0),
                Some(_) => {}
                None => match soon("the edge's words", self.socket.read_buf(&mut self.inbox)).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                },
            }
        }
    }

    fn message(&mut self, chunk_stream: u32, kind: u8, stream: u32, timestamp: u32, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(payload);
        self.writer.write(
            &mut self.outbox,
            &Message {
                chunk_stream,
                timestamp,
                kind,
                stream,
                payload,
            },
        );
    }

    fn command(&mut self, stream: u32, values: &[Value]) {
        self.message(COMMANDS, kind::COMMAND_AMF0, stream, 0, &encode_all(values));
    }

    /// Writes what was queued.
    pub async fn send(&mut self) -> std::io::Result<()> {
        self.socket.write_all(&self.outbox.split()).await
    }

    /// Sends any bytes at all.
    pub async fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// The sequence headers.
    pub async fn headers(&mut self) {
        let mut video = vec![
            0x17,
            0,
            0,
            0,
            0,
            1,
            SPS[1],
            SPS[2],
            SPS[3],
            0xff,
            0xe1,
            0,
            SPS.len() as u8,
        ];
        video.extend_from_slice(SPS);
        video.extend_from_slice(&[1, 0, PPS.len() as u8]);
        video.extend_from_slice(PPS);
        let (stream, at) = (self.stream, self.picture * 40);
        self.message(VIDEO, kind::VIDEO, stream, at, &video);
        self.message(AUDIO, kind::AUDIO, stream, at, &[&[0xaf, 0], AUDIO_CONFIG].concat());
        self.send().await.expect("the edge reads");
    }

    /// Queues so many pictures, with the sound that belongs to them before each.
    pub fn queue(&mut self, pictures: u32) {
        for _ in 0..pictures {
            let at = self.picture * 40;
            while self.sound * 1024 / 48 <= at {
                self.message(
                    AUDIO,
                    kind::AUDIO,
                    self.stream,
                    self.sound * 1024 / 48,
                    &sound(self.sound),
                );
                self.sound += 1;
            }
            self.message(VIDEO, kind::VIDEO, self.stream, at, &picture(self.picture));
            self.picture += 1;
        }
    }

    /// Sends so many pictures at once.
    pub async fn play(&mut self, pictures: u32) {
        self.queue(pictures);
        self.send().await.expect("the edge reads");
    }

    /// Lets its clock run on, as if it had sent until then.
    pub fn skip_to(&mut self, picture: u32) {
        self.picture = picture;
        self.sound = picture * 40 * 48 / 1024 + 1;
    }

    /// Says goodbye as encoders do.
    pub async fn finish(mut self, key: &str) {
        let stream = self.stream;
        self.command(0, &["FCUnpublish".into(), 6.0.into(), Value::Null, key.into()]);
        self.command(
            0,
            &["deleteStream".into(), 7.0.into(), Value::Null, f64::from(stream).into()],
        );
        self.send().await.expect("the edge reads");
    }

    /// Says nothing more, and goes on listening.
    pub async fn half_close(&mut self) {
        self.socket.shutdown().await.expect("an open socket");
    }

    /// Sends a picture as far as its middle and vanishes.
    pub async fn drop_amid_a_picture(mut self) {
        self.queue(1);
        let half = self.outbox.len() / 2;
        let begun = self.outbox.split_to(half);
        self.socket.write_all(&begun).await.expect("the edge reads");
        self.drop_connection();
    }

    /// Vanishes without a word.
    pub fn drop_connection(self) {
        socket2::SockRef::from(&self.socket)
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("a socket option");
    }
}

/// A tag with one slice that carries its number.
fn picture(n: u32) -> Vec<u8> {
    let key = n.is_multiple_of(25);
    let slice: &[u8] = if key {
        &[0x65, 0x88, 0x84, 0x00]
    } else {
        &[0x41, 0x9a, 0x24, 0x6c]
    };
    let mut tag = vec![if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    let size = slice.len() + 4 + if key { 2_000 } else { 200 };
    tag.extend_from_slice(&(size as u32).to_be_bytes());
    tag.extend_from_slice(slice);
    tag.extend_from_slice(&(n | 0x8000_0000).to_be_bytes());
    tag.resize(9 + size, 0x55);
    tag
}

fn sound(n: u32) -> Vec<u8> {
    let mut tag = vec![0xaf, 1, 0x21, 0x10, 0x04];
    tag.extend_from_slice(&n.to_be_bytes());
    tag.resize(200, 0x55);
    tag
}
