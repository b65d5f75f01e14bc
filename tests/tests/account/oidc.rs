//! Signing in with an OpenID Connect provider, from the link to the page behind it.

use headwater_api::oidc::{Provider, Settings};
use headwater_api::webhook::Guard;
use headwater_tests::provider::{CLIENT_ID, CLIENT_SECRET, OpenIdProvider, Token};
use serde_json::Value;

use super::*;

/// A front that trusts this provider.
async fn front(provider: &OpenIdProvider) -> anyhow::Result<Front> {
    let settings = Settings {
        issuer: provider.issuer.clone(),
        client_id: CLIENT_ID.into(),
        client_secret: Some(Secret::new(CLIENT_SECRET)),
        name: "Example ID".into(),
    };
    let guard = Guard::new(&["127.0.0.0/8".parse()?]);
    Front::with_provider(Provider::new(settings, guard, Vec::new())?).await
}

/// A browser on its way.
struct Browser {
    front: Caller,
    cookie: String,
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// The cookie of this name that an answer sets.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let set = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|value| value.to_str().ok());
    set.filter_map(|value| value.split(';').next())
        .find(|pair| pair.starts_with(&format!("{name}=")) && !pair.ends_with('='))
        .map(str::to_owned)
}

impl Browser {
    /// Follows the link, and the provider back to us. Returns the address that it brings.
    async fn leave(front: &Front, next: &str) -> anyhow::Result<(Self, String)> {
        let caller = front.nobody();
        let begun = caller
            .send("GET", &format!("/auth/oidc/start?next={next}"), &[], "")
            .await?;
        assert_eq!(begun.status, 303, "{:?}", begun.headers);
        let kept = cookie(&begun, "headwater_oidc").unwrap_or_default();
        let flags = header(&begun, "set-cookie");
        assert!(flags.contains("HttpOnly") && flags.contains("SameSite=Lax"), "{flags}");
        let answer = headwater_tests::http::get(header(&begun, "location")).await?;
        let back = answer.headers.get("location").cloned().unwrap_or_default();
        let path = back.strip_prefix("http://127.0.0.1:8080").unwrap_or(&back).to_owned();
        Ok((
            Self {
                front: caller,
                cookie: kept,
            },
            path,
        ))
    }

    /// Comes back to us.
    async fn arrive(&self, path: &str) -> anyhow::Result<Answer> {
        self.front.send("GET", path, &[("cookie", &self.cookie)], "").await
    }
}

/// All of it. Returns the last answer.
async fn walk(front: &Front, next: &str) -> anyhow::Result<Answer> {
    let (browser, path) = Browser::leave(front, next).await?;
    browser.arrive(&path).await
}

fn signed_in(front: &Front, answer: &Answer) -> anyhow::Result<Caller> {
    let session = cookie(answer, "headwater_session");
    let session = anyhow::Context::with_context(session, || format!("not signed in: {}", header(answer, "location")))?;
    Ok(front
        .nobody()
        .with("cookie", &session)
        .with("headwater-client", "tests"))
}

