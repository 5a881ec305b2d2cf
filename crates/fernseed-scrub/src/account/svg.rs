//! SVG: markup of known elements, attributes and words; no comments, no
//! declarations, nothing outside; pictures inside are accounted for too.

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::source::Source;
use crate::svg_words::{
    ATTRIBUTES, COLOURS, ELEMENTS, FONTS, FUNCTIONS, KEYWORDS, PROPERTIES, UNITS, has,
};
use std::io::Cursor;

const ROOT: &str =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\"";

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    parts.kind = OutputKind::Svg;
    let len = source.len();
    let data = source.bytes(0, len.min(256 << 20)).unwrap_or_default();
    let Some(text) = std::str::from_utf8(&data).ok().filter(|t| t.starts_with(ROOT)) else {
        return claims.foreign("svg", 0, len, "The root is not of the one form it must have.");
    };
    let mut open: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let step = if rest.starts_with('<') {
            tag(rest, at == 0, &mut open)
        } else {
            content(rest, open.last().copied())
        };
        match step {
            Ok(used) => {
                claims.own("markup", at as u64, (at + used) as u64);
                at += used;
            }
            Err(message) => return claims.foreign("markup", at as u64, len, message),
        }
        if open.is_empty() {
            break;
        }
    }
    if text.get(at..) == Some("\n") {
        claims.own("markup", at as u64, len);
    } else {
        claims.foreign("(after the drawing)", at as u64, len, "Text after the end of the drawing.");
    }
    if !open.is_empty() {
        claims.wrong("svg", len, len, "The drawing does not end.");
    }
}

type Step = Result<usize, &'static str>;

/// A start or end tag.
fn tag<'a>(text: &'a str, root: bool, open: &mut Vec<&'a str>) -> Step {
    const FORM: &str = "Markup that is not of the one form it must have.";
    let end = text.find('>').ok_or(FORM)?;
    let inner = text.get(1..end).ok_or(FORM)?;
    if let Some(name) = inner.strip_prefix('/') {
        return if open.pop() == Some(name) { Ok(end + 1) } else { Err(FORM) };
    }
    let (inner, empty) = match inner.strip_suffix('/') {
        Some(inner) => (inner, true),
        None => (inner, false),
    };
    let (name, mut rest) = inner.split_at(inner.find(' ').unwrap_or(inner.len()));
    if !has(ELEMENTS, name) || open.len() > 256 {
        return Err("An element that is not on the list.");
    }
    if root {
        rest = inner.get(ROOT.len() - 1..).ok_or(FORM)?;
    }
    let mut last = "";
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix(' ').and_then(|r| r.split_once("=\"")).ok_or(FORM)?;
        let (value, after) = after.split_once('"').ok_or(FORM)?;
        if key <= last || !attribute(name, key, value) {
            return Err("An attribute that is not on the list, or a value that is not.");
        }
        (last, rest) = (key, after);
    }
    if !empty {
        open.push(name);
    }
    Ok(end + 1)
}

/// Text between tags: shown text, a style sheet, or none.
fn content(text: &str, element: Option<&str>) -> Step {
    let end = text.find('<').unwrap_or(text.len());
    let inner = text.get(..end).unwrap_or_default();
    let good = match element {
        Some("text" | "tspan" | "textPath") => {
            !inner.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}'))
        }
        Some("style") => inner.lines().all(rule),
        _ => false,
    };
    if good { Ok(end) } else { Err("Text where none is shown.") }
}

fn numbered(text: &str, sign: char) -> bool {
    text.strip_prefix(sign)
        .is_some_and(|n| !n.is_empty() && n.len() < 9 && n.bytes().all(|b| b.is_ascii_digit()))
}

fn attribute(element: &str, key: &str, value: &str) -> bool {
    match key {
        "id" => numbered(value, 'i'),
        "class" => value.split(' ').all(|c| numbered(c, 'c')),
        "style" => declarations(value),
        "d" => path(value, "MmZzLlHhVvCcSsQqTtAa"),
        "points" => path(value, ""),
        "font-family" => fonts(value),
        "xml:space" => value == "preserve",
        "xlink:href" => match value.strip_prefix('#') {
            Some(id) => element != "image" && numbered(id, 'i'),
            None => element == "image" && picture(value),
        },
        "in" | "in2" | "result" if numbered(value, 'i') => true,
        _ => (has(ATTRIBUTES, key) || has(PROPERTIES, key)) && words(value),
    }
}

