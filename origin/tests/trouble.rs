//! What viewers notice of trouble behind the origin: nothing, wherever possible.

mod support;

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use support::client::{get, open, send};
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, OTHER, TENANT, live};
use support::media::{Recipe, make};

fn url(file: &str) -> String {
    format!("/{CHANNEL}/{BROADCAST}/{file}")
}

#[tokio::test]
async fn playback_survives_the_api() {
    let made = make(TENANT, BROADCAST, Recipe::low(20));
    let said = made.through_segment(4);
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, said).await;
    farm.goes_live(&worker, 1);
    assert_eq!(
        get(farm.origin, &format!("/{CHANNEL}/main.m3u8")).await.status,
        StatusCode::OK
    );
    farm.api.down.store(true, Ordering::SeqCst);
    farm.hint(CHANNEL).await;
    // One question goes unanswered; then the old answer is used at once.
    let asked = farm.api.asked.load(Ordering::SeqCst);
    while farm.api.asked.load(Ordering::SeqCst) == asked {
        assert_eq!(get(farm.origin, &url("source/index.m3u8")).await.status, StatusCode::OK);
    }
    let reload = {
        let (at, path) = (farm.origin, url("source/index.m3u8?_HLS_msn=6&_HLS_part=1"));
        tokio::spawn(async move { get(at, &path).await })
    };
    worker.say_all(&made.events[said..]);
    let reload = reload.await.expect("no panic");
    assert!(reload.text().contains("5-1.1.m4s"), "{}", reload.text());
    let state = get(farm.origin, &format!("/{CHANNEL}/state.json")).await;
    assert!(state.text().contains("\"state\":\"live\""), "{}", state.text());
    let unknown = get(farm.origin, &format!("/{OTHER}/main.m3u8")).await;
    assert_eq!(
        unknown.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "nobody can say what it shows"
    );
    assert_eq!(unknown.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_new_worker_takes_over_in_the_middle_of_a_segment() {
    let old = make(TENANT, BROADCAST, Recipe::low(16));
    let new = make(TENANT, BROADCAST, Recipe::low(16).generation(2));
    let farm = Farm::start().await;
    // The old worker dies with three parts of segment 4 made.
    let said = old.through_segment(3);
    let in_four = old.events[said..]
        .iter()
        .scan(0, |parts, event| {
            *parts += usize::from(is_part(event, "source", 4));
            Some(*parts)
        })
        .position(|parts| parts == 3)
        .expect("segment 4 has three parts");
    let first = FakeWorker::start_with(&old, said + in_four + 1).await;
    farm.goes_live(&first, 1);
    let before = get(farm.origin, &url("source/index.m3u8")).await;
    assert!(before.text().contains("4-1.2.m4s\""), "{}", before.text());
    let streamed = open(farm.origin, Method::GET, &timed(&old), &[]).await;
    let reload = {
        let (at, path) = (farm.origin, url("source/index.m3u8?_HLS_msn=5&_HLS_part=3"));
        tokio::spawn(async move { get(at, &path).await })
    };
    // The new one makes segment 4 again from its start, and all that follows.
    let second = FakeWorker::start().await;
    let mut presentation = new.presentation.clone();
    presentation.generation = 2;
    second.say(support::media::event(
        headwater_model::proto::worker::live_event::Kind::Presentation(presentation),
    ));
    second.say_all(&new.of_segments(4..=7));
    first.die();
    farm.goes_live(&second, 2);
    farm.hint(CHANNEL).await;
    let reload = reload.await.expect("no panic");
    assert_eq!(reload.status, StatusCode::OK, "{}", reload.text());
    let after = loop {
        let after = get(farm.origin, &url("source/index.m3u8")).await;
        if after.text().contains("\n5-2.m4s") {
            break after;
        }
        tokio::task::yield_now().await;
    };
    assert!(
        after.text().contains("\n3-1.m4s") && after.text().contains("\n4-2.m4s"),
        "{}",
        after.text()
    );
    assert!(
        !after.text().contains("#EXT-X-DISCONTINUITY\n"),
        "the same timeline goes on: {}",
        after.text()
    );
    // The segment that was being streamed goes on with the new worker's parts.
    let body = streamed.into_body().collect().await.expect("finished").to_bytes();
    let parts = |made: &support::media::Made| made.parts("source", 4);
    let expected = [&parts(&old)[..3], &parts(&new)[3..]].concat().concat();
    assert_eq!(body, expected);
    // What the old worker made under its own name is still what it was; the highest answers for the time alone.
    let again = get(farm.origin, &timed(&old)).await;
    assert_eq!(again.body, parts(&new).concat());
    assert_eq!(get(farm.origin, &url("source/4-1.1.m4s")).await.body, parts(&old)[1]);
    // And if the old one speaks again, nobody listens.
    farm.api.answer(CHANNEL, live(&second, 2));
    assert_eq!(
        get(farm.origin, &url("source/5-1.m4s")).await.status,
        StatusCode::NOT_FOUND
    );
}

/// Segment 4 of the source as DASH asks for it.
fn timed(made: &support::media::Made) -> String {
    url(&format!("source/{}", made.timed("source", 4)))
}

fn is_part(event: &headwater_model::proto::worker::LiveEvent, rendition: &str, seq: u64) -> bool {
    use headwater_model::proto::worker::live_event::Kind;
    matches!(&event.kind, Some(Kind::Part(part)) if part.rendition == rendition && part.seq == seq)
}

#[tokio::test]
async fn an_open_segment_is_sent_part_by_part_and_broken_off_if_it_never_ends() {
    let made = make(TENANT, BROADCAST, Recipe::low(12));
    let said = made.through_segment(3);
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, said).await;
    farm.goes_live(&worker, 1);
    get(farm.origin, &url("source/index.m3u8")).await;
    let answer = {
        let (at, path) = (farm.origin, timed(&made));
        tokio::spawn(async move { open(at, Method::GET, &path, &[("range", "bytes=0-10")]).await })
    };
    let mut events = made.events[said..].iter();
    let mut step = |worker: &FakeWorker| {
        for event in events.by_ref() {
            worker.say(event.clone());
            if is_part(event, "source", 4) {
                return;
            }
        }
    };
    step(&worker);
    let answer = answer.await.expect("no panic");
    assert_eq!(
        answer.status(),
        StatusCode::OK,
        "the range of what has no end yet is all of it"
    );
    assert_eq!(answer.headers().get("content-length"), None);
    let mut body = answer.into_body();
    let parts = made.parts("source", 4);
    for (n, part) in parts.iter().enumerate().take(3) {
        let mut got = Vec::new();
        while got.len() < part.len() {
            let frame = body.frame().await.expect("more").expect("no error");
            got.extend_from_slice(&frame.into_data().expect("data"));
        }
        assert_eq!(got, *part, "part {n} came before the next was made");
        step(&worker);
    }
    worker.end();
    let rest = body.collect().await;
    assert!(rest.is_err(), "a torso must not look whole to a cache");
}

