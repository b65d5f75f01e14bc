//! Mail: links and notices, the queue, and servers that do not take it.

use headwater_api::mail::{PER_ADDRESS_MAX, PER_TENANT_MAX, TOTAL_MAX};
use headwater_tests::farm::until;
use headwater_tests::front::PASSWORD;
use headwater_tests::smtp::LOGIN;
use serde_json::Value;
use sqlx::Connection as _;

use super::*;

const NEW: &str = "another long password";
const INVITE: &str = "mutation($e: String!) { invitationCreate(input: { email: $e, role: DEVELOPER })
    { invitation { id } secret mailed userErrors { code } } }";

/// State, attempts and last error of every mail, oldest first.
async fn queue(front: &Front) -> anyhow::Result<Vec<(String, i32, String)>> {
    let mut connection = front.database.connect().await?;
    let rows = sqlx::query_as("select state, attempts, coalesce(error, '') from mail order by created_at, mail_id")
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    Ok(rows)
}

#[tokio::test]
async fn a_password_is_reset_by_a_link_that_works_once() -> Outcome {
    headwater_platform::install_crypto();
    let server = MailServer::encrypted().await?;
    let login = format!("{}:{}", LOGIN.0, LOGIN.1.replace('@', "%40").replace(' ', "%20"));
    let url = Secret::new(format!("smtp://{login}@localhost:{}", server.address.port()));
    let mailer = Mailer::new(Way::server(&url, std::slice::from_ref(&server.certificate))?, SENDER)?;
    let front = Front::with_mail(mailer).await?;
    let _sending = send(&front, hasty());
    let (ada, _) = front.sign_up("Ada").await?;
    let confirm = server.mail(1).await?;
    assert!(confirm.secured, "nothing is sent in the clear");
    assert_eq!(confirm.header("From"), SENDER);

    // The answer is the same whoever's address it is, and one letter comes.
    let (known, unknown) = (
        request_reset(&front, &email("Ada")).await?,
        request_reset(&front, &email("Eve")).await?,
    );
    assert_eq!(known.body, unknown.body);
    assert_eq!(known.data("/passwordResetRequest/requested")?, true);
    let letter = server.mail(2).await?;
    assert_eq!(letter.to, [email("Ada")]);
    assert_eq!(letter.header("Subject"), "Choose a new password");
    until("the other is dropped", async || {
        let rows = queue(&front).await.ok()?;
        rows.iter().any(|(state, ..)| state == "dropped").then_some(())
    })
    .await?;

    let secret = letter.secret("http://127.0.0.1:8080/reset-password")?;
    assert!(letter.part("text/html")?.contains(&secret), "both parts say the same");
    let second = ada.with("headwater-client", "second");
    assert_eq!(
        reset(&front, &secret, "short")
            .await?
            .text("/passwordReset/userErrors/0/code")?,
        "TOO_SHORT"
    );
    let done = reset(&front, &secret, NEW).await?;
    assert_eq!(
        done.body["data"]["passwordReset"],
        json!({ "user": null, "userErrors": [] })
    );
    assert!(
        done.headers.get("set-cookie").is_none(),
        "nobody is signed in by a link"
    );
    for caller in [&ada, &second] {
        let ended = caller.ask("{ me { id } }", json!({})).await?;
        assert_eq!(ended.body["data"]["me"], Value::Null, "every session has ended");
    }
    assert_eq!(
        sign_in(&front, "Ada", PASSWORD)
            .await?
            .text("/signIn/userErrors/0/code")?,
        "CREDENTIALS"
    );
    sign_in(&front, "Ada", NEW).await?.data("/signIn/user/id")?;
    for spent in [secret.as_str(), "hwp_made-up", ""] {
        let refused = reset(&front, spent, "a third long password").await?;
        assert_eq!(refused.text("/passwordReset/userErrors/0/code")?, "EXPIRED", "{spent}");
    }
    assert_eq!(server.mail(3).await?.header("Subject"), "Your password was changed");

    let cookie = sign_in(&front, "Ada", NEW).await?.headers["set-cookie"]
        .to_str()?
        .to_owned();
    let back = front
        .nobody()
        .with("cookie", cookie.split(';').next().unwrap_or_default());
    let back = back.with("headwater-client", "tests");
    let me = back.ask("{ me { emailVerified } }", json!({})).await?;
    assert_eq!(
        me.data("/me/emailVerified")?,
        true,
        "whoever used the link reads the mail"
    );
    assert_eq!(logged(&back).await?[0], "user.password.reset");
    Ok(())
}

