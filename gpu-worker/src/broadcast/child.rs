//! The codec child as the agent sees it: a process with a queue before it and a watchdog over it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::BytesMut;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::transcoder::wire::{FromChild, MESSAGE_BYTES_MAX, ToChild, from_child, to_child};

/// Bytes of units that may wait for the child: a minute and a half at 4.5 Mbit/s.
const BACKLOG_BYTES_MAX: usize = 48 << 20;
/// Messages of the child that wait for the broadcast.
const QUEUE_MESSAGES_MAX: usize = 256;

/// A running codec child. Dropping it kills the process.
pub(crate) struct Child {
    process: tokio::process::Child,
    to: mpsc::UnboundedSender<ToChild>,
    from: mpsc::Receiver<from_child::Kind>,
    /// When it last gave something out, or was first given something after a silence.
    watched: Instant,
    /// Units given since it last gave something out.
    owed: u64,
    /// Bytes of units that it has not read yet.
    backlog: Arc<AtomicUsize>,
}

impl Child {
    /// Starts `program transcoder`.
    pub(crate) fn start(program: &Path) -> anyhow::Result<Self> {
        // The farm's secrets are in our environment; the child gets nothing but where its libraries are.
        let libraries = std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path));
        let mut process = Command::new(program)
            .arg("transcoder")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // Ctrl-C at a terminal is for us: the child ends when its stdin does.
            .process_group(0)
            .env_clear()
            .envs(libraries)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("the codec child {} does not start", program.display()))?;
        let stdin = process.stdin.take().context("the child has no stdin")?;
        let stdout = process.stdout.take().context("the child has no stdout")?;
        let (to, inbox) = mpsc::unbounded_channel();
        let (outbox, from) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let backlog = Arc::new(AtomicUsize::new(0));
        tokio::spawn(write(stdin, inbox, backlog.clone()));
        tokio::spawn(read(stdout, outbox));
        Ok(Self {
            process,
            to,
            from,
            watched: Instant::now(),
            owed: 0,
            backlog,
        })
    }

    /// Gives it something. The queue is bounded by whoever heeds [`Self::behind`].
    pub(crate) fn say(&mut self, kind: to_child::Kind) {
        if self.owed == 0 {
            self.watched = Instant::now();
        }
        self.owed += u64::from(matches!(kind, to_child::Kind::Unit(_)));
        self.backlog.fetch_add(size(&kind), Ordering::Relaxed);
        // A child that is gone is noticed by `hear`.
        let _ = self.to.send(ToChild { kind: Some(kind) });
    }

    /// What it says next; `None` when it has ended.
    pub(crate) async fn hear(&mut self) -> Option<from_child::Kind> {
        let kind = self.from.recv().await?;
        if matches!(kind, from_child::Kind::Encoded(_) | from_child::Kind::Flushed(_)) {
            self.watched = Instant::now();
            self.owed = 0;
        }
        Some(kind)
    }

    /// Whether so much waits for it that no more may be taken in.
    pub(crate) fn behind(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > BACKLOG_BYTES_MAX
    }

    /// Whether it owes output for longer than `limit`.
    pub(crate) fn stalled(&self, limit: Duration) -> bool {
        self.owed > UNITS_WITHOUT_OUTPUT && self.watched.elapsed() > limit
    }

    /// Ends it, and says how it ended.
    pub(crate) async fn end(mut self) -> String {
        match self.process.try_wait() {
            Ok(Some(status)) => return status.to_string(),
            Ok(None) => {}
            Err(error) => return error.to_string(),
        }
        // Its stdout closes a moment before it can be waited for: a status of its own says more than our signal.
        if let Ok(Ok(status)) = tokio::time::timeout(Duration::from_millis(200), self.process.wait()).await {
            return status.to_string();
        }
        let _ = self.process.start_kill();
        match self.process.wait().await {
            Ok(status) => format!("killed: {status}"),
            Err(error) => error.to_string(),
        }
    }
}

/// Units that codecs may hold without giving anything out: reordering, lookahead and queues.
const UNITS_WITHOUT_OUTPUT: u64 = 100;

fn size(kind: &to_child::Kind) -> usize {
    if let to_child::Kind::Unit(unit) = kind {
        unit.data.len()
    } else {
        0
    }
}

async fn write(stdin: ChildStdin, mut inbox: mpsc::UnboundedReceiver<ToChild>, backlog: Arc<AtomicUsize>) {
    let mut stdin = BufWriter::with_capacity(1 << 16, stdin);
    while let Some(message) = inbox.recv().await {
        // A child that is gone closes its stdin; whoever reads its stdout notices.
        if stdin
            .write_all(&message.encode_length_delimited_to_vec())
            .await
            .is_err()
        {
            return;
        }
        backlog.fetch_sub(message.kind.as_ref().map_or(0, size), Ordering::Relaxed);
        if inbox.is_empty() && stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read(stdout: ChildStdout, outbox: mpsc::Sender<from_child::Kind>) {
    let mut stdout = BufReader::with_capacity(1 << 16, stdout);
    while let Some(message) = read_message(&mut stdout).await {
        if let Some(kind) = message.kind
            && outbox.send(kind).await.is_err()
        {
            return;
        }
    }
}

async fn read_message(stdout: &mut BufReader<ChildStdout>) -> Option<FromChild> {
    let mut length = 0_usize;
    for shift in (0..35).step_by(7) {
        let byte = stdout.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    if length > MESSAGE_BYTES_MAX {
        return None;
    }
    let mut bytes = BytesMut::zeroed(length);
    stdout.read_exact(&mut bytes).await.ok()?;
    FromChild::decode(bytes.freeze()).ok()
}
