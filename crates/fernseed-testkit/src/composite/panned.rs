//! Labelled photographs under a moving camera.
//!
//! Cut-outs move freely, but they are few, sharp and chosen. Photographs have
//! people as they are: in profile, behind each other, half in the picture, out
//! of focus. A camera moves, turns, zooms and shakes over one of them or over a
//! wall of several, and their labels move along exactly.
//!
//! Not everybody in the photographs is labelled, so of this material only
//! exposure says something, not the hidden area.

use super::encode::{finish, raw_video};
use super::image::{Image, MediaError};
use super::paint::look;
use super::rng::Rng;
use super::{Clip, Half};
use crate::truth::{Face, FrameTruth, RECORDED_HEIGHT, Truth, points};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Names of the scenarios: one photograph, and a wall of six.
pub const PANNED: [&str; 2] = ["pan", "wall"];

/// Columns and rows of a wall.
const WALL: (usize, usize) = (3, 2);
/// Width and height of one photograph in a wall, in pixels; larger ones are
/// reduced until they fit.
const PLACE: (usize, usize) = (400, 300);
const SIZE: (usize, usize) = (1280, 720);
const RATE: f64 = 25.0;
const FRAMES: usize = 75;
/// Standard deviation of the sensor's noise.
const NOISE: f32 = 2.0;

/// The labelled photographs of one half, in an order of chance.
#[derive(Debug)]
pub struct Album {
    half: Half,
    /// Path and boxes (x, y, width, height in its pixels).
    photos: Vec<(PathBuf, Vec<[f32; 4]>)>,
}

impl Album {
    /// The photographs of a half: every other one by name.
    ///
    /// # Errors
    /// If the labels in `shared` are missing or make no sense.
    pub fn load(half: Half, shared: &Path) -> Result<Self, MediaError> {
        let data = shared.join("data");
        let labels = data.join("faces/masks853/labels.tsv");
        let what = format!("read {}", labels.display());
        let text = std::fs::read_to_string(&labels).map_err(MediaError::io(&what))?;
        let mut boxes: BTreeMap<&str, Vec<[f32; 4]>> = BTreeMap::new();
        for line in text.lines().skip(1) {
            let mut fields = line.split('\t');
            let path = fields.next().unwrap_or_default();
            let sides: Vec<f32> = fields.take(4).filter_map(|f| f.parse().ok()).collect();
            let &[x, y, w, h] = sides.as_slice() else {
                return Err(MediaError::failed(&what, format!("line {line:?}")));
            };
            boxes.entry(path).or_default().push([x, y, w, h]);
        }
        let mut photos: Vec<_> = boxes
            .into_iter()
            .enumerate()
            .filter(|(i, _)| i % 2 == half as usize)
            .map(|(_, (path, boxes))| (data.join(path), boxes))
            .collect();
        let mut rng = Rng::new(853);
        for i in (1..photos.len()).rev() {
            photos.swap(i, rng.below(i + 1));
        }
        Ok(Self { half, photos })
    }

    /// The clips of this half with the given numbers, of both scenarios.
    #[must_use]
    pub fn clips(&self, numbers: std::ops::Range<usize>) -> Vec<Clip> {
        let of = |scenario| {
            let half = self.half;
            numbers.clone().map(move |number| Clip { scenario, half, number, brief: false })
        };
        PANNED.into_iter().flat_map(of).collect()
    }

    /// Draws a clip, writes `NAME.mp4` and `NAME.json` into `folder`, and
    /// returns the truth and the clip's path.
    ///
    /// # Errors
    /// If `ffmpeg` or the file system does not play along.
    pub fn write(&self, clip: &Clip, folder: &Path) -> Result<(Truth, PathBuf), MediaError> {
        let mut rng = Rng::new(clip.seed());
        let sheet = if clip.scenario == "wall" {
            let many = WALL.0 * WALL.1;
            self.sheet(clip.number * many, WALL)?
        } else {
            // From the other end: not those of the first walls.
            self.sheet(self.photos.len().saturating_sub(clip.number + 1), (1, 1))?
        };
        let camera = Flight::draw(&mut rng, &sheet, clip.scenario == "wall");
        let crf = [20, 25, 30][rng.below(3)];
        let path = folder.join(format!("{}.mp4", clip.name()));
        let what = format!("write {}", path.display());
        let mut encoder =
            raw_video(SIZE, RATE, crf, &path).spawn().map_err(MediaError::io(&what))?;
        let mut pipe =
            encoder.stdin.take().ok_or_else(|| MediaError::failed(&what, "no pipe to ffmpeg"))?;
        let mut frames = Vec::with_capacity(FRAMES);
        let mut rgb = vec![0; SIZE.0 * SIZE.1 * 3];
        for n in 0..FRAMES {
            let view = camera.at(n as f32 / (FRAMES - 1) as f32, n);
            view.paint(&sheet, &mut rng, &mut rgb);
            frames.push(FrameTruth {
                ms: n as f64 * 1000.0 / RATE,
                cut: false,
                faces: view.faces(&sheet, &rgb),
            });
            pipe.write_all(&rgb).map_err(MediaError::io(&what))?;
        }
        drop(pipe);
        finish(encoder, &what)?;
        let truth = Truth {
            clip: format!("{}.mp4", clip.name()),
            scenario: clip.scenario.to_owned(),
            half: clip.half.name().to_owned(),
            seed: clip.seed(),
            size: [SIZE.0 as u32, SIZE.1 as u32],
            frames,
        };
        truth.write(&path.with_extension("json")).map_err(MediaError::io(&what))?;
        Ok((truth, path))
    }

