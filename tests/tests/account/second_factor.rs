//! The second factor as people and those who would be them meet it.

use aws_lc_rs::hmac;
use headwater_tests::front::PASSWORD;
use serde_json::Value;

use super::*;

pub(crate) const ENROL: &str =
    "mutation($p: String) { totpEnrol(input: { password: $p }) { secret uri userErrors { code field } } }";
pub(crate) const CONFIRM: &str = "mutation($c: String!) { totpConfirm(input: { code: $c }) { user { totpEnabledAt } recoveryCodes userErrors { code } } }";
const SECOND: &str = "mutation($x: String!, $c: String!) { signInSecondFactor(input: { challenge: $x, code: $c })
    { user { id totpEnabledAt recoveryCodesLeft hasPassword } userErrors { code field } } }";
const DISABLE: &str = "mutation($p: String, $c: String) { totpDisable(input: { password: $p, code: $c }) { user { totpEnabledAt } userErrors { code field } } }";

/// An authenticator app: RFC 6238 over what was typed into it.
pub(crate) struct App(Vec<u8>);

impl App {
    pub(crate) fn typed(secret: &str) -> Self {
        let (mut bits, mut count, mut bytes) = (0_u64, 0, Vec::new());
        for letter in secret.bytes() {
            let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
                .iter()
                .position(|known| *known == letter);
            bits = bits << 5 | value.expect("base32") as u64;
            count += 5;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count) as u8);
            }
        }
        Self(bytes)
    }

    /// What it shows so many steps from now.
    pub(crate) fn shows(&self, ahead: i64) -> String {
        let step = (chrono::Utc::now().timestamp() / 30 + ahead) as u64;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 15);
        let word: [u8; 4] = tag.as_ref()[at..at + 4].try_into().expect("four bytes");
        format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000)
    }
}

/// Switches it on. Returns the app and the recovery codes.
async fn switch_on(caller: &Caller) -> anyhow::Result<(App, Vec<String>)> {
    let begun = caller.ask(ENROL, json!({ "p": PASSWORD })).await?;
    let app = App::typed(&begun.text("/totpEnrol/secret")?);
    let done = caller.ask(CONFIRM, json!({ "c": app.shows(0) })).await?;
    let codes = done
        .data("/totpConfirm/recoveryCodes")?
        .as_array()
        .cloned()
        .unwrap_or_default();
    Ok((
        app,
        codes
            .iter()
            .filter_map(|code| code.as_str().map(str::to_owned))
            .collect(),
    ))
}

async fn challenge(front: &Front, password: &str) -> anyhow::Result<String> {
    let answer = first(front, password).await?;
    assert_eq!(answer.body["data"]["signIn"]["user"], Value::Null);
    answer.text("/signIn/challenge")
}

async fn first(front: &Front, password: &str) -> anyhow::Result<Answer> {
    let asked = "mutation($e: String!, $p: String!) { signIn(input: { email: $e, password: $p }) { user { id } challenge userErrors { code } } }";
    let answer = front
        .nobody()
        .ask(asked, json!({ "e": email("Ada"), "p": password }))
        .await?;
    assert!(
        answer.headers.get("set-cookie").is_none(),
        "a password alone is no session"
    );
    Ok(answer)
}

pub(crate) async fn second(front: &Front, challenge: &str, code: &str) -> anyhow::Result<Answer> {
    front.nobody().ask(SECOND, json!({ "x": challenge, "c": code })).await
}

fn refusal(answer: &Answer) -> &str {
    answer.body["data"]["signInSecondFactor"]["userErrors"][0]["code"]
        .as_str()
        .unwrap_or_else(|| answer.code())
}

/// As if time had passed: what was used may be used again by its step.
async fn forget_steps(front: &Front) -> Outcome {
    let mut connection = front.database.connect().await?;
    sqlx::query("update second_factor set last_step = 0")
        .execute(&mut connection)
        .await?;
    Ok(())
}

