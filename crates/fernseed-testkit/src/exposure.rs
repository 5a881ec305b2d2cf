//! How much of every true face a plan or a finished file hides.
//!
//! A frame is *exposed* when less than 90 % of the visible part of a true
//! face that counts is covered. Coverage is looked at in the grid points of
//! [`crate::truth`], whether it comes from a plan's shapes or from pixels.

mod cover;
mod report;
mod sheet;

pub use cover::{Cover, PixelCover, PlanCover};
pub use report::{Summary, markdown};
pub use sheet::contact_sheet;

use crate::truth::{Face, Truth, points};
use serde::Serialize;
use std::collections::BTreeMap;

/// Share of a face's visible part that has to be covered.
pub const COVERED: f32 = 0.9;

/// Lower ends of the classes of height in which recall is told.
pub const CLASSES: [f32; 3] = [12.0, 24.0, 48.0];

/// A run of frames in which one face is exposed.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The clip.
    pub clip: String,
    /// Its scenario.
    pub scenario: String,
    /// Whose face.
    pub face: u32,
    /// First exposed frame.
    pub first: usize,
    /// Last exposed frame.
    pub last: usize,
    /// Exposed frames in the run; frames that do not count lie between.
    pub frames: usize,
    /// The frame in which least is covered.
    pub worst: usize,
    /// Share covered there.
    pub covered: f32,
    /// Height of the face there, in pixels.
    pub height: f32,
    /// Why, as far as it can be told.
    pub cause: &'static str,
    /// Box of the face in the worst frame: left, top, right, bottom.
    pub bounds: [f32; 4],
}

/// What was measured on one clip.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Clip {
    /// File name of the clip.
    pub clip: String,
    /// Its scenario.
    pub scenario: String,
    /// Frames of the clip.
    pub frames: usize,
    /// Frames with at least one exposed face.
    pub exposed_frames: usize,
    /// Faces in frames, covered and all, by [`CLASSES`].
    pub recall: [(usize, usize); 3],
    /// The same from 16 pixels on: what exposure counts.
    pub counted: (usize, usize),
    /// People, and those that were covered in no frame that counts.
    pub people: usize,
    /// See `people`.
    pub never_found: usize,
    /// Changes of the redaction that covers a person, in a plan.
    pub switches: usize,
    /// Hidden area over true face area, one value for each frame with faces.
    #[serde(skip)]
    pub area: Vec<f32>,
    /// All exposed runs.
    pub runs: Vec<Run>,
    /// The least covered frame of everybody who is never exposed.
    pub closest: Vec<Run>,
}

#[derive(Clone, Copy)]
struct Look {
    frame: usize,
    covered: f32,
}

/// Measures one clip.
///
/// # Errors
/// What `cover` says about a frame that it cannot tell of.
pub fn measure<E>(truth: &Truth, cover: &mut dyn Cover<Error = E>) -> Result<Clip, E> {
    let grid = points();
    let mut clip = Clip {
        clip: truth.clip.clone(),
        scenario: truth.scenario.clone(),
        frames: truth.frames.len(),
        ..Clip::default()
    };
    let mut people: BTreeMap<u32, Vec<Look>> = BTreeMap::new();
    let mut owners: BTreeMap<u32, u32> = BTreeMap::new();
    for (n, frame) in truth.frames.iter().enumerate() {
        cover.frame(n)?;
        let mut exposed = false;
        for face in &frame.faces {
            let covered = covered_share(face, &grid, cover);
            let whole = covered >= COVERED;
            if face.visible >= crate::truth::COUNTED_SHARE
                && face.contrast >= crate::truth::COUNTED_CONTRAST
            {
                let class = CLASSES.iter().rposition(|low| face.height() >= *low).unwrap_or(0);
                clip.recall[class].0 += usize::from(whole);
                clip.recall[class].1 += 1;
            }
            if !face.counts {
                continue;
            }
            clip.counted.0 += usize::from(whole);
            clip.counted.1 += 1;
            exposed |= !whole;
            people.entry(face.id).or_default().push(Look { frame: n, covered });
            if let Some(owner) = cover.owner(face.centre)
                && owners.insert(face.id, owner).is_some_and(|before| before != owner)
            {
                clip.switches += 1;
            }
        }
        clip.exposed_frames += usize::from(exposed);
        let area: f32 = frame.faces.iter().map(Face::area).sum();
        if area > 0.0 {
            clip.area.push(cover.hidden_area() / area);
        }
    }
    clip.people = people.len();
    for (id, looks) in people {
        let never = looks.iter().all(|l| l.covered < COVERED);
        clip.never_found += usize::from(never);
        let exposed = runs(truth, id, &looks, never);
        if exposed.is_empty() {
            clip.closest.extend(closest(truth, id, &looks));
        }
        clip.runs.extend(exposed);
    }
    Ok(clip)
}

fn covered_share<E>(face: &Face, grid: &[(f32, f32)], cover: &dyn Cover<Error = E>) -> f32 {
    let visible = face.visible_points(grid.len());
    let (mut seen, mut hidden) = (0usize, 0usize);
    for (point, _) in grid.iter().zip(visible).filter(|(_, v)| *v) {
        seen += 1;
        hidden += usize::from(cover.hides(face.place(*point)));
    }
    if seen == 0 { 1.0 } else { hidden as f32 / seen as f32 }
}

