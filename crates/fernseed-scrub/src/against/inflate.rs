//! Finds deflated streams in any bytes: zlib (RFC 1950), gzip (RFC 1952),
//! ZIP members, and bare deflate (RFC 1951) outside the payload.

use crate::bytes::{le16, part};
use crate::source::Source;
use flate2::{Decompress, FlushDecompress, Status};

/// Most a single stream may unpack to.
const MAX_STREAM: usize = 32 << 20;
/// Most that all streams together may unpack to.
const MAX_TOTAL: u64 = 256 << 20;
/// Streams tried in all.
const MAX_TRIES: u32 = 200_000;
/// Bytes in which bare streams are looked for at every place.
const MAX_BARE: u64 = 128 << 10;
/// Bytes that a stream is unpacked from at first.
const FIRST: u64 = 512;
/// Shorter results are chance.
const LEAST: usize = 12;

/// State across streams.
struct Bounds {
    left: u64,
    tries: u32,
    zlib: Decompress,
    bare: Decompress,
}

/// Calls `found` with what each stream unpacks to and where it begins. `open`
/// are the runs outside the payload.
pub(super) fn each(
    source: &mut Source<'_>,
    open: &[(u64, u64)],
    mut found: impl FnMut(&[u8], u64),
) {
    source.grant(MAX_TOTAL);
    let mut bounds = Bounds {
        left: MAX_TOTAL,
        tries: MAX_TRIES,
        zlib: Decompress::new(true),
        bare: Decompress::new(false),
    };
    let len = source.len();
    let mut at = 0;
    while at < len {
        let Ok(block) = source.upto(at, len, (1 << 20) + 64) else { break };
        for n in 0..block.len().min(1 << 20) {
            // Nine bytes in ten begin nothing.
            if !block.get(n).is_some_and(|&b| FIRST_BYTES[usize::from(b)]) {
                continue;
            }
            let Some((skip, zlib)) = begins(block.get(n..).unwrap_or_default()) else { continue };
            let place = at + n as u64;
            // A stream of a few bytes is told from the block at hand.
            let rest = block.get(n + skip..).unwrap_or_default();
            if !plausible(rest.get(if zlib { 2 } else { 0 }..).unwrap_or_default()) {
                continue;
            }
            if let Some(content) = bounds.unpack(source, rest, place + skip as u64, zlib) {
                found(&content, place);
            }
        }
        at += 1 << 20;
    }
    let mut bare = MAX_BARE;
    for &(start, end) in open {
        let take = (end - start).min(bare);
        bare -= take;
        let Ok(block) = source.bytes(start, take) else { continue };
        for n in 0..block.len() {
            let rest = block.get(n..).unwrap_or_default();
            if let Some(content) = bounds.unpack_whole(rest) {
                found(&content, start + n as u64);
            }
        }
    }
}

/// The bytes that [`begins`] takes as the first.
const FIRST_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    table[0x1F] = true;
    table[b'P' as usize] = true;
    let mut window = 0;
    while window < 8 {
        table[window << 4 | 8] = true;
        window += 1;
    }
    table
};

/// False if no deflated stream of [`LEAST`] bytes begins with `b`, whose first
/// bytes say so: the type of the block does not exist, a stored block has no
/// length, the code for the lengths of the codes is none (RFC 1951, 3.2.7), or
/// fixed codes do not get so far. Setting up the inflater for each place would
/// cost far more.
fn plausible(b: &[u8]) -> bool {
    let Some(&[first, second, third]) = b.first_chunk() else { return true };
    match first >> 1 & 3 {
        0 => match (le16(b, 1), le16(b, 3)) {
            (Some(length), Some(check)) => length == !check,
            _ => true,
        },
        1 => fixed_gives(b),
        2 => {
            // 3 bits of the block's head, 5 and 5 numbers of codes, 4 of
            // lengths, then three bits each.
            let head = u32::from_le_bytes([first, second, third, 0]);
            let count = (head >> 13 & 15) as usize + 4;
            let Some(window) = b.get(2..).and_then(<[u8]>::first_chunk) else { return true };
            let mut lengths = u64::from_le_bytes(*window) >> 1;
            let (mut sum, mut used) = (0u32, 0);
            for _ in 0..count {
                let length = lengths as u32 & 7;
                lengths >>= 3;
                if length > 0 {
                    sum += 128 >> length;
                    used += 1;
                }
            }
            // A code of one symbol may be incomplete.
            sum == 128 || used <= 1
        }
        _ => false,
    }
}

