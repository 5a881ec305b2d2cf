//! SVG: known elements with known attributes, names replaced by numbers,
//! pictures inside stripped too.

mod value;

use super::{Built, Outcome, StripError, damaged, needs, too_large};
use crate::svg_words::{ATTRIBUTES, ELEMENTS, PROPERTIES, has};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use value::Names;

/// Largest drawing, in bytes.
const MAX_INPUT: usize = 64 << 20;
/// Deepest nesting.
const MAX_DEPTH: usize = 200;

pub(super) fn looks_like(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let from = head.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
    head.get(from) == Some(&b'<')
        && (crate::bytes::find(head, b"<svg").is_some()
            || crate::bytes::find(head, b"<!DOCTYPE svg").is_some())
}

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    if data.len() > MAX_INPUT {
        return Err(too_large("a drawing of more than 64 MiB"));
    }
    let text = std::str::from_utf8(data).ok();
    let text = text.ok_or_else(|| needs("its text is not in UTF-8"))?;
    let mut drawing = Drawing::default();
    drawing.read(text.trim_start_matches('\u{feff}'))?;
    if !drawing.open.is_empty() || !drawing.rooted {
        return Err(damaged("the drawing does not end"));
    }
    let mut notes = Vec::new();
    for (count, what) in [
        (drawing.elements, "elements that are not on the list are left out."),
        (drawing.values, "attributes or values that are not on the list are left out."),
        (drawing.pictures, "links to pictures outside the file are left out."),
    ] {
        if count > 0 {
            notes.push(format!("{count} {what}"));
        }
    }
    let bytes = drawing.out.into_bytes();
    Ok(Built { container: "SVG drawing", extension: "svg", bytes, notes })
}

#[derive(Default)]
struct Drawing {
    out: String,
    names: Names,
    open: Vec<String>,
    /// Text of a style sheet while inside one.
    sheet: Option<String>,
    rooted: bool,
    elements: u32,
    values: u32,
    pictures: u32,
}

