//! Pictures put together by hand, with room for whatever a test plants.

use super::pictures::{chunk, deflate, riff, rows, segment, webp_of};
use super::samples;

/// An EXIF block (little endian): tags of IFD0, of the Exif IFD and of the
/// GPS IFD as `(tag, type, bytes)`; with `thumbnail`, an IFD1 as well.
pub fn exif(
    main: &[(u16, u16, &[u8])],
    sub: &[(u16, u16, &[u8])],
    gps: &[(u16, u16, &[u8])],
    thumbnail: &[u8],
) -> Vec<u8> {
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    let ifd = |out: &mut Vec<u8>, tags: &[(u16, u16, &[u8])], links: &[u16], next: bool| {
        let mut list: Vec<(u16, u16, Vec<u8>)> =
            tags.iter().map(|t| (t.0, t.1, t.2.to_vec())).collect();
        list.extend(links.iter().map(|&l| (l, 4, vec![0; 4])));
        list.sort_by_key(|t| t.0);
        let start = out.len();
        let mut tail_at = start + 2 + 12 * list.len() + 4;
        let mut tail: Vec<u8> = Vec::new();
        let mut places = Vec::new();
        out.extend((list.len() as u16).to_le_bytes());
        for (tag, kind, value) in &list {
            let unit = match kind {
                3 => 2,
                4 => 4,
                _ => 1,
            };
            out.extend(tag.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(((value.len() / unit) as u32).to_le_bytes());
            if links.contains(tag) {
                places.push((*tag, out.len()));
            }
            if value.len() <= 4 {
                let mut v = value.clone();
                v.resize(4, 0);
                out.extend(v);
            } else {
                out.extend((tail_at as u32).to_le_bytes());
                tail.extend(value);
                tail_at += value.len();
            }
        }
        let next_at = out.len();
        out.extend([0; 4]);
        out.extend(tail);
        if next {
            places.push((0, next_at));
        }
        places
    };
    let mut links = Vec::new();
    if !sub.is_empty() {
        links.push(0x8769);
    }
    if !gps.is_empty() {
        links.push(0x8825);
    }
    let places = ifd(&mut out, main, &links, !thumbnail.is_empty());
    for (tag, at) in places {
        let here = (out.len() as u32).to_le_bytes();
        out[at..at + 4].copy_from_slice(&here);
        match tag {
            0x8769 => ifd(&mut out, sub, &[], false),
            0x8825 => ifd(&mut out, gps, &[], false),
            _ => {
                let at = (out.len() + 2 + 36 + 4) as u32;
                let (at, len) = (at.to_le_bytes(), (thumbnail.len() as u32).to_le_bytes());
                ifd(
                    &mut out,
                    &[(0x103, 3, &[6, 0]), (0x201, 4, &at), (0x202, 4, &len)],
                    &[],
                    false,
                );
                out.extend(thumbnail);
                Vec::new()
            }
        };
    }
    out
}

/// A palette PNG of 16x16 pixels that uses the first two of eight entries.
pub fn palette_png(palette: &[u8], chunks: &[Vec<u8>], after: &[u8]) -> Vec<u8> {
    let mut ihdr = [16u32.to_be_bytes(), 16u32.to_be_bytes()].concat();
    ihdr.extend([8, 3, 0, 0, 0]);
    let data: Vec<u8> =
        (0..16).flat_map(|y| std::iter::once(0).chain((0..16).map(move |x| (x + y) & 1))).collect();
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    out.extend(chunk(b"IHDR", &ihdr));
    out.extend(chunk(b"PLTE", palette));
    chunks.iter().for_each(|c| out.extend(c));
    out.extend(chunk(b"IDAT", &[deflate(&data), after.to_vec()].concat()));
    out.extend(chunk(b"IEND", b""));
    out
}

/// Blocks of at most 255 bytes with their end.
pub fn blocks(data: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = data
        .chunks(255)
        .flat_map(|b| std::iter::once(b.len() as u8).chain(b.iter().copied()))
        .collect();
    out.push(0);
    out
}

/// Codes of a 4x4 GIF frame of two colours, a clear code before each pixel.
fn gif_codes() -> Vec<u8> {
    let (mut out, mut window, mut have) = (Vec::new(), 0u32, 0);
    let codes = (0..16u32).flat_map(|i| [4, (i + i / 4) & 1]).chain([5]);
    for code in codes {
        window |= code << have;
        have += 3;
        while have >= 8 {
            out.push(window as u8);
            window >>= 8;
            have -= 8;
        }
    }
    out.push(window as u8);
    out
}

/// A GIF of `frames` frames, 4x4; the table has 16 entries, of which the
/// last 14 are `unused`.
pub fn gif(
    unused: &[u8; 42],
    extra: &[u8],
    after_codes: &[u8],
    frames: usize,
    tail: &[u8],
) -> Vec<u8> {
    let mut out = b"GIF89a\x04\0\x04\0\xF3\0\0".to_vec();
    out.extend([255, 0, 0, 0, 0, 255]);
    out.extend(unused);
    out.extend(extra);
    for _ in 0..frames {
        out.extend([0x21, 0xF9, 4, 4, 5, 0, 0, 0]);
        out.extend([0x2C, 0, 0, 0, 0, 4, 0, 4, 0, 0, 2]);
        out.extend(blocks(&[gif_codes(), after_codes.to_vec()].concat()));
    }
    out.push(0x3B);
    out.extend(tail);
    out
}

/// An extended WebP with these chunks before and after the picture.
pub fn webp(flags: u8, before: &[Vec<u8>], after: &[Vec<u8>]) -> Vec<u8> {
    let simple = samples::webp_lossless();
    let mut list = vec![riff(b"VP8X", &[flags, 0, 0, 0, 15, 0, 0, 15, 0, 0])];
    list.extend(before.iter().cloned());
    list.push(simple[12..].to_vec());
    list.extend(after.iter().cloned());
    webp_of(&list)
}

/// An animated WebP whose frames hold `inside` besides their picture.
pub fn webp_animation(inside: &[u8]) -> Vec<u8> {
    let picture = samples::webp_lossless()[12..].to_vec();
    let mut body = [0, 0, 0, 0, 0, 0, 15, 0, 0, 15, 0, 0, 40, 0, 0, 2].to_vec();
    body.extend(picture);
    body.extend(inside);
    let frame = riff(b"ANMF", &body);
    webp_of(&[
        riff(b"VP8X", &[2, 0, 0, 0, 15, 0, 0, 15, 0, 0]),
        riff(b"ANIM", &[1, 2, 3, 4, 3, 0]),
        frame.clone(),
        frame,
    ])
}

/// A TIFF page of 16x16 RGB pixels, tags added and a gap before the pixels.
pub fn tiff(extra: &[(u16, u16, Vec<u8>)], gap: &[u8], tail: &[u8]) -> Vec<u8> {
    let pixels: Vec<u8> = rows(16, 16).chunks(49).flat_map(|r| r[1..].to_vec()).collect();
    let long = |v: u32| v.to_le_bytes().to_vec();
    let build = |at: u32| {
        let mut tags: Vec<(u16, u16, Vec<u8>)> = vec![
            (256, 4, long(16)),
            (257, 4, long(16)),
            (258, 3, vec![8, 0, 8, 0, 8, 0]),
            (259, 3, vec![1, 0]),
            (262, 3, vec![2, 0]),
            (273, 4, long(at)),
            (277, 3, vec![3, 0]),
            (278, 4, long(16)),
            (279, 4, long(pixels.len() as u32)),
        ];
        tags.extend(extra.iter().cloned());
        let list: Vec<(u16, u16, &[u8])> =
            tags.iter().map(|t| (t.0, t.1, t.2.as_slice())).collect();
        exif(&list, &[], &[], &[])
    };
    let at = build(0).len() + gap.len();
    let mut out = build(at as u32);
    out.extend(gap);
    out.extend(pixels);
    out.extend(tail);
    out
}

/// A BMP of 16x16 pixels in 4 bits; the palette has 16 entries of which
/// two are used, the others are `unused`.
pub fn bmp(unused: &[u8; 56], gap: &[u8], tail: &[u8]) -> Vec<u8> {
    let start = 14 + 40 + 64 + gap.len() as u32;
    let mut out = b"BM".to_vec();
    for v in [start + 128, 0, start, 40, 16, 16, 4 << 16 | 1, 0, 128, 2835, 2835, 0, 0] {
        out.extend(u32::to_le_bytes(v));
    }
    out.extend([255, 0, 0, 0, 0, 0, 255, 0]);
    out.extend(unused);
    out.extend(gap);
    out.extend((0..16).flat_map(|y| [if y % 2 == 0 { 0x01 } else { 0x10 }; 8]));
    out.extend(tail);
    out
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    super::mp4::boxed(kind, body)
}

/// An item of a picture file: type, what follows its type in `infe`, data,
/// and a reference to the main picture.
pub type Item<'a> = (&'a [u8; 4], &'a [u8], &'a [u8], Option<&'a [u8; 4]>);

/// What may be planted into [`avif`].
#[derive(Default)]
pub struct Avif<'a> {
    pub items: Vec<Item<'a>>,
    pub name: &'a [u8],
    pub handler: &'a [u8],
    /// Units in the coded picture.
    pub units: Vec<u8>,
    /// Whole boxes.
    pub properties: Vec<u8>,
    pub meta: Vec<u8>,
    pub top: Vec<u8>,
    /// Bytes of the data box that belong to no item.
    pub orphan: Vec<u8>,
    pub tail: Vec<u8>,
}

