//! Tone mapping of HDR video (PQ and HLG, BT.2020) to 8-bit SDR BT.709.
//!
//! The map is *static*: one table for all frames of all files. Nothing of a
//! frame's content (peak, average, histogram) changes how another pixel is
//! mapped, so nothing under a mask can show through elsewhere.
//!
//! Method, per sample triple: Y'CbCr to R'G'B' (BT.2020 non-constant
//! luminance); to display light by the EOTF of ITU-R BT.2100 (PQ; HLG with
//! its OOTF at 1000 cd/m2, gamma 1.2); roll-off of the brightest channel by
//! the curve of ITU-R BT.2390 (5.4.1) from a 1000 cd/m2 master to the
//! 203 cd/m2 that ITU-R BT.2408 gives to reference white, the other channels
//! scaled alike so that hue and saturation stay; BT.2020 to BT.709 primaries
//! with clipping; inverse EOTF of BT.1886 (gamma 2.4); BT.709 Y'CbCr in
//! limited range. Reference white lands at about 90 % of SDR white.
//!
//! The maths is done once for a grid of Cb, Cr and Y; frames are mapped by
//! interpolation in it, sharing the work between the four luma samples of a
//! chroma sample.

use super::Hdr;
use fernseed_core::Size;
use fernseed_core::picture::{Plane, YuvColour};

/// Grid points in each chroma direction.
const CHROMA: usize = 65;
/// 10-bit codes from one chroma grid point to the next.
const CHROMA_STEP: usize = 1024 / (CHROMA - 1);
/// Luma steps in the luma table: one per 10-bit code.
const LUMA: usize = 1024;
/// Luma steps that are computed and in the chroma table.
const COARSE: usize = 256;
/// Peak of the mastering display that is assumed, in cd/m2.
const MASTER_PEAK: f32 = 1000.0;
/// Light of reference white, in cd/m2 (ITU-R BT.2408).
const REFERENCE_WHITE: f32 = 203.0;

/// The tables of one curve.
pub(super) struct ToneMap {
    hdr: Hdr,
    /// `[cb][cr][y]`: output luma for a limited-range input.
    luma: Vec<[u8; LUMA]>,
    /// `[cb][cr][y / 4]`: output Cb and Cr.
    chroma: Vec<[[u8; 2]; COARSE]>,
}

impl std::fmt::Debug for ToneMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToneMap").field("hdr", &self.hdr).finish_non_exhaustive()
    }
}

/// SMPTE ST 2084 EOTF: signal 0..1 to light in cd/m2.
fn pq_to_light(signal: f32) -> f32 {
    let p = signal.max(0.0).powf(1.0 / 78.843_75);
    let top = (p - 0.835_937_5).max(0.0);
    10_000.0 * (top / (18.851_563 - 18.6875 * p)).powf(1.0 / 0.159_301_76)
}

/// Inverse of [`pq_to_light`].
fn light_to_pq(light: f32) -> f32 {
    let y = (light.max(0.0) / 10_000.0).powf(0.159_301_76);
    ((0.835_937_5 + 18.851_563 * y) / (1.0 + 18.6875 * y)).powf(78.843_75)
}

/// Inverse OETF of BT.2100 HLG: signal 0..1 to scene light 0..1.
fn hlg_to_scene(signal: f32) -> f32 {
    const A: f32 = 0.178_832_77;
    const B: f32 = 0.284_668_92;
    const C: f32 = 0.559_910_7;
    let s = signal.max(0.0);
    if s <= 0.5 { s * s / 3.0 } else { (((s - C) / A).exp() + B) / 12.0 }
}

/// The knee of ITU-R BT.2390 from the master's peak to reference white, on
/// light in cd/m2.
fn roll_off(light: f32) -> f32 {
    let peak = light_to_pq(MASTER_PEAK);
    let target = light_to_pq(REFERENCE_WHITE) / peak;
    let e = (light_to_pq(light) / peak).min(1.0);
    let knee = 1.5 * target - 0.5;
    if e < knee {
        return light;
    }
    let t = (e - knee) / (1.0 - knee);
    let (t2, t3) = (t * t, t * t * t);
    let rolled = (2.0 * t3 - 3.0 * t2 + 1.0) * knee
        + (t3 - 2.0 * t2 + t) * (1.0 - knee)
        + (-2.0 * t3 + 3.0 * t2) * target;
    pq_to_light(rolled * peak)
}

