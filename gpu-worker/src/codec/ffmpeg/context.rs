//! An open codec context and its packet: what decoders and encoders have in common.

use std::ffi::CString;
use std::ptr::{self, NonNull};

use ffmpeg_sys_next as ffi;

use super::{AvError, Picture, frame::AvFrame};

/// Bytes of zeros that the libraries may read past the end of their input.
const PADDING_BYTES: usize = ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;

/// Owns one `AVCodecContext`, opened or being set up, and one reusable packet.
pub(super) struct Context {
    codec: NonNull<ffi::AVCodecContext>,
    packet: NonNull<ffi::AVPacket>,
}

// SAFETY: a codec context may be used from any one thread at a time; `&mut self` guards every use.
unsafe impl Send for Context {}

impl Context {
    /// A context of `codec` with its defaults, not yet open.
    pub(super) fn new(codec: NonNull<ffi::AVCodec>) -> Result<Self, AvError> {
        // SAFETY: `codec` is one of the library's static descriptions; both results are checked below.
        let (context, packet) = unsafe { (ffi::avcodec_alloc_context3(codec.as_ptr()), ffi::av_packet_alloc()) };
        match (NonNull::new(context), NonNull::new(packet)) {
            (Some(codec), Some(packet)) => Ok(Self { codec, packet }),
            (context, packet) => {
                // SAFETY: both free functions take a pointer to a valid or null pointer.
                unsafe {
                    let mut context = context.map_or(ptr::null_mut(), NonNull::as_ptr);
                    ffi::avcodec_free_context(&mut context);
                    let mut packet = packet.map_or(ptr::null_mut(), NonNull::as_ptr);
                    ffi::av_packet_free(&mut packet);
                }
                Err(AvError::NO_MEMORY)
            }
        }
    }

    /// The decoder for an id.
    pub(super) fn decoder(id: ffi::AVCodecID) -> Option<NonNull<ffi::AVCodec>> {
        // SAFETY: a lookup in static tables.
        NonNull::new(unsafe { ffi::avcodec_find_decoder(id) }.cast_mut())
    }

    /// The encoder of a name.
    pub(super) fn encoder(name: &str) -> Option<NonNull<ffi::AVCodec>> {
        let name = CString::new(name).ok()?;
        // SAFETY: a lookup in static tables by a valid C string.
        NonNull::new(unsafe { ffi::avcodec_find_encoder_by_name(name.as_ptr()) }.cast_mut())
    }

    /// The fields, to read or to set before opening.
    pub(super) fn fields(&mut self) -> &mut ffi::AVCodecContext {
        // SAFETY: the pointer is valid for the life of `self` and borrowed exclusively.
        unsafe { self.codec.as_mut() }
    }

    /// Copies `data` as the context's extradata.
    pub(super) fn set_extradata(&mut self, data: &[u8]) -> Result<(), AvError> {
        // SAFETY: `av_mallocz` gives zeroed room for the data and its padding, owned by the context from here on.
        unsafe {
            let room = ffi::av_mallocz(data.len() + PADDING_BYTES).cast::<u8>();
            if room.is_null() {
                return Err(AvError::NO_MEMORY);
            }
            ptr::copy_nonoverlapping(data.as_ptr(), room, data.len());
            let fields = self.fields();
            fields.extradata = room;
            fields.extradata_size = data.len() as i32;
        }
        Ok(())
    }

    /// The extradata that the codec wrote while opening.
    pub(super) fn extradata(&mut self) -> &[u8] {
        let fields = self.fields();
        if fields.extradata.is_null() || fields.extradata_size <= 0 {
            return &[];
        }
        // SAFETY: the library keeps `extradata_size` bytes there until the context is freed.
        unsafe { std::slice::from_raw_parts(fields.extradata, fields.extradata_size as usize) }
    }

    /// Opens with private options; an option that the codec does not know is an error.
    pub(super) fn open(&mut self, options: &[(&str, &str)]) -> Result<(), AvError> {
        let mut dictionary = ptr::null_mut();
        for (key, value) in options {
            let (Ok(key), Ok(value)) = (CString::new(*key), CString::new(*value)) else {
                // SAFETY: frees what was set so far, or nothing.
                unsafe { ffi::av_dict_free(&mut dictionary) };
                return Err(AvError(-libc::EINVAL));
            };
            // SAFETY: copies both strings into the dictionary.
            unsafe { ffi::av_dict_set(&mut dictionary, key.as_ptr(), value.as_ptr(), 0) };
        }
        // SAFETY: the context carries its codec since it was allocated; the dictionary is ours and freed here.
        unsafe {
            let result = ffi::avcodec_open2(self.codec.as_ptr(), ptr::null(), &mut dictionary);
            let unknown = ffi::av_dict_count(dictionary);
            ffi::av_dict_free(&mut dictionary);
            AvError::check(result)?;
            if unknown > 0 {
                Err(AvError(ffi::AVERROR_OPTION_NOT_FOUND))
            } else {
                Ok(())
            }
        }
    }

