//! File names that come from one counter.

use super::clock;
use std::collections::{BTreeMap, BTreeSet};

/// Groups of names with the same words and counters that are at most `near`
/// apart from one to the next: the pattern and the names' places in the list.
pub(super) fn series<'a>(
    names: impl Iterator<Item = &'a str>,
    near: u64,
) -> Vec<(String, BTreeSet<usize>)> {
    let mut by_words: BTreeMap<String, Vec<(u64, usize)>> = BTreeMap::new();
    for (n, name) in names.enumerate() {
        if let Some((words, number)) = split(name) {
            by_words.entry(words).or_default().push((number, n));
        }
    }
    let mut out = Vec::new();
    for (words, mut list) in by_words {
        list.sort_unstable();
        for run in list.chunk_by(|a, b| b.0 - a.0 <= near) {
            let members: BTreeSet<usize> = run.iter().map(|&(_, n)| n).collect();
            if let (Some(first), Some(last), true) = (run.first(), run.last(), members.len() > 1) {
                out.push((format!("{words}{} to {}", first.0, last.0), members));
            }
        }
    }
    out
}

/// Words in front of the last number of a name, and the number. A time is no
/// counter, unless a messenger counts behind it.
fn split(name: &str) -> Option<(String, u64)> {
    let stem = name.rsplit(['/', '\\']).next()?;
    let stem = stem.rsplit_once('.').map_or(stem, |(s, _)| s);
    if clock::parse(stem).is_some() {
        return None;
    }
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let head = stem.get(..end)?;
    let start = head.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |n| n + 1);
    // A non-ASCII character may be longer than one byte.
    let start = (start..=end).find(|&n| head.is_char_boundary(n))?;
    let digits = head.get(start..)?;
    let words = head.get(..start)?;
    // What stands behind is a copy's mark at most: IMG_1234 (edited).
    if !(3..=9).contains(&digits.len()) || stem.len() - end > 12 {
        return None;
    }
    Some((words.to_owned(), digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_told_from_times_and_from_far_away() {
        let names = [
            "IMG_1234.JPG",
            "b/IMG_1240.HEIC",
            "IMG_9000.JPG",
            "IMG-20230514-WA0003.jpg",
            "IMG-20230514-WA0004.jpg",
            "PXL_20230514_182201123.jpg",
            "PXL_20230514_182202123.jpg",
            "holiday.jpg",
            "\u{df}123.jpg",
        ];
        let found = series(names.into_iter(), 200);
        let sets: Vec<(&str, Vec<usize>)> =
            found.iter().map(|(p, m)| (p.as_str(), m.iter().copied().collect())).collect();
        assert_eq!(sets, [("IMG-20230514-WA3 to 4", vec![3, 4]), ("IMG_1234 to 1240", vec![0, 1])]);
    }
}