/// Secrets of the links to a new password that have come.
fn resets(server: &MailServer) -> Vec<String> {
    let taken = server.taken();
    taken
        .iter()
        .filter_map(|mail| mail.secret("/reset-password").ok())
        .collect()
}

#[tokio::test]
async fn links_end_and_are_not_asked_for_without_end() -> Outcome {
    let server = MailServer::start().await?;
    let front = Front::with_mail(to(&server)?).await?;
    let _sending = send(&front, hasty());
    front.sign_up("Ada").await?;
    let mut connection = front.database.connect().await?;
    for (change, why) in [
        ("update account_link set expires_at = now()", "too old"),
        (
            "update user_account set email = 'other@example.com', email_key = 'other@example.com'",
            "sent elsewhere",
        ),
    ] {
        let before = resets(&server).len();
        request_reset(&front, &email("Ada"))
            .await?
            .data("/passwordResetRequest/requested")?;
        let mut many = server.taken().len();
        while resets(&server).len() == before {
            many += 1;
            server.mail(many).await?;
        }
        let secret = resets(&server).pop().unwrap_or_default();
        sqlx::query(change).execute(&mut connection).await?;
        let refused = reset(&front, &secret, NEW).await?;
        assert_eq!(refused.text("/passwordReset/userErrors/0/code")?, "EXPIRED", "{why}");
    }
    // A secret of one kind is none of another.
    let confirm = server.taken().iter().find_map(|mail| mail.secret("/verify-email").ok());
    let confirm = confirm.unwrap_or_default();
    assert_eq!(
        reset(&front, &confirm, NEW)
            .await?
            .text("/passwordReset/userErrors/0/code")?,
        "EXPIRED"
    );

    let mut answers = Vec::new();
    for _ in 0..6 {
        let (known, unknown) = (
            request_reset(&front, "OTHER@example.com").await?,
            request_reset(&front, "no@example.com").await?,
        );
        assert_eq!(known.body, unknown.body, "nobody learns who has an account");
        answers.push(known.code().to_owned());
    }
    assert_eq!(answers[..5], ["", "", "", "", ""]);
    assert_eq!(answers[5], "RATE_LIMITED");
    assert_eq!(
        request_reset(&front, "not an address")
            .await?
            .text("/passwordResetRequest/userErrors/0/code")?,
        "INVALID"
    );
    let plain = Front::fresh().await?;
    let none = request_reset(&plain, &email("Ada")).await?;
    assert_eq!(
        none.text("/passwordResetRequest/userErrors/0/code")?,
        "STATE",
        "without mail, it is said"
    );
    assert_eq!(
        plain
            .nobody()
            .ask("{ signInOptions { mail } }", json!({}))
            .await?
            .data("/signInOptions/mail")?,
        false
    );
    Ok(())
}