    /// Gives a coded unit to a decoder; `None` starts draining.
    pub(super) fn send_unit(&mut self, unit: Option<(&[u8], i64, i64)>) -> Result<(), AvError> {
        let Some((data, pts, dts)) = unit else {
            // SAFETY: a null packet asks an open decoder to drain.
            return AvError::check(unsafe { ffi::avcodec_send_packet(self.codec.as_ptr(), ptr::null()) }).map(drop);
        };
        let size = i32::try_from(data.len()).map_err(|_| AvError(-libc::EINVAL))?;
        // SAFETY: `av_new_packet` allocates `size` bytes and padding; the copy fills exactly these. The decoder takes
        // its own reference, after which ours is given back.
        unsafe {
            let packet = self.packet.as_ptr();
            AvError::check(ffi::av_new_packet(packet, size))?;
            ptr::copy_nonoverlapping(data.as_ptr(), (*packet).data, data.len());
            (*packet).pts = pts;
            (*packet).dts = dts;
            let result = ffi::avcodec_send_packet(self.codec.as_ptr(), packet);
            ffi::av_packet_unref(packet);
            AvError::check(result).map(drop)
        }
    }

    /// The next decoded frame; `None` when more input is wanted or all is drained.
    pub(super) fn receive_frame(&mut self) -> Result<Option<AvFrame>, AvError> {
        let mut frame = AvFrame::new()?;
        // SAFETY: the context is open and the frame empty; on success the frame owns references to its buffers.
        let result = unsafe { ffi::avcodec_receive_frame(self.codec.as_ptr(), frame.as_mut_ptr()) };
        match AvError::check(result) {
            Ok(_) => Ok(Some(frame)),
            Err(e) if e.is_again() || e.is_end() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Gives a frame to an encoder; `None` starts draining.
    pub(super) fn send_frame(&mut self, frame: Option<&AvFrame>) -> Result<(), AvError> {
        let frame = frame.map_or(ptr::null(), AvFrame::as_ptr);
        // SAFETY: the encoder takes its own references to the frame's buffers; null asks it to drain.
        AvError::check(unsafe { ffi::avcodec_send_frame(self.codec.as_ptr(), frame) }).map(drop)
    }

    /// Pictures that may be decoded before they are shown, once open.
    pub(super) fn reorder(&mut self) -> usize {
        usize::try_from(self.fields().has_b_frames).unwrap_or(0)
    }

    /// Hands the next coded unit to `take` as `(data, pts, key)`; `None` when more input is wanted.
    pub(super) fn receive_unit<T>(&mut self, take: impl FnOnce(&[u8], i64, bool) -> T) -> Result<Option<T>, AvError> {
        // SAFETY: the packet is ours; on success it holds `size` readable bytes until it is unreferenced below.
        unsafe {
            let packet = self.packet.as_ptr();
            match AvError::check(ffi::avcodec_receive_packet(self.codec.as_ptr(), packet)) {
                Ok(_) => {}
                Err(e) if e.is_again() || e.is_end() => return Ok(None),
                Err(e) => return Err(e),
            }
            let data = match (*packet).size {
                size if size > 0 => std::slice::from_raw_parts((*packet).data, size as usize),
                _ => &[],
            };
            let taken = take(data, (*packet).pts, (*packet).flags & ffi::AV_PKT_FLAG_KEY != 0);
            ffi::av_packet_unref(packet);
            Ok(Some(taken))
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let (mut codec, mut packet) = (self.codec.as_ptr(), self.packet.as_ptr());
        // SAFETY: both were allocated by `new`, are owned by `self` alone and are not used again.
        unsafe {
            ffi::avcodec_free_context(&mut codec);
            ffi::av_packet_free(&mut packet);
        }
    }
}

impl From<AvFrame> for Picture {
    fn from(frame: AvFrame) -> Self {
        Self::new(frame)
    }
}