/// Joins exposed frames that follow each other among the counted ones.
fn runs(truth: &Truth, id: u32, looks: &[Look], never: bool) -> Vec<Run> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < looks.len() {
        if looks[start].covered >= COVERED {
            start += 1;
            continue;
        }
        let mut end = start;
        while end + 1 < looks.len() && looks[end + 1].covered < COVERED {
            end += 1;
        }
        let part = &looks[start..=end];
        let worst = part.iter().min_by(|a, b| a.covered.total_cmp(&b.covered)).copied();
        let worst = worst.unwrap_or(looks[start]);
        if let Some(face) = face_at(truth, worst.frame, id) {
            found.push(Run {
                clip: truth.clip.clone(),
                scenario: truth.scenario.clone(),
                face: id,
                first: looks[start].frame,
                last: looks[end].frame,
                frames: part.len(),
                worst: worst.frame,
                covered: worst.covered,
                height: face.height(),
                cause: if never { "never found" } else { cause(truth, id, looks, start, end) },
                bounds: face.bounds(),
            });
        }
        start = end + 1;
    }
    found
}

/// The least covered frame of somebody who is never exposed, as a run.
fn closest(truth: &Truth, id: u32, looks: &[Look]) -> Option<Run> {
    let worst = looks.iter().min_by(|a, b| a.covered.total_cmp(&b.covered))?;
    let face = face_at(truth, worst.frame, id)?;
    Some(Run {
        clip: truth.clip.clone(),
        scenario: truth.scenario.clone(),
        face: id,
        first: worst.frame,
        last: worst.frame,
        frames: 0,
        worst: worst.frame,
        covered: worst.covered,
        height: face.height(),
        cause: "covered",
        bounds: face.bounds(),
    })
}

fn face_at(truth: &Truth, frame: usize, id: u32) -> Option<&Face> {
    truth.frames.get(frame)?.faces.iter().find(|f| f.id == id)
}

/// The likeliest cause of a run between `start` and `end` of `looks`.
fn cause(truth: &Truth, id: u32, looks: &[Look], start: usize, end: usize) -> &'static str {
    let faces: Vec<&Face> =
        looks[start..=end].iter().filter_map(|l| face_at(truth, l.frame, id)).collect();
    let [w, h] = truth.size.map(|s| s as f32);
    let at_border = faces.iter().any(|f| {
        let [l, t, r, b] = f.bounds();
        l < 0.0 || t < 0.0 || r > w || b > h
    });
    let cut = (looks[start].frame..=looks[end].frame + 1)
        .any(|n| truth.frames.get(n).is_some_and(|f| f.cut));
    let before = looks[start].frame.checked_sub(1).and_then(|n| face_at(truth, n, id));
    let speed = before.zip(faces.first().copied()).map_or(0.0, |(a, b)| {
        (a.centre[0] - b.centre[0]).hypot(a.centre[1] - b.centre[1]) / b.height().max(1.0)
    });
    if at_border {
        return if start == 0 {
            "entry"
        } else if end + 1 == looks.len() {
            "exit"
        } else {
            "border"
        };
    }
    if cut {
        return "cut";
    }
    if faces.iter().any(|f| f.visible < 0.9) {
        return "occluded";
    }
    if faces.iter().any(|f| f.yaw.abs() > 40.0) {
        return "turned";
    }
    if speed > 0.12 {
        return "motion";
    }
    if looks[start..=end].iter().all(|l| l.covered > 0.5) {
        return "too tight";
    }
    if start == 0 {
        "found late"
    } else if end + 1 == looks.len() {
        "lost early"
    } else {
        "gap"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::FrameTruth;

    /// Hides everything left of a line that moves.
    struct Left(Vec<f32>, f32);

    impl Cover for Left {
        type Error = ();
        fn frame(&mut self, n: usize) -> Result<(), ()> {
            self.1 = self.0[n];
            Ok(())
        }
        fn hides(&self, at: (f32, f32)) -> bool {
            at.0 < self.1
        }
        fn owner(&self, _: [f32; 2]) -> Option<u32> {
            Some(self.1 as u32)
        }
        fn hidden_area(&self) -> f32 {
            self.1 * 100.0
        }
    }

    fn truth(frames: usize) -> Truth {
        let face = Face::upright(1, [10.0, 10.0, 30.0, 40.0]);
        let frames = (0..frames)
            .map(|_| FrameTruth { ms: 0.0, cut: false, faces: vec![face.clone()] })
            .collect();
        Truth {
            clip: "c".into(),
            scenario: "s".into(),
            half: "develop".into(),
            seed: 0,
            size: [100, 100],
            frames,
        }
    }

    #[test]
    fn a_gap_is_one_run_and_one_identity_switch_each_way() {
        let got = measure(&truth(5), &mut Left(vec![30.0, 30.0, 12.0, 13.0, 30.0], 0.0)).unwrap();
        assert_eq!(got.exposed_frames, 2);
        assert_eq!(got.counted, (3, 5));
        assert_eq!(got.recall[1], (3, 5));
        assert_eq!((got.people, got.never_found), (1, 0));
        assert_eq!(got.runs.len(), 1);
        assert_eq!((got.runs[0].first, got.runs[0].last, got.runs[0].worst), (2, 3, 2));
        assert_eq!(got.runs[0].cause, "gap");
        assert_eq!(got.switches, 3);
    }

    #[test]
    fn who_is_never_covered_was_never_found() {
        let got = measure(&truth(2), &mut Left(vec![0.0, 20.0], 0.0)).unwrap();
        assert_eq!((got.exposed_frames, got.never_found), (2, 1));
        assert_eq!(got.runs[0].cause, "never found");
        assert!(got.closest.is_empty());
    }

    #[test]
    fn who_is_always_covered_has_a_closest_moment() {
        let got = measure(&truth(3), &mut Left(vec![30.0, 28.5, 30.0], 0.0)).unwrap();
        assert!(got.runs.is_empty());
        let closest = &got.closest[0];
        assert_eq!((got.closest.len(), closest.worst, closest.frames), (1, 1, 0));
        assert!((COVERED..1.0).contains(&closest.covered), "{closest:?}");
    }
}