    /// Photographs side by side, from the `first` on.
    fn sheet(&self, first: usize, (columns, rows): (usize, usize)) -> Result<Sheet, MediaError> {
        if self.photos.is_empty() {
            return Err(MediaError::failed("find photographs", "there are none"));
        }
        let mut sheet = Sheet { image: Image::clear(0, 0), boxes: Vec::new() };
        for place in 0..columns * rows {
            let (path, boxes) = &self.photos[(first + place) % self.photos.len()];
            let photo = Image::read(path)?;
            if columns * rows == 1 {
                return Ok(Sheet { image: photo, boxes: boxes.clone() });
            }
            if sheet.image.data.is_empty() {
                sheet.image = Image::clear(columns * PLACE.0, rows * PLACE.1);
            }
            let left = place % columns * PLACE.0;
            let top = place / columns * PLACE.1;
            let (wide, high) = (photo.width as f32, photo.height as f32);
            let scale = (PLACE.0 as f32 / wide).min(PLACE.1 as f32 / high).min(1.0);
            for y in 0..(high * scale) as usize {
                for x in 0..(wide * scale) as usize {
                    let at = |v: usize| (v as f32 + 0.5) / scale;
                    sheet.image.data[(top + y) * sheet.image.width + left + x] =
                        photo.sample(at(x), at(y));
                }
            }
            sheet.boxes.extend(boxes.iter().map(|[x, y, w, h]| {
                [x * scale + left as f32, y * scale + top as f32, w * scale, h * scale]
            }));
        }
        Ok(sheet)
    }
}

/// What the camera moves over.
struct Sheet {
    image: Image,
    boxes: Vec<[f32; 4]>,
}

/// Where the camera looks: a point of the sheet, enlarged and turned.
#[derive(Clone, Copy)]
struct View {
    x: f32,
    y: f32,
    zoom: f32,
    roll: f32,
}

/// The camera's way, with the shake of a hand.
struct Flight {
    from: View,
    to: View,
    shake: f32,
    phases: [f32; 3],
}

impl Flight {
    fn draw(rng: &mut Rng, sheet: &Sheet, wall: bool) -> Self {
        let zoom = if wall { rng.range(0.8, 1.3) } else { rng.range(1.5, 3.2) };
        let (w, h) = (sheet.image.width as f32, sheet.image.height as f32);
        let mut end = || View {
            x: rng.range(0.3, 0.7) * w,
            y: rng.range(0.3, 0.7) * h,
            zoom: zoom * rng.range(0.85, 1.15),
            roll: rng.range(-8.0, 8.0).to_radians(),
        };
        let (from, to) = (end(), end());
        let shake = [0.0, 1.5, 4.0][rng.below(3)];
        let phases = std::array::from_fn(|_| rng.range(0.0, std::f32::consts::TAU));
        Self { from, to, shake, phases }
    }

    /// The view when a share `t` of the way is done, in frame `n`.
    fn at(&self, t: f32, n: usize) -> View {
        // It starts and stops gently.
        let eased = t * t * (3.0 - 2.0 * t);
        let mix = |a: f32, b: f32| a + (b - a) * eased;
        let zoom = mix(self.from.zoom, self.to.zoom);
        let wave = |pace: f32, i: usize| self.shake * (n as f32 * pace + self.phases[i]).sin();
        View {
            x: mix(self.from.x, self.to.x) + wave(0.9, 0) / zoom,
            y: mix(self.from.y, self.to.y) + wave(1.3, 1) / zoom,
            zoom,
            roll: mix(self.from.roll, self.to.roll) + wave(0.7, 2) * 0.004,
        }
    }
}