#[tokio::test]
async fn it_is_switched_on_with_a_code_asked_for_and_switched_off() -> Outcome {
    let server = MailServer::start().await?;
    let front = Front::with_mail(to(&server)?).await?;
    let _sending = send(&front, hasty());
    let (ada, _) = front.sign_up("Ada").await?;
    let other = front.sign_in("Ada").await?;
    for (password, code) in [(json!(null), "BLANK"), (json!("not my password"), "CREDENTIALS")] {
        let refused = ada.ask(ENROL, json!({ "p": password })).await?;
        assert_eq!(refused.text("/totpEnrol/userErrors/0/code")?, code);
    }
    let begun = ada.ask(ENROL, json!({ "p": PASSWORD })).await?;
    let secret = begun.text("/totpEnrol/secret")?;
    let uri = begun.text("/totpEnrol/uri")?;
    assert!(
        uri.starts_with("otpauth://totp/Headwater:ada%40example.com?") && uri.contains(&secret),
        "{uri}"
    );
    let app = App::typed(&secret);
    let wrong = ada.ask(CONFIRM, json!({ "c": app.shows(40) })).await?;
    assert_eq!(wrong.text("/totpConfirm/userErrors/0/code")?, "CREDENTIALS");
    front.sign_in("Ada").await?;

    let done = ada.ask(CONFIRM, json!({ "c": app.shows(0) })).await?;
    done.data("/totpConfirm/user/totpEnabledAt")?;
    assert_eq!(
        done.data("/totpConfirm/recoveryCodes")?.as_array().map(Vec::len),
        Some(10)
    );
    assert_eq!(
        other.ask("{ me { id } }", json!({})).await?.body["data"]["me"],
        Value::Null,
        "other sessions end"
    );
    let again = ada.ask(ENROL, json!({ "p": PASSWORD })).await?;
    assert_eq!(again.text("/totpEnrol/userErrors/0/code")?, "STATE");

    // What is kept says neither the secret nor the codes.
    let mut connection = front.database.connect().await?;
    let sealed: Vec<u8> = sqlx::query_scalar("select secret from second_factor")
        .fetch_one(&mut connection)
        .await?;
    assert!(!sealed.windows(4).any(|window| app.0.starts_with(window)));
    let kept: Vec<String> = sqlx::query_scalar("select code_sha256 from recovery_code")
        .fetch_all(&mut connection)
        .await?;
    assert!(kept.iter().all(|hash| hash.len() == 64) && kept.len() == 10);

    let token = challenge(&front, PASSWORD).await?;
    assert_eq!(refusal(&second(&front, &token, "000 00x").await?), "CREDENTIALS");
    let signed = second(&front, &token, &app.shows(1)).await?;
    assert_eq!(signed.data("/signInSecondFactor/user/recoveryCodesLeft")?, 10);
    assert!(signed.headers["set-cookie"].to_str()?.contains("headwater_session"));

    for (input, code) in [
        (json!({}), "BLANK"),
        (json!({ "p": "not my password" }), "CREDENTIALS"),
        (json!({ "c": app.shows(0) }), "BLANK"),
    ] {
        assert_eq!(
            ada.ask(DISABLE, input).await?.text("/totpDisable/userErrors/0/code")?,
            code
        );
    }
    let off = ada.ask(DISABLE, json!({ "p": PASSWORD })).await?;
    assert_eq!(
        off.body["data"]["totpDisable"],
        json!({ "user": { "totpEnabledAt": null }, "userErrors": [] })
    );
    front.sign_in("Ada").await?;
    assert_eq!(
        logged(&ada).await?[..2],
        ["user.second_factor.disable", "user.second_factor.enable"]
    );
    let subjects: Vec<_> = {
        server.mail(3).await?;
        server.taken()
    }
    .iter()
    .map(|mail| mail.header("Subject"))
    .collect();
    for subject in ["A second factor was switched on", "Your second factor was switched off"] {
        assert!(subjects.iter().any(|known| known == subject), "{subjects:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_code_is_good_once_and_a_challenge_too() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let (app, codes) = switch_on(&ada).await?;
    forget_steps(&front).await?;
    // The same code, sent with two challenges at once, lets one in.
    let (one, two) = (challenge(&front, PASSWORD).await?, challenge(&front, PASSWORD).await?);
    let code = app.shows(0);
    let (a, b) = tokio::try_join!(second(&front, &one, &code), second(&front, &two, &code))?;
    let let_in = [&a, &b]
        .iter()
        .filter(|answer| answer.data("/signInSecondFactor/user/id").is_ok())
        .count();
    assert_eq!(let_in, 1, "{} {}", a.body, b.body);
    let third = challenge(&front, PASSWORD).await?;
    for replayed in [app.shows(0), app.shows(-1)] {
        assert_eq!(
            refusal(&second(&front, &third, &replayed).await?),
            "CREDENTIALS",
            "used, or before a used one"
        );
    }

    let typed = codes[0].to_uppercase().replace('-', " ");
    let signed = second(&front, &third, &typed).await?;
    assert_eq!(signed.data("/signInSecondFactor/user/recoveryCodesLeft")?, 9);
    assert_eq!(
        refusal(&second(&front, &third, &codes[1]).await?),
        "EXPIRED",
        "the challenge was used"
    );
    let fourth = challenge(&front, PASSWORD).await?;
    assert_eq!(
        refusal(&second(&front, &fourth, &codes[0]).await?),
        "CREDENTIALS",
        "the recovery code was used"
    );
    for made_up in ["", "hwc_x", &fourth.replace("hwc_", "hws_")] {
        assert_eq!(
            refusal(&second(&front, made_up, &codes[1]).await?),
            "EXPIRED",
            "{made_up}"
        );
    }
    let mut connection = front.database.connect().await?;
    for spent in ["attempts = 10", "expires_at = now()", "used_at = now()"] {
        let token = challenge(&front, PASSWORD).await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("update sign_in_challenge set {spent}")))
            .execute(&mut connection)
            .await?;
        assert_eq!(refusal(&second(&front, &token, &codes[1]).await?), "EXPIRED", "{spent}");
    }
    Ok(())
}

