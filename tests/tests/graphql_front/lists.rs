//! Lists page by page.

use headwater_tests::front::{Answer, Front};
use serde_json::{Value, json};

use crate::{Outcome, channel};

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
    let titles = |answer: &Answer| -> Vec<String> {
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

#[tokio::test]
async fn what_was_revoked_is_listed_by_kind_word_and_time() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, tenant) = front.sign_up("Ada").await?;
    let viewer = "mutation($x: String!) { playbackViewerRevoke(input: { viewerId: $x }) { viewerId } }";
    let token = "mutation($x: String!) { playbackTokenRevoke(input: { tokenId: $x }) { tokenId } }";
    // An id may hold anything, and a token may be called as a viewer is.
    for (asked, subject) in [
        (viewer, "viewer 1"),
        (viewer, "100%_2"),
        (token, "viewer 1"),
        (viewer, "Žofie: 3"),
        (token, "jti-4"),
    ] {
        let done = ada.ask(asked, json!({ "x": subject })).await?;
        assert!(done.code().is_empty(), "{}", done.body);
    }
    let elsewhere = ada.with("headwater-environment", "test");
    elsewhere.ask(viewer, json!({ "x": "in test" })).await?;
    let list = "query($f: Int, $a: String, $w: PlaybackRevocationFilter) { playbackRevocations(first: $f, after: $a, filter: $w) {
        totalCount nodes { kind subject revokedAt } pageInfo { hasNextPage endCursor } } }";
    let subjects = |answer: &Answer| -> Vec<String> {
        let nodes = answer.body["data"]["playbackRevocations"]["nodes"].as_array().cloned();
        let word = |node: &Value, name: &str| node[name].as_str().unwrap_or_default().to_owned();
        let nodes = nodes.unwrap_or_default();
        nodes
            .iter()
            .map(|node| word(node, "kind") + " " + &word(node, "subject"))
            .collect()
    };
    let newest_first = [
        "TOKEN jti-4",
        "VIEWER Žofie: 3",
        "TOKEN viewer 1",
        "VIEWER 100%_2",
        "VIEWER viewer 1",
    ];
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let page = ada.ask(list, json!({ "f": 2, "a": after })).await?;
        assert_eq!(page.data("/playbackRevocations/totalCount")?, 5);
        seen.extend(subjects(&page));
        after = page.data("/playbackRevocations/pageInfo/endCursor")?.clone();
        assert_eq!(page.data("/playbackRevocations/pageInfo/hasNextPage")?, seen.len() < 5);
    }
    assert_eq!(seen, newest_first);
    let whole = ada.ask(list, json!({})).await?;
    let third = whole.text("/playbackRevocations/nodes/2/revokedAt")?;
    for (filter, expected) in [
        (json!({ "kind": "TOKEN" }), &["TOKEN jti-4", "TOKEN viewer 1"][..]),
        (json!({ "subject": "viewer 1" }), &["TOKEN viewer 1", "VIEWER viewer 1"]),
        (json!({ "kind": "VIEWER", "subject": "viewer 1" }), &["VIEWER viewer 1"]),
        (json!({ "subject": "viewer" }), &[]),
        (json!({ "search": "%_2" }), &["VIEWER 100%_2"]),
        (json!({ "search": "ofie" }), &["VIEWER Žofie: 3"]),
        (json!({ "revokedUntil": third }), &["VIEWER 100%_2", "VIEWER viewer 1"]),
    ] {
        let found = ada.ask(list, json!({ "w": filter })).await?;
        assert_eq!(subjects(&found), expected, "{filter}");
    }
    assert_eq!(subjects(&elsewhere.ask(list, json!({})).await?), ["VIEWER in test"]);
    // What no token of before outlives is left out, as origins leave it out.
    sqlx::query("update playback_revocation set revoked_at = now() - interval '32 days' where tenant_id = $1 and kind = 'token'")
        .bind(&tenant)
        .execute(&mut front.database.connect().await?)
        .await?;
    assert_eq!(
        ada.ask(list, json!({}))
            .await?
            .data("/playbackRevocations/totalCount")?,
        3
    );
    // A program needs VIEWER_REVOKE.
    for (action, code) in [("SIGNING_KEY_READ", "FORBIDDEN"), ("VIEWER_REVOKE", "")] {
        let made = "mutation($a: [Action!]!) { apiTokenCreate(input: { name: \"t\", environment: LIVE, actions: $a }) { secret } }";
        let made = ada.ask(made, json!({ "a": [action] })).await?;
        let program = front.program(&made.text("/apiTokenCreate/secret")?);
        assert_eq!(program.ask(list, json!({})).await?.code(), code, "{action}");
    }
    Ok(())
}
