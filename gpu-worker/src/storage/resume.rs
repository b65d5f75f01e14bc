//! Where a broadcast goes on, from nothing but what is in the store.

use anyhow::Context as _;
use bytes::Bytes;
use headwater_media::window::key::{Key, prefix};
use headwater_media::window::{Epoch, Index, Window};
use headwater_media::{MediaTime, Timescale};
use headwater_platform::store::{Listed, SharedStore, StoreError};

use super::upload::SPAN_SEGMENTS;

/// Where to go on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resume {
    /// First segment that is not stored in every rendition.
    pub seq: u64,
    /// Where it starts, 1/90000 s.
    pub at_90k: i64,
    /// Every epoch so far, with init segments; the last one may be continued.
    pub epochs: Vec<Epoch>,
}

impl Resume {
    /// A broadcast of which nothing is stored.
    pub(crate) fn nothing() -> Self {
        Self {
            seq: 0,
            at_90k: 0,
            epochs: Vec::new(),
        }
    }
}

/// Everything stored of a broadcast: the descriptions, and keys (without prefix) with sizes.
pub(crate) async fn read_index(store: &SharedStore, tenant: &str, broadcast: &str) -> anyhow::Result<Index> {
    let prefix = prefix(tenant, broadcast);
    let listed = store
        .list(&prefix)
        .await
        .context("cannot list what is stored of the broadcast")?;
    let mut index = Index::default();
    for Listed { key, size } in &listed {
        let Some(relative) = key.strip_prefix(&prefix) else {
            continue;
        };
        match Key::parse(relative) {
            Key::Epoch { .. } => {
                let text = store
                    .get(key, None)
                    .await
                    .with_context(|| format!("cannot read {key}"))?;
                index
                    .epochs
                    .push(serde_json::from_slice(&text).with_context(|| format!("{key} is malformed"))?);
            }
            Key::Segment { .. } => index.segments.push((relative.to_owned(), *size)),
            _ => {}
        }
    }
    Ok(index)
}

/// Reads where a broadcast goes on.
pub(crate) async fn read(store: &SharedStore, tenant: &str, broadcast: &str) -> anyhow::Result<Resume> {
    let index = read_index(store, tenant, broadcast).await?;
    let mut resume = point(&index)?;
    let prefix = prefix(tenant, broadcast);
    for epoch in &mut resume.epochs {
        for rendition in &mut epoch.renditions {
            let init = Key::Init {
                rendition: &rendition.name,
                first_seq: epoch.first_seq,
            };
            rendition.init = match store.get(&format!("{prefix}{init}"), None).await {
                Ok(bytes) => bytes,
                // Written before any segment of the epoch: without it there is none, and the epoch starts over.
                Err(StoreError::NotFound { .. }) => Bytes::new(),
                Err(error) => return Err(error).context("cannot read an init segment"),
            };
        }
    }
    Ok(resume)
}

/// Where to go on, purely from what is stored.
pub(crate) fn point(index: &Index) -> anyhow::Result<Resume> {
    if index.epochs.is_empty() {
        return Ok(Resume::nothing());
    }
    let keys = index.segments.iter().map(|(key, size)| (key.as_str(), *size));
    let window = Window::rebuild(index.epochs.clone(), keys).context("what is stored cannot be read")?;
    let epochs = window.epochs();
    for (i, epoch) in epochs.iter().enumerate() {
        let until = epochs.get(i + 1).map(|next| next.first_seq);
        let (mut seq, mut at_90k) = (epoch.first_seq, epoch.start_90k);
        while until.is_none_or(|until| seq < until)
            && let Some(end_90k) = whole(&window, epoch, seq)
        {
            (seq, at_90k) = (seq + 1, end_90k);
        }
        if until != Some(seq) {
            // An epoch of which nothing is whole starts over, under the same name.
            let kept = if seq == epoch.first_seq { i } else { i + 1 };
            return Ok(Resume {
                seq,
                at_90k,
                epochs: epochs[..kept].to_vec(),
            });
        }
    }
    Ok(Resume::nothing())
}

