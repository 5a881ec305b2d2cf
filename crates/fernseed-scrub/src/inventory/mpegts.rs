//! MPEG transport streams: the names a broadcaster or camera gives, and the
//! clock of AVCHD cameras.

use super::collect::Collector;
use super::text::decode;
use super::{Category, Harm};
use crate::bytes::{be16, find, part};
use crate::source::Source;

/// Most bytes at the beginning that are looked at.
const HEAD: u64 = 2 << 20;

/// Packet size of a transport stream: 188, or 192 with time stamps.
pub(super) fn packet_size(head: &[u8]) -> Option<usize> {
    let sync = |at: usize| head.get(at) == Some(&0x47);
    if sync(0) && sync(188) {
        Some(188)
    } else if sync(4) && sync(196) {
        Some(192)
    } else {
        None
    }
}

/// Lists a transport stream.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) {
    let data = source.upto(0, source.len(), HEAD).unwrap_or_default();
    let Some(step) = packet_size(&data) else { return };
    for packet in data.chunks_exact(step) {
        let packet = packet.get(step - 188..).unwrap_or_default();
        let pid = be16(packet, 1).unwrap_or(0) & 0x1FFF;
        let starts = packet.get(1).is_some_and(|b| b & 0x40 != 0);
        let adaptation = packet.get(3).is_some_and(|b| b & 0x20 != 0);
        let skip =
            if adaptation { 5 + usize::from(packet.get(4).copied().unwrap_or(0)) } else { 4 };
        let Some(payload) = packet.get(skip..) else { continue };
        if pid == 0x11 && starts {
            service(payload, out);
            break;
        }
    }
    // AVCHD cameras write date and place into an SEI message marked MDPM.
    if let Some(at) = find(&data, b"MDPM") {
        let message = data.get(at + 4..).unwrap_or_default();
        let place = Some((at as u64, at as u64 + 4));
        let mut date: [Option<String>; 2] = [None, None];
        let count = usize::from(message.first().copied().unwrap_or(0)).min(64);
        for i in 0..count {
            let Some(field) = part(message, 1 + i * 5, 5) else { break };
            match field[0] {
                0x18 => date[0] = part(field, 2, 3).map(super::text::hex),
                0x19 => date[1] = part(field, 1, 4).map(super::text::hex),
                0xB0..=0xCA => {
                    let sense = (Category::Place, Harm::High);
                    out.add(sense, "GPS data", "in the video stream", "H264/MDPM/GPS", place);
                }
                0xE0 => {
                    let value = super::text::hex(part(field, 1, 2).unwrap_or_default());
                    out.add(
                        (Category::Device, Harm::Medium),
                        "device maker",
                        &value,
                        "H264/MDPM/Make",
                        place,
                    );
                }
                _ => {}
            }
        }
        let value = match date {
            [Some(a), Some(b)] => format!("{a} {b} (year month day hour minute second)"),
            _ => "in the video stream".to_owned(),
        };
        let path = "H264/MDPM/DateTimeOriginal";
        out.add((Category::Time, Harm::Medium), "date and time", &value, path, place);
    }
}

/// Provider and service name of a service description section (EN 300 468).
fn service(payload: &[u8], out: &mut Collector) {
    let pointer = usize::from(payload.first().copied().unwrap_or(0)) + 1;
    let Some(section) = payload.get(pointer..) else { return };
    let Some(at) = section.windows(2).skip(11).position(|w| w[0] == 0x48).map(|p| p + 11) else {
        return;
    };
    let provider_length = usize::from(section.get(at + 3).copied().unwrap_or(0));
    let provider = part(section, at + 4, provider_length).map(decode).unwrap_or_default();
    let name_at = at + 4 + provider_length;
    let name_length = usize::from(section.get(name_at).copied().unwrap_or(0));
    let name = part(section, name_at + 1, name_length).map(decode).unwrap_or_default();
    if !provider.is_empty() {
        out.add(
            (Category::Software, Harm::Low),
            "provider or software",
            &provider,
            "SDT/ServiceProvider",
            None,
        );
    }
    if !name.is_empty() {
        out.add(
            (Category::People, Harm::Medium),
            "name of the programme",
            &name,
            "SDT/ServiceName",
            None,
        );
    }
}
