//! Unit tests of the survey.
#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges, some of them short")]
use super::*;
use crate::video::{Colour, VideoInfo};
use fernseed_core::time::TimeBase;

/// What x264 writes for 322 x 242, High, BT.709.
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x50, 0x87, 0x88, 0x88, 0xc0, 0x5a, 0x80, 0x80, 0x80,
    0xa0, 0x00, 0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x06, 0x41, 0xe2, 0x85, 0x32, 0xc0,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

fn head() -> Head {
    Head::read("mov,mp4", &facts(&record(&[SPS], &[PPS], 4))).unwrap()
}

/// A decoder configuration record.
fn record(sps: &[&[u8]], pps: &[&[u8]], length_size: u8) -> Vec<u8> {
    let list = |sets: &[&[u8]]| -> Vec<u8> {
        sets.iter().flat_map(|s| [&(s.len() as u16).to_be_bytes()[..], s].concat()).collect()
    };
    let head = [1, 100, 0, 13, 0xFC | (length_size - 1), 0xE0 | sps.len() as u8];
    [&head[..], &list(sps), &[pps.len() as u8], &list(pps)].concat()
}

fn facts(header: &[u8]) -> StreamFacts {
    StreamFacts {
        kind: StreamKind::Video,
        codec: "h264".into(),
        tag: "avc1".into(),
        time_base: TimeBase { num: 1, den: 25 },
        duration: None,
        frames: 0,
        average_rate: None,
        sample_aspect: None,
        size: (322, 242),
        channels: 0,
        matrix: None,
        encrypted: false,
        dolby_vision: false,
        header: header.to_vec(),
    }
}

/// A slice of picture parameter set 0 with the frame number given (x264
/// wrote 4 bits for it), as one packet.
fn packet(header: u8, frame_num: u8) -> Vec<u8> {
    // first_mb 0, slice type 7 (I), set 0: 1 0001000 1 nnnn 1...
    let unit = [header, 0b1000_1000, 0b1000_0000 | frame_num << 3 | 4, 0x80];
    [&[0, 0, 0, 4][..], &unit].concat()
}

fn walk(pictures: &[(u8, u8, i64)]) -> Result<(Vec<i64>, Vec<Group>), Fallback> {
    let head = head();
    assert_eq!(head.sps.frame_num_bits, 4);
    let mut walk = Walk::default();
    for &(header, frame_num, pts) in pictures {
        let picture = head.picture(&packet(header, frame_num))?;
        walk.picture(&picture, header == 0x65, pts, &head.sps)?;
    }
    walk.finish()
}

#[test]
fn headers_that_cannot_be_joined_to_are_refused() {
    let read = |facts: &StreamFacts, container| Head::read(container, facts).err();
    let good = facts(&record(&[SPS], &[PPS], 4));
    assert_eq!(read(&good, "mov,mp4"), None);
    assert_eq!(read(&good, "mpegts"), Some(Fallback::Container));
    for size in [1, 2] {
        let short = facts(&record(&[SPS], &[PPS], size));
        assert_eq!(read(&short, "mov"), Some(Fallback::LengthSize));
    }
    let two = facts(&record(&[SPS, SPS], &[PPS], 4));
    assert_eq!(read(&two, "mov"), Some(Fallback::ParameterSets));
    let two = facts(&record(&[SPS], &[PPS, PPS], 4));
    assert_eq!(read(&two, "mov"), Some(Fallback::ParameterSets));
    let more = facts(&record(&[&[SPS, b"made by"].concat()], &[PPS], 4));
    assert_eq!(read(&more, "mov"), Some(Fallback::ParameterSets));
    assert_eq!(read(&facts(&[0, 0, 0, 1, 0x67]), "mov"), Some(Fallback::Header));
    let mut set = SPS.to_vec();
    set[1] = 88;
    // Extended profile has no chroma fields, so the rest reads differently.
    let extended = read(&facts(&record(&[&set], &[PPS], 4)), "mov");
    assert!(matches!(extended, Some(Fallback::Profile | Fallback::ParameterSets)));
    let inband = StreamFacts { tag: "avc3".into(), ..good.clone() };
    assert_eq!(read(&inband, "mov"), Some(Fallback::InBandSets));
    assert_eq!(read(&StreamFacts { codec: "hevc".into(), ..good }, "mov"), Some(Fallback::Codec));
}

