//! The accounting finds every structure that does not belong, and accepts
//! files that hold nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use common::mp4::{self, Recipe, boxed, full, words};
use common::pictures as pic;
use fernseed_core::finding::{FindingCode, Severity};
use fernseed_scrub::{Accounting, OutputKind, account};
use proptest::prelude::*;
use std::io::Cursor;

fn look(file: &[u8]) -> Accounting {
    let result = account(&mut Cursor::new(file), file.len() as u64);
    let owned: u64 = result.structures.iter().map(|s| s.end - s.start).sum();
    if result.is_clean() {
        assert_eq!(owned, file.len() as u64, "clean, but not all bytes have an owner");
    }
    result
}

fn clean(file: &[u8], kind: OutputKind) -> Accounting {
    let result = look(file);
    assert_eq!(result.container, kind);
    assert!(result.is_clean(), "{:?}", result.findings);
    result
}

/// Asserts that the file is refused for this reason at this structure.
fn refused(file: &[u8], code: FindingCode, structure: &str) {
    let result = look(file);
    let hit = result.findings.iter().any(|f| {
        f.code == code
            && f.severity == Severity::Failure
            && f.place.structure.as_deref().unwrap_or("").contains(structure)
    });
    assert!(hit, "{code:?} at {structure:?} not in {:#?}", result.findings);
}

use FindingCode::{HiddenSamples, MetadataLeft, UnknownStructure};

fn spoilt(spoil: impl FnOnce(&mut Recipe)) -> Vec<u8> {
    let mut recipe = Recipe::default();
    spoil(&mut recipe);
    mp4::build(&recipe)
}

#[test]
fn a_plain_mp4_is_clean() {
    let video = clean(&mp4::build(&Recipe::default()), OutputKind::Mp4).video.unwrap();
    assert_eq!((video.width, video.height, video.timescale), (320, 240, 1000));
    assert_eq!((video.sample_count, video.hidden_samples, video.has_audio), (10, 0, false));
    let times: Vec<i64> = (0..10).map(|i| i * 100).collect();
    assert_eq!(video.presentation_times, times);
}

#[test]
fn boxes_that_do_not_belong_are_named() {
    let udta = boxed(b"udta", &boxed(b"\xA9xyz", b"\0\x12\x15\xc7+52.5163+013.3777/"));
    refused(&spoilt(|r| r.moov_extra = udta.clone()), MetadataLeft, "moov/udta");
    refused(&spoilt(|r| r.trak_extra = udta), MetadataLeft, "moov/trak/udta");
    for (kind, code) in [
        (b"free", UnknownStructure),
        (b"skip", UnknownStructure),
        (b"uuid", MetadataLeft),
        (b"meta", MetadataLeft),
        (b"abcd", UnknownStructure),
        (b"mdat", UnknownStructure),
        (b"moov", UnknownStructure),
    ] {
        let name = String::from_utf8(kind.to_vec()).unwrap();
        let extra = boxed(kind, b"canary canary canary");
        refused(&spoilt(|r| r.top_extra = extra.clone()), code, &name);
        if !matches!(kind, b"mdat" | b"moov") {
            refused(&spoilt(|r| r.stbl_extra = extra), code, &format!("stbl/{name}"));
        }
    }
}

#[test]
fn fixed_fields_are_fixed() {
    refused(&spoilt(|r| r.created = 3_800_000_000), UnknownStructure, "moov/mvhd");
    refused(&spoilt(|r| r.handler_name = b"Phone".to_vec()), UnknownStructure, "hdlr");
    refused(&spoilt(|r| r.compressor = b'x'), UnknownStructure, "stsd");
    refused(&spoilt(|r| r.language = Some(0x15C7)), UnknownStructure, "mdhd");
    refused(&spoilt(|r| r.avcc_extra = vec![1, 2, 3]), UnknownStructure, "stsd");
    refused(&spoilt(|r| r.stts = Some(words(&[1, 11, 100]))), UnknownStructure, "stbl");
    refused(&spoilt(|r| r.stts = Some(words(&[1, 10, 100, 7]))), UnknownStructure, "stts");
}

#[test]
fn further_parameter_sets_are_allowed_if_they_are_others() {
    // Identifiers 1 instead of 0, and the same set again.
    let other =
        (vec![0x67, 0x42, 0xC0, 0x1E, 0x56, 0x81, 0x41, 0xF9], vec![0x68, 0x4C, 0xE3, 0xC8]);
    let pair = |sps: &[Vec<u8>], pps: &[Vec<u8>]| {
        let sets = (sps.to_vec(), pps.to_vec());
        spoilt(|r| r.more_sets = sets)
    };
    let (sps, pps) = ([other.0], [other.1]);
    assert!(look(&pair(&sps, &pps)).is_clean(), "{:#?}", look(&pair(&sps, &pps)).findings);
    refused(&pair(&[mp4::sps()], &pps), UnknownStructure, "stsd");
    let twice = |set: &[Vec<u8>; 1]| [set[0].clone(), set[0].clone()];
    refused(&pair(&twice(&sps), &twice(&pps)), UnknownStructure, "stsd");
    let long = [[&sps[0][..], b"name"].concat()];
    refused(&pair(&long, &pps), UnknownStructure, "stsd");
}

