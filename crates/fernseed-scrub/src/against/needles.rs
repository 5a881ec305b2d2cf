//! What is worth looking for in an original.

use super::{Needle, Needles, ranges, windows};
use crate::bytes::find;
use crate::inventory::{Category, Inventory, InventoryLimits, Item, inventory};
use crate::profiles;
use crate::source::Source;
use std::collections::BTreeSet;
use std::io::{Read, Seek};

/// Most needles.
const MAX_VALUES: usize = 5_000;
/// Longest needle in bytes; longer texts become several.
const MAX_BYTES: usize = 48;
/// Most bytes read of one block of metadata.
const MAX_BLOCK: u64 = 1 << 20;
/// Characters of the shortest run that is taken for text.
const SHORTEST: usize = 6;
/// Most bytes of embedded pictures.
const MAX_PIECES: usize = 4 << 20;

/// Words that files hold whatever their source: names of structures, default
/// names of tracks and colour spaces, the names our writers use. In lower
/// case, without the blanks that pad codes of four characters.
const COMMON: &[&str] = &[
    "jfif",
    "exif",
    "adobe",
    "icc_profile",
    "srgb",
    "ihdr",
    "idat",
    "iend",
    "isom",
    "iso2",
    "iso4",
    "iso5",
    "iso6",
    "avc1",
    "hvc1",
    "hev1",
    "av01",
    "mp41",
    "mp42",
    "mp4a",
    "m4a",
    "qt",
    "vide",
    "soun",
    "videohandler",
    "soundhandler",
    "webm",
    "matroska",
    "v_vp8",
    "v_vp9",
    "v_av1",
    "a_opus",
    "a_vorbis",
    "opushead",
    "opustags",
    "opus",
    "vorbis",
    "lame",
    "lame3.100",
    "info",
    "xing",
    "vbri",
    "riff",
    "wave",
    "data",
    "fmt",
    "fact",
    "flac",
    "oggs",
    "form",
    "aiff",
    "aifc",
    "comm",
    "ssnd",
    "none",
    "fver",
    "sowt",
    "ustar",
    "heic",
    "mif1",
    "miaf",
    "avif",
    "webp",
    "vp8x",
    "mntr",
    "rgb xyz",
    "xyz",
    "gray",
    "desc",
    "text",
    "curv",
    "para",
    "unknown",
    "true",
    "false",
    "uncalibrated",
    "colr",
    "nclx",
    "moov",
    "mdat",
    "ftyp",
    "trak",
    "mdia",
    "minf",
    "stbl",
    "null",
    "png",
    "jpeg",
    "jpg",
    "image/jpeg",
    "image/png",
    "video/mp4",
    "media",
    "main",
    "default",
    "fernseed",
];

/// Words in descriptions of blocks that the inventory writes itself.
const SIZES: &[&str] = &[" bytes", " kB", " MB", " GB", " values"];

/// What could be recognised again of the metadata in the first `len` bytes of
/// `original`.
///
/// Never fails; reads and keeps a bounded amount.
pub fn needles(original: &mut (impl Read + Seek), len: u64) -> Needles {
    let found = inventory(original, len, &InventoryLimits::default());
    let mut source = Source::new(original, len, 256 << 20);
    let mut out = Gather::default();
    for item in &found.items {
        out.item(&mut source, item);
    }
    for block in ranges::metadata(&mut source) {
        out.block(&mut source, &block);
    }
    out.finish(&found)
}

/// Needles so far.
#[derive(Default)]
struct Gather {
    seen: BTreeSet<Vec<u8>>,
    values: Vec<Needle>,
    pieces: Vec<u8>,
}

