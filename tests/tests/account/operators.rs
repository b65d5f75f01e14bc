//! What operators meet: keys that were changed, a database user who may do little, and proxies in front.

use std::net::SocketAddr;

use headwater_api::http::{Api, router};
use headwater_api::reseal::{self, Resealer, Tally};
use headwater_api::{Database, Seals};
use headwater_platform::hints::MemoryHints;
use headwater_platform::rpc::RpcConfig;
use headwater_tests::farm;
use headwater_tests::front::{PASSWORD, SEALING_KEY};
use headwater_tests::outside::{Cluster, TestDatabase};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::sync::Arc;

use super::*;

/// Starts an api with these keys, and waits until it has looked at what is sealed. Returns why it stopped, if it did.
async fn started(database: &TestDatabase, rpc: &str, keys: &[&str]) -> anyhow::Result<Option<String>> {
    let mut before = database.connect().await?;
    let role = farm::api_sealed(
        &database.url,
        RpcConfig::with_secret(rpc),
        keys.iter().map(|key| Secret::new(*key)).collect(),
    )
    .await?;
    let mut role = Some(role);
    let mut why = None;
    headwater_tests::farm::until("it has looked", async || {
        if role.as_ref().is_some_and(farm::Role::has_ended) {
            why = role.take()?.stop().await.err().map(|error| format!("{error:#}"));
            return Some(());
        }
        // The row is there, and opens with the first key: nothing is left to look at.
        let looked: Option<bool> = sqlx::query_scalar("select true from seal_check")
            .fetch_optional(&mut before)
            .await
            .ok()?;
        let ready = headwater_tests::http::get(&format!("http://{}/readyz", role.as_ref()?.http?))
            .await
            .ok()?;
        (looked.is_some() && ready.status == 200 && role.as_ref()?.process.health.problems().is_empty()).then_some(())
    })
    .await?;
    if let Some(role) = role {
        role.stop().await?;
    }
    Ok(why)
}

#[tokio::test]
async fn an_api_whose_keys_do_not_open_what_is_sealed_says_so_and_stops() -> Outcome {
    let database = TestDatabase::fresh().await?;
    assert_eq!(
        started(&database, "the first secret of the farm, long", &[]).await?,
        None
    );
    assert_eq!(
        started(&database, "the first secret of the farm, long", &[]).await?,
        None,
        "again"
    );
    let why = started(&database, "another secret of the farm, long", &[])
        .await?
        .unwrap_or_default();
    assert!(
        why.contains("HEADWATER_API_SEALING_KEYS") && why.contains("HEADWATER_RPC_SECRET"),
        "{why}"
    );
    assert!(!why.contains("secret of the farm"), "{why}");
    // As the sentence says: the former secret behind a new key. Then the new one alone will not do without it.
    let both = ["a key of its own, long enough", "the first secret of the farm, long"];
    assert_eq!(
        started(&database, "another secret of the farm, long", &both).await?,
        None
    );
    assert!(
        started(&database, "another secret of the farm, long", &both[1..])
            .await?
            .is_some()
    );
    assert_eq!(
        started(&database, "another secret of the farm, long", &both[..1]).await?,
        None
    );
    Ok(())
}

#[tokio::test]
async fn a_user_who_may_not_create_roles_is_told_what_a_superuser_runs() -> Outcome {
    let cluster = Cluster::start().await?;
    let database = cluster.database().await?;
    let mut superuser = database.connect().await?;
    for statement in [
        // Those of other databases, out of the way.
        "alter role headwater_door rename to other_door",
        "alter role headwater_tenant rename to other_tenant",
        "create role limited login nosuperuser nocreaterole nocreatedb",
        "create database limited owner limited",
    ] {
        sqlx::query(statement).execute(&mut superuser).await?;
    }
    let url = database.url.reveal().replace("//headwater@", "//limited@");
    let url = Secret::new(format!(
        "{}/limited",
        url.rsplit_once('/').map_or("", |(start, _)| start)
    ));
    let limited = Database::open(&url, 1)?;
    for role in ["headwater_door", "headwater_tenant"] {
        let refused = format!("{:#}", limited.migrate().await.expect_err("refused"));
        let wanted = format!("create role {role} nologin; grant {role} to limited;");
        assert!(refused.contains(&wanted), "{refused}");
        for statement in wanted.split_terminator(';') {
            sqlx::query(AssertSqlSafe(statement.to_owned()))
                .execute(&mut superuser)
                .await?;
        }
    }
    limited.migrate().await?;
    limited.close().await;
    // It is served from as well.
    let front = Front::beside(&url, Arc::new(MemoryHints::new()))?;
    let (ada, _) = front.sign_up("Ada").await?;
    assert_eq!(logged(&ada).await?, ["tenant.create"]);
    let mut own = PgConnection::connect(url.reveal()).await?;
    sqlx::query("set role headwater_door").execute(&mut own).await?;
    superuser.close().await?;
    Ok(())
}

