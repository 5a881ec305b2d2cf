//! EBML elements (RFC 8794): an identifier, a length, a content.

use crate::source::Source;

/// One element as found in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// Identifier with its length marker, as written.
    pub(crate) id: u32,
    pub(crate) start: u64,
    /// First byte of the content.
    pub(crate) body: u64,
    /// One past the content; the parent's end if the length is unknown.
    pub(crate) end: u64,
    /// True if the element says "length unknown".
    pub(crate) open: bool,
}

/// The element at `at` inside a parent that ends at `end`. `None` if there
/// is none or it does not fit.
pub(crate) fn element(source: &mut Source<'_>, at: u64, end: u64) -> Option<Element> {
    read(source, at, end, false)
}

/// The same, but an element that is longer than its parent ends with it.
pub(crate) fn clipped(source: &mut Source<'_>, at: u64, end: u64) -> Option<Element> {
    read(source, at, end, true)
}

fn read(source: &mut Source<'_>, at: u64, end: u64, clip: bool) -> Option<Element> {
    let head = source.upto(at, end, 12).ok()?;
    let (id, id_len) = vint(&head, 4, false)?;
    let (size, size_len) = vint(head.get(id_len..)?, 8, true)?;
    let body = at + (id_len + size_len) as u64;
    let all_ones = (1u64 << (7 * size_len)) - 1;
    let open = size == all_ones;
    let stop = if open { end } else { body.checked_add(size)? };
    let stop = if clip { stop.min(end) } else { stop };
    (stop <= end).then_some(Element {
        id: u32::try_from(id).ok()?,
        start: at,
        body,
        end: stop,
        open,
    })
}

/// A variable-length integer of at most `most` bytes; `(value, bytes)`. The
/// marker bit is taken away if `strip`.
pub(crate) fn vint(b: &[u8], most: usize, strip: bool) -> Option<(u64, usize)> {
    let first = *b.first()?;
    let len = first.leading_zeros() as usize + 1;
    if len > most {
        return None;
    }
    let mut value = if strip && len < 8 {
        u64::from(first) & ((1 << (8 - len)) - 1)
    } else if strip {
        0
    } else {
        u64::from(first)
    };
    for &byte in b.get(1..len)? {
        value = value << 8 | u64::from(byte);
    }
    Some((value, len))
}

/// A big-endian unsigned integer of up to eight bytes.
pub(crate) fn uint(b: &[u8]) -> Option<u64> {
    (b.len() <= 8).then(|| b.iter().fold(0, |n, &x| n << 8 | u64::from(x)))
}