impl Gather {
    fn item(&mut self, source: &mut Source<'_>, item: &Item) {
        let raw = match item.bytes {
            Some((start, end)) => source.upto(start, end, MAX_BLOCK).unwrap_or_default(),
            None => Vec::new(),
        };
        let about = (item.category, item.what.as_str(), item.path.as_str());
        if matches!(item.category, Category::Preview | Category::Hidden) && raw.len() >= 64 {
            windows::cut(&raw, MAX_PIECES, &mut self.pieces);
        }
        if item.category == Category::Place && (8..=MAX_BYTES).contains(&raw.len()) {
            self.bytes(about, &raw);
        }
        let value = item.value.trim_end_matches('\u{2026}').trim();
        if !SIZES.iter().any(|s| value.contains(s)) {
            self.text(about, value);
        }
        // Values are shortened and made printable; the bytes are not.
        if raw.len() <= 4096 && item.category != Category::Preview {
            self.strings(about, &raw);
        }
    }

    fn block(&mut self, source: &mut Source<'_>, block: &ranges::Block) {
        let raw = source.upto(block.start, block.end, MAX_BLOCK).unwrap_or_default();
        let about = (Category::Other, "metadata of the original", block.path.as_str());
        self.strings(about, &raw);
        if raw.len() >= 256 {
            windows::cut(&raw, MAX_PIECES, &mut self.pieces);
        }
    }

    /// Runs of printable characters in `raw`, as bytes and as UTF-16.
    fn strings(&mut self, about: (Category, &str, &str), raw: &[u8]) {
        let text = String::from_utf8_lossy(raw);
        for run in text.split(|c: char| c.is_control() || c == '\u{fffd}') {
            // Shorter runs in binary data are chance.
            if run.chars().nth(SHORTEST - 1).is_some() {
                self.text(about, run.trim());
            }
        }
        let mut run = String::new();
        for shift in 0..2 {
            for low in [0, 1] {
                for pair in raw.get(shift..).unwrap_or_default().chunks_exact(2) {
                    match (pair.get(low), pair.get(1 - low)) {
                        (Some(&c @ 0x20..=0x7E), Some(0)) => run.push(char::from(c)),
                        _ if run.is_empty() => {}
                        _ => self.wide(about, &mut run),
                    }
                }
                self.wide(about, &mut run);
            }
        }
    }

    /// Adds a run of UTF-16 characters and empties it.
    fn wide(&mut self, about: (Category, &str, &str), run: &mut String) {
        if run.len() >= SHORTEST {
            self.text(about, run.trim());
        }
        run.clear();
    }

    /// Adds a text, in pieces if it is long.
    fn text(&mut self, about: (Category, &str, &str), text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let mut cut = rest.len().min(MAX_BYTES);
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            let (piece, left) = rest.split_at(cut);
            if meaningful(piece) {
                self.add(about, piece.as_bytes(), true);
            }
            rest = left;
        }
    }

    /// Adds a binary value.
    fn bytes(&mut self, about: (Category, &str, &str), raw: &[u8]) {
        let distinct: BTreeSet<u8> = raw.iter().copied().collect();
        if distinct.len() >= 5 {
            self.add(about, raw, false);
        }
    }

    fn add(&mut self, about: (Category, &str, &str), bytes: &[u8], text: bool) {
        if self.values.len() < MAX_VALUES && self.seen.insert(bytes.to_vec()) {
            self.values.push(Needle {
                category: about.0,
                what: about.1.to_owned(),
                path: about.2.to_owned(),
                bytes: bytes.to_vec(),
                text,
            });
        }
    }

    fn finish(self, found: &Inventory) -> Needles {
        // The kind of file is no secret.
        let kind = found.container.as_bytes();
        let told = |n: &Needle| n.bytes != kind && !in_our_profiles(n);
        let values = self.values.into_iter().filter(told).collect();
        Needles { values, pieces: self.pieces }
    }
}

/// True for text that a colour profile of ours holds: whoever sees it in an
/// output learns which standard space the colours are in, not what the
/// profile of the original said.
fn in_our_profiles(needle: &Needle) -> bool {
    needle.text && find(profiles::words().as_bytes(), &needle.bytes).is_some()
}

