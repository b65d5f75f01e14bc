//! What the reasons of `playback` mean to a client.

use super::answer::Refusal;
use crate::playback::FindError;
use crate::playback::broadcast::WaitError;
use crate::playback::fetch::FetchError;

pub(super) fn find(error: FindError) -> Refusal {
    match error {
        FindError::Unknown => Refusal::NotFound("no such broadcast"),
        FindError::Offline => Refusal::NotFound("nothing has been broadcast here"),
        FindError::Unavailable => Refusal::Unavailable("what is needed to answer does not answer itself"),
    }
}

pub(super) fn wait(error: WaitError) -> Refusal {
    match error {
        WaitError::TimedOut => Refusal::HeldTooLong,
        WaitError::Crowded => Refusal::Overloaded,
    }
}

pub(super) fn fetch(error: FetchError) -> Refusal {
    match error {
        FetchError::Unknown => Refusal::NotFound("no such media"),
        FetchError::Unavailable => Refusal::Unavailable("the media cannot be read at the moment"),
        FetchError::Wait(error) => wait(error),
    }
}