/// False if a block with the fixed codes (RFC 1951, 3.2.6) at the beginning of
/// `b` breaks off or is the last and ends before it gives [`LEAST`] bytes.
fn fixed_gives(b: &[u8]) -> bool {
    // Each symbol gives a byte at least and has 9 + 5 + 5 + 13 bits at most.
    let mut at = 3usize;
    let mut given = 0;
    while given < LEAST {
        let Some(word) = b.get(at / 8..).and_then(<[u8]>::first_chunk) else { return true };
        let word = u64::from_le_bytes(*word) >> (at % 8);
        // Codes stand with their first bit first.
        let nine = (word as u32 & 0x1FF).reverse_bits() >> 23;
        let (symbol, bits) = match nine {
            0..0x60 => (256 + (nine >> 2), 7),
            0x60..0x180 => ((nine >> 1) - 0x30, 8),
            0x180..0x190 => (280 + (nine >> 1) - 0xC0, 8),
            _ => (144 + nine - 0x190, 9),
        };
        at += bits;
        match symbol {
            0..=255 => given += 1,
            // What another block may give is not looked at.
            256 => return b.first().is_some_and(|&first| first & 1 == 0),
            257..=285 => {
                let code = symbol as usize - 257;
                let length = LENGTHS[code] + (word >> bits) as usize % (1 << LENGTH_BITS[code]);
                at += LENGTH_BITS[code] as usize;
                let distance = (word >> (bits + LENGTH_BITS[code] as usize)) as u8;
                let distance = (distance & 31).reverse_bits() >> 3;
                if distance > 29 {
                    return false;
                }
                at += 5 + (usize::from(distance) / 2).saturating_sub(1);
                given += length;
            }
            _ => return false,
        }
    }
    true
}

/// Shortest match of each length code, and bits that say how much longer.
const LENGTHS: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const LENGTH_BITS: [u32; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

/// True for the first bytes of a stream: where its data begins, and whether
/// they have a zlib header.
fn begins(b: &[u8]) -> Option<(usize, bool)> {
    match *b {
        [0x1F, 0x8B, 8, flags, ..] if flags < 0x20 => Some((gzip(b, flags)?, false)),
        [b'P', b'K', 3, 4, ..] if le16(b, 8) == Some(8) => {
            let names = usize::from(le16(b, 26)?) + usize::from(le16(b, 28)?);
            Some((30 + names, false))
        }
        [cmf, flg, ..] => {
            let sum = u16::from(cmf) << 8 | u16::from(flg);
            let zlib = cmf & 15 == 8 && cmf >> 4 <= 7 && flg & 0x20 == 0 && sum % 31 == 0;
            zlib.then_some((0, true))
        }
        _ => None,
    }
}

fn gzip(b: &[u8], flags: u8) -> Option<usize> {
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + usize::from(le16(b, at)?);
    }
    for bit in [8, 16] {
        if flags & bit != 0 {
            at += b.get(at..)?.iter().position(|&c| c == 0)? + 1;
        }
    }
    Some(at + if flags & 2 != 0 { 2 } else { 0 })
}

