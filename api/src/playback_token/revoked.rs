//! What was revoked, for those who may revoke.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, QueryBuilder};

use super::Kind;
use crate::access::Action;
use crate::op::{Op, Place};
use crate::page::{Order, Page, Paged, between, containing, instant, words};
use crate::problem::Answer;

/// A subject may hold anything, a cursor's id no space.
const ID: &str = "md5(kind || ' ' || subject)";

/// A token or viewer that is sent away.
#[derive(Clone, Debug, FromRow)]
pub struct Revoked {
    /// `token` or `viewer`.
    pub kind: String,
    /// Id of the token or viewer.
    pub subject: String,
    /// When; of a viewer, the last time.
    pub revoked_at: DateTime<Utc>,
    id: String,
}

/// Which revocations.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Tokens or viewers alone.
    pub kind: Option<Kind>,
    /// Exactly this one.
    pub subject: Option<String>,
    /// In its id.
    pub search: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// As origins learn them: until no token of before can be good any more.
fn scoped(start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(start);
    query.push(" from playback_revocation where revoked_at > now() - interval '31 days' and tenant_id = ");
    query.push_bind(place.tenant_id.to_string());
    query.push(" and environment = ").push_bind(place.environment.as_str());
    query
}

/// The revocations of the operation's environment, newest first.
pub async fn list(op: &Op, filter: &Filter, page: &Page, count: bool) -> Answer<Paged<Revoked>> {
    let place = op.require(Action::ViewerRevoke)?;
    let mut tx = op.look(place).await?;
    let filtered = |start: String| {
        let mut query = scoped(start, place);
        if let Some(kind) = filter.kind {
            query.push(" and kind = ").push_bind(kind.word());
        }
        if let Some(subject) = &filter.subject {
            query.push(" and subject = ").push_bind(subject.clone());
        }
        if let Some(search) = words(filter.search.as_deref()) {
            query.push(" and subject ilike ").push_bind(containing(search));
        }
        between(&mut query, "revoked_at", filter.since, filter.until);
        query
    };
    let columns = format!("kind, subject, revoked_at, {ID} as id");
    let key = |row: &Revoked| (instant(row.revoked_at), row.id.clone());
    let order = Order::newest("revoked_at", ID);
    page.read(&mut tx, count, &columns, order, filtered, key).await
}
