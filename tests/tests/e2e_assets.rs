//! A replay's whole life, with every role as a process of its own: its pictures, its download, its own policy, its deletion, and
//! tokens that the service makes.

use std::path::Path;

use headwater_api::asset::purge::{Pace, Purger};
use headwater_platform::Secret;
use headwater_platform::store::StoreConfig;
use headwater_tests::browser;
use headwater_tests::chain::{Chain, Channel, Setup, until};
use headwater_tests::encoder::Source;
use headwater_tests::front::{Answer, Caller};
use headwater_tests::http;
use headwater_tests::outside::Store;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

const ASSET: &str =
    "query($c: ID!) { assets(filter: { channelId: $c }) { totalCount nodes { id state version title deletesAt
    thumbnailUrl downloadUrl playbackPolicy playbackIds { id policy } broadcast { id } } } }";

async fn channel(caller: &Caller, ladder: &str) -> anyhow::Result<Channel> {
    let asked = "mutation($k: LadderKind!) { channelCreate(input: { title: \"Town hall\", ladder: { kind: $k } }) {
        channel { id playbackIds { id } } streamKeySecret userErrors { message } } }";
    let made = caller.ask(asked, json!({ "k": ladder })).await?;
    Ok(Channel::of(
        made.text("/channelCreate/channel/id")?,
        made.text("/channelCreate/channel/playbackIds/0/id")?,
        made.text("/channelCreate/streamKeySecret")?,
    ))
}

async fn done(caller: &Caller, asked: &str, variables: Value) -> anyhow::Result<Answer> {
    let answer = caller.ask(asked, variables).await?;
    let errors = answer.body.to_string();
    anyhow::ensure!(answer.code().is_empty() && !errors.contains("\"code\":"), "{errors}");
    Ok(answer)
}

/// Pushes some seconds and waits for the replay. Returns the playback id of its own, the asset's and the broadcast's.
async fn recorded(chain: &Chain, ada: &Caller, hall: &Channel) -> anyhow::Result<(String, String, String)> {
    let mut encoder = Source::default().push(&chain.push_url(hall))?;
    chain.state(hall, "live").await?;
    let live = chain.play(&hall.playback_id, "thumbnail.jpg");
    let picture = until("a picture of what is on air", async || {
        let answer = http::get(&live).await.ok()?;
        (answer.status == 200).then_some(answer)
    })
    .await?;
    assert_eq!(header(&picture, "content-type"), "image/jpeg");
    assert!(picture.body.starts_with(&[0xff, 0xd8, 0xff]), "a JPEG");
    assert_eq!(header(&picture, "cache-control"), "public, max-age=10");
    encoder.sends(120).await?;
    encoder.stop().await?;
    let variables = json!({ "c": hall.channel_id });
    let ready = until("the replay is ready", async || {
        let found = ada.ask(ASSET, variables.clone()).await.ok()?;
        (found.text("/assets/nodes/0/state").ok()? == "READY").then_some(found)
    })
    .await?;
    Ok((
        ready.text("/assets/nodes/0/playbackIds/0/id")?,
        ready.text("/assets/nodes/0/id")?,
        ready.text("/assets/nodes/0/broadcast/id")?,
    ))
}

/// An address that the api tells, at the chain's own origin.
fn here(chain: &Chain, url: &str) -> String {
    let path = url.strip_prefix("http://127.0.0.1:8088/").unwrap_or_default();
    let (id, rest) = path.split_once('/').unwrap_or_default();
    chain.play(id, rest)
}

fn header<'a>(answer: &'a http::Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", String::as_str)
}

