//! Broadcasts in which something goes wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use headwater_media::window::key::{Key, SegmentName};
use headwater_media::{MediaTime, TrackId};
use headwater_model::proto::worker::Part;
use headwater_model::proto::worker::live_event::Kind;
use headwater_platform::store::Fault;

use crate::broadcast::Outcome;
use crate::testing::farm::{BROADCAST, Farm, HANG, TENANT, follow, rung, source};
use crate::testing::media::{Make, Source};
use crate::testing::{tool, transcoder};

fn input() -> Source {
    Make {
        gop: 50,
        seconds: 10.0,
        ..Make::default()
    }
    .run()
}

/// A program that counts how often it was started, and then does as `body` says (`$count` is the count).
pub(super) fn script(folder: &tempfile::TempDir, body: &str) -> PathBuf {
    let path = folder.path().join("transcoder");
    let count = folder.path().join("count");
    let (count, real) = (count.display(), transcoder().display().to_string());
    let text = format!("#!/bin/sh\necho x >> {count}\ncount=$(wc -l < {count})\nreal={real}\n{body}\n");
    std::fs::write(&path, text).expect("room for a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
    path
}

/// How often it was started.
pub(super) fn starts(folder: &tempfile::TempDir) -> usize {
    let count = std::fs::read_to_string(folder.path().join("count")).expect("it was started");
    count.lines().count()
}

/// Sends the codec child `signal` in the middle of a broadcast, and looks whether anybody can tell afterwards.
async fn signalled(signal: &str) {
    let input = input();
    let frames = input.of(TrackId::VIDEO).count();
    let ladder = vec![source(), rung("90p", 160, 90)];
    let undisturbed = Farm::new(vec![input.clone()], ladder.clone()).await;
    assert_eq!(undisturbed.run().await, Outcome::Finished);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pid = folder.path().join("pid");
    let program = script(&folder, &format!("echo $$ > {}\nexec $real", pid.display()));
    let mut farm = Farm::new(vec![input], ladder).await.transcoder(program);
    farm.tools.stall = Duration::from_millis(500);
    // The source stops in the middle of the third segment until the child is dead.
    farm.edge.heard.gate.send_replace(400);
    let broadcast = farm.broadcast(1);
    let killer = async {
        let third = |kind: &Option<Kind>| matches!(kind, Some(Kind::Part(p)) if p.rendition == "90p" && p.seq == 2 && p.index == 1);
        follow(&broadcast, |event| third(&event.kind)).await;
        tool(
            "kill",
            &[signal, std::fs::read_to_string(&pid).expect("the child started").trim()],
        );
        farm.edge.heard.gate.send_replace(usize::MAX);
    };
    let run = broadcast.clone().run(farm.tools.clone());
    let (outcome, ()) = tokio::time::timeout(HANG, async { tokio::join!(run, killer) })
        .await
        .expect("it ends");
    assert_eq!(outcome, Outcome::Finished);
    let stored = farm.stored().await;
    for name in ["source", "90p", "audio"] {
        assert_eq!(
            stored.segments(name),
            undisturbed.stored().await.segments(name),
            "{name}"
        );
    }
    let probed = stored.probe(0, "90p").await;
    assert_eq!(probed.frames.len(), frames, "no picture is missing or there twice");
    assert_eq!(stored.window.epochs().len(), 1, "no discontinuity");
    assert_eq!(starts(&folder), 2, "it was replaced");
    assert_eq!(farm.harm(), "");
}

#[tokio::test]
async fn a_child_that_is_killed_is_replaced_and_numbers_go_on() {
    signalled("-KILL").await;
}

#[tokio::test]
async fn a_child_that_is_stopped_is_replaced_and_numbers_go_on() {
    signalled("-STOP").await;
}

#[tokio::test]
async fn a_child_that_gets_little_of_the_machine_is_waited_for() {
    let input = input();
    let frames = input.of(TrackId::VIDEO).count();
    let folder = tempfile::tempdir().expect("a temporary folder");
    // For four stall times it uses a few hundredths of a core and gives nothing out.
    let work =
        "n=0; while [ $n -lt 20 ]; do n=$((n+1)); i=0; while [ $i -lt 4000 ]; do i=$((i+1)); done; sleep 0.1; done";
    let program = script(&folder, &format!("{work}\nexec $real"));
    let mut farm = Farm::new(vec![input], vec![source(), rung("90p", 160, 90)])
        .await
        .transcoder(program);
    farm.tools.stall = Duration::from_millis(500);
    assert_eq!(farm.run().await, Outcome::Finished);
    assert_eq!(starts(&folder), 1, "it was not replaced");
    assert_eq!(farm.stored().await.probe(0, "90p").await.frames.len(), frames);
}

#[tokio::test]
async fn pictures_that_stop_coming_are_not_the_childs_fault() {
    let mut input = input();
    // The encoder shows nothing from the third second to the IDR of the eighth; its sound goes on.
    let away = MediaTime::video(270_000)..MediaTime::video(720_000);
    input
        .units
        .retain(|u| u.track != TrackId::VIDEO || !away.contains(&u.dts));
    let frames = input.of(TrackId::VIDEO).count();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = script(&folder, "exec $real");
    let mut farm = Farm::new(vec![input], vec![source(), rung("90p", 160, 90)])
        .await
        .transcoder(program);
    farm.tools.stall = Duration::from_millis(500);
    // Everything before the pictures come back, then nothing for three stall times.
    farm.edge.heard.gate.send_replace(440);
    let broadcast = farm.broadcast(1);
    let silence = async {
        let encoded = |kind: &Option<Kind>| matches!(kind, Some(Kind::Part(p)) if p.rendition == "90p" && p.seq > 0);
        follow(&broadcast, |event| encoded(&event.kind)).await;
        tokio::time::sleep(farm.tools.stall * 3).await;
        farm.edge.heard.gate.send_replace(usize::MAX);
    };
    let run = broadcast.clone().run(farm.tools.clone());
    let (outcome, ()) = tokio::time::timeout(HANG, async { tokio::join!(run, silence) })
        .await
        .expect("it ends");
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(starts(&folder), 1, "it was not replaced");
    assert_eq!(farm.stored().await.probe(0, "90p").await.frames.len(), frames);
}

#[tokio::test]
async fn a_child_that_hangs_is_replaced() {
    let input = input();
    let frames = input.of(TrackId::VIDEO).count();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = script(
        &folder,
        "if [ $count = 1 ]; then exec cat > /dev/null; else exec $real; fi",
    );
    let mut farm = Farm::new(vec![input], vec![source(), rung("90p", 160, 90)])
        .await
        .transcoder(program);
    farm.tools.stall = Duration::from_millis(500);
    assert_eq!(farm.run().await, Outcome::Finished);
    assert_eq!(farm.stored().await.probe(0, "90p").await.frames.len(), frames);
}

#[tokio::test]
async fn an_input_that_kills_children_is_passed_through_alone() {
    for ladder in [vec![source(), rung("90p", 160, 90)], vec![rung("90p", 160, 90)]] {
        let input = input();
        let (frames, sounds) = (input.of(TrackId::VIDEO).count(), input.sounds());
        let passes = ladder[0].passthrough;
        let farm = Farm::new(vec![input], ladder).await.transcoder("/bin/false");
        assert_eq!(farm.run().await, Outcome::Finished);
        let lacking = if passes { "90p" } else { "the picture" };
        let harm = farm.harm();
        assert!(
            harm.contains("killed codec processes") && harm.contains(lacking),
            "{harm}"
        );
        let stored = farm.stored().await;
        let last = stored.window.epochs().len() - 1;
        let names: Vec<&str> = stored.window.epochs()[last]
            .renditions
            .iter()
            .map(|r| r.name.as_str())
            .collect();
        if passes {
            assert_eq!(names, ["source", "audio"]);
            assert_eq!(stored.probe(last, "source").await.frames.len(), frames);
        } else {
            assert_eq!(names, ["audio"]);
        }
        assert!(stored.probe(last, "audio").await.frames.len() + 50 >= sounds);
    }
}

#[tokio::test]
async fn a_store_that_fails_loses_nothing_and_viewers_go_on() {
    let input = input();
    let frames = input.of(TrackId::VIDEO).count();
    let farm = Farm::new(vec![input], vec![source()]).await;
    farm.edge.heard.gate.send_replace(650);
    let broadcast = farm.broadcast(1);
    let mut opened = broadcast.hub.subscribe().expect("room");
    let faults = async {
        // Live viewing does not wait for the store: all parts come while it is down.
        let mut segments = 0;
        let mut early = false;
        while let Some(Ok(event)) = futures::StreamExt::next(&mut opened).await {
            if !early && matches!(event.kind, Some(Kind::Part(_))) {
                early = true;
                farm.store.set_fault(Fault::Down);
            }
            segments += usize::from(matches!(event.kind, Some(Kind::Segment(ref s)) if s.rendition == "source"));
            if segments == 4 {
                break;
            }
        }
        let before = *farm.edge.heard.acked_90k.borrow();
        assert!(
            before < 4 * 90_000,
            "nothing is acknowledged that is not stored: {before}"
        );
        farm.store.set_fault(Fault::Slow(Duration::from_millis(20)));
        let mut acked = farm.edge.heard.acked_90k.subscribe();
        acked.wait_for(|at| *at > 2 * 90_000).await.expect("the edge lives");
        // What was written although the answer was lost counts once it is found to exist.
        farm.store.set_fault(Fault::AnswerLost);
        farm.edge.heard.gate.send_replace(usize::MAX);
        acked.wait_for(|at| *at > 8 * 90_000).await.expect("the edge lives");
        farm.store.set_fault(Fault::None);
    };
    let run = broadcast.clone().run(farm.tools.clone());
    let (outcome, ()) = tokio::time::timeout(HANG, async { tokio::join!(run, faults) })
        .await
        .expect("it ends");
    assert_eq!(outcome, Outcome::Finished);
    farm.store.set_fault(Fault::None);
    let stored = farm.stored().await;
    stored.assert_unbroken("source");
    stored.assert_unbroken("audio");
    assert_eq!(stored.probe(0, "source").await.frames.len(), frames);
}

/// Runs a broadcast to its end; the outcome, and every part that was told.
async fn run_and_watch(farm: &Farm, generation: u64) -> (Outcome, Vec<Part>) {
    let broadcast = farm.broadcast(generation);
    let mut parts = Vec::new();
    let watch = follow(&broadcast, |event| {
        if let Some(Kind::Part(part)) = &event.kind {
            parts.push(part.clone());
        }
        false
    });
    let run = broadcast.clone().run(farm.tools.clone());
    let both = async { tokio::join!(run, watch) };
    let (outcome, _) = tokio::time::timeout(HANG, both).await.expect("it ends");
    (outcome, parts)
}

/// Where the parts of one rendition lie, from segment `from` on.
fn places(parts: &[Part], rendition: &str, from: u64) -> Vec<(u64, u32, i64, u32)> {
    let of = parts.iter().filter(|p| p.rendition == rendition && p.seq >= from);
    of.map(|p| (p.seq, p.index, p.decode_time, p.duration)).collect()
}

#[tokio::test]
async fn another_worker_goes_on_where_the_store_ends() {
    for ladder in [
        vec![source(), rung("90p", 160, 90)],
        vec![rung("120p", 212, 120), rung("90p", 160, 90)],
    ] {
        let input = input();
        let frames = input.of(TrackId::VIDEO).count();
        let undisturbed = Farm::new(vec![input.clone()], ladder.clone()).await;
        let (outcome, all) = run_and_watch(&undisturbed, 1).await;
        assert_eq!(outcome, Outcome::Finished);
        let farm = Farm::new(vec![input], ladder.clone()).await;
        farm.edge.heard.gate.send_replace(450);
        let first = farm.broadcast(1);
        let stopper = async {
            let mut acked = farm.edge.heard.acked_90k.subscribe();
            acked.wait_for(|at| *at > 3 * 90_000).await.expect("the edge lives");
            first.stop.cancel();
        };
        let run = first.clone().run(farm.tools.clone());
        let (outcome, ()) = tokio::time::timeout(HANG, async { tokio::join!(run, stopper) })
            .await
            .expect("it ends");
        assert_eq!(outcome, Outcome::Replaced);
        let acked = *farm.edge.heard.acked_90k.borrow();
        farm.edge.heard.gate.send_replace(usize::MAX);
        let (outcome, parts) = run_and_watch(&farm, 2).await;
        assert_eq!(outcome, Outcome::Finished);
        // A viewer may cross at every part of the first segment, and at the start of each later one.
        for rung in ladder.iter().filter(|r| !r.passthrough) {
            let of: Vec<&Part> = parts.iter().filter(|p| p.rendition == rung.name).collect();
            let first = of.first().expect("the rung goes on").seq;
            assert!(first > 0 && of.iter().filter(|p| p.seq == first).count() > 4);
            for part in of {
                let wanted = part.seq == first || part.index == 0;
                assert_eq!(part.independent, wanted, "{} {}.{}", rung.name, part.seq, part.index);
            }
            let places_before = places(&all, &rung.name, first);
            assert_eq!(places(&parts, &rung.name, first), places_before, "{}", rung.name);
        }
        let resumed = farm
            .edge
            .heard
            .opened
            .lock()
            .expect("not poisoned")
            .last()
            .cloned()
            .expect("it was opened");
        assert!(
            resumed.resume_90k >= acked && resumed.generation == 2,
            "never before what was acknowledged"
        );
        let stored = farm.stored().await;
        assert_eq!(stored.window.epochs().len(), 1, "the same encoders: no discontinuity");
        for rendition in &stored.window.epochs()[0].renditions {
            let name = &rendition.name;
            assert_eq!(
                stored.segments(name),
                undisturbed.stored().await.segments(name),
                "{name}"
            );
            if rendition.name != "audio" {
                assert_eq!(stored.probe(0, name).await.frames.len(), frames, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn another_worker_has_room_for_more() {
    let (full, half) = (rung("120p", 212, 120), rung("90p", 160, 90));
    for (before, after, gop) in [
        (
            vec![source(), half.clone()],
            vec![source(), full.clone(), half.clone()],
            50,
        ),
        // The boundaries are ours, and none but the first lies at a keyframe of the source.
        (vec![half.clone()], vec![full.clone(), half.clone()], 137),
    ] {
        let input = Make {
            gop,
            seconds: 10.0,
            ..Make::default()
        }
        .run();
        let (frames, sounds) = (input.of(TrackId::VIDEO).count(), input.sounds());
        let mut farm = Farm::new(vec![input], before).await;
        farm.edge.heard.gate.send_replace(450);
        let first = farm.broadcast(1);
        let stopper = async {
            let mut acked = farm.edge.heard.acked_90k.subscribe();
            acked.wait_for(|at| *at > 3 * 90_000).await.expect("the edge lives");
            first.stop.cancel();
        };
        let run = first.clone().run(farm.tools.clone());
        let (outcome, ()) = tokio::time::timeout(HANG, async { tokio::join!(run, stopper) })
            .await
            .expect("it ends");
        assert_eq!(outcome, Outcome::Replaced);
        farm.edge.heard.gate.send_replace(usize::MAX);
        farm.ladder = after;
        let (outcome, _) = run_and_watch(&farm, 2).await;
        assert_eq!(outcome, Outcome::Finished);
        let stored = farm.stored().await;
        assert_eq!(stored.window.epochs().len(), 2);
        let mut counts = Vec::new();
        for name in [farm.ladder[0].name.as_str(), "90p", "audio"] {
            stored.assert_unbroken(name);
            let mut count = 0;
            for epoch in 0..2 {
                if stored.window.epochs()[epoch].rendition(name).is_some() {
                    count += stored.probe(epoch, name).await.frames.len();
                }
            }
            counts.push(count);
        }
        assert_eq!(
            counts[1..],
            [frames, sounds],
            "once, with a keyframe every {gop} pictures"
        );
        assert!(farm.ladder.len() == 2 || counts[0] == frames, "{counts:?}");
    }
}

#[tokio::test]
async fn a_broken_link_is_dialled_again_and_nothing_is_doubled() {
    let input = input();
    let (frames, sounds) = (input.of(TrackId::VIDEO).count(), input.sounds());
    let farm = Farm::new(vec![input], vec![source(), rung("90p", 160, 90)]).await;
    farm.edge.heard.cut_after.send_replace(Some(333));
    assert_eq!(farm.run().await, Outcome::Finished);
    assert!(farm.edge.heard.opened.lock().expect("not poisoned").len() >= 2);
    let stored = farm.stored().await;
    assert_eq!(stored.window.epochs().len(), 1);
    for (name, count) in [("source", frames), ("90p", frames), ("audio", sounds)] {
        stored.assert_unbroken(name);
        assert_eq!(stored.probe(0, name).await.frames.len(), count, "{name}");
    }
}

#[tokio::test]
async fn segments_lie_under_the_tenant_with_their_generation() {
    let farm = Farm::new(
        vec![
            Make {
                seconds: 3.0,
                ..Make::default()
            }
            .run(),
        ],
        vec![source()],
    )
    .await;
    assert_eq!(farm.run().await, Outcome::Finished);
    let prefix = format!("{TENANT}/{BROADCAST}/");
    for key in farm.store.keys() {
        let relative = key
            .strip_prefix(&prefix)
            .unwrap_or_else(|| panic!("{key} lies outside the broadcast"));
        if let Key::Segment { name, .. } = Key::parse(relative) {
            let SegmentName {
                generation, duration, ..
            } = name;
            assert!(generation == 1 && duration > 0, "{key}");
        }
    }
}