fn fonts(value: &str) -> bool {
    value.split(", ").all(|f| FONTS.contains(&f))
}

fn path(value: &str, letters: &str) -> bool {
    let mut run = 0;
    value.chars().all(|c| {
        run = if c.is_ascii_alphabetic() { run + 1 } else { 0 };
        run < 3 && (c.is_ascii_digit() || " .,+-eE".contains(c) || letters.contains(c))
    })
}

fn declarations(value: &str) -> bool {
    value.strip_suffix(';').is_some_and(|list| {
        list.split(';').all(|d| {
            let d = d.strip_suffix("!important").unwrap_or(d);
            d.split_once(':').is_some_and(|(property, value)| {
                has(PROPERTIES, property)
                    && if property == "font-family" { fonts(value) } else { words(value) }
            })
        })
    })
}

/// One rule of a style sheet; markup characters are escaped.
fn rule(line: &str) -> bool {
    let line = line.replace("&gt;", ">");
    let Some((selectors, body)) = line.split_once('{') else { return false };
    let step = |s: &str| {
        let mut sign = None;
        let mut good = true;
        for piece in s.split_inclusive(['.', '#']) {
            let name = piece.trim_end_matches(['.', '#']);
            good &= match sign {
                None => name.is_empty() || name == "*" || name == ">" || has(ELEMENTS, name),
                Some('.') => numbered(name, 'c'),
                Some(_) => numbered(name, 'i'),
            };
            sign = piece.chars().last().filter(|c| matches!(c, '.' | '#'));
        }
        good && sign.is_none()
    };
    body.strip_suffix('}').is_some_and(declarations)
        && selectors.split([',', ' ']).all(|s| !s.is_empty() && step(s))
}

/// A value of known words, numbers, colours and references.
fn words(value: &str) -> bool {
    value.split(' ').all(|w| {
        let plain = w.is_empty()
            || has(KEYWORDS, w)
            || has(COLOURS, w)
            || number(w)
            || path(w, "")
            || w.strip_prefix('#').is_some_and(|h| {
                matches!(h.len(), 3 | 4 | 6 | 8) && h.bytes().all(|b| b.is_ascii_hexdigit())
            });
        plain
            || w.strip_suffix(')').and_then(|w| w.split_once('(')).is_some_and(|(name, list)| {
                if name == "url" {
                    list.strip_prefix('#').is_some_and(|id| numbered(id, 'i'))
                } else {
                    has(FUNCTIONS, name)
                        && list.split(',').all(|a| a.is_empty() || number(a) || path(a, ""))
                }
            })
    })
}

fn number(word: &str) -> bool {
    let cut = word.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |i| i + 1);
    let (digits, unit) = word.split_at(cut);
    digits.len() <= 40 && digits.parse::<f64>().is_ok() && (unit.is_empty() || has(UNITS, unit))
}

/// A picture in base64, itself clean.
fn picture(value: &str) -> bool {
    let Some((kind, data)) =
        value.strip_prefix("data:image/").and_then(|v| v.split_once(";base64,"))
    else {
        return false;
    };
    let wanted = match kind {
        "jpeg" => OutputKind::Jpeg,
        "png" => OutputKind::Png,
        "gif" => OutputKind::Gif,
        "webp" => OutputKind::WebP,
        _ => return false,
    };
    let Some(bytes) = decoded(data) else { return false };
    let len = bytes.len() as u64;
    let inner = super::account(&mut Cursor::new(bytes), len);
    let same = inner.container == wanted
        || (inner.container == OutputKind::Apng && wanted == OutputKind::Png);
    inner.is_clean() && same
}

/// Base64 with its padding and no bit to spare.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let plain = text.trim_end_matches('=');
    (text.len().is_multiple_of(4) && text.len() - plain.len() <= 2).then_some(())?;
    let mut out = Vec::with_capacity(plain.len());
    for group in plain.as_bytes().chunks(4) {
        let mut n = 0u32;
        for &b in group {
            let digit = match b {
                b'A'..=b'Z' => b - 65,
                b'a'..=b'z' => b - 71,
                b'0'..=b'9' => b + 4,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            n = n << 6 | u32::from(digit);
        }
        n <<= 6 * (4 - group.len());
        let bytes = n.to_be_bytes();
        let keep = group.len() - 1;
        out.extend(bytes.get(1..=keep)?);
        bytes.get(1 + keep..)?.iter().all(|&b| b == 0).then_some(())?;
    }
    Some(out)
}
