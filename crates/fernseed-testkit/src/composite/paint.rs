//! Drawing one frame of a scene, and writing down what is visible in it.

use super::rng::Rng;
use super::scene::{Camera, Layer, Light, Pose, Scene, Shot};
use super::sources::{Cutout, Sources};
use crate::truth::{Face, FrameTruth, RECORDED_HEIGHT, points};
use fernseed_core::Rect;

/// A frame being drawn: packed RGB, and which layer each pixel shows.
#[derive(Debug)]
pub(super) struct Canvas {
    /// Columns and rows.
    pub(super) size: (usize, usize),
    /// Three samples a pixel.
    pub(super) rgb: Vec<u8>,
    owner: Vec<u16>,
    /// The last background drawn, and what it was.
    backdrop: (Option<(usize, Camera)>, Vec<u8>),
}

impl Canvas {
    /// A black frame.
    #[must_use]
    pub(super) fn new(size: (usize, usize)) -> Self {
        Self {
            size,
            rgb: vec![0; size.0 * size.1 * 3],
            owner: vec![0; size.0 * size.1],
            backdrop: (None, vec![]),
        }
    }

    /// Draws frame `n` of the scene and returns its truth.
    pub(super) fn draw(&mut self, scene: &Scene, sources: &Sources, n: usize) -> FrameTruth {
        let ms = scene.ms(n);
        let t = (ms / 1000.0) as f32;
        let Some(shot) = scene.shots.iter().rev().find(|s| s.first <= n) else {
            return FrameTruth::default();
        };
        let camera = (shot.camera)(t);
        self.background(sources, shot, &camera);
        let shutter = 0.5 / scene.fps;
        let mut drawn = Vec::new();
        for (index, layer) in shot.layers.iter().enumerate() {
            let owner = index as u16 + 1;
            match layer {
                Layer::Person { id, cutout, path } => {
                    let poses: Vec<Pose> = [t - shutter / 2.0, t, t + shutter / 2.0]
                        .iter()
                        .filter_map(|t| Some((shot.camera)(*t).pose((path)(*t)?, self.size)))
                        .collect();
                    let Some(now) = path(t) else { continue };
                    let now = camera.pose(now, self.size);
                    let cutout = cutout.get(sources);
                    self.person(cutout, &poses, now, owner);
                    drawn.push((*id, ellipse(cutout, now, *id), owner));
                }
                Layer::Thing { path, colour } => {
                    if let Some(rect) = path(t) {
                        self.thing(rect, *colour, owner);
                    }
                }
            }
        }
        let light = (shot.light)(t);
        self.light(light, scene.seed ^ (n as u64) << 20);
        let mut truth = FrameTruth { ms, cut: n > 0 && shot.first == n, faces: vec![] };
        let grid = points();
        for (_, mut face, owner) in drawn {
            let hidden = |pixel: usize| self.owner[pixel] > owner;
            look(&mut face, &grid, self.size, &self.rgb, hidden);
            if face.height() >= RECORDED_HEIGHT && face.visible > 0.0 {
                face.decide();
                truth.faces.push(face);
            }
        }
        truth
    }

    fn background(&mut self, sources: &Sources, shot: &Shot, camera: &Camera) {
        self.owner.fill(0);
        let what = Some((shot.background, *camera));
        if self.backdrop.0 == what {
            self.rgb.copy_from_slice(&self.backdrop.1);
            return;
        }
        let image = &sources.backgrounds[shot.background % sources.backgrounds.len()];
        let (w, h) = self.size;
        // The picture fills the canvas with a tenth to spare on every side.
        let fit = (w as f32 / image.width as f32).max(h as f32 / image.height as f32) * 1.2;
        let (sin, cos) = camera.roll.sin_cos();
        let k = 1.0 / (fit * camera.zoom);
        for y in 0..h {
            for x in 0..w {
                let dx = x as f32 + 0.5 - w as f32 / 2.0 - camera.shift.0;
                let dy = y as f32 + 0.5 - h as f32 / 2.0 - camera.shift.1;
                let sx = (dx * cos + dy * sin) * k + image.width as f32 / 2.0;
                let sy = (dy * cos - dx * sin) * k + image.height as f32 / 2.0;
                let sx = sx.clamp(0.0, image.width as f32);
                let sy = sy.clamp(0.0, image.height as f32);
                let p = image.sample(sx, sy);
                let at = (y * w + x) * 3;
                self.rgb[at..at + 3].copy_from_slice(&[p[0] as u8, p[1] as u8, p[2] as u8]);
            }
        }
        self.backdrop.0 = what;
        self.backdrop.1.clone_from(&self.rgb);
    }

