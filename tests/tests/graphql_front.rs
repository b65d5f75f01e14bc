//! GraphQL over HTTP as callers meet it, on a real PostgreSQL: from signing up to a channel that lets a publisher in.

use std::time::Duration;

use futures::StreamExt as _;
use headwater_api::stream_key;
use headwater_model::stream_key::STREAM_KEY_TOPIC;
use headwater_tests::front::{Caller, Front, email};
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

const CHANNEL_CREATE: &str = "mutation($input: ChannelCreateInput!) { channelCreate(input: $input) {
    channel { id title version state playbackIds { id urls { hls embed } } ingest { rtmp } }
    streamKey { id hint state } streamKeySecret userErrors { code field message docsUrl } } }";

async fn channel(caller: &Caller, input: Value) -> anyhow::Result<headwater_tests::front::Answer> {
    caller.ask(CHANNEL_CREATE, json!({ "input": input })).await
}

/// What the edge would be told of a key: `None` when it lets in.
async fn refusal(front: &Front, secret: &str) -> Option<&'static str> {
    let answer = stream_key::authorize(&front.database.api, secret, chrono::Utc::now()).await;
    answer.err().map(|refusal| refusal.code())
}

#[tokio::test]
async fn somebody_new_has_a_channel_that_lets_them_publish() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let viewer = ada
        .ask("{ me { email memberships { role tenant { id slug } } } viewer { role environment actions tenant { id } } }", json!({}))
        .await?;
    assert_eq!(viewer.text("/me/email")?, email("Ada"));
    assert_eq!(viewer.text("/me/memberships/0/role")?, "OWNER");
    assert_eq!(viewer.text("/me/memberships/0/tenant/slug")?, "ada-ltd");
    assert_eq!(viewer.text("/viewer/tenant/id")?, tenant);

    let made = channel(
        &ada,
        json!({ "title": "Town hall", "reference": "hall", "metadata": { "floor": 3 } }),
    )
    .await?;
    let secret = made.text("/channelCreate/streamKeySecret")?;
    let key = made.text("/channelCreate/streamKey/id")?;
    let id = made.text("/channelCreate/channel/id")?;
    assert!(
        made.text("/channelCreate/streamKey/hint")?
            .ends_with(&secret[secret.len() - 4..])
    );
    assert!(
        made.text("/channelCreate/channel/playbackIds/0/urls/hls")?
            .ends_with("/main.m3u8")
    );
    assert_eq!(refusal(&front, &secret).await, None);

    // Rotated, both work; revoked, the old one does not, and edges are told at once.
    let rotate = "mutation($id: ID!) { streamKeyRotate(input: { id: $id, overlapS: 3600 }) { secret previous { id expiresAt } } }";
    let rotated = ada.ask(rotate, json!({ "id": key })).await?;
    let second = rotated.text("/streamKeyRotate/secret")?;
    rotated.data("/streamKeyRotate/previous/expiresAt")?;
    assert_eq!(
        (refusal(&front, &secret).await, refusal(&front, &second).await),
        (None, None)
    );
    let mut told = front.hints.subscribe(STREAM_KEY_TOPIC);
    let revoke =
        "mutation($id: ID!) { streamKeyRevoke(input: { id: $id }) { streamKey { state } userErrors { code } } }";
    let revoked = ada.ask(revoke, json!({ "id": key })).await?;
    assert_eq!(revoked.text("/streamKeyRevoke/streamKey/state")?, "REVOKED");
    assert_eq!(
        (refusal(&front, &secret).await, refusal(&front, &second).await),
        (Some("revoked"), None)
    );
    let told = tokio::time::timeout(Duration::from_secs(1), told.next()).await?;
    assert_eq!(told.as_deref(), Some(key.as_str()));

    // Switched off, nobody gets in. Deleted, it is gone for its owner too, and the log says who did what.
    let update = "mutation($id: ID!, $v: Int!) { channelUpdate(input: { id: $id, expectedVersion: $v, disabled: true, reference: null })
        { channel { state reference version title } userErrors { code field } } }";
    let off = ada.ask(update, json!({ "id": id, "v": 1 })).await?;
    assert_eq!(off.text("/channelUpdate/channel/state")?, "DISABLED");
    assert_eq!(
        off.text("/channelUpdate/channel/title")?,
        "Town hall",
        "what is left out stays"
    );
    assert_eq!(refusal(&front, &second).await, Some("disabled"));
    let stale = ada.ask(update, json!({ "id": id, "v": 1 })).await?;
    assert_eq!(
        stale.text("/channelUpdate/userErrors/0/code")?,
        "STALE",
        "a lost update is refused"
    );
    let delete = "mutation($id: ID!) { channelDelete(input: { id: $id }) { deletedId userErrors { code } } }";
    ada.ask(delete, json!({ "id": id }))
        .await?
        .data("/channelDelete/deletedId")?;
    let gone = ada
        .ask(
            "query($id: ID!) { channel(id: $id) { id } channels { totalCount } }",
            json!({ "id": id }),
        )
        .await?;
    assert_eq!(
        gone.body,
        json!({ "data": { "channel": null, "channels": { "totalCount": 0 } } })
    );
    assert_eq!(refusal(&front, &second).await, Some("unknown"));
    let log = ada
        .ask(
            "{ tenant { auditLog { nodes { action actorName subjectName before after } } } }",
            json!({}),
        )
        .await?;
    let actions: Vec<_> = log
        .data("/tenant/auditLog/nodes")?
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let words: Vec<_> = actions.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(
        words,
        [
            "channel.delete",
            "channel.update",
            "stream_key.revoke",
            "stream_key.rotate",
            "stream_key.create",
            "channel.create",
            "tenant.create"
        ]
    );
    assert!(actions.iter().all(|entry| entry["actorName"] == "Ada"));
    assert!(!log.body.to_string().contains(&second), "no secret is in the log");
    Ok(())
}

