//! Faults in the middle of a broadcast, with every role as a process of its own: whatever fails, and for however long,
//! the replay holds every picture that was accepted, once and in order.

use anyhow::Context as _;
use headwater_tests::chain::{Chain, Channel, Setup, until};
use headwater_tests::encoder::{self, Encoder, Source};
use headwater_tests::http;
use headwater_tests::outside::Line;

/// Pictures a second that every test pushes.
const FPS: u64 = 30;

/// Starts pushing, and waits until viewers see it.
async fn go_live(chain: &Chain, channel: &Channel, source: &Source) -> anyhow::Result<(Encoder, String)> {
    let encoder = source.push(&chain.push_url(channel))?;
    let state = chain.state(channel, "live").await?;
    let broadcast = state["broadcast_id"].as_str().context("a broadcast")?.to_owned();
    Ok((encoder, broadcast))
}

/// Every media playlist that the multivariant playlist lists.
async fn media_playlists(multivariant_url: &str) -> anyhow::Result<Vec<String>> {
    let answer = http::get(multivariant_url).await?;
    anyhow::ensure!(
        answer.status == 200,
        "{multivariant_url}: {}: {}",
        answer.status,
        answer.text()
    );
    let base = multivariant_url.rsplit_once('/').context("an address with a path")?.0;
    let text = answer.text();
    let of_line = |line: &str| match line.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next()) {
        Some(uri) => Some(format!("{base}/{uri}")),
        None => (!line.starts_with('#') && !line.is_empty()).then(|| format!("{base}/{line}")),
    };
    let mut listed: Vec<String> = text.lines().filter_map(of_line).collect();
    listed.sort();
    listed.dedup();
    Ok(listed)
}

/// The replay of one broadcast: every rung holds `frames` pictures once and in order, without a gap inside an epoch,
/// and sound for as long; and breaks are announced exactly `discontinuities` times.
async fn assert_whole(chain: &Chain, playback_id: &str, frames: u64, discontinuities: usize) -> anyhow::Result<()> {
    let mut rungs = 0;
    for url in media_playlists(&chain.play(playback_id, "main.m3u8")).await? {
        let playlist = http::get(&url).await?.text();
        assert!(playlist.contains("#EXT-X-ENDLIST"), "{url}: {playlist}");
        assert!(!playlist.contains("#EXT-X-GAP"), "{url}: {playlist}");
        let announced = playlist.matches("#EXT-X-DISCONTINUITY\n").count();
        assert_eq!(announced, discontinuities, "{url}: {playlist}");
        if url.contains("/audio/") {
            let blocks = encoder::packets(&url, "a:0").await?.len() as f64;
            let (sound, picture) = (blocks * 1024.0 / 48_000.0, frames as f64 / FPS as f64);
            assert!(
                (sound - picture).abs() < 0.15 * (1 + discontinuities) as f64,
                "{url}: {sound} s of sound, {picture} s of picture"
            );
            continue;
        }
        rungs += 1;
        let packets = encoder::packets(&url, "v:0").await?;
        assert_eq!(packets.len() as u64, frames, "{url}: every picture once\n{playlist}");
        let steps = packets.windows(2).map(|w| w[1].dts - w[0].dts);
        assert!(steps.clone().all(|step| step > 0.0), "{url}: decode times grow");
        let gaps = steps.filter(|step| *step > 1.5 / FPS as f64).count();
        assert!(
            gaps <= discontinuities,
            "{url}: {gaps} gaps, {discontinuities} announced\n{playlist}"
        );
    }
    assert!(rungs > 0, "there is a picture");
    Ok(())
}

/// The last media sequence number that a live playlist lists.
async fn newest_segment(url: &str) -> anyhow::Result<u64> {
    let playlist = http::get(url).await?.text();
    let first = playlist.lines().find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
    let first: u64 = first.with_context(|| format!("{url}: {playlist}"))?.trim().parse()?;
    Ok(first + playlist.matches("#EXTINF").count() as u64)
}

