//! The edge itself is lost in the middle of a broadcast: only what it had not passed on may be missing, and the
//! publisher's return continues the same broadcast.

use std::collections::BTreeSet;

use anyhow::Context as _;
use headwater_tests::chain::{Chain, Channel, Setup, until};
use headwater_tests::encoder::{self, Encoder, Source};
use headwater_tests::http;

const FPS: u64 = 30;

/// Addresses of the media playlists of a multivariant one.
async fn media_playlists(chain: &Chain, channel: &Channel, name: &str) -> anyhow::Result<Vec<String>> {
    let url = chain.play(&channel.playback_id, name);
    let text = http::get(&url).await?.text();
    let base = url.rsplit_once('/').context("an address with a path")?.0;
    let listed = text.lines().filter_map(|line| match line.split("URI=\"").nth(1) {
        Some(rest) => rest.split('"').next(),
        None => (!line.starts_with('#') && !line.is_empty()).then_some(line),
    });
    let listed: BTreeSet<String> = listed.map(|uri| format!("{base}/{uri}")).collect();
    anyhow::ensure!(!listed.is_empty(), "{url}: {text}");
    Ok(listed.into_iter().collect())
}

/// Names of the segments that a media playlist lists, in order.
async fn segments(url: &str) -> anyhow::Result<Vec<String>> {
    let text = http::get(url).await?.text();
    let names = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    Ok(names
        .filter_map(|uri| uri.split('?').next()?.rsplit('/').next().map(str::to_owned))
        .collect())
}

/// The playlist from the start, of the picture.
async fn picture_list(chain: &Chain, channel: &Channel) -> anyhow::Result<String> {
    let listed = media_playlists(chain, channel, "dvr.m3u8").await?;
    listed
        .into_iter()
        .find(|url| !url.contains("/audio/"))
        .context("a playlist of the picture")
}

/// Pushes until viewers have several segments; what they have then, and how many pictures the edge has taken.
async fn on_air(chain: &Chain, channel: &Channel, more_than: usize) -> anyhow::Result<(Encoder, Vec<String>, u64)> {
    let mut encoder = Source::default().push(&chain.push_url(channel))?;
    encoder.sends(4 * FPS).await?;
    chain.state(channel, "live").await?;
    let listed = until("more segments for viewers", async || {
        let url = picture_list(chain, channel).await.ok()?;
        let listed = segments(&url).await.ok()?;
        (listed.len() >= more_than + 2).then_some(listed)
    })
    .await?;
    let accepted = chain.edge.metric("ingest_units_total", "kind=\"video\"").await?;
    Ok((encoder, listed, accepted))
}

#[tokio::test]
async fn an_edge_may_be_killed_and_the_publisher_s_return_continues_the_broadcast() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;

    let (first, early, accepted_first) = on_air(&chain, &channel, 0).await?;
    let broadcast = chain.state(&channel, "live").await?["broadcast_id"].clone();
    chain.edge.kill().await?;
    drop(first);
    // Started again where it was; it knows nothing.
    chain.edge.start().await?;
    let (second, middle, accepted_second) = on_air(&chain, &channel, early.len()).await?;
    assert_eq!(middle[..early.len()], early, "viewers keep what they had");
    chain.edge.kill().await?;
    drop(second);
    // And now another edge, elsewhere.
    chain.replace_edge().await?;
    let (mut third, late, _) = on_air(&chain, &channel, middle.len()).await?;
    assert_eq!(late[..middle.len()], middle, "viewers keep what they had");
    third.sends(2 * FPS).await?;
    let frames = third.stop().await?;
    let ended = chain.state(&channel, "ended").await?;
    assert_eq!(ended["broadcast_id"], broadcast, "one broadcast all along");
    let id = broadcast.as_str().context("an id")?;
    assert_eq!(chain.generation(id).await?, 1, "its worker never changed");

    for url in media_playlists(&chain, &channel, "main.m3u8").await? {
        let playlist = http::get(&url).await?.text();
        assert!(playlist.contains("#EXT-X-ENDLIST"), "{url}: {playlist}");
        let breaks = playlist.matches("#EXT-X-DISCONTINUITY\n").count();
        assert_eq!(breaks, 2, "{url}: {playlist}");
        if url.contains("/audio/") {
            continue;
        }
        assert_eq!(segments(&url).await?[..late.len()], late, "stored once, and as it was");
        let packets = encoder::packets(&url, "v:0").await?;
        let mut runs = vec![1u64];
        for pair in packets.windows(2) {
            let step = pair[1].dts - pair[0].dts;
            assert!(step > 0.0, "{url}: decode times grow");
            match step < 1.5 / FPS as f64 {
                true => *runs.last_mut().context("a run")? += 1,
                false => runs.push(1),
            }
        }
        assert_eq!(
            runs.len(),
            3,
            "{url}: a gap where each edge was lost and nowhere else: {runs:?}"
        );
        // A lost edge takes with it what it had not yet passed on to the worker: less than a second.
        for (run, accepted) in [(runs[0], accepted_first), (runs[1], accepted_second)] {
            assert!(
                run + FPS >= accepted,
                "{run} pictures of at least {accepted} accepted: {runs:?}"
            );
        }
        assert_eq!(runs[2], frames, "{url}: all that the last edge took");
    }
    chain.finish().await
}
