//! What a detector still sees in a picture that has been redacted.

use fernseed_core::Rect;
use fernseed_core::detect::Detection;
use fernseed_core::render::Mask;

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

#[cfg(test)]
mod tests {
    use super::*;
    use fernseed_core::detect::{DetectorId, Label};

    #[test]
    fn masks_are_not_people_but_neighbours_are() {
        let at = |left: f32| Detection {
            rect: Rect::new(left, 0.0, left + 10.0, 10.0),
            label: Label::Face,
            confidence: 0.9,
            source: DetectorId::Fake,
        };
        let mask = Mask { track: 1, rect: Rect::new(0.0, 0.0, 12.0, 12.0) };
        let left = visible(vec![at(1.0), at(7.0)], &[mask], &[]);
        assert_eq!(left, [at(7.0)]);
        assert!(visible(vec![at(7.0)], &[mask], &[Rect::new(6.0, 0.0, 20.0, 20.0)]).is_empty());
    }
}
