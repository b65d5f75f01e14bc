//! Encoders that people use, as they come. `make clients` installs them and runs this; `make test` passes it over.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use headwater_tests::chain::until;
use headwater_tests::channel::{self, Channel};
use headwater_tests::dev::Dev;
use headwater_tests::encoder;
use headwater_tests::http;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Longest that OBS may take to start and to be on air.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Seconds that are watched.
const WATCH_S: f64 = 20.0;
/// How far the first sound may be from the first picture, seconds.
const OFFSET_S_MAX: f64 = 0.1;
/// OBS 29.0.2, as it writes its own version: what it takes for settings of an older one, it asks about.
const OBS_VERSION: u32 = 29 << 24 | 2;

/// A screen that nobody sees.
struct Screen {
    display: String,
    _server: Child,
}

impl Screen {
    async fn start() -> anyhow::Result<Self> {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x720x24", "-nolisten", "tcp"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("Xvfb does not start: run `make clients`")?;
        let said = server.stdout.take().context("Xvfb has no standard output")?;
        let mut lines = BufReader::new(said).lines();
        let number = tokio::time::timeout(START_LIMIT, lines.next_line()).await??;
        Ok(Self {
            display: format!(":{}", number.context("Xvfb names no display")?.trim()),
            _server: server,
        })
    }
}

/// Settings as OBS keeps them, in a folder of their own. `streaming` is what a person chose of the output.
fn configure(home: &Path, url: &str, key: &str, streaming: &str) -> anyhow::Result<()> {
    let profile = home.join("obs-studio/basic/profiles/test");
    fs::create_dir_all(&profile)?;
    let global = format!(
        "[General]\nFirstRun=true\nLastVersion={OBS_VERSION}\n\n\
         [Basic]\nProfile=test\nProfileDir=test\nSceneCollection=test\nSceneCollectionFile=test\n\n\
         [OBSWebSocket]\nFirstLoad=false\nServerEnabled=false\n"
    );
    fs::write(home.join("obs-studio/global.ini"), global)?;
    let basic = format!(
        "[General]\nName=test\n\n[Video]\nBaseCX=640\nBaseCY=360\nOutputCX=640\nOutputCY=360\nFPSCommon=30\n\n{streaming}"
    );
    fs::write(profile.join("basic.ini"), basic)?;
    fs::write(
        profile.join("streamEncoder.json"),
        r#"{"rate_control":"CBR","bitrate":1500,"keyint_sec":2,"preset":"ultrafast"}"#,
    )?;
    let service = serde_json::json!({
        "type": "rtmp_custom",
        "settings": {"server": url, "key": key, "use_auth": false, "bwtest": false},
    });
    fs::write(profile.join("service.json"), service.to_string())?;
    // Without a source it asks whether that is meant.
    let scenes = home.join("obs-studio/basic/scenes");
    fs::create_dir_all(&scenes)?;
    let scene = serde_json::json!({
        "name": "test",
        "current_scene": "Scene",
        "current_program_scene": "Scene",
        "scene_order": [{"name": "Scene"}],
        "sources": [
            {
                "id": "color_source",
                "versioned_id": "color_source_v3",
                "name": "Colour",
                "settings": {"width": 400, "height": 200, "color": 0xff33_66cc_u32},
            },
            {
                "id": "scene",
                "name": "Scene",
                "settings": {"id_counter": 1, "items": [{"id": 1, "name": "Colour", "visible": true}]},
            },
        ],
    });
    fs::write(scenes.join("test.json"), scene.to_string())?;
    Ok(())
}

/// Starts OBS, which begins to stream by itself.
fn start(screen: &Screen, home: &Path) -> anyhow::Result<Child> {
    let log = fs::File::create(home.join("obs.log"))?;
    let mut command = Command::new("obs");
    command.args(["--multi", "--disable-updater", "--startstreaming", "--minimize-to-tray"]);
    command.env("DISPLAY", &screen.display).env("XDG_CONFIG_HOME", home);
    command.env("LIBGL_ALWAYS_SOFTWARE", "1").env("QT_QPA_PLATFORM", "xcb");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command
        .kill_on_drop(true)
        .spawn()
        .context("OBS does not start: run `make clients`")
}

