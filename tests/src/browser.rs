//! Real players in a real browser: `tests/browser`.

use std::path::Path;

use anyhow::{Context as _, bail};
use tokio::process::Command;

fn node() -> anyhow::Result<Command> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    if !folder.join("node_modules").is_dir() {
        bail!("tests/browser has no node_modules: run `npm ci` there, or `make test`");
    }
    let mut command = Command::new("node");
    command.current_dir(folder).kill_on_drop(true);
    Ok(command)
}

/// Runs people who use the dashboard at `api_url` in their browsers: node's arguments. Fails with what they met.
pub async fn dashboard(api_url: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = node()?;
    command.args(arguments).env("HEADWATER_API", api_url);
    let output = command.output().await.context("cannot start node")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if !output.status.success() {
        bail!("{arguments:?}: {said}");
    }
    Ok(())
}

/// Runs one browser client and returns its report; fails with what it saw when a condition does not hold.
pub async fn play(origin_url: &str, playback_id: &str, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
    let output = node()?
        .arg("play.mjs")
        .args(["--url", origin_url, "--id", playback_id, "--json"])
        .args(arguments)
        .output()
        .await
        .context("cannot start node")?;
    let (report, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if !output.status.success() {
        bail!("{arguments:?}: {said}\n{report}");
    }
    serde_json::from_str(&report).context("the report is not JSON")
}
