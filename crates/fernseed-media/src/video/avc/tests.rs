//! Parameter sets and slice headers of real encoders.

use super::*;

/// What x264 writes for 322 x 242, High, BT.709 and for Baseline.
const HIGH: &[u8] = &[
    0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x50, 0x87, 0x88, 0x88, 0xc0, 0x5a, 0x80, 0x80, 0x80,
    0xa0, 0x00, 0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x06, 0x41, 0xe2, 0x85, 0x32, 0xc0,
];
const BASELINE: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x50, 0x87, 0x88, 0x88, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00,
    0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x50, 0xa9, 0x20,
];
#[test]
fn sets_of_a_common_encoder_are_read() {
    let high = Sps::read(HIGH).unwrap();
    assert_eq!((high.profile, high.level, high.id), (100, 13, 0));
    assert_eq!((high.chroma_format, high.depth, high.size), (1, 8, (322, 242)));
    assert_eq!(high.macroblocks, (21, 16));
    assert!(high.frames_only && high.usual_chroma_place && !high.gaps_allowed);
    assert_eq!((high.colour.primaries, high.colour.matrix), (1, 1));
    assert_eq!(high.aspect, Some((1, 1)));
    assert_eq!(high.reordered, Some(2));
    let base = Sps::read(BASELINE).unwrap();
    assert_eq!((base.profile, base.size, base.colour.matrix), (66, (322, 242), 2));
    assert_eq!(Pps::read(&[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]), Some(Pps { id: 0, sps: 0 }));
    assert_eq!(Pps::read(&[0x68, 0xcb, 0x83, 0xcb, 0x20]), Some(Pps { id: 0, sps: 0 }));
}

#[test]
fn a_set_with_more_behind_it_is_not_read() {
    for extra in [&[0x80][..], b"device 1234"] {
        assert_eq!(Sps::read(&[HIGH, extra].concat()), None);
        assert_eq!(Pps::read(&[&[0x68, 0xcb, 0x83, 0xcb, 0x20], extra].concat()), None);
    }
}

#[test]
fn records_and_lengths_are_read_exactly() {
    let record = [
        &[1, 100, 0, 13, 0xFF, 0xE1, 0, HIGH.len() as u8][..],
        HIGH,
        &[1, 0, 2, 0x68, 1, 0xFD, 0xF8, 0xF8, 0],
    ]
    .concat();
    let config = Config::read(&record).unwrap();
    assert_eq!((config.length_size, config.sps.len(), config.pps.len()), (4, 1, 1));
    assert_eq!(Config::read(&record[..20]), None);
    let list: Vec<_> = units(&[0, 1, 7, 0, 2, 8, 9, 0, 9, 1], 2).collect();
    assert_eq!(list, [Some(&[7][..]), Some(&[8, 9]), None]);
}

proptest::proptest! {
    #[test]
    fn nothing_panics(data: Vec<u8>, size in 1_usize..5) {
        let config = Config::read(&data);
        proptest::prop_assert!(config.is_none_or(|c| c.sps.len() <= 31));
        for kind in [0x67_u8, 0x68, 0x65] {
            let unit = [&[kind][..], &data].concat();
            let read = (Sps::read(&unit), Pps::read(&unit));
            proptest::prop_assert!(read.0.is_none() || read.1.is_none());
            if let Some(sps) = Sps::read(HIGH) {
                let start = SliceStart::read(&unit, &sps);
                proptest::prop_assert!(start.is_none_or(|s| s.frame_num < 1 << 16));
            }
        }
        let total: usize = units(&data, size).flatten().map(|u| u.len() + size).sum();
        proptest::prop_assert!(total <= data.len());
    }
}
