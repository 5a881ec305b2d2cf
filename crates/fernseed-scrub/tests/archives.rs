//! Archives come out with clean members in a canonical frame, or not at all.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use common::pictures as pic;
use fernseed_scrub::{
    OutputKind, StripError, StripOptions, Stripped, UnknownMember, account, strip,
};
use std::io::{Cursor, Write};

fn wav(note: &str) -> Vec<u8> {
    let mut body = b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0".to_vec();
    body.extend(b"junk");
    body.extend((note.len() as u32).to_le_bytes());
    body.extend(note.as_bytes());
    body.extend(vec![0; note.len() % 2]);
    body.extend(b"data\x04\0\0\0abcd");
    [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
}

/// A member of a ZIP file to be made.
struct Member<'a> {
    name: &'a [u8],
    content: Vec<u8>,
    packed: bool,
    flags: u16,
    extra: &'a [u8],
}

fn member(name: &[u8], content: Vec<u8>) -> Member<'_> {
    Member { name, content, packed: false, flags: 0, extra: b"" }
}

fn zip(members: &[Member<'_>], comment: &[u8], gap: &[u8]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for m in members {
        let mut crc = flate2::Crc::new();
        crc.update(&m.content);
        let data = if m.packed {
            let mut e = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
            e.write_all(&m.content).unwrap();
            e.finish().unwrap()
        } else {
            m.content.clone()
        };
        let mut common = vec![20, 0];
        common.extend(m.flags.to_le_bytes());
        common.extend(if m.packed { [8, 0] } else { [0, 0] });
        common.extend(b"\x11\x22\x33\x44");
        common.extend(crc.sum().to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((m.content.len() as u32).to_le_bytes());
        common.extend((m.name.len() as u16).to_le_bytes());
        common.extend((m.extra.len() as u16).to_le_bytes());
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend((comment.len() as u16).to_le_bytes());
        directory.extend([0; 8]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(m.name);
        directory.extend(m.extra);
        directory.extend(comment);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(m.name);
        out.extend(m.extra);
        out.extend(&data);
        out.extend(gap);
    }
    let (start, count) = (out.len() as u32, (members.len() as u16).to_le_bytes());
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend((comment.len() as u16).to_le_bytes());
    out.extend(comment);
    out
}

fn tar(members: &[(&str, u8, &[u8])], owner: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, content) in members {
        let mut b = vec![0u8; 512];
        b[..name.len()].copy_from_slice(name.as_bytes());
        b[100..108].copy_from_slice(b"0000600\0");
        b[108..124].copy_from_slice(b"0001750\x000001750\0");
        b[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        b[136..148].copy_from_slice(b"14412345670\0");
        b[148..156].fill(b' ');
        b[156] = *kind;
        b[257..265].copy_from_slice(b"ustar\x0000");
        b[265..265 + owner.len()].copy_from_slice(owner.as_bytes());
        let sum: u32 = b.iter().map(|&x| u32::from(x)).sum();
        b[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(b);
        out.extend(*content);
        out.extend(vec![b'#'; (512 - content.len() % 512) % 512]);
    }
    out.extend([0; 1024]);
    out.extend(b"what stands behind the end");
    out
}

fn run(bytes: &[u8], unknown: UnknownMember) -> Result<(Vec<u8>, Stripped), StripError> {
    let mut out = Cursor::new(Vec::new());
    let options = StripOptions { unknown };
    let what = strip(&mut Cursor::new(bytes), bytes.len() as u64, &mut out, &options)?;
    let out = out.into_inner();
    let mut again = Cursor::new(Vec::new());
    strip(&mut Cursor::new(&out), out.len() as u64, &mut again, &options).unwrap();
    assert!(again.get_ref() == &out, "stripped twice, it changes");
    let book = account(&mut Cursor::new(&out), out.len() as u64);
    assert!(book.is_clean(), "{:?}", book.findings);
    assert!(matches!(book.container, OutputKind::Zip | OutputKind::Tar));
    Ok((out, what))
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|w| w == what)
}

#[test]
fn zip_members_are_clean_and_in_order() {
    let make = |note: &str, swap: bool, packed: bool| {
        let mut list = vec![
            Member { packed, extra: b"UT\x05\0\x01SECR", ..member(b"b/two.wav", wav(note)) },
            member(b"one.wav", wav("x")),
            member(b"a/", Vec::new()),
            member(b"__MACOSX/._one.wav", b"SECRET".to_vec()),
        ];
        if swap {
            list.swap(0, 1);
        }
        zip(&list, note.as_bytes(), note.as_bytes())
    };
    let (out, what) = run(&make("SECRET", false, true), UnknownMember::Abort).unwrap();
    assert_eq!(what.extension, "zip");
    assert!(!holds(&out, b"SECR"));
    let (twin, _) = run(&make("something else", true, false), UnknownMember::Abort).unwrap();
    assert!(out == twin, "order, times, packing or comments show in the output");
}

#[test]
fn tar_members_are_clean_and_in_order() {
    let sound = wav("SECRET");
    let pax = b"30 comment=SECRET SECRET SECR\n";
    let members: &[(&str, u8, &[u8])] =
        &[("z.wav", b'0', &sound), ("p", b'x', pax), ("a.wav", b'0', &sound), ("d/", b'5', b"")];
    let file = tar(members, "SECRET");
    let (out, _) = run(&file, UnknownMember::Abort).unwrap();
    assert!(!holds(&out, b"SECR") && !holds(&out, b"#"));
    let mut gz = flate2::GzBuilder::new()
        .filename("SECRET")
        .mtime(77)
        .write(Vec::new(), flate2::Compression::new(9));
    gz.write_all(&file).unwrap();
    let (packed, what) = run(&gz.finish().unwrap(), UnknownMember::Abort).unwrap();
    assert_eq!(what.extension, "tar.gz");
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut plain).unwrap();
    assert!(plain == out, "the packed archive is another one");
}

#[test]
fn pictures_inside_are_left_to_their_module() {
    // Whether pictures can be stripped is decided elsewhere; either way the
    // archive is whole or refused.
    let file = zip(&[member(b"p.png", pic::png())], b"", b"");
    match run(&file, UnknownMember::Abort) {
        Ok((out, _)) => assert!(holds(&out, b"IDAT")),
        Err(e) => assert!(matches!(e, StripError::Member { index: 1, .. }), "{e}"),
    }
}

#[test]
fn an_unknown_member_aborts_or_is_left_out() {
    let file =
        zip(&[member(b"a.wav", wav("x")), member(b"b.doc", b"SECRET text".to_vec())], b"", b"");
    let e = run(&file, UnknownMember::Abort).unwrap_err();
    assert!(matches!(e, StripError::Member { index: 2, .. }), "{e}");
    assert!(!e.to_string().contains("doc"), "{e}");
    let (out, what) = run(&file, UnknownMember::Omit).unwrap();
    assert!(!holds(&out, b"SECRET") && !holds(&out, b"b.doc"));
    assert!(what.notes.iter().any(|n| n.contains("1 members are left out")), "{what:?}");
    let sound = wav("x");
    let links = tar(&[("a.wav", b'0', &sound), ("l", b'2', b"")], "");
    assert!(matches!(run(&links, UnknownMember::Abort), Err(StripError::Member { index: 2, .. })));
    run(&links, UnknownMember::Omit).unwrap();
}

#[test]
fn encrypted_members_and_bombs_are_refused() {
    let locked = zip(&[Member { flags: 1, ..member(b"a.wav", wav("x")) }], b"", b"");
    assert!(matches!(run(&locked, UnknownMember::Omit), Err(StripError::Member { index: 1, .. })));
    let big = vec![0; 80 << 20];
    let bomb = zip(&[Member { packed: true, ..member(b"a.wav", big) }], b"", b"");
    assert!(matches!(run(&bomb, UnknownMember::Omit), Err(StripError::TooLarge(_))));
    // An archive in an archive in an archive is one too many.
    let mut nested = zip(&[member(b"a.wav", wav("x"))], b"", b"");
    for depth in 1..=3 {
        nested = zip(&[member(b"in.zip", nested)], b"", b"");
        let outcome = run(&nested, UnknownMember::Abort);
        assert_eq!(outcome.is_ok(), depth <= 2, "{depth}: {:?}", outcome.map(|o| o.1));
    }
    for mark in [&b"7z\xBC\xAF\x27\x1C__________"[..], b"Rar!\x1A\x07\x01\0________"] {
        let e = run(mark, UnknownMember::Abort).unwrap_err();
        assert!(matches!(e, StripError::Unsupported(_)), "{e}");
    }
}

#[test]
fn the_accounting_notices_what_does_not_belong() {
    let (zip, _) =
        run(&zip(&[member(b"a.wav", wav("x"))], b"", b""), UnknownMember::Abort).unwrap();
    let sound = wav("x");
    let (tar, _) = run(&tar(&[("a.wav", b'0', &sound)], ""), UnknownMember::Abort).unwrap();
    for file in [zip, tar] {
        let mut missed = Vec::new();
        for at in 0..file.len() {
            let mut spoilt = file.clone();
            spoilt[at] ^= 0x21;
            let clean = account(&mut Cursor::new(&spoilt), spoilt.len() as u64).is_clean();
            if clean {
                missed.push(at);
            }
        }
        // Samples of sound in a TAR, which has no checksum, may be any; a
        // name may be another.
        assert!(missed.len() < 40, "{} of {}: {missed:?}", missed.len(), file.len());
        let longer = [&file[..], b"tail"].concat();
        assert!(!account(&mut Cursor::new(&longer), longer.len() as u64).is_clean());
    }
}
