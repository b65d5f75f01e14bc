//! H.264 encoding by libx264, through libavcodec.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use ffmpeg_sys_next as ffi;
use headwater_media::codec::h264::{self, level_for, nal::by_start_code};

use super::context::Context;
use crate::codec::{CodecError, Delay, Encoder, Frame, Unit, VideoSettings};

const CODEC: &str = "libx264";
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_AUD: u8 = 9;
const NAL_FILLER: u8 = 12;

/// Pictures that the encoder may hold back before something is badly wrong with it.
const HELD_FRAMES_MAX: usize = 512;

/// An open x264. IDR pictures come where they are asked for and nowhere else.
pub(super) struct X264 {
    context: Context,
    record: Bytes,
    times: DecodeTimes,
}

impl X264 {
    pub(super) fn open(settings: &VideoSettings) -> Result<Self, CodecError> {
        let codec = Context::encoder("libx264").ok_or(CodecError::Missing(CODEC))?;
        let open = |source| CodecError::Open {
            codec: CODEC,
            what: format!("{settings:?}"),
            source,
        };
        let mut context = Context::new(codec).map_err(open)?;
        let peak_bps = peak_bps(settings.bitrate_bps);
        let rate = (settings.fps_milli.max(1), 1_000);
        let level = level_for(settings.width, settings.height, rate, u64::from(peak_bps), true);
        let fields = context.fields();
        fields.width = settings.width as i32;
        fields.height = settings.height as i32;
        fields.pix_fmt = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P;
        fields.time_base = ffi::AVRational { num: 1, den: 90_000 };
        fields.framerate = ffi::AVRational {
            num: settings.fps_milli.max(1) as i32,
            den: 1_000,
        };
        fields.sample_aspect_ratio = ffi::AVRational { num: 1, den: 1 };
        fields.color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
        // SAFETY: x264's own table of code points is the one of the enumerations; `code_point` keeps to defined values.
        unsafe {
            fields.color_primaries =
                std::mem::transmute::<u32, ffi::AVColorPrimaries>(code_point(settings.colour.primaries, 12));
            fields.color_trc = std::mem::transmute::<u32, ffi::AVColorTransferCharacteristic>(code_point(
                settings.colour.transfer,
                18,
            ));
            fields.colorspace = std::mem::transmute::<u32, ffi::AVColorSpace>(code_point(settings.colour.matrix, 10));
        }
        fields.bit_rate = i64::from(settings.bitrate_bps);
        fields.rc_max_rate = i64::from(peak_bps);
        fields.rc_buffer_size = settings.bitrate_bps as i32;
        fields.level = i32::from(level);
        fields.thread_count = settings.threads.max(1) as i32;
        fields.flags |= (ffi::AV_CODEC_FLAG_GLOBAL_HEADER | ffi::AV_CODEC_FLAG_CLOSED_GOP) as i32;
        let params = params(settings);
        context
            .open(&[
                ("preset", &settings.preset),
                ("profile", "high"),
                ("forced-idr", "1"),
                ("x264-params", &params),
            ])
            .map_err(open)?;
        let record = record(context.extradata()).ok_or(CodecError::NoParameterSets(CODEC))?;
        let nominal = 90_000_000 / i64::from(settings.fps_milli.max(1));
        let times = DecodeTimes::new(context.reorder(), nominal);
        Ok(Self { context, record, times })
    }

    fn drain(&mut self, pts: i64) -> Result<Vec<Unit>, CodecError> {
        let mut units = Vec::new();
        loop {
            let unit = self
                .context
                .receive_unit(|data, pts, key| (to_lengths(data), pts, key))
                .map_err(|source| CodecError::Failed {
                    codec: CODEC,
                    pts,
                    source,
                })?;
            let Some((data, pts, key)) = unit else { return Ok(units) };
            let (dts, duration) = self.times.next().unwrap_or((pts, None));
            units.push(Unit {
                dts,
                pts,
                duration,
                key,
                data,
            });
        }
    }
}

/// Decode times of the units that come out, from the presentation times of the frames that went in: unit `n` decodes
/// when frame `n - reorder` is shown, so that nothing is shown before it is decoded. The first units keep the distance
/// that the others will have.
struct DecodeTimes {
    reorder: usize,
    /// Ticks of one frame at the nominal rate, for a run shorter than the reordering.
    nominal: i64,
    /// Presentation times, from that of frame `out - reorder` (or of frame 0) on.
    shown: VecDeque<i64>,
    /// Units that have come out.
    out: usize,
    /// Frames that went in.
    taken: usize,
}

impl DecodeTimes {
    fn new(reorder: usize, nominal: i64) -> Self {
        Self {
            reorder,
            nominal,
            shown: VecDeque::new(),
            out: 0,
            taken: 0,
        }
    }

    fn push(&mut self, pts: i64) {
        self.shown.push_back(pts);
        self.taken += 1;
    }

    /// Frames whose unit has not come out.
    fn held(&self) -> usize {
        self.taken.saturating_sub(self.out)
    }

    fn newest(&self) -> i64 {
        self.shown.back().copied().unwrap_or(0)
    }

    /// Decode time of unit `n`, not before the next one that comes out; `None` where its frame has not come.
    fn of(&self, n: usize) -> Option<i64> {
        let first = self.out.saturating_sub(self.reorder);
        match n.checked_sub(self.reorder) {
            Some(frame) => self.shown.get(frame - first).copied(),
            None => {
                let start = *self.shown.front()?;
                let lead = match self.shown.get(self.reorder) {
                    Some(at) => at - start,
                    None => self.nominal * self.reorder as i64,
                };
                Some(self.shown.get(n)? - lead)
            }
        }
    }

