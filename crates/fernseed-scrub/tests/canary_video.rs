//! Canaries in every place a video container has for bytes: none of them may
//! reach the output, in no spelling, and the account must be clean.

// Helpers of tests, which the lints do not take for tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::clips;
use common::mp4::{boxed, full};
use fernseed_scrub::{account, strip};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

/// Counts canaries and spells each in the next of five ways.
#[derive(Default)]
struct Aviary {
    count: u32,
}

impl Aviary {
    fn next(&mut self) -> Vec<u8> {
        self.count += 1;
        let text = format!("fsCANARY{:04}", self.count);
        match self.count % 5 {
            0 => text.into_bytes(),
            1 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            2 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            3 => base64(text.as_bytes()),
            _ => common::pictures::deflate(text.as_bytes()),
        }
    }
}

fn base64(b: &[u8]) -> Vec<u8> {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for part in b.chunks(3) {
        let word = part.iter().fold(0u32, |w, &x| w << 8 | u32::from(x)) << (8 * (3 - part.len()));
        for i in 0..4 {
            let sign = SIGNS[(word >> (18 - 6 * i) & 63) as usize];
            out.push(if i > part.len() { b'=' } else { sign });
        }
    }
    out
}

/// Every place where a canary shows, raw or after inflating.
fn sightings(b: &[u8]) -> Vec<usize> {
    let wide: Vec<u8> = b"fsCANARY".iter().flat_map(|&c| [c, 0]).collect();
    let wide_big: Vec<u8> = b"fsCANARY".iter().flat_map(|&c| [0, c]).collect();
    let spelled: [&[u8]; 4] = [b"fsCANARY", &wide, &wide_big, b"ZnNDQU5BUl"];
    let mut list = Vec::new();
    for i in 0..b.len() {
        if spelled.iter().any(|s| b[i..].starts_with(s)) {
            list.push(i);
        }
        // A zlib stream may begin anywhere.
        let zlib = b[i] == 0x78 && matches!(b.get(i + 1), Some(0x01 | 0x5E | 0x9C | 0xDA));
        if zlib {
            let mut out = Vec::new();
            let stream = flate2::read::ZlibDecoder::new(&b[i..]);
            let read = stream.take(4096).read_to_end(&mut out);
            if (read.is_ok() || !out.is_empty()) && out.windows(8).any(|w| w == b"fsCANARY") {
                list.push(i);
            }
        }
    }
    list
}

/// Strips a file full of canaries and looks for them.
fn gone(name: &str, file: &[u8]) {
    assert!(!sightings(file).is_empty(), "{name}: no canary was planted");
    let mut out = Cursor::new(Vec::new());
    let length = file.len() as u64;
    strip(&mut Cursor::new(file), length, &mut out, &Default::default())
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    let out = out.into_inner();
    let book = account(&mut Cursor::new(&out), out.len() as u64);
    assert!(book.is_clean(), "{name}: {:#?}", book.findings);
    assert_eq!(sightings(&out), [0usize; 0], "{name}");
}

fn made(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let which = clips::CLIPS.iter().find(|c| c.0 == name).unwrap();
    let path: PathBuf = clips::clip(folder, which)?;
    Some(std::fs::read(path).unwrap())
}

/// Boxes that hold boxes.
const PARENTS: [&[u8; 4]; 9] =
    [b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"udta"];

/// Kinds planted into every parent.
const KINDS: [&[u8; 4]; 16] = [
    b"free", b"skip", b"uuid", b"udta", b"meta", b"abcd", b"name", b"cprt", b"\xA9xyz", b"\xA9nam",
    b"loci", b"Xtra", b"tref", b"wide", b"gpmd", b"btrt",
];

/// Plants boxes into `moov`, which must come after `mdat` so that offsets
/// hold.
fn plant_boxes(b: &[u8], birds: &mut Aviary) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at + 8 <= b.len() {
        let size = u32::from_be_bytes(b[at..at + 4].try_into().unwrap()) as usize;
        let kind: &[u8; 4] = b[at + 4..at + 8].try_into().unwrap();
        let body = &b[at + 8..at + size];
        if PARENTS.contains(&kind) {
            let mut inner = plant_boxes(body, birds);
            for k in KINDS {
                inner.extend(boxed(k, &birds.next()));
            }
            out.extend(boxed(kind, &inner));
        } else if kind == b"hdlr" {
            let name = [&body[..24], &birds.next(), &[0]].concat();
            out.extend(boxed(kind, &name));
        } else if kind == b"stsd" {
            // The entry: vendor, compressor name, and boxes at its end.
            let mut entry = body[8..].to_vec();
            entry[20..24].copy_from_slice(b"fsCA");
            if &entry[4..8] == b"avc1" {
                let name = birds.next();
                let n = name.len().min(31);
                entry[50] = n as u8;
                entry[51..51 + n].copy_from_slice(&name[..n]);
            }
            for k in [b"free", b"uuid", b"btrt", b"abcd", b"chan", b"iSFM"] {
                entry.extend(boxed(k, &birds.next()));
            }
            let size = (entry.len() as u32).to_be_bytes();
            entry[..4].copy_from_slice(&size);
            out.extend(boxed(kind, &[&body[..8], &entry].concat()));
        } else {
            out.extend(&b[at..at + size]);
        }
        at += size;
    }
    out
}

