//! From a decoder's frame to a [`Picture`]: 8-bit 4:2:0, upright, one size.

use super::colour::ColourPlan;
use super::error::words;
use super::hdr::ToneMap;
use super::rotate::copy_upright;
use super::{Cicp, MediaError};
use crate::ffi::{AvError, Frame, FrameFormat, Scaler, Target};
use fernseed_core::picture::{Plane, Samples, YuvMatrix, plane_sizes};
use fernseed_core::{Orientation, Picture, PixelFormat, Size};
use std::sync::Arc;

/// Most pictures whose memory is kept for reuse.
const POOL: usize = 8;

/// Shapes all frames of one file alike.
#[derive(Debug)]
pub(super) struct Shaper {
    stored: Size,
    orientation: Orientation,
    plan: ColourPlan,
    scaler: Option<Scaler>,
    tone: Option<Box<ToneMap>>,
    /// Planes that tone mapping writes before they are turned.
    between: Vec<Plane>,
    pool: Vec<Vec<Plane>>,
}

fn failed(error: AvError) -> MediaError {
    MediaError::Unsupported { what: format!("pixel layout: {}", words(error)) }
}

/// Full-size plane, then half-size ones, without contents.
fn planes_of(size: Size) -> Vec<Plane> {
    let format = PixelFormat::Yuv420(fernseed_core::picture::YuvColour::BT709);
    plane_sizes(size, format).into_iter().map(|(w, h)| Plane::filled(w, h, 0)).collect()
}

/// Size of plane `index` of a 4:2:0 picture.
const fn plane_size(size: Size, index: usize) -> Size {
    if index == 0 { size } else { Size::new(size.width.div_ceil(2), size.height.div_ceil(2)) }
}

impl Shaper {
    /// A shaper for stored frames of one size.
    pub(super) fn new(stored: Size, orientation: Orientation, plan: ColourPlan) -> Self {
        let tone = plan.hdr.map(|hdr| Box::new(ToneMap::new(hdr)));
        let between = if tone.is_some() { planes_of(stored) } else { Vec::new() };
        Self { stored, orientation, plan, scaler: None, tone, between, pool: Vec::new() }
    }

    /// Takes a picture's memory back.
    pub(super) fn recycle(&mut self, picture: Picture) {
        if self.pool.len() < POOL
            && !picture.is_lent()
            && picture.size() == self.orientation.apply_to_size(self.stored)
            && matches!(picture.format(), PixelFormat::Yuv420(_))
        {
            self.pool.push(picture.into_planes());
        }
    }

    /// The picture in memory that is not lent.
    pub(super) fn own(&mut self, picture: Picture) -> Picture {
        let upright = self.orientation.apply_to_size(self.stored);
        if !picture.is_lent() || picture.size() != upright {
            return picture;
        }
        let mut planes = self.pool.pop().unwrap_or_else(|| planes_of(upright));
        for (i, (from, to)) in picture.planes().iter().zip(&mut planes).enumerate() {
            let size = plane_size(upright, i);
            copy_upright(&from.data, from.stride, size, Orientation::Upright, to);
        }
        Picture::new(upright, picture.format(), planes).unwrap_or(picture)
    }

    /// A frame as it is, without copying it, if it needs no shaping.
    fn lend(&self, frame: &mut Frame) -> Result<Option<Picture>, MediaError> {
        if self.tone.is_some() || self.orientation != Orientation::Upright || !self.fits(frame) {
            return Ok(None);
        }
        let frame = Arc::new(frame.take().map_err(failed)?);
        let plane = |i| {
            let size = plane_size(self.stored, i);
            let (row_bytes, rows) = (size.width as usize, size.height as usize);
            let (lent, stride) = Frame::lend(&frame, i, row_bytes, rows)?;
            Some(Plane { data: Samples::lent(Arc::new(lent)), stride, row_bytes, rows })
        };
        let planes = (0..3).map(plane).collect::<Option<_>>();
        let format = PixelFormat::Yuv420(self.plan.colour.yuv);
        let picture = planes.and_then(|planes| Picture::new(self.stored, format, planes).ok());
        picture.map(Some).ok_or_else(|| failed(AvError::INVALID_DATA))
    }

