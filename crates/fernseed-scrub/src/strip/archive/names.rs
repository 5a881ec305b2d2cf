//! Names of members that harm nobody who unpacks them.

use std::collections::BTreeSet;

/// Longest name in bytes: what a TAR header holds in its name field alone.
const MAX: usize = 100;

/// Names given so far.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// The name that a member gets: no absolute path, no way up, no control
    /// or direction characters, unlike all others.
    pub(super) fn give(&mut self, raw: &[u8]) -> String {
        let clean = sanitise(raw);
        let (stem, extension) = match clean.rsplit_once('.') {
            Some((s, e)) if !s.is_empty() && !s.ends_with('/') && e.len() <= 8 => {
                (s.to_owned(), format!(".{e}"))
            }
            _ => (clean, String::new()),
        };
        let mut n = 1u32;
        loop {
            let mark = if n > 1 { format!(" ({n})") } else { String::new() };
            let room = MAX - mark.len() - extension.len();
            let name = format!("{}{mark}{extension}", cut(&stem, room));
            // Some file systems do not tell capitals from small letters.
            if self.0.insert(name.to_lowercase()) {
                return name;
            }
            n = n.saturating_add(1);
        }
    }
}

/// At most `most` bytes of `text`, whole characters.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().trim_end_matches(['/', ' '])
}

/// The parts of a path that stay.
fn sanitise(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw.get(..raw.len().min(4096)).unwrap_or_default());
    let parts: Vec<String> = text
        .split(['/', '\\'])
        .map(|part| part.chars().filter(|&c| is_plain(c)).collect::<String>())
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty() && part.chars().any(|c| c != '.'))
        .collect();
    if parts.is_empty() { "file".to_owned() } else { parts.join("/") }
}

/// True for characters that every file system and terminal takes as they
/// look.
fn is_plain(c: char) -> bool {
    let tricky = matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}' | '\u{e000}'..='\u{f8ff}'
        | '\u{e0000}'..);
    !c.is_control() && !tricky && !matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

/// True for what systems put into archives by themselves: nobody misses it.
pub(super) fn is_litter(raw: &[u8]) -> bool {
    let text = String::from_utf8_lossy(raw);
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    text.split(['/', '\\']).any(|p| p == "__MACOSX")
        || last.starts_with("._")
        || matches!(last, ".DS_Store" | "Thumbs.db" | "desktop.ini" | "ehthumbs.db")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_and_apart() {
        let mut names = Names::default();
        for (raw, want) in [
            ("/etc/passwd.jpg", "etc/passwd.jpg"),
            ("../../up.jpg", "up.jpg"),
            ("C:\\Users\\me\\a.jpg", "C/Users/me/a.jpg"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("A\0B\n.jpg", "AB.jpg"),
            ("ab.jpg", "ab (2).jpg"),
            ("...", "file"),
            ("", "file (2)"),
        ] {
            assert_eq!(names.give(raw.as_bytes()), want, "{raw:?}");
        }
        let long = names.give("\u{e9}".repeat(300).as_bytes());
        assert_eq!(long.len(), 100);
        assert_ne!(names.give("\u{e9}".repeat(300).as_bytes()), long);
    }
}
