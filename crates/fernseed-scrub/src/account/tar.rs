//! TAR, plain or gzipped: headers of one form, members, two empty blocks.

use super::claims::Claims;
use super::member::{MAX_DEPTH, Member, bad_name};
use crate::bytes::part;
use crate::source::Source;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::Cursor;

/// Most bytes that a packed archive is unpacked to.
const MAX_PACKED: usize = 300 << 20;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, depth: u32) {
    if source.array::<2>(0) == Ok([0x1F, 0x8B]) {
        packed(source, claims, depth);
    } else {
        plain(source, claims, depth);
    }
}

fn plain(source: &mut Source<'_>, claims: &mut Claims, depth: u32) {
    let len = source.len();
    let mut at = 0u64;
    let mut last: Option<Vec<u8>> = None;
    let mut count = 0;
    loop {
        let Ok(head) = source.array::<512>(at) else {
            claims.foreign("", at, len, "The archive does not end.");
            return;
        };
        if head == [0; 512] {
            break;
        }
        count += 1;
        let path = format!("member {count}");
        let Some((name, size)) = header(&head).filter(|_| count <= 20_000) else {
            claims.foreign(&path, at, len, "A header that our writer does not write.");
            return;
        };
        let (body, end) = (at + 512, at + 512 + size);
        let next = at + 512 + size.div_ceil(512) * 512;
        if next > len {
            claims.foreign(&path, at, len, "A member that is cut short.");
            return;
        }
        claims.own(&format!("{path} (name)"), at, at + 100);
        claims.own(&format!("{path} (header)"), at + 100, body);
        if let Some(message) = bad_name(&name) {
            claims.wrong(&path, at, at + 100, message);
        }
        if last.is_some_and(|l| l >= name) {
            claims.wrong(&path, at, at + 100, "Members that are not in order.");
        }
        last = Some(name);
        if depth >= MAX_DEPTH {
            claims.foreign(&path, body, end, "Archives are nested too deeply.");
        } else {
            source.grant(size.saturating_mul(3).saturating_add(1 << 20));
            let mut member = Member { source, start: body, len: size, at: 0 };
            let inner = super::nested(&mut member, size, depth + 1);
            claims.take(&path, Some(body), inner);
        }
        claims.own(&format!("{path} (padding)"), end, next);
        if source.bytes(end, next - end).is_ok_and(|b| b.iter().any(|&x| x != 0)) {
            claims.wrong(&path, end, next, "Padding that is not empty.");
        }
        at = next;
    }
    claims.own("end", at, (at + 1024).min(len));
    if source.bytes(at, 1024).is_ok_and(|b| b.iter().any(|&x| x != 0)) {
        claims.wrong("end", at, at + 1024, "An end that is not empty.");
    }
    if at + 1024 < len {
        claims.foreign("(after the end)", at + 1024, len, "Bytes after the end of the archive.");
    } else if at + 1024 > len {
        claims.wrong("end", at, len, "The archive does not end.");
    }
}

/// Name and size, if every other field has its one value.
fn header(b: &[u8; 512]) -> Option<(Vec<u8>, u64)> {
    let zero = |from: usize, to: usize| b.get(from..to).is_some_and(|z| z.iter().all(|&x| x == 0));
    let end = b.iter().take(100).position(|&x| x == 0).unwrap_or(100);
    let size = part(b, 124, 11)?
        .iter()
        .try_fold(0u64, |n, &d| matches!(d, b'0'..=b'7').then(|| n * 8 + u64::from(d - b'0')))?;
    let sum = b
        .iter()
        .enumerate()
        .fold(0u32, |s, (n, &x)| s + if n / 4 == 37 || n / 4 == 38 { 32 } else { u32::from(x) });
    let right = zero(end, 100)
        && part(b, 100, 24)? == b"0000644\x000000000\x000000000\0"
        && part(b, 135, 13)? == b"\x0000000000000\0"
        && part(b, 148, 8)? == format!("{sum:06o}\0 ").as_bytes()
        && part(b, 156, 1)? == b"0"
        && zero(157, 257)
        && part(b, 257, 8)? == b"ustar\x0000"
        && zero(265, 512);
    right.then(|| (b.get(..end).unwrap_or_default().to_vec(), size))
}

/// A gzip wrapper with nothing in its header, around a plain archive.
fn packed(source: &mut Source<'_>, claims: &mut Claims, depth: u32) {
    let len = source.len();
    claims.own("gzip (header)", 0, 10.min(len));
    let head = source.array::<10>(0).unwrap_or_default();
    if part(&head, 0, 8) != Some(b"\x1F\x8B\x08\0\0\0\0\0") || head[9] != 255 || head[8] != 0 {
        claims.wrong("gzip (header)", 0, 10, "A name, a time or a comment in the header.");
    }
    let mut machine = Decompress::new(false);
    let mut out: Vec<u8> = Vec::new();
    let mut at = 10u64;
    let done = loop {
        let input = source.upto(at, len, 64 << 10).unwrap_or_default();
        if out.len() == out.capacity() {
            out.reserve(out.len().clamp(1 << 16, 16 << 20));
        }
        let (before, had) = (machine.total_in(), out.len());
        let status = machine.decompress_vec(&input, &mut out, FlushDecompress::None);
        at += machine.total_in() - before;
        let stuck = machine.total_in() == before && out.len() == had;
        match status {
            Ok(Status::StreamEnd) => break true,
            Err(_) => break false,
            Ok(_) if out.len() > MAX_PACKED => break false,
            Ok(_) if stuck && out.len() < out.capacity() => break false,
            Ok(_) => {}
        }
    };
    if !done {
        claims.foreign("gzip", 10, len, "Packed data that is broken or too long.");
        return;
    }
    claims.own("gzip (data)", 10, at);
    let mut crc = flate2::Crc::new();
    crc.update(&out);
    let mut sums = crc.sum().to_le_bytes().to_vec();
    sums.extend((out.len() as u32).to_le_bytes());
    claims.own("gzip (checksum)", at, (at + 8).min(len));
    if source.bytes(at, 8).ok() != Some(sums) {
        claims.wrong("gzip (checksum)", at, len, "A checksum that is wrong.");
    }
    if at + 8 < len {
        claims.foreign("(after the end)", at + 8, len, "Bytes after the end of the archive.");
    }
    let size = out.len() as u64;
    if out.get(257..262) != Some(b"ustar") && out.iter().any(|&b| b != 0) || depth >= MAX_DEPTH {
        claims.foreign("gzip (data)", 10, at, "Packed data that is no TAR archive.");
        return;
    }
    let inner = super::nested(&mut Cursor::new(out), size, depth + 1);
    claims.take("gzip", None, inner);
}
