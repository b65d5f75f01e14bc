//! Starting programs so that none outlives the test process, however it ends.
//!
//! The kernel's parent-death signal is tied to the *thread* that started a program, and test threads come and go; so
//! one thread that lives as long as the process starts them all. A janitor beside it removes what they leave behind.

use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{OnceLock, mpsc};

use anyhow::Context as _;

type Job = Box<dyn FnOnce() + Send>;

fn keeper() -> &'static mpsc::Sender<Job> {
    static KEEPER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    KEEPER.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::spawn(move || queue.into_iter().for_each(|job| job()));
        jobs
    })
}

/// A command that is killed with this process, and runs as `ids` where given.
pub(super) fn command(program: impl AsRef<Path>, ids: Option<(u32, u32)>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some((uid, gid)) = ids {
        command
            .arg(format!("--reuid={uid}"))
            .arg(format!("--regid={gid}"))
            .arg("--clear-groups");
    }
    command.arg("--").arg(program.as_ref()).stdin(Stdio::null());
    command
}

/// Starts a program from the thread that lives as long as the process.
pub(super) fn start(mut command: Command) -> anyhow::Result<Child> {
    let (answer, answered) = mpsc::channel();
    let job: Job = Box::new(move || {
        // Nobody waits for the answer only if the test itself is gone.
        let _ = answer.send(command.spawn());
    });
    keeper()
        .send(job)
        .ok()
        .context("the thread that starts programs is gone")?;
    Ok(answered.recv()??)
}

/// Removes a folder when this process ends, however it does. Keep it as long as the folder is wanted.
pub(super) struct Janitor {
    /// Its end is what the janitor waits for.
    _line: ChildStdin,
}

impl Janitor {
    pub(super) fn of(folder: &Path) -> anyhow::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let mut janitor = Command::new("sh")
            .args([
                "-c",
                "cat >/dev/null; for n in 1 2 3 4 5; do rm -rf \"$0\" && exit; done 2>/dev/null",
            ])
            .arg(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start sh")?;
        Ok(Self {
            _line: janitor.stdin.take().context("sh has no standard input")?,
        })
    }
}
