//! Sound to 48 kHz, one or two channels, 32-bit float planes.

use super::{AvError, Frame, check};
use ffmpeg_sys_the_third as av;
use std::ptr;

/// Most samples taken from one call.
const MAX_BLOCK: i32 = 1 << 20;

/// Converts decoded sound of any layout and rate.
#[derive(Debug)]
pub(crate) struct Resampler {
    context: *mut av::SwrContext,
    key: (i32, i32, i32),
    rate: u32,
    channels: usize,
}

// SAFETY: the context has no thread affinity and is used through
// `&mut self` only.
unsafe impl Send for Resampler {}

impl Drop for Resampler {
    fn drop(&mut self) {
        // SAFETY: null or made by swr_alloc_set_opts2; freed only here.
        unsafe { av::swr_free(&raw mut self.context) };
    }
}

impl Resampler {
    /// A converter to `rate` and `channels` (1 or 2), set up by its first
    /// frame.
    pub(crate) const fn new(rate: u32, channels: usize) -> Self {
        Self { context: ptr::null_mut(), key: (0, 0, 0), rate, channels }
    }

    /// Samples of the output rate that are inside and come out later.
    pub(crate) fn pending(&self) -> i64 {
        if self.context.is_null() {
            return 0;
        }
        // SAFETY: an initialised context.
        unsafe { av::swr_get_delay(self.context, i64::from(self.rate)) }
    }

    /// True if a frame's layout differs from what the converter is set to.
    pub(crate) fn must_change(&self, frame: &Frame) -> bool {
        !self.context.is_null() && key_of(frame) != self.key
    }

    /// Feeds a frame and takes what is ready.
    pub(crate) fn convert(&mut self, frame: &Frame) -> Result<Vec<Vec<f32>>, AvError> {
        if self.context.is_null() || key_of(frame) != self.key {
            self.set_up(frame)?;
        }
        self.run(Some(frame))
    }

    /// Takes what is still inside.
    pub(crate) fn flush(&mut self) -> Result<Vec<Vec<f32>>, AvError> {
        if self.context.is_null() {
            return Ok(vec![Vec::new(); self.channels]);
        }
        self.run(None)
    }

    fn run(&mut self, frame: Option<&Frame>) -> Result<Vec<Vec<f32>>, AvError> {
        // SAFETY: the context is initialised. The output planes have room
        // for the number of samples given. The input pointer array has as
        // many planes as the format set up in set_up needs (checked by key),
        // each with nb_samples samples, by the decoder's contract.
        unsafe {
            let (data, count) = frame.map_or((ptr::null_mut(), 0), |f| {
                ((*f.as_ptr()).extended_data, (*f.as_ptr()).nb_samples)
            });
            let room = check(av::swr_get_out_samples(self.context, count))?.min(MAX_BLOCK);
            let mut planes = vec![vec![0_f32; room as usize]; self.channels];
            let mut pointers = [ptr::null_mut::<u8>(); 2];
            for (pointer, plane) in pointers.iter_mut().zip(&mut planes) {
                *pointer = plane.as_mut_ptr().cast();
            }
            let got = check(av::swr_convert(
                self.context,
                pointers.as_mut_ptr(),
                room,
                data.cast(),
                count,
            ))?;
            for plane in &mut planes {
                plane.truncate(got as usize);
            }
            Ok(planes)
        }
    }

    fn set_up(&mut self, frame: &Frame) -> Result<(), AvError> {
        let f = frame.as_ptr();
        // SAFETY: the layouts are valid for the calls (a default layout made
        // here, the frame's own, or a default one where the frame has none);
        // the context is checked by the library's return values.
        unsafe {
            av::swr_free(&raw mut self.context);
            let mut to: av::AVChannelLayout = std::mem::zeroed();
            av::av_channel_layout_default(&raw mut to, self.channels as i32);
            let mut from: av::AVChannelLayout = std::mem::zeroed();
            if (*f).ch_layout.order == av::AVChannelOrder::UNSPEC {
                av::av_channel_layout_default(&raw mut from, (*f).ch_layout.nb_channels);
            } else {
                check(av::av_channel_layout_copy(&raw mut from, &raw const (*f).ch_layout))?;
            }
            let made = check(av::swr_alloc_set_opts2(
                &raw mut self.context,
                &raw mut to,
                av::AVSampleFormat::FLTP,
                self.rate as i32,
                &raw mut from,
                av::AVSampleFormat((*f).format),
                (*f).sample_rate,
                0,
                ptr::null_mut(),
            ))
            .and_then(|_| check(av::swr_init(self.context)));
            av::av_channel_layout_uninit(&raw mut from);
            if let Err(e) = made {
                av::swr_free(&raw mut self.context);
                return Err(e);
            }
        }
        self.key = key_of(frame);
        Ok(())
    }
}

/// What a conversion depends on: sample format, rate, channels.
fn key_of(frame: &Frame) -> (i32, i32, i32) {
    let (_, rate, channels) = frame.sound_facts();
    (frame.raw_format(), rate as i32, channels as i32)
}
