//! From the raw boxes of several looks to one list of faces.

use crate::face_box::FaceBox;
use crate::look::Network;
use fernseed_core::detect::{Detection, Label};
use fernseed_core::{Orientation, Rect};

/// Boxes that overlap this much are the same face.
const SAME_FACE_IOU: f32 = 0.35;
/// A box inside a better one by this share, and not much smaller, is it too.
const SAME_FACE_COVER: f32 = 0.8;
/// How much smaller a contained box may be, by area, to count as the same.
const SAME_FACE_AREA: f32 = 0.3;

/// The confidence from which a single sighting is hidden.
const EVEN_CHANCE: f32 = 0.5;

/// Below this a detection may be explained away by a surer one.
const DOUBTFUL: f32 = 0.75;

/// One box with its confidence on the common scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vote {
    pub(crate) network: Network,
    pub(crate) rect: Rect,
    /// Where the nose is, if the network says.
    nose: Option<(f32, f32)>,
    pub(crate) confidence: f32,
    /// The confidence of its network, whatever it is trusted.
    own: f32,
    /// Which look it came from.
    pub(crate) look: usize,
    /// How the picture was turned for it.
    pub(crate) turn: Orientation,
}

impl Vote {
    /// A network's box on the common scale, where 0.5 means "hide". `trust`
    /// scales the confidence of looks that err more often.
    pub(crate) fn new(network: Network, found: FaceBox, look: usize, trust: f32) -> Self {
        let own = calibrate(network, found.score);
        let turn = Orientation::Upright;
        let FaceBox { rect, nose, .. } = found;
        Self { network, rect, nose, confidence: trust * own, own, look, turn }
    }

    /// The same, from a turned picture. In mirrored ones people stand upright.
    pub(crate) fn turned(self, turn: Orientation) -> Self {
        let turn = if turn == Orientation::FlipHorizontal { Orientation::Upright } else { turn };
        Self { turn, ..self }
    }
}

