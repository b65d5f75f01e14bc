//! What waits to be sent, and who sends it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use headwater_model::{MailId, TenantId};
use rand::Rng as _;
use sqlx::{FromRow, PgConnection};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Mailer;
use super::letter::Letter;
use super::way::Refused;
use crate::database::{Database, DatabaseError};
use crate::op::Services;
use crate::problem::{Answer, Code, Problem};
use crate::seal::Seals;
use crate::urls::Urls;

/// Letters that wait for one person or address at most. Further ones are not written: the first ones say it all.
pub const PER_ADDRESS_MAX: i32 = 10;
/// Invitations of one tenant that wait at most; further ones are refused.
pub const PER_TENANT_MAX: i32 = 500;
/// Letters that wait at most, whoever asked for them.
pub const TOTAL_MAX: i32 = 100_000;
/// Notices that wait beyond [`TOTAL_MAX`]: whoever fills the queue must not keep people from hearing what was done to their
/// accounts.
pub const NOTICES_MORE_MAX: i32 = 10_000;
/// Messages that one process hands over at once.
const AT_ONCE_MAX: usize = 4;
/// For how long a process has a message to itself: longer than any attempt.
const HOLD: Duration = Duration::from_secs(180);
/// How often the queue is looked at where nobody says that something is due.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long things take; tests shorten them.
#[derive(Clone, Debug)]
pub struct Rules {
    /// First and longest wait before another attempt; each is four times the one before.
    pub waits: (Duration, Duration),
    /// A message that was not taken for so long is given up.
    pub give_up_after: Duration,
    /// One attempt, from connecting to the server's last word.
    pub attempt: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            waits: (Duration::from_secs(5), Duration::from_secs(2 * 3_600)),
            give_up_after: Duration::from_secs(24 * 3_600),
            attempt: Duration::from_secs(90),
        }
    }
}

/// What became of a letter that was to be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Posted {
    /// It waits to be sent.
    Waits,
    /// This installation sends no mail.
    NoMail,
    /// As much waits as may: it is not written. Who asks for somebody else's letter, or for one beside what they do, is not told.
    Full,
}

impl Posted {
    /// Whether it waits; fails where there was no room, for those who asked for just this letter.
    pub(crate) fn or_refused(self) -> Answer<bool> {
        match self {
            Self::Waits => Ok(true),
            Self::NoMail => Ok(false),
            Self::Full => {
                let sentence = "Too many messages wait to be sent. Try again when they have been.";
                Err(Problem::mend_all(Code::LimitReached, sentence))
            }
        }
    }

    /// Where what is done counts, letter or not.
    pub(crate) fn or_not(self) {}
}

/// Puts a letter to a person or an address into the queue, in the transaction that `on` is in. A few more than the limits say may
/// get in at the same moment.
pub(crate) async fn post(on: &mut PgConnection, services: &Services, letter: &Letter) -> Result<Posted, DatabaseError> {
    put(on, services, letter, letter.recipient(), PER_ADDRESS_MAX).await
}

/// As [`post`], a letter that a tenant sends.
pub(crate) async fn post_for(
    tenant: TenantId,
    on: &mut PgConnection,
    services: &Services,
    letter: &Letter,
) -> Result<Posted, DatabaseError> {
    put(on, services, letter, Some(tenant.to_string()), PER_TENANT_MAX).await
}

