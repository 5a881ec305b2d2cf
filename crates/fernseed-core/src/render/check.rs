//! Looking at a decoded output: is every mask really destroyed?
//!
//! The auditor decodes the finished file with its own decoder and asks this
//! module about every planned region. Lossy coding moves values a little and
//! rings at hard edges, so the outermost pixels are left out and a tolerance
//! is allowed; a face under the mask would move most pixels by far more.

use super::{Mask, spans};
use crate::geometry::Rect;
use crate::picture::{Picture, PixelFormat};
use crate::policy::{Policy, Treatment};

/// Largest mean absolute deviation from the fill, per channel, in 8-bit steps.
const MEAN_TOLERANCE: f32 = 6.0;
/// A single sample counts as off when it deviates by more than this.
const SAMPLE_TOLERANCE: u8 = 40;
/// Largest share of samples that may be off.
const OFF_SHARE: f32 = 0.01;
/// Largest mean step between neighbours inside a mosaic or blur.
const ROUGHNESS: f32 = 4.0;
/// Pixels at the rim that coding may have mixed with the outside.
const RIM: f32 = 3.0;
/// The same of colour, and the sides of what must be left of it to be judged. It
/// has half the size, and the smallest block of it that H.264 transforms is four
/// samples wide, eight pixels: what a saturated fill meets there is mixed with
/// it. In smaller regions brightness tells of a face.
const COLOUR_RIM: f32 = 8.0;

/// What was measured inside one mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskCheck {
    /// The mask.
    pub mask: Mask,
    /// True if what was found agrees with a destroyed region, or if the
    /// mask is too small to have an inside.
    pub destroyed: bool,
    /// Mean absolute deviation from the fill (solid) or mean step between
    /// neighbours (mosaic and blur), worst channel, in 8-bit steps.
    pub deviation: f32,
}

/// Checks every mask in a decoded output picture.
#[must_use]
pub fn masks(picture: &Picture, masks: &[Mask], policy: &Policy) -> Vec<MaskCheck> {
    masks.iter().map(|m| check(picture, m, masks, policy)).collect()
}

fn check(picture: &Picture, mask: &Mask, all: &[Mask], policy: &Policy) -> MaskCheck {
    let inner = mask.rect.padded(-RIM);
    let empty = MaskCheck { mask: *mask, destroyed: true, deviation: 0.0 };
    if !inner.intersection(picture.size().rect()).is_proper() {
        return empty;
    }
    let channels = channels(picture, policy.fill);
    let mut worst = 0.0f32;
    let mut destroyed = true;
    for channel in channels {
        let mut shrink = inner;
        if channel.shift == 1 {
            shrink = mask.rect.padded(-COLOUR_RIM);
            if shrink.width().min(shrink.height()) < COLOUR_RIM {
                continue;
            }
        }
        let (deviation, fine) = match policy.treatment {
            Treatment::Solid => flatness(picture, channel, shrink, policy),
            // Cells of overlapping masks draw edges into each other.
            Treatment::Mosaic | Treatment::Blur => {
                let overlapped =
                    all.iter().any(|o| o.track != mask.track && o.rect.iou(mask.rect) > 0.0);
                smoothness(picture, channel, shrink, policy, overlapped)
            }
        };
        worst = worst.max(deviation);
        destroyed &= fine;
    }
    MaskCheck { mask: *mask, destroyed, deviation: worst }
}

/// One channel of a picture and the value the fill has in it.
#[derive(Clone, Copy)]
struct Channel {
    plane: usize,
    step: usize,
    offset: usize,
    /// 1 where the plane has half the picture's size.
    shift: u32,
    fill: u8,
}

fn channels(picture: &Picture, fill: [u8; 3]) -> [Channel; 3] {
    let packed = |step| {
        std::array::from_fn(|c| Channel { plane: 0, step, offset: c, shift: 0, fill: fill[c] })
    };
    match picture.format() {
        PixelFormat::Rgb8 => packed(3),
        PixelFormat::Rgba8 => packed(4),
        PixelFormat::Yuv420(colour) => {
            let yuv = colour.from_rgb(fill);
            std::array::from_fn(|c| Channel {
                plane: c,
                step: 1,
                offset: 0,
                shift: u32::from(c > 0),
                fill: yuv[c],
            })
        }
    }
}

/// Calls `visit` with every sample of the channel under the shape, and the
/// sample to its left if that is under the shape too.
fn each_sample(
    picture: &Picture,
    channel: Channel,
    rect: Rect,
    policy: &Policy,
    mut visit: impl FnMut(u8, Option<u8>),
) {
    let Some(plane) = picture.planes().get(channel.plane) else { return };
    let scale = 1.0 / (1 << channel.shift) as f32;
    let rect = rect.times(scale, scale);
    let columns = (plane.row_bytes / channel.step) as u32;
    let size = crate::Size::new(columns, plane.rows as u32);
    for span in spans::rows(rect, policy.shape, size, 1) {
        let row = plane.row(span.y);
        let at = |x: usize| row.get(x * channel.step + channel.offset).copied();
        for x in span.x0..span.x1 {
            if let Some(value) = at(x) {
                visit(value, if x > span.x0 { at(x - 1) } else { None });
            }
        }
    }
}

fn flatness(picture: &Picture, channel: Channel, rect: Rect, policy: &Policy) -> (f32, bool) {
    let (mut sum, mut off, mut count) = (0u64, 0u64, 0u64);
    each_sample(picture, channel, rect, policy, |value, _| {
        let distance = value.abs_diff(channel.fill);
        sum += u64::from(distance);
        off += u64::from(distance > SAMPLE_TOLERANCE);
        count += 1;
    });
    if count == 0 {
        return (0.0, true);
    }
    let mean = sum as f32 / count as f32;
    (mean, mean <= MEAN_TOLERANCE && off as f32 <= OFF_SHARE * count as f32)
}

fn smoothness(
    picture: &Picture,
    channel: Channel,
    rect: Rect,
    policy: &Policy,
    overlapped: bool,
) -> (f32, bool) {
    let (mut sum, mut count) = (0u64, 0u64);
    each_sample(picture, channel, rect, policy, |value, left| {
        if let Some(left) = left {
            sum += u64::from(value.abs_diff(left));
            count += 1;
        }
    });
    if count == 0 {
        return (0.0, true);
    }
    let mean = sum as f32 / count as f32;
    (mean, mean <= if overlapped { 2.0 * ROUGHNESS } else { ROUGHNESS })
}
