use proptest::prelude::*;

use super::super::amf0::{Value, decode, encode_all, object};
use super::*;

mod commands;

/// A publisher of the tests' own: builds the bytes it sends, reads those it gets.
struct Client {
    writer: chunk::Writer,
    reader: chunk::Reader,
    sent: BytesMut,
    answered: usize,
}

impl Client {
    fn new() -> Self {
        let limits = chunk::ReaderLimits {
            message_bytes_max: 8 << 20,
            partial_messages_max: 32,
            partial_bytes_max: 16 << 20,
        };
        let mut sent = BytesMut::new();
        sent.extend_from_slice(&[3]);
        sent.extend_from_slice(&[0; 8]);
        sent.extend_from_slice(&[7; 1528]);
        // a8: C2 that echoes nothing
        sent.extend_from_slice(&[9; PACKET_BYTES]);
        Self {
            writer: chunk::Writer::new(),
            reader: chunk::Reader::new(limits),
            sent,
            answered: 0,
        }
    }

    fn message(&mut self, kind: u8, timestamp: u32, stream: u32, payload: &[u8]) -> &mut Self {
        let payload = Bytes::copy_from_slice(payload);
        self.writer.write(
            &mut self.sent,
            &Message {
                chunk_stream: 4,
                timestamp,
                kind,
                stream,
                payload,
            },
        );
        self
    }

    fn command(&mut self, stream: u32, values: &[Value]) -> &mut Self {
        self.message(kind::COMMAND_AMF0, 0, stream, &encode_all(values))
    }

    fn connect(&mut self, fields: Value) -> &mut Self {
        self.command(0, &["connect".into(), 1.0.into(), fields])
    }

    fn publish(&mut self, stream: u32, name: &str) -> &mut Self {
        self.command(
            stream,
            &["publish".into(), 5.0.into(), Value::Null, name.into(), "live".into()],
        )
    }

    fn hello(&mut self) -> &mut Self {
        self.connect(object([("app", "live".into()), ("tcUrl", "rtmp://h/live".into())]));
        self.command(0, &["releaseStream".into(), 2.0.into(), Value::Null, "KEY".into()]);
        self.command(0, &["FCPublish".into(), 3.0.into(), Value::Null, "KEY".into()]);
        self.command(0, &["createStream".into(), 4.0.into(), Value::Null]);
        self.publish(1, "KEY")
    }

    /// Gives what is built to the session.
    fn send(&mut self, session: &mut ServerSession) -> Result<(), SessionError> {
        session.receive(&self.sent.split())
    }

    /// Messages that the session has answered with.
    fn answers(&mut self, session: &mut ServerSession) -> Vec<Message> {
        let bytes = session.take_output().unwrap_or_default();
        let mut rest = &bytes[..];
        if self.answered < 3073 {
            let skip = rest.len().min(3073 - self.answered);
            self.answered += skip;
            rest = &rest[skip..];
        }
        std::iter::from_fn(|| self.reader.read(&mut rest).expect("the session writes valid chunks")).collect()
    }

    /// Commands among the answers: name, and `code` of the last object where there is one.
    fn commands(&mut self, session: &mut ServerSession) -> Vec<String> {
        let commands = self
            .answers(session)
            .into_iter()
            .filter(|m| m.kind == kind::COMMAND_AMF0);
        commands
            .map(|m| {
                let (values, _) = decode(&m.payload);
                let code = values
                    .last()
                    .and_then(|v| v.property("code"))
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                format!("{} {code}", values[0].as_str().unwrap_or_default())
                    .trim()
                    .to_owned()
            })
            .collect()
    }
}

fn session() -> ServerSession {
    ServerSession::new(Limits::default(), [5; RANDOM_BYTES])
}

fn events(session: &mut ServerSession) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

/// A client whose publish was accepted.
fn live() -> (Client, ServerSession) {
    let (mut client, mut session) = (Client::new(), session());
    client.hello().send(&mut session).expect("valid");
    assert!(matches!(
        events(&mut session)[..],
        [Event::Connected(_), Event::PublishRequested(_)]
    ));
    session.accept_publish();
    client.answers(&mut session);
    (client, session)
}

