//! Flash video: the script data at the beginning.

use super::collect::Collector;
use super::names;
use super::text::decode;
use super::{Category, Harm};
use crate::bytes::{be16, be24, be64, part};
use crate::source::Source;

/// Lists an FLV file.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) {
    let len = source.len();
    let mut at = 13;
    for _ in 0..16 {
        let Ok(head) = source.array::<11>(at) else { return };
        let length = u64::from(be24(&head, 1).unwrap_or(0));
        if head[0] & 31 == 18 {
            let body = source.upto(at + 11, len, length).unwrap_or_default();
            script(&body, out, Some((at, at + 15 + length)));
        }
        at += 15 + length;
    }
}

/// Names with text, number or date values (AMF 0), found by their layout.
fn script(body: &[u8], out: &mut Collector, place: Option<(u64, u64)>) {
    let mut at = 0usize;
    let mut found = 0;
    while at + 3 < body.len() && found < 500 {
        let length = usize::from(be16(body, at).unwrap_or(0));
        let name = part(body, at + 2, length).filter(|n| {
            (2..=64).contains(&length) && n.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
        });
        let Some(name) = name else {
            at += 1;
            continue;
        };
        let value_at = at + 2 + length;
        let value = match body.get(value_at) {
            Some(2) => {
                let n = usize::from(be16(body, value_at + 1).unwrap_or(0));
                part(body, value_at + 3, n).map(decode)
            }
            Some(11) => be64(body, value_at + 1)
                .map(|bits| super::text::date((f64::from_bits(bits) / 1000.0) as i64)),
            _ => None,
        };
        let name = decode(name);
        if let (Some(value), Some((sense, what))) = (value, names::sense(&name)) {
            found += 1;
            out.add(sense, what, &value, &format!("onMetaData/{name}"), place);
        }
        at = value_at;
    }
    if found == 0 {
        out.add((Category::Software, Harm::Low), "stream properties", "", "onMetaData", place);
    }
}
