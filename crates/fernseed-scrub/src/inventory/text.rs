//! Text from hostile bytes, made safe to print.

/// Characters that change the direction or the look of what follows.
const fn is_tricky(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}'
        | '\u{e0000}'..='\u{e007f}' | '\u{f0000}'..)
}

/// `text` on one line, without control and direction characters, at most
/// `most` characters (an ellipsis shows a cut).
pub(super) fn printable(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut count = 0;
    let mut space = true;
    for c in text.chars() {
        let c = if c.is_whitespace() || c.is_control() { ' ' } else { c };
        if is_tricky(c) || (c == ' ' && space) {
            continue;
        }
        space = c == ' ';
        if count == most {
            out.pop();
            out.push('\u{2026}');
            break;
        }
        out.push(c);
        count += 1;
    }
    out.truncate(out.trim_end().len());
    out
}

/// UTF-8 where it is valid, Latin-1 otherwise; up to the first NUL.
pub(super) fn decode(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let cut = end > 4096;
    let bytes = bytes.get(..end.min(4096)).unwrap_or_default();
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // Our own cut may have split the last character.
        Err(e) if cut && e.error_len().is_none() => String::from_utf8_lossy(bytes).into_owned(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect(),
    }
}

/// UTF-16 in the given byte order, up to the first NUL.
pub(super) fn utf16(bytes: &[u8], big_endian: bool) -> String {
    let units = bytes.chunks_exact(2).take(2048).map(|c| {
        let pair = [c[0], c[1]];
        if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    });
    char::decode_utf16(units.take_while(|&u| u != 0)).map(|r| r.unwrap_or('\u{fffd}')).collect()
}

/// The first bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect()
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 10_000 { format!("{bytes} bytes") } else { format!("{} kB", bytes / 1000) }
}

/// Seconds since 1904 (QuickTime) as a date.
pub(super) fn date_1904(seconds: u64) -> String {
    i64::try_from(seconds).map_or_else(|_| String::new(), |s| date(s.saturating_sub(2_082_844_800)))
}

/// Seconds since 1970 as a date in UTC, for people.
pub(super) fn date(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    // Civil date from a day count (H. Hinnant, "chrono-Compatible Low-Level
    // Date Algorithms").
    let z = days.clamp(-100_000_000, 100_000_000) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02} UTC")
}

/// Inflates at most `most` bytes of a zlib stream.
pub(super) fn inflate(data: &[u8], most: u64) -> Vec<u8> {
    use std::io::Read as _;
    let mut out = Vec::new();
    let mut stream = flate2::read::ZlibDecoder::new(data).take(most);
    // What was inflated before an error is still worth listing.
    match stream.read_to_end(&mut out) {
        Ok(_) | Err(_) => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unprintable_gets_out() {
        assert_eq!(printable("a\u{202e}b\u{1b}[31mc\n\n d ", 200), "ab [31mc d");
        assert_eq!(printable(&"x".repeat(300), 200).chars().count(), 200);
        assert_eq!(printable("abc", 3), "abc");
    }

    #[test]
    fn dates_count_right() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date_1904(2_082_844_800 + 1_700_000_000), "2023-11-14 22:13:20 UTC");
        assert!(!date(i64::MIN).is_empty() && !date(i64::MAX).is_empty());
    }

    #[test]
    fn text_in_any_encoding() {
        assert_eq!(decode(b"caf\xc3\xa9\0rest"), "caf\u{e9}");
        assert_eq!(decode(b"caf\xe9"), "caf\u{e9}");
        assert_eq!(utf16(b"h\0i\0\0\0x\0", false), "hi");
    }
}
