//! The inventory names what is planted, and never panics.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use common::mp4::{self, Recipe, boxed, full, words};
use common::pictures as pic;
use fernseed_scrub::{Category, Harm, Inventory, InventoryLimits, inventory};
use proptest::prelude::*;
use std::io::Cursor;
use std::time::{Duration, Instant};

fn list(file: &[u8]) -> Inventory {
    inventory(&mut Cursor::new(file), file.len() as u64, &InventoryLimits::default())
}

/// Asserts that something of this category at this path has this value.
fn says(file: &[u8], category: Category, path: &str, value: &str) {
    let found = list(file);
    let hit = found
        .items
        .iter()
        .any(|i| i.category == category && i.path.contains(path) && i.value.contains(value));
    assert!(hit, "{category:?} {path} {value} not in {found:#?}");
}

/// A little-endian EXIF block: device, owner, serial number, a GPS
/// directory and a thumbnail.
fn exif() -> Vec<u8> {
    let mut b = b"II*\0\x08\0\0\0".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()]
            .concat()
    };
    // IFD0 at 8: five entries, then IFD1.
    b.extend(5u16.to_le_bytes());
    b.extend(entry(0x010F, 2, 8, 200));
    b.extend(entry(0x0132, 2, 20, 210));
    b.extend(entry(0x8825, 4, 1, 100));
    b.extend(entry(0xA431, 2, 8, 240));
    b.extend(entry(0xA430, 2, 8, 250));
    b.extend(170u32.to_le_bytes());
    b.resize(100, 0);
    b.extend(4u16.to_le_bytes());
    b.extend(entry(1, 2, 2, u32::from(b'N')));
    b.extend(entry(2, 5, 3, 300));
    b.extend(entry(3, 2, 2, u32::from(b'W')));
    b.extend(entry(4, 5, 3, 324));
    b.extend(0u32.to_le_bytes());
    b.resize(170, 0);
    b.extend(2u16.to_le_bytes());
    b.extend(entry(0x0201, 4, 1, 400));
    b.extend(entry(0x0202, 4, 1, 16));
    b.extend([0; 4]);
    for (at, text) in
        [(200, "Testcam"), (210, "2024:05:06 07:08:09"), (240, "SN12345"), (250, "A Owner")]
    {
        b.resize(at, 0);
        b.extend(text.as_bytes());
        b.push(0);
    }
    b.resize(300, 0);
    for n in [52u32, 1, 30, 1, 36, 1, 13, 1, 15, 1, 0, 1] {
        b.extend(n.to_le_bytes());
    }
    b.resize(416, 0xD8);
    b
}

const XMP: &str = r#"<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="T1">
<rdf:RDF><rdf:Description exif:GPSLatitude="52,30.6N" xmpMM:DocumentID="xmp.did:123">
<dc:creator><rdf:Seq><rdf:li>Some &amp; One</rdf:li></rdf:Seq></dc:creator>
<mwg-rs:Regions><mwg-rs:RegionList><rdf:Bag><rdf:li mwg-rs:Name="Name Here"/></rdf:Bag>
</mwg-rs:RegionList></mwg-rs:Regions><xmp:CreateDate>2024-05-06T07:08:09</xmp:CreateDate>
</rdf:Description></rdf:RDF></x:xmpmeta>"#;

fn photo() -> Vec<u8> {
    let exif = [b"Exif\0\0".to_vec(), exif()].concat();
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0".to_vec(), XMP.as_bytes().to_vec()].concat();
    let iptc = b"\x1C\x02\x50\0\x06Writer\x1C\x02\x5A\0\x04Town";
    let irb = [
        &b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x14"[..],
        iptc,
        b"8BIM\x04\x0C\0\0\0\0\0\x04abcd",
    ]
    .concat();
    let extra = [
        pic::segment(0xE1, &exif),
        pic::segment(0xE1, &xmp),
        pic::segment(0xED, &irb),
        pic::segment(0xFE, b"a comment"),
        pic::segment(0xE0, b"JFXX\0\x10thumb"),
    ]
    .concat();
    let mut file = pic::jpeg_with(&extra, &[0x0F]);
    file.extend(boxed(b"ftyp", b"mp42\0\0\0\0"));
    file.extend(boxed(b"free", b"planted"));
    file
}

#[test]
fn a_photo_gives_away_what_was_planted() {
    let file = photo();
    assert_eq!(list(&file).container, "JPEG photo");
    says(&file, Category::Place, "GPS/GPSLatitude", "52.510000, -13.250000");
    says(&file, Category::Device, "IFD0/Make", "Testcam");
    says(&file, Category::Time, "ModifyDate", "2024:05:06 07:08:09");
    says(&file, Category::Device, "SerialNumber", "SN12345");
    says(&file, Category::People, "OwnerName", "A Owner");
    says(&file, Category::Preview, "IFD1/Thumbnail", "16 bytes");
    says(&file, Category::People, "dc:creator", "Some & One");
    says(&file, Category::Link, "DocumentID", "xmp.did:123");
    says(&file, Category::People, "mwg-rs:Regions", "Name Here");
    says(&file, Category::Time, "CreateDate", "2024-05-06");
    says(&file, Category::People, "By-line", "Writer");
    says(&file, Category::Place, "City", "Town");
    says(&file, Category::Preview, "PhotoshopThumbnail", "4 bytes");
    says(&file, Category::People, "COM", "a comment");
    says(&file, Category::Preview, "JFXX", "");
    says(&file, Category::Preview, "(after EOI)", "");
    says(&file, Category::Hidden, "(after EOI)/free", "planted");
}

