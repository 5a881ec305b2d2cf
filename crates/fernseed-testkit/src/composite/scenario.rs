//! What the clips try, each with seeds for two halves.

use super::rng::Rng;
use super::scene::{Camera, Layer, Light, Over, Pose, Scene, Shot, Storage, Who};
use super::{Clip, Half};
use fernseed_core::Rect;
use std::f32::consts::{FRAC_PI_2, TAU};

/// Names of all scenarios.
pub const SCENARIOS: [&str; 24] = [
    "scale",
    "roll",
    "motion-blur",
    "low-light",
    "compression",
    "occlusion",
    "border",
    "crossing",
    "turning",
    "cuts",
    "shake",
    "fades",
    "sudden",
    "small",
    "crowd",
    "flash",
    "vfr",
    "still",
    "sideways",
    "turned-file",
    "poster",
    "masks",
    "large",
    "mixed",
];

/// A scene under construction.
struct Plan {
    rng: Rng,
    w: f32,
    h: f32,
    layers: Vec<Layer>,
    next: u32,
}

impl Plan {
    fn who(&mut self) -> Who {
        Who::Bare(self.rng.below(1000))
    }

    fn add(&mut self, cutout: Who, path: impl Fn(f32) -> Option<Pose> + Send + Sync + 'static) {
        self.next += 1;
        self.layers.push(Layer::Person { id: self.next, cutout, path: Box::new(path) });
    }

    /// Somebody who strolls about: a slow closed curve inside the picture.
    fn stroll(&mut self, height: f32) -> impl Fn(f32) -> Pose + Send + Sync + 'static {
        let (w, h) = (self.w, self.h);
        let x = self.rng.range(0.25, 0.75) * w;
        let y = self.rng.range(0.3, 0.6) * h;
        let sway = self.rng.range(0.08, 0.2) * w;
        let (pace, phase) = (self.rng.range(0.12, 0.3) * TAU, self.rng.range(0.0, TAU));
        move |t| {
            let a = t * pace + phase;
            Pose::at(x + sway * a.sin(), y + 0.06 * h * (1.7 * a).cos(), height)
        }
    }

    fn size(&mut self, low: f32, high: f32) -> f32 {
        self.rng.range(low, high) * self.h
    }
}

fn still() -> Over<Camera> {
    Box::new(|_| Camera::STILL)
}

fn plain() -> Over<Light> {
    Box::new(|_| Light::PLAIN)
}

