//! What is planted is found in every form, and nothing is found in clean
//! files; files are tied by what they share, and only by that.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use common::mp4::{self, Recipe};
use fernseed_scrub::against::{Form, Leak, needles, search};
use fernseed_scrub::link::{Strength, Tie};
use fernseed_scrub::{LinkFacts, StripOptions, facts, leaks, links, strip};
use std::io::{Cursor, Write};

/// A WAVE file with metadata of several kinds.
fn original() -> Vec<u8> {
    let mut list = b"INFO".to_vec();
    for (name, text) in [(b"IART", "Jolanda Wexelblatt"), (b"ICMT", "taken by serial 8241093377")] {
        list.extend(name);
        list.extend((text.len() as u32).to_le_bytes());
        list.extend(text.as_bytes());
        if text.len() % 2 == 1 {
            list.push(0);
        }
    }
    let mut picture = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0, 0xFF, 0xDA];
    picture.extend(noise(600, 99));
    wav(&[(b"LIST", &list), (b"APIC", &picture)], 5000)
}

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed;
    std::iter::repeat_with(|| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    })
    .take(len)
    .collect()
}

fn wav(extra: &[(&[u8; 4], &[u8])], samples: usize) -> Vec<u8> {
    let mut body = b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0".to_vec();
    for (name, content) in extra {
        body.extend(*name);
        body.extend((content.len() as u32).to_le_bytes());
        body.extend(*content);
        body.extend(vec![0; content.len() % 2]);
    }
    body.extend(b"data");
    body.extend((samples as u32 * 2).to_le_bytes());
    body.extend(noise(samples * 2, 5));
    let mut file = b"RIFF".to_vec();
    file.extend((body.len() as u32).to_le_bytes());
    file.extend(body);
    file
}

fn look(output: &[u8]) -> Vec<Leak> {
    let original = original();
    leaks(
        &mut Cursor::new(&original),
        original.len() as u64,
        &mut Cursor::new(output),
        output.len() as u64,
    )
}

/// A clean output with `content` in a block of its own.
fn with(content: &[u8]) -> Vec<u8> {
    wav(&[(b"junk", content)], 5000)
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut e = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    e.write_all(content).unwrap();
    e.finish().unwrap()
}

fn base64(content: &[u8]) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for three in content.chunks(3) {
        let mut n = 0u32;
        for i in 0..3 {
            n = n << 8 | u32::from(*three.get(i).unwrap_or(&0));
        }
        out.extend((0..4).map(|i| digits[(n >> (18 - 6 * i) & 63) as usize]));
    }
    out
}

#[test]
fn what_is_planted_is_found_in_every_form() {
    let name = "Jolanda Wexelblatt";
    let le: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let be: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut gzip =
        flate2::GzBuilder::new().filename("x.txt").write(Vec::new(), flate2::Compression::new(9));
    gzip.write_all(name.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(9));
    bare.write_all(name.as_bytes()).unwrap();
    let bare = bare.finish().unwrap();
    let prefixed = |n: usize| [&b"zyx"[..n], name.as_bytes(), b"tail"].concat();
    let cases: Vec<(&str, Vec<u8>, Form, bool)> = vec![
        ("utf-8", name.as_bytes().to_vec(), Form::Utf8, false),
        ("utf-16le", le.clone(), Form::Utf16Le, false),
        ("utf-16be", be, Form::Utf16Be, false),
        ("base64, 0", base64(&prefixed(0)), Form::Base64, false),
        ("base64, 1", base64(&prefixed(1)), Form::Base64, false),
        ("base64, 2", base64(&prefixed(2)), Form::Base64, false),
        ("zlib", zlib(name.as_bytes()), Form::Utf8, true),
        ("zlib of utf-16", zlib(&le), Form::Utf16Le, true),
        ("zlib of base64", zlib(&base64(&prefixed(1))), Form::Base64, true),
        ("gzip", gzip, Form::Utf8, true),
        ("deflate", bare, Form::Utf8, true),
        ("preview", noise(600, 99)[101..301].to_vec(), Form::Piece, false),
        ("packed preview", zlib(&[&noise(600, 99)[7..300], &[0; 900]].concat()), Form::Piece, true),
    ];
    for (what, planted, form, deflated) in cases {
        for before in [0, 1, 700] {
            let mut content = vec![b'.'; before];
            content.extend(&planted);
            content.extend([0; 40]);
            let found = look(&with(&content));
            let hit = found.iter().any(|l| l.form == form && l.deflated == deflated);
            assert!(hit, "{what} after {before}: {found:?}");
        }
    }
    // A value is never repeated in the report.
    let text = serde_json::to_string(&look(&with(name.as_bytes()))).unwrap();
    assert!(!text.contains("Wexelblatt"), "{text}");
}

