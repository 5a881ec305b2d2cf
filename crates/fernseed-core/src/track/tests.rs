//! Tracking: gaps, weak sights, cuts, crossing paths, ends.

use super::plan::{Planner, redactions};
use super::*;
use crate::geometry::{Orientation, Size};
use crate::picture::{Picture, PixelFormat};
use crate::policy::Policy;

fn face(x: f32, confidence: f32) -> Detection {
    Detection {
        rect: Rect::centred(x, 100.0, 40.0, 50.0),
        label: Label::Face,
        confidence,
        source: DetectorId::Fake,
        turn: Orientation::Upright,
    }
}

/// Frames at 25 per second; `at` says what is seen in each.
fn run(frames: u64, cuts: &[u64], at: impl Fn(u64) -> Option<Vec<Detection>>) -> Vec<Track> {
    let mut tracker = Tracker::new(TrackSettings::for_threshold(0.5));
    for frame in 0..frames {
        let sighting = Sighting {
            frame,
            seconds: frame as f64 / 25.0,
            cut: cuts.contains(&frame).then_some(frame),
            detections: at(frame),
        };
        tracker.push(sighting, None);
    }
    tracker.finish()
}

fn covers(tracks: &[Track], frame: u64, x: f32) -> bool {
    let truth = Rect::centred(x, 100.0, 40.0, 50.0);
    tracks
        .iter()
        .flat_map(|t| &t.points)
        .any(|p| p.frame == frame && truth.covered_by(p.rect) > 0.9)
}

#[test]
fn a_gap_is_filled_from_both_sides() {
    let x = |f: u64| 100.0 + 4.0 * f as f32;
    let tracks =
        run(100, &[], |f| Some(if (30..55).contains(&f) { vec![] } else { vec![face(x(f), 0.9)] }));
    assert_eq!(tracks.len(), 1);
    assert_eq!(tracks[0].longest_gap, 25);
    for f in 0..100 {
        assert!(covers(&tracks, f, x(f)), "frame {f}");
    }
}

#[test]
fn frames_nobody_looked_at_are_interpolated() {
    let x = |f: u64| 100.0 + 9.0 * f as f32;
    let tracks = run(60, &[], |f| f.is_multiple_of(4).then(|| vec![face(x(f), 0.9)]));
    assert_eq!(tracks.len(), 1);
    for f in 0..60 {
        assert!(covers(&tracks, f, x(f)), "frame {f}");
    }
}

#[test]
fn weak_sights_extend_a_track_but_single_ones_found_none() {
    let tracks = run(100, &[], |f| {
        Some(match f {
            10..40 => vec![face(300.0, 0.3)],
            40..60 => vec![face(300.0, 0.9)],
            80 => vec![face(800.0, 0.3)],
            _ => vec![],
        })
    });
    assert_eq!(tracks.len(), 1);
    assert!(covers(&tracks, 10, 300.0) && covers(&tracks, 59, 300.0));
    assert!(tracks[0].points[0].frame < 10, "extended before the first sight");
}

#[test]
fn weak_but_lasting_evidence_counts() {
    let tracks = run(50, &[], |f| Some(if f < 30 { vec![face(300.0, 0.4)] } else { vec![] }));
    assert_eq!(tracks.len(), 1);
    assert!(tracks[0].confidence < 0.5);
}

#[test]
fn cuts_separate_and_near_ends_snap_to_them() {
    let tracks = run(100, &[50], |f| {
        Some(match f {
            20..45 => vec![face(300.0, 0.9)],
            60..90 => vec![face(310.0, 0.9)],
            _ => vec![],
        })
    });
    assert_eq!(tracks.len(), 2);
    let span = |t: &Track| (t.points[0].frame, t.points[t.points.len() - 1].frame);
    assert_eq!(span(&tracks[0]), (0, 49), "snapped to the start and to the cut");
    assert_eq!(span(&tracks[1]), (50, 99));
}

#[test]
fn every_point_is_there_once_and_in_order() {
    let tracks = run(80, &[], |f| {
        Some(if f % 7 < 3 { vec![face(100.0 + f as f32, 0.8), face(600.0, 0.6)] } else { vec![] })
    });
    assert_eq!(tracks.len(), 2);
    for t in &tracks {
        assert!(t.points.windows(2).all(|w| w[0].frame + 1 == w[1].frame));
        assert_eq!(
            t.seen_frames() + t.points.iter().filter(|p| !p.seen).count() as u64,
            t.points.len() as u64
        );
    }
}

