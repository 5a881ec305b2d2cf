//! Which format a file is, told by its first bytes and never by its name.

/// The picture formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StillFormat {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG, with or without animation (W3C PNG third edition).
    Png,
    /// WebP, lossy or lossless, with or without animation (RFC 9649).
    WebP,
    /// GIF 87a and 89a.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF 6.0 and BigTIFF.
    Tiff,
    /// Netpbm: PBM, PGM, PPM and PAM.
    Pnm,
    /// AVIF: AV1 in HEIF.
    Avif,
    /// HEIC: HEVC in HEIF (ISO/IEC 23008-12).
    Heif,
    /// JPEG XL, bare codestream or container (ISO/IEC 18181).
    Jxl,
}

impl StillFormat {
    /// The name people know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Pnm => "Netpbm",
            Self::Avif => "AVIF",
            Self::Heif => "HEIF",
            Self::Jxl => "JPEG XL",
        }
    }
}

/// Bytes of the file's beginning that [`sniff`] wants to see, if there are that many.
pub const SNIFF_BYTES: usize = 512;

/// Which picture format begins like this, if any. `head` is the beginning of
/// the file, [`SNIFF_BYTES`] of it if there are that many. HEIF sequences
/// (`msf1`, `hevc`, `avis`) count as pictures only if they also hold a still
/// one; video files (`mp42`, `isom`, ...) never do.
#[must_use]
pub fn sniff(head: &[u8]) -> Option<StillFormat> {
    if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return Some(StillFormat::Jpeg);
    }
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(StillFormat::Png);
    }
    if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        return Some(StillFormat::Gif);
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return Some(StillFormat::WebP);
    }
    if [b"II\x2a\0", b"MM\0\x2a", b"II\x2b\0", b"MM\0\x2b"].iter().any(|m| head.starts_with(*m)) {
        return Some(StillFormat::Tiff);
    }
    if head.starts_with(&[0xFF, 0x0A]) || head.starts_with(b"\0\0\0\x0cJXL \r\n\x87\n") {
        return Some(StillFormat::Jxl);
    }
    if let [b'P', b'1'..=b'7', c, ..] = head
        && (c.is_ascii_whitespace() || *c == b'#')
    {
        return Some(StillFormat::Pnm);
    }
    if is_bmp(head) {
        return Some(StillFormat::Bmp);
    }
    heif_brand(head)
}

/// `BM` alone would catch much text, so the header's own length must be one
/// that exists.
fn is_bmp(head: &[u8]) -> bool {
    let header = head.get(14..18).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(u32::from_le_bytes);
    head.starts_with(b"BM") && matches!(header, Some(12 | 16..=64 | 108 | 124))
}

/// The format an `ftyp` box names, by its major brand first.
fn heif_brand(head: &[u8]) -> Option<StillFormat> {
    let len = u32::from_be_bytes(head.get(..4)?.try_into().ok()?);
    if head.get(4..8)? != b"ftyp" {
        return None;
    }
    let end = usize::try_from(len).ok()?.min(head.len());
    let major = head.get(8..12)?;
    let compatible = head.get(16..end).unwrap_or(&[]);
    let brands = || std::iter::once(major).chain(compatible.chunks_exact(4));
    let is_av1 = |b: &[u8]| matches!(b, b"avif" | b"avis" | b"MA1A" | b"MA1B");
    let is_hevc = |b: &[u8]| matches!(b, b"heic" | b"heix" | b"heim" | b"heis");
    // A file may list both families; the major brand decides, then order.
    for brand in brands() {
        if is_av1(brand) {
            return Some(StillFormat::Avif);
        }
        if is_hevc(brand) {
            return Some(StillFormat::Heif);
        }
    }
    brands().any(|b| b == b"mif1").then_some(StillFormat::Heif)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content() {
        let ftyp = |major: &[u8; 4], other: &[u8; 4]| {
            [b"\0\0\0\x14ftyp".as_slice(), major, b"\0\0\0\0", other].concat()
        };
        let bmp = [b"BM".as_slice(), &[0; 12], &40_u32.to_le_bytes()].concat();
        let cases: [(Vec<u8>, Option<StillFormat>); 14] = [
            (vec![0xFF, 0xD8, 0xFF, 0xE0], Some(StillFormat::Jpeg)),
            (b"\x89PNG\r\n\x1a\n".to_vec(), Some(StillFormat::Png)),
            (b"GIF89a".to_vec(), Some(StillFormat::Gif)),
            (b"RIFF\0\0\0\0WEBP".to_vec(), Some(StillFormat::WebP)),
            (b"RIFF\0\0\0\0WAVE".to_vec(), None),
            (b"MM\0\x2a\0\0\0\x08".to_vec(), Some(StillFormat::Tiff)),
            (b"P6\n1 1\n255\n".to_vec(), Some(StillFormat::Pnm)),
            (b"PK\x03\x04".to_vec(), None),
            (bmp, Some(StillFormat::Bmp)),
            (b"BM is how this text begins".to_vec(), None),
            (ftyp(b"avif", b"mif1"), Some(StillFormat::Avif)),
            (ftyp(b"mif1", b"heic"), Some(StillFormat::Heif)),
            (ftyp(b"isom", b"mp42"), None),
            (vec![], None),
        ];
        for (head, expected) in cases {
            assert_eq!(sniff(&head), expected, "{head:?}");
        }
    }
}
