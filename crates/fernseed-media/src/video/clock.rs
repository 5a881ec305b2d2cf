//! Keeps presentation times strictly increasing.

/// What becomes of a frame's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// Show the frame at this time.
    Show(i64),
    /// The frame would be shown at or before the one before it: drop it.
    Drop,
}

/// The running clock of one video stream.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    last: Option<i64>,
    /// Added to all times of the source.
    offset: i64,
    /// Backward jumps longer than this begin a new stretch.
    jump: i64,
    /// Usual distance of two frames.
    step: i64,
    /// Number of times the clock was moved.
    pub(super) shifts: u64,
    /// Number of frames whose time was made up.
    pub(super) invented: u64,
}

impl Clock {
    /// A clock; `half_second` and `step` (usual frame distance) in ticks.
    pub(super) fn new(half_second: i64, step: i64) -> Self {
        let (jump, step) = (half_second.max(1), step.max(1));
        Self { last: None, offset: 0, jump, step, shifts: 0, invented: 0 }
    }

    /// The time of a frame, from what its file says.
    ///
    /// Small steps back are errors of one frame. A large one is a new
    /// recording that was appended to the file: from there on all times are
    /// moved so that the timeline goes on.
    pub(super) fn tick(&mut self, pts: Option<i64>) -> Tick {
        let wanted = match (pts, self.last) {
            (Some(pts), _) => pts.saturating_add(self.offset),
            (None, last) => {
                self.invented += 1;
                last.map_or(0, |l| l.saturating_add(self.step))
            }
        };
        let Some(last) = self.last else {
            self.last = Some(wanted);
            return Tick::Show(wanted);
        };
        if wanted > last {
            self.last = Some(wanted);
            return Tick::Show(wanted);
        }
        if last.saturating_sub(wanted) <= self.jump {
            return Tick::Drop;
        }
        let next = last.saturating_add(self.step);
        self.offset = self.offset.saturating_add(next.saturating_sub(wanted));
        self.shifts += 1;
        self.last = Some(next);
        Tick::Show(next)
    }

    /// What is added to the source's times now, in ticks.
    pub(super) const fn offset(&self) -> i64 {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_times_are_kept() {
        let mut clock = Clock::new(500, 40);
        for t in [-80, -40, 0, 1, 90_000] {
            assert_eq!(clock.tick(Some(t)), Tick::Show(t));
        }
        assert_eq!((clock.shifts, clock.invented), (0, 0));
    }

    #[test]
    fn small_steps_back_lose_a_frame_and_large_ones_go_on() {
        let mut clock = Clock::new(500, 40);
        assert_eq!(clock.tick(Some(1000)), Tick::Show(1000));
        assert_eq!(clock.tick(Some(1000)), Tick::Drop);
        assert_eq!(clock.tick(Some(600)), Tick::Drop);
        assert_eq!(clock.tick(Some(0)), Tick::Show(1040));
        assert_eq!(clock.tick(Some(40)), Tick::Show(1080));
        assert_eq!(clock.tick(None), Tick::Show(1120));
        assert_eq!((clock.shifts, clock.invented, clock.offset()), (1, 1, 1040));
    }
}
