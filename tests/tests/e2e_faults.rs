//! Faults in the middle of a broadcast, with every role as a process of its own: whatever fails, and for however long,
//! the replay holds every picture that was accepted, once and in order.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use headwater_tests::chain::{Chain, Setup, until};
use headwater_tests::channel::Channel;
use headwater_tests::dev;
use headwater_tests::encoder::{self, Encoder, Source};
use headwater_tests::hls::media_playlists;
use headwater_tests::http;
use headwater_tests::outside::Line;

/// Pictures a second that every test pushes.
const FPS: u64 = 30;

/// Starts pushing, and waits until viewers see it.
async fn go_live(chain: &Chain, channel: &Channel, source: &Source) -> anyhow::Result<(Encoder, String)> {
    let encoder = source.push(&chain.push_url(channel))?;
    let state = chain.state(channel, "live").await?;
    let broadcast = state["broadcast_id"].as_str().context("a broadcast")?.to_owned();
    Ok((encoder, broadcast))
}

/// How many pictures the edge has taken in so far, of all broadcasts.
async fn accepted(chain: &Chain) -> anyhow::Result<u64> {
    chain.edge.metric("ingest_units_total", "kind=\"video\"").await
}

/// Picture stream `rung` of a replay holds `frames` pictures once and in order; returns how many gaps are between them.
async fn assert_once(url: &str, rung: usize, frames: u64) -> anyhow::Result<usize> {
    let packets = encoder::packets(url, &format!("v:{rung}")).await?;
    assert_eq!(packets.len() as u64, frames, "{url}, rung {rung}: every picture once");
    let steps = packets.windows(2).map(|w| w[1].dts - w[0].dts);
    assert!(
        steps.clone().all(|step| step > 0.0),
        "{url}, rung {rung}: decode times grow"
    );
    Ok(steps.filter(|step| *step > 1.5 / FPS as f64).count())
}

/// The replay of one broadcast, as HLS, DASH and download: every rung holds `frames` pictures once and in order, without a
/// gap inside an epoch, and sound for as long; and breaks are announced exactly `discontinuities` times.
async fn assert_whole(chain: &Chain, playback_id: &str, frames: u64, discontinuities: usize) -> anyhow::Result<()> {
    let mut rungs = 0;
    for url in media_playlists(&chain.play(playback_id, "main.m3u8")).await? {
        let playlist = http::get(&url).await?.text();
        assert!(playlist.contains("#EXT-X-ENDLIST"), "{url}: {playlist}");
        let whole = match playlist.rsplit_once("#EXT-X-GAP\n") {
            // An encoder that is stopped may end its sound just before a last segment of a few pictures.
            Some((before, last)) if url.contains("/audio/") && last.matches("#EXTINF").count() == 1 => before,
            _ => playlist.as_str(),
        };
        assert!(!whole.contains("#EXT-X-GAP"), "{url}: {playlist}");
        let announced = playlist.matches("#EXT-X-DISCONTINUITY\n").count();
        assert_eq!(announced, discontinuities, "{url}: {playlist}");
        if url.contains("/audio/") {
            let blocks = encoder::packets(&url, "a:0").await?.len() as f64;
            let (sound, picture) = (blocks * 1024.0 / 48_000.0, frames as f64 / FPS as f64);
            assert!(
                (sound - picture).abs() < 0.15 * (1 + discontinuities) as f64,
                "{url}: {sound} s of sound, {picture} s of picture"
            );
            continue;
        }
        rungs += 1;
        let gaps = assert_once(&url, 0, frames).await?;
        assert!(
            gaps <= discontinuities,
            "{url}: {gaps} gaps, {discontinuities} announced\n{playlist}"
        );
    }
    let state: serde_json::Value = http::get(&chain.play(playback_id, "state.json"))
        .await?
        .text()
        .parse()?;
    let broadcast = state["broadcast_id"].as_str().context("a broadcast")?;
    for rung in 0..rungs {
        assert_once(&chain.play(playback_id, "manifest.mpd"), rung, frames).await?;
    }
    assert_once(
        &chain.play(playback_id, &format!("{broadcast}/download.mp4")),
        0,
        frames,
    )
    .await?;
    assert!(rungs > 0, "there is a picture");
    Ok(())
}

