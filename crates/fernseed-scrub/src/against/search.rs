//! Looks for needles in every byte of an output.

use super::grams::Finder;
use super::windows::{Pieces, WINDOW};
use super::{Form, Leak, Needles, inflate};
use crate::account::{Accounting, OutputKind, account};
use crate::inventory::Category;
use crate::source::Source;
use std::collections::BTreeMap;
use std::io::{Read, Seek};

/// Most leaks listed.
const MAX_LEAKS: usize = 1_000;
/// Bytes searched at a time.
const BLOCK: u64 = 1 << 20;
/// Runs of one structure longer than this are coded picture or sound.
const PAYLOAD: u64 = 4096;
/// Bytes outside the payload up to which the shortest texts count.
const SMALL: u64 = 64 << 10;

/// One way of writing one needle.
struct Pattern {
    needle: usize,
    form: Form,
    length: usize,
}

/// What the first `len` bytes of `output` hold of `needles`. At most 1,000
/// leaks, one for each value and form.
pub fn search(needles: &Needles, output: &mut (impl Read + Seek), len: u64) -> Vec<Leak> {
    if needles.is_empty() {
        return Vec::new();
    }
    let account = account(output, len);
    search_accounted(needles, output, len, &account)
}

/// The same where `output` has been accounted for already.
pub fn search_accounted(
    needles: &Needles,
    output: &mut (impl Read + Seek),
    len: u64,
    account: &Accounting,
) -> Vec<Leak> {
    let (patterns, texts) = patterns(needles);
    if needles.is_empty() {
        return Vec::new();
    }
    let Some(finder) = Finder::new(texts) else { return Vec::new() };
    let map = Map::new(account, len, patterns.len());
    let budget = len.saturating_mul(3).saturating_add(64 << 20);
    let mut source = Source::new(output, len, budget);
    let mut hunt = Hunt {
        needles,
        patterns,
        finder,
        pieces: Pieces::new(&needles.pieces),
        map: &map,
        found: BTreeMap::new(),
    };
    let overlap = hunt.patterns.iter().map(|p| p.length).max().unwrap_or(0).max(WINDOW) as u64;
    let mut at = 0;
    while at < len {
        let Ok(block) = source.upto(at, len, BLOCK + overlap) else { break };
        hunt.plain(&block, at, at + BLOCK);
        at += BLOCK;
    }
    inflate::each(&mut source, &map.open, |content, at| hunt.inflated(content, at));
    hunt.found.into_values().take(MAX_LEAKS).collect()
}

/// Every form of every needle.
fn patterns(needles: &Needles) -> (Vec<Pattern>, Vec<Vec<u8>>) {
    let mut patterns = Vec::new();
    let mut texts = Vec::new();
    for (needle, n) in needles.values.iter().enumerate() {
        let mut add = |form, bytes: Vec<u8>| {
            if bytes.len() >= 4 {
                patterns.push(Pattern { needle, form, length: bytes.len() });
                texts.push(bytes);
            }
        };
        add(if n.text { Form::Utf8 } else { Form::Bytes }, n.bytes.clone());
        if let (true, Ok(text)) = (n.text, std::str::from_utf8(&n.bytes)) {
            add(Form::Utf16Le, text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            add(Form::Utf16Be, text.encode_utf16().flat_map(u16::to_be_bytes).collect());
            if !text.is_ascii() {
                let latin: Option<Vec<u8>> =
                    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                add(Form::Bytes, latin.unwrap_or_default());
            }
        }
        for shift in 0..3 {
            add(Form::Base64, base64(&n.bytes, shift));
        }
    }
    (patterns, texts)
}

/// The characters of base64 that depend on nothing but `bytes`, when `shift`
/// bytes stand before them.
pub(super) fn base64(bytes: &[u8], shift: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |n: usize| {
        let byte = n / 8;
        byte.checked_sub(shift)
            .and_then(|b| bytes.get(b))
            .map_or(0, |&b| usize::from(b >> (7 - n % 8) & 1))
    };
    let first = (shift * 8).div_ceil(6);
    let last = (shift + bytes.len()) * 8 / 6;
    (first..last)
        .filter_map(|c| {
            let value = (c * 6..c * 6 + 6).fold(0, |v, n| v << 1 | bit(n));
            ALPHABET.get(value).copied()
        })
        .collect()
}

/// Which parts of the output are structure and which are payload.
struct Map<'a> {
    account: &'a Accounting,
    /// Runs outside the payload, in order.
    open: Vec<(u64, u64)>,
    /// Shortest patterns that count outside and inside the payload.
    least: (usize, usize),
    patterns: usize,
}

