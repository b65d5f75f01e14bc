//! Every picture once, in order, and together with its sound.

use std::collections::BTreeMap;
use std::path::Path;

use headwater_tests::dev::Dev;
use headwater_tests::encoder;
use headwater_tests::marks::{self, Film, Seen};
use sqlx::Connection as _;

use super::{Ended, LIVE_LIMIT};

/// How far a flash and its beep may be apart, seconds.
const OFFSET_S_MAX: f64 = 0.040;

pub(crate) fn assert_together(what: &str, seen: &Seen, marks_min: usize) {
    let offsets = seen.offsets();
    assert!(
        offsets.len() >= marks_min,
        "{what}: {offsets:?} of {:?} and {:?}",
        seen.flashes(),
        seen.beeps
    );
    assert!(
        offsets.iter().all(|offset| offset.abs() <= OFFSET_S_MAX),
        "{what}: beeps start {offsets:?} s after their flashes"
    );
}

fn assert_follow(what: &str, numbers: &[u32]) {
    let skipped: Vec<_> = numbers.windows(2).filter(|w| w[1] != w[0] + 1).collect();
    assert!(
        skipped.is_empty(),
        "{what}: pictures do not follow each other: {skipped:?}"
    );
}

#[tokio::test]
async fn every_rung_shows_every_picture_once_together_with_its_sound() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let film = Film {
        size: Some("1280:720"),
        seconds: 14,
        // Bits enough for every rung of the ladder.
        video: "-g 30 -bf 2 -b:v 2000k -minrate 2000k -maxrate 2000k -bufsize 1000k -x264-params nal-hrd=cbr",
        ..Film::default()
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("film.flv");
    film.shoot(&file).await?;
    let encoder = encoder::push_file(&file, &dev.push_url())?;
    dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
    let (hls, dash) = (dev.play("main.m3u8"), dev.play("manifest.mpd"));
    let live = [(&hls, 0), (&hls, 1), (&hls, 2), (&dash, 0)];
    let live = futures::future::join_all(live.map(|(url, rung)| async move {
        let seen = marks::watch(url, rung, Some(4)).await;
        (format!("live rung {rung} of {url}"), seen)
    }));
    for (what, seen) in live.await {
        let seen = seen?;
        assert_follow(&what, &seen.numbers());
        assert_together(&what, &seen, 2);
    }
    encoder.finished().await?;

    let ended = Ended::wait(&dev).await?;
    assert_eq!(ended.variants().len(), 3, "{}", ended.multivariant);
    let all: Vec<u32> = (0..film.frames() as u32).collect();
    for url in [hls, dash] {
        for rung in 0..3 {
            let what = format!("rung {rung} of {url}");
            let seen = marks::watch(&url, rung, None).await?;
            assert_eq!(seen.numbers(), all, "{what}");
            assert_together(&what, &seen, 12);
        }
    }
    for rung in ["source", "480p", "360p"] {
        let url = dev.play(&format!("{}/download.mp4?rendition={rung}", ended.id));
        let seen = marks::watch(&url, 0, None).await?;
        assert_eq!(seen.numbers(), all, "{url}");
        assert_together(&url, &seen, 12);
    }
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn reordered_pictures_stay_together_with_their_sound() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let mut database = sqlx::PgConnection::connect(&dev.running.database_url).await?;
    sqlx::query("update channel set latency_mode = 'standard'")
        .execute(&mut database)
        .await?;
    // The second kind leaves our own encoder no time before its first picture.
    for video in [
        "-g 60 -bf 2 -b:v 2000k -minrate 2000k -maxrate 2000k -bufsize 1000k -x264-params nal-hrd=cbr",
        "-g 60 -bf 0 -b:v 2000k -minrate 2000k -maxrate 2000k -bufsize 1000k -x264-params nal-hrd=cbr",
    ] {
        let film = Film {
            size: Some("854:480"),
            seconds: 14,
            video,
            ..Film::default()
        };
        let ended = Ended::of(&dev, &film).await?;
        assert_eq!(ended.variants().len(), 2, "{}", ended.multivariant);
        let all: Vec<u32> = (0..film.frames() as u32).collect();
        let (hls, dash) = (dev.play("main.m3u8"), dev.play("manifest.mpd"));
        let download = dev.play(&format!("{}/download.mp4?rendition=360p", ended.id));
        for (url, rung) in [(&hls, 0), (&hls, 1), (&dash, 1), (&download, 0)] {
            let what = format!("source of {video}: rung {rung} of {url}");
            let seen = marks::watch(url, rung, None).await?;
            assert_eq!(seen.numbers(), all, "{what}");
            assert_together(&what, &seen, 12);
        }
        let packets = encoder::packets(&download, "v:0").await?;
        assert!(
            packets.iter().all(|p| p.pts >= p.dts),
            "nothing is shown before it decodes"
        );
        assert!(packets.iter().any(|p| p.pts > p.dts + 0.05), "there are B pictures");
    }
    dev.stop().await?;
    Ok(())
}

/// Names of the stored segments of a broadcast by rendition, without the generation.
fn stored(data: &Path, broadcast: &str) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![data.join("s3")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some((_, name)) = path.to_string_lossy().split_once(&format!("/{broadcast}/"))
                && let Some((rendition, segment)) = name.split_once('/')
            {
                let fields: Vec<&str> = segment.splitn(3, '-').collect();
                let name = match fields[..] {
                    [seq, _generation, times] => format!("{seq}-{times}"),
                    _ => segment.to_owned(),
                };
                found.entry(rendition.to_owned()).or_insert_with(Vec::new).push(name);
            }
        }
    }
    found.values_mut().for_each(|names: &mut Vec<String>| names.sort());
    Ok(found)
}

#[tokio::test]
async fn the_same_file_is_cut_alike_each_time() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    // GOPs of many lengths, so that a cut in another place would show.
    let film = Film {
        size: Some("854:480"),
        seconds: 8,
        video: "-g 300 -bf 2 -force_key_frames 0,0.7,1.9,3.5,4.1,6.3",
        ..Film::default()
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("film.flv");
    film.shoot(&file).await?;
    let mut broadcasts = Vec::new();
    for _ in 0..2 {
        let encoder = encoder::push_file(&file, &dev.push_url())?;
        dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
        encoder.finished().await?;
        broadcasts.push(Ended::wait(&dev).await?.id);
    }
    assert_ne!(broadcasts[0], broadcasts[1]);
    let first = stored(dev.data(), &broadcasts[0])?;
    for rendition in ["source", "360p", "audio"] {
        assert!(first.get(rendition).is_some_and(|names| names.len() > 4), "{first:?}");
    }
    assert_eq!(first, stored(dev.data(), &broadcasts[1])?);
    dev.stop().await?;
    Ok(())
}