#[tokio::test]
async fn what_callers_can_mend_comes_as_user_errors_and_nothing_is_half_written() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    channel(&ada, json!({ "title": "First", "reference": "taken" }))
        .await?
        .data("/channelCreate/channel/id")?;
    let long = "\u{1f600}".repeat(201);
    for (input, code, field) in [
        (json!({ "title": "  " }), "BLANK", "title"),
        (json!({ "title": long }), "TOO_LONG", "title"),
        (json!({ "title": "a\u{0}b" }), "INVALID", "title"),
        (json!({ "title": "x", "reference": "taken" }), "TAKEN", "reference"),
        (
            json!({ "title": "x", "reconnectWindowS": -1 }),
            "OUT_OF_RANGE",
            "reconnectWindowS",
        ),
        (
            json!({ "title": "x", "bitrateMaxBps": 1 }),
            "OUT_OF_RANGE",
            "bitrateMaxBps",
        ),
        (json!({ "title": "x", "metadata": [1] }), "INVALID", "metadata"),
        (
            json!({ "title": "x", "metadata": { "k": "v".repeat(9000) } }),
            "TOO_LONG",
            "metadata",
        ),
        (
            json!({ "title": "x", "ladder": { "kind": "CUSTOM" } }),
            "INVALID",
            "ladder",
        ),
    ] {
        let answer = channel(&ada, input.clone()).await?;
        assert_eq!(answer.text("/channelCreate/userErrors/0/code")?, code, "{input}");
        assert_eq!(
            answer.data("/channelCreate/userErrors/0/field")?,
            &json!(["input", field]),
            "{input}"
        );
        assert!(
            answer
                .text("/channelCreate/userErrors/0/docsUrl")?
                .ends_with(&format!("/docs/errors#{code}"))
        );
    }
    // 200 characters of four bytes each are a fine title.
    let wide = "\u{1f600}".repeat(200);
    let made = channel(&ada, json!({ "title": wide })).await?;
    assert_eq!(made.text("/channelCreate/channel/title")?, wide);
    let count = ada.ask("{ channels { totalCount } }", json!({})).await?;
    assert_eq!(count.data("/channels/totalCount")?, 2);
    Ok(())
}

