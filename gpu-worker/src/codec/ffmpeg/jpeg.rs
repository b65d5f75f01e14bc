//! JPEG pictures of decoded frames, by swscale and libavcodec's MJPEG encoder.
//!
//! JFIF wants full range and the matrix of BT.601 (ITU-T T.871 §7), which swscale makes on the way through RGB alone: from one
//! kind of YUV to another it keeps the matrix.

use std::ptr::{self, NonNull};

use bytes::Bytes;
use ffmpeg_sys_next as ffi;

use super::AvError;
use super::context::Context;
use super::frame::AvFrame;
use crate::codec::{CodecError, Frame};

const CODEC: &str = "the JPEG encoder";
/// `SWS_AREA`: pictures become smaller here, and every pixel of the source counts.
const SCALER_FLAGS: i32 = 0x20;
/// `SWS_CS_ITU709`; the other is `SWS_CS_ITU601`.
const BT709: i32 = 1;
/// See [`BT709`].
const BT601: i32 = 5;
/// From this height on a source that names no matrix means BT.709.
const HD_HEIGHT: i32 = 720;
/// Of 1 (best) to 31: 40 kB at 640 x 360 of a busy picture.
const QUALITY: i32 = 5;
/// `FF_QP2LAMBDA`
const LAMBDA: i32 = 118;
/// Pixels of the longer side at most, whatever the shape of the source.
const HEIGHT_MAX: i64 = 2_560;
/// A picture shows something when its brightness, of 255, is above the first on average and spreads by more than the second.
const SHOWS: (f64, f64) = (18.0, 6.0);

/// A picture.
#[derive(Clone, Debug)]
pub(crate) struct Jpeg {
    pub width: u32,
    pub height: u32,
    pub data: Bytes,
}

/// Pictures of `frame` in each of `widths` that it is not narrower than, or in its own where it is narrower than all; pixels
/// become square. The second: it shows something, and is not black or of one colour.
pub(crate) fn pictures(frame: &Frame, widths: &[u32]) -> Result<(Vec<Jpeg>, bool), CodecError> {
    let source = frame.picture.host(CODEC)?.frame();
    let failed = |source| CodecError::Failed {
        codec: CODEC,
        pts: frame.pts,
        source,
    };
    let mut shows = false;
    let mut made = Vec::new();
    for (width, height) in sizes(source.fields(), widths) {
        let picture = full_range(source, width, height).map_err(failed)?;
        // The widest comes first.
        if made.is_empty() {
            shows = shows_something(&picture);
        }
        let data = encode(&picture).map_err(failed)?;
        let (width, height) = (width as u32, height as u32);
        made.push(Jpeg { width, height, data });
    }
    Ok((made, shows))
}

/// The widest first.
fn sizes(source: &ffi::AVFrame, widths: &[u32]) -> Vec<(i32, i32)> {
    let (num, den) = match source.sample_aspect_ratio {
        ffi::AVRational { num, den } if num > 0 && den > 0 => (i64::from(num), i64::from(den)),
        _ => (1, 1),
    };
    let height = i64::from(source.height).max(1);
    let own = (i64::from(source.width) * num / den).clamp(2, 8_192);
    let mut fitting: Vec<i64> = widths
        .iter()
        .map(|width| i64::from(*width))
        .filter(|width| *width <= own)
        .collect();
    if fitting.is_empty() {
        fitting.push(own);
    }
    fitting.sort_unstable_by_key(|width| std::cmp::Reverse(*width));
    let even = |value: i64| ((value + 1) & !1).clamp(2, HEIGHT_MAX) as i32;
    fitting
        .into_iter()
        .map(|width| (even(width), even(width * height / own)))
        .collect()
}

/// `source` as yuvj420p of this size, with the matrix of JFIF.
fn full_range(source: &AvFrame, width: i32, height: i32) -> Result<AvFrame, AvError> {
    let fields = source.fields();
    let is_full = fields.color_range == ffi::AVColorRange::AVCOL_RANGE_JPEG
        || fields.format == ffi::AVPixelFormat::AV_PIX_FMT_YUVJ420P as i32;
    let matrix = match fields.colorspace {
        ffi::AVColorSpace::AVCOL_SPC_UNSPECIFIED if fields.height >= HD_HEIGHT => BT709,
        named => named as i32,
    };
    let rgb = ffi::AVPixelFormat::AV_PIX_FMT_RGB24;
    let rgb = convert(source, (width, height), rgb, (matrix, is_full), (BT601, true))?;
    let yuv = ffi::AVPixelFormat::AV_PIX_FMT_YUVJ420P;
    let mut out = convert(&rgb, (width, height), yuv, (BT601, true), (BT601, true))?;
    out.fields_mut().color_range = ffi::AVColorRange::AVCOL_RANGE_JPEG;
    Ok(out)
}

