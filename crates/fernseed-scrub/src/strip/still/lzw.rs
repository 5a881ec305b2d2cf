//! LZW as GIF and TIFF use it.

/// Order of bits and the moment codes grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Least significant bit first, codes grow when they must.
    Gif,
    /// Most significant bit first, codes grow one early (TIFF 6.0,
    /// section 13).
    Tiff,
}

/// Why a stream ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// No more data.
    Short,
    /// A code that cannot be.
    Code,
}

/// Unpacks exactly `wanted` bytes of symbols of `width` bits.
pub(super) fn unpack(
    data: &[u8],
    width: u32,
    wanted: usize,
    flavour: Flavour,
) -> Result<Vec<u8>, Broken> {
    let clear = 1u32 << width;
    // No more than what `data` can make, whatever the header says.
    let mut out = Vec::with_capacity(wanted.min(data.len().saturating_mul(8)));
    let mut prefix = [0u16; 4096];
    let mut suffix = [0u8; 4096];
    let mut length = [1u16; 4096];
    for (i, s) in suffix.iter_mut().enumerate().take(clear as usize) {
        *s = i as u8;
    }
    let early = u32::from(flavour == Flavour::Tiff);
    let (mut next, mut bits) = (clear + 2, width + 1);
    let mut last: Option<u32> = None;
    let (mut window, mut have, mut at) = (0u32, 0u32, 0usize);
    while out.len() < wanted {
        while have < bits {
            let byte = u32::from(*data.get(at).ok_or(Broken::Short)?);
            at += 1;
            match flavour {
                Flavour::Gif => window |= byte << have,
                Flavour::Tiff => window = window << 8 | byte,
            }
            have += 8;
        }
        have -= bits;
        let code = match flavour {
            Flavour::Gif => {
                let code = window & ((1 << bits) - 1);
                window >>= bits;
                code
            }
            Flavour::Tiff => window >> have & ((1 << bits) - 1),
        };
        if code == clear {
            (next, bits, last) = (clear + 2, width + 1, None);
            continue;
        }
        if code == clear + 1 {
            return Err(Broken::Short);
        }
        let Some(previous) = last else {
            if code > clear {
                return Err(Broken::Code);
            }
            out.push(code as u8);
            last = Some(code);
            continue;
        };
        if code > next || (code == next && next > 4095) {
            return Err(Broken::Code);
        }
        // The string of the code, or of the one before with its first
        // symbol again.
        let known = if code == next { previous } else { code };
        let from = out.len();
        let count = usize::from(length[known as usize & 4095]);
        out.resize(from + count, 0);
        let mut c = known as usize & 4095;
        for place in out.get_mut(from..).unwrap_or_default().iter_mut().rev() {
            *place = suffix[c];
            c = usize::from(prefix[c]);
        }
        let first = out.get(from).copied().unwrap_or(0);
        if code == next {
            out.push(first);
        }
        if next < 4096 {
            let n = next as usize;
            prefix[n] = previous as u16;
            suffix[n] = first;
            length[n] = length[previous as usize & 4095].saturating_add(1);
            next += 1;
            if next + early == 1 << bits && bits < 12 {
                bits += 1;
            }
        }
        last = Some(code);
    }
    out.truncate(wanted);
    Ok(out)
}

/// Packs `data` the way GIF does.
pub(super) fn pack_gif(data: &[u8], width: u32) -> Vec<u8> {
    let clear = 1u32 << width;
    let mut out = Vec::with_capacity(data.len() / 2 + 16);
    let (mut window, mut have) = (0u32, 0u32);
    let mut put = |code: u32, bits: u32, out: &mut Vec<u8>| {
        window |= code << have;
        have += bits;
        while have >= 8 {
            out.push(window as u8);
            window >>= 8;
            have -= 8;
        }
    };
    // Children of each code: `prefix << 8 | symbol` to code, open addressing.
    const SLOTS: usize = 1 << 14;
    let mut keys = vec![u32::MAX; SLOTS];
    let mut values = vec![0u16; SLOTS];
    let (mut next, mut bits) = (clear + 2, width + 1);
    put(clear, bits, &mut out);
    let mut prefix: Option<u32> = None;
    for &symbol in data {
        let Some(p) = prefix else {
            prefix = Some(symbol.into());
            continue;
        };
        let key = p << 8 | u32::from(symbol);
        let mut slot = (key.wrapping_mul(0x9E37_79B1) >> 18) as usize & (SLOTS - 1);
        while keys[slot] != u32::MAX && keys[slot] != key {
            slot = (slot + 1) & (SLOTS - 1);
        }
        if keys[slot] == key {
            prefix = Some(values[slot].into());
            continue;
        }
        put(p, bits, &mut out);
        if next < 4096 {
            keys[slot] = key;
            values[slot] = next as u16;
            // The reader adds this code one step later.
            if next == 1 << bits && bits < 12 {
                bits += 1;
            }
            next += 1;
        } else {
            put(clear, bits, &mut out);
            keys.fill(u32::MAX);
            (next, bits) = (clear + 2, width + 1);
        }
        prefix = Some(symbol.into());
    }
    if let Some(p) = prefix {
        put(p, bits, &mut out);
        if next == 1 << bits && bits < 12 {
            bits += 1;
        }
    }
    put(clear + 1, bits, &mut out);
    put(0, 7, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks_to_the_same() {
        let mut state = 1u32;
        for (width, len, noise) in [(2, 1, 1), (2, 5000, 1), (8, 200_000, 1), (8, 200_000, 97), (4, 70_000, 7)] {
            let data: Vec<u8> = (0..len)
                .map(|i: u32| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    ((if noise > 1 { (state >> 16) % noise } else { i / 50 }) & ((1 << width) - 1)) as u8
                })
                .collect();
            let packed = pack_gif(&data, width);
            assert_eq!(unpack(&packed, width, data.len(), Flavour::Gif).unwrap(), data);
        }
    }

    #[test]
    fn broken_streams_say_so() {
        assert_eq!(unpack(&[], 2, 4, Flavour::Gif), Err(Broken::Short));
        assert_eq!(unpack(&[0xFC, 0xFF, 0xFF], 2, 400, Flavour::Gif), Err(Broken::Code));
    }
}
