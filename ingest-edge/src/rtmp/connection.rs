//! One publisher's connection.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use headwater_media::rtmp::address::Address;
use headwater_media::rtmp::{
    Event, FIRST_BYTE_DEADLINE, HANDSHAKE_DEADLINE, HandshakeError, Limits, PUBLISH_DEADLINE, Publish, RANDOM_BYTES,
    REFUSAL_LINGER, Refusal, ServerSession, SessionError, Stage,
};
use headwater_model::{StreamKey, StreamKeyId};
use rand::Rng as _;
use tokio::io::{AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, Span, debug, info, info_span};

use super::{Shared, Transport};
use crate::broadcast::{Close, Closer, Leave, NotNow, Publisher, Stop};
use crate::key::{Grant, Refused};

/// Read at once; shared by the connections of a thread.
const READ_BYTES: usize = 64 * 1024;
/// A publisher is read at multiples of this time, all publishers together, so that what they sent travels on together:
/// units come every 13 ms or so from each, and each that travels alone costs a wake of every task and socket on its
/// way. It adds half of it to the delay on average; a part lasts 350 ms.
pub(super) const READ_EVERY: Duration = Duration::from_millis(40);
/// A peer that does not take our few answers within this time is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Closed without a byte: a load balancer's probe.
    Probe,
    /// Not RTMP.
    Foreign,
    /// Too slow before it published.
    Deadline,
    /// Broke the protocol or its limits.
    Broken,
    /// The key, or its owner, may not publish.
    Refused,
    /// Left before publishing.
    Left,
    /// Published and said goodbye.
    Published,
    /// Published and dropped.
    Dropped,
    /// Published and was closed by the edge.
    Closed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Foreign => "not rtmp",
            Self::Deadline => "deadline",
            Self::Broken => "broken",
            Self::Refused => "refused",
            Self::Left => "left",
            Self::Published => "published",
            Self::Dropped => "dropped",
            Self::Closed => "closed",
        }
    }
}

/// See the [module](self).
pub(super) struct Connection<S> {
    socket: S,
    peer: IpAddr,
    shared: Arc<Shared>,
    session: ServerSession,
    /// When the socket was accepted.
    since: Instant,
    /// Nothing is read before.
    next_read: Instant,
    /// When the handshake was over, or an earlier publish.
    greeted: Option<Instant>,
    active: Option<Active>,
    /// How an earlier publish of the connection ended.
    past: Option<Outcome>,
}

/// A running publish.
struct Active {
    publisher: Publisher,
    closer: Closer,
    span: Span,
    /// Asks again and again whether the key is still good.
    _recheck: AbortOnDropHandle<()>,
}

/// What one wait brought.
enum Turn {
    Bytes(Read),
    Closed,
    Timer,
    Unwanted(Close),
    Stopping,
}

impl<S: Transport> Connection<S> {
    pub fn new(socket: S, peer: IpAddr, shared: Arc<Shared>) -> Self {
        let mut random = [0; RANDOM_BYTES];
        rand::rng().fill(&mut random[..]);
        Self {
            socket,
            peer,
            shared,
            session: ServerSession::new(Limits::default(), random),
            since: Instant::now(),
            next_read: Instant::now(),
            greeted: None,
            active: None,
            past: None,
        }
    }

