//! Live playlists and manifests from the first moment to the last.

use std::path::Path;
use std::process::Stdio;

use headwater_media::hls::validate::{MediaPlaylist, MultivariantPlaylist, check_siblings, check_update};
use headwater_tests::channel;
use headwater_tests::dev::Dev;
use headwater_tests::encoder;
use headwater_tests::http;
use headwater_tests::marks::{self, Film};
use tokio::process::Command;

use super::{Ended, LIVE_LIMIT};

/// Of a film that is read live: four segments of standard latency and some.
const FILM_S: u32 = 26;
/// What is read of it: the second segment while it is made, and much of the third.
const READ_S: u32 = 16;
/// How far the same segment may start apart in two renditions: a frame of sound, and rounding.
const SKEW_US: u64 = 24_000;

/// Reads a media playlist and holds it against the rules.
pub(crate) fn check_playlist(url: &str, body: &str, fps: u32) -> MediaPlaylist {
    let frame_us = 1_000_000 / u64::from(fps) + 1;
    match MediaPlaylist::parse(body) {
        Ok(playlist) => {
            let found = playlist.check(frame_us);
            assert!(found.is_empty(), "{url}: {found:?}\n{body}");
            playlist
        }
        Err(finding) => panic!("{url}: {finding}\n{body}"),
    }
}

/// Follows one playlist with blocking reloads to its end; every version of it.
async fn follow(url: String, fps: u32) -> anyhow::Result<Vec<MediaPlaylist>> {
    let frame_us = 1_000_000 / u64::from(fps) + 1;
    let mut versions: Vec<MediaPlaylist> = Vec::new();
    loop {
        let address = match versions.last() {
            Some(last) if last.ended => return Ok(versions),
            Some(last) => {
                let next = last.last_msn().map_or(last.media_sequence, |msn| msn + 1);
                format!("{url}?_HLS_msn={next}&_HLS_part={}", last.open.parts.len())
            }
            None => url.clone(),
        };
        let answer = http::get(&address).await?;
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        let playlist = check_playlist(&address, &answer.text(), fps);
        if let Some(before) = versions.last() {
            let found = check_update(before, &playlist, frame_us);
            assert!(found.is_empty(), "{address}: {found:?}\n{}", answer.text());
        }
        versions.push(playlist);
    }
}

#[tokio::test]
async fn low_latency_playlists_are_valid_from_the_first_to_the_last() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let film = Film {
        size: Some("854:480"),
        seconds: 12,
        ..Film::default()
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("film.flv");
    film.shoot(&file).await?;
    let encoder = encoder::push_file(&file, &dev.push_url())?;
    dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
    let body = http::get(&dev.play("main.m3u8")).await?.text();
    let multivariant = MultivariantPlaylist::parse(&body).map_err(|f| anyhow::anyhow!("{f}"))?;
    assert_eq!(multivariant.check(), [], "{body}");
    let urls: Vec<String> = multivariant.playlists().map(|uri| dev.play(uri)).collect();
    assert_eq!(urls.len(), 3, "{body}");
    let all = urls.iter().map(|url| follow(url.clone(), film.fps));
    let all = futures::future::try_join_all(all).await?;
    encoder.finished().await?;
    for (url, versions) in urls.iter().zip(&all) {
        assert!(
            versions.len() > 20,
            "{url} changed {} times in {} s",
            versions.len(),
            film.seconds
        );
        let last = versions.last().map(|p| p.listed_us()).unwrap_or_default();
        assert!(
            last.abs_diff(u64::from(film.seconds) * 1_000_000) < 150_000,
            "{url}: {last} µs"
        );
    }
    let lasts: Vec<_> = urls
        .iter()
        .zip(&all)
        .filter_map(|(u, v)| Some((u.as_str(), v.last()?)))
        .collect();
    assert_eq!(check_siblings(&lasts, SKEW_US), []);
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn gstreamer_is_an_encoder_like_any_other() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let video = "videotestsrc is-live=true num-buffers=180 ! video/x-raw,width=320,height=180,framerate=30/1 ! \
                 x264enc tune=zerolatency key-int-max=30 speed-preset=ultrafast ! h264parse ! mux.";
    let audio = "audiotestsrc is-live=true samplesperbuffer=480 num-buffers=600 ! \
                 audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse ! mux.";
    let sink = format!(
        "flvmux name=mux streamable=true ! rtmp2sink location={}",
        dev.push_url()
    );
    let mut command = Command::new("gst-launch-1.0");
    command.arg("-q");
    for words in [video, audio, &sink] {
        command.args(words.split_whitespace());
    }
    let gst = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
    let output = gst.wait_with_output().await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ended = Ended::wait(&dev).await?;
    assert_eq!(ended.variants().len(), 1, "{}", ended.multivariant);
    let frames = encoder::decoded_frames(&dev.play("main.m3u8"), "v:0").await?;
    assert_eq!(frames, 180);
    let sound = encoder::packets(&dev.play("main.m3u8"), "a:0").await?.len() as f64 * 1024.0 / 48_000.0;
    assert!((sound - 6.0).abs() < 0.2, "{sound} s of sound");
    dev.stop().await?;
    Ok(())
}

