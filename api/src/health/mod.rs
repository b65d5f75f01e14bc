//! How broadcasts do, as edges and workers say it in Redis. Nothing here is kept, and nothing is decided from it.

mod docs;
pub(crate) mod keep;
mod merge;
pub(crate) mod watch;

use headwater_model::health::{REPORTS_KEPT, Report, Source};
use headwater_model::{BroadcastId, TenantId};
use headwater_platform::hints::{HintsError, SharedHints};

pub use docs::{page, section};
pub use merge::{At, Status, Verdict, series, verdict};

/// The newest word of each source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Newest {
    /// What the publisher sends.
    pub edge: Option<Report>,
    /// What is made of it.
    pub worker: Option<Report>,
}

impl Newest {
    /// Takes a report, unless a newer one of its source is there.
    pub fn take(&mut self, report: Report) {
        let slot = match report.source() {
            Source::Edge => &mut self.edge,
            Source::Worker => &mut self.worker,
        };
        if slot.as_ref().is_none_or(|known| known.at_ms <= report.at_ms) {
            *slot = Some(report);
        }
    }
}

fn keys(tenant: TenantId, broadcast: BroadcastId) -> [String; 2] {
    Source::ALL.map(|source| source.key(tenant, broadcast))
}

fn read(texts: Vec<String>) -> Vec<Report> {
    // What a newer edge or worker says in a form that is unknown here is passed over.
    texts.iter().filter_map(|text| Report::from_json(text).ok()).collect()
}

/// The newest word on each of several broadcasts of a tenant, in one round trip.
pub async fn newest(
    hints: &SharedHints,
    tenant: TenantId,
    broadcasts: &[BroadcastId],
) -> Result<Vec<Newest>, HintsError> {
    let wanted = broadcasts
        .iter()
        .flat_map(|broadcast| keys(tenant, *broadcast))
        .collect();
    let mut lists = hints.newest(wanted, 1).await?.into_iter().map(read);
    let of = |_: &BroadcastId| {
        let mut newest = Newest::default();
        for report in lists.by_ref().take(Source::ALL.len()).flatten() {
            newest.take(report);
        }
        newest
    };
    Ok(broadcasts.iter().map(of).collect())
}

/// All that is kept of a broadcast, in the order of time.
pub async fn kept(hints: &SharedHints, tenant: TenantId, broadcast: BroadcastId) -> Result<Vec<At>, HintsError> {
    let lists = hints.newest(keys(tenant, broadcast).to_vec(), REPORTS_KEPT).await?;
    let mut lists = lists.into_iter().map(read);
    let (edge, worker) = (lists.next().unwrap_or_default(), lists.next().unwrap_or_default());
    Ok(series(&edge, &worker))
}
