//! Boxes in memory and in the file.

use crate::bytes::{be32, be64};
use crate::source::Source;

/// Boxes one after the other: kind and content. Ends at the first that does
/// not fit; readers demand what they need by kind.
pub(super) fn children(mut b: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let kind: [u8; 4] = b.get(4..8)?.try_into().ok()?;
        let (head, size) = match be32(b, 0)? {
            0 => (8, b.len()),
            1 => (16, usize::try_from(be64(b, 8)?).ok()?),
            n => (8, n as usize),
        };
        let body = b.get(head..size)?;
        b = b.get(size..)?;
        Some((kind, body))
    })
}

/// The first child of a kind.
pub(super) fn child<'a>(b: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    children(b).find(|(k, _)| k == kind).map(|(_, body)| body)
}

/// Follows a path of kinds.
pub(super) fn path<'a>(b: &'a [u8], kinds: &[&[u8; 4]]) -> Option<&'a [u8]> {
    kinds.iter().try_fold(b, |b, kind| child(b, kind))
}

/// A box at the top of the file: kind, start, content, end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top {
    pub(super) kind: [u8; 4],
    pub(super) start: u64,
    pub(super) body: u64,
    pub(super) end: u64,
}

/// The box at `at`. A last box that is cut short ends with the file.
pub(super) fn top(source: &mut Source<'_>, at: u64) -> Option<Top> {
    let len = source.len();
    let head = source.upto(at, len, 16).ok()?;
    let kind = head.get(4..8)?.try_into().ok()?;
    let (body, size) = match be32(&head, 0)? {
        0 => (8, len - at),
        1 => (16, be64(&head, 8)?),
        n => (8, u64::from(n)),
    };
    let end = at.checked_add(size)?.min(len);
    (size >= body && at + body <= len).then_some(Top { kind, start: at, body: at + body, end })
}
