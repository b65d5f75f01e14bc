//! Accounts end to end, over the api's real router on a real PostgreSQL: what is mailed, as a real mail server gets it, and what it
//! leads to.

mod mail;
mod oidc;
mod operators;
mod second_factor;

use headwater_api::mail::{Mailer, Postman, Rules, Way};
use headwater_platform::Secret;
use headwater_tests::front::{Answer, Caller, Front, email};
use headwater_tests::smtp::MailServer;
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

type Outcome = anyhow::Result<()>;

const SENDER: &str = "Headwater <no-reply@headwater.test>";

/// Everything as usual, but much faster.
fn hasty() -> Rules {
    Rules {
        waits: (Duration::from_millis(20), Duration::from_millis(80)),
        attempt: Duration::from_secs(5),
        ..Rules::default()
    }
}

/// Sends as the api process does, until dropped.
fn send(front: &Front, rules: Rules) -> AbortOnDropHandle<()> {
    let postman = Postman::new(&front.services, rules, CancellationToken::new());
    AbortOnDropHandle::new(tokio::spawn(postman.run()))
}

/// A way to a mail server that speaks in the clear.
fn to(server: &MailServer) -> anyhow::Result<Mailer> {
    headwater_platform::install_crypto();
    let url = Secret::new(format!("smtp://{}?tls=none", server.address));
    Mailer::new(Way::server(&url, &[])?, SENDER)
}

async fn request_reset(front: &Front, address: &str) -> anyhow::Result<Answer> {
    let asked = "mutation($e: String!) { passwordResetRequest(input: { email: $e }) { requested userErrors { code message } } }";
    front.nobody().ask(asked, json!({ "e": address })).await
}

async fn reset(front: &Front, secret: &str, password: &str) -> anyhow::Result<Answer> {
    let asked = "mutation($s: String!, $p: String!) { passwordReset(input: { secret: $s, newPassword: $p })
        { user { id } userErrors { code field } } }";
    front.nobody().ask(asked, json!({ "s": secret, "p": password })).await
}

async fn sign_in(front: &Front, name: &str, password: &str) -> anyhow::Result<Answer> {
    let asked = "mutation($e: String!, $p: String!) { signIn(input: { email: $e, password: $p }) { user { id } userErrors { code } } }";
    front
        .nobody()
        .ask(asked, json!({ "e": email(name), "p": password }))
        .await
}

/// The actions in the tenant's log, newest first.
async fn logged(caller: &Caller) -> anyhow::Result<Vec<String>> {
    let log = caller
        .ask("{ tenant { auditLog { nodes { action } } } }", json!({}))
        .await?;
    let nodes = log
        .data("/tenant/auditLog/nodes")?
        .as_array()
        .cloned()
        .unwrap_or_default();
    Ok(nodes
        .iter()
        .filter_map(|node| node["action"].as_str().map(str::to_owned))
        .collect())
}