#[tokio::test]
async fn the_two_environments_have_nothing_in_common() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let test = ada.with("headwater-environment", "test");
    let made = channel(&test, json!({ "title": "Trial", "reference": "same" })).await?;
    let id = made.text("/channelCreate/channel/id")?;
    channel(&ada, json!({ "title": "Real", "reference": "same" }))
        .await?
        .data("/channelCreate/channel/id")?;
    let ask = "query($id: ID!) { channel(id: $id) { id } node(id: $id) { id } channels { nodes { title } } }";
    let live = ada.ask(ask, json!({ "id": id })).await?;
    assert_eq!(
        live.body["data"],
        json!({ "channel": null, "node": null, "channels": { "nodes": [{ "title": "Real" }] } })
    );
    let trial = test.ask(ask, json!({ "id": id })).await?;
    assert_eq!(trial.text("/node/id")?, id);
    assert_eq!(
        ada.with("headwater-environment", "stage")
            .ask("{ me { id } }", json!({}))
            .await?
            .status,
        400
    );
    Ok(())
}

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
    let short = ada
        .ask(change, json!({ "c": headwater_tests::front::PASSWORD, "n": "short" }))
        .await?;
    assert_eq!(short.text("/passwordChange/userErrors/0/code")?, "TOO_SHORT");
    ada.ask(
        change,
        json!({ "c": headwater_tests::front::PASSWORD, "n": "another long password" }),
    )
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

#[tokio::test]
async fn a_change_under_an_idempotency_key_is_made_once() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let keyed = ada.with("idempotency-key", "create-1");
    let first = channel(&keyed, json!({ "title": "Once" })).await?;
    let again = channel(&keyed, json!({ "title": "Once" })).await?;
    assert_eq!(first.body, again.body, "the same answer, its secret included");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = channel(&keyed, json!({ "title": "Another" })).await?;
    assert_eq!((other.status, other.code()), (409, "CONFLICT"));
    // What was refused may be tried again under the same key.
    let keyed = ada.with("idempotency-key", "create-2");
    let refused = channel(&keyed, json!({ "title": "" })).await?;
    assert_eq!(refused.text("/channelCreate/userErrors/0/code")?, "BLANK");
    channel(&keyed, json!({ "title": "Mended" }))
        .await?
        .data("/channelCreate/channel/id")?;
    // Many at once make one.
    let keyed = ada.with("idempotency-key", "create-3");
    let input = json!({ "title": "Crowd" });
    let (a, b, c) = tokio::try_join!(
        channel(&keyed, input.clone()),
        channel(&keyed, input.clone()),
        channel(&keyed, input.clone())
    )?;
    assert!(
        [&a, &b, &c]
            .iter()
            .any(|answer| answer.data("/channelCreate/channel/id").is_ok())
    );
    let count = ada.ask("{ channels { totalCount } }", json!({})).await?;
    assert_eq!(count.data("/channels/totalCount")?, 3);
    Ok(())
}