#[tokio::test]
async fn an_address_is_confirmed_by_a_message_in_the_folder() -> Outcome {
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("mail");
    let front = Front::with_mail(Mailer::new(Way::folder(&place)?, SENDER)?).await?;
    let _sending = send(&front, hasty());
    let (ada, _) = front.sign_up("Ada").await?;
    assert_eq!(
        ada.ask("{ me { emailVerified } }", json!({}))
            .await?
            .data("/me/emailVerified")?,
        false
    );
    let raw = until("a file", async || {
        let file = std::fs::read_dir(&place)
            .ok()?
            .flatten()
            .find(|file| file.path().extension().is_some_and(|e| e == "eml"))?;
        std::fs::read_to_string(file.path()).ok()
    })
    .await?;
    let secret = headwater_tests::smtp::Mail {
        raw,
        ..Default::default()
    }
    .secret("/verify-email")?;
    let verify = "mutation($s: String!) { emailVerify(input: { secret: $s }) { email userErrors { code } } }";
    let done = front.nobody().ask(verify, json!({ "s": secret })).await?;
    assert_eq!(done.text("/emailVerify/email")?, email("Ada"));
    assert_eq!(
        ada.ask("{ me { emailVerified } }", json!({}))
            .await?
            .data("/me/emailVerified")?,
        true
    );
    let again = front.nobody().ask(verify, json!({ "s": secret })).await?;
    assert_eq!(again.text("/emailVerify/userErrors/0/code")?, "EXPIRED");
    let more = ada
        .ask(
            "mutation { emailVerificationRequest { requested userErrors { code } } }",
            json!({}),
        )
        .await?;
    assert_eq!(
        more.text("/emailVerificationRequest/userErrors/0/code")?,
        "STATE",
        "it is confirmed already"
    );
    Ok(())
}

