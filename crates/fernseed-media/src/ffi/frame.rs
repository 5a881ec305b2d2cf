//! A decoded picture or run of sound, as the decoder hands it out.

use super::AvError;
use crate::video::Cicp;
use ffmpeg_sys_the_third as av;
use std::ptr::NonNull;
use std::sync::Arc;

/// Layouts the rest of the crate treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameFormat {
    /// Planar 8-bit 4:2:0: copied as it is.
    Yuv420,
    /// Planar 10-bit 4:2:0, little endian in 16-bit words.
    Yuv420Ten,
    /// Any other layout, to be converted by [`super::Scaler`].
    Other {
        /// True for R'G'B' or palette pictures.
        rgb: bool,
    },
}

/// A decoded frame; its memory belongs to the decoder's pool.
#[derive(Debug)]
pub(crate) struct Frame(NonNull<av::AVFrame>);

// SAFETY: an AVFrame has no thread affinity; its buffers are reference
// counted with atomics, and this type gives out no aliasing pointers.
unsafe impl Send for Frame {}

// SAFETY: through a shared reference a frame is only read.
unsafe impl Sync for Frame {}

impl Drop for Frame {
    fn drop(&mut self) {
        let mut pointer = self.0.as_ptr();
        // SAFETY: made by av_frame_alloc and freed only here.
        unsafe { av::av_frame_free(&raw mut pointer) };
    }
}

impl Frame {
    /// An empty frame.
    pub(crate) fn new() -> Result<Self, AvError> {
        // SAFETY: no arguments; null is handled.
        NonNull::new(unsafe { av::av_frame_alloc() }).map(Self).ok_or(AvError::NO_MEMORY)
    }

    /// Takes what the frame holds out of it, and leaves it empty.
    pub(crate) fn take(&mut self) -> Result<Self, AvError> {
        Ok(std::mem::replace(self, Self::new()?))
    }

    pub(super) const fn as_ptr(&self) -> *mut av::AVFrame {
        self.0.as_ptr()
    }

    fn get(&self) -> &av::AVFrame {
        // SAFETY: the pointer is valid for the life of self, and C code
        // only writes to the frame during calls that take `&mut Frame`.
        unsafe { self.0.as_ref() }
    }

    /// Coded width and height after cropping.
    pub(crate) fn size(&self) -> (u32, u32) {
        let f = self.get();
        (u32::try_from(f.width).unwrap_or(0), u32::try_from(f.height).unwrap_or(0))
    }

    /// The layout of the planes.
    pub(crate) fn format(&self) -> FrameFormat {
        let format = av::AVPixelFormat(self.get().format);
        match format {
            av::AVPixelFormat::YUV420P | av::AVPixelFormat::YUVJ420P => FrameFormat::Yuv420,
            av::AVPixelFormat::YUV420P10LE => FrameFormat::Yuv420Ten,
            other => {
                // SAFETY: the function accepts any value and returns null
                // for unknown ones; descriptors are static.
                let descriptor = unsafe { av::av_pix_fmt_desc_get(other).as_ref() };
                let flags = (av::AV_PIX_FMT_FLAG_RGB | av::AV_PIX_FMT_FLAG_PAL) as u64;
                FrameFormat::Other { rgb: descriptor.is_some_and(|d| d.flags & flags != 0) }
            }
        }
    }

    pub(super) fn raw_format(&self) -> i32 {
        self.get().format
    }

    /// Rows of a plane: its bytes and the distance of rows. `None` if the
    /// plane is missing, stored bottom up, or smaller than asked for.
    pub(crate) fn plane(
        &self,
        index: usize,
        row_bytes: usize,
        rows: usize,
    ) -> Option<(&[u8], usize)> {
        let f = self.get();
        let data = *f.data.get(index)?;
        let stride = usize::try_from(*f.linesize.get(index)?).ok()?;
        if data.is_null() || stride < row_bytes || rows == 0 {
            return None;
        }
        let length = stride.checked_mul(rows - 1)?.checked_add(row_bytes)?;
        if !self.inside_buffers(data, length) {
            return None;
        }
        // SAFETY: the range lies inside one of the frame's own reference
        // counted buffers (just checked), which lives as long as the frame
        // and is not written while `&self` is held (decoders write only to
        // buffers they have not handed out, or as references read-only).
        Some((unsafe { std::slice::from_raw_parts(data, length) }, stride))
    }

