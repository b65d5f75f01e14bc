//! The codec child as the agent sees it: a process with a queue before it and a watchdog over it.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::BytesMut;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use super::watchdog::{Doing, Verdict, Watchdog};
use crate::transcoder::wire::{FromChild, MESSAGE_BYTES_MAX, ToChild, from_child, to_child};

/// Bytes of units that may wait for the child: 44 s at 4.5 Mbit/s. With what is inside the child it stays below what is
/// kept for a child that has to begin again.
const BACKLOG_BYTES_MAX: usize = 24 << 20;
/// Messages of the child that wait for the broadcast.
const QUEUE_MESSAGES_MAX: usize = 256;

/// A running codec child. Dropping it kills the process.
pub(crate) struct Child {
    process: tokio::process::Child,
    to: mpsc::UnboundedSender<ToChild>,
    from: mpsc::Receiver<from_child::Kind>,
    /// Units given since it last gave something out.
    owed: u64,
    /// Drains that were asked for and are not done.
    drains: u32,
    /// It has said something since the watchdog last looked.
    said: bool,
    watchdog: Watchdog,
    verdict: Verdict,
    /// Bytes of units that it has not read yet.
    backlog: Arc<AtomicUsize>,
}

impl Child {
    /// Starts `program transcoder`.
    pub(crate) fn start(program: &Path) -> anyhow::Result<Self> {
        Self::start_as(program, program.as_os_str())
    }

    /// As [`start`](Self::start), under another name in the list of processes.
    pub(crate) fn start_as(program: &Path, name: &OsStr) -> anyhow::Result<Self> {
        // The farm's secrets are in our environment; the child gets nothing but where its libraries are.
        let libraries = std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path));
        let mut process = Command::new(program)
            .arg0(name)
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
            owed: 0,
            drains: 0,
            said: false,
            watchdog: Watchdog::default(),
            verdict: Verdict::Fine,
            backlog,
        })
    }

    /// Gives it something. The queue is bounded by whoever heeds [`Self::behind`].
    pub(crate) fn say(&mut self, kind: to_child::Kind) {
        match kind {
            to_child::Kind::Unit(_) => self.owed += 1,
            to_child::Kind::Flush(_) => self.drains += 1,
            to_child::Kind::Config(_) | to_child::Kind::Still(_) => {}
        }
        self.backlog.fetch_add(size(&kind), Ordering::Relaxed);
        // A child that is gone is noticed by `hear`.
        let _ = self.to.send(ToChild { kind: Some(kind) });
    }

    /// What it says next; `None` when it has ended.
    pub(crate) async fn hear(&mut self) -> Option<from_child::Kind> {
        let kind = self.from.recv().await?;
        self.said = true;
        match kind {
            from_child::Kind::Encoded(_) => self.owed = 0,
            from_child::Kind::Flushed(_) => (self.owed, self.drains) = (0, self.drains.saturating_sub(1)),
            _ => {}
        }
        Some(kind)
    }

    /// Whether so much waits for it that no more may be taken in.
    pub(crate) fn behind(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > BACKLOG_BYTES_MAX
    }

    /// The watchdog's look, `limit` being the stall time: what it thinks now, where that has changed. To be called every
    /// [`WATCH_EVERY`](super::watchdog::WATCH_EVERY).
    pub(super) fn look(&mut self, limit: Duration) -> Option<Verdict> {
        let owes = self.owed > UNITS_WITHOUT_OUTPUT || self.drains > 0 || self.backlog.load(Ordering::Relaxed) > 0;
        let quiet = !std::mem::take(&mut self.said) && owes;
        let pid = self.process.id();
        let doing = || pid.and_then(Doing::of);
        let verdict = self.watchdog.look(Instant::now(), quiet, limit, doing);
        (std::mem::replace(&mut self.verdict, verdict) != verdict).then_some(verdict)
    }

    /// How long it has owed something and said nothing.
    pub(super) fn silent(&self) -> Duration {
        self.watchdog.silent()
    }

    /// Ends it, and says how it ended.
    pub(super) async fn end(mut self) -> Ending {
        match self.process.try_wait() {
            Ok(Some(status)) => return Ending::by_itself(status),
            Ok(None) => {}
            Err(error) => return Ending::unknown(&error),
        }
        // Its stdout closes a moment before it can be waited for: a status of its own says more than our signal.
        if let Ok(Ok(status)) = tokio::time::timeout(Duration::from_millis(200), self.process.wait()).await {
            return Ending::by_itself(status);
        }
        let _ = self.process.start_kill();
        match self.process.wait().await {
            Ok(status) => Ending {
                words: format!("killed: {status}"),
                crashed: false,
            },
            Err(error) => Ending::unknown(&error),
        }
    }
}

/// How a child ended.
pub(super) struct Ending {
    pub(super) words: String,
    /// By a fault of its own, which its input led it to; else somebody ended it, we or the kernel.
    pub(super) crashed: bool,
}

impl Ending {
    fn by_itself(status: ExitStatus) -> Self {
        Self {
            words: status.to_string(),
            // A machine without memory left kills with SIGKILL, an operator with SIGTERM.
            crashed: !matches!(status.signal(), Some(SIGKILL | SIGTERM)),
        }
    }

    fn unknown(error: &std::io::Error) -> Self {
        Self {
            words: error.to_string(),
            crashed: false,
        }
    }
}

/// signal(7)
const SIGKILL: i32 = 9;
/// signal(7)
const SIGTERM: i32 = 15;

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
