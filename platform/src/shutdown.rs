//! What every role is handed: when to stop, and where to say how it is.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::Health;

/// One role's share of the operating-system process it runs in.
#[derive(Clone)]
pub struct Process {
    /// Fires when the role must stop.
    pub shutdown: CancellationToken,
    /// Tasks that shutdown waits for.
    pub tasks: TaskTracker,
    /// Readiness, by named part.
    pub health: Health,
}

impl Process {
    /// A process of its own: fresh token, no tasks, nothing ready yet.
    pub fn new() -> Self {
        Self {
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            health: Health::new(),
        }
    }

    /// A role inside this process: stops when this one stops (or alone), shares health under `role.`.
    pub fn child(&self, role: &'static str) -> Self {
        Self {
            shutdown: self.shutdown.child_token(),
            tasks: TaskTracker::new(),
            health: self.health.scoped(role),
        }
    }

    /// Runs a task that shutdown waits for.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// Waits until every tracked task has ended, at most `limit`. Returns whether all did.
    pub async fn drained(&self, limit: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }

    /// Fires `shutdown` at SIGINT or SIGTERM.
    pub fn stop_on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let token = self.shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
            }
            token.cancel();
        });
        Ok(())
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}
