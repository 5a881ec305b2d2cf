//! ZIP: stored members one after the other, their directory, its end.

use super::claims::Claims;
use super::member::{MAX_DEPTH, Member, bad_name};
use crate::bytes::{le16, le32, part};
use crate::source::Source;

/// Everything between the signature and the lengths that is the same for
/// all: version, flags, method, time.
const FIXED: &[u8] = b"\x14\0\0\x08\0\0\0\0\x21\0";

/// A member as its own header tells it.
struct Local {
    at: u64,
    /// Checksum, two sizes and the length of the name.
    numbers: Vec<u8>,
    name: Vec<u8>,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, depth: u32) {
    let len = source.len();
    let mut members: Vec<Local> = Vec::new();
    let mut at = 0u64;
    while source.array::<4>(at) == Ok(*b"PK\x03\x04") {
        let Some((local, body, size)) = local(source, at) else {
            claims.foreign("", at, len, "A member that is cut short.");
            return;
        };
        let path = format!("member {}", members.len() + 1);
        claims.own(&format!("{path} (header)"), at, at + 30);
        claims.own(&format!("{path} (name)"), at + 30, body);
        if source.bytes(at + 4, 10).as_deref() != Ok(FIXED) {
            claims.wrong(&path, at, body, "A header that our writer does not write.");
        }
        if members.last().is_some_and(|last| last.name >= local.name) {
            claims.wrong(&path, at, body, "Members that are not in order.");
        }
        if let Some(message) = bad_name(&local.name) {
            claims.wrong(&path, at + 30, body, message);
        }
        content(source, claims, &path, (body, size), &local, depth);
        members.push(local);
        at = body + size;
        if members.len() > 20_000 {
            claims.foreign("", at, len, "Too many members.");
            return;
        }
    }
    directory(source, claims, &members, at);
}

/// The header at `at`, where its content begins and how long it is.
fn local(source: &mut Source<'_>, at: u64) -> Option<(Local, u64, u64)> {
    let head = source.array::<30>(at).ok()?;
    let (packed, size) = (le32(&head, 18)?, le32(&head, 22)?);
    let (name, extra) = (le16(&head, 26)?, le16(&head, 28)?);
    // Extra fields and packed members are none of ours; they end the walk.
    (extra == 0 && packed == size).then_some(())?;
    let numbers = part(&head, 14, 14)?.to_vec();
    let body = at + 30 + u64::from(name);
    let name = source.bytes(at + 30, name.into()).ok()?;
    body.checked_add(size.into()).filter(|&e| e <= source.len())?;
    Some((Local { at, numbers, name }, body, size.into()))
}

/// Accounts for a member like for a file of its own.
fn content(
    source: &mut Source<'_>,
    claims: &mut Claims,
    path: &str,
    (start, len): (u64, u64),
    local: &Local,
    depth: u32,
) {
    if depth >= MAX_DEPTH {
        claims.foreign(path, start, start + len, "Archives are nested too deeply.");
        return;
    }
    source.grant(len.saturating_mul(4).saturating_add(1 << 20));
    let mut crc = flate2::Crc::new();
    let mut at = start;
    while at < start + len {
        let Ok(block) = source.upto(at, start + len, 1 << 16) else { break };
        crc.update(&block);
        at += block.len() as u64;
    }
    if le32(&local.numbers, 0) != Some(crc.sum()) {
        claims.wrong(path, start, start + len, "A checksum that is wrong.");
    }
    let mut member = Member { source, start, len, at: 0 };
    let inner = super::nested(&mut member, len, depth + 1);
    claims.take(path, Some(start), inner);
}

fn directory(source: &mut Source<'_>, claims: &mut Claims, members: &[Local], start: u64) {
    let len = source.len();
    let mut at = start;
    for local in members {
        let name = local.name.len() as u64;
        let entry = source.bytes(at, 46 + name).unwrap_or_default();
        let right = part(&entry, 0, 6) == Some(b"PK\x01\x02\x14\0")
            && part(&entry, 6, 10) == Some(FIXED)
            && part(&entry, 16, 14) == Some(&local.numbers)
            && part(&entry, 30, 12) == Some(&[0; 12])
            && le32(&entry, 42).map(u64::from) == Some(local.at)
            && entry.get(46..) == Some(&local.name);
        if !right {
            claims.foreign("directory", at, len, "A directory that our writer does not write.");
            return;
        }
        claims.own("directory", at, at + 46);
        claims.own("directory (name)", at + 46, at + 46 + name);
        at += 46 + name;
    }
    let end = source.array::<22>(at).unwrap_or_default();
    let count = Some(members.len() as u16);
    let right = part(&end, 0, 8) == Some(b"PK\x05\x06\0\0\0\0")
        && le16(&end, 8) == count
        && le16(&end, 10) == count
        && le32(&end, 12).map(u64::from) == Some(at - start)
        && le32(&end, 16).map(u64::from) == Some(start)
        && le16(&end, 20) == Some(0);
    if right {
        claims.own("end of the directory", at, at + 22);
        if at + 22 < len {
            claims.foreign("(after the end)", at + 22, len, "Bytes after the end of the archive.");
        }
    } else {
        claims.foreign("", at, len, "A directory that our writer does not write.");
    }
}
