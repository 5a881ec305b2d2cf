//! What a detector still sees in a picture that has been redacted.

use fernseed_core::detect::Detection;
use fernseed_core::render::Mask;
use fernseed_core::{Picture, PixelFormat, Rect};

/// A detection of which this share lies under one mask is the mask itself
/// (a filled ellipse looks a little like a face) and not a person.
const UNDER_MASK: f32 = 0.6;
/// So is one that overlaps a mask this much (intersection over union): the
/// same head, seen a little larger around its covered face.
const SAME_HEAD: f32 = 0.4;
/// Where a mask begins, ordinary things get odd edges: a detection of which
/// this share is masked has to be surer than others to count.
const BESIDE_MASK: f32 = 0.3;
/// How sure.
const BESIDE_MASK_CONFIDENCE: f32 = 0.7;

/// Detections that are neither under a mask nor kept visible by a person.
pub(super) fn visible(found: Vec<Detection>, masks: &[Mask], kept: &[Rect]) -> Vec<Detection> {
    found
        .into_iter()
        .filter(|d| {
            let under = |r: Rect| d.rect.covered_by(r) >= UNDER_MASK || d.rect.iou(r) >= SAME_HEAD;
            let beside = |r: Rect| {
                d.confidence < BESIDE_MASK_CONFIDENCE && d.rect.covered_by(r) >= BESIDE_MASK
            };
            !masks.iter().any(|m| under(m.rect) || beside(m.rect))
                && !kept.iter().any(|r| under(*r))
        })
        .collect()
}

/// The inner part of a detection that is looked at for flatness, of its sides.
const INNER: f32 = 0.6;
/// Samples this close to the commonest value are that value, after coding.
const SAME_VALUE: u8 = 3;
/// Share of equal samples from which nobody can be there.
const FLAT_SHARE: f32 = 0.5;

/// What is less sure than this and of which a [`BESIDE_MASK`] share is one
/// value is the edge of such a cover: nothing that redaction itself would
/// have hidden.
const BESIDE_FLAT_CONFIDENCE: f32 = 0.5;

/// True if a detection is a covered face, as other tools and finished files
/// without a plan have them, or the edge of one: most of its inside is one
/// value, or it is unsure and a good part of it is. Skin, even in the dark,
/// is not that flat.
pub(super) fn is_cover(picture: &Picture, found: &Detection) -> bool {
    let share = |rect| flat_share(picture, rect);
    share(found.rect.scaled(INNER)) >= FLAT_SHARE
        || (found.confidence < BESIDE_FLAT_CONFIDENCE && share(found.rect) >= BESIDE_MASK)
}

/// Share of a rectangle's samples that are its commonest value; 0 outside
/// the picture.
fn flat_share(picture: &Picture, rect: Rect) -> f32 {
    let step = match picture.format() {
        PixelFormat::Rgb8 => 3,
        PixelFormat::Rgba8 => 4,
        PixelFormat::Yuv420(_) => 1,
    };
    let inner = rect.intersection(picture.size().rect());
    let Some(plane) = picture.planes().first().filter(|_| inner.is_proper()) else {
        return 0.0;
    };
    let mut histogram = [0u32; 256];
    for y in inner.top as usize..(inner.bottom.ceil() as usize).min(plane.rows) {
        let row = plane.row(y);
        for x in inner.left as usize..inner.right.ceil() as usize {
            if let Some(value) = row.get(x * step + usize::from(step > 1)) {
                histogram[usize::from(*value)] += 1;
            }
        }
    }
    let all: u32 = histogram.iter().sum();
    let near = usize::from(SAME_VALUE);
    let most: u32 = (0..256)
        .map(|v: usize| histogram[v.saturating_sub(near)..=(v + near).min(255)].iter().sum())
        .max()
        .unwrap_or(0);
    if all == 0 { 0.0 } else { most as f32 / all as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fernseed_core::detect::{DetectorId, Label};
    use fernseed_core::{Orientation, Size};

    #[test]
    fn covers_are_flat_and_textures_are_not() {
        let size = Size::new(40, 40);
        let found = |rect, confidence| Detection {
            rect,
            label: Label::Face,
            confidence,
            source: DetectorId::Fake,
            turn: Orientation::Upright,
        };
        let face = found(Rect::new(5.0, 5.0, 35.0, 35.0), 0.9);
        let flat = Picture::filled(size, PixelFormat::Rgb8, [0, 0, 0]);
        assert!(is_cover(&flat, &face));
        let noise = fernseed_testkit::noise(size, PixelFormat::Rgb8, 5);
        assert!(!is_cover(&noise, &face));
        let outside = found(Rect::new(90.0, 90.0, 99.0, 99.0), 0.9);
        assert!(!is_cover(&flat, &outside), "outside is unknown");
    }

    #[test]
    fn the_edge_of_a_cover_has_to_be_surer_than_others() {
        let size = Size::new(40, 40);
        let mut picture = fernseed_testkit::noise(size, PixelFormat::Rgb8, 5);
        let plane = picture.planes_mut().first_mut().unwrap();
        let rows = 16 * plane.stride;
        plane.data[..rows].fill(0);
        let face = |confidence| Detection {
            rect: Rect::new(0.0, 0.0, 40.0, 40.0),
            label: Label::Face,
            confidence,
            source: DetectorId::Fake,
            turn: Orientation::Upright,
        };
        assert!(is_cover(&picture, &face(0.45)));
        assert!(!is_cover(&picture, &face(0.55)));
    }

    #[test]
    fn masks_are_not_people_but_neighbours_are() {
        let at = |left: f32| Detection {
            rect: Rect::new(left, 0.0, left + 10.0, 10.0),
            label: Label::Face,
            confidence: 0.9,
            source: DetectorId::Fake,
            turn: Orientation::Upright,
        };
        let mask = Mask { track: 1, rect: Rect::new(0.0, 0.0, 12.0, 12.0) };
        let left = visible(vec![at(1.0), at(7.0)], &[mask], &[]);
        assert_eq!(left, [at(7.0)]);
        assert!(visible(vec![at(7.0)], &[mask], &[Rect::new(6.0, 0.0, 20.0, 20.0)]).is_empty());
    }
}
