//! E-mail: what is to be sent waits in PostgreSQL, in the transaction of what it tells of, until a server has taken it.
//!
//! A [`Letter`] says what happened and to whom; its text is made when it is sent, and so are the links in it, whose secrets
//! therefore stand nowhere before. Any number of processes send ([`Postman`]); each takes a letter by moving its time ahead. A
//! letter that the server does not take now is tried again after growing delays, for a day. No request waits for a mail server.

mod letter;
mod queue;
mod render;
mod way;

use headwater_platform::Secret;
use lettre::message::Mailbox;

pub(crate) use letter::{Letter, Notice};
pub use queue::{NOTICES_MORE_MAX, PER_ADDRESS_MAX, PER_TENANT_MAX, Postman, Rules, TOTAL_MAX};
pub(crate) use queue::{forget_old, post, post_for};
pub use way::Way;

/// How mail leaves this installation; cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    way: Way,
    from: Mailbox,
}

impl Mailer {
    /// Sends by `way`, as `from`, such as `Headwater <no-reply@example.com>`. Fails for a malformed sender.
    pub fn new(way: Way, from: &str) -> anyhow::Result<Self> {
        let from = from
            .parse()
            .map_err(|_| anyhow::anyhow!("HEADWATER_API_MAIL_FROM is not like Name <name@example.com>"))?;
        Ok(Self { way, from })
    }

    /// From the operator's settings: a server goes before a folder, and with neither no mail is sent.
    pub(crate) fn of_settings(
        server: Option<&Secret>,
        folder: Option<&std::path::Path>,
        from: &str,
    ) -> anyhow::Result<Option<Self>> {
        let way = match (server.filter(|url| !url.reveal().is_empty()), folder) {
            (Some(url), _) => Way::server(url, &[])?,
            (None, Some(folder)) => Way::folder(folder)?,
            (None, None) => return Ok(None),
        };
        Self::new(way, from).map(Some)
    }
}
