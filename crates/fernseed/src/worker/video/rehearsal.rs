//! Looking at a crowd, before it is written, as the audit will look at it.
//!
//! Among dozens of people the audit nearly always sees one more, in one of its
//! looks, whom no look of the first pass saw; and each of them has whole groups
//! of pictures coded, and audited, once more. So frames with many covers are looked
//! at while some frames before them still wait to be written, when and as the
//! audit will, and whoever is seen is covered at once. The audit stays what it
//! is. In other videos it has little to add, and nobody rehearses.

use super::Shot;
use super::original::{Original, Step};
use crate::protocol::{Failure, FailureKind};
use crate::worker::cadence::{AUDITING, Cadence};
use crate::worker::probe::Work;
use crate::worker::residual::visible;
use crate::worker::still::masks;
use fernseed_core::Picture;
use fernseed_core::detect::Detection;
use fernseed_core::plan::{Decision, Evidence, Keyframe, Plan, Playhead, Redaction};
use fernseed_core::render::{Mask, Renderer};
use fernseed_core::track::plan::covered_rect;
use fernseed_core::track::{Sighting, Track, TrackSettings, Tracker};
use fernseed_detect::VideoLook;
use std::collections::VecDeque;

/// Covers in a frame from which on it shows a crowd.
const CROWD: usize = 32;
/// Frames that wait to be written while those after them are looked at ...
const WAITING: usize = 8;
/// ... and the bytes that they may take: four frames of full HD.
const WAITING_BYTES: usize = 13 << 20;
/// Growth of a cover up to its first and last frame, as a share of its side:
/// what is seen in one frame may move.
const GROWTH: f32 = 0.25;

/// Who is seen is hidden from this share of the policy's threshold on: less than
/// what the audit doubts, since coding moves confidences.
const THRESHOLD: f32 = 0.8;

/// Whom somebody sees beside the masks of a frame.
pub(super) type Look<'a> =
    dyn Fn(&Picture, VideoLook, &[Mask]) -> Result<Vec<Detection>, Failure> + 'a;

/// Looks at a frame as it would be written.
pub(super) fn as_written(
    work: &Work<'_>,
    picture: &Picture,
    look: VideoLook,
    hidden: &[Mask],
) -> Result<Vec<Detection>, Failure> {
    // A second thread would need as much working memory again.
    let finder = work.finder.with_threads(1);
    let rendered = Renderer::new(work.policy).render(picture.clone(), hidden);
    let found = finder.look_at_frame(rendered.get(), look, settings(work.policy.threshold).floor);
    let found = found.map_err(|e| Failure::new(FailureKind::Internal, e.to_string()))?;
    Ok(visible(found, hidden, &[]))
}

/// What counts as somebody.
fn settings(threshold: f32) -> TrackSettings {
    TrackSettings::for_threshold(THRESHOLD * threshold)
}

/// The original's frames, some of which are rehearsed.
pub(super) struct Ahead<'a> {
    rehearsal: Option<Rehearsal<'a>>,
    waiting: VecDeque<Step>,
    /// How many may wait.
    room: usize,
}

impl<'a> Ahead<'a> {
    /// Frames as they come.
    pub(super) const fn plain() -> Self {
        Self { rehearsal: None, waiting: VecDeque::new(), room: 0 }
    }

    /// With a rehearsal, if the plan has a crowd to hide in a video of `rate`
    /// frames a second.
    pub(super) fn rehearsed(look: &'a Look<'a>, plan: &'a Plan, rate: Option<(u32, u32)>) -> Self {
        if plan.policy.hide.is_empty() || most_at_once(&plan.redactions) < CROWD {
            return Self::plain();
        }
        // Three bytes for two pixels.
        let bytes = usize::try_from(plan.source.size.pixels() * 3 / 2).unwrap_or(usize::MAX);
        let room = (WAITING_BYTES / bytes.max(1)).min(WAITING);
        let rehearsal = Some(Rehearsal::new(look, plan, rate));
        Self { rehearsal, waiting: VecDeque::with_capacity(room + 1), room }
    }

    /// The next step of `original`; `None` at the end.
    pub(super) fn next(&mut self, original: &mut Original) -> Result<Option<Step>, Failure> {
        while self.waiting.len() <= self.room {
            let Some(step) = original.next()? else { break };
            if let (Some(rehearsal), Step::Frame(number, shot)) = (&mut self.rehearsal, &step) {
                let unwritten = self.waiting.front().map_or(*number, Step::number);
                rehearsal.attend(*number, unwritten, shot)?;
            }
            self.waiting.push_back(step);
        }
        Ok(self.waiting.pop_front())
    }

    /// What hides those who were seen in the rehearsal, in a frame that is
    /// written now.
    pub(super) fn masks_at(&self, frame: u64) -> Vec<Mask> {
        self.rehearsal.as_ref().map_or_else(Vec::new, |r| r.masks_at(frame, 0))
    }

