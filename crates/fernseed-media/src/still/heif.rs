//! HEIF files: HEIC (HEVC, decoded by `heic-rs`) and AVIF (AV1, decoded by
//! `re_rav1d`, a Rust port of dav1d). The container is read here, since
//! both codecs share it and colour, alpha, grids and turning live in it.
//!
//! Only the primary item is decoded, with its alpha. Thumbnails, depth and
//! gain maps, bursts and sequences are not carried over. EXIF orientation
//! is ignored, as the standard asks: `irot` and `imir` say how to turn.

mod codec;
mod meta;
mod properties;
mod sps;
mod yuv;

use super::StillError;
use super::colour::Colour;
use super::guard::{allowed, guarded, packed_len, zeroed};
use super::raster::{Channels, Raster, Samples};
use fernseed_core::Size;
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::limits::Limits;
use meta::Meta;
use properties::Properties;
use yuv::Yuv;

/// Most tiles of a grid: what a 200-megapixel picture of 256-pixel tiles needs.
const MAX_TILES: usize = 4096;
/// Most tiles decoded at the same time.
const MAX_THREADS: usize = 8;

pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
    notes: &mut Vec<Finding>,
) -> Result<Raster, StillError> {
    let meta = Meta::read(bytes)?;
    guarded("HEIF", || {
        let file = File { meta, limits };
        let primary = file.meta.primary;
        let props = file.properties(primary)?;
        let mut coded = file.pixels(primary, &props)?;
        if let Some(alpha) = file.meta.alpha_of(primary) {
            file.add_alpha(&mut coded, primary, alpha)?;
        }
        if file.meta.has_others() {
            notes.push(Finding::new(
                FindingCode::Note,
                Severity::Notice,
                "The file holds several pictures; only its main one was carried over.",
            ));
        }
        let cropped = props.crop.map_or(Ok(None), |c| c.area(coded.size).map(Some))?;
        if let Some(area) = cropped {
            coded.crop(area)?;
        }
        // A grid may leave its colour to its tiles, as some phones' do.
        let colour = props.colour().unwrap_or(coded.colour);
        Ok(Raster {
            size: coded.size,
            channels: coded.channels,
            samples: coded.samples,
            colour,
            orientation: props.orientation,
        })
    })
}

/// Decoded samples of one item.
struct Coded {
    size: Size,
    channels: Channels,
    samples: Samples,
    /// What the coded data itself says about colour.
    colour: Colour,
}

impl Coded {
    /// Keeps just a part: left, top, and size.
    fn crop(&mut self, (left, top, size): (u32, u32, Size)) -> Result<(), StillError> {
        let n = self.channels.count();
        let (from, at) = (self.size, (left as usize, top as usize));
        self.samples = match &self.samples {
            Samples::U8(v) => Samples::U8(cut(v, from, n, at, size)?),
            Samples::U16(v) => Samples::U16(cut(v, from, n, at, size)?),
        };
        self.size = size;
        Ok(())
    }
}

fn cut<T: Copy + Default>(
    samples: &[T],
    from: Size,
    n: usize,
    (left, top): (usize, usize),
    size: Size,
) -> Result<Vec<T>, StillError> {
    let mut out = zeroed(packed_len(size, n)?)?;
    let (row, wanted) = (from.width as usize * n, size.width as usize * n);
    for (to, line) in out.chunks_exact_mut(wanted).zip(samples.chunks_exact(row).skip(top)) {
        let part = line.get(left * n..left * n + wanted);
        to.copy_from_slice(part.ok_or_else(|| StillError::damaged("its crop lies outside"))?);
    }
    Ok(out)
}

/// A file's items and what they may cost.
struct File<'a> {
    meta: Meta<'a>,
    limits: &'a Limits,
}