#[test]
fn crossing_paths_stay_covered() {
    let a = |f: u64| 100.0 + 5.0 * f as f32;
    let b = |f: u64| 500.0 - 5.0 * f as f32;
    let tracks = run(80, &[], |f| {
        let hidden = (a(f) - b(f)).abs() < 30.0;
        Some(if hidden { vec![face(a(f), 0.9)] } else { vec![face(a(f), 0.9), face(b(f), 0.8)] })
    });
    for f in 0..80 {
        assert!(covers(&tracks, f, a(f)) && covers(&tracks, f, b(f)), "frame {f}");
    }
}

#[test]
fn all_ways_of_somebody_are_of_one_subject() {
    let track = |subject, x: f32| Track {
        label: Label::Face,
        subject,
        points: (0..9)
            .map(|frame| TrackPoint { frame, rect: Rect::centred(x, 50.0, 20.0, 20.0), seen: true })
            .collect(),
        confidence: 0.9,
        detectors: Vec::new(),
        longest_gap: 0,
        strays: Vec::new(),
    };
    let tracks = [track(7, 40.0), track(3, 400.0), track(7, 90.0)];
    let found = redactions(&tracks, &Policy::default(), Size::new(800, 200));
    let subjects: Vec<_> = found.iter().map(|r| (r.id, r.subject)).collect();
    assert_eq!(subjects, [(1, Some(1)), (2, Some(2)), (3, Some(1))]);
}

#[test]
fn tracks_taken_as_they_end_are_those_of_the_end() {
    // People come and go, some leap, shots change; one stays throughout.
    let seen = |f: u64| {
        let mut all = vec![face(1500.0 + (f as f32 / 20.0).sin() * 30.0, 0.8)];
        let turn = f % 150;
        if turn < 60 {
            all.push(face(200.0 + 3.0 * turn as f32, 0.9));
        } else if (64..90).contains(&turn) {
            all.push(face(900.0 - turn as f32, 0.9));
        }
        all
    };
    let sighting = |frame: u64| Sighting {
        frame,
        seconds: frame as f64 / 25.0,
        cut: matches!(frame, 400 | 520).then_some(frame),
        detections: frame.is_multiple_of(2).then(|| seen(frame)),
    };
    let (mut whole, mut taken) = (
        Tracker::new(TrackSettings::for_threshold(0.5)),
        Tracker::new(TrackSettings::for_threshold(0.5)),
    );
    let mut early = Vec::new();
    for frame in 0..1000 {
        whole.push(sighting(frame), None);
        taken.push(sighting(frame), None);
        early.extend(taken.take_ended());
    }
    assert!(early.len() > 6, "most have ended long before the clip");
    let size = Size::new(1920, 200);
    let mut planner = Planner::new(&Policy::default(), size);
    early.iter().chain(&taken.finish()).for_each(|track| planner.add(track));
    let whole = redactions(&whole.finish(), &Policy::default(), size);
    assert!(whole.len() > 10);
    assert_eq!(planner.finish().redactions, whole);
}

#[test]
fn redactions_cover_what_the_tracks_cover() {
    let x = |f: u64| 100.0 + 60.0 * (f as f32 / 9.0).sin() + f as f32 * 3.0;
    let tracks = run(120, &[], |f| Some(vec![face(x(f), 0.9)]));
    let policy = Policy::default();
    let size = Size::new(800, 200);
    let plan = redactions(&tracks, &policy, size);
    assert_eq!(plan.len(), 1);
    assert!(plan[0].keyframes.len() < 120, "keyframes are thinned");
    assert!(plan[0].keyframes.windows(2).all(|w| w[0].frame < w[1].frame));
    for f in 0..120 {
        let rect = plan[0].rect_at(f).unwrap();
        // With some margin.
        let wanted = Rect::centred(x(f), 100.0, 40.0, 50.0).scaled(1.05);
        assert!(wanted.covered_by(rect) > 0.999, "frame {f}");
    }
}

