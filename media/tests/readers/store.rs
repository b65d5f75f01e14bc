//! A source packaged into a folder that looks like a broadcast's prefix in the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use headwater_media::cmaf::{self, ChunkWriter};
use headwater_media::dash::{ManifestOptions, manifest};
use headwater_media::hls::{MediaOptions, MultivariantOptions, media_playlist, multivariant};
use headwater_media::segmenter::{Boundaries, Config, Cut, Event, LatencyMode, Mode, Segmenter};
use headwater_media::window::key::SegmentName;
use headwater_media::window::{Epoch, Kind, Rendition, Segment, Settings, Window};
use headwater_media::{MediaTime, Track, TrackId};

use super::source::Source;

pub struct Store {
    dir: PathBuf,
    inits: BTreeMap<&'static str, Bytes>,
    segments: BTreeMap<(u64, &'static str), Vec<u8>>,
}

/// One rendition on its way into the store.
struct Lane {
    name: &'static str,
    segmenter: Segmenter,
    writer: ChunkWriter,
    open: Vec<u8>,
}

impl Store {
    pub fn package(dir: &Path, source: &Source) -> Self {
        Self::package_from(dir, source, 0, 0)
    }

    /// Numbers from `first_seq`, times from `start_90k`.
    pub fn package_from(dir: &Path, source: &Source, first_seq: u64, start_90k: i64) -> Self {
        let latency = LatencyMode::Low;
        let lane = |name, track: &Track| {
            let kind = track.config.kind();
            let segmenter = Segmenter::new(kind, track.timescale, latency.part_target_ms());
            Lane {
                name,
                segmenter,
                writer: ChunkWriter::new(kind),
                open: Vec::new(),
            }
        };
        let mut lanes = [lane("source", &source.video), lane("audio", &source.audio)];
        let mut boundaries = Boundaries::new(
            Config {
                mode: Mode::Source,
                latency,
                epoch: 1,
            },
            first_seq,
        );
        let rendition = |name: &str, track: &Track, bandwidth_bps| Rendition {
            name: name.to_owned(),
            kind: Kind::from(track.config.kind()),
            timescale: track.timescale.get(),
            codecs: track.config.codec_string(),
            bandwidth_bps,
            average_bandwidth_bps: bandwidth_bps / 2,
            width: if track.id == TrackId::VIDEO { 320 } else { 0 },
            height: if track.id == TrackId::VIDEO { 180 } else { 0 },
            fps_milli: if track.id == TrackId::VIDEO { 30_000 } else { 0 },
            sample_rate: if track.id == TrackId::AUDIO { 48_000 } else { 0 },
            channels: if track.id == TrackId::AUDIO { 2 } else { 0 },
            language: String::new(),
            sar_num: 1,
            sar_den: 1,
            init: Bytes::new(),
        };
        let renditions = vec![
            rendition("source", &source.video, 1_000_000),
            rendition("audio", &source.audio, 128_000),
        ];
        let mut window = Window::new(Settings { latency });
        let epoch = Epoch {
            index: 0,
            first_seq,
            start_90k,
            wallclock_ms: 1_771_035_216_106,
            renditions,
        };
        window.apply_presentation(1, vec![epoch]).expect("the first");
        let mut this = Self {
            dir: dir.to_owned(),
            inits: BTreeMap::new(),
            segments: BTreeMap::new(),
        };
        for (name, track) in [("source", &source.video), ("audio", &source.audio)] {
            let init = cmaf::init_segment(track);
            this.write(&format!("{name}/init-{first_seq}.mp4"), &init);
            this.inits.insert(name, init);
        }
        for unit in &source.all {
            let mut unit = unit.clone();
            let shift = MediaTime::video(start_90k).ticks_in(unit.pts.scale);
            (unit.dts, unit.pts) = (unit.dts.plus(shift), unit.pts.plus(shift));
            let [video, audio] = &mut lanes;
            if unit.track == TrackId::VIDEO {
                boundaries.push(&unit);
                while let Some(event) = boundaries.poll() {
                    match event {
                        Event::Boundary { seq, at } => {
                            video.segmenter.boundary(seq, at).expect("in order");
                            audio.segmenter.boundary(seq, at).expect("in order");
                        }
                        Event::Watermark { at } => audio.segmenter.watermark(at),
                        Event::Unfit { cause, .. } => panic!("{cause:?}"),
                    }
                }
                video.segmenter.push(unit).expect("cut where told");
            } else {
                audio.segmenter.push(unit).expect("within limits");
            }
            lanes.iter_mut().for_each(|lane| this.take(lane, &mut window));
        }
        for lane in &mut lanes {
            lane.segmenter.finish(None);
            this.take(lane, &mut window);
        }
        window.finish();
        for name in ["source", "audio"] {
            let text = media_playlist(&window, name, &MediaOptions::STORED).expect("has segments");
            this.write(&format!("{name}/index.m3u8"), text.as_bytes());
        }
        let main = multivariant(
            &window,
            &MultivariantOptions {
                base: "",
                file: "index.m3u8",
                parts_suffice: false,
            },
        );
        this.write("main.m3u8", main.expect("has renditions").as_bytes());
        let options = ManifestOptions {
            base: "",
            time_url: "/time",
            keep_ms: None,
            objects: true,
        };
        this.write(
            "manifest.mpd",
            manifest(&window, &options).expect("has segments").as_bytes(),
        );
        this
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.join(relative)
    }

