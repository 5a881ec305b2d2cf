//! GIF, decoded by the `gif` crate.

use super::animation::{AnimationInfo, Delay, FrameSource};
use super::canvas::{Area, Blend, Canvas, Disposal};
use super::guard::{allowed, guarded, packed_len, zeroed};
use super::raster::{Channels, Raster};
use super::{Content, StillError};
use fernseed_core::Size;
use fernseed_core::limits::Limits;
use gif::{ColorOutput, DecodeOptions, DecodingError, DisposalMethod, MemoryLimit, Repeat};

type Decoder<'a> = gif::Decoder<&'a [u8]>;

pub(super) fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Content<'a>, StillError> {
    guarded("GIF", || {
        let decoder = open(bytes, false)?;
        let size = allowed(decoder.width(), decoder.height(), limits)?;
        let loops = match decoder.repeat() {
            Repeat::Infinite => 0,
            // The file counts repetitions after the first time.
            Repeat::Finite(again) => u32::from(again) + 1,
        };
        let frames = count(bytes, limits)?;
        let mut source = Frames { decoder, canvas: Canvas::new(size)?, size, limits: *limits };
        if frames > 1 {
            return Ok(Content::Animated(AnimationInfo { size, frames, loops }, Box::new(source)));
        }
        let (raster, _) =
            source.next_frame()?.ok_or_else(|| StillError::damaged("it holds no picture"))?;
        Ok(Content::One(raster))
    })
}

fn open(bytes: &[u8], skip: bool) -> Result<Decoder<'_>, StillError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.skip_frame_decoding(skip);
    // Sizes are checked here, frame by frame, before memory is taken.
    options.set_memory_limit(MemoryLimit::Unlimited);
    options.read_info(bytes).map_err(explain)
}

/// Number of frames, without decoding them.
fn count(bytes: &[u8], limits: &Limits) -> Result<u32, StillError> {
    let mut decoder = open(bytes, true)?;
    let mut frames = 0;
    while decoder.next_frame_info().map_err(explain)?.is_some() {
        frames += 1;
        if frames > limits.max_animation_frames {
            return Err(StillError::Limit { what: "frames of an animation" });
        }
    }
    Ok(frames)
}

struct Frames<'a> {
    decoder: Decoder<'a>,
    canvas: Canvas,
    size: Size,
    limits: Limits,
}

impl FrameSource for Frames<'_> {
    fn next_frame(&mut self) -> Result<Option<(Raster, Delay)>, StillError> {
        let Some(frame) = self.decoder.next_frame_info().map_err(explain)? else {
            return Ok(None);
        };
        let size = allowed(frame.width, frame.height, &self.limits)?;
        let area = Area { left: frame.left.into(), top: frame.top.into(), size };
        let disposal = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => Disposal::Keep,
            DisposalMethod::Background => Disposal::Clear,
            DisposalMethod::Previous => Disposal::Restore,
        };
        let delay = Delay::new(frame.delay.into(), 100);
        let mut pixels = zeroed(packed_len(size, 4)?)?;
        self.decoder.read_into_buffer(&mut pixels).map_err(explain)?;
        let shown = self.canvas.draw(&pixels, area, Blend::Over, disposal)?;
        Ok(Some((Raster::srgb8(self.size, Channels::Rgba, shown), delay)))
    }
}

fn explain(error: DecodingError) -> StillError {
    match error {
        DecodingError::Io(e) => StillError::from_io(&e),
        DecodingError::OutOfMemory | DecodingError::MemoryLimit => {
            StillError::Limit { what: "memory" }
        }
        other => StillError::damaged(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::still::testing::few_frames;

    fn film(frames: u16) -> Vec<u8> {
        let mut file = Vec::new();
        let palette = [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9];
        let mut encoder = gif::Encoder::new(&mut file, 3, 2, &palette).unwrap();
        encoder.set_repeat(Repeat::Finite(4)).unwrap();
        for i in 0..frames {
            let frame = gif::Frame {
                width: 1,
                height: 2,
                left: i % 3,
                delay: 7 + i,
                buffer: vec![(i % 3) as u8; 2].into(),
                ..gif::Frame::default()
            };
            encoder.write_frame(&frame).unwrap();
        }
        drop(encoder);
        file
    }

    #[test]
    fn frames_are_put_together() {
        let file = film(3);
        let Content::Animated(info, mut frames) = decode(&file, &Limits::default()).unwrap() else {
            panic!("an animation");
        };
        assert_eq!(info, AnimationInfo { size: Size::new(3, 2), frames: 3, loops: 5 });
        let mut last = None;
        let mut delays = Vec::new();
        while let Some((raster, delay)) = frames.next_frame().unwrap() {
            last = Some(raster);
            delays.push(delay);
        }
        assert_eq!(delays, [Delay::new(7, 100), Delay::new(8, 100), Delay::new(9, 100)]);
        let picture = last.unwrap().finish(&mut Vec::new()).unwrap();
        assert_eq!(picture.planes()[0].row(1), [255, 0, 0, 0, 255, 0, 0, 0, 255]);
    }

    #[test]
    fn one_frame_is_a_still() {
        let file = film(1);
        let Content::One(raster) = decode(&file, &Limits::default()).unwrap() else {
            panic!("a still");
        };
        let picture = raster.finish(&mut Vec::new()).unwrap();
        assert_eq!(picture.planes()[0].row(0), [255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn frames_are_bounded_and_cuts_are_errors() {
        let file = film(6);
        assert!(matches!(decode(&file, &few_frames()), Err(StillError::Limit { .. })));
        for cut in 0..file.len() - 1 {
            assert!(decode(&file[..cut], &Limits::default()).is_err(), "{cut} of {}", file.len());
        }
    }
}
