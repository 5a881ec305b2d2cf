//! Small files that ask for a lot.

use crate::Case;
use crate::common::bench::program;
use crate::make::{chunk, deflate, gibibyte, iso_box, png_with};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[("bombs_are_refused_quickly_and_cheaply", bombs)];

/// Longest run and most memory of any process. The test build has overflow
/// checks and shares its machine with other tests: three times what the
/// shipped program promises.
const SECONDS: f64 = 6.0;
const KIB: u64 = 512 << 10;

/// Pictures that are whole: what explodes is beyond their last row or in
/// their metadata, which is never unpacked. They may be redacted.
const WHOLE: [&str; 2] = ["deflate.png", "text.png"];

fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("claims.png", png_with(60_000, 60_000, &deflate(&[0; 4096]))),
        ("deflate.png", png_with(16, 16, gibibyte())),
        ("text.png", text_bomb()),
        ("frames.gif", gif(1_000_000)),
        ("claims-samples.mp4", mp4(0, 1_000_000_000, false)),
        ("equal-samples.mp4", mp4(1, 1_000_000_000, false)),
        ("runs.mp4", mp4(1, 1_000_000_000, true)),
        ("nested.mp4", nested_boxes(100_000)),
        ("nested.mkv", matroska(100_000)),
        ("pages.tiff", tiff(1_000_000, false)),
        ("circle.tiff", tiff(3, true)),
        ("zip.docx", zip()),
        ("huge.bmp", bitmap()),
        ("huge.webp", webp()),
        ("huge.jpg", jpeg()),
    ]
}

