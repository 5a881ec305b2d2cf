//! Bit reading for H.264 parameter sets.

/// Bits of an RBSP, most significant first, without emulation prevention.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn bit(&mut self) -> Option<u32> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn u(&mut self, n: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..n {
            value = value << 1 | self.bit()?;
        }
        Some(value)
    }

    /// Exp-Golomb code, H.264 9.1.
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.u(zeros)?;
        (1u32 << zeros).checked_add(rest)?.checked_sub(1)
    }
}

/// True if `nal` (with its header byte) is a sequence parameter set that
/// ends exactly where its syntax says (H.264 7.3.2.1.1 and E.1.1).
pub(super) fn sps_is_exact(nal: &[u8]) -> bool {
    nal.len() <= 1024 && parse(nal).is_some()
}

fn parse(nal: &[u8]) -> Option<()> {
    let mut bytes = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &b in nal.get(1..)? {
        if zeros >= 2 && b == 3 {
            zeros = 0;
            continue;
        }
        zeros = if b == 0 { zeros + 1 } else { 0 };
        bytes.push(b);
    }
    let mut r = Bits { bytes, at: 0 };
    let profile = r.u(8)?;
    r.u(16)?;
    r.ue()?;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128) {
        let chroma = r.ue()?;
        if chroma == 3 {
            r.u(1)?;
        }
        r.ue()?;
        r.ue()?;
        r.u(1)?;
        if r.u(1)? == 1 {
            for i in 0..if chroma == 3 { 12 } else { 8 } {
                if r.u(1)? == 1 {
                    scaling_list(&mut r, if i < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    r.ue()?;
    match r.ue()? {
        0 => {
            r.ue()?;
        }
        1 => {
            r.u(1)?;
            r.ue()?;
            r.ue()?;
            let cycle = r.ue()?;
            for _ in 0..cycle.min(256) {
                r.ue()?;
            }
        }
        _ => {}
    }
    r.ue()?;
    r.u(1)?;
    r.ue()?;
    r.ue()?;
    if r.u(1)? == 0 {
        r.u(1)?;
    }
    r.u(1)?;
    if r.u(1)? == 1 {
        for _ in 0..4 {
            r.ue()?;
        }
    }
    if r.u(1)? == 1 {
        vui(&mut r)?;
    }
    trailing(&r)
}

/// H.264 7.3.2.1.1.1.
fn scaling_list(r: &mut Bits, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            let k = i64::from(r.ue()?);
            let delta = if k % 2 == 1 { (k + 1) / 2 } else { -(k / 2) };
            next = (last + delta).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn vui(r: &mut Bits) -> Option<()> {
    if r.u(1)? == 1 && r.u(8)? == 255 {
        r.u(32)?;
    }
    if r.u(1)? == 1 {
        r.u(1)?;
    }
    if r.u(1)? == 1 {
        r.u(4)?;
        if r.u(1)? == 1 {
            r.u(24)?;
        }
    }
    if r.u(1)? == 1 {
        r.ue()?;
        r.ue()?;
    }
    if r.u(1)? == 1 {
        r.u(32)?;
        r.u(32)?;
        r.u(1)?;
    }
    let nal = r.u(1)?;
    if nal == 1 {
        hrd(r)?;
    }
    let vcl = r.u(1)?;
    if vcl == 1 {
        hrd(r)?;
    }
    if nal == 1 || vcl == 1 {
        r.u(1)?;
    }
    r.u(1)?;
    if r.u(1)? == 1 {
        r.u(1)?;
        for _ in 0..6 {
            r.ue()?;
        }
    }
    Some(())
}

fn hrd(r: &mut Bits) -> Option<()> {
    let count = r.ue()?;
    r.u(8)?;
    for _ in 0..=count.min(31) {
        r.ue()?;
        r.ue()?;
        r.u(1)?;
    }
    r.u(20)?;
    Some(())
}

/// A one, zeros to the end of the byte, and nothing more.
fn trailing(r: &Bits) -> Option<()> {
    let last = r.bytes.last()?;
    let end = r.bytes.len() * 8 - last.trailing_zeros() as usize;
    (*last != 0 && r.at + 1 == end).then_some(())
}
