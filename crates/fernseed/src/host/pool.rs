//! Several files at a time, told of in order.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does `work` on every item, `jobs` at a time, and hands the results to
/// `tell` in the order of the items, each as soon as those before it are
/// done. Once `stop` says so, no more work begins; `tell` hears of all that
/// was done.
pub fn in_order<I: Sync, O: Send>(
    items: &[I],
    jobs: usize,
    stop: &(dyn Fn() -> bool + Sync),
    work: &(dyn Fn(&I) -> O + Sync),
    tell: &mut (dyn FnMut(&I, O) + Send),
) {
    let next = AtomicUsize::new(0);
    let waiting = Mutex::new(Waiting { told: 0, done: BTreeMap::new(), tell });
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    if stop() {
                        return;
                    }
                    let result = work(item);
                    let Ok(mut waiting) = waiting.lock() else { return };
                    waiting.done.insert(index, result);
                    waiting.flush(items);
                }
            });
        }
    });
    // After a stop there may be a gap; what was done is told all the same.
    if let Ok(Waiting { done, tell, .. }) = waiting.into_inner() {
        for (index, result) in done {
            if let Some(item) = items.get(index) {
                tell(item, result);
            }
        }
    }
}

/// Results that wait for those before them.
struct Waiting<'a, I, O> {
    told: usize,
    done: BTreeMap<usize, O>,
    tell: &'a mut (dyn FnMut(&I, O) + Send),
}

impl<I, O> Waiting<'_, I, O> {
    fn flush(&mut self, items: &[I]) {
        while let (Some(result), Some(item)) = (self.done.remove(&self.told), items.get(self.told))
        {
            (self.tell)(item, result);
            self.told += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn results_come_in_order() {
        let items: Vec<u64> = (0..40).collect();
        let mut heard = Vec::new();
        let work = |n: &u64| {
            // Later items are quicker.
            std::thread::sleep(Duration::from_micros(40 * (40 - n)));
            n * 2
        };
        in_order(&items, 4, &|| false, &work, &mut |item, result| heard.push((*item, result)));
        assert_eq!(heard, items.iter().map(|n| (*n, n * 2)).collect::<Vec<_>>());
    }

    #[test]
    fn it_stops_when_told_to() {
        let items: Vec<u64> = (0..1000).collect();
        let count = AtomicUsize::new(0);
        let stop = || count.load(Ordering::Relaxed) >= 10;
        let work = |_: &u64| count.fetch_add(1, Ordering::Relaxed);
        let mut heard = 0;
        in_order(&items, 2, &stop, &work, &mut |_, _| heard += 1);
        assert!((10..=12).contains(&heard), "{heard}");
    }
}
