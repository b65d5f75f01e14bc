//! Every class of answer with its cache rule, in one table that is read as a whole.

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use http::Method;
use support::client::{get, send};
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, OTHER, REPLAY, TENANT, ended};
use support::media::{Recipe, make};

const TABLE: &str = "\
live multivariant                200  application/vnd.apple.mpegurl  public, max-age=1
live playlist                    200  application/vnd.apple.mpegurl  public, max-age=1
live playlist, newest part       200  application/vnd.apple.mpegurl  public, max-age=24
live playlist, part long made    200  application/vnd.apple.mpegurl  public, max-age=1
live playlist, too far ahead     400  application/json               public, max-age=1
live manifest                    200  application/dash+xml           public, max-age=1
live state                       200  application/json               public, max-age=1
init                             200  video/mp4                      public, max-age=31536000, immutable
segment                          200  video/mp4                      public, max-age=31536000, immutable
segment, range                   206  video/mp4                      public, max-age=31536000, immutable
segment, range outside           416  application/json               public, max-age=1
segment without generation       200  audio/mp4                      public, max-age=86400
part                             200  audio/mp4                      public, max-age=31536000, immutable
segment that is not there        404  application/json               public, max-age=1
unknown playback id              404  application/json               public, max-age=1
unknown address                  404  application/json               public, max-age=1
replay multivariant              200  application/vnd.apple.mpegurl  public, max-age=3600
replay playlist                  200  application/vnd.apple.mpegurl  public, max-age=3600
replay manifest                  200  application/dash+xml           public, max-age=3600
replay download                  200  video/mp4                      public, max-age=3600
live download                    404  application/json               public, max-age=1
time                             200  text/plain; charset=utf-8      no-store
health                           200  text/plain; charset=utf-8      no-store
embed page                       200  text/html; charset=utf-8       public, max-age=60
embed script                     200  text/javascript; charset=utf-8 public, max-age=60
preflight                        204                                 public, max-age=86400
other method                     405  application/json               public, max-age=60
too long                         414  application/json               public, max-age=60
with a body                      413  application/json               no-store
";

/// Name, method, path, request headers.
type Row<'a> = (&'a str, Method, String, &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn every_class_of_answer_says_how_long_it_holds() {
    let made = make(TENANT, BROADCAST, Recipe::low(10));
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, made.through_segment(3)).await;
    farm.goes_live(&worker, 1);
    let other = "br_bbbbbbbbbbbbbbbbbbbbbbbb";
    let mut replay = ended("replay");
    replay.broadcast_id = other.into();
    farm.api.answer(REPLAY, replay);
    for (key, bytes) in made.objects().into_iter().chain([("index.json".into(), made.index())]) {
        farm.put_at(&format!("{TENANT}/{other}/{key}"), bytes).await;
    }
    let live = |file: &str| format!("/{CHANNEL}/{BROADCAST}/{file}");
    let range = |value| [("range", value)];
    let long = format!("/{}", "x".repeat(2_100));
    let newest = made.parts("source", 3).len() - 1;
    let rows: [Row<'_>; 29] = [
        ("live multivariant", Method::GET, format!("/{CHANNEL}/main.m3u8"), &[]),
        ("live playlist", Method::GET, live("source/index.m3u8"), &[]),
        (
            "live playlist, newest part",
            Method::GET,
            live(&format!("source/index.m3u8?_HLS_msn=4&_HLS_part={newest}")),
            &[],
        ),
        (
            "live playlist, part long made",
            Method::GET,
            live("source/index.m3u8?_HLS_msn=2&_HLS_part=0"),
            &[],
        ),
        (
            "live playlist, too far ahead",
            Method::GET,
            live("source/index.m3u8?_HLS_msn=10"),
            &[],
        ),
        ("live manifest", Method::GET, format!("/{CHANNEL}/manifest.mpd"), &[]),
        ("live state", Method::GET, format!("/{CHANNEL}/state.json"), &[]),
        ("init", Method::GET, live("source/init-0.mp4"), &[]),
        ("segment", Method::GET, live("source/2-1.m4s"), &[]),
        (
            "segment, range",
            Method::GET,
            live("source/2-1.m4s"),
            &range("bytes=0-9"),
        ),
        (
            "segment, range outside",
            Method::GET,
            live("source/2-1.m4s"),
            &range("bytes=99999999-"),
        ),
        (
            "segment without generation",
            Method::GET,
            live(&format!("audio/{}", made.timed("audio", 2))),
            &[],
        ),
        ("part", Method::GET, live("audio/2-1.0.m4s"), &[]),
        ("segment that is not there", Method::GET, live("source/77-1.m4s"), &[]),
        ("unknown playback id", Method::GET, format!("/{OTHER}/main.m3u8"), &[]),
        ("unknown address", Method::GET, "/favicon.ico".into(), &[]),
        ("replay multivariant", Method::GET, format!("/{REPLAY}/main.m3u8"), &[]),
        (
            "replay playlist",
            Method::GET,
            format!("/{REPLAY}/{other}/audio/dvr.m3u8"),
            &[],
        ),
        ("replay manifest", Method::GET, format!("/{REPLAY}/manifest.mpd"), &[]),
        (
            "replay download",
            Method::HEAD,
            format!("/{REPLAY}/{other}/download.mp4"),
            &[],
        ),
        ("live download", Method::GET, live("download.mp4"), &[]),
        ("time", Method::GET, "/time".into(), &[]),
        ("health", Method::GET, "/healthz".into(), &[]),
        ("embed page", Method::GET, format!("/embed/{CHANNEL}"), &[]),
        ("embed script", Method::GET, "/embed.js".into(), &[]),
        ("preflight", Method::OPTIONS, live("source/index.m3u8"), &[]),
        ("other method", Method::PUT, live("source/index.m3u8"), &[]),
        ("too long", Method::GET, long, &[]),
        ("with a body", Method::GET, "/time".into(), &[("content-length", "1")]),
    ];
    let mut table = String::new();
    for (name, method, path, headers) in rows {
        let answer = send(farm.origin, method, &path, headers).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{name}");
        assert!(answer.headers.contains_key("date"), "{name}");
        for never in ["set-cookie", "location"] {
            assert!(!answer.headers.contains_key(never), "{name} has {never}");
        }
        let (status, kind) = (answer.status.as_u16(), answer.header("content-type"));
        writeln!(
            table,
            "{name:<33}{status}  {kind:<30} {}",
            answer.header("cache-control")
        )
        .expect("a String");
    }
    assert_eq!(table, TABLE, "\n{table}");
}

#[tokio::test]
async fn what_is_held_too_long_is_answered_503_after_three_target_durations() {
    let made = make(TENANT, BROADCAST, Recipe::low(8));
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, made.through_segment(2)).await;
    farm.goes_live(&worker, 1);
    let playlist = format!("/{CHANNEL}/{BROADCAST}/source/index.m3u8");
    get(farm.origin, &playlist).await;
    for path in [
        format!("{playlist}?_HLS_msn=4"),
        format!("/{CHANNEL}/{BROADCAST}/source/3-1.0.m4s"),
    ] {
        tokio::time::pause();
        let begin = tokio::time::Instant::now();
        let answer = get(farm.origin, &path).await;
        let held = begin.elapsed();
        tokio::time::resume();
        assert_eq!(answer.status.as_u16(), 503, "{path}");
        assert_eq!(
            (answer.header("cache-control"), answer.header("retry-after")),
            ("no-store", "1")
        );
        assert!(
            held >= Duration::from_secs(12) && held < Duration::from_secs(14),
            "{path} was held for {held:?}"
        );
    }
}