/// A picture file with one coded picture (of no real content) and more.
pub fn avif(a: &Avif<'_>) -> Vec<u8> {
    let full = |kind: &[u8; 4], body: &[u8]| boxed(kind, &[&[0; 4], body].concat());
    let mut picture = vec![0x0A, 4, 1, 2, 3, 4];
    picture.extend(&a.units);
    picture.extend([0x32, 6, 9, 8, 7, 6, 5, 4]);
    let mut items: Vec<Item<'_>> = vec![(b"av01", a.name, &picture, None)];
    items.extend(a.items.iter().copied());
    let ftyp = boxed(b"ftyp", b"avif\0\0\0\0avifmif1");
    let build = |at: u32| {
        let mut at = at;
        let mut iloc = vec![0x44, 0, 0, items.len() as u8];
        let mut iinf = vec![0, items.len() as u8];
        let mut iref = Vec::new();
        for (n, (kind, name, data, link)) in (1u8..).zip(&items) {
            iloc.extend([0, n, 0, 0, 0, 1]);
            iloc.extend(at.to_be_bytes());
            iloc.extend((data.len() as u32).to_be_bytes());
            at += data.len() as u32;
            let body = [&[2, 0, 0, 0, 0, n, 0, 0][..], *kind, name, &[0]].concat();
            iinf.extend(boxed(b"infe", &body));
            if let Some(link) = link {
                iref.extend(boxed(link, &[0, n, 0, 1, 0, 1]));
            }
        }
        let ipco = [
            full(b"ispe", &[0, 0, 0, 16, 0, 0, 0, 16]),
            boxed(b"av1C", &[0x81, 0, 0, 0]),
            a.properties.clone(),
        ]
        .concat();
        // The added property, if any, belongs to the picture.
        let own: &[u8] = if a.properties.is_empty() { &[2, 1, 0x82] } else { &[3, 1, 0x82, 3] };
        let mut ipma = (items.len() as u32).to_be_bytes().to_vec();
        for n in 1..=items.len() as u8 {
            ipma.extend([0, n]);
            ipma.extend(own);
        }
        let hdlr = [&[0, 0, 0, 0][..], b"pict", &[0; 12], a.handler, &[0]].concat();
        let body = [
            full(b"hdlr", &hdlr),
            full(b"pitm", &[0, 1]),
            full(b"iloc", &iloc),
            full(b"iinf", &iinf),
            full(b"iref", &iref),
            boxed(b"iprp", &[boxed(b"ipco", &ipco), full(b"ipma", &ipma)].concat()),
            a.meta.clone(),
        ]
        .concat();
        full(b"meta", &body)
    };
    let at = ftyp.len() + build(0).len() + a.top.len() + 8;
    let data: Vec<u8> = items.iter().flat_map(|i| i.2.to_vec()).chain(a.orphan.clone()).collect();
    [ftyp, build(at as u32), a.top.clone(), boxed(b"mdat", &data), a.tail.clone()].concat()
}

/// JPEG XL in its container, with more boxes.
pub fn jxl(boxes: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut out = b"\0\0\0\x0CJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl ".to_vec();
    for (kind, body) in boxes {
        out.extend(boxed(kind, body));
    }
    out.extend(boxed(b"jxlc", &samples::jxl()));
    out
}

/// A baseline JPEG like [`super::pictures::jpeg`] with bytes at more places.
pub fn jpeg(before_tables: &[u8], between: &[u8], tail: &[u8]) -> Vec<u8> {
    let plain = super::pictures::jpeg();
    let dqt = plain.windows(2).position(|w| w == [0xFF, 0xDB]).unwrap();
    let sos = plain.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
    [&plain[..dqt], before_tables, &plain[dqt..sos], between, &plain[sos..], tail].concat()
}

/// Photoshop resources with one IPTC dataset.
pub fn iptc(set: u8, value: &[u8]) -> Vec<u8> {
    let mut data = vec![0x1C, 2, set];
    data.extend((value.len() as u16).to_be_bytes());
    data.extend(value);
    let mut out = b"Photoshop 3.0\08BIM\x04\x04\0\0".to_vec();
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(&data);
    out.resize(out.len() + data.len() % 2, 0);
    segment(0xED, &out)
}
