//! Application segments of JPEG: Photoshop resources, multi-picture index,
//! and the trailers that cameras and phones append.

use super::collect::Collector;
use super::text::{decode, size};
use super::{Category, Harm, exif, icc, iptc, names, xmp};
use crate::bytes::{be16, be32, find, le16, le32, part};
use crate::source::Source;

/// Lists Photoshop image resource blocks ("8BIM").
pub(super) fn photoshop(data: &[u8], out: &mut Collector, path: &str) {
    let mut at = 0usize;
    let mut count = 0;
    while let Some(kind) = part(data, at, 4) {
        count += 1;
        let known = matches!(kind, b"8BIM" | b"MeSa" | b"AgHg" | b"PHUT" | b"DCSR");
        if !known || count > 2_000 {
            return;
        }
        let Some(id) = be16(data, at + 4) else { return };
        let name = usize::from(data.get(at + 6).copied().unwrap_or(0));
        let body = at + 6 + (name + 2) / 2 * 2;
        let Some(length) = be32(data, body).map(|n| n as usize) else { return };
        let Some(block) = part(data, body + 4, length) else {
            out.note("A Photoshop resource is cut short.");
            return;
        };
        resource(id, block, out, path);
        at = body + 4 + length + length % 2;
    }
}

fn resource(id: u16, block: &[u8], out: &mut Collector, path: &str) {
    let sized = size(block.len() as u64);
    match id {
        0x0404 => iptc::list(block, out, &format!("{path}/IPTC")),
        0x0409 | 0x040C => {
            let path = format!("{path}/PhotoshopThumbnail");
            out.add((Category::Preview, Harm::High), "thumbnail", &sized, &path, None);
        }
        0x040F => icc::list(block, out, &format!("{path}/ICC"), None),
        0x0422 | 0x0423 => exif::list_block(block, out, &format!("{path}/Exif"), None),
        0x0424 => xmp::list(block, out, &format!("{path}/XMP"), None),
        0x040A => {
            let state = if block.first() == Some(&1) { "marked" } else { "not marked" };
            let path = format!("{path}/CopyrightFlag");
            out.add((Category::People, Harm::Low), "copyright mark", state, &path, None);
        }
        0x040B => {
            let path = format!("{path}/URL");
            out.add((Category::Link, Harm::Medium), "web address", &decode(block), &path, None);
        }
        0x041E => {
            let path = format!("{path}/URLList");
            out.add((Category::Link, Harm::Low), "web addresses", &sized, &path, None);
        }
        0x0421 => {
            let path = format!("{path}/VersionInfo");
            let tool = super::text::utf16(block.get(9..).unwrap_or_default(), true);
            out.add((Category::Software, Harm::Low), "software", &tool, &path, None);
        }
        0x0425 => {
            let path = format!("{path}/IPTCDigest");
            let value = super::text::hex(block);
            out.add((Category::Link, Harm::Low), "checksum of the metadata", &value, &path, None);
        }
        0x07D0..=0x0BB6 => {
            let path = format!("{path}/ClippingPath");
            out.add((Category::Hidden, Harm::Low), "drawn outline", &sized, &path, None);
        }
        _ => {}
    }
}

/// Lists a multi-picture index: a TIFF structure at `base`.
pub(super) fn mpf(source: &mut Source<'_>, out: &mut Collector, base: u64, end: u64) {
    let Ok(data) = source.bytes(base, end.saturating_sub(base)) else { return };
    let big = data.starts_with(b"MM");
    let u16 = |at| if big { be16(&data, at) } else { le16(&data, at) };
    let u32 = |at| if big { be32(&data, at) } else { le32(&data, at) };
    let Some(ifd) = u32(4).map(|n| n as usize) else { return };
    for i in 0..usize::from(u16(ifd).unwrap_or(0)).min(64) {
        let at = ifd + 2 + i * 12;
        if u16(at) != Some(0xB002) {
            continue;
        }
        let (Some(bytes), Some(list)) = (u32(at + 4), u32(at + 8)) else { return };
        // 16 bytes each: attributes, size, offset, dependencies. The first
        // is the picture itself.
        for n in 1..(bytes as usize / 16).min(32) {
            let entry = list as usize + n * 16;
            let (Some(length), Some(offset)) = (u32(entry + 4), u32(entry + 8)) else { return };
            let start = base + u64::from(offset);
            let place = Some((start, start + u64::from(length)));
            let what = "second picture (preview, depth or gain map)";
            let path = format!("APP2/MPF/MPImage{}/PreviewImage", n + 1);
            out.add((Category::Preview, Harm::High), what, &size(length.into()), &path, place);
        }
    }
}

