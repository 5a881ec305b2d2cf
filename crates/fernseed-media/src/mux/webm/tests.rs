//! The WebM writer against a small reader written for the tests.

use super::*;
use std::io::Read;

/// Elements that hold elements.
const MASTERS: &[u32] = &[
    0x1A45_DFA3,
    0x1853_8067,
    0x114D_9B74,
    0x4DBB,
    0x1549_A966,
    0x1654_AE6B,
    0xAE,
    0xE0,
    0xE1,
    0x55B0,
    0x1F43_B675,
    0xA0,
    0x1C53_BB6B,
    0xBB,
    0xB7,
];

/// All elements with their payloads, parents first; every byte must belong
/// to one.
fn elements(data: &[u8]) -> Vec<(u32, usize, Vec<u8>)> {
    fn walk(data: &[u8], offset: usize, list: &mut Vec<(u32, usize, Vec<u8>)>) {
        let mut at = 0;
        while at < data.len() {
            let id_len = data[at].leading_zeros() as usize + 1;
            let id = data[at..at + id_len].iter().fold(0_u32, |a, &b| a << 8 | u32::from(b));
            let size_at = at + id_len;
            let size_len = data[size_at].leading_zeros() as usize + 1;
            let mut size = u64::from(data[size_at]) & ((1 << (8 - size_len)) - 1);
            for &b in &data[size_at + 1..size_at + size_len] {
                size = size << 8 | u64::from(b);
            }
            let from = size_at + size_len;
            let payload = &data[from..from + size as usize];
            list.push((id, offset + from, payload.to_vec()));
            if MASTERS.contains(&id) {
                walk(payload, offset + from, list);
            }
            at = from + size as usize;
        }
        assert_eq!(at, data.len());
    }
    let mut list = Vec::new();
    walk(data, 0, &mut list);
    list
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |a, &b| a << 8 | u64::from(b))
}

fn write(time_base: TimeBase, pts: &[i64], last: i64, sound: u32) -> io::Result<Vec<u8>> {
    let mut file = tempfile::tempfile().unwrap();
    let video = VideoTrack {
        codec: "V_VP9",
        width: 65,
        height: 49,
        sample_aspect: (4, 3),
        time_base,
        colour: crate::video::Colour::BT709.cicp(),
    };
    let audio =
        (sound > 0).then_some(AudioTrack { channels: 2, packet_samples: 960, priming: 312 });
    let mut webm = WebmWriter::create(file.try_clone().unwrap(), video, audio)?;
    for (i, &t) in pts.iter().enumerate() {
        webm.video(&[i as u8], t, i % 10 == 0)?;
    }
    for _ in 0..sound {
        webm.audio(&[0xFC], 480)?;
    }
    let length = webm.finish(last, u64::from(sound) * 960 - u64::from(sound > 0) * 500)?;
    let mut data = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut data).unwrap();
    assert_eq!(data.len() as u64, length);
    Ok(data)
}

/// `(track, time)` of all blocks in order of the file.
fn times(list: &[(u32, usize, Vec<u8>)]) -> Vec<(u8, i64)> {
    let mut cluster = 0;
    let mut found = Vec::new();
    for (id, _, payload) in list {
        match id {
            0xE7 => cluster = number(payload) as i64,
            0xA3 | 0xA1 => {
                let relative = i16::from_be_bytes([payload[1], payload[2]]);
                found.push((payload[0] & 0x7F, cluster + i64::from(relative)));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn positions_and_times_are_right() {
    let pts: Vec<i64> = (0..25).map(|i| 120 + i * 40).collect();
    let data = write(TimeBase::MILLIS, &pts, 40, 3).unwrap();
    let list = elements(&data);
    let video: Vec<i64> = times(&list).iter().filter(|t| t.0 == 1).map(|t| t.1).collect();
    assert_eq!(video, pts);
    let sound: Vec<i64> = times(&list).iter().filter(|t| t.0 == 2).map(|t| t.1).collect();
    assert_eq!(sound, [10, 30, 50]);
    let of = |id: u32| list.iter().find(|e| e.0 == id).unwrap();
    // Every seek position leads to the element it names.
    let segment = of(0x1853_8067).1;
    let ids: Vec<u64> = list.iter().filter(|e| e.0 == 0x53AB).map(|e| number(&e.2)).collect();
    let places: Vec<u64> = list.iter().filter(|e| e.0 == 0x53AC).map(|e| number(&e.2)).collect();
    for (id, place) in ids.iter().zip(places) {
        let at = segment + place as usize;
        assert_eq!(number(&data[at..at + 4]), *id);
    }
    for (_, _, place) in list.iter().filter(|e| e.0 == 0xF1) {
        let at = segment + number(place) as usize;
        assert_eq!(number(&data[at..at + 4]), 0x1F43_B675);
    }
    assert_eq!(list.iter().filter(|e| e.0 == 0xBB).count(), 3);
    let duration = f64::from_be_bytes(of(0x4489).2[..].try_into().unwrap());
    assert_eq!(duration, 1120.0);
    assert_eq!(number(&of(0x9B).2), 40);
    // 500 samples of the last packet, less the priming, are not heard.
    assert_eq!(number(&of(0x75A2).2), (500 - 312) * 1_000_000_000 / 48_000);
}

#[test]
fn other_clocks_are_rounded_to_a_tenth_of_a_millisecond() {
    let base = TimeBase::new(1001, 30_000).unwrap();
    let data = write(base, &[0, 1, 2, 2000], 1, 0).unwrap();
    let video: Vec<i64> = times(&elements(&data)).iter().map(|t| t.1).collect();
    assert_eq!(video, [0, 334, 667, 667_333]);
    assert!(write(base, &[-5], 1, 0).is_err());
}

proptest::proptest! {
    #[test]
    fn every_millisecond_survives(steps in proptest::collection::vec(1_i64..100_000, 1..60)) {
        let pts: Vec<i64> = steps.iter().scan(0, |t, s| { *t += s; Some(*t) }).collect();
        let data = write(TimeBase::MILLIS, &pts, 7, 0).unwrap();
        let list = elements(&data);
        let video: Vec<i64> = times(&list).iter().map(|t| t.1).collect();
        proptest::prop_assert_eq!(video, pts);
    }

    #[test]
    fn sizes_read_back(size in 0_u64..(1 << 55)) {
        let mut out = Vec::new();
        ebml::vint_size(&mut out, size);
        let length = out[0].leading_zeros() as usize + 1;
        proptest::prop_assert_eq!(length, out.len());
        let value = number(&out) & ((1 << (7 * length)) - 1);
        proptest::prop_assert_eq!(value, size);
        proptest::prop_assert!(value != (1 << (7 * length)) - 1);
    }
}
