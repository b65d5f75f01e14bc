//! The worker's nouns as its messages carry them.

use headwater_media::window::{Epoch, Rendition};
use headwater_model::proto::worker as proto;

/// A presentation epoch, with init segments.
pub(crate) fn epoch(epoch: &Epoch) -> proto::PresentationEpoch {
    proto::PresentationEpoch {
        index: epoch.index,
        first_seq: epoch.first_seq,
        start_90k: epoch.start_90k,
        wallclock_ms: epoch.wallclock_ms,
        renditions: epoch.renditions.iter().map(rendition).collect(),
    }
}

fn rendition(r: &Rendition) -> proto::Rendition {
    proto::Rendition {
        name: r.name.clone(),
        kind: r.kind.as_str().to_owned(),
        timescale: r.timescale,
        codecs: r.codecs.clone(),
        bandwidth_bps: r.bandwidth_bps,
        average_bandwidth_bps: r.average_bandwidth_bps,
        width: r.width,
        height: r.height,
        fps_milli: r.fps_milli,
        sample_rate: r.sample_rate,
        channels: r.channels,
        language: r.language.clone(),
        init: r.init.clone(),
        sar_num: r.sar_num,
        sar_den: r.sar_den,
    }
}
