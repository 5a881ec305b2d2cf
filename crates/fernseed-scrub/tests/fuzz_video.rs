//! Mutations of video files: no panic, nothing slow, bounded memory, and
//! whatever is written is accounted for and stable.
//!
//! Runs for some seconds by default; see `common::fuzz` for the settings.

// Helpers of tests, which the lints do not take for tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::print_stdout)]

mod common;

use common::clips::{self, CLIPS};
use common::fuzz::{self, Dice};
use common::mp4::{self, Recipe};

/// Lengths and counts that have broken parsers before.
const VALUES: [u32; 10] =
    [0, 1, 7, 8, 0x7F, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF8, 0xFFFF_FFFF];

/// Places near which structure lies: printable codes of four letters.
fn codes(b: &[u8]) -> Vec<usize> {
    (0..b.len().saturating_sub(4))
        .filter(|&i| b[i..i + 4].iter().all(|c| c.is_ascii_alphanumeric() || *c == b' '))
        .collect()
}

fn mutate(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut b = seeds[dice.below(seeds.len())].clone();
    let codes = codes(&b);
    for _ in 0..1 + dice.below(6) {
        if b.len() < 16 {
            break;
        }
        let any = dice.below(b.len() - 8);
        let near = if codes.is_empty() { any } else { codes[dice.below(codes.len())] };
        let at = if dice.below(2) == 0 { near.min(b.len() - 9) } else { any };
        match dice.below(8) {
            0 => b[at] ^= 1 << dice.below(8),
            1 => b[at] = dice.roll() as u8,
            2 => {
                let place = (at + dice.below(12)).saturating_sub(4).min(b.len() - 4);
                let value = VALUES[dice.below(VALUES.len())];
                b[place..place + 4].copy_from_slice(&value.to_be_bytes());
            }
            3 => {
                let place = (at + dice.below(12)).saturating_sub(4).min(b.len() - 4);
                let value = VALUES[dice.below(VALUES.len())];
                b[place..place + 4].copy_from_slice(&value.to_le_bytes());
            }
            4 => b.truncate(at + 8),
            5 => {
                let end = (at + dice.below(64)).min(b.len());
                b.drain(at..end);
            }
            6 => {
                let from = &seeds[dice.below(seeds.len())];
                let start = dice.below(from.len().max(1));
                let end = (start + dice.below(256)).min(from.len());
                b.splice(at..at, from[start..end].iter().copied());
            }
            _ => {
                let end = (at + dice.below(512)).min(b.len());
                let again = b[at..end].to_vec();
                b.splice(at..at, again);
            }
        }
    }
    b
}

/// Formats with the endings of their clips; the first clip is the one of
/// short runs.
const FORMATS: [(&str, &[&str]); 6] = [
    ("mp4", &["mp4", "mov", "m4v", "3gp", "m4a"]),
    ("matroska", &["mkv", "webm"]),
    ("avi", &["avi"]),
    ("asf", &["wmv", "asf", "wma"]),
    ("ts", &["ts", "m2ts"]),
    ("ps", &["mpg", "vob"]),
];

/// Clips of these endings: all in a long run, one otherwise.
fn clips_of(endings: &[&str]) -> Vec<Vec<u8>> {
    let folder = clips::folder("fuzz");
    let of = |c: &&(&str, &str, &str, &str)| {
        c.0.rsplit('.').next().is_some_and(|e| endings.contains(&e))
    };
    let most = if fuzz::is_long() { usize::MAX } else { 1 };
    let made = CLIPS.iter().filter(of).filter_map(|c| std::fs::read(clips::clip(&folder, c)?).ok());
    let list = made.take(most).collect();
    std::fs::remove_dir_all(folder).unwrap();
    list
}

#[test]
fn mutated_files_never_break_it() {
    let have_ffmpeg = clips::have_ffmpeg();
    for (format, endings) in FORMATS.iter().filter(|f| fuzz::wanted(f.0)) {
        let mut seeds = match *format {
            "mp4" => vec![mp4::build(&Recipe::default())],
            "matroska" => vec![common::pictures::webm_with(&[], &[])],
            _ if !have_ffmpeg => continue,
            "avi" => vec![b"RIFF\x10\0\0\0AVI LIST\x04\0\0\0movi".to_vec()],
            _ => vec![],
        };
        if have_ffmpeg {
            seeds.extend(clips_of(endings));
        }
        fuzz::run(format, &seeds, 1.2, mutate);
    }
}