    fn person(&mut self, cutout: &Cutout, poses: &[Pose], now: Pose, owner: u16) {
        let (Some(first), Some(last)) = (poses.first(), poses.last()) else { return };
        let travel = (last.x - first.x).hypot(last.y - first.y);
        let steps = ((travel / 1.5).ceil() as usize).clamp(1, 12);
        let scale = now.height / (2.0 * cutout.half.1);
        let (x0, x1, y0, y1) = self.reach(cutout, now, scale, travel);
        let level = ((1.0 / scale).log2().floor().max(0.0) as usize).min(cutout.mips.len() - 1);
        let mip = &cutout.mips[level];
        let shrink = 1.0 / (1u32 << level) as f32;
        let warps: Vec<Warp> = (0..steps)
            .map(|i| {
                let f = if steps == 1 { 0.5 } else { i as f32 / (steps - 1) as f32 };
                Warp::new(cutout, first.between(*last, f))
            })
            .collect();
        for y in y0..y1 {
            for x in x0..x1 {
                let mut sum = [0.0f32; 4];
                for warp in &warps {
                    if let Some((sx, sy)) = warp.source(x as f32 + 0.5, y as f32 + 0.5) {
                        let p = mip.sample(sx * shrink, sy * shrink);
                        for (s, v) in sum.iter_mut().zip(p) {
                            *s += v;
                        }
                    }
                }
                let n = steps as f32;
                let alpha = sum[3] / n;
                if alpha <= 0.002 {
                    continue;
                }
                let pixel = y as usize * self.size.0 + x as usize;
                for (value, above) in self.rgb[pixel * 3..][..3].iter_mut().zip(sum) {
                    let below = f32::from(*value);
                    *value = (below * (1.0 - alpha) + above / n).min(255.0) as u8;
                }
                if alpha > 0.5 {
                    self.owner[pixel] = owner;
                }
            }
        }
    }

    /// The pixels a cut-out can touch: columns and rows, ends excluded.
    fn reach(
        &self,
        cutout: &Cutout,
        now: Pose,
        scale: f32,
        travel: f32,
    ) -> (isize, isize, isize, isize) {
        let whole = &cutout.mips[0];
        let (sin, cos) = now.roll.sin_cos();
        // A turned head moves its outline by less than its own radius.
        let spare = travel + 2.0 + if now.yaw == 0.0 { 0.0 } else { now.height };
        let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
        for (x, y) in [(0, 0), (whole.width, 0), (0, whole.height), (whole.width, whole.height)] {
            let dx = (x as f32 - cutout.centre.0) * scale;
            let dy = (y as f32 - cutout.centre.1) * scale;
            let (px, py) = (now.x + dx * cos - dy * sin, now.y + dx * sin + dy * cos);
            low = (low.0.min(px), low.1.min(py));
            high = (high.0.max(px), high.1.max(py));
        }
        let column = |x: f32| (x as isize).clamp(0, self.size.0 as isize);
        let row = |y: f32| (y as isize).clamp(0, self.size.1 as isize);
        (
            column(low.0 - spare),
            column(high.0 + spare + 1.0),
            row(low.1 - spare),
            row(high.1 + spare + 1.0),
        )
    }

    fn thing(&mut self, rect: Rect, colour: [u8; 3], owner: u16) {
        let (w, h) = (self.size.0 as f32, self.size.1 as f32);
        let inside = rect.intersection(Rect::new(0.0, 0.0, w, h));
        if !inside.is_proper() {
            return;
        }
        for y in inside.top as usize..inside.bottom as usize {
            for x in inside.left as usize..inside.right as usize {
                let pixel = y * self.size.0 + x;
                // Some structure, so that it is an object and not a hole.
                let shade = ((x as f32 - rect.left) / rect.width() * 3.1).sin() * 28.0;
                for (value, base) in self.rgb[pixel * 3..][..3].iter_mut().zip(colour) {
                    let lit = f32::from(base) + shade + ((x * 7 + y * 13) % 11) as f32;
                    *value = lit.clamp(0.0, 255.0) as u8;
                }
                self.owner[pixel] = owner;
            }
        }
    }

