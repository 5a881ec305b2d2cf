//! Sensor data that cameras record beside the picture: GoPro's GPMF and
//! Google's CAMM.

use super::collect::Collector;
use super::text::{decode, hex};
use super::{Category, Harm};
use crate::bytes::{be16, be32, part};

/// Lists a GPMF payload (key, type, size, repeat; big-endian, 32-bit
/// aligned; the format is documented by GoPro).
///
/// Returns true if there was a position in it. `quiet` lists positions only.
pub(super) fn gpmf(
    data: &[u8],
    out: &mut Collector,
    path: &str,
    place: Option<(u64, u64)>,
    quiet: bool,
) -> bool {
    let mut state =
        Gpmf { out, path, place, scale: Vec::new(), budget: 20_000, positions: 0, quiet };
    state.walk(data, 0);
    state.positions > 0
}

struct Gpmf<'a> {
    out: &'a mut Collector,
    path: &'a str,
    place: Option<(u64, u64)>,
    scale: Vec<f64>,
    budget: u32,
    positions: u32,
    quiet: bool,
}

impl Gpmf<'_> {
    fn walk(&mut self, data: &[u8], depth: u32) {
        let mut at = 0usize;
        while let Some(head) = part(data, at, 8) {
            if self.budget == 0 || depth > 6 {
                return;
            }
            self.budget -= 1;
            let (kind, width) = (head[4], usize::from(head[5]));
            let length = width * usize::from(be16(head, 6).unwrap_or(0));
            let Some(body) = part(data, at + 8, length) else { return };
            match (head.get(..4).unwrap_or_default(), kind) {
                (_, 0) => self.walk(body, depth + 1),
                (b"SCAL", _) => self.scale = numbers(body, kind),
                // Latitude and longitude come first, or after a time of four
                // (GLPI) or eight bytes (GPRI, where the time has a scale).
                (b"GPS5", b'l') | (b"GPS9", _) => self.position(body, 0, 0),
                (b"GLPI", _) => self.position(body, 4, 1),
                (b"GPRI", _) => self.position(body, 8, 1),
                (b"GPSU", _) => self.say(
                    (Category::Time, Harm::High),
                    "time from satellite",
                    "GPSDateTime",
                    &decode(body),
                ),
                (b"DVNM", _) => self.say(
                    (Category::Device, Harm::Medium),
                    "device model",
                    "DeviceName",
                    &decode(body),
                ),
                (b"MINF", _) => self.say(
                    (Category::Device, Harm::Medium),
                    "device model",
                    "Model",
                    &decode(body),
                ),
                (b"CASN", _) => self.say(
                    (Category::Device, Harm::High),
                    "serial number",
                    "CameraSerialNumber",
                    &decode(body),
                ),
                (b"FMWR", _) => self.say(
                    (Category::Device, Harm::Medium),
                    "firmware version",
                    "FirmwareVersion",
                    &decode(body),
                ),
                (b"MUID" | b"GUMI", _) => self.say(
                    (Category::Link, Harm::High),
                    "unique identifier",
                    "MediaUniqueID",
                    &hex(body),
                ),
                (b"CDAT" | b"CDTM", _) => self.say(
                    (Category::Time, Harm::Medium),
                    "date and time",
                    "CreationDate",
                    &hex(body),
                ),
                (b"TIMZ", _) => {
                    self.say((Category::Time, Harm::Medium), "time zone", "TimeZone", &hex(body))
                }
                (b"FACE", _) => self.say(
                    (Category::People, Harm::Medium),
                    "faces the camera found",
                    "FaceDetected",
                    &format!("{} bytes", body.len()),
                ),
                _ => {}
            }
            at += 8 + length.div_ceil(4) * 4;
        }
    }

    /// A position whose latitude stands at `at` and has scale number `first`.
    fn position(&mut self, body: &[u8], at: usize, first: usize) {
        let coordinate = |i: usize| {
            let raw = f64::from(be32(body, at + i * 4)? as i32);
            let scale = self.scale.get(first + i).or(self.scale.first()).copied().unwrap_or(1.0);
            Some(if scale == 0.0 { raw } else { raw / scale })
        };
        let (Some(lat), Some(lon), height) = (coordinate(0), coordinate(1), coordinate(2)) else {
            return;
        };
        // Zero means that the satellites were not found yet.
        if self.positions > 0 || (lat == 0.0 && lon == 0.0) {
            return;
        }
        self.positions += 1;
        let height = height.map_or_else(String::new, |h| format!(", altitude {h:.1} m"));
        let value = format!("{lat:.6}, {lon:.6}{height}");
        let place = self.place;
        let path = format!("{}/GPMF/GPSLatitude+GPSLongitude+GPSAltitude", self.path);
        self.out.add((Category::Place, Harm::High), "GPS position", &value, &path, place);
    }

    fn say(&mut self, sense: (Category, Harm), what: &str, name: &str, value: &str) {
        if self.quiet {
            return;
        }
        self.out.add(sense, what, value, &format!("{}/GPMF/{name}", self.path), self.place);
    }
}

fn numbers(body: &[u8], kind: u8) -> Vec<f64> {
    match kind {
        b's' => body.chunks_exact(2).map(|c| f64::from(i16::from_be_bytes([c[0], c[1]]))).collect(),
        b'l' | b'L' => {
            body.chunks_exact(4).filter_map(|c| be32(c, 0)).map(|n| f64::from(n as i32)).collect()
        }
        _ => Vec::new(),
    }
}

/// Lists one CAMM sample; true if it held a position.
pub(super) fn camm(
    sample: &[u8],
    out: &mut Collector,
    path: &str,
    place: Option<(u64, u64)>,
) -> bool {
    let kind = part(sample, 2, 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let double =
        |at: usize| part(sample, at, 8).and_then(|b| b.try_into().ok()).map(f64::from_le_bytes);
    let at = match kind {
        Some(5) => 4,
        Some(6) => 16,
        _ => return false,
    };
    let (Some(lat), Some(lon)) = (double(at), double(at + 8)) else { return false };
    let value = format!("{lat:.6}, {lon:.6}");
    let path = format!("{path}/CAMM/GPSLatitude+GPSLongitude");
    out.add((Category::Place, Harm::High), "GPS position", &value, &path, place);
    true
}
