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