    /// Decode time of the next unit, and the time to the one after it, where that is known.
    fn next(&mut self) -> Option<(i64, Option<u32>)> {
        let dts = self.of(self.out)?;
        let following = self.of(self.out + 1).filter(|_| self.out + 1 < self.taken);
        let duration = following.and_then(|next| u32::try_from(next - dts).ok());
        self.out += 1;
        if self.out > self.reorder {
            self.shown.pop_front();
        }
        Some((dts, duration))
    }
}

/// The `avcC` of the parameter sets that the encoder wrote as a byte stream.
fn record(extradata: &[u8]) -> Option<Bytes> {
    let of = |kind| -> Vec<Bytes> {
        let nals = by_start_code(extradata).map(|range| &extradata[range]);
        nals.filter(|nal| nal[0] & 0x1f == kind)
            .map(Bytes::copy_from_slice)
            .collect()
    };
    let config = h264::Config::from_parameter_sets(&of(NAL_SPS), &of(NAL_PPS)).ok()?;
    Some(config.record().clone())
}

/// A picture with 4-byte lengths; parameter sets, delimiters and filler left out.
fn to_lengths(stream: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(stream.len() + 16);
    for nal in by_start_code(stream).map(|range| &stream[range]) {
        if matches!(nal[0] & 0x1f, NAL_SPS | NAL_PPS | NAL_AUD | NAL_FILLER) {
            continue;
        }
        out.put_u32(nal.len() as u32);
        out.put_slice(nal);
    }
    out.freeze()
}

/// The peak that a rung of this average may reach.
fn peak_bps(bitrate_bps: u32) -> u32 {
    bitrate_bps.saturating_add(bitrate_bps / 10)
}

/// What differs from the preset. `stitchable` keeps parameter sets a function of the settings alone, so that
/// another worker's segments decode with the same init segment.
fn params(settings: &VideoSettings) -> String {
    let delay = match settings.delay {
        Delay::Low => "bframes=0:rc-lookahead=10",
        Delay::Standard => "bframes=2:rc-lookahead=20",
    };
    // Lookahead in a thread of its own holds more pictures and saves no work; with one thread it runs inline.
    let lookahead = if settings.threads <= 1 {
        ":sync-lookahead=0:lookahead-threads=1"
    } else {
        ""
    };
    format!("keyint=infinite:min-keyint=1:scenecut=0:open-gop=0:repeat-headers=0:stitchable=1:{delay}{lookahead}")
}

/// A code point within the enumeration, else 2 (unspecified). 0 and 3 are reserved.
fn code_point(value: u8, max: u8) -> u32 {
    if value == 0 || value == 3 || value > max {
        2
    } else {
        u32::from(value)
    }
}

impl Encoder for X264 {
    fn encode(&mut self, frame: &Frame, key: bool) -> Result<Vec<Unit>, CodecError> {
        let picture = frame.picture.host(CODEC)?;
        let failed = |source| CodecError::Failed {
            codec: CODEC,
            pts: frame.pts,
            source,
        };
        if self.times.held() >= HELD_FRAMES_MAX {
            return Err(failed(super::AvError::NO_MEMORY));
        }
        let mut shown = picture.frame().share().map_err(failed)?;
        let fields = shown.fields_mut();
        fields.pts = frame.pts;
        // The decoder left its own picture type here; the encoder would take it for an order.
        fields.pict_type = if key {
            ffi::AVPictureType::AV_PICTURE_TYPE_I
        } else {
            ffi::AVPictureType::AV_PICTURE_TYPE_NONE
        };
        self.times.push(frame.pts);
        self.context.send_frame(Some(&shown)).map_err(failed)?;
        self.drain(frame.pts)
    }

    fn finish(&mut self) -> Result<Vec<Unit>, CodecError> {
        let pts = self.times.newest();
        match self.context.send_frame(None) {
            Ok(()) => self.drain(pts),
            Err(e) if e.is_end() => Ok(Vec::new()),
            Err(source) => Err(CodecError::Failed {
                codec: CODEC,
                pts,
                source,
            }),
        }
    }

    fn record(&self) -> Bytes {
        self.record.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_leads_by_the_reordering_whatever_the_distances() {
        for (reorder, shown, want) in [
            (0, vec![0, 10, 20, 50], vec![0, 10, 20, 50]),
            (2, vec![0, 10, 20, 30, 40], vec![-20, -10, 0, 10, 20]),
            (2, vec![100, 110, 120, 520, 530, 540], vec![80, 90, 100, 110, 120, 520]),
            (2, vec![7, 10], vec![-13, -10]),
        ] {
            let mut times = DecodeTimes::new(reorder, 10);
            shown.iter().for_each(|pts| times.push(*pts));
            let got: Vec<_> = std::iter::from_fn(|| (times.held() > 0).then(|| times.next()).flatten()).collect();
            let dts: Vec<i64> = got.iter().map(|(dts, _)| *dts).collect();
            assert_eq!(dts, want, "{shown:?}");
            for (pair, (_, duration)) in dts.windows(2).zip(&got) {
                assert_eq!(*duration, Some((pair[1] - pair[0]) as u32));
            }
            assert_eq!(got.last().and_then(|(_, duration)| *duration), None);
        }
    }
}
