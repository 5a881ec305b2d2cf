//! Cut-outs of people with their face's place, and backgrounds.

use super::image::{Image, MediaError};
use super::material::{BARE, MASKED, PINNED, PINNED_VIEWS, STREETS, VIEWS};
use super::rng::Rng;
use super::{Half, Material};
use std::path::{Path, PathBuf};

/// A person cut out of a photo, with softened edges, or a whole picture.
#[derive(Debug)]
pub struct Cutout {
    /// The picture and its halves, largest first.
    pub mips: Vec<Image>,
    /// Centre of the face, in pixels of the largest.
    pub centre: (f32, f32),
    /// Half the width and height of the face's box.
    pub half: (f32, f32),
}

/// Everything a half of the set is made from.
#[derive(Debug)]
pub struct Sources {
    /// People, bare-faced.
    pub bare: Vec<Cutout>,
    /// People with masks over mouth and nose; empty without shared data.
    pub masked: Vec<Cutout>,
    /// The same bare-faced people as a framed picture.
    pub posters: Vec<Cutout>,
    /// Opaque pictures without people.
    pub backgrounds: Vec<Image>,
}

impl Sources {
    /// Loads what a half may use. Shared material is split between the
    /// halves, so that nothing tuned on one has seen the other's people.
    ///
    /// # Errors
    /// If a file that is present cannot be read, or nothing is present.
    pub fn load(half: Half, material: &Material) -> Result<Self, MediaError> {
        let mut sources =
            Self { bare: vec![], masked: vec![], posters: vec![], backgrounds: procedural(half) };
        for (name, face) in PINNED {
            if let Some(path) = pinned(name) {
                sources.add_bare(&path, face)?;
            }
        }
        for name in PINNED_VIEWS {
            if let Some(path) = pinned(name).filter(|_| !matches!(material, Material::Demo)) {
                sources.backgrounds.push(Image::read(&path)?);
            }
        }
        if let Material::WithShared(shared) = material {
            let data = shared.join("data");
            let mine = |i: usize| i % 2 == half as usize;
            for (_, (path, face)) in BARE.iter().enumerate().filter(|(i, _)| mine(*i)) {
                sources.add_bare(&data.join(path), *face)?;
            }
            for (_, (path, face)) in MASKED.iter().enumerate().filter(|(i, _)| mine(*i)) {
                let photo = Image::read(&data.join(path))?;
                sources.masked.push(Cutout::person(&photo, *face));
            }
            for (_, number) in STREETS.iter().enumerate().filter(|(i, _)| mine(*i)) {
                let path = data.join(format!("plates/cars184/Cars{number}.jpg"));
                sources.backgrounds.push(Image::read(&path)?);
            }
            for (_, (path, at)) in VIEWS.iter().enumerate().filter(|(i, _)| mine(*i)) {
                let path = data.join("video").join(path);
                sources.backgrounds.push(Image::read_at(&path, Some(*at))?);
            }
        }
        if sources.bare.is_empty() {
            return Err(MediaError::failed("find faces", "run scripts/composite-media.sh"));
        }
        Ok(sources)
    }

    fn add_bare(&mut self, path: &Path, face: [f32; 4]) -> Result<(), MediaError> {
        let photo = Image::read(path)?;
        self.bare.push(Cutout::person(&photo, face));
        self.posters.push(Cutout::poster(&photo, face));
        Ok(())
    }
}

fn pinned(name: &str) -> Option<PathBuf> {
    let path = crate::root().join("bench/media").join(name);
    if path.is_file() { Some(path) } else { crate::demo_media(name) }
}