async fn put(
    on: &mut PgConnection,
    services: &Services,
    letter: &Letter,
    owner: Option<String>,
    own_max: i32,
) -> Result<Posted, DatabaseError> {
    if services.mailer.is_none() {
        return Ok(Posted::NoMail);
    }
    let total_max = match letter {
        Letter::Notice { .. } => TOTAL_MAX + NOTICES_MORE_MAX,
        _ => TOTAL_MAX,
    };
    let (own, everybodys): (i64, i64) = sqlx::query_as("select own, everybodys from mail_waiting($1, $2, $3)")
        .bind(&owner)
        .bind(own_max)
        .bind(total_max)
        .fetch_one(&mut *on)
        .await?;
    if own >= own_max.into() || everybodys >= total_max.into() {
        let kind = letter.kind();
        metrics::counter!("api_mail_refused_total", "kind" => kind).increment(1);
        tracing::warn!("a letter ({kind}) is not written: {own} wait for its owner, {everybodys} in all");
        return Ok(Posted::Full);
    }
    let mail = MailId::random();
    let plain = serde_json::to_vec(letter).expect("a letter is JSON");
    sqlx::query(
        "with posted as (insert into mail (mail_id, kind, sealed, owner) values ($1, $2, $3, $4)) \
         select pg_notify('headwater_mail', '')",
    )
    .bind(mail.as_str())
    .bind(letter.kind())
    .bind(services.seals.seal(mail.as_str(), &plain))
    .bind(owner)
    .execute(on)
    .await?;
    Ok(Posted::Waits)
}

/// Sends what waits; any number of processes do.
pub struct Postman {
    shared: Arc<Shared>,
    due: Arc<Notify>,
}

struct Shared {
    database: Database,
    seals: Seals,
    urls: Arc<Urls>,
    mailer: Option<Mailer>,
    rules: Rules,
    stop: CancellationToken,
}

#[derive(FromRow)]
struct Waiting {
    mail_id: String,
    kind: String,
    sealed: Vec<u8>,
    created_at: DateTime<Utc>,
    attempts: i32,
}

/// What became of a letter.
enum Became {
    Sent,
    /// There is nobody to write to any more.
    Dropped,
    Refused(Refused),
}

impl Postman {
    /// Works with `services` until `stop` fires; has nothing to do where no mail is sent.
    pub fn new(services: &Services, rules: Rules, stop: CancellationToken) -> Self {
        Self {
            shared: Arc::new(Shared {
                database: services.database.clone(),
                seals: services.seals.clone(),
                urls: services.urls.clone(),
                mailer: services.mailer.clone(),
                rules,
                stop,
            }),
            due: services.changes.mail(),
        }
    }

