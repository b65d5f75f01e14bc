//! The manifest.

use std::fmt::Write;

use super::timeline::{Span, Timeline};
use crate::hls::text;
use crate::segmenter::LatencyMode;
use crate::time::{MediaTime, Round, Timescale};
use crate::window::{Epoch, Kind, Rendition, Track, View, Window};

/// Latency that players of the low latency mode aim for, milliseconds: target, least, most.
const LATENCY_MS: (u32, u32, u32) = (3_000, 1_500, 6_000);
/// Delay behind the live edge that other players choose, target segment durations.
const DELAY_SEGMENTS: i64 = 3;

/// Which manifest is wanted of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestOptions<'a> {
    /// Put before `{rendition}/…`: `{broadcast}/` for the public manifest, nothing for the stored one.
    pub base: &'a str,
    /// Where players read the time: an address that answers like `2026-01-01T00:00:00.123Z`.
    pub time_url: &'a str,
    /// Milliseconds of finished segments to list; `None` lists everything.
    pub keep_ms: Option<i64>,
    /// Names the objects beside which the manifest is stored, not what an origin serves.
    pub objects: bool,
}

/// Renders the manifest: dynamic while the broadcast runs, static once it has ended. `None` while there is nothing
/// to list, and in the first moments until every rendition has media.
pub fn manifest(window: &Window, options: &ManifestOptions<'_>) -> Option<String> {
    let view = window.view(options.keep_ms)?;
    let first = window.epochs().first()?;
    // Everything counts from the start of the broadcast timeline, which never moves.
    let zero_ms = first.wallclock_ms_at(MediaTime::ZERO);
    let page = Page {
        window,
        options,
        view: &view,
        zero_ms,
    };
    let periods = page.periods();
    let end_90k = periods.iter().map(|p| p.end_90k).max()?;
    let mut out = String::with_capacity(2_048 + periods.len() * 512 + view.slots.len() * 96);
    page.open(&mut out, &periods, end_90k);
    for (i, period) in periods.iter().enumerate() {
        page.period(&mut out, period, i + 1 == periods.len());
    }
    if !window.ended() {
        page.utc_timing(&mut out);
    }
    out.push_str("</MPD>\n");
    Some(out)
}

struct Page<'a> {
    window: &'a Window,
    options: &'a ManifestOptions<'a>,
    view: &'a View,
    /// Unix milliseconds of the broadcast timeline's zero.
    zero_ms: i64,
}

/// Whether [`manifest`] has something to list, at less cost.
pub fn is_playable(window: &Window) -> bool {
    window.view(Some(1)).is_some() && (window.epochs().len() > 1 || !is_beginning(window))
}

/// Whether some rendition that keeps up is between two segments: one is finished, and nothing is known of the next. A
/// reader that comes just then and has read all that is listed, as FFmpeg's does at the live edge, counts past the end of
/// the list and loses its place. The moment lasts for as long as a part.
pub fn is_between(window: &Window) -> bool {
    let Some(epoch) = window.epoch().filter(|_| !window.ended()) else {
        return false;
    };
    let tracks = epoch.renditions.iter().filter_map(|r| window.track(&r.name));
    let finished = |track: &Track| track.last_seq().filter(|seq| *seq >= epoch.first_seq);
    let Some(newest) = tracks.clone().filter_map(finished).max() else {
        return false;
    };
    // One that is further behind may have been left out for good.
    let keeps_up = |track: &Track| finished(track).is_some_and(|seq| seq + 1 >= newest);
    tracks
        .into_iter()
        .any(|track| keeps_up(track) && track.open().is_none())
}

/// Whether the newest period has yet to be listed: many players take only the representations that it has when they
/// first see it, and some take a period in which others appear for a broken one.
fn is_beginning(window: &Window) -> bool {
    let low_latency = window.settings().latency == LatencyMode::Low;
    let first_seq = window.epoch().map_or(0, |epoch| epoch.first_seq);
    window.is_beginning(|track| {
        let open = track.open().filter(|_| low_latency).map(|open| open.seq);
        track.last_seq().max(open).is_some_and(|seq| seq >= first_seq)
    })
}

