//! Broken versions of good bytes, the same in every run.

use crate::make::{chunk, deflate};

/// A small generator of numbers; the same numbers in every run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Another sequence for each seed, zero included.
    pub(crate) fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `n`, 0 for 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Mutant number `number` of a file.
pub(crate) fn mutate(seed: &[u8], number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    if seed.starts_with(b"\x89PNG") {
        return mutate_png(seed, &mut random);
    }
    let mut out = seed.to_vec();
    mutate_bytes(&mut out, &mut random);
    out
}

/// Flips, overwrites, cuts, copies, inserts.
pub(crate) fn mutate_bytes(out: &mut Vec<u8>, random: &mut Random) {
    const EDGES: [u32; 8] = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    if out.is_empty() {
        return;
    }
    let length = out.len();
    // Structure is mostly in front.
    let reach = if random.below(2) == 0 { length } else { length.min(1024) };
    match random.below(6) {
        0 => {
            for _ in 0..=random.below(8) {
                out[random.below(reach)] ^= 1 << random.below(8);
            }
        }
        1 => {
            for _ in 0..=random.below(32) {
                out[random.below(reach)] = random.next() as u8;
            }
        }
        2 => out.truncate(1 + random.below(length)),
        3 => {
            let (from, to) = (random.below(length), random.below(length));
            let some = random.below(512).min(length - from.max(to));
            out.copy_within(from..from + some, to);
        }
        4 => {
            let (edge, at) = (EDGES[random.below(8)], random.below(reach.saturating_sub(4)));
            let bytes = if random.below(2) == 0 { edge.to_be_bytes() } else { edge.to_le_bytes() };
            for (place, byte) in out[at..].iter_mut().zip(bytes) {
                *place = byte;
            }
        }
        _ => {
            let (from, some) = (random.below(length), random.below(256));
            let copy = out[from..(from + some).min(length)].to_vec();
            let at = random.below(length);
            out.splice(at..at, copy);
        }
    }
}

/// Mutates chunks, their order and the pixels under the compression, and
/// repairs every checksum: a decoder would stop at the first otherwise.
fn mutate_png(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut chunks = Vec::new();
    let mut rest = &seed[8..];
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = [head[4], head[5], head[6], head[7]];
        chunks.push((kind, tail[..length].to_vec()));
        rest = &tail[length + 4..];
    }
    for _ in 0..=random.below(3) {
        let at = random.below(chunks.len());
        match random.below(8) {
            0 => {
                let copy = chunks[at].clone();
                chunks.insert(random.below(chunks.len()), copy);
            }
            1 => {
                let other = random.below(chunks.len());
                chunks.swap(at, other);
            }
            2 if chunks.len() > 1 => drop(chunks.remove(at)),
            3 => {
                const KINDS: [&[u8; 4]; 8] =
                    [b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"tRNS", b"PLTE", b"iTXt"];
                chunks[at].0 = *KINDS[random.below(8)];
            }
            4 => {
                let mut pixels: Vec<u8> = (0..random.below(4000)).map(|i| i as u8).collect();
                mutate_bytes(&mut pixels, random);
                chunks[at].1 = deflate(&pixels);
            }
            _ => mutate_bytes(&mut chunks[at].1, random),
        }
    }
    let mut out = seed[..8].to_vec();
    for (kind, body) in &chunks {
        out.extend(chunk(kind, body));
    }
    out
}
