//! Where one shot ends and the next begins.
//!
//! A hard cut changes most of the picture between two frames. The test
//! compares coarse brightness maps of neighbouring frames against the usual
//! change in this clip, so that fast motion is not taken for a cut.

use crate::picture::{Picture, PixelFormat};

/// Cells of the brightness map, across and down.
const MAP: (usize, usize) = (24, 16);
/// A cut changes the mean cell by at least this much, of 255.
const MIN_CHANGE: f32 = 22.0;
/// And by this many times the recent usual change.
const RELATIVE_CHANGE: f32 = 3.5;
/// And it changes at least this share of the cells noticeably.
const CHANGED_SHARE: f32 = 0.55;

/// Finds cuts in frames given in order.
#[derive(Debug, Default)]
pub struct SceneDetector {
    previous: Option<Vec<f32>>,
    usual: f32,
}

impl SceneDetector {
    /// True if `picture` begins a new shot. The first picture does not.
    pub fn is_cut(&mut self, picture: &Picture) -> bool {
        let map = brightness_map(picture);
        let Some(previous) = self.previous.replace(map) else { return false };
        let current = self.previous.as_deref().unwrap_or(&[]);
        let cells = current.len().max(1) as f32;
        let differences = || current.iter().zip(&previous).map(|(a, b)| (a - b).abs());
        let change = differences().sum::<f32>() / cells;
        let share = differences().filter(|d| *d > 12.0).count() as f32 / cells;
        let cut =
            change > MIN_CHANGE && change > RELATIVE_CHANGE * self.usual && share > CHANGED_SHARE;
        self.usual = if cut { self.usual } else { 0.8 * self.usual + 0.2 * change };
        cut
    }
}

/// Mean brightness of a grid of cells, sampled sparsely.
fn brightness_map(picture: &Picture) -> Vec<f32> {
    let (columns, rows) = MAP;
    let step = match picture.format() {
        PixelFormat::Yuv420(_) => 1,
        PixelFormat::Rgb8 => 3,
        PixelFormat::Rgba8 => 4,
    };
    let (w, h) = (picture.size().width as usize, picture.size().height as usize);
    let Some(plane) = picture.planes().first() else { return Vec::new() };
    let mut map = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        for column in 0..columns {
            let (x0, x1) = (column * w / columns, ((column + 1) * w / columns).max(1));
            let (y0, y1) = (row * h / rows, ((row + 1) * h / rows).max(1));
            let (mut sum, mut count) = (0u32, 0u32);
            for y in (y0..y1.max(y0 + 1)).step_by(((y1 - y0) / 4).max(1)) {
                let line = plane.row(y);
                for x in (x0..x1.max(x0 + 1)).step_by(((x1 - x0) / 8).max(1)) {
                    // Green stands for brightness in packed pictures.
                    let at = if step == 1 { x } else { x * step + 1 };
                    if let Some(v) = line.get(at) {
                        sum += u32::from(*v);
                        count += 1;
                    }
                }
            }
            map.push(sum as f32 / count.max(1) as f32);
        }
    }
    map
}
