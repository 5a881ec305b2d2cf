//! Tests of the module `encode`.

use super::*;
use crate::still::testing::{SIDES, gradient};
use crate::still::{Delay, StillFrames, decode};
use fernseed_core::limits::Limits;
use fernseed_core::policy::Policy;
use fernseed_core::render::Renderer;
use fernseed_core::{Plane, Size};

fn redacted(format: PixelFormat, data: Vec<u8>, w: u32, h: u32) -> Redacted<Picture> {
    let row_bytes = data.len() / h as usize;
    let plane = Plane::packed(data, row_bytes, h as usize);
    let picture = Picture::new(Size::new(w, h), format, vec![plane]).unwrap();
    Renderer::new(&Policy::default()).render(picture, &[])
}

fn rgb() -> Redacted<Picture> {
    redacted(PixelFormat::Rgb8, gradient(), SIDES.0.into(), SIDES.1.into())
}

fn rgba() -> Redacted<Picture> {
    let pixels = gradient();
    let data = pixels
        .as_chunks::<3>()
        .0
        .iter()
        .enumerate()
        .flat_map(|(i, [r, g, b])| if i < 100 { [0; 4] } else { [*r, *g, *b, 200] })
        .collect();
    redacted(PixelFormat::Rgba8, data, SIDES.0.into(), SIDES.1.into())
}

fn read_back(file: &[u8]) -> Picture {
    match decode(file, &Limits::default()).unwrap().frames {
        StillFrames::One(picture) => picture,
        StillFrames::Animation(_) => panic!("a still"),
    }
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: f64 = a.iter().zip(b).map(|(x, y)| f64::from(x.abs_diff(*y)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) * a.len() as f64 / sum.max(1e-9)).log10()
}

#[test]
fn lossless_forms_are_exact() {
    for picture in [rgb(), rgba()] {
        for out in [StillOutput::Png, StillOutput::WebPLossless] {
            assert_eq!(&read_back(&encode(&picture, out).unwrap()), picture.get(), "{out:?}");
        }
    }
}

#[test]
fn lossy_forms_are_near() {
    let picture = rgb();
    for out in [
        StillOutput::Jpeg { quality: 90 },
        StillOutput::Jpeg { quality: 95 },
        StillOutput::WebP { quality: 90 },
    ] {
        let back = read_back(&encode(&picture, out).unwrap());
        let ratio = psnr(&back.planes()[0].data, &picture.get().planes()[0].data);
        assert!(ratio > 35.0, "{out:?}: {ratio}");
    }
}

#[test]
fn the_structure_is_the_same_for_everyone() {
    // Everything but the size in the frame header and the coded data.
    let structure = |file: &[u8]| {
        let scan = file.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
        let mut head = file[..scan].to_vec();
        let frame = head.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        head[frame + 5..frame + 9].fill(0);
        head
    };
    let out = StillOutput::Jpeg { quality: 92 };
    let one = encode(&rgb(), out).unwrap();
    let other = encode(&redacted(PixelFormat::Rgb8, vec![3; 7 * 9 * 3], 7, 9), out).unwrap();
    assert_eq!(structure(&one), structure(&other));
    assert_eq!(one, encode(&rgb(), out).unwrap());
    // JFIF, frame, tables, scan and nothing else.
    let mut at = 2;
    let mut markers = Vec::new();
    while one[at + 1] != 0xDA {
        markers.push(one[at + 1]);
        at += 2 + usize::from(u16::from_be_bytes([one[at + 2], one[at + 3]]));
    }
    assert_eq!(markers, [0xE0, 0xC0, 0xDB, 0xDB, 0xC4, 0xC4, 0xC4, 0xC4]);
}

#[test]
fn png_holds_nothing_but_pixels() {
    let file = encode(&rgb(), StillOutput::Png).unwrap();
    let mut rest = &file[8..];
    let mut names = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        names.push(after[..4].to_vec());
        rest = &after[8 + u32::from_be_bytes(*len) as usize..];
    }
    names.dedup();
    assert_eq!(names, [b"IHDR".to_vec(), b"IDAT".to_vec(), b"IEND".to_vec()]);
}

#[test]
fn transparency_in_jpeg_becomes_white_and_is_told() {
    let picture = rgba();
    let out = StillOutput::Jpeg { quality: 95 };
    assert_eq!(encode_notes(&picture, out).len(), 1);
    assert!(encode_notes(&picture, StillOutput::Png).is_empty());
    assert!(encode_notes(&rgb(), out).is_empty());
    let back = read_back(&encode(&picture, out).unwrap());
    assert!(back.planes()[0].row(0)[..60].iter().all(|v| *v > 245));
}

#[test]
fn what_a_form_cannot_hold_is_an_error() {
    let wide = redacted(PixelFormat::Rgb8, vec![0; 70_000 * 3], 70_000, 1);
    for out in [StillOutput::Jpeg { quality: 90 }, StillOutput::WebP { quality: 90 }] {
        assert!(matches!(encode(&wide, out), Err(StillError::Encoder { .. })));
    }
    let yuv = PixelFormat::Yuv420(fernseed_core::picture::YuvColour::BT709);
    let planar = Renderer::new(&Policy::default()).blank(Size::new(4, 4), yuv);
    assert!(matches!(encode(&planar, StillOutput::Png), Err(StillError::Encoder { .. })));
}

#[test]
fn animations_come_back_as_they_went() {
    let size = Size::new(SIDES.0.into(), SIDES.1.into());
    let mut file = Vec::new();
    let mut writer = AnimationWriter::new(&mut file, size, 3, 2).unwrap();
    let frames = [rgb(), rgba(), rgb()];
    for (i, frame) in frames.iter().enumerate() {
        writer.write_frame(frame, Delay::new(i as u32, 25)).unwrap();
    }
    assert!(writer.write_frame(&frames[0], Delay::new(1, 1)).is_err());
    writer.finish().unwrap();
    let StillFrames::Animation(mut reader) = decode(&file, &Limits::default()).unwrap().frames
    else {
        panic!("an animation");
    };
    let info = reader.info();
    assert_eq!((info.size, info.frames, info.loops), (size, 3, 2));
    for (i, frame) in frames.iter().enumerate() {
        let (picture, delay) = reader.next().unwrap().unwrap();
        assert_eq!(&picture, frame.get());
        assert_eq!(delay, Delay::new(i as u32, 25));
    }
    assert!(reader.next().unwrap().is_none());
    assert!(reader.notes().is_empty());
}

#[test]
fn an_unfinished_animation_is_an_error() {
    let mut file = Vec::new();
    let mut writer = AnimationWriter::new(&mut file, Size::new(60, 40), 2, 0).unwrap();
    writer.write_frame(&rgb(), Delay::new(1, 1)).unwrap();
    assert!(matches!(writer.finish(), Err(StillError::Encoder { .. })));
}
