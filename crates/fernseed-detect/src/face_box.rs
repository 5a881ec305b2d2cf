//! A box as a network says it, and the merging of duplicates.

use fernseed_core::Rect;

/// A box in the pixels of a network's input, with the network's own score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceBox {
    /// The box.
    pub rect: Rect,
    /// The network's score, 0 to 1; not calibrated.
    pub score: f32,
    /// Where the tip of the nose is, in the same pixels, if the network says.
    pub nose: Option<(f32, f32)>,
}

/// Boxes kept for merging, best first: bounds the time a hostile picture
/// full of almost-faces can take.
const MAX_CANDIDATES: usize = 6000;

impl FaceBox {
    pub(crate) fn centred(x: f32, y: f32, width: f32, height: f32, score: f32) -> Self {
        Self { rect: Rect::centred(x, y, width, height), score, nose: None }
    }
}

/// Greedy non-maximum suppression: best first, dropping what overlaps a
/// better box by more than `max_iou`. Boxes that are not finite are dropped.
pub(crate) fn suppress(mut boxes: Vec<FaceBox>, max_iou: f32) -> Vec<FaceBox> {
    boxes.retain(|b| b.rect.is_proper());
    sort_best_first(&mut boxes);
    boxes.truncate(MAX_CANDIDATES);
    let mut kept: Vec<FaceBox> = Vec::new();
    for candidate in boxes {
        if kept
            .iter()
            .all(|k| apart(k.rect, candidate.rect) || k.rect.iou(candidate.rect) <= max_iou)
        {
            kept.push(candidate);
        }
    }
    kept
}

/// True if two boxes share nothing, as most do: cheaper to see than how much
/// they share.
fn apart(a: Rect, b: Rect) -> bool {
    (a.right <= b.left) | (b.right <= a.left) | (a.bottom <= b.top) | (b.bottom <= a.top)
}

/// Total order, so that equal pictures give equal lists.
fn sort_best_first(boxes: &mut [FaceBox]) {
    boxes.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(a.rect.top.total_cmp(&b.rect.top))
            .then(a.rect.left.total_cmp(&b.rect.left))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_of_two_overlapping_boxes_stays() {
        let boxes = vec![
            FaceBox::centred(11.0, 10.0, 10.0, 10.0, 0.5),
            FaceBox::centred(10.0, 10.0, 10.0, 10.0, 0.9),
            FaceBox::centred(40.0, 10.0, 10.0, 10.0, 0.2),
            FaceBox::centred(f32::NAN, 10.0, 10.0, 10.0, 1.0),
        ];
        let kept = suppress(boxes, 0.3);
        assert_eq!(kept.iter().map(|b| b.score).collect::<Vec<_>>(), [0.9, 0.2]);
    }
}
