//! Who may come in: tokens, members, invitations, sessions.

use headwater_tests::front::{Front, PASSWORD, email};
use serde_json::{Value, json};

use crate::{Outcome, channel};

#[tokio::test]
async fn tokens_do_what_they_were_made_for_and_no_more() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let create = "mutation($input: ApiTokenCreateInput!) { apiTokenCreate(input: $input) { apiToken { id hint } secret userErrors { code field } } }";
    let input = json!({ "name": "reader", "environment": "LIVE", "actions": ["CHANNEL_READ", "TOKEN_WRITE"] });
    let made = ada.ask(create, json!({ "input": input })).await?;
    let (id, secret) = (
        made.text("/apiTokenCreate/apiToken/id")?,
        made.text("/apiTokenCreate/secret")?,
    );
    let reader = front.program(&secret);
    assert_eq!(
        reader
            .ask("{ channels { totalCount } me { id } }", json!({}))
            .await?
            .body["data"]["me"],
        Value::Null
    );
    assert_eq!(channel(&reader, json!({ "title": "x" })).await?.code(), "FORBIDDEN");
    // A token hands out nothing that it does not have.
    let more = json!({ "name": "writer", "environment": "LIVE", "actions": ["CHANNEL_WRITE"] });
    let refused = reader.ask(create, json!({ "input": more })).await?;
    assert_eq!(refused.text("/apiTokenCreate/userErrors/0/code")?, "ROLE");
    let revoke = "mutation($id: ID!) { apiTokenRevoke(input: { id: $id }) { apiToken { revokedAt } } }";
    ada.ask(revoke, json!({ "id": id }))
        .await?
        .data("/apiTokenRevoke/apiToken/revokedAt")?;
    let ended = reader.ask("{ channels { totalCount } }", json!({})).await?;
    assert_eq!((ended.status, ended.code()), (401, "UNAUTHENTICATED"));
    for garbage in ["", "hw_live_x", &secret.replace("live", "test")] {
        let caller = front.nobody().with("authorization", &format!("Bearer {garbage}"));
        assert_eq!(caller.ask("{ me { id } }", json!({})).await?.status, 401, "{garbage}");
    }
    Ok(())
}

#[tokio::test]
async fn people_are_invited_get_roles_and_leave_and_an_owner_stays() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let (bob, _) = front.sign_up("Bob").await?;
    let (eve, _) = front.sign_up("Eve").await?;
    let invite = "mutation($e: String!, $r: Role!) { invitationCreate(input: { email: $e, role: $r }) { secret userErrors { code } } }";
    let invited = ada.ask(invite, json!({ "e": "BOB@example.com", "r": "ADMIN" })).await?;
    let secret = invited.text("/invitationCreate/secret")?;
    let accept =
        "mutation($s: String!) { invitationAccept(input: { secret: $s }) { tenant { id } userErrors { code } } }";
    let astray = eve.ask(accept, json!({ "s": secret })).await?;
    assert_eq!(
        astray.text("/invitationAccept/userErrors/0/code")?,
        "ROLE",
        "a link that went astray lets nobody in"
    );
    let preview = front
        .nobody()
        .ask(
            "query($s: String!) { invitationPreview(secret: $s) { tenantName role } }",
            json!({ "s": secret }),
        )
        .await?;
    assert_eq!(preview.text("/invitationPreview/tenantName")?, "Ada Ltd");
    assert_eq!(
        bob.ask(accept, json!({ "s": secret }))
            .await?
            .text("/invitationAccept/tenant/id")?,
        tenant
    );
    let again = bob.ask(accept, json!({ "s": secret })).await?;
    assert_eq!(
        again.text("/invitationAccept/userErrors/0/code")?,
        "NOT_FOUND",
        "an invitation is good once"
    );

    let bob = bob.with("headwater-tenant", &tenant);
    let members = "{ tenant { members { totalCount nodes { id role isMe user { email } } } } }";
    let listed = bob.ask(members, json!({})).await?;
    assert_eq!(listed.data("/tenant/members/totalCount")?, 2);
    let id_of = |email: &str| -> Option<String> {
        let nodes = listed.body.pointer("/data/tenant/members/nodes")?.as_array()?;
        let found = nodes.iter().find(|node| node["user"]["email"] == email)?;
        Some(found["id"].as_str()?.to_owned())
    };
    let (ada_id, bob_id) = (
        id_of(&email("Ada")).unwrap_or_default(),
        id_of(&email("Bob")).unwrap_or_default(),
    );
    let role = "mutation($id: ID!, $r: Role!) { memberUpdate(input: { id: $id, role: $r }) { member { role } userErrors { code } } }";
    for (caller, id, to, code) in [
        (&bob, &ada_id, "BILLING", "ROLE"),
        (&bob, &bob_id, "OWNER", "ROLE"),
        (&ada, &ada_id, "ADMIN", "ROLE"),
    ] {
        let refused = caller.ask(role, json!({ "id": id, "r": to })).await?;
        assert_eq!(refused.text("/memberUpdate/userErrors/0/code")?, code, "{to}");
    }
    assert_eq!(
        ada.ask(role, json!({ "id": bob_id, "r": "ANALYST" }))
            .await?
            .text("/memberUpdate/member/role")?,
        "ANALYST"
    );
    assert_eq!(
        channel(&bob, json!({ "title": "x" })).await?.code(),
        "FORBIDDEN",
        "a role counts at once"
    );
    let remove = "mutation($id: ID!) { memberRemove(input: { id: $id }) { removedId userErrors { code } } }";
    let last = ada.ask(remove, json!({ "id": ada_id })).await?;
    assert_eq!(
        last.text("/memberRemove/userErrors/0/code")?,
        "ROLE",
        "the last owner stays"
    );
    assert_eq!(
        bob.ask(remove, json!({ "id": bob_id }))
            .await?
            .text("/memberRemove/removedId")?,
        bob_id
    );
    assert_eq!(
        bob.ask("{ channels { totalCount } }", json!({})).await?.code(),
        "FORBIDDEN"
    );
    Ok(())
}