impl View {
    /// What the camera shows of the sheet, as packed RGB.
    fn paint(&self, sheet: &Sheet, rng: &mut Rng, rgb: &mut [u8]) {
        let (w, h) = (SIZE.0 as f32, SIZE.1 as f32);
        let (sin, cos) = self.roll.sin_cos();
        for (pixel, sample) in rgb.chunks_exact_mut(3).enumerate() {
            let dx = ((pixel % SIZE.0) as f32 + 0.5 - w / 2.0) / self.zoom;
            let dy = ((pixel / SIZE.0) as f32 + 0.5 - h / 2.0) / self.zoom;
            let (x, y) = (self.x + dx * cos + dy * sin, self.y + dy * cos - dx * sin);
            let colour = sheet.image.sample(x, y);
            let noise = rng.normal() * NOISE;
            for (value, c) in sample.iter_mut().zip(colour) {
                *value = (c + noise).clamp(0.0, 255.0) as u8;
            }
        }
    }

    /// Where the labelled faces are in it.
    fn faces(&self, sheet: &Sheet, rgb: &[u8]) -> Vec<Face> {
        let grid = points();
        let (sin, cos) = self.roll.sin_cos();
        // The way back from the sheet to the picture.
        let turned =
            |x: f32, y: f32| [(x * cos - y * sin) * self.zoom, (x * sin + y * cos) * self.zoom];
        let boxes = sheet.boxes.iter().zip(0..);
        let all = boxes.map(|([x, y, w, h], id)| {
            let mut face = Face::upright(id, [0.0, 0.0, 1.0, 1.0]);
            let [cx, cy] = turned(x + w / 2.0 - self.x, y + h / 2.0 - self.y);
            face.centre = [cx + SIZE.0 as f32 / 2.0, cy + SIZE.1 as f32 / 2.0];
            face.side = turned(w / 2.0, 0.0);
            face.down = turned(0.0, h / 2.0);
            look(&mut face, &grid, SIZE, rgb, |_| false);
            face.decide();
            face
        });
        all.filter(|face| face.height() >= RECORDED_HEIGHT && face.visible > 0.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey sheet with a bright square, labelled.
    fn sheet() -> Sheet {
        let mut image = Image::clear(400, 300);
        for (i, sample) in image.data.iter_mut().enumerate() {
            let (x, y) = (i % 400, i / 400);
            let inside = (180..220).contains(&x) && (90..140).contains(&y);
            let grey = if inside { 220.0 } else { 60.0 };
            *sample = [grey, grey, grey, 1.0];
        }
        Sheet { image, boxes: vec![[180.0, 90.0, 40.0, 50.0]] }
    }

    #[test]
    fn labels_move_with_the_picture() {
        let sheet = sheet();
        let mut rng = Rng::new(1);
        let mut rgb = vec![0; SIZE.0 * SIZE.1 * 3];
        for view in [
            View { x: 200.0, y: 150.0, zoom: 2.0, roll: 0.0 },
            View { x: 190.0, y: 120.0, zoom: 3.0, roll: 0.14 },
            View { x: 230.0, y: 160.0, zoom: 1.2, roll: -0.14 },
        ] {
            view.paint(&sheet, &mut rng, &mut rgb);
            let faces = view.faces(&sheet, &rgb);
            assert_eq!(faces.len(), 1);
            let face = &faces[0];
            assert!((face.height() - 50.0 * view.zoom).abs() < 0.1);
            assert_eq!(face.visible, 1.0);
            let luma = |(x, y): (f32, f32)| rgb[(y as usize * SIZE.0 + x as usize) * 3];
            for point in [(0.0, 0.0), (0.9, 0.0), (-0.9, 0.0), (0.0, 0.9), (0.0, -0.9)] {
                assert!(luma(face.place(point)) > 190, "{point:?}");
            }
            for point in [(1.15, 0.0), (-1.15, 0.0), (0.0, 1.15), (0.0, -1.15)] {
                assert!(luma(face.place(point)) < 90, "{point:?}");
            }
        }
    }

    #[test]
    fn what_leaves_the_picture_is_not_visible() {
        let sheet = sheet();
        let rgb = vec![128; SIZE.0 * SIZE.1 * 3];
        // The square's centre is at the left border.
        let half = View { x: 200.0 + 640.0 / 2.0, y: 115.0, zoom: 2.0, roll: 0.0 };
        let faces = half.faces(&sheet, &rgb);
        assert!((faces[0].visible - 0.5).abs() < 0.03, "{}", faces[0].visible);
        assert!(!faces[0].counts, "a flat patch is nobody");
        let gone = View { x: 900.0, ..half };
        assert!(gone.faces(&sheet, &rgb).is_empty());
    }
}
