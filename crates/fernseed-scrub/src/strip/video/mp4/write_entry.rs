//! Sample descriptions and track placement, from typed values.

use super::super::codec::sound::Pcm;
use super::super::codec::{Codec, av1, h264, hevc, vp9};
use super::super::movie::{Look, Track};
use crate::strip::StripError;

pub(super) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 8);
    out.extend_from_slice(&(body.len() as u32 + 8).to_be_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(body);
    out
}

/// A box with version (the highest byte) and flags.
pub(super) fn full(kind: &[u8; 4], version_and_flags: u32, body: &[u8]) -> Vec<u8> {
    boxed(kind, &[&version_and_flags.to_be_bytes()[..], body].concat())
}

/// More channels than this do not occur; a count of none is damage.
const MAX_CHANNELS: u16 = 64;

pub(super) fn words(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|w| w.to_be_bytes()).collect()
}

/// Matrix, width and height of `tkhd`: the picture turned about the origin
/// and moved back into the positive quadrant.
pub(super) fn placement(track: &Track) -> Vec<u8> {
    let (num, den) = track.look.aspect.unwrap_or((1, 1));
    let width = (u64::from(track.look.width) << 16) * u64::from(num) / u64::from(den.max(1));
    let width = u32::try_from(width).unwrap_or(u32::MAX);
    let height = u32::from(track.look.height) << 16;
    let [a, b, c, d] = track.look.turn.matrix.unwrap_or([1, 0, 0, 1]);
    let back = |x: i8, y: i8| {
        let x = if x < 0 { i64::from(width) } else { 0 };
        let y = if y < 0 { i64::from(height) } else { 0 };
        u32::try_from(x + y).unwrap_or(u32::MAX)
    };
    let one = |v: i8| (i32::from(v) << 16) as u32;
    words(&[
        one(a),
        one(b),
        0,
        one(c),
        one(d),
        0,
        back(a, c),
        back(b, d),
        0x4000_0000,
        width,
        height,
    ])
}

/// `stsd` with one entry.
pub(super) fn stsd(track: &Track) -> Result<Vec<u8>, StripError> {
    let entry = if track.is_video() { video(track) } else { sound(track) };
    let entry =
        entry.ok_or_else(|| StripError::Unsupported("this codec's configuration in MP4".into()))?;
    Ok(full(b"stsd", 0, &[words(&[1]), entry].concat()))
}

fn video(track: &Track) -> Option<Vec<u8>> {
    let (kind, config): (&[u8; 4], Vec<u8>) = match &track.codec {
        Codec::Nal(s) if s.hevc => (
            if s.in_band { b"hev1" } else { b"hvc1" },
            boxed(b"hvcC", &hevc::config(&s.list, s.in_band)?),
        ),
        Codec::Nal(s) => {
            (if s.in_band { b"avc3" } else { b"avc1" }, boxed(b"avcC", &h264::config(&s.list)?))
        }
        Codec::Av1(c) if !c.sequence.is_empty() => (b"av01", boxed(b"av1C", &av1::record(c))),
        Codec::Vp8 => (b"vp08", boxed(b"vpcC", &[1, 0, 0, 0, 0, 0, 0x82, 2, 2, 2, 0, 0])),
        Codec::Vp9(c) => (b"vp09", boxed(b"vpcC", &vp9::record(c))),
        Codec::Mpeg4(headers) => (b"mp4v", esds(0x20, 0x11, headers)),
        Codec::Mpeg12 { two } => (b"mp4v", esds(if *two { 0x61 } else { 0x6A }, 0x11, &[])),
        Codec::H263 => (b"s263", boxed(b"d263", &[0, 0, 0, 0, 0, 10, 0])),
        Codec::Mjpeg => (b"jpeg", Vec::new()),
        Codec::ProRes(kind) => (kind, Vec::new()),
        _ => return None,
    };
    let mut b = vec![0, 0, 0, 0, 0, 0, 0, 1];
    b.extend_from_slice(&[0; 16]);
    b.extend_from_slice(&track.look.width.to_be_bytes());
    b.extend_from_slice(&track.look.height.to_be_bytes());
    b.extend_from_slice(&[0, 0x48, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0, 0, 1]);
    b.extend_from_slice(&[0; 32]);
    b.extend_from_slice(&[0, 0x18, 0xFF, 0xFF]);
    b.extend(config);
    b.extend(look(&track.look));
    Some(boxed(kind, &b))
}

