//! Who may do what: one table of roles and actions.

use std::str::FromStr;

use async_graphql::Enum;

/// One thing that a member or a token may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enum)]
pub enum Action {
    /// See the tenant's name and settings.
    TenantRead,
    /// Change them.
    TenantWrite,
    /// See members and invitations.
    MemberRead,
    /// Invite, change and remove members.
    MemberWrite,
    /// See API tokens, without their secrets.
    TokenRead,
    /// Create and revoke API tokens.
    TokenWrite,
    /// Read the audit log.
    AuditRead,
    /// See channels and playback ids.
    ChannelRead,
    /// Create, change and delete them.
    ChannelWrite,
    /// See stream keys, without their secrets.
    StreamKeyRead,
    /// Create, change, rotate and revoke them.
    StreamKeyWrite,
    /// See broadcasts.
    BroadcastRead,
    /// End them.
    BroadcastWrite,
    /// See replays.
    AssetRead,
    /// Change, delete and restore replays.
    AssetWrite,
    /// See signing keys.
    SigningKeyRead,
    /// Create, import and revoke signing keys.
    SigningKeyWrite,
    /// Have playback tokens made.
    PlaybackTokenCreate,
    /// Send viewers away and end playback tokens.
    ViewerRevoke,
    /// See webhook endpoints, their log, and every event of the environment.
    WebhookRead,
    /// Create, change and delete webhook endpoints, and have events sent again.
    WebhookWrite,
}

use Action::*;

impl Action {
    /// Every action and its word in PostgreSQL.
    pub const ALL: [(Self, &'static str); 21] = [
        (TenantRead, "tenant_read"),
        (TenantWrite, "tenant_write"),
        (MemberRead, "member_read"),
        (MemberWrite, "member_write"),
        (TokenRead, "token_read"),
        (TokenWrite, "token_write"),
        (AuditRead, "audit_read"),
        (ChannelRead, "channel_read"),
        (ChannelWrite, "channel_write"),
        (StreamKeyRead, "stream_key_read"),
        (StreamKeyWrite, "stream_key_write"),
        (BroadcastRead, "broadcast_read"),
        (BroadcastWrite, "broadcast_write"),
        (AssetRead, "asset_read"),
        (AssetWrite, "asset_write"),
        (SigningKeyRead, "signing_key_read"),
        (SigningKeyWrite, "signing_key_write"),
        (PlaybackTokenCreate, "playback_token_create"),
        (ViewerRevoke, "viewer_revoke"),
        (WebhookRead, "webhook_read"),
        (WebhookWrite, "webhook_write"),
    ];

    /// Its word in PostgreSQL.
    pub fn as_str(self) -> &'static str {
        let named = Self::ALL.iter().find(|(action, _)| *action == self);
        named.map(|(_, word)| *word).expect("ALL holds every action")
    }

    /// The action of a word; `None` for one that this build does not know, which then allows nothing.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(action, _)| *action)
    }
}

/// What a member is in a tenant. Each has its row in [`Role::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum Role {
    /// Everything, and the only one who makes owners.
    Owner,
    /// Everything but making, changing and removing owners.
    Admin,
    /// Channels, keys and tokens.
    Developer,
    /// Looks and changes nothing.
    Analyst,
    /// Sees the tenant and its members.
    Billing,
}

/// Not a role's word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role")]
pub struct RoleError(String);

impl Role {
    /// Every role, the most powerful first.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Developer, Self::Analyst, Self::Billing];

    /// What it may do.
    pub fn actions(self) -> &'static [Action] {
        match self {
            Self::Owner | Self::Admin => &[
                TenantRead,
                TenantWrite,
                MemberRead,
                MemberWrite,
                TokenRead,
                TokenWrite,
                AuditRead,
                ChannelRead,
                ChannelWrite,
                StreamKeyRead,
                StreamKeyWrite,
                BroadcastRead,
                BroadcastWrite,
                AssetRead,
                AssetWrite,
                SigningKeyRead,
                SigningKeyWrite,
                PlaybackTokenCreate,
                ViewerRevoke,
                WebhookRead,
                WebhookWrite,
            ],
            Self::Developer => &[
                TenantRead,
                MemberRead,
                TokenRead,
                TokenWrite,
                ChannelRead,
                ChannelWrite,
                StreamKeyRead,
                StreamKeyWrite,
                BroadcastRead,
                BroadcastWrite,
                AssetRead,
                AssetWrite,
                SigningKeyRead,
                SigningKeyWrite,
                PlaybackTokenCreate,
                ViewerRevoke,
                WebhookRead,
                WebhookWrite,
            ],
            Self::Analyst => &[TenantRead, MemberRead, ChannelRead, BroadcastRead, AssetRead],
            Self::Billing => &[TenantRead, MemberRead],
        }
    }

    /// Whether a member of this role may give, change or take `other`: only owners touch owners.
    pub fn may_touch(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => other != Self::Owner,
            Self::Developer | Self::Analyst | Self::Billing => false,
        }
    }

    /// As a sentence names somebody who has it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Owner => "an owner",
            Self::Admin => "an administrator",
            Self::Developer => "a developer",
            Self::Analyst => "an analyst",
            Self::Billing => "a contact for billing",
        }
    }

    /// Its word in PostgreSQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Analyst => "analyst",
            Self::Billing => "billing",
        }
    }
}

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(word: &str) -> Result<Self, RoleError> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == word);
        found.ok_or_else(|| RoleError(word.to_owned()))
    }
}

/// Live data or test data: the same tenant, nothing in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Enum)]
pub enum Environment {
    /// What viewers watch.
    #[default]
    Live,
    /// What engineers try.
    Test,
}

/// Neither `live` nor `test`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an environment is \"live\" or \"test\", not {0:?}")]
pub struct EnvironmentError(String);

impl Environment {
    /// Its word in PostgreSQL, in headers and in tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl FromStr for Environment {
    type Err = EnvironmentError;
    fn from_str(word: &str) -> Result<Self, EnvironmentError> {
        match word {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            other => Err(EnvironmentError(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_below_another_may_do_less() {
        for (index, role) in Role::ALL.iter().enumerate() {
            for lower in &Role::ALL[index..] {
                for action in lower.actions() {
                    assert!(
                        role.actions().contains(action),
                        "{role:?} lacks {action:?} of {lower:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn words_round_trip() {
        for (action, word) in Action::ALL {
            assert_eq!(Action::of_word(word), Some(action));
            assert_eq!(action.as_str(), word);
        }
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!(
            Role::Owner.actions().len(),
            Action::ALL.len(),
            "an owner may do everything"
        );
    }

    #[test]
    fn only_owners_touch_owners() {
        assert!(Role::Owner.may_touch(Role::Owner) && Role::Admin.may_touch(Role::Admin));
        assert!(!Role::Admin.may_touch(Role::Owner) && !Role::Developer.may_touch(Role::Billing));
    }
}
