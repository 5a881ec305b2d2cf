//! The canvas on which the frames of GIF and APNG are put together.

use super::StillError;
use super::guard::{packed_len, zeroed};
use fernseed_core::Size;

/// Where a frame lies on the canvas, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) size: Size,
}

/// What becomes of a frame's area before the next frame is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposal {
    /// It stays.
    Keep,
    /// It becomes transparent.
    Clear,
    /// It becomes what it was before.
    Restore,
}

/// How a frame meets what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blend {
    /// It replaces it, alpha included.
    Replace,
    /// It is laid over it.
    Over,
}

/// RGBA pixels that frames are drawn on, one after the other.
#[derive(Debug)]
pub(super) struct Canvas {
    size: Size,
    pixels: Vec<u8>,
    pending: Option<(Area, Disposal, Vec<u8>)>,
}

impl Canvas {
    /// A transparent canvas.
    pub(super) fn new(size: Size) -> Result<Self, StillError> {
        Ok(Self { size, pixels: zeroed(packed_len(size, 4)?)?, pending: None })
    }

    /// Disposes of the last frame and draws the next; `rgba` is as large as
    /// `area`, which may reach beyond the canvas. Returns the whole canvas.
    pub(super) fn draw(
        &mut self,
        rgba: &[u8],
        area: Area,
        blend: Blend,
        disposal: Disposal,
    ) -> Result<Vec<u8>, StillError> {
        if rgba.len() != packed_len(area.size, 4)? {
            return Err(StillError::damaged("a frame's pixels do not fill its size"));
        }
        if let Some((area, disposal, before)) = self.pending.take() {
            self.dispose(area, disposal, &before);
        }
        let before = if disposal == Disposal::Restore { self.copy_of(area) } else { Vec::new() };
        self.pending = Some((area, disposal, before));
        let width = area.size.width as usize;
        for (row, source) in rgba.chunks_exact((width * 4).max(1)).enumerate() {
            let Some(target) = self.row(area, row) else { continue };
            for (to, from) in
                target.as_chunks_mut::<4>().0.iter_mut().zip(source.as_chunks::<4>().0)
            {
                *to = match blend {
                    Blend::Replace => *from,
                    Blend::Over => over(*from, *to),
                };
            }
        }
        let mut shown = zeroed(self.pixels.len())?;
        shown.copy_from_slice(&self.pixels);
        Ok(shown)
    }

    fn dispose(&mut self, area: Area, disposal: Disposal, before: &[u8]) {
        if disposal == Disposal::Keep {
            return;
        }
        let row_bytes = self.row(area, 0).map_or(0, |r| r.len());
        for row in 0..area.size.height as usize {
            let Some(target) = self.row(area, row) else { return };
            let saved = before.get(row * row_bytes..(row + 1) * row_bytes);
            match (disposal, saved) {
                (Disposal::Restore, Some(saved)) => target.copy_from_slice(saved),
                _ => target.fill(0),
            }
        }
    }

    fn copy_of(&mut self, area: Area) -> Vec<u8> {
        let mut copy = Vec::new();
        for row in 0..area.size.height as usize {
            let Some(target) = self.row(area, row) else { break };
            copy.extend_from_slice(target);
        }
        copy
    }

    /// The part of the canvas under row `row` of `area`; `None` below the canvas.
    fn row(&mut self, area: Area, row: usize) -> Option<&mut [u8]> {
        let (w, h) = (self.size.width as usize, self.size.height as usize);
        let (left, y) = (area.left as usize, (area.top as usize).checked_add(row)?);
        if y >= h || left >= w {
            return None;
        }
        let right = w.min(left.saturating_add(area.size.width as usize));
        self.pixels.get_mut((y * w + left) * 4..(y * w + right) * 4)
    }
}

/// Straight-alpha "over" (Porter and Duff, 1984) in integers.
fn over(top: [u8; 4], bottom: [u8; 4]) -> [u8; 4] {
    match (top[3], bottom[3]) {
        (255, _) | (_, 0) => top,
        (0, _) => bottom,
        (top_alpha, bottom_alpha) => {
            let a = u32::from(top_alpha) * 255;
            let b = u32::from(bottom_alpha) * (255 - u32::from(top_alpha));
            let sum = a + b;
            let mix = |t: u8, u: u8| ((u32::from(t) * a + u32::from(u) * b + sum / 2) / sum) as u8;
            [
                mix(top[0], bottom[0]),
                mix(top[1], bottom[1]),
                mix(top[2], bottom[2]),
                ((sum + 127) / 255) as u8,
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];
    const GLASS: [u8; 4] = [0, 255, 0, 128];

    fn one(left: u32) -> Area {
        Area { left, top: 0, size: Size::new(1, 1) }
    }

    #[test]
    fn disposals_do_what_they_say() {
        let mut canvas = Canvas::new(Size::new(3, 1)).unwrap();
        let mut draw = |p: [u8; 4], left, disposal| {
            canvas.draw(&p, one(left), Blend::Replace, disposal).unwrap()
        };
        assert_eq!(draw(RED, 0, Disposal::Keep), [RED, [0; 4], [0; 4]].concat());
        assert_eq!(draw(BLUE, 0, Disposal::Restore), [BLUE, [0; 4], [0; 4]].concat());
        assert_eq!(draw(BLUE, 1, Disposal::Clear), [RED, BLUE, [0; 4]].concat());
        assert_eq!(draw(RED, 2, Disposal::Keep), [RED, [0; 4], RED].concat());
    }

    #[test]
    fn frames_beyond_the_canvas_are_cut() {
        let mut canvas = Canvas::new(Size::new(2, 1)).unwrap();
        let big = Area { left: 1, top: 0, size: Size::new(2, 2) };
        let shown = canvas.draw(&RED.repeat(4), big, Blend::Over, Disposal::Restore).unwrap();
        assert_eq!(shown, [[0; 4], RED].concat());
        let far = Area { left: u32::MAX, top: u32::MAX, size: Size::new(1, 1) };
        let shown = canvas.draw(&BLUE, far, Blend::Over, Disposal::Keep).unwrap();
        assert_eq!(shown, [0; 8]);
    }

    #[test]
    fn glass_over_red_is_both() {
        assert_eq!(over(GLASS, RED), [127, 128, 0, 255]);
        assert_eq!(over(GLASS, [0; 4]), GLASS);
        assert_eq!(over([1, 2, 3, 0], RED), RED);
    }
}
