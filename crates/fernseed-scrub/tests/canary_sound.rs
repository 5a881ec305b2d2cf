//! Canaries in every place where sound files and archives keep something
//! besides sound: not one byte of them is in any output.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use common::sound::make;
use fernseed_scrub::{StripOptions, UnknownMember, account, strip};
use std::io::{Cursor, Write};
use std::path::Path;

const CANARY: &str = "CANARYzq7781";

/// The canary in each way of writing it.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(9));
    zlib.write_all(format!("{CANARY} {CANARY}").as_bytes()).unwrap();
    let wide = |f: fn(u16) -> [u8; 2]| CANARY.encode_utf16().flat_map(f).collect::<Vec<u8>>();
    vec![
        ("UTF-8", CANARY.as_bytes().to_vec()),
        ("UTF-16LE", wide(u16::to_le_bytes)),
        ("UTF-16BE", wide(u16::to_be_bytes)),
        // "CANARYzq7781" in base64.
        ("base64", b"Q0FOQVJZenE3Nzgx".to_vec()),
        ("deflated", zlib.finish().unwrap()),
    ]
}

/// True if the canary is in `bytes`, as it is or inflated from any place.
fn sings(bytes: &[u8]) -> bool {
    let forms = forms();
    let packed = &forms[4].1[2..10];
    let found =
        |hay: &[u8]| forms.iter().take(4).any(|(_, c)| hay.windows(c.len()).any(|w| w == c));
    if found(bytes) || bytes.windows(8).any(|w| w == packed) {
        return true;
    }
    (0..bytes.len().saturating_sub(2)).any(|at| {
        let zlib = bytes[at] & 15 == 8
            && u16::from_be_bytes([bytes[at], bytes[at + 1]]).is_multiple_of(31);
        let mut out = Vec::new();
        zlib && {
            let mut d = std::io::Read::take(flate2::read::ZlibDecoder::new(&bytes[at..]), 1 << 20);
            let _end = std::io::Read::read_to_end(&mut d, &mut out);
            found(&out)
        }
    })
}

fn size28(n: usize) -> [u8; 4] {
    [n >> 21 & 0x7F, n >> 14 & 0x7F, n >> 7 & 0x7F, n & 0x7F].map(|b| b as u8)
}

/// An ID3v2 tag of the given version with one frame.
fn id3(version: u8, frame: &[u8], content: &[u8]) -> Vec<u8> {
    let mut body = frame.to_vec();
    match version {
        2 => body.extend(&(content.len() as u32).to_be_bytes()[1..]),
        3 => body.extend([&(content.len() as u32).to_be_bytes()[..], &[0, 0]].concat()),
        _ => body.extend([&size28(content.len())[..], &[0, 0]].concat()),
    }
    body.extend(content);
    [&b"ID3"[..], &[version, 0, 0], &size28(body.len()), &body].concat()
}

fn ape(content: &[u8]) -> Vec<u8> {
    let mut item = (content.len() as u32).to_le_bytes().to_vec();
    item.extend(b"\0\0\0\0Title\0");
    item.extend(content);
    let ends = |flags: u32| {
        let mut b = b"APETAGEX\xd0\x07\0\0".to_vec();
        b.extend((item.len() as u32 + 32).to_le_bytes());
        b.extend(1u32.to_le_bytes());
        b.extend(flags.to_le_bytes());
        b.extend([0; 8]);
        b
    };
    [ends(0xA000_0000), item.clone(), ends(0x8000_0000)].concat()
}

fn chunk(name: &[u8; 4], content: &[u8], big: bool) -> Vec<u8> {
    let n = content.len() as u32;
    let size = if big { n.to_be_bytes() } else { n.to_le_bytes() };
    [&name[..], &size, content, &vec![b'!'; content.len() % 2]].concat()
}

/// A form with a chunk put in front of (`true`) or behind all others.
fn with_chunk(file: &[u8], name: &[u8; 4], content: &[u8], front: bool) -> Vec<u8> {
    let big = file.starts_with(b"FORM");
    let c = chunk(name, content, big);
    let mut out = file.to_vec();
    let at = if front { 12 } else { out.len() };
    out.splice(at..at, c);
    let n = out.len() as u32 - 8;
    out[4..8].copy_from_slice(&if big { n.to_be_bytes() } else { n.to_le_bytes() });
    out
}