    fn light(&mut self, light: Light, seed: u64) {
        if light.is_plain() {
            return;
        }
        let mut rng = Rng::new(seed);
        for sample in &mut self.rgb {
            let noise = if light.noise > 0.0 { rng.normal() * light.noise } else { 0.0 };
            *sample = (f32::from(*sample) * light.gain + noise).clamp(0.0, 255.0) as u8;
        }
    }
}

/// Finds which points of a face are visible in a frame of packed RGB, and its
/// contrast. `hidden` says of a pixel, by its number, that something else is
/// before the face there.
pub(super) fn look(
    face: &mut Face,
    grid: &[(f32, f32)],
    (w, h): (usize, usize),
    rgb: &[u8],
    hidden: impl Fn(usize) -> bool,
) {
    let (mut sum, mut square, mut n) = (0.0, 0.0, 0.0f32);
    let visible: Vec<bool> = grid
        .iter()
        .map(|point| {
            let (x, y) = face.place(*point);
            if x < 0.0 || y < 0.0 || x >= w as f32 || y >= h as f32 {
                return false;
            }
            let pixel = y as usize * w + x as usize;
            if hidden(pixel) {
                return false;
            }
            let [r, g, b] = [0, 1, 2].map(|c| f32::from(rgb[pixel * 3 + c]));
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            sum += luma;
            square += luma * luma;
            n += 1.0;
            true
        })
        .collect();
    face.set_visible(&visible);
    let mean = sum / n.max(1.0);
    face.contrast = (square / n.max(1.0) - mean * mean).max(0.0).sqrt();
}

/// The way from a pixel of the frame back to one of the cut-out.
///
/// A turned head is a vertical cylinder onto which the photo is pasted, so
/// the near half widens and the far half goes out of sight. What a camera
/// would see of the side of the head is missing: this is foreshortening, no
/// real profile.
struct Warp {
    pose: Pose,
    cos: f32,
    sin: f32,
    inverse: f32,
    centre: (f32, f32),
    radius: f32,
}

/// Radius of the head's cylinder relative to half the face's width.
const HEAD: f32 = 1.35;

impl Warp {
    fn new(cutout: &Cutout, pose: Pose) -> Self {
        let (sin, cos) = pose.roll.sin_cos();
        Self {
            pose,
            cos,
            sin,
            inverse: 2.0 * cutout.half.1 / pose.height,
            centre: cutout.centre,
            radius: cutout.half.0 * HEAD,
        }
    }

    fn source(&self, x: f32, y: f32) -> Option<(f32, f32)> {
        let (dx, dy) = (x - self.pose.x, y - self.pose.y);
        let u = (dx * self.cos + dy * self.sin) * self.inverse;
        let v = (dy * self.cos - dx * self.sin) * self.inverse;
        let r = self.radius;
        let u = if self.pose.yaw == 0.0 {
            u
        } else {
            let edge = (u / r).clamp(-1.0, 1.0);
            // What has turned out of sight shows the edge of the photo.
            let quarter = std::f32::consts::FRAC_PI_2;
            let angle = (edge.asin() - self.pose.yaw).clamp(-quarter, quarter);
            r * angle.sin() + (u - edge * r)
        };
        Some((u + self.centre.0, v + self.centre.1))
    }
}

/// The true face of a cut-out in a pose.
fn ellipse(cutout: &Cutout, pose: Pose, id: u32) -> Face {
    let scale = pose.height / (2.0 * cutout.half.1);
    let r = cutout.half.0 * HEAD;
    let quarter = std::f32::consts::FRAC_PI_2;
    let edge = (1.0 / HEAD).asin();
    let left = r * (pose.yaw - edge).clamp(-quarter, quarter).sin();
    let right = r * (pose.yaw + edge).clamp(-quarter, quarter).sin();
    let (middle, half) = ((left + right) / 2.0 * scale, (right - left) / 2.0 * scale);
    let (sin, cos) = pose.roll.sin_cos();
    let down = pose.height / 2.0;
    let mut face = Face::upright(id, [0.0, 0.0, 1.0, 1.0]);
    face.centre = [pose.x + middle * cos, pose.y + middle * sin];
    face.side = [half * cos, half * sin];
    face.down = [-down * sin, down * cos];
    face.yaw = (pose.yaw.to_degrees() * 10.0).round() / 10.0;
    face
}
