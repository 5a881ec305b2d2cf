//! The MP4 writer against a small reader written for the tests.

use super::*;
use std::io::Read;

/// A box: its kind, and where its payload lies.
struct Found {
    kind: [u8; 4],
    payload: std::ops::Range<usize>,
}

/// The boxes in a range, which they must fill to the last byte.
fn boxes(data: &[u8], range: std::ops::Range<usize>) -> Vec<Found> {
    let mut list = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let word = |i: usize| u32::from_be_bytes(data[i..i + 4].try_into().unwrap());
        let kind = data[at + 4..at + 8].try_into().unwrap();
        let (head, size) = match word(at) {
            1 => (16, u64::from_be_bytes(data[at + 8..at + 16].try_into().unwrap()) as usize),
            n => (8, n as usize),
        };
        assert!(size >= head && at + size <= range.end);
        list.push(Found { kind, payload: at + head..at + size });
        at += size;
    }
    assert_eq!(at, range.end);
    list
}

fn find(data: &[u8], path: &[&[u8; 4]]) -> std::ops::Range<usize> {
    let mut range = 0..data.len();
    for kind in path {
        range = boxes(data, range).into_iter().find(|b| b.kind == **kind).unwrap().payload;
    }
    range
}

fn words(data: &[u8], range: std::ops::Range<usize>) -> Vec<u32> {
    data[range].chunks_exact(4).map(|w| u32::from_be_bytes(w.try_into().unwrap())).collect()
}

fn track(time_base: TimeBase) -> VideoTrack {
    VideoTrack {
        width: 64,
        height: 48,
        sample_aspect: (4, 3),
        time_base,
        colour: crate::video::Colour::BT709.cicp(),
        sets: vec![ParameterSets { sps: vec![0x67, 100, 0, 40, 1], pps: vec![0x68, 2] }],
    }
}

/// Writes frames whose decoding order is given by `order`; gives the file.
fn write(time_base: TimeBase, pts: &[i64], order: &[usize], last: i64) -> io::Result<Vec<u8>> {
    let mut file = tempfile::tempfile().unwrap();
    let mut mp4 = Mp4Writer::create(file.try_clone().unwrap(), track(time_base), None)?;
    for &t in pts {
        mp4.announce(t)?;
    }
    for (i, &frame) in order.iter().enumerate() {
        let payload = vec![0x65, frame as u8];
        mp4.video(&[&payload], pts[frame], i == 0)?;
    }
    let length = mp4.finish(last, SoundSpan::default())?;
    let mut data = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut data).unwrap();
    assert_eq!(data.len() as u64, length);
    Ok(data)
}

const STBL: [&[u8; 4]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

fn table(data: &[u8], kind: &[u8; 4]) -> Vec<u32> {
    let path: Vec<&[u8; 4]> = STBL.iter().copied().chain([kind]).collect();
    words(data, find(data, &path))
}

/// Presentation time of every sample in decoding order, in media units, as
/// a player computes it.
fn presented(data: &[u8]) -> Vec<i64> {
    let expand = |table: &[u32]| -> Vec<u32> {
        table[2..].chunks_exact(2).flat_map(|r| std::iter::repeat_n(r[1], r[0] as usize)).collect()
    };
    let (stts, ctts) = (expand(&table(data, b"stts")), expand(&table(data, b"ctts")));
    assert_eq!(stts.len(), ctts.len());
    let elst = find(data, &[b"moov", b"trak", b"edts", b"elst"]);
    let entries = &data[elst.start + 8..elst.end];
    let u64_at = |i: usize| u64::from_be_bytes(entries[i..i + 8].try_into().unwrap());
    let mvhd = find(data, &[b"moov", b"mvhd"]);
    let mdhd = find(data, &[b"moov", b"trak", b"mdia", b"mdhd"]);
    let scale = |at: usize| i128::from(u32::from_be_bytes(data[at..at + 4].try_into().unwrap()));
    let (movie, media) = (scale(mvhd.start + 20), scale(mdhd.start + 20));
    let (empty, media_time) = if entries.len() == 40 {
        assert_eq!(u64_at(8), u64::MAX);
        (i128::from(u64_at(0)), u64_at(28))
    } else {
        (0, u64_at(8))
    };
    assert_eq!(empty * media % movie, 0, "the empty edit is exact");
    let start = (empty * media / movie) as i64;
    let mut dts = 0_i64;
    let mut list = Vec::new();
    for (duration, offset) in stts.iter().zip(ctts) {
        list.push(dts + i64::from(offset) - media_time as i64 + start);
        dts += i64::from(*duration);
    }
    list
}

#[test]
fn b_frames_and_a_late_start_are_exact() {
    let base = TimeBase::new(1001, 30_000).unwrap();
    let data = write(base, &[5, 6, 7, 9, 10], &[0, 3, 1, 2, 4], 2).unwrap();
    let times: Vec<i64> = [5, 9, 6, 7, 10].iter().map(|t| t * 1001).collect();
    assert_eq!(presented(&data), times);
    assert_eq!(table(&data, b"stss")[1..], [1, 1]);
    // The last frame lasts two ticks.
    assert_eq!(table(&data, b"stts").last(), Some(&2002));
}

#[test]
fn only_listed_boxes_are_written() {
    let data = write(TimeBase::new(1, 90_000).unwrap(), &[0, 3000], &[0, 1], 3000).unwrap();
    let listed: &[&[u8; 4]] = &[
        b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr",
        b"minf", b"vmhd", b"dinf", b"dref", b"stbl", b"stsd", b"stts", b"ctts", b"stss", b"stsc",
        b"stsz", b"co64", b"mdat",
    ];
    let mut ranges = Vec::from([std::ops::Range { start: 0, end: data.len() }]);
    while let Some(range) = ranges.pop() {
        for found in boxes(&data, range) {
            assert!(listed.contains(&&found.kind), "{:?}", found.kind);
            if [b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl"]
                .contains(&&found.kind)
            {
                ranges.push(found.payload);
            }
        }
    }
    let mdat = find(&data, &[b"mdat"]);
    assert_eq!(data[mdat], [0, 0, 0, 2, 0x65, 0, 0, 0, 0, 2, 0x65, 1]);
}

#[test]
fn impossible_times_are_refused() {
    let base = TimeBase::new(1, 1_000_000_000).unwrap();
    assert!(write(base, &[-1, 5], &[0, 1], 1).is_err());
    assert!(write(base, &[5, 5], &[0, 1], 1).is_err());
    assert!(write(base, &[0, 1 << 33], &[0, 1], 1).is_err());
    assert!(write(base, &[0, 5], &[0], 1).is_err());
    assert!(write(base, &[], &[], 1).is_err());
}

proptest::proptest! {
    #[test]
    fn every_time_survives(
        first in 0_i64..1_000_000,
        steps in proptest::collection::vec(1_i64..5000, 0..60),
        swaps in proptest::collection::vec(proptest::bool::ANY, 60),
        num in 1_u32..2000, den in 1_u32..200_000,
    ) {
        let mut pts = vec![first];
        for s in &steps {
            pts.push(pts.last().unwrap() + s);
        }
        let mut order: Vec<usize> = (0..pts.len()).collect();
        for (i, _) in swaps.iter().enumerate().filter(|s| *s.1) {
            if i > 0 && i + 1 < order.len() {
                order.swap(i, i + 1);
            }
        }
        let data = write(TimeBase::new(num, den).unwrap(), &pts, &order, 1).unwrap();
        let expected: Vec<i64> = order.iter().map(|&i| pts[i] * i64::from(num)).collect();
        proptest::prop_assert_eq!(presented(&data), expected);
    }
}
