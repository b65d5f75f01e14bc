//! What an endpoint, or whoever typed its address, must not achieve.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use headwater_api::webhook::{Guard, Resolve};
use headwater_tests::front::Front;
use headwater_tests::receiver::{Receiver, Reply};
use serde_json::json;

use super::{ENDPOINT, Outcome, deliver, endpoint, front, hasty, settled};

#[tokio::test]
async fn redirects_are_not_followed_and_endless_answers_are_cut() -> Outcome {
    let front = front().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let elsewhere = Receiver::start().await?;
    let to = elsewhere.url();
    let redirecting = Receiver::answering("127.0.0.1:0", move |_, _| {
        Reply::With(307, vec![("location", to.clone())], "")
    })
    .await?;
    let endless = Receiver::answering("127.0.0.1:0", |_, _| Reply::Endless).await?;
    let (redirecting_hook, _) = endpoint(&ada, &redirecting.url(), &["CHANNEL_CREATED"]).await?;
    let (endless_hook, _) = endpoint(&ada, &endless.url(), &["CHANNEL_CREATED"]).await?;
    let _delivering = deliver(&front, hasty());
    ada.channel("Town hall").await?;
    let log = settled(&ada, &redirecting_hook, "given up", |found| {
        found[0]["state"] == "FAILED"
    })
    .await?;
    assert_eq!(log[0]["attempts"][0]["status"], 307);
    assert!(elsewhere.received().is_empty(), "nobody went there");
    let log = settled(&ada, &endless_hook, "delivered", |found| {
        found[0]["state"] == "DELIVERED"
    })
    .await?;
    assert_eq!(log[0]["attempts"][0]["status"], 200);
    assert_eq!(log[0]["attempts"][0]["answer"].as_str().map(str::len), Some(4_000));
    assert_eq!(endless.received().len(), 1);
    Ok(())
}

#[tokio::test]
async fn private_addresses_are_refused() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    for url in [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1:5432/",
        "http://example.com/",
        "ftp://example.com/",
        "https://user:password@example.com/",
        "word@example.org",
    ] {
        let refused = ada.ask(ENDPOINT, json!({ "i": { "url": url } })).await?;
        assert_eq!(
            refused.text("/webhookEndpointCreate/userErrors/0/code")?,
            "INVALID",
            "{url}"
        );
        assert_eq!(
            refused.text("/webhookEndpointCreate/userErrors/0/field/1")?,
            "url",
            "{url}"
        );
    }
    Ok(())
}

/// A name that means something else each time it is asked for.
struct Turncoat {
    answers: Mutex<Vec<SocketAddr>>,
    asked: AtomicUsize,
}

impl Resolve for Turncoat {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("nobody panicked");
        let next = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0]
        };
        Box::pin(async move { Ok(vec![next]) })
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_where_it_turns_inwards_it_is_refused() -> Outcome {
    let (good, inside) = (
        Receiver::start().await?,
        Receiver::answering("127.0.0.2:0", |_, _| Reply::status(200)).await?,
    );
    let name = Arc::new(Turncoat {
        answers: Mutex::new(vec![good.address, inside.address]),
        asked: AtomicUsize::new(0),
    });
    let front = Front::with_guard(Guard::resolving(&["127.0.0.1/32".parse()?], name.clone())).await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let (hook, _) = endpoint(&ada, "http://rebind.example/", &["CHANNEL_CREATED"]).await?;
    assert_eq!(
        name.asked.load(Ordering::SeqCst),
        0,
        "the name is asked for when something is sent"
    );
    let _delivering = deliver(&front, hasty());
    ada.channel("Town hall").await?;
    good.messages(1).await?;
    settled(&ada, &hook, "delivered", |found| found[0]["state"] == "DELIVERED").await?;
    // What was judged is what was connected to: a second question would have led inside.
    assert_eq!(name.asked.load(Ordering::SeqCst), 1);
    ada.channel("Great hall").await?;
    let log = settled(&ada, &hook, "given up", |found| found[0]["state"] == "FAILED").await?;
    assert_eq!(log[0]["attempts"][0]["error"], "the address is not a public one");
    assert!(inside.received().is_empty(), "nobody went inside");
    Ok(())
}
