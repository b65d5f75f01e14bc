//! What can go wrong with a tenant.

use headwater_model::TenantId;

use crate::DatabaseError;

/// Why a tenant was not created or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another tenant has the slug.
    #[error("another tenant is called {slug:?}")]
    SlugTaken {
        /// The wanted slug.
        slug: String,
    },
    /// A slug that cannot stand in an address.
    #[error("a slug is 1 to 63 of a to z, 0 to 9 and hyphens inside; {slug:?} is not")]
    SlugForm {
        /// The wanted slug.
        slug: String,
    },
    /// Empty or too long.
    #[error("a tenant's name has 1 to 200 characters")]
    NameLength,
    /// No such tenant.
    #[error("there is no tenant {0}")]
    Unknown(TenantId),
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Error {
    /// Names the constraint that a write for `slug` violated.
    pub(super) fn of_write(error: sqlx::Error, slug: &str) -> Self {
        let error = DatabaseError::from(error);
        match error.constraint() {
            Some("tenant_slug_key") => Self::SlugTaken { slug: slug.to_owned() },
            Some("tenant_slug_form") => Self::SlugForm { slug: slug.to_owned() },
            Some("tenant_name_length") => Self::NameLength,
            _ => Self::Database(error),
        }
    }
}
