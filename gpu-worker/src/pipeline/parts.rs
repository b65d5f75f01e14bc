//! IDR pictures at the start of every part of one segment.
//!
//! A worker that takes a broadcast over makes its first segment so: a viewer in the middle of the old worker's segment
//! crosses at a part's boundary.

use headwater_media::Timescale;
use headwater_media::segmenter::PartStarts;

use super::keys::Key;
use crate::codec::Frame;

/// One rung's frames on their way to the encoder. Within the first segment each waits for the next one, because a
/// frame's duration says whether it still fits into the part before it.
pub(super) struct Parts {
    state: Option<State>,
}

struct State {
    starts: PartStarts,
    held: Option<(Frame, bool)>,
    last_duration: i64,
}

impl Parts {
    /// For parts of at most `part_target_ms`; 0 leaves every frame alone.
    pub(super) fn new(part_target_ms: u32) -> Self {
        let state = (part_target_ms > 0).then(|| State {
            starts: PartStarts::new(Timescale::VIDEO, part_target_ms),
            held: None,
            last_duration: 0,
        });
        Self { state }
    }

    /// Takes the next frame of the rung; what can be encoded now, and whether as an IDR.
    pub(super) fn push(&mut self, frame: Frame, key: Key) -> [Option<(Frame, bool)>; 2] {
        let next = frame.pts;
        let idr = key != Key::No;
        let Some(state) = &mut self.state else {
            return [None, Some((frame, idr))];
        };
        let held = state.settle(next);
        // The second segment is an ordinary one.
        if key == Key::Segment && held.is_some() {
            self.state = None;
            return [held, Some((frame, idr))];
        }
        state.held = Some((frame, idr));
        [held, None]
    }

    /// The frame that still waits when no other comes.
    pub(super) fn finish(&mut self) -> Option<(Frame, bool)> {
        let state = self.state.as_mut()?;
        let (held, _) = state.held.as_ref()?;
        let next = held.pts + state.last_duration;
        state.settle(next)
    }
}

impl State {
    fn settle(&mut self, next_pts: i64) -> Option<(Frame, bool)> {
        let (frame, idr) = self.held.take()?;
        self.last_duration = next_pts - frame.pts;
        let starts = self.starts.take(self.last_duration);
        Some((frame, idr || starts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Picture;

    #[test]
    fn parts_of_the_first_segment_start_with_an_idr_and_later_ones_do_not() {
        let mut parts = Parts::new(350);
        let mut out = Vec::new();
        for n in 0..130_i64 {
            let key = match n {
                0 | 60 | 120 => Key::Segment,
                37 => Key::Idr,
                _ => Key::No,
            };
            let frame = Frame {
                pts: n * 3_000,
                picture: Picture::Blank,
            };
            out.extend(parts.push(frame, key).into_iter().flatten());
        }
        out.extend(parts.finish());
        assert!(
            out.iter().map(|(f, _)| f.pts).eq((0..130).map(|n| n * 3_000)),
            "every frame, in order"
        );
        let idrs: Vec<i64> = out.iter().filter(|(_, idr)| *idr).map(|(f, _)| f.pts / 3_000).collect();
        assert_eq!(idrs, [0, 10, 20, 30, 37, 40, 50, 60, 120]);
    }
}
