//! MP3: a frame that says how long the sound is, then frame after frame to
//! the end of the file, with zeros wherever no sound is.

use super::claims::Claims;
use super::sums::Sum;
use crate::bytes::{be16, be32, part};
use crate::source::Source;
use fernseed_core::finding::FindingCode;

/// A frame's dimensions.
#[derive(Clone, Copy)]
struct Frame {
    word: u32,
    length: usize,
    side: usize,
    /// MPEG-1, rather than one of the half rates.
    full: bool,
    mono: bool,
}

impl Frame {
    fn parse(word: u32) -> Option<Self> {
        let (version, layer) = (word >> 19 & 3, word >> 17 & 3);
        let (bitrate, rate) = ((word >> 12 & 15) as usize, word >> 10 & 3);
        if word >> 21 != 0x7FF || version == 1 || layer != 1 || rate == 3 {
            return None;
        }
        let full = version == 3;
        let steps: [u32; 14] = if full {
            [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
        } else {
            [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
        };
        let bits = steps.get(bitrate.checked_sub(1)?)? * 1000;
        let base = match rate {
            0 => 44_100,
            1 => 48_000,
            _ => 32_000,
        };
        let hertz = match version {
            3 => base,
            2 => base / 2,
            _ => base / 4,
        };
        let samples = if full { 1152 } else { 576 };
        let length = samples / 8 * bits / hertz + (word >> 9 & 1);
        let mono = word >> 6 & 3 == 3;
        let side = match (full, mono) {
            (true, false) => 32,
            (true, true) | (false, false) => 17,
            (false, true) => 9,
        };
        Some(Self { word, length: length as usize, side, full, mono })
    }

    /// Bytes of header and checksum.
    const fn head(self) -> usize {
        if self.word >> 16 & 1 == 0 { 6 } else { 4 }
    }
}

/// Bits of the side information, most significant first.
fn bits(b: &[u8], at: usize, count: usize) -> u64 {
    (at..at + count).fold(0, |value, n| {
        let bit = b.get(n / 8).map_or(0, |byte| byte >> (7 - n % 8) & 1);
        value << 1 | u64::from(bit)
    })
}

/// The main data of the last frames, as one stream.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// Where `bytes` begins, and where the sound so far ends, in bits.
    start: u64,
    end: u64,
}

impl Stream {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// True if nothing but zeros stands from the end of the sound to `to`.
    fn silent_to(&self, to: u64) -> bool {
        let to = to * 8;
        let mut at = self.end.max(self.start * 8);
        while at < to {
            let Some(&byte) = self.bytes.get((at / 8 - self.start) as usize) else { return true };
            let rest = if to - at / 8 * 8 < 8 { byte >> (8 - to % 8) } else { byte };
            if (rest << (at % 8)) != 0 {
                return false;
            }
            at = (at / 8 + 1) * 8;
        }
        true
    }
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims) {
    let len = source.len();
    let mut stream = Stream::default();
    let mut at = 0u64;
    let mut count = 0u64;
    let mut first: Option<Frame> = None;
    let mut told = None;
    let mut emphasis = None;
    while at < len {
        let frame = source.array::<4>(at).ok().and_then(|h| Frame::parse(u32::from_be_bytes(h)));
        let bytes = frame.and_then(|f| source.bytes(at, f.length as u64).ok());
        let (Some(frame), Some(b)) = (frame, bytes) else {
            claims.foreign_as(
                FindingCode::MetadataLeft,
                "",
                at,
                len,
                "Bytes that are not a frame.",
            );
            break;
        };
        let end = at + b.len() as u64;
        let alike = |f: Frame| f.word >> 19 == frame.word >> 19 && f.mono == frame.mono;
        if !first.is_none_or(|f| alike(f) && f.word >> 10 & 3 == frame.word >> 10 & 3) {
            claims.foreign("", at, len, "A frame of another stream.");
            break;
        }
        if first.is_none() {
            first = Some(frame);
            claims.own("Info", at, end);
            told = info(&b, frame);
            if told.is_none() {
                let message = "The first frame is not the one our writer writes.";
                claims.wrong("Info", at, end, message);
            }
        } else {
            claims.own("frames", at, end);
            count += 1;
            let joint = frame.word >> 6 & 3 == 1 || frame.word >> 4 & 3 == 0;
            if *emphasis.get_or_insert(frame.word & 3) != frame.word & 3 || !joint {
                claims.wrong("frames", at, at + 4, "Header bits that change for no reason.");
            }
            if let Some(message) = look(&mut stream, frame, &b) {
                claims.wrong("frames", at, end, message);
            }
        }
        at = end;
    }
    if !stream.silent_to(stream.len()) {
        claims.wrong("frames", 0, len, "Data behind the last sound.");
    }
    if told.is_some_and(|(frames, bytes)| u64::from(frames) != count || u64::from(bytes) != len) {
        claims.wrong("Info", 0, len.min(64), "The counts are not those of the frames.");
    }
}

/// What is wrong with a frame of sound.
fn look(stream: &mut Stream, frame: Frame, b: &[u8]) -> Option<&'static str> {
    let at = frame.head();
    let side = part(b, at, frame.side)?;
    let mut wrong = None;
    // Private, copyright and original.
    if frame.word >> 8 & 1 != 0 || frame.word >> 2 & 3 != 0 {
        wrong = Some("Header bits that no decoder needs.");
    }
    let (wide, private, skip) = match (frame.full, frame.mono) {
        (true, true) => (9, 5, 4),
        (true, false) => (9, 3, 8),
        (false, true) => (8, 1, 0),
        (false, false) => (8, 2, 0),
    };
    if bits(side, wide, private) != 0 {
        wrong = Some("Private bits in the side information.");
    }
    if at == 6 {
        let sum = Sum::crc16(0xFFFF).add(part(b, 2, 2)?).add(side);
        if be16(b, 4).map(u64::from) != Some(sum.value) {
            wrong = Some("A checksum that is wrong.");
        }
    }
    let each = if frame.full { 59 } else { 63 };
    let parts = if frame.full { 2 } else { 1 } * if frame.mono { 1 } else { 2 };
    let sound: u64 = (0..parts).map(|n| bits(side, wide + private + skip + n * each, 12)).sum();
    let from = stream.len().saturating_sub(bits(side, 0, wide));
    if !stream.silent_to(from) {
        wrong = Some("Data between the sound of two frames.");
    }
    stream.end = stream.end.max(from * 8 + sound);
    stream.bytes.extend(b.get(at + frame.side..)?);
    // What is more than the farthest reach back is looked at and let go.
    let settled = stream.len().saturating_sub(1024);
    if settled > stream.start + 65_536 {
        if !stream.silent_to(settled) {
            wrong = Some("Data between the sound of two frames.");
        }
        stream.bytes.drain(..(settled - stream.start) as usize);
        stream.start = settled;
    }
    wrong
}