impl<'a> Map<'a> {
    fn new(account: &'a Accounting, len: u64, patterns: usize) -> Self {
        let mut open: Vec<(u64, u64)> = Vec::new();
        let mut at = 0;
        let known = account.container != OutputKind::Unknown;
        for s in account.structures.iter().filter(|s| known && is_payload(s)) {
            if s.start > at {
                open.push((at, s.start));
            }
            at = at.max(s.end);
        }
        if at < len {
            open.push((at, len));
        }
        let outside: u64 = open.iter().map(|(s, e)| e - s).sum();
        let short = if outside <= SMALL { 4 } else { least(outside, patterns, 10) };
        Self { account, open, least: (short, least(len, patterns, 14)), patterns }
    }

    fn is_open(&self, at: u64) -> bool {
        let n = self.open.partition_point(|&(_, end)| end <= at);
        self.open.get(n).is_some_and(|&(start, _)| start <= at)
    }

    fn path(&self, at: u64) -> Option<&str> {
        let list = &self.account.structures;
        let n = list.partition_point(|s| s.end <= at);
        list.get(n).filter(|s| s.start <= at).map(|s| s.path.as_str())
    }
}

fn is_payload(s: &crate::account::Structure) -> bool {
    const NAMES: [&str; 8] =
        ["(data)", "(samples)", "IDAT", "fdAT", "VP8", "ALPH", "Block", "frames"];
    s.end - s.start > PAYLOAD || NAMES.iter().any(|n| s.path.contains(n))
}

/// Length in bytes from which on a find among `bytes` bytes of noise is no
/// chance: less than two to the power of minus `bits` are expected of all
/// patterns together.
fn least(bytes: u64, patterns: usize, bits: u32) -> usize {
    let sum = bytes.max(1).ilog2() + (patterns.max(1) as u64).ilog2() + 2 + bits;
    sum.div_ceil(8) as usize
}

struct Hunt<'a> {
    needles: &'a Needles,
    patterns: Vec<Pattern>,
    finder: Finder,
    pieces: Pieces<'a>,
    map: &'a Map<'a>,
    found: BTreeMap<(usize, Form, bool), Leak>,
}

impl Hunt<'_> {
    /// Searches `block`, which stands at `at`; what begins at `end` or later
    /// comes again in the next block.
    fn plain(&mut self, block: &[u8], at: u64, end: u64) {
        let mut hits = Vec::new();
        self.finder.each(block, &mut |pattern, start| {
            let start = at + start as u64;
            let Some(p) = self.patterns.get(pattern) else { return };
            let (short, long) = self.map.least;
            let least = if self.map.is_open(start) { short } else { long };
            if start < end && p.length >= least {
                hits.push((p.needle, p.form, start, p.length));
            }
        });
        for (needle, form, start, length) in hits {
            self.hit(needle, form, false, start, start + length as u64);
        }
        let mut places = Vec::new();
        self.pieces.each(block, |n| places.push(at + n as u64));
        for start in places.into_iter().filter(|&s| s < end) {
            self.hit(usize::MAX, Form::Piece, false, start, start + WINDOW as u64);
        }
    }

    /// Searches what a stream at `at` unpacks to.
    fn inflated(&mut self, content: &[u8], at: u64) {
        let short = content.len() as u64 <= SMALL && self.map.is_open(at);
        let long = least(content.len() as u64, self.map.patterns, 14);
        let least = if short { 4 } else { long };
        let mut hits = Vec::new();
        self.finder.each(content, &mut |pattern, _| {
            if let Some(p) = self.patterns.get(pattern).filter(|p| p.length >= least) {
                hits.push((p.needle, p.form));
            }
        });
        for (needle, form) in hits {
            self.hit(needle, form, true, at, at + 1);
        }
        let mut pieces = 0;
        self.pieces.each(content, |_| pieces += 1);
        for _ in 0..pieces {
            self.hit(usize::MAX, Form::Piece, true, at, at + 1);
        }
    }

    fn hit(&mut self, needle: usize, form: Form, deflated: bool, start: u64, end: u64) {
        let path = self.map.path(start).unwrap_or_default();
        // Members of archives keep their names, and say so.
        if path.ends_with("(name)") {
            return;
        }
        let of = self.needles.values.get(needle);
        let leak = self.found.entry((needle, form, deflated)).or_insert_with(|| Leak {
            category: of.map_or(Category::Preview, |n| n.category),
            what: of.map_or("embedded picture or hidden data".to_owned(), |n| n.what.clone()),
            original: of.map_or(String::new(), |n| n.path.clone()),
            form,
            deflated,
            path: path.to_owned(),
            bytes: (start, end),
            count: 0,
        });
        leak.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_alignment() {
        // "xNIKON D750y" is eE5JS09OIEQ3NTB5.
        assert_eq!(base64(b"NIKON D750", 1), b"5JS09OIEQ3NT");
        assert_eq!(base64(b"NIKON D750", 0), b"TklLT04gRDc1M");
        // "xyNIKON D750" is eHlOSUtPTiBENzUw.
        assert_eq!(base64(b"NIKON D750", 2), b"OSUtPTiBENzUw");
    }
}