/// Waits, as a player does, for `segments` further segments: each blocking reload is answered with the media asked for.
async fn watch_on(chain: &Chain, origin: usize, channel: &Channel, segments: u64) -> anyhow::Result<()> {
    let multivariant = chain.play_at(origin, &channel.playback_id, "main.m3u8");
    let listed = until("the multivariant playlist", async || {
        media_playlists(&multivariant).await.ok()
    })
    .await?;
    for url in listed {
        let next = newest_segment(&url).await?;
        for segment in next..next + segments {
            let answer = http::get(&format!("{url}?_HLS_msn={segment}")).await?;
            assert_eq!(answer.status, 200, "{url}: segment {segment}: {}", answer.text());
            assert!(newest_segment(&url).await? > segment, "{url}: {}", answer.text());
        }
    }
    Ok(())
}

#[tokio::test]
async fn redis_may_vanish_and_hang() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;

    chain.redis.stop()?;
    encoder.sends(5 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;
    let new = chain.add_origin().await?;
    watch_on(&chain, new, &channel, 1).await?;
    chain.redis.start_again().await?;
    encoder.sends(2 * FPS).await?;

    chain.redis.pause()?;
    encoder.sends(5 * FPS).await?;
    let new = chain.add_origin().await?;
    watch_on(&chain, new, &channel, 1).await?;
    chain.redis.resume()?;
    encoder.sends(FPS).await?;

    let frames = encoder.stop().await?;
    chain.state(&channel, "ended").await?;
    assert_eq!(chain.generation(&broadcast).await?, 1, "no worker was taken for dead");
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn postgres_may_hang_and_vanish_even_at_the_end() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;

    chain.postgres.pause()?;
    encoder.sends(3 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;
    chain.postgres.resume()?;

    chain.postgres.stop()?;
    encoder.sends(3 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;
    let frames = encoder.stop().await?;
    // The worker has stored the replay and cannot tell anybody.
    let worker = &chain.workers[0];
    until("the worker tries to tell the scheduler", async || {
        worker
            .log()
            .contains("does not hear that the broadcast is finished")
            .then_some(())
    })
    .await?;
    chain.postgres.start_again().await?;
    chain.state(&channel, "ended").await?;
    assert_eq!(chain.generation(&broadcast).await?, 1);
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn a_known_key_publishes_again_while_postgres_is_away() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;
    encoder.sends(3 * FPS).await?;
    chain.postgres.stop()?;
    let first = encoder.stop().await?;
    assert!(first > 3 * FPS);
    // The key is known here; the broadcast begins as soon as there is somebody who can open one.
    let mut second = Source::default().push(&chain.push_url(&channel))?;
    second.sends(4 * FPS).await?;
    chain.postgres.start_again().await?;
    let again = until("the second broadcast", async || {
        let state = chain.state(&channel, "live").await.ok()?;
        let id = state["broadcast_id"].as_str()?.to_owned();
        (id != broadcast).then_some(state)
    })
    .await?;
    second.sends(2 * FPS).await?;
    let frames = second.stop().await?;
    chain.state(&channel, "ended").await?;
    let replay = again["replay_playback_id"].as_str().context("a replay")?;
    assert_whole(&chain, replay, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn the_store_may_be_slow_and_vanish() -> anyhow::Result<()> {
    let setup = Setup {
        // So little that a few segments fill it and the rest is spooled.
        environment: vec![("HEADWATER_WORKER_UPLOAD_BYTES_MAX", "65536".into())],
        ..Setup::default()
    };
    let chain = Chain::start(setup).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;

    chain.store.set_line(Line::Slow(std::time::Duration::from_millis(400)));
    encoder.sends(4 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;

    chain.store.set_line(Line::Cut);
    encoder.sends(8 * FPS).await?;
    watch_on(&chain, 0, &channel, 2).await?;
    chain.store.set_line(Line::Open);
    encoder.sends(2 * FPS).await?;

    // Away at the end as well: the replay waits for it.
    chain.store.set_line(Line::Cut);
    encoder.sends(2 * FPS).await?;
    let frames = encoder.stop().await?;
    chain.state(&channel, "finishing").await?;
    chain.store.set_line(Line::Open);
    chain.state(&channel, "ended").await?;
    assert_eq!(chain.generation(&broadcast).await?, 1);
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}
