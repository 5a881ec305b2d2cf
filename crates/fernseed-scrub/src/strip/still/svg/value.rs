//! Attribute values and style sheets, word by word from known words.

use crate::svg_words::{COLOURS, ELEMENTS, FONTS, FUNCTIONS, KEYWORDS, PROPERTIES, UNITS, has};
use std::collections::BTreeMap;

/// Names of elements and classes, replaced by numbers in order of their
/// first appearance.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: BTreeMap<String, usize>,
    classes: BTreeMap<String, usize>,
}

impl Names {
    pub(super) fn id(&mut self, name: &str) -> String {
        let next = self.ids.len() + 1;
        format!("i{}", self.ids.entry(name.to_owned()).or_insert(next))
    }

    pub(super) fn class(&mut self, name: &str) -> String {
        let next = self.classes.len() + 1;
        format!("c{}", self.classes.entry(name.to_owned()).or_insert(next))
    }
}

/// The value of an attribute or property, or `None` if something in it is
/// not known.
pub(super) fn value(text: &str, names: &mut Names) -> Option<String> {
    let mut out: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '\t', '\n', '\r', ',', '(']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if let Some(inside) = after.strip_prefix('(') {
            let close = inside.find(')')?;
            let (arguments, after) = (inside.get(..close)?, inside.get(close + 1..)?);
            out.push(function(word, arguments, names)?);
            rest = after;
        } else {
            if !word.is_empty() {
                out.push(self::word(word)?);
            }
            rest = after.get(1..).unwrap_or_default();
        }
        rest = rest.trim_start();
    }
    Some(out.join(" "))
}

fn word(word: &str) -> Option<String> {
    if has(KEYWORDS, word) {
        return Some(word.to_owned());
    }
    let lower = word.to_ascii_lowercase();
    if has(COLOURS, &lower) {
        return Some(lower);
    }
    if let Some(hex) = lower.strip_prefix('#') {
        let good = matches!(hex.len(), 3 | 4 | 6 | 8) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        return good.then_some(lower);
    }
    number(word).or_else(|| numbers(word, ""))
}

/// A number with a unit.
fn number(word: &str) -> Option<String> {
    let end = word.rfind(|c: char| c.is_ascii_digit() || c == '.')? + 1;
    let (digits, unit) = word.split_at(end);
    let plain = digits.len() <= 40
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
        && digits.parse::<f64>().is_ok_and(f64::is_finite);
    (plain && (unit.is_empty() || has(UNITS, unit))).then(|| word.to_owned())
}

/// Numbers and the letters of `commands`, as in path data: the numbers may
/// run into each other.
pub(super) fn numbers(text: &str, commands: &str) -> Option<String> {
    let good = |c: char| {
        c.is_ascii_digit()
            || matches!(c, '.' | '-' | '+' | 'e' | 'E' | ' ' | ',')
            || commands.contains(c)
    };
    let mut out = String::with_capacity(text.len());
    let mut letters = 0;
    for c in text.chars() {
        let c = if c.is_ascii_whitespace() { ' ' } else { c };
        if !good(c) {
            return None;
        }
        // Exponents stand alone; letters in a row are no path.
        letters = if c.is_ascii_alphabetic() { letters + 1 } else { 0 };
        if letters > 2 {
            return None;
        }
        if !(c == ' ' && out.ends_with(' ')) {
            out.push(c);
        }
    }
    Some(out.trim().to_owned())
}

fn function(name: &str, arguments: &str, names: &mut Names) -> Option<String> {
    if name == "url" {
        let target = arguments.trim().trim_matches(['"', '\'']).strip_prefix('#')?;
        return Some(format!("url(#{})", names.id(target)));
    }
    has(FUNCTIONS, name).then_some(())?;
    let list: Option<Vec<String>> = arguments
        .split([',', ' ', '\n', '\t', '\r'])
        .filter(|a| !a.is_empty())
        .map(|a| number(a).or_else(|| numbers(a, "")))
        .collect();
    Some(format!("{name}({})", list?.join(",")))
}

/// Known families only; what is left may be none.
pub(super) fn families(text: &str) -> Option<String> {
    let list: Vec<String> = text
        .split(',')
        .map(|f| f.trim().trim_matches(['"', '\'']).trim().to_ascii_lowercase())
        .filter(|f| FONTS.contains(&f.as_str()))
        .collect();
    (!list.is_empty()).then(|| list.join(", "))
}

/// Declarations of a style, without those that are not known.
pub(super) fn declarations(text: &str, names: &mut Names) -> String {
    let mut out = String::new();
    for declaration in text.split(';') {
        let Some((property, text)) = declaration.split_once(':') else { continue };
        let property = property.trim();
        if !has(PROPERTIES, property) {
            continue;
        }
        let text = text.trim();
        let (text, important) = match text.strip_suffix("!important") {
            Some(text) => (text, "!important"),
            None => (text, ""),
        };
        let known = match property {
            "font-family" => families(text),
            _ => value(text, names).filter(|v| !v.is_empty()),
        };
        if let Some(known) = known {
            out.push_str(&format!("{property}:{known}{important};"));
        }
    }
    out
}