/// One where `x` is below `a`, falling smoothly to zero at `b`.
fn falling(x: f32, a: f32, b: f32) -> f32 {
    let t = ((b - x) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

impl Cutout {
    /// Head and shoulders around the face box (x, y, width, height), with
    /// an edge that fades out.
    #[must_use]
    pub fn person(photo: &Image, [x, y, w, h]: [f32; 4]) -> Self {
        let (left, top) = ((x - 0.62 * w).floor(), (y - 0.72 * h).floor());
        let (width, height) = ((2.24 * w) as usize, (2.7 * h) as usize);
        let mut image = photo.crop(left as isize, top as isize, width, height);
        let (cx, cy) = (x + w / 2.0 - left, y + h / 2.0 - top);
        let (pw, ph) = (photo.width as f32, photo.height as f32);
        for row in 0..height {
            for column in 0..width {
                let (px, py) = (column as f32 + 0.5, row as f32 + 0.5);
                let (dx, dy) = ((px - cx) / w, (py - cy) / h);
                // The head with its hair reaches higher than the face.
                let head = (dx / 0.86).hypot((dy + 0.12) / 1.0);
                let shoulders = if dy < 0.2 {
                    f32::MAX
                } else {
                    (dx.abs() / (0.35 + 0.75 * ((dy - 0.2) / 0.6).min(1.0))).max(dy / 2.05)
                };
                let mut alpha = falling(head, 0.8, 1.0).max(falling(shoulders, 0.82, 1.0));
                // And nothing ends at the edge of the photo with a hard line.
                let (ox, oy) = (left + px, top + py);
                for edge in [ox, pw - ox, oy, ph - oy] {
                    alpha *= (edge / (0.08 * w)).clamp(0.0, 1.0);
                }
                for sample in &mut image.data[row * width + column] {
                    *sample *= alpha;
                }
            }
        }
        Self::new(image, (cx, cy), (w / 2.0, h / 2.0))
    }

    /// The photo around the face as a picture in a light frame.
    #[must_use]
    pub fn poster(photo: &Image, [x, y, w, h]: [f32; 4]) -> Self {
        let (left, top) = ((x - 0.6 * w).max(0.0), (y - 0.55 * h).max(0.0));
        let right = (x + 1.6 * w).min(photo.width as f32);
        let bottom = (y + 1.5 * h).min(photo.height as f32);
        let border = (0.12 * w) as usize;
        let (iw, ih) = ((right - left) as usize, (bottom - top) as usize);
        let mut image = Image::clear(iw + 2 * border, ih + 2 * border);
        image.data.fill([232.0, 228.0, 220.0, 1.0]);
        for row in 0..ih {
            for column in 0..iw {
                let pixel =
                    photo.clamped((left as usize + column) as isize, (top as usize + row) as isize);
                image.data[(row + border) * (iw + 2 * border) + column + border] = pixel;
            }
        }
        let centre =
            (x + w / 2.0 - left.floor() + border as f32, y + h / 2.0 - top.floor() + border as f32);
        Self::new(image, centre, (w / 2.0, h / 2.0))
    }

    fn new(image: Image, centre: (f32, f32), half: (f32, f32)) -> Self {
        let mut mips = vec![image];
        while let Some(last) = mips.last().filter(|m| m.width.min(m.height) > 8) {
            let next = last.half();
            mips.push(next);
        }
        Self { mips, centre, half }
    }
}

/// Backgrounds out of nothing: soft blotches and a grid of lines.
fn procedural(half: Half) -> Vec<Image> {
    (0..3u64)
        .map(|n| {
            let mut rng = Rng::new(900 + n * 2 + half as u64);
            let (width, height) = (640, 400);
            let mut coarse = Image::clear(20, 13);
            for pixel in &mut coarse.data {
                *pixel =
                    [rng.range(30.0, 220.0), rng.range(30.0, 220.0), rng.range(30.0, 220.0), 1.0];
            }
            let mut image = Image::clear(width, height);
            for y in 0..height {
                for x in 0..width {
                    let mut p = coarse.sample(x as f32 / 32.0, y as f32 / 31.0);
                    let line = if (x / 3) % 27 == 0 || (y / 3) % 19 == 0 { 0.7 } else { 1.0 };
                    let grain = rng.range(-9.0, 9.0);
                    for c in &mut p[..3] {
                        *c = (*c * line + grain).clamp(0.0, 255.0);
                    }
                    p[3] = 1.0;
                    image.data[y * width + x] = p;
                }
            }
            image
        })
        .collect()
}