/// The last media sequence number that a live playlist lists.
async fn newest_segment(url: &str) -> anyhow::Result<u64> {
    let playlist = http::get(url).await?.text();
    let first = playlist.lines().find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
    let first: u64 = first.with_context(|| format!("{url}: {playlist}"))?.trim().parse()?;
    Ok(first + playlist.matches("#EXTINF").count() as u64)
}

/// Waits, as a player does, for `segments` further segments: each blocking reload is answered with the media asked for.
async fn watch_on(chain: &Chain, origin: usize, channel: &Channel, segments: u64) -> anyhow::Result<()> {
    let multivariant = chain.play_at(origin, &channel.playback_id, "main.m3u8");
    let listed = until("the multivariant playlist", async || {
        media_playlists(&multivariant).await.ok()
    })
    .await?;
    for url in listed {
        let next = newest_segment(&url).await?;
        for segment in next..next + segments {
            let answer = http::get(&format!("{url}?_HLS_msn={segment}")).await?;
            assert_eq!(answer.status, 200, "{url}: segment {segment}: {}", answer.text());
            assert!(newest_segment(&url).await? > segment, "{url}: {}", answer.text());
        }
    }
    Ok(())
}

#[tokio::test]
async fn redis_may_vanish_and_hang() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;

    chain.redis.stop()?;
    encoder.sends(5 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;
    let new = chain.add_origin().await?;
    watch_on(&chain, new, &channel, 1).await?;
    chain.redis.start_again().await?;
    encoder.sends(2 * FPS).await?;

    chain.redis.pause()?;
    encoder.sends(5 * FPS).await?;
    let new = chain.add_origin().await?;
    watch_on(&chain, new, &channel, 1).await?;
    chain.redis.resume()?;
    encoder.sends(FPS).await?;

    let frames = encoder.stop().await?;
    chain.state(&channel, "ended").await?;
    assert_eq!(chain.generation(&broadcast).await?, 1, "no worker was taken for dead");
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn postgres_may_hang_and_vanish_even_at_the_end() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;

    chain.postgres.pause()?;
    encoder.sends(3 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;
    chain.postgres.resume()?;

    chain.postgres.stop()?;
    encoder.sends(3 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;
    let frames = encoder.stop().await?;
    // The worker has stored the replay and cannot tell anybody.
    let worker = &chain.workers[0];
    until("the worker tries to tell the scheduler", async || {
        worker
            .log()
            .contains("does not hear that the broadcast is finished")
            .then_some(())
    })
    .await?;
    chain.postgres.start_again().await?;
    chain.state(&channel, "ended").await?;
    assert_eq!(chain.generation(&broadcast).await?, 1);
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn a_known_key_publishes_again_while_postgres_is_away() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;
    encoder.sends(3 * FPS).await?;
    chain.postgres.stop()?;
    let first = encoder.stop().await?;
    assert!(first > 3 * FPS);
    // The key is known here; the broadcast begins as soon as there is somebody who can open one.
    let mut second = Source::default().push(&chain.push_url(&channel))?;
    second.sends(4 * FPS).await?;
    chain.postgres.start_again().await?;
    let again = until("the second broadcast", async || {
        let state = chain.state(&channel, "live").await.ok()?;
        let id = state["broadcast_id"].as_str()?.to_owned();
        (id != broadcast).then_some(state)
    })
    .await?;
    second.sends(2 * FPS).await?;
    let frames = second.stop().await?;
    chain.state(&channel, "ended").await?;
    let replay = again["replay_playback_id"].as_str().context("a replay")?;
    assert_whole(&chain, replay, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn the_store_may_be_slow_and_vanish() -> anyhow::Result<()> {
    let setup = Setup {
        // So little that a few segments fill it and the rest is spooled.
        environment: vec![("HEADWATER_WORKER_UPLOAD_BYTES_MAX", "65536".into())],
        ..Setup::default()
    };
    let chain = Chain::start(setup).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;

    chain.store.set_line(Line::Slow(std::time::Duration::from_millis(400)));
    encoder.sends(4 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;

    chain.store.set_line(Line::Cut);
    encoder.sends(8 * FPS).await?;
    watch_on(&chain, 0, &channel, 2).await?;
    chain.store.set_line(Line::Open);
    encoder.sends(2 * FPS).await?;
    let spooled = chain.workers[0].metric("worker_spooled_bytes_total", "").await?;
    assert!(spooled > 0, "more waited than memory has room for");

    // Away at the end as well: the replay waits for it.
    chain.store.set_line(Line::Cut);
    encoder.sends(2 * FPS).await?;
    let frames = encoder.stop().await?;
    chain.state(&channel, "finishing").await?;
    chain.store.set_line(Line::Open);
    chain.state(&channel, "ended").await?;
    assert_eq!(chain.generation(&broadcast).await?, 1);
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn a_killed_codec_child_costs_no_picture_of_any_rung() -> anyhow::Result<()> {
    let chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("default", 60).await?;
    let source = Source {
        size: "854x480",
        ..Source::default()
    };
    let (mut encoder, _) = go_live(&chain, &channel, &source).await?;
    for _ in 0..2 {
        encoder.sends(3 * FPS).await?;
        let child = until("a codec child", async || chain.workers[0].child().ok()).await?;
        dev::signal(child, "KILL").await?;
        until("a new codec child", async || {
            chain.workers[0].child().ok().filter(|new| *new != child)
        })
        .await?;
        watch_on(&chain, 0, &channel, 1).await?;
    }
    let frames = encoder.stop().await?;
    chain.state(&channel, "ended").await?;
    let rungs = media_playlists(&chain.play(&channel.playback_id, "main.m3u8")).await?;
    assert!(rungs.len() >= 3, "the source, a smaller rung and sound: {rungs:?}");
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn a_publisher_back_after_its_window_begins_a_new_broadcast() -> anyhow::Result<()> {
    let chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 2).await?;
    let (mut first, old) = go_live(&chain, &channel, &Source::default()).await?;
    first.sends(4 * FPS).await?;
    let before = chain.state(&channel, "live").await?;
    first.cut().await?;
    chain.state(&channel, "ended").await?;
    let accepted = accepted(&chain).await?;
    let (mut second, new) = go_live(&chain, &channel, &Source::default()).await?;
    assert_ne!(old, new);
    let after = chain.state(&channel, "live").await?;
    second.sends(2 * FPS).await?;
    // The old replay is whole while the new broadcast is on air, under its own address.
    let replay = |state: &serde_json::Value| state["replay_playback_id"].as_str().unwrap_or_default().to_owned();
    assert_whole(&chain, &replay(&before), accepted, 0).await?;
    let frames = second.stop().await?;
    chain.state(&channel, "ended").await?;
    assert_whole(&chain, &replay(&after), frames, 0).await?;
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn api_scheduler_and_origin_may_be_killed_while_live() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;

    chain.origins[0].kill().await?;
    encoder.sends(2 * FPS).await?;
    chain.origins[0].start().await?;
    watch_on(&chain, 0, &channel, 1).await?;

    chain.api.kill().await?;
    chain.scheduler.kill().await?;
    encoder.sends(2 * FPS).await?;
    watch_on(&chain, 0, &channel, 2).await?;
    chain.scheduler.start().await?;
    chain.api.start().await?;
    encoder.sends(6 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;

    let frames = encoder.stop().await?;
    chain.state(&channel, "ended").await?;
    assert_eq!(chain.generation(&broadcast).await?, 1, "a new scheduler moves nothing");
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn a_second_worker_takes_its_share_and_takes_over() -> anyhow::Result<()> {
    let setup = Setup {
        // Room for one encoded broadcast each.
        environment: vec![("HEADWATER_WORKER_SLOTS", "1".into())],
        ..Setup::default()
    };
    let mut chain = Chain::start(setup).await?;
    chain.add_worker().await?;
    let source = Source {
        size: "854x480",
        ..Source::default()
    };
    let channels = [chain.channel("default", 60).await?, chain.channel("default", 60).await?];
    let (mut first, broadcast) = go_live(&chain, &channels[0], &source).await?;
    let (mut second, other) = go_live(&chain, &channels[1], &source).await?;
    let children = |chain: &Chain| chain.workers.iter().filter(|w| w.child().is_ok()).count();
    until("each worker runs one of the broadcasts", async || {
        (children(&chain) == 2).then_some(())
    })
    .await?;
    second.sends(FPS).await?;
    let frames = second.stop().await?;
    chain.state(&channels[1], "ended").await?;
    assert_eq!(chain.generation(&other).await?, 1);
    assert_whole(&chain, &channels[1].playback_id, frames, 0).await?;

    // The one that is left loses its worker and goes on at the other.
    until("one codec child is left", async || {
        (children(&chain) == 1).then_some(())
    })
    .await?;
    first.sends(2 * FPS).await?;
    let holder = chain
        .workers
        .iter()
        .position(|w| w.child().is_ok())
        .context("a worker")?;
    chain.workers[holder].kill().await?;
    until("a higher generation", async || {
        chain
            .generation(&broadcast)
            .await
            .ok()
            .filter(|generation| *generation == 2)
    })
    .await?;
    assert_joined_at_every_part(&chain, &channels[0]).await?;
    watch_on(&chain, 0, &channels[0], 1).await?;
    let frames = first.stop().await?;
    chain.state(&channels[0], "ended").await?;
    assert_whole(&chain, &channels[0].playback_id, frames, 0).await?;
    chain.finish().await
}

/// The first segment of generation 2 can be joined at every part of the encoded rung, and later ones at their start.
async fn assert_joined_at_every_part(chain: &Chain, channel: &Channel) -> anyhow::Result<()> {
    let multivariant = chain.play(&channel.playback_id, "main.m3u8");
    let url = until("an encoded rung", async || {
        let listed = media_playlists(&multivariant).await.ok()?;
        listed.into_iter().find(|url| url.contains("/360p/"))
    })
    .await?;
    // Segment, part, and whether it starts with an IDR picture.
    let part = |line: &str| {
        let (name, rest) = line
            .strip_prefix("#EXT-X-PART:")?
            .split_once("URI=\"")?
            .1
            .split_once(".m4s\"")?;
        let (segment, rest_of_name) = name.split_once('-')?;
        let (generation, index) = rest_of_name.split_once('.')?;
        let part: (u64, u32) = (segment.parse().ok()?, index.parse().ok()?);
        (generation == "2").then_some((part, rest.contains("INDEPENDENT=YES")))
    };
    let parts = until("the second segment of generation 2", async || {
        let playlist = http::get(&url).await.ok()?.text();
        let parts: Vec<_> = playlist.lines().filter_map(part).collect();
        let first = parts.first()?.0.0;
        parts.iter().any(|((segment, _), _)| *segment > first).then_some(parts)
    })
    .await?;
    let first = parts[0].0.0;
    for ((segment, index), independent) in &parts {
        assert_eq!(*independent, *segment == first || *index == 0, "{url}: {parts:?}");
    }
    let joined = parts.iter().filter(|((segment, _), _)| *segment == first).count();
    assert!(joined > 1, "{url}: {parts:?}");
    Ok(())
}

#[tokio::test]
async fn an_edge_that_is_told_to_stop_ends_politely() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 2).await?;
    let (mut encoder, _) = go_live(&chain, &channel, &Source::default()).await?;
    encoder.sends(4 * FPS).await?;
    encoder.freeze().await?;
    let mut equal = (0, 0);
    let accepted = until("nothing more arrives", async || {
        let pictures = accepted(&chain).await.ok()?;
        equal = (pictures, if pictures == equal.0 { equal.1 + 1 } else { 0 });
        (equal.1 == 5).then_some(pictures)
    })
    .await?;
    let status = chain.edge.stop().await?;
    assert!(status.success(), "{status}\n{}", chain.edge.log());
    drop(encoder);
    chain.state(&channel, "ended").await?;
    assert_whole(&chain, &channel.playback_id, accepted, 0).await?;
    chain.edge.start().await?;
    let (mut again, _) = go_live(&chain, &channel, &Source::default()).await?;
    again.sends(2 * FPS).await?;
    let frames = again.stop().await?;
    chain.state(&channel, "ended").await?;
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn a_worker_may_be_killed_while_the_store_is_away() -> anyhow::Result<()> {
    let mut chain = Chain::start(Setup::default()).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, broadcast) = go_live(&chain, &channel, &Source::default()).await?;
    encoder.sends(3 * FPS).await?;
    // What the worker holds now is in no store: the edge still has it.
    chain.store.set_line(Line::Cut);
    encoder.sends(4 * FPS).await?;
    chain.workers[0].kill().await?;
    encoder.sends(FPS).await?;
    chain.workers[0].start().await?;
    until("a higher generation", async || {
        chain
            .generation(&broadcast)
            .await
            .ok()
            .filter(|generation| *generation > 1)
    })
    .await?;
    chain.store.set_line(Line::Open);
    watch_on(&chain, 0, &channel, 1).await?;
    let frames = encoder.stop().await?;
    chain.state(&channel, "ended").await?;
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

/// A small disk of its own, for tests that fill it; unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts `megabytes` of memory; `None`, said plainly, where this user may not.
    fn mount(megabytes: u32) -> anyhow::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("headwater-disk-").tempdir()?;
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .output()?;
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
            println!("SKIPPED: a full disk needs a mount of its own, which is refused here: {why}");
            return Ok(None);
        }
        Ok(Some(Self { folder }))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes all the space that is left.
    fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = fs::File::create(self.path("ballast"))?;
        for piece in [64 << 10, 1 << 10, 1] {
            while ballast.write_all(&vec![0; piece]).is_ok() {}
        }
        Ok(())
    }

    /// Gives it back.
    fn free(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.path("ballast"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what still has files open there is about to end.
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

#[tokio::test]
async fn the_stores_disk_may_be_full() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount(64)? else {
        return Ok(());
    };
    let setup = Setup {
        store: Some(disk.path("store")),
        ..Setup::default()
    };
    let chain = Chain::start(setup).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, _) = go_live(&chain, &channel, &Source::default()).await?;
    encoder.sends(2 * FPS).await?;
    disk.fill()?;
    encoder.sends(6 * FPS).await?;
    watch_on(&chain, 0, &channel, 1).await?;
    disk.free()?;
    encoder.sends(2 * FPS).await?;
    disk.fill()?;
    let frames = encoder.stop().await?;
    chain.state(&channel, "finishing").await?;
    disk.free()?;
    chain.state(&channel, "ended").await?;
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    chain.finish().await
}

#[tokio::test]
async fn the_spools_disk_may_be_full_while_the_store_is_away() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount(1)? else {
        return Ok(());
    };
    let setup = Setup {
        environment: vec![("HEADWATER_WORKER_UPLOAD_BYTES_MAX", "65536".into())],
        spool: Some(disk.path("spool")),
        ..Setup::default()
    };
    let chain = Chain::start(setup).await?;
    let channel = chain.channel("source", 60).await?;
    let (mut encoder, _) = go_live(&chain, &channel, &Source::default()).await?;
    // Some of this fits on the disk, the rest does not.
    chain.store.set_line(Line::Cut);
    encoder.sends(15 * FPS).await?;
    chain.store.set_line(Line::Open);
    watch_on(&chain, 0, &channel, 1).await?;
    let frames = encoder.stop().await?;
    chain.state(&channel, "ended").await?;
    assert_whole(&chain, &channel.playback_id, frames, 0).await?;
    assert!(
        chain.workers[0].log().contains("the spool does not take"),
        "the disk was full"
    );
    let left = fs::read_dir(disk.path("spool"))?.count();
    assert_eq!(left, 0, "what is stored is no longer spooled");
    chain.finish().await
}