#[test]
fn hidden_media_is_found() {
    refused(&spoilt(|r| r.elst_start = 300), HiddenSamples, "elst");
    let video = look(&spoilt(|r| r.elst_start = 300)).video.unwrap();
    assert_eq!(video.hidden_samples, 3);
    assert_eq!(video.presentation_times, [0, 100, 200, 300, 400, 500, 600]);
    let orphan = look(&spoilt(|r| r.orphan = 1000));
    assert_eq!(orphan.unclaimed, 1000);
    refused(&spoilt(|r| r.orphan = 1), UnknownStructure, "");
    refused(
        &spoilt(|r| r.unit = b"\x06\x05\x10x264 settings\x80".to_vec()),
        UnknownStructure,
        "sample",
    );
    refused(&spoilt(|r| r.unit = mp4::sps()), UnknownStructure, "sample");
    refused(&spoilt(|r| r.unit = vec![0x41, 1, 0, 0]), UnknownStructure, "sample");
}

#[test]
fn tables_that_lie_end_quickly() {
    let many = full(b"stsz", 0, &words(&[1, u32::MAX]));
    assert!(!look(&spoilt(|r| r.stbl_extra = many)).is_clean());
    let huge = spoilt(|r| r.stts = Some(words(&[u32::MAX, 10, 100])));
    refused(&huge, UnknownStructure, "stts");
}

#[test]
fn a_plain_png_is_clean_and_others_are_not() {
    let result = clean(&pic::png(), OutputKind::Png);
    assert_eq!(result.size.map(|s| (s.width, s.height)), Some((16, 16)));
    clean(&pic::apng(), OutputKind::Apng);
    let data = pic::deflate(&pic::rows(16, 16));
    let idat = pic::chunk(b"IDAT", &data);
    for (kind, code) in [
        (b"tEXt", MetadataLeft),
        (b"eXIf", MetadataLeft),
        (b"tIME", MetadataLeft),
        (b"pHYs", UnknownStructure),
        (b"prVt", UnknownStructure),
    ] {
        let file = pic::png_of(&[pic::chunk(kind, b"canary"), idat.clone()]);
        refused(&file, code, std::str::from_utf8(kind).unwrap());
    }
    // Hidden behind the end of the compressed stream, in one chunk or two.
    let hidden = [data.clone(), b"canary".to_vec()].concat();
    refused(&pic::png_of(&[pic::chunk(b"IDAT", &hidden)]), UnknownStructure, "IDAT");
    let two = [idat.clone(), pic::chunk(b"IDAT", b"canary")];
    refused(&pic::png_of(&two), UnknownStructure, "IDAT");
    // One row too many, one too few.
    for height in [15, 17] {
        let other = pic::chunk(b"IDAT", &pic::deflate(&pic::rows(16, height)));
        refused(&pic::png_of(&[other]), UnknownStructure, "IDAT");
    }
    let mut spoilt = pic::png();
    let at = spoilt.len() - 20;
    spoilt[at] ^= 1;
    assert!(!look(&spoilt).is_clean());
}

#[test]
fn a_plain_jpeg_is_clean_and_others_are_not() {
    let result = clean(&pic::jpeg(), OutputKind::Jpeg);
    assert_eq!(result.size.map(|s| (s.width, s.height)), Some((16, 8)));
    for (marker, body, code) in [
        (0xE1, &b"Exif\0\0MM\0*"[..], MetadataLeft),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>", MetadataLeft),
        (0xE2, b"ICC_PROFILE\0\x01\x01xxx", MetadataLeft),
        (0xE2, b"MPF\0MM\0*", MetadataLeft),
        (0xE0, b"JFXX\0\x10", MetadataLeft),
        (0xEB, b"JP\0\x01", MetadataLeft),
        (0xED, b"Photoshop 3.0\0", MetadataLeft),
        (0xFE, b"comment", MetadataLeft),
        (0xEE, b"Adobe\0\x64\0\0\0\0\x01", UnknownStructure),
    ] {
        let file = pic::jpeg_with(&pic::segment(marker, body), &[0x0F]);
        let name = if marker == 0xFE { "COM".to_owned() } else { format!("APP{}", marker & 15) };
        refused(&file, code, &name);
    }
    // A byte after the last block, zero padding, a stray restart marker.
    refused(&pic::jpeg_with(&[], &[0x0F, 0x55]), UnknownStructure, "SOS");
    refused(&pic::jpeg_with(&[], &[0x00]), UnknownStructure, "SOS");
    refused(&pic::jpeg_with(&[], &[0x0F, 0xFF, 0xD0]), UnknownStructure, "");
    refused(&pic::jpeg_with(&[], &[]), UnknownStructure, "SOS");
}

