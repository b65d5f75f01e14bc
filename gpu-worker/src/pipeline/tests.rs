//! The pipeline on real sources, and with a backend that fails.

use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::codec::h264;
use headwater_media::segmenter::Grid;
use headwater_media::{CodecConfig, MediaTime, TrackId};

use super::*;
use crate::codec::ffmpeg::Ffmpeg;
use crate::codec::probe::{Faults, Probe};
use crate::testing::media::{Make, Source, probe};

/// Everything that a pipeline gave out.
#[derive(Default)]
struct Made {
    video: Vec<Vec<Unit>>,
    audio: Vec<Unit>,
    corrupt: usize,
    failed: Vec<String>,
    records: Records,
}

fn grid(target: i64) -> Option<Grid> {
    Some(Grid::new(MediaTime::ZERO, MediaTime::ZERO, target, target * 2))
}

fn rung(width: u32, height: u32, bitrate_bps: u32) -> Rung {
    Rung {
        width,
        height,
        bitrate_bps,
        fps_max_milli: 0,
    }
}

fn plan(source: &Source, fps: u32, rungs: Vec<Rung>) -> Plan {
    let track = |id| source.epoch.tracks.iter().find(move |t| t.id == id);
    let video = track(TrackId::VIDEO).expect("a source has video");
    Plan {
        video: Some(VideoPlan {
            avcc: video.config.record().clone(),
            source: (0, 0, fps * 1_000),
            rungs,
            delay: Delay::Low,
            preset: "ultrafast".into(),
            grid: grid(180_000),
            from: 0,
            keys_at: Vec::new(),
            part_target_ms: 0,
            colour: Colour {
                primaries: 1,
                transfer: 1,
                matrix: 1,
                full_range: false,
            },
        }),
        audio: track(TrackId::AUDIO).map(|t| AudioPlan {
            config: t.config.record().clone(),
            timescale: t.timescale.get(),
            bitrate_bps: 96_000,
        }),
    }
}

fn run(backend: Arc<dyn Backend>, plan: &Plan, source: &Source) -> Made {
    let rungs = plan.video.as_ref().map_or(0, |v| v.rungs.len());
    let made = Arc::new(Mutex::new(Made {
        video: vec![Vec::new(); rungs],
        ..Made::default()
    }));
    let sink: Sink = {
        let made = made.clone();
        Arc::new(move |output| {
            let mut made = made.lock().expect("no test thread panics while it holds this");
            match output {
                Output::Video { rung, unit } => made.video[rung].push(unit),
                Output::Audio { unit } => made.audio.push(unit),
                Output::Corrupt(_) => made.corrupt += 1,
                Output::Failed(error) => made.failed.push(error.to_string()),
            }
        })
    };
    let pipeline = Pipeline::start(backend, plan, &sink).expect("every codec opens");
    let records = pipeline.records().clone();
    for unit in &source.units {
        let (dts, pts) = (unit.dts.ticks, unit.pts.ticks);
        let own = Unit {
            dts,
            pts,
            duration: unit.duration,
            key: unit.key,
            data: unit.data.clone(),
        };
        // A pipeline that has given up says so in its outputs.
        let _ = if unit.track == TrackId::VIDEO {
            pipeline.video(own, false)
        } else {
            pipeline.audio(own)
        };
    }
    pipeline.finish(None);
    drop(sink);
    let Ok(made) = Arc::try_unwrap(made) else {
        panic!("every thread has ended")
    };
    Made {
        records,
        ..made.into_inner().expect("no thread panicked")
    }
}

/// An Annex B file of a rung, for ffprobe.
fn annexb(record: &Bytes, units: &[Unit]) -> Vec<u8> {
    let config = h264::Config::parse(record.clone()).expect("our own record");
    let mut out = BytesMut::new();
    let mut nal = |nal: &[u8]| {
        out.put_u32(1);
        out.put_slice(nal);
    };
    config.sps_nals().iter().chain(config.pps_nals()).for_each(|n| nal(n));
    for unit in units {
        for range in h264::nal::by_length(&unit.data, 4) {
            nal(&unit.data[range.expect("whole NAL units")]);
        }
    }
    out.to_vec()
}

fn keys(units: &[Unit]) -> Vec<i64> {
    units.iter().filter(|u| u.key).map(|u| u.pts).collect()
}

