//! Our RTMP against another implementation of it (rml_rtmp), in both roles.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use headwater_media::rtmp::amf0::{Value, encode_all, object};
use headwater_media::rtmp::chunk::{Message, Writer, kind};
use headwater_media::rtmp::{Event, Limits, RANDOM_BYTES, Refusal, ServerSession, Stage};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType,
    ServerSessionConfig, ServerSessionEvent, ServerSessionResult, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;

/// Their client and our session, wired together.
struct Wire {
    ours: ServerSession,
    theirs: ClientSession,
    heard: VecDeque<ClientSessionEvent>,
}

impl Wire {
    fn new() -> Self {
        let random: [u8; RANDOM_BYTES] = std::array::from_fn(|i| (i * 31 % 251) as u8);
        let mut ours = ServerSession::new(Limits::default(), random);
        // Their client speaks the digest handshake and checks our answer.
        let mut handshake = Handshake::new(PeerType::Client);
        ours.receive(&handshake.generate_outbound_p0_and_p1().expect("p0 and p1"))
            .expect("valid");
        let answer = ours.take_output().expect("S0, S1 and S2");
        let result = handshake
            .process_bytes(&answer)
            .expect("our answer satisfies their check");
        let HandshakeProcessResult::Completed {
            response_bytes,
            remaining_bytes,
        } = result
        else {
            panic!("handshake is not complete: {result:?}")
        };
        assert!(remaining_bytes.is_empty());
        ours.receive(&response_bytes).expect("valid");
        let (theirs, first) = ClientSession::new(ClientSessionConfig::new()).expect("client");
        let mut wire = Self {
            ours,
            theirs,
            heard: VecDeque::new(),
        };
        wire.deliver(first);
        wire
    }

    /// Carries bytes to and fro until both are silent.
    fn deliver(&mut self, mut results: Vec<ClientSessionResult>) {
        loop {
            for result in results {
                match result {
                    ClientSessionResult::OutboundResponse(packet) => self.ours.receive(&packet.bytes).expect("valid"),
                    ClientSessionResult::RaisedEvent(event) => self.heard.push_back(event),
                    ClientSessionResult::UnhandleableMessageReceived(_) => {}
                }
            }
            let Some(output) = self.ours.take_output() else { return };
            results = self.theirs.handle_input(&output).expect("they understand us");
        }
    }

    fn send(&mut self, result: ClientSessionResult) {
        self.deliver(vec![result]);
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.ours.poll_event()).collect()
    }

    /// Up to the publish request.
    fn ask(&mut self, app: &str, key: &str) {
        let connect = self.theirs.request_connection(app.to_owned()).expect("connect");
        self.send(connect);
        assert!(self.heard.contains(&ClientSessionEvent::ConnectionRequestAccepted));
        let publish = self
            .theirs
            .request_publishing(key.to_owned(), PublishRequestType::Live)
            .expect("publish");
        self.send(publish);
    }
}

