//! Broadcasts whose codec child gets too little of the machine, or nothing for a while.

use std::time::Duration;

use headwater_media::TrackId;
use headwater_model::proto::worker::Rung;
use headwater_model::proto::worker::live_event::Kind;

use super::faults::{script, starts};
use crate::broadcast::Outcome;
use crate::testing::farm::{Farm, HANG, Seen, follow, rung, source};
use crate::testing::media::Make;
use crate::testing::tool;

/// Ten segments of two seconds.
const SEGMENTS: u64 = 10;

/// What became of a broadcast.
struct Ran {
    farm: Farm,
    seen: Seen,
    /// Pictures and sounds that were accepted.
    accepted: (usize, usize),
    children: usize,
    /// Pixels per second that it last encoded.
    encode_px_per_s: u64,
}

/// Pushes twenty seconds. The child stands still after three of them; `trouble` is told next, what is left is pushed at once,
/// and when `relief` was told the child gets `signal`.
async fn stand_still(
    ladder: Vec<Rung>,
    trouble: impl Fn(&Kind) -> bool,
    relief: impl Fn(&Kind) -> bool,
    signal: &str,
) -> Ran {
    let input = Make {
        gop: 50,
        seconds: 2.0 * SEGMENTS as f64,
        ..Make::default()
    }
    .run();
    let accepted = (input.of(TrackId::VIDEO).count(), input.sounds());
    let pace = Duration::from_secs(2 * SEGMENTS) / input.units.len() as u32;
    let encoded = ladder.iter().find(|r| !r.passthrough).map(|r| r.name.clone());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pid = folder.path().join("pid");
    let program = script(&folder, &format!("echo $$ > {}\nexec $real", pid.display()));
    let mut farm = Farm::new(vec![input], ladder).await.transcoder(program);
    farm.tools.stall = HANG;
    farm.edge.heard.gate.send_replace(0);
    let broadcast = farm.broadcast(1);
    let kill = |signal: &str| {
        let pid = std::fs::read_to_string(&pid).expect("the child started");
        tool("kill", &[signal, pid.trim()]);
    };
    let pushing = async {
        let mut ticks = tokio::time::interval(pace);
        loop {
            ticks.tick().await;
            farm.edge.heard.gate.send_modify(|open| *open = open.saturating_add(1));
        }
    };
    let trouble = async {
        let made = |kind: &Kind| matches!(kind, Kind::Part(p) if Some(&p.rendition) == encoded.as_ref() && p.seq == 1);
        follow(&broadcast, |event| event.kind.as_ref().is_some_and(made)).await;
        kill("-STOP");
        follow(&broadcast, |event| event.kind.as_ref().is_some_and(&trouble)).await;
        farm.edge.heard.gate.send_replace(usize::MAX);
        follow(&broadcast, |event| event.kind.as_ref().is_some_and(&relief)).await;
        kill(signal);
        std::future::pending::<()>().await;
    };
    let run = async { tokio::join!(follow(&broadcast, |_| false), broadcast.clone().run(farm.tools.clone())) };
    let (seen, outcome) = tokio::select! {
        ran = tokio::time::timeout(HANG, run) => ran.expect("it ends"),
        () = pushing => unreachable!("it has no end"),
        () = trouble => unreachable!("it has no end"),
    };
    assert_eq!(outcome, Outcome::Finished);
    assert!(seen.ended && !seen.lagged);
    for (name, parts) in &seen.parts {
        assert!(
            parts.windows(2).all(|w| w[0] < w[1]),
            "{name} is told in order: {parts:?}"
        );
    }
    Ran {
        encode_px_per_s: broadcast.encode_px_per_s(),
        children: starts(&folder),
        farm,
        seen,
        accepted,
    }
}

impl Ran {
    /// Everything that was accepted is there, once, in every rendition that an epoch lists: `epochs` says which.
    async fn assert_whole(&self, epochs: &[&[&str]]) {
        let stored = self.farm.stored().await;
        let listed: Vec<Vec<&str>> = stored
            .window
            .epochs()
            .iter()
            .map(|epoch| epoch.renditions.iter().map(|r| r.name.as_str()).collect())
            .collect();
        assert_eq!(listed, epochs);
        let (mut pictures, mut sounds) = (0, 0);
        for (epoch, names) in epochs.iter().enumerate() {
            let mut counts = Vec::new();
            for name in *names {
                let count = stored.probe(epoch, name).await.frames.len();
                match *name {
                    "audio" => sounds += count,
                    _ => counts.push(count),
                }
            }
            pictures += counts[0];
            assert!(
                counts.iter().all(|count| *count == counts[0]),
                "epoch {epoch}: {counts:?}"
            );
        }
        assert_eq!((pictures, sounds), self.accepted);
        let cuts = stored.segments(epochs[epochs.len() - 1][0]);
        for name in epochs.iter().flat_map(|names| names.iter()) {
            stored.assert_unbroken(name);
            if *name != "audio" {
                let segments = stored.segments(name);
                assert_eq!(segments, cuts[..segments.len()], "{name}");
            }
        }
        assert_eq!(self.farm.harm(), "");
    }
}

/// Segment `seq` of `rendition` is being made.
fn at(rendition: &'static str, seq: u64) -> impl Fn(&Kind) -> bool {
    move |kind| matches!(kind, Kind::Part(p) if p.rendition == rendition && p.seq == seq)
}

/// An epoch with fewer renditions has begun.
fn fewer(kind: &Kind) -> bool {
    matches!(kind, Kind::Presentation(p) if p.epochs.len() == 2)
}

#[tokio::test]
async fn the_costliest_rung_goes_and_the_source_does_not_wait() {
    let ladder = vec![source(), rung("120p", 212, 120), rung("90p", 160, 90)];
    // The source comes to its end while the child still stands.
    let (patient, killed) = tokio::join!(
        stand_still(ladder.clone(), fewer, at("source", SEGMENTS - 1), "-CONT"),
        stand_still(ladder, fewer, at("source", SEGMENTS - 1), "-KILL")
    );
    for (ran, children) in [(patient, 1), (killed, 2)] {
        ran.assert_whole(&[&["source", "120p", "90p", "audio"], &["source", "90p", "audio"]])
            .await;
        assert_eq!(ran.children, children);
        assert_eq!(ran.encode_px_per_s, 160 * 90 * 25, "the scheduler is told of less");
        let (shed, kept) = (&ran.seen.parts["120p"], &ran.seen.parts["90p"]);
        assert!(shed.len() < kept.len() && kept.starts_with(shed));
    }
}

#[tokio::test]
async fn the_last_rung_goes_only_where_the_source_is_there() {
    let small = rung("90p", 160, 90);
    let (passed, two, one) = tokio::join!(
        stand_still(
            vec![source(), small.clone()],
            fewer,
            at("source", SEGMENTS - 1),
            "-CONT"
        ),
        stand_still(vec![rung("120p", 212, 120), small.clone()], fewer, fewer, "-CONT"),
        stand_still(vec![small], at("audio", 7), at("audio", SEGMENTS - 1), "-CONT")
    );
    passed
        .assert_whole(&[&["source", "90p", "audio"], &["source", "audio"]])
        .await;
    two.assert_whole(&[&["120p", "90p", "audio"], &["90p", "audio"]]).await;
    one.assert_whole(&[&["90p", "audio"]]).await;
    assert_eq!((passed.encode_px_per_s, two.encode_px_per_s), (0, 160 * 90 * 25));
    assert_eq!([passed.children, two.children, one.children], [1; 3]);
}