/// Names of the files that the store keeps of a broadcast.
fn stored(folder: &Path, broadcast: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.display().to_string();
            if path.is_dir() {
                open.push(path);
            } else if name.contains(broadcast) && !entry.file_name().to_string_lossy().starts_with('.') {
                names.push(name);
            }
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_seen_downloaded_deleted_restored_and_removed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let chain = Chain::start(Setup {
        store: Some(folder.path().to_path_buf()),
        ..Setup::default()
    })
    .await?;
    let front = chain.front()?;
    let (ada, _) = front.sign_up("Ada").await?;
    let hall = channel(&ada, "SOURCE").await?;
    let (replay, asset, broadcast) = recorded(&chain, &ada, &hall).await?;
    let (kept_replay, _, kept) = {
        let other = channel(&ada, "SOURCE").await?;
        recorded(&chain, &ada, &other).await?
    };

    // Poster and download of the replay, at the addresses that GraphQL tells.
    let told = ada.ask(ASSET, json!({ "c": hall.channel_id })).await?;
    let here = |url: String| here(&chain, &url);
    let poster = http::get(&here(told.text("/assets/nodes/0/thumbnailUrl")?)).await?;
    assert_eq!(
        (poster.status, header(&poster, "cache-control")),
        (200, "public, max-age=3600")
    );
    let narrow = http::get(&chain.play(&replay, "thumbnail.jpg?width=320")).await?;
    assert!(narrow.body.len() <= poster.body.len() && narrow.body.starts_with(&[0xff, 0xd8, 0xff]));
    assert_eq!(
        http::get(&chain.play(&replay, "thumbnail.jpg?width=321")).await?.status,
        400
    );
    let download = here(told.text("/assets/nodes/0/downloadUrl")?);
    let file = http::get(&download).await?;
    assert_eq!((file.status, &file.body[4..8]), (200, &b"ftyp"[..]));

    // Deleted: nobody sees it from this moment on, at any address.
    let addresses = [
        chain.play(&replay, "main.m3u8"),
        chain.play(&replay, &format!("{broadcast}/source/index.m3u8")),
        chain.play(&replay, &format!("{broadcast}/source/0-1.m4s")),
        chain.play(&hall.playback_id, "main.m3u8"),
        chain.play(&hall.playback_id, &format!("{broadcast}/source/0-1.m4s")),
        chain.play(&replay, "thumbnail.jpg"),
        download,
    ];
    for address in &addresses {
        assert_eq!(http::get(address).await?.status, 200, "{address}");
    }
    let delete =
        "mutation($id: ID!) { assetDelete(input: { id: $id }) { asset { state deletesAt thumbnailUrl downloadUrl }
        userErrors { code } } }";
    let deleted = done(&ada, delete, json!({ "id": asset })).await?;
    assert_eq!(deleted.text("/assetDelete/asset/state")?, "READY");
    deleted.data("/assetDelete/asset/deletesAt")?;
    assert!(deleted.data("/assetDelete/asset/downloadUrl").is_err());
    let begun = std::time::Instant::now();
    for address in &addresses {
        until("it is not shown any more", async || {
            (http::get(address).await.ok()?.status == 404).then_some(())
        })
        .await?;
    }
    let felt = begun.elapsed();
    println!("gone from all addresses {felt:?} after the deletion was answered");
    assert!(felt.as_secs() < 5, "shown for {felt:?}");
    assert!(
        !stored(folder.path(), &broadcast).is_empty(),
        "there is time to undo it"
    );

    // Kept after all: it plays again.
    let restore =
        "mutation($id: ID!) { assetRestore(input: { id: $id }) { asset { state deletesAt } userErrors { code } } }";
    done(&ada, restore, json!({ "id": asset })).await?;
    for address in &addresses {
        until("it is shown again", async || {
            (http::get(address).await.ok()?.status == 200).then_some(())
        })
        .await?;
    }

    // Deleted with nothing left to undo: everything of it leaves the store, in spite of a store that fails for a while, and
    // nothing of anybody else's.
    done(&ada, delete, json!({ "id": asset })).await?;
    sqlx::query("update asset set deletes_at = now() where asset_id = $1")
        .bind(&asset)
        .execute(&mut chain.database().await?)
        .await?;
    until("the media is removed", async || {
        stored(folder.path(), &broadcast).is_empty().then_some(())
    })
    .await?;
    let state = "query($id: ID!) { asset(id: $id) { state sizeBytes deletesAt } }";
    until("the asset is deleted", async || {
        let found = ada.ask(state, json!({ "id": asset })).await.ok()?;
        (found.text("/asset/state").ok()? == "DELETED" && found.data("/asset/sizeBytes").ok()? == 0).then_some(())
    })
    .await?;
    assert!(!stored(folder.path(), &kept).is_empty());
    assert_eq!(http::get(&chain.play(&kept_replay, "main.m3u8")).await?.status, 200);
    let refused = ada.ask(restore, json!({ "id": asset })).await?;
    assert_eq!(refused.text("/assetRestore/userErrors/0/code")?, "STATE");
    let events = ada
        .ask("{ webhookEvents(first: 100) { nodes { type } } }", json!({}))
        .await?;
    let told = events.body.to_string();
    assert_eq!(told.matches("ASSET_DELETED").count(), 1, "{told}");
    assert!(told.matches("ASSET_UPDATED").count() >= 3, "{told}");

    // Once more, by another process: there is nothing left to do.
    let config = StoreConfig {
        s3_endpoint: chain.store.endpoint.clone(),
        s3_region: "us-east-1".into(),
        s3_bucket: Store::BUCKET.into(),
        s3_access_key: Store::ACCESS_KEY.into(),
        s3_secret_key: Secret::new(Store::SECRET_KEY),
        s3_timeout_ms: 3_000,
    };
    let purger = Purger::new(front.database.api.clone(), config.open(), Pace::default());
    assert_eq!(purger.look().await?, 0);
    chain.finish().await
}

