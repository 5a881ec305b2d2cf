//! JPEG XL, decoded by `jxl-oxide`.

use super::animation::{AnimationInfo, Delay, FrameSource};
use super::colour::Colour;
use super::guard::{allowed, guarded, packed_len, zeroed};
use super::raster::{Channels, Raster, Samples};
use super::{Content, StillError};
use fernseed_core::limits::Limits;
use fernseed_core::{Orientation, Size};
use jxl_oxide::{AllocTracker, InitializeResult, JxlImage, JxlThreadPool, PixelFormat};

/// The picture and whether it is lossy.
pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
) -> Result<(Content<'static>, bool), StillError> {
    guarded("JPEG XL", || {
        let mut image = open(bytes, limits)?;
        let size = allowed(image.width(), image.height(), limits)?;
        image.set_render_spot_color(true);
        let metadata = &image.image_header().metadata;
        let lossy = metadata.xyb_encoded;
        let ticks =
            metadata.animation.as_ref().map(|a| (a.tps_numerator, a.tps_denominator, a.num_loops));
        let frames = u32::try_from(image.num_loaded_keyframes()).unwrap_or(u32::MAX);
        let (tps, loops) = ticks.map_or(((1, 1), 0), |(num, den, loops)| ((num, den), loops));
        let mut source = Frames { image, size, tps, next: 0 };
        if ticks.is_some() && frames > 1 {
            let info = AnimationInfo { size, frames, loops };
            return Ok((Content::Animated(info, Box::new(source)), lossy));
        }
        let (raster, _) =
            source.next_frame()?.ok_or_else(|| StillError::damaged("it holds no picture"))?;
        Ok((Content::One(raster), lossy))
    })
}

/// The image with all its data read, but nothing decoded yet.
fn open(bytes: &[u8], limits: &Limits) -> Result<JxlImage, StillError> {
    // Planes of 32-bit floats, several at a time.
    let memory = usize::try_from(limits.max_pixels.saturating_mul(32)).unwrap_or(usize::MAX);
    let mut image = JxlImage::builder()
        .pool(JxlThreadPool::none())
        .alloc_tracker(AllocTracker::with_limit(memory))
        .build_uninit();
    image.feed_bytes(bytes).map_err(StillError::damaged)?;
    let InitializeResult::Initialized(mut image) = image.try_init().map_err(StillError::damaged)?
    else {
        return Err(StillError::Truncated);
    };
    image.finalize().map_err(StillError::damaged)?;
    if !image.is_loading_done() {
        return Err(StillError::Truncated);
    }
    Ok(image)
}

struct Frames {
    image: JxlImage,
    /// Upright: the decoder turns the picture itself.
    size: Size,
    /// Ticks per second.
    tps: (u32, u32),
    next: usize,
}

impl FrameSource for Frames {
    fn next_frame(&mut self) -> Result<Option<(Raster, Delay)>, StillError> {
        if self.next >= self.image.num_loaded_keyframes() {
            return Ok(None);
        }
        let channels = match self.image.pixel_format() {
            PixelFormat::Gray => Channels::Gray,
            PixelFormat::Graya => Channels::GrayAlpha,
            PixelFormat::Rgb => Channels::Rgb,
            PixelFormat::Rgba => Channels::Rgba,
            PixelFormat::Cmyk | PixelFormat::Cmyka => {
                return Err(StillError::unsupported("JPEG XL in CMYK"));
            }
        };
        let render = self.image.render_frame(self.next).map_err(StillError::damaged)?;
        self.next += 1;
        let mut stream = render.stream();
        if (stream.width(), stream.height()) != (self.size.width, self.size.height)
            || stream.channels() as usize != channels.count()
        {
            return Err(StillError::damaged("a frame has another size than the picture"));
        }
        let len = packed_len(self.size, channels.count())?;
        let colour = match self.image.rendered_cicp() {
            Some([primaries, transfer, ..]) => Colour::Cicp { primaries, transfer },
            None => Colour::Icc(self.image.rendered_icc()),
        };
        let deep = self.image.image_header().metadata.bit_depth.bits_per_sample() > 8
            || matches!(colour, Colour::Cicp { transfer: 8 | 16 | 18, .. });
        let samples = if deep {
            let mut samples = zeroed(len)?;
            stream.write_to_buffer::<u16>(&mut samples);
            Samples::U16(samples)
        } else {
            let mut samples = zeroed(len)?;
            stream.write_to_buffer::<u8>(&mut samples);
            Samples::U8(samples)
        };
        let ticks = u64::from(render.duration()) * u64::from(self.tps.1);
        let delay = Delay::new(u32::try_from(ticks).unwrap_or(u32::MAX), self.tps.0);
        let raster = Raster {
            size: self.size,
            channels,
            samples,
            colour,
            orientation: Orientation::Upright,
        };
        Ok(Some((raster, delay)))
    }
}
