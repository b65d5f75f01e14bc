//! Webhooks over TLS: a certificate counts when its authority is trusted and its name is right, and the log says what is wrong.

use headwater_api::webhook::Rules;
use headwater_tests::certificates::Authority;
use headwater_tests::receiver::Receiver;

use super::{Outcome, deliver, endpoint, front, hasty, settled, verifies};

#[tokio::test]
async fn only_a_trusted_certificate_of_the_right_name_gets_the_message() -> Outcome {
    let front = front().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let (trusted, stranger) = (Authority::fresh()?, Authority::fresh()?);
    let good = Receiver::secured(trusted.server("IP:127.0.0.1")?).await?;
    let unknown = Receiver::secured(stranger.server("IP:127.0.0.1")?).await?;
    let misnamed = Receiver::secured(trusted.server("DNS:elsewhere.example")?).await?;
    let plain = Receiver::start().await?;
    let types = ["CHANNEL_CREATED"];
    let (good_hook, secret) = endpoint(&ada, &good.url(), &types).await?;
    let mut refused = Vec::new();
    for (url, why) in [
        (unknown.url(), "UnknownIssuer"),
        (misnamed.url(), "not valid for name"),
        // Somebody who does not speak TLS at all.
        (plain.url().replace("http://", "https://"), "no TLS"),
    ] {
        refused.push((endpoint(&ada, &url, &types).await?.0, why));
    }
    let rules = Rules {
        authorities: vec![trusted.certificate.clone()],
        ..hasty()
    };
    let _delivering = deliver(&front, rules);
    ada.channel("Town hall").await?;

    let came = good.messages(1).await?;
    assert!(verifies(&secret, &came[0]));
    let log = settled(&ada, &good_hook, "delivered", |found| found[0]["state"] == "DELIVERED").await?;
    assert_eq!(log[0]["attempts"][0]["status"], 200);
    for (hook, why) in refused {
        let log = settled(&ada, &hook, "given up", |found| found[0]["state"] == "FAILED").await?;
        let attempt = &log[0]["attempts"][0];
        assert!(attempt["status"].is_null(), "{attempt}");
        let error = attempt["error"].as_str().unwrap_or_default();
        assert!(
            error.starts_with("no TLS: ") && error.contains(why),
            "{error:?} does not say {why:?}"
        );
    }
    for receiver in [&unknown, &misnamed, &plain] {
        assert!(receiver.received().is_empty(), "nothing goes to a stranger");
    }
    Ok(())
}
