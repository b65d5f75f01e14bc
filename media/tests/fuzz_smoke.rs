//! A little of what `fuzz/` does for long: seeded mutations of valid input through every parser, in bounded time.

use headwater_media::fuzz::{TARGETS, seeds, smoke};

const ROUNDS: u64 = 3_000;

#[test]
fn v_mutated_input_never_panics() {
    for (name, target) in TARGETS {
        smoke(name, target, &seeds(name), ROUNDS);
    }
}