#[test]
fn byte_ranges_point_at_the_value() {
    let file = photo();
    let found = list(&file);
    let item = found.items.iter().find(|i| i.path.ends_with("/Make")).unwrap();
    let (start, end) = item.bytes.unwrap();
    assert_eq!(&file[start as usize..end as usize], b"Testcam\0");
    let item = found.items.iter().find(|i| i.path == "(after EOI)/free").unwrap();
    let (start, end) = item.bytes.unwrap();
    assert!(file[start as usize..end as usize].ends_with(b"planted"));
}

#[test]
fn png_text_and_tails_are_listed() {
    let data = pic::chunk(b"IDAT", &pic::deflate(&pic::rows(16, 16)));
    let packed = [b"Author\0\0".to_vec(), pic::deflate(b"Deflated Name")].concat();
    let mut file = pic::png_of(&[
        pic::chunk(b"tEXt", b"Software\0Tool 1"),
        pic::chunk(b"zTXt", &packed),
        pic::chunk(b"eXIf", &exif()),
        pic::chunk(b"tIME", &[7, 232, 5, 6, 7, 8, 9]),
        pic::chunk(b"prVt", b"secret"),
        data,
    ]);
    file.extend(b"an earlier, larger picture");
    says(&file, Category::Software, "tEXt/Software", "Tool 1");
    says(&file, Category::People, "zTXt/Author", "Deflated Name");
    says(&file, Category::Place, "eXIf", "52.510000, -13.250000");
    says(&file, Category::Time, "tIME", "2024-05-06 07:08:09");
    says(&file, Category::Hidden, "prVt", "6 bytes");
    says(&file, Category::Hidden, "(after IEND)", "26 bytes");
}

#[test]
fn webp_gif_and_bmp_are_listed() {
    let webp = pic::webp_of(&[pic::riff(b"EXIF", &exif()), pic::riff(b"XMP ", XMP.as_bytes())]);
    says(&[webp, b"tail".to_vec()].concat(), Category::Hidden, "(after RIFF)", "4 bytes");
    says(
        &pic::webp_of(&[pic::riff(b"EXIF", &exif())]),
        Category::Device,
        "SerialNumber",
        "SN12345",
    );
    let mut gif = b"GIF89a\x01\0\x01\0\0\0\0".to_vec();
    gif.extend(b"\x21\xFE\x05hello\0\x3Btail");
    says(&gif, Category::People, "Comment", "hello");
    says(&gif, Category::Hidden, "(after trailer)", "4 bytes");
    let ppm = b"P6\n# made by someone\n1 1\n255\nabcTAIL";
    says(ppm, Category::People, "Comment", "made by someone");
    says(ppm, Category::Hidden, "(after the end)", "4 bytes");
}

#[test]
fn video_boxes_are_listed() {
    let place = boxed(b"\xA9xyz", b"\0\x12\x15\xc7+52.5163+013.3777/");
    let keys =
        full(b"keys", 0, &[words(&[1]), boxed(b"mdta", b"com.apple.quicktime.make")].concat());
    let item = boxed(&[0, 0, 0, 1], &boxed(b"data", &[words(&[1, 0]), b"Maker".to_vec()].concat()));
    let meta = boxed(b"meta", &[full(b"hdlr", 0, &[0; 20]), keys, boxed(b"ilst", &item)].concat());
    let file = mp4::build(&Recipe {
        created: 3_786_912_000,
        handler_name: b"Phone Video".to_vec(),
        moov_extra: [boxed(b"udta", &place), meta].concat(),
        top_extra: [boxed(b"free", b"secret"), boxed(b"abcd", b"x")].concat(),
        elst_start: 300,
        orphan: 500,
        unit: b"\x06\x05\x1d0123456789abcdefx264 - core 1\x80".to_vec(),
        ..Recipe::default()
    });
    says(&file, Category::Place, "moov/udta/\u{a9}xyz", "+52.5163+013.3777/");
    says(&file, Category::Device, "com.apple.quicktime.make", "Maker");
    says(&file, Category::Time, "moov/mvhd/CreateDate", "2024-01-01 00:00:00");
    says(&file, Category::Software, "HandlerDescription", "Phone Video");
    says(&file, Category::Hidden, "free", "secret");
    says(&file, Category::Hidden, "abcd", "1 bytes");
    says(&file, Category::Hidden, "edts/elst", "3 of 10");
    says(&file, Category::Hidden, "mdat", "500 bytes");
    says(&file, Category::Software, "SEI/UserDataUnregistered", "x264 - core 1");
    let clean = list(&mp4::build(&Recipe::default()));
    assert!(clean.items.is_empty(), "{clean:#?}");
}

