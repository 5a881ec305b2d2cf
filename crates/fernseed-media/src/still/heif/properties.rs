//! Properties of HEIF items (ISO/IEC 23008-12, 6.5).

use super::meta::{Boxed, Reader};
use crate::still::StillError;
use crate::still::colour::Colour;
use fernseed_core::{Orientation, Size};

/// Code points of ITU-T H.273 from a `colr` box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nclx {
    pub(super) primaries: u8,
    pub(super) transfer: u8,
    pub(super) matrix: u8,
    pub(super) full_range: bool,
}

/// What an item's properties say.
#[derive(Default)]
pub(super) struct Properties<'a> {
    pub(super) size: Option<(u32, u32)>,
    pub(super) hvcc: Option<&'a [u8]>,
    pub(super) nclx: Option<Nclx>,
    pub(super) icc: Option<&'a [u8]>,
    pub(super) crop: Option<Crop>,
    pub(super) orientation: Orientation,
}

impl<'a> Properties<'a> {
    /// The colour they name; a profile says more than code points do.
    pub(super) fn colour(&self) -> Option<Colour> {
        let points = |n: Nclx| Colour::Cicp { primaries: n.primaries, transfer: n.transfer };
        self.icc.map(|icc| Colour::Icc(icc.to_vec())).or(self.nclx.map(points))
    }

    /// # Errors
    /// `Unsupported` if one is essential and unknown, or the picture is cut
    /// after it is turned (the standard asks for the other order).
    pub(super) fn read(list: impl Iterator<Item = (Boxed<'a>, bool)>) -> Result<Self, StillError> {
        let mut props = Self::default();
        for ((kind, body), essential) in list {
            let mut r = Reader(body);
            match &kind {
                b"ispe" => {
                    r.take(4)?;
                    props.size = Some((r.u32()?, r.u32()?));
                }
                b"hvcC" => props.hvcc = Some(body),
                b"colr" => match r.take(4)? {
                    b"nclx" => {
                        let mut point = || r.u16().map(|v| u8::try_from(v).unwrap_or(2));
                        let (primaries, transfer, matrix) = (point()?, point()?, point()?);
                        let full_range = r.u8()? >> 7 != 0;
                        props.nclx = Some(Nclx { primaries, transfer, matrix, full_range });
                    }
                    b"prof" | b"rICC" => props.icc = Some(r.0),
                    _ => {}
                },
                b"clap" if props.orientation != Orientation::Upright => {
                    return Err(StillError::unsupported("HEIF that is cut after it is turned"));
                }
                b"clap" => props.crop = Some(Crop::read(&mut r)?),
                b"irot" => {
                    // Quarter turns anti-clockwise.
                    let turn = match r.u8()? & 3 {
                        0 => Orientation::Upright,
                        1 => Orientation::Rotate270,
                        2 => Orientation::Rotate180,
                        _ => Orientation::Rotate90,
                    };
                    props.orientation = then(props.orientation, turn);
                }
                b"imir" => {
                    // 0 exchanges top and bottom, 1 left and right.
                    let mirror = match r.u8()? & 1 {
                        0 => Orientation::FlipVertical,
                        _ => Orientation::FlipHorizontal,
                    };
                    props.orientation = then(props.orientation, mirror);
                }
                b"pixi" | b"av1C" | b"auxC" | b"pasp" | b"rloc" | b"a1op" | b"a1lx" | b"lsel" => {}
                other if essential => {
                    let name = String::from_utf8_lossy(other).into_owned();
                    return Err(StillError::unsupported(format!("HEIF with '{name}'")));
                }
                _ => {}
            }
        }
        Ok(props)
    }
}

/// One operation after the other.
pub(super) fn then(first: Orientation, second: Orientation) -> Orientation {
    let stored = Size::new(3, 2);
    let middle = first.apply_to_size(stored);
    let size = second.apply_to_size(middle);
    let both = |x, y| {
        let (mx, my) = second.stored_from_upright(x, y, middle);
        first.stored_from_upright(mx, my, stored)
    };
    (1..=8)
        .filter_map(Orientation::from_exif)
        .find(|o| {
            // Three corners tell all eight apart.
            o.apply_to_size(stored) == size
                && [(0, 0), (size.width - 1, 0), (0, size.height - 1)]
                    .iter()
                    .all(|(x, y)| o.stored_from_upright(*x, *y, stored) == both(*x, *y))
        })
        .unwrap_or_default()
}

/// A clean aperture: width, height, and the offset of its centre from the
/// picture's, as fractions (ISO/IEC 14496-12, 12.1.4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Crop {
    width: (u32, u32),
    height: (u32, u32),
    x: (i32, u32),
    y: (i32, u32),
}

impl Crop {
    fn read(r: &mut Reader<'_>) -> Result<Self, StillError> {
        let mut pair = || Ok::<_, StillError>((r.u32()?, r.u32()?));
        let (width, height, x, y) = (pair()?, pair()?, pair()?, pair()?);
        let signed = |(n, d): (u32, u32)| (n.cast_signed(), d);
        Ok(Self { width, height, x: signed(x), y: signed(y) })
    }

    /// Left, top and size of what is kept, in whole pixels.
    pub(super) fn area(self, of: Size) -> Result<(u32, u32, Size), StillError> {
        let wrong = || StillError::damaged("its crop lies outside of it");
        let whole = |(n, d): (u32, u32)| n.checked_div(d).filter(|v| *v > 0).ok_or_else(wrong);
        let size = Size::new(whole(self.width)?, whole(self.height)?);
        let start = |full: u32, part: u32, (n, d): (i32, u32)| {
            if d == 0 || part > full {
                return Err(wrong());
            }
            let centre = f64::from(n) / f64::from(d) + (f64::from(full) - 1.0) / 2.0;
            let left = (centre - (f64::from(part) - 1.0) / 2.0).round();
            if left < 0.0 || left + f64::from(part) > f64::from(full) {
                return Err(wrong());
            }
            Ok(left as u32)
        };
        Ok((start(of.width, size.width, self.x)?, start(of.height, size.height, self.y)?, size))
    }
}
