//! Search for many patterns at once: a filter by the first four bytes for
//! ordinary numbers of patterns, an automaton for extraordinary ones.
//!
//! An automaton (Aho and Corasick 1975) takes as long whatever it searches
//! for, but building one costs more than to search a small photo, and a step
//! of it costs several times as much as a look into a table that fits into
//! the nearest cache (the filter of Wu and Manber 1994).

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// Bytes of a pattern that the filter goes by; none is shorter.
const GRAM: usize = 4;
/// Bits of the hash of a gram.
const BITS: u32 = 15;
/// Most patterns for which the filter is used.
const MOST: usize = 4096;
/// Most patterns that share a hash: more would make a slow search possible.
const MOST_ALIKE: usize = 64;

/// Finds all patterns at all places.
#[derive(Debug)]
pub(super) enum Finder {
    /// A filter.
    Grams(Grams),
    /// An automaton.
    Automaton(Box<AhoCorasick>),
}

impl Finder {
    /// `None` if the patterns are too many even for the automaton. A pattern
    /// of less than four bytes is never found.
    pub(super) fn new(patterns: Vec<Vec<u8>>) -> Option<Self> {
        match Grams::new(patterns) {
            Ok(grams) => Some(Self::Grams(grams)),
            Err(patterns) => Self::automaton(&patterns),
        }
    }

    fn automaton(patterns: &[Vec<u8>]) -> Option<Self> {
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let built = AhoCorasick::builder().kind(kind).build(patterns).ok()?;
        Some(Self::Automaton(Box::new(built)))
    }

    /// Calls `found` with the number and the beginning of every occurrence,
    /// also of those that overlap. In no order.
    pub(super) fn each(&self, hay: &[u8], found: &mut dyn FnMut(usize, usize)) {
        match self {
            Self::Grams(grams) => grams.each(hay, found),
            Self::Automaton(automaton) => {
                for hit in automaton.find_overlapping_iter(hay) {
                    found(hit.pattern().as_usize(), hit.start());
                }
            }
        }
    }
}

/// Patterns by the hash of their first four bytes.
#[derive(Debug)]
pub(super) struct Grams {
    patterns: Vec<Vec<u8>>,
    /// A bit for each hash that some pattern has.
    filter: Vec<u64>,
    /// `(hash, number of the pattern)`, rising.
    by_hash: Vec<(u32, u32)>,
}

impl Grams {
    /// Gives the patterns back if they are too many, or too many alike.
    fn new(patterns: Vec<Vec<u8>>) -> Result<Self, Vec<Vec<u8>>> {
        if patterns.len() > MOST {
            return Err(patterns);
        }
        let mut filter = vec![0u64; 1 << (BITS - 6)];
        let mut by_hash: Vec<(u32, u32)> = (0u32..)
            .zip(&patterns)
            .filter_map(|(number, p)| Some((hash(*p.first_chunk::<GRAM>()?), number)))
            .collect();
        by_hash.sort_unstable();
        for &(hash, _) in &by_hash {
            filter[(hash >> 6) as usize] |= 1 << (hash & 63);
        }
        let alike = by_hash.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).max();
        if alike.is_some_and(|n| n > MOST_ALIKE) {
            return Err(patterns);
        }
        Ok(Self { patterns, filter, by_hash })
    }

    fn each(&self, hay: &[u8], found: &mut dyn FnMut(usize, usize)) {
        for (at, gram) in hay.array_windows::<GRAM>().enumerate() {
            let hash = hash(*gram);
            if self.filter[(hash >> 6) as usize] >> (hash & 63) & 1 == 1 {
                self.verify(hay, at, hash, found);
            }
        }
    }

    fn verify(&self, hay: &[u8], at: usize, hash: u32, found: &mut dyn FnMut(usize, usize)) {
        let rest = hay.get(at..).unwrap_or_default();
        let from = self.by_hash.partition_point(|e| e.0 < hash);
        let alike = self.by_hash.get(from..).unwrap_or_default().iter();
        for &(_, number) in alike.take_while(|e| e.0 == hash) {
            let number = number as usize;
            if self.patterns.get(number).is_some_and(|p| rest.starts_with(p)) {
                found(number, at);
            }
        }
    }
}

/// Below two to the power of [`BITS`].
#[inline]
fn hash(gram: [u8; GRAM]) -> u32 {
    u32::from_le_bytes(gram).wrapping_mul(0x9E37_79B1) >> (32 - BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(finder: &Finder, hay: &[u8]) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        finder.each(hay, &mut |pattern, at| out.push((at, pattern)));
        out.sort_unstable();
        out
    }

    #[test]
    fn filter_and_automaton_find_the_same() {
        let mut x = 3u32;
        let mut next = |below: u32| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 8) % below
        };
        for _ in 0..200 {
            // Three letters, so that much overlaps.
            let hay: Vec<u8> = (0..300).map(|_| b'a' + next(3) as u8).collect();
            let patterns: Vec<Vec<u8>> = (0..20)
                .map(|_| {
                    let (from, len) = (next(280) as usize, 4 + next(16) as usize);
                    let mut p = hay[from..from + len].to_vec();
                    if next(3) == 0 {
                        p[len - 1] = b'x';
                    }
                    p
                })
                .collect();
            let automaton = Finder::automaton(&patterns).unwrap();
            let grams = Finder::new(patterns).unwrap();
            assert!(matches!(grams, Finder::Grams(_)));
            let found = all(&grams, &hay);
            assert_eq!(found, all(&automaton, &hay));
            assert!(found.len() >= 5);
        }
    }

    #[test]
    fn too_many_alike_go_to_the_automaton() {
        let alike: Vec<Vec<u8>> = (0..100).map(|n| format!("same{n:03}").into_bytes()).collect();
        let finder = Finder::new(alike).unwrap();
        assert!(matches!(finder, Finder::Automaton(_)));
        assert_eq!(all(&finder, b"..same042.."), [(2, 42)]);
        let many = (0..5000).map(|n| format!("{n:05}").into_bytes()).collect();
        assert!(matches!(Finder::new(many), Some(Finder::Automaton(_))));
        assert_eq!(all(&Finder::new(Vec::new()).unwrap(), b"anything"), []);
    }
}
