//! Pictures for compositing: reading through the `ffmpeg` command, halving,
//! sampling between pixels.

use std::path::Path;
use std::process::Command;

/// What went wrong while making or reading material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The `ffmpeg` or `ffprobe` command is missing or could not be talked to.
    #[error("{what}: {why}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        why: std::io::Error,
    },
    /// The command ran and failed, or said something unexpected.
    #[error("{what}: {why}")]
    Failed {
        /// What was tried.
        what: String,
        /// What the command said.
        why: String,
    },
}

impl MediaError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |why| Self::Io { what, why }
    }

    pub(crate) fn failed(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), why: why.into() }
    }
}

/// A picture of premultiplied RGBA samples; colours 0 to 255, alpha 0 to 1.
#[derive(Clone, Debug)]
pub struct Image {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row.
    pub data: Vec<[f32; 4]>,
}

impl Image {
    /// Reads the first picture of a file.
    ///
    /// # Errors
    /// If `ffmpeg` cannot read it.
    pub fn read(path: &Path) -> Result<Self, MediaError> {
        Self::read_at(path, None)
    }

    /// Reads the picture at a time of a video.
    ///
    /// # Errors
    /// If `ffmpeg` cannot read it.
    pub fn read_at(path: &Path, seconds: Option<f32>) -> Result<Self, MediaError> {
        let what = format!("read {}", path.display());
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin"]);
        if let Some(s) = seconds {
            command.args(["-ss", &format!("{s}")]);
        }
        // A binary PPM carries its own size.
        let out = command
            .arg("-i")
            .arg(path)
            .args(["-frames:v", "1", "-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-"])
            .output()
            .map_err(MediaError::io(&what))?;
        Self::from_ppm(&out.stdout).ok_or_else(|| {
            MediaError::failed(what, String::from_utf8_lossy(&out.stderr).into_owned())
        })
    }

    fn from_ppm(bytes: &[u8]) -> Option<Self> {
        let mut fields = Vec::new();
        let mut at = 0;
        while fields.len() < 4 {
            let start = at;
            while !bytes.get(at)?.is_ascii_whitespace() {
                at += 1;
            }
            fields.push(std::str::from_utf8(bytes.get(start..at)?).ok()?);
            at += 1;
        }
        let (width, height) = (fields[1].parse().ok()?, fields[2].parse().ok()?);
        let data: Vec<_> = bytes
            .get(at..)?
            .chunks_exact(3)
            .map(|p| [f32::from(p[0]), f32::from(p[1]), f32::from(p[2]), 1.0])
            .collect();
        (fields[0] == "P6" && data.len() == width * height && !data.is_empty()).then_some(Self {
            width,
            height,
            data,
        })
    }

    /// A transparent picture.
    #[must_use]
    pub fn clear(width: usize, height: usize) -> Self {
        Self { width, height, data: vec![[0.0; 4]; width * height] }
    }

    /// The sample at a place, the nearest one inside if it is outside.
    #[must_use]
    pub fn clamped(&self, x: isize, y: isize) -> [f32; 4] {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.data[y * self.width + x]
    }

    /// Bilinear; `x` and `y` in pixels, centres at halves; transparent
    /// outside.
    #[must_use]
    pub fn sample(&self, x: f32, y: f32) -> [f32; 4] {
        if x < 0.0 || y < 0.0 || x > self.width as f32 || y > self.height as f32 {
            return [0.0; 4];
        }
        let (x, y) = (x - 0.5, y - 0.5);
        let (x0, y0) = (x.floor(), y.floor());
        let (fx, fy) = (x - x0, y - y0);
        let (x0, y0) = (x0 as isize, y0 as isize);
        let [a, b] = [self.clamped(x0, y0), self.clamped(x0 + 1, y0)];
        let [c, d] = [self.clamped(x0, y0 + 1), self.clamped(x0 + 1, y0 + 1)];
        std::array::from_fn(|i| {
            let top = a[i] + (b[i] - a[i]) * fx;
            let bottom = c[i] + (d[i] - c[i]) * fx;
            top + (bottom - top) * fy
        })
    }

    /// The picture at half the size, two by two averaged.
    #[must_use]
    pub fn half(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut data = Vec::with_capacity(width * height);
        for y in 0..height as isize {
            for x in 0..width as isize {
                let four = [(0, 0), (1, 0), (0, 1), (1, 1)]
                    .map(|(dx, dy)| self.clamped(2 * x + dx, 2 * y + dy));
                data.push(std::array::from_fn(|i| four.iter().map(|p| p[i]).sum::<f32>() / 4.0));
            }
        }
        Self { width, height, data }
    }

    /// The part from (`x`, `y`), transparent where it leaves the picture.
    #[must_use]
    pub fn crop(&self, x: isize, y: isize, width: usize, height: usize) -> Self {
        let mut out = Self::clear(width, height);
        for row in 0..height {
            for column in 0..width {
                let (sx, sy) = (x + column as isize, y + row as isize);
                if (0..self.width as isize).contains(&sx) && (0..self.height as isize).contains(&sy)
                {
                    out.data[row * width + column] = self.clamped(sx, sy);
                }
            }
        }
        out
    }
}