fn flac_block(file: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
    let mut b = file[..42].to_vec();
    b[4] &= 0x7F;
    b.push(kind);
    b.extend(&(content.len() as u32).to_be_bytes()[1..]);
    b.extend(content);
    b.extend(&file[42..]);
    b
}

/// The CRC of an Ogg page, bit by bit.
fn seal(page: &mut [u8]) {
    page[22..26].fill(0);
    let sum = page.iter().fold(0u32, |mut c, &b| {
        c ^= u32::from(b) << 24;
        for _ in 0..8 {
            c = if c >> 31 == 1 { c << 1 ^ 0x04C1_1DB7 } else { c << 1 };
        }
        c
    });
    page[22..26].copy_from_slice(&sum.to_le_bytes());
}

fn page(flags: u8, serial: u32, sequence: u32, packet: &[u8]) -> Vec<u8> {
    let mut b = b"OggS\0".to_vec();
    b.push(flags);
    b.extend([0; 8]);
    b.extend(serial.to_le_bytes());
    b.extend(sequence.to_le_bytes());
    b.extend([0; 4]);
    let full = packet.len() / 255;
    b.push(full as u8 + 1);
    b.extend(vec![255; full]);
    b.push((packet.len() % 255) as u8);
    b.extend(packet);
    seal(&mut b);
    b
}

fn opus_with_comment(file: &[u8], vendor: &[u8], comment: &[u8]) -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor);
    tags.extend(1u32.to_le_bytes());
    tags.extend((comment.len() as u32).to_le_bytes());
    tags.extend(comment);
    // Pages of a clean file: identification, comments, sound.
    let second = 47;
    let third = second + 28 + 16;
    [&file[..second], &page(0, 1, 1, &tags), &file[third..]].concat()
}

