//! The dashboard in real browsers on the real binary, with a real encoder: `tests/browser/dashboard`.

use anyhow::Context as _;
use headwater_tests::browser;
use headwater_tests::dev::Dev;

#[tokio::test]
async fn people_go_live_rotate_keys_and_keep_to_their_roles() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    // One file after the other: browser, encoder and transcoder want the whole machine.
    let tests = [
        "--test",
        "--test-concurrency=1",
        "dashboard/story.test.mjs",
        "dashboard/roles.test.mjs",
        "dashboard/explorer.test.mjs",
        "dashboard/webhooks.test.mjs",
    ];
    let met = browser::dashboard(&dev.running.api_url, &tests).await;
    met.with_context(|| dev.log())?;
    dev.stop().await?;
    Ok(())
}
