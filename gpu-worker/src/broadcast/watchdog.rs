//! Telling a codec child that hangs from one that gets too little of the machine.
//!
//! Killing a child that merely waits for the CPU helps nobody: the next one waits for the same CPU, with more to do. So
//! silence alone decides nothing. What the child's threads did meanwhile does:
//!
//! - it used no CPU and wanted none for the stall time: it *hangs* (a deadlock, or it was stopped);
//! - it used [`SPIN_TIMES`] stall times of CPU without a word: it *spins* in a loop that its input led it into;
//! - anything between: it is *starved*, and waited for.
//!
//! A word is anything that it says: units, figures, damage, the end of a drain. Time counts only as far as the agent
//! itself was running to listen: an agent that was starved or suspended too does not find its child guilty.

use std::time::{Duration, Instant};

/// How often the watchdog looks.
pub(super) const WATCH_EVERY: Duration = Duration::from_millis(250);
/// What one look adds to a silence at most, however long the agent itself could not look.
const LOOK_MAX: Duration = Duration::from_millis(500);
/// Less CPU than this part of the stall time within the stall time is none: 50 ms of 5 s.
const IDLE_PART: u32 = 100;
/// CPU in stall times that no unit of any source is worth: draining an encoder of the slowest preset takes two.
const SPIN_TIMES: u32 = 4;
/// Clock ticks per second in `/proc`, on every architecture that we run on (`USER_HZ`).
const TICKS_PER_S: u32 = 100;

/// What a process has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Doing {
    /// CPU time of all its threads.
    pub(super) cpu: Duration,
    /// A thread is ready to run, or waits for the kernel (for memory, say).
    pub(super) wants: bool,
}

impl Doing {
    /// Of a process that has not been waited for; `None` where the system does not tell.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let (_, cpu) = parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let states = tasks.filter_map(|task| {
            let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            parse(&stat).map(|(state, _)| state)
        });
        let wants = states.into_iter().any(|state| matches!(state, 'R' | 'D'));
        Some(Self { cpu, wants })
    }
}

/// State and CPU time out of a `stat` file (proc_pid_stat(5), fields 3, 14 and 15). The second field is the program's
/// name in parentheses, and may hold anything.
fn parse(stat: &str) -> Option<(char, Duration)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let user: u32 = fields.nth(10)?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((
        state,
        Duration::from_secs(1) * user.saturating_add(system) / TICKS_PER_S,
    ))
}

/// What is thought of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has not been silent for long.
    Fine,
    /// It works, or would if it were let.
    Starved,
    /// It does nothing and wants nothing.
    Hung,
    /// It computes and computes.
    Spinning,
}

/// What was seen of a child since its last word.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    lasted: Duration,
    /// CPU used when it began.
    cpu: Duration,
    /// For how long it has done next to nothing.
    idle: Duration,
    /// CPU used when that began.
    idle_cpu: Duration,
}

/// Watches one child.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    looked: Option<Instant>,
    silence: Option<Silence>,
}

impl Watchdog {
    /// One look: `quiet` when the child owes something and has not said a word since the last one.
    pub(super) fn look(
        &mut self,
        now: Instant,
        quiet: bool,
        limit: Duration,
        doing: impl FnOnce() -> Option<Doing>,
    ) -> Verdict {
        let since = self.looked.replace(now).map_or(Duration::ZERO, |last| now - last);
        if !quiet {
            self.silence = None;
            return Verdict::Fine;
        }
        // One that cannot be looked at is about to end, and that will be heard.
        let Some(doing) = doing() else { return Verdict::Fine };
        let silence = self.silence.get_or_insert(Silence {
            cpu: doing.cpu,
            idle_cpu: doing.cpu,
            ..Silence::default()
        });
        silence.add(since.min(LOOK_MAX), doing, limit);
        silence.verdict(doing.cpu, limit)
    }

    /// How long the child has said nothing.
    pub(super) fn silent(&self) -> Duration {
        self.silence.map_or(Duration::ZERO, |silence| silence.lasted)
    }
}

impl Silence {
    fn add(&mut self, since: Duration, doing: Doing, limit: Duration) {
        self.lasted += since;
        if doing.wants || doing.cpu.saturating_sub(self.idle_cpu) >= limit / IDLE_PART {
            (self.idle, self.idle_cpu) = (Duration::ZERO, doing.cpu);
        } else {
            self.idle += since;
        }
    }

