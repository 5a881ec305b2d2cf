//! Feature maps and the memory a run of a network needs.

/// A feature map: `[row][column][channel]`, channels padded to whole vectors.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeatureMap<T = f32> {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Channels as stored, including the zero padding.
    pub(crate) channels: usize,
    /// At least as many values as the shape says; see [`Self::values`].
    data: Vec<T>,
}

impl<T: Copy + Default> FeatureMap<T> {
    /// Takes a new shape, and the caller writes every value. Memory only grows,
    /// so that small and large pictures in turn do not clear it each time; where
    /// it does, old values are not carried over, and what the system gives is
    /// zero already.
    pub(crate) fn reshape(&mut self, height: usize, width: usize, channels: usize) {
        (self.height, self.width, self.channels) = (height, width, channels);
        let length = height * width * channels;
        if self.data.len() < length {
            self.data = Vec::new();
            self.data = vec![T::default(); length];
        }
    }

    /// All values.
    pub(crate) fn values(&self) -> &[T] {
        &self.data[..self.height * self.width * self.channels]
    }

    /// All values, to write.
    pub(crate) fn values_mut(&mut self) -> &mut [T] {
        &mut self.data[..self.height * self.width * self.channels]
    }

    /// All values of row `y`.
    pub(crate) fn row(&self, y: usize) -> &[T] {
        let len = self.width * self.channels;
        &self.data[y * len..(y + 1) * len]
    }

    /// All values of row `y`, to write.
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [T] {
        let len = self.width * self.channels;
        &mut self.data[y * len..(y + 1) * len]
    }

    /// The channels of one pixel.
    pub(crate) fn pixel(&self, x: usize, y: usize) -> &[T] {
        let at = (y * self.width + x) * self.channels;
        &self.data[at..at + self.channels]
    }
}

impl FeatureMap {
    /// Becomes a copy.
    pub(crate) fn copy_of(&mut self, from: &Self) {
        self.reshape(from.height, from.width, from.channels);
        self.values_mut().copy_from_slice(from.values());
    }

    /// Adds another map of the same shape.
    pub(crate) fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.values().len(), other.values().len());
        for (a, b) in self.values_mut().iter_mut().zip(other.values()) {
            *a += b;
        }
    }

    /// Adds a map of half the size, each of its pixels to four of ours
    /// (nearest-neighbour upsampling).
    pub(crate) fn add_doubled(&mut self, half: &Self) {
        let channels = self.channels;
        for y in 0..self.height {
            let small = half.row(y / 2);
            for (pair, value) in
                self.row_mut(y).chunks_mut(2 * channels).zip(small.chunks(channels))
            {
                for pixel in pair.chunks_mut(channels) {
                    for (a, b) in pixel.iter_mut().zip(value) {
                        *a += b;
                    }
                }
            }
        }
    }

    /// Becomes the 2x2 maximum of `from` (sides even).
    pub(crate) fn max_pool_of(&mut self, from: &Self) {
        self.reshape(from.height / 2, from.width / 2, from.channels);
        let channels = from.channels;
        for y in 0..self.height {
            max_pool_rows(from.row(2 * y), from.row(2 * y + 1), self.row_mut(y), channels);
        }
    }
}

/// The 2x2 maximum of two rows.
pub(crate) fn max_pool_rows(upper: &[f32], lower: &[f32], out: &mut [f32], channels: usize) {
    // Not `f32::max`: its rules for NaN cost extra instructions.
    let max = |a: f32, b: f32| if a > b { a } else { b };
    let pairs = upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels));
    for (pixel, (u, l)) in out.chunks_exact_mut(channels).zip(pairs) {
        let ((u0, u1), (l0, l1)) = (u.split_at(channels), l.split_at(channels));
        for (c, value) in pixel.iter_mut().enumerate() {
            *value = max(max(u0[c], u1[c]), max(l0[c], l1[c]));
        }
    }
}