/// Maps one BT.2020 R'G'B' triple to 8-bit limited BT.709 Y'CbCr.
fn map_triple(hdr: Hdr, signal: [f32; 3]) -> [u8; 3] {
    let light = match hdr {
        Hdr::Pq => signal.map(pq_to_light),
        Hdr::Hlg => {
            let scene = signal.map(hlg_to_scene);
            let luminance = 0.2627 * scene[0] + 0.6780 * scene[1] + 0.0593 * scene[2];
            let gain = MASTER_PEAK * luminance.max(1e-6).powf(0.2);
            scene.map(|v| v * gain)
        }
    };
    let brightest = light.iter().copied().fold(0.0, f32::max);
    let scale = if brightest > 0.0 { roll_off(brightest) / brightest } else { 0.0 };
    let [r, g, b] = light.map(|v| v * scale / REFERENCE_WHITE);
    // ITU-R BT.2087: BT.2020 to BT.709 in linear light.
    let narrow = [
        1.660_491 * r - 0.587_641_1 * g - 0.072_849_86 * b,
        -0.124_550_47 * r + 1.132_899_9 * g - 0.008_349_42 * b,
        -0.018_150_76 * r - 0.100_578_9 * g + 1.118_729_7 * b,
    ];
    let coded = narrow.map(|v| v.clamp(0.0, 1.0).powf(1.0 / 2.4));
    let (kr, kb) = YuvColour::BT709.matrix.weights();
    let y = kr * coded[0] + (1.0 - kr - kb) * coded[1] + kb * coded[2];
    let byte = |v: f32| v.round().clamp(0.0, 255.0) as u8;
    [
        byte(y * 219.0 + 16.0),
        byte((coded[2] - y) / (2.0 * (1.0 - kb)) * 224.0 + 128.0),
        byte((coded[0] - y) / (2.0 * (1.0 - kr)) * 224.0 + 128.0),
    ]
}

/// Maps a limited-range 10-bit BT.2020 triple (as real numbers).
fn map_codes(hdr: Hdr, y: f32, cb: f32, cr: f32) -> [u8; 3] {
    let y = (y - 64.0) / 876.0;
    let (cb, cr) = ((cb - 512.0) / 896.0, (cr - 512.0) / 896.0);
    let r = y + 1.4746 * cr;
    let b = y + 1.8814 * cb;
    let g = (y - 0.2627 * r - 0.0593 * b) / 0.6780;
    map_triple(hdr, [r, g, b].map(|v| v.clamp(0.0, 1.0)))
}

impl ToneMap {
    /// Computes the tables of a curve (some tens of milliseconds).
    pub(super) fn new(hdr: Hdr) -> Self {
        let mut luma = Vec::with_capacity(CHROMA * CHROMA);
        let mut chroma = Vec::with_capacity(CHROMA * CHROMA);
        let code = |i: usize| (i * CHROMA_STEP) as f32;
        let mut column = [[0_u8; 3]; COARSE + 1];
        for cb in 0..CHROMA {
            for cr in 0..CHROMA {
                for (i, to) in column.iter_mut().enumerate() {
                    *to = map_codes(hdr, (i * LUMA / COARSE) as f32, code(cb), code(cr));
                }
                let step = LUMA / COARSE;
                luma.push(std::array::from_fn(|y| {
                    let (i, t) = (y / step, y % step);
                    let (a, b) = (usize::from(column[i][0]), usize::from(column[i + 1][0]));
                    ((a * (step - t) + b * t + step / 2) / step) as u8
                }));
                chroma.push(std::array::from_fn(|y| [column[y][1], column[y][2]]));
            }
        }
        Self { hdr, luma, chroma }
    }

