//! Scaling by swscale, with black borders where the source has another shape.

use std::ptr::{self, NonNull};

use ffmpeg_sys_next as ffi;

use super::frame::{AvFrame, Pool};
use super::{AvError, Picture};
use crate::codec::{CodecError, Frame, Scaler};

const CODEC: &str = "the scaler";

/// `SWS_BICUBIC`; the flag is a plain constant in some versions of the library and an enumeration in others.
const SCALER_FLAGS: i32 = 4;

/// Scales to one size. The source's size and format may change from frame to frame.
pub(super) struct SwScaler {
    width: i32,
    height: i32,
    pool: Pool,
    plan: Option<Plan>,
}

/// What the library prepared for one kind of source.
struct Plan {
    source: Source,
    inner: Inner,
    context: NonNull<ffi::SwsContext>,
}

// SAFETY: a scaling context may be used from any one thread at a time; it is only reached through `&mut`.
unsafe impl Send for Plan {}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: owned by `self` alone and not used again.
        unsafe { ffi::sws_freeContext(self.context.as_ptr()) };
    }
}

/// What a source frame looks like.
#[derive(Clone, Copy, PartialEq)]
struct Source {
    width: i32,
    height: i32,
    format: i32,
    full_range: bool,
    matrix: i32,
    sar: (i32, i32),
}

/// Where the picture lies within the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Inner {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl SwScaler {
    pub(super) fn new(width: u32, height: u32) -> Result<Self, CodecError> {
        let memory = |_| CodecError::Memory { width, height };
        let (w, h) = (width as i32, height as i32);
        Ok(Self {
            width: w,
            height: h,
            pool: Pool::new(w, h).map_err(memory)?,
            plan: None,
        })
    }

    fn plan(&mut self, source: Source) -> Result<&Plan, AvError> {
        if self.plan.as_ref().is_none_or(|p| p.source != source) {
            self.plan = None;
            let inner = fit(&source, self.width, self.height);
            self.plan = Some(Plan::new(source, inner)?);
        }
        self.plan.as_ref().ok_or(AvError::NO_MEMORY)
    }

    fn run(&mut self, frame: &AvFrame) -> Result<Option<AvFrame>, AvError> {
        let fields = frame.fields();
        let source = Source::of(fields);
        let planar420 = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P as i32;
        if (source.width, source.height, source.format) == (self.width, self.height, planar420) && !source.full_range {
            return Ok(None);
        }
        let mut out = self.pool.take()?;
        let inner = self.plan(source)?.inner;
        if (inner.width, inner.height) != (self.width, self.height) {
            blacken(&mut out);
        }
        let context = self.plan(source)?.context;
        // SAFETY: source planes and strides belong to a frame of exactly the planned size and format; the output
        // planes start inside a frame of ours, at an even offset that leaves room for the inner picture.
        unsafe {
            ffi::av_frame_copy_props(out.as_mut_ptr(), frame.as_ptr());
            let fields_out = out.fields_mut();
            fields_out.color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
            fields_out.sample_aspect_ratio = ffi::AVRational { num: 1, den: 1 };
            let mut planes = [ptr::null_mut::<u8>(); 4];
            for (plane, shift) in [(0, 0), (1, 1), (2, 1)] {
                let offset =
                    (inner.y >> shift) as isize * fields_out.linesize[plane] as isize + (inner.x >> shift) as isize;
                planes[plane] = fields_out.data[plane].offset(offset);
            }
            AvError::check(ffi::sws_scale(
                context.as_ptr(),
                fields.data.as_ptr().cast(),
                fields.linesize.as_ptr(),
                0,
                fields.height,
                planes.as_ptr(),
                fields_out.linesize.as_ptr(),
            ))?;
        }
        Ok(Some(out))
    }
}

impl Scaler for SwScaler {
    fn scale(&mut self, frame: &Frame) -> Result<Frame, CodecError> {
        let picture = frame.picture.host(CODEC)?;
        let failed = |source| CodecError::Failed {
            codec: CODEC,
            pts: frame.pts,
            source,
        };
        Ok(match self.run(picture.frame()).map_err(failed)? {
            None => frame.clone(),
            Some(out) => Frame {
                pts: frame.pts,
                picture: super::super::Picture::Host(Picture::from(out)),
            },
        })
    }
}

