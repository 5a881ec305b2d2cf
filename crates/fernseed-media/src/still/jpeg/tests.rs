//! Tests of the module `jpeg`.

use super::*;
use crate::still::testing::{gradient, jpeg_with};
use fernseed_core::Orientation;

fn read(bytes: &[u8]) -> Result<Raster, StillError> {
    decode(bytes, &Limits::default())
}

#[test]
fn every_cut_is_an_error() {
    for progressive in [false, true] {
        let whole = jpeg_with(|e| e.set_progressive(progressive));
        assert!(read(&whole).is_ok());
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "{cut} of {}", whole.len());
        }
    }
}

#[test]
fn what_follows_the_picture_is_not_read() {
    let mut file = jpeg_with(|_| {});
    let Samples::U8(alone) = read(&file).unwrap().samples else { panic!("8 bit") };
    file.extend(b"\0\0\0\x18ftypmp42 a motion photo's film \xFF\xD8\xFF");
    let Samples::U8(with_tail) = read(&file).unwrap().samples else { panic!("8 bit") };
    assert_eq!(alone, with_tail);
}

#[test]
fn orientation_comes_from_exif() {
    for value in 1..=8 {
        let file = jpeg_with(|e| {
            let block = [b"Exif\0\0".as_slice(), &exif::block(value)].concat();
            e.add_app_segment(1, block).unwrap();
        });
        let expected = Orientation::from_exif(value).unwrap();
        assert_eq!(read(&file).unwrap().orientation, expected);
    }
}

#[test]
fn huge_sizes_are_refused_before_decoding() {
    let mut file = jpeg_with(|_| {});
    let sof = file.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    file[sof + 5..sof + 9].copy_from_slice(&[0xEA, 0x60, 0xEA, 0x60]);
    let refused = read(&file);
    assert!(matches!(refused, Err(StillError::TooLarge { width: 60_000, height: 60_000 })));
}

#[test]
fn adobe_inks_are_inverted() {
    // Encoders here write Adobe's CMYK: 255 is no ink.
    for colour in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
        let mut file = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut file, 100);
        let inks = [[0_u8, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 200, 100, 50]];
        let pixels: Vec<u8> = (0..16 * 64).flat_map(|i| inks[i / 256]).collect();
        encoder.encode(&pixels, 16, 64, colour).unwrap();
        let raster = read(&file).unwrap();
        assert_eq!(raster.channels, Channels::Cmyk);
        let Samples::U8(samples) = raster.samples else { panic!("8 bit") };
        for (i, ink) in inks.iter().enumerate() {
            let got = &samples[(i * 256 + 128) * 4..][..4];
            let near = got.iter().zip(ink).all(|(a, b)| a.abs_diff(*b) <= 4);
            assert!(near, "{colour:?}: {got:?} instead of {ink:?}");
        }
    }
}

#[test]
fn pixels_are_right() {
    let Samples::U8(samples) = read(&jpeg_with(|_| {})).unwrap().samples else { panic!("8 bit") };
    let worst = samples.iter().zip(gradient()).map(|(a, b)| a.abs_diff(b)).max();
    assert!(worst <= Some(6), "{worst:?}");
}