#[test]
fn b1_a_publish_from_handshake_to_media() {
    let (mut client, mut session) = (Client::new(), session());
    assert_eq!(session.stage(), Stage::Silent);
    client.hello().send(&mut session).expect("valid");
    assert_eq!(session.stage(), Stage::Deciding);
    let got = events(&mut session);
    let Event::PublishRequested(publish) = &got[1] else {
        panic!("{got:?}")
    };
    assert_eq!((publish.connect.app.as_str(), publish.name.as_str()), ("live", "KEY"));
    let answers = client.answers(&mut session);
    assert_eq!(answers[0].kind, kind::SET_CHUNK_SIZE, "announced before all else");
    assert_eq!(answers[0].payload, 65_536u32.to_be_bytes()[..]);
    let kinds: Vec<u8> = answers.iter().map(|m| m.kind).collect();
    assert_eq!(kinds, [1, 5, 6, 4, 20, 20, 20, 20]);

    session.accept_publish();
    assert_eq!(session.stage(), Stage::Publishing);
    assert_eq!(
        client.commands(&mut session),
        [
            "onFCPublish NetStream.Publish.Start",
            "onStatus NetStream.Publish.Start"
        ]
    );
    client
        .message(kind::VIDEO, 40, 1, &[0x17, 0])
        .message(kind::AUDIO, 41, 1, &[0xaf, 1, 2]);
    client.send(&mut session).expect("valid");
    let expected = [
        Event::Video {
            timestamp: 40,
            payload: Bytes::from_static(&[0x17, 0]),
        },
        Event::Audio {
            timestamp: 41,
            payload: Bytes::from_static(&[0xaf, 1, 2]),
        },
    ];
    assert_eq!(events(&mut session), expected);
    session.disconnected();
    assert_eq!(events(&mut session), [Event::Unpublished { clean: false }]);
}

#[test]
fn p027_nothing_is_started_and_no_media_given_out_before_the_answer() {
    let (mut client, mut session) = (Client::new(), session());
    client
        .hello()
        .message(kind::VIDEO, 0, 1, &[0x17, 0])
        .send(&mut session)
        .expect("valid");
    assert_eq!(events(&mut session).len(), 2);
    assert!(
        !client
            .commands(&mut session)
            .iter()
            .any(|c| c.contains("Publish.Start"))
    );
    session.accept_publish();
    assert_eq!(events(&mut session).len(), 1);
}

#[test]
fn v9_media_before_the_answer_is_bounded() {
    let mut session = ServerSession::new(
        Limits {
            undecided_bytes_max: 10_000,
            ..Limits::default()
        },
        [5; RANDOM_BYTES],
    );
    let mut client = Client::new();
    client.hello();
    (0..20).for_each(|_| {
        client.message(kind::VIDEO, 0, 1, &[0; 1_000]);
    });
    assert_eq!(client.send(&mut session), Err(SessionError::TooEager(10_000)));
    assert_eq!(session.stage(), Stage::Closing);
}

#[test]
fn a4_strangers_fail_on_the_first_byte() {
    for (byte, error) in [
        (0x16, HandshakeError::Tls),
        (b'G', HandshakeError::Http),
        (6, HandshakeError::Encrypted(6)),
    ] {
        let mut session = session();
        assert_eq!(session.receive(&[byte]), Err(error.into()));
        let told = session
            .take_output()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(
            told.is_some(),
            error == HandshakeError::Http,
            "only HTTP is answered in kind"
        );
        if let Some(told) = told {
            let (head, sentence) = told.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
            assert!(
                head.contains(&format!("\r\nContent-Length: {}\r\n", sentence.len())),
                "{head}"
            );
            assert!(sentence.contains("RTMP"), "{sentence}");
        }
    }
}

#[test]
fn a8_any_second_packet_ends_the_handshake() {
    for echo in [[0u8; PACKET_BYTES], [0xff; PACKET_BYTES]] {
        let mut session = session();
        let hello = [&[3][..], &[0; 8], &[7; 1_528]].concat();
        session.receive(&hello).expect("C0 and C1");
        assert_eq!(session.stage(), Stage::Handshake);
        session.receive(&echo).expect("C2 is not judged");
        assert_eq!(session.stage(), Stage::Connected);
    }
}