/// Every planted file: where, and the bytes.
fn planted(folder: &Path, canary: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut out: Vec<(String, Vec<u8>)> = Vec::new();
    let file = |name: &str, options: &[&str]| {
        let options: Vec<&str> = options.iter().copied().chain(["-t", "0.3"]).collect();
        let path = make(folder, name, &options, "x")?;
        let mut clean = Cursor::new(Vec::new());
        let bytes = std::fs::read(path).unwrap();
        let len = bytes.len() as u64;
        strip(&mut Cursor::new(&bytes), len, &mut clean, &StripOptions::default()).unwrap();
        Some(clean.into_inner())
    };
    if let Some(mp3) = file("c.mp3", &["-c:a", "libmp3lame"]) {
        for (version, frame) in [
            (2, &b"TT2"[..]),
            (2, b"PIC"),
            (3, b"TIT2"),
            (3, b"APIC"),
            (3, b"GEOB"),
            (4, b"TXXX"),
            (4, b"PRIV"),
            (4, b"UFID"),
            (4, b"COMM"),
        ] {
            let name = String::from_utf8_lossy(frame).into_owned();
            out.push((
                format!("ID3v2.{version} {name}"),
                [id3(version, frame, canary), mp3.clone()].concat(),
            ));
        }
        let mut v1 = b"TAG".to_vec();
        v1.extend(canary);
        v1.resize(128, 0);
        out.push(("ID3v1".into(), [&mp3[..], &v1].concat()));
        let mut v11 = b"TAG+".to_vec();
        v11.extend(canary);
        v11.resize(227, 0);
        out.push(("ID3v1 extended".into(), [&mp3[..], &v11, &v1].concat()));
        out.push(("APE behind".into(), [&mp3[..], &ape(canary)].concat()));
        out.push(("APE in front".into(), [ape(canary), mp3.clone()].concat()));
        let lyrics = [&b"LYRICSBEGININF00012"[..], canary].concat();
        let foot = format!("{:06}LYRICS200", lyrics.len());
        out.push(("Lyrics3".into(), [&mp3[..], &lyrics, foot.as_bytes(), &v1].concat()));
        out.push(("junk behind".into(), [&mp3[..], canary].concat()));
        // Between the tag frame and the first frame of sound.
        let first = mp3.windows(4).skip(4).position(|w| w[0] == 0xFF && w[1] == 0xFB).unwrap() + 4;
        // Some frames on: a stream is known by its first three.
        let later = first + 2000;
        let alike = |w: &[u8]| w[..2] == [0xFF, 0xFB] && w[2] & 0xFC == mp3[first + 2] & 0xFC;
        let gap = later + mp3[later..].windows(3).position(alike).unwrap();
        out.push(("junk between".into(), [&mp3[..gap], canary, &mp3[gap..]].concat()));
        let mut tag = mp3.clone();
        let room = first - canary.len() - 2;
        tag[room..room + canary.len()].copy_from_slice(canary);
        out.push(("tag frame".into(), tag));
        let mut lame = mp3.clone();
        let at = lame.windows(4).position(|w| w == b"LAME").unwrap();
        lame[at + 9..at + 9 + canary.len().min(12)]
            .copy_from_slice(&canary[..canary.len().min(12)]);
        out.push(("LAME fields".into(), lame));
    }
    if let Some(flac) = file("c.flac", &["-c:a", "flac"]) {
        for (kind, name) in [
            (1, "PADDING"),
            (2, "APPLICATION"),
            (3, "SEEKTABLE"),
            (4, "VORBIS_COMMENT"),
            (5, "CUESHEET"),
            (6, "PICTURE"),
            (77, "reserved"),
        ] {
            out.push((format!("FLAC {name}"), flac_block(&flac, kind | 0x80, canary)));
        }
        out.push(("FLAC behind".into(), [&flac[..], canary].concat()));
        out.push(("FLAC ID3".into(), [id3(3, b"TIT2", canary), flac].concat()));
    }
    for wav in ["c.wav", "c.aiff"] {
        let Some(file) = file(wav, &[]) else { continue };
        let names: &[&[u8; 4]] = if wav == "c.wav" {
            &[
                b"LIST", b"bext", b"iXML", b"cue ", b"smpl", b"inst", b"id3 ", b"PEAK", b"JUNK",
                b"_PMX", b"axml", b"umid", b"zzzz",
            ]
        } else {
            &[
                b"NAME", b"AUTH", b"(c) ", b"ANNO", b"COMT", b"MARK", b"INST", b"APPL", b"MIDI",
                b"AESD", b"ID3 ", b"CHAN", b"zzzz",
            ]
        };
        for name in names {
            let text = String::from_utf8_lossy(&name[..]).into_owned();
            for front in [true, false] {
                out.push((format!("{wav} {text} {front}"), with_chunk(&file, name, canary, front)));
            }
        }
        out.push((format!("{wav} behind"), [&file[..], canary].concat()));
    }
    if let Some(opus) = file("c.opus", &["-c:a", "libopus"]) {
        out.push(("Opus vendor".into(), opus_with_comment(&opus, canary, b"a=b")));
        out.push(("Opus comment".into(), opus_with_comment(&opus, b"v", canary)));
        out.push(("Ogg behind".into(), [&opus[..], canary].concat()));
        let second = 47;
        let skeleton =
            [&opus[..second], &page(2, 9, 0, &[b"fishead\0", canary].concat()), &opus[second..]]
                .concat();
        out.push(("Ogg skeleton".into(), skeleton));
    }
    archives(folder, canary, &mut out);
    out
}

