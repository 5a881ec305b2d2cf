//! Looking near expected boxes, on a photo of the demo media.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use fernseed_core::detect::Place;
use fernseed_core::picture::YuvColour;
use fernseed_core::{Orientation, Picture, PixelFormat, Plane, Rect, Size};
use fernseed_detect::{FaceFinder, FinderConfig, VideoLook};

/// A photo of an astronaut, on the top left of a grey 4:2:0 picture of the
/// given size, at `1 / shrink` of its own size.
fn astronaut(size: Size, shrink: usize) -> Option<Picture> {
    let path = fernseed_testkit::demo_media("astronaut.png")?;
    let photo = image::open(path).unwrap().to_rgb8();
    let colour = YuvColour::BT709;
    let mut picture = Picture::filled(size, PixelFormat::Yuv420(colour), [128; 3]);
    let at = |x: usize, y: usize, plane: usize| {
        let (mut sum, cell) = ([0_u32; 3], shrink * shrink);
        for i in 0..cell {
            let (x, y) = (x * shrink + i % shrink, y * shrink + i / shrink);
            let pixel = photo.get_pixel_checked(x as u32, y as u32)?;
            sum.iter_mut().zip(pixel.0).for_each(|(s, v)| *s += u32::from(v));
        }
        Some(colour.from_rgb(sum.map(|s| (s as usize / cell) as u8))[plane])
    };
    for (i, plane) in picture.planes_mut().iter_mut().enumerate() {
        let step = if i == 0 { 1 } else { 2 };
        for y in 0..plane.rows {
            for (x, value) in plane.row_mut(y).iter_mut().enumerate() {
                if let Some(photo) = at(x * step, y * step, i) {
                    *value = photo;
                }
            }
        }
    }
    Some(picture)
}

/// `picture` as it is stored if it has to be turned so to stand upright.
fn stored(picture: &Picture, turn: Orientation) -> Picture {
    let size = turn.apply_to_size(picture.size());
    let mut out = Picture::filled(size, picture.format(), [0; 3]);
    for (to, from) in out.planes_mut().iter_mut().zip(picture.planes()) {
        let lying = Size::new(to.row_bytes as u32, to.rows as u32);
        for y in 0..from.rows {
            for (x, value) in from.row(y).iter().enumerate() {
                let (x, y) = turn.stored_from_upright(x as u32, y as u32, lying);
                to.row_mut(y as usize)[x as usize] = *value;
            }
        }
    }
    out
}

fn upright(rect: Rect) -> Place {
    Place { rect, turn: Some(Orientation::Upright) }
}

fn finder() -> FaceFinder {
    FaceFinder::new(FinderConfig { threads: 1 }).unwrap()
}

/// True if two boxes differ by less than `share` of the size in each edge.
fn alike(a: Rect, b: Rect, share: f32) -> bool {
    let near = |x: f32, y: f32, side: f32| (x - y).abs() <= share * side;
    near(a.left, b.left, b.width())
        && near(a.right, b.right, b.width())
        && near(a.top, b.top, b.height())
        && near(a.bottom, b.bottom, b.height())
}

#[test]
fn an_expected_face_is_found_wherever_it_is_within_half_its_size() {
    let finder = finder();
    for shrink in [1, 2, 4] {
        let Some(picture) = astronaut(Size::new(800, 600), shrink) else {
            println!("skipped: no demo media");
            return;
        };
        let there = finder.look_at_frame(&picture, VideoLook::Steady, 0.5).unwrap()[0];
        for (dx, dy) in [(0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5), (0.4, -0.4)]
        {
            let (width, height) = (there.rect.width(), there.rect.height());
            for factor in [0.8, 1.0, 1.25] {
                let expected = there.rect.shifted(dx * width, dy * height).scaled(factor);
                let found = finder.look_near(&picture, &[upright(expected)], 0.3).unwrap();
                assert!(
                    found.iter().any(|d| alike(d.rect, there.rect, 0.15) && d.confidence > 0.5),
                    "1/{shrink}, {dx} {dy} {factor}: {found:?} instead of {there:?}"
                );
            }
        }
    }
}