impl Source {
    fn of(frame: &ffi::AVFrame) -> Self {
        let format = frame.format;
        let full_range = frame.color_range == ffi::AVColorRange::AVCOL_RANGE_JPEG
            || format == ffi::AVPixelFormat::AV_PIX_FMT_YUVJ420P as i32;
        let sar = match frame.sample_aspect_ratio {
            ffi::AVRational { num, den } if num > 0 && den > 0 => (num, den),
            _ => (1, 1),
        };
        Self {
            width: frame.width,
            height: frame.height,
            format,
            full_range,
            matrix: frame.colorspace as i32,
            sar,
        }
    }
}

impl Plan {
    fn new(source: Source, inner: Inner) -> Result<Self, AvError> {
        // SAFETY: the format comes from a decoded frame, so it is a value of the enumeration; the library refuses
        // what it cannot read by returning null.
        let context = unsafe {
            let format = std::mem::transmute::<i32, ffi::AVPixelFormat>(source.format);
            ffi::sws_getContext(
                source.width,
                source.height,
                format,
                inner.width,
                inner.height,
                ffi::AVPixelFormat::AV_PIX_FMT_YUV420P,
                SCALER_FLAGS,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        let context = NonNull::new(context).ok_or(AvError(-libc::EINVAL))?;
        let plan = Self { source, inner, context };
        // SAFETY: the coefficient tables are static; -1 means that the formats need no conversion of range.
        unsafe {
            let table = ffi::sws_getCoefficients(source.matrix);
            ffi::sws_setColorspaceDetails(
                context.as_ptr(),
                table,
                i32::from(source.full_range),
                table,
                0,
                0,
                1 << 16,
                1 << 16,
            );
        }
        Ok(plan)
    }
}

/// The largest even rectangle of the source's shape in the middle of the output. A difference of shape under two
/// percent is stretched away: rounding to even sizes alone makes that much.
fn fit(source: &Source, width: i32, height: i32) -> Inner {
    let shown_width = i64::from(source.width) * i64::from(source.sar.0);
    let shown_height = i64::from(source.height) * i64::from(source.sar.1);
    let (w, h) = (i64::from(width), i64::from(height));
    let (across, down) = (shown_width * h, shown_height * w);
    if (across - down).abs() * 50 <= across.max(down) {
        return Inner {
            x: 0,
            y: 0,
            width,
            height,
        };
    }
    let (iw, ih) = if across > down {
        (w, w * shown_height / shown_width)
    } else {
        (h * shown_width / shown_height, h)
    };
    let even = |v: i64, max: i64| (v & !1).clamp(2, max.max(2)) as i32;
    let (iw, ih) = (even(iw, w), even(ih, h));
    Inner {
        x: ((width - iw) / 2) & !1,
        y: ((height - ih) / 2) & !1,
        width: iw,
        height: ih,
    }
}

/// Fills a yuv420p frame with black of limited range.
fn blacken(frame: &mut AvFrame) {
    let fields = frame.fields_mut();
    for (plane, shift, value) in [(0, 0, 16), (1, 1, 128), (2, 1, 128)] {
        let rows = (fields.height + (1 << shift) - 1) >> shift;
        // SAFETY: the plane has `rows` rows of `linesize` bytes in a buffer of ours that nobody else has seen yet.
        unsafe { ptr::write_bytes(fields.data[plane], value, (rows * fields.linesize[plane]) as usize) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_shape_of_the_source() {
        let source = |width, height, sar| Source {
            width,
            height,
            format: 0,
            full_range: false,
            matrix: 1,
            sar,
        };
        for (from, to, inner) in [
            (source(1920, 1080, (1, 1)), (1280, 720), (0, 0, 1280, 720)),
            (source(1920, 1080, (1, 1)), (854, 480), (0, 0, 854, 480)),
            (source(1080, 1920, (1, 1)), (1280, 720), (438, 0, 404, 720)),
            (source(1440, 1080, (4, 3)), (1280, 720), (0, 0, 1280, 720)),
            (source(640, 480, (1, 1)), (1280, 720), (160, 0, 960, 720)),
            (source(2560, 1080, (1, 1)), (1280, 720), (0, 90, 1280, 540)),
        ] {
            let got = fit(&from, to.0, to.1);
            assert_eq!(
                (got.x, got.y, got.width, got.height),
                inner,
                "{}x{}",
                from.width,
                from.height
            );
        }
    }
}