/// A scaling context that frees itself.
struct Scaling(NonNull<ffi::SwsContext>);

impl Drop for Scaling {
    fn drop(&mut self) {
        // SAFETY: owned by `self` alone and not used again.
        unsafe { ffi::sws_freeContext(self.0.as_ptr()) };
    }
}

/// Another frame of this size and format; matrix and range are those of the source (`from`) and of the outcome (`to`).
fn convert(
    source: &AvFrame,
    (width, height): (i32, i32),
    format: ffi::AVPixelFormat,
    from: (i32, bool),
    to: (i32, bool),
) -> Result<AvFrame, AvError> {
    let fields = source.fields();
    let mut out = AvFrame::new()?;
    // SAFETY: the source's format comes from a decoded frame or from a call of this function, so it is a value of the
    // enumeration; the library refuses what it cannot read by returning null.
    let context = unsafe {
        let source_format = std::mem::transmute::<i32, ffi::AVPixelFormat>(fields.format);
        ffi::sws_getContext(
            fields.width,
            fields.height,
            source_format,
            width,
            height,
            format,
            SCALER_FLAGS,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null(),
        )
    };
    let context = Scaling(NonNull::new(context).ok_or(AvError(-libc::EINVAL))?);
    // SAFETY: the coefficient tables are static. The output owns buffers for its size and format before its planes are
    // written; source planes and strides belong to a frame of exactly the size and format that the context was made for.
    unsafe {
        ffi::sws_setColorspaceDetails(
            context.0.as_ptr(),
            ffi::sws_getCoefficients(from.0),
            i32::from(from.1),
            ffi::sws_getCoefficients(to.0),
            i32::from(to.1),
            0,
            1 << 16,
            1 << 16,
        );
        let fields_out = out.fields_mut();
        (fields_out.width, fields_out.height, fields_out.format) = (width, height, format as i32);
        AvError::check(ffi::av_frame_get_buffer(out.as_mut_ptr(), 0))?;
        let fields_out = out.fields_mut();
        AvError::check(ffi::sws_scale(
            context.0.as_ptr(),
            fields.data.as_ptr().cast(),
            fields.linesize.as_ptr(),
            0,
            fields.height,
            fields_out.data.as_ptr(),
            fields_out.linesize.as_ptr(),
        ))?;
    }
    Ok(out)
}

fn encode(picture: &AvFrame) -> Result<Bytes, AvError> {
    let codec = Context::encoder("mjpeg").ok_or(AvError(ffi::AVERROR_ENCODER_NOT_FOUND))?;
    let mut context = Context::new(codec)?;
    let fields = context.fields();
    (fields.width, fields.height) = (picture.fields().width, picture.fields().height);
    fields.pix_fmt = ffi::AVPixelFormat::AV_PIX_FMT_YUVJ420P;
    fields.color_range = ffi::AVColorRange::AVCOL_RANGE_JPEG;
    fields.time_base = ffi::AVRational { num: 1, den: 25 };
    fields.flags |= ffi::AV_CODEC_FLAG_QSCALE as i32;
    fields.global_quality = QUALITY * LAMBDA;
    fields.thread_count = 1;
    context.open(&[])?;
    let mut picture = picture.share()?;
    (picture.fields_mut().pts, picture.fields_mut().quality) = (0, QUALITY * LAMBDA);
    context.send_frame(Some(&picture))?;
    context.send_frame(None)?;
    let data = context.receive_unit(|data, _, _| Bytes::copy_from_slice(data))?;
    data.ok_or(AvError(ffi::AVERROR_INVALIDDATA))
}

/// Whether a picture is more than black, or than one colour.
fn shows_something(picture: &AvFrame) -> bool {
    let fields = picture.fields();
    let (width, height) = (fields.width.max(0) as usize, fields.height.max(0) as usize);
    let stride = fields.linesize[0].max(0) as usize;
    let (mut sum, mut squares) = (0_u64, 0_u64);
    for row in 0..height {
        // SAFETY: the luma plane has `height` rows of at least `width` bytes, `linesize` apart, in buffers that the frame owns.
        let row = unsafe { std::slice::from_raw_parts(fields.data[0].add(row * stride), width) };
        for value in row {
            let value = u64::from(*value);
            sum += value;
            squares += value * value;
        }
    }
    let pixels = (width * height).max(1) as f64;
    let mean = sum as f64 / pixels;
    let spread = (squares as f64 / pixels - mean * mean).max(0.0).sqrt();
    mean > SHOWS.0 && spread > SHOWS.1
}
