//! What a reader must have seen and heard.

use anyhow::ensure;
use headwater_tests::marks::Seen;

/// How far a flash and its beep may be apart, seconds.
const OFFSET_S_MAX: f64 = 0.040;
/// How far their distance may move from the first third to the last, seconds: it is read from whole frames.
const DRIFT_S_MAX: f64 = 0.010;
/// Pictures at the beginning and end of a broadcast that a live reader may miss: 35 s.
const LIVE_MISSED_MAX: u64 = 1_050;
/// Numbers in the pictures start again here.
const NUMBERS: u32 = 1 << 16;

/// One reading of one broadcast.
#[derive(Clone)]
pub struct Sight {
    what: String,
    seen: Seen,
    /// Pictures that the broadcast had.
    frames: u64,
    /// Pictures that may be missing at the ends.
    missed_max: u64,
}

impl Sight {
    /// A reader of the replay: everything must be there.
    pub fn whole(what: String, seen: Seen, frames: u64) -> Self {
        Self {
            what,
            seen,
            frames,
            missed_max: 0,
        }
    }

    /// A reader of the live broadcast: everything from its first picture to its last must be there.
    pub fn live(what: String, seen: Seen, frames: u64) -> Self {
        Self {
            missed_max: LIVE_MISSED_MAX,
            ..Self::whole(what, seen, frames)
        }
    }

    /// Fails with what does not hold.
    pub fn check(&self) -> anyhow::Result<()> {
        let what = &self.what;
        let count = self.seen.pictures.len() as u64;
        ensure!(
            (self.frames.saturating_sub(self.missed_max)..=self.frames).contains(&count),
            "{what}: {count} pictures of {}",
            self.frames
        );
        let skipped = self.skipped();
        ensure!(
            skipped.is_empty(),
            "{what}: pictures do not follow each other: {skipped:?}"
        );
        let offsets = self.seen.offsets();
        let marks_min = (count / 31).saturating_sub(2) as usize;
        ensure!(
            offsets.len() >= marks_min,
            "{what}: {} flashes with a beep, not {marks_min}",
            offsets.len()
        );
        for offset in &offsets {
            ensure!(
                offset.abs() <= OFFSET_S_MAX,
                "{what}: a beep {offset} s after its flash"
            );
        }
        let [first, _, last] = self.thirds();
        ensure!(
            (last - first).abs() <= DRIFT_S_MAX,
            "{what}: from {first} s to {last} s apart"
        );
        Ok(())
    }

    fn skipped(&self) -> Vec<(u32, u32)> {
        let numbers = self.seen.numbers();
        let pairs = numbers.windows(2).map(|w| (w[0], w[1]));
        pairs.filter(|(a, b)| (a + 1) % NUMBERS != *b).collect()
    }

    /// Mean distance from flash to beep in each third of the reading, seconds.
    fn thirds(&self) -> [f64; 3] {
        let offsets = self.seen.offsets();
        let third = offsets.len().div_ceil(3).max(1);
        let mean = |part: usize| {
            let part: Vec<f64> = offsets.iter().skip(part * third).take(third).copied().collect();
            part.iter().sum::<f64>() / part.len().max(1) as f64
        };
        [mean(0), mean(1), mean(2)]
    }
}

/// Prints one table.
pub fn print(sights: &[Sight]) {
    println!("| broadcast | pictures | of | skipped or again | beep after flash, ms: start | middle | end | worst |");
    println!("|---|---|---|---|---|---|---|---|");
    for sight in sights {
        let [first, middle, last] = sight.thirds().map(|s| s * 1e3);
        let worst = sight.seen.offsets().into_iter().fold(0.0, |w: f64, o| w.max(o.abs())) * 1e3;
        println!(
            "| {} | {} | {} | {} | {first:.1} | {middle:.1} | {last:.1} | {worst:.1} |",
            sight.what,
            sight.seen.pictures.len(),
            sight.frames,
            sight.skipped().len()
        );
    }
}
