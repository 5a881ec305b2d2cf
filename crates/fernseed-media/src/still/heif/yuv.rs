//! Decoded Y'CbCr planes to R'G'B' samples.

use super::Coded;
use super::properties::Nclx;
use crate::still::StillError;
use crate::still::colour::Colour;
use crate::still::guard::{packed_len, zeroed};
use crate::still::raster::{Channels, Samples, unmultiply};
use fernseed_core::Size;

/// How many chroma samples there are to a luma sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chroma {
    /// No chroma.
    None,
    /// 4:2:0.
    Quarter,
    /// 4:2:2.
    Half,
    /// 4:4:4.
    Full,
}

/// A decoded picture in planes; samples use the low `depth` bits.
pub(super) struct Yuv {
    pub(super) size: Size,
    pub(super) depth: u8,
    pub(super) chroma: Chroma,
    pub(super) planes: [Vec<u16>; 3],
    /// Samples from one row to the next.
    pub(super) luma_stride: usize,
    pub(super) chroma_stride: usize,
    /// Code points of ITU-T H.273 that the coded data holds.
    pub(super) primaries: u8,
    pub(super) transfer: u8,
    pub(super) matrix: u8,
    pub(super) full_range: bool,
}

impl Yuv {
    /// What the coded data says about colour.
    pub(super) const fn colour(&self) -> Colour {
        Colour::Cicp { primaries: self.primaries, transfer: self.transfer }
    }

    /// R'G'B': 8 bit if the planes are, else 16 bit. The container's code
    /// points go before those of the coded data.
    pub(super) fn to_rgb(&self, nclx: Option<Nclx>) -> Result<Samples, StillError> {
        let (matrix, full) =
            nclx.map_or((self.matrix, self.full_range), |n| (n.matrix, n.full_range));
        if !(8..=16).contains(&self.depth) {
            return Err(StillError::unsupported(format!("{} bits a sample", self.depth)));
        }
        let maths = Maths::new(matrix, full, self.depth)?;
        let len = packed_len(self.size, 3)?;
        if self.depth == 8 {
            let mut out = zeroed(len)?;
            self.convert(&maths, &mut out, |v| (v * 255.0 + 0.5) as u8)?;
            Ok(Samples::U8(out))
        } else {
            let mut out = zeroed(len)?;
            self.convert(&maths, &mut out, |v| (v * 65_535.0 + 0.5) as u16)?;
            Ok(Samples::U16(out))
        }
    }

    fn convert<T: Copy>(
        &self,
        maths: &Maths,
        out: &mut [T],
        store: impl Fn(f32) -> T,
    ) -> Result<(), StillError> {
        let short = || StillError::damaged("a decoded plane is too short");
        let width = self.size.width as usize;
        let (x_shift, y_shift) = match self.chroma {
            Chroma::Quarter => (1, 1),
            Chroma::Half => (1, 0),
            Chroma::Full | Chroma::None => (0, 0),
        };
        let chroma_width = width.div_ceil(1 << x_shift);
        for (y, row) in out.chunks_exact_mut(width * 3).enumerate() {
            let luma = row_of(&self.planes[0], self.luma_stride, y, width).ok_or_else(short)?;
            let pixels = row.as_chunks_mut::<3>().0.iter_mut().zip(luma);
            if self.chroma == Chroma::None {
                for (pixel, luma) in pixels {
                    *pixel = [store(maths.gray(*luma)); 3];
                }
                continue;
            }
            let line = |plane: usize| {
                row_of(self.planes.get(plane)?, self.chroma_stride, y >> y_shift, chroma_width)
            };
            let (cb, cr) = line(1).zip(line(2)).ok_or_else(short)?;
            if x_shift == 0 {
                for ((pixel, luma), (cb, cr)) in pixels.zip(cb.iter().zip(cr)) {
                    *pixel = maths.rgb(*luma, *cb, *cr).map(&store);
                }
            } else {
                let pairs = row.chunks_mut(6).zip(luma.chunks(2)).zip(cb.iter().zip(cr));
                for ((pair, lumas), (cb, cr)) in pairs {
                    for (pixel, luma) in pair.as_chunks_mut::<3>().0.iter_mut().zip(lumas) {
                        *pixel = maths.rgb(*luma, *cb, *cr).map(&store);
                    }
                }
            }
        }
        Ok(())
    }

