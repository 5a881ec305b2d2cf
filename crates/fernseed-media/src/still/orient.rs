//! Turning packed pixels upright.

use super::StillError;
use super::guard::{packed_len, zeroed};
use fernseed_core::{Orientation, Size};

/// Pixels are moved in squares of this side, so that both the row read from
/// and the row written to stay in the cache when rows become columns.
const BLOCK: u32 = 32;

/// The pixels turned upright; `N` bytes a pixel, without padding. Returns
/// them with the size they then have.
pub(super) fn upright<const N: usize>(
    pixels: Vec<u8>,
    stored: Size,
    orientation: Orientation,
) -> Result<(Vec<u8>, Size), StillError> {
    if orientation == Orientation::Upright {
        return Ok((pixels, stored));
    }
    let size = orientation.apply_to_size(stored);
    let mut turned = zeroed(packed_len(size, N)?)?;
    let (from, _) = pixels.as_chunks::<N>();
    let (to, _) = turned.as_chunks_mut::<N>();
    let stride = stored.width as usize;
    for top in (0..size.height).step_by(BLOCK as usize) {
        for left in (0..size.width).step_by(BLOCK as usize) {
            for y in top..(top + BLOCK).min(size.height) {
                let row = y as usize * size.width as usize;
                for x in left..(left + BLOCK).min(size.width) {
                    let (sx, sy) = orientation.stored_from_upright(x, y, stored);
                    let source = from.get(sy as usize * stride + sx as usize);
                    if let (Some(pixel), Some(place)) = (source, to.get_mut(row + x as usize)) {
                        *place = *pixel;
                    }
                }
            }
        }
    }
    Ok((turned, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_eight_match_the_definition() {
        let stored = Size::new(70, 41);
        let pixels: Vec<u8> = (0..stored.pixels() * 3).map(|i| (i * 7 % 251) as u8).collect();
        for exif in 1..=8 {
            let o = Orientation::from_exif(exif).unwrap();
            let (turned, size) = upright::<3>(pixels.clone(), stored, o).unwrap();
            assert_eq!(size, o.apply_to_size(stored));
            for (x, y) in [(0, 0), (size.width - 1, 0), (5, 33), (size.width - 1, size.height - 1)]
            {
                let (sx, sy) = o.stored_from_upright(x, y, stored);
                let at = |v: &[u8], x: u32, y: u32, w: u32| {
                    let i = (y * w + x) as usize * 3;
                    v[i..i + 3].to_vec()
                };
                assert_eq!(at(&turned, x, y, size.width), at(&pixels, sx, sy, stored.width));
            }
        }
    }
}