#[test]
fn boxes_of_mp4() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = clips::folder("canary-mp4");
    let mut birds = Aviary::default();
    for name in ["h264-aac.mp4", "mpeg4-alac.mov", "aac.m4a"] {
        let Some(file) = made(&folder, name) else { continue };
        let mut spoilt = plant_boxes(&file, &mut birds);
        for k in [b"free", b"skip", b"uuid", b"meta", b"mdat", b"emsg", b"prft", b"abcd", b"pdin"] {
            spoilt.extend(boxed(k, &birds.next()));
        }
        spoilt.extend(full(b"meta", 0, &birds.next()));
        spoilt.extend(birds.next());
        gone(name, &spoilt);
    }
    // Coded pictures: SEI by the encoder, by the user; x264's own is there.
    let way =
        "-c copy -bsf:v h264_metadata=sei_user_data=086f3693b7b34f2c965321492feee5b8+fsCANARYsei";
    let path = folder.join("sei.mp4");
    let source = folder.join("h264-aac.mp4");
    assert!(clips::ffmpeg(&format!("-i {} {way}", source.display()), &path));
    gone("sei", &std::fs::read(path).unwrap());
    println!("{} canaries in MP4", birds.count);
    assert!(birds.count >= 300, "{}", birds.count);
    std::fs::remove_dir_all(folder).unwrap();
}

fn size8(n: usize) -> Vec<u8> {
    (n as u64 | 1 << 56).to_be_bytes().to_vec()
}

fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
    [id, &size8(body.len()), body].concat()
}

/// `(identifier, content start, content end)` of an element.
fn read_element(b: &[u8], at: usize) -> Option<(u32, usize, usize)> {
    let n = b.get(at)?.leading_zeros() as usize + 1;
    let id = b.get(at..at + n)?.iter().fold(0u32, |v, &x| v << 8 | u32::from(x));
    let first = *b.get(at + n)?;
    let m = first.leading_zeros() as usize + 1;
    let mut size = u64::from(first) & ((1u64 << (8 - m)) - 1);
    for &x in b.get(at + n + 1..at + n + m)? {
        size = size << 8 | u64::from(x);
    }
    let body = at + n + m;
    let open = size == (1u64 << (7 * m)) - 1;
    let end = if open { b.len() } else { body + size as usize };
    Some((id, body, end.min(b.len())))
}

/// Identifiers planted into every parent: Void, CRC-32, Tags, Title, names,
/// dates, identifiers of files, attachments, and some that nobody has given
/// a meaning.
const ELEMENTS: [&[u8]; 16] = [
    &[0xEC],
    &[0xBF],
    &[0x12, 0x54, 0xC3, 0x67],
    &[0x19, 0x41, 0xA4, 0x69],
    &[0x10, 0x43, 0xA7, 0x70],
    &[0x7B, 0xA9],
    &[0x44, 0x61],
    &[0x73, 0xA4],
    &[0x73, 0x84],
    &[0x53, 0x6E],
    &[0x22, 0xB5, 0x9D],
    &[0x25, 0x86, 0x88],
    &[0x4D, 0x80],
    &[0x57, 0x41],
    &[0x4A, 0xBC],
    &[0x1A, 0xBC, 0xDE, 0xF0],
];

fn plant_elements(b: &[u8], birds: &mut Aviary) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some((id, body, end)) = read_element(b, at) {
        let content = &b[body..end];
        let parent = matches!(
            id,
            0x1853_8067
                | 0x1549_A966
                | 0x1654_AE6B
                | 0xAE
                | 0xE0
                | 0xE1
                | 0x1F43_B675
                | 0xA0
                | 0x1C53_BB6B
                | 0x1254_C367
                | 0x7373
        );
        let bytes: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|&x| x == 0).collect();
        if parent {
            let mut inner = plant_elements(content, birds);
            for name in ELEMENTS {
                inner.extend(element(name, &birds.next()));
            }
            out.extend(element(&bytes, &inner));
        } else {
            out.extend(element(&bytes, content));
        }
        at = end;
        if at >= b.len() {
            break;
        }
    }
    out
}

#[test]
fn elements_of_matroska() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = clips::folder("canary-mkv");
    let mut birds = Aviary::default();
    for name in ["h264-aac.mkv", "vp9-opus.webm"] {
        let Some(file) = made(&folder, name) else { continue };
        let mut spoilt = plant_elements(&file, &mut birds);
        spoilt.extend(birds.next());
        gone(name, &spoilt);
    }
    println!("{} canaries in Matroska", birds.count);
    assert!(birds.count >= 150, "{}", birds.count);
    std::fs::remove_dir_all(folder).unwrap();
}

fn chunk(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = [kind, &(body.len() as u32).to_le_bytes(), body].concat();
    if body.len() % 2 == 1 {
        out.push(0);
    }
    out
}

