//! Broadcasts in which nothing goes wrong.

use headwater_media::{AccessUnit, MediaTime, TrackId};
use headwater_platform::store::ObjectStore as _;

use crate::broadcast::Outcome;
use crate::testing::farm::{BROADCAST, Farm, TENANT, follow, rung, source};
use crate::testing::media::Make;

#[tokio::test]
async fn a_source_passed_through_is_stored_whole_and_acknowledged() {
    let input = Make::default().run();
    let (video, audio) = (input.of(TrackId::VIDEO).count(), input.sounds());
    // Nothing is encoded, so nothing may ask for a child.
    let farm = Farm::new(vec![input], vec![source()]).await.transcoder("/nonexistent");
    let broadcast = farm.broadcast(1);
    let (seen, outcome) = tokio::join!(follow(&broadcast, |_| false), broadcast.clone().run(farm.tools.clone()));
    assert_eq!(outcome, Outcome::Finished);
    assert!(seen.ended && !seen.lagged && seen.presentations >= 2);
    let stored = farm.stored().await;
    stored.assert_unbroken("source");
    stored.assert_unbroken("audio");
    let probed = stored.probe(0, "source").await;
    assert_eq!(probed.frames.len(), video);
    assert!(probed.frames.windows(2).all(|w| (w[1].0 - w[0].0 - 0.04).abs() < 1e-6));
    assert_eq!(stored.probe(0, "audio").await.frames.len(), audio);
    let first = stored.segments("source")[0];
    assert!(
        first.2 <= 2 * 90_000,
        "the first segment is short, so that viewers see a picture soon"
    );
    // Every part that was stored was also told, in order.
    let parts = &seen.parts["source"];
    assert!(
        parts
            .windows(2)
            .all(|w| w[1] == (w[0].0, w[0].1 + 1) || w[1] == (w[0].0 + 1, 0))
    );
    let finished = farm.edge.heard.finished.lock().expect("not poisoned").clone();
    assert_eq!((finished.len(), finished[0].generation), (1, 1));
    assert!(
        (7_900..=8_100).contains(&finished[0].duration_ms),
        "{} ms",
        finished[0].duration_ms
    );
    let acked = *farm.edge.heard.acked_90k.borrow();
    assert!(acked >= 8 * 90_000 - 4_000, "acknowledged to {acked}");
    for name in [
        "main.m3u8",
        "source/index.m3u8",
        "audio/index.m3u8",
        "manifest.mpd",
        "index.json",
    ] {
        farm.store
            .get(&format!("{TENANT}/{BROADCAST}/{name}"), None)
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[tokio::test]
async fn every_rung_is_cut_where_the_source_is() {
    let input = Make {
        gop: 50,
        ..Make::default()
    }
    .run();
    let frames = input.of(TrackId::VIDEO).count();
    let ladder = vec![source(), rung("120p", 212, 120), rung("90p", 160, 90)];
    let farm = Farm::new(vec![input.clone()], ladder.clone()).await;
    assert_eq!(farm.run().await, Outcome::Finished);
    let stored = farm.stored().await;
    let cuts = stored.segments("source");
    assert!(cuts.len() >= 4);
    for name in ["source", "120p", "90p"] {
        assert_eq!(stored.segments(name), cuts, "{name}");
        let probed = stored.probe(0, name).await;
        assert_eq!(probed.frames.len(), frames, "{name}");
        // FFmpeg moves a track with negative composition offsets by the largest of them, all frames alike.
        let moved = probed.frames[0].0 - cuts[0].1 as f64 / 90_000.0;
        for (_, at, _) in &cuts {
            let at = *at as f64 / 90_000.0 + moved;
            let first = probed
                .frames
                .iter()
                .find(|f| (f.0 - at).abs() < 1e-6)
                .unwrap_or_else(|| panic!("{name} has no frame at {at}: {cuts:?} {:?}", probed.frames));
            assert_eq!(first.1, 'I', "{name} at {at}");
        }
    }
    let again = Farm::new(vec![input], ladder).await;
    assert_eq!(again.run().await, Outcome::Finished);
    let mut keys = [farm.store.keys(), again.store.keys()];
    keys.iter_mut().for_each(|k| k.retain(|k| k.ends_with(".m4s")));
    assert_eq!(
        keys[0], keys[1],
        "the same input gives the same numbers, times and durations"
    );
}

#[tokio::test]
async fn a_source_without_keyframes_is_encoded_from_the_longest_segment_on() {
    let input = Make {
        gop: 1_000,
        seconds: 12.0,
        ..Make::default()
    }
    .run();
    let (frames, sounds) = (input.of(TrackId::VIDEO).count(), input.sounds());
    let farm = Farm::new(vec![input], vec![source(), rung("90p", 160, 90)]).await;
    let broadcast = farm.broadcast(1);
    let mut costs = Vec::new();
    let watch = follow(&broadcast, |_| {
        costs.push(broadcast.encode_px_per_s());
        false
    });
    let (_, outcome) = tokio::join!(watch, broadcast.clone().run(farm.tools.clone()));
    assert_eq!(outcome, Outcome::Finished);
    // The scheduler hears of the encoding that it did not reserve.
    costs.retain(|px| *px > 0);
    assert_eq!(costs.first(), Some(&(160 * 90 * 25)));
    assert_eq!(costs.last(), Some(&(160 * 90 * 25 + 320 * 180 * 25)));
    let stored = farm.stored().await;
    assert_eq!(stored.window.epochs().len(), 2);
    let mut total = BTreeFrames::default();
    for epoch in 0..2 {
        for name in ["source", "90p", "audio"] {
            total.add(name, stored.probe(epoch, name).await.frames.len());
        }
    }
    assert_eq!((total.of("90p"), total.of("audio")), (frames, sounds));
    // The source's own units around the change are there as they were: a picture or two that others refer to may be
    // shown again by the next epoch.
    assert!(
        (frames..=frames + 2).contains(&total.of("source")),
        "{} of {frames}",
        total.of("source")
    );
    let longest = stored.segments("source").iter().map(|s| s.2).max().unwrap_or(0);
    assert!(
        longest <= 90_000 * 44 / 10 + 7_200,
        "no segment above the target duration: {longest}"
    );
}

#[tokio::test]
async fn an_encoder_that_drops_pictures_for_seconds_stays_passed_through() {
    let mut input = Make {
        gop: 50,
        seconds: 14.0,
        video: &["-bf", "0"],
        ..Make::default()
    }
    .run();
    // Nothing from 4.4 s to the IDR at 10 s.
    let idr = |u: &&AccessUnit| u.key && u.dts >= MediaTime::video(9 * 90_000);
    let back = input.of(TrackId::VIDEO).find(idr).cloned().expect("an IDR");
    let lost = MediaTime::video(396_000)..back.dts;
    input
        .units
        .retain(|u| u.track != TrackId::VIDEO || !lost.contains(&u.dts));
    let (frames, sounds) = (input.of(TrackId::VIDEO).count(), input.sounds());
    assert!((200..=220).contains(&frames), "{frames}");
    let farm = Farm::new(vec![input], vec![source(), rung("90p", 160, 90)]).await;
    assert_eq!(farm.run().await, Outcome::Finished);
    let stored = farm.stored().await;
    assert_eq!(stored.window.epochs().len(), 1, "no discontinuity");
    stored.assert_unbroken("audio");
    assert_eq!(stored.probe(0, "audio").await.frames.len(), sounds);
    for name in ["source", "90p"] {
        assert_eq!(stored.probe(0, name).await.frames.len(), frames, "{name}");
        assert_eq!(stored.segments(name), stored.segments("source"));
    }
    assert!(
        stored.segments("source").iter().any(|s| s.1 == back.pts.ticks),
        "a segment starts where the pictures come back"
    );
    let longest = stored.segments("audio").iter().map(|s| s.2).max().unwrap_or(0);
    assert!(
        longest <= 48_000 * 44 / 10,
        "no segment above the target duration: {longest}"
    );
}

#[tokio::test]
async fn a_later_epoch_is_a_new_presentation_on_the_same_numbers() {
    let first = Make {
        seconds: 3.0,
        ..Make::default()
    }
    .run();
    let mut second = Make {
        size: "180x320",
        seconds: 3.0,
        ..Make::default()
    }
    .run();
    second.epoch.index = 1;
    second.epoch.start_90k = 10 * 90_000;
    for unit in &mut second.units {
        let shift = 10 * i64::from(unit.dts.scale.get());
        (unit.dts, unit.pts) = (unit.dts.plus(shift), unit.pts.plus(shift));
    }
    let farm = Farm::new(vec![first, second], vec![source(), rung("90p", 160, 90)]).await;
    assert_eq!(farm.run().await, Outcome::Finished);
    let stored = farm.stored().await;
    let epochs = stored.window.epochs();
    assert_eq!(epochs.len(), 2);
    assert_eq!((epochs[0].start_90k, epochs[1].start_90k), (7_200, 10 * 90_000 + 7_200));
    for name in ["source", "90p"] {
        let numbers: Vec<u64> = stored.segments(name).iter().map(|s| s.0).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "{name}");
        for epoch in 0..2 {
            assert_eq!(
                stored.probe(epoch, name).await.frames.len(),
                75,
                "{name} in epoch {epoch}"
            );
        }
    }
    let size = &stored.probe(1, "90p").await.stream;
    assert_eq!(
        (size["width"].as_str(), size["height"].as_str()),
        ("160", "90"),
        "outputs keep their size"
    );
}

#[tokio::test]
async fn sound_alone_and_sound_that_players_do_not_know() {
    let sound_alone = {
        let mut input = Make {
            seconds: 6.0,
            ..Make::default()
        }
        .run();
        input.epoch.tracks.retain(|t| t.id == TrackId::AUDIO);
        input.units.retain(|u| u.track == TrackId::AUDIO);
        input
    };
    let farm = Farm::new(vec![sound_alone.clone()], Vec::new())
        .await
        .transcoder("/nonexistent");
    assert_eq!(farm.run().await, Outcome::Finished);
    let stored = farm.stored().await;
    stored.assert_unbroken("audio");
    assert_eq!(stored.probe(0, "audio").await.frames.len(), sound_alone.units.len());

    let surround = Make {
        seconds: 4.0,
        audio: Some(&["-ar", "32000", "-ac", "6"]),
        ..Make::default()
    }
    .run();
    let farm = Farm::new(vec![surround], vec![source()]).await;
    assert_eq!(farm.run().await, Outcome::Finished);
    let stored = farm.stored().await;
    stored.assert_unbroken("audio");
    let probed = stored.probe(0, "audio").await;
    assert_eq!(
        (
            probed.stream["sample_rate"].as_str(),
            probed.stream["channels"].as_str()
        ),
        ("48000", "2")
    );
    assert!(
        (185..=190).contains(&probed.frames.len()),
        "{} frames of 4 s",
        probed.frames.len()
    );
    assert_eq!(stored.probe(0, "source").await.frames.len(), 100);
}

/// Frames counted by rendition.
#[derive(Default)]
struct BTreeFrames(std::collections::BTreeMap<String, usize>);

impl BTreeFrames {
    fn add(&mut self, name: &str, frames: usize) {
        *self.0.entry(name.to_owned()).or_default() += frames;
    }
    fn of(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }
}
