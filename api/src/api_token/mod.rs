//! API tokens: what programs act with.

use chrono::{DateTime, Utc};
use headwater_model::ApiTokenId;
use serde_json::json;
use sqlx::{FromRow, QueryBuilder};

use crate::access::{Action, Environment};
use crate::audit;
use crate::database::{id, word};
use crate::op::{Actor, Op, Place, Services};
use crate::page::{Order, Page, Paged, instant};
use crate::problem::{Answer, Code, Problem, text};
use crate::secret::{self, Kind, sha256_hex};

/// Tokens that a tenant may have at a time.
pub const TOKENS_MAX: i64 = 100;
const NAME_CHARS_MAX: usize = 200;
const COLUMNS: &str = "api_token_id, environment, name, hint, actions, created_by, created_at, last_used_at, \
                       expires_at, revoked_at";

/// A token, without its secret.
#[derive(Clone, Debug, FromRow)]
pub struct ApiToken {
    /// Its id.
    pub api_token_id: String,
    /// `live` or `test`.
    pub environment: String,
    /// For people.
    pub name: String,
    /// Last characters of the secret.
    pub hint: String,
    /// Words of what it may do.
    pub actions: Vec<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// From when on it lets nobody in.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it lets nobody in.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A token to make.
pub struct New {
    /// For people.
    pub name: String,
    /// Live or test.
    pub environment: Environment,
    /// What it may do: nothing that its maker may not.
    pub actions: Vec<Action>,
    /// From when on it lets nobody in.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Who sends this token, and where it acts.
pub(crate) async fn authenticate(services: &Services, secret: &str) -> Answer<(Actor, Place)> {
    let unknown = || Problem::unauthenticated("This API token is not known, has expired or was revoked.");
    if !secret::well_formed(Kind::LiveToken, secret) && !secret::well_formed(Kind::TestToken, secret) {
        return Err(unknown());
    }
    let door = services.database.pool();
    let row: Option<(String, String, String, String, Vec<String>, bool)> = sqlx::query_as(
        "select api_token_id, tenant_id, environment, name, actions, \
                coalesce(last_used_at < now() - interval '1 minute', true) \
         from api_token where secret_sha256 = $1 and revoked_at is null and (expires_at is null or expires_at > now())",
    )
    .bind(sha256_hex(secret))
    .fetch_optional(door)
    .await?;
    let (token, tenant, environment, name, actions, idle) = row.ok_or_else(unknown)?;
    if idle {
        sqlx::query("update api_token set last_used_at = now() where api_token_id = $1")
            .bind(&token)
            .execute(door)
            .await?;
    }
    let actor = Actor::Token {
        token_id: id(token.parse())?,
        name,
        actions: actions.iter().filter_map(|word| Action::of_word(word)).collect(),
    };
    let place = Place {
        tenant_id: id(tenant.parse())?,
        environment: word(environment.parse())?,
        role: None,
    };
    Ok((actor, place))
}

/// Whether the token still stands.
pub(crate) async fn stands(services: &Services, token: ApiTokenId) -> Answer<bool> {
    let mut door = services.database.door(None).await?;
    let stands = sqlx::query_scalar(
        "select exists (select from api_token where api_token_id = $1 and revoked_at is null \
                        and (expires_at is null or expires_at > now()))",
    )
    .bind(token.as_str())
    .fetch_one(&mut *door)
    .await?;
    Ok(stands)
}

fn scoped(start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(start);
    query
        .push(" from api_token where tenant_id = ")
        .push_bind(place.tenant_id.to_string());
    query
}

/// The tenant's tokens of both environments, newest first; revoked ones stay in the list.
pub async fn list(op: &Op, page: &Page, count: bool) -> Answer<Paged<ApiToken>> {
    let place = op.require(Action::TokenRead)?;
    let mut tx = op.look(place).await?;
    let list = |start| scoped(start, place);
    let key = |row: &ApiToken| (instant(row.created_at), row.api_token_id.clone());
    let order = Order::newest("created_at", "api_token_id");
    page.read(&mut tx, count, COLUMNS, order, list, key).await
}

/// The tenant's token of this id.
pub async fn by_id(op: &Op, token: ApiTokenId) -> Answer<Option<ApiToken>> {
    let place = op.require(Action::TokenRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and api_token_id = ").push_bind(token.to_string());
    Ok(query.build_query_as().fetch_optional(&mut *tx).await?)
}

/// Makes a token. Returns it with its secret, which is shown this once.
pub async fn create(op: &Op, new: New) -> Answer<(ApiToken, String)> {
    let place = op.require(Action::TokenWrite)?;
    let name = text("name", &new.name, NAME_CHARS_MAX)?;
    if new.actions.is_empty() {
        return Err(Problem::mend(
            Code::Blank,
            "actions",
            "A token that may do nothing is of no use.",
        ));
    }
    if let Some(beyond) = new.actions.iter().find(|action| !op.actions().contains(action)) {
        let sentence = format!(
            "You may not hand out {}, which you do not have.",
            beyond.as_str().to_uppercase()
        );
        return Err(Problem::mend(Code::Role, "actions", sentence));
    }
    if new.expires_at.is_some_and(|at| at <= Utc::now()) {
        return Err(Problem::mend(Code::Expired, "expiresAt", "This moment has passed."));
    }
    let secret = secret::random(match new.environment {
        Environment::Live => Kind::LiveToken,
        Environment::Test => Kind::TestToken,
    });
    let mut words: Vec<&str> = new.actions.iter().map(|action| action.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    let mut change = op.change(place).await?;
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('api_token ' || $1, 0))")
        .bind(place.tenant_id.as_str())
        .execute(change.on())
        .await?;
    let many: i64 = sqlx::query_scalar(
        "select count(*) from api_token where tenant_id = $1 and revoked_at is null \
         and (expires_at is null or expires_at > now())",
    )
    .bind(place.tenant_id.as_str())
    .fetch_one(change.on())
    .await?;
    if many >= TOKENS_MAX {
        let sentence = format!("A tenant has at most {TOKENS_MAX} API tokens. Revoke one that is not used.");
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    let created_by = match op.actor() {
        Actor::User { user_id, .. } => Some(user_id.to_string()),
        Actor::Token { .. } | Actor::Nobody => None,
    };
    let mut query = QueryBuilder::new(
        "insert into api_token (api_token_id, tenant_id, environment, name, secret_sha256, hint, actions, created_by, \
         expires_at) values (",
    );
    let mut values = query.separated(", ");
    values.push_bind(ApiTokenId::random().to_string());
    values.push_bind(place.tenant_id.to_string());
    values.push_bind(new.environment.as_str());
    values.push_bind(name);
    values.push_bind(sha256_hex(&secret));
    values.push_bind(secret::hint(&secret));
    values.push_bind(words);
    values.push_bind(created_by);
    values.push_bind(new.expires_at);
    query.push(format_args!(") returning {COLUMNS}"));
    let token: ApiToken = query.build_query_as().fetch_one(change.on()).await?;
    let after = json!({
        "name": token.name,
        "environment": token.environment,
        "actions": token.actions,
        "expiresAt": token.expires_at,
    });
    change
        .record(audit::New {
            action: "api_token.create",
            subject_id: &token.api_token_id,
            subject_name: &token.name,
            before: None,
            after: Some(after),
        })
        .await?;
    change.commit().await?;
    Ok((token, secret))
}

/// Ends a token. Ending it twice is once.
pub async fn revoke(op: &Op, token: ApiTokenId) -> Answer<ApiToken> {
    let place = op.require(Action::TokenWrite)?;
    let mut change = op.change(place).await?;
    let mut query =
        QueryBuilder::new("update api_token set revoked_at = coalesce(revoked_at, now()) where tenant_id = ");
    query.push_bind(place.tenant_id.to_string());
    query.push(" and api_token_id = ").push_bind(token.to_string());
    query.push(format_args!(" returning {COLUMNS}"));
    let found: Option<ApiToken> = query.build_query_as().fetch_optional(change.on()).await?;
    let found = found.ok_or_else(|| Problem::not_found("id", "API token"))?;
    change
        .record(audit::New {
            action: "api_token.revoke",
            subject_id: &found.api_token_id,
            subject_name: &found.name,
            before: None,
            after: Some(json!({ "revokedAt": found.revoked_at })),
        })
        .await?;
    change.commit().await?;
    Ok(found)
}