/// Maps a network's score to the common scale by two straight lines that
/// meet at the score from which a single sighting is hidden.
fn calibrate(network: Network, score: f32) -> f32 {
    let even = match network {
        Network::CenterFace => 0.225,
        Network::YuNet => 0.45,
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

/// Merges the votes for each face. The best vote decides the confidence;
/// every further look that saw the face raises the confidence; the
/// box is that of the looks for which the picture was turned as the face lies
/// ([`placed`]).
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
        .map(|face| {
            let (rect, turn) = placed(face);
            let (confidence, source) = (agreement(face), witness(face).id());
            Detection { rect, label: Label::Face, confidence, source, turn }
        })
        .filter(|detection| detection.confidence >= floor)
        .collect();
    detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    drop_nested(detections)
}

/// The thorough network if it has more than a suspicion, else the quick one.
fn witness(face: &[Vote]) -> Network {
    let thorough = |v: &Vote| v.network == Network::CenterFace && v.confidence >= 0.5 * EVEN_CHANCE;
    if face.iter().any(thorough) { Network::CenterFace } else { face[0].network }
}

/// By how much surer a network has to be of a turned face than of the same
/// face upright, for the face to lie.
const SURER: f32 = 1.08;
/// Where a lying face is, upright looks say as well if they are as sure as
/// this share of the turned ones.
const NEARLY: f32 = 0.85;

/// Where a face is and how it lies. A network that is shown a lying face
/// upright may see it, but places its box over the hair; shown it turned, it
/// is surer. What two networks are sure of cannot be compared. How much turned
/// looks are trusted is about whether there is anybody, not about how they lie.
fn placed(face: &[Vote]) -> (Rect, Orientation) {
    let best = |turn, network: Network| {
        let seen = face.iter().filter(|v| v.turn == turn && v.network == network);
        seen.map(|v| v.own).max_by(f32::total_cmp)
    };
    let whole = |turn: Orientation| {
        let like: Vec<Vote> = face.iter().filter(|v| v.turn == turn).copied().collect();
        to_the_chin(before_the_nose(mean_rect(&like), &like, turn), turn)
    };
    let upright = Orientation::Upright;
    let turned = face.iter().filter(|v| v.turn != upright);
    let Some(surest) = turned.max_by(|a, b| a.own.total_cmp(&b.own)) else {
        return (whole(upright), upright);
    };
    if face.iter().all(|v| v.turn != upright) {
        return (whole(surest.turn), surest.turn);
    }
    match best(upright, surest.network) {
        Some(own) if own * SURER < surest.own => {
            let rect = whole(surest.turn);
            let as_well = own >= NEARLY * surest.own;
            (if as_well { rect.union(whole(upright)) } else { rect }, surest.turn)
        }
        _ => (whole(upright), upright),
    }
}

/// Makes the box of somebody who looks aside reach as far as the face does before
/// the nose. Of such a face, the more so behind a mask, networks often box the
/// head: with the nose more than 0.3 widths from the middle, one box in ten leaves
/// out a third of its width there, of others a seventh (panned photographs). Where the nose is says the surest of the `votes` that tell.
fn before_the_nose(rect: Rect, votes: &[Vote], turn: Orientation) -> Rect {
    /// How far the nose may be from the middle of the box, as a share of its
    /// width, in a face that looks ahead. What is beyond that is added ...
    const AHEAD: f32 = 0.15;
    /// ... up to this share.
    const MOST: f32 = 0.2;
    let telling = votes.iter().filter_map(|v| Some((v.own, v.rect, v.nose?)));
    let Some((_, seen, nose)) = telling.max_by(|a, b| a.0.total_cmp(&b.0)) else { return rect };
    let (x, y) = seen.centre();
    let missing = |off: f32| (off.abs() - AHEAD).clamp(0.0, MOST).copysign(off);
    // A point that is not a number moves nothing.
    let moved = |low: f32, high: f32, by: f32| (low + by.min(0.0), high + by.max(0.0));
    // A lying face looks up or down the picture.
    if matches!(turn, Orientation::Rotate90 | Orientation::Rotate270) {
        let by = missing((nose.1 - y) / seen.height()) * rect.height();
        let (top, bottom) = moved(rect.top, rect.bottom, by);
        Rect { top, bottom, ..rect }
    } else {
        let by = missing((nose.0 - x) / seen.width()) * rect.width();
        let (left, right) = moved(rect.left, rect.right, by);
        Rect { left, right, ..rect }
    }
}

/// Makes a network's box a whole face. Both networks end their boxes above
/// the chin, by a tenth of the height under a medical mask and half of that
/// without, and a little too narrow (medians over the tuning half, see
/// `examples/cover.rs`). Where a face lies so that the picture has to be
/// `turn`ed, the chin is elsewhere.
fn to_the_chin(rect: Rect, turn: Orientation) -> Rect {
    const BROW: f32 = -0.02;
    const CHIN: f32 = 0.17;
    const SIDE: f32 = 0.04;
    // By how much of its length each side of the picture's axes is moved out:
    // left, top, right, bottom.
    let [left, top, right, bottom] = match turn {
        Orientation::Rotate90 => [BROW, SIDE, CHIN, SIDE],
        Orientation::Rotate270 => [CHIN, SIDE, BROW, SIDE],
        Orientation::Rotate180 => [SIDE, CHIN, SIDE, BROW],
        _ => [SIDE, BROW, SIDE, CHIN],
    };
    let (width, height) = (rect.width(), rect.height());
    Rect::new(
        rect.left - left * width,
        rect.top - top * height,
        rect.right + right * width,
        rect.bottom + bottom * height,
    )
}

/// Drops doubtful boxes that lie inside a surer one (an eye, a mouth) or
/// around a much smaller surer one (a face with its surroundings).
fn drop_nested(best_first: Vec<Detection>) -> Vec<Detection> {
    let mut kept: Vec<Detection> = Vec::with_capacity(best_first.len());
    for detection in best_first {
        let rect = detection.rect;
        let explained = detection.confidence < DOUBTFUL
            && kept.iter().filter(|k| k.confidence > 0.5).any(|k| {
                rect.covered_by(k.rect) > 0.7
                    || (k.rect.covered_by(rect) > 0.7 && k.rect.area() < 0.5 * rect.area())
            });
        if !explained {
            kept.push(detection);
        }
    }
    kept
}

/// `1 - product of (1 - weight * confidence)` with full weight for the best
/// vote and half of it for every further look.
fn agreement(face: &[Vote]) -> f32 {
    const FURTHER: f32 = 0.5;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(network: Network, rect: Rect, score: f32, look: usize) -> Vote {
        Vote::new(network, FaceBox { rect, score, nose: None }, look, 1.0)
    }

    #[test]
    fn agreement_makes_a_doubtful_face_sure() {
        let rect = Rect::new(10.0, 10.0, 30.0, 40.0);
        let one = vote(Network::CenterFace, rect, 0.2, 0);
        let other = vote(Network::YuNet, rect.shifted(1.0, 1.0), 0.4, 1);
        let alone = merge(vec![one], 0.0);
        let both = merge(vec![one, other], 0.0);
        assert!(alone[0].confidence < 0.5);
        assert_eq!(both.len(), 1);
        assert!(both[0].confidence > 0.5);
        // The same look twice is no agreement.
        let twice = merge(vec![one, Vote { rect: rect.shifted(1.0, 0.0), ..one }], 0.0);
        assert_eq!(twice[0].confidence, alone[0].confidence);
    }

    #[test]
    fn neighbours_stay_apart_and_parts_are_dropped() {
        let face = Rect::new(0.0, 0.0, 40.0, 50.0);
        let votes = vec![
            vote(Network::CenterFace, face, 0.9, 0),
            vote(Network::CenterFace, face.shifted(35.0, 0.0), 0.8, 0),
            vote(Network::CenterFace, Rect::new(10.0, 10.0, 20.0, 20.0), 0.2, 0),
        ];
        assert_eq!(merge(votes.clone(), 0.0).len(), 2);
        // A sure small face before a large one is no part of it.
        let votes = [votes, vec![vote(Network::YuNet, Rect::new(5.0, 20.0, 15.0, 33.0), 0.95, 1)]];
        assert_eq!(merge(votes.concat(), 0.0).len(), 3);
    }

    #[test]
    fn a_box_grows_towards_the_chin_wherever_that_is() {
        let rect = Rect::new(100.0, 100.0, 200.0, 200.0);
        let grown = |turn| to_the_chin(rect, turn);
        assert!(grown(Orientation::Upright).bottom > 210.0);
        // Shown upright after a turn to the right, the chin was at the right.
        assert!(grown(Orientation::Rotate90).right > 210.0);
        assert!(grown(Orientation::Rotate270).left < 90.0);
        assert!(grown(Orientation::Rotate180).top < 90.0);
        assert_eq!(grown(Orientation::FlipHorizontal), grown(Orientation::Upright));
    }

    #[test]
    fn who_looks_aside_is_covered_before_the_nose() {
        let rect = Rect::new(100.0, 100.0, 140.0, 160.0);
        let faced = |nose: Option<(f32, f32)>, turn| {
            let plain = vote(Network::YuNet, rect, 0.9, 0);
            before_the_nose(rect, &[Vote { nose, ..plain }], turn)
        };
        let upright = |x: f32| faced(Some((x, 130.0)), Orientation::Upright);
        assert_eq!(faced(None, Orientation::Upright), rect);
        assert_eq!(upright(120.0), rect);
        assert_eq!(upright(125.0), rect, "a little is nothing");
        assert_eq!(upright(f32::NAN), rect);
        // A quarter of the width to the right, and far beyond to the left.
        assert!((upright(130.0).right - 144.0).abs() < 1e-3);
        assert_eq!(Rect { right: rect.right, ..upright(130.0) }, rect);
        assert!((upright(-900.0).left - 92.0).abs() < 1e-3);
        // Who lies looks up the picture, by a third of the height.
        let lying = faced(Some((120.0, 110.0)), Orientation::Rotate90);
        assert!((lying.top - 89.0).abs() < 1e-3, "{lying:?}");
        assert_eq!(Rect { top: rect.top, ..lying }, rect);
        // The surest look that tells is believed.
        let votes = [(0.95, None), (0.9, Some((120.0, 130.0))), (0.6, Some((140.0, 130.0)))]
            .map(|(score, nose)| Vote { nose, ..vote(Network::YuNet, rect, score, 0) });
        assert_eq!(before_the_nose(rect, &votes, Orientation::Upright), rect);
    }

    #[test]
    fn the_scale_meets_at_one_half() {
        for network in [Network::CenterFace, Network::YuNet] {
            assert_eq!(calibrate(network, 0.0), 0.0);
            assert_eq!(calibrate(network, 1.0), 1.0);
        }
        assert_eq!(calibrate(Network::CenterFace, 0.225), 0.5);
        assert_eq!(calibrate(Network::YuNet, 0.45), 0.5);
    }
}
