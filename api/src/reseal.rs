//! Sealing anew: what was sealed with an older key is sealed with the first one, so that the older one can be taken away.
//!
//! Every api that has more than one key goes through everything that is sealed, some rows at a time, again and again: an api that
//! has not got the new key yet may still be sealing with the old one. A row is written only where it holds what was read, so any
//! number of processes may do this at once, beside whoever changes a secret. Nothing is noted: what a key opens is what it sealed.
//! Cookies of sign-ins under way, which are sealed too, are gone after ten minutes.

use std::time::Duration;

use headwater_model::TenantId;
use tokio_util::sync::CancellationToken;

use crate::database::{Database, DatabaseError, id};
use crate::playback_token::key::seal_context;
use crate::seal::Seals;

/// How much is done, and how often; tests change it.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Rows read by one statement, and written in one transaction.
    pub rows_max: i64,
    /// Pause between two walks through everything.
    pub every: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            rows_max: 200,
            every: Duration::from_secs(600),
        }
    }
}

/// What a walk through everything came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Values that were sealed with an older key and are with the first one now.
    pub sealed: u64,
    /// Values that the first key does not open still: no key does, or somebody changed them meanwhile.
    pub left: u64,
}

/// Seals anew.
pub struct Resealer {
    database: Database,
    seals: Seals,
    rules: Rules,
}

/// A kind of row that holds something sealed. `$1` is the last key seen, `$2` how many rows are wanted at most; where it belongs to
/// tenants, row-level security shows those of one.
struct Kept {
    /// For the log.
    name: &'static str,
    of_tenants: bool,
    /// The row's key and what is sealed.
    read: &'static str,
    /// `$1` the key, `$2` what was read, `$3` what takes its place.
    write: &'static str,
    /// What a value is sealed for.
    context: fn(&str) -> String,
}

fn own_id(key: &str) -> String {
    key.to_owned()
}

const KEPT: [Kept; 5] = [
    Kept {
        name: "second factors",
        of_tenants: false,
        read: "select user_id, secret from second_factor where user_id > $1 order by user_id limit $2",
        write: "update second_factor set secret = $3 where user_id = $1 and secret = $2",
        context: own_id,
    },
    Kept {
        name: "waiting mail",
        of_tenants: false,
        read: "select mail_id, sealed from mail where mail_id > $1 and state = 'waiting' order by mail_id limit $2",
        write: "update mail set sealed = $3 where mail_id = $1 and sealed = $2",
        context: own_id,
    },
    Kept {
        name: "webhook secrets",
        of_tenants: true,
        read: "select webhook_endpoint_id, secret from webhook_endpoint \
               where tenant_id = current_setting('headwater.tenant_id', true) and webhook_endpoint_id > $1 \
               order by webhook_endpoint_id limit $2",
        write: "update webhook_endpoint set secret = $3 \
                where tenant_id = current_setting('headwater.tenant_id', true) and webhook_endpoint_id = $1 and secret = $2",
        context: own_id,
    },
    Kept {
        name: "webhook secrets that are being replaced",
        of_tenants: true,
        read: "select webhook_endpoint_id, old_secret from webhook_endpoint \
               where tenant_id = current_setting('headwater.tenant_id', true) and webhook_endpoint_id > $1 \
               and old_secret is not null order by webhook_endpoint_id limit $2",
        write: "update webhook_endpoint set old_secret = $3 \
                where tenant_id = current_setting('headwater.tenant_id', true) and webhook_endpoint_id = $1 and old_secret = $2",
        context: own_id,
    },
    Kept {
        name: "managed signing keys",
        of_tenants: true,
        read: "select signing_key_id, private_key from signing_key \
               where tenant_id = current_setting('headwater.tenant_id', true) and signing_key_id > $1 \
               and private_key is not null order by signing_key_id limit $2",
        write: "update signing_key set private_key = $3 \
                where tenant_id = current_setting('headwater.tenant_id', true) and signing_key_id = $1 and private_key = $2",
        context: seal_context,
    },
];

impl Resealer {
    /// Over the serving pool. Nothing happens yet.
    pub fn new(database: Database, seals: Seals, rules: Rules) -> Self {
        Self { database, seals, rules }
    }

    /// Walks through everything until `stop` fires. Has nothing to do where there is one key.
    pub async fn run(self, stop: CancellationToken) {
        let left = metrics::gauge!("api_sealed_under_older_keys");
        left.set(0.0);
        if !self.seals.has_older() {
            return;
        }
        let mut every = tokio::time::interval(self.rules.every);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                walked = self.walk() => match walked {
                    Ok(tally) => {
                        left.set(tally.left as f64);
                        say(tally);
                    }
                    Err(DatabaseError(error)) => tracing::debug!("what is sealed is looked at later: {error}"),
                }
            }
        }
    }

    /// Goes through everything once.
    pub async fn walk(&self) -> Result<Tally, DatabaseError> {
        let mut tally = Tally::default();
        for kept in KEPT.iter().filter(|kept| !kept.of_tenants) {
            self.all_of(kept, None, &mut tally).await?;
        }
        let mut after = String::new();
        loop {
            let mut door = self.database.door(None).await?;
            let tenants: Vec<String> =
                sqlx::query_scalar("select tenant_id from tenant where tenant_id > $1 order by tenant_id limit $2")
                    .bind(&after)
                    .bind(self.rules.rows_max)
                    .fetch_all(&mut *door)
                    .await?;
            drop(door);
            let Some(last) = tenants.last() else { break };
            after.clone_from(last);
            for tenant in &tenants {
                let tenant = id(TenantId::parse(tenant))?;
                for kept in KEPT.iter().filter(|kept| kept.of_tenants) {
                    self.all_of(kept, Some(tenant), &mut tally).await?;
                }
            }
        }
        Ok(tally)
    }

    async fn all_of(&self, kept: &Kept, tenant: Option<TenantId>, tally: &mut Tally) -> Result<(), DatabaseError> {
        let mut after = String::new();
        loop {
            let mut tx = match tenant {
                Some(tenant) => self.database.tenant(tenant).await?,
                None => self.database.door(None).await?,
            };
            let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(kept.read)
                .bind(&after)
                .bind(self.rules.rows_max)
                .fetch_all(&mut *tx)
                .await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after.clone_from(last);
            let before = tally.sealed;
            for (key, sealed) in &rows {
                let context = (kept.context)(key);
                if self.seals.is_newest(&context, sealed) {
                    continue;
                }
                let Some(plain) = self.seals.open(&context, sealed) else {
                    tracing::warn!("of {}, that of {key} opens with no key", kept.name);
                    tally.left += 1;
                    continue;
                };
                let done = sqlx::query(kept.write)
                    .bind(key)
                    .bind(sealed)
                    .bind(self.seals.seal(&context, &plain))
                    .execute(&mut *tx)
                    .await?;
                match done.rows_affected() {
                    0 => tally.left += 1,
                    _ => tally.sealed += 1,
                }
            }
            if tally.sealed > before {
                tx.commit().await?;
            }
        }
    }
}

/// The operator waits for this.
fn say(Tally { sealed, left }: Tally) {
    match (sealed, left) {
        (0, 0) => tracing::info!(
            "nothing is left under an older sealing key: once every api has the same first key, the others may go"
        ),
        (sealed, left) => tracing::info!(
            sealed,
            left,
            "{sealed} values were sealed again with the first key, {left} are left under older ones"
        ),
    }
}
