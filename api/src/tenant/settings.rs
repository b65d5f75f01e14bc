//! Tenants as their members see and change them.

use chrono::{DateTime, Utc};
use headwater_model::{TenantId, UserId};
use serde_json::json;
use sqlx::FromRow;

use crate::access::{Action, Role};
use crate::database::{DatabaseError, Tx, enter};
use crate::op::Op;
use crate::problem::{Answer, Code, Problem, text};
use crate::user::place_of;
use crate::{audit, member, secret};

/// Characters of a tenant's name at most.
pub const NAME_CHARS_MAX: usize = 200;
/// Tenants that one person may belong to.
pub const MEMBERSHIPS_MAX: i64 = 50;

/// A tenant's settings.
#[derive(Clone, Debug, FromRow)]
pub struct Settings {
    /// Its id.
    pub tenant_id: String,
    /// Its short name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Since when it may not publish.
    pub suspended_at: Option<DateTime<Utc>>,
    /// Since when it exists.
    pub created_at: DateTime<Utc>,
    /// Goes up with every change.
    pub version: i32,
}

/// What outsiders-to-be see of a tenant.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its id.
    pub id: TenantId,
    /// Its short name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// The operation's tenant.
pub async fn of_op(op: &Op) -> Answer<Settings> {
    let place = op.require(Action::TenantRead)?;
    let mut tx = op.look(place).await?;
    let found = sqlx::query_as(
        "select tenant_id, slug, name, suspended_at, created_at, version from tenant where tenant_id = $1",
    )
    .bind(place.tenant_id.as_str())
    .fetch_one(&mut *tx)
    .await?;
    Ok(found)
}

/// Makes a tenant that the signed-in person owns.
pub async fn create_for(op: &Op, name: &str) -> Answer<Summary> {
    let user = op.user()?;
    let name = text("name", name, NAME_CHARS_MAX)?;
    let mut tx = op.services().database.door(Some(user)).await?;
    let many: i64 = sqlx::query_scalar("select count(*) from member where user_id = $1")
        .bind(user.as_str())
        .fetch_one(&mut *tx)
        .await?;
    if many >= MEMBERSHIPS_MAX {
        let sentence = format!("One person belongs to at most {MEMBERSHIPS_MAX} tenants.");
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    found(op, tx, user, &name).await
}

/// Founds a tenant in a transaction that began at the door, and ends it.
pub(crate) async fn found(op: &Op, mut tx: Tx, owner: UserId, name: &str) -> Answer<Summary> {
    let id = TenantId::random();
    enter(&mut tx, id).await?;
    let wanted = slug_of(name);
    let mut slug = wanted.clone();
    // Another tenant may have the slug; the second try is random and meets nobody's.
    for attempt in 0.. {
        let done = sqlx::query("insert into tenant (tenant_id, slug, name) values ($1, $2, $3) on conflict do nothing")
            .bind(id.as_str())
            .bind(&slug)
            .bind(name)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 1 {
            break;
        }
        if attempt == 3 {
            return Err(Problem::mend(
                Code::Taken,
                "name",
                "Choose another name: this one could not be used.",
            ));
        }
        let random = &secret::sha256_hex(&secret::random(secret::Kind::Invitation))[..8];
        slug = format!("{wanted}-{random}");
    }
    member::insert(&mut tx, id, owner, Role::Owner).await?;
    // The idempotency key of a request belongs to the tenant that it was sent to, which is another.
    let place = place_of(id);
    audit::insert(
        &mut tx,
        op,
        place,
        audit::New {
            action: "tenant.create",
            subject_id: id.as_str(),
            subject_name: name,
            before: None,
            after: Some(json!({ "name": name, "slug": slug })),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Summary {
        id,
        slug,
        name: name.to_owned(),
    })
}

/// Changes name or slug. Fails with [`Code::Stale`] when somebody else changed the tenant since `expected_version`.
pub async fn update(op: &Op, expected_version: i32, name: Option<&str>, slug: Option<&str>) -> Answer<Settings> {
    let place = op.require(Action::TenantWrite)?;
    let name = name.map(|name| text("name", name, NAME_CHARS_MAX)).transpose()?;
    let mut change = op.change(place).await?;
    let before: Settings = sqlx::query_as(
        "select tenant_id, slug, name, suspended_at, created_at, version from tenant where tenant_id = $1 for update",
    )
    .bind(place.tenant_id.as_str())
    .fetch_one(change.on())
    .await?;
    if before.version != expected_version {
        return Err(Problem::stale("tenant"));
    }
    let after = sqlx::query_as(
        "update tenant set name = coalesce($2, name), slug = coalesce($3, slug), version = version + 1 \
         where tenant_id = $1 returning tenant_id, slug, name, suspended_at, created_at, version",
    )
    .bind(place.tenant_id.as_str())
    .bind(name)
    .bind(slug)
    .fetch_one(change.on())
    .await;
    let after: Settings = after.map_err(|error| {
        let error = DatabaseError::from(error);
        match error.constraint() {
            Some("tenant_slug_key") => Problem::mend(Code::Taken, "slug", "Another tenant has this slug."),
            Some("tenant_slug_form") => {
                let sentence = "A slug is 1 to 63 of a to z, 0 to 9 and hyphens inside.";
                Problem::mend(Code::Invalid, "slug", sentence)
            }
            _ => error.into(),
        }
    })?;
    change
        .record(audit::New {
            action: "tenant.update",
            subject_id: place.tenant_id.as_str(),
            subject_name: &after.name,
            before: Some(json!({ "name": before.name, "slug": before.slug })),
            after: Some(json!({ "name": after.name, "slug": after.slug })),
        })
        .await?;
    change.commit().await?;
    Ok(after)
}

/// A slug like the name; at most 50 characters, so that there is room for more.
fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' if slug.len() < 50 => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') && slug.len() < 50 => slug.push('-'),
            _ => {}
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "team".to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::slug_of;

    #[test]
    fn slugs_look_like_their_names() {
        for (name, slug) in [
            ("Acme Ltd.", "acme-ltd"),
            ("  São Paulo -- TV ", "s-o-paulo-tv"),
            ("\u{30c6}\u{30ec}\u{30d3}", "team"),
            (&"x".repeat(200), &"x".repeat(50)),
        ] {
            assert_eq!(slug_of(name), slug);
        }
    }
}
