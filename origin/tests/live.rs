//! A live broadcast, as viewers and CDNs ask for it.

mod support;

use std::time::Duration;

use http::{Method, StatusCode};
use support::client::{Answer, get, send};
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, OTHER, TENANT, ended, offline};
use support::media::{Recipe, make};

fn url(file: &str) -> String {
    format!("/{CHANNEL}/{BROADCAST}/{file}")
}

/// A farm whose channel is live with every segment up to `seq` finished.
async fn live(seconds: i64, seq: u64) -> (Farm, FakeWorker, support::media::Made, usize) {
    let made = make(TENANT, BROADCAST, Recipe::low(seconds));
    let events = made.through_segment(seq);
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, events).await;
    farm.goes_live(&worker, 1);
    (farm, worker, made, events)
}

#[tokio::test]
async fn every_address_of_a_live_broadcast_answers() {
    let (farm, worker, made, _) = live(12, 4).await;
    let main = get(farm.origin, &format!("/{CHANNEL}/main.m3u8")).await;
    assert_eq!(main.status, StatusCode::OK, "{}", main.text());
    assert!(
        main.text().contains(&format!("{BROADCAST}/source/index.m3u8")),
        "{}",
        main.text()
    );
    let dvr = get(farm.origin, &format!("/{CHANNEL}/dvr.m3u8")).await;
    assert!(
        dvr.text().contains(&format!("{BROADCAST}/source/dvr.m3u8")),
        "{}",
        dvr.text()
    );
    for rendition in ["source", "audio"] {
        let playlist = get(farm.origin, &url(&format!("{rendition}/index.m3u8"))).await;
        assert_eq!(playlist.status, StatusCode::OK);
        let text = playlist.text();
        assert!(
            text.contains("#EXT-X-PRELOAD-HINT") && text.contains("#EXT-X-RENDITION-REPORT"),
            "{text}"
        );
        let mut fetched = 0;
        for line in text.lines() {
            let uri = match line
                .split_once("URI=\"")
                .map(|(_, rest)| rest.split_once('"').expect("closed").0)
            {
                Some(_) if line.starts_with("#EXT-X-PRELOAD-HINT") || line.starts_with("#EXT-X-RENDITION-REPORT") => {
                    continue;
                }
                Some(uri) => uri,
                None if line.starts_with('#') || line.is_empty() => continue,
                None => line,
            };
            let media = get(farm.origin, &url(&format!("{rendition}/{uri}"))).await;
            assert_eq!(media.status, StatusCode::OK, "{rendition}/{uri}");
            assert_eq!(
                media.header("content-type"),
                if rendition == "audio" { "audio/mp4" } else { "video/mp4" }
            );
            fetched += 1;
        }
        assert!(fetched > 10, "{text}");
        for seq in 0..=4 {
            let whole = made.parts(rendition, seq).concat();
            for name in [format!("{seq}-1.m4s"), made.timed(rendition, seq)] {
                let segment = get(farm.origin, &url(&format!("{rendition}/{name}"))).await;
                assert_eq!(segment.body, whole, "{name} is its parts");
            }
        }
    }
    assert_eq!(worker.subscriptions(), 1, "one subscription serves all");
    let state = get(farm.origin, &format!("/{CHANNEL}/state.json")).await;
    for fact in [
        "\"state\":\"live\"",
        "\"kind\":\"channel\"",
        BROADCAST,
        "A \\\"quoted\\\" title",
    ] {
        assert!(state.text().contains(fact), "{fact} in {}", state.text());
    }
}

#[tokio::test]
async fn whoever_names_the_present_state_is_answered_when_it_changes() {
    let (farm, worker, ..) = live(4, 1).await;
    farm.api.answer(CHANNEL, offline());
    let path = format!("/{CHANNEL}/state.json");
    let version = |answer: &Answer| {
        let json: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        json["version"].as_str().map(str::to_owned).expect("a version")
    };
    let offline = version(&get(farm.origin, &path).await);
    let held = format!("{path}?after={offline}");
    let at = farm.origin;
    let ask = move |path: String| async move { get(at, &path).await };
    let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(ask(held.clone()))).collect();
    // Something else than what is: at once.
    let other = get(farm.origin, &format!("{path}?after=live.br_other")).await;
    assert_eq!(version(&other), offline);
    assert!(
        waiting.iter().all(|waiting| !waiting.is_finished()),
        "nothing has changed"
    );
    farm.goes_live(&worker, 1);
    farm.hint(CHANNEL).await;
    for waiting in waiting {
        let answer = waiting.await.expect("no panic");
        assert!(answer.text().contains("\"state\":\"live\""), "{}", answer.text());
        assert_ne!(version(&answer), offline);
    }
    // Without a hint too, only later.
    let live = version(&get(farm.origin, &path).await);
    let waiting = tokio::spawn(ask(format!("{path}?after={live}")));
    farm.api.answer(CHANNEL, ended("channel"));
    let answer = waiting.await.expect("no panic");
    assert!(answer.text().contains("\"state\":\"ended\""), "{}", answer.text());
}

