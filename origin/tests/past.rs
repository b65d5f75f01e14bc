//! What was before the viewer came: DVR, broadcasts before the newest, and judges that know nothing of us.

mod support;

use std::net::SocketAddr;
use std::process::Stdio;

use headwater_model::proto::worker::live_event::Kind as EventKind;
use http::StatusCode;
use support::client::get;
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, REPLAY, TENANT, ended, live};
use support::media::{Recipe, event, make};

#[tokio::test]
async fn the_past_of_a_running_broadcast_comes_from_the_store() {
    let old = make(TENANT, BROADCAST, Recipe::low(40));
    let new = make(TENANT, BROADCAST, Recipe::low(40).generation(2));
    let farm = Farm::start().await;
    // Segments 0 to 9 were made and stored by a first worker; a second one goes on with 10, and knows no others.
    for (key, bytes) in old.objects() {
        let seq = key
            .split_once('/')
            .and_then(|(_, file)| file.split_once('-')?.0.parse::<u64>().ok());
        if seq.is_none_or(|seq| seq < 10) {
            farm.put(vec![(key, bytes)]).await;
        }
    }
    let worker = FakeWorker::start().await;
    worker.say(event(EventKind::Presentation(new.presentation.clone())));
    worker.say_all(&new.of_segments(10..=17));
    farm.goes_live(&worker, 2);
    let url = |file: &str| format!("/{CHANNEL}/{BROADCAST}/source/{file}");
    let dvr = loop {
        let dvr = get(farm.origin, &url("dvr.m3u8")).await;
        assert_eq!(dvr.status, StatusCode::OK, "{}", dvr.text());
        if dvr.text().contains("#EXT-X-MEDIA-SEQUENCE:1\n") {
            break dvr;
        }
        tokio::task::yield_now().await;
    };
    for line in ["\n0-1.m4s\n", "\n9-1.m4s\n", "\n10-2.m4s\n", "\n17-2.m4s\n"] {
        assert!(dvr.text().contains(line), "{line:?} in {}", dvr.text());
    }
    assert!(!dvr.text().contains("#EXT-X-GAP"), "{}", dvr.text());
    for seq in 0..10 {
        let segment = get(farm.origin, &url(&format!("{seq}-1.m4s"))).await;
        assert_eq!(segment.body, old.parts("source", seq).concat());
    }
    let delta = get(farm.origin, &url("dvr.m3u8?_HLS_skip=YES")).await;
    assert!(
        delta.text().contains("#EXT-X-SKIP:SKIPPED-SEGMENTS="),
        "{}",
        delta.text()
    );
    assert!(delta.text().len() < dvr.text().len());
}

#[tokio::test]
async fn a_channel_that_goes_live_again_still_has_the_broadcast_before() {
    let made = make(TENANT, BROADCAST, Recipe::low(8));
    let farm = Farm::start().await;
    farm.put(made.objects()).await;
    farm.put(vec![("index.json".into(), made.index())]).await;
    farm.api.answer(CHANNEL, ended("channel"));
    let old = format!("/{CHANNEL}/{BROADCAST}/source/index.m3u8");
    assert_eq!(get(farm.origin, &old).await.status, StatusCode::OK);
    let worker = FakeWorker::start().await;
    let mut now = live(&worker, 1);
    now.broadcast_id = "br_newnewnewnewnewnewnewnew".into();
    farm.api.answer(CHANNEL, now);
    farm.hint(CHANNEL).await;
    loop {
        let state = get(farm.origin, &format!("/{CHANNEL}/state.json")).await;
        if state.text().contains("br_newnew") {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(
        get(farm.origin, &old).await.status,
        StatusCode::OK,
        "who watches the old one may see its end"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ffprobe_reads_every_picture_of_a_replay_as_hls_and_dash() {
    let made = make(TENANT, BROADCAST, Recipe::low(13));
    let farm = Farm::start().await;
    farm.put(made.objects()).await;
    farm.put(vec![("index.json".into(), made.index())]).await;
    farm.api.answer(REPLAY, ended("replay"));
    let manifests = ["main.m3u8", "dvr.m3u8", "manifest.mpd"].map(async |manifest| {
        let (pictures, sounds) = tokio::join!(count(farm.origin, manifest, "v:0"), count(farm.origin, manifest, "a:0"));
        assert_eq!(pictures, 13 * 30, "{manifest}");
        assert!(
            (600..=610).contains(&sounds),
            "{manifest}: 13 s of 1024 samples at 48 kHz are 609 frames, not {sounds}"
        );
    });
    futures::future::join_all(manifests).await;
}

/// Packets of `stream` that ffprobe finds behind a manifest.
async fn count(origin: SocketAddr, manifest: &str, stream: &str) -> u64 {
    let out = tokio::process::Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            stream,
            "-count_packets",
            "-show_entries",
            "stream=nb_read_packets",
        ])
        .args(["-of", "csv=p=0", &format!("http://{origin}/{REPLAY}/{manifest}")])
        .stdin(Stdio::null())
        .output()
        .await
        .expect("ffprobe is installed");
    let text = String::from_utf8_lossy(&out.stdout).to_string();
    let first = text.lines().next().unwrap_or_default().trim_end_matches(',');
    first
        .parse()
        .unwrap_or_else(|_| panic!("{manifest} {stream}: {text:?} {}", String::from_utf8_lossy(&out.stderr)))
}