#[tokio::test]
async fn guesses_are_throttled_and_a_new_password_asks_for_the_code_too() -> Outcome {
    let front = Front::fresh().await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let (app, codes) = switch_on(&ada).await?;
    let before = challenge(&front, PASSWORD).await?;
    let change = "mutation($c: String!, $n: String!) { passwordChange(input: { currentPassword: $c, newPassword: $n }) { user { id } } }";
    let new = "another long password";
    ada.ask(change, json!({ "c": PASSWORD, "n": new }))
        .await?
        .data("/passwordChange/user/id")?;
    assert_eq!(
        refusal(&second(&front, &before, &codes[0]).await?),
        "EXPIRED",
        "begun with the old password"
    );
    let mut refusals = Vec::new();
    for _ in 0..10 {
        let begun = first(&front, new).await?;
        refusals.push(match begun.text("/signIn/challenge") {
            Ok(token) => refusal(&second(&front, &token, "wrong").await?).to_owned(),
            Err(_) => begun.code().to_owned(),
        });
    }
    assert_eq!(refusals[0], "CREDENTIALS");
    assert!(refusals.iter().any(|code| code == "RATE_LIMITED"), "{refusals:?}");
    drop(app);

    // Whoever has no password shows a code instead.
    let (bob, _) = front.sign_up("Bob").await?;
    let (app, codes) = switch_on(&bob).await?;
    let mut connection = front.database.connect().await?;
    sqlx::query("update user_account set password_hash = null where email_key = $1")
        .bind(email("Bob"))
        .execute(&mut connection)
        .await?;
    let me = bob.ask("{ me { hasPassword recoveryCodesLeft } }", json!({})).await?;
    assert_eq!(
        me.body["data"]["me"],
        json!({ "hasPassword": false, "recoveryCodesLeft": 10 })
    );
    let replace =
        "mutation($c: String) { recoveryCodesReplace(input: { code: $c }) { recoveryCodes userErrors { code } } }";
    let refused = bob.ask(replace, json!({ "c": "123" })).await?;
    assert_eq!(refused.text("/recoveryCodesReplace/userErrors/0/code")?, "CREDENTIALS");
    let fresh = bob.ask(replace, json!({ "c": codes[0] })).await?;
    let fresh = fresh.text("/recoveryCodesReplace/recoveryCodes/0")?;
    assert!(!codes.contains(&fresh));
    let old = bob.ask(DISABLE, json!({ "c": codes[1] })).await?;
    assert_eq!(
        old.text("/totpDisable/userErrors/0/code")?,
        "CREDENTIALS",
        "the old codes have ended"
    );
    assert_eq!(
        bob.ask(DISABLE, json!({ "c": app.shows(1) })).await?.body["data"]["totpDisable"]["userErrors"],
        json!([])
    );
    Ok(())
}