fn archives(folder: &Path, canary: &[u8], out: &mut Vec<(String, Vec<u8>)>) {
    let Some(path) = make(folder, "m.wav", &["-t", "0.01"], "x") else { return };
    let sound = std::fs::read(path).unwrap();
    let empty: &[u8] = b"";
    for place in [
        "extra",
        "directory extra",
        "member comment",
        "comment",
        "gap",
        "behind",
        "member",
        "dropped name",
    ] {
        let at = |p: &str| if p == place { canary } else { empty };
        let content = if place == "member" {
            with_chunk(&sound, b"zzzz", canary, true)
        } else {
            sound.clone()
        };
        let mut zip: Vec<u8> = Vec::new();
        let mut directory = Vec::new();
        let dropped = [&b"__MACOSX/"[..], at("dropped name")].concat();
        for (name, content) in [(&b"a.wav"[..], &content[..]), (&dropped, b"x")] {
            let mut crc = flate2::Crc::new();
            crc.update(content);
            let size = (content.len() as u32).to_le_bytes();
            let start = zip.len() as u32;
            let head = [
                &[20, 0, 0, 0, 0, 0, 9, 9, 9, 9][..],
                &crc.sum().to_le_bytes(),
                &size,
                &size,
                &(name.len() as u16).to_le_bytes(),
            ]
            .concat();
            zip.extend(
                [
                    b"PK\x03\x04",
                    &head[..],
                    &(at("extra").len() as u16).to_le_bytes(),
                    name,
                    at("extra"),
                    content,
                    at("gap"),
                ]
                .concat(),
            );
            let (extra, comment) = (at("directory extra"), at("member comment"));
            directory.extend(
                [
                    b"PK\x01\x02\x14\0",
                    &head[..],
                    &(extra.len() as u16).to_le_bytes(),
                    &(comment.len() as u16).to_le_bytes(),
                    &[0; 8],
                    &start.to_le_bytes(),
                    name,
                    extra,
                    comment,
                ]
                .concat(),
            );
        }
        let start = (zip.len() as u32).to_le_bytes();
        let size = (directory.len() as u32).to_le_bytes();
        zip.extend(directory);
        let comment = if place == "behind" { canary } else { at("comment") };
        zip.extend(
            [
                b"PK\x05\x06\0\0\0\0\x02\0\x02\0",
                &size[..],
                &start,
                &(comment.len() as u16).to_le_bytes(),
                comment,
            ]
            .concat(),
        );
        out.push((format!("ZIP {place}"), zip));
    }
    for place in
        ["owner", "group", "pax", "global pax", "link", "padding", "behind", "prefix field"]
    {
        let at = |p: &str| if p == place { canary } else { empty };
        let mut tar = Vec::new();
        let mut put = |name: &[u8], kind: u8, content: &[u8]| {
            let mut b = vec![0u8; 512];
            b[..name.len()].copy_from_slice(name);
            b[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
            b[148..156].fill(b' ');
            b[156] = kind;
            b[257..265].copy_from_slice(b"ustar  \0");
            for (from, what) in [
                (265, at("owner")),
                (297, at("group")),
                (157, at("link")),
                (345, at("prefix field")),
            ] {
                let n = what.len().min(31);
                b[from..from + n].copy_from_slice(&what[..n]);
            }
            let sum: u32 = b.iter().map(|&x| u32::from(x)).sum();
            b[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            tar.extend(b);
            tar.extend(content);
            let mut rest = at("padding").to_vec();
            rest.resize((512 - content.len() % 512) % 512, 0);
            tar.extend(rest);
        };
        let record = |what: &[u8]| {
            let length = what.len() + 12;
            [format!("{length} comment").as_bytes(), b"=", what, b"\n"].concat()
        };
        put(b"g", b'g', &record(at("global pax")));
        put(b"x", b'x', &record(at("pax")));
        put(b"a.wav", b'0', &sound);
        tar.extend([0; 1024]);
        tar.extend(at("behind"));
        out.push((format!("TAR {place}"), tar));
    }
}

#[test]
fn no_canary_survives() {
    let folder = tempfile::tempdir().unwrap();
    let options = StripOptions { unknown: UnknownMember::Abort };
    let mut count = 0;
    let mut refused = Vec::new();
    let mut baseline: Option<Vec<(String, Vec<u8>)>> = None;
    for (form, canary) in forms() {
        let mut outputs = Vec::new();
        for (place, bytes) in planted(folder.path(), &canary) {
            let len = bytes.len() as u64;
            // LAME fields are too short for some forms, owners for others.
            let whole = bytes.windows(8).any(|w| w == &canary[..8]);
            assert!(whole, "{place}, {form}: nothing planted");
            let mut out = Cursor::new(Vec::new());
            match strip(&mut Cursor::new(&bytes), len, &mut out, &options) {
                Ok(_) => {
                    let out = out.into_inner();
                    assert!(!sings(&out), "{place}, {form}");
                    let book = account(&mut Cursor::new(&out), out.len() as u64);
                    assert!(book.is_clean(), "{place}, {form}: {:?}", book.findings);
                    count += 1;
                    outputs.push((place, out));
                }
                Err(e) => refused.push(format!("{place}, {form}: {e}")),
            }
        }
        // The same sound comes out whatever was planted.
        match &baseline {
            None => baseline = Some(outputs),
            Some(first) => assert!(first == &outputs, "{form}: it shows in the output"),
        }
    }
    println!("{count} canaries, none left; {} files refused {refused:?}", refused.len());
    if count > 0 {
        assert!(count >= 100 && refused.is_empty(), "{refused:?}");
    }
}