/// Application segments of single makers.
pub(super) fn other(
    source: &mut Source<'_>,
    out: &mut Collector,
    name: &str,
    body: &[u8],
    place: Option<(u64, u64)>,
) {
    let label: String = decode(body.get(..24).unwrap_or(body));
    let value = format!("{label} ({})", size(body.len() as u64));
    // Old cameras write a text of "Name=value" lines, or a whole EXIF block.
    let lines: Vec<u8> = body.iter().take(4096).map(|&b| if b == 0 { b'\n' } else { b }).collect();
    let text = decode(&lines);
    let mut named = 0;
    for line in text.split(['\r', '\n']).take(400) {
        if let Some((key, value)) = line.split_once('=')
            && let Some((sense, what)) = names::sense(key)
        {
            out.add(sense, what, value, &format!("{name}/{key}"), place);
            named += 1;
        }
    }
    if let Some(at) = find(body.get(..64).unwrap_or(body), b"MM\0*")
        .or_else(|| find(body.get(..64).unwrap_or(body), b"II*\0"))
        && let Some((start, end)) = place
    {
        let base = start + 4 + at as u64;
        exif::list(source, out, base, end.saturating_sub(base), &format!("{name}/TIFF"));
        named += 1;
    }
    let harm = if named > 0 { Harm::Medium } else { Harm::Low };
    out.add((Category::Hidden, harm), "maker's private block", &value, name, place);
}

/// Trailers with a known signature.
pub(super) fn trailers(source: &mut Source<'_>, out: &mut Collector, from: u64) {
    let len = source.len();
    let tail_start = from.max(len.saturating_sub(64 * 1024));
    let tail = source.upto(tail_start, len, 64 * 1024).unwrap_or_default();
    for (mark, what) in [
        (&b"SEFT"[..], "Samsung trailer (times, capture info, motion photo)"),
        (b"AXS!", "AFCP trailer (IPTC, thumbnail)"),
        (b"AXS*", "AFCP trailer (IPTC, thumbnail)"),
        (b"~\0\0\0\x04zmie~", "MIE trailer"),
        (b"~\x08MIE", "MIE trailer"),
        (b"CANON OPTIONAL DATA\0", "Canon VRD trailer"),
        (b"cbipcbbl", "FotoStation trailer (IPTC)"),
        (b"\xA1\xB2\xC3\xD4", "PhotoMechanic or FotoStation trailer"),
        (b"8db42d694ccc418790edff439fe026bf", "360 camera trailer (GPS, serial number)"),
        (b"LIVE_", "live photo trailer"),
    ] {
        if let Some(at) = find(&tail, mark) {
            let start = tail_start + at as u64;
            let place = Some((start, start + mark.len() as u64));
            out.add((Category::Hidden, Harm::Medium), what, "", "(after EOI)", place);
        }
    }
    // IPTC and thumbnails inside such trailers are found by their own marks.
    if let Some(at) = find(&tail, b"\x1C\x02") {
        let data = tail.get(at..).unwrap_or_default();
        out.inside(Some((tail_start, len)), |out| iptc::list(data, out, "(after EOI)/IPTC"));
    }
    samsung(&tail, tail_start, out);
}

/// Entries of a Samsung trailer: a directory at the end, names before data.
fn samsung(tail: &[u8], start: u64, out: &mut Collector) {
    let Some(end) = tail.len().checked_sub(8) else { return };
    if part(tail, end + 4, 4) != Some(b"SEFT") {
        return;
    }
    let Some(length) = le32(tail, end).map(|n| n as usize) else { return };
    let Some(directory) = end.checked_sub(length) else { return };
    let count = le32(tail, directory + 8).unwrap_or(0).min(64) as usize;
    for i in 0..count {
        let at = directory + 12 + i * 12;
        let (Some(back), Some(size)) = (le32(tail, at + 4), le32(tail, at + 8)) else { return };
        let Some(block) = directory.checked_sub(back as usize) else { continue };
        let name_length = le32(tail, block + 4).unwrap_or(0).min(64) as usize;
        let name = decode(part(tail, block + 8, name_length).unwrap_or_default());
        let data = (size as usize).saturating_sub(8 + name_length);
        let value = decode(part(tail, block + 8 + name_length, data.min(200)).unwrap_or_default());
        let (sense, what) = match name.as_str() {
            "Image_UTC_Data" => ((Category::Time, Harm::Medium), "date and time"),
            "MotionPhoto_Data" | "SoundShot_Data" => {
                ((Category::Preview, Harm::High), "motion photo")
            }
            _ => names::sense_or_other(&name),
        };
        let value = match value.parse::<i64>() {
            Ok(ms) if name == "Image_UTC_Data" => {
                let zone = super::text::date(ms / 1000);
                format!("{value} ({zone})")
            }
            _ => value,
        };
        let from = start + block as u64;
        let place = Some((from, from + u64::from(size)));
        out.add(sense, what, &value, &format!("(after EOI)/Samsung/{name}"), place);
    }
}