#[test]
fn words_of_standard_colour_profiles_are_no_secret() {
    let mut list = b"INFO".to_vec();
    for (name, text) in
        [(b"ICMT", "Display P3"), (b"ISFT", "mntrRGB XYZ "), (b"IART", "Display P7")]
    {
        list.extend(name);
        list.extend((text.len() as u32).to_le_bytes());
        list.extend(text.as_bytes());
    }
    let original = wav(&[(b"LIST", &list)], 50);
    let known = needles(&mut Cursor::new(&original), original.len() as u64);
    let wide: Vec<u8> = "Display P3, sRGB".bytes().flat_map(|b| [0, b]).collect();
    for (output, leaks) in [(&wide[..], false), (b"mntrRGB XYZ", false), (b"Display P7", true)] {
        let output = with(output);
        let found = search(&known, &mut Cursor::new(&output), output.len() as u64);
        assert_eq!(!found.is_empty(), leaks, "{found:?}");
    }
}

#[test]
fn a_text_inside_the_payload_counts_if_it_is_long() {
    let mut file = wav(&[], 50_000);
    let at = 60_000;
    file[at..at + 18].copy_from_slice(b"Jolanda Wexelblatt");
    let found = look(&file);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].bytes, (at as u64, at as u64 + 18));
    assert_eq!(found[0].path, "data (samples)");
}

#[test]
fn clean_outputs_hold_nothing() {
    let original = original();
    let mut out = Cursor::new(Vec::new());
    let len = original.len() as u64;
    strip(&mut Cursor::new(&original), len, &mut out, &StripOptions::default()).unwrap();
    assert!(look(out.get_ref()).is_empty(), "{:?}", look(out.get_ref()));
    // A great many needles in much noise: none is found by chance.
    let mut texts = Vec::new();
    for n in 0..800u32 {
        texts.extend(format!("ICMT value {:08x}", n.wrapping_mul(2_654_435_761)).into_bytes());
        texts.push(0);
        texts.extend([
            b'A' + (n % 26) as u8,
            b'b',
            b'0' + (n / 26 % 10) as u8,
            b'q',
            b'Z',
            b'x',
            0,
        ]);
    }
    let many = wav(&[(b"LIST", &texts)], 10);
    let list = needles(&mut Cursor::new(&many), many.len() as u64);
    assert!(list.values.len() > 300, "{}", list.values.len());
    let clean = wav(&[], 4_000_000);
    let found = search(&list, &mut Cursor::new(&clean), clean.len() as u64);
    assert!(found.is_empty(), "{found:?}");
}

/// Converters leave a second handler in a track, which only says how data is
/// found. The track is no hidden one for that, and its sample table no secret;
/// what is hidden is found even where such a table should stand.
#[test]
fn a_shown_track_is_no_secret_and_its_tables_hide_nothing() {
    let hidden = mp4::boxed(b"free", &noise(256, 4711));
    let handler = [&[0; 4], &b"alis"[..], &[0; 12], b"Alias Data Handler\0"].concat();
    let original = mp4::build(&Recipe {
        minf_extra: mp4::full(b"hdlr", 0, &handler),
        top_extra: hidden.clone(),
        ..Recipe::default()
    });
    let list = needles(&mut Cursor::new(&original), original.len() as u64);
    let whats: Vec<&str> = list.values.iter().map(|n| n.what.as_str()).collect();
    assert!(!whats.contains(&"data track"), "{whats:?}");
    assert_eq!(list.pieces, hidden[..256], "the pieces are those of the hidden block alone");

    let mut out = Cursor::new(Vec::new());
    let len = original.len() as u64;
    strip(&mut Cursor::new(&original), len, &mut out, &StripOptions::default()).unwrap();
    let out = out.into_inner();
    let against = |output: &[u8]| search(&list, &mut Cursor::new(output), output.len() as u64);
    assert_eq!(against(&out), []);

    let mut in_table = out.clone();
    let table = in_table.windows(4).position(|w| w == b"stsz").unwrap() + 16;
    in_table[table..table + 40].copy_from_slice(&hidden[32..72]);
    let place = table as u64..table as u64 + 40;
    assert!(against(&in_table).iter().any(|l| place.contains(&l.bytes.0)), "in a sample table");
    let behind = [out, hidden].concat();
    assert!(!against(&behind).is_empty(), "in a box of its own");
}

