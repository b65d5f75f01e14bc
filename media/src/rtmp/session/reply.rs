//! What a server says.

use super::super::amf0::{self, Value, object};
use super::super::chunk::{Message, kind};
use super::{ACKNOWLEDGE_BYTES, ServerSession};

/// Chunk streams of ours: control, connection commands, stream commands.
const CONTROL: u32 = 2;
const CONNECTION: u32 = 3;
const STREAM: u32 = 5;

impl ServerSession {
    fn write(&mut self, chunk_stream: u32, kind: u8, stream: u32, payload: bytes::Bytes) {
        self.writer.write(
            &mut self.output,
            &Message {
                chunk_stream,
                timestamp: 0,
                kind,
                stream,
                payload,
            },
        );
    }

    pub(super) fn reply_control(&mut self, kind: u8, payload: &[u8]) {
        self.write(CONTROL, kind, 0, bytes::Bytes::copy_from_slice(payload));
    }

    fn reply_command(&mut self, stream: u32, values: &[Value]) {
        let chunk_stream = if stream == 0 { CONNECTION } else { STREAM };
        self.write(
            chunk_stream,
            kind::COMMAND_AMF0,
            stream,
            amf0::encode_all(values).freeze(),
        );
    }

    fn stream_begin(&mut self, stream: u32) {
        self.reply_control(kind::USER_CONTROL, &[&[0, 0][..], &stream.to_be_bytes()].concat());
    }

    /// Everything that `connect` is answered with. Objects are always AMF0, also where AMF3 was offered.
    pub(super) fn reply_connected(&mut self, transaction: f64, capabilities: Vec<(String, Value)>) {
        let window = ACKNOWLEDGE_BYTES.to_be_bytes();
        self.reply_control(kind::WINDOW_SIZE, &window);
        // 2: dynamic, the least that a peer can trip over.
        self.reply_control(kind::PEER_BANDWIDTH, &[&window[..], &[2]].concat());
        self.stream_begin(0);
        let mut server = vec![
            ("fmsVer".to_owned(), "FMS/3,5,7,7009".into()),
            ("capabilities".to_owned(), 31.0.into()),
            ("mode".to_owned(), 1.0.into()),
        ];
        server.extend(capabilities);
        let information = object([
            ("level", "status".into()),
            ("code", "NetConnection.Connect.Success".into()),
            ("description", "Connection succeeded.".into()),
            ("objectEncoding", 0.0.into()),
        ]);
        let values = ["_result".into(), transaction.into(), Value::Object(server), information];
        self.reply_command(0, &values);
    }

    pub(super) fn reply_result(&mut self, transaction: f64, value: Value) {
        self.reply_command(0, &["_result".into(), transaction.into(), Value::Null, value]);
    }

    pub(super) fn reply_started(&mut self, stream: u32) {
        const STARTED: &str = "NetStream.Publish.Start";
        self.stream_begin(stream);
        if self.says_fc_publish {
            let started = object([("code", STARTED.into()), ("description", "Started publishing.".into())]);
            self.reply_command(0, &["onFCPublish".into(), 0.0.into(), Value::Null, started]);
        }
        self.reply_status(stream, "status", STARTED, "Started publishing.");
    }

    pub(super) fn reply_status(&mut self, stream: u32, level: &str, code: &str, description: &str) {
        let information = object([
            ("level", level.into()),
            ("code", code.into()),
            ("description", description.into()),
        ]);
        self.reply_command(stream, &["onStatus".into(), 0.0.into(), Value::Null, information]);
    }
}