    /// Maps a stored frame.
    ///
    /// `source` holds the planes (little-endian 16-bit words, rows `stride`
    /// bytes apart) of a 10-bit 4:2:0 picture of `size`; `target` the planes
    /// of an 8-bit one of the same size.
    pub(super) fn map(
        &self,
        size: Size,
        full_range: bool,
        source: [(&[u8], usize); 3],
        target: &mut [Plane],
    ) {
        let [y_out, cb_out, cr_out] = target else { return };
        let [y_in, cb_in, cr_in] = source;
        let limit = if full_range { to_limited } else { |code: u16, _: bool| code & 1023 };
        let (width, height) = (size.width as usize, size.height as usize);
        for cy in 0..height.div_ceil(2) {
            let top = words_of(y_in, 2 * cy, width);
            let bottom = words_of(y_in, (2 * cy + 1).min(height - 1), width);
            let cb_row = words_of(cb_in, cy, width.div_ceil(2));
            let cr_row = words_of(cr_in, cy, width.div_ceil(2));
            let last = 2 * cy + 1 >= height;
            let (row0, row1) = two_rows(y_out, 2 * cy);
            let (cb_to, cr_to) = (cb_out.row_mut(cy), cr_out.row_mut(cy));
            let pairs = cb_row.chunks_exact(2).zip(cr_row.chunks_exact(2));
            for (cx, ((cb, cr), (cb_to, cr_to))) in
                pairs.zip(cb_to.iter_mut().zip(cr_to.iter_mut())).enumerate()
            {
                let cell = Cell::at(limit(word(cb), true), limit(word(cr), true));
                let rows = cell.points.map(|p| &self.luma[p]);
                let x = 2 * cx;
                let at = |row: &[u8], x: usize| {
                    row.get(2 * x..2 * x + 2).map(|w| usize::from(limit(word(w), false)))
                };
                let Some(a) = at(top, x) else { continue };
                let b = at(top, x + 1).unwrap_or(a);
                let c = at(bottom, x).unwrap_or(a);
                let d = at(bottom, x + 1).unwrap_or(c);
                let put = |row: &mut [u8], x: usize, y: usize| {
                    if let Some(to) = row.get_mut(x) {
                        *to = cell.luma(rows, y);
                    }
                };
                put(row0, x, a);
                put(row0, x + 1, b);
                if !last {
                    put(row1, x, c);
                    put(row1, x + 1, d);
                }
                [*cb_to, *cr_to] = cell.chroma(&self.chroma, (a + b + c + d) / 16);
            }
        }
    }
}

/// A full-range 10-bit code as a limited-range one.
fn to_limited(code: u16, chroma: bool) -> u16 {
    let v = f32::from(code & 1023) / 1023.0;
    let scaled = if chroma { v * 896.0 + 64.0 } else { v * 876.0 + 64.0 };
    scaled.round() as u16
}