/// Lays out a clip.
#[must_use]
#[allow(clippy::too_many_lines, reason = "one arm a scenario, each a few lines")]
pub(super) fn scene(clip: &Clip) -> Scene {
    let number = SCENARIOS.iter().position(|s| *s == clip.scenario).unwrap_or(0);
    let mut rng = Rng::new(clip.seed());
    let turn = number + clip.number * 2 + clip.half as usize;
    let sizes = [(640, 360), (1280, 720), (640, 360), (1920, 1080), (1280, 720)];
    let mut size = sizes[turn % sizes.len()];
    let mut fps = [25.0, 30.0, 24.0, 60.0, 30.0, 50.0, 25.0][(turn * 3 + number) % 7];
    let mut seconds = if size.0 == 1920 || fps > 30.0 { 2.5 } else { rng.range(2.5, 4.0) };
    match clip.scenario {
        "compression" => size = (640, 360),
        "vfr" => fps = 30.0,
        "small" | "crowd" if size.0 < 1280 => size = (1280, 720),
        "turned-file" => size = (720, 1280),
        "fades" | "occlusion" => seconds = seconds.max(3.5),
        "still" => seconds = 6.0,
        _ => {}
    }
    if clip.brief {
        size = if clip.scenario == "turned-file" { (360, 640) } else { (640, 360) };
        (fps, seconds) = (25.0, 1.4);
    }
    let (w, h) = (size.0 as f32, size.1 as f32);
    let mut storage = Storage { crf: 20, preset: "veryfast", uneven: false, turned: false };
    let mut camera = still();
    let mut light = plain();
    let mut cuts = vec![];
    let background = rng.below(1000);
    let mut p = Plan { rng, w, h, layers: vec![], next: 0 };
    match clip.scenario {
        "scale" => {
            let (x, y) = (p.rng.range(0.35, 0.65) * w, p.rng.range(0.4, 0.55) * h);
            let (far, near) = (14.0, p.size(0.35, 0.55));
            let who = p.who();
            p.add(who, move |t| {
                let f = 0.5 - 0.5 * (t / seconds * TAU).cos();
                Some(Pose::at(x, y, far * (near / far).powf(f)))
            });
        }
        "roll" => {
            let reach = p.rng.range(0.6, 1.3);
            let height = p.size(0.18, 0.35);
            let who = p.who();
            let path = p.stroll(height);
            p.add(who, move |t| Some(Pose { roll: reach * (t * 2.2).sin(), ..path(t) }));
        }
        "motion-blur" => {
            for _ in 0..2 {
                let height = p.size(0.12, 0.25);
                let speed = p.rng.range(0.9, 1.8);
                let (y, phase) = (p.rng.range(0.3, 0.6) * h, p.rng.range(0.0, 2.0));
                let who = p.who();
                p.add(who, move |t| {
                    let wave = ((t * speed + phase) % 2.0 - 1.0).abs();
                    Some(Pose::at(w * (0.1 + 0.8 * wave), y, height))
                });
            }
        }
        "low-light" => {
            let gain = p.rng.range(0.12, 0.25);
            let noise = p.rng.range(2.0, 5.0);
            light = Box::new(move |_| Light { gain, noise });
            for _ in 0..2 {
                let height = p.size(0.12, 0.3);
                let who = p.who();
                let path = p.stroll(height);
                p.add(who, move |t| Some(path(t)));
            }
        }
        "compression" => {
            storage.crf = 36 + 3 * (p.rng.below(3) as u32);
            for _ in 0..3 {
                let height = p.size(0.08, 0.25);
                let who = p.who();
                let path = p.stroll(height);
                p.add(who, move |t| Some(path(t)));
            }
        }
        "occlusion" => {
            let height = p.size(0.2, 0.35);
            let who = p.who();
            let y = p.rng.range(0.35, 0.55) * h;
            p.add(who, move |t| Some(Pose::at(w * (0.1 + 0.8 * t / seconds), y, height)));
            let width = height * p.rng.range(0.35, 0.9);
            for at in [0.33, 0.62] {
                let left = w * at;
                let rect = Rect::new(left, 0.0, left + width, h);
                p.layers.push(Layer::Thing {
                    path: Box::new(move |_| Some(rect)),
                    colour: [92, 84, 76],
                });
            }
        }
        "border" => {
            let height = p.size(0.15, 0.35);
            let who = p.who();
            let y = p.rng.range(0.3, 0.6) * h;
            let way = p.rng.sign();
            p.add(who, move |t| {
                let f = 1.3 * t / seconds - 0.15;
                Some(Pose::at(w * (0.5 + way * (f - 0.5)), y, height))
            });
            let (who, x) = (p.who(), p.rng.range(0.2, 0.8) * w);
            p.add(who, move |t| {
                Some(Pose::at(x, h * (1.2 - 0.5 * (t / seconds * TAU / 2.0).sin()), height))
            });
        }
        "crossing" => {
            let height = p.size(0.15, 0.3);
            for way in [1.0, -1.0] {
                let who = p.who();
                let y = p.rng.range(0.4, 0.5) * h;
                p.add(who, move |t| {
                    Some(Pose::at(w * (0.5 + way * 0.4 * (2.0 * t / seconds - 1.0)), y, height))
                });
            }
        }
        "turning" => {
            let height = p.size(0.2, 0.4);
            let reach = p.rng.range(0.9, 1.3);
            let pace = p.rng.range(1.2, 2.4);
            let who = p.who();
            let path = p.stroll(height);
            p.add(who, move |t| Some(Pose { yaw: reach * (t * pace).sin(), ..path(t) }));
        }
        "cuts" => {
            cuts = vec![0.21, 0.44, 0.5, 0.78];
            for _ in 0..5 {
                let height = p.size(0.12, 0.4);
                let who = p.who();
                let path = p.stroll(height);
                p.add(who, move |t| Some(path(t)));
            }
        }
        "shake" => {
            let (a, b) = (p.rng.range(0.01, 0.03) * w, p.rng.range(4.0, 8.0));
            camera = Box::new(move |t| Camera {
                shift: (a * (t * b * 2.3).sin(), a * (t * b * 3.1 + 1.0).sin()),
                roll: 0.03 * (t * b).sin(),
                zoom: 1.0 + 0.02 * (t * 3.0).sin(),
            });
            for _ in 0..2 {
                let height = p.size(0.12, 0.3);
                let who = p.who();
                let path = p.stroll(height);
                p.add(who, move |t| Some(path(t)));
            }
        }
        "fades" => {
            light = Box::new(move |t| Light {
                gain: (1.25 - 1.35 * (t / seconds * TAU).cos()).clamp(0.0, 1.0),
                noise: 0.0,
            });
            for _ in 0..2 {
                let height = p.size(0.12, 0.3);
                let who = p.who();
                let path = p.stroll(height);
                p.add(who, move |t| Some(path(t)));
            }
        }
        "sudden" => {
            let height = p.size(0.15, 0.28);
            let who = p.who();
            let y = p.rng.range(0.35, 0.55) * h;
            let when = p.rng.range(0.35, 0.6) * seconds;
            p.add(who, move |t| {
                // Stands, then crosses most of the picture in a quarter of a second.
                let f = ((t - when) / 0.25).clamp(0.0, 1.0);
                Some(Pose::at(w * (0.15 + 0.7 * f), y + 0.1 * h * (f * 3.0).sin(), height))
            });
        }
        "small" => {
            for _ in 0..5 {
                let height = p.rng.range(16.0, 24.0);
                let who = p.who();
                let path = p.stroll(height);
                p.add(who, move |t| Some(path(t)));
            }
        }
        "crowd" => {
            let rows = 3;
            for row in 0..rows {
                for column in 0..6 {
                    let height = h * (0.06 + 0.02 * row as f32) * p.rng.range(0.9, 1.1);
                    let x = w * (0.1 + 0.155 * (column as f32 + 0.4 * (row % 2) as f32))
                        + p.rng.range(-0.01, 0.01) * w;
                    let y = h * (0.3 + 0.2 * row as f32);
                    let (pace, who) = (p.rng.range(0.5, 2.0), p.who());
                    p.add(who, move |t| {
                        let sway = (t * pace + x).sin();
                        Some(Pose { roll: 0.1 * sway, ..Pose::at(x + 0.01 * w * sway, y, height) })
                    });
                }
            }
        }
        "flash" => {
            for _ in 0..3 {
                let height = p.size(0.12, 0.3);
                let who = p.who();
                let path = p.stroll(height);
                let start = (p.rng.range(0.1, 0.85) * seconds * fps).floor();
                p.add(who, move |t| {
                    let frame = (t * fps).round();
                    (start <= frame && frame < start + 5.0).then(|| path(t))
                });
            }
        }
        "vfr" => {
            storage.uneven = true;
            for _ in 0..2 {
                let height = p.size(0.12, 0.3);
                let who = p.who();
                let path = p.stroll(height);
                p.add(who, move |t| Some(path(t * 1.6)));
            }
        }
        "still" => {
            for n in 0..2 {
                let height = if n == 0 { p.size(0.1, 0.2) } else { p.size(0.25, 0.4) };
                let who = p.who();
                let pose = p.stroll(height)(0.0);
                let x = w * (0.25 + 0.5 * n as f32);
                p.add(who, move |_| Some(Pose { x, ..pose }));
            }
        }
        "sideways" | "turned-file" => {
            let lying = clip.scenario == "sideways";
            storage.turned = !lying;
            let roll = if lying { FRAC_PI_2 * p.rng.sign() } else { 0.0 };
            for _ in 0..2 {
                let height = if lying { p.size(0.15, 0.3) } else { p.size(0.08, 0.16) };
                let who = p.who();
                let path = p.stroll(height);
                p.add(who, move |t| Some(Pose { roll, ..path(t) }));
            }
        }
        "poster" => {
            let height = p.size(0.14, 0.3);
            let (x, y) = (p.rng.range(0.2, 0.45) * w, p.rng.range(0.35, 0.5) * h);
            let roll = p.rng.range(-0.06, 0.06);
            let poster = Who::Poster(p.rng.below(1000));
            p.add(poster, move |_| Some(Pose { roll, ..Pose::at(x, y, height) }));
            let height = p.size(0.2, 0.3);
            let who = p.who();
            p.add(who, move |t| {
                let yaw = 0.8 * (t * 1.5).sin();
                Some(Pose { yaw, ..Pose::at(w * (0.85 - 0.1 * t / seconds), 0.5 * h, height) })
            });
        }
        "masks" => {
            for _ in 0..3 {
                let height = p.size(0.12, 0.3);
                let who = Who::Masked(p.rng.below(1000));
                let path = p.stroll(height);
                p.add(who, move |t| Some(path(t)));
            }
        }
        "large" => {
            let height = p.size(0.6, 0.85);
            let who = p.who();
            p.add(who, move |t| {
                let x = w * (0.5 + 0.08 * (t * 1.1).sin());
                Some(Pose { roll: 0.1 * t.sin(), ..Pose::at(x, 0.55 * h, height) })
            });
        }
        _ => {
            storage.crf = 28;
            let a = 0.012 * w;
            camera = Box::new(move |t| Camera {
                shift: (a * (t * 11.0).sin(), a * (t * 17.0).sin()),
                ..Camera::STILL
            });
            let gain = p.rng.range(0.35, 0.6);
            light = Box::new(move |_| Light { gain, noise: 3.0 });
            for n in 0..4 {
                let height = p.size(0.08, 0.25);
                let who = if n == 3 { Who::Masked(p.rng.below(1000)) } else { p.who() };
                let path = p.stroll(height);
                let (yaw, pace) = (p.rng.range(0.2, 1.0), p.rng.range(1.0, 2.5));
                p.add(who, move |t| Some(Pose { yaw: yaw * (t * pace).sin(), ..path(t) }));
            }
            let (speed, width) = (p.rng.range(0.2, 0.5) * w, 0.06 * w);
            let path: Over<Option<Rect>> =
                Box::new(move |t| Some(Rect::new(speed * t, 0.1 * h, speed * t + width, h)));
            p.layers.push(Layer::Thing { path, colour: [60, 72, 88] });
        }
    }
    let frames = if storage.uneven { 80 } else { (seconds * fps) as usize };
    let shots = shots(p, &cuts, frames, background, camera, light);
    Scene { size, fps, frames, seed: clip.seed(), shots, storage }
}

/// Deals the layers out over the shots between the cuts (parts of the
/// clip's length); all of them into one shot if there is no cut.
fn shots(
    plan: Plan,
    cuts: &[f32],
    frames: usize,
    background: usize,
    camera: Over<Camera>,
    light: Over<Light>,
) -> Vec<Shot> {
    if cuts.is_empty() {
        return vec![Shot { first: 0, background, layers: plan.layers, camera, light }];
    }
    let firsts = std::iter::once(0.0).chain(cuts.iter().copied());
    plan.layers
        .into_iter()
        .zip(firsts)
        .enumerate()
        .map(|(i, (layer, at))| Shot {
            first: (at * frames as f32) as usize,
            background: background + i,
            layers: vec![layer],
            camera: still(),
            light: plain(),
        })
        .collect()
}

/// The clips of a half: every scenario with `seeds` seeds.
#[must_use]
pub fn clips(half: Half, seeds: usize) -> Vec<Clip> {
    (0..seeds)
        .flat_map(|number| {
            SCENARIOS.into_iter().map(move |scenario| Clip { scenario, half, number, brief: false })
        })
        .collect()
}