/// The name of an encoder stands in the sample entry, beside what every file
/// of that codec has.
#[test]
fn the_encoders_name_is_a_secret_and_its_sample_entry_is_none() {
    let colour = mp4::boxed(b"colr", b"nclx\0\x09\0\x12\0\x09\0");
    let mut original = mp4::build(&Recipe { entry_extra: colour, ..Recipe::default() });
    // The table's version, flags and count, and the size of its one entry.
    let table = original.windows(4).position(|w| w == b"stsd").unwrap() + 4;
    let entry = table + 16;
    assert_eq!(original[entry - 4..entry], *b"avc1");
    let name = b"Lavc60.31.102 libx264";
    original[entry + 42] = name.len() as u8;
    original[entry + 43..entry + 43 + name.len()].copy_from_slice(name);
    let list = needles(&mut Cursor::new(&original), original.len() as u64);
    assert!(list.values.iter().any(|n| n.bytes == name));

    let mut out = Cursor::new(Vec::new());
    let len = original.len() as u64;
    strip(&mut Cursor::new(&original), len, &mut out, &StripOptions::default()).unwrap();
    let out = out.into_inner();
    assert!(out.windows(8).any(|w| w == b"colrnclx"), "the colour space is kept");
    let found = search(&list, &mut Cursor::new(&out), out.len() as u64);
    assert_eq!(found, []);
}

fn of(bytes: &[u8]) -> LinkFacts {
    facts(&mut Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn files_are_tied_by_what_they_share() {
    let artist = |name: &str, comment: &str| {
        let mut list = b"INFO".to_vec();
        for (key, text) in [(b"IART", name), (b"ICMT", comment)] {
            list.extend(key);
            list.extend((text.len() as u32).to_le_bytes());
            list.extend(text.as_bytes());
            list.extend(vec![0; text.len() % 2]);
        }
        list
    };
    let date = |d: &str| {
        let mut b = vec![0; 320];
        b.extend(d.as_bytes());
        b.resize(602, 0);
        b
    };
    let a = wav(
        &[(b"LIST", &artist("Jolanda Wexelblatt", "one")), (b"bext", &date("2023-05-14T18:22:01"))],
        3000,
    );
    let b = wav(&[(b"LIST", &artist("Jolanda Wexelblatt", "two three"))], 3100);
    let c = wav(&[], 3200);
    let files = vec![
        ("IMG_1234.wav".to_owned(), of(&a)),
        ("IMG_1236.wav".to_owned(), of(&b)),
        ("20230514_182301.wav".to_owned(), of(&c)),
    ];
    let groups = links(&files);
    let group = |tie: Tie| groups.iter().find(|g| g.tie == tie);
    let person = group(Tie::Person).unwrap_or_else(|| panic!("{groups:?}"));
    assert_eq!(person.strength, Strength::Strong);
    assert_eq!(person.files, ["IMG_1234.wav", "IMG_1236.wav"]);
    assert_eq!(groups[0].strength, Strength::Strong, "the strongest comes first");
    assert_eq!(group(Tie::NameSeries).unwrap().files, ["IMG_1234.wav", "IMG_1236.wav"]);
    // What is known survives being written down.
    let text = serde_json::to_string(&files).unwrap();
    let back: Vec<(String, LinkFacts)> = serde_json::from_str(&text).unwrap();
    assert_eq!(links(&back), groups);
}

#[test]
fn stripped_files_are_tied_by_weak_traits_only() {
    let clean = |file: &[u8]| {
        let mut out = Cursor::new(Vec::new());
        let len = file.len() as u64;
        strip(&mut Cursor::new(file), len, &mut out, &StripOptions::default()).unwrap();
        out.into_inner()
    };
    let first = clean(&original());
    let second = clean(&wav(&[(b"LIST", b"INFOISFT\x04\0\0\0Rec1")], 7000));
    let files = vec![("a.wav".to_owned(), of(&first)), ("b.wav".to_owned(), of(&second))];
    let groups = links(&files);
    assert!(groups.iter().all(|g| g.strength == Strength::Weak), "{groups:?}");
    assert!(links(&files[..1]).is_empty());
}

#[test]
fn pictures_of_one_camera_are_tied_strongly() {
    let Some(root) = common::shared("data/metadata/exiftool") else { return };
    let list: Vec<(String, LinkFacts)> = common::files(&root)
        .into_iter()
        .filter_map(|path| {
            let bytes = std::fs::read(&path).ok()?;
            Some((path.file_name()?.to_string_lossy().into_owned(), of(&bytes)))
        })
        .collect();
    let groups = links(&list);
    for g in groups.iter().filter(|g| g.strength == Strength::Strong) {
        println!("{:?} {} files: {}", g.tie, g.files.len(), g.message);
        assert!(g.files.len() > 1 && g.files.len() < list.len());
    }
    println!("{} files, {} groups", list.len(), groups.len());
}
