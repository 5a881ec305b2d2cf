//! Sound files and archives: what exiftool lists of them is listed, and
//! nothing is listed of stripped ones.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::sound::{KINDS, make};
use fernseed_scrub::{Category, Inventory, InventoryLimits, StripOptions, inventory, strip};
use std::io::Cursor;

fn list(data: &[u8]) -> Inventory {
    inventory(&mut Cursor::new(data), data.len() as u64, &InventoryLimits::default())
}

fn stripped(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    let options = StripOptions::default();
    strip(&mut Cursor::new(data), data.len() as u64, &mut out, &options).ok()?;
    Some(out.into_inner())
}

/// Every place points at the value that was found there.
fn assert_stands(data: &[u8], found: &Inventory, value: &str) {
    let item = found.items.iter().find(|i| i.value.contains(value));
    let item = item.unwrap_or_else(|| panic!("{value} is not listed: {:#?}", found.items));
    if let Some((from, to)) = item.bytes {
        let there = &data[from as usize..to as usize];
        assert!(there.windows(value.len()).any(|w| w == value.as_bytes()), "{item:?}");
    }
}

#[test]
fn tags_of_every_container_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for (name, options) in KINDS {
        let short: Vec<&str> = options.iter().copied().chain(["-t", "0.2"]).collect();
        let Some(path) = make(folder.path(), name, &short, "Wexelblatt") else { continue };
        let data = std::fs::read(path).unwrap();
        let found = list(&data);
        assert!(found.container.ends_with("sound"), "{name}: {}", found.container);
        // FFmpeg writes no tags into these.
        if !matches!(*name, "bare.mp3" | "rf64.wav") {
            assert_stands(&data, &found, "Wexelblatt");
            seen += 1;
        }
        let out = stripped(&data).unwrap();
        assert_eq!(list(&out).items, [], "{name}");
    }
    println!("{seen} files");
}

fn id3v2(frames: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in frames {
        body.extend(*name);
        body.extend((content.len() as u32).to_be_bytes());
        body.extend([0, 0]);
        body.extend(*content);
    }
    let n = body.len() as u32;
    let size = [n >> 21 & 127, n >> 14 & 127, n >> 7 & 127, n & 127].map(|b| b as u8);
    [b"ID3\x03\0\0", &size[..], &body].concat()
}

#[test]
fn tags_of_mp3_by_kind() {
    let mut ape = Vec::new();
    for (key, value) in [("Artist", &b"Apollonia"[..]), ("Location", b"Kirchplatz 4")] {
        ape.extend((value.len() as u32).to_le_bytes());
        ape.extend([0; 4]);
        ape.extend(key.as_bytes());
        ape.push(0);
        ape.extend(value);
    }
    let length = (ape.len() as u32 + 32).to_le_bytes();
    ape.extend(b"APETAGEX\xD0\x07\0\0");
    ape.extend(length);
    ape.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    ape.extend([0; 8]);
    let mut old = b"TAG".to_vec();
    old.resize(128, 0);
    old[33..42].copy_from_slice(b"Ottokarin");
    let front = id3v2(&[
        (b"TPE1", b"\0Philippine"),
        (b"TIT2", b"\x01\xFF\xFEM\0e\0e\0r\0"),
        (b"TXXX", b"\0SERIAL NUMBER\0X-4711-Z"),
        (b"COMM", b"\0eng\0by the sea"),
        (b"APIC", b"\0image/jpeg\0\x03\0\xFF\xD8\xFF\xE0picture"),
        (b"PRIV", b"Somebody\0secret"),
    ]);
    let data = [front, vec![0xFF, 0xFB, 0x90, 0x44], vec![0; 413], ape, old].concat();
    let found = list(&data);
    assert_eq!(found.container, "MP3 sound");
    for value in ["Philippine", "X-4711-Z", "by the sea", "Somebody", "Apollonia", "Kirchplatz 4"] {
        assert_stands(&data, &found, value);
    }
    assert_stands(&data, &found, "Ottokarin");
    assert!(found.items.iter().any(|i| i.value == "Meer"), "UTF-16: {:#?}", found.items);
    let of = |category| found.items.iter().filter(|i| i.category == category).count();
    assert_eq!((of(Category::Preview), of(Category::Device), of(Category::Place)), (1, 1, 1));
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    for cut in 0..data.len() {
        let _no_panic = list(&data[..cut]);
    }
}