    /// True if a frame has the size, layout and range that are wanted.
    fn fits(&self, frame: &Frame) -> bool {
        let (width, height) = frame.size();
        Size::new(width, height) == self.stored
            && frame.format() == FrameFormat::Yuv420
            && frame.cicp().full_range == self.plan.colour.yuv.full_range
            && frame.plane(0, self.stored.width as usize, self.stored.height as usize).is_some()
    }

    /// Shapes one frame, which is taken if it can be lent as it is.
    ///
    /// # Errors
    /// [`MediaError::Unsupported`] if the layout cannot be converted.
    pub(super) fn shape(&mut self, frame: &mut Frame) -> Result<Picture, MediaError> {
        if let Some(picture) = self.lend(frame)? {
            return Ok(picture);
        }
        let frame = &*frame;
        let upright = self.orientation.apply_to_size(self.stored);
        let mut planes = self.pool.pop().unwrap_or_else(|| planes_of(upright));
        let (width, height) = frame.size();
        let same_size = Size::new(width, height) == self.stored;
        let cicp = frame.cicp();
        let full = cicp.full_range;
        let wanted = self.plan.colour.yuv;
        if let Some(tone) = &self.tone {
            let ten = if same_size && frame.format() == FrameFormat::Yuv420Ten {
                frame
            } else {
                let scaler = scaler(&mut self.scaler)?;
                let size = (self.stored.width, self.stored.height);
                scaler.convert(frame, size, Target::Ten, 9, (full, full)).map_err(failed)?
            };
            let size = |i| plane_size(self.stored, i);
            let source = [0, 1, 2].map(|i| {
                let s = size(i);
                ten.plane(i, s.width as usize * 2, s.height as usize)
            });
            let [Some(y), Some(cb), Some(cr)] = source else {
                return Err(failed(AvError::INVALID_DATA));
            };
            let target = if self.orientation == Orientation::Upright {
                &mut planes
            } else {
                &mut self.between
            };
            tone.map(self.stored, full, [y, cb, cr], target);
            if self.orientation != Orientation::Upright {
                for (i, (from, to)) in self.between.iter().zip(&mut planes).enumerate() {
                    let size = plane_size(self.stored, i);
                    copy_upright(&from.data, from.stride, size, self.orientation, to);
                }
            }
        } else {
            let frame = if self.fits(frame) {
                frame
            } else {
                let rgb = matches!(frame.format(), FrameFormat::Other { rgb: true });
                let from_full = full || rgb;
                let matrix = coefficients(wanted.matrix, cicp);
                let size = (self.stored.width, self.stored.height);
                let scaler = scaler(&mut self.scaler)?;
                scaler
                    .convert(frame, size, Target::Eight, matrix, (from_full, wanted.full_range))
                    .map_err(failed)?
            };
            for (i, to) in planes.iter_mut().enumerate() {
                let size = plane_size(self.stored, i);
                let (data, stride) = frame
                    .plane(i, size.width as usize, size.height as usize)
                    .ok_or_else(|| failed(AvError::INVALID_DATA))?;
                copy_upright(data, stride, size, self.orientation, to);
            }
        }
        Picture::new(upright, PixelFormat::Yuv420(wanted), planes)
            .ok()
            .ok_or_else(|| failed(AvError::INVALID_DATA))
    }
}

fn scaler(slot: &mut Option<Scaler>) -> Result<&mut Scaler, MediaError> {
    if slot.is_none() {
        *slot = Some(Scaler::new().map_err(failed)?);
    }
    slot.as_mut().ok_or_else(|| failed(AvError::NO_MEMORY))
}

/// The code point libswscale takes its coefficients from.
const fn coefficients(matrix: YuvMatrix, source: Cicp) -> u8 {
    match matrix {
        YuvMatrix::Bt709 if source.matrix == 7 => 7,
        YuvMatrix::Bt709 => 1,
        YuvMatrix::Bt601 => 5,
        YuvMatrix::Bt2020 => 9,
    }
}
