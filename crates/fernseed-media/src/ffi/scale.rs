//! Conversion of odd pixel layouts by libswscale, and scaling to one size.

use super::{AvError, Frame, check};
use ffmpeg_sys_the_third as av;
use std::ptr;

/// The layout a [`Scaler`] converts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Planar 8-bit 4:2:0.
    Eight,
    /// Planar 10-bit 4:2:0, little endian.
    Ten,
}

/// Converts frames of one layout and size to planar 4:2:0.
#[derive(Debug)]
pub(crate) struct Scaler {
    context: *mut av::SwsContext,
    key: Key,
    output: Frame,
}

/// All that a conversion context depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    from: (u32, u32, i32),
    to: (u32, u32, Target),
    matrix: i32,
    from_full: bool,
    to_full: bool,
}

// SAFETY: a conversion context has no thread affinity and is used through
// `&mut self` only.
unsafe impl Send for Scaler {}

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: null or made by sws_getContext; freed only here.
        unsafe { av::sws_freeContext(self.context) };
    }
}

impl Scaler {
    /// A converter that is set up by its first frame.
    pub(crate) fn new() -> Result<Self, AvError> {
        let key = Key {
            from: (0, 0, -1),
            to: (0, 0, Target::Eight),
            matrix: 0,
            from_full: false,
            to_full: false,
        };
        Ok(Self { context: ptr::null_mut(), key, output: Frame::new()? })
    }

    /// Converts a frame to `size` in planar 4:2:0. The matrix is a code
    /// point of H.273 and names the side that is Y'CbCr: the source if it is
    /// Y'CbCr (it stays), else the result. The result is valid until the
    /// next call.
    pub(crate) fn convert(
        &mut self,
        frame: &Frame,
        size: (u32, u32),
        target: Target,
        matrix: u8,
        full: (bool, bool),
    ) -> Result<&Frame, AvError> {
        let (width, height) = frame.size();
        let key = Key {
            from: (width, height, plain_format(frame.raw_format())),
            to: (size.0, size.1, target),
            matrix: i32::from(matrix),
            from_full: full.0,
            to_full: full.1,
        };
        if self.context.is_null() || key != self.key {
            self.set_up(key)?;
        }
        // SAFETY: source planes belong to a decoded frame of exactly the size
        // and layout the context was made for; the destination frame was
        // allocated in set_up for the target size and layout and is made
        // writable (unshared) here.
        unsafe {
            check(av::av_frame_make_writable(self.output.as_ptr()))?;
            let (from, to) = (frame.as_ptr(), self.output.as_ptr());
            let rows = check(av::sws_scale(
                self.context,
                (*from).data.as_ptr().cast(),
                (*from).linesize.as_ptr(),
                0,
                (*from).height,
                (*to).data.as_ptr(),
                (*to).linesize.as_ptr(),
            ))?;
            if rows != (*to).height {
                return Err(AvError::INVALID_DATA);
            }
        }
        Ok(&self.output)
    }

    fn set_up(&mut self, key: Key) -> Result<(), AvError> {
        let int = |v: u32| i32::try_from(v).unwrap_or(0);
        let to_format = match key.to.2 {
            Target::Eight => av::AVPixelFormat::YUV420P,
            Target::Ten => av::AVPixelFormat::YUV420P10LE,
        };
        let flags = av::SWS_BICUBIC | av::SWS_ACCURATE_RND | av::SWS_FULL_CHR_H_INP;
        let output = Frame::new()?;
        // SAFETY: sizes and formats are plain numbers that the library
        // checks; null is handled; coefficient tables are static; the frame
        // is allocated for the size set on it.
        unsafe {
            av::sws_freeContext(self.context);
            self.context = av::sws_getContext(
                int(key.from.0),
                int(key.from.1),
                av::AVPixelFormat(key.from.2),
                int(key.to.0),
                int(key.to.1),
                to_format,
                flags,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            );
            if self.context.is_null() {
                return Err(AvError::INVALID_DATA);
            }
            let table = av::sws_getCoefficients(key.matrix);
            // Not every pair of layouts has a colour conversion to set up;
            // then there is nothing to get wrong either.
            let _unsupported = av::sws_setColorspaceDetails(
                self.context,
                table,
                i32::from(key.from_full),
                table,
                i32::from(key.to_full),
                0,
                1 << 16,
                1 << 16,
            );
            let f = output.as_ptr();
            (*f).width = int(key.to.0);
            (*f).height = int(key.to.1);
            (*f).format = to_format.0;
            check(av::av_frame_get_buffer(f, 0))?;
        }
        self.output = output;
        self.key = key;
        Ok(())
    }
}

/// The layout without the range that FFmpeg's old "J" formats imply.
fn plain_format(format: i32) -> i32 {
    match av::AVPixelFormat(format) {
        av::AVPixelFormat::YUVJ420P => av::AVPixelFormat::YUV420P.0,
        av::AVPixelFormat::YUVJ422P => av::AVPixelFormat::YUV422P.0,
        av::AVPixelFormat::YUVJ444P => av::AVPixelFormat::YUV444P.0,
        av::AVPixelFormat::YUVJ440P => av::AVPixelFormat::YUV440P.0,
        av::AVPixelFormat::YUVJ411P => av::AVPixelFormat::YUV411P.0,
        _ => format,
    }
}