#[test]
fn a_single_frame_becomes_one_keyframe() {
    let tracks = run(1, &[], |_| Some(vec![face(300.0, 0.9)]));
    let plan = redactions(&tracks, &Policy::default(), Size::new(800, 200));
    assert_eq!(plan[0].keyframes.len(), 1);
    assert_eq!(plan[0].span(), Some((0, 0)));
    let two = run(2, &[], |_| Some(vec![face(300.0, 0.9)]));
    let plan = redactions(&two, &Policy::default(), Size::new(800, 200));
    assert_eq!(plan[0].span(), Some((0, 1)));
}

#[test]
fn cuts_are_told_from_motion() {
    let mut scenes = scene::SceneDetector::default();
    let size = Size::new(320, 240);
    let shade = |v: u8| Picture::filled(size, PixelFormat::Rgb8, [v, v, v]);
    assert!(!scenes.is_cut(&shade(40)));
    for v in 41..60 {
        assert!(!scenes.is_cut(&shade(v)), "a slow fade is no cut");
    }
    assert!(scenes.is_cut(&shade(180)));
    assert!(!scenes.is_cut(&shade(180)));
}

#[test]
fn frames_that_may_belong_to_two_shots_are_covered_for_both() {
    // The cut lies somewhere from 48 to 50; the frames 48 and 49 were not
    // decoded.
    let mut tracker = Tracker::new(TrackSettings::for_threshold(0.5));
    for frame in 0..100u64 {
        let detections = match frame {
            20..48 => Some(vec![face(300.0, 0.9)]),
            50..80 => Some(vec![face(600.0, 0.9)]),
            48 | 49 => None,
            _ => Some(vec![]),
        };
        let cut = (frame == 50).then_some(48);
        tracker.push(Sighting { frame, seconds: frame as f64 / 25.0, cut, detections }, None);
    }
    let tracks = tracker.finish();
    assert_eq!(tracks.len(), 2);
    for frame in [48, 49] {
        assert!(covers(&tracks, frame, 300.0), "old shot, frame {frame}");
        assert!(covers(&tracks, frame, 600.0), "new shot, frame {frame}");
    }
    assert!(!covers(&tracks, 47, 600.0) && !covers(&tracks, 50, 300.0));
}

#[test]
fn who_turns_back_between_two_sights_is_covered() {
    // To the left by 20 pixels a frame up to frame 30, then back; the frame
    // of the turn itself, like every second one, was not looked at.
    let x = |f: u64| 200.0 + 20.0 * (f as f32 - 31.0).abs();
    let tracks = run(60, &[], |f| f.is_multiple_of(2).then(|| vec![face(x(f), 0.9)]));
    assert_eq!(tracks.len(), 1);
    for f in 0..60 {
        assert!(covers(&tracks, f, x(f)), "frame {f}");
    }
}

#[test]
fn large_things_that_only_the_quick_network_sees_for_long_are_nobody() {
    let seen = |side: f32, confidence, source| Detection {
        rect: Rect::centred(300.0, 300.0, side, side),
        source,
        ..face(0.0, confidence)
    };
    // In every fifth of so many frames.
    let found = |frames: u64, detection: Detection| {
        let tracks = run(frames, &[], move |f| f.is_multiple_of(5).then(|| vec![detection]));
        !tracks.is_empty()
    };
    let (quick, thorough) = (DetectorId::Yunet, DetectorId::Centerface);
    assert!(!found(60, seen(200.0, 0.85, quick)), "a lamp");
    assert!(found(60, seen(200.0, 0.85, thorough)));
    assert!(found(60, seen(200.0, 0.93, quick)), "the quick network is sure");
    assert!(found(60, seen(60.0, 0.85, quick)), "small ones the thorough network may miss");
    assert!(found(30, seen(200.0, 0.85, quick)), "the thorough one had no time to look");
    // Once in a while is no lamp, and one sight of the other network is enough.
    let rarely = run(60, &[], |f| f.is_multiple_of(20).then(|| vec![seen(200.0, 0.85, quick)]));
    assert!(!rarely.is_empty());
    let both = run(60, &[], |f| {
        let source = if f == 25 { thorough } else { quick };
        f.is_multiple_of(5).then(|| vec![seen(200.0, 0.85, source)])
    });
    assert!(!both.is_empty());
}

