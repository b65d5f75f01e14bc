//! The main job through the real binary: push with ffmpeg, watch live, watch the replay.

use std::time::Duration;

use headwater_tests::dev::Dev;
use headwater_tests::encoder::{self, Source};
use headwater_tests::hls::media_playlists;
use headwater_tests::http;

const LIVE_LIMIT: Duration = Duration::from_secs(20);
const END_LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_pushed_broadcast_is_watched_live_and_stays_as_replay() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let seconds = 12.0;
    let source = Source {
        seconds: Some(seconds),
        ..Source::default()
    };
    let encoder = source.push(&dev.push_url())?;
    dev.wait_for_state(&["live"], LIVE_LIMIT).await?;

    // Live: low-latency playlists, and ffmpeg as an independent player of HLS.
    let multivariant = http::get(&dev.play("main.m3u8")).await?;
    assert_eq!(multivariant.status, 200, "{}", multivariant.text());
    let playlists = media_playlists(&dev.play("main.m3u8")).await?;
    assert_eq!(playlists.len(), 2, "one video and one audio rendition: {playlists:?}");
    for url in &playlists {
        let live = http::get(url).await?.text();
        assert!(live.contains("#EXT-X-PART:"), "{url}: {live}");
        assert!(live.contains("CAN-BLOCK-RELOAD=YES"), "{url}: {live}");
        assert!(!live.contains("#EXT-X-ENDLIST"), "{url}: {live}");
    }
    let folder = tempfile::tempdir()?;
    let recorded = folder.path().join("live.mp4");
    encoder::record(&dev.play("main.m3u8"), &recorded, 4.0).await?;
    let frames = encoder::decoded_frames(&recorded.to_string_lossy(), "v:0").await?;
    assert!(
        frames >= 90,
        "four seconds of live HLS hold at least 90 frames, not {frames}"
    );

    encoder.finished().await?;
    dev.wait_for_state(&["ended"], END_LIMIT).await?;

    // Replay: the same addresses answer as a recording, with every frame exactly once.
    for url in &playlists {
        let ended = http::get(url).await?.text();
        assert!(ended.contains("#EXT-X-ENDLIST"), "{url}: {ended}");
        assert!(!ended.contains("#EXT-X-PRELOAD-HINT"), "{url}: {ended}");
    }
    let expected = (seconds * 30.0) as u64;
    for path in ["main.m3u8", "dvr.m3u8", "manifest.mpd"] {
        let video = encoder::packets(&dev.play(path), "v:0").await?;
        assert_eq!(video.len() as u64, expected, "{path}: every frame once");
        assert!(
            video.windows(2).all(|w| w[1].dts > w[0].dts),
            "{path}: decode times grow"
        );
        let audio = encoder::packets(&dev.play(path), "a:0").await?;
        let sound = audio.len() as f64 * 1024.0 / 48_000.0;
        assert!(
            (sound - seconds).abs() < 0.1,
            "{path}: {sound} s of sound for {seconds} s pushed"
        );
        let offset = audio[0].pts - video[0].pts;
        assert!(
            offset.abs() < 0.040,
            "{path}: sound starts {offset} s after the picture"
        );
    }
    let state = dev.wait_for_state(&["ended"], END_LIMIT).await?;
    let broadcast = state["broadcast_id"].as_str().unwrap_or_default().to_string();
    let download = dev.play(&format!("{broadcast}/download.mp4"));
    assert_eq!(
        encoder::decoded_frames(&download, "v:0").await?,
        expected,
        "the download holds every frame"
    );
    let head = http::request("HEAD", &download, &[]).await?;
    let length: usize = head.headers["content-length"].parse()?;
    assert_eq!(http::get(&download).await?.body.len(), length);

    assert!(dev.stop().await?.success(), "{}", dev.log());
    Ok(())
}