#[tokio::test]
async fn what_no_viewer_sends_is_refused_cheaply() {
    let farm = Farm::start().await;
    let at = farm.origin;
    let post = send(at, Method::POST, &format!("/{CHANNEL}/main.m3u8"), &[]).await;
    assert_eq!(
        (post.status, post.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, OPTIONS")
    );
    let long = get(at, &format!("/{CHANNEL}/main.m3u8?{}", "x".repeat(2_048))).await;
    assert_eq!(long.status, StatusCode::URI_TOO_LONG);
    let body = send(at, Method::GET, "/time", &[("content-length", "5")]).await;
    assert_eq!(body.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        farm.api.asked.load(Ordering::SeqCst),
        0,
        "nothing of this reached the api"
    );
    let time = get(at, "/time").await;
    assert_eq!(
        (time.text().len(), time.header("cache-control")),
        (24, "no-store"),
        "{}",
        time.text()
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(at, path).await.status, StatusCode::OK);
    }
    let page = get(at, &format!("/embed/{CHANNEL}")).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    let tag = page.header("etag").to_string();
    let same = send(
        at,
        Method::GET,
        &format!("/embed/{CHANNEL}"),
        &[("if-none-match", &tag)],
    )
    .await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    assert_eq!(get(at, "/embed.js").await.status, StatusCode::OK);
    assert_eq!(get(at, "/player/nothing.js").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(at, "/player/../Cargo.toml").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn more_than_may_wait_are_turned_away() {
    let made = make(TENANT, BROADCAST, Recipe::low(8));
    let farm = Farm::start_with(&["--origin-waiting-max", "10"]).await;
    let worker = FakeWorker::start_with(&made, made.through_segment(2)).await;
    farm.goes_live(&worker, 1);
    get(farm.origin, &url("source/index.m3u8")).await;
    let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..30 {
        let (at, path, sender) = (
            farm.origin,
            url("source/index.m3u8?_HLS_msn=4&_HLS_part=0"),
            sender.clone(),
        );
        tokio::spawn(async move {
            let _ = sender.send(get(at, &path).await);
        });
    }
    for _ in 0..20 {
        let answer = answers.recv().await.expect("an answer");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            (answer.header("retry-after"), answer.header("cache-control")),
            ("1", "no-store")
        );
    }
    worker.say_all(&made.events[made.through_segment(2)..]);
    for _ in 0..10 {
        assert_eq!(answers.recv().await.expect("an answer").status, StatusCode::OK);
    }
}
