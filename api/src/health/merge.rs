//! One picture of what two sources say. Pure.

use headwater_model::health::{Open, Report, STALE_AFTER_MS, Sample, Severity};

/// A worker's report belongs to an edge's that is this near, milliseconds.
const TOGETHER_MS: i64 = 1_000;

/// How a broadcast does, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, async_graphql::Enum)]
#[graphql(name = "HealthStatus")]
pub enum Status {
    /// Nobody says anything: it is not on air, or the reports are lost.
    Unknown,
    /// No issue that viewers see.
    Good,
    /// Some viewers see or hear an issue.
    Degraded,
    /// Viewers lose picture or sound, or will.
    Bad,
}

/// How a broadcast does.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// In one word.
    pub status: Status,
    /// What is wrong, the gravest and oldest first.
    pub issues: Vec<Open>,
}

/// A sample and when it was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What was measured.
    pub sample: Sample,
}

/// What the newest words of both come to at a moment. Old ones do not count; without the edge's nothing is known.
pub fn verdict(edge: Option<&Report>, worker: Option<&Report>, now_ms: i64) -> Verdict {
    let fresh = |report: &&Report| now_ms - report.at_ms <= STALE_AFTER_MS;
    let (edge, worker) = (edge.filter(fresh), worker.filter(fresh));
    let Some(edge) = edge else {
        return Verdict {
            status: Status::Unknown,
            issues: Vec::new(),
        };
    };
    let mut issues: Vec<Open> = edge.issues.clone();
    issues.extend(worker.into_iter().flat_map(|worker| worker.issues.iter().copied()));
    issues.sort_by_key(|open| (std::cmp::Reverse(open.issue.severity()), open.since_ms, open.issue));
    let status = match issues.first().map(|open| open.issue.severity()) {
        Some(Severity::Error) => Status::Bad,
        Some(Severity::Warning) => Status::Degraded,
        Some(Severity::Info) | None => Status::Good,
    };
    Verdict { status, issues }
}

/// The samples of both as one series: each of the edge's with what the worker said about then. Where there is no edge, the
/// worker's alone.
pub fn series(edge: &[Report], worker: &[Report]) -> Vec<At> {
    let at = |report: &Report| At {
        at_ms: report.at_ms,
        sample: report.sample,
    };
    if edge.is_empty() {
        return worker.iter().map(at).collect();
    }
    let mut later = worker;
    edge.iter()
        .map(|report| {
            let mut at = at(report);
            // Both lists are in the order of time.
            while let [first, second, ..] = later
                && (second.at_ms - report.at_ms).abs() <= (first.at_ms - report.at_ms).abs()
            {
                later = &later[1..];
            }
            let near = later
                .first()
                .filter(|first| (first.at_ms - report.at_ms).abs() <= TOGETHER_MS);
            at.sample.latency_ms = near.and_then(|near| near.sample.latency_ms);
            at
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use headwater_model::health::Issue;

    use super::*;

    fn report(at_ms: i64, worker: bool, issues: &[(Issue, i64)]) -> Report {
        Report {
            at_ms,
            worker,
            sample: Sample {
                latency_ms: worker.then_some(at_ms as u32 / 10),
                fps_milli: (!worker).then_some(30_000),
                ..Sample::default()
            },
            issues: issues
                .iter()
                .map(|(issue, since_ms)| Open {
                    issue: *issue,
                    since_ms: *since_ms,
                    figure: None,
                })
                .collect(),
            making: None,
        }
    }

    #[test]
    fn the_gravest_issue_says_how_it_is_and_old_words_do_not_count() {
        let good = report(10_000, false, &[(Issue::BitrateLow, 1)]);
        let slow = report(10_500, true, &[(Issue::RungsReduced, 2)]);
        let bad = report(10_000, false, &[(Issue::GopLong, 1), (Issue::Starved, 9)]);
        let of = |edge, worker, now| verdict(edge, worker, now);
        assert_eq!(of(None, Some(&slow), 10_600).status, Status::Unknown);
        assert_eq!(of(Some(&good), None, 10_600).status, Status::Good);
        assert_eq!(of(Some(&good), Some(&slow), 10_600).status, Status::Degraded);
        let both = of(Some(&bad), Some(&slow), 10_600);
        let order: Vec<Issue> = both.issues.iter().map(|open| open.issue).collect();
        assert_eq!(
            (both.status, order),
            (Status::Bad, vec![Issue::Starved, Issue::GopLong, Issue::RungsReduced])
        );
        assert_eq!(
            of(Some(&bad), Some(&slow), 15_100).status,
            Status::Unknown,
            "the edge is silent"
        );
        assert_eq!(
            of(Some(&report(15_000, false, &[])), Some(&slow), 15_600).status,
            Status::Good,
            "the worker is"
        );
    }

    #[test]
    fn a_series_joins_what_belongs_together() {
        let edge: Vec<_> = [1_000, 2_000, 3_000, 9_000].map(|at| report(at, false, &[])).into();
        let worker: Vec<_> = [1_400, 2_400, 3_400].map(|at| report(at, true, &[])).into();
        let joined = series(&edge, &worker);
        let latencies: Vec<_> = joined.iter().map(|at| at.sample.latency_ms).collect();
        assert_eq!(latencies, [Some(140), Some(240), Some(340), None]);
        assert!(joined.iter().all(|at| at.sample.fps_milli == Some(30_000)));
        assert_eq!(series(&[], &worker).len(), 3);
    }
}