    /// Serves until either side has had enough.
    pub async fn run(mut self) -> Outcome {
        let stop = self.shared.stop.clone();
        let mut stopping = pin!(stop.cancelled());
        let mut timer = pin!(sleep_until(self.deadline()));
        loop {
            let now = Instant::now();
            let held = self.active.as_mut().and_then(|active| active.publisher.ahead());
            let rests = self.next_read > now;
            let due = match held {
                Some(wait) => now + wait,
                None if rests => self.next_read,
                None => self.deadline(),
            };
            // Later deadlines are left to the timer's next turn: media moves them with every read.
            if due < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(due);
            }
            let reads = held.is_none() && !rests;
            let turn = self.turn(reads, timer.as_mut(), stopping.as_mut()).await;
            if let Some(active) = self.active.as_mut().filter(|_| held.is_some()) {
                active.publisher.held_back();
            }
            let ended = match turn {
                Turn::Bytes(read) => {
                    let ended = self.take(read.taken).await;
                    if self.active.is_some() && !read.more {
                        self.next_read = self.shared.next_read(Instant::now());
                    }
                    ended
                }
                Turn::Timer if held.is_none() && rests => None,
                Turn::Timer => self.tick().await,
                Turn::Closed => Some(self.closed()),
                Turn::Unwanted(close) => Some(Box::pin(self.unwanted(close)).await),
                Turn::Stopping => Some(Box::pin(self.stopping()).await),
            };
            if let Some(outcome) = ended {
                return outcome;
            }
        }
    }

    async fn turn(
        &mut self,
        reads: bool,
        timer: Pin<&mut Sleep>,
        stopping: Pin<&mut impl Future<Output = ()>>,
    ) -> Turn {
        let Self {
            socket,
            session,
            active,
            ..
        } = self;
        let unwanted = async {
            match active {
                Some(active) => active.closer.closed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stopping => Turn::Stopping,
            close = unwanted => Turn::Unwanted(close),
            read = read(socket, session), if reads => match read {
                Ok(Some(read)) => {
                    socket.was_read();
                    Turn::Bytes(read)
                }
                Ok(None) => Turn::Closed,
                Err(error) => {
                    debug!("connection lost: {error}");
                    Turn::Closed
                }
            },
            () = timer => Turn::Timer,
        }
    }

    /// Acts on what the session made of new bytes.
    async fn take(&mut self, result: Result<(), SessionError>) -> Option<Outcome> {
        if !matches!(self.session.stage(), Stage::Silent | Stage::Handshake) {
            self.greeted.get_or_insert_with(Instant::now);
        }
        while let Some(event) = self.media() {
            match event {
                Event::PublishRequested(publish) => {
                    // Boxed like every step that comes once, so that a connection's task stays small.
                    if let Err((refusal, sentence)) = Box::pin(self.publish(&publish)).await {
                        debug!("publish refused: {sentence}");
                        self.session.reject_publish(refusal, &sentence);
                        Box::pin(self.say_goodbye()).await;
                        return Some(Outcome::Refused);
                    }
                }
                Event::Unpublished { clean } => self.unpublished(clean),
                _ => {}
            }
        }
        if let Some(stop) = self.active.as_mut().and_then(|active| active.settle(Publisher::flush)) {
            return Some(Box::pin(self.refuse(stop)).await);
        }
        if self.write().await.is_err() {
            return Some(self.closed());
        }
        let Err(error) = result else { return None };
        debug!("connection failed: {}", chain(&error));
        if let Some(active) = self.active.take() {
            active.leave(Leave::Dropped("the connection broke the protocol".into()));
        }
        Box::pin(self.say_goodbye()).await;
        Some(match error {
            SessionError::Handshake(HandshakeError::Version(_)) => Outcome::Broken,
            SessionError::Handshake(_) => Outcome::Foreign,
            _ => Outcome::Broken,
        })
    }

    /// Gives media to the publisher, up to the next event of another kind.
    fn media(&mut self) -> Option<Event> {
        let Some(Active { publisher, span, .. }) = &mut self.active else {
            return self.session.poll_event();
        };
        let _entered = span.enter();
        loop {
            match self.session.poll_event()? {
                Event::Metadata(metadata) => publisher.metadata(metadata),
                Event::Audio { timestamp, payload } => publisher.audio(timestamp, payload),
                Event::Video { timestamp, payload } => publisher.video(timestamp, payload),
                other => return Some(other),
            }
        }
    }

    /// Decides on a publish. On `Err`, what to refuse it with.
    async fn publish(&mut self, publish: &Publish) -> Result<(), (Refusal, String)> {
        let Publish { connect, name } = publish;
        let address = Address::resolve(&connect.app, name, &connect.tc_url).map_err(|error| {
            (
                Refusal::Denied,
                format!("The address holds no usable stream key: {error}."),
            )
        })?;
        let address = address.with_key(|text| StreamKey::parse(text).is_ok());
        let grant = self
            .shared
            .keys
            .authorise(&address.key, "rtmp", self.peer)
            .await
            .map_err(|refused| {
                let denied = matches!(refused, Refused::Malformed | Refused::Unknown(_));
                (
                    if denied { Refusal::Denied } else { Refusal::Rejected },
                    refused.to_string(),
                )
            })?;
        self.shared
            .registry
            .admit(grant.channel_id, Instant::now())
            .map_err(|not_now| {
                let held = not_now == NotNow::Held;
                (
                    if held { Refusal::BadName } else { Refusal::Rejected },
                    not_now.to_string(),
                )
            })?;
        self.active = Some(self.start(&grant, address));
        self.session.accept_publish();
        Ok(())
    }

    fn start(&self, grant: &Arc<Grant>, address: Address) -> Active {
        let shared = &self.shared;
        let span = info_span!("ingest.publish", tenant.id = %grant.tenant_id, channel.id = %grant.channel_id,
            broadcast.id = tracing::field::Empty, publish.id = tracing::field::Empty, publish.protocol = "rtmp");
        let keeps = !address.is_bandwidth_test();
        let link = self.socket.link();
        let publisher = Publisher::new(
            shared.registry.clone(),
            grant.clone(),
            shared.bounds,
            "rtmp",
            keeps,
            link,
        );
        let id = publisher.id();
        span.record("publish.id", id.as_str());
        span.in_scope(|| info!("publish {id} of channel {} begins", grant.channel_id));
        let closer = publisher.closer();
        let key = (address.key, grant.stream_key_id);
        let recheck = recheck(shared.clone(), key, self.peer, closer.clone()).instrument(span.clone());
        Active {
            publisher,
            closer,
            span,
            _recheck: AbortOnDropHandle::new(tokio::spawn(recheck)),
        }
    }

    fn unpublished(&mut self, clean: bool) {
        if let Some(active) = self.active.take() {
            self.past = Some(if clean { Outcome::Published } else { Outcome::Dropped });
            active.leave(if clean {
                Leave::Clean
            } else {
                Leave::Dropped("the connection was lost".into())
            });
        }
        self.greeted = Some(Instant::now());
    }

    /// The peer has closed, or cannot be reached.
    fn closed(&mut self) -> Outcome {
        let silent = self.session.stage() == Stage::Silent;
        self.session.disconnected();
        while let Some(event) = self.session.poll_event() {
            if let Event::Unpublished { clean } = event {
                self.unpublished(clean);
            }
        }
        if silent {
            Outcome::Probe
        } else {
            self.past.unwrap_or(Outcome::Left)
        }
    }

    /// A deadline may have come, or something of the publisher's is due.
    async fn tick(&mut self) -> Option<Outcome> {
        if let Some(active) = &mut self.active {
            let stop = active.settle(Publisher::tick)?;
            return Some(Box::pin(self.refuse(stop)).await);
        }
        if Instant::now() < self.deadline() {
            return None;
        }
        debug!("connection closed: nothing was published in time");
        Some(self.past.unwrap_or(Outcome::Deadline))
    }

    async fn refuse(&mut self, stop: Stop) -> Outcome {
        // Replaced or closed: the edge's own word says it better.
        if let Some(close) = self.active.as_ref().and_then(|active| active.closer.wanted()) {
            return self.unwanted(close).await;
        }
        let refusal = if stop == Stop::Replaced {
            Refusal::BadName
        } else {
            Refusal::Rejected
        };
        self.session.reject_publish(refusal, &stop.to_string());
        if let Some(active) = self.active.take() {
            active.leave(Leave::Dropped(stop.to_string()));
        }
        self.say_goodbye().await;
        Outcome::Closed
    }

    async fn unwanted(&mut self, close: Close) -> Outcome {
        let refusal = match &close {
            Close::TakenOver => Some(Refusal::BadName),
            Close::Refused(_) | Close::Ended => Some(Refusal::Rejected),
            Close::Revoked(_) => Some(Refusal::Denied),
            // Encoders that are closed without a status come back by themselves.
            Close::Superseded => None,
        };
        if let Some(refusal) = refusal {
            self.session.reject_publish(refusal, &close.to_string());
        }
        if let Some(active) = self.active.take() {
            let reason = close.to_string();
            let ended = matches!(close, Close::Revoked(_) | Close::Ended);
            active.leave(if ended {
                Leave::Ended(reason)
            } else {
                Leave::Dropped(reason)
            });
        }
        self.say_goodbye().await;
        Outcome::Closed
    }

    async fn stopping(&mut self) -> Outcome {
        // Encoders that cannot be asked reconnect by themselves when the connection closes.
        self.session
            .request_reconnect("This server is about to stop. Connect again.");
        let published = self.active.is_some();
        if let Some(active) = self.active.take() {
            let reason = "the edge stops".into();
            active.leave(if self.shared.stop_ends {
                Leave::Ended(reason)
            } else {
                Leave::Dropped(reason)
            });
        }
        self.say_goodbye().await;
        if published { Outcome::Closed } else { Outcome::Left }
    }

    /// When the connection has to have come further, or its publisher wants attention.
    fn deadline(&self) -> Instant {
        if let Some(active) = &self.active {
            return active.publisher.deadline();
        }
        match (self.session.stage(), self.greeted) {
            (Stage::Silent, _) => self.since + FIRST_BYTE_DEADLINE,
            (_, None) => self.since + HANDSHAKE_DEADLINE,
            (_, Some(greeted)) => greeted + PUBLISH_DEADLINE,
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        let Some(output) = self.session.take_output() else {
            return Ok(());
        };
        timeout(WRITE_TIMEOUT, self.socket.write_all(&output)).await?
    }

    /// Writes what is left to say and stays until the peer has read it: data that it still sends would otherwise turn
    /// the close into a reset, which discards our words.
    async fn say_goodbye(&mut self) {
        if self.write().await.is_err() || self.socket.shutdown().await.is_err() {
            return;
        }
        let gone = async { while let Ok(Some(_)) = read(&mut self.socket, &mut self.session).await {} };
        // Who does not hang up by then is hung up on.
        let _ = timeout(REFUSAL_LINGER, gone).await;
    }
}

impl Active {
    /// Runs a step of the publisher's; `Some` when it has to stop.
    fn settle(&mut self, step: impl FnOnce(&mut Publisher) -> Result<(), Stop>) -> Option<Stop> {
        let _entered = self.span.enter();
        step(&mut self.publisher).err()
    }

    fn leave(self, how: Leave) {
        let _entered = self.span.enter();
        let id = self.publisher.id();
        match &how {
            Leave::Clean => info!("publish {id} has ended"),
            Leave::Dropped(reason) | Leave::Ended(reason) => info!("publish {id} is over: {reason}"),
        }
        self.publisher.leave(how);
    }
}

/// What a read brought.
struct Read {
    /// What the session made of it.
    taken: Result<(), SessionError>,
    /// The buffer was filled: there may be more.
    more: bool,
}

/// Reads once and hands the bytes to the session. `None`: the peer has closed.
async fn read<S: Transport>(socket: &mut S, session: &mut ServerSession) -> io::Result<Option<Read>> {
    poll_fn(|cx| {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *socket).poll_read(cx, &mut buffer))?;
            let more = buffer.remaining() == 0;
            let bytes = buffer.filled();
            Poll::Ready(Ok((!bytes.is_empty()).then(|| Read {
                taken: session.receive(bytes),
                more,
            })))
        })
    })
    .await
}

/// Ends the publish when its key is no longer good. That the api is away changes nothing.
async fn recheck(shared: Arc<Shared>, (key, id): (String, StreamKeyId), peer: IpAddr, closer: Closer) {
    let mut doubts = shared.keys.doubts();
    loop {
        let spread = rand::rng().random_range(0.8..1.2);
        doubts.due(id, shared.key_recheck.mul_f64(spread)).await;
        let answer = shared.keys.authorise(&key, "rtmp", peer).await;
        if let Err(Refused::Unknown(sentence) | Refused::NotAllowed(sentence)) = answer {
            return closer.close(Close::Revoked(sentence));
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
