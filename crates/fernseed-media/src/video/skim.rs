//! Which packets need not be decoded: pictures that no other is predicted
//! from.
//!
//! A decoder that is not given them decodes all others alike. They are told
//! by their headers alone, and only where one packet is one whole picture
//! that is certainly shown: MP4 and Matroska with H.264 without interlacing,
//! HEVC without leading pictures, or MPEG-4 part 2. In all other streams
//! nothing is left out.

use super::avc;
use super::bits::Bits;
use crate::ffi::StreamFacts;

/// Knows the disposable pictures of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skim {
    /// H.264 behind lengths of so many bytes.
    Avc { length_size: usize },
    /// HEVC behind lengths of so many bytes, and the highest temporal layer
    /// plus one.
    Hevc { length_size: usize, layers: u8 },
    /// MPEG-4 part 2.
    Mpeg4,
}

impl Skim {
    /// `None` if all pictures of the stream must be decoded.
    pub(super) fn of(container: &str, facts: &StreamFacts) -> Option<Self> {
        if !container.split(',').any(|name| matches!(name, "mov" | "matroska")) {
            return None;
        }
        match facts.codec.as_str() {
            "h264" => {
                let config = avc::Config::read(&facts.header)?;
                let frames_only =
                    |sps: &Vec<u8>| avc::Sps::read(sps).is_some_and(|sps| sps.frames_only);
                let plain = !config.sps.is_empty() && config.sps.iter().all(frames_only);
                plain.then_some(Self::Avc { length_size: config.length_size })
            }
            "hevc" => hevc(&facts.header),
            "mpeg4" => Some(Self::Mpeg4),
            _ => None,
        }
    }

    /// True if a packet holds one picture that no other depends on.
    pub(super) fn is_disposable(self, packet: &[u8]) -> bool {
        match self {
            Self::Avc { length_size } => {
                let mut slices = 0;
                for unit in avc::units(packet, length_size) {
                    let Some([header, ..]) = unit else { return false };
                    match header & 31 {
                        1 if header & 0x60 == 0 => slices += 1,
                        // Supplements, delimiters and filler.
                        6 | 9 | 12 => {}
                        _ => return false,
                    }
                }
                slices > 0
            }
            Self::Hevc { length_size, layers } => {
                let mut slices = 0;
                for unit in avc::units(packet, length_size) {
                    let Some([first, second, ..]) = unit else { return false };
                    match first >> 1 & 63 {
                        // TRAIL_N, TSA_N and STSA_N of the highest layer.
                        0 | 2 | 4 if *second == layers => slices += 1,
                        35 | 38 | 39 | 40 => {}
                        _ => return false,
                    }
                }
                slices > 0
            }
            Self::Mpeg4 => {
                // One B-VOP and nothing else with a start code (14496-2, 6.2).
                let mut starts = packet.windows(5).filter(|w| w.starts_with(&[0, 0, 1]));
                let first = starts.next();
                first.is_some_and(|w| w[3] == 0xB6 && w[4] >> 6 == 2) && starts.next().is_none()
            }
        }
    }
}

/// Reads an `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 8.3.3.1).
fn hevc(record: &[u8]) -> Option<Skim> {
    let [version, ..] = record else { return None };
    let flags = *record.get(21)?;
    let layers = (flags >> 3 & 7).max(1);
    let length_size = usize::from(flags & 3) + 1;
    let mut rest = record.get(23..)?;
    let mut picture_sets = 0;
    for _ in 0..*record.get(22)? {
        let (head, after) = rest.split_first_chunk::<3>()?;
        rest = after;
        for _ in 0..u16::from_be_bytes([head[1], head[2]]) {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (set, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = after;
            if head[0] & 63 == 34 {
                picture_sets += 1;
                // A stream may mark pictures as not to be shown; then packets
                // are not frames.
                let mut bits = Bits::of_unit(set, 2);
                bits.ue()?;
                bits.ue()?;
                bits.bit()?;
                if bits.bit()? {
                    return None;
                }
            }
        }
    }
    let plain = *version == 1 && picture_sets > 0 && length_size != 3;
    plain.then_some(Skim::Hevc { length_size, layers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_unreferenced_pictures_are_disposable() {
        let avc = Skim::Avc { length_size: 1 };
        assert!(avc.is_disposable(&[2, 0x01, 9, 2, 0x06, 1, 2, 0x01, 9]));
        assert!(!avc.is_disposable(&[2, 0x01, 9, 2, 0x41, 9]), "one slice is a reference");
        assert!(!avc.is_disposable(&[2, 0x06, 1]), "no slice");
        assert!(!avc.is_disposable(&[2, 0x65, 1]) && !avc.is_disposable(&[2, 0x67, 1]));
        assert!(!avc.is_disposable(&[9, 0x01, 9]) && !avc.is_disposable(&[]));
        let hevc = Skim::Hevc { length_size: 1, layers: 1 };
        assert!(hevc.is_disposable(&[3, 0, 1, 9]));
        assert!(!hevc.is_disposable(&[3, 2, 1, 9]), "TRAIL_R");
        assert!(!hevc.is_disposable(&[3, 0, 2, 9]), "another layer");
        assert!(!hevc.is_disposable(&[3, 16, 1, 9]), "RASL_N is not always shown");
        let b_vop = [0, 0, 1, 0xB6, 0x9A, 5, 6];
        assert!(Skim::Mpeg4.is_disposable(&b_vop));
        assert!(!Skim::Mpeg4.is_disposable(&[0, 0, 1, 0xB6, 0x5A, 5]));
        assert!(!Skim::Mpeg4.is_disposable(&[&b_vop[..], &b_vop].concat()), "packed");
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(data: Vec<u8>) {
            let header = [&[1; 22][..], &data].concat();
            if let Some(skim) = hevc(&header) {
                proptest::prop_assert!(!skim.is_disposable(&[]));
            }
            for skim in [Skim::Avc { length_size: 2 }, Skim::Mpeg4] {
                proptest::prop_assert!(!skim.is_disposable(&data) || data.len() > 3);
            }
        }
    }
}