#[tokio::test]
async fn sessions_end_when_they_are_ended_and_passwords_guard_them() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let second = front.sign_in("Ada").await?;
    let sessions = "{ me { sessions { nodes { id current } } } }";
    let listed = ada.ask(sessions, json!({})).await?;
    let nodes = listed
        .data("/me/sessions/nodes")?
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert_eq!(nodes.len(), 2);
    let other = nodes
        .iter()
        .find(|node| node["current"] == false)
        .map(|node| node["id"].clone());
    let revoke = "mutation($id: ID) { sessionRevoke(input: { id: $id }) { revokedIds userErrors { code } } }";
    assert_eq!(
        ada.ask(revoke, json!({ "id": other }))
            .await?
            .data("/sessionRevoke/revokedIds")?,
        &json!([other])
    );
    assert_eq!(
        second.ask("{ me { id } }", json!({})).await?.body["data"]["me"],
        Value::Null
    );

    let third = front.sign_in("Ada").await?;
    let change = "mutation($c: String!, $n: String!) { passwordChange(input: { currentPassword: $c, newPassword: $n }) { user { id } userErrors { code } } }";
    let wrong = ada
        .ask(change, json!({ "c": "not my password", "n": "another long password" }))
        .await?;
    assert_eq!(wrong.text("/passwordChange/userErrors/0/code")?, "CREDENTIALS");
    let short = ada.ask(change, json!({ "c": PASSWORD, "n": "short" })).await?;
    assert_eq!(short.text("/passwordChange/userErrors/0/code")?, "TOO_SHORT");
    ada.ask(change, json!({ "c": PASSWORD, "n": "another long password" }))
        .await?
        .data("/passwordChange/user/id")?;
    assert_eq!(
        third.ask("{ me { id } }", json!({})).await?.body["data"]["me"],
        Value::Null,
        "other sessions have ended"
    );
    let out = ada.ask("mutation { signOut { signedOut } }", json!({})).await?;
    assert_eq!(out.data("/signOut/signedOut")?, true);
    assert!(out.headers["set-cookie"].to_str()?.contains("Max-Age=0"));
    assert_eq!(
        ada.ask("{ me { id } }", json!({})).await?.body["data"]["me"],
        Value::Null
    );

    let sign_in = "mutation($e: String!, $p: String!) { signIn(input: { email: $e, password: $p }) { user { id } userErrors { code message } } }";
    let mut sentences = Vec::new();
    for address in [email("Ada"), email("Nobody")] {
        let refused = front
            .nobody()
            .ask(sign_in, json!({ "e": address, "p": "wrong password here" }))
            .await?;
        sentences.push(refused.text("/signIn/userErrors/0/message")?);
    }
    assert_eq!(sentences[0], sentences[1], "nobody learns who has an account");
    for _ in 0..10 {
        front
            .nobody()
            .ask(sign_in, json!({ "e": email("Ada"), "p": "guess after guess" }))
            .await?;
    }
    let throttled = front
        .nobody()
        .ask(sign_in, json!({ "e": email("Ada"), "p": "guess after guess" }))
        .await?;
    assert_eq!(throttled.code(), "RATE_LIMITED");
    Ok(())
}