#[tokio::test]
async fn somebody_new_comes_in_and_comes_back() -> Outcome {
    let provider = OpenIdProvider::start().await?;
    let front = front(&provider).await?;
    let options = front
        .nobody()
        .ask("{ signInOptions { openIdConnect { name startUrl } } }", json!({}))
        .await?;
    assert_eq!(options.text("/signInOptions/openIdConnect/name")?, "Example ID");
    assert_eq!(
        options.text("/signInOptions/openIdConnect/startUrl")?,
        "/auth/oidc/start"
    );
    let mut people = Vec::new();
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        provider.says(Token {
            algorithm,
            ..Token::of("grace", "Grace@example.com")
        });
        let answer = walk(&front, "/t/acme?x=1").await?;
        assert_eq!(
            (answer.status, header(&answer, "location")),
            (303, "/t/acme?x=1"),
            "{algorithm}"
        );
        let caller = signed_in(&front, &answer)?;
        let me = caller
            .ask(
                "{ me { id name email emailVerified hasPassword memberships { role } } viewer { role } }",
                json!({}),
            )
            .await?;
        if people.is_empty() {
            assert_eq!(me.body["data"]["viewer"], Value::Null, "no tenant of their own yet");
        }
        assert_eq!(me.text("/me/name")?, "Grace Hopper");
        assert_eq!(
            (me.data("/me/emailVerified")?, me.data("/me/hasPassword")?),
            (&json!(true), &json!(false))
        );
        people.push(me.text("/me/id")?);
        let made = caller
            .ask(
                "mutation { tenantCreate(input: { name: \"Own\" }) { tenant { id } userErrors { code } } }",
                json!({}),
            )
            .await?;
        made.data("/tenantCreate/tenant/id")?;
    }
    people.dedup();
    assert_eq!(people.len(), 1, "the subject is the same person");
    assert_eq!(provider.keys_asked(), 1, "keys are kept");
    // By subject, whatever the address is by now.
    provider.says(Token::of("grace", "new@example.com").with("email_verified", json!(false)));
    let me = signed_in(&front, &walk(&front, "/").await?)?
        .ask("{ me { id } }", json!({}))
        .await?;
    assert_eq!(me.text("/me/id")?, people[0]);
    // The address alone by userinfo, which must speak of the same subject.
    let mut thin = Token::of("ida", "")
        .with("email", Value::Null)
        .with("email_verified", Value::Null);
    thin.userinfo = json!({ "sub": "ida", "email": "ida@example.com", "email_verified": "true" });
    provider.says(thin.clone());
    signed_in(&front, &walk(&front, "/").await?)?;
    thin.claims["sub"] = json!("eve");
    provider.says(thin);
    assert_eq!(
        header(&walk(&front, "/").await?, "location"),
        "/sign-in?error=oidc_failed&next=%2F"
    );
    Ok(())
}

#[tokio::test]
async fn tokens_that_are_wrong_let_nobody_in() -> Outcome {
    let provider = OpenIdProvider::start().await?;
    let front = front(&provider).await?;
    let good = || Token::of("grace", "grace@example.com");
    let now = chrono::Utc::now().timestamp();
    let signed = |algorithm| Token { algorithm, ..good() };
    for (token, error, why) in [
        (good().with("nonce", json!("another")), "oidc_failed", "another nonce"),
        (good().with("nonce", Value::Null), "oidc_failed", "no nonce"),
        (
            good().with("aud", json!("somebody-else")),
            "oidc_failed",
            "another audience",
        ),
        (
            good().with("aud", json!([CLIENT_ID, "somebody-else"])),
            "oidc_failed",
            "several audiences and no party",
        ),
        (
            good().with("azp", json!("somebody-else")),
            "oidc_failed",
            "another party",
        ),
        (
            good().with("iss", json!("https://evil.example")),
            "oidc_failed",
            "another issuer",
        ),
        (good().with("exp", json!(now - 300)), "oidc_failed", "expired"),
        (good().with("exp", Value::Null), "oidc_failed", "never expires"),
        (good().with("nbf", json!(now + 3_600)), "oidc_failed", "not yet"),
        (good().with("sub", Value::Null), "oidc_failed", "no subject"),
        (good().with("sub", json!("")), "oidc_failed", "an empty subject"),
        (
            good().with("sub", json!("x".repeat(300))),
            "oidc_failed",
            "a long subject",
        ),
        (
            good().with("email_verified", json!(false)),
            "oidc_email_unverified",
            "not vouched for",
        ),
        (
            good().with("email_verified", Value::Null),
            "oidc_email_unverified",
            "nothing said",
        ),
        (
            good().with("email", json!("not an address")),
            "oidc_email_unverified",
            "no address",
        ),
        (signed("none"), "oidc_failed", "unsigned"),
        (signed("HS256"), "oidc_failed", "signed with what everybody knows"),
        (signed("unknown"), "oidc_failed", "an unknown key"),
        (signed("swapped"), "oidc_failed", "another key of that name"),
    ] {
        provider.says(token);
        let answer = walk(&front, "/").await?;
        assert_eq!(
            header(&answer, "location"),
            format!("/sign-in?error={error}&next=%2F"),
            "{why}"
        );
        assert_eq!(cookie(&answer, "headwater_session"), None, "{why}");
    }
    let mut connection = front.database.connect().await?;
    let made: i64 = sqlx::query_scalar("select count(*) from user_account")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!(made, 0, "nobody was made");
    // Nothing is wrong with the rest.
    provider.says(good().with("aud", json!([CLIENT_ID])).with("azp", json!(CLIENT_ID)));
    signed_in(&front, &walk(&front, "/").await?)?;
    Ok(())
}