/// 1 GiB of text, compressed, in each place where PNG takes compressed text.
fn text_bomb() -> Vec<u8> {
    let zeros = gibibyte();
    let mut out = png_with(16, 16, &deflate(&[0; 16 * 17]));
    let at = out.len() - 12;
    let mut more = Vec::new();
    more.extend(chunk(b"iCCP", &[b"x\0\0".as_slice(), zeros].concat()));
    more.extend(chunk(b"zTXt", &[b"Comment\0\0".as_slice(), zeros].concat()));
    more.extend(chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\x01\0\0\0".as_slice(), zeros].concat()));
    out.splice(at..at, more);
    out
}

fn gif(frames: usize) -> Vec<u8> {
    let mut out = b"GIF89a\x40\0\x40\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    let frame = b"!\xf9\x04\0\x01\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0";
    for _ in 0..frames {
        out.extend(frame);
    }
    out.push(b';');
    out
}

/// A film whose sample table claims `count` samples: of equal size if `size`
/// is not 0, in one run of times and one chunk if `runs`.
fn mp4(size: u32, count: u32, runs: bool) -> Vec<u8> {
    let full = |rest: &[u8]| [&[0; 4], rest].concat();
    let words = |list: &[u32]| list.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>();
    let mut sample_entry = vec![0; 78];
    sample_entry[7] = 1;
    sample_entry[24..28].copy_from_slice(&[0, 64, 0, 64]);
    let avcc = iso_box(b"avcC", &[1, 66, 0, 10, 0xff, 0xe0, 0]);
    let entry = iso_box(b"avc1", &[sample_entry, avcc].concat());
    let (run, per_chunk) = if runs { (count, count) } else { (1, 1) };
    let table = [
        iso_box(b"stsd", &full(&[words(&[1]), entry].concat())),
        iso_box(b"stts", &full(&words(&[1, run, 1]))),
        iso_box(b"stsc", &full(&words(&[1, 1, per_chunk, 1]))),
        iso_box(b"stsz", &full(&words(&[size, count]))),
        iso_box(b"stco", &full(&words(&[if runs { 1 } else { 1_000_000_000 }, 48]))),
    ]
    .concat();
    let media = [
        iso_box(b"mdhd", &full(&words(&[0, 0, 1000, 1000, 0x55c4_0000]))),
        iso_box(b"hdlr", &full(&[words(&[0]), b"vide".to_vec(), vec![0; 13]].concat())),
        iso_box(b"minf", &[iso_box(b"vmhd", &full(&[0; 8])), iso_box(b"stbl", &table)].concat()),
    ]
    .concat();
    let mut track_header = vec![0; 80];
    track_header[11] = 1;
    let track = [iso_box(b"tkhd", &full(&track_header)), iso_box(b"mdia", &media)].concat();
    let mut movie_header = vec![0; 96];
    movie_header[10] = 3;
    let movie = [iso_box(b"mvhd", &full(&movie_header)), iso_box(b"trak", &track)].concat();
    [
        iso_box(b"ftyp", b"isom\0\0\x02\0isomavc1"),
        iso_box(b"mdat", &[0; 1024]),
        iso_box(b"moov", &movie),
    ]
    .concat()
}

fn nested_boxes(depth: usize) -> Vec<u8> {
    let mut out = iso_box(b"ftyp", b"isom\0\0\x02\0isommp42");
    for level in 0..depth {
        let kind: &[u8; 4] = [b"moov", b"udta", b"meta", b"trak"][level % 4];
        out.extend((((depth - level) * 8) as u32).to_be_bytes());
        out.extend(kind);
    }
    out
}

/// Tags within tags within tags.
fn matroska(depth: usize) -> Vec<u8> {
    let sized = |id: &[u8], length: usize| {
        let mut out = id.to_vec();
        out.extend((0x0100_0000_0000_0000u64 | length as u64).to_be_bytes());
        out
    };
    let doc_type = b"\x42\x82\x88matroska";
    let mut out = sized(b"\x1a\x45\xdf\xa3", doc_type.len());
    out.extend(doc_type);
    let one = 2 + 8;
    let tags = depth * one;
    out.extend(sized(b"\x18\x53\x80\x67", tags + 24));
    out.extend(sized(b"\x12\x54\xc3\x67", tags + 12));
    out.extend(sized(b"\x73\x73\0\0", tags)[..2].iter());
    out.extend((0x0100_0000_0000_0000u64 | tags as u64).to_be_bytes());
    for level in 0..depth {
        out.extend(sized(b"\x67\xc8", (depth - level - 1) * one));
    }
    out
}

/// Pages of one pixel each; `circle` leads the last back to the first.
fn tiff(pages: u32, circle: bool) -> Vec<u8> {
    let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
    for page in 0..pages {
        out.extend(2u16.to_le_bytes());
        for (tag, value) in [(256u16, 1u32), (257, 1)] {
            out.extend(tag.to_le_bytes());
            out.extend(4u16.to_le_bytes());
            out.extend(1u32.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        let last = page + 1 == pages;
        let next = if !last {
            out.len() as u32 + 4
        } else if circle {
            8
        } else {
            0
        };
        out.extend(next.to_le_bytes());
    }
    out
}

/// An office file whose document is 1 GiB of zeros.
fn zip() -> Vec<u8> {
    let zlib = gibibyte();
    let data = &zlib[2..zlib.len() - 4];
    let name = b"word/document.xml";
    let mut head = b"\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
    head.extend((data.len() as u32).to_le_bytes());
    head.extend((1u32 << 30).to_le_bytes());
    head.extend((name.len() as u16).to_le_bytes());
    head.extend([0, 0]);
    let mut out = b"PK\x03\x04".to_vec();
    out.extend(&head);
    out.extend(name);
    out.extend(data);
    let at = out.len() as u32;
    out.extend(b"PK\x01\x02\x14\0");
    out.extend(&head);
    out.extend([0; 14]);
    out.extend(name);
    let size = out.len() as u32 - at;
    out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    out.extend(size.to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn bitmap() -> Vec<u8> {
    let mut out = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    out.extend(60_000u32.to_le_bytes());
    out.extend(60_000u32.to_le_bytes());
    out.extend(b"\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    out.extend([0; 64]);
    out
}

/// A canvas of 16384 squared, and a lossless picture that claims as much.
fn webp() -> Vec<u8> {
    let mut body = b"WEBPVP8L".to_vec();
    let picture = [0x2f, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0];
    body.extend((picture.len() as u32).to_le_bytes());
    body.extend(picture);
    let mut out = b"RIFF".to_vec();
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out
}

/// 65,500 pixels a side, progressive.
fn jpeg() -> Vec<u8> {
    let mut out = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
    out.extend([1; 64]);
    out.extend(b"\xff\xc2\0\x11\x08\xff\xdc\xff\xdc\x03\x01\x22\0\x02\x11\0\x03\x11\0");
    out.extend(b"\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\0\0");
    out.extend([0; 256]);
    out.extend(b"\xff\xd9");
    out
}

/// Peak memory of a process and everything below it, KiB: the largest one's.
fn peak(pid: u32) -> u64 {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    let own = read("status")
        .ok()
        .and_then(|s| {
            let line = s.lines().find(|l| l.starts_with("VmHWM"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .unwrap_or(0);
    let mut most = own;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|c| c.parse().ok()) {
            most = most.max(peak(child));
        }
    }
    most
}

/// Exit code, seconds, peak KiB. On a busy machine the seconds are those of
/// processor time.
fn measure(command: &str, folder: &Path, name: &str) -> (i32, f64, u64) {
    let started = Instant::now();
    let mut child = Command::new(program())
        .args([command, name])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    let mut processor = Duration::ZERO;
    let status = loop {
        most = most.max(peak(child.id()));
        processor = processor.max(crate::common::patience::used(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if processor > Duration::from_secs(30) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    (status.code().unwrap_or(-1), started.elapsed().min(processor).as_secs_f64(), most)
}

fn bombs() {
    let mut wrong = Vec::new();
    for (name, bytes) in all() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), &bytes).unwrap();
        for command in ["redact", "inspect", "audit"] {
            let (code, seconds, kib) = measure(command, folder.path(), name);
            let line = format!(
                "{command} {name} ({} bytes): exit {code}, {seconds:.2} s, {} MiB",
                bytes.len(),
                kib >> 10
            );
            println!("{line}");
            // `inspect` may list what there is, and `audit` may say that
            // nobody can look at it; `redact` must refuse.
            let listed = command == "inspect" && code == 0;
            let rebuilt = command == "redact" && code == 1 && WHOLE.contains(&name);
            let whole = command == "audit" && code == 0 && WHOLE.contains(&name);
            let doubted = command == "audit" && code == 1;
            let refused = matches!(code, 3 | 4) || listed || rebuilt || whole || doubted;
            if !refused || seconds > SECONDS || kib > KIB {
                wrong.push(line);
            }
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        let most = if WHOLE.contains(&name) { 2 } else { 1 };
        assert!(left.len() <= most, "{name} left something: {left:?}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
