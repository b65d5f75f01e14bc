//! How making a broadcast's renditions goes: noted where it happens, told once a second.

use std::sync::{Mutex, MutexGuard, PoisonError};

use headwater_media::segmenter::LatencyMode;
use headwater_model::health::{Issue, Latches, Look, Making, Report, Sample, Turn, WorkerClass};

use super::plan::{Input, Plan};

/// Halves of the target duration that may wait for the store, beside the one being made, before it is late, and until it is well
/// again.
const STORE_LATE_SEGMENTS: (i64, i64) = (4, 2);
/// And this much more, for writes that take their time, milliseconds.
const STORE_SLACK_MS: i64 = 4_000;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    making: Option<Making>,
    /// Rungs that the scheduler had no room for.
    left_out: Vec<String>,
    /// The slowest part since the last look.
    latency_ms: Option<u32>,
    /// From what is stored to what is made, milliseconds.
    unstored_ms: i64,
    segment_ms: i64,
    latches: Latches,
    /// An issue has opened or closed since that was asked last.
    turned: bool,
}

impl Health {
    /// Of a broadcast that goes without the rungs `left_out`.
    pub(crate) fn new(latency: LatencyMode, left_out: &[String]) -> Self {
        Self(Mutex::new(State {
            left_out: left_out.to_vec(),
            segment_ms: i64::from(latency.target_duration_s()) * 1_000 / 2,
            ..State::default()
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This is made from now on; nothing without a plan.
    pub(super) fn makes(&self, plan: Option<&Plan>, shed: &[String]) {
        let making = plan.map(|plan| Making {
            class: match plan.lines.iter().all(|line| matches!(line.input, Input::Source(_))) {
                true => WorkerClass::Passthrough,
                false => WorkerClass::Cpu,
            },
            renditions: plan.lines.iter().map(|line| line.rendition.name.clone()).collect(),
            shed: shed.to_vec(),
        });
        self.state().making = making;
    }

    /// A part can be loaded, this long after its last unit reached the edge.
    pub(super) fn part(&self, delay_ms: i64) {
        let delay_ms = u32::try_from(delay_ms.max(0)).unwrap_or(u32::MAX);
        let mut state = self.state();
        state.latency_ms = state.latency_ms.max(Some(delay_ms));
    }

    /// How much that is made is not stored.
    pub(super) fn unstored(&self, ms: i64) {
        self.state().unstored_ms = ms;
    }

    /// Looks at what has happened since the last look; `None` where nothing is made.
    pub(crate) fn look(&self, now_ms: i64) -> Option<Report> {
        let mut state = self.state();
        let mut making = state.making.clone()?;
        let left_out = state.left_out.iter();
        making
            .shed
            .extend(left_out.filter(|name| !making.renditions.contains(name)).cloned());
        making.shed.sort();
        making.shed.dedup();
        for (issue, look) in [
            (Issue::RungsReduced, rungs(&making)),
            (Issue::StoreDelayed, store(state.unstored_ms, state.segment_ms)),
        ] {
            let turn = state.latches.look(issue, look, now_ms);
            state.turned |= turn.is_some();
            match turn {
                Some(Turn::Opened) => {
                    metrics::counter!("worker_health_issues_total", "issue" => issue.as_str()).increment(1);
                }
                Some(Turn::Closed) | None => {}
            }
        }
        Some(Report {
            at_ms: now_ms,
            worker: true,
            sample: Sample {
                latency_ms: state.latency_ms.take(),
                ..Sample::default()
            },
            issues: state.latches.open().collect(),
            making: Some(making),
        })
    }
}

impl Health {
    /// Whether an issue has opened or closed since the last call.
    pub(crate) fn turned(&self) -> bool {
        std::mem::take(&mut self.state().turned)
    }
}

fn rungs(making: &Making) -> Look {
    match making.shed.len() {
        0 => Look::Well,
        n => Look::Ill(n as i64),
    }
}

fn store(unstored_ms: i64, segment_ms: i64) -> Look {
    let bound = |segments: i64| (segments + 1) * segment_ms + STORE_SLACK_MS;
    match unstored_ms {
        ms if ms > bound(STORE_LATE_SEGMENTS.0) => Look::Ill(ms),
        ms if ms <= bound(STORE_LATE_SEGMENTS.1) => Look::Well,
        _ => Look::Unsure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn making(health: &Health, shed: &[&str]) {
        health.state().making = Some(Making {
            class: WorkerClass::Cpu,
            renditions: vec!["source".into(), "360p".into()],
            shed: shed.iter().map(|name| (*name).to_owned()).collect(),
        });
    }

    #[test]
    fn shed_rungs_and_a_slow_store_open_and_close() {
        let health = Health::new(LatencyMode::Low, &[]);
        assert_eq!(health.look(0), None, "nothing is made");
        making(&health, &[]);
        health.part(300);
        health.part(900);
        health.part(-5);
        let first = health.look(1_000).expect("a report");
        assert_eq!((first.sample.latency_ms, first.issues.len()), (Some(900), 0));
        assert_eq!(health.look(2_000).expect("a report").sample.latency_ms, None);
        let open = |now_ms| -> Vec<Issue> {
            let report = health.look(now_ms).expect("a report");
            report.issues.iter().map(|open| open.issue).collect()
        };
        making(&health, &["720p"]);
        assert_eq!(open(3_000), [Issue::RungsReduced]);
        health.unstored(15_000);
        assert_eq!(open(4_000), [Issue::RungsReduced]);
        assert_eq!(open(6_000), [Issue::RungsReduced, Issue::StoreDelayed]);
        making(&health, &[]);
        health.unstored(12_000);
        open(7_000);
        assert_eq!(open(12_000), [Issue::StoreDelayed], "between the bounds it stays");
        health.unstored(3_000);
        open(13_000);
        assert!(open(18_000).is_empty());
    }

    #[test]
    fn what_the_scheduler_left_out_is_told_as_shed() {
        let health = Health::new(LatencyMode::Standard, &["1080p".into(), "360p".into()]);
        making(&health, &["720p"]);
        let report = health.look(0).expect("a report");
        let made = report.making.expect("something is made");
        assert_eq!(made.shed, ["1080p", "720p"], "360p is made after all");
        assert_eq!(report.issues[0].figure, Some(2));
    }
}
