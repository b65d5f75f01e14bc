//! Real encoders: FFmpeg and GStreamer push, a worker counts.

mod support;

use std::collections::HashSet;
use std::process::Stdio;

use support::{Stage, Worker, soon};
use tokio::process::Command;

/// Runs an encoder to its end.
async fn push(program: &str, arguments: &str) {
    let mut command = Command::new(program);
    command
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = soon(program, command.output()).await;
    let output = output.unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn pulled(stage: &Stage) -> Worker {
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_end().await;
    assert_eq!(worker.epochs.len(), 1, "{:?}", worker.epochs);
    assert_eq!(worker.lost, 0);
    worker
}

#[tokio::test]
async fn ffmpeg_with_b_frames_and_sound() {
    let stage = Stage::new().await;
    let url = format!("rtmp://{}/live/{}", stage.rtmp, stage.farm.key(1));
    let arguments = format!(
        "-v error -f lavfi -i testsrc2=s=320x180:r=30 -f lavfi -i sine=r=48000 -t 5 -c:v libx264 -preset veryfast \
         -pix_fmt yuv420p -g 30 -bf 2 -c:a aac -f flv {url}"
    );
    push("ffmpeg", &arguments).await;
    let worker = pulled(&stage).await;
    assert_eq!(worker.videos(), 150);
    assert!((234..=237).contains(&worker.audios()), "{}", worker.audios());
    assert!(
        worker.of(0).any(|u| u.pts > u.dts),
        "B-frames keep their presentation times"
    );
    assert_eq!(worker.of(0).filter(|u| u.key).count(), 5);
    stage.stop().await;
}

#[tokio::test]
async fn ffmpeg_without_sound() {
    let stage = Stage::new().await;
    let url = format!("rtmp://{}/live/{}", stage.rtmp, stage.farm.key(1));
    let arguments = format!(
        "-v error -f lavfi -i testsrc2=s=320x180:r=25 -t 4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 \
         -f flv {url}"
    );
    push("ffmpeg", &arguments).await;
    let worker = pulled(&stage).await;
    assert_eq!((worker.videos(), worker.audios()), (100, 0));
    stage.stop().await;
}

#[tokio::test]
async fn ffmpeg_with_sound_alone() {
    let stage = Stage::new().await;
    let url = format!("rtmp://{}/live/{}", stage.rtmp, stage.farm.key(1));
    push(
        "ffmpeg",
        &format!("-v error -f lavfi -i sine=r=44100 -t 4 -c:a aac -f flv {url}"),
    )
    .await;
    let worker = pulled(&stage).await;
    assert_eq!(worker.videos(), 0);
    assert!((172..=175).contains(&worker.audios()), "{}", worker.audios());
    stage.stop().await;
}

#[tokio::test]
async fn ffmpeg_with_a_wrong_key_fails() {
    let stage = Stage::new().await;
    let url = format!("rtmp://{}/live/sk_{}", stage.rtmp, "z".repeat(32));
    let arguments = format!("-v error -f lavfi -i sine -t 1 -c:a aac -f flv {url}");
    let mut command = Command::new("ffmpeg");
    command
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = soon("ffmpeg", command.output()).await.expect("ffmpeg is installed");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("This stream key is unknown or was revoked."), "{said}");
    stage.stop().await;
}

#[tokio::test]
async fn gstreamer_with_sound() {
    let stage = Stage::new().await;
    let url = format!("rtmp://{}/live/{}", stage.rtmp, stage.farm.key(1));
    let arguments = format!(
        "-q flvmux name=mux streamable=true ! rtmp2sink location={url} \
         videotestsrc num-buffers=120 ! video/x-raw,width=320,height=180,framerate=30/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse ! queue ! mux. \
         audiotestsrc num-buffers=188 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 \
         ! avenc_aac ! aacparse ! queue ! mux."
    );
    push("gst-launch-1.0", &arguments).await;
    let worker = pulled(&stage).await;
    assert_eq!(worker.videos(), 120);
    assert!((185..=190).contains(&worker.audios()), "{}", worker.audios());
    stage.stop().await;
}

#[tokio::test]
async fn a18_one_address_takes_publishers_of_both_families() {
    let Ok(_) = std::net::TcpListener::bind("[::1]:0") else {
        println!("SKIPPED: IPv6 is off on this machine");
        return;
    };
    let stage = Stage::with(&["--ingest-rtmp-listen", "[::]:0"]).await;
    let port = stage.listens[1].port();
    for (channel, host) in [(1, "[::1]"), (2, "127.0.0.1"), (3, "localhost")] {
        let url = format!("rtmp://{host}:{port}/live/{}", stage.farm.key(channel));
        let arguments = format!("-v error -f lavfi -i sine=r=48000 -t 1 -c:a aac -f flv {url}");
        push("ffmpeg", &arguments).await;
    }
    let peers = stage.farm.books.borrow().peers.clone();
    assert_eq!(
        peers[..2],
        ["::1", "127.0.0.1"],
        "an IPv4 publisher keeps its own address"
    );
    stage.stop().await;
}

/// User and password are asked for by servers that know them. Here the key alone counts: encoders that were given both
/// publish all the same, and a key that was filled in as one of the two is found there.
#[tokio::test]
async fn c19_an_encoder_with_user_and_password_publishes() {
    let ended = |b: &support::farm::Books| b.opens.iter().map(|(id, _)| id).collect::<HashSet<_>>().len();
    let stage = Stage::new().await;
    let (edge, key) = (stage.rtmp, stage.farm.key(1));
    let sound = "-v error -f lavfi -i sine=r=48000 -t 1 -c:a aac -f flv";
    push("ffmpeg", &format!("{sound} rtmp://studio:secret@{edge}/live/{key}")).await;
    for authmod in ["auto", "adobe"] {
        let gst = format!(
            "-q audiotestsrc num-buffers=50 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! avenc_aac \
             ! aacparse ! flvmux streamable=true ! rtmp2sink authmod={authmod} username=studio password=secret \
             location=rtmp://{edge}/live/{key}"
        );
        push("gst-launch-1.0", &gst).await;
    }
    let books = stage.farm.when("three broadcasts", |b| ended(b) >= 3).await;
    assert_eq!((books.authorised >= 1, books.refused), (true, 0));
    stage.stop().await;
}
