//! The integrators' examples, each run as its README says, against the real roles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use headwater_api::webhook::{Deliverer, Guard, Rules};
use headwater_tests::chain::{Chain, Setup};
use headwater_tests::front::Front;
use headwater_tests::http;
use headwater_tests::receiver::Receiver;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

type Outcome = anyhow::Result<()>;

/// Nothing here takes this long.
const HANG: Duration = Duration::from_secs(60);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// How each language runs a program of the examples.
struct Languages {
    /// JavaScript made of the TypeScript, beside the operations: this Node may be too old to read types itself.
    built: TempDir,
}

impl Languages {
    async fn ready() -> anyhow::Result<Self> {
        let built = tempfile::tempdir()?;
        let operations = built.path().join("operations");
        fs::create_dir(&operations)?;
        for entry in fs::read_dir(root().join("examples/operations"))? {
            let entry = entry?;
            fs::copy(entry.path(), operations.join(entry.file_name()))?;
        }
        let esbuild = root().join("origin/player/node_modules/.bin/esbuild");
        anyhow::ensure!(
            esbuild.is_file(),
            "origin/player has no node_modules: run `npm ci` there, or `make player`"
        );
        let mut command = Command::new(esbuild);
        for file in ["client", "channel", "watch", "token", "webhook"] {
            command.arg(root().join(format!("examples/typescript/{file}.ts")));
        }
        let folder = built.path().join("typescript");
        command
            .arg(format!("--outdir={}", folder.display()))
            .args(["--format=esm", "--log-level=error"]);
        let made = command.output().await.context("cannot start esbuild")?;
        anyhow::ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            fs::write(&path, fs::read_to_string(&path)?.replace("./client.ts", "./client.js"))?;
        }
        fs::write(folder.join("package.json"), "{ \"type\": \"module\" }")?;
        Ok(Self { built })
    }

    /// The same program in every language.
    fn all(&self, name: &str) -> [(&'static str, Command); 3] {
        let bash = Command::new(root().join(format!("examples/bash/{name}.sh")));
        let mut node = Command::new("node");
        // Newer versions have it without the flag, and take the flag all the same.
        node.args(["--no-warnings", "--experimental-websocket"]);
        node.arg(self.built.path().join(format!("typescript/{name}.js")));
        let mut python = Command::new("python3");
        let file = if name == "token" { "playback_token" } else { name };
        python.arg("-B").arg(root().join(format!("examples/python/{file}.py")));
        [("bash", bash), ("TypeScript", node), ("Python", python)].map(|(language, mut command)| {
            command.kill_on_drop(true).stdin(Stdio::null());
            (language, command)
        })
    }
}

/// Runs a program to its end. Returns whether it went well, and what it printed.
async fn run(mut command: Command, input: &[u8]) -> anyhow::Result<(bool, String)> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut stdin = child.stdin.take().context("it has a standard input")?;
    // One that does not read it ends before, which is no fault.
    let _ = stdin.write_all(input).await;
    drop(stdin);
    let output = tokio::time::timeout(HANG, child.wait_with_output())
        .await
        .context("it hangs")??;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// The word after `name` in what a program printed.
