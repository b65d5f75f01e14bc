//! What holds for any source: the same cuts every time, sound segments, and runs that go on where another stopped.

use proptest::prelude::*;

use super::*;

/// A source to make units of.
#[derive(Clone, Debug)]
struct Source {
    mode: Mode,
    frame: i64,
    gop: i64,
    b: i64,
    hint: bool,
    audio_offset: i64,
    seed: u64,
}

fn sources() -> impl Strategy<Value = Source> {
    let frame = prop_oneof![
        Just(1_500i64),
        Just(3_000),
        Just(3_003),
        Just(3_600),
        Just(3_750),
        Just(7_200)
    ];
    (
        any::<bool>(),
        frame,
        1i64..70,
        0i64..3,
        any::<bool>(),
        -20i64..20,
        any::<u64>(),
    )
        .prop_map(|(grid, frame, gop, b, hint, offset, seed)| Source {
            mode: if grid { Mode::Grid } else { Mode::Source },
            frame,
            gop,
            b,
            hint,
            audio_offset: 480 + offset * 24,
            seed,
        })
}

impl Source {
    fn units(&self) -> Vec<AccessUnit> {
        let mut units = pictures(90_000 * 14 / self.frame, self.frame, self.gop, self.b, self.hint);
        // Without hints, clocks may tremble by a millisecond, as RTMP's do.
        let mut state = self.seed | 1;
        for unit in units.iter_mut().filter(|_| !self.hint) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let shake = (state % 90) as i64;
            (unit.dts, unit.pts) = (unit.dts.plus(shake), unit.pts.plus(shake));
        }
        if self.mode == Mode::Grid {
            // An encoder puts an IDR at each boundary: here every unit could be one.
            for unit in &mut units {
                (unit.key, unit.pts) = (true, unit.dts);
            }
        }
        units.extend(sound(self.audio_offset, 48_000 * 14));
        interleave(units)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_media_is_cut_the_same_way(source in sources()) {
        let (mode, units) = (source.mode, source.units());
        let first = run(Boundaries::new(config(mode), 5), &units, 350);
        let second = run(Boundaries::new(config(mode), 5), &units, 350);
        prop_assert_eq!(&first, &second);
    }

    #[test]
    fn every_source_gives_sound_segments(source in sources()) {
        let (mode, units) = (source.mode, source.units());
        let out = run(Boundaries::new(config(mode), 5), &units, 350);
        check(&out.video, Timescale::VIDEO, 350);
        check(&out.audio, AUDIO, 350);
        let max = MediaTime::video(LatencyMode::Low.segment_max_90k());
        for (a, b) in segments(&out.video).iter().zip(&segments(&out.audio)) {
            prop_assert_eq!(a.seq, b.seq, "the same numbers in every rendition");
            let (start_a, start_b) = (MediaTime::video(a.start), MediaTime::new(b.start, AUDIO));
            prop_assert!(start_b >= start_a.plus(-1) && start_b.seconds() - start_a.seconds() < 0.022);
            prop_assert!(MediaTime::video(a.duration.into()) <= max);
        }
        // Every unit from the first boundary on is in the output, once.
        let start = out.boundaries[0].1;
        let due = units.iter().filter(|u| u.track == TrackId::AUDIO && u.pts >= start).count();
        let made: usize = parts(&out.audio).iter().map(|p| p.samples.len()).sum();
        prop_assert_eq!(due, made);
        if out.unfit.is_none() {
            let due = units.iter().filter(|u| u.track == TrackId::VIDEO).count();
            let made: usize = parts(&out.video).iter().map(|p| p.samples.len()).sum();
            prop_assert_eq!(due, made);
        }
    }

    #[test]
    fn where_parts_start_is_known_before_they_are_cut(
        durations in prop::collection::vec(1i64..40_000, 1..300),
        target_ms in 200u32..1_000,
    ) {
        let mut segmenter = Segmenter::new(TrackKind::Video, Timescale::VIDEO, target_ms);
        segmenter.boundary(1, MediaTime::ZERO).expect("the first");
        let mut starts = PartStarts::new(Timescale::VIDEO, target_ms);
        let (mut at, mut told) = (0, Vec::new());
        for duration in durations {
            segmenter.push(video(at, at, Some(duration as u32), at == 0)).expect("in order");
            told.extend(starts.take(duration).then_some(at));
            at += duration;
        }
        segmenter.finish(None);
        let cuts: Vec<Cut> = std::iter::from_fn(|| segmenter.poll()).collect();
        let cut: Vec<i64> = parts(&cuts).iter().map(|p| p.decode_time).collect();
        prop_assert_eq!(told, cut);
    }

    #[test]
    fn a_run_resumed_at_any_boundary_goes_on_as_before(source in sources(), pick in 0usize..100) {
        let (mode, units) = (source.mode, source.units());
        let whole = run(Boundaries::new(config(mode), 5), &units, 350);
        let (origin, (seq, start)) = (whole.boundaries[0].1, whole.boundaries[pick % whole.boundaries.len()]);
        // The edge sends again everything from some time before the boundary.
        let again: Vec<_> = units.iter().filter(|u| u.pts >= start.plus(-90_000)).cloned().collect();
        let from = again.iter().position(|u| u.track == TrackId::VIDEO && u.pts >= start).unwrap_or(0);
        let again: Vec<_> = again
            .into_iter()
            .enumerate()
            .filter(|(i, u)| *i >= from || u.track == TrackId::AUDIO || u.pts < start)
            .map(|(_, u)| u)
            .collect();
        let resumed = run(Boundaries::resume(config(mode), origin, seq, start), &again, 350);
        let tail = |cuts: &[Cut]| -> Vec<Cut> {
            let keep = |c: &&Cut| match c { Cut::Part(p) => p.seq >= seq, Cut::Segment(s) => s.seq >= seq };
            cuts.iter().filter(keep).cloned().collect()
        };
        prop_assert_eq!(tail(&whole.video), resumed.video);
        prop_assert_eq!(tail(&whole.audio), resumed.audio);
        prop_assert_eq!(whole.unfit, resumed.unfit);
    }
}
