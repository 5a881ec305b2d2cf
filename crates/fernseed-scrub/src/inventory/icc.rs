//! ICC colour profiles (ICC.1:2022): who made it, when, for which device.

use super::collect::Collector;
use super::text::{decode, utf16};
use super::{Category, Harm};
use crate::bytes::{be16, be32, part};
use Category::{Device, Link, Other, People, Software, Time};
use Harm::{Low, Medium};

/// Lists a profile; `place` is where it lies in the file, if in one piece.
pub(super) fn list(data: &[u8], out: &mut Collector, path: &str, place: Option<(u64, u64)>) {
    out.inside(place, |out| profile(data, out, path));
}

fn profile(data: &[u8], out: &mut Collector, path: &str) {
    if part(data, 36, 4) != Some(b"acsp") {
        let size = super::text::size(data.len() as u64);
        let what = "colour profile that cannot be read";
        out.add((Category::Hidden, Medium), what, &size, path, None);
        return;
    }
    let code = |at| decode(part(data, at, 4).unwrap_or_default());
    for (at, category, what, name) in [
        (4, Software, "colour profile software", "ProfileCMMType"),
        (40, Device, "colour profile platform", "PrimaryPlatform"),
        (48, Device, "device maker", "DeviceManufacturer"),
        (52, Device, "device model", "DeviceModel"),
        (80, Software, "colour profile maker", "ProfileCreator"),
    ] {
        let value = code(at);
        if !value.trim().is_empty() {
            out.add((category, Low), what, &value, &format!("{path}/{name}"), None);
        }
    }
    let date: Vec<u16> = (0..6).filter_map(|i| be16(data, 24 + 2 * i)).collect();
    if let [y, mo, d, h, mi, s] = date.as_slice()
        && *y > 0
    {
        let value = format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}");
        let path = format!("{path}/ProfileDateTime");
        out.add((Time, Low), "date of the colour profile", &value, &path, None);
    }
    if part(data, 84, 16).is_some_and(|id| id.iter().any(|&b| b != 0)) {
        let value = super::text::hex(part(data, 84, 16).unwrap_or_default());
        let path = format!("{path}/ProfileID");
        out.add((Link, Low), "identifier of the colour profile", &value, &path, None);
    }
    let tags = be32(data, 128).unwrap_or(0).min(200) as usize;
    for i in 0..tags {
        let at = 132 + i * 12;
        let (Some(kind), Some(offset), Some(length)) =
            (part(data, at, 4), be32(data, at + 4), be32(data, at + 8))
        else {
            break;
        };
        let Some(value) = part(data, offset as usize, length as usize) else { continue };
        let (sense, what, name) = match kind {
            b"desc" => ((Device, Low), "colour profile", "ProfileDescription"),
            b"cprt" => ((People, Low), "copyright notice", "ProfileCopyright"),
            b"dmnd" => ((Device, Low), "device maker", "DeviceMfgDesc"),
            b"dmdd" => ((Device, Low), "device model", "DeviceModelDesc"),
            b"mmod" => ((Device, Medium), "display model and serial number", "MakeAndModel"),
            b"vcgt" | b"meta" | b"targ" => ((Other, Low), "calibration data", "Calibration"),
            _ => continue,
        };
        let text = text_of(value);
        out.add(sense, what, &text, &format!("{path}/{name}"), None);
    }
}

fn text_of(value: &[u8]) -> String {
    match part(value, 0, 4) {
        Some(b"desc") => decode(value.get(12..).unwrap_or_default()),
        Some(b"text") => decode(value.get(8..).unwrap_or_default()),
        Some(b"mluc") => {
            let (length, at) = (be32(value, 20).unwrap_or(0), be32(value, 24).unwrap_or(0));
            utf16(part(value, at as usize, length as usize).unwrap_or_default(), true)
        }
        _ => super::text::hex(value.get(8..).unwrap_or_default()),
    }
}