impl Drawing {
    fn read(&mut self, text: &str) -> Result<(), StripError> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        // How deep inside something that is left out.
        let mut skipped = 0usize;
        loop {
            let event = reader.read_event().ok().ok_or_else(|| damaged("the markup"))?;
            match event {
                Event::Eof => return Ok(()),
                Event::Start(_) if skipped > 0 => skipped += 1,
                Event::End(_) if skipped > 0 => skipped -= 1,
                Event::Start(e) => skipped = usize::from(!self.begin(&e, false)?),
                Event::Empty(e) if skipped == 0 => {
                    self.begin(&e, true)?;
                }
                Event::End(_) => self.end(),
                Event::Text(t) if skipped == 0 => self.text(&t),
                Event::CData(t) if skipped == 0 => self.text(&t),
                Event::GeneralRef(r) if skipped == 0 => {
                    let character = match r.resolve_char_ref() {
                        Ok(Some(c)) => Some(c),
                        _ => match &*r {
                            "amp" => Some('&'),
                            "lt" => Some('<'),
                            "gt" => Some('>'),
                            "quot" => Some('"'),
                            "apos" => Some('\''),
                            _ => None,
                        },
                    };
                    match character {
                        Some(c) => self.text(c.encode_utf8(&mut [0; 4])),
                        None => self.values += 1,
                    }
                }
                _ => {}
            }
        }
    }

    /// True if the element is written (or needs nothing further).
    fn begin(&mut self, e: &BytesStart<'_>, empty: bool) -> Result<bool, StripError> {
        let name = e.name();
        let name: &str = name.as_ref();
        let name = name.strip_prefix("svg:").unwrap_or(name);
        // A link is shown as what is inside it.
        let name = if name == "a" && self.rooted { "g" } else { name };
        let root = !self.rooted;
        if !root && self.open.is_empty() {
            // Something after the end of the drawing.
            return Ok(empty);
        }
        if root && name != "svg" {
            return Err(damaged("the root is not a drawing"));
        }
        if !has(ELEMENTS, name) || self.open.last().is_some_and(|o| o == "style") {
            self.elements += u32::from(!matches!(name, "metadata" | "title" | "desc"));
            return Ok(empty);
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_large("the drawing is nested too deeply"));
        }
        if name == "style" {
            if !empty {
                self.sheet = Some(String::new());
                self.open.push(name.to_owned());
            }
            return Ok(true);
        }
        let mut list: Vec<(String, String)> = Vec::new();
        for attribute in e.attributes() {
            let attribute = attribute.ok().ok_or_else(|| damaged("an attribute"))?;
            let key: &str = attribute.key.as_ref();
            let key = key.to_owned();
            let text = attribute.normalized_value(XmlVersion::Implicit1_0).ok();
            let Some(text) = text else {
                self.values += 1;
                continue;
            };
            if let Some(pair) = self.attribute(name, &key, &text)?
                && !list.iter().any(|p| p.0 == pair.0)
            {
                list.push(pair);
            }
        }
        if name == "image" && !list.iter().any(|p| p.0 == "xlink:href") {
            self.pictures += 1;
            return Ok(empty);
        }
        list.sort();
        if root {
            self.rooted = true;
            self.out.push_str(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\"",
            );
        } else {
            self.out.push('<');
            self.out.push_str(name);
        }
        for (key, value) in list {
            self.out.push_str(&format!(" {key}=\"{}\"", escaped(&value)));
        }
        self.out.push_str(if empty { "/>" } else { ">" });
        if !empty {
            self.open.push(name.to_owned());
        } else if self.open.is_empty() {
            self.out.push('\n');
        }
        Ok(true)
    }

    fn attribute(
        &mut self,
        element: &str,
        key: &str,
        text: &str,
    ) -> Result<Option<(String, String)>, StripError> {
        let names = &mut self.names;
        let known = match key {
            "id" => Some(names.id(text)),
            "class" => {
                let list: Vec<String> =
                    text.split_ascii_whitespace().map(|c| names.class(c)).collect();
                Some(list.join(" ")).filter(|c| !c.is_empty())
            }
            "style" => Some(value::declarations(text, names)).filter(|s| !s.is_empty()),
            "d" => value::numbers(text, "MmZzLlHhVvCcSsQqTtAa"),
            "points" => value::numbers(text, ""),
            "font-family" => value::families(text),
            "href" | "xlink:href" => {
                let target = match text.trim().strip_prefix('#') {
                    Some(id) if element != "image" => Some(format!("#{}", names.id(id))),
                    _ if element == "image" => picture(text.trim())?,
                    _ => None,
                };
                return Ok(target.map(|t| ("xlink:href".to_owned(), t)));
            }
            "xml:space" if text == "preserve" => Some("preserve".to_owned()),
            // Names of results of filters are free words.
            "in" | "in2" | "result" => value::value(text, names).or_else(|| Some(names.id(text))),
            _ if has(ATTRIBUTES, key) || has(PROPERTIES, key) => value::value(text, names),
            _ => None,
        };
        self.values += u32::from(known.is_none() && !key.contains(':') && key != "xmlns");
        Ok(known.map(|v| (key.to_owned(), v)))
    }

    fn text(&mut self, text: &str) {
        if let Some(sheet) = &mut self.sheet {
            sheet.push_str(text);
        } else if matches!(
            self.open.last().map(String::as_str),
            Some("text" | "tspan" | "textPath")
        ) {
            self.out.push_str(&escaped(text));
        }
    }

    fn end(&mut self) {
        let Some(name) = self.open.pop() else { return };
        if name == "style" {
            let sheet = self.sheet.take().unwrap_or_default();
            let sheet = value::sheet(&sheet, &mut self.names);
            if !sheet.is_empty() {
                self.out.push_str(&format!("<style>{}</style>", escaped(&sheet)));
            }
            return;
        }
        self.out.push_str(&format!("</{name}>"));
        if self.open.is_empty() {
            self.out.push('\n');
        }
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | ' ' => out.push(c),
            '\t' | '\r' => out.push(' '),
            // Invisible characters can carry something.
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}') =>
                {}
            c => out.push(c),
        }
    }
    out
}

/// A picture in the drawing, stripped; `None` for one outside.
fn picture(text: &str) -> Result<Option<String>, StripError> {
    let Some(rest) = text.strip_prefix("data:") else { return Ok(None) };
    let bad = || damaged("a picture inside the drawing");
    let (kind, data) = rest.split_once(',').ok_or_else(bad)?;
    if !kind.ends_with(";base64") {
        return Err(needs("a picture inside the drawing is not in base64"));
    }
    let data = value::from_base64(data).ok_or_else(bad)?;
    let (rebuild, kind): (fn(&[u8]) -> Outcome, _) = if data.starts_with(b"\xFF\xD8\xFF") {
        (super::jpeg::rebuild, "jpeg")
    } else if data.starts_with(b"\x89PNG\r\n\x1a\n") {
        (super::png::rebuild, "png")
    } else if data.starts_with(b"GIF8") {
        (super::gif::rebuild, "gif")
    } else if data.starts_with(b"RIFF") {
        (super::webp::rebuild, "webp")
    } else {
        return Err(needs("a picture inside the drawing is of an unusual kind"));
    };
    let inner = rebuild(&data)?;
    Ok(Some(format!("data:image/{kind};base64,{}", value::to_base64(&inner.bytes))))
}