#[tokio::test]
async fn invitations_are_mailed_and_sent_again_with_a_new_link() -> Outcome {
    let server = MailServer::start().await?;
    let front = Front::with_mail(to(&server)?).await?;
    let asked = "mutation($n: String!) { signUp(input: { email: \"ada@example.com\", password: \"a long enough password\", name: $n,
        tenantName: $n }) { tenant { id } } }";
    // What people typed is no header field and no markup.
    let name = "Ada <b>&\u{202e}\u{e9}: Bcc";
    let signed = front.nobody().ask(asked, json!({ "n": name })).await?;
    signed.data("/signUp/tenant/id")?;
    let ada = front.sign_in("Ada").await?;
    let refused = ada
        .ask(INVITE, json!({ "e": "bob@example.com>, eve@example.com" }))
        .await?;
    assert_eq!(refused.text("/invitationCreate/userErrors/0/code")?, "INVALID");
    let made = ada.ask(INVITE, json!({ "e": "bob@example.com" })).await?;
    assert_eq!(made.data("/invitationCreate/mailed")?, true);
    let (id, first) = (
        made.text("/invitationCreate/invitation/id")?,
        made.text("/invitationCreate/secret")?,
    );
    let mut connection = front.database.connect().await?;
    let waiting: Vec<Vec<u8>> = sqlx::query_scalar("select sealed from mail")
        .fetch_all(&mut connection)
        .await?;
    for sealed in &waiting {
        let readable = |word: &str| sealed.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!readable(&first) && !readable("bob@"), "what waits is not readable");
    }

    // Sent again before anybody sent the first one: that one leads nowhere by now and stays away.
    let resend = "mutation($id: ID!) { invitationResend(input: { id: $id }) { invitation { id } secret mailed userErrors { code } } }";
    let again = ada.ask(resend, json!({ "id": id })).await?;
    let second = again.text("/invitationResend/secret")?;
    assert_eq!(again.text("/invitationResend/invitation/id")?, id);
    assert_ne!(first, second);
    // Two processes send; each letter comes once.
    let _sending = (send(&front, hasty()), send(&front, hasty()));
    until("all is settled", async || {
        let rows = queue(&front).await.ok()?;
        rows.iter().all(|(state, ..)| state != "waiting").then_some(())
    })
    .await?;
    let letters: Vec<_> = server
        .taken()
        .into_iter()
        .filter(|mail| mail.to == ["bob@example.com"])
        .collect();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].secret("/invitation")?, second);
    assert_eq!(letters[0].header("Bcc"), "");
    let html = letters[0].part("text/html")?;
    assert!(html.contains("Ada &lt;b&gt;&amp;"), "{html}");
    assert_eq!(
        queue(&front)
            .await?
            .iter()
            .filter(|(state, ..)| state == "dropped")
            .count(),
        1
    );

    let preview = "query($s: String!) { invitationPreview(secret: $s) { email } }";
    assert_eq!(
        front.nobody().ask(preview, json!({ "s": first })).await?.body["data"]["invitationPreview"],
        Value::Null
    );
    front
        .nobody()
        .ask(preview, json!({ "s": second }))
        .await?
        .data("/invitationPreview/email")?;
    assert_eq!(logged(&ada).await?[..2], ["invitation.resend", "invitation.create"]);
    let gone = ada.ask(resend, json!({ "id": "inv_aaaaaaaaaaaaaaaaaaaaaaaa" })).await?;
    assert_eq!(gone.text("/invitationResend/userErrors/0/code")?, "NOT_FOUND");
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(ada.ask(resend, json!({ "id": id })).await?.code().to_owned());
    }
    assert_eq!(
        codes.last().map(String::as_str),
        Some("RATE_LIMITED"),
        "nobody is written to without end: {codes:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_take_mail_is_asked_again_and_given_up() -> Outcome {
    // Twice not now, then fine; no request waits for that.
    let slow = MailServer::judging(|before| {
        if before < 2 {
            "451 4.7.1 later"
        } else {
            "250 2.1.5 fine"
        }
    })
    .await?;
    let front = Front::with_mail(to(&slow)?).await?;
    let sending = send(&front, hasty());
    front.sign_up("Ada").await?;
    let letter = slow.mail(1).await?;
    assert_eq!((slow.offered(), slow.taken().len()), (3, 1));
    let (state, attempts, error) = until("it is noted", async || {
        queue(&front)
            .await
            .ok()?
            .into_iter()
            .next()
            .filter(|(state, ..)| state == "sent")
    })
    .await?;
    assert_eq!((state.as_str(), attempts, error.as_str()), ("sent", 3, ""));
    assert!(letter.header("Message-ID").starts_with("<ml_"));
    drop(sending);

    // Never for this recipient: not tried again.
    let never = MailServer::judging(|_| "550 5.1.1 nobody of that name").await?;
    let front = Front::with_mail(to(&never)?).await?;
    let sending = send(&front, hasty());
    front.sign_up("Ada").await?;
    let failed = async |front: &Front| {
        until("it is given up", async || {
            queue(front)
                .await
                .ok()?
                .into_iter()
                .next()
                .filter(|(state, ..)| state == "failed")
        })
        .await
    };
    let (_, attempts, error) = failed(&front).await?;
    assert_eq!(attempts, 1);
    assert!(error.contains("nobody of that name"), "{error}");
    drop(sending);

    // Nobody there, for longer than mail is kept. What it said is gone with it.
    let gone = MailServer::start().await?;
    let mailer = to(&gone)?;
    drop(gone);
    let front = Front::with_mail(mailer).await?;
    let _sending = send(&front, hasty());
    front.sign_up("Ada").await?;
    until("it is tried again", async || {
        let rows = queue(&front).await.ok()?;
        rows.first().filter(|(_, attempts, _)| *attempts > 1).map(drop)
    })
    .await?;
    let mut connection = front.database.connect().await?;
    sqlx::query("update mail set created_at = now() - interval '25 hours'")
        .execute(&mut connection)
        .await?;
    failed(&front).await?;
    let kept: i64 = sqlx::query_scalar("select count(*) from mail where sealed is not null")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!(kept, 0);
    Ok(())
}

/// How many letters wait, and how many of this kind.
async fn waiting(front: &Front, kind: &str) -> anyhow::Result<(i64, i64)> {
    let counted =
        sqlx::query_as("select count(*), count(*) filter (where kind = $1) from mail where state = 'waiting'");
    Ok(counted
        .bind(kind)
        .fetch_one(&mut front.database.connect().await?)
        .await?)
}

/// Has as many letters wait as may: of whoever the newest one counts for, or of nobody in particular.
async fn fill(front: &Front, own: bool, up_to: i32) -> Outcome {
    let fill = "insert into mail (mail_id, kind, sealed, due_at, owner) \
                select random_id('ml_'), 'filling', '\\x00', now() + interval '1 day', n.owner \
                from (select case when $1 then owner end as owner from mail order by created_at desc, mail_id limit 1) n, \
                     generate_series(1, $2 - (select count(*) from mail m where m.state = 'waiting' \
                                              and (not $1 or m.owner = (select owner from mail order by created_at desc, mail_id limit 1)))::integer)";
    sqlx::query(fill)
        .bind(own)
        .bind(up_to)
        .execute(&mut front.database.connect().await?)
        .await?;
    Ok(())
}