#[test]
fn matroska_tags_are_listed() {
    let tag = [pic::ebml(&[0x45, 0xA3], b"ARTIST"), pic::ebml(&[0x44, 0x87], b"Somebody")].concat();
    let tags = pic::ebml(
        &[0x12, 0x54, 0xC3, 0x67],
        &pic::ebml(&[0x73, 0x73], &pic::ebml(&[0x67, 0xC8], &tag)),
    );
    let nanos = 725_760_000_000_000_000u64.to_be_bytes();
    let info = [pic::ebml(&[0x44, 0x61], &nanos), pic::ebml(&[0x7B, 0xA9], b"A title")].concat();
    let file = pic::webm_with(&info, &tags);
    assert_eq!(list(&file).container, "WebM video");
    says(&file, Category::People, "SimpleTag/ARTIST", "Somebody");
    says(&file, Category::Time, "DateTimeOriginal", "2024-01-01 00:00:00");
    says(&file, Category::People, "Title", "A title");
}

#[test]
fn hostile_text_is_made_harmless() {
    let file =
        pic::jpeg_with(&pic::segment(0xFE, "a\u{202e}b\x1b[31m\u{200b}c".as_bytes()), &[0x0F]);
    let item = list(&file).items.into_iter().find(|i| i.path == "COM").unwrap();
    assert_eq!((item.value.as_str(), item.severity), ("ab [31mc", Harm::Medium));
    let long = pic::jpeg_with(&pic::segment(0xFE, &[b'x'; 5000]), &[0x0F]);
    assert!(list(&long).items.iter().all(|i| i.value.chars().count() <= 200));
}

#[test]
fn lists_are_bounded() {
    let many: Vec<u8> = (0..9000).flat_map(|_| pic::segment(0xFE, b"c")).collect();
    let found = list(&pic::jpeg_with(&many, &[0x0F]));
    assert!(found.items.len() <= 5000 && !found.notes.is_empty());
    let nested = (0..2000).fold(Vec::new(), |inner, _| boxed(b"moov", &boxed(b"trak", &inner)));
    let started = Instant::now();
    list(&[boxed(b"ftyp", b"isom\0\0\0\0"), nested].concat());
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn every_shared_file_is_read_in_bounded_time() {
    for part in ["data/fuzz", "data/metadata", "data/video"] {
        let Some(folder) = common::shared(part) else { continue };
        let mut seen = 0;
        for path in common::files(&folder) {
            let mut file = std::fs::File::open(&path).unwrap();
            let len = file.metadata().unwrap().len();
            let started = Instant::now();
            let found = inventory(&mut file, len, &InventoryLimits::default());
            let account = fernseed_scrub::account(&mut file, len);
            assert!(started.elapsed() < Duration::from_secs(10), "{}", path.display());
            assert!(found.items.len() <= 5000);
            assert!(account.unclaimed <= len);
            seen += 1;
        }
        assert!(seen > 0);
    }
}

fn all() -> Vec<Vec<u8>> {
    let video = mp4::build(&Recipe {
        moov_extra: boxed(b"udta", &boxed(b"\xA9xyz", b"\0\x05\x15\xc7+52.5")),
        unit: b"\x06\x05\x1d0123456789abcdefx264 - core 1\x80".to_vec(),
        ..Recipe::default()
    });
    vec![photo(), pic::png(), pic::webm_with(&[], &[]), video, exif(), pic::webp()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn spoilt_files_never_panic(
        which in 0usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16),
    ) {
        let mut file = all()[which].clone();
        for (place, byte) in changes {
            let at = place.index(file.len());
            file[at] = byte;
        }
        let found = list(&file);
        prop_assert!(found.items.iter().all(|i| i.value.chars().count() <= 200));
    }

    #[test]
    fn noise_behind_any_head_never_panics(head in 0usize..12, noise in prop::collection::vec(any::<u8>(), 0..600)) {
        let heads: [&[u8]; 12] = [
            b"\xFF\xD8", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\xff\0\0WEBP", b"RIFF\xff\xff\0\0AVI ", b"GIF89a",
            b"II*\0", b"MM\0+\0\x08\0\0", b"BM", b"P5 1 1 255 ", b"\0\0\0\x0cJXL \r\n\x87\n",
            b"\x1A\x45\xDF\xA3\x80", b"\0\0\0\x10ftypheic\0\0\0\0",
        ];
        let file = [heads[head], &noise].concat();
        prop_assert!(list(&file).items.len() <= 5000);
        let _ = fernseed_scrub::account(&mut Cursor::new(&file), file.len() as u64);
    }
}