/// Frames and bytes that the first frame announces, if all of it is as our
/// writer writes it.
fn info(b: &[u8], frame: Frame) -> Option<(u32, u32)> {
    let at = 4 + frame.side;
    let zero = |from: usize, to: usize| b.get(from..to).is_some_and(|z| z.iter().all(|&x| x == 0));
    let plain = frame.word & 0x1_0300 == 0x1_0000 && frame.word & 0x3F == 0;
    let mark = matches!(part(b, at, 4)?, b"Info" | b"Xing") && be32(b, at + 4)? == 15;
    // The table never runs backwards.
    let table = part(b, at + 16, 100)?;
    let rising = table.windows(2).all(|w| matches!(w, [a, b] if a <= b));
    let lame = at + 120;
    let name = match part(b, lame, 9)? {
        b"LAME3.100" => {
            let sum = Sum::crc16(0).add(part(b, 0, lame + 34)?).value;
            zero(lame + 9, lame + 21)
                && zero(lame + 24, lame + 28)
                && be32(b, lame + 28) == be32(b, at + 12)
                && zero(lame + 32, lame + 34)
                && be16(b, lame + 34).map(u64::from) == Some(sum)
                && zero(lame + 36, b.len())
        }
        _ => zero(lame, b.len()),
    };
    let good = plain && zero(4, at) && mark && rising && zero(at + 116, lame) && name;
    good.then_some((be32(b, at + 8)?, be32(b, at + 12)?))
}
