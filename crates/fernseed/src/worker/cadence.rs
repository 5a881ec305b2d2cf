//! When a frame of a video is looked at as a whole, and how closely.

use fernseed_detect::{Turned, VideoLook};
use fernseed_media::video::Pace;

/// How often somebody looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    /// Looks at whole frames: from one to the next this long, and this many
    /// frames at most.
    pub(super) whole: Pace,
    /// The same of looks at full size.
    pub(super) close: Pace,
    /// One of these in so many is a fine one; the others are close ones.
    pub(super) fine_every: u32,
    /// One look in so many is a steady one; the others are quick.
    pub(super) steady_every: Option<u32>,
    /// The look at the first frame of a shot.
    pub(super) fresh: VideoLook,
    /// The look at the last frame of a shot, where none was due.
    pub(super) last: VideoLook,
}

/// For finding people: six looks a second, and where there are many frames
/// in a second never more than four between two looks, so that nobody shows
/// for five frames between them. What else happens between two looks is
/// asked near the places in doubt, or followed. Two looks a second are at full
/// size: with one a second, faces of 17 pixels were found late. Every other of
/// them is a fine one, and so is the last of a shot, since whoever came just
/// before it and is not seen then never is.
pub(super) const FINDING: Rhythm = Rhythm {
    whole: Pace { seconds: 1.0 / 6.0, frames: 5 },
    close: Pace { seconds: 0.5, frames: 15 },
    fine_every: 2,
    steady_every: None,
    fresh: VideoLook::Thorough,
    last: VideoLook::Fine(Turned::Once(0)),
};

/// For the audit, which comes on top: the output was looked at closely when
/// it was made.
pub(super) const AUDITING: Rhythm = Rhythm {
    whole: Pace { seconds: 0.5, frames: 30 },
    close: Pace { seconds: 4.0, frames: 240 },
    fine_every: 1,
    steady_every: Some(2),
    fresh: VideoLook::Fine(Turned::AllRound),
    last: VideoLook::Steady,
};

/// Seconds between two looks of the closest kind at most: flashing lights
/// look like cuts.
const BETWEEN_FRESH: f64 = 0.5;
/// Regular frames in a row that have to be there before one is relied on:
/// where frames come at no steady rate, others are decoded in their place.
const RELIABLE: u32 = 3;
/// Timestamps are rounded.
const SLACK: f64 = 2e-3;

/// Decides frame by frame.
#[derive(Debug)]
pub(super) struct Cadence {
    rhythm: Rhythm,
    /// Every frame whose number is a multiple of this is looked at.
    step: u64,
    /// The last look.
    last: Option<Moment>,
    /// The last look of the closest kind.
    last_fresh: Option<f64>,
    /// The last look at full size.
    last_close: Option<Moment>,
    /// Looks and looks at full size since the shot began.
    looks: u32,
    close: u32,
    /// The last frame that could be looked at, and how far it was from the
    /// one before: so far off is the next chance.
    possible: u64,
    stride: u64,
    /// How many regular frames in a row could be looked at.
    regular: u32,
}

/// A frame and its time.
#[derive(Clone, Copy, Debug)]
struct Moment {
    frame: u64,
    seconds: f64,
}

impl Moment {
    /// True if a pace that had its last turn then has its next one now, in
    /// time or in frames; also where time goes backwards.
    fn is_over(self, now: Self, pace: Pace) -> bool {
        let passed = now.seconds - self.seconds;
        passed >= pace.seconds - SLACK
            || passed < 0.0
            || now.frame.saturating_sub(self.frame) >= u64::from(pace.frames)
    }
}

impl Cadence {
    /// A cadence for a video of `rate` frames a second, where that is known.
    pub(super) fn new(rhythm: Rhythm, rate: Option<(u32, u32)>) -> Self {
        Self {
            rhythm,
            step: u64::from(rhythm.whole.step(rate)),
            last: None,
            last_fresh: None,
            last_close: None,
            looks: 0,
            close: 0,
            possible: 0,
            stride: 1,
            regular: 0,
        }
    }

    /// How the next frame, number `frame` at `seconds`, is looked at. A frame
    /// that cannot be looked at is passed over; where such frames are
    /// expected to come next, the look is early rather than late.
    ///
    /// Frames at regular numbers are looked at in any case: those are decoded
    /// whatever else is left out, so that a rhythm in step with them needs
    /// no early looks.
    pub(super) fn next(
        &mut self,
        frame: u64,
        seconds: f64,
        cut: bool,
        possible: bool,
    ) -> Option<VideoLook> {
        let regular = frame.is_multiple_of(self.step);
        if regular {
            self.regular = if possible { self.regular.saturating_add(1) } else { 0 };
        }
        if !possible {
            return None;
        }
        self.stride = frame.saturating_sub(std::mem::replace(&mut self.possible, frame)).max(1);
        let now = Moment { frame, seconds };
        let due = self.last.is_none_or(|last| {
            last.is_over(now, self.rhythm.whole)
                || self.next_chance(frame) - last.frame > u64::from(self.rhythm.whole.frames)
        });
        if !(cut || due || regular) {
            return None;
        }
        let fresh = cut || self.last.is_none();
        self.last = Some(now);
        if fresh {
            (self.looks, self.close) = (0, 0);
            let often = self.last_fresh.is_some_and(|t| (seconds - t).abs() < BETWEEN_FRESH);
            if !often {
                self.last_fresh = Some(seconds);
                self.last_close = Some(now);
                return Some(self.rhythm.fresh);
            }
            return Some(VideoLook::Steady);
        }
        self.looks += 1;
        if self.last_close.is_none_or(|last| last.is_over(now, self.rhythm.close)) {
            self.last_close = Some(now);
            self.close += 1;
            let turned = Turned::Once(self.close - 1);
            let fine = self.close.is_multiple_of(self.rhythm.fine_every);
            return Some(if fine { VideoLook::Fine(turned) } else { VideoLook::Close(turned) });
        }
        let steady = self.rhythm.steady_every.is_some_and(|n| self.looks.is_multiple_of(n));
        Some(if steady { VideoLook::Steady } else { VideoLook::Quick })
    }

