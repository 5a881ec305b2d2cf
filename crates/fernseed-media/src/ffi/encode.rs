//! Encoders, found by name. They make packets only: no muxer is involved.

use super::{AvError, Packet, check};
use crate::video::Cicp;
use fernseed_core::Picture;
use fernseed_core::picture::Plane;
use fernseed_core::time::TimeBase;
use ffmpeg_sys_the_third as av;
use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// How a video encoder is set up.
#[derive(Debug)]
pub(crate) struct VideoSetup<'a> {
    pub(crate) name: &'a CStr,
    /// Coded size.
    pub(crate) size: (u32, u32),
    pub(crate) sample_aspect: (u32, u32),
    pub(crate) time_base: TimeBase,
    pub(crate) rate: (u32, u32),
    /// Most frames from one key frame to the next.
    pub(crate) gop: u32,
    pub(crate) threads: u32,
    /// Bits per second; 0 where a quality is set by option.
    pub(crate) bit_rate: u64,
    pub(crate) colour: Cicp,
    /// The encoder's own options.
    pub(crate) options: &'a [(&'a str, String)],
}

/// How a sound encoder is set up. Sound is always 48 kHz.
#[derive(Debug)]
pub(crate) struct AudioSetup<'a> {
    pub(crate) name: &'a CStr,
    pub(crate) channels: u32,
    /// True if the encoder takes interleaved samples.
    pub(crate) packed: bool,
    pub(crate) bit_rate: u64,
}

/// True if this build of FFmpeg has the encoder.
pub(crate) fn encoder_exists(name: &CStr) -> bool {
    // SAFETY: a zero-ended string.
    !unsafe { av::avcodec_find_encoder_by_name(name.as_ptr()) }.is_null()
}

/// An encoder for pictures or sound.
#[derive(Debug)]
pub(crate) struct Encoder {
    context: NonNull<av::AVCodecContext>,
    /// Holds what has to be copied.
    frame: super::Frame,
    /// Points to what need not be; empty between calls.
    lent: super::Frame,
    packed: bool,
}

// SAFETY: codec contexts may be used from any thread, one at a time, which
// `&mut self` guarantees.
unsafe impl Send for Encoder {}

impl Drop for Encoder {
    fn drop(&mut self) {
        let mut pointer = self.context.as_ptr();
        // SAFETY: made by avcodec_alloc_context3 and freed only here.
        unsafe { av::avcodec_free_context(&raw mut pointer) };
    }
}

const fn ratio(num: u32, den: u32) -> av::AVRational {
    av::AVRational { num: num as i32, den: den as i32 }
}

impl Encoder {
    fn alloc(name: &CStr, packed: bool) -> Result<(Self, *const av::AVCodec), AvError> {
        super::init();
        let (frame, lent) = (super::Frame::new()?, super::Frame::new()?);
        // SAFETY: a zero-ended string; nulls are handled.
        unsafe {
            let codec = av::avcodec_find_encoder_by_name(name.as_ptr());
            if codec.is_null() {
                return Err(AvError::NOT_FOUND);
            }
            let context = NonNull::new(av::avcodec_alloc_context3(codec));
            let context = context.ok_or(AvError::NO_MEMORY)?;
            Ok((Self { context, frame, lent, packed }, codec))
        }
    }

