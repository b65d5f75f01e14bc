//! The audit log: who changed what, written in the transaction of the change.

use chrono::{DateTime, Utc};
use headwater_model::{AuditId, UserId};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, QueryBuilder};

use crate::access::Action;
use crate::op::{Actor, Op, Place};
use crate::page::{Order, Page, Paged, between, instant};
use crate::problem::Answer;

/// A line to write.
pub(crate) struct New<'a> {
    /// `channel.update`
    pub(crate) action: &'static str,
    pub(crate) subject_id: &'a str,
    /// What it is called at this moment.
    pub(crate) subject_name: &'a str,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// A line of the log.
#[derive(Clone, Debug, FromRow)]
pub struct Entry {
    /// Its id.
    pub audit_id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// `user`, `api_token`, `operator` or `system`.
    pub actor_kind: String,
    /// Id of the person or token.
    pub actor_id: Option<String>,
    /// What it was called then.
    pub actor_name: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject_id: String,
    /// What that was called then.
    pub subject_name: String,
    /// What it was.
    pub before: Option<Value>,
    /// What it became.
    pub after: Option<Value>,
    /// From where.
    pub ip_address: Option<String>,
    /// By which program.
    pub user_agent: Option<String>,
    /// `live` or `test`.
    pub environment: String,
    /// Under which trace.
    pub trace_id: Option<String>,
}

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this action.
    pub action: Option<String>,
    /// Only this subject.
    pub subject_id: Option<String>,
    /// Only this actor.
    pub actor_id: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// The tenant's log, newest first.
pub async fn list(op: &Op, filter: Filter, page: &Page) -> Answer<Paged<Entry>> {
    let place = op.require(Action::AuditRead)?;
    let mut tx = op.look(place).await?;
    let mut query = QueryBuilder::new(
        "select audit_id, at, actor_kind, actor_id, actor_name, action, subject_id, subject_name, before, after, \
         ip_address, user_agent, environment, trace_id from audit_entry where tenant_id = ",
    );
    query.push_bind(place.tenant_id.as_str().to_owned());
    for (column, value) in [
        ("action", filter.action),
        ("subject_id", filter.subject_id),
        ("actor_id", filter.actor_id),
    ] {
        if let Some(value) = value {
            query.push(format_args!(" and {column} = ")).push_bind(value);
        }
    }
    between(&mut query, "at", filter.since, filter.until);
    page.seek(&mut query, Order::newest("at", "audit_id"));
    let rows: Vec<Entry> = query.build_query_as().fetch_all(&mut *tx).await?;
    Ok(Paged::of(rows, page, 0, |row| (instant(row.at), row.audit_id.clone())))
}

/// Writes a line about somebody's own account into the log of every tenant that they belong to. The transaction is at the door.
pub(crate) async fn of_person(
    on: &mut PgConnection,
    op: &Op,
    user: UserId,
    action: &'static str,
    after: Option<Value>,
) -> Answer<()> {
    // Whoever resets a password by a link is nobody until then; the door shows a person's own memberships alone.
    sqlx::query("select set_config('headwater.user_id', $1, true)")
        .bind(user.as_str())
        .execute(&mut *on)
        .await?;
    sqlx::query(
        "insert into audit_entry (audit_id, tenant_id, environment, actor_kind, actor_id, actor_name, action, subject_id, \
                                  subject_name, after, ip_address, user_agent, trace_id) \
         select random_id('aud_'), m.tenant_id, 'live', 'user', u.user_id, u.name, $2, u.user_id, u.name, $3, $4, $5, $6 \
         from member m join user_account u on u.user_id = m.user_id where m.user_id = $1",
    )
    .bind(user.as_str())
    .bind(action)
    .bind(after)
    .bind(op.caller().ip.map(|ip| ip.to_string()))
    .bind(&op.caller().user_agent)
    .bind(&op.caller().trace_id)
    .execute(on)
    .await?;
    Ok(())
}

pub(crate) async fn insert(on: &mut PgConnection, op: &Op, place: Place, new: New<'_>) -> Answer<()> {
    let (kind, actor_id, name) = match op.actor() {
        Actor::User { user_id, name, .. } => ("user", Some(user_id.to_string()), name.clone()),
        Actor::Token { token_id, name, .. } => ("api_token", Some(token_id.to_string()), name.clone()),
        Actor::Nobody => ("system", None, "Headwater".to_owned()),
    };
    sqlx::query(
        "insert into audit_entry (audit_id, tenant_id, environment, actor_kind, actor_id, actor_name, action, \
                                  subject_id, subject_name, before, after, ip_address, user_agent, trace_id) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(AuditId::random().as_str())
    .bind(place.tenant_id.as_str())
    .bind(place.environment.as_str())
    .bind(kind)
    .bind(actor_id)
    .bind(name)
    .bind(new.action)
    .bind(new.subject_id)
    .bind(new.subject_name)
    .bind(new.before)
    .bind(new.after)
    .bind(op.caller().ip.map(|ip| ip.to_string()))
    .bind(&op.caller().user_agent)
    .bind(&op.caller().trace_id)
    .execute(on)
    .await?;
    Ok(())
}