#[test]
fn every_rung_has_its_idrs_at_the_same_times_and_every_frame() {
    let source = Make {
        seconds: 5.0,
        gop: 70,
        ..Make::default()
    }
    .run();
    let rungs = vec![rung(320, 180, 300_000), rung(160, 90, 100_000), rung(240, 136, 200_000)];
    for delay in [Delay::Low, Delay::Standard] {
        let mut plan = plan(&source, 25, rungs.clone());
        plan.video.as_mut().expect("has video").delay = delay;
        let made = run(Arc::new(Ffmpeg::new(1)), &plan, &source);
        assert_eq!((made.corrupt, made.failed.len()), (0, 0));
        for (i, units) in made.video.iter().enumerate() {
            assert_eq!(units.len(), 125, "{delay:?} rung {i}");
            assert_eq!(keys(units), [7_200, 180_000, 360_000], "{delay:?} rung {i}");
            let lead = if delay == Delay::Standard { 7_200 } else { 0 };
            assert!(
                units
                    .iter()
                    .all(|u| u.dts <= u.pts && (!u.key || u.pts - u.dts == lead))
            );
            assert!(units.windows(2).all(|w| w[0].dts + 3_600 == w[1].dts));
            assert!(units.iter().all(|u| u.duration.is_none_or(|d| d == 3_600)));
            let mut shown: Vec<i64> = units.iter().map(|u| u.pts).collect();
            shown.sort_unstable();
            assert_eq!(shown, (0..125).map(|n| 7_200 + n * 3_600).collect::<Vec<_>>());
            assert_eq!(
                delay == Delay::Standard,
                units.windows(2).any(|w| w[1].pts < w[0].pts),
                "B pictures in standard alone"
            );
            let probed = probe(&annexb(&made.records.video[i], units), "h264");
            let size = (probed.stream["width"].as_str(), probed.stream["height"].as_str());
            assert_eq!(size, [("320", "180"), ("160", "90"), ("240", "136")][i]);
            assert_eq!(probed.frames.len(), 125);
            assert_eq!(probed.frames.iter().filter(|f| f.1 == 'I').count(), 3, "no scene cuts");
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let source = Make {
        seconds: 3.0,
        ..Make::default()
    }
    .run();
    let plan = plan(&source, 25, vec![rung(320, 180, 300_000), rung(160, 90, 100_000)]);
    let [a, b] = [(); 2].map(|()| run(Arc::new(Ffmpeg::new(1)), &plan, &source));
    assert_eq!(a.video, b.video);
    assert_eq!(a.audio, b.audio);
    assert_eq!(a.records, b.records);
}

#[test]
fn sound_keeps_its_time_whatever_it_was() {
    for audio in [
        &["-ar", "48000"][..],
        &["-ar", "44100"],
        &["-ar", "24000", "-ac", "1"],
        &["-ar", "32000", "-ac", "6"],
    ] {
        let source = Make {
            seconds: 3.0,
            audio: Some(audio),
            ..Make::default()
        }
        .run();
        let made = run(
            Arc::new(Ffmpeg::new(1)),
            &plan(&source, 25, vec![rung(160, 90, 100_000)]),
            &source,
        );
        assert_eq!(made.failed, Vec::<String>::new());
        assert_eq!(
            made.records.audio.as_deref(),
            Some(&[0x11, 0x90][..]),
            "AAC-LC, 48 kHz, stereo"
        );
        assert!(made.audio.windows(2).all(|w| w[0].pts + 1_024 == w[1].pts), "{audio:?}");
        assert_eq!(made.audio[0].pts, 0, "{audio:?}: the priming frame is left out");
        let last = source.of(TrackId::AUDIO).last().expect("has sound");
        let end = (last.pts.ticks + 1_024) * 48_000 / i64::from(last.pts.scale.get());
        let ours = made.audio.last().expect("has sound").pts + 1_024;
        assert!((ours - end).abs() <= 2_048, "{audio:?}: {ours} against {end}");
    }
}

#[test]
fn shapes_and_rates_of_all_sorts() {
    for (make, rungs, sizes) in [
        (
            Make {
                size: "180x320",
                ..Make::default()
            },
            vec![rung(90, 160, 80_000)],
            vec![("90", "160")],
        ),
        // Odd sizes are cropped by the encoder's own parameter sets; ours are even.
        (
            Make {
                size: "322x182",
                ..Make::default()
            },
            vec![rung(322, 182, 200_000), rung(160, 90, 80_000)],
            vec![("322", "182"), ("160", "90")],
        ),
        (
            Make {
                size: "240x180",
                video: &["-vf", "setsar=4/3"],
                ..Make::default()
            },
            vec![rung(320, 180, 200_000)],
            vec![("320", "180")],
        ),
        (
            Make {
                size: "64x36",
                ..Make::default()
            },
            vec![rung(64, 36, 50_000)],
            vec![("64", "36")],
        ),
        (
            Make {
                size: "320x180",
                video: &["-pix_fmt", "yuv444p"],
                ..Make::default()
            },
            vec![rung(320, 180, 200_000)],
            vec![("320", "180")],
        ),
        (
            Make {
                size: "320x180",
                video: &["-pix_fmt", "yuv420p10le"],
                ..Make::default()
            },
            vec![rung(160, 90, 200_000)],
            vec![("160", "90")],
        ),
    ] {
        let source = Make {
            seconds: 1.0,
            audio: None,
            ..make
        }
        .run();
        let made = run(Arc::new(Ffmpeg::new(1)), &plan(&source, 25, rungs), &source);
        assert_eq!(made.failed, Vec::<String>::new(), "{}", make.size);
        for (i, size) in sizes.iter().enumerate() {
            let probed = probe(&annexb(&made.records.video[i], &made.video[i]), "h264");
            assert_eq!(
                (probed.stream["width"].as_str(), probed.stream["height"].as_str()),
                *size
            );
            assert_eq!(
                (probed.frames.len(), probed.stream["pix_fmt"].as_str()),
                (25, "yuv420p"),
                "{}",
                make.size
            );
        }
    }
}

#[test]
fn half_rate_rungs_keep_the_idr_frames() {
    let source = Make {
        fps: 50,
        gop: 50,
        seconds: 5.0,
        audio: None,
        ..Make::default()
    }
    .run();
    let half = Rung {
        fps_max_milli: 30_000,
        ..rung(160, 90, 100_000)
    };
    let made = run(
        Arc::new(Ffmpeg::new(1)),
        &plan(&source, 50, vec![rung(320, 180, 300_000), half]),
        &source,
    );
    assert_eq!((made.video[0].len(), made.video[1].len()), (250, 125));
    assert_eq!(keys(&made.video[0]), keys(&made.video[1]));
    assert!(made.video[1].windows(2).all(|w| w[0].dts + 3_600 == w[1].dts));
}

#[test]
fn a_source_that_changes_size_leaves_the_rungs_as_they_are() {
    let mut source = Make {
        seconds: 2.0,
        audio: None,
        video: &["-bf", "0"],
        ..Make::default()
    }
    .run();
    let other = Make {
        size: "180x320",
        seconds: 2.0,
        audio: None,
        video: &["-bf", "0"],
        ..Make::default()
    }
    .run();
    let CodecConfig::H264(config) = &other.epoch.tracks[0].config else {
        panic!("video is H.264")
    };
    // Parameter sets in the stream, as a publisher without manners sends them.
    let mut sets = BytesMut::new();
    for nal in config.sps_nals().iter().chain(config.pps_nals()) {
        sets.put_u32(nal.len() as u32);
        sets.put_slice(nal);
    }
    for mut unit in other.units {
        if unit.key {
            unit.data = [&sets[..], &unit.data[..]].concat().into();
        }
        (unit.dts, unit.pts) = (unit.dts.plus(180_000), unit.pts.plus(180_000));
        source.units.push(unit);
    }
    let made = run(
        Arc::new(Ffmpeg::new(1)),
        &plan(&source, 25, vec![rung(320, 180, 300_000)]),
        &source,
    );
    assert_eq!((made.corrupt, made.video[0].len()), (0, 100));
    let probed = probe(&annexb(&made.records.video[0], &made.video[0]), "h264");
    assert_eq!((probed.stream["width"].as_str(), probed.frames.len()), ("320", 100));
}

#[test]
fn damaged_units_are_passed_over() {
    let mut source = Make {
        seconds: 3.0,
        audio: None,
        video: &["-bf", "0"],
        ..Make::default()
    }
    .run();
    for (i, unit) in source.units.iter_mut().enumerate() {
        if i % 10 == 5 {
            unit.data = Bytes::from_static(&[0, 0, 0, 9, 0x41, 1, 2]);
        }
    }
    let made = run(
        Arc::new(Ffmpeg::new(1)),
        &plan(&source, 25, vec![rung(160, 90, 100_000)]),
        &source,
    );
    assert_eq!(made.failed, Vec::<String>::new());
    assert!(made.video[0].len() >= 60, "{} of 75 frames", made.video[0].len());
    assert_eq!(keys(&made.video[0]), [0, 180_000]);
}

#[test]
fn a_backend_that_fails_is_heard_and_never_hangs() {
    let source = Make {
        seconds: 4.0,
        audio: None,
        ..Make::default()
    }
    .run();
    let plan = plan(&source, 25, vec![rung(160, 90, 100_000), rung(80, 46, 50_000)]);
    let with = |faults| run(Arc::new(Probe::new(faults)), &plan, &source);
    let good = with(Faults {
        hold: 3,
        ..Faults::default()
    });
    assert_eq!(
        (good.video[0].len(), good.video[1].len(), good.failed.len()),
        (100, 100, 0),
        "the tail is drained"
    );
    let corrupt = with(Faults {
        corrupt_at: Some(50),
        ..Faults::default()
    });
    assert_eq!((corrupt.corrupt, corrupt.video[0].len()), (1, 99));
    assert_eq!(keys(&corrupt.video[0]), keys(&corrupt.video[1]));
    let broken = with(Faults {
        corrupt_from: Some(10),
        ..Faults::default()
    });
    assert_eq!(
        (broken.corrupt as u32, broken.failed.len()),
        (CORRUPT_UNITS_MAX - 1, 1),
        "a breaker, not a flood"
    );
    let failed = with(Faults {
        encode_fails_at: Some(20),
        ..Faults::default()
    });
    assert!(!failed.failed.is_empty() && failed.failed.len() <= 2);
    let sink: Sink = Arc::new(|_| ());
    let closed = Pipeline::start(
        Arc::new(Probe::new(Faults {
            open_fails: true,
            ..Faults::default()
        })),
        &plan,
        &sink,
    );
    assert!(closed.is_err());
}