#[test]
fn a_free_number_is_found_or_refused() {
    assert_eq!(free_id(&[0, 0]), Some(1));
    assert_eq!(free_id(&[1, 2]), Some(3));
    assert_eq!(free_id(&(0..32).collect::<Vec<_>>()), None);
}

#[test]
fn only_slices_are_taken_from_a_packet() {
    let head = head();
    let unit = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let slice = packet(0x65, 0);
    let whole =
        [unit(&[9, 0x10]), unit(&[6, 5, 1, 1]), unit(SPS), unit(PPS), slice.clone()].concat();
    let picture = head.picture(&whole).unwrap();
    assert_eq!(picture.slices, [whole.len() - 4..whole.len()]);
    assert!(picture.idr);
    // Padding behind the end of a slice is cut off.
    let padded = [unit(&[&slice[4..], &[0, 0, 3, 0, 0, 3]].concat())].concat();
    assert_eq!(head.picture(&padded).unwrap().slices, [4..8]);
    let with = |bytes: &[u8]| head.picture(&[unit(bytes), slice.clone()].concat());
    for kind in [0_u8, 2, 3, 4, 13, 14, 15, 16, 19, 20, 21, 24, 31] {
        assert_eq!(with(&[kind, 1, 2]), Err(Fallback::Units), "type {kind}");
    }
    assert_eq!(with(&[0xE5, 1]), Err(Fallback::Units), "forbidden bit");
    assert_eq!(with(&[&SPS[..4], &[0x0D]].concat()), Err(Fallback::InBandSets));
    assert_eq!(with(&[0x68, 1, 2]), Err(Fallback::InBandSets));
    assert_eq!(with(&slice[4..]), Err(Fallback::Slices), "two pictures in one packet");
    assert_eq!(head.picture(&[]), Err(Fallback::Slices));
    assert_eq!(head.picture(&[0, 0, 0, 9, 0x65]), Err(Fallback::Damaged));
}

#[test]
fn groups_are_closed_and_whole() {
    let (times, groups) =
        walk(&[(0x65, 0, 0), (0x41, 1, 3), (0x01, 2, 1), (0x01, 2, 2), (0x65, 0, 4)]).unwrap();
    assert_eq!(times, [0, 1, 2, 3, 4]);
    assert_eq!((groups[0].range(), groups[1].range()), (0..4, 4..5));
    // A reference picture is missing.
    assert_eq!(walk(&[(0x65, 0, 0), (0x41, 2, 1)]), Err(Fallback::Gap));
    assert_eq!(walk(&[(0x65, 0, 0), (0x01, 1, 1), (0x41, 2, 2)]), Err(Fallback::Gap));
    // Begins in the middle of a group.
    assert_eq!(walk(&[(0x41, 1, 0)]), Err(Fallback::OpenGroup));
    // Shown before the IDR picture, or among the group before.
    assert_eq!(walk(&[(0x65, 0, 1), (0x41, 1, 0)]), Err(Fallback::Crossing));
    assert_eq!(walk(&[(0x65, 0, 0), (0x41, 1, 3), (0x65, 0, 2)]), Err(Fallback::Crossing));
    assert_eq!(
        walk(&[(0x65, 0, 0), (0x41, 1, 3), (0x65, 0, 4), (0x41, 1, 2)]),
        Err(Fallback::Crossing)
    );
    assert_eq!(walk(&[(0x65, 0, 0), (0x41, 1, 1), (0x41, 2, 1)]), Err(Fallback::Times));
    assert_eq!(walk(&[]), Err(Fallback::Damaged));
}

fn info() -> VideoInfo {
    VideoInfo {
        size: fernseed_core::Size::new(322, 242),
        orientation: Orientation::Upright,
        sample_aspect: (1, 1),
        time_base: TimeBase { num: 1, den: 25 },
        average_rate: None,
        duration_seconds: None,
        frame_count_hint: None,
        container: "mov".into(),
        codec: "h264".into(),
        colour: Colour::BT709,
        hdr: None,
        audio: None,
        dropped_streams: Vec::new(),
    }
}

