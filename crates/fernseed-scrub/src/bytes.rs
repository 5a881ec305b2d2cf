//! Reading numbers out of slices without ever panicking.

/// The `len` bytes at `at`, if they are there.
pub(crate) fn part(b: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    b.get(at..at.checked_add(len)?)
}

fn array<const N: usize>(b: &[u8], at: usize) -> Option<[u8; N]> {
    part(b, at, N)?.try_into().ok()
}

/// Big-endian 16 bits.
pub(crate) fn be16(b: &[u8], at: usize) -> Option<u16> {
    array(b, at).map(u16::from_be_bytes)
}

/// Big-endian 24 bits.
pub(crate) fn be24(b: &[u8], at: usize) -> Option<u32> {
    array::<3>(b, at).map(|a| u32::from_be_bytes([0, a[0], a[1], a[2]]))
}

/// Big-endian 32 bits.
pub(crate) fn be32(b: &[u8], at: usize) -> Option<u32> {
    array(b, at).map(u32::from_be_bytes)
}

/// Big-endian 64 bits.
pub(crate) fn be64(b: &[u8], at: usize) -> Option<u64> {
    array(b, at).map(u64::from_be_bytes)
}

/// Little-endian 16 bits.
pub(crate) fn le16(b: &[u8], at: usize) -> Option<u16> {
    array(b, at).map(u16::from_le_bytes)
}

/// Little-endian 24 bits.
pub(crate) fn le24(b: &[u8], at: usize) -> Option<u32> {
    array::<3>(b, at).map(|a| u32::from_le_bytes([a[0], a[1], a[2], 0]))
}

/// Little-endian 32 bits.
pub(crate) fn le32(b: &[u8], at: usize) -> Option<u32> {
    array(b, at).map(u32::from_le_bytes)
}

/// Where `needle` first occurs in `hay`.
pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    memchr::memmem::find(hay, needle)
}

/// A four-character code as text: printable ASCII and the copyright sign
/// stand for themselves, anything else is written as `\xNN`.
pub(crate) fn fourcc(code: [u8; 4]) -> String {
    let mut text = String::new();
    for byte in code {
        match byte {
            0xA9 => text.push('\u{a9}'),
            0x20..=0x7e => text.push(char::from(byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text
}