    /// The luma plane over 16 bits, without padding, for alpha.
    pub(super) fn luma(&self, limited: bool) -> Result<Vec<u16>, StillError> {
        let maths = Maths::new(1, !limited, self.depth)?;
        let width = self.size.width as usize;
        let mut out = zeroed(packed_len(self.size, 1)?)?;
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            let luma = row_of(&self.planes[0], self.luma_stride, y, width)
                .ok_or_else(|| StillError::damaged("a decoded plane is too short"))?;
            for (to, v) in row.iter_mut().zip(luma) {
                *to = (maths.gray(*v) * 65_535.0 + 0.5) as u16;
            }
        }
        Ok(out)
    }
}

fn row_of(plane: &[u16], stride: usize, y: usize, width: usize) -> Option<&[u16]> {
    let start = y.checked_mul(stride)?;
    plane.get(start..start.checked_add(width)?)
}

/// Equations of ITU-T H.273, 8.3, on values from 0 to 1.
struct Maths {
    identity: bool,
    luma: (f32, f32),
    chroma: (f32, f32),
    r_cr: f32,
    g_cb: f32,
    g_cr: f32,
    b_cb: f32,
}

impl Maths {
    fn new(matrix: u8, full_range: bool, depth: u8) -> Result<Self, StillError> {
        let (kr, kb) = match matrix {
            0 => (0.0, 0.0),
            // 12 follows from the primaries, which are BT.709's as good as always.
            1 | 12 => (0.2126, 0.0722),
            2 | 5 | 6 => (0.299, 0.114),
            4 => (0.3, 0.11),
            7 => (0.212, 0.087),
            9 => (0.2627, 0.0593),
            n => return Err(StillError::unsupported(format!("colour matrix {n}"))),
        };
        let scale = f32::from(1_u16 << (depth.clamp(8, 16) - 8));
        let top = 256.0 * scale - 1.0;
        let (luma, chroma) = if full_range {
            ((0.0, 1.0 / top), (128.0 * scale, 1.0 / top))
        } else {
            ((16.0 * scale, 1.0 / (219.0 * scale)), (128.0 * scale, 1.0 / (224.0 * scale)))
        };
        let kg = 1.0 - kr - kb;
        Ok(Self {
            identity: matrix == 0,
            luma,
            chroma,
            r_cr: 2.0 * (1.0 - kr),
            g_cb: -2.0 * (1.0 - kb) * kb / kg,
            g_cr: -2.0 * (1.0 - kr) * kr / kg,
            b_cb: 2.0 * (1.0 - kb),
        })
    }

    fn gray(&self, y: u16) -> f32 {
        ((f32::from(y) - self.luma.0) * self.luma.1).clamp(0.0, 1.0)
    }

    fn rgb(&self, y: u16, cb: u16, cr: u16) -> [f32; 3] {
        if self.identity {
            return [self.gray(cr), self.gray(y), self.gray(cb)];
        }
        let y = (f32::from(y) - self.luma.0) * self.luma.1;
        let cb = (f32::from(cb) - self.chroma.0) * self.chroma.1;
        let cr = (f32::from(cr) - self.chroma.0) * self.chroma.1;
        [y + self.r_cr * cr, y + self.g_cb * cb + self.g_cr * cr, y + self.b_cb * cb]
            .map(|v| v.clamp(0.0, 1.0))
    }
}

/// Makes RGB to RGBA; `alpha` has one sample a pixel.
pub(super) fn join_alpha(
    coded: &mut Coded,
    alpha: &[u16],
    premultiplied: bool,
) -> Result<(), StillError> {
    coded.samples = match &coded.samples {
        Samples::U8(v) => {
            let mut out = zeroed(v.len() / 3 * 4)?;
            let places = out.as_chunks_mut::<4>().0.iter_mut();
            for ((to, [r, g, b]), a) in places.zip(v.as_chunks::<3>().0).zip(alpha) {
                *to = [*r, *g, *b, crate::still::colour::narrow(*a)];
            }
            if premultiplied {
                unmultiply(&mut out, 4, 255);
            }
            Samples::U8(out)
        }
        Samples::U16(v) => {
            let mut out = zeroed(v.len() / 3 * 4)?;
            let places = out.as_chunks_mut::<4>().0.iter_mut();
            for ((to, [r, g, b]), a) in places.zip(v.as_chunks::<3>().0).zip(alpha) {
                *to = [*r, *g, *b, *a];
            }
            if premultiplied {
                unmultiply(&mut out, 4, 65_535);
            }
            Samples::U16(out)
        }
    };
    coded.channels = Channels::Rgba;
    Ok(())
}
