//! The end of a broadcast, its replay, and the download.

mod support;

use std::process::Command;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use headwater_media::segmenter::LatencyMode;
use headwater_platform::store::Fault;
use http::{Method, StatusCode};
use support::client::{get, send};
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, REPLAY, TENANT, ended};
use support::media::{Recipe, make};

#[tokio::test]
async fn the_end_reaches_all_who_wait_and_turns_into_the_replay() {
    let made = make(TENANT, BROADCAST, Recipe::low(12));
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, made.events.len()).await;
    farm.goes_live(&worker, 1);
    let playlist = format!("/{CHANNEL}/{BROADCAST}/source/index.m3u8");
    let last = made
        .segments()
        .iter()
        .map(|(_, name, _)| name.seq)
        .max()
        .expect("there are some");
    assert!(!get(farm.origin, &playlist).await.text().contains("#EXT-X-ENDLIST"));
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let (at, path) = (
                farm.origin,
                format!("{playlist}?_HLS_msn={}&_HLS_part={}", last + 1, n % 3),
            );
            tokio::spawn(async move { get(at, &path).await })
        })
        .collect();
    farm.put(made.objects()).await;
    farm.put(vec![("index.json".into(), made.index())]).await;
    worker.end();
    for task in waiting {
        let answer = task.await.expect("no panic");
        assert_eq!(answer.status, StatusCode::OK);
        assert!(
            answer.text().trim_end().ends_with("#EXT-X-ENDLIST"),
            "{}",
            answer.text()
        );
        assert!(!answer.text().contains("#EXT-X-PRELOAD-HINT"), "{}", answer.text());
    }
    // The api says so a moment later; the address stays the same and is the whole replay now.
    farm.api.answer(CHANNEL, ended("channel"));
    farm.hint(CHANNEL).await;
    let answer = loop {
        let answer = get(farm.origin, &playlist).await;
        if answer.text().contains("#EXT-X-PLAYLIST-TYPE:VOD") || answer.header("cache-control").contains("3600") {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert!(answer.text().contains("#EXT-X-MEDIA-SEQUENCE:1\n"), "{}", answer.text());
    let main = get(farm.origin, &format!("/{CHANNEL}/main.m3u8")).await;
    assert_eq!(
        main.header("cache-control"),
        "public, max-age=1",
        "a channel may go live again at any time"
    );
}

#[tokio::test]
async fn a_replay_needs_nothing_but_the_store() {
    let made = make(
        TENANT,
        BROADCAST,
        Recipe {
            second_epoch_at_s: Some(8),
            ..Recipe::low(16)
        },
    );
    for indexed in [true, false] {
        let farm = Farm::start().await;
        farm.put(made.objects()).await;
        if indexed {
            farm.put(vec![("index.json".into(), made.index())]).await;
        }
        farm.api.answer(REPLAY, ended("replay"));
        let main = get(farm.origin, &format!("/{REPLAY}/main.m3u8")).await;
        assert_eq!(main.status, StatusCode::OK, "{}", main.text());
        let kept = if indexed {
            "public, max-age=3600"
        } else {
            "public, max-age=1"
        };
        assert_eq!(main.header("cache-control"), kept);
        let playlist = get(
            farm.origin,
            &format!("/{REPLAY}/{BROADCAST}/source/index.m3u8?_HLS_msn=5001"),
        )
        .await;
        let text = playlist.text();
        assert!(
            text.contains("#EXT-X-ENDLIST") && text.contains("#EXT-X-DISCONTINUITY\n"),
            "{text}"
        );
        let manifest = get(farm.origin, &format!("/{REPLAY}/manifest.mpd")).await;
        assert_eq!(manifest.header("content-type"), "application/dash+xml");
        assert!(manifest.text().contains("type=\"static\""), "{}", manifest.text());
        assert_eq!(manifest.text().matches("<Period").count(), 2);
        for (rendition, name, bytes) in made.segments() {
            for file in [format!("{}-1.m4s", name.seq), made.timed(&rendition, name.seq)] {
                let segment = get(farm.origin, &format!("/{REPLAY}/{BROADCAST}/{rendition}/{file}")).await;
                assert_eq!(segment.body, bytes, "{rendition}/{file}");
            }
        }
        let part = get(farm.origin, &format!("/{REPLAY}/{BROADCAST}/source/3-1.1.m4s")).await;
        assert_eq!(
            part.body,
            made.parts("source", 3)[1],
            "parts can still be had, cut out of their segment"
        );
        let init = get(farm.origin, &format!("/{REPLAY}/{BROADCAST}/audio/init-0.mp4")).await;
        assert_eq!(
            (init.status, init.header("content-type")),
            (StatusCode::OK, "audio/mp4")
        );
    }
}

#[tokio::test]
async fn one_read_of_the_store_serves_all_viewers() {
    let made = make(TENANT, BROADCAST, Recipe::low(12));
    let farm = Farm::start().await;
    farm.put(made.objects()).await;
    farm.put(vec![("index.json".into(), made.index())]).await;
    farm.api.answer(REPLAY, ended("replay"));
    let path = format!("/{REPLAY}/{BROADCAST}/source/2-1.m4s");
    farm.store.set_fault(Fault::Slow(std::time::Duration::from_millis(100)));
    let viewers = (0..300).map(|_| get(farm.origin, &path));
    for answer in futures::future::join_all(viewers).await {
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(farm.store.gets(), 2, "the index and the segment, once each");
    assert_eq!(farm.api.asked.load(Ordering::SeqCst), 1, "one question to the api");
    farm.store.set_fault(Fault::Down);
    assert_eq!(
        get(farm.origin, &path).await.status,
        StatusCode::OK,
        "what was read is kept"
    );
    let other = get(farm.origin, &format!("/{REPLAY}/{BROADCAST}/source/3-1.m4s")).await;
    assert_eq!(other.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(other.header("cache-control"), "no-store");
    farm.store.set_fault(Fault::None);
    let other = get(farm.origin, &format!("/{REPLAY}/{BROADCAST}/source/3-1.m4s")).await;
    assert_eq!(other.status, StatusCode::OK, "a failure is not remembered");
}

#[tokio::test]
async fn a_download_is_one_mp4_that_others_can_read() {
    let recipe = Recipe {
        latency: LatencyMode::Standard,
        seconds: 20,
        generation: 4,
        second_epoch_at_s: Some(9),
    };
    let made = make(TENANT, BROADCAST, recipe);
    let farm = Farm::start().await;
    farm.put(made.objects()).await;
    farm.put(vec![("index.json".into(), made.index())]).await;
    farm.api.answer(REPLAY, ended("replay"));
    let path = format!("/{REPLAY}/{BROADCAST}/download.mp4");
    let head = send(farm.origin, Method::HEAD, &path, &[]).await;
    let whole = get(farm.origin, &path).await;
    assert_eq!(whole.status, StatusCode::OK, "{:?}", whole.headers);
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    let name = format!("attachment; filename=\"{BROADCAST}-source.mp4\"");
    assert_eq!(whole.header("content-disposition"), name);

    let mut put_together = Vec::new();
    let len = whole.body.len();
    for start in (0..len).step_by(len / 7) {
        let end = (start + len / 7).min(len) - 1;
        let range = format!("bytes={start}-{end}");
        let piece = send(farm.origin, Method::GET, &path, &[("range", &range)]).await;
        assert_eq!(piece.status, StatusCode::PARTIAL_CONTENT);
        put_together.extend_from_slice(&piece.body);
    }
    assert_eq!(Bytes::from(put_together), whole.body, "ranges add up to the whole");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("download.mp4");
    std::fs::write(&file, &whole.body).expect("written");
    let frames = |stream: &str| {
        let out = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-select_streams",
                stream,
                "-count_frames",
                "-show_entries",
                "stream=nb_read_frames",
            ])
            .args(["-of", "csv=p=0"])
            .arg(&file)
            .output()
            .expect("ffprobe is installed");
        assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8_lossy(&out.stdout)
            .trim()
            .trim_end_matches(',')
            .to_string();
        text.parse::<i64>().unwrap_or_else(|_| panic!("not a number: {text:?}"))
    };
    assert_eq!(frames("v:0"), 20 * 30, "every picture is there, once");
    let sounds = frames("a:0");
    assert!(
        (920..=940).contains(&sounds),
        "20 s of 1024 samples at 48 kHz are 937 frames, not {sounds}"
    );

    let sound = get(farm.origin, &format!("{path}?rendition=audio")).await;
    assert_eq!(sound.status, StatusCode::OK);
    assert!(sound.body.len() < whole.body.len());
    assert_eq!(
        get(farm.origin, &format!("{path}?rendition=4320p")).await.status,
        StatusCode::NOT_FOUND
    );
}