#[test]
fn i2_time_goes_on_where_24_bits_end() {
    let (mut client, mut session) = live();
    let times: Vec<u32> = (0..100).map(|n| 0x00ff_ffff - 2_000 + n * 40).collect();
    for &time in &times {
        client.message(kind::VIDEO, time, 1, &[0x27; 300]);
        client.message(kind::AUDIO, time + 7, 1, &[0xaf; 150]);
    }
    client.send(&mut session).expect("valid");
    let got: Vec<u32> = events(&mut session)
        .into_iter()
        .filter_map(|event| match event {
            Event::Video { timestamp, payload } if payload == [0x27; 300][..] => Some(timestamp),
            _ => None,
        })
        .collect();
    assert_eq!(got, times);
}

#[test]
fn b14_acknowledged_each_window_and_at_least_each_2_5_megabytes() {
    for (window, media, expected) in [
        (10_000u32, 9_000, 0),
        (10_000, 11_000, 1),
        (u32::MAX, 2_600_000, 1),
        (0, 1, 1),
    ] {
        let (mut client, mut session) = live();
        client.message(kind::WINDOW_SIZE, 0, 0, &window.to_be_bytes());
        client.send(&mut session).expect("valid");
        let before = session.bytes_received();
        session.acknowledged = before;
        client.answers(&mut session);
        client
            .message(kind::VIDEO, 0, 1, &vec![1; media])
            .send(&mut session)
            .expect("valid");
        let answers = client.answers(&mut session);
        let acks: Vec<_> = answers.iter().filter(|m| m.kind == kind::ACKNOWLEDGEMENT).collect();
        assert_eq!(acks.len(), expected, "window {window}, {media} bytes");
        assert!(
            acks.iter()
                .all(|a| a.payload == (session.bytes_received() as u32).to_be_bytes()[..])
        );
    }
}

#[test]
fn b15_b20_b21_control_oddities_are_tolerated_and_pings_answered() {
    let (mut client, mut session) = live();
    client
        .message(kind::PEER_BANDWIDTH, 0, 0, &[0, 0, 1, 0, 2])
        .message(7, 0, 0, &[1, 2])
        .message(99, 0, 0, &[1]);
    client
        .message(kind::USER_CONTROL, 0, 0, &[0, 3, 0, 0, 0, 1, 0, 0, 1, 0])
        .message(kind::USER_CONTROL, 0, 0, &[0]);
    client
        .message(kind::USER_CONTROL, 0, 0, &[0x12, 0x34, 1])
        .message(16, 0, 0, &[1])
        .message(19, 0, 0, &[1]);
    client
        .message(kind::WINDOW_SIZE, 0, 0, &[1])
        .message(kind::USER_CONTROL, 0, 0, &[0, 6, 1, 2, 3, 4]);
    client.send(&mut session).expect("tolerated");
    let answers = client.answers(&mut session);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].payload, [0, 7, 1, 2, 3, 4][..]);
    session.ping(0x0102_0304);
    assert_eq!(client.answers(&mut session)[0].payload, [0, 6, 1, 2, 3, 4][..]);
}

fn inner(kind: u8, time: u32, body: &[u8]) -> Vec<u8> {
    let [high, a, b, c] = time.to_be_bytes();
    let length = (body.len() as u32).to_be_bytes();
    let mut out = vec![kind, length[1], length[2], length[3], a, b, c, high, 0, 0, 0];
    out.extend_from_slice(body);
    out.extend_from_slice(&(body.len() as u32 + 11).to_be_bytes());
    out
}