    /// The next frame after this one that can be looked at: a regular one,
    /// if those have proved to be decoded, else as far off as the last was.
    fn next_chance(&self, frame: u64) -> u64 {
        let chance = frame + self.stride;
        if self.regular < RELIABLE {
            return chance;
        }
        chance.min(frame - frame % self.step + self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(rate: f64, frames: u32, cuts: &[u32]) -> Vec<(u32, VideoLook)> {
        let mut cadence = Cadence::new(FINDING, None);
        (0..frames)
            .filter_map(|f| {
                let seconds = f64::from(f) / rate;
                let look = cadence.next(f.into(), seconds, cuts.contains(&f), true);
                look.map(|how| (f, how))
            })
            .collect()
    }

    #[test]
    fn looks_follow_time_and_are_few_frames_apart() {
        assert_eq!(looks(30.0, 300, &[]).len(), 60);
        assert_eq!(looks(60.0, 600, &[]).len(), 120);
        assert_eq!(looks(2.0, 20, &[]).len(), 20);
        let count = |how| looks(30.0, 300, &[]).iter().filter(|l| l.1 == how).count();
        let fine = |n| count(VideoLook::Fine(Turned::Once(n)));
        let close = |n| count(VideoLook::Close(Turned::Once(n)));
        assert_eq!(count(VideoLook::Quick), 40);
        assert_eq!((0..19).map(close).sum::<usize>(), 10);
        assert_eq!((0..19).map(fine).sum::<usize>(), 9);
    }

    #[test]
    fn shots_begin_with_a_close_look_and_flashes_do_not_repeat_it() {
        let all = looks(30.0, 90, &[40, 43, 70]);
        let at = |f: u32| all.iter().find(|l| l.0 == f).map(|l| l.1);
        assert_eq!(at(0), Some(VideoLook::Thorough));
        assert_eq!(at(40), Some(VideoLook::Thorough));
        assert_eq!(at(43), Some(VideoLook::Steady));
        assert_eq!(at(70), Some(VideoLook::Thorough));
    }

    #[test]
    fn frames_that_are_not_decoded_put_no_look_off() {
        // Every third and every fourth frame is decoded, at 25 a second, and
        // with them, or not, every fifth.
        for stride in [3, 4] {
            for regular in [false, true] {
                let mut cadence = Cadence::new(FINDING, Some((25, 1)));
                let at: Vec<u64> = (0..200)
                    .filter(|f| {
                        let possible = f % stride == 0 || (regular && f % 5 == 0);
                        cadence.next(*f, *f as f64 / 25.0, *f == 61, possible).is_some()
                    })
                    .collect();
                let most = u64::from(FINDING.whole.frames);
                assert!(at.windows(2).all(|w| w[1] - w[0] <= most), "{stride}: {at:?}");
                // In step with what is decoded there are no early looks.
                assert_eq!(at.len() <= 43, regular, "{stride}: {at:?}");
            }
        }
    }

    #[test]
    fn looks_at_full_size_follow_time_whatever_the_number_of_looks() {
        let close = |rate: u32, stride: u64| {
            let mut cadence = Cadence::new(FINDING, Some((rate, 1)));
            (0..u64::from(rate) * 10)
                .filter(|f| {
                    let look =
                        cadence.next(*f, *f as f64 / f64::from(rate), false, f % stride == 0);
                    matches!(look, Some(VideoLook::Fine(_) | VideoLook::Close(_)))
                })
                .count()
        };
        assert_eq!(close(30, 1), 19);
        // Looks are 0.2 s apart.
        assert_eq!(close(10, 1), 16);
        assert!((15..=19).contains(&close(30, 3)));
    }

    #[test]
    fn a_frame_that_cannot_be_seen_passes_its_look_on() {
        let mut cadence = Cadence::new(FINDING, None);
        assert_eq!(cadence.next(0, 0.0, false, false), None);
        assert_eq!(cadence.next(1, 0.04, false, true), Some(VideoLook::Thorough));
        assert_eq!(cadence.next(2, 0.08, false, true), None);
    }
}
