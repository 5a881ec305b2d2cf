//! What is hidden in a frame: by a plan, or by comparing pixels.

use crate::composite::MediaError;
use fernseed_core::Rect;
use fernseed_core::plan::Plan;
use fernseed_core::policy::Shape;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Tells what is hidden, frame by frame in order.
pub trait Cover {
    /// Why a frame cannot be told of.
    type Error;

    /// Goes to frame `n`.
    ///
    /// # Errors
    /// If there is no telling.
    fn frame(&mut self, n: usize) -> Result<(), Self::Error>;

    /// Whether the point of the picture is hidden.
    fn hides(&self, at: (f32, f32)) -> bool;

    /// The number of the redaction at a point, if there are numbers.
    fn owner(&self, at: [f32; 2]) -> Option<u32>;

    /// Hidden pixels of the frame that would show something.
    fn hidden_area(&self) -> f32;
}

/// What a plan will hide.
#[derive(Debug)]
pub struct PlanCover<'a> {
    plan: &'a Plan,
    blank: bool,
    masks: Vec<(u32, Rect)>,
}

impl<'a> PlanCover<'a> {
    /// Looks at a plan.
    #[must_use]
    pub const fn new(plan: &'a Plan) -> Self {
        Self { plan, blank: false, masks: vec![] }
    }

    fn inside(&self, rect: Rect, (x, y): (f32, f32)) -> bool {
        match self.plan.policy.shape {
            Shape::Box => {
                (rect.left..=rect.right).contains(&x) && (rect.top..=rect.bottom).contains(&y)
            }
            Shape::Ellipse => {
                let (cx, cy) = rect.centre();
                let dx = (x - cx) / (rect.width() / 2.0);
                let dy = (y - cy) / (rect.height() / 2.0);
                dx * dx + dy * dy <= 1.0
            }
        }
    }
}

impl Cover for PlanCover<'_> {
    type Error = MediaError;

    fn frame(&mut self, n: usize) -> Result<(), MediaError> {
        self.blank = self.plan.is_blanked(n as u64);
        self.masks = self.plan.hidden_at(n as u64);
        Ok(())
    }

    fn hides(&self, at: (f32, f32)) -> bool {
        self.blank || self.masks.iter().any(|(_, rect)| self.inside(*rect, at))
    }

    fn owner(&self, [x, y]: [f32; 2]) -> Option<u32> {
        let off = |r: Rect| (r.centre().0 - x).hypot(r.centre().1 - y);
        self.masks
            .iter()
            .filter(|(_, rect)| self.inside(*rect, (x, y)))
            .min_by(|(_, a), (_, b)| off(*a).total_cmp(&off(*b)))
            .map(|(id, _)| *id)
    }

    fn hidden_area(&self) -> f32 {
        let size = self.plan.source.size;
        if self.blank {
            return size.pixels() as f32;
        }
        // Every second pixel of every second row of the masks' boxes.
        let (w, h) = (size.width as usize / 2, size.height as usize / 2);
        let mut hidden = vec![false; w * h];
        for (_, rect) in &self.masks {
            let part = rect.times(0.5, 0.5).intersection(Rect::new(0.0, 0.0, w as f32, h as f32));
            for y in part.top.max(0.0) as usize..(part.bottom.ceil() as usize).min(h) {
                for x in part.left.max(0.0) as usize..(part.right.ceil() as usize).min(w) {
                    let at = (2.0 * x as f32 + 1.0, 2.0 * y as f32 + 1.0);
                    hidden[y * w + x] |= self.inside(*rect, at);
                }
            }
        }
        4.0 * hidden.iter().filter(|h| **h).count() as f32
    }
}

/// What a finished file hides: pixels that show the fill, or differ from the
/// source by more than any encoder would (the rule of face_cover.py).
#[derive(Debug)]
pub struct PixelCover {
    source: Frames,
    output: Frames,
    fill: [u8; 3],
    hidden: Vec<bool>,
    /// Hidden pixels that show something else in the source.
    area: usize,
}

/// Most a channel may be off the fill to count as fill.
const NEAR_FILL: u8 = 40;
/// Most a channel may be off the fill to be the fill itself.
const FILL_ITSELF: u8 = 10;
/// Least difference in a channel that no encoder makes.
const CHANGED: u8 = 60;

impl PixelCover {
    /// Opens the clip and the file some tool made of it. `fill` is the
    /// colour of its masks.
    ///
    /// # Errors
    /// If `ffmpeg` cannot be started or `ffprobe` cannot count.
    pub fn open(
        source: &Path,
        output: &Path,
        size: [u32; 2],
        fill: [u8; 3],
    ) -> Result<Self, MediaError> {
        let times = times(source)?;
        let theirs = times_of_output(output, &times)?;
        Ok(Self {
            source: Frames::open(source, size, (0..times.len()).collect())?,
            output: Frames::open(output, size, theirs)?,
            fill,
            hidden: vec![],
            area: 0,
        })
    }
}

/// Presentation times of a file's frames in seconds, in order.
fn times(path: &Path) -> Result<Vec<f64>, MediaError> {
    let what = format!("count the frames of {}", path.display());
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time"])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .output()
        .map_err(MediaError::io(&what))?;
    let mut times: Vec<f64> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|l| l.trim_end_matches(',').parse().ok())
        .collect();
    times.sort_by(f64::total_cmp);
    if times.is_empty() {
        return Err(MediaError::failed(what, String::from_utf8_lossy(&out.stderr).into_owned()));
    }
    Ok(times)
}

