//! Pictures, and replays that are deleted or become private: what was shown before is shown no more, from memory neither.

mod support;

use bytes::Bytes;
use headwater_model::proto::api::ResolveResponse;
use headwater_platform::store::ObjectStore as _;
use http::StatusCode;
use support::client::{Answer, get};
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, REPLAY, TENANT, ended, live, offline};
use support::media::{Recipe, make};

fn jpeg(word: &str) -> Bytes {
    Bytes::from(format!("\u{0}jpeg {word}"))
}

async fn pictures(farm: &Farm, names: &[&str]) {
    for name in names {
        farm.put(vec![(format!("thumbnail/{name}"), jpeg(name))]).await;
    }
}

async fn answers(farm: &Farm, path: &str, status: StatusCode) -> Answer {
    let answer = get(farm.origin, path).await;
    assert_eq!(answer.status, status, "{path}: {}", answer.text());
    answer
}

#[tokio::test]
async fn a_picture_is_the_newest_on_air_and_the_poster_afterwards() {
    let farm = Farm::start().await;
    let worker = FakeWorker::start().await;
    farm.goes_live(&worker, 2);
    let path = format!("/{CHANNEL}/thumbnail.jpg");
    // Of another size: what is missing is not looked for again at once.
    let none = answers(&farm, &format!("{path}?width=1280"), StatusCode::NOT_FOUND).await;
    assert!(
        none.text().contains("there is no picture of this yet"),
        "{}",
        none.text()
    );
    assert_eq!(none.header("cache-control"), "public, max-age=1");
    pictures(
        &farm,
        &[
            "live-1-640.jpg",
            "live-2-320.jpg",
            "live-2-640.jpg",
            "poster-1-640.jpg",
            "poster-1-320.jpg",
        ],
    )
    .await;
    let newest = answers(&farm, &path, StatusCode::OK).await;
    assert_eq!(newest.body, jpeg("live-2-640.jpg"));
    assert_eq!(newest.header("content-type"), "image/jpeg");
    assert_eq!(newest.header("cache-control"), "public, max-age=10");
    assert_eq!(
        get(farm.origin, &format!("{path}?width=320")).await.body,
        jpeg("live-2-320.jpg")
    );
    for wrong in ["0", "321", "640px", ""] {
        let answer = get(farm.origin, &format!("{path}?width={wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(worker.subscriptions(), 0, "a picture follows no broadcast");

    farm.api.answer(REPLAY, ended("replay"));
    let poster = get(farm.origin, &format!("/{REPLAY}/thumbnail.jpg?width=1280")).await;
    assert_eq!(poster.body, jpeg("poster-1-640.jpg"));
    assert_eq!(poster.header("cache-control"), "public, max-age=3600");
    farm.api.answer(CHANNEL, ended("channel"));
    farm.hint(CHANNEL).await;
    let poster = get(farm.origin, &path).await;
    assert_eq!(poster.body, jpeg("poster-1-640.jpg"));
    assert_eq!(
        poster.header("cache-control"),
        "public, max-age=10",
        "the channel may show another one soon"
    );
}

#[tokio::test]
async fn a_crowd_that_wants_a_picture_is_one_read() {
    let farm = Farm::start().await;
    pictures(&farm, &["poster-1-640.jpg"]).await;
    farm.api.answer(REPLAY, ended("replay"));
    let path = format!("/{REPLAY}/thumbnail.jpg");
    let reads = (0..200).map(|_| get(farm.origin, &path));
    assert!(
        futures::future::join_all(reads)
            .await
            .iter()
            .all(|answer| answer.status == StatusCode::OK)
    );
    assert_eq!(farm.store.gets(), 1);
}

#[tokio::test]
async fn a_signed_picture_takes_a_token() {
    let farm = Farm::start().await;
    pictures(&farm, &["poster-1-640.jpg"]).await;
    let signed = ResolveResponse {
        policy: "signed".into(),
        ..ended("replay")
    };
    farm.api.answer(REPLAY, signed);
    assert_eq!(
        get(farm.origin, &format!("/{REPLAY}/thumbnail.jpg")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_deleted_replay_is_gone_at_once_also_under_its_channel_and_comes_back_when_it_is_restored() {
    let made = make(TENANT, BROADCAST, Recipe::low(8));
    let farm = Farm::start().await;
    farm.put(made.objects()).await;
    farm.put(vec![("index.json".into(), made.index())]).await;
    let shown = |kind: &str| ResolveResponse {
        replay_playback_id: REPLAY.into(),
        ..ended(kind)
    };
    farm.api.answer(CHANNEL, shown("channel"));
    farm.api.answer(REPLAY, shown("replay"));
    let files = [
        "main.m3u8".to_owned(),
        format!("{BROADCAST}/source/index.m3u8"),
        format!("{BROADCAST}/source/0-1.m4s"),
    ];
    for id in [CHANNEL, REPLAY] {
        for file in &files {
            assert_eq!(
                get(farm.origin, &format!("/{id}/{file}")).await.status,
                StatusCode::OK,
                "{id}/{file}"
            );
        }
    }
    // Another broadcast begins; the one before is still seen by who watches it.
    let worker = FakeWorker::start().await;
    let mut now = live(&worker, 1);
    now.broadcast_id = "br_newnewnewnewnewnewnewnew".into();
    farm.api.answer(CHANNEL, now);
    farm.hint(CHANNEL).await;
    let state = get(farm.origin, &format!("/{CHANNEL}/state.json")).await;
    assert!(state.text().contains("br_newnew"), "{}", state.text());
    assert_eq!(
        get(farm.origin, &format!("/{CHANNEL}/{}", files[2])).await.status,
        StatusCode::OK
    );

    farm.api.forget(REPLAY);
    farm.hint(REPLAY).await;
    for file in &files {
        answers(&farm, &format!("/{REPLAY}/{file}"), StatusCode::NOT_FOUND).await;
    }
    for file in &files[1..] {
        answers(&farm, &format!("/{CHANNEL}/{file}"), StatusCode::NOT_FOUND).await;
    }
    farm.api.answer(REPLAY, shown("replay"));
    farm.hint(REPLAY).await;
    answers(&farm, &format!("/{REPLAY}/{}", files[2]), StatusCode::OK).await;
    answers(&farm, &format!("/{CHANNEL}/{}", files[2]), StatusCode::OK).await;

    // It becomes signed: its channel's public address shows it no more.
    let signed = ResolveResponse {
        policy: "signed".into(),
        ..shown("replay")
    };
    farm.api.answer(REPLAY, signed);
    farm.hint(REPLAY).await;
    answers(&farm, &format!("/{REPLAY}/{}", files[2]), StatusCode::UNAUTHORIZED).await;
    answers(&farm, &format!("/{CHANNEL}/{}", files[2]), StatusCode::NOT_FOUND).await;
    // While the api is silent, what was known goes on to hold.
    farm.api.down.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(
        get(farm.origin, &format!("/{CHANNEL}/{}", files[2])).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_is_not_recorded_is_watched_to_its_end_from_memory_and_is_gone_then() {
    let made = make(TENANT, BROADCAST, Recipe::low(12));
    let farm = Farm::start().await;
    farm.put(made.objects()).await;
    let begun = made.through_segment(1);
    let worker = FakeWorker::start_with(&made, begun).await;
    let on_air = |kind: &str| ResolveResponse {
        unrecorded: true,
        kind: kind.into(),
        ..live(&worker, 1)
    };
    farm.api.answer(CHANNEL, on_air("channel"));
    farm.api.answer(REPLAY, on_air("replay"));
    let at = |id: &str, file: &str| format!("/{id}/{BROADCAST}/{file}");
    let playlist = at(CHANNEL, "source/index.m3u8");
    let segments: Vec<_> = made
        .segments()
        .into_iter()
        .filter(|(name, ..)| name == "source")
        .collect();
    let files: Vec<String> = segments
        .iter()
        .map(|(_, name, _)| format!("source/{}-1.m4s", name.seq))
        .collect();
    answers(&farm, &at(CHANNEL, &files[0]), StatusCode::OK).await;
    worker.say_all(&made.events[begun..]);
    for id in [CHANNEL, REPLAY] {
        for file in ["main.m3u8", "dvr.m3u8"] {
            answers(&farm, &format!("/{id}/{file}"), StatusCode::OK).await;
        }
        for (file, (_, _, bytes)) in files.iter().zip(&segments) {
            let answer = get(farm.origin, &at(id, file)).await;
            assert_eq!((answer.status, &answer.body), (StatusCode::OK, bytes), "{file}");
            assert_eq!(
                answer.header("cache-control"),
                "public, max-age=60",
                "not left in caches"
            );
        }
    }

    // It ends: what is stored goes at once. Whoever watches the channel sees the last of it, and the end.
    farm.store.delete_many(&farm.store.keys()).await.expect("in memory");
    farm.api.answer(CHANNEL, offline());
    farm.api.forget(REPLAY);
    worker.end();
    for id in [CHANNEL, REPLAY] {
        farm.hint(id).await;
    }
    for file in ["main.m3u8", "dvr.m3u8", "manifest.mpd", "thumbnail.jpg"] {
        for id in [CHANNEL, REPLAY] {
            answers(&farm, &format!("/{id}/{file}"), StatusCode::NOT_FOUND).await;
        }
    }
    let ended = get(farm.origin, &playlist).await;
    assert!(ended.text().trim_end().ends_with("#EXT-X-ENDLIST"), "{}", ended.text());
    for (file, (_, _, bytes)) in files.iter().zip(&segments) {
        assert_eq!(get(farm.origin, &at(CHANNEL, file)).await.body, *bytes, "{file}");
        assert_eq!(get(farm.origin, &at(REPLAY, file)).await.status, StatusCode::NOT_FOUND);
    }
    for id in [CHANNEL, REPLAY] {
        let download = get(farm.origin, &at(id, "download.mp4")).await;
        assert_eq!(download.status, StatusCode::NOT_FOUND);
    }
    let state = get(farm.origin, &format!("/{CHANNEL}/state.json")).await;
    assert!(state.text().contains("\"state\":\"offline\""), "{}", state.text());

    // A minute later nobody is that far behind.
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    tokio::time::resume();
    answers(&farm, &playlist, StatusCode::NOT_FOUND).await;
    answers(&farm, &at(CHANNEL, &files[0]), StatusCode::NOT_FOUND).await;
}
