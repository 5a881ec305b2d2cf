//! The one form of a picture file: `ftyp`, `meta` with its tables in one
//! order, `mdat` with the pictures one after the other.

use super::super::Built;
use super::{Codec, Picture, Property};

pub(super) fn file(
    codec: Codec,
    pictures: &[Picture],
    premultiplied: bool,
    notes: Vec<String>,
) -> Built {
    let mut out = Vec::new();
    boxed(&mut out, b"ftyp", |b| match codec {
        Codec::Av1 => b.extend(b"avif\0\0\0\0avifmif1miaf"),
        Codec::Hevc => {
            let brand = if main_profile(pictures) { b"heic" } else { b"heix" };
            b.extend(brand);
            b.extend(b"\0\0\0\0mif1");
            b.extend(brand);
        }
    });
    let start = {
        let mut measure = Vec::new();
        meta(&mut measure, codec, pictures, premultiplied, 0);
        (out.len() + measure.len() + 8) as u32
    };
    meta(&mut out, codec, pictures, premultiplied, start);
    boxed(&mut out, b"mdat", |b| {
        for picture in pictures {
            b.extend(&picture.data);
        }
    });
    let (container, extension) = match codec {
        Codec::Av1 => ("AVIF picture", "avif"),
        Codec::Hevc => ("HEIC picture", "heic"),
    };
    Built { container, extension, bytes: out, notes }
}

/// Main or Main Still Picture: what the brand `heic` promises.
fn main_profile(pictures: &[Picture]) -> bool {
    pictures.iter().flat_map(|p| &p.properties).all(|p| match p {
        Property::Config(config) => matches!(config.get(1).map(|b| b & 31), Some(1 | 3)),
        _ => true,
    })
}

fn boxed(out: &mut Vec<u8>, kind: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend([0; 4]);
    out.extend(kind);
    content(out);
    let size = ((out.len() - at) as u32).to_be_bytes();
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&size);
    }
}

fn id(n: usize) -> [u8; 2] {
    (n as u16 + 1).to_be_bytes()
}

/// Number of the alpha picture: the one after the first and its tiles.
fn alpha(pictures: &[Picture]) -> Option<usize> {
    let n = 1 + pictures.first().map_or(0, |p| p.tiles.len());
    (n < pictures.len()).then_some(n)
}

fn meta(out: &mut Vec<u8>, codec: Codec, pictures: &[Picture], premultiplied: bool, start: u32) {
    boxed(out, b"meta", |b| {
        b.extend([0; 4]);
        boxed(b, b"hdlr", |b| b.extend(b"\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        boxed(b, b"pitm", |b| b.extend([0, 0, 0, 0, 0, 1]));
        boxed(b, b"iloc", |b| {
            b.extend([0, 0, 0, 0, 0x44, 0]);
            b.extend((pictures.len() as u16).to_be_bytes());
            let mut at = start;
            for (n, picture) in pictures.iter().enumerate() {
                b.extend(id(n));
                b.extend([0, 0, 0, 1]);
                b.extend(at.to_be_bytes());
                b.extend((picture.data.len() as u32).to_be_bytes());
                at = at.wrapping_add(picture.data.len() as u32);
            }
        });
        boxed(b, b"iinf", |b| {
            b.extend([0; 4]);
            b.extend((pictures.len() as u16).to_be_bytes());
            for (n, picture) in pictures.iter().enumerate() {
                boxed(b, b"infe", |b| {
                    b.extend([2, 0, 0, picture.hidden.into()]);
                    b.extend(id(n));
                    b.extend([0, 0]);
                    b.extend(picture.kind);
                    b.push(0);
                });
            }
        });
        references(b, pictures, premultiplied);
        properties(b, codec, pictures);
    });
}

fn references(b: &mut Vec<u8>, pictures: &[Picture], premultiplied: bool) {
    let alpha = alpha(pictures);
    let mut list: Vec<(&[u8; 4], usize, Vec<usize>)> = Vec::new();
    for (n, picture) in pictures.iter().enumerate().filter(|(_, p)| !p.tiles.is_empty()) {
        list.push((b"dimg", n, picture.tiles.clone()));
    }
    if let Some(alpha) = alpha {
        list.push((b"auxl", alpha, vec![0]));
        if premultiplied {
            list.push((b"prem", 0, vec![alpha]));
        }
    }
    if list.is_empty() {
        return;
    }
    boxed(b, b"iref", |b| {
        b.extend([0; 4]);
        for (kind, from, to) in list {
            boxed(b, kind, |b| {
                b.extend(id(from));
                b.extend((to.len() as u16).to_be_bytes());
                b.extend(to.into_iter().flat_map(id));
            });
        }
    });
}

fn properties(b: &mut Vec<u8>, codec: Codec, pictures: &[Picture]) {
    let mut unique: Vec<&Property> = Vec::new();
    for p in pictures.iter().flat_map(|p| &p.properties) {
        if !unique.contains(&p) {
            unique.push(p);
        }
    }
    let wide = unique.len() > 127;
    boxed(b, b"iprp", |b| {
        boxed(b, b"ipco", |b| unique.iter().for_each(|p| property(b, codec, p)));
        boxed(b, b"ipma", |b| {
            b.extend([0, 0, 0, wide.into()]);
            b.extend((pictures.len() as u32).to_be_bytes());
            for (n, picture) in pictures.iter().enumerate() {
                b.extend(id(n));
                b.push(picture.properties.len() as u8);
                for p in &picture.properties {
                    let place = unique.iter().position(|u| *u == p).map_or(0, |i| i as u16 + 1);
                    let essential = matches!(
                        p,
                        Property::Config(_)
                            | Property::Aperture(_)
                            | Property::Rotation(_)
                            | Property::Mirror(_)
                    );
                    if wide {
                        b.extend((place | u16::from(essential) << 15).to_be_bytes());
                    } else {
                        b.push(place as u8 | u8::from(essential) << 7);
                    }
                }
            }
        });
    });
}

fn property(b: &mut Vec<u8>, codec: Codec, p: &Property) {
    match p {
        Property::Size(w, h) => boxed(b, b"ispe", |b| {
            b.extend([0; 4]);
            b.extend(w.to_be_bytes());
            b.extend(h.to_be_bytes());
        }),
        Property::Depths(list) => boxed(b, b"pixi", |b| {
            b.extend([0, 0, 0, 0, list.len() as u8]);
            b.extend(list);
        }),
        Property::Config(config) => {
            let kind = if codec == Codec::Av1 { b"av1C" } else { b"hvcC" };
            boxed(b, kind, |b| b.extend(config));
        }
        Property::CodePoints(codes, full) => boxed(b, b"colr", |b| {
            b.extend(b"nclx");
            b.extend(codes.iter().flat_map(|c| c.to_be_bytes()));
            b.push(u8::from(*full) << 7);
        }),
        Property::Profile(space) => boxed(b, b"colr", |b| {
            b.extend(b"prof");
            b.extend(space.profile());
        }),
        Property::Alpha => boxed(b, b"auxC", |b| {
            b.extend([0; 4]);
            b.extend(match codec {
                Codec::Av1 => &b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"[..],
                Codec::Hevc => b"urn:mpeg:hevc:2015:auxid:1\0",
            });
        }),
        Property::Aperture(list) => {
            boxed(b, b"clap", |b| b.extend(list.iter().flat_map(|v| v.to_be_bytes())));
        }
        Property::Rotation(v) => boxed(b, b"irot", |b| b.push(*v)),
        Property::Mirror(v) => boxed(b, b"imir", |b| b.push(*v)),
    }
}
