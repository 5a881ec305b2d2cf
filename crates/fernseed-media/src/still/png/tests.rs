//! Tests of the module `png`.

use super::*;
use crate::still::testing::few_frames;

fn encoded(change: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>), data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 1);
    encoder.set_color(ColorType::Rgb);
    change(&mut encoder);
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    file
}

fn still(file: &[u8]) -> Raster {
    match decode(file, &Limits::default()).unwrap() {
        Content::One(raster) => raster,
        Content::Animated(..) => panic!("a still"),
    }
}

fn bytes(raster: Raster) -> Vec<u8> {
    raster.finish(&mut Vec::new()).unwrap().into_planes().swap_remove(0).data.into()
}

/// The file with a chunk put before the first one of that name.
fn with_chunk(file: &[u8], before: &[u8; 4], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let at = file.windows(4).position(|w| w == before).unwrap() - 4;
    let mut body = name.to_vec();
    body.extend(data);
    let crc = body.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xEDB8_8320 * (c & 1)))
    });
    let chunk = [&(data.len() as u32).to_be_bytes()[..], &body, &(!crc).to_be_bytes()].concat();
    [&file[..at], &chunk, &file[at..]].concat()
}

const DATA: [u8; 6] = [1, 2, 3, 4, 5, 6];

#[test]
fn every_cut_and_every_wrong_checksum_is_an_error() {
    let file = with_chunk(&encoded(|_| {}, &DATA), b"IDAT", b"gAMA", &45_455_u32.to_be_bytes());
    assert_eq!(bytes(still(&file)), DATA);
    for cut in 0..file.len() {
        assert!(decode(&file[..cut], &Limits::default()).is_err(), "{cut}");
    }
    for at in 8..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x10;
        let refused = decode(&damaged, &Limits::default());
        // IEND's own checksum covers nothing; a changed ancillary name gives
        // a wrong checksum.
        assert!(refused.is_err() || at >= file.len() - 4, "{at}");
    }
}

#[test]
fn orientation_is_found_before_and_after_the_pixels() {
    let file = encoded(|_| {}, &DATA);
    for before in [b"IDAT", b"IEND"] {
        let turned = with_chunk(&file, before, b"eXIf", &exif::block(3));
        assert_eq!(bytes(still(&turned)), [4, 5, 6, 1, 2, 3]);
    }
}

#[test]
fn sixteen_bits_palettes_and_transparency() {
    let file = encoded(|e| e.set_depth(BitDepth::Sixteen), &[0x80; 12]);
    assert_eq!(bytes(still(&file)), [0x80; 6]);
    let file = encoded(
        |e| {
            e.set_color(ColorType::Indexed);
            e.set_depth(BitDepth::One);
            e.set_palette(&[9, 8, 7, 255, 254, 253][..]);
            e.set_trns(&[0][..]);
        },
        &[0b0100_0000],
    );
    assert_eq!(bytes(still(&file)), [0, 0, 0, 0, 255, 254, 253, 255]);
}

#[test]
fn colour_chunks_have_their_order() {
    let file = encoded(|_| {}, &DATA);
    let linear = with_chunk(&file, b"IDAT", b"gAMA", &100_000_u32.to_be_bytes());
    assert!(
        matches!(still(&linear).colour, Colour::Calibrated { gamma, xy: None } if gamma == 1.0)
    );
    let named = with_chunk(&linear, b"IDAT", b"sRGB", &[0]);
    assert_eq!(still(&named).colour, Colour::Srgb);
    let points = with_chunk(&named, b"IDAT", b"cICP", &[12, 13, 0, 1]);
    assert_eq!(still(&points).colour, Colour::Cicp { primaries: 12, transfer: 13 });
}

#[test]
fn animations_are_put_together() {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 1);
    encoder.set_color(ColorType::Rgba);
    encoder.set_animated(2, 7).unwrap();
    encoder.set_frame_delay(1, 24).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[1, 2, 3, 255, 4, 5, 6, 255]).unwrap();
    writer.set_frame_dimension(1, 1).unwrap();
    writer.set_frame_position(1, 0).unwrap();
    writer.write_image_data(&[9, 9, 9, 255]).unwrap();
    writer.finish().unwrap();
    let Content::Animated(info, mut frames) = decode(&file, &Limits::default()).unwrap() else {
        panic!("an animation");
    };
    assert_eq!(info, AnimationInfo { size: Size::new(2, 1), frames: 2, loops: 7 });
    let (first, delay) = frames.next_frame().unwrap().unwrap();
    assert_eq!(delay, Delay::new(1, 24));
    assert_eq!(bytes(first), DATA);
    let (second, _) = frames.next_frame().unwrap().unwrap();
    assert_eq!(bytes(second), [1, 2, 3, 9, 9, 9]);
    assert!(few_frames().max_animation_frames > 2);
}

#[test]
fn bombs_are_refused() {
    let mut file = encoded(|_| {}, &DATA);
    file[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    assert!(matches!(
        decode(&file, &Limits::default()),
        Err(StillError::TooLarge { width: 60_000, height: 60_000 })
    ));
}
