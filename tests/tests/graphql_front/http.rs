//! The transport: methods, types, statuses, limits.

use headwater_tests::front::{Front, email};
use serde_json::json;

use crate::Outcome;

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