/// The moment in which a viewer who waits for the next segment is told that there is none.
#[tokio::test]
async fn the_replay_plays_the_moment_the_live_playlist_ends() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let seconds = 7.0;
    let source = Source {
        seconds: Some(seconds),
        ..Source::default()
    };
    let encoder = source.push(&dev.push_url())?;
    let live = dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
    let playlists = media_playlists(&dev.play("main.m3u8")).await?;
    let mut next = 0;
    loop {
        let waited = http::get(&format!("{}?_HLS_msn={next}", playlists[0])).await?;
        assert_eq!(waited.status, 200, "{}", waited.text());
        let text = waited.text();
        if text.contains("#EXT-X-ENDLIST") {
            break;
        }
        let first = text
            .lines()
            .find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        next = first.unwrap_or("0").parse::<u64>()? + text.matches("#EXTINF").count() as u64;
    }
    // Nothing is waited for from here on.
    let expected = (seconds * 30.0) as usize;
    for path in ["main.m3u8", "dvr.m3u8", "manifest.mpd"] {
        let video = encoder::packets(&dev.play(path), "v:0").await?;
        assert_eq!(video.len(), expected, "{path}");
    }
    let broadcast = live["broadcast_id"].as_str().unwrap_or_default();
    let download = dev.play(&format!("{broadcast}/download.mp4"));
    assert_eq!(encoder::decoded_frames(&download, "v:0").await?, expected as u64);
    encoder.finished().await?;
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_a_sentence_and_disturbs_nobody() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let wrong = format!("{}/sk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", dev.running.ingest_url);
    let printed = Source::default().push(&wrong)?.refused().await?;
    assert!(!printed.is_empty());
    let state = http::get(&dev.play("state.json")).await?;
    assert!(state.text().contains("\"offline\""), "{}", state.text());
    assert!(!dev.log().contains("sk_aaaa"), "the log never holds a key");
    let right = Source {
        seconds: Some(3.0),
        ..Source::default()
    }
    .push(&dev.push_url())?;
    dev.wait_for_state(&["live", "finishing", "ended"], LIVE_LIMIT).await?;
    right.finished().await?;
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn every_rung_of_the_ladder_holds_every_frame_and_starts_segments_together() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let seconds = 8.0;
    let source = Source {
        size: "1280x720",
        b_frames: 2,
        seconds: Some(seconds),
        ..Source::default()
    };
    let encoder = source.push(&dev.push_url())?;
    dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
    encoder.finished().await?;
    dev.wait_for_state(&["ended"], Duration::from_secs(60)).await?;

    let multivariant = http::get(&dev.play("main.m3u8")).await?.text();
    let variants: Vec<&str> = multivariant
        .lines()
        .filter(|l| l.starts_with("#EXT-X-STREAM-INF"))
        .collect();
    assert_eq!(variants.len(), 3, "source, 480p and 360p: {multivariant}");
    let mut segment_lines: Vec<Vec<String>> = Vec::new();
    for url in media_playlists(&dev.play("main.m3u8")).await? {
        let playlist = http::get(&url).await?.text();
        let durations = playlist
            .lines()
            .filter(|l| l.starts_with("#EXTINF"))
            .map(String::from)
            .collect();
        if url.contains("/audio/") {
            continue;
        }
        let frames = encoder::packets(&url, "v:0").await?;
        assert_eq!(frames.len(), (seconds * 30.0) as usize, "{url}: every frame once");
        assert!(frames[0].key, "{url} starts with a keyframe");
        segment_lines.push(durations);
    }
    assert_eq!(segment_lines.len(), 3);
    assert!(
        segment_lines.windows(2).all(|w| w[0] == w[1]),
        "all rungs are cut alike: {segment_lines:?}"
    );
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_cut_publisher_comes_back_into_the_same_broadcast() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let first = Source::default().push(&dev.push_url())?;
    let before = dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
    let recorded = tempfile::tempdir()?;
    // Watching for four seconds is also waiting until four seconds were accepted.
    encoder::record(&dev.play("main.m3u8"), &recorded.path().join("a.mp4"), 4.0).await?;
    first.cut().await?;
    dev.wait_for_state(&["reconnecting"], LIVE_LIMIT).await?;
    let second = Source {
        seconds: Some(5.0),
        ..Source::default()
    }
    .push(&dev.push_url())?;
    dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
    second.finished().await?;
    let after = dev.wait_for_state(&["ended"], Duration::from_secs(30)).await?;
    assert_eq!(
        before["broadcast_id"], after["broadcast_id"],
        "one broadcast, one replay"
    );
    for url in media_playlists(&dev.play("main.m3u8")).await? {
        let playlist = http::get(&url).await?.text();
        assert_eq!(
            playlist.matches("#EXT-X-DISCONTINUITY\n").count(),
            1,
            "{url}: {playlist}"
        );
    }
    dev.stop().await?;
    Ok(())
}