/// A survey of groups of so many frames.
fn survey(groups: &[usize]) -> Survey {
    let mut first = 0;
    let mut list = Vec::new();
    for &frames in groups {
        list.push(Group { first, frames, carried: false });
        first += frames;
    }
    Survey {
        head: head(),
        time_base: TimeBase { num: 1, den: 25 },
        times: (0..first as i64).collect(),
        groups: list,
    }
}

fn report(frames: usize) -> ReadReport {
    ReadReport { frames: frames as u64, ..ReadReport::default() }
}

fn carried(groups: &[usize], hidden: &[usize]) -> Result<Vec<bool>, Fallback> {
    let total = groups.iter().sum();
    let splice = survey(groups).choose(&info(), &report(total), &mut |f| hidden.contains(&f))?;
    Ok(splice.groups.iter().map(|g| g.carried).collect())
}

#[test]
fn a_group_of_one_picture_never_ends_a_stretch() {
    assert_eq!(carried(&[3, 3, 3], &[4]), Ok(vec![true, false, true]));
    assert_eq!(carried(&[3, 1, 3], &[4]), Ok(vec![true, false, false]));
    assert_eq!(carried(&[3, 1, 3], &[3]), Ok(vec![true, false, false]));
    assert_eq!(carried(&[3, 3, 1], &[0]), Ok(vec![false, true, true]));
    assert_eq!(carried(&[1, 1, 1], &[1]), Err(Fallback::NothingToCarry));
    assert_eq!(carried(&[2, 2], &[1, 2]), Err(Fallback::NothingToCarry));
}

#[test]
fn any_doubt_about_the_decoding_pass_falls_back() {
    let choose =
        |report: &ReadReport| survey(&[2, 2]).choose(&info(), report, &mut |f| f == 0).err();
    assert_eq!(choose(&report(4)), None);
    assert_eq!(choose(&report(3)), Some(Fallback::Decoding));
    for spoil in [
        |r: &mut ReadReport| r.damaged = 1,
        |r: &mut ReadReport| r.skipped_packets = 1,
        |r: &mut ReadReport| r.skipped_frames = 1,
        |r: &mut ReadReport| r.dropped_frames = 1,
        |r: &mut ReadReport| r.timeline_shifts = 1,
        |r: &mut ReadReport| r.invented_times = 1,
        |r: &mut ReadReport| r.decoder_messages = 1,
        |r: &mut ReadReport| r.truncated = true,
    ] {
        let mut odd = report(4);
        spoil(&mut odd);
        assert_eq!(choose(&odd), Some(Fallback::Decoding), "{odd:?}");
    }
}

#[test]
fn pictures_that_are_changed_on_the_way_fall_back() {
    let choose = |info: &VideoInfo| survey(&[2, 2]).choose(info, &report(4), &mut |f| f == 0).err();
    assert_eq!(choose(&info()), None);
    let turned = VideoInfo { orientation: Orientation::Rotate90, ..info() };
    assert_eq!(choose(&turned), Some(Fallback::Rotation));
    let wide = VideoInfo { sample_aspect: (4, 3), ..info() };
    assert_eq!(choose(&wide), Some(Fallback::Aspect));
    let scaled = VideoInfo { size: fernseed_core::Size::new(320, 240), ..info() };
    assert_eq!(choose(&scaled), Some(Fallback::Size));
    let hdr = VideoInfo { hdr: Some(crate::video::Hdr::Pq), ..info() };
    assert_eq!(choose(&hdr), Some(Fallback::Colour));
    let mut full = info();
    full.colour.yuv.full_range = true;
    assert_eq!(choose(&full), Some(Fallback::Colour));
}

proptest::proptest! {
    #[test]
    fn packets_of_any_bytes_never_panic(data: Vec<u8>) {
        let head = head();
        let sliced = [&[0, 0, 0, (data.len() % 250) as u8 + 1, 0x65][..], &data].concat();
        for packet in [data, sliced] {
            if let Ok(picture) = head.picture(&packet) {
                proptest::prop_assert!(picture.slices.iter().all(|s| s.end <= packet.len()));
            }
        }
    }
}