#[tokio::test]
async fn http_is_spoken_as_the_specification_says() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let json_type = [("content-type", "application/json")];
    let modern = [
        ("content-type", "application/json"),
        ("accept", "application/graphql-response+json"),
    ];
    let query = |text: &str| json!({ "query": text }).to_string();
    let post = async |headers: &[(&str, &str)], body: String| ada.send("POST", "/graphql", headers, body).await;
    for (headers, body, status) in [
        (&modern[..], query("{ me { email } }"), 200),
        (&modern[..], query("{ me { "), 400),
        (&modern[..], query("{ nonsense }"), 422),
        (&json_type[..], query("{ nonsense }"), 200),
        (&modern[..], query("subscription { channelsUpdated { id } }"), 422),
        (&modern[..], "{".into(), 400),
        (&modern[..], "[]".into(), 422),
        (&modern[..], "{\"query\": 1}".into(), 422),
        (
            &modern[..],
            json!({ "query": "{ me { id } }", "variables": [] }).to_string(),
            422,
        ),
        (
            &modern[..],
            json!({ "query": "query A { me { id } } query B { me { id } }" }).to_string(),
            422,
        ),
        (&[("content-type", "text/plain")][..], query("{ me { id } }"), 415),
        (
            &[("content-type", "application/json"), ("accept", "image/png")][..],
            query("{ me { id } }"),
            406,
        ),
        (&json_type[..], query(&" ".repeat(300 * 1024)), 413),
        (
            &modern[..],
            query(&format!("{}{}", "{ a".repeat(200), "}".repeat(200))),
            400,
        ),
    ] {
        let start: String = body.chars().take(60).collect();
        let answer = post(headers, body).await?;
        assert_eq!(answer.status, status, "{start}: {}", answer.body);
        assert_eq!(
            answer.body.get("data").is_none(),
            answer.body.get("errors").is_some(),
            "{start}"
        );
    }
    let by_get = ada.send("GET", "/graphql?query=%7Bme%7Bemail%7D%7D", &[], "").await?;
    assert_eq!(by_get.text("/me/email")?, email("Ada"));
    for header in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
        assert!(by_get.headers.contains_key(header), "{header}");
    }
    let change = ada
        .send("GET", "/graphql?query=mutation%7BsignOut%7BsignedOut%7D%7D", &[], "")
        .await?;
    assert_eq!((change.status, change.headers["allow"].to_str()?), (405, "POST"));
    assert_eq!(ada.send("PUT", "/graphql", &[], "").await?.status, 405);

    // Too deep and too wide.
    let link = "streamKeys(first: 1) { nodes { channel { ";
    let deep = format!(
        "{{ channels(first: 1) {{ nodes {{ {} id {} }} }} }}",
        link.repeat(6),
        "} } }".repeat(6)
    );
    assert!(
        ada.ask(&deep, json!({})).await?.body["errors"][0]["message"]
            .to_string()
            .contains("deep")
    );
    let wide = "{ channels(first: 100) { nodes { streamKeys(first: 100) { nodes { id label hint state } } } } }";
    assert!(
        ada.ask(wide, json!({})).await?.body["errors"][0]["message"]
            .to_string()
            .contains("complex")
    );
    for arguments in ["first: -1", "first: 101", "after: \"zz\"", "first: 1, last: 1"] {
        let answer = ada
            .ask(&format!("{{ channels({arguments}) {{ totalCount }} }}"), json!({}))
            .await?;
        assert_eq!(answer.code(), "BAD_INPUT", "{arguments}");
    }
    // A cookie alone does not do: other sites can send it along.
    let mut forged = ada.clone();
    forged.headers.retain(|(name, _)| name != "headwater-client");
    assert_eq!(forged.ask("{ me { id } }", json!({})).await?.status, 403);
    let elsewhere = ada.with("origin", "https://evil.example");
    assert_eq!(elsewhere.ask("{ me { id } }", json!({})).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn lists_are_walked_both_ways_and_searched() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    for n in 0..7 {
        channel(
            &ada,
            json!({ "title": format!("Stage {n}"), "reference": format!("100%_{n}") }),
        )
        .await?
        .data("/channelCreate/channel/id")?;
    }
    let walk = "query($f: Int, $a: String, $l: Int, $b: String) { channels(first: $f, after: $a, last: $l, before: $b, orderBy: { field: TITLE, direction: ASC }) {
        totalCount nodes { title } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let titles = |answer: &headwater_tests::front::Answer| -> Vec<String> {
        let nodes = answer.body["data"]["channels"]["nodes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        nodes
            .iter()
            .filter_map(|node| node["title"].as_str().map(str::to_owned))
            .collect()
    };
    let mut seen = Vec::new();
    let mut after = Value::Null;
    for _ in 0..4 {
        let page = ada.ask(walk, json!({ "f": 2, "a": after })).await?;
        assert_eq!(page.data("/channels/totalCount")?, 7);
        seen.extend(titles(&page));
        after = page.data("/channels/pageInfo/endCursor")?.clone();
        assert_eq!(page.data("/channels/pageInfo/hasNextPage")?, seen.len() < 7);
    }
    assert_eq!(seen, (0..7).map(|n| format!("Stage {n}")).collect::<Vec<_>>());
    let back = ada.ask(walk, json!({ "l": 2, "b": after })).await?;
    assert_eq!(titles(&back), ["Stage 4", "Stage 5"]);
    let found = ada
        .ask(
            "{ channels(filter: { search: \"100%_3\" }) { nodes { title } } }",
            json!({}),
        )
        .await?;
    assert_eq!(titles(&found), ["Stage 3"], "wildcards are themselves");
    let found = ada
        .ask("{ channels(filter: { state: LIVE }) { nodes { title } } }", json!({}))
        .await?;
    assert!(titles(&found).is_empty());
    Ok(())
}
