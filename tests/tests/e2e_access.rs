//! Who may publish and who may watch, while a broadcast is on air: the api's word reaches edges and origins within a second.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater_tests::chain::{Chain, Channel, Setup, until};
use headwater_tests::encoder::{self, Source};
use headwater_tests::front::{Answer, Caller};
use headwater_tests::http;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Longest that a revocation may take to be felt.
const FELT: Duration = Duration::from_secs(1);

/// Makes a channel by GraphQL. Returns it with the id of its key.
async fn channel(caller: &Caller) -> anyhow::Result<(Channel, String)> {
    let asked = "mutation { channelCreate(input: { title: \"Town hall\", ladder: { kind: SOURCE } }) {
        channel { id playbackIds { id } } streamKey { id } streamKeySecret userErrors { message } } }";
    let made = caller.ask(asked, json!({})).await?;
    let channel = Channel::of(
        made.text("/channelCreate/channel/id")?,
        made.text("/channelCreate/channel/playbackIds/0/id")?,
        made.text("/channelCreate/streamKeySecret")?,
    );
    Ok((channel, made.text("/channelCreate/streamKey/id")?))
}

async fn done(caller: &Caller, asked: &str, variables: Value) -> anyhow::Result<Answer> {
    let answer = caller.ask(asked, variables).await?;
    let errors = answer.body.to_string();
    anyhow::ensure!(answer.code().is_empty() && !errors.contains("\"code\":"), "{errors}");
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_cuts_its_live_publisher_within_a_second() -> anyhow::Result<()> {
    let chain = Chain::start(Setup::default()).await?;
    let front = chain.front()?;
    let (ada, _) = front.sign_up("Ada").await?;
    let (hall, key) = channel(&ada).await?;
    let mut encoder = Source::default().push(&chain.push_url(&hall))?;
    chain.state(&hall, "live").await?;
    encoder.sends(60).await?;
    let events = "{ webhookEvents(first: 100) { nodes { type } } }";
    until("the broadcast can be watched", async || {
        let told = ada.ask(events, json!({})).await.ok()?.body.to_string();
        told.contains("BROADCAST_ACTIVE").then_some(())
    })
    .await?;
    let revoke =
        "mutation($id: ID!) { streamKeyRevoke(input: { id: $id }) { streamKey { state } userErrors { code } } }";
    done(&ada, revoke, json!({ "id": key })).await?;
    let begun = Instant::now();
    encoder.refused().await?;
    let felt = begun.elapsed();
    assert!(felt < FELT, "the publisher went on for {felt:?}");
    println!("cut {felt:?} after the revocation was answered");

    // The key lets nobody in again, and the tenant was told of everything, by whoever wrote it.
    Source::default().push(&chain.push_url(&hall))?.refused().await?;
    let expected = ["STREAM_KEY_REVOKED", "BROADCAST_CONNECTED", "BROADCAST_ACTIVE"];
    until("the broadcast is told of", async || {
        let told = ada.ask(events, json!({})).await.ok()?.body.to_string();
        let over = told.contains("BROADCAST_DISCONNECTED") || told.contains("BROADCAST_IDLE");
        (over && expected.iter().all(|kind| told.contains(kind))).then_some(())
    })
    .await?;
    chain.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_playback_id_plays_with_a_token_until_it_is_revoked() -> anyhow::Result<()> {
    let chain = Chain::start(Setup::default()).await?;
    let front = chain.front()?;
    let (ada, _) = front.sign_up("Ada").await?;
    let (hall, _) = channel(&ada).await?;
    let create = "mutation($c: ID!) { playbackIdCreate(input: { channelId: $c, policy: SIGNED }) {
        playbackId { id policy } userErrors { code } } }";
    let made = done(&ada, create, json!({ "c": hall.channel_id })).await?;
    let signed = made.text("/playbackIdCreate/playbackId/id")?;
    assert_eq!(made.text("/playbackIdCreate/playbackId/policy")?, "SIGNED");
    let encoder = Source::default().push(&chain.push_url(&hall))?;
    chain.state(&hall, "live").await?;
    assert_eq!(http::get(&chain.play(&signed, "main.m3u8")).await?.status, 401);

    // Each kind of key that the service makes signs tokens that play; `kid` may stand in the claims.
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let key = "mutation($a: SigningAlgorithm!) { signingKeyCreate(input: { name: \"key\", algorithm: $a }) {
        signingKey { id publicKey } privateKey userErrors { code } } }";
    let mut tokens = Vec::new();
    let mut keys = Vec::new();
    for (word, algorithm) in [
        ("RS256", Algorithm::RS256),
        ("ES256", Algorithm::ES256),
        ("EDDSA", Algorithm::EdDSA),
    ] {
        let made = done(&ada, key, json!({ "a": word })).await?;
        let id = made.text("/signingKeyCreate/signingKey/id")?;
        let private = made.text("/signingKeyCreate/privateKey")?;
        let private = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(private.as_bytes())?,
            Algorithm::ES256 => EncodingKey::from_ec_pem(private.as_bytes())?,
            _ => EncodingKey::from_ed_pem(private.as_bytes())?,
        };
        let claims = json!({ "sub": signed, "aud": "v", "exp": now_s + 600, "iat": now_s - 5, "kid": id,
            "jti": format!("token-{word}"), "viewer_id": format!("viewer-{word}") });
        tokens.push(jsonwebtoken::encode(&Header::new(algorithm), &claims, &private)?);
        keys.push(id);
    }
    let path = |token: &str, file: &str| chain.play(&format!("t/{token}/{signed}"), file);
    for token in &tokens {
        until("the list under a token", async || {
            (http::get(&path(token, "main.m3u8")).await.ok()?.status == 200).then_some(())
        })
        .await?;
    }
    // A player that knows nothing of tokens follows the query into the path, and reads pictures.
    let url = chain.play(&signed, &format!("main.m3u8?token={}", tokens[1]));
    let width = encoder::stream_entry(&url, "v:0", "width").await?;
    assert!(width.trim().parse::<u32>().is_ok_and(|width| width > 0), "{width}");

    for (asked, variables, token, status) in [
        (
            "mutation($x: String!) { playbackTokenRevoke(input: { tokenId: $x }) { tokenId userErrors { code } } }",
            json!({ "x": "token-RS256" }),
            &tokens[0],
            403,
        ),
        (
            "mutation($x: String!) { playbackViewerRevoke(input: { viewerId: $x }) { viewerId userErrors { code } } }",
            json!({ "x": "viewer-ES256" }),
            &tokens[1],
            403,
        ),
        (
            "mutation($x: ID!) { signingKeyRevoke(input: { id: $x }) { signingKey { revokedAt } userErrors { code } } }",
            json!({ "x": keys[2] }),
            &tokens[2],
            401,
        ),
    ] {
        assert_eq!(http::get(&path(token, "main.m3u8")).await?.status, 200);
        done(&ada, asked, variables).await?;
        let begun = Instant::now();
        while http::get(&path(token, "main.m3u8")).await?.status != status {
            assert!(begun.elapsed() < FELT, "still shown after {FELT:?}");
        }
        println!("refused {:?} after the revocation was answered", begun.elapsed());
    }
    let wrong = "mutation($p: String!) { signingKeyImport(input: { name: \"mine\", algorithm: RS256, publicKey: $p }) {
        signingKey { id } userErrors { code field } } }";
    let pem = ada
        .ask("{ signingKeys(last: 1) { nodes { algorithm publicKey } } }", json!({}))
        .await?;
    let newest = ada
        .ask("{ signingKeys(first: 1) { nodes { publicKey } } }", json!({}))
        .await?;
    let refused = ada
        .ask(wrong, json!({ "p": newest.text("/signingKeys/nodes/0/publicKey")? }))
        .await?;
    assert_eq!(
        refused.text("/signingKeyImport/userErrors/0/code")?,
        "INVALID",
        "an Ed25519 key is no RSA key"
    );
    let taken = done(&ada, wrong, json!({ "p": pem.text("/signingKeys/nodes/0/publicKey")? })).await?;
    taken.data("/signingKeyImport/signingKey/id")?;
    encoder.stop().await?;
    chain.finish().await
}