    /// Who was seen: to be added to the plan, whose numbers theirs continue.
    pub(super) fn seen(self) -> Vec<Redaction> {
        self.rehearsal.map_or_else(Vec::new, |r| r.seen)
    }
}

/// The most redactions that hide something at the same time.
fn most_at_once(redactions: &[Redaction]) -> usize {
    let spans = redactions.iter().filter_map(Redaction::span);
    let mut ends: Vec<(u64, i64)> =
        spans.flat_map(|(first, last)| [(first, 1), (last.saturating_add(1), -1)]).collect();
    ends.sort_unstable();
    let (mut now, mut most) = (0i64, 0);
    for (_, change) in ends {
        now += change;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}

/// The audit's looks, taken beforehand.
struct Rehearsal<'a> {
    look: &'a Look<'a>,
    plan: &'a Plan,
    hidden: Playhead<'a>,
    cadence: Cadence,
    /// Frames from one look to the next, at most.
    step: u64,
    /// Number of the last frame.
    last: u64,
    /// Numbers of the last redaction and its subject.
    numbers: (u32, u32),
    seen: Vec<Redaction>,
}

impl<'a> Rehearsal<'a> {
    fn new(look: &'a Look<'a>, plan: &'a Plan, rate: Option<(u32, u32)>) -> Self {
        Self {
            look,
            plan,
            hidden: Playhead::new(plan),
            cadence: Cadence::new(AUDITING, None),
            step: u64::from(AUDITING.whole.step(rate)),
            last: plan.source.frames.saturating_sub(1),
            numbers: plan.last_numbers(),
            seen: Vec::new(),
        }
    }

    /// Looks at a frame if the audit will; frames from `unwritten` on can
    /// still be changed.
    fn attend(&mut self, number: u64, unwritten: u64, shot: &Shot) -> Result<(), Failure> {
        let picture = shot.picture.as_ref().filter(|_| !shot.damaged);
        let seconds = self.plan.source.time_base.seconds(shot.pts);
        let due = self.cadence.next(number, seconds, false, picture.is_some());
        let due = due.or_else(|| (number == self.last).then_some(AUDITING.last));
        let (Some(look), Some(picture)) = (due, picture) else { return Ok(()) };
        let mut hidden = masks(self.hidden.hidden_at(number));
        if hidden.len() < CROWD {
            return Ok(());
        }
        // Whose cover ends here is looked for once more.
        hidden.extend(self.masks_at(number, 1));
        let detections = Some((self.look)(picture, look, &hidden)?);
        // What the audit makes of one look.
        let mut tracker = Tracker::new(settings(self.plan.policy.threshold));
        tracker.push(Sighting { frame: 0, seconds: 0.0, cut: None, detections }, None);
        for track in tracker.finish() {
            self.hide(&track, (unwritten, number));
        }
        Ok(())
    }

    /// Hides somebody who was seen in frame `at` from frame `from` up to the
    /// next look.
    fn hide(&mut self, track: &Track, (from, at): (u64, u64)) {
        let Some(point) = track.points.first() else { return };
        if !self.plan.policy.hide.contains(&track.label) {
            return;
        }
        let to = (at + self.step).min(self.last).max(at);
        let cover = |growth: f32| covered_rect(point.rect.scaled(growth), &self.plan.policy);
        let mut keyframes = vec![Keyframe { frame: at, rect: cover(1.0) }];
        if from < at {
            keyframes.insert(0, Keyframe { frame: from, rect: cover(1.0 + GROWTH) });
        }
        if to > at {
            keyframes.push(Keyframe { frame: to, rect: cover(1.0 + GROWTH) });
        }
        self.numbers = (self.numbers.0.saturating_add(1), self.numbers.1.saturating_add(1));
        self.seen.push(Redaction {
            id: self.numbers.0,
            subject: Some(self.numbers.1),
            label: track.label,
            decision: Decision::PROGRAM,
            evidence: Some(Evidence {
                detectors: track.detectors.clone(),
                confidence: track.confidence,
                seen_frames: 1,
                filled_frames: to - from,
                longest_gap: 0,
            }),
            keyframes,
        });
    }