#[tokio::test]
async fn throttles_and_logs_see_through_trusted_proxies_alone() -> Outcome {
    let front = Front::fresh().await?;
    let proxy: SocketAddr = "10.1.2.3:4711".parse()?;
    let api = Api::new(front.services.clone(), 1_000, CancellationToken::new()).behind(vec!["10.0.0.0/8".parse()?]);
    let behind = router(api);
    let asked = "mutation($n: String!, $e: String!) { signUp(input: { email: $e, password: \"a long enough password\", name: $n, tenantName: $n })
        { user { sessions { nodes { ipAddress } } } userErrors { code } } }";
    for (peer, forwarded, seen) in [
        ("10.1.2.3:4711".parse()?, "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.8:4711".parse()?, "6.6.6.6", "192.0.2.8"),
    ] {
        let caller = Caller::at(behind.clone(), peer).with("x-forwarded-for", forwarded);
        let variables = json!({ "n": seen, "e": format!("{}@example.com", seen.replace('.', "-")) });
        let made = caller.ask(asked, variables).await?;
        assert_eq!(made.text("/signUp/user/sessions/nodes/0/ipAddress")?, seen);
    }
    // Whoever guesses is throttled by their own address, and nobody else behind the same proxy.
    let few = Api::new(front.services.clone(), 4, CancellationToken::new()).behind(vec!["10.0.0.0/8".parse()?]);
    let few = router(few);
    let at = |address: &str| Caller::at(few.clone(), proxy).with("x-forwarded-for", address);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(at("6.6.6.6, 192.0.2.9").ask("{ me { id } }", json!({})).await?.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(
        at("6.6.6.6, 192.0.2.10").ask("{ me { id } }", json!({})).await?.status,
        200
    );
    Ok(())
}

/// Another walk through what is sealed, by a process with these keys.
async fn walk(front: &Front, keys: &[&str]) -> anyhow::Result<Tally> {
    let keys: Vec<_> = keys.iter().map(|key| Secret::new(*key)).collect();
    let seals = Seals::new(&keys, &Secret::new("unused"));
    // More rows than one batch holds.
    let rules = reseal::Rules {
        rows_max: 2,
        ..reseal::Rules::default()
    };
    Ok(Resealer::new(Database::serve(&front.database.url, 2)?, seals, rules)
        .walk()
        .await?)
}

#[tokio::test]
async fn a_new_key_in_front_seals_again_what_the_old_one_sealed_until_it_may_go() -> Outcome {
    const OLD: &str = SEALING_KEY;
    let folder = tempfile::tempdir()?;
    let front = Front::with_mail(Mailer::new(Way::folder(&folder.path().join("mail"))?, SENDER)?).await?;
    let mut kept = 0;
    for name in ["Ada", "Bob", "Cy"] {
        let (caller, _) = front.sign_up(name).await?;
        kept += 1; // the letter that confirms the address
        for n in 0..3 {
            let make = "mutation($u: String!) { webhookEndpointCreate(input: { url: $u }) { webhookEndpoint { id } } }";
            let made = caller
                .ask(make, json!({ "u": format!("https://{n}.example.com/") }))
                .await?;
            let id = made.text("/webhookEndpointCreate/webhookEndpoint/id")?;
            let rotate = "mutation($id: ID!) { webhookEndpointRotateSecret(input: { id: $id }) { secret } }";
            caller
                .ask(rotate, json!({ "id": id }))
                .await?
                .text("/webhookEndpointRotateSecret/secret")?;
            kept += 2;
        }
        for managed in [true, true, false] {
            let make = "mutation($m: Boolean!) { signingKeyCreate(input: { name: \"k\", managed: $m }) { signingKey { id } } }";
            caller
                .ask(make, json!({ "m": managed }))
                .await?
                .text("/signingKeyCreate/signingKey/id")?;
            kept += u64::from(managed);
        }
        let enrol = caller
            .ask(super::second_factor::ENROL, json!({ "p": PASSWORD }))
            .await?;
        enrol.text("/totpEnrol/secret")?;
        kept += 1;
    }
    let (none, all) = (Tally::default(), |sealed| Tally { sealed, left: 0 });
    assert_eq!(walk(&front, &[OLD]).await?, none, "the first key sealed everything");
    let unknown = walk(&front, &["new", "another"]).await?;
    assert_eq!(
        unknown,
        Tally { sealed: 0, left: kept },
        "what no key opens is left as it is"
    );

    // Two processes at once: each value is sealed again once, and a walk that finds nothing says so.
    let (one, two) = tokio::try_join!(walk(&front, &["new", OLD]), walk(&front, &["new", OLD]))?;
    assert_eq!(one.sealed + two.sealed, kept, "{one:?} {two:?}");
    assert_eq!(walk(&front, &["new", OLD]).await?, none);
    // An api that still has the old key in front goes on sealing with it; the next walk finds that.
    let (dee, _) = front.sign_up("Dee").await?;
    assert_eq!(walk(&front, &["new", OLD]).await?, all(1));
    // The old one may go: the new one opens everything.
    assert_eq!(walk(&front, &["next", "new"]).await?, all(kept + 1));
    assert_eq!(walk(&front, &["new", "next"]).await?, all(kept + 1));

    // What was sealed again is what it was: an api with the new key alone signs with the key that it kept.
    let managed = "mutation { signingKeyCreate(input: { name: \"k\", managed: true }) { signingKey { id } } }";
    dee.ask(managed, json!({}))
        .await?
        .text("/signingKeyCreate/signingKey/id")?;
    assert_eq!(walk(&front, &["new", OLD]).await?, all(1));
    let channel = dee.channel("Town hall").await?;
    let found = dee
        .ask(
            "query($id: ID!) { channel(id: $id) { playbackIds { id } } }",
            json!({ "id": channel }),
        )
        .await?;
    let mint = "mutation($p: ID!) { playbackTokenCreate(input: { playbackId: $p }) { playbackToken { token } userErrors { code } } }";
    let mint = (mint, json!({ "p": found.text("/channel/playbackIds/0/id")? }));
    let refused = dee.ask(mint.0, mint.1.clone()).await?;
    assert_eq!(
        refused.text("/playbackTokenCreate/userErrors/0/code")?,
        "STATE",
        "the old key opens it no more"
    );
    let minted = front.sealing_with(&["new"], &dee)?.ask(mint.0, mint.1).await?;
    minted.text("/playbackTokenCreate/playbackToken/token")?;
    Ok(())
}