impl Bounds {
    /// What the stream at `at` unpacks to, as far as it is one. `rest` is
    /// what is at hand of it.
    fn unpack(
        &mut self,
        source: &mut Source<'_>,
        rest: &[u8],
        at: u64,
        zlib: bool,
    ) -> Option<Vec<u8>> {
        self.tries = self.tries.checked_sub(1)?;
        let machine = if zlib { &mut self.zlib } else { &mut self.bare };
        machine.reset(zlib);
        let mut out = Vec::with_capacity(1024);
        let mut input = part(rest, 0, FIRST.min(rest.len() as u64) as usize)?.to_vec();
        let mut next = at + input.len() as u64;
        let most = MAX_STREAM.min(usize::try_from(self.left).unwrap_or(MAX_STREAM));
        loop {
            let status = run(machine, &input, &mut out, most);
            if status != Some(Status::Ok) || out.len() >= most {
                break;
            }
            input = match source.upto(next, source.len(), 64 << 10) {
                Ok(more) if !more.is_empty() => more,
                _ => break,
            };
            next += input.len() as u64;
        }
        self.left = self.left.saturating_sub(out.len() as u64);
        (out.len() >= LEAST).then_some(out)
    }

    /// What a bare stream at the beginning of `b` unpacks to, if it ends in
    /// there.
    fn unpack_whole(&mut self, b: &[u8]) -> Option<Vec<u8>> {
        if !plausible(b) {
            return None;
        }
        self.tries = self.tries.checked_sub(1)?;
        self.bare.reset(false);
        let mut out = Vec::with_capacity(256);
        let most = (1 << 20).min(usize::try_from(self.left).unwrap_or(0));
        let end = run(&mut self.bare, b, &mut out, most);
        self.left = self.left.saturating_sub(out.len() as u64);
        (end == Some(Status::StreamEnd) && out.len() >= LEAST).then_some(out)
    }
}

/// Unpacks all of `input`, or until `out` holds `most`. `None` on an error.
fn run(machine: &mut Decompress, input: &[u8], out: &mut Vec<u8>, most: usize) -> Option<Status> {
    let before = machine.total_in();
    loop {
        let used = usize::try_from(machine.total_in() - before).ok()?;
        let rest = input.get(used..)?;
        if out.len() >= most {
            return None;
        }
        if out.len() == out.capacity() {
            out.reserve(out.len().clamp(256, 1 << 20));
        }
        let had = (machine.total_in(), out.len());
        let status = machine.decompress_vec(rest, out, FlushDecompress::None).ok()?;
        if status == Status::StreamEnd {
            return Some(status);
        }
        let stuck = had == (machine.total_in(), out.len());
        if stuck && out.len() < out.capacity() {
            return Some(Status::Ok);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the gate turns away, the inflater makes nothing of either.
    #[test]
    fn what_is_implausible_is_no_stream() {
        let mut x = 11u64;
        let mut noise = move || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 56) as u8
        };
        let mut machine = Decompress::new(false);
        let mut turned_away = 0;
        for _ in 0..60_000 {
            let bytes: Vec<u8> = (0..40).map(|_| noise()).collect();
            if plausible(&bytes) {
                continue;
            }
            turned_away += 1;
            machine.reset(false);
            let mut out = Vec::with_capacity(256);
            run(&mut machine, &bytes, &mut out, 1 << 16);
            assert!(out.len() < LEAST, "{bytes:x?}");
        }
        assert!(turned_away > 42_000, "{turned_away}");
    }

    #[test]
    fn real_streams_are_plausible() {
        use flate2::{Compression, write::DeflateEncoder};
        use std::io::Write;
        let text = b"The quick brown fox jumps over the lazy dog, again and again and again. ";
        for level in [0, 1, 6, 9] {
            for times in [1, 3, 200] {
                let mut packer = DeflateEncoder::new(Vec::new(), Compression::new(level));
                packer.write_all(&text.repeat(times)).unwrap();
                assert!(plausible(&packer.finish().unwrap()), "{level} {times}");
            }
        }
        assert!(plausible(&[]) && plausible(&[3, 0]), "too short to tell");
    }
}