#[test]
fn their_client_publishes_to_our_session() {
    let mut wire = Wire::new();
    wire.ask("live", "KEY");
    let events = wire.events();
    let Some(Event::PublishRequested(publish)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((publish.connect.app.as_str(), publish.name.as_str()), ("live", "KEY"));
    wire.ours.accept_publish();
    wire.deliver(Vec::new());
    assert!(wire.heard.contains(&ClientSessionEvent::PublishRequestAccepted));

    let mut metadata = StreamMetadata::new();
    (metadata.video_width, metadata.video_frame_rate) = (Some(1_280), Some(30.0));
    let sent = wire.theirs.publish_metadata(&metadata).expect("metadata");
    wire.send(sent);
    let picture = Bytes::from((0..100_000u32).map(|i| i as u8).collect::<Vec<u8>>());
    let mut expected = Vec::new();
    for time in [0u32, 40, 16_777_214, 16_777_215, 16_777_255, 4_000_000_000] {
        let sent = wire
            .theirs
            .publish_video_data(picture.clone(), RtmpTimestamp::new(time), false)
            .expect("video");
        wire.send(sent);
        let sent = wire
            .theirs
            .publish_audio_data(Bytes::from_static(&[0xaf, 1, 2]), RtmpTimestamp::new(time), false);
        wire.send(sent.expect("audio"));
        expected.push(Event::Video {
            timestamp: time,
            payload: picture.clone(),
        });
        expected.push(Event::Audio {
            timestamp: time,
            payload: Bytes::from_static(&[0xaf, 1, 2]),
        });
    }
    let events = wire.events();
    let Event::Metadata(heard) = &events[0] else {
        panic!("{:?}", events[0])
    };
    assert_eq!((heard.width, heard.frame_rate), (Some(1_280), Some(30.0)));
    assert_eq!(events[1..], expected[..]);

    let stop = wire.theirs.stop_publishing().expect("stop");
    wire.deliver(stop);
    assert_eq!(wire.events(), [Event::Unpublished { clean: true }]);
}

#[test]
fn c18_their_client_reads_our_refusal() {
    let mut wire = Wire::new();
    wire.ask("live", "KEY");
    wire.events();
    wire.ours.reject_publish(Refusal::Denied, "The key is not known.");
    wire.deliver(Vec::new());
    let code = "NetStream.Publish.Denied".to_owned();
    assert_eq!(
        wire.heard.pop_back(),
        Some(ClientSessionEvent::UnhandleableOnStatusCode { code })
    );
    assert_eq!(wire.ours.stage(), Stage::Closing);
}

#[test]
fn our_writer_publishes_to_their_server() {
    let (mut server, _) = rml_rtmp::sessions::ServerSession::new(ServerSessionConfig::new()).expect("server");
    let mut writer = Writer::new();
    let mut out = BytesMut::new();
    let command = |writer: &mut Writer, out: &mut BytesMut, stream, values: &[Value]| {
        let payload = encode_all(values).freeze();
        writer.write(
            out,
            &Message {
                chunk_stream: 3,
                timestamp: 0,
                kind: kind::COMMAND_AMF0,
                stream,
                payload,
            },
        );
    };
    writer.set_chunk_bytes(&mut out, 4_096);
    command(
        &mut writer,
        &mut out,
        0,
        &["connect".into(), 1.0.into(), object([("app", "live".into())])],
    );
    let events = |server: &mut rml_rtmp::sessions::ServerSession, out: &mut BytesMut| -> Vec<ServerSessionEvent> {
        let results = server.handle_input(&out.split()).expect("they understand us");
        let event = |r| match r {
            ServerSessionResult::RaisedEvent(event) => Some(event),
            _ => None,
        };
        results.into_iter().filter_map(event).collect()
    };
    let request = events(&mut server, &mut out).into_iter().find_map(|e| match e {
        ServerSessionEvent::ConnectionRequested { request_id, app_name } if app_name == "live" => Some(request_id),
        _ => None,
    });
    server
        .accept_request(request.expect("a connection request"))
        .expect("accepts");
    command(
        &mut writer,
        &mut out,
        0,
        &["createStream".into(), 2.0.into(), Value::Null],
    );
    command(
        &mut writer,
        &mut out,
        1,
        &["publish".into(), 3.0.into(), Value::Null, "KEY".into(), "live".into()],
    );
    let request = events(&mut server, &mut out).into_iter().find_map(|e| match e {
        ServerSessionEvent::PublishStreamRequested {
            request_id, stream_key, ..
        } if stream_key == "KEY" => Some(request_id),
        _ => None,
    });
    server
        .accept_request(request.expect("a publish request"))
        .expect("accepts");
    let payload = Bytes::from(vec![7; 10_000]);
    // Deltas, equal deltas, a step back and the extended range.
    let times = [0u32, 40, 80, 120, 100, 0x00ff_ffff, 0x0100_0030];
    for timestamp in times {
        let message = Message {
            chunk_stream: 4,
            timestamp,
            kind: kind::VIDEO,
            stream: 1,
            payload: payload.clone(),
        };
        writer.write(&mut out, &message);
    }
    let heard: Vec<u32> = events(&mut server, &mut out)
        .into_iter()
        .filter_map(|e| match e {
            ServerSessionEvent::VideoDataReceived { timestamp, data, .. } if data == payload => Some(timestamp.value),
            _ => None,
        })
        .collect();
    assert_eq!(heard, times);
}