    /// A video encoder that takes planar 8-bit 4:2:0.
    pub(crate) fn video(setup: &VideoSetup<'_>) -> Result<Self, AvError> {
        let (mut this, codec) = Self::alloc(setup.name, false)?;
        // SAFETY: the context is valid and not open yet, so its fields may
        // be set; option strings live during the calls, which copy them. The
        // frame's buffers are allocated for the size set on it.
        unsafe {
            let c = this.context.as_mut();
            c.width = setup.size.0 as i32;
            c.height = setup.size.1 as i32;
            c.pix_fmt = av::AVPixelFormat::YUV420P;
            c.sample_aspect_ratio = ratio(setup.sample_aspect.0, setup.sample_aspect.1);
            c.time_base = ratio(setup.time_base.num, setup.time_base.den);
            c.framerate = ratio(setup.rate.0, setup.rate.1);
            c.gop_size = setup.gop as i32;
            c.bit_rate = setup.bit_rate as i64;
            c.thread_count = setup.threads as i32;
            c.color_primaries = av::AVColorPrimaries(setup.colour.primaries.into());
            c.color_trc = av::AVColorTransferCharacteristic(setup.colour.transfer.into());
            c.colorspace = av::AVColorSpace(setup.colour.matrix.into());
            c.color_range = if setup.colour.full_range {
                av::AVColorRange::JPEG
            } else {
                av::AVColorRange::MPEG
            };
            c.chroma_sample_location = av::AVChromaLocation::LEFT;
            c.flags |= (av::AV_CODEC_FLAG_GLOBAL_HEADER
                | av::AV_CODEC_FLAG_BITEXACT
                | av::AV_CODEC_FLAG_CLOSED_GOP) as i32;
            for (key, value) in setup.options {
                this.set_option(key, value)?;
            }
            check(av::avcodec_open2(this.context.as_ptr(), codec, ptr::null_mut()))?;
            let f = this.frame.as_ptr();
            (*f).width = setup.size.0 as i32;
            (*f).height = setup.size.1 as i32;
            (*f).format = av::AVPixelFormat::YUV420P.0;
            (*f).color_range = this.context.as_ref().color_range;
            check(av::av_frame_get_buffer(f, 0))?;
        }
        Ok(this)
    }

    /// A sound encoder.
    pub(crate) fn audio(setup: &AudioSetup<'_>) -> Result<Self, AvError> {
        let (mut this, codec) = Self::alloc(setup.name, setup.packed)?;
        let format = if setup.packed { av::AVSampleFormat::FLT } else { av::AVSampleFormat::FLTP };
        // SAFETY: as in `video`.
        unsafe {
            let c = this.context.as_mut();
            c.sample_rate = 48_000;
            c.sample_fmt = format;
            av::av_channel_layout_default(&raw mut c.ch_layout, setup.channels as i32);
            c.bit_rate = setup.bit_rate as i64;
            c.time_base = ratio(1, 48_000);
            c.flags |= (av::AV_CODEC_FLAG_GLOBAL_HEADER | av::AV_CODEC_FLAG_BITEXACT) as i32;
            check(av::avcodec_open2(this.context.as_ptr(), codec, ptr::null_mut()))?;
            let f = this.frame.as_ptr();
            (*f).format = format.0;
            (*f).sample_rate = 48_000;
            (*f).nb_samples = this.context.as_ref().frame_size;
            check(av::av_channel_layout_copy(
                &raw mut (*f).ch_layout,
                &raw const this.context.as_ref().ch_layout,
            ))?;
            check(av::av_frame_get_buffer(f, 0))?;
        }
        Ok(this)
    }

    fn set_option(&mut self, key: &str, value: &str) -> Result<(), AvError> {
        let invalid = AvError(av::AVERROR(super::libc_errno::EINVAL));
        let (Ok(key), Ok(value)) = (CString::new(key), CString::new(value)) else {
            return Err(invalid);
        };
        // SAFETY: the private options of an allocated encoder context exist
        // and are an object with an AVClass; strings are zero-ended.
        unsafe {
            let options = self.context.as_ref().priv_data;
            if options.is_null() {
                return Err(invalid);
            }
            check(av::av_opt_set(options, key.as_ptr(), value.as_ptr(), 0)).map(drop)
        }
    }

    /// Samples per frame of a sound encoder.
    pub(crate) fn frame_size(&self) -> usize {
        // SAFETY: valid for the life of self.
        usize::try_from(unsafe { self.context.as_ref() }.frame_size).unwrap_or(0)
    }

    /// Samples a sound encoder puts before the first one it was given.
    pub(crate) fn initial_padding(&self) -> u32 {
        // SAFETY: valid for the life of self.
        u32::try_from(unsafe { self.context.as_ref() }.initial_padding).unwrap_or(0)
    }

