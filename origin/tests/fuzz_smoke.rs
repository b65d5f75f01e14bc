//! Seeded mutations of what viewers send to be let in.

use headwater_media::fuzz::smoke;
use headwater_origin::fuzz::TARGETS;

const ROUNDS: u64 = 2_000;

#[test]
fn damaged_tokens_and_paths_let_nobody_in() {
    for (name, target, seeds) in TARGETS {
        smoke(name, target, &seeds(), ROUNDS);
    }
}