    fn verdict(&self, cpu: Duration, limit: Duration) -> Verdict {
        if self.lasted <= limit {
            Verdict::Fine
        } else if self.idle > limit {
            Verdict::Hung
        } else if cpu.saturating_sub(self.cpu) >= limit * SPIN_TIMES {
            Verdict::Spinning
        } else {
            Verdict::Starved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// Looks every `every_ms` for `looks` times at a child that each time has used `cpu_ms` more; the first verdict that
    /// is not `Fine`, and after how many milliseconds.
    fn judged(
        looks: u64,
        every_ms: u64,
        cpu_ms: impl Fn(u64) -> u64,
        wants: impl Fn(u64) -> bool,
    ) -> Vec<(u64, Verdict)> {
        let (mut watchdog, start) = (Watchdog::default(), Instant::now());
        let (mut cpu, mut said) = (0, Vec::new());
        for look in 0..looks {
            cpu += cpu_ms(look);
            let doing = Doing {
                cpu: Duration::from_millis(cpu),
                wants: wants(look),
            };
            let at_ms = look * every_ms;
            let verdict = watchdog.look(start + Duration::from_millis(at_ms), look > 0, LIMIT, || Some(doing));
            if said.last().is_none_or(|(_, last)| *last != verdict) {
                said.push((at_ms, verdict));
            }
        }
        said
    }

    #[test]
    fn hung_is_who_neither_works_nor_wants_to() {
        use Verdict::{Fine, Hung, Spinning, Starved};
        let never = |_| false;
        // Stopped, or a deadlock.
        assert_eq!(judged(40, 250, |_| 0, never), [(0, Fine), (5_250, Hung)]);
        // A timer that ticks now and then is no work.
        assert_eq!(judged(40, 250, |look| look % 2, never), [(0, Fine), (5_250, Hung)]);
        // It finished what it could and then hung: the silence is older than the idleness.
        assert_eq!(
            judged(60, 250, |look| if look < 9 { 20 } else { 0 }, never),
            [(0, Fine), (5_250, Starved), (7_000, Hung)]
        );
        // A tenth of a core, or a hundredth.
        assert_eq!(judged(100, 250, |_| 25, never), [(0, Fine), (5_250, Starved)]);
        assert_eq!(
            judged(100, 250, |look| 10 * (look % 4 / 3), never),
            [(0, Fine), (5_250, Starved)]
        );
        // It would run but is not let, for as long as that lasts.
        assert_eq!(judged(400, 250, |_| 0, |_| true), [(0, Fine), (5_250, Starved)]);
        assert_eq!(
            judged(400, 250, |_| 0, |look| look % 8 == 0),
            [(0, Fine), (5_250, Starved)]
        );
        // Stopped again and again, for less than the stall time.
        assert_eq!(
            judged(400, 250, |look| 60 * u64::from(look % 16 == 0), never),
            [(0, Fine), (5_250, Starved)]
        );
        // A core and more for twenty seconds of CPU, four cores for five.
        assert_eq!(
            judged(100, 250, |_| 250, |_| true),
            [(0, Fine), (5_250, Starved), (20_250, Spinning)]
        );
        assert_eq!(judged(30, 250, |_| 1_000, |_| true), [(0, Fine), (5_250, Spinning)]);
    }

    #[test]
    fn a_suspended_agent_accuses_nobody() {
        // Each look comes a minute after the last: only what a look may add counts.
        assert_eq!(
            judged(13, 60_000, |_| 0, |_| false),
            [(0, Verdict::Fine), (11 * 60_000, Verdict::Hung)]
        );
    }

    #[test]
    fn a_word_ends_the_silence() {
        let (mut watchdog, start) = (Watchdog::default(), Instant::now());
        for look in 0..200_u32 {
            let at = start + WATCH_EVERY * look;
            let verdict = watchdog.look(at, look % 20 > 0, LIMIT, || Some(Doing::default()));
            assert_eq!(verdict, Verdict::Fine);
        }
    }

    #[test]
    fn what_the_system_tells() {
        let stat = "77 (a) R (b) S 1 77 77 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 1 0 1357354 3133440 380";
        assert_eq!(parse(stat), Some(('S', Duration::from_secs(3))));
        assert_eq!(parse("77 (a"), None);
        let ours = Doing::of(std::process::id()).expect("a process may look at itself");
        assert!(ours.wants, "this thread runs");
        assert_eq!(Doing::of(u32::MAX), None);
    }
}
