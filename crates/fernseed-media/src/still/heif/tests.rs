//! Tests of the module `heif`.

use super::*;
use fernseed_core::Orientation;

#[test]
fn turns_add_up() {
    use Orientation::{
        FlipHorizontal, FlipVertical, Rotate90, Rotate180, Rotate270, Transpose, Upright,
    };
    use properties::then;
    assert_eq!(then(Rotate90, Rotate90), Rotate180);
    assert_eq!(then(Rotate90, Rotate270), Upright);
    assert_eq!(then(FlipHorizontal, FlipVertical), Rotate180);
    assert_eq!(then(FlipHorizontal, Rotate270), Transpose);
    for exif in 1..=8 {
        let o = Orientation::from_exif(exif).unwrap();
        assert_eq!(then(o, Upright), o);
        assert_eq!(then(Upright, o), o);
    }
}

#[test]
fn crops_stay_inside() {
    let crop = |w: u32, x: i32| {
        let fields = [w, 1, 4, 1, x.cast_unsigned(), 1, 0, 1];
        let body: Vec<u8> = fields.iter().flat_map(|v| v.to_be_bytes()).collect();
        Properties::read([((*b"clap", body.as_slice()), true)].into_iter())
            .unwrap()
            .crop
            .unwrap()
            .area(Size::new(10, 8))
    };
    assert_eq!(crop(4, 0).unwrap(), (3, 2, Size::new(4, 4)));
    assert_eq!(crop(4, 3).unwrap(), (6, 2, Size::new(4, 4)));
    for (w, x) in [(4, 4), (11, 0), (0, 0), (4, -4), (u32::MAX, 0)] {
        assert!(crop(w, x).is_err(), "{w} {x}");
    }
}

#[test]
fn unknown_essential_properties_are_refused() {
    let one = |essential| Properties::read([((*b"????", &b""[..]), essential)].into_iter());
    assert!(one(false).is_ok());
    assert!(matches!(one(true), Err(StillError::Unsupported { .. })));
}

#[test]
fn grids_are_read_in_both_widths() {
    let grid = Grid::read(&[0, 0, 1, 2, 0, 100, 0, 50]).unwrap();
    assert_eq!((grid.rows, grid.columns, grid.size), (2, 3, (100, 50)));
    let grid = Grid::read(&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 50]).unwrap();
    assert_eq!(grid.size, (65_536, 50));
    assert!(Grid::read(&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0]).is_none());
}

#[test]
fn planes_become_colours() {
    let yuv = |planes: [u16; 3], depth, matrix, full_range| Yuv {
        size: Size::new(1, 1),
        depth,
        chroma: yuv::Chroma::Quarter,
        planes: planes.map(|v| vec![v]),
        luma_stride: 1,
        chroma_stride: 1,
        primaries: 1,
        transfer: 13,
        matrix,
        full_range,
    };
    let rgb8 = |y: Yuv| match y.to_rgb(None).unwrap() {
        Samples::U8(v) => v,
        Samples::U16(v) => v.into_iter().map(crate::still::colour::narrow).collect(),
    };
    assert_eq!(rgb8(yuv([235, 128, 128], 8, 1, false)), [255; 3]);
    assert_eq!(rgb8(yuv([64, 512, 512], 10, 9, false)), [0; 3]);
    assert_eq!(rgb8(yuv([76, 85, 255], 8, 6, true)), [254, 0, 0]);
    // Identity: green, blue, red.
    assert_eq!(rgb8(yuv([1, 2, 3], 8, 0, true)), [3, 1, 2]);
    assert!(yuv([1, 2, 3], 8, 200, true).to_rgb(None).is_err());
    assert!(
        Yuv { luma_stride: 5, size: Size::new(2, 1), ..yuv([1, 2, 3], 8, 1, true) }
            .to_rgb(None)
            .is_err()
    );
}
