//! What has to be said of everything new in the schema and in the database.

use headwater_api::access::Action;

/// What a field of the schema's roots takes to be answered: `None`: nothing at all, `Some(None)`: to be signed in.
pub(crate) fn needs(field: &str) -> Option<Option<Action>> {
    use Action::*;
    Some(Some(match field {
        // About oneself, by a secret that one knows, or to come in.
        "me" | "viewer" | "signInOptions" | "invitationPreview" | "signUp" | "signIn" | "signOut" => return None,
        "passwordResetRequest" | "passwordReset" | "emailVerify" | "signInSecondFactor" => return None,
        "sessionRevoke" | "userUpdate" | "passwordChange" | "tenantCreate" | "invitationAccept" => return Some(None),
        "emailVerificationRequest" | "totpEnrol" | "totpConfirm" | "totpDisable" | "recoveryCodesReplace" => {
            return Some(None);
        }
        "node" | "tenant" | "memberRemove" => TenantRead,
        "tenantUpdate" => TenantWrite,
        "memberUpdate" | "invitationCreate" | "invitationResend" | "invitationRevoke" => MemberWrite,
        "apiTokenCreate" | "apiTokenRevoke" => TokenWrite,
        "channel" | "channels" | "playbackId" | "channelUpdated" | "channelsUpdated" => ChannelRead,
        "channelCreate" | "channelUpdate" | "channelDelete" | "playbackIdCreate" | "playbackIdDelete" => ChannelWrite,
        "streamKey" => StreamKeyRead,
        "streamKeyCreate" | "streamKeyUpdate" | "streamKeyRotate" | "streamKeyRevoke" => StreamKeyWrite,
        "broadcast" | "broadcasts" | "broadcastUpdated" | "broadcastHealth" => BroadcastRead,
        "broadcastEnd" => BroadcastWrite,
        "asset" | "assets" => AssetRead,
        "assetUpdate" | "assetDelete" | "assetRestore" => AssetWrite,
        "signingKey" | "signingKeys" => SigningKeyRead,
        "signingKeyCreate" | "signingKeyImport" | "signingKeyRevoke" => SigningKeyWrite,
        "playbackTokenCreate" => PlaybackTokenCreate,
        "playbackRevocations" | "playbackViewerRevoke" | "playbackTokenRevoke" => ViewerRevoke,
        "webhookEndpoint" | "webhookEndpoints" | "webhookEvent" | "webhookEvents" | "webhookDelivery"
        | "webhookDeliveries" => WebhookRead,
        "webhookEndpointCreate"
        | "webhookEndpointUpdate"
        | "webhookEndpointRotateSecret"
        | "webhookEndpointDelete"
        | "webhookEndpointTest"
        | "webhookEventResend" => WebhookWrite,
        unknown => panic!("{unknown} is new in the schema: say here what it takes"),
    }))
}

/// These end or make sessions of the caller's own, and have tests of their own.
pub(crate) const OWN_SESSIONS: &[&str] = &[
    "signUp",
    "signIn",
    "signOut",
    "sessionRevoke",
    "passwordChange",
    "userUpdate",
];

/// The tables of tenants that the role of their requests may read.
pub(crate) const READABLE: &[&str] = &[
    "tenant",
    "channel",
    "stream_key",
    "playback_id",
    "broadcast",
    "publish",
    "lease",
    "asset",
    "member",
    "invitation",
    "api_token",
    "audit_entry",
    "idempotency",
    "event_counter",
    "webhook_event",
    "webhook_endpoint",
    "webhook_queue",
    "webhook_delivery",
    "signing_key",
    "playback_revocation",
];