/// End of segment `seq`, 1/90000 s, where every rendition of the epoch has it or never will.
fn whole(window: &Window, epoch: &Epoch, seq: u64) -> Option<i64> {
    let lead = epoch.renditions.first()?;
    let track = window.track(&lead.name)?;
    let end = match track.segment(seq) {
        Some(segment) => segment.decode_time + i64::from(segment.duration),
        // The source was silent: what lies before its next picture is passed over as a whole.
        None if track.last_seq()? >= seq + SPAN_SEGMENTS => track.segments().iter().find(|s| s.seq > seq)?.decode_time,
        None => return None,
    };
    let end = MediaTime::new(end, lead.scale());
    let has = |name: &str| {
        let Some(track) = window.track(name) else { return false };
        track.segment(seq).is_some() || track.last_seq().is_some_and(|last| last >= seq + SPAN_SEGMENTS)
    };
    epoch
        .renditions
        .iter()
        .all(|r| has(&r.name))
        .then(|| end.ticks_in(Timescale::VIDEO))
}

#[cfg(test)]
mod tests {
    use headwater_media::window::key::SegmentName;
    use headwater_media::window::{Description, Kind, Rendition};

    use super::*;

    fn epoch(index: u32, first_seq: u64, start_90k: i64, names: &[&str]) -> Description {
        let rendition = |name: &&str| Rendition {
            name: (*name).to_owned(),
            kind: if *name == "audio" { Kind::Audio } else { Kind::Video },
            timescale: if *name == "audio" { 48_000 } else { 90_000 },
            codecs: String::new(),
            bandwidth_bps: 1,
            average_bandwidth_bps: 1,
            width: 0,
            height: 0,
            fps_milli: 0,
            sample_rate: 0,
            channels: 0,
            language: String::new(),
            sar_num: 0,
            sar_den: 0,
            init: Bytes::new(),
        };
        let renditions = names.iter().map(rendition).collect();
        let epoch = Epoch {
            index,
            first_seq,
            start_90k,
            wallclock_ms: 0,
            renditions,
        };
        Description {
            latency_mode: "low".into(),
            generation: 1,
            epoch,
        }
    }

    /// Segments of 2 s: `source 0..3` means numbers 0, 1 and 2.
    fn stored(what: &[(&str, std::ops::Range<u64>)]) -> Vec<(String, u64)> {
        let key = |rendition: &str, seq: u64| {
            let scale = if rendition == "audio" { 48_000 } else { 90_000 };
            let name = SegmentName {
                seq,
                generation: 1,
                decode_time: seq as i64 * 2 * scale,
                duration: 2 * scale as u32,
            };
            (Key::Segment { rendition, name }.to_string(), 9)
        };
        what.iter()
            .flat_map(|(name, seqs)| seqs.clone().map(move |seq| key(name, seq)))
            .collect()
    }

    #[test]
    fn goes_on_after_the_last_segment_that_every_rendition_has() {
        let two = ["source", "audio"];
        for (epochs, segments, seq, at_s, kept) in [
            (vec![], stored(&[]), 0, 0, 0),
            (vec![epoch(0, 0, 0, &two)], stored(&[]), 0, 0, 0),
            (
                vec![epoch(0, 0, 0, &two)],
                stored(&[("source", 0..5), ("audio", 0..4)]),
                4,
                8,
                1,
            ),
            // Segment 2 has no audio although much later ones do: it never had any.
            (
                vec![epoch(0, 0, 0, &two)],
                stored(&[("source", 0..9), ("audio", 0..2), ("audio", 3..8)]),
                8,
                16,
                1,
            ),
            (
                vec![epoch(0, 0, 0, &two)],
                stored(&[("source", 0..9), ("audio", 0..3), ("audio", 4..6)]),
                3,
                6,
                1,
            ),
            // The source showed nothing in segments 2 and 3.
            (
                vec![epoch(0, 0, 0, &two)],
                stored(&[("source", 0..2), ("source", 4..9), ("audio", 0..9)]),
                9,
                18,
                1,
            ),
            // The second epoch has nothing whole: it starts over where it began.
            (
                vec![epoch(0, 0, 0, &two), epoch(1, 2, 900_000, &two)],
                stored(&[("source", 0..2), ("audio", 0..2)]),
                2,
                10,
                1,
            ),
            // The first epoch's tail is missing: the second starts over too.
            (
                vec![epoch(0, 0, 0, &two), epoch(1, 3, 900_000, &two)],
                stored(&[("source", 0..4), ("audio", 0..2)]),
                2,
                4,
                1,
            ),
        ] {
            let case = format!("{segments:?}");
            let got = point(&Index { epochs, segments }).expect("well formed");
            assert_eq!(
                (got.seq, got.at_90k, got.epochs.len()),
                (seq, at_s * 90_000, kept),
                "{case}"
            );
        }
    }
}