/// How often a source was found unfit to be passed through.
async fn unfit(dev: &Dev) -> anyhow::Result<u64> {
    let metrics = http::get(&format!("{}/metrics", dev.running.admin_url)).await?.text();
    let unfit = metrics
        .lines()
        .find_map(|l| l.strip_prefix("worker_unfit_sources_total "));
    Ok(unfit.map_or(Ok(0), str::parse)?)
}

/// Waits until what ffmpeg starts with, three segments before the end, lies behind the last change of codec
/// configuration, which its HLS reader does not take.
async fn settled(multivariant: &str) -> anyhow::Result<()> {
    until("segments of the newest epoch", async || {
        let text = http::get(multivariant).await.ok()?.text();
        let base = multivariant.rsplit_once('/')?.0;
        let media = text.lines().find(|l| !l.starts_with('#'))?;
        let playlist = http::get(&format!("{base}/{media}")).await.ok()?.text();
        let newest = playlist.rsplit_once("#EXT-X-MAP")?.1;
        (newest.matches("#EXTINF").count() > 3).then_some(())
    })
    .await
}

/// Streams with such settings and watches it live; a source is found unfit to be passed through so often.
async fn stream(streaming: &str, unfit_expected: u64) -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let channel: Channel = dev.channel(&["--ladder", "source"]).await?;
    let screen = Screen::start().await?;
    let home = tempfile::tempdir()?;
    let push_url = dev.push_url_of(&channel);
    let (url, key) = push_url.rsplit_once('/').context("an address and a key")?;
    configure(home.path(), url, key, streaming)?;
    let mut obs = start(&screen, home.path())?;
    let state = dev.play_of(&channel, "state.json");
    let live = channel::wait_for_state(&state, &["live"], START_LIMIT).await;
    live.with_context(|| fs::read_to_string(home.path().join("obs.log")).unwrap_or_default())?;

    let recorded = home.path().join("live.mp4");
    let multivariant = dev.play_of(&channel, "main.m3u8");
    until("the source is judged", async || {
        (unfit(&dev).await.ok()? == unfit_expected).then_some(())
    })
    .await?;
    settled(&multivariant).await?;
    encoder::record(&multivariant, &recorded, WATCH_S).await?;
    let recorded = recorded.to_string_lossy();
    let frames = encoder::decoded_frames(&recorded, "v:0").await?;
    assert!(frames as f64 > 0.9 * WATCH_S * 30.0, "{frames} pictures in {WATCH_S} s");
    let blocks = encoder::decoded_frames(&recorded, "a:0").await?;
    assert!(
        blocks as f64 > 0.9 * WATCH_S * 48_000.0 / 1024.0,
        "{blocks} blocks of sound"
    );
    let (video, audio) = tokio::try_join!(encoder::packets(&recorded, "v:0"), encoder::packets(&recorded, "a:0"))?;
    let offset = audio[0].pts - video[0].pts;
    assert!(offset.abs() < OFFSET_S_MAX, "sound starts {offset} s after the picture");
    assert!(video[0].key, "it starts with a keyframe");

    obs.kill().await?;
    assert_eq!(unfit(&dev).await?, unfit_expected, "{}", dev.log());
    assert!(dev.stop().await?.success(), "{}", dev.log());
    Ok(())
}

#[tokio::test]
async fn obs_as_it_comes_is_encoded_on_the_grid() -> anyhow::Result<()> {
    // Keyframes 250 frames apart are no places to cut at.
    stream("[Output]\nMode=Simple\n", 1).await
}

#[tokio::test]
async fn obs_with_a_keyframe_every_two_seconds_is_passed_through() -> anyhow::Result<()> {
    let streaming = "[Output]\nMode=Advanced\n\n[AdvOut]\nEncoder=obs_x264\nTrackIndex=1\nApplyServiceSettings=false\n";
    stream(streaming, 0).await
}
