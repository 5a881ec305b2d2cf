//! The finder on synthetic pictures: what must hold whatever the weights.
#![allow(clippy::unwrap_used, reason = "tests")]

use fernseed_core::detect::{Detector, Effort};
use fernseed_core::picture::YuvColour;
use fernseed_core::{Picture, PixelFormat, Rect, Size};
use fernseed_detect::{Engine, FaceFinder, FinderConfig, Look, Network, VideoLook};

/// A drawn face (skin ellipse, hair, eyes, nose, mouth) that both networks
/// take for one; `height` is that of the ellipse.
fn draw_face(picture: &mut Picture, x: f32, y: f32, height: f32) {
    let size = picture.size();
    let plane = &mut picture.planes_mut()[0];
    for py in 0..size.height as usize {
        let row = plane.row_mut(py);
        for px in 0..size.width as usize {
            // In units of half the face's height.
            let (u, v) = ((px as f32 - x) / height * 2.0, (py as f32 - y) / height * 2.0);
            let face = u * u / 0.55 + v * v;
            let hair = u * u / 0.75 + (v + 0.15).powi(2) / 1.3;
            let eye = |side: f32| (u - side).powi(2) / 0.030 + (v + 0.15).powi(2) / 0.008;
            let brow = |side: f32| (u - side).powi(2) / 0.05 + (v + 0.33).powi(2) / 0.002;
            let mouth = u * u / 0.07 + (v - 0.52).powi(2) / 0.006;
            let nose = (u + 0.03).powi(2) / 0.008 + (v - 0.18).powi(2) / 0.01;
            let neck = u.abs() < 0.38 && v > 0.6 && v < 1.5;
            let shade = 1.0 - 0.25 * (u + 0.3).max(0.0) - 0.1 * v;
            let skin = [214.0 * shade, 164.0 * shade, 138.0 * shade];
            let colour = if face < 1.0 {
                if eye(-0.3) < 1.0 || eye(0.3) < 1.0 {
                    [40.0, 30.0, 30.0]
                } else if brow(-0.3) < 1.0 || brow(0.3) < 1.0 {
                    [80.0, 55.0, 45.0]
                } else if mouth < 1.0 {
                    [165.0, 80.0, 80.0]
                } else if nose < 1.0 {
                    skin.map(|c| c * 0.8)
                } else {
                    skin
                }
            } else if neck {
                skin.map(|c| c * 0.85)
            } else if hair < 1.0 && v < 0.5 {
                [50.0, 35.0, 28.0]
            } else {
                continue;
            };
            for (byte, value) in row[px * 3..px * 3 + 3].iter_mut().zip(colour) {
                *byte = value as u8;
            }
        }
    }
}

fn backdrop(width: u32, height: u32) -> Picture {
    let mut picture = Picture::filled(Size::new(width, height), PixelFormat::Rgb8, [0, 0, 0]);
    for y in 0..height as usize {
        for (i, byte) in picture.planes_mut()[0].row_mut(y).iter_mut().enumerate() {
            *byte = (110 + (i / 3 * 40 / width as usize) + y * 30 / height as usize) as u8;
        }
    }
    picture
}

fn finder(threads: usize) -> FaceFinder {
    FaceFinder::new(FinderConfig { threads }).unwrap()
}

#[test]
fn a_drawn_face_is_found_where_it_is() {
    let finder = finder(2);
    let mut picture = backdrop(480, 360);
    draw_face(&mut picture, 200.0, 180.0, 120.0);
    let truth = Rect::centred(200.0, 180.0, 89.0, 120.0);
    for effort in [Effort::Still, Effort::VideoFrame, Effort::Audit] {
        let found = finder.detect(&picture, effort, 0.5).unwrap();
        assert!(!found.is_empty(), "{effort:?}");
        assert!(found[0].rect.iou(truth) > 0.5, "{effort:?} {found:?}");
    }
    for look in [VideoLook::Quick, VideoLook::Steady, VideoLook::Thorough] {
        let found = finder.look_at_frame(&picture, look, 0.5).unwrap();
        assert!(found.iter().any(|d| d.rect.iou(truth) > 0.5), "{look:?} {found:?}");
    }
}

#[test]
fn plain_surfaces_hold_no_faces() {
    let finder = finder(1);
    for format in [PixelFormat::Rgb8, PixelFormat::Rgba8, PixelFormat::Yuv420(YuvColour::BT709)] {
        for (width, height) in [(1, 1), (7, 3), (64, 300), (161, 123)] {
            for colour in [[0, 0, 0], [128, 128, 128], [255, 255, 255]] {
                let picture = Picture::filled(Size::new(width, height), format, colour);
                for effort in [Effort::Still, Effort::VideoFrame, Effort::Audit] {
                    let found = finder.detect(&picture, effort, 0.5).unwrap();
                    assert!(found.is_empty(), "{format:?} {width}x{height} {effort:?} {found:?}");
                }
            }
        }
    }
}

#[test]
fn threads_change_nothing_and_the_best_comes_first() {
    let mut picture = backdrop(640, 480);
    draw_face(&mut picture, 150.0, 150.0, 100.0);
    draw_face(&mut picture, 450.0, 300.0, 160.0);
    let engine_alone = finder(1).detect(&picture, Effort::Still, 0.05).unwrap();
    assert_eq!(engine_alone, finder(3).detect(&picture, Effort::Still, 0.05).unwrap());
    assert!(engine_alone.len() >= 2);
    assert!(engine_alone.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
    assert!(engine_alone.iter().all(|d| (0.05..=1.0).contains(&d.confidence)));
}

/// A face in a picture so large that it is cut into tiles, at a cut.
#[test]
fn a_face_between_tiles_is_found() {
    let mut picture = backdrop(2200, 600);
    let truth = Rect::centred(1180.0, 300.0, 89.0, 120.0);
    draw_face(&mut picture, 1180.0, 300.0, 120.0);
    let finder = FaceFinder::with_engine(Engine::new().unwrap(), FinderConfig { threads: 2 });
    let found = finder.look(&picture, &[Look::new(Network::CenterFace, 1.0)], 0.2);
    assert!(found.iter().any(|(_, b)| b.rect.iou(truth) > 0.5), "{found:?}");
}