#[tokio::test]
async fn what_waits_for_one_for_a_tenant_and_for_all_has_a_limit() -> Outcome {
    let folder = tempfile::tempdir()?;
    let front = Front::with_mail(Mailer::new(Way::folder(&folder.path().join("mail"))?, SENDER)?).await?;
    let (ada, _) = front.sign_up("Ada").await?;
    let again = "mutation { emailVerificationRequest { requested userErrors { code } } }";

    // Of a person: who asks for their own letter is told.
    assert_eq!(waiting(&front, "email_verification").await?, (1, 1));
    ada.ask(again, json!({}))
        .await?
        .data("/emailVerificationRequest/requested")?;
    fill(&front, true, PER_ADDRESS_MAX).await?;
    let refused = ada.ask(again, json!({})).await?;
    assert_eq!(
        refused.text("/emailVerificationRequest/userErrors/0/code")?,
        "LIMIT_REACHED"
    );
    assert_eq!(waiting(&front, "email_verification").await?.1, 2);

    // Of an address: nobody is told, whether or not it is somebody's; another one has room.
    let first = request_reset(&front, "eve@example.com").await?;
    fill(&front, true, PER_ADDRESS_MAX).await?;
    let before = waiting(&front, "password_reset").await?;
    assert_eq!(before.1, 1);
    assert_eq!(request_reset(&front, "EVE@example.com").await?.body, first.body);
    assert_eq!(waiting(&front, "password_reset").await?, before, "nothing more waits");
    request_reset(&front, "mallory@example.com").await?;
    assert_eq!(waiting(&front, "password_reset").await?.1, 2);

    // Of a tenant: the invitation is not made either.
    ada.ask(INVITE, json!({ "e": "bob@example.com" }))
        .await?
        .data("/invitationCreate/invitation/id")?;
    fill(&front, true, PER_TENANT_MAX).await?;
    let refused = ada.ask(INVITE, json!({ "e": "cy@example.com" })).await?;
    assert_eq!(refused.text("/invitationCreate/userErrors/0/code")?, "LIMIT_REACHED");
    let open = ada.ask("{ tenant { invitations { totalCount } } }", json!({})).await?;
    assert_eq!(open.data("/tenant/invitations/totalCount")?, &json!(1));
    // What was sent counts no more.
    let sent = "update mail set state = 'sent', sealed = null, ended_at = now() where mail_id = \
                (select mail_id from mail where kind = 'filling' and owner like 'ten\\_%' limit 1)";
    sqlx::query(sent).execute(&mut front.database.connect().await?).await?;
    ada.ask(INVITE, json!({ "e": "cy@example.com" }))
        .await?
        .data("/invitationCreate/invitation/id")?;

    // Of all: people sign up and change their passwords all the same, and hear of what was done to their accounts.
    let bob = front.sign_up("Bob").await?.0;
    fill(&front, false, TOTAL_MAX).await?;
    let (letters, confirming) = waiting(&front, "email_verification").await?;
    assert_eq!(letters, i64::from(TOTAL_MAX));
    front.sign_up("Dee").await?;
    request_reset(&front, "trent@example.com").await?;
    assert_eq!(waiting(&front, "email_verification").await?, (letters, confirming));
    let change = "mutation($p: String!) { passwordChange(input: { currentPassword: $p, newPassword: \"another long password\" }) {
        userErrors { code } } }";
    let changed = bob.ask(change, json!({ "p": PASSWORD })).await?;
    assert_eq!(
        changed.data("/passwordChange/userErrors")?,
        &json!([]),
        "{}",
        changed.body
    );
    assert_eq!(waiting(&front, "notice").await?, (letters + 1, 1));
    Ok(())
}