fn word(bytes: &[u8]) -> u16 {
    match bytes {
        [low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    }
}

fn words_of((data, stride): (&[u8], usize), row: usize, samples: usize) -> &[u8] {
    data.get(row * stride..row * stride + 2 * samples).unwrap_or(&[])
}

fn two_rows(plane: &mut Plane, first: usize) -> (&mut [u8], &mut [u8]) {
    let (stride, length) = (plane.stride, plane.row_bytes);
    let rest = plane.data.get_mut(first * stride..).unwrap_or(&mut []);
    let (a, b) = rest.split_at_mut(stride.min(rest.len()));
    let (n, m) = (length.min(a.len()), length.min(b.len()));
    (&mut a[..n], &mut b[..m])
}

/// Shift that divides by the sum of the four weights of a [`Cell`].
const WEIGHT_BITS: u32 = 2 * CHROMA_STEP.trailing_zeros();

/// Four grid points around a chroma pair, and their weights.
struct Cell {
    points: [usize; 4],
    weights: [u32; 4],
}

impl Cell {
    fn at(cb: u16, cr: u16) -> Self {
        let (i, j) = (usize::from(cb) / CHROMA_STEP, usize::from(cr) / CHROMA_STEP);
        const STEP: u32 = CHROMA_STEP as u32;
        let (s, t) = (u32::from(cb) % STEP, u32::from(cr) % STEP);
        let (i, j) = (i.min(CHROMA - 2), j.min(CHROMA - 2));
        let first = i * CHROMA + j;
        Self {
            points: [first, first + 1, first + CHROMA, first + CHROMA + 1],
            weights: [(STEP - s) * (STEP - t), (STEP - s) * t, s * (STEP - t), s * t],
        }
    }

    fn luma(&self, rows: [&[u8; LUMA]; 4], y: usize) -> u8 {
        let mut sum = 1 << (WEIGHT_BITS - 1);
        for (row, weight) in rows.iter().zip(self.weights) {
            sum += u32::from(row[y & (LUMA - 1)]) * weight;
        }
        (sum >> WEIGHT_BITS) as u8
    }

    fn chroma(&self, table: &[[[u8; 2]; COARSE]], y: usize) -> [u8; 2] {
        let (mut u, mut v) = (1 << (WEIGHT_BITS - 1), 1 << (WEIGHT_BITS - 1));
        for (&point, weight) in self.points.iter().zip(self.weights) {
            let [a, b] = table[point][y & (COARSE - 1)];
            u += u32::from(a) * weight;
            v += u32::from(b) * weight;
        }
        [(u >> WEIGHT_BITS) as u8, (v >> WEIGHT_BITS) as u8]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10-bit limited code of a grey signal.
    fn grey(signal: f32) -> f32 {
        64.0 + 876.0 * signal
    }

    fn percent(y: u8) -> f32 {
        (f32::from(y) - 16.0) / 2.19
    }

    #[test]
    fn curves_have_their_known_points() {
        assert!((pq_to_light(0.580_69) - 203.0).abs() < 0.5);
        assert!((light_to_pq(100.0) - 0.508_08).abs() < 1e-3);
        assert!((hlg_to_scene(0.75) - 0.265).abs() < 1e-3);
        assert!((hlg_to_scene(1.0) - 1.0).abs() < 1e-3);
        assert!((roll_off(1000.0) - 203.0).abs() < 1.0);
        assert!((roll_off(20.0) - 20.0).abs() < 1e-3);
    }

    #[test]
    fn reference_white_is_white_and_black_is_black() {
        for (hdr, white) in [(Hdr::Pq, 0.5807), (Hdr::Hlg, 0.75)] {
            let [y, cb, cr] = map_codes(hdr, grey(white), 512.0, 512.0);
            assert!((88.0..=97.0).contains(&percent(y)), "{hdr:?} {}", percent(y));
            assert_eq!((cb, cr), (128, 128));
            assert_eq!(map_codes(hdr, 64.0, 512.0, 512.0), [16, 128, 128]);
            assert_eq!(map_codes(hdr, 940.0, 512.0, 512.0)[0], 235);
        }
        // 18 % grey under reference white: 26 cd/m2 in BT.2408.
        let [y, ..] = map_codes(Hdr::Pq, grey(light_to_pq(26.0)), 512.0, 512.0);
        assert!((38.0..=48.0).contains(&percent(y)), "{}", percent(y));
        let [y, ..] = map_codes(Hdr::Hlg, grey(0.38), 512.0, 512.0);
        assert!((38.0..=50.0).contains(&percent(y)), "{}", percent(y));
    }

    #[test]
    fn the_tables_follow_the_maths() {
        for hdr in [Hdr::Pq, Hdr::Hlg] {
            let map = ToneMap::new(hdr);
            // The last one lies far outside BT.709, where clipping bends the
            // map between grid points.
            let triples =
                [(300, 512, 512, 1), (420, 500, 560, 2), (600, 480, 540, 2), (500, 560, 470, 12)];
            for (y, cb, cr, allowed) in triples {
                let wide = |v: u16| v.to_le_bytes().to_vec();
                let source = [wide(y), wide(cb), wide(cr)];
                let planes = [0, 1, 2].map(|i: usize| (&source[i][..], 2));
                let mut target = vec![Plane::filled(1, 1, 0); 3];
                map.map(Size::new(1, 1), false, planes, &mut target);
                let exact = map_codes(hdr, y.into(), cb.into(), cr.into());
                for (plane, exact) in target.iter().zip(exact) {
                    let off = plane.data[0].abs_diff(exact);
                    assert!(off <= allowed, "{hdr:?} {y} {cb} {cr}: {off}");
                }
            }
        }
    }

    #[test]
    fn odd_sizes_are_filled_to_the_last_sample() {
        let map = ToneMap::new(Hdr::Pq);
        let y: Vec<u8> = 700_u16.to_le_bytes().repeat(5 * 3);
        let c: Vec<u8> = 512_u16.to_le_bytes().repeat(3 * 2);
        let mut target =
            vec![Plane::filled(5, 3, 0), Plane::filled(3, 2, 0), Plane::filled(3, 2, 0)];
        map.map(Size::new(5, 3), false, [(&y, 10), (&c, 6), (&c, 6)], &mut target);
        assert!(target[0].data.iter().all(|&v| v == target[0].data[0] && v > 200));
        assert!(target[1].data.iter().all(|&v| v == 128));
    }
}
