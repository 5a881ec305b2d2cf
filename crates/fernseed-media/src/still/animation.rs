//! Pictures that move: read frame by frame, so that memory does not grow
//! with their number.

use super::StillError;
use super::guard::guarded;
use super::raster::Raster;
use fernseed_core::finding::Finding;
use fernseed_core::limits::Limits;
use fernseed_core::{Picture, Size};

/// How long a frame is shown: `num / den` seconds, exactly as the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delay {
    /// Numerator in seconds; zero means as short as the viewer can.
    pub num: u32,
    /// Denominator; never zero.
    pub den: u32,
}

impl Delay {
    /// A delay in lowest terms; a zero denominator counts as 100, as APNG says.
    #[must_use]
    pub fn new(num: u32, den: u32) -> Self {
        let den = if den == 0 { 100 } else { den };
        let divisor = gcd(num, den);
        Self { num: num / divisor, den: den / divisor }
    }

    /// As 16-bit numerator and denominator: exact where they fit, else the
    /// nearest value with the largest denominator that fits.
    pub(super) fn in_16_bits(self) -> (u16, u16) {
        let Self { num, den } = Self::new(self.num, self.den);
        if let (Ok(n), Ok(d)) = (u16::try_from(num), u16::try_from(den)) {
            return (n, d);
        }
        let seconds = f64::from(num) / f64::from(den);
        let d = if seconds < 65.0 {
            1000
        } else if seconds < 650.0 {
            100
        } else {
            1
        };
        ((seconds * f64::from(d)).round().min(65_535.0) as u16, d)
    }
}

fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// Gives the frames of one format, each as the whole canvas.
pub(super) trait FrameSource {
    /// The next frame; `None` after the last.
    fn next_frame(&mut self) -> Result<Option<(Raster, Delay)>, StillError>;
}

/// Facts about an animation that are known before its frames are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnimationInfo {
    /// Size of every frame, upright.
    pub size: Size,
    /// Number of frames, at least 2.
    pub frames: u32,
    /// How often it is played; 0 is for ever.
    pub loops: u32,
}

/// Reads the frames of an animation in order. To begin again, call
/// [`super::decode`] again.
pub struct AnimationReader<'a> {
    info: AnimationInfo,
    source: Box<dyn FrameSource + 'a>,
    notes: Vec<Finding>,
    given: u32,
    failed: bool,
}

impl std::fmt::Debug for AnimationReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnimationReader").field("info", &self.info).finish_non_exhaustive()
    }
}

impl<'a> AnimationReader<'a> {
    pub(super) fn new(
        info: AnimationInfo,
        source: Box<dyn FrameSource + 'a>,
        limits: &Limits,
    ) -> Result<Self, StillError> {
        if info.frames > limits.max_animation_frames {
            return Err(StillError::Limit { what: "frames of an animation" });
        }
        Ok(Self { info, source, notes: Vec::new(), given: 0, failed: false })
    }

    /// Size, number of frames and repetitions.
    #[must_use]
    pub const fn info(&self) -> AnimationInfo {
        self.info
    }

    /// The next frame, whole and upright, and how long it is shown; `None`
    /// after the last. Frames are `Rgb8` or `Rgba8`, each by its own pixels.
    ///
    /// # Errors
    /// As [`super::decode`]; `Truncated` if there are fewer frames than
    /// [`AnimationInfo::frames`]. After an error there is nothing more.
    #[expect(clippy::should_implement_trait, reason = "an iterator of results invites going on")]
    pub fn next(&mut self) -> Result<Option<(Picture, Delay)>, StillError> {
        if self.failed || self.given == self.info.frames {
            return Ok(None);
        }
        self.failed = true;
        let Some((raster, delay)) = guarded("animation", || self.source.next_frame())? else {
            return Err(StillError::Truncated);
        };
        // What is wrong with one frame's colour is wrong with all of them.
        let mut notes = Vec::new();
        let picture = raster.finish(&mut notes)?;
        if self.notes.is_empty() {
            self.notes = notes;
        }
        if picture.size() != self.info.size {
            return Err(StillError::damaged("its frames differ in size"));
        }
        self.given += 1;
        self.failed = false;
        Ok(Some((picture, delay)))
    }

    /// What was noticed while frames were read.
    #[must_use]
    pub fn notes(&self) -> &[Finding] {
        &self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_exact_where_they_can() {
        assert_eq!(Delay::new(4, 100), Delay { num: 1, den: 25 });
        assert_eq!(Delay::new(5, 0), Delay { num: 1, den: 20 });
        assert_eq!(Delay::new(0, 7), Delay { num: 0, den: 1 });
        assert_eq!(Delay::new(1001, 30_000).in_16_bits(), (1001, 30_000));
        assert_eq!(Delay::new(1001, 120_000).in_16_bits(), (8, 1000));
        assert_eq!(Delay::new(100_001, 1000).in_16_bits(), (10_000, 100));
        assert_eq!(Delay::new(u32::MAX, 1).in_16_bits(), (65_535, 1));
    }
}