/// What a viewer at this playlist sees until the broadcast ends, who is never turned away before.
async fn watched_to_the_end(playlist: String) -> anyhow::Result<String> {
    let mut every = tokio::time::interval(std::time::Duration::from_millis(100));
    loop {
        every.tick().await;
        let answer = http::get(&playlist).await?;
        let text = answer.text();
        anyhow::ensure!(answer.status == 200, "{}: {text}", answer.status);
        if text.contains("#EXT-X-ENDLIST") {
            return Ok(text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_that_is_not_recorded_is_watched_live_and_leaves_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let chain = Chain::start(Setup {
        store: Some(folder.path().to_path_buf()),
        ..Setup::default()
    })
    .await?;
    let front = chain.front()?;
    let (ada, _) = front.sign_up("Ada").await?;
    let other = channel(&ada, "SOURCE").await?;
    let (kept_replay, _, kept) = recorded(&chain, &ada, &other).await?;
    let hall = channel(&ada, "SOURCE").await?;
    let update = "mutation($id: ID!, $v: Int!, $r: RecordingPolicy) {
        channelUpdate(input: { id: $id, expectedVersion: $v, recording: $r }) { channel { recording } userErrors { code } } }";
    done(&ada, update, json!({ "id": hall.channel_id, "v": 1, "r": "NONE" })).await?;

    // Live, it is as any other: the window from its first segment on, stored on the way.
    let mut encoder = Source::default().push(&chain.push_url(&hall))?;
    let told = chain.state(&hall, "live").await?;
    let (Some(broadcast), Some(replay)) = (told["broadcast_id"].as_str(), told["replay_playback_id"].as_str()) else {
        anyhow::bail!("no broadcast: {told}");
    };
    encoder.sends(240).await?;
    let playlist = chain.play(&hall.playback_id, &format!("{broadcast}/source/index.m3u8"));
    until("three segments of the past can be sought", async || {
        let listed = http::get(&playlist).await.ok()?.text();
        (listed.matches("#EXTINF").count() >= 3).then_some(())
    })
    .await?;
    let first = format!("{broadcast}/source/0-1.m4s");
    let addresses = [
        chain.play(replay, "main.m3u8"),
        chain.play(replay, "dvr.m3u8"),
        chain.play(replay, &first),
        chain.play(&hall.playback_id, "main.m3u8"),
        chain.play(&hall.playback_id, "dvr.m3u8"),
        chain.play(&hall.playback_id, "thumbnail.jpg"),
    ];
    for address in &addresses {
        until("it is shown", async || {
            (http::get(address).await.ok()?.status == 200).then_some(())
        })
        .await?;
    }
    assert_eq!(http::get(&chain.play(&hall.playback_id, &first)).await?.status, 200);
    assert!(
        !stored(folder.path(), broadcast).is_empty(),
        "an accepted second survives a worker"
    );
    // The channel records again, from its next broadcast on.
    done(&ada, update, json!({ "id": hall.channel_id, "v": 2, "r": "RECORD" })).await?;

    // It ends: those who watch see the end, and after that there is nothing.
    let watching = tokio::spawn(watched_to_the_end(playlist));
    encoder.stop().await?;
    let ended = watching.await??;
    let last = ended.lines().rfind(|line| line.ends_with(".m4s")).unwrap_or_default();
    let last = chain.play(&hall.playback_id, &format!("{broadcast}/source/{last}"));
    assert_eq!(http::get(&last).await?.status, 200, "{ended}");
    let begun = std::time::Instant::now();
    chain.state(&hall, "offline").await?;
    let download = chain.play(replay, &format!("{broadcast}/download.mp4"));
    for address in addresses.iter().chain([&download]) {
        until("nothing is shown of it", async || {
            (http::get(address).await.ok()?.status == 404).then_some(())
        })
        .await?;
    }
    until("nothing of it is stored", async || {
        stored(folder.path(), broadcast).is_empty().then_some(())
    })
    .await?;
    println!("nothing was left {:?} after its end was seen", begun.elapsed());
    let seen = "query($id: ID!) { broadcast(id: $id) { lifecycle recording asset { id } } assets { totalCount }
        webhookEvents(first: 100) { nodes { type } } }";
    let seen = ada.ask(seen, json!({ "id": broadcast })).await?;
    assert_eq!(
        seen.data("/broadcast")?,
        &json!({ "lifecycle": "ENDED", "recording": "NONE", "asset": null })
    );
    assert_eq!(seen.data("/assets/totalCount")?, &json!(1));
    let events = seen.data("/webhookEvents/nodes")?.to_string();
    assert_eq!(
        (
            events.matches("ASSET_READY").count(),
            events.matches("ASSET_DELETED").count(),
            events.matches("BROADCAST_ENDED").count()
        ),
        (1, 0, 2),
        "{events}"
    );

    // What is recorded stays: of the other channel, and what this one broadcasts next.
    assert_eq!(http::get(&chain.play(&kept_replay, "main.m3u8")).await?.status, 200);
    assert!(!stored(folder.path(), &kept).is_empty());
    let (next, ..) = recorded(&chain, &ada, &hall).await?;
    assert_eq!(http::get(&chain.play(&next, "main.m3u8")).await?.status, 200);
    chain.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_with_a_policy_of_its_own_plays_with_a_token_that_is_made_here() -> Outcome {
    let chain = Chain::start(Setup::default()).await?;
    let front = chain.front()?;
    let (ada, _) = front.sign_up("Ada").await?;
    let hall = channel(&ada, "SOURCE").await?;
    let (replay, asset, _) = recorded(&chain, &ada, &hall).await?;
    let list = chain.play(&replay, "main.m3u8");
    assert_eq!(http::get(&list).await?.status, 200);
    let found = ada.ask(ASSET, json!({ "c": hall.channel_id })).await?;
    let update = "mutation($id: ID!, $v: Int!, $p: PlaybackPolicy) {
        assetUpdate(input: { id: $id, expectedVersion: $v, playbackPolicy: $p, title: \"Members only\" }) {
            asset { title version playbackPolicy playbackIds { policy } } userErrors { code field } } }";
    let version = found.data("/assets/nodes/0/version")?.clone();
    let changed = done(&ada, update, json!({ "id": asset, "v": version, "p": "SIGNED" })).await?;
    assert_eq!(changed.text("/assetUpdate/asset/playbackIds/0/policy")?, "SIGNED");
    let stale = ada
        .ask(update, json!({ "id": asset, "v": version, "p": "PUBLIC" }))
        .await?;
    assert_eq!(stale.text("/assetUpdate/userErrors/0/code")?, "STALE");
    until("nobody sees it without a token", async || {
        (http::get(&list).await.ok()?.status == 401).then_some(())
    })
    .await?;
    until("the channel's public address does not show it either", async || {
        (http::get(&chain.play(&hall.playback_id, "main.m3u8"))
            .await
            .ok()?
            .status
            == 404)
            .then_some(())
    })
    .await?;

    // Tokens: the first call makes the key; what is allowed is allowed, and no more.
    let create = "mutation($i: PlaybackTokenCreateInput!) { playbackTokenCreate(input: $i) {
        playbackToken { token tokenId signingKeyId expiresAt downloadUrl urls { hls embed thumbnail } } userErrors { code field } } }";
    let made = done(
        &ada,
        create,
        json!({ "i": { "playbackId": replay, "viewerId": "viewer-1" } }),
    )
    .await?;
    let token = made.text("/playbackTokenCreate/playbackToken/token")?;
    assert!(
        made.data("/playbackTokenCreate/playbackToken/downloadUrl").is_err(),
        "it does not allow that"
    );
    let here = |url: String| here(&chain, &url);
    let hls = here(made.text("/playbackTokenCreate/playbackToken/urls/hls")?);
    assert_eq!(http::get(&hls).await?.status, 302, "into the path");
    assert_eq!(
        http::get(&chain.play(&format!("t/{token}/{replay}"), "main.m3u8"))
            .await?
            .status,
        200
    );
    let picture = http::get(&here(made.text("/playbackTokenCreate/playbackToken/urls/thumbnail")?)).await?;
    assert_eq!(
        (picture.status, header(&picture, "cache-control")),
        (200, "private, max-age=3600")
    );
    assert_eq!(http::get(&chain.play(&replay, "thumbnail.jpg")).await?.status, 401);
    let allowed = json!({ "i": { "playbackId": replay, "downloadable": true, "ips": ["127.0.0.0/8"] } });
    let downloads = done(&ada, create, allowed).await?;
    let file = http::get(&here(downloads.text("/playbackTokenCreate/playbackToken/downloadUrl")?)).await?;
    assert_eq!(file.status, 200);
    let elsewhere = json!({ "i": { "playbackId": replay, "ips": ["203.0.113.0/24"] } });
    let elsewhere = done(&ada, create, elsewhere).await?;
    let hls = here(elsewhere.text("/playbackTokenCreate/playbackToken/urls/hls")?);
    assert_eq!(http::get(&hls).await?.status, 403);
    // The embed page takes the token from behind the #, and says what is wrong without it.
    let origin = chain.play("", "");
    let origin = origin.trim_end_matches('/');
    let page = format!("{replay}#token={token}");
    let plays = ["--seconds", "2", "--expect-state", "replay", "--min-frames", "20"];
    browser::play(origin, &page, &plays).await?;
    browser::play(
        origin,
        &replay,
        &["--seconds", "1", "--no-media", "--expect-state", "error"],
    )
    .await?;

    let same = "/playbackTokenCreate/playbackToken/signingKeyId";
    assert_eq!(made.text(same)?, downloads.text(same)?);

    // The audit log and the database know what it says, and neither the token nor the key that signed it.
    let log = ada
        .ask(
            "{ tenant { auditLog(first: 20) { nodes { action subjectId after } } } }",
            json!({}),
        )
        .await?;
    let log = log.body.to_string();
    assert!(
        log.contains("playback_token.create") && log.contains("viewer-1"),
        "{log}"
    );
    assert!(!log.contains(&token) && !log.contains("PRIVATE KEY"));
    let keys = ada
        .ask(
            "{ signingKeys(first: 5) { nodes { managed imported publicKey } } }",
            json!({}),
        )
        .await?;
    assert_eq!(keys.data("/signingKeys/nodes/0/managed")?, &json!(true));

    // One that is revoked by its id is refused.
    let revoke =
        "mutation($x: String!) { playbackTokenRevoke(input: { tokenId: $x }) { tokenId userErrors { code } } }";
    done(
        &ada,
        revoke,
        json!({ "x": made.text("/playbackTokenCreate/playbackToken/tokenId")? }),
    )
    .await?;
    until("the revoked token is refused", async || {
        let answer = http::get(&chain.play(&format!("t/{token}/{replay}"), "main.m3u8"))
            .await
            .ok()?;
        (answer.status == 403).then_some(())
    })
    .await?;

    // Refused where it makes no sense.
    for (input, code) in [
        (json!({ "playbackId": "pb_aaaaaaaaaaaaaaaaaaaaaaaa" }), "NOT_FOUND"),
        (
            json!({ "playbackId": replay, "signingKeyId": "sgk_aaaaaaaaaaaaaaaaaaaaaaaa" }),
            "NOT_FOUND",
        ),
        (json!({ "playbackId": replay, "expiresInS": 1 }), "OUT_OF_RANGE"),
        (json!({ "playbackId": replay, "countries": ["Germany"] }), "INVALID"),
    ] {
        let refused = ada.ask(create, json!({ "i": input })).await?;
        assert_eq!(
            refused.text("/playbackTokenCreate/userErrors/0/code")?,
            code,
            "{}",
            refused.body
        );
    }
    chain.finish().await
}