/// A style sheet: plain rules with simple selectors.
pub(super) fn sheet(text: &str, names: &mut Names) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        clean.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, rest)| rest);
    }
    clean.push_str(rest);
    let mut out = String::new();
    let mut rest = clean.as_str();
    while let Some((selectors, after)) = rest.split_once('{') {
        let at_rule =
            selectors.rsplit([';', '}']).next().is_some_and(|s| s.trim().starts_with('@'));
        if at_rule {
            rest = block_end(after);
            continue;
        }
        let (body, after) = after.split_once('}').unwrap_or((after, ""));
        let selectors = selectors.rsplit(';').next().unwrap_or_default();
        let rule = |names: &mut Names| -> Option<String> {
            let list: Option<Vec<String>> =
                selectors.split(',').map(|s| selector(s.trim(), names)).collect();
            let (list, body) = (list?, declarations(body, names));
            (!body.is_empty()).then(|| format!("{}{{{body}}}\n", list.join(",")))
        };
        // A rule that is dropped must not use up numbers.
        if rule(&mut Names::default()).is_some() {
            out.extend(rule(names));
        }
        rest = after;
    }
    out
}

/// What follows the block whose opening bracket is behind us.
fn block_end(text: &str) -> &str {
    let mut depth = 1usize;
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(i + 1..).unwrap_or_default();
        }
    }
    ""
}

fn selector(text: &str, names: &mut Names) -> Option<String> {
    let mut out = Vec::new();
    for step in text.split_ascii_whitespace() {
        let mut piece = String::new();
        let cut = step.find(['.', '#']).unwrap_or(step.len());
        let (element, mut rest) = step.split_at(cut);
        if element == "*" || element == ">" || element.is_empty() || has(ELEMENTS, element) {
            piece.push_str(element);
        } else {
            return None;
        }
        while let Some(sign) = rest.chars().next() {
            let after = rest.get(1..)?;
            let end = after.find(['.', '#']).unwrap_or(after.len());
            let name = after.get(..end)?;
            let plain = !name.is_empty()
                && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
            plain.then_some(())?;
            piece.push(sign);
            piece.push_str(&if sign == '.' { names.class(name) } else { names.id(name) });
            rest = after.get(end..)?;
        }
        out.push(piece);
    }
    (!out.is_empty()).then(|| out.join(" "))
}

/// Bytes of a base64 text, blanks passed over.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut have) = (Vec::with_capacity(text.len() * 3 / 4), 0u32, 0);
    for b in text.bytes() {
        let v = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            b if b.is_ascii_whitespace() => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(v);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    Some(out)
}

pub(super) fn to_base64(data: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(data.len().div_ceil(3) * 4);
    for group in data.chunks(3) {
        let n = group.iter().fold(0u32, |n, &b| n << 8 | u32::from(b)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let sign = SIGNS.get((n >> (18 - 6 * i) & 63) as usize).copied().unwrap_or(b'A');
            out.push(if i <= group.len() { char::from(sign) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::exif;
    use super::*;

    #[test]
    fn values_are_made_of_known_words() {
        let mut names = Names::default();
        let mut v = |t: &str| value(t, &mut names);
        assert_eq!(v("0 0 10.5 20px").as_deref(), Some("0 0 10.5 20px"));
        assert_eq!(
            v("translate(10, 20) rotate(-3e1)").as_deref(),
            Some("translate(10,20) rotate(-3e1)")
        );
        assert_eq!(v("url(#Secret) Red").as_deref(), Some("url(#i1) red"));
        assert_eq!(v("url(http://x/y)"), None);
        assert_eq!(v("canary"), None);
        assert_eq!(v("expression(1)"), None);
        assert_eq!(numbers("M0,0 l1-2.5e3z", "MmLlZz").as_deref(), Some("M0,0 l1-2.5e3z"));
        assert_eq!(numbers("FSCANARY", "MmLlZz"), None);
    }

    #[test]
    fn sheets_keep_simple_rules_only() {
        let mut names = Names::default();
        let text = "@import url(x); @media print { a { fill:red } } /* canary */ .Secret, g.b { fill: red; x: y } a:hover{fill:red}";
        assert_eq!(sheet(text, &mut names), ".c1,g.c2{fill:red;}\n");
        let data = exif::block(6);
        for n in 0..data.len() {
            assert_eq!(from_base64(&to_base64(&data[..n])).unwrap(), &data[..n]);
        }
    }
}