#[tokio::test]
async fn answers_that_this_browser_did_not_ask_for_lead_nowhere() -> Outcome {
    let provider = OpenIdProvider::start().await?;
    let front = front(&provider).await?;
    provider.says(Token::of("grace", "grace@example.com"));
    let (mine, path) = Browser::leave(&front, "/a").await?;
    let (other, _) = Browser::leave(&front, "/b").await?;
    let nobody = Browser {
        front: front.nobody(),
        cookie: String::new(),
    };
    for (browser, error) in [(&other, "oidc_expired&next=%2Fb"), (&nobody, "oidc_expired&next=%2F")] {
        let answer = browser.arrive(&path).await?;
        assert_eq!(header(&answer, "location"), format!("/sign-in?error={error}"));
    }
    let state = path
        .split("state=")
        .nth(1)
        .and_then(|rest| rest.split('&').next())
        .unwrap_or_default();
    for (back, error) in [
        (
            format!("/auth/oidc/callback?error=access_denied&state={state}"),
            "oidc_denied",
        ),
        (
            format!("/auth/oidc/callback?error=server_error&state={state}"),
            "oidc_failed",
        ),
        (format!("/auth/oidc/callback?code=made-up&state={state}"), "oidc_failed"),
        (format!("/auth/oidc/callback?state={state}"), "oidc_failed"),
        (format!("{path}x"), "oidc_failed"),
        ("/auth/oidc/callback".into(), "oidc_expired"),
    ] {
        let answer = mine.arrive(&back).await?;
        assert_eq!(
            header(&answer, "location"),
            format!("/sign-in?error={error}&next=%2Fa"),
            "{back}"
        );
        assert_eq!(cookie(&answer, "headwater_session"), None, "{back}");
    }
    signed_in(&front, &mine.arrive(&path).await?)?;
    let again = mine.arrive(&path).await?;
    assert_eq!(
        header(&again, "location"),
        "/sign-in?error=oidc_failed&next=%2Fa",
        "a code is good once"
    );
    for next in ["//evil.example", "https://evil.example", "/%5Cevil.example"] {
        let answer = walk(&front, next).await?;
        assert_eq!(header(&answer, "location"), "/", "{next}");
    }
    let plain = Front::fresh().await?;
    assert_eq!(
        plain.nobody().send("GET", "/auth/oidc/start", &[], "").await?.status,
        404
    );
    let options = plain
        .nobody()
        .ask("{ signInOptions { openIdConnect { name } } }", json!({}))
        .await?;
    assert_eq!(options.body["data"]["signInOptions"]["openIdConnect"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn an_account_is_linked_where_both_sides_know_the_address() -> Outcome {
    let provider = OpenIdProvider::start().await?;
    let front = front(&provider).await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let me = ada.ask("{ me { id } }", json!({})).await?.text("/me/id")?;
    provider.says(Token::of("ada", "ADA@example.com"));
    let refused = walk(&front, "/").await?;
    assert_eq!(
        header(&refused, "location"),
        "/sign-in?error=oidc_account_unverified&next=%2F",
        "whoever signed up may not be her"
    );
    let mut connection = front.database.connect().await?;
    sqlx::query("update user_account set email_verified_at = now()")
        .execute(&mut connection)
        .await?;
    let caller = signed_in(&front, &walk(&front, "/").await?)?;
    assert_eq!(caller.ask("{ me { id } }", json!({})).await?.text("/me/id")?, me);
    assert_eq!(logged(&ada).await?[0], "user.identity.link");
    front.sign_in("Ada").await?;

    // A second factor is asked for whatever the first one was.
    let begun = ada
        .ask(
            super::second_factor::ENROL,
            json!({ "p": headwater_tests::front::PASSWORD }),
        )
        .await?;
    let app = super::second_factor::App::typed(&begun.text("/totpEnrol/secret")?);
    ada.ask(super::second_factor::CONFIRM, json!({ "c": app.shows(0) }))
        .await?
        .data("/totpConfirm/recoveryCodes")?;
    let answer = walk(&front, "/t/ada").await?;
    assert_eq!(cookie(&answer, "headwater_session"), None);
    let page = header(&answer, "location");
    let challenge = page
        .strip_prefix("/sign-in?challenge=")
        .and_then(|rest| rest.strip_suffix("&next=%2Ft%2Fada"));
    let challenge = anyhow::Context::with_context(challenge, || page.to_owned())?;
    let done = super::second_factor::second(&front, challenge, &app.shows(1)).await?;
    assert_eq!(done.text("/signInSecondFactor/user/id")?, me);
    Ok(())
}
