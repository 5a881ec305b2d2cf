//! Sample tables, run-length coded while they grow.

/// Equal neighbours counted once.
#[derive(Debug)]
pub(super) struct Runs<T> {
    runs: Vec<(u32, T)>,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { runs: Vec::new() }
    }
}

impl<T: Copy + PartialEq> Runs<T> {
    /// Adds a value.
    pub(super) fn push(&mut self, value: T) {
        match self.runs.last_mut() {
            Some((count, last)) if *last == value && *count < u32::MAX => *count += 1,
            _ => self.runs.push((1, value)),
        }
    }

    /// Number of times in a row, and the value.
    pub(super) fn runs(&self) -> &[(u32, T)] {
        &self.runs
    }

    /// The different values, in order of runs.
    pub(super) fn values(&self) -> impl Iterator<Item = T> {
        self.runs.iter().map(|r| r.1)
    }
}

impl Runs<u32> {
    /// Sum of all values.
    pub(super) fn sum(&self) -> u64 {
        self.runs.iter().map(|&(n, v)| u64::from(n) * u64::from(v)).sum()
    }

    /// Takes `excess` off the last values; none becomes negative.
    pub(super) fn shorten_end(&mut self, mut excess: u64) {
        let mut zeros = 0_u32;
        while excess > 0 {
            let Some((count, value)) = self.runs.pop() else { break };
            if count > 1 {
                self.runs.push((count - 1, value));
            }
            let off = excess.min(u64::from(value));
            excess -= off;
            let rest = value - off as u32;
            if rest > 0 {
                self.runs.push((1, rest));
            } else {
                zeros += 1;
            }
        }
        if zeros > 0 {
            self.runs.push((zeros, 0));
        }
    }
}

/// Runs of samples that lie end to end in the file.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Places of the chunks, in bytes from the start of the file.
    offsets: Vec<u64>,
    /// Samples in each chunk.
    counts: Runs<u32>,
    open: u32,
    end: u64,
}

impl Chunks {
    /// Adds a sample; it begins a chunk if the last one is closed, full or
    /// ends elsewhere.
    pub(super) fn add(&mut self, start: u64, size: u32, most: u32) {
        if self.open == 0 || self.open >= most || self.end != start {
            self.close();
            self.offsets.push(start);
        }
        self.open += 1;
        self.end = start + u64::from(size);
    }

    /// Ends the current chunk.
    pub(super) fn close(&mut self) {
        if self.open > 0 {
            self.counts.push(self.open);
            self.open = 0;
        }
    }

    /// Places of all chunks.
    pub(super) fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// `(first chunk from 1, samples in each)` of every run of chunks.
    pub(super) fn runs(&self) -> Vec<(u32, u32)> {
        let mut list = Vec::new();
        let mut first = 1_u32;
        for &(count, samples) in self.counts.runs() {
            list.push((first, samples));
            first += count;
        }
        if self.open > 0 && list.last().is_none_or(|l| l.1 != self.open) {
            list.push((first, self.open));
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn runs_hold_what_was_pushed(values in proptest::collection::vec(0_u32..4, 0..200), excess in 0_u64..300) {
            let mut runs = Runs::default();
            values.iter().for_each(|&v| runs.push(v));
            let flat = |r: &Runs<u32>| -> Vec<u32> {
                r.runs().iter().flat_map(|&(n, v)| std::iter::repeat_n(v, n as usize)).collect()
            };
            proptest::prop_assert_eq!(&flat(&runs), &values);
            let sum = runs.sum();
            runs.shorten_end(excess);
            proptest::prop_assert_eq!(runs.sum(), sum.saturating_sub(excess));
            proptest::prop_assert_eq!(flat(&runs).len(), values.len());
        }

        #[test]
        fn chunks_account_for_every_sample(
            steps in proptest::collection::vec((1_u32..50, proptest::bool::ANY), 1..200)
        ) {
            let mut chunks = Chunks::default();
            let mut at = 100_u64;
            let mut places = Vec::new();
            for &(size, gap) in &steps {
                if gap {
                    at += 7;
                    chunks.close();
                }
                chunks.add(at, size, 5);
                places.push((at, size));
                at += u64::from(size);
            }
            // Expand the tables the way a player does.
            let runs = chunks.runs();
            let mut expanded = Vec::new();
            let mut sizes = steps.iter().map(|s| s.0);
            for (i, &offset) in chunks.offsets().iter().enumerate() {
                let run = runs.iter().rev().find(|r| r.0 as usize <= i + 1).unwrap();
                let mut place = offset;
                for _ in 0..run.1 {
                    let size = sizes.next().unwrap();
                    expanded.push((place, size));
                    place += u64::from(size);
                }
            }
            proptest::prop_assert_eq!(expanded, places);
        }
    }
}
