//! `headwater dev` as a newcomer meets it: it starts, stops, crashes and starts again, and leaves nothing behind.

use std::time::Duration;

use headwater_tests::dev::{self, Dev};
use headwater_tests::encoder::Source;
use headwater_tests::http;
use tokio::process::Command;

/// Processes whose command line names `folder`.
fn processes_of(folder: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .parse::<u32>()
                .is_ok_and(|pid| pid.to_string() != own)
        })
        .filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(folder).then_some(line)
        })
        .collect()
}

async fn until_gone(folder: &str) -> Vec<String> {
    let gone = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        while !processes_of(folder).is_empty() {
            every.tick().await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(15), gone).await {
        Ok(()) => Vec::new(),
        Err(_) => processes_of(folder),
    }
}

#[tokio::test]
async fn it_stops_whole_and_starts_again_with_the_same_key() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let folder = dev.data().to_string_lossy().into_owned();
    let (key, playback) = (dev.running.stream_key.clone(), dev.running.playback_id.clone());
    assert!(!processes_of(&folder).is_empty(), "the private database runs");
    assert!(dev.stop().await?.success(), "{}", dev.log());
    assert_eq!(
        until_gone(&folder).await,
        Vec::<String>::new(),
        "no process is left behind"
    );
    dev.restart().await?;
    assert_eq!(
        (dev.running.stream_key.clone(), dev.running.playback_id.clone()),
        (key, playback)
    );
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_crash_leaves_nothing_that_blocks_the_next_start() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let folder = dev.data().to_string_lossy().into_owned();
    let encoder = Source::default().push(&dev.push_url())?;
    dev.wait_for_state(&["live"], Duration::from_secs(20)).await?;
    dev.crash().await?;
    assert_eq!(
        until_gone(&folder).await,
        Vec::<String>::new(),
        "what it started ends with it"
    );
    drop(encoder);
    dev.restart().await?;
    let again = Source {
        seconds: Some(3.0),
        ..Source::default()
    }
    .push(&dev.push_url())?;
    dev.wait_for_state(&["live", "finishing", "ended"], Duration::from_secs(20))
        .await?;
    again.finished().await?;
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_second_instance_in_the_same_folder_is_refused_by_name() -> anyhow::Result<()> {
    let mut first = Dev::start().await?;
    let second = Command::new(dev::binary()?)
        .arg("dev")
        .arg("--data-dir")
        .arg(first.data())
        .output()
        .await?;
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains(&first.pid()?.to_string()) && said.contains("HEADWATER_DEV_DATA_DIR"),
        "{said}"
    );
    first.stop().await?;
    Ok(())
}

#[tokio::test]
async fn readiness_says_which_part_is_missing() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let ready = http::get(&format!("{}/readyz", dev.running.admin_url)).await?;
    assert_eq!(ready.status, 200, "{}", ready.text());
    let metrics = http::get(&format!("{}/metrics", dev.running.admin_url)).await?;
    assert_eq!(metrics.status, 200);
    dev.stop().await?;
    Ok(())
}