/// For every frame of the source the frame of the output shown at its time:
/// the same one where there are as many, else the last that has begun.
fn times_of_output(output: &Path, source: &[f64]) -> Result<Vec<usize>, MediaError> {
    let theirs = times(output)?;
    if theirs.len() == source.len() {
        return Ok((0..source.len()).collect());
    }
    let (s0, t0) = (source[0], theirs[0]);
    Ok(source
        .iter()
        .map(|s| theirs.partition_point(|t| t - t0 <= s - s0 + 0.004).saturating_sub(1))
        .collect())
}

impl Cover for PixelCover {
    type Error = MediaError;

    fn frame(&mut self, n: usize) -> Result<(), MediaError> {
        self.source.go(n)?;
        self.output.go(n)?;
        let fill = self.fill;
        let rows = self.source.size[0] as usize;
        let raw: Vec<bool> = self
            .source
            .frame
            .chunks_exact(3)
            .zip(self.output.frame.chunks_exact(3))
            .map(|(a, b)| {
                let near = b.iter().zip(fill).all(|(b, f)| b.abs_diff(f) < NEAR_FILL);
                // What was dark before and is dark now is not hidden by a
                // mask; it also differs from nothing, so it has to be black.
                let was = a.iter().zip(fill).all(|(a, f)| a.abs_diff(f) < NEAR_FILL);
                let exact = is_fill(b, fill);
                (near && (!was || exact)) || a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > CHANGED)
            })
            .collect();
        self.hidden = smooth(&raw, rows);
        self.area = area(&self.hidden, &self.source.frame, fill);
        Ok(())
    }

    fn hides(&self, (x, y): (f32, f32)) -> bool {
        let [w, h] = self.source.size.map(|s| s as f32);
        if x < 0.0 || y < 0.0 || x >= w || y >= h {
            return false;
        }
        self.hidden.get(y as usize * self.source.size[0] as usize + x as usize) == Some(&true)
    }

    fn owner(&self, _: [f32; 2]) -> Option<u32> {
        None
    }

    fn hidden_area(&self) -> f32 {
        self.area as f32
    }
}

/// True if a pixel has the colour of covers.
fn is_fill(pixel: &[u8], fill: [u8; 3]) -> bool {
    pixel.iter().zip(fill).all(|(p, f)| p.abs_diff(f) < FILL_ITSELF)
}

/// Hidden pixels of a packed RGB source. Where that is as black as a cover there
/// is nothing to hide: nobody shows there, and nothing is missed.
fn area(hidden: &[bool], source: &[u8], fill: [u8; 3]) -> usize {
    let pixels = hidden.iter().zip(source.chunks_exact(3));
    pixels.filter(|(hidden, pixel)| **hidden && !is_fill(pixel, fill)).count()
}

/// Majority of the pixel and its eight neighbours: closes pinholes that
/// compression leaves and drops single pixels.
fn smooth(raw: &[bool], width: usize) -> Vec<bool> {
    let height = raw.len() / width.max(1);
    let mut out = vec![false; raw.len()];
    for y in 0..height {
        for x in 0..width {
            let (mut yes, mut all) = (0, 0);
            for yy in y.saturating_sub(1)..(y + 2).min(height) {
                for xx in x.saturating_sub(1)..(x + 2).min(width) {
                    all += 1;
                    yes += i32::from(raw[yy * width + xx]);
                }
            }
            out[y * width + x] = yes * 2 > all;
        }
    }
    out
}

/// The frames of a file as packed RGB, upright, one after the other.
#[derive(Debug)]
pub(super) struct Frames {
    child: Child,
    pub(super) size: [u32; 2],
    /// Which of the file's frames is asked for as number `n`.
    map: Vec<usize>,
    next: usize,
    pub(super) frame: Vec<u8>,
    name: String,
}

impl Frames {
    /// Starts decoding; pictures of another size are scaled to `size`.
    pub(super) fn open(path: &Path, size: [u32; 2], map: Vec<usize>) -> Result<Self, MediaError> {
        let name = path.display().to_string();
        let child = Command::new("ffmpeg")
            .args(["-v", "quiet", "-nostdin", "-i"])
            .arg(path)
            .args(["-map", "0:v:0", "-vsync", "passthrough", "-vf"])
            .arg(format!("scale={}:{}", size[0], size[1]))
            .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(MediaError::io(&name))?;
        let frame = vec![0; size[0] as usize * size[1] as usize * 3];
        Ok(Self { child, size, map, next: 0, frame, name })
    }

    /// Reads up to the frame that stands for number `n`; numbers only grow.
    /// After the file's end its last frame stays.
    pub(super) fn go(&mut self, n: usize) -> Result<(), MediaError> {
        let wanted = self.map.get(n).copied().unwrap_or(n);
        while self.next <= wanted {
            let Some(out) = self.child.stdout.as_mut() else { break };
            match out.read_exact(&mut self.frame) {
                Ok(()) => self.next += 1,
                Err(_) if self.next > 0 && self.next + 2 >= wanted => break,
                Err(why) => return Err(MediaError::Io { what: self.name.clone(), why }),
            }
        }
        Ok(())
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // Nobody is interested any more in how it ends.
        let _gone = (self.child.kill(), self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_as_black_as_a_cover_is_no_hidden_area() {
        // Hidden and bright, hidden and dark, hidden and black, open.
        let source = [200, 180, 160, 25, 20, 30, 3, 0, 9, 200, 180, 160];
        let hidden = [true, true, true, false];
        assert_eq!(area(&hidden, &source, [0, 0, 0]), 2);
        assert_eq!(area(&hidden, &source, [0, 255, 0]), 3);
    }
}
