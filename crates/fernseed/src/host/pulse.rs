//! Telling a slow worker from one that hangs, or that only pretends to work.

use crate::protocol::Phase;
use std::time::{Duration, Instant};

/// How long a worker may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Without a sign of life.
    pub silence: Duration,
    /// To end after it said that it is done. Freeing the memory of a large
    /// picture takes a moment.
    pub leaving: Duration,
    /// For one picture, signs of life or not: they can be made up. Even the
    /// largest picture on a busy machine needs a small part of it. Videos and
    /// animations have no bound but the worker's own wall clock.
    pub picture: Duration,
}

impl Default for Patience {
    /// Three minutes, twenty seconds, an hour.
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(180),
            leaving: Duration::from_secs(20),
            picture: Duration::from_secs(3600),
        }
    }
}

/// Signs of life of one worker.
#[derive(Debug)]
pub(super) struct Pulse {
    patience: Patience,
    /// Where the time for one picture ends, while it may be one.
    ends: Option<Instant>,
    heard: Instant,
    /// When [`Self::lost`] was asked last.
    asked: Instant,
    furthest: Option<(Phase, u64)>,
}

/// Whoever asks so late did not run in the meantime: the program was stopped
/// (Ctrl-Z, a machine put to sleep), and its workers with it. A caller that
/// runs asks several times a second.
const STOPPED: Duration = Duration::from_secs(5);

/// Why a worker is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    Silent,
    Endless,
}

impl Pulse {
    /// A worker that begins now, on a single `picture` as far as anybody
    /// knows.
    pub(super) fn new(patience: Patience, picture: bool, now: Instant) -> Self {
        let ends = picture.then(|| now + patience.picture);
        Self { patience, ends, heard: now, asked: now, furthest: None }
    }

    /// It turned out to be a video or an animation.
    pub(super) fn is_moving(&mut self) {
        self.ends = None;
    }

    /// A message other than progress; the caller bounds how many there are.
    pub(super) fn message(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Progress. Only what goes forward is a sign of life: a later phase, or
    /// more of the same.
    pub(super) fn progress(&mut self, phase: Phase, done: u64, now: Instant) {
        if self.furthest.is_none_or(|furthest| (phase, done) > furthest) {
            self.furthest = Some((phase, done));
            self.heard = now;
        }
    }

    /// Why to give it up, if it is time. Time in which nobody could ask is
    /// no silence: it does not count.
    pub(super) fn lost(&mut self, now: Instant) -> Option<Lost> {
        let unwatched = now.saturating_duration_since(self.asked);
        self.asked = now;
        if unwatched >= STOPPED {
            self.heard += unwatched;
            self.ends = self.ends.map(|ends| ends + unwatched);
        }
        if self.ends.is_some_and(|ends| now >= ends) {
            return Some(Lost::Endless);
        }
        (now.saturating_duration_since(self.heard) >= self.patience.silence).then_some(Lost::Silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        silence: Duration::from_secs(10),
        leaving: Duration::from_secs(1),
        picture: Duration::from_secs(60),
    };

    /// The second at which a worker is given up that says `say(second)` every
    /// second.
    fn given_up(picture: bool, say: impl Fn(u64) -> Option<(Phase, u64)>) -> (u64, Option<Lost>) {
        let start = Instant::now();
        let mut pulse = Pulse::new(PATIENCE, picture, start);
        for second in 0..1000 {
            let now = start + Duration::from_secs(second);
            if let Some((phase, done)) = say(second) {
                pulse.progress(phase, done, now);
            }
            if let Some(lost) = pulse.lost(now) {
                return (second, Some(lost));
            }
        }
        (1000, None)
    }

    #[test]
    fn slow_is_not_silent() {
        let slow = |second: u64| second.is_multiple_of(9).then_some((Phase::Scan, second / 9 + 1));
        assert_eq!(given_up(false, slow), (1000, None));
        assert_eq!(given_up(true, |s| slow(s).filter(|_| s < 50)), (55, Some(Lost::Silent)));
    }

    #[test]
    fn standing_still_and_going_back_are_silence() {
        assert_eq!(given_up(false, |_| None), (10, Some(Lost::Silent)));
        assert_eq!(given_up(false, |_| Some((Phase::Scan, 3))), (10, Some(Lost::Silent)));
        let to_and_fro = |second: u64| {
            let phase = if second.is_multiple_of(2) { Phase::Scan } else { Phase::Write };
            Some((phase, 1))
        };
        assert_eq!(given_up(false, to_and_fro), (11, Some(Lost::Silent)));
        let up_and_down = |second: u64| Some((Phase::Scan, second % 3));
        assert_eq!(given_up(false, up_and_down), (12, Some(Lost::Silent)));
    }

    #[test]
    fn a_picture_ends_whatever_is_said_of_it() {
        let counts = |second: u64| Some((Phase::Scan, second + 1));
        assert_eq!(given_up(true, counts), (60, Some(Lost::Endless)));
        assert_eq!(given_up(false, counts), (1000, None));
        let start = Instant::now();
        let mut pulse = Pulse::new(PATIENCE, true, start);
        pulse.is_moving();
        pulse.message(start + Duration::from_secs(95));
        assert_eq!(pulse.lost(start + Duration::from_secs(100)), None);
    }

    #[test]
    fn time_in_which_the_program_was_stopped_does_not_count() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut pulse = Pulse::new(PATIENCE, true, start);
        let mut awake = |from: u64, to: u64| (from..to).find_map(|s| pulse.lost(at(s)));
        assert_eq!(awake(0, 8), None);
        // Stopped for an hour, after seven seconds of silence.
        assert_eq!(awake(3607, 3609), None);
        assert_eq!(awake(3609, 3700), Some(Lost::Silent));
        let mut pulse = Pulse::new(PATIENCE, true, start);
        let mut counts = |from: u64, to: u64| {
            (from..to).find_map(|s| {
                pulse.message(at(s));
                pulse.lost(at(s)).map(|lost| (s, lost))
            })
        };
        assert_eq!(counts(0, 50), None);
        assert_eq!(counts(3650, 3800), Some((3661, Lost::Endless)));
    }
}