/// Plants chunks at the end of every list but the frames', where they come
/// after the last frame.
fn plant_chunks(b: &[u8], birds: &mut Aviary) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at + 8 <= b.len() {
        let size = u32::from_le_bytes(b[at + 4..at + 8].try_into().unwrap()) as usize;
        let end = (at + 8 + size).min(b.len());
        if matches!(&b[at..at + 4], b"RIFF" | b"LIST") {
            let frames = &b[at + 8..at + 12] == b"movi";
            let mut inner = b[at + 8..at + 12].to_vec();
            if frames {
                inner.extend(&b[at + 12..end]);
                inner.extend(chunk(b"01wb", &birds.next()));
                inner.extend(chunk(b"00dc", &birds.next()));
            } else {
                inner.extend(plant_chunks(&b[at + 12..end], birds));
            }
            for k in [b"JUNK", b"IDIT", b"ISFT", b"strd", b"strn", b"vprp", b"abcd", b"exif"] {
                inner.extend(chunk(k, &birds.next()));
            }
            let info = [&b"INFO"[..], &chunk(b"INAM", &birds.next())].concat();
            inner.extend(chunk(b"LIST", &info));
            out.extend(chunk(&b[at..at + 4], &inner));
        } else {
            out.extend(&b[at..end]);
            if size % 2 == 1 {
                out.push(0);
            }
        }
        at = end + size % 2;
    }
    out
}

#[test]
fn chunks_of_avi() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = clips::folder("canary-avi");
    let mut birds = Aviary::default();
    for name in ["mpeg4-mp3.avi", "mjpeg-pcm.avi"] {
        let Some(file) = made(&folder, name) else { continue };
        let mut spoilt = plant_chunks(&file, &mut birds);
        spoilt.extend(birds.next());
        gone(name, &spoilt);
    }
    println!("{} canaries in AVI", birds.count);
    assert!(birds.count >= 60, "{}", birds.count);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn objects_of_asf() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = clips::folder("canary-asf");
    let mut birds = Aviary::default();
    let Some(file) = made(&folder, "wmv2-wma.wmv") else { return };
    // Objects at the end of the header: descriptions, markers, unknown.
    let size = u64::from_le_bytes(file[16..24].try_into().unwrap()) as usize;
    let mut header = file[..size].to_vec();
    for first in 0..24u8 {
        let body = birds.next();
        let mut object = vec![0x33 + first; 16];
        if first == 0 {
            let content = [0x33, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6, 0xD9];
            object[..10].copy_from_slice(&content);
        }
        object.extend((24 + body.len() as u64).to_le_bytes());
        object.extend(body);
        header.extend(object);
    }
    let length = header.len() as u64;
    header[16..24].copy_from_slice(&length.to_le_bytes());
    let mut spoilt = [&header, &file[size..]].concat();
    for _ in 0..6 {
        spoilt.extend(birds.next());
    }
    gone("wmv", &spoilt);
    println!("{} canaries in ASF", birds.count);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn packets_of_broadcasts() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = clips::folder("canary-ts");
    let mut birds = Aviary::default();
    let Some(file) = made(&folder, "h264-aac.ts") else { return };
    let video = 0x100u16;
    let mut spoilt = Vec::new();
    for (i, packet) in file.chunks(188).enumerate() {
        spoilt.extend(packet);
        if i < 6 || i % 7 != 0 {
            continue;
        }
        let bird = birds.next();
        let (pid, flags) = match i % 3 {
            0 => (0x1FFFu16, 0x10u8),
            1 => (0x0ABC, 0x10),
            // Private data in the adaptation field of the video.
            _ => (video, 0x20),
        };
        let mut own = vec![0x47, (pid >> 8) as u8 | 0x40, pid as u8, flags];
        if flags == 0x20 {
            own.extend([183, 0x02, bird.len() as u8]);
        }
        own.extend(&bird);
        own.resize(188, 0xFF);
        spoilt.extend(own);
    }
    gone("ts", &spoilt);
    let Some(file) = made(&folder, "mpeg2-mp2.mpg") else { return };
    let mut spoilt = Vec::new();
    let mut at = 0;
    while at + 4 <= file.len() {
        // A packet before every pack: padding, private, subtitles.
        let id = [0xBE, 0xBF, 0xBD][birds.count as usize % 3];
        let bird = birds.next();
        let private = [&[0x80, 0, 0, 0xFF, 1, 2, 3][..], &bird].concat();
        let body = if id == 0xBD { private } else { bird };
        let size = (body.len() as u16).to_be_bytes();
        let packet = [&[0, 0, 1, id][..], &size, &body].concat();
        let next = file[at + 4..].windows(4).position(|w| w == [0, 0, 1, 0xBA]);
        let end = next.map_or(file.len(), |n| at + 4 + n);
        spoilt.extend(&file[at..end]);
        if next.is_some() {
            spoilt.extend(packet);
        }
        at = end;
    }
    gone("ps", &spoilt);
    println!("{} canaries in broadcasts", birds.count);
    assert!(birds.count >= 60, "{}", birds.count);
    std::fs::remove_dir_all(folder).unwrap();
}
