//! What can be done to webhooks.

use async_graphql::{Context, ID, InputObject, Object, Result};
use headwater_model::EventId;

use super::{WebhookDelivery, WebhookEndpoint, WebhookEvent};
use crate::access::Action;
use crate::graphql::common::{payload, settle, wanted};
use crate::op::Op;
use crate::webhook::endpoint::{self, Settings};
use crate::webhook::event::{self, Kind};

/// An endpoint to make.
#[derive(InputObject)]
pub struct WebhookEndpointCreateInput {
    /// https://…, at most 2,000 characters, on the public internet.
    url: String,
    /// At most 200 characters.
    description: Option<String>,
    /// What it is told of; left out or empty: everything.
    event_types: Option<Vec<Kind>>,
    /// Makes it without sending anything yet.
    disabled: Option<bool>,
}

/// A change of an endpoint: what is left out stays as it is.
#[derive(InputObject)]
pub struct WebhookEndpointUpdateInput {
    id: ID,
    /// The version that you have read; STALE when the endpoint has moved on.
    expected_version: i32,
    url: Option<String>,
    description: Option<String>,
    /// Empty: everything.
    event_types: Option<Vec<Kind>>,
    /// True: what waits is cancelled, and nothing new is sent. False: from now on.
    disabled: Option<bool>,
}

/// An endpoint that gets a new secret.
#[derive(InputObject)]
pub struct WebhookEndpointRotateSecretInput {
    id: ID,
    /// Seconds for which messages are signed with the old secret as well, 0 to 604800.
    #[graphql(default = 86400)]
    overlap_s: i32,
}

/// An endpoint to delete.
#[derive(InputObject)]
pub struct WebhookEndpointDeleteInput {
    id: ID,
}

/// An endpoint to try.
#[derive(InputObject)]
pub struct WebhookEndpointTestInput {
    id: ID,
}

/// An event to send again.
#[derive(InputObject)]
pub struct WebhookEventResendInput {
    event_id: ID,
    endpoint_id: ID,
}

payload!(
    /// An endpoint was made.
    WebhookEndpointCreatePayload {
        webhook_endpoint: Option<WebhookEndpoint>,
        /// What signs its messages, shown this once.
        secret: Option<String>,
    }
);
payload!(
    /// An endpoint was changed.
    WebhookEndpointUpdatePayload {
        webhook_endpoint: Option<WebhookEndpoint>,
    }
);
payload!(
    /// An endpoint has a new secret.
    WebhookEndpointRotateSecretPayload {
        webhook_endpoint: Option<WebhookEndpoint>,
        /// What signs its messages from now on, shown this once.
        secret: Option<String>,
    }
);
payload!(
    /// An endpoint was deleted.
    WebhookEndpointDeletePayload {
        deleted_id: Option<ID>,
    }
);
payload!(
    /// A message of type `webhook.test` is on its way; `webhookDeliveries` says what became of it.
    WebhookEndpointTestPayload {
        event: Option<WebhookEvent>,
    }
);
payload!(
    /// An event is on its way again.
    WebhookEventResendPayload {
        delivery: Option<WebhookDelivery>,
    }
);

/// What can be done to webhooks.
#[derive(Default)]
pub struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Makes an endpoint, up to 20. Needs WEBHOOK_WRITE.
    async fn webhook_endpoint_create(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointCreateInput,
    ) -> Result<WebhookEndpointCreatePayload> {
        let op = Op::of(ctx);
        let settings = Settings {
            url: Some(input.url),
            description: input.description,
            kinds: input.event_types,
            disabled: input.disabled,
        };
        settle(op, endpoint::create(op, settings).await, |(made, secret)| {
            WebhookEndpointCreatePayload::done(WebhookEndpoint(made), secret)
        })
    }

    /// Changes an endpoint, disables or enables it. Needs WEBHOOK_WRITE.
    async fn webhook_endpoint_update(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointUpdateInput,
    ) -> Result<WebhookEndpointUpdatePayload> {
        let op = Op::of(ctx);
        op.require(Action::WebhookWrite)?;
        let settings = Settings {
            url: input.url,
            description: input.description,
            kinds: input.event_types,
            disabled: input.disabled,
        };
        let changed = async {
            let id = wanted(&input.id, "id", "webhook endpoint")?;
            endpoint::update(op, id, input.expected_version, settings).await
        };
        settle(op, changed.await, |endpoint| {
            WebhookEndpointUpdatePayload::done(WebhookEndpoint(endpoint))
        })
    }

    /// Gives an endpoint a new secret. Needs WEBHOOK_WRITE.
    async fn webhook_endpoint_rotate_secret(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointRotateSecretInput,
    ) -> Result<WebhookEndpointRotateSecretPayload> {
        let op = Op::of(ctx);
        op.require(Action::WebhookWrite)?;
        let rotated = async {
            let id = wanted(&input.id, "id", "webhook endpoint")?;
            endpoint::rotate_secret(op, id, i64::from(input.overlap_s)).await
        };
        settle(op, rotated.await, |(endpoint, secret)| {
            WebhookEndpointRotateSecretPayload::done(WebhookEndpoint(endpoint), secret)
        })
    }

    /// Deletes an endpoint; what waits for it is not sent. Needs WEBHOOK_WRITE.
    async fn webhook_endpoint_delete(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointDeleteInput,
    ) -> Result<WebhookEndpointDeletePayload> {
        let op = Op::of(ctx);
        op.require(Action::WebhookWrite)?;
        let done = async { endpoint::delete(op, wanted(&input.id, "id", "webhook endpoint")?).await };
        settle(op, done.await, |()| {
            WebhookEndpointDeletePayload::done(input.id.clone())
        })
    }

    /// Sends an endpoint a message of type `webhook.test`, whatever it asked for. Needs WEBHOOK_WRITE.
    async fn webhook_endpoint_test(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointTestInput,
    ) -> Result<WebhookEndpointTestPayload> {
        let op = Op::of(ctx);
        op.require(Action::WebhookWrite)?;
        let told = async { event::test(op, wanted(&input.id, "id", "webhook endpoint")?).await };
        settle(op, told.await, |event| {
            WebhookEndpointTestPayload::done(WebhookEvent(event))
        })
    }

    /// Sends an event of the last 30 days to an endpoint, once more or for the first time. Needs WEBHOOK_WRITE.
    async fn webhook_event_resend(
        &self,
        ctx: &Context<'_>,
        input: WebhookEventResendInput,
    ) -> Result<WebhookEventResendPayload> {
        let op = Op::of(ctx);
        op.require(Action::WebhookWrite)?;
        let sent = async {
            let event: EventId = wanted(&input.event_id, "eventId", "event")?;
            event::resend(op, event, wanted(&input.endpoint_id, "endpointId", "webhook endpoint")?).await
        };
        settle(op, sent.await, |delivery| {
            WebhookEventResendPayload::done(WebhookDelivery(delivery))
        })
    }
}
