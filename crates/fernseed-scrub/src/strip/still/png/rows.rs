//! Rows of a PNG picture: unpack, unfilter, filter, pack.

use super::super::{StripError, damaged, truncated};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};
use std::io::Write;

/// Which palette entries samples point to.
pub(super) type Usage = [bool; 256];

/// Size and kind of one picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bits per pixel.
    pub(super) bits: u32,
    pub(super) interlaced: bool,
}

/// Adam7: first column, first row, column step, row step.
const ADAM7: [(u32, u32, u32, u32); 7] = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
];

impl Layout {
    /// `(pixels per row, rows)` of each pass.
    fn passes(&self) -> Vec<(u32, u32)> {
        if !self.interlaced {
            return vec![(self.width, self.height)];
        }
        ADAM7
            .iter()
            .map(|&(x, y, dx, dy)| {
                let wide = self.width.saturating_sub(x).div_ceil(dx);
                (wide, self.height.saturating_sub(y).div_ceil(dy))
            })
            .filter(|&(w, h)| w > 0 && h > 0)
            .collect()
    }

    /// Bytes of a row of `pixels`.
    pub(super) fn row_len(&self, pixels: u32) -> u64 {
        (u64::from(pixels) * u64::from(self.bits)).div_ceil(8)
    }

    /// Bytes of samples with filter bytes.
    pub(super) fn raw_len(&self) -> u64 {
        let passes = self.passes();
        let lengths = passes.iter().map(|&(w, h)| (1 + self.row_len(w)).saturating_mul(h.into()));
        lengths.fold(0, u64::saturating_add)
    }
}

/// A zlib stream over pieces, unpacked as asked for.
struct Unpacker<'a> {
    pieces: std::slice::Iter<'a, &'a [u8]>,
    piece: &'a [u8],
    inflate: Decompress,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<'a> Unpacker<'a> {
    fn new(pieces: &'a [&'a [u8]]) -> Self {
        Self {
            pieces: pieces.iter(),
            piece: &[],
            inflate: Decompress::new(true),
            buffer: vec![0; 64 * 1024],
            start: 0,
            end: 0,
        }
    }

    fn fill(&mut self, mut out: &mut [u8]) -> Result<(), StripError> {
        while !out.is_empty() {
            if self.start == self.end {
                self.more()?;
            }
            let n = (self.end - self.start).min(out.len());
            let (now, later) = out.split_at_mut(n);
            if let Some(from) = self.buffer.get(self.start..self.start + n) {
                now.copy_from_slice(from);
            }
            self.start += n;
            out = later;
        }
        Ok(())
    }

    fn more(&mut self) -> Result<(), StripError> {
        loop {
            let mut last = false;
            if self.piece.is_empty() {
                match self.pieces.next() {
                    Some(next) => self.piece = next,
                    None => last = true,
                }
            }
            let (used, made) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(self.piece, &mut self.buffer, FlushDecompress::None)
                .ok()
                .ok_or_else(|| damaged("the compressed picture"))?;
            let used = (self.inflate.total_in() - used) as usize;
            self.piece = self.piece.get(used..).unwrap_or_default();
            (self.start, self.end) = (0, (self.inflate.total_out() - made) as usize);
            if self.end > 0 {
                return Ok(());
            }
            if status == Status::StreamEnd || last {
                return Err(truncated("the compressed picture"));
            }
        }
    }
}

/// Calls `each(row, row before, pixels)` for every unfiltered row; a first
/// row has an empty one before it.
fn rows(
    data: &[&[u8]],
    layout: &Layout,
    mut each: impl FnMut(&[u8], &[u8], u32) -> Result<(), StripError>,
) -> Result<(), StripError> {
    let mut source = Unpacker::new(data);
    let bpp = (layout.bits as usize).div_ceil(8);
    for (pixels, height) in layout.passes() {
        let len = layout.row_len(pixels) as usize;
        // Nothing is allocated for rows before there is data for one.
        let (mut before, mut row) = (Vec::new(), Vec::new());
        for y in 0..height {
            let mut filter = [0];
            source.fill(&mut filter)?;
            row.resize(len, 0);
            source.fill(&mut row)?;
            before.resize(len, 0);
            unfilter(filter[0], &mut row, &before, bpp)?;
            let used = (u64::from(pixels) * u64::from(layout.bits) % 8) as u32;
            if used > 0
                && let Some(last) = row.last_mut()
            {
                *last &= !(0xFFu8 >> used);
            }
            each(&row, if y == 0 { &[] } else { &before }, pixels)?;
            std::mem::swap(&mut row, &mut before);
        }
    }
    Ok(())
}