#[test]
fn b16_aggregates_are_rebased_and_stop_where_they_are_cut_off() {
    let (mut client, mut session) = live();
    let first = 0xffff_fff0u32;
    let mut bytes = [
        inner(9, first, &[1]),
        inner(8, first.wrapping_add(20), &[2]),
        inner(9, first, &[]),
    ]
    .concat();
    bytes.extend(inner(9, first.wrapping_add(40), &[3]));
    bytes.truncate(bytes.len() - 4);
    bytes.extend([9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    client
        .message(kind::AGGREGATE, 1_000, 1, &bytes)
        .send(&mut session)
        .expect("valid");
    let expected = [
        Event::Video {
            timestamp: 1_000,
            payload: Bytes::from_static(&[1]),
        },
        Event::Audio {
            timestamp: 1_020,
            payload: Bytes::from_static(&[2]),
        },
        Event::Video {
            timestamp: 1_040,
            payload: Bytes::from_static(&[3]),
        },
    ];
    assert_eq!(events(&mut session), expected);
}

#[test]
fn b17_media_on_another_message_stream_counts() {
    let (mut client, mut session) = live();
    client
        .message(kind::AUDIO, 5, 0, &[1])
        .message(kind::AUDIO, 6, 9, &[2])
        .send(&mut session)
        .expect("valid");
    assert_eq!(events(&mut session).len(), 2);
}

#[test]
fn b18_a_second_publish_is_refused_and_the_first_kept() {
    let (mut client, mut session) = live();
    client
        .command(0, &["createStream".into(), 6.0.into(), Value::Null])
        .publish(2, "OTHER");
    client.command(0, &["deleteStream".into(), 7.0.into(), Value::Null, 2.0.into()]);
    client
        .message(kind::AUDIO, 5, 1, &[1])
        .send(&mut session)
        .expect("valid");
    assert_eq!(
        client.commands(&mut session),
        ["_result", "onStatus NetStream.Publish.BadName"]
    );
    assert_eq!(session.stage(), Stage::Publishing);
    assert_eq!(events(&mut session).len(), 1);
}

#[test]
fn b19_amf3_commands_and_data() {
    let (mut client, mut session) = (Client::new(), session());
    let connect = encode_all(&["connect".into(), 1.0.into(), object([("app", "a3".into())])]);
    client.message(kind::COMMAND_AMF3, 0, 0, &[&[0], &connect[..]].concat());
    // publish with its name as an AMF3 string behind the switch marker
    let publish = [
        &[0][..],
        &encode_all(&["publish".into(), 2.0.into(), Value::Null]),
        &[0x11, 6, 7],
        b"KEY",
    ]
    .concat();
    client
        .message(kind::COMMAND_AMF3, 0, 1, &publish)
        .send(&mut session)
        .expect("valid");
    let got = events(&mut session);
    let Event::PublishRequested(publish) = &got[1] else {
        panic!("{got:?}")
    };
    assert_eq!((publish.connect.app.as_str(), publish.name.as_str()), ("a3", "KEY"));
    session.accept_publish();
    let metadata = encode_all(&["onMetaData".into(), object([("width", 640.0.into())])]);
    client
        .message(kind::DATA_AMF3, 0, 1, &[&[0], &metadata[..]].concat())
        .send(&mut session)
        .expect("valid");
    assert_eq!(
        events(&mut session),
        [Event::Metadata(Metadata {
            width: Some(640),
            ..Metadata::default()
        })]
    );
}

#[test]
fn v8_answers_nobody_reads_are_bounded() {
    let (mut client, mut session) = live();
    (0..50_000).for_each(|_| {
        client.message(kind::USER_CONTROL, 0, 0, &[0, 6, 0, 0, 0, 0]);
    });
    assert_eq!(client.send(&mut session), Err(SessionError::OutputBacklog(256 << 10)));
}

#[test]
fn keys_never_show_in_debug_output() {
    let connect = Connect {
        app: "live/sk_x".into(),
        tc_url: "rtmp://h/sk_x".into(),
        ..Connect::default()
    };
    let event = Event::PublishRequested(Publish {
        connect,
        name: "sk_x".into(),
    });
    assert!(!format!("{event:?}").contains("sk_x"));
}

proptest! {
    /// a9: one segment or one byte each, the same events come out.
    #[test]
    fn a9_split_anywhere_same_events(cuts in prop::collection::vec(1usize..700, 1..30)) {
        let mut client = Client::new();
        client.hello().message(kind::VIDEO, 0x0100_0000, 1, &[0x17; 300]).message(kind::AUDIO, 7, 1, &[0xaf; 130]);
        client.message(kind::AGGREGATE, 50, 1, &inner(9, 0, &[1]));
        let bytes = client.sent.split();
        let whole = {
            let mut session = session();
            session.receive(&bytes).expect("valid");
            drain(&mut session)
        };
        let mut session = session();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            session.receive(now).expect("valid");
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(drain(&mut session), whole);
    }
}

/// All events, accepting what is asked.
fn drain(session: &mut ServerSession) -> Vec<Event> {
    let mut out = events(session);
    session.accept_publish();
    out.extend(events(session));
    out
}
