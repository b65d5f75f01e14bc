//! Input that is refused, and requests that are sent again.

use headwater_tests::front::Front;
use serde_json::json;

use crate::{Outcome, channel};

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
        (
            json!({ "title": "x", "ladder": { "kind": "CUSTOM", "steps": [
                { "shortSide": 720, "bitrateBps": 2_000_000 }, { "shortSide": 360, "bitrateBps": 1 },
            ] } }),
            "INVALID",
            "ladder.steps.1.bitrateBps",
        ),
        (
            json!({ "title": "x", "ladder": { "kind": "CUSTOM", "steps": [
                { "shortSide": 720, "bitrateBps": 2_000_000 }, { "shortSide": 720, "bitrateBps": 900_000 },
            ] } }),
            "INVALID",
            "ladder.steps.1.shortSide",
        ),
    ] {
        let answer = channel(&ada, input.clone()).await?;
        assert_eq!(answer.text("/channelCreate/userErrors/0/code")?, code, "{input}");
        assert_eq!(
            answer.data("/channelCreate/userErrors/0/field")?,
            &json!(std::iter::once("input").chain(field.split('.')).collect::<Vec<_>>()),
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
