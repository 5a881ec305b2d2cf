//! Who may look now: a counting semaphore that lets the earliest in first, and
//! from which one may take everything.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A number of turns that are taken and given back.
pub(super) struct Turns {
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    all: usize,
    free: usize,
    /// Who waits, by their place in the clip.
    waiting: BTreeSet<u64>,
}

/// Turns that were taken; given back when this is dropped, after a panic too.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    taken: usize,
}

impl Turns {
    /// At least one turn.
    pub(super) fn new(turns: usize) -> Self {
        let all = turns.max(1);
        let state = State { all, free: all, waiting: BTreeSet::new() };
        Self { state: Mutex::new(state), news: Condvar::new() }
    }

    /// Waits for a turn. Of all who wait the one with the lowest `place`
    /// goes first; a place must not wait twice at the same time.
    pub(super) fn take(&self, place: u64) -> Turn<'_> {
        self.wait_for(place, 1)
    }

    /// The same for all turns there are: nobody else looks then.
    pub(super) fn take_all(&self, place: u64) -> Turn<'_> {
        let all = self.state().all;
        self.wait_for(place, all)
    }

    fn wait_for(&self, place: u64, turns: usize) -> Turn<'_> {
        let mut state = self.state();
        state.waiting.insert(place);
        while state.free < turns || state.waiting.first() != Some(&place) {
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.remove(&place);
        state.free -= turns;
        // The next in line may have been woken before this one.
        if state.free > 0 {
            self.news.notify_all();
        }
        Turn { turns: self, taken: turns }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// How many were taken.
    pub(super) fn count(&self) -> usize {
        self.taken
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.state().free += self.taken;
        self.turns.news.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn no_more_than_the_turns_are_taken_at_a_time() {
        let turns = Turns::new(2);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for place in 0..8u64 {
                let (turns, now, most) = (&turns, &now, &most);
                scope.spawn(move || {
                    for _ in 0..20 {
                        let _turn = turns.take(place);
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_micros(50));
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 2);
        assert_eq!(turns.state().free, 2);
    }

    #[test]
    fn who_takes_all_is_alone() {
        let turns = Turns::new(3);
        let now = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for place in 0..6u64 {
                let (turns, now) = (&turns, &now);
                scope.spawn(move || {
                    for _ in 0..20 {
                        let alone = place.is_multiple_of(3);
                        let _turn = if alone { turns.take_all(place) } else { turns.take(place) };
                        let others = now.fetch_add(1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_micros(50));
                        assert!(!alone || (others == 0 && now.load(Ordering::SeqCst) == 1));
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(turns.state().free, 3);
    }

    #[test]
    fn the_earliest_goes_first() {
        let turns = Turns::new(1);
        let order = Mutex::new(Vec::new());
        let first = turns.take(0);
        std::thread::scope(|scope| {
            for place in [3u64, 1, 2] {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.take(place);
                    order.lock().unwrap().push(place);
                });
            }
            while turns.state().waiting.len() < 3 {
                std::thread::yield_now();
            }
            drop(first);
        });
        assert_eq!(order.into_inner().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_panic_gives_the_turn_back() {
        let turns = Turns::new(1);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _turn = turns.take(0);
            panic!("a detector broke");
        }));
        assert!(panic.is_err());
        drop(turns.take(1));
        assert_eq!(turns.state().free, 1);
    }
}