    /// The stream header.
    pub(crate) fn header(&self) -> &[u8] {
        // SAFETY: valid for the life of self; extradata has extradata_size
        // bytes and is not changed after opening.
        unsafe {
            let c = self.context.as_ref();
            match usize::try_from(c.extradata_size) {
                Ok(n) if n > 0 && !c.extradata.is_null() => {
                    std::slice::from_raw_parts(c.extradata, n)
                }
                _ => &[],
            }
        }
    }

    /// Gives the encoder a picture. Planes smaller than the coded size by
    /// one row or column are continued by their last one. `key` asks for a
    /// picture that decoding can begin with. Returns the picture, if the
    /// encoder is done with it.
    pub(crate) fn send_picture(
        &mut self,
        picture: Picture,
        pts: i64,
        key: bool,
    ) -> Result<Option<Picture>, AvError> {
        let kind = if key { av::AVPictureType::I } else { av::AVPictureType::NONE };
        let picture = Arc::new(picture);
        if let Some(planes) = self.whole(picture.planes()) {
            self.lend(&picture, planes, pts, kind)?;
            return Ok(Arc::try_unwrap(picture).ok());
        }
        self.copy(picture.planes())?;
        let f = self.frame.as_ptr();
        // SAFETY: an open encoder and a frame whose buffers were allocated for
        // the coded size.
        unsafe {
            (*f).pts = pts;
            (*f).pict_type = kind;
            check(av::avcodec_send_frame(self.context.as_ptr(), f))?;
        }
        Ok(Arc::try_unwrap(picture).ok())
    }

    /// Width and height of plane `index` of the coded size.
    fn plane_size(&self, index: usize) -> (usize, usize) {
        let shift = u32::from(index > 0);
        // SAFETY: valid for the life of self.
        let c = unsafe { self.context.as_ref() };
        ((c.width as usize).div_ceil(1 << shift), (c.height as usize).div_ceil(1 << shift))
    }

