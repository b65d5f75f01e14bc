//! Webhooks: a tenant's own addresses are told what happens to its objects.
//!
//! An event is a row that PostgreSQL writes by trigger in the transaction of the change it tells of, whoever makes the
//! change ([`event`]). Each endpoint that wants it has a queue of its own ([`endpoint`]); every api process takes endpoints
//! whose queue is due, one at a time and skipping those that another holds, and sends ([`deliver`]). What was sent and
//! answered is kept ([`log`]). Addresses are resolved once, judged, and connected to as resolved ([`guard`]).
//!
//! Delivery is at least once and in no promised order: an event's id stays the same over all attempts, and its sequence
//! number counts the events of its object without gaps.

pub mod deliver;
pub mod endpoint;
pub mod event;
pub mod log;
mod queue;
mod send;
mod signature;

pub use crate::outbound::guard::{self, Guard, Resolve};
pub use deliver::{Deliverer, Rules};
pub(crate) use queue::forget_old;
