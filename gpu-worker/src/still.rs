//! The desk where pictures are made: one codec child for all broadcasts of a worker.
//!
//! No codec runs in this process. The child gets one coded picture at a time and gives JPEGs back; it is started when it is
//! needed and leaves when nobody has asked for [`IDLE`]. Pictures are a convenience: who finds too many before them goes
//! without, and a crash costs the picture that led to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};

use crate::broadcast::Child;
use crate::transcoder::wire::{StillAsk, StillMade, from_child, to_child};

/// The child's name in the list of processes.
const NAME: &str = "headwater-thumbnails";
/// Who may wait for the child at once.
const WAITING_MAX: usize = 64;
/// Longest time for one picture; 8K takes a few hundred milliseconds on a busy core.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The child leaves after so long without work.
const IDLE: Duration = Duration::from_secs(15);

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Inner>);

struct Inner {
    /// `None`: no pictures are made.
    program: Option<PathBuf>,
    waiting: Semaphore,
    seat: Mutex<Seat>,
}

#[derive(Default)]
struct Seat {
    child: Option<Child>,
    /// Pictures made so far.
    made: u64,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error("too many wait for a picture")]
    Busy,
    #[error("the child that makes pictures did not start")]
    Start(#[source] anyhow::Error),
    #[error("the child that makes pictures ended, or took longer than {} s", ANSWER_MAX.as_secs())]
    Lost,
}

impl Desk {
    /// A desk whose child is `program transcoder`. Nothing is started yet.
    pub(crate) fn new(program: PathBuf) -> Self {
        Self::with(Some(program))
    }

    /// A desk that makes no pictures.
    #[cfg(test)]
    pub(crate) fn closed() -> Self {
        Self::with(None)
    }

    fn with(program: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            program,
            waiting: Semaphore::new(WAITING_MAX),
            seat: Mutex::default(),
        }))
    }

    /// Whether pictures are made at all.
    pub(crate) fn is_open(&self) -> bool {
        self.0.program.is_some()
    }

    /// Has a picture made.
    pub(crate) async fn picture(&self, ask: StillAsk) -> Result<StillMade, DeskError> {
        let inner = &self.0;
        let Some(program) = &inner.program else {
            return Err(DeskError::Busy);
        };
        let _place = inner.waiting.try_acquire().map_err(|_| DeskError::Busy)?;
        let mut seat = inner.seat.lock().await;
        let mut child = match seat.child.take() {
            Some(child) => child,
            None => Child::start_as(program, NAME.as_ref()).map_err(DeskError::Start)?,
        };
        child.say(to_child::Kind::Still(ask));
        let answer = async {
            loop {
                match child.hear().await {
                    Some(from_child::Kind::Still(made)) => return Some(made),
                    Some(_) => {}
                    None => return None,
                }
            }
        };
        // A child that owes an answer is dropped here, which kills it: its next answer would be to the wrong question.
        let made = tokio::time::timeout(ANSWER_MAX, answer)
            .await
            .ok()
            .flatten()
            .ok_or(DeskError::Lost)?;
        seat.child = Some(child);
        seat.made += 1;
        let (inner, then) = (inner.clone(), seat.made);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            let mut seat = inner.seat.lock().await;
            if seat.made == then {
                seat.child = None;
            }
        });
        Ok(made)
    }
}
