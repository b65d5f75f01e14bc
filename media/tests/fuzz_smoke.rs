//! A little of what `fuzz/` does for long: seeded mutations of valid input through every parser, in bounded time.

use headwater_media::fuzz::{TARGETS, seeds};

const ROUNDS: u64 = 3_000;

/// xorshift64*: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound.max(1)
    }
}

fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), random.next() as u8),
            2 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            3 if !bytes.is_empty() => bytes[at] = [0, 0xff, 0x7f, 0x80, 1][random.below(5)],
            4 => {
                let end = (at + random.below(64)).min(bytes.len());
                let copy = bytes[at.min(end)..end].to_vec();
                bytes.splice(at.min(end)..at.min(end), copy);
            }
            5 => bytes.extend((0..random.below(32)).map(|_| random.next() as u8)),
            _ if !bytes.is_empty() => {
                bytes.remove(at);
            }
            _ => {}
        }
    }
    bytes
}

#[test]
fn v_mutated_input_never_panics() {
    for (name, target) in TARGETS {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for seed in seeds(name) {
            target(&seed);
            for round in 0..ROUNDS {
                let state = random.0;
                let bytes = mutate(&seed, &mut random);
                let result = std::panic::catch_unwind(|| target(&bytes));
                assert!(
                    result.is_ok(),
                    "{name}, round {round}, state {state:#x}, input {bytes:02x?}"
                );
            }
        }
    }
}
