//! Random publishers: whatever comes in, what comes out keeps its promises (see `drain`).

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Video {
        by: i64,
        key: bool,
        composition: i32,
        wait: i64,
    },
    Audio {
        by: i64,
        wait: i64,
    },
    Header(u8),
    AudioHeader(bool),
    Raw(bool, Vec<u8>),
    Tick(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let by =
        || prop_oneof![8 => 0i64..60, 1 => -300i64..0, 1 => -3_000i64..20_000, 1 => any::<u32>().prop_map(i64::from)];
    let wait = || prop_oneof![9 => 0i64..50, 1 => 0i64..30_000];
    prop_oneof![
        8 => (by(), any::<bool>(), -200i32..400, wait())
            .prop_map(|(by, key, composition, wait)| Step::Video { by, key, composition, wait }),
        8 => (by(), wait()).prop_map(|(by, wait)| Step::Audio { by, wait }),
        1 => (4u8..9).prop_map(|n| Step::Header(n * 10)),
        1 => any::<bool>().prop_map(Step::AudioHeader),
        1 => (any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(v, b)| Step::Raw(v, b)),
        1 => wait().prop_map(Step::Tick),
    ]
}

proptest! {
    #[test]
    fn units_keep_their_promises_whatever_comes_in(steps in prop::collection::vec(step(), 1..300), first in any::<u32>()) {
        let mut n = Normaliser::new(Start::FIRST);
        let mut got = Got::default();
        let (mut now, mut video, mut audio) = (START, i64::from(first), i64::from(first));
        n.video(now, 0, video_config(&avc(80)));
        for step in steps {
            match step {
                Step::Video { by, key, composition, wait } => {
                    (video, now) = (video + by, now + wait);
                    n.video(now, video as u32, picture(key, composition));
                }
                Step::Audio { by, wait } => {
                    (audio, now) = (audio + by, now + wait);
                    n.audio(now, audio as u32, sound());
                }
                Step::Header(columns) => n.video(now, 0, video_config(&avc(columns))),
                Step::AudioHeader(slow) => n.audio(now, 0, audio_config(if slow { &AAC_44K } else { &AAC_48K })),
                Step::Raw(true, bytes) => n.video(now, video as u32, bytes.into()),
                Step::Raw(false, bytes) => n.audio(now, audio as u32, bytes.into()),
                Step::Tick(wait) => {
                    now += wait;
                    n.tick(now);
                }
            }
            drain(&mut n, &mut got);
        }
        n.finish();
        drain(&mut n, &mut got);
    }
}