#[test]
fn a_lying_face_is_told_from_an_upright_one_and_placed_as_well() {
    let finder = finder();
    let Some(standing) = astronaut(Size::new(800, 600), 2) else {
        println!("skipped: no demo media");
        return;
    };
    let there = finder.look_at_frame(&standing, VideoLook::Steady, 0.5).unwrap()[0];
    assert_eq!(there.turn, Orientation::Upright);
    let unknown = |rect| [Place { rect, turn: None }];
    let found = finder.look_near(&standing, &unknown(there.rect), 0.3).unwrap()[0];
    assert_eq!(found.turn, Orientation::Upright);
    assert!(alike(found.rect, there.rect, 0.15), "{found:?} instead of {there:?}");
    for turn in [Orientation::Rotate90, Orientation::Rotate270, Orientation::Rotate180] {
        let picture = stored(&standing, turn);
        let size = picture.size();
        let corner = |x: f32, y: f32| {
            let (x, y) = turn.stored_from_upright(x as u32, y as u32, size);
            (x as f32, y as f32)
        };
        let (a, b) =
            (corner(there.rect.left, there.rect.top), corner(there.rect.right, there.rect.bottom));
        let lies = Rect::new(a.0.min(b.0), a.1.min(b.1), a.0.max(b.0), a.1.max(b.1));
        let found = finder.look_near(&picture, &unknown(lies), 0.3).unwrap();
        let best = found.iter().find(|d| d.rect.iou(lies) > 0.3).unwrap();
        assert_eq!(best.turn, turn);
        assert!(alike(best.rect, lies, 0.15), "{turn:?}: {best:?} instead of {lies:?}");
        // A look from all sides at the whole frame knows, too.
        let found = finder.look_at_frame(&picture, VideoLook::Thorough, 0.3).unwrap();
        let best = found.iter().find(|d| d.rect.iou(lies) > 0.3).unwrap();
        assert_eq!(best.turn, turn);
    }
}

#[test]
fn a_face_in_the_dark_is_found_too() {
    let Some(mut picture) = astronaut(Size::new(800, 600), 2) else {
        println!("skipped: no demo media");
        return;
    };
    let finder = finder();
    let there = finder.look_at_frame(&picture, VideoLook::Steady, 0.5).unwrap()[0];
    for value in picture.planes_mut()[0].data.iter_mut() {
        *value = 16 + (*value - 16) / 10;
    }
    let found = finder.look_near(&picture, &[upright(there.rect)], 0.3).unwrap();
    assert!(found.iter().any(|d| d.rect.iou(there.rect) > 0.5), "{found:?}");
}

#[test]
fn nowhere_to_look_is_nothing_found() {
    let finder = finder();
    let picture = Picture::filled(Size::new(64, 64), PixelFormat::Rgb8, [90; 3]);
    assert!(finder.look_near(&picture, &[], 0.0).unwrap().is_empty());
    let nowhere = [Rect::new(f32::NAN, 0.0, 1.0, 1.0), Rect::centred(900.0, 9.0, 8.0, 8.0)];
    assert!(finder.look_near(&picture, &nowhere.map(upright), 0.0).unwrap().is_empty());
    let plain = upright(Rect::centred(60.0, 3.0, 20.0, 20.0));
    let plain = finder.look_near(&picture, &[plain], 0.5);
    assert!(plain.unwrap().is_empty());
    let empty = Picture::filled(Size::new(0, 0), PixelFormat::Rgb8, [0; 3]);
    assert!(finder.look_near(&empty, &[], 0.0).is_err());
}

/// A face at the corner of a picture is beside no cut, only beside the edge.
#[test]
fn a_face_at_the_edge_of_the_picture_is_kept() {
    let Some(whole) = astronaut(Size::new(512, 512), 1) else {
        println!("skipped: no demo media");
        return;
    };
    let finder = finder();
    let there = finder.look_at_frame(&whole, VideoLook::Steady, 0.5).unwrap()[0].rect;
    // Cut so that the face touches the top left corner.
    let (left, top) = ((there.left as usize) & !1, (there.top as usize) & !1);
    let size = Size::new(512 - left as u32, 512 - top as u32);
    let planes = whole.planes().iter().enumerate().map(|(i, plane)| {
        let shift = usize::from(i > 0);
        let (left, top) = (left >> shift, top >> shift);
        let data = (top..plane.rows).flat_map(|y| plane.row(y)[left..].to_vec()).collect();
        let row_bytes = plane.row_bytes - left;
        Plane::packed(data, row_bytes, plane.rows - top)
    });
    let cut = Picture::new(size, whole.format(), planes.collect()).unwrap();
    let moved = there.shifted(-(left as f32), -(top as f32));
    let found = finder.look_near(&cut, &[upright(moved)], 0.3).unwrap();
    assert!(found.iter().any(|d| d.rect.iou(moved) > 0.5), "{found:?} {moved:?}");
}