struct Period<'a> {
    epoch: &'a Epoch,
    /// First number of the epoch that follows.
    before: u64,
    timelines: Vec<(&'a Rendition, Timeline)>,
    end_90k: i64,
}

impl<'a> Page<'a> {
    fn low_latency(&self) -> bool {
        self.window.settings().latency == LatencyMode::Low && !self.window.ended()
    }

    fn periods(&self) -> Vec<Period<'a>> {
        let epochs = self.window.epochs();
        let next = epochs.iter().skip(1).map(|e| e.first_seq).chain([u64::MAX]);
        let latency = self.window.settings().latency;
        let period = |(epoch, before): (&'a Epoch, u64)| {
            let span = Span {
                window: self.window,
                view: self.view,
                epoch,
                before,
                open_90k: (!self.window.ended()).then(|| latency.segment_target_90k()),
                dense: !self.options.objects,
            };
            let timelines: Vec<_> = epoch
                .renditions
                .iter()
                .filter_map(|r| Some((r, Timeline::of(&span, r, self.window.track(&r.name)?))))
                .filter(|(_, timeline)| !timeline.runs.is_empty())
                .collect();
            let end_90k = timelines.iter().map(|(r, t)| t.end_90k(r.scale())).max()?;
            Some(Period {
                epoch,
                before,
                timelines,
                end_90k,
            })
        };
        let listed = epochs.len() - usize::from(is_beginning(self.window));
        epochs.iter().zip(next).take(listed).filter_map(period).collect()
    }

    fn open(&self, out: &mut String, periods: &[Period<'_>], end_90k: i64) {
        let latency = self.window.settings().latency;
        let target_90k = latency.segment_target_90k();
        let profile = if self.options.objects {
            "isoff-main:2011"
        } else {
            "isoff-live:2011"
        };
        out.push_str(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"",
        );
        let _ = write!(out, "urn:mpeg:dash:profile:{profile},urn:mpeg:dash:profile:cmaf:2019\"");
        if self.window.ended() {
            attribute(out, "type", |out| out.push_str("static"));
            attribute(out, "mediaPresentationDuration", |out| duration(out, end_90k));
        } else {
            attribute(out, "type", |out| out.push_str("dynamic"));
            attribute(out, "availabilityStartTime", |out| text::date(out, self.zero_ms));
            let newest = periods.last().map_or(self.zero_ms, |p| {
                let listed = |seq: u64| seq < p.before;
                let edge = self.view.slots.iter().rev().find(|slot| listed(slot.seq));
                p.epoch.wallclock_ms_at(edge.map_or(MediaTime::ZERO, |slot| slot.end))
            });
            attribute(out, "publishTime", |out| text::date(out, newest));
            // Low latency players must learn of each segment as it starts.
            let update_90k = if self.low_latency() { target_90k / 2 } else { target_90k };
            attribute(out, "minimumUpdatePeriod", |out| duration(out, update_90k));
            if let Some(keep_ms) = self.options.keep_ms {
                attribute(out, "timeShiftBufferDepth", |out| {
                    duration(out, keep_ms.saturating_mul(90))
                });
            }
            let delay = if self.low_latency() {
                i64::from(LATENCY_MS.0) * 90
            } else {
                target_90k * DELAY_SEGMENTS
            };
            attribute(out, "suggestedPresentationDelay", |out| duration(out, delay));
        }
        attribute(out, "maxSegmentDuration", |out| {
            duration(out, latency.segment_max_90k())
        });
        attribute(out, "minBufferTime", |out| duration(out, target_90k / 2));
        out.push_str(">\n");
        if self.low_latency() {
            let (target, min, max) = LATENCY_MS;
            let _ = writeln!(
                out,
                "<ServiceDescription id=\"0\"><Latency target=\"{target}\" min=\"{min}\" max=\"{max}\" \
                 referenceId=\"0\"/><PlaybackRate min=\"0.96\" max=\"1.04\"/></ServiceDescription>"
            );
        }
    }

    fn period(&self, out: &mut String, period: &Period<'_>, last: bool) {
        let epoch = period.epoch;
        let _ = write!(out, "<Period id=\"p{}\"", epoch.first_seq);
        attribute(out, "start", |out| duration(out, epoch.start_90k));
        // A period that is over says where its media ends: the next may start later.
        if !last || self.window.ended() {
            attribute(out, "duration", |out| {
                duration(out, period.end_90k.saturating_sub(epoch.start_90k))
            });
        }
        out.push_str(">\n");
        for (id, kind) in [(1, Kind::Video), (2, Kind::Audio)] {
            let mut of_kind = period.timelines.iter().filter(|(r, _)| r.kind == kind).peekable();
            if of_kind.peek().is_some() {
                self.adaptation_set(out, id, kind, epoch, of_kind);
            }
        }
        out.push_str("</Period>\n");
    }

    fn adaptation_set<'b>(
        &self,
        out: &mut String,
        id: u32,
        kind: Kind,
        epoch: &Epoch,
        renditions: impl Iterator<Item = &'b (&'b Rendition, Timeline)>,
    ) {
        let renditions: Vec<_> = renditions.collect();
        let _ = write!(
            out,
            "<AdaptationSet id=\"{id}\" contentType=\"{0}\" mimeType=\"{0}/mp4\" segmentAlignment=\"true\" \
             startWithSAP=\"1\"",
            kind.as_str()
        );
        if let Some((first, _)) = renditions.first()
            && !first.language.is_empty()
        {
            attribute(out, "lang", |out| escaped(out, &first.language));
        }
        if kind == Kind::Video {
            let most = |of: fn(&Rendition) -> u32| renditions.iter().map(|(r, _)| of(r)).max().unwrap_or(0);
            let _ = write!(
                out,
                " maxWidth=\"{}\" maxHeight=\"{}\"",
                most(|r| r.width),
                most(|r| r.height)
            );
        }
        out.push_str(">\n");
        if self.low_latency() {
            let scale = renditions.first().map_or(Timescale::VIDEO, |(r, _)| r.scale());
            let start = MediaTime::video(epoch.start_90k).to(scale, Round::Nearest).ticks;
            out.push_str("<ProducerReferenceTime id=\"0\" inband=\"true\" type=\"encoder\"");
            attribute(out, "wallClockTime", |out| text::date(out, epoch.wallclock_ms));
            let _ = write!(out, " presentationTime=\"{start}\">");
            self.utc_timing(out);
            out.push_str("</ProducerReferenceTime>\n");
        }
        out.push_str("<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/>\n");
        for (rendition, timeline) in renditions {
            self.representation(out, epoch, rendition, timeline);
        }
        out.push_str("</AdaptationSet>\n");
    }

    fn representation(&self, out: &mut String, epoch: &Epoch, rendition: &Rendition, timeline: &Timeline) {
        out.push_str("<Representation");
        attribute(out, "id", |out| escaped(out, &rendition.name));
        attribute(out, "codecs", |out| escaped(out, &rendition.codecs));
        let _ = write!(out, " bandwidth=\"{}\"", rendition.bandwidth_bps.max(1));
        match rendition.kind {
            Kind::Video => {
                let _ = write!(out, " width=\"{}\" height=\"{}\"", rendition.width, rendition.height);
                if rendition.fps_milli > 0 {
                    attribute(out, "frameRate", |out| frame_rate(out, rendition.fps_milli));
                }
                if rendition.sar_num > 0 && rendition.sar_den > 0 {
                    let _ = write!(out, " sar=\"{}:{}\"", rendition.sar_num, rendition.sar_den);
                }
                out.push('>');
            }
            Kind::Audio => {
                let _ = write!(out, " audioSamplingRate=\"{}\">", rendition.sample_rate);
                if rendition.channels > 0 {
                    let _ = write!(
                        out,
                        "<AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:\
                         audio_channel_configuration:2011\" value=\"{}\"/>",
                        rendition.channels
                    );
                }
            }
        }
        let offset = MediaTime::video(epoch.start_90k)
            .to(rendition.scale(), Round::Nearest)
            .ticks;
        let common = |out: &mut String| {
            let _ = write!(
                out,
                " timescale=\"{}\" presentationTimeOffset=\"{offset}\"",
                rendition.scale().get()
            );
        };
        let init = |out: &mut String, rendition: &str| {
            escaped(out, self.options.base);
            let _ = write!(out, "{rendition}/init-{}.mp4", epoch.first_seq);
        };
        if self.options.objects {
            out.push_str("<SegmentList");
            common(out);
            out.push_str("><Initialization");
            attribute(out, "sourceURL", |out| init(out, &rendition.name));
            out.push_str("/>");
            timeline.write(out);
            for object in &timeline.objects {
                out.push_str("<SegmentURL");
                attribute(out, "media", |out| {
                    escaped(out, self.options.base);
                    let _ = write!(out, "{}/{object}", rendition.name);
                });
                out.push_str("/>");
            }
            out.push_str("</SegmentList></Representation>\n");
            return;
        }
        out.push_str("<SegmentTemplate");
        common(out);
        if self.low_latency() {
            let latency = self.window.settings().latency;
            let ahead = latency.segment_target_90k() / 90 - i64::from(latency.part_target_ms());
            attribute(out, "availabilityTimeOffset", |out| {
                text::millis(out, u64::try_from(ahead).unwrap_or(0))
            });
            out.push_str(" availabilityTimeComplete=\"false\"");
        }
        attribute(out, "initialization", |out| init(out, "$RepresentationID$"));
        attribute(out, "media", |out| {
            escaped(out, self.options.base);
            out.push_str("$RepresentationID$/t$Time$.m4s");
        });
        out.push('>');
        timeline.write(out);
        out.push_str("</SegmentTemplate></Representation>\n");
    }

    fn utc_timing(&self, out: &mut String) {
        out.push_str("<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\"");
        attribute(out, "value", |out| escaped(out, self.options.time_url));
        out.push_str("/>");
    }
}