fn look(look: &Look) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(c) = &look.colour {
        let mut b = b"nclx".to_vec();
        for v in [c.primaries, c.transfer, c.matrix] {
            b.extend_from_slice(&v.to_be_bytes());
        }
        b.push(u8::from(c.full) << 7);
        out.extend(boxed(b"colr", &b));
    }
    if let Some((num, den)) = look.aspect {
        out.extend(boxed(b"pasp", &words(&[num, den])));
    }
    if let Some((n, order)) = look.fields {
        out.extend(boxed(b"fiel", &[n, order]));
    }
    if let Some(m) = &look.mastering {
        let mut b = Vec::new();
        for (i, v) in m.iter().enumerate() {
            if i < 8 {
                b.extend_from_slice(&(*v as u16).to_be_bytes());
            } else {
                b.extend_from_slice(&v.to_be_bytes());
            }
        }
        out.extend(boxed(b"mdcv", &b));
    }
    if let Some((cll, fall)) = look.light {
        out.extend(boxed(b"clli", &[cll.to_be_bytes(), fall.to_be_bytes()].concat()));
    }
    out
}

fn descriptor(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    if body.len() >= 0x80 {
        out.push(0x80 | (body.len() >> 7) as u8);
    }
    out.push((body.len() & 0x7F) as u8);
    out.extend_from_slice(body);
    out
}

/// `esds` without buffer size and bit rates, which tell encoders apart.
fn esds(object: u8, stream: u8, specific: &[u8]) -> Vec<u8> {
    let mut decoder = vec![object, stream];
    decoder.extend_from_slice(&[0; 11]);
    if !specific.is_empty() {
        decoder.extend(descriptor(5, specific));
    }
    let mut es = vec![0, 0, 0];
    es.extend(descriptor(4, &decoder));
    es.extend(descriptor(6, &[2]));
    full(b"esds", 0, &descriptor(3, &es))
}

fn sound(track: &Track) -> Option<Vec<u8>> {
    if !(1..=MAX_CHANNELS).contains(&track.channels) {
        return None;
    }
    let (kind, config): (&[u8; 4], Vec<u8>) = match &track.codec {
        Codec::Aac(c) => (b"mp4a", esds(0x40, 0x15, &c.record)),
        Codec::Mpa(_) => (b"mp4a", esds(if track.rate >= 32_000 { 0x6B } else { 0x69 }, 0x15, &[])),
        Codec::Opus(o) => (b"Opus", boxed(b"dOps", &o.record(false))),
        Codec::Flac(info) => (b"fLaC", full(b"dfLa", 0, &[&[0x80, 0, 0, 34], &info[..]].concat())),
        Codec::Alac(cookie) => (b"alac", full(b"alac", 0, cookie)),
        Codec::Ac3(Some(b)) => (b"ac-3", boxed(b"dac3", b)),
        Codec::Eac3(Some(b)) => (b"ec-3", boxed(b"dec3", b)),
        Codec::Dts => (b"mp4a", esds(0xA9, 0x15, &[])),
        Codec::Amr { wide } => (
            if *wide { b"sawb" } else { b"samr" },
            boxed(b"damr", &[0, 0, 0, 0, 0, if *wide { 0x83 } else { 0x81 }, 0xFF, 0, 1]),
        ),
        Codec::Pcm(p) => return pcm(*p, track),
        _ => return None,
    };
    Some(boxed(kind, &[simple(track, 16), config].concat()))
}

fn simple(track: &Track, bits: u16) -> Vec<u8> {
    let mut b = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    b.extend_from_slice(&track.channels.to_be_bytes());
    b.extend_from_slice(&bits.to_be_bytes());
    b.extend_from_slice(&[0; 4]);
    b.extend(words(&[if track.rate <= 0xFFFF { track.rate << 16 } else { 0 }]));
    b
}

fn pcm(p: Pcm, track: &Track) -> Option<Vec<u8>> {
    let kind: &[u8; 4] = match (p.law, p.bits, p.float, p.big) {
        (7, ..) => b"ulaw",
        (6, ..) => b"alaw",
        (_, 8, ..) if !p.signed => b"raw ",
        (_, 8, ..) => b"twos",
        (_, 16, false, true) if track.rate <= 0xFFFF => b"twos",
        (_, 16, false, false) if track.rate <= 0xFFFF => b"sowt",
        _ => b"lpcm",
    };
    if kind != b"lpcm" {
        let bits = if p.bits == 8 && p.law == 0 { 8 } else { 16 };
        return Some(boxed(kind, &simple(track, bits)));
    }
    let mut b = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0];
    b.extend_from_slice(&[0, 3, 0, 16, 0xFF, 0xFE, 0, 0]);
    b.extend(words(&[0x1_0000, 72]));
    b.extend_from_slice(&f64::from(track.rate).to_bits().to_be_bytes());
    let flags =
        u32::from(p.float) | u32::from(p.big) << 1 | u32::from(p.signed && !p.float) << 2 | 8;
    b.extend(words(&[
        track.channels.into(),
        0x7F00_0000,
        p.bits.into(),
        flags,
        p.frame(track.channels),
        1,
    ]));
    Some(boxed(kind, &b))
}