    fn inside_buffers(&self, data: *const u8, length: usize) -> bool {
        let start = data as usize;
        self.get().buf.iter().any(|&b| {
            // SAFETY: entries are null or valid for the life of the frame.
            unsafe { b.as_ref() }.is_some_and(|b| {
                let base = b.data as usize;
                start >= base
                    && start.checked_add(length).is_some_and(|end| {
                        base.checked_add(b.size).is_some_and(|limit| end <= limit)
                    })
            })
        })
    }

    /// A plane that keeps the frame alive, and the distance of its rows; `None`
    /// as in [`Self::plane`].
    pub(crate) fn lend(
        this: &Arc<Self>,
        index: usize,
        row_bytes: usize,
        rows: usize,
    ) -> Option<(LentPlane, usize)> {
        let (_, stride) = this.plane(index, row_bytes, rows)?;
        Some((LentPlane { frame: Arc::clone(this), index, row_bytes, rows }, stride))
    }

    /// Presentation time in ticks of the stream, by the library's best
    /// guess where the file is silent; `None` if it has none.
    pub(crate) fn pts(&self) -> Option<i64> {
        let pts = self.get().best_effort_timestamp;
        (pts != av::AV_NOPTS_VALUE).then_some(pts)
    }

    /// Duration in ticks, 0 if unknown.
    pub(crate) fn duration(&self) -> i64 {
        self.get().pkt_duration.max(0)
    }

    /// True if the decoder says that it guessed parts of this frame.
    pub(crate) fn is_damaged(&self) -> bool {
        let f = self.get();
        f.decode_error_flags != 0 || f.flags & av::AV_FRAME_FLAG_CORRUPT != 0
    }

    /// True if the frame was coded as two fields.
    pub(crate) fn is_interlaced(&self) -> bool {
        self.get().interlaced_frame != 0
    }

    /// Width to height of a pixel; `None` if not told.
    pub(crate) fn sample_aspect(&self) -> Option<(u32, u32)> {
        positive(self.get().sample_aspect_ratio)
    }

    /// Colour description as code points of ITU-T H.273.
    pub(crate) fn cicp(&self) -> Cicp {
        let f = self.get();
        let jpeg = matches!(
            av::AVPixelFormat(f.format),
            av::AVPixelFormat::YUVJ420P
                | av::AVPixelFormat::YUVJ422P
                | av::AVPixelFormat::YUVJ444P
                | av::AVPixelFormat::YUVJ440P
                | av::AVPixelFormat::YUVJ411P
        );
        let byte = |v: u32| u8::try_from(v).unwrap_or(2);
        Cicp {
            primaries: byte(f.color_primaries.0),
            transfer: byte(f.color_trc.0),
            matrix: byte(f.colorspace.0),
            full_range: jpeg || f.color_range == av::AVColorRange::JPEG,
        }
    }

    /// Samples per channel, rate and channels of a sound frame.
    pub(crate) fn sound_facts(&self) -> (usize, u32, u32) {
        let f = self.get();
        (
            usize::try_from(f.nb_samples).unwrap_or(0),
            u32::try_from(f.sample_rate).unwrap_or(0),
            u32::try_from(f.ch_layout.nb_channels).unwrap_or(0),
        )
    }
}

/// A plane of a decoded frame, which stays out of the decoder's pool meanwhile.
#[derive(Debug)]
pub(crate) struct LentPlane {
    frame: Arc<Frame>,
    index: usize,
    row_bytes: usize,
    rows: usize,
}

impl AsRef<[u8]> for LentPlane {
    fn as_ref(&self) -> &[u8] {
        let plane = self.frame.plane(self.index, self.row_bytes, self.rows);
        // It was there when it was lent, and nobody changes a frame since.
        plane.map_or(&[], |(samples, _)| samples)
    }
}

/// A ratio as two positive numbers.
pub(super) fn positive(ratio: av::AVRational) -> Option<(u32, u32)> {
    match (u32::try_from(ratio.num), u32::try_from(ratio.den)) {
        (Ok(n), Ok(d)) if n > 0 && d > 0 => Some((n, d)),
        _ => None,
    }
}
