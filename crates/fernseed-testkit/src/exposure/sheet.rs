//! A sheet of the worst moments, for eyes. It shows faces, so it must not
//! be written into the repository.

use super::Run;
use super::cover::Frames;
use crate::composite::{Image, MediaError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Side of a tile in pixels.
const TILE: usize = 320;

/// Moments of a sheet, and of one of its rows.
const MOMENTS: usize = 10;
const ROW: usize = 5;

/// Draws up to ten runs, worst first, five a row, from the files that
/// `files` names of a clip (its source and what a tool made of it), one below
/// the other, with the face's box in red. What is worse: more of a larger face
/// for longer; after all that is exposed, what is covered least.
///
/// # Errors
/// If the sheet would lie inside the repository, or `ffmpeg` fails.
pub fn contact_sheet(
    runs: &[Run],
    sizes: &dyn Fn(&str) -> Option<[u32; 2]>,
    files: &dyn Fn(&str) -> Vec<PathBuf>,
    sheet: &Path,
) -> Result<Vec<Run>, MediaError> {
    let what = format!("write {}", sheet.display());
    let parent = sheet.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = parent.canonicalize().map_err(MediaError::io(&what))?;
    let root = crate::root().canonicalize().map_err(MediaError::io(&what))?;
    if parent.starts_with(root) {
        return Err(MediaError::failed(what, "faces do not belong into the repository"));
    }
    let mut worst = runs.to_vec();
    let badness = |r: &Run| (1.0 - r.covered) * r.height.min(100.0) * (r.frames as f32).sqrt();
    worst.sort_by(|a, b| badness(b).total_cmp(&badness(a)).then(a.covered.total_cmp(&b.covered)));
    worst.truncate(MOMENTS);
    let shown: Vec<Vec<PathBuf>> = worst.iter().map(|run| files(&run.clip)).collect();
    let deep = shown.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let (width, height) = (ROW * TILE, worst.len().div_ceil(ROW).max(1) * deep * TILE);
    let mut pixels = vec![0u8; width * height * 3];
    for (n, (run, files)) in worst.iter().zip(&shown).enumerate() {
        let Some(size) = sizes(&run.clip) else { continue };
        for (below, file) in files.iter().enumerate() {
            let mut frames = Frames::open(file, size, (0..=run.worst).collect())?;
            frames.go(run.worst)?;
            let at = (n % ROW * TILE, (n / ROW * deep + below) * TILE);
            tile(&frames, run, at, &mut pixels, width);
        }
    }
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s"])
        .arg(format!("{width}x{height}"))
        .args(["-i", "-", "-frames:v", "1"])
        .arg(sheet)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(MediaError::io(&what))?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(&pixels).map_err(MediaError::io(&what))?;
    }
    let status = child.wait().map_err(MediaError::io(&what))?;
    if !status.success() {
        return Err(MediaError::failed(what, status.to_string()));
    }
    Ok(worst)
}

/// The surroundings of a run's worst moment, three face heights each way.
fn tile(frames: &Frames, run: &Run, at: (usize, usize), pixels: &mut [u8], width: usize) {
    let [w, h] = frames.size.map(|s| s as usize);
    let data = frames.frame.chunks_exact(3);
    let image = Image {
        width: w,
        height: h,
        data: data.map(|p| [f32::from(p[0]), f32::from(p[1]), f32::from(p[2]), 1.0]).collect(),
    };
    let [left, top, right, bottom] = run.bounds;
    let (cx, cy) = ((left + right) / 2.0, (top + bottom) / 2.0);
    let side = 3.0 * (bottom - top).max(right - left).max(8.0);
    let scale = side / TILE as f32;
    for y in 0..TILE {
        for x in 0..TILE {
            let sx = cx + (x as f32 + 0.5 - TILE as f32 / 2.0) * scale;
            let sy = cy + (y as f32 + 0.5 - TILE as f32 / 2.0) * scale;
            let p = image.sample(sx, sy);
            let near = |a: f32, b: f32| (a - b).abs() < scale;
            let edge = ((near(sx, left) || near(sx, right)) && (top..bottom).contains(&sy))
                || ((near(sy, top) || near(sy, bottom)) && (left..right).contains(&sx));
            let rgb = if edge { [255, 0, 0] } else { [p[0] as u8, p[1] as u8, p[2] as u8] };
            let to = ((at.1 + y) * width + at.0 + x) * 3;
            pixels[to..to + 3].copy_from_slice(&rgb);
        }
    }
}