    /// Of those who were seen, the covers in a frame that go on for at least
    /// `more` frames.
    fn masks_at(&self, frame: u64, more: u64) -> Vec<Mask> {
        // They end in the order in which they were seen: a crowd's of hours are
        // not gone through for every frame.
        let over = |r: &Redaction| r.span().is_none_or(|(_, last)| last < frame + more);
        let going_on = &self.seen[self.seen.partition_point(over)..];
        going_on
            .iter()
            .filter_map(|r| Some(Mask { track: r.id, rect: r.rect_at(frame)? }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fernseed_core::detect::{DetectorId, Label};
    use fernseed_core::plan::{KeptSpan, MediaKind, PLAN_VERSION, SourceSummary};
    use fernseed_core::policy::Policy;
    use fernseed_core::time::TimeBase;
    use fernseed_core::{Orientation, PixelFormat, Rect, Size};
    use std::cell::RefCell;

    const SIZE: Size = Size::new(64, 64);

    /// A plan of 100 frames, 25 a second, with `crowd` covers up to frame 70.
    fn plan(crowd: u32) -> Plan {
        let cover = |id| Redaction {
            id,
            subject: Some(id),
            label: Label::Face,
            decision: Decision::PROGRAM,
            evidence: None,
            keyframes: [0, 70]
                .map(|frame| Keyframe { frame, rect: Rect::new(0.0, 0.0, 4.0, 4.0) })
                .to_vec(),
        };
        Plan {
            version: PLAN_VERSION,
            source: SourceSummary {
                kind: MediaKind::Video,
                size: SIZE,
                frames: 100,
                time_base: TimeBase::MILLIS,
                first_pts: 0,
                last_pts: 3960,
                timeline: 0,
                span: KeptSpan::default(),
            },
            policy: Policy::default(),
            reviewed: false,
            redactions: (1..=crowd).map(cover).collect(),
            blanked: Vec::new(),
        }
    }

    fn face(confidence: f32) -> Detection {
        Detection {
            rect: Rect::centred(40.0, 40.0, 10.0, 12.0),
            label: Label::Face,
            confidence,
            source: DetectorId::Centerface,
            turn: Orientation::Upright,
        }
    }

    /// Who is seen, and in how many looks, if `sees` says what is to be seen in
    /// the looks, by their number.
    fn rehearse(plan: &Plan, sees: impl Fn(usize) -> Vec<Detection>) -> (Vec<Redaction>, usize) {
        let looks = RefCell::new(0);
        let look = |_: &Picture, _, hidden: &[Mask]| {
            assert!(hidden.len() >= CROWD);
            let number = looks.replace_with(|n| *n + 1);
            Ok(visible(sees(number), hidden, &[]))
        };
        let mut rehearsal = Rehearsal::new(&look, plan, Some((25, 1)));
        for number in 0..100u64 {
            let picture = Picture::filled(SIZE, PixelFormat::Rgb8, [90, 90, 90]);
            let shot = Shot {
                pts: number as i64 * 40,
                duration: 40,
                damaged: false,
                picture: Some(picture),
            };
            rehearsal.attend(number, number.saturating_sub(8), &shot).unwrap();
        }
        let seen = rehearsal.seen;
        (seen, looks.into_inner())
    }

    #[test]
    fn who_is_seen_in_a_crowd_is_hidden_from_before_until_the_next_look() {
        let plan = plan(40);
        // Looks come every half second, and every thirtieth frame.
        let (seen, looks) = rehearse(&plan, |n| if n == 1 { vec![face(0.45)] } else { vec![] });
        assert_eq!(looks, 7, "at 0, 13, 26, 30, 43, 56, 60 and not after 70");
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].span(), Some((5, 26)));
        assert_eq!((seen[0].id, seen[0].subject), (41, Some(41)));
        for frame in [5, 13, 20, 26] {
            let cover = seen[0].rect_at(frame).unwrap();
            assert!(face(0.0).rect.covered_by(cover) > 0.999, "{frame}");
        }
        let unsure = rehearse(&plan, |_| vec![face(0.38)]).0;
        assert!(unsure.is_empty(), "{unsure:?}");
    }

    #[test]
    fn who_stays_is_hidden_without_a_hole() {
        let (seen, _) = rehearse(&plan(40), |_| vec![face(0.45)]);
        assert!(seen.len() > 2);
        let covered = |frame| seen.iter().any(|r| r.rect_at(frame).is_some());
        // The last look at a crowd is at 60, when they are hidden up to 69.
        assert!((0..=69).all(covered));
    }

    #[test]
    fn few_people_are_not_rehearsed() {
        let plan = plan(10);
        let nobody = |_: &Picture, _, _: &[Mask]| -> Result<Vec<Detection>, Failure> {
            panic!("nobody should look")
        };
        assert!(Ahead::rehearsed(&nobody, &plan, None).rehearsal.is_none());
        let mut rehearsal = Rehearsal::new(&nobody, &plan, None);
        let picture = Picture::filled(SIZE, PixelFormat::Rgb8, [0, 0, 0]);
        let shot = Shot { pts: 0, duration: 40, damaged: false, picture: Some(picture) };
        rehearsal.attend(0, 0, &shot).unwrap();
    }

    #[test]
    fn covers_at_the_same_time_are_counted() {
        let mut redactions = plan(3).redactions;
        assert_eq!(most_at_once(&redactions), 3);
        // One after the others.
        redactions[2].keyframes.iter_mut().for_each(|k| k.frame += 71);
        assert_eq!(most_at_once(&redactions), 2);
        redactions[2].keyframes.iter_mut().for_each(|k| k.frame -= 1);
        assert_eq!(most_at_once(&redactions), 3);
        assert_eq!(most_at_once(&[]), 0);
    }
}
