//! At least once, whoever fails: retries, a queue for each endpoint, several processes, the log.

use std::time::{Duration, Instant};

use headwater_api::webhook::Rules;
use headwater_tests::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use super::{Outcome, deliver, deliveries, endpoint, front, hasty, look, settled, verifies};

#[tokio::test]
async fn a_failing_endpoint_is_tried_again_with_the_same_message() -> Outcome {
    let front = front().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let flaky = Receiver::answering("127.0.0.1:0", |before, _| match before {
        0 => Reply::With(500, Vec::new(), "out of order"),
        1 => Reply::With(429, vec![("retry-after", "1".into())], ""),
        _ => Reply::With(204, Vec::new(), ""),
    })
    .await?;
    let (hook, secret) = endpoint(&ada, &flaky.url(), &["CHANNEL_CREATED"]).await?;
    let _delivering = deliver(&front, hasty());
    ada.channel("Town hall").await?;
    let begun = Instant::now();
    let came = flaky.messages(3).await?;
    assert!(
        begun.elapsed() >= Duration::from_millis(900),
        "it asked to be left alone for a second"
    );
    assert!(came.iter().all(|message| verifies(&secret, message)));
    assert!(
        came.iter().all(|message| message.body == came[0].body),
        "the same bytes"
    );
    assert!(
        came.iter()
            .all(|message| message.header("webhook-id") == came[0].header("webhook-id"))
    );
    let log = settled(&ada, &hook, "delivered", |found| found[0]["state"] == "DELIVERED").await?;
    assert_eq!(log.len(), 1);
    let attempts: Vec<_> = log[0]["attempts"].as_array().into_iter().flatten().collect();
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt["status"].as_i64()).collect();
    assert_eq!(statuses, [Some(500), Some(429), Some(204)]);
    assert_eq!(attempts[0]["answer"], "out of order");
    assert_eq!(log[0]["nextAttemptAt"], Value::Null);

    // Asked for again, the same event comes once more.
    let resend = "mutation($v: ID!, $e: ID!) { webhookEventResend(input: { eventId: $v, endpointId: $e }) {
        delivery { id state } userErrors { code } } }";
    let event = log[0]["event"]["id"].clone();
    let of_event = "query($v: ID!) { webhookEvent(id: $v) { deliveries { id state } } }";
    let seen = ada.ask(of_event, json!({ "v": event })).await?;
    assert_eq!(seen.data("/webhookEvent/deliveries/0/id")?, &log[0]["id"]);
    let again = ada.ask(resend, json!({ "v": event, "e": hook })).await?;
    again.data("/webhookEventResend/delivery/id")?;
    let came = flaky.messages(4).await?;
    assert_eq!(came[3].body, came[0].body);
    settled(&ada, &hook, "both delivered", |found| {
        found.len() == 2 && found.iter().all(|delivery| delivery["state"] == "DELIVERED")
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_dead_endpoints_delay_nobody_else() -> Outcome {
    let front = front().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let healthy = Receiver::start().await?;
    let slow = Receiver::answering("127.0.0.1:0", |_, _| Reply::Never).await?;
    let dead = Receiver::start().await?;
    let nobody = dead.url();
    drop(dead);
    let (slow_hook, _) = endpoint(&ada, &slow.url(), &["CHANNEL_CREATED"]).await?;
    let (dead_hook, _) = endpoint(&ada, &nobody, &["CHANNEL_CREATED"]).await?;
    let (hook, _) = endpoint(&ada, &healthy.url(), &["CHANNEL_CREATED"]).await?;
    // Two processes, one attempt of which may take five seconds. Without pauses: sixty-odd attempts go to the dead one before its
    // first delivery has had all of its own, and after a pause it would be looked for once a second.
    let rules = Rules {
        attempt: Duration::from_secs(5),
        pause: (Duration::ZERO, Duration::ZERO),
        ..hasty()
    };
    let _delivering = (deliver(&front, rules.clone()), deliver(&front, rules));
    let begun = Instant::now();
    for number in 0..20 {
        ada.channel(&format!("Hall {number}")).await?;
    }
    healthy.messages(20).await?;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "the healthy one waited {:?}",
        begun.elapsed()
    );
    let delivered = |found: &[Value]| found.len() == 20 && found.iter().all(|one| one["state"] == "DELIVERED");
    let log = settled(&ada, &hook, "twenty delivered", delivered).await?;
    assert!(
        log.iter().all(|delivery| delivery["attemptCount"] == 1),
        "one process at a time"
    );
    let mut titles: Vec<_> = healthy
        .received()
        .iter()
        .map(|m| m.json()["data"]["title"].to_string())
        .collect();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 20, "each came once");
    let failed = |found: &[Value]| found.iter().any(|one| one["state"] == "FAILED");
    let log = settled(&ada, &dead_hook, "the dead one's first fails for good", failed).await?;
    let given_up = log
        .iter()
        .find(|delivery| delivery["state"] == "FAILED")
        .expect("one of them");
    assert_eq!(given_up["attemptCount"], 4);
    let error = given_up["attempts"][0]["error"].as_str().unwrap_or_default();
    assert!(error.contains("no connection"), "{error}");
    assert!(
        !deliveries(&ada, &slow_hook)
            .await?
            .iter()
            .any(|one| one["state"] == "DELIVERED")
    );
    look(&ada, &dead_hook).await?.data("/webhookEndpoint/failingSince")?;
    Ok(())
}