#[test]
fn members_of_archives_are_looked_into() {
    let photo = common::canary::places().into_iter().find(|p| p.0.starts_with("png")).unwrap();
    let photo = (photo.1)(b"Wexelblatt");
    let mut head = vec![0; 512];
    head[..5].copy_from_slice(b"a.png");
    head[108..115].copy_from_slice(b"0001750");
    head[124..135].copy_from_slice(format!("{:011o}", photo.len()).as_bytes());
    head[136..147].copy_from_slice(b"14763524543");
    head[156] = b'0';
    head[257..262].copy_from_slice(b"ustar");
    head[265..272].copy_from_slice(b"jolanda");
    head[148..156].fill(b' ');
    let sum: u32 = head.iter().map(|&b: &u8| u32::from(b)).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut tar = head;
    tar.extend(&photo);
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    let found = list(&tar);
    for value in ["a.png", "jolanda", "Wexelblatt"] {
        assert!(found.items.iter().any(|i| i.value.contains(value)), "{value}: {:#?}", found.items);
    }
    assert_stands(&tar, &found, "jolanda");
    assert!(found.has(Category::Time), "{:#?}", found.items);
    let inner = found.items.iter().find(|i| i.value.contains("Wexelblatt")).unwrap();
    assert!(inner.path.starts_with("TAR/member 1/"), "{inner:?}");

    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    std::io::Write::write_all(&mut gz, &tar).unwrap();
    let found = list(&gz.finish().unwrap());
    assert!(found.items.iter().any(|i| i.value.contains("jolanda")), "{:#?}", found.items);

    // ZIP: what strip writes holds names and nothing else.
    let out = stripped(&tar).unwrap();
    assert!(list(&out).items.iter().all(|i| i.what == "name of a member"), "{:#?}", list(&out));
}

/// A provenance record over several segments of a JPEG: its thumbnail is put
/// together again.
#[test]
fn torn_thumbnails_are_put_together() {
    let boxed = |kind: &[u8; 4], body: &[u8]| {
        [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
    };
    let described =
        |label: &str| boxed(b"jumd", &[&[7; 16][..], &[3], label.as_bytes(), &[0]].concat());
    let picture: Vec<u8> = (0..150_000u32).map(|n| ((n * 7919) >> 5) as u8).collect();
    let thumbnail = boxed(
        b"jumb",
        &[described("c2pa.thumbnail.claim.jpeg"), boxed(b"bidb", &picture)].concat(),
    );
    let whole = boxed(b"jumb", &[described("urn:uuid:4711"), thumbnail].concat());
    let mut jpeg = vec![0xFF, 0xD8];
    for (n, piece) in whole[8..].chunks(60_000).enumerate() {
        let body = [b"JP\0\x01", &(n as u32 + 1).to_be_bytes()[..], &whole[..8], piece].concat();
        jpeg.extend([0xFF, 0xEB]);
        jpeg.extend((body.len() as u16 + 2).to_be_bytes());
        jpeg.extend(body);
    }
    jpeg.extend(&common::pictures::jpeg()[2..]);
    let found = list(&jpeg);
    for what in ["provenance", "manifest identifier", "thumbnail"] {
        assert!(found.items.iter().any(|i| i.what.contains(what)), "{what}: {:#?}", found.items);
    }
    let len = jpeg.len() as u64;
    let torn = fernseed_scrub::torn_pictures(&mut Cursor::new(&jpeg), len);
    assert_eq!(torn.len(), 1);
    assert!(torn[0].data == picture && torn[0].path.contains("thumbnail"), "{}", torn[0].path);
}
