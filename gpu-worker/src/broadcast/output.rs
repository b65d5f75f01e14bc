//! What a broadcast gives out: to followers, and to the store.

use headwater_media::window::{Description, Epoch as Presentation, key};
use headwater_model::proto::worker as proto;

use super::line::LineMade;
use super::messages;
use super::packager::{Made, Packager, size};
use super::runner::Runner;
use crate::storage::upload::Job;

impl Runner {
    /// Passes on what the packager has made.
    pub(super) fn pump(&mut self) {
        let Some(mut packager) = self.packager.take() else {
            return;
        };
        let made = packager.drain();
        self.pass(&packager, made);
        self.packager = Some(packager);
    }

    pub(super) fn pass(&mut self, packager: &Packager, made: Vec<Made>) {
        if !self.told {
            self.untold.extend(made);
            if !packager.described() {
                return;
            }
            self.tell(&packager.epoch);
            let made = std::mem::take(&mut self.untold);
            return made.into_iter().for_each(|m| self.publish(&packager.epoch, m));
        }
        made.into_iter().for_each(|m| self.publish(&packager.epoch, m));
    }

    /// Describes a presentation epoch to followers and store.
    fn tell(&mut self, epoch: &Presentation) {
        self.told = true;
        let assignment = &self.shared.assignment;
        let prefix = key::prefix(&assignment.tenant_id, &assignment.broadcast_id);
        let first_seq = epoch.first_seq;
        let mut objects = Vec::new();
        for r in &epoch.renditions {
            let name = key::Key::Init {
                rendition: &r.name,
                first_seq,
            };
            objects.push((format!("{prefix}{name}"), r.init.clone(), "video/mp4"));
        }
        let description = Description {
            latency_mode: self.latency.as_str().to_owned(),
            generation: assignment.generation,
            epoch: epoch.clone(),
        };
        let text = serde_json::to_vec(&description).expect("a description has only string keys and finite numbers");
        objects.push((
            format!("{prefix}{}", key::Key::Epoch { first_seq }),
            text.into(),
            "application/json",
        ));
        let renditions: Vec<String> = epoch.renditions.iter().map(|r| r.name.clone()).collect();
        tracing::info!(
            segment.seq = first_seq,
            renditions = renditions.join(","),
            "epoch {} begins at segment {first_seq} with {}",
            epoch.index,
            renditions.join(", ")
        );
        self.shared.hub.epoch(messages::epoch(epoch));
        // Segments before the one at hand are stored: a continued epoch begins where the listing ended.
        let first_seq = first_seq.max(self.next_seq);
        self.uploads.push(Job::Epoch {
            index: epoch.index,
            first_seq,
            renditions,
            objects,
        });
    }

    pub(super) fn publish(&mut self, epoch: &Presentation, made: Made) {
        let generation = self.shared.assignment.generation;
        match made {
            Made::Boundary { seq, at_90k } => self.uploads.push(Job::Boundary { seq, at_90k }),
            Made::Line(i, LineMade::Part(part)) => {
                self.stills.part(epoch, i, &part);
                self.recent.share(epoch.renditions[i].kind, &part.data, &part.units);
                let rendition = epoch.renditions[i].name.clone();
                if part.arrival_us > 0 {
                    let delay_us = self.tools.clock.unix_us() - part.arrival_us;
                    metrics::histogram!("worker_part_delay_seconds").record(delay_us as f64 * 1e-6);
                    self.shared.health.part(delay_us / 1_000);
                }
                metrics::counter!("worker_parts_total").increment(1);
                self.playable.made(false, self.latency, &self.shared, &self.tools);
                self.shared.hub.part(proto::Part {
                    rendition,
                    seq: part.seq,
                    index: part.index,
                    generation,
                    decode_time: part.decode_time,
                    duration: part.duration,
                    independent: part.independent,
                    data: part.data,
                    arrival_us: part.arrival_us,
                    durable_seq: 0,
                });
            }
            Made::Line(i, LineMade::Segment(segment)) => {
                let assignment = &self.shared.assignment;
                let rendition = &epoch.renditions[i];
                let name = key::SegmentName {
                    seq: segment.seq,
                    generation,
                    decode_time: segment.decode_time,
                    duration: segment.duration,
                };
                let prefix = key::prefix(&assignment.tenant_id, &assignment.broadcast_id);
                let key = format!(
                    "{prefix}{}",
                    key::Key::Segment {
                        rendition: &rendition.name,
                        name
                    }
                );
                metrics::counter!("worker_segments_total").increment(1);
                let message = proto::Segment {
                    rendition: rendition.name.clone(),
                    seq: segment.seq,
                    generation,
                    decode_time: segment.decode_time,
                    duration: segment.duration,
                    size_bytes: size(&segment.body),
                    parts: segment.body.len() as u32,
                    data: bytes::Bytes::new(),
                    durable_seq: 0,
                };
                self.playable.made(true, self.latency, &self.shared, &self.tools);
                self.shared.hub.segment(message, rendition.timescale);
                self.uploads.push(Job::Segment {
                    epoch: epoch.index,
                    rendition: rendition.name.clone(),
                    seq: segment.seq,
                    key,
                    body: segment.body,
                });
            }
        }
    }
}