fn attribute(out: &mut String, name: &str, value: impl FnOnce(&mut String)) {
    let _ = write!(out, " {name}=\"");
    value(out);
    out.push('"');
}

/// `PT2S`, `PT1.65S`: ticks of 1/90000 s, to the microsecond.
fn duration(out: &mut String, ticks_90k: i64) {
    let us = u64::try_from(ticks_90k).unwrap_or(0) as u128 * 100 / 9;
    out.push_str("PT");
    text::int(out, u64::try_from(us / 1_000_000).unwrap_or(u64::MAX));
    let (mut rest, mut width) = ((us % 1_000_000) as u64, 6);
    if rest > 0 {
        while rest % 10 == 0 {
            rest /= 10;
            width -= 1;
        }
        out.push('.');
        text::padded(out, rest, width);
    }
    out.push('S');
}

/// Whole rates as they are, NTSC's by 1001, others by 1000.
fn frame_rate(out: &mut String, fps_milli: u32) {
    let whole = fps_milli.div_ceil(1_000);
    let ntsc = (u64::from(whole) * 1_000_000 + 500) / 1_001;
    _ = match fps_milli {
        rate if rate % 1_000 == 0 => write!(out, "{whole}"),
        rate if ntsc == u64::from(rate) || ntsc == u64::from(rate) + 1 => write!(out, "{}/1001", whole * 1_000),
        rate => write!(out, "{rate}/1000"),
    };
}

fn escaped(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
}
