//! What goes to the object store, and what is found there again.

pub(crate) mod durable;
pub(crate) mod replay;
pub(crate) mod resume;
pub(crate) mod spool;
pub(crate) mod upload;