    /// The samples of planes that have the coded size, and the distance of their
    /// rows; `None` if they have another.
    fn whole<'p>(&self, planes: &'p [Plane]) -> Option<[(&'p [u8], i32); 3]> {
        let [a, b, c] = planes else { return None };
        let plane = |i: usize, plane: &'p Plane| {
            // Taken once: lent memory need not answer twice alike.
            let samples: &'p [u8] = &plane.data;
            let stride = i32::try_from(plane.stride).ok()?;
            let whole = (plane.row_bytes, plane.rows) == self.plane_size(i)
                && samples.len() >= plane.stride * plane.rows.checked_sub(1)? + plane.row_bytes;
            whole.then_some((samples, stride))
        };
        Some([plane(0, a)?, plane(1, b)?, plane(2, c)?])
    }

    /// Gives the encoder a picture of the coded size where it lies; `planes` are
    /// those of [`Self::whole`].
    fn lend(
        &mut self,
        picture: &Arc<Picture>,
        planes: [(&[u8], i32); 3],
        pts: i64,
        kind: av::AVPictureType,
    ) -> Result<(), AvError> {
        let f = self.lent.as_ptr();
        // SAFETY: the frame is empty. Its planes are those of the picture, have
        // the coded size (checked by the caller), and are only read: the buffer
        // is marked so. The buffer holds a reference of the picture and gives
        // it back when the last of its own goes, so that an encoder which keeps
        // the frame keeps the picture. `data` of the buffer is never freed.
        unsafe {
            for (i, (samples, stride)) in planes.into_iter().enumerate() {
                (*f).data[i] = samples.as_ptr().cast_mut();
                (*f).linesize[i] = stride;
            }
            let held = Arc::into_raw(Arc::clone(picture)).cast_mut().cast::<c_void>();
            let flags = av::AV_BUFFER_FLAG_READONLY;
            let size = planes[0].0.len();
            (*f).buf[0] = av::av_buffer_create((*f).data[0], size, Some(let_go), held, flags);
            if (*f).buf[0].is_null() {
                let_go(held, ptr::null_mut());
                av::av_frame_unref(f);
                return Err(AvError::NO_MEMORY);
            }
            let c = self.context.as_ref();
            (*f).width = c.width;
            (*f).height = c.height;
            (*f).format = c.pix_fmt.0;
            (*f).color_range = c.color_range;
            (*f).pts = pts;
            (*f).pict_type = kind;
            let sent = check(av::avcodec_send_frame(self.context.as_ptr(), f));
            av::av_frame_unref(f);
            sent.map(drop)
        }
    }

    /// Copies planes into the frame, continued to the coded size.
    fn copy(&mut self, planes: &[Plane]) -> Result<(), AvError> {
        let f = self.frame.as_ptr();
        // SAFETY: the frame was allocated for the coded size and is made
        // writable, so that no encoder still reads what is written here;
        // each row lies inside its plane: av_frame_get_buffer gives
        // linesize >= row bytes and as many rows as the layout has.
        unsafe {
            check(av::av_frame_make_writable(f))?;
            for (i, plane) in planes.iter().take(3).enumerate() {
                let (width, height) = self.plane_size(i);
                let stride = (*f).linesize[i] as usize;
                if plane.rows == 0 || plane.row_bytes == 0 {
                    return Err(AvError::INVALID_DATA);
                }
                for y in 0..height {
                    let to = std::slice::from_raw_parts_mut((*f).data[i].add(y * stride), width);
                    let from = plane.row(y.min(plane.rows - 1));
                    let n = width.min(from.len());
                    to[..n].copy_from_slice(&from[..n]);
                    let last = from.get(n.wrapping_sub(1)).copied().unwrap_or(0);
                    to[n..].fill(last);
                }
            }
        }
        Ok(())
    }

    /// Gives a sound encoder exactly [`Self::frame_size`] samples a channel.
    pub(crate) fn send_samples(&mut self, channels: &[Vec<f32>], pts: i64) -> Result<(), AvError> {
        let size = self.frame_size();
        let f = self.frame.as_ptr();
        let count = channels.len();
        if count == 0 || count > 2 || channels.iter().any(|c| c.len() != size) {
            return Err(AvError::INVALID_DATA);
        }
        // SAFETY: the frame was allocated for frame_size samples of the
        // encoder's channels (equal to `count`, checked) in the layout
        // `packed` tells, and is made writable first.
        unsafe {
            if (*f).ch_layout.nb_channels as usize != count {
                return Err(AvError::INVALID_DATA);
            }
            check(av::av_frame_make_writable(f))?;
            if self.packed {
                let to = std::slice::from_raw_parts_mut((*f).data[0].cast::<f32>(), size * count);
                for (c, from) in channels.iter().enumerate() {
                    for (to, &from) in to.iter_mut().skip(c).step_by(count).zip(from) {
                        *to = from;
                    }
                }
            } else {
                for (i, from) in channels.iter().enumerate() {
                    let to = std::slice::from_raw_parts_mut((*f).data[i].cast::<f32>(), size);
                    to.copy_from_slice(from);
                }
            }
            (*f).pts = pts;
            check(av::avcodec_send_frame(self.context.as_ptr(), f)).map(drop)
        }
    }

    /// Tells the encoder that no more input comes.
    pub(crate) fn finish(&mut self) -> Result<(), AvError> {
        // SAFETY: an open encoder; null means end of input.
        check(unsafe { av::avcodec_send_frame(self.context.as_ptr(), ptr::null()) }).map(drop)
    }

    /// Takes the next packet; false if there is none now.
    pub(crate) fn receive(&mut self, packet: &mut Packet) -> Result<bool, AvError> {
        // SAFETY: an open encoder and a valid packet, which is cleared first.
        match check(unsafe { av::avcodec_receive_packet(self.context.as_ptr(), packet.as_ptr()) }) {
            Ok(_) => Ok(true),
            Err(e) if e.is_again() || e.is_eof() => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// Gives back the reference of a picture that a buffer held.
unsafe extern "C" fn let_go(held: *mut c_void, _data: *mut u8) {
    // SAFETY: `held` came out of `Arc::into_raw` in `Encoder::lend`, and a
    // buffer calls this once.
    drop(unsafe { Arc::from_raw(held.cast_const().cast::<Picture>()) });
}
