//! What was revoked, in the schema.

use async_graphql::{Context, InputObject, Object, Result};

use super::common::{Counted, Instant, counted, counts, page_cost};
use crate::op::Op;
use crate::page::Page;
use crate::playback_token::Kind;
use crate::playback_token::revoked::{self, Revoked};

/// A playback token, or a viewer, that was sent away.
pub struct PlaybackRevocation(pub Revoked);

#[Object]
impl PlaybackRevocation {
    async fn kind(&self) -> Kind {
        match self.0.kind.as_str() {
            "token" => Kind::Token,
            _ => Kind::Viewer,
        }
    }
    /// `jti` of the token, or `viewer_id` of the viewer.
    async fn subject(&self) -> &str {
        &self.0.subject
    }
    /// When; of a viewer, the last time. Tokens that the viewer got later are good.
    async fn revoked_at(&self) -> Instant {
        Instant(self.0.revoked_at)
    }
}

/// Which revocations.
#[derive(Default, InputObject)]
pub struct PlaybackRevocationFilter {
    kind: Option<Kind>,
    /// Exactly this token or viewer.
    subject: Option<String>,
    /// In the id of the token or viewer.
    search: Option<String>,
    /// Not before.
    revoked_since: Option<Instant>,
    /// Before.
    revoked_until: Option<Instant>,
}

/// Revocations that can be asked for.
#[derive(Default)]
pub struct RevocationQuery;

#[Object]
impl RevocationQuery {
    /// The tokens and viewers of the environment that were revoked in the last 31 days, newest first: what was revoked before
    /// has expired. Needs VIEWER_REVOKE.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn playback_revocations(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<PlaybackRevocationFilter>,
    ) -> Result<Counted<PlaybackRevocation>> {
        let filter = filter.unwrap_or_default();
        let filter = revoked::Filter {
            kind: filter.kind,
            subject: filter.subject,
            search: filter.search,
            since: filter.revoked_since.map(|at| at.0),
            until: filter.revoked_until.map(|at| at.0),
        };
        let page = Page::new(first, after, last, before)?;
        let paged = revoked::list(Op::of(ctx), &filter, &page, counts(ctx)).await?;
        Ok(counted(paged, PlaybackRevocation))
    }
}