    /// Sends whatever is due.
    pub async fn run(self) {
        let Some(mailer) = &self.shared.mailer else { return };
        let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
        let (tasks, stop) = (TaskTracker::new(), self.shared.stop.clone());
        loop {
            let heard = self.due.notified();
            let Ok(place) = places.clone().acquire_owned().await else {
                break;
            };
            let taken = self.shared.take().await.unwrap_or_else(|DatabaseError(error)| {
                tracing::debug!("mail waits: {error}");
                None
            });
            if let Some(waiting) = taken
                && !stop.is_cancelled()
            {
                let (shared, mailer) = (self.shared.clone(), mailer.clone());
                tasks.spawn(async move {
                    if let Err(DatabaseError(error)) = shared.deliver(&mailer, &waiting).await {
                        tracing::warn!("what became of mail {} was not written down: {error}", waiting.mail_id);
                    }
                    drop(place);
                });
                continue;
            }
            drop(place);
            tokio::select! {
                () = stop.cancelled() => break,
                () = heard => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }
}

impl Shared {
    async fn take(&self) -> Result<Option<Waiting>, DatabaseError> {
        let mut door = self.database.door(None).await?;
        let taken = sqlx::query_as(
            "update mail set attempts = attempts + 1, due_at = now() + $1 * interval '1 second' \
             where mail_id = (select mail_id from mail where state = 'waiting' and due_at <= now() \
                              order by due_at limit 1 for update skip locked) \
             returning mail_id, kind, sealed, created_at, attempts",
        )
        .bind(HOLD.as_secs() as i64)
        .fetch_optional(&mut *door)
        .await?;
        door.commit().await?;
        Ok(taken)
    }

    async fn deliver(&self, mailer: &Mailer, waiting: &Waiting) -> Result<(), DatabaseError> {
        let opened = self.seals.open(&waiting.mail_id, &waiting.sealed);
        let letter = opened.and_then(|plain| serde_json::from_slice::<Letter>(&plain).ok());
        let became = match letter {
            Some(letter) => self.attempt(mailer, waiting, &letter).await?,
            None => Became::Refused(Refused {
                forever: true,
                why: "it does not open with HEADWATER_API_SEALING_KEYS".into(),
            }),
        };
        let (id, kind) = (&waiting.mail_id, &waiting.kind);
        let old = (Utc::now() - waiting.created_at).to_std().unwrap_or_default() >= self.rules.give_up_after;
        let (state, error, wait) = match became {
            Became::Sent => ("sent", None, Duration::ZERO),
            Became::Dropped => ("dropped", None, Duration::ZERO),
            Became::Refused(refused) if refused.forever || old => {
                tracing::warn!("gave up mail {id} ({kind}): {}", refused.why);
                ("failed", Some(refused.why), Duration::ZERO)
            }
            Became::Refused(refused) => {
                let wait = self.wait(waiting.attempts);
                tracing::info!(
                    "mail {id} ({kind}) is tried again in {} s: {}",
                    wait.as_secs(),
                    refused.why
                );
                ("waiting", Some(refused.why), wait)
            }
        };
        metrics::counter!("api_mail_total", "outcome" => state).increment(1);
        let mut door = self.database.door(None).await?;
        sqlx::query(
            "update mail set state = $2, error = $3, due_at = now() + $4 * interval '1 millisecond', \
                    sealed = case when $2 = 'waiting' then sealed end, owner = case when $2 = 'waiting' then owner end, \
                    ended_at = case when $2 <> 'waiting' then now() end \
             where mail_id = $1",
        )
        .bind(id)
        .bind(state)
        .bind(error)
        .bind(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
        .execute(&mut *door)
        .await?;
        Ok(door.commit().await?)
    }

    async fn attempt(&self, mailer: &Mailer, waiting: &Waiting, letter: &Letter) -> Result<Became, DatabaseError> {
        let mut door = self.database.door(None).await?;
        let Some(written) = letter.write(&mut door, &self.urls).await? else {
            return Ok(Became::Dropped);
        };
        // Links work before anybody can have them.
        door.commit().await?;
        let to = (written.to.as_str(), written.name.as_deref());
        let made = written
            .text
            .message(&mailer.from, to, &waiting.mail_id, waiting.created_at);
        let Some(message) = made else {
            let why = "the recipient's address cannot be written to".into();
            return Ok(Became::Refused(Refused { forever: true, why }));
        };
        let name = format!("{}-{}", waiting.created_at.format("%Y%m%dT%H%M%S%3fZ"), waiting.mail_id);
        let sending = mailer.way.send(&name, message.envelope(), message.formatted());
        let sent = tokio::time::timeout(self.rules.attempt, sending).await;
        Ok(match sent {
            Ok(Ok(())) => Became::Sent,
            Ok(Err(refused)) => Became::Refused(refused),
            Err(_) => Became::Refused(Refused {
                forever: false,
                why: format!("no last word within {} s", self.rules.attempt.as_secs()),
            }),
        })
    }

    /// A tenth more or less, so that what failed together does not come back together.
    fn wait(&self, attempts: i32) -> Duration {
        let (first, longest) = self.rules.waits;
        let times = 4u32.saturating_pow(attempts.saturating_sub(1).clamp(0, 15).unsigned_abs());
        let wait = first.saturating_mul(times).min(longest);
        wait.mul_f64(rand::rng().random_range(0.9..=1.1))
    }
}

/// Removes mail that was sent or given up two weeks ago, and links and challenges that have ended.
pub(crate) async fn forget_old(database: &Database) -> Result<(), DatabaseError> {
    let mut door = database.door(None).await?;
    for statement in [
        "delete from mail where ended_at < now() - interval '14 days'",
        "delete from account_link where expires_at < now() - interval '1 day'",
        "delete from sign_in_challenge where expires_at < now() - interval '1 day'",
    ] {
        sqlx::query(statement).execute(&mut *door).await?;
    }
    Ok(door.commit().await?)
}