fn word<'a>(said: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let line = said.lines().find_map(|line| line.strip_prefix(name));
    line.map(str::trim).with_context(|| format!("no {name:?} in {said}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_does_what_it_says_in_every_language() -> Outcome {
    let chain = Chain::start(Setup::default()).await?;
    let languages = Languages::ready().await?;
    let (url, front) = (chain.api_url()?, chain.front()?);
    let (ada, _) = front.sign_up("Ada").await?;
    let token = "mutation { apiTokenCreate(input: { name: \"examples\", environment: LIVE,
        actions: [CHANNEL_READ, CHANNEL_WRITE, STREAM_KEY_WRITE] }) { secret } }";
    let token = ada.ask(token, json!({})).await?.text("/apiTokenCreate/secret")?;

    // Channels, and what is wrong with them.
    let mut channels = Vec::new();
    for (language, mut command) in languages.all("channel") {
        command.arg(format!("Town \"hall\" in {language}"));
        command.env("HEADWATER_URL", &url).env("HEADWATER_TOKEN", &token);
        let (well, said) = run(command, b"").await?;
        assert!(well, "{language}: {said}");
        let (id, key) = (word(&said, "channel ")?, word(&said, "stream key ")?);
        assert!(id.starts_with("ch_") && key.starts_with("sk_"), "{language}: {said}");
        assert!(
            word(&said, "hls ")?.contains(word(&said, "playback id ")?),
            "{language}: {said}"
        );
        assert!(word(&said, "server ")?.starts_with("rtmp://"), "{language}: {said}");
        let found = ada
            .ask("query($id: ID!) { channel(id: $id) { title } }", json!({ "id": id }))
            .await?;
        assert_eq!(found.text("/channel/title")?, format!("Town \"hall\" in {language}"));
        channels.push(id.to_owned());
    }
    for (language, mut command) in languages.all("channel") {
        command
            .arg(" ")
            .env("HEADWATER_URL", &url)
            .env("HEADWATER_TOKEN", &token);
        let (well, said) = run(command, b"").await?;
        assert!(!well && said.contains("must not be empty"), "{language}: {said}");
    }
    for (language, mut command) in languages.all("channel") {
        command
            .arg("x")
            .env("HEADWATER_URL", &url)
            .env("HEADWATER_TOKEN", "hw_live_wrong");
        let (well, said) = run(command, b"").await?;
        assert!(!well && !said.contains("stream key"), "{language}: {said}");
    }

    // States: how it is, and what it becomes.
    for ((language, mut command), channel) in languages.all("watch").into_iter().zip(&channels) {
        command
            .args([channel, "DISABLED"])
            .env("HEADWATER_URL", &url)
            .env("HEADWATER_TOKEN", &token);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("it prints")?).lines();
        let next = tokio::time::timeout(HANG, lines.next_line())
            .await
            .context("it hangs")??;
        assert_eq!(next.as_deref(), Some("OFFLINE"), "{language}");
        let disable = "mutation($id: ID!) { channelUpdate(input: { id: $id, expectedVersion: 1, disabled: true }) {
            channel { state } userErrors { message } } }";
        ada.ask(disable, json!({ "id": channel }))
            .await?
            .data("/channelUpdate/channel")?;
        let next = tokio::time::timeout(HANG, lines.next_line())
            .await
            .context("it hangs")??;
        assert_eq!(next.as_deref(), Some("DISABLED"), "{language}");
        let ended = tokio::time::timeout(HANG, child.wait()).await.context("it hangs")??;
        assert!(ended.success(), "{language}: {ended}");
    }

    // Tokens that the origin takes: without one it says 401, with one that nothing is on air.
    let signed =
        "mutation($c: ID!) { playbackIdCreate(input: { channelId: $c, policy: SIGNED }) { playbackId { id } } }";
    let signed = ada
        .ask(signed, json!({ "c": channels[0] }))
        .await?
        .text("/playbackIdCreate/playbackId/id")?;
    let key = "mutation { signingKeyCreate(input: { name: \"examples\", algorithm: RS256 }) { signingKey { id } privateKey } }";
    let key = ada.ask(key, json!({})).await?;
    let folder = tempfile::tempdir()?;
    let pem = folder.path().join("key.pem");
    fs::write(&pem, key.text("/signingKeyCreate/privateKey")?)?;
    let list = chain.play(&signed, "main.m3u8");
    assert_eq!(http::get(&list).await?.status, 401);
    for (language, mut command) in languages.all("token") {
        command
            .args([&signed, &key.text("/signingKeyCreate/signingKey/id")?])
            .arg(&pem);
        let (well, said) = run(command, b"").await?;
        assert!(well, "{language}: {said}");
        let under = chain.play(&format!("t/{}/{signed}", said.trim()), "main.m3u8");
        assert_eq!(
            http::get(&under).await?.status,
            404,
            "{language}: nothing is on air, and that may be known"
        );
    }

    chain.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_tell_genuine_webhooks_from_others() -> Outcome {
    let languages = Languages::ready().await?;
    let front = Front::with_guard(Guard::new(&["127.0.0.0/8".parse()?])).await?;
    let deliverer = Deliverer::new(&front.services, Rules::default(), CancellationToken::new());
    let _sending = AbortOnDropHandle::new(tokio::spawn(deliverer.run()));
    let (ada, _) = front.sign_up("Ada").await?;
    let receiver = Receiver::start().await?;
    let endpoint = "mutation($u: String!) { webhookEndpointCreate(input: { url: $u }) {
        webhookEndpoint { id } secret userErrors { message } } }";
    let made = ada.ask(endpoint, json!({ "u": receiver.url() })).await?;
    let secret = made.text("/webhookEndpointCreate/secret")?;
    let test = "mutation($e: ID!) { webhookEndpointTest(input: { id: $e }) { userErrors { message } } }";
    let id = made.text("/webhookEndpointCreate/webhookEndpoint/id")?;
    ada.ask(test, json!({ "e": id })).await?;
    let message = receiver.messages(1).await?.remove(0);
    let header = |name: &str| message.header(name).to_owned();
    let (id, at, signature) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    );
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (body, mut changed) = (message.body.to_vec(), message.body.to_vec());
    *changed.last_mut().context("a body")? = b' ';
    let other = format!("whsec_{}", "BwcH".repeat(8));
    let two = format!("v1,{}= {signature}", "A".repeat(43));
    let old = (now_s - 600).to_string();
    for (what, genuine, arguments, body) in [
        ("as it came", true, [&secret, &id, &at, &signature], &body),
        ("with two signatures", true, [&secret, &id, &at, &two], &body),
        ("changed", false, [&secret, &id, &at, &signature], &changed),
        ("by somebody else", false, [&other, &id, &at, &signature], &body),
        ("under another id", false, [&secret, &at, &at, &signature], &body),
        ("from long ago", false, [&secret, &id, &old, &signature], &body),
    ] {
        for (language, mut command) in languages.all("webhook") {
            command.args(arguments);
            let (well, said) = run(command, body).await?;
            assert_eq!(well, genuine, "{what}, {language}: {said}");
        }
    }
    Ok(())
}