/// The value of an attribute of the first element that starts with `element`.
fn attribute<'a>(xml: &'a str, element: &str, name: &str) -> &'a str {
    let rest = xml.split(&format!("<{element} ")).nth(1).unwrap_or_default();
    let tag = rest.split('>').next().unwrap_or_default();
    let value = tag.split(&format!("{name}=\"")).nth(1).unwrap_or_default();
    value.split('"').next().unwrap_or_default()
}

/// Where the first timeline of a manifest ends, seconds of wall clock from now: below zero is the past.
fn live_edge(mpd: &str) -> anyhow::Result<f64> {
    let start = chrono::DateTime::parse_from_rfc3339(attribute(mpd, "MPD", "availabilityStartTime"))?;
    let period: f64 = attribute(mpd, "Period", "start")
        .trim_matches(['P', 'T', 'S'])
        .parse()?;
    let scale: f64 = attribute(mpd, "SegmentTemplate", "timescale").parse()?;
    let offset: f64 = attribute(mpd, "SegmentTemplate", "presentationTimeOffset").parse()?;
    let timeline = mpd.split("<SegmentTimeline>").nth(1).unwrap_or_default();
    let timeline = timeline.split("</SegmentTimeline>").next().unwrap_or_default();
    let mut at = 0.0;
    for s in timeline.split("<S ").skip(1) {
        let field = |name| {
            let value = s.split(&format!("{name}=\"")).nth(1)?;
            value.split('"').next()?.parse::<f64>().ok()
        };
        at = field("t").unwrap_or(at) + field("d").unwrap_or(0.0) * (1.0 + field("r").unwrap_or(0.0));
    }
    let now = chrono::Utc::now().timestamp_micros() as f64 / 1e6;
    Ok(start.timestamp_micros() as f64 / 1e6 + period + (at - offset) / scale - now)
}

#[tokio::test]
async fn the_live_manifest_lists_what_is_there_and_plays() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let film = Film {
        seconds: FILM_S,
        video: "-g 30 -bf 2",
        ..Film::default()
    };
    // Without sound there is one list to lose one's place in, and no other whose reading mends it.
    let silent = Film {
        audio: None,
        ..film.clone()
    };
    let folder = tempfile::tempdir()?;
    let files = ["film.flv", "silent.flv"].map(|name| folder.path().join(name));
    futures::future::try_join(film.shoot(&files[0]), silent.shoot(&files[1])).await?;
    let [film, silent] = &files;
    let shows = [("low", film), ("standard", film), ("low", silent), ("standard", silent)];
    let shows = shows.map(|(latency, file)| read_live(&dev, latency, file, file == film));
    futures::future::try_join_all(shows).await?;
    dev.stop().await?;
    Ok(())
}

/// Pushes a film and reads its manifest at the live edge, over several segments.
async fn read_live(dev: &Dev, latency: &str, film: &Path, has_sound: bool) -> anyhow::Result<()> {
    let channel = dev.channel(&["--latency", latency, "--ladder", "source"]).await?;
    let encoder = encoder::push_file(film, &dev.push_url_of(&channel))?;
    let state = dev.play_of(&channel, "state.json");
    channel::wait_for_state(&state, &["live"], LIVE_LIMIT).await?;
    let url = dev.play_of(&channel, "manifest.mpd");
    let numbers = if has_sound {
        marks::watch(&url, 0, Some(READ_S)).await?.numbers()
    } else {
        marks::numbers(&url, Some(READ_S)).await?
    };
    let what = format!("{latency}, {}", film.display());
    assert!(
        numbers.len() as u32 >= 30 * READ_S - 10,
        "{what}: {} pictures of {READ_S} s",
        numbers.len()
    );
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "{what}: {numbers:?}");
    let mpd = http::get(&url).await?.text();
    assert!(mpd.contains("type=\"dynamic\"") && mpd.contains("<UTCTiming"), "{mpd}");
    // The open segment is listed with the duration that it is expected to get; nothing else lies in the future.
    let edge = live_edge(&mpd)?;
    let latest = if latency == "low" { 2.5 } else { 6.5 };
    assert!(
        (-5.0..=latest).contains(&edge),
        "{what}: the timeline ends {edge} s from now: {mpd}"
    );
    encoder.finished().await?;
    channel::wait_for_state(&state, &["ended"], LIVE_LIMIT).await?;
    let mpd = http::get(&url).await?.text();
    assert!(mpd.contains("type=\"static\""), "{mpd}");
    Ok(())
}