impl<'a> File<'a> {
    fn properties(&self, item: u32) -> Result<Properties<'a>, StillError> {
        Properties::read(self.meta.properties_of(item))
    }

    /// The samples of an item, a grid's tiles put together.
    fn pixels(&self, item: u32, props: &Properties<'a>) -> Result<Coded, StillError> {
        if let Some((w, h)) = props.size {
            allowed(w, h, self.limits)?;
        }
        match self.meta.kind(item) {
            Some(b"hvc1" | b"av01") => {
                let yuv = self.coded(item, props)?;
                Ok(Coded {
                    size: yuv.size,
                    channels: Channels::Rgb,
                    colour: props.colour().unwrap_or(yuv.colour()),
                    samples: yuv.to_rgb(props.nclx)?,
                })
            }
            Some(b"grid") => self.grid(item, props),
            Some(kind) => {
                let kind = String::from_utf8_lossy(kind).into_owned();
                Err(StillError::unsupported(format!("HEIF with an item of type '{kind}'")))
            }
            None => Err(StillError::damaged("its main picture does not exist")),
        }
    }

    /// Decodes an item that is one coded picture.
    fn coded(&self, item: u32, props: &Properties<'a>) -> Result<Yuv, StillError> {
        let data = self.meta.data(item)?;
        let yuv = match (self.meta.kind(item), props.hvcc) {
            (Some(b"hvc1"), Some(config)) => codec::hevc(config, &data, self.limits)?,
            (Some(b"av01"), _) => codec::av1(data.into_owned(), self.limits)?,
            _ => return Err(StillError::damaged("a coded picture has no configuration")),
        };
        allowed(yuv.size.width, yuv.size.height, self.limits)?;
        Ok(yuv)
    }

    /// Puts the tiles of a grid together (ISO/IEC 23008-12, 6.6.2.3).
    fn grid(&self, item: u32, props: &Properties<'a>) -> Result<Coded, StillError> {
        let data = self.meta.data(item)?;
        let grid = Grid::read(&data).ok_or_else(|| StillError::damaged("its grid is cut"))?;
        let size = allowed(grid.size.0, grid.size.1, self.limits)?;
        let tiles = self.meta.references(item, b"dimg");
        if tiles.len() != grid.columns * grid.rows || tiles.len() > MAX_TILES {
            return Err(StillError::damaged("its grid has a wrong number of tiles"));
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let mut canvas: Option<Canvas> = None;
        for (batch, ids) in tiles.chunks(threads).enumerate() {
            for (i, tile) in self.tiles(ids, props)?.into_iter().enumerate() {
                let index = batch * threads + i;
                let canvas = match &mut canvas {
                    Some(canvas) => canvas,
                    None => canvas.insert(Canvas::new(size, &tile)?),
                };
                canvas.place(&tile, index % grid.columns, index / grid.columns)?;
            }
        }
        let canvas = canvas.ok_or_else(|| StillError::damaged("its grid is empty"))?;
        Ok(canvas.done)
    }

    /// Decodes tiles, each on its own thread.
    fn tiles(&self, ids: &[u32], grid: &Properties<'a>) -> Result<Vec<Coded>, StillError> {
        let one = |id: u32| {
            guarded("HEIF", || {
                let mut props = self.properties(id)?;
                // A tile is described by itself or by its grid.
                props.nclx = props.nclx.or(grid.nclx);
                if self.meta.kind(id) == Some(b"grid") {
                    return Err(StillError::unsupported("HEIF with grids of grids"));
                }
                self.pixels(id, &props)
            })
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = ids.iter().map(|id| scope.spawn(move || one(*id))).collect();
            workers
                .into_iter()
                .map(|w| w.join().unwrap_or_else(|_| Err(StillError::damaged("a tile"))))
                .collect()
        })
    }

    /// Adds the alpha item's luma to the pixels.
    fn add_alpha(&self, coded: &mut Coded, master: u32, alpha: u32) -> Result<(), StillError> {
        let props = self.properties(alpha)?;
        if self.meta.kind(alpha) == Some(b"grid") {
            return Err(StillError::unsupported("HEIF with a grid of alpha tiles"));
        }
        let plane = self.coded(alpha, &props)?;
        if plane.size != coded.size {
            return Err(StillError::damaged("its alpha has another size"));
        }
        let limited = props.nclx.is_some_and(|n| !n.full_range);
        let premultiplied = self.meta.references(master, b"prem").contains(&alpha);
        yuv::join_alpha(coded, &plane.luma(limited)?, premultiplied)
    }
}

/// Tiles put together so far.
struct Canvas {
    tile: Size,
    done: Coded,
}

impl Canvas {
    fn new(size: Size, first: &Coded) -> Result<Self, StillError> {
        let len = packed_len(size, first.channels.count())?;
        let samples = match first.samples {
            Samples::U8(_) => Samples::U8(zeroed(len)?),
            Samples::U16(_) => Samples::U16(zeroed(len)?),
        };
        let (channels, colour) = (first.channels, first.colour.clone());
        Ok(Self { tile: first.size, done: Coded { size, channels, samples, colour } })
    }

    fn place(&mut self, tile: &Coded, column: usize, row: usize) -> Result<(), StillError> {
        if tile.size != self.tile || tile.channels != self.done.channels {
            return Err(StillError::damaged("its tiles differ"));
        }
        let (left, top) = (column * tile.size.width as usize, row * tile.size.height as usize);
        let (size, n) = (self.done.size, tile.channels.count());
        match (&mut self.done.samples, &tile.samples) {
            (Samples::U8(to), Samples::U8(from)) => blit(to, size, from, tile.size, n, left, top),
            (Samples::U16(to), Samples::U16(from)) => blit(to, size, from, tile.size, n, left, top),
            _ => return Err(StillError::damaged("its tiles differ in depth")),
        }
        Ok(())
    }
}

fn blit<T: Copy>(
    to: &mut [T],
    to_size: Size,
    from: &[T],
    from_size: Size,
    n: usize,
    left: usize,
    top: usize,
) {
    let (to_row, from_row) = (to_size.width as usize * n, from_size.width as usize * n);
    for (line, source) in to.chunks_exact_mut(to_row).skip(top).zip(from.chunks_exact(from_row)) {
        if let Some(place) = line.get_mut(left * n..) {
            let len = place.len().min(source.len());
            for (p, s) in place.iter_mut().zip(source.iter().take(len)) {
                *p = *s;
            }
        }
    }
}

/// The body of a `grid` item.
struct Grid {
    rows: usize,
    columns: usize,
    size: (u32, u32),
}

impl Grid {
    fn read(data: &[u8]) -> Option<Self> {
        let [0, flags, rows, columns, sides @ ..] = data else { return None };
        let size = if flags & 1 == 0 {
            let (w, h) = (sides.first_chunk()?, sides.get(2..)?.first_chunk()?);
            (u16::from_be_bytes(*w).into(), u16::from_be_bytes(*h).into())
        } else {
            let (w, h) = (sides.first_chunk()?, sides.get(4..)?.first_chunk()?);
            (u32::from_be_bytes(*w), u32::from_be_bytes(*h))
        };
        Some(Self { rows: usize::from(*rows) + 1, columns: usize::from(*columns) + 1, size })
    }
}

#[cfg(test)]
mod tests;