#[test]
fn small_fast_faces_are_followed_and_lost_ones_are_told() {
    let tiny = |x: f32| Detection { rect: Rect::centred(x, 100.0, 14.0, 18.0), ..face(x, 0.9) };
    let x = |f: u64| 900.0 - 6.0 * f as f32;
    let from = |first: u64| {
        run(60, &[], move |f| Some(if f >= first { vec![tiny(x(f))] } else { vec![] }))
    };
    // Eight frames before the first sight it was 48 pixels away.
    let followed = from(8);
    for f in 0..8 {
        let truth = Rect::centred(x(f), 100.0, 14.0, 18.0);
        let here = |p: &TrackPoint| p.frame == f && truth.covered_by(p.rect) > 0.9;
        assert!(followed[0].points.iter().any(here), "frame {f}");
    }
    assert_eq!(followed[0].strays, []);
    // Fifteen frames before, 90 pixels: more than four of its sides.
    let lost = from(15);
    assert_eq!(lost[0].strays.len(), 1);
    assert_eq!(lost[0].strays[0].frame, 15);
    let (stopped, _) = lost[0].strays[0].rect.centre();
    assert!((stopped - (x(15) + 56.0)).abs() < 2.0, "{stopped}");
}

#[test]
fn who_goes_on_as_another_track_is_not_lost() {
    // A fast one appears at frame 15 out of the place of one who stands.
    let x = |f: u64| 990.0 - 6.0 * f as f32;
    let tiny = |x: f32| Detection { rect: Rect::centred(x, 100.0, 14.0, 18.0), ..face(x, 0.9) };
    let seen = |stands: bool| {
        run(60, &[], move |f| {
            let mut all = if stands && f < 17 { vec![face(900.0, 0.9)] } else { vec![] };
            all.extend((f >= 15).then(|| tiny(x(f))));
            Some(all)
        })
    };
    let lost = |tracks: &[Track]| {
        let mut planner = Planner::new(&Policy::default(), Size::new(1920, 200));
        tracks.iter().for_each(|track| planner.add(track));
        planner.finish().strays.len()
    };
    assert_eq!(lost(&seen(false)), 1);
    assert_eq!(lost(&seen(true)), 0);
}

/// A face of 50 pixels moves through 60 frames, `x` says where, and is seen in
/// those that `sees` names. What the frames show is known, but for those that
/// `shown` leaves out.
fn followed(
    x: impl Fn(u64) -> f32,
    sees: impl Fn(u64) -> bool,
    shown: impl Fn(u64) -> bool,
) -> Vec<Track> {
    let mut tracker = Tracker::new(TrackSettings::for_threshold(0.5));
    for frame in 0..60 {
        let detections = sees(frame).then(|| vec![face(x(frame), 0.9)]);
        let seconds = frame as f64 / 25.0;
        let sighting = Sighting { frame, seconds, cut: None, detections };
        let luma = || follow::tests::scene(x(frame), 100.0, 50.0, 3.0);
        tracker.push(sighting, shown(frame).then(luma));
    }
    tracker.finish()
}

#[test]
fn whoever_nobody_sees_is_followed_both_ways() {
    // Seen in the middle only, and never at even speed.
    let x = |f: u64| 300.0 + 130.0 * (f as f32 / 9.0).sin();
    let tracks = followed(x, |f| (28..=32).contains(&f), |_| true);
    for f in 0..60 {
        assert!(covers(&tracks, f, x(f)), "frame {f}");
    }
    let blind = followed(x, |f| (28..=32).contains(&f), |_| false);
    assert!(!(0..60).all(|f| covers(&blind, f, x(f))), "the test needs following");
    // Every other frame was not decoded.
    let halves = followed(x, |f| f == 28 || f == 32, |f| f.is_multiple_of(2));
    for f in 0..60 {
        assert!(covers(&halves, f, x(f)), "frame {f}");
    }
}

#[test]
fn whoever_nobody_sees_is_followed_for_as_long_as_they_may_come_back() {
    // Seen in the first frames only; two seconds are fifty.
    let x = |f: u64| 300.0 + 130.0 * (f as f32 / 9.0).sin();
    let tracks = followed(x, |f| f <= 4, |_| true);
    for f in 0..=54 {
        assert!(covers(&tracks, f, x(f)), "frame {f}");
    }
}

#[test]
fn who_moves_fast_is_lost_only_if_nothing_followed_them() {
    let x = |f: u64| 40.0 + 10.0 * f as f32;
    let lost = |shown: bool| -> usize {
        let tracks = followed(x, |f| (20..=36).contains(&f), |_| shown);
        tracks.iter().map(|t| t.strays.len()).sum()
    };
    assert_eq!((lost(false), lost(true)), (2, 0));
}

