//! Mutations of video files: no panic, no input over two seconds, bounded
//! memory, and whatever is written is accounted for.
//!
//! `FERNSEED_FUZZ_SECONDS=600` makes the run longer than the few seconds of
//! the default; `FERNSEED_FUZZ_SEED` picks another sequence.

// Helpers of tests, which the lints do not take for tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::clips::{self, CLIPS};
use common::mp4::{self, Recipe};
use fernseed_scrub::{account, strip};
use std::io::Cursor;
use std::time::{Duration, Instant};

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }
}

/// Lengths and counts that have broken parsers before.
const VALUES: [u32; 10] =
    [0, 1, 7, 8, 0x7F, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF8, 0xFFFF_FFFF];

/// Places near which structure lies: printable codes of four letters.
fn codes(b: &[u8]) -> Vec<usize> {
    (0..b.len().saturating_sub(4))
        .filter(|&i| b[i..i + 4].iter().all(|c| c.is_ascii_alphanumeric() || *c == b' '))
        .collect()
}

fn mutate(dice: &mut Dice, file: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut b = file.to_vec();
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
                let from = &others[dice.below(others.len())];
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

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[test]
fn mutated_files_never_break_it() {
    let mut seeds = vec![
        mp4::build(&Recipe::default()),
        common::pictures::webm_with(&[], &[]),
        b"RIFF\x10\0\0\0AVI LIST\x04\0\0\0movi".to_vec(),
    ];
    let seconds = number("FERNSEED_FUZZ_SECONDS", 6);
    if seconds > 30 && clips::have_ffmpeg() {
        let folder = clips::folder("fuzz");
        seeds.extend(CLIPS.iter().filter_map(|c| std::fs::read(clips::clip(&folder, c)?).ok()));
        std::fs::remove_dir_all(folder).unwrap();
    } else if clips::have_ffmpeg() {
        let folder = clips::folder("fuzz");
        for name in ["mpeg4-mp3.avi", "h264-aac.ts", "wmv2-wma.wmv", "mpeg2-mp2.mpg"] {
            let which = CLIPS.iter().find(|c| c.0 == name).unwrap();
            seeds.extend(clips::clip(&folder, which).map(|p| std::fs::read(p).unwrap()));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
    let mut dice = Dice(number("FERNSEED_FUZZ_SEED", 20_261_123));
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut runs, mut written, mut slowest) = (0u64, 0u64, Duration::ZERO);
    while Instant::now() < end {
        let which = dice.below(seeds.len());
        let file = mutate(&mut dice, &seeds[which], &seeds);
        let begun = Instant::now();
        let mut out = Cursor::new(Vec::new());
        let length = file.len() as u64;
        let done = strip(&mut Cursor::new(&file), length, &mut out, &Default::default());
        let took = begun.elapsed();
        slowest = slowest.max(took);
        assert!(took < Duration::from_secs(2), "{took:?} for seed {which}, run {runs}");
        runs += 1;
        if done.is_ok() {
            written += 1;
            let out = out.into_inner();
            assert!(out.len() <= file.len() * 8 + (1 << 20), "seed {which}, run {runs}: it grew");
            let book = account(&mut Cursor::new(&out), out.len() as u64);
            assert!(book.is_clean(), "seed {which}, run {runs}: {:#?}", book.findings);
        }
    }
    println!("{runs} inputs, {written} written, slowest {slowest:?}");
    assert!(runs > 20 && written > 0);
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
        let kib: u64 = peak.split_whitespace().next().unwrap_or("0").parse().unwrap_or(0);
        println!("peak memory {} MiB", kib / 1024);
        assert!(kib < 512 << 10, "{kib} KiB");
    }
}