#[test]
fn a_plain_webp_is_clean_and_others_are_not() {
    let result = clean(&pic::webp(), OutputKind::WebP);
    assert_eq!(result.size.map(|s| (s.width, s.height)), Some((16, 16)));
    let picture = pic::riff(b"VP8L", &[0x2F, 15, 0xC0, 3, 0, 9, 9]);
    for (kind, code) in [
        (b"EXIF", MetadataLeft),
        (b"XMP ", MetadataLeft),
        (b"ICCP", MetadataLeft),
        (b"ABCD", UnknownStructure),
    ] {
        let file = pic::webp_of(&[picture.clone(), pic::riff(kind, b"canary")]);
        refused(&file, code, std::str::from_utf8(kind).unwrap().trim());
    }
    let mut padded = pic::webp();
    *padded.last_mut().unwrap() = 1;
    refused(&padded, UnknownStructure, "VP8L");
}

#[test]
fn a_plain_webm_is_clean_and_others_are_not() {
    let video = clean(&pic::webm_with(&[], &[]), OutputKind::WebM).video.unwrap();
    assert_eq!(video.presentation_times, [0, 40]);
    for (element, name) in [
        (pic::ebml(&[0x7B, 0xA9], b"canary"), "Title"),
        (pic::ebml(&[0x44, 0x61], &[0; 8]), "DateUTC"),
        (pic::ebml(&[0x73, 0xA4], &[1; 16]), "SegmentUUID"),
        (pic::ebml(&[0xEC], &[0; 16]), "Void"),
    ] {
        let code = if name == "Void" { UnknownStructure } else { MetadataLeft };
        refused(&pic::webm_with(&element, &[]), code, name);
    }
    refused(&pic::webm_with(&[], &pic::ebml(&[0x12, 0x54, 0xC3, 0x67], &[])), MetadataLeft, "Tags");
    refused(&pic::webm_with(&[], &pic::ebml(&[0xEC], b"canary")), UnknownStructure, "Void");
}

/// Every kind of file this project writes.
fn all() -> [Vec<u8>; 6] {
    [
        mp4::build(&Recipe::default()),
        pic::png(),
        pic::apng(),
        pic::jpeg(),
        pic::webp(),
        pic::webm_with(&[], &[]),
    ]
}

#[test]
fn a_byte_added_anywhere_at_the_end_is_found() {
    for file in all() {
        for tail in [&b"\0"[..], b"x", b"canary canary canary canary"] {
            let longer = [&file, tail].concat();
            let result = look(&longer);
            assert!(result.unclaimed >= tail.len() as u64, "{:?}", result.container);
            assert!(!result.findings.is_empty());
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for file in all() {
        for len in 0..file.len() {
            assert!(!look(&file[..len]).is_clean(), "cut at {len}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(800) })]

    #[test]
    fn an_inserted_byte_is_found(which in 0usize..6, place in any::<prop::sample::Index>(), byte: u8) {
        let file = &all()[which];
        let at = place.index(file.len() + 1);
        let mut longer = file.clone();
        longer.insert(at, byte);
        prop_assert!(!look(&longer).is_clean(), "byte {byte:#x} at {at} of kind {which}");
    }

    #[test]
    fn spoilt_files_never_panic(
        which in 0usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = all()[which].clone();
        for (place, byte) in changes {
            let at = place.index(file.len());
            file[at] = byte;
        }
        let result = look(&file);
        prop_assert!(result.unclaimed <= file.len() as u64);
        let keep = cut.index(file.len() + 1);
        file.truncate(keep);
        prop_assert!(!look(&file).is_clean() || keep > 0);
    }
}

#[test]
fn pixels_that_are_not_square_set_the_shown_width() {
    // Coded 320 wide, pixels 4:3, but the track header says 320.
    let pasp = |num: u32, den: u32| boxed(b"pasp", &words(&[num, den]));
    clean(&spoilt(|r| r.entry_extra = pasp(1, 1)), OutputKind::Mp4);
    refused(&spoilt(|r| r.entry_extra = pasp(4, 3)), UnknownStructure, "tkhd");
    refused(&spoilt(|r| r.entry_extra = pasp(0, 3)), UnknownStructure, "stsd");
    let profile = boxed(b"colr", b"profcanary");
    refused(&spoilt(|r| r.entry_extra = profile), UnknownStructure, "stsd");
}