#[test]
fn between_two_sights_the_cover_goes_where_the_face_went() {
    // There and back: both sights are in the same place.
    let x = |f: u64| 300.0 + 50.0 * ((f % 12) as f32 / 12.0 * std::f32::consts::PI).sin();
    let tracks = followed(x, |f| f.is_multiple_of(12) || f == 59, |_| true);
    assert_eq!(tracks.len(), 1);
    for point in &tracks[0].points {
        let truth = Rect::centred(x(point.frame), 100.0, 40.0, 50.0);
        assert!(truth.covered_by(point.rect) > 0.95, "frame {}", point.frame);
        assert!(point.rect.area() < 1.4 * truth.area(), "frame {}: {:?}", point.frame, point.rect);
    }
}

#[test]
fn somebody_hidden_for_a_moment_is_found_where_they_come_out() {
    // What passes in front of them is another texture, frames 20 to 25.
    let x = |f: u64| 150.0 + 4.0 * f as f32;
    let mut tracker = Tracker::new(TrackSettings::for_threshold(0.5));
    for frame in 0..60 {
        let hidden = (20..26).contains(&frame);
        let detections = (frame < 10).then(|| vec![face(x(frame), 0.9)]);
        let sighting = Sighting { frame, seconds: frame as f64 / 25.0, cut: None, detections };
        let seed = if hidden { 8.0 } else { 3.0 };
        tracker.push(sighting, Some(follow::tests::scene(x(frame), 100.0, 50.0, seed)));
    }
    let tracks = tracker.finish();
    for f in 0..45 {
        assert!(covers(&tracks, f, x(f)), "frame {f}");
    }
}

#[test]
fn nobody_is_followed_over_a_cut() {
    let mut tracker = Tracker::new(TrackSettings::for_threshold(0.5));
    for frame in 0..60 {
        let cut = (frame == 30).then_some(30);
        let detections = (frame < 20).then(|| vec![face(300.0, 0.9)]);
        let sighting = Sighting { frame, seconds: frame as f64 / 25.0, cut, detections };
        tracker.push(sighting, Some(follow::tests::scene(300.0, 100.0, 50.0, 3.0)));
    }
    let tracks = tracker.finish();
    assert!(tracks.iter().flat_map(|t| &t.points).all(|p| p.frame < 30));
}

#[test]
fn clocks_that_stand_still_or_go_back_make_no_odd_boxes() {
    for clock in [|_: u64| 1.0, |f: u64| 100.0 - f as f64, |f: u64| f as f64 * 1e12] {
        let mut tracker = Tracker::new(TrackSettings::for_threshold(0.5));
        for frame in 0..40u64 {
            let x = 200.0 + 3.0 * frame as f32;
            let hidden = (10..13).contains(&frame);
            let detections = (frame % 15 < 3).then(|| vec![face(x, 0.9)]);
            let seed = if hidden { 8.0 } else { 3.0 };
            let sighting = Sighting { frame, seconds: clock(frame), cut: None, detections };
            tracker.push(sighting, Some(follow::tests::scene(x, 100.0, 50.0, seed)));
        }
        let tracks = tracker.finish();
        assert!(!tracks.is_empty());
        for track in &tracks {
            assert!(track.points.iter().all(|p| p.rect.is_proper()), "{track:?}");
            assert!(track.points.windows(2).all(|w| w[0].frame + 1 == w[1].frame));
        }
    }
}

#[test]
fn tilted_heads_are_covered_more_widely() {
    let cover = |width: f32, height: f32| {
        let rect = Rect::centred(300.0, 100.0, width, height);
        let tracks = run(10, &[], |_| Some(vec![Detection { rect, ..face(300.0, 0.9) }]));
        let point = tracks[0].points[5];
        (point.rect.width() / width, point.rect.height() / height)
    };
    assert_eq!(cover(40.0, 50.0), (1.0, 1.0), "upright");
    assert_eq!(cover(50.0, 40.0), (1.0, 1.0), "lying");
    let (width, height) = cover(50.0, 50.0);
    assert!((1.1..1.2).contains(&width) && (1.1..1.2).contains(&height), "{width} {height}");
}
