//! Frames of libavutil: owned, shared and pooled.

use std::ptr::{self, NonNull};
use std::sync::Arc;

use ffmpeg_sys_next as ffi;

use super::AvError;

/// Owns one `AVFrame`, with references to whatever buffers it shows.
pub(super) struct AvFrame(NonNull<ffi::AVFrame>);

// SAFETY: a frame's buffers are reference counted with atomics; a shared frame is only read and cloned.
unsafe impl Send for AvFrame {}
// SAFETY: as above; every mutation needs `&mut self`.
unsafe impl Sync for AvFrame {}

impl AvFrame {
    /// A frame without buffers.
    pub(super) fn new() -> Result<Self, AvError> {
        // SAFETY: allocates, or returns null, which is checked.
        NonNull::new(unsafe { ffi::av_frame_alloc() })
            .map(Self)
            .ok_or(AvError::NO_MEMORY)
    }

    pub(super) fn as_ptr(&self) -> *const ffi::AVFrame {
        self.0.as_ptr()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ffi::AVFrame {
        self.0.as_ptr()
    }

    /// The fields, to read.
    pub(super) fn fields(&self) -> &ffi::AVFrame {
        // SAFETY: the pointer is valid for the life of `self`, and mutation needs `&mut self`.
        unsafe { self.0.as_ref() }
    }

    /// The fields, to set.
    pub(super) fn fields_mut(&mut self) -> &mut ffi::AVFrame {
        // SAFETY: the pointer is valid for the life of `self` and borrowed exclusively.
        unsafe { self.0.as_mut() }
    }

    /// Another frame over the same buffers.
    pub(super) fn share(&self) -> Result<Self, AvError> {
        // SAFETY: takes new references to the buffers; null when out of memory, which is checked.
        NonNull::new(unsafe { ffi::av_frame_clone(self.as_ptr()) })
            .map(Self)
            .ok_or(AvError::NO_MEMORY)
    }
}

impl Drop for AvFrame {
    fn drop(&mut self) {
        let mut frame = self.0.as_ptr();
        // SAFETY: owned by `self` alone and not used again.
        unsafe { ffi::av_frame_free(&mut frame) };
    }
}

/// A decoded picture in host memory. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Picture(Arc<AvFrame>);

impl Picture {
    pub(super) fn new(frame: AvFrame) -> Self {
        Self(Arc::new(frame))
    }

    pub(super) fn frame(&self) -> &AvFrame {
        &self.0
    }
}

/// Gives out frames of one size in yuv420p, whose memory returns to the pool when the last reference is dropped:
/// fresh pages for every picture would cost more than scaling it.
pub(super) struct Pool {
    pool: NonNull<ffi::AVBufferPool>,
    width: i32,
    height: i32,
    size: i32,
}

/// Rows start at multiples of this many bytes, for the widest vector instructions.
const ROW_ALIGN_BYTES: i32 = 64;

// SAFETY: libavutil's buffer pools lock internally.
unsafe impl Send for Pool {}

impl Pool {
    /// A pool of pictures of `width` x `height`.
    pub(super) fn new(width: i32, height: i32) -> Result<Self, AvError> {
        let format = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P;
        // SAFETY: computes a size from three numbers; the pool allocates nothing until asked.
        unsafe {
            let size = AvError::check(ffi::av_image_get_buffer_size(format, width, height, ROW_ALIGN_BYTES))?;
            // Some vector code reads and writes a little past the last row.
            let pool = ffi::av_buffer_pool_init((size + 256) as _, None);
            let pool = NonNull::new(pool).ok_or(AvError::NO_MEMORY)?;
            Ok(Self {
                pool,
                width,
                height,
                size,
            })
        }
    }

    /// A writable frame whose pixels are whatever was there before.
    pub(super) fn take(&mut self) -> Result<AvFrame, AvError> {
        let mut frame = AvFrame::new()?;
        let (width, height) = (self.width, self.height);
        // SAFETY: the buffer holds `size` bytes and is owned by the frame before its planes point into it.
        unsafe {
            let buffer = ffi::av_buffer_pool_get(self.pool.as_ptr());
            if buffer.is_null() {
                return Err(AvError::NO_MEMORY);
            }
            debug_assert!((*buffer).size as i64 >= i64::from(self.size));
            let fields = frame.fields_mut();
            fields.buf[0] = buffer;
            fields.width = width;
            fields.height = height;
            fields.format = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P as i32;
            AvError::check(ffi::av_image_fill_arrays(
                fields.data.as_mut_ptr(),
                fields.linesize.as_mut_ptr(),
                (*buffer).data,
                ffi::AVPixelFormat::AV_PIX_FMT_YUV420P,
                width,
                height,
                ROW_ALIGN_BYTES,
            ))?;
            fields.extended_data = fields.data.as_mut_ptr();
        }
        Ok(frame)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut pool: *mut ffi::AVBufferPool = self.pool.as_ptr();
        // SAFETY: the library frees the pool when its last buffer has come back.
        unsafe { ffi::av_buffer_pool_uninit(&mut pool) };
        debug_assert_eq!(pool, ptr::null_mut());
    }
}
