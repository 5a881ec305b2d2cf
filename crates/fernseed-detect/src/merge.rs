//! From the raw boxes of several looks to one list of faces.

use crate::face_box::FaceBox;
use crate::look::Network;
use fernseed_core::Rect;
use fernseed_core::detect::{Detection, Label};

/// Boxes that overlap this much are the same face.
const SAME_FACE_IOU: f32 = 0.35;
/// A box inside a better one by this share, and not much smaller, is it too.
const SAME_FACE_COVER: f32 = 0.8;
/// How much smaller a contained box may be, by area, to count as the same.
const SAME_FACE_AREA: f32 = 0.3;

/// One box with its confidence on the common scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vote {
    pub(crate) network: Network,
    pub(crate) rect: Rect,
    pub(crate) confidence: f32,
    /// Which look it came from.
    pub(crate) look: usize,
}

impl Vote {
    /// A network's box on the common scale, where 0.5 means "hide".
    pub(crate) fn new(network: Network, found: FaceBox, look: usize) -> Self {
        let confidence = calibrate(network, found.score);
        Self { network, rect: found.rect, confidence, look }
    }
}

/// Maps a network's score to the common scale by two straight lines that
/// meet at the score from which a single sighting is hidden.
fn calibrate(network: Network, score: f32) -> f32 {
    let even = match network {
        Network::CenterFace => 0.25,
        Network::YuNet => 0.5,
    };
    if score < even { 0.5 * score / even } else { 0.5 + 0.5 * (score - even) / (1.0 - even) }
}

fn same_face(a: Rect, b: Rect) -> bool {
    if a.iou(b) > SAME_FACE_IOU {
        return true;
    }
    let (small, large) = if a.area() < b.area() { (a, b) } else { (b, a) };
    small.area() > SAME_FACE_AREA * large.area() && small.covered_by(large) > SAME_FACE_COVER
}

/// Merges the votes for each face. The best vote decides confidence and
/// source; every further look that saw the face raises the confidence; the
/// box is the mean of the votes, weighted by confidence.
pub(crate) fn merge(mut votes: Vec<Vote>, floor: f32) -> Vec<Detection> {
    votes.retain(|vote| vote.rect.is_proper());
    votes.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then(a.look.cmp(&b.look))
            .then(a.rect.top.total_cmp(&b.rect.top))
            .then(a.rect.left.total_cmp(&b.rect.left))
    });
    let mut faces: Vec<Vec<Vote>> = Vec::new();
    for vote in votes {
        match faces.iter_mut().find(|face| same_face(face[0].rect, vote.rect)) {
            Some(face) => face.push(vote),
            None => faces.push(vec![vote]),
        }
    }
    let mut detections: Vec<Detection> = faces
        .iter()
        .map(|face| Detection {
            rect: mean_rect(face),
            label: Label::Face,
            confidence: agreement(face),
            source: face[0].network.id(),
        })
        .filter(|detection| detection.confidence >= floor)
        .collect();
    detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    detections
}

/// `1 - product of (1 - weight * confidence)` with full weight for the best
/// vote and a small one for every further look.
fn agreement(face: &[Vote]) -> f32 {
    const FURTHER: f32 = 0.25;
    let mut doubt = 1.0 - face[0].confidence;
    let mut looks = vec![face[0].look];
    for vote in &face[1..] {
        if !looks.contains(&vote.look) {
            looks.push(vote.look);
            doubt *= 1.0 - FURTHER * vote.confidence;
        }
    }
    1.0 - doubt
}

fn mean_rect(face: &[Vote]) -> Rect {
    let (mut sum, mut weight) = (Rect::new(0.0, 0.0, 0.0, 0.0), 0.0);
    for vote in face {
        let (r, w) = (vote.rect, vote.confidence.max(1e-6));
        sum = Rect::new(
            sum.left + w * r.left,
            sum.top + w * r.top,
            sum.right + w * r.right,
            sum.bottom + w * r.bottom,
        );
        weight += w;
    }
    sum.times(1.0 / weight, 1.0 / weight)
}