/// Three rows of a map in turn, with a pixel of zero border on either side,
/// and one zero row: what a 3x3 kernel needs at the edges. Rows start at
/// addresses the processor reads whole registers from at once.
#[derive(Debug, Default)]
pub(crate) struct RowRing<T = f32> {
    data: Vec<T>,
    /// Where the first row starts, and how far it is to the next.
    start: usize,
    step: usize,
    row_len: usize,
    border: usize,
}

/// Bytes of a cache line.
const LINE: usize = 64;

impl<T: Copy + Default> RowRing<T> {
    /// Takes a shape and becomes all zero.
    pub(crate) fn reset(&mut self, width: usize, channels: usize) {
        let line = (LINE / size_of::<T>().max(1)).max(1);
        self.border = channels;
        self.row_len = (width + 2) * channels;
        self.step = self.row_len.next_multiple_of(line);
        self.data.clear();
        self.data.resize(4 * self.step + line, T::default());
        self.start = self.data.as_ptr().align_offset(LINE).min(line);
    }

    /// The place of row `y`, without its border, to write.
    pub(crate) fn place(&mut self, y: usize) -> &mut [T] {
        let start = self.start + (y % 3) * self.step;
        &mut self.data[start + self.border..start + self.row_len - self.border]
    }

    /// Calls `fill` for the places of rows `filled..end` of a map of `height`
    /// rows.
    pub(crate) fn fill_to(
        &mut self,
        end: usize,
        height: usize,
        filled: &mut usize,
        mut fill: impl FnMut(usize, &mut [T]),
    ) {
        while *filled < end.min(height) {
            fill(*filled, self.place(*filled));
            *filled += 1;
        }
    }

    /// Rows `y - 1`, `y`, `y + 1` of a map of `height` rows, with borders;
    /// the zero row stands for those outside.
    pub(crate) fn around(&self, y: usize, height: usize) -> [&[T]; 3] {
        let row = |slot: usize| {
            let start = self.start + slot * self.step;
            &self.data[start..start + self.row_len]
        };
        [
            if y == 0 { row(3) } else { row((y - 1) % 3) },
            row(y % 3),
            if y + 1 < height { row((y + 1) % 3) } else { row(3) },
        ]
    }
}

/// Memory of one run, kept between runs.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Rows of the input picture as floats.
    pub(crate) pixels: RowRing,
    pub(crate) rows: RowScratch,
    pub(crate) bytes: ByteScratch,
    /// Feature maps by number; the networks say which is which.
    pub(crate) maps: [FeatureMap; 8],
}

/// Memory for the rows a fused block works on.
#[derive(Debug, Default)]
pub(crate) struct RowScratch {
    pub(crate) ring: RowRing,
    pub(crate) row: Vec<f32>,
    pub(crate) pair: Vec<f32>,
    pub(crate) first: Vec<f32>,
}

/// Memory for the rows an 8-bit block works on.
#[derive(Debug, Default)]
pub(crate) struct ByteScratch {
    /// Rows of the input picture.
    pub(crate) pixels: RowRing<u8>,
    pub(crate) ring: RowRing<u8>,
    pub(crate) row: Vec<u8>,
    pub(crate) quantised: Vec<u8>,
    /// Rows before a 16-bit depth-wise filter.
    pub(crate) words: RowRing<i16>,
    /// Feature maps by number; the network says which is which.
    pub(crate) maps: [FeatureMap<u8>; 6],
}

/// An 8-bit RGB picture, sides multiples of 32: what the networks look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInput {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl NetworkInput {
    /// From packed RGB bytes, row by row without padding.
    ///
    /// `None` if a side is zero or not a multiple of 32, or the length does
    /// not match.
    #[must_use]
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Option<Self> {
        let bytes = width.checked_mul(height)?.checked_mul(3)?;
        let fits = bytes > 0
            && width.is_multiple_of(32)
            && height.is_multiple_of(32)
            && data.len() == bytes;
        fits.then_some(Self { width, height, data })
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Its memory.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.data
    }

    /// The bytes of row `y`.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }
}
