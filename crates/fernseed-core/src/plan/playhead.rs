//! Asking a plan frame by frame.

use super::{Action, Plan};
use crate::geometry::Rect;

/// Goes through a plan in order of the frames and knows which redactions
/// concern the one it is at, so that a frame costs what is hidden in it and
/// not what is hidden in the whole plan.
///
/// Says the same as [`Plan::hidden_at`] and [`Plan::kept_at`]. Frames may come
/// in any order; going back begins anew.
#[derive(Clone, Debug)]
pub struct Playhead<'a> {
    plan: &'a Plan,
    /// Redactions by their first frame.
    order: Vec<u32>,
    /// How many of them have begun.
    begun: usize,
    /// Those that have begun and may not have ended, in the plan's order.
    running: Vec<u32>,
    frame: u64,
}

impl<'a> Playhead<'a> {
    /// Before the first frame.
    #[must_use]
    pub fn new(plan: &'a Plan) -> Self {
        let all = u32::try_from(plan.redactions.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..all).collect();
        order.sort_by_key(|&i| first_frame(plan, i));
        Self { plan, order, begun: 0, running: Vec::new(), frame: 0 }
    }

    /// Everything that is destroyed at `frame`, as `(id, rectangle)`, in the
    /// plan's order.
    pub fn hidden_at(&mut self, frame: u64) -> Vec<(u32, Rect)> {
        self.go_to(frame);
        self.at(frame, Action::Hide).collect()
    }

    /// Everything a person decided to leave visible at `frame`.
    pub fn kept_at(&mut self, frame: u64) -> Vec<Rect> {
        self.go_to(frame);
        self.at(frame, Action::Keep).map(|(_, rect)| rect).collect()
    }

    fn at(&self, frame: u64, action: Action) -> impl Iterator<Item = (u32, Rect)> {
        let redactions = &self.plan.redactions;
        self.running
            .iter()
            .filter_map(|&i| redactions.get(i as usize))
            .filter(move |r| r.decision.action == action)
            .filter_map(move |r| Some((r.id, r.rect_at(frame)?)))
    }

    fn go_to(&mut self, frame: u64) {
        if frame < self.frame {
            self.begun = 0;
            self.running.clear();
        }
        self.frame = frame;
        let plan = self.plan;
        let begun = self.begun;
        while let Some(&next) = self.order.get(self.begun)
            && first_frame(plan, next) <= frame
        {
            self.running.push(next);
            self.begun += 1;
        }
        self.running.retain(|&i| {
            let last = plan.redactions.get(i as usize).and_then(|r| r.keyframes.last());
            last.is_some_and(|k| k.frame >= frame)
        });
        if self.begun > begun {
            self.running.sort_unstable();
        }
    }
}

fn first_frame(plan: &Plan, redaction: u32) -> u64 {
    let redaction = plan.redactions.get(redaction as usize);
    redaction.and_then(|r| r.keyframes.first()).map_or(u64::MAX, |k| k.frame)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{key, plan};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is asked in whatever order: the same as the plan itself.
        #[test]
        fn it_says_what_the_plan_says(
            spans in prop::collection::vec((0_u64..30, 0_u64..12, any::<bool>()), 0..12),
            frames in prop::collection::vec(0_u64..45, 1..60),
        ) {
            let mut plan = plan(vec![]);
            let one = plan.redactions.remove(0);
            for (id, (first, length, keep)) in (1..).zip(spans) {
                let mut redaction = one.clone();
                redaction.id = id;
                redaction.keyframes = vec![key(first, 0.0)];
                if length > 0 {
                    redaction.keyframes.push(key(first + length, 9.0));
                }
                if keep {
                    redaction.decision.action = Action::Keep;
                }
                plan.redactions.push(redaction);
            }
            let mut playhead = Playhead::new(&plan);
            for frame in frames.iter().copied().chain(0..45) {
                prop_assert_eq!(playhead.hidden_at(frame), plan.hidden_at(frame));
                prop_assert_eq!(playhead.kept_at(frame), plan.kept_at(frame));
            }
        }
    }
}