/// True for text that says something: four letters or digits, three of them
/// different, and no word that files hold anyway.
fn meaningful(text: &str) -> bool {
    // Every run of every file comes through here: ASCII allocates nothing.
    let letters = || text.chars().filter(|c| c.is_alphanumeric());
    let count = letters().count();
    let first = letters().next();
    let second = letters().find(|&c| Some(c) != first);
    let third = letters().any(|c| Some(c) != first && Some(c) != second);
    // A short number is a size or a setting.
    let number = count < 7 && letters().all(|c| c.is_ascii_digit());
    let word = text.trim();
    let common = if word.is_ascii() {
        COMMON.iter().any(|c| c.eq_ignore_ascii_case(word))
    } else {
        // The Kelvin sign is a small k.
        COMMON.contains(&word.to_lowercase().as_str())
    };
    count >= 4 && third && !common && !number
}

/// Texts of eight letters and more in the metadata of sound files and
/// archives, at most 100.
pub(crate) fn texts(source: &mut Source<'_>) -> Vec<String> {
    let mut out = Gather::default();
    for block in ranges::metadata(source) {
        let raw = source.upto(block.start, block.end, 4096).unwrap_or_default();
        out.strings((Category::Other, "", ""), &raw);
    }
    let texts = out.values.into_iter().filter_map(|n| String::from_utf8(n.bytes).ok());
    texts.filter(|t| t.chars().filter(|c| c.is_alphanumeric()).count() >= 8).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needle(bytes: &[u8], text: bool) -> Needle {
        let none = String::new;
        Needle { category: Category::Other, what: none(), path: none(), bytes: bytes.into(), text }
    }

    /// Word by word what a search through the profiles themselves says, as
    /// bytes and as the UTF-16 of `mluc` text.
    #[test]
    fn words_of_our_profiles_are_those_the_profiles_hold() {
        let held = |word: &[u8]| {
            let wide: Vec<u8> = word.iter().flat_map(|&b| [0, b]).collect();
            let any = |n: &[u8]| profiles::all().iter().any(|(_, p)| find(p, n).is_some());
            any(word) || any(&wide)
        };
        let (mut ours, mut others) = (0, 0);
        for run in profiles::words().split_terminator('\0') {
            assert!(held(run.as_bytes()), "{run:?}");
            for from in 0..run.len().saturating_sub(3) {
                for to in from + 4..=run.len().min(from + 12) {
                    let word = &run.as_bytes()[from..to];
                    assert!(in_our_profiles(&needle(word, true)), "{run:?}");
                    assert!(!in_our_profiles(&needle(word, false)), "binary values are no words");
                    let mut other = word.to_vec();
                    *other.last_mut().unwrap() ^= 1;
                    assert_eq!(in_our_profiles(&needle(&other, true)), held(&other), "{other:?}");
                    ours += 1;
                    others += usize::from(!held(&other));
                }
            }
        }
        assert!(ours > 100 && others > 100, "{ours} {others}");
        // Words in UTF-16 are among them, whatever the parity of their place.
        let wide = profiles::all()
            .iter()
            .flat_map(|(_, p)| p.windows(12))
            .filter(|w| w.chunks(2).all(|pair| pair[0] == 0 && pair[1].is_ascii_alphanumeric()));
        let narrow: Vec<Vec<u8>> =
            wide.map(|w| w.iter().skip(1).step_by(2).copied().collect()).collect();
        assert!(narrow.len() > 10, "{}", narrow.len());
        assert!(narrow.iter().all(|word| in_our_profiles(&needle(word, true))));
    }

    #[test]
    fn only_what_says_something_is_looked_for() {
        for told in ["Anna", "D750 x", "1234567", "Ökö1", "\u{212a}odak"] {
            assert!(meaningful(told), "{told:?}");
        }
        for untold in [
            "",
            "abc",
            "aaaa",
            "abab",
            "123456",
            " JFIF ",
            "\u{212a}ey",
            "----",
            "a-b-c",
            "Matros\u{212a}a",
        ] {
            assert!(!meaningful(untold), "{untold:?}");
        }
        assert!(COMMON.iter().all(|c| *c == c.trim().to_lowercase()), "compared as written");
    }
}
