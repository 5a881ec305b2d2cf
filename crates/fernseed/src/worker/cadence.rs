//! When a frame of a video is looked at as a whole, and how closely.

use fernseed_detect::{Turned, VideoLook};

/// How often somebody looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    /// Seconds between looks at whole frames.
    pub(super) interval: f64,
    /// Frames between them at most, whatever the timestamps say.
    pub(super) frames: u32,
    /// One look in so many is a steady one; the others are quick.
    pub(super) steady_every: u32,
    /// One look in so many is a fine one.
    pub(super) fine_every: u32,
    /// The look at the first frame of a shot.
    pub(super) fresh: VideoLook,
}

/// For finding people: six looks a second, and where there are many frames
/// in a second never more than four between two looks, so that nobody shows
/// for five frames between them. What else happens between two looks is
/// asked near the places in doubt. Every third look is a fine one: with every
/// sixth, faces of 17 pixels were lost twice as often.
pub(super) const FINDING: Rhythm = Rhythm {
    interval: 1.0 / 6.0,
    frames: 5,
    steady_every: 3,
    fine_every: 3,
    fresh: VideoLook::Thorough,
};

/// For the audit, which comes on top: the output was looked at closely when
/// it was made.
pub(super) const AUDITING: Rhythm = Rhythm {
    interval: 0.5,
    frames: 30,
    steady_every: 2,
    fine_every: 8,
    fresh: VideoLook::Fine(Turned::AllRound),
};

/// Seconds between two looks of the closest kind at most: flashing lights
/// look like cuts.
const BETWEEN_FRESH: f64 = 0.5;
/// Timestamps are rounded.
const SLACK: f64 = 2e-3;

/// Decides frame by frame.
#[derive(Debug)]
pub(super) struct Cadence {
    rhythm: Rhythm,
    last: Option<f64>,
    last_fresh: Option<f64>,
    since: u32,
    looks: u32,
    /// Frames since the last that could be looked at, and how many there were
    /// between the last two: so far off is the next chance.
    unseen: u32,
    stride: u32,
}

impl Cadence {
    pub(super) const fn new(rhythm: Rhythm) -> Self {
        Self { rhythm, last: None, last_fresh: None, since: 0, looks: 0, unseen: 0, stride: 1 }
    }

    /// How the next frame, at `seconds`, is looked at. A frame that cannot
    /// be looked at is passed over; where such frames are expected to come
    /// next, the look is early rather than late.
    pub(super) fn next(&mut self, seconds: f64, cut: bool, possible: bool) -> Option<VideoLook> {
        self.since = self.since.saturating_add(1);
        self.unseen = self.unseen.saturating_add(1);
        if possible {
            self.stride = std::mem::take(&mut self.unseen);
        }
        let late = self.since.saturating_add(self.stride) > self.rhythm.frames;
        let due = self
            .last
            .is_none_or(|last| seconds - last >= self.rhythm.interval - SLACK || seconds < last);
        if !possible || !(cut || due || late) {
            return None;
        }
        let fresh = cut || self.last.is_none();
        self.last = Some(seconds);
        self.since = 0;
        if fresh {
            self.looks = 0;
            let often = self.last_fresh.is_some_and(|t| (seconds - t).abs() < BETWEEN_FRESH);
            if !often {
                self.last_fresh = Some(seconds);
                return Some(self.rhythm.fresh);
            }
            return Some(VideoLook::Steady);
        }
        self.looks += 1;
        Some(if self.looks.is_multiple_of(self.rhythm.fine_every) {
            VideoLook::Fine(Turned::Once(self.looks / self.rhythm.fine_every - 1))
        } else if self.looks.is_multiple_of(self.rhythm.steady_every) {
            VideoLook::Steady
        } else {
            VideoLook::Quick
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(rate: f64, frames: u32, cuts: &[u32]) -> Vec<(u32, VideoLook)> {
        let mut cadence = Cadence::new(FINDING);
        (0..frames)
            .filter_map(|f| {
                let look = cadence.next(f64::from(f) / rate, cuts.contains(&f), true);
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
        assert_eq!(count(VideoLook::Quick), 40);
        assert_eq!((0..19).map(fine).sum::<usize>(), 19);
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
        // Every third and every fourth frame is decoded, at 25 a second.
        for stride in [3, 4] {
            let mut cadence = Cadence::new(FINDING);
            let at: Vec<u32> = (0..200)
                .filter(|f| {
                    let possible = f % stride == 0;
                    cadence.next(f64::from(*f) / 25.0, false, possible).is_some()
                })
                .collect();
            assert!(at.windows(2).all(|w| w[1] - w[0] <= FINDING.frames), "{stride}: {at:?}");
        }
    }

    #[test]
    fn a_frame_that_cannot_be_seen_passes_its_look_on() {
        let mut cadence = Cadence::new(FINDING);
        assert_eq!(cadence.next(0.0, false, false), None);
        assert_eq!(cadence.next(0.04, false, true), Some(VideoLook::Thorough));
        assert_eq!(cadence.next(0.08, false, true), None);
    }
}