    /// Init segment and all segments of a rendition as one file.
    pub fn joined(&self, name: &str) -> PathBuf {
        let mut bytes = self.inits[name].to_vec();
        for ((_, rendition), segment) in &self.segments {
            if *rendition == name {
                bytes.extend(segment);
            }
        }
        let path = self.path(&format!("{name}.mp4"));
        std::fs::write(&path, bytes).expect("disk has room");
        path
    }

    fn take(&mut self, lane: &mut Lane, window: &mut Window) {
        while let Some(cut) = lane.segmenter.poll() {
            match cut {
                Cut::Part(part) => {
                    let ntp = cmaf::ntp_of_unix_us(1_771_035_216_106_000);
                    let chunk = lane.writer.write(&part, Some(ntp));
                    assert_eq!(cmaf::fragments(&chunk).expect("ours").len(), 1);
                    lane.open.extend(chunk);
                }
                Cut::Segment(s) => {
                    let bytes = std::mem::take(&mut lane.open);
                    let name = SegmentName {
                        seq: s.seq,
                        generation: 1,
                        decode_time: s.start,
                        duration: s.duration,
                    };
                    self.write(&format!("{}/{name}", lane.name), &bytes);
                    let segment = Segment {
                        seq: s.seq,
                        generation: 1,
                        decode_time: s.start,
                        duration: s.duration,
                        size_bytes: bytes.len() as u64,
                        parts: Vec::new(),
                    };
                    window.apply_segment(lane.name, segment).expect("known");
                    self.segments.insert((s.seq, lane.name), bytes);
                }
            }
        }
    }

    fn write(&self, relative: &str, bytes: &[u8]) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("disk has room");
    }
}

/// One MP4 of several epochs: merged init segment, then segments of both tracks in turn.
pub fn download(epochs: &[&Store]) -> Vec<u8> {
    let inits: Vec<&[u8]> = epochs
        .iter()
        .flat_map(|s| s.inits.values())
        .map(|init| init.as_ref())
        .collect();
    let merged = cmaf::merge_inits(&inits).expect("alike");
    let mut out = merged.init.to_vec();
    let mut next = merged.descriptions.iter();
    for store in epochs {
        let of: BTreeMap<_, _> = store.inits.keys().zip(next.by_ref()).collect();
        for ((_, name), segment) in &store.segments {
            let mut segment = segment.clone();
            cmaf::set_description(&mut segment, *of[name]).expect("ours");
            out.extend(segment);
        }
    }
    out
}