#[tokio::test]
async fn what_does_not_exist_is_refused_and_hardly_remembered() {
    let (farm, _worker, _, _) = live(8, 2).await;
    get(farm.origin, &url("source/index.m3u8")).await;
    let missing = [
        url("source/99-1.m4s"),
        url("source/1-2.m4s"),
        url("source/2-1.99.m4s"),
        // In the middle of a segment, and far ahead.
        url("source/t90001.m4s"),
        url("source/t900000000.m4s"),
        url("source/init-7.mp4"),
        url("nothing/index.m3u8"),
        url("nothing/0-1.m4s"),
        format!("/{CHANNEL}/br_zzzzzzzzzzzzzzzzzzzzzzzz/source/index.m3u8"),
        format!("/{OTHER}/main.m3u8"),
        format!("/{OTHER}/{BROADCAST}/source/0-1.m4s"),
        "/nothing".to_string(),
    ];
    for path in missing {
        let answer = get(farm.origin, &path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("cache-control"), "public, max-age=1", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
    }
}

#[tokio::test]
async fn a_reload_waits_for_its_part_and_no_longer() {
    let (farm, worker, made, said) = live(12, 3).await;
    let next = get(farm.origin, &url("source/index.m3u8")).await;
    assert!(next.text().contains("URI=\"4-1.0.m4s\""), "{}", next.text());
    // Part 0 of the next segment, asked for in both ways.
    let waiting: Vec<_> = ["?_HLS_msn=5&_HLS_part=0", "?_HLS_msn=4&_HLS_part=99"]
        .map(|query| {
            let path = url(&format!("source/index.m3u8{query}"));
            let at = farm.origin;
            tokio::spawn(async move { get(at, &path).await })
        })
        .into();
    let hinted = {
        let (at, path) = (farm.origin, url("source/4-1.0.m4s"));
        tokio::spawn(async move { get(at, &path).await })
    };
    tokio::time::timeout(Duration::from_millis(300), async {
        while !waiting.iter().any(|task| task.is_finished()) && !hinted.is_finished() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect_err("nobody is answered before the part is there");
    worker.say_all(&made.events[said..said + 4]);
    for task in waiting {
        let answer = task.await.expect("no panic");
        assert_eq!(answer.status, StatusCode::OK);
        assert!(
            answer.text().contains("URI=\"4-1.0.m4s\",INDEPENDENT=YES"),
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("cache-control"), "public, max-age=24");
    }
    assert_eq!(hinted.await.expect("no panic").body, made.parts("source", 4)[0]);
}

#[tokio::test]
async fn a_manifest_is_held_back_between_two_segments_but_not_for_long() {
    let (farm, worker, made, said) = live(12, 3).await;
    let (at, path) = (farm.origin, format!("/{CHANNEL}/manifest.mpd"));
    let ask = || {
        let path = path.clone();
        tokio::spawn(async move { get(at, &path).await })
    };
    // Nothing begins: it is given as it is.
    let as_it_is = ask().await.expect("no panic");
    assert!(
        as_it_is.text().contains("<S d=\"180000\" r=\"1\"/></SegmentTimeline>"),
        "{}",
        as_it_is.text()
    );
    let held = ask();
    tokio::time::timeout(Duration::from_millis(200), async {
        while !held.is_finished() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect_err("the next segment may begin any moment");
    worker.say_all(&made.events[said..said + 6]);
    let held = held.await.expect("no panic");
    assert!(
        held.text()
            .contains("<S d=\"180000\" r=\"1\"/><S d=\"90000\"/></SegmentTimeline>"),
        "{}",
        held.text()
    );
}

#[tokio::test]
async fn directives_that_make_no_sense_are_refused_at_once() {
    let (farm, _worker, _, _) = live(12, 3).await;
    let cases = [
        ("_HLS_part=0", 400),
        ("_HLS_msn=x", 400),
        ("_HLS_msn=-1", 400),
        ("_HLS_msn=2&_HLS_part=1.5", 400),
        ("_HLS_msn=2&_HLS_msn=2", 400),
        ("_HLS_msn=7", 400),
        ("_HLS_msn=5&_HLS_part=60", 400),
        ("_HLS_msn=99999999999999999999999", 400),
        ("_HLS_msn=1", 200),
        ("_HLS_msn=3&_HLS_part=0", 200),
        ("token=abc&_HLS_skip=YES", 200),
        ("_HLS_skip=v2&_HLS_msn=4", 200),
        ("_HLS_skip=nonsense", 200),
    ];
    for (query, status) in cases {
        let answer = get(farm.origin, &url(&format!("source/index.m3u8?{query}"))).await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.text());
        assert_eq!(
            answer.header("cache-control"),
            if query.ends_with("msn=4") {
                "public, max-age=24"
            } else {
                "public, max-age=1"
            },
            "{query}"
        );
    }
}

#[tokio::test]
async fn head_ranges_gzip_and_preflight() {
    let (farm, _worker, made, _) = live(8, 2).await;
    let path = url("source/1-1.m4s");
    let whole = made.parts("source", 1).concat();
    let head = send(farm.origin, Method::HEAD, &path, &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), whole.len().to_string());
    assert_eq!(head.header("accept-ranges"), "bytes");
    let ranged = |range: &'static str| send(farm.origin, Method::GET, &path, Box::leak(Box::new([("range", range)])));
    let middle = ranged("bytes=100-5099").await;
    assert_eq!(middle.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(middle.body, whole[100..5_100]);
    assert_eq!(
        middle.header("content-range"),
        format!("bytes 100-5099/{}", whole.len())
    );
    let open_end = ranged("bytes=7-9007199254740991").await;
    assert_eq!(open_end.body, whole[7..]);
    let outside = ranged("bytes=999999999-").await;
    assert_eq!(outside.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(outside.header("content-range"), format!("bytes */{}", whole.len()));

    let path = url("source/index.m3u8");
    let plain = get(farm.origin, &path).await;
    let packed = send(farm.origin, Method::GET, &path, &[("accept-encoding", "br, gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(
        (packed.header("vary"), plain.header("vary")),
        ("accept-encoding", "accept-encoding")
    );
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut text).expect("gzip");
    assert_eq!(text, plain.text());

    let preflight = [
        ("origin", "https://site.test"),
        ("access-control-request-method", "GET"),
    ];
    let answer = send(farm.origin, Method::OPTIONS, &path, &preflight).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    assert!(answer.header("access-control-allow-headers").contains("Range"));
}
