//! What a publisher's commands mean.

use super::super::amf0::{self, Value};
use super::super::chunk::{Message, kind};
use super::{COMMAND_BYTES_MAX, Connect, Event, Phase, Publish, PublishState, Refusal, ServerSession, SessionError};
use crate::flv::Metadata;

/// Longest name of a data message's handler given out, in characters.
const HANDLER_CHARS_MAX: usize = 64;

/// `capsEx` bits (Enhanced RTMP, "Enhancing NetConnection connect Command").
const CAN_RECONNECT: u32 = 1;
const CAN_MOD_EX: u32 = 4;

impl Refusal {
    /// The status code. Encoders report exactly these three as "wrong key" and stop trying.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Denied => "NetStream.Publish.Denied",
            Self::BadName => "NetStream.Publish.BadName",
            Self::Rejected => "NetStream.Publish.Rejected",
        }
    }
}

impl ServerSession {
    pub(super) fn command(&mut self, message: &Message) -> Result<(), SessionError> {
        if message.payload.len() > COMMAND_BYTES_MAX {
            return Err(SessionError::CommandTooLong(message.payload.len()));
        }
        if !matches!(self.publish, PublishState::Running { .. }) {
            self.commands += 1;
            if self.commands > self.limits.commands_before_publish_max {
                return Err(SessionError::TooManyCommands(self.commands));
            }
        }
        let values = values(message.kind == kind::COMMAND_AMF3, &message.payload);
        let Some(name) = values.first().and_then(Value::as_str) else {
            return Ok(());
        };
        let transaction = values.get(1).and_then(Value::as_number).unwrap_or(0.0);
        let argument = |i: usize| values.get(2 + i);
        match name {
            "connect" => {
                let asked = argument(0).unwrap_or(&Value::Null);
                self.connect = connect_of(asked);
                self.reply_connected(transaction, capabilities_for(asked));
                self.events.push_back(Event::Connected(self.connect.clone()));
            }
            "createStream" => {
                self.streams = self.streams.wrapping_add(1).max(1);
                self.reply_result(transaction, Value::Number(f64::from(self.streams)));
            }
            "publish" => self.publish_requested(message.stream, argument(1)),
            "FCPublish" => {
                self.says_fc_publish = true;
                self.reply_result(transaction, Value::Undefined);
            }
            "FCUnpublish" => {
                self.reply_result(transaction, Value::Undefined);
                self.stop(None);
            }
            "deleteStream" => self.stop(argument(1).and_then(Value::as_number).filter(|&id| id >= 1.0)),
            "closeStream" => self.stop(None),
            "play" | "play2" => {
                let text = "This address takes publishers; it does not play.";
                self.reply_status(message.stream, "error", "NetStream.Play.Failed", text);
                self.end_publish(false);
                self.phase = Phase::Closing;
            }
            "_result" | "_error" | "onStatus" => {}
            _ if transaction != 0.0 => self.reply_result(transaction, Value::Undefined),
            _ => {}
        }
        Ok(())
    }

    fn publish_requested(&mut self, stream: u32, name: Option<&Value>) {
        if self.publish != PublishState::None {
            let text = "This connection publishes already.";
            self.reply_status(stream, "error", Refusal::BadName.code(), text);
            return;
        }
        let name = match name {
            Some(Value::Number(n)) => n.to_string(),
            other => other.and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        self.publish = PublishState::Waiting { stream, asked: false };
        self.events.push_back(Event::PublishRequested(Publish {
            connect: self.connect.clone(),
            name,
        }));
    }

    /// Ends the publish, unless `id` names another stream than its own.
    fn stop(&mut self, id: Option<f64>) {
        let own = match self.publish {
            PublishState::None => return,
            PublishState::Waiting { stream, .. } | PublishState::Running { stream } => stream,
        };
        if id.is_none_or(|id| own == 0 || id == f64::from(own)) {
            self.end_publish(true);
            self.commands = 0;
            self.reply_status(own, "status", "NetStream.Unpublish.Success", "Stopped publishing.");
        }
    }
}

/// The event of a data message, if it has a name.
pub(super) fn data(timestamp: u32, payload: &[u8]) -> Option<Event> {
    let values = values(payload.first() == Some(&0), payload);
    let mut rest = values.iter().skip_while(|v| v.as_str() == Some("@setDataFrame"));
    let name = rest.next()?.as_str()?;
    if name == "onMetaData" {
        return rest.next().map(|v| Event::Metadata(Metadata::from_amf(v)));
    }
    Some(Event::Data {
        timestamp,
        name: name.chars().take(HANDLER_CHARS_MAX).collect(),
    })
}

/// Values of a message; AMF3 ones begin with a format byte of 0, then follow AMF0's rules.
fn values(amf3: bool, payload: &[u8]) -> Vec<Value> {
    let bytes = match payload {
        [0, rest @ ..] if amf3 => rest,
        all => all,
    };
    amf0::decode(bytes).0
}

fn connect_of(asked: &Value) -> Connect {
    let text = |name| {
        asked
            .property(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Connect {
        app: text("app"),
        tc_url: text("tcUrl"),
        flash_version: text("flashVer"),
        can_reconnect: caps_of(asked) & CAN_RECONNECT != 0,
    }
}

fn caps_of(asked: &Value) -> u32 {
    asked.property("capsEx").and_then(Value::as_number).unwrap_or(0.0) as u32
}

/// What we say of Enhanced RTMP: only to a client that spoke of it, and only what it asked for.
fn capabilities_for(asked: &Value) -> Vec<(String, Value)> {
    const CAN_FORWARD: f64 = 4.0;
    let mut out = Vec::new();
    let listed = |list: &Value, codec: &str| match list {
        Value::Array(items) => items
            .iter()
            .any(|i| matches!(i.as_str(), Some("*")) || i.as_str() == Some(codec)),
        Value::Object(fields) => fields.iter().any(|(name, _)| name == "*" || name == codec),
        _ => false,
    };
    let list = asked.property("fourCcList");
    if let Some(list) = list {
        let common = ["avc1", "mp4a"]
            .into_iter()
            .filter(|c| listed(list, c))
            .map(Value::from)
            .collect();
        out.push(("fourCcList".to_owned(), Value::Array(common)));
    }
    for (name, codec) in [("videoFourCcInfoMap", "avc1"), ("audioFourCcInfoMap", "mp4a")] {
        if let Some(map) = asked.property(name) {
            let entry = listed(map, codec).then(|| (codec.to_owned(), CAN_FORWARD.into()));
            out.push((name.to_owned(), Value::Object(entry.into_iter().collect())));
        }
    }
    if asked.property("capsEx").is_some() {
        let common = caps_of(asked) & (CAN_RECONNECT | CAN_MOD_EX);
        out.push(("capsEx".to_owned(), f64::from(common).into()));
    }
    out
}