fn unfilter(kind: u8, row: &mut [u8], before: &[u8], bpp: usize) -> Result<(), StripError> {
    match kind {
        0 => {}
        1 => {
            for i in bpp..row.len() {
                row[i] = row[i].wrapping_add(row[i - bpp]);
            }
        }
        2 => {
            for (v, &up) in row.iter_mut().zip(before) {
                *v = v.wrapping_add(up);
            }
        }
        3 => {
            for i in 0..row.len().min(before.len()) {
                let left = if i >= bpp { row[i - bpp] } else { 0 };
                row[i] = row[i].wrapping_add(left.midpoint(before[i]));
            }
        }
        4 => {
            for i in 0..row.len().min(before.len()) {
                let (left, corner) =
                    if i >= bpp { (row[i - bpp], before[i - bpp]) } else { (0, 0) };
                row[i] = row[i].wrapping_add(paeth(left, before[i], corner));
            }
        }
        _ => return Err(damaged("a row has an unknown filter")),
    }
    Ok(())
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(up), i16::from(corner));
    let (pa, pb, pc) = ((b - c).abs(), (a - c).abs(), (a + b - c - c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        up
    } else {
        corner
    }
}

/// Filters a row into `out` without the filter byte. Slices in step, so that
/// the compiler makes vector code of it.
fn filter(kind: u8, row: &[u8], before: &[u8], bpp: usize, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(row);
    let bpp = bpp.min(row.len());
    // The first pixel has nothing to its left.
    let (head, tail) = out.split_at_mut(bpp);
    let up = before.get(bpp..).unwrap_or_default();
    match kind {
        1 => tail.iter_mut().zip(row).for_each(|(v, &l)| *v = v.wrapping_sub(l)),
        2 => out.iter_mut().zip(before).for_each(|(v, &u)| *v = v.wrapping_sub(u)),
        3 => {
            head.iter_mut().zip(before).for_each(|(v, &u)| *v = v.wrapping_sub(u / 2));
            let around = row.iter().zip(up);
            tail.iter_mut().zip(around).for_each(|(v, (l, &u))| *v = v.wrapping_sub(l.midpoint(u)));
        }
        4 => {
            head.iter_mut().zip(before).for_each(|(v, &u)| *v = v.wrapping_sub(u));
            let around = row.iter().zip(up).zip(before);
            tail.iter_mut()
                .zip(around)
                .for_each(|(v, ((&l, &u), &c))| *v = v.wrapping_sub(paeth(l, u, c)));
        }
        _ => {}
    }
}

/// Sum of the differences' sizes, in pieces that fit a narrow sum.
fn cost(row: &[u8]) -> u64 {
    let size = |&v: &u8| u32::from((v as i8).unsigned_abs());
    row.chunks(1 << 16).map(|piece| u64::from(piece.iter().map(size).sum::<u32>())).sum()
}

fn packer() -> ZlibEncoder<Vec<u8>> {
    ZlibEncoder::new(Vec::new(), Compression::new(6))
}

/// Packs the rows of `data` anew. With `filtered`, each row takes the filter
/// with the smallest sum of differences; else none is used.
pub(super) fn repack(
    data: &[&[u8]],
    layout: &Layout,
    filtered: bool,
) -> Result<Vec<u8>, StripError> {
    let bpp = (layout.bits as usize).div_ceil(8);
    let filtered = filtered && layout.bits >= 8;
    let mut packer = packer();
    let (mut best, mut tried) = (Vec::new(), Vec::new());
    rows(data, layout, |row, before, _| {
        let mut kind = 0u8;
        if filtered {
            let kinds: &[u8] = if before.is_empty() { &[1] } else { &[1, 2, 3, 4] };
            let mut least = cost(row);
            for &k in kinds {
                filter(k, row, before, bpp, &mut tried);
                let c = cost(&tried);
                if c < least {
                    (least, kind) = (c, k);
                    std::mem::swap(&mut best, &mut tried);
                }
            }
        }
        packer.write_all(&[kind])?;
        packer.write_all(if kind == 0 { row } else { &best })?;
        Ok(())
    })?;
    Ok(packer.finish()?)
}

/// Marks which palette entries the picture uses.
pub(super) fn usage(data: &[&[u8]], layout: &Layout, usage: &mut Usage) -> Result<(), StripError> {
    let bits = layout.bits.clamp(1, 8);
    let mask = ((1u32 << bits) - 1) as u8;
    rows(data, layout, |row, _, pixels| {
        let mut left = pixels;
        for &byte in row {
            let mut shift = 8;
            while shift > 0 && left > 0 {
                shift -= bits;
                left -= 1;
                usage[usize::from(byte >> shift & mask)] = true;
            }
        }
        Ok(())
    })
}

/// Compresses the way every stream of ours is compressed.
pub(super) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut packer = packer();
    // Writing into memory does not fail.
    packer.write_all(data).and_then(|()| packer.finish()).unwrap_or_default()
}