#[tokio::test]
async fn what_a_vanished_process_held_is_sent_by_another() -> Outcome {
    let front = front().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let receiver = Receiver::start().await?;
    endpoint(&ada, &receiver.url(), &["CHANNEL_CREATED"]).await?;
    let mut connection = front.database.connect().await?;
    let claim = "update webhook_queue set claim = 'vanished', claimed_until = now() + interval '1 hour'";
    sqlx::query(claim).execute(&mut connection).await?;
    ada.channel("Town hall").await?;
    let _delivering = deliver(&front, hasty());
    // What is not held comes at once, what is held does not.
    let free = Receiver::start().await?;
    endpoint(&ada, &free.url(), &["CHANNEL_CREATED"]).await?;
    ada.channel("Great hall").await?;
    free.messages(1).await?;
    assert!(receiver.received().is_empty());
    let over = "update webhook_queue set claimed_until = now() where claim = 'vanished'";
    sqlx::query(over).execute(&mut connection).await?;
    receiver.messages(2).await?;
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_gone_or_dead_for_days_is_disabled_and_others_are_told() -> Outcome {
    let front = front().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let watching = Receiver::start().await?;
    endpoint(&ada, &watching.url(), &["WEBHOOK_ENDPOINT_DISABLED"]).await?;
    let gone = Receiver::answering("127.0.0.1:0", |_, _| Reply::status(410)).await?;
    let broken = Receiver::answering("127.0.0.1:0", |_, _| Reply::status(503)).await?;
    let (gone_hook, _) = endpoint(&ada, &gone.url(), &["CHANNEL_CREATED"]).await?;
    let (broken_hook, _) = endpoint(&ada, &broken.url(), &["CHANNEL_CREATED"]).await?;
    let days = "update webhook_endpoint set failing_since = now() - interval '5 days' where webhook_endpoint_id = $1";
    sqlx::query(days)
        .bind(&broken_hook)
        .execute(&mut front.database.connect().await?)
        .await?;
    let _delivering = deliver(&front, hasty());
    ada.channel("Town hall").await?;
    let told = watching.messages(2).await?;
    for (hook, cause) in [(&gone_hook, "GONE"), (&broken_hook, "FAILING")] {
        let seen = look(&ada, hook).await?;
        assert_eq!(seen.data("/webhookEndpoint/disabled")?, true);
        assert_eq!(seen.text("/webhookEndpoint/disabledCause")?, cause);
        let message = told.iter().find(|message| message.json()["object"]["id"] == **hook);
        let message = message.expect("its end is told").json();
        assert_eq!(
            (&message["type"], &message["data"]["disabledCause"]),
            (&json!("webhook_endpoint.disabled"), &json!(cause))
        );
    }
    let log = settled(&ada, &broken_hook, "nothing waits", |found| {
        found[0]["state"] != "PENDING"
    })
    .await?;
    assert_eq!(log[0]["state"], "CANCELLED");

    // Disabled, it gets nothing and cannot be tried; enabled, it begins anew.
    ada.channel("Great hall").await?;
    assert_eq!(deliveries(&ada, &gone_hook).await?.len(), 1);
    let test = "mutation($id: ID!) { webhookEndpointTest(input: { id: $id }) { event { id } userErrors { code } } }";
    let refused = ada.ask(test, json!({ "id": gone_hook })).await?;
    assert_eq!(refused.text("/webhookEndpointTest/userErrors/0/code")?, "STATE");
    let update =
        "mutation($id: ID!, $u: String!) { webhookEndpointUpdate(input: { id: $id, expectedVersion: 2, url: $u,
        disabled: false }) { webhookEndpoint { disabled } userErrors { code message } } }";
    let mended = Receiver::start().await?;
    let enabled = ada.ask(update, json!({ "id": gone_hook, "u": mended.url() })).await?;
    assert_eq!(enabled.data("/webhookEndpointUpdate/webhookEndpoint/disabled")?, false);
    ada.channel("Small hall").await?;
    let came = mended.messages(1).await?;
    assert_eq!(came[0].json()["data"]["title"], "Small hall");

    let delete = "mutation($id: ID!) { webhookEndpointDelete(input: { id: $id }) { deletedId userErrors { code } } }";
    ada.ask(delete, json!({ "id": gone_hook }))
        .await?
        .data("/webhookEndpointDelete/deletedId")?;
    assert!(look(&ada, &gone_hook).await?.data("/webhookEndpoint").is_err());
    Ok(())
}
