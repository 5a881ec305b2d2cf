//! A scene: shots with a camera, light and layers that move by themselves.

use super::sources::{Cutout, Sources};
use fernseed_core::Rect;

/// Something that changes with the time in seconds.
pub(super) type Over<T> = Box<dyn Fn(f32) -> T + Send + Sync>;

/// Where a face is and how it is held, in pixels and radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pose {
    /// Centre of the face.
    pub(super) x: f32,
    /// Centre of the face.
    pub(super) y: f32,
    /// Height of the face's box.
    pub(super) height: f32,
    /// Clockwise tilt.
    pub(super) roll: f32,
    /// Turn about the neck.
    pub(super) yaw: f32,
}

impl Pose {
    /// An upright face seen from the front.
    #[must_use]
    pub(super) const fn at(x: f32, y: f32, height: f32) -> Self {
        Self { x, y, height, roll: 0.0, yaw: 0.0 }
    }

    /// A pose on the way to another.
    #[must_use]
    pub(super) fn between(self, other: Self, f: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * f;
        Self {
            x: mix(self.x, other.x),
            y: mix(self.y, other.y),
            height: mix(self.height, other.height),
            roll: mix(self.roll, other.roll),
            yaw: mix(self.yaw, other.yaw),
        }
    }
}

/// How the whole picture is moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Camera {
    /// Pixels by which everything is shifted.
    pub(super) shift: (f32, f32),
    /// Radians by which everything is turned about the middle.
    pub(super) roll: f32,
    /// Enlargement.
    pub(super) zoom: f32,
}

impl Camera {
    /// A camera on a tripod.
    pub(super) const STILL: Self = Self { shift: (0.0, 0.0), roll: 0.0, zoom: 1.0 };

    /// A pose in the scene as this camera shows it.
    #[must_use]
    pub(super) fn pose(&self, pose: Pose, size: (usize, usize)) -> Pose {
        let (sin, cos) = self.roll.sin_cos();
        let (cx, cy) = (size.0 as f32 / 2.0, size.1 as f32 / 2.0);
        let (dx, dy) = ((pose.x - cx) * self.zoom, (pose.y - cy) * self.zoom);
        Pose {
            x: cx + dx * cos - dy * sin + self.shift.0,
            y: cy + dy * cos + dx * sin + self.shift.1,
            height: pose.height * self.zoom,
            roll: pose.roll + self.roll,
            yaw: pose.yaw,
        }
    }
}

/// Brightness and noise of the whole picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Light {
    /// Factor on every sample.
    pub(super) gain: f32,
    /// Deviation of the noise added afterwards, of 255.
    pub(super) noise: f32,
}

impl Light {
    /// Daylight.
    pub(super) const PLAIN: Self = Self { gain: 1.0, noise: 0.0 };

    pub(super) fn is_plain(self) -> bool {
        self.gain == 1.0 && self.noise == 0.0
    }
}

/// Which picture of a person is pasted; numbers wrap around.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    /// A bare face.
    Bare(usize),
    /// A face with a mask, or a bare one if there are none.
    Masked(usize),
    /// A framed picture.
    Poster(usize),
}

impl Who {
    pub(super) fn get(self, sources: &Sources) -> &Cutout {
        match self {
            Self::Masked(n) if !sources.masked.is_empty() => {
                &sources.masked[n % sources.masked.len()]
            }
            Self::Bare(n) | Self::Masked(n) => &sources.bare[n % sources.bare.len()],
            Self::Poster(n) => &sources.posters[n % sources.posters.len()],
        }
    }
}

/// Something in front of the background; later ones cover earlier ones.
pub(super) enum Layer {
    /// A person, or a picture of one.
    Person {
        /// Who it is within the clip.
        id: u32,
        /// What is pasted.
        cutout: Who,
        /// Where; nothing while the person is away.
        path: Over<Option<Pose>>,
    },
    /// An upright rectangle.
    Thing {
        /// Where; nothing while it is away.
        path: Over<Option<Rect>>,
        /// Its colour.
        colour: [u8; 3],
    },
}

/// Frames between two cuts.
pub(super) struct Shot {
    /// First frame.
    pub(super) first: usize,
    /// Number of the background.
    pub(super) background: usize,
    /// From far to near.
    pub(super) layers: Vec<Layer>,
    /// The camera.
    pub(super) camera: Over<Camera>,
    /// The light.
    pub(super) light: Over<Light>,
}

/// How the clip is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage {
    /// x264's constant rate factor.
    pub(super) crf: u32,
    /// x264's preset.
    pub(super) preset: &'static str,
    /// Frames come at uneven times.
    pub(super) uneven: bool,
    /// Stored lying on its side, with a note to turn it upright.
    pub(super) turned: bool,
}

/// A whole clip before it is drawn.
pub(super) struct Scene {
    /// Width and height of the upright picture.
    pub(super) size: (usize, usize),
    /// Frames a second.
    pub(super) fps: f32,
    /// Number of frames.
    pub(super) frames: usize,
    /// For the noise.
    pub(super) seed: u64,
    /// In order.
    pub(super) shots: Vec<Shot>,
    /// How it is stored.
    pub(super) storage: Storage,
}

impl Scene {
    /// When frame `n` is shown, in milliseconds.
    #[must_use]
    pub(super) fn ms(&self, n: usize) -> f64 {
        if self.storage.uneven {
            uneven_ms(n) as f64
        } else {
            n as f64 * 1000.0 / f64::from(self.fps)
        }
    }
}

/// Timestamps of a phone that drops frames: about 30 a second, jittered,
/// with a pause of 120 ms before every 17th. The encoder's filter
/// ([`UNEVEN_FILTER`]) says the same.
#[must_use]
pub(super) fn uneven_ms(n: usize) -> u64 {
    (33 * n + 9 * (n % 3) + 120 * (n / 17)) as u64
}

/// [`uneven_ms`] in the language of ffmpeg's `setpts`.
pub(super) const UNEVEN_FILTER: &str = "settb=1/1000,setpts=33*N+9*mod(N\\,3)+120*floor(N/17)";
