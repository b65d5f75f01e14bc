//! Seeded mutations of valid input: the same inputs everywhere, for tests.

/// xorshift64*: small, seeded, the same everywhere.
pub struct Random(u64);

impl Random {
    /// Begins at `state`, which is not 0.
    pub fn new(state: u64) -> Self {
        Self(state)
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.word() >> 33) as usize % bound.max(1)
    }
}

/// A damaged copy of `seed`.
pub fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), random.word() as u8),
            2 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            3 if !bytes.is_empty() => bytes[at] = [0, 0xff, 0x7f, 0x80, 1][random.below(5)],
            4 => {
                let end = (at + random.below(64)).min(bytes.len());
                let copy = bytes[at.min(end)..end].to_vec();
                bytes.splice(at.min(end)..at.min(end), copy);
            }
            5 => bytes.extend((0..random.below(32)).map(|_| random.word() as u8)),
            _ if !bytes.is_empty() => {
                bytes.remove(at);
            }
            _ => {}
        }
    }
    bytes
}

/// Runs `target` on `seeds` and on `rounds` damaged copies of each. Panics where it does, naming the input.
pub fn smoke(name: &str, target: fn(&[u8]), seeds: &[Vec<u8>], rounds: u64) {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    for seed in seeds {
        target(seed);
        for round in 0..rounds {
            let state = random.0;
            let bytes = mutate(seed, &mut random);
            let result = std::panic::catch_unwind(|| target(&bytes));
            assert!(
                result.is_ok(),
                "{name}, round {round}, state {state:#x}, input {bytes:02x?}"
            );
        }
    }
}
