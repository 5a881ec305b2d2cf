//! Canaries: unique markers planted into every place of a picture format
//! that can hold bytes, in five forms each, and the search for them.

use super::build::{self, Avif, blocks, exif, iptc};
use super::pictures::{chunk, deflate, jpeg_with, png_of, riff, rows, segment};
use super::samples;
use std::io::Read;

/// What every marker begins with.
pub const PREFIX: &str = "FSCANARY";

/// A file with one canary.
pub struct Planted {
    pub place: String,
    pub form: &'static str,
    pub marker: String,
    pub file: Vec<u8>,
}

const FORMS: [&str; 5] = ["utf8", "utf16le", "utf16be", "base64", "deflated"];

pub fn base64(data: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    data.chunks(3)
        .flat_map(|c| {
            let n = c.iter().fold(0u32, |n, &b| n << 8 | u32::from(b)) << (8 * (3 - c.len()));
            (0..4).map(move |i| {
                if i <= c.len() { SIGNS[(n >> (18 - 6 * i) & 63) as usize] as char } else { '=' }
            })
        })
        .collect()
}

pub fn form(name: &str, marker: &str) -> Vec<u8> {
    match name {
        "utf8" => marker.as_bytes().to_vec(),
        "utf16le" => marker.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf16be" => marker.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "base64" => base64(marker.as_bytes()).into_bytes(),
        _ => deflate(marker.as_bytes()),
    }
}

type Plant = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// Every place, by name.
pub fn places() -> Vec<(String, Plant)> {
    let mut list: Vec<(String, Plant)> = Vec::new();
    let mut add = |name: String, plant: Plant| list.push((name, plant));
    jpeg(&mut add);
    png(&mut add);
    others(&mut add);
    heif(&mut add);
    svg(&mut add);
    list
}

/// Every place in every form.
pub fn all() -> Vec<Planted> {
    let mut out = Vec::new();
    for (place, plant) in places() {
        // Markup is text: the other forms stand there in base64 or as
        // character references.
        let text = place.starts_with("svg") || place.contains("comment in the header");
        for form_name in FORMS {
            let marker = format!("{PREFIX}{:04}X{}", out.len(), form_name.len());
            let mut bytes = form(form_name, &marker);
            if text && matches!(form_name, "utf16le" | "utf16be" | "deflated") {
                bytes = base64(&bytes).into_bytes();
            }
            out.push(Planted {
                place: place.clone(),
                form: form_name,
                marker,
                file: plant(&bytes),
            });
        }
    }
    out
}

type Add<'a> = &'a mut dyn FnMut(String, Plant);

/// EXIF blocks with the canary in one tag each.
fn exif_blocks() -> Vec<(String, Plant)> {
    let mut list: Vec<(String, Plant)> = Vec::new();
    for tag in [
        0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x02BC, 0x8298, 0x83BB, 0x9C9B,
        0x9C9D, 0xC4A5, 0xC614, 0xC62F, 0xFDE8u16,
    ] {
        list.push((
            format!("IFD0 {tag:04X}"),
            Box::new(move |c| exif(&[(tag, 2, c)], &[], &[], &[])),
        ));
    }
    for tag in [
        0x9003, 0x9004, 0x9010, 0x927C, 0x9286, 0x9290, 0xA005, 0xA420, 0xA430, 0xA431, 0xA433,
        0xA434, 0xA435, 0xEA1Cu16,
    ] {
        list.push((
            format!("ExifIFD {tag:04X}"),
            Box::new(move |c| exif(&[], &[(tag, 7, c)], &[], &[])),
        ));
    }
    for tag in [0x0001, 0x0008, 0x0012, 0x001B, 0x001C, 0x001Du16] {
        list.push((
            format!("GPS {tag:04X}"),
            Box::new(move |c| exif(&[], &[], &[(tag, 7, c)], &[])),
        ));
    }
    list.push((
        "IFD1 thumbnail".into(),
        Box::new(|c| exif(&[], &[], &[], &jpeg_with(&segment(0xFE, c), &[0x0F]))),
    ));
    list
}

fn xmp(c: &[u8], property: &str) -> Vec<u8> {
    let (before, after) = (
        format!("<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description {property}='"),
        "'/></rdf:RDF></x:xmpmeta>",
    );
    [before.as_bytes(), c, after.as_bytes()].concat()
}

fn jpeg(add: Add<'_>) {
    for (name, block) in exif_blocks() {
        add(
            format!("jpeg APP1 {name}"),
            Box::new(move |c| {
                jpeg_with(&segment(0xE1, &[&b"Exif\0\0"[..], &block(c)].concat()), &[0x0F])
            }),
        );
    }
    for property in [
        "dc:creator",
        "exif:GPSLatitude",
        "xmpMM:DocumentID",
        "photoshop:City",
        "aux:SerialNumber",
        "GCamera:MotionPhoto",
    ] {
        add(
            format!("jpeg XMP {property}"),
            Box::new(move |c| {
                let body = [&b"http://ns.adobe.com/xap/1.0/\0"[..], &xmp(c, property)].concat();
                jpeg_with(&segment(0xE1, &body), &[0x0F])
            }),
        );
    }
    for set in [5u8, 25, 55, 80, 85, 90, 95, 101, 105, 110, 115, 116, 120, 122, 200] {
        add(format!("jpeg IPTC 2:{set}"), Box::new(move |c| jpeg_with(&iptc(set, c), &[0x0F])));
    }
    for n in 0..16u8 {
        add(format!("jpeg APP{n}"), Box::new(move |c| jpeg_with(&segment(0xE0 + n, c), &[0x0F])));
    }
    let heads: [(&str, u8, &[u8]); 7] = [
        ("extended XMP", 0xE1, b"http://ns.adobe.com/xmp/extension/\0"),
        ("ICC", 0xE2, b"XICC_PROFILE\0\x01\x01"),
        ("MPF", 0xE2, b"MPF\0II*\0"),
        ("FlashPix", 0xE2, b"FPXR\0"),
        ("JFXX", 0xE0, b"JFXX\0\x10"),
        ("JUMBF", 0xEB, b"JP\0\x01\0\0\0\x01"),
        ("COM", 0xFE, b""),
    ];
    for (name, marker, head) in heads {
        add(
            format!("jpeg {name}"),
            Box::new(move |c| jpeg_with(&segment(marker, &[head, c].concat()), &[0x0F])),
        );
    }
    add(
        "jpeg comment before the scan".into(),
        Box::new(|c| build::jpeg(&[], &segment(0xFE, c), &[])),
    );
    add("jpeg garbage between segments".into(), Box::new(|c| build::jpeg(c, &[], &[])));
    add("jpeg trailer".into(), Box::new(|c| build::jpeg(&[], &[], c)));
    add(
        "jpeg second picture".into(),
        Box::new(|c| build::jpeg(&[], &[], &jpeg_with(&segment(0xFE, c), &[0x0F]))),
    );
    add(
        "jpeg motion photo".into(),
        Box::new(|c| build::jpeg(&[], &[], &[&b"\0\0\0\x14ftypisom\0\0\0\0isom"[..], c].concat())),
    );
    add("jpeg after the last block".into(), Box::new(|c| jpeg_with(&[], &[&[0x0F], c].concat())));
    add(
        "jpeg unused quantisation table".into(),
        Box::new(|c| {
            let mut table = vec![3];
            table.extend(c);
            table.resize(65, 1);
            build::jpeg(
                &segment(0xDB, &table.iter().map(|&b| b.max(1)).collect::<Vec<u8>>()),
                &[],
                &[],
            )
        }),
    );
    add(
        "jpeg unused Huffman table".into(),
        Box::new(|c| {
            let mut table = vec![0x13];
            let mut counts = [0u8; 16];
            counts[8] = c.len() as u8;
            table.extend(counts);
            table.extend(c);
            build::jpeg(&segment(0xC4, &table), &[], &[])
        }),
    );
    add(
        "jpeg unused codes of a table in use".into(),
        Box::new(|c| {
            let mut counts = [0u8; 16];
            (counts[0], counts[8]) = (1, c.len() as u8);
            let table = [&[0x10][..], &counts, &[0], c].concat();
            // After the plain table, in place of it.
            build::jpeg(&[], &segment(0xC4, &table), &[])
        }),
    );
}

fn png(add: Add<'_>) {
    let data = || chunk(b"IDAT", &deflate(&rows(16, 16)));
    for kind in [
        b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"sPLT", b"hIST", b"bKGD", b"sBIT", b"prVt",
        b"abCd", b"caBX", b"dSIG", b"oFFs", b"pCAL", b"mDCv", b"fdAT", b"fcTL", b"gIFx", b"vpAg",
    ] {
        let name = std::str::from_utf8(kind).unwrap();
        add(
            format!("png {name} before the picture"),
            Box::new(move |c| png_of(&[chunk(kind, &[&b"Comment\0"[..], c].concat()), data()])),
        );
        add(
            format!("png {name} after the picture"),
            Box::new(move |c| png_of(&[data(), chunk(kind, &[&b"Comment\0\0"[..], c].concat())])),
        );
    }
    for (name, block) in exif_blocks().into_iter().step_by(5) {
        add(
            format!("png eXIf {name}"),
            Box::new(move |c| png_of(&[chunk(b"eXIf", &block(c)), data()])),
        );
    }
    add("png after the end".into(), Box::new(move |c| [png_of(&[data()]), c.to_vec()].concat()));
    add(
        "png after the zlib stream".into(),
        Box::new(move |c| {
            png_of(&[chunk(b"IDAT", &[deflate(&rows(16, 16)), c.to_vec()].concat())])
        }),
    );
    add(
        "png more rows than the picture has".into(),
        Box::new(move |c| {
            png_of(&[chunk(b"IDAT", &deflate(&[rows(16, 16), c.to_vec()].concat()))])
        }),
    );
    add(
        "png palette".into(),
        Box::new(|c| {
            let mut palette = vec![1, 2, 3, 4, 5, 6];
            palette.extend(c);
            palette.resize(palette.len().next_multiple_of(3).min(768), 0);
            build::palette_png(&palette, &[], &[])
        }),
    );
    add(
        "png palette transparency".into(),
        Box::new(|c| {
            let alpha = [&[9, 9][..], c].concat();
            build::palette_png(&vec![7; 3 * alpha.len()], &[chunk(b"tRNS", &alpha)], &[])
        }),
    );
    add(
        "png suggested palette".into(),
        Box::new(move |c| {
            let mut palette = c.to_vec();
            palette.resize(palette.len().next_multiple_of(3), 0);
            png_of(&[chunk(b"PLTE", &palette), data()])
        }),
    );
    add(
        "png profile name".into(),
        Box::new(move |c| {
            let name: Vec<u8> = c.iter().copied().filter(|&b| b != 0).take(79).collect();
            let profile = super::icc::srgb(b"plain");
            png_of(&[chunk(b"iCCP", &[&name[..], &[0, 0], &deflate(&profile)].concat()), data()])
        }),
    );
    add(
        "png profile description".into(),
        Box::new(move |c| {
            let profile = super::icc::srgb(c);
            png_of(&[chunk(b"iCCP", &[&b"icc\0\0"[..], &deflate(&profile)].concat()), data()])
        }),
    );
}

fn others(add: Add<'_>) {
    const NONE: [u8; 42] = [0; 42];
    for label in [0xFEu8, 0x01, 0xCE, 0xF9] {
        add(
            format!("gif extension {label:02X}"),
            Box::new(move |c| {
                build::gif(&NONE, &[&[0x21, label][..], &blocks(c)].concat(), &[], 1, &[])
            }),
        );
    }
    for name in [b"XMP DataXMP", b"ICCRGBG1012", b"ImageMagick", b"NETSCAPE2.0"] {
        let text = String::from_utf8_lossy(name).into_owned();
        add(
            format!("gif application {text}"),
            Box::new(move |c| {
                let body = [&[0x21, 0xFF, 11][..], name, &blocks(c)].concat();
                build::gif(&NONE, &body, &[], if name == b"NETSCAPE2.0" { 2 } else { 1 }, &[])
            }),
        );
    }
    add("gif after the end".into(), Box::new(|c| build::gif(&NONE, &[], &[], 1, c)));
    add("gif after the codes".into(), Box::new(|c| build::gif(&NONE, &[], c, 2, &[])));
    add(
        "gif unused colours".into(),
        Box::new(|c| {
            let mut unused = [0; 42];
            unused.iter_mut().zip(c).for_each(|(u, c)| *u = *c);
            build::gif(&unused, &[], &[], 1, &[])
        }),
    );
    for (kind, flags) in [(b"EXIF", 8), (b"XMP ", 4), (b"ABCD", 0), (b"ALPH", 0), (b"C2PA", 0)] {
        let name = std::str::from_utf8(kind).unwrap();
        add(
            format!("webp {name} before"),
            Box::new(move |c| build::webp(flags, &[riff(kind, c)], &[])),
        );
        add(
            format!("webp {name} after"),
            Box::new(move |c| build::webp(flags, &[], &[riff(kind, c)])),
        );
    }
    add(
        "webp profile".into(),
        Box::new(|c| build::webp(32, &[riff(b"ICCP", &super::icc::srgb(c))], &[])),
    );
    add("webp after the end".into(), Box::new(|c| [samples::webp_lossless(), c.to_vec()].concat()));
    add("webp inside a frame".into(), Box::new(|c| build::webp_animation(&riff(b"ABCD", c))));
    for tag in [
        269u16, 270, 271, 272, 285, 305, 306, 315, 316, 333, 337, 700, 32_932, 33_432, 33_550,
        33_723, 34_377, 34_665, 34_737, 34_853, 37_510, 37_724, 40_091, 42_112, 50_341, 65_000,
    ] {
        add(
            format!("tiff {tag}"),
            Box::new(move |c| build::tiff(&[(tag, 2, c.to_vec())], &[], &[])),
        );
    }
    add("tiff gap".into(), Box::new(|c| build::tiff(&[], c, &[])));
    add("tiff after the end".into(), Box::new(|c| build::tiff(&[], &[], c)));
    add(
        "tiff profile".into(),
        Box::new(|c| build::tiff(&[(34_675, 7, super::icc::srgb(c))], &[], &[])),
    );
    add("bmp gap".into(), Box::new(|c| build::bmp(&[0; 56], c, &[])));
    add("bmp after the end".into(), Box::new(|c| build::bmp(&[0; 56], &[], c)));
    add(
        "bmp unused colours".into(),
        Box::new(|c| {
            let mut unused = [0; 56];
            unused.iter_mut().zip(c).for_each(|(u, c)| *u = *c);
            build::bmp(&unused, &[], &[])
        }),
    );
    for (name, head, body) in
        [("P4", "P4\n#", "\n9 2\n"), ("P5", "P5 #", "\n3 2 255\n"), ("P6", "P6\n1 2\n#", "\n255\n")]
    {
        add(
            format!("pnm {name} comment in the header"),
            Box::new(move |c| [head.as_bytes(), c, body.as_bytes(), &[0, 1, 2, 3, 4, 5]].concat()),
        );
        add(
            format!("pnm {name} after the end"),
            Box::new(move |c| {
                let head = head.trim_end_matches('#').trim_end();
                [head.as_bytes(), body.as_bytes(), &[0; 6], c].concat()
            }),
        );
    }
    add(
        "pam comment in the header".into(),
        Box::new(|c| {
            [
                &b"P7\n#"[..],
                c,
                b"\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabcdef",
            ]
            .concat()
        }),
    );
    for kind in [b"Exif", b"xml ", b"jumb", b"brob", b"jbrd", b"jxli", b"abcd", b"uuid"] {
        let name = std::str::from_utf8(kind).unwrap();
        add(format!("jxl {name}"), Box::new(move |c| build::jxl(&[(kind, c)])));
    }
    add("jxl after the codestream".into(), Box::new(|c| [samples::jxl(), c.to_vec()].concat()));
    add(
        "jxl after the container".into(),
        Box::new(|c| [build::jxl(&[]), super::mp4::boxed(b"free", c)].concat()),
    );
}

fn heif(add: Add<'_>) {
    use super::mp4::boxed;
    for (kind, name, link) in [
        (b"Exif", &b""[..], b"cdsc"),
        (b"mime", b"\0application/rdf+xml", b"cdsc"),
        (b"mime", b"\0application/x", b"cdsc"),
        (b"uri ", b"\0urn:x", b"cdsc"),
        (b"av01", b"", b"thmb"),
        (b"hvc1", b"", b"auxl"),
        (b"abcd", b"", b"abcd"),
    ] {
        let place = format!(
            "heif item {} {}",
            String::from_utf8_lossy(kind),
            String::from_utf8_lossy(name)
        );
        add(
            place,
            Box::new(move |c| {
                build::avif(&Avif { items: vec![(kind, name, c, Some(link))], ..Avif::default() })
            }),
        );
    }
    let zeroless = |c: &[u8]| c.iter().copied().filter(|&b| b != 0).collect::<Vec<u8>>();
    add(
        "heif item name".into(),
        Box::new(move |c| build::avif(&Avif { name: &zeroless(c), ..Avif::default() })),
    );
    add(
        "heif handler name".into(),
        Box::new(|c| build::avif(&Avif { handler: c, ..Avif::default() })),
    );
    for (unit, name) in
        [(0x2Au8, "metadata"), (0x7A, "padding"), (0x12, "delimiter"), (0x4A, "reserved")]
    {
        add(
            format!("heif {name} unit"),
            Box::new(move |c| {
                let units = [&[unit, c.len() as u8][..], c].concat();
                build::avif(&Avif { units, ..Avif::default() })
            }),
        );
    }
    for kind in [b"udes", b"rloc", b"mdcv", b"abcd", b"uuid"] {
        let name = std::str::from_utf8(kind).unwrap();
        add(
            format!("heif property {name}"),
            Box::new(move |c| build::avif(&Avif { properties: boxed(kind, c), ..Avif::default() })),
        );
    }
    add(
        "heif profile".into(),
        Box::new(|c| {
            let profile = [&b"prof"[..], &super::icc::srgb(c)].concat();
            build::avif(&Avif { properties: boxed(b"colr", &profile), ..Avif::default() })
        }),
    );
    for kind in [b"free", b"uuid", b"idat", b"grpl", b"udta", b"abcd"] {
        let name = std::str::from_utf8(kind).unwrap();
        add(
            format!("heif meta/{name}"),
            Box::new(move |c| build::avif(&Avif { meta: boxed(kind, c), ..Avif::default() })),
        );
        add(
            format!("heif {name}"),
            Box::new(move |c| build::avif(&Avif { top: boxed(kind, c), ..Avif::default() })),
        );
    }
    add(
        "heif orphan".into(),
        Box::new(|c| build::avif(&Avif { orphan: c.to_vec(), ..Avif::default() })),
    );
    add(
        "heif motion photo".into(),
        Box::new(|c| build::avif(&Avif { tail: boxed(b"mpvd", c), ..Avif::default() })),
    );
    add("heic after the end".into(), Box::new(|c| [samples::heic(), boxed(b"free", c)].concat()));
}

fn svg(add: Add<'_>) {
    const TEMPLATES: [(&str, &str); 26] = [
        ("comment", "<!--@-->"),
        ("title", "<title>@</title>"),
        ("desc", "<desc>@</desc>"),
        ("metadata", "<metadata><rdf:RDF xmlns:rdf='x'>@</rdf:RDF></metadata>"),
        ("script", "<script><![CDATA[@]]></script>"),
        ("foreignObject", "<foreignObject><p>@</p></foreignObject>"),
        ("unknown element", "<x:y xmlns:x='@'/>"),
        ("editor element", "<sodipodi:namedview id='@'/>"),
        ("instruction", "<?x @?>"),
        ("id", "<rect id='@' width='3' height='3'/>"),
        ("class", "<rect class='@' width='3' height='3'/>"),
        ("data attribute", "<rect data-x='@' width='3' height='3'/>"),
        ("editor attribute", "<rect inkscape:label='@' width='3' height='3'/>"),
        ("event", "<rect onclick='@' width='3' height='3'/>"),
        ("style attribute", "<rect style='fill:red;x-y:@;stroke:@' width='3' height='3'/>"),
        ("style comment", "<style>/* @ */ .a { fill: red }</style>"),
        ("style name", "<style>.@ { fill: red }</style><rect class='@'/>"),
        ("style import", "<style>@import url(@); @font-face { src: url(@) }</style>"),
        ("fill", "<rect fill='@' width='3' height='3'/>"),
        ("path", "<path d='@'/>"),
        ("font", "<text font-family='@, serif' x='1' y='2'>a</text>"),
        ("outside picture", "<image href='http://@/x.png' width='3' height='3'/>"),
        ("outside use", "<use xlink:href='x.svg#@'/>"),
        ("link", "<a href='http://@/'><rect width='3' height='3'/></a>"),
        ("text beside text", "<g>@</g>"),
        ("filter result", "<filter id='f'><feFlood result='@'/></filter>"),
    ];
    for (name, template) in TEMPLATES {
        add(
            format!("svg {name}"),
            Box::new(move |c| {
                let body = template.replace('@', &String::from_utf8_lossy(c));
                format!("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{body}<rect width='5' height='5' fill='blue'/></svg>").into_bytes()
            }),
        );
    }
    add(
        "svg doctype".into(),
        Box::new(|c| {
            let c = String::from_utf8_lossy(c).into_owned();
            format!("<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY e '{c}'>]><svg xmlns='http://www.w3.org/2000/svg'><text>&e;</text></svg>").into_bytes()
        }),
    );
    add(
        "svg after the end".into(),
        Box::new(|c| {
            format!(
                "<svg xmlns='http://www.w3.org/2000/svg'></svg><!--{}-->",
                String::from_utf8_lossy(c)
            )
            .into_bytes()
        }),
    );
    add(
        "svg picture inside".into(),
        Box::new(|c| {
            let png = png_of(&[
                chunk(b"tEXt", &[&b"Comment\0"[..], c].concat()),
                chunk(b"IDAT", &deflate(&rows(16, 16))),
            ]);
            format!("<svg xmlns='http://www.w3.org/2000/svg'><image width='9' height='9' href='data:image/png;base64,{}'/></svg>", base64(&png)).into_bytes()
        }),
    );
}

/// Everything that can be read out of a file: its bytes, what inflates from
/// any place in them, and what base64 in it stands for.
pub fn layers(file: &[u8]) -> Vec<Vec<u8>> {
    let mut out = vec![file.to_vec()];
    let joined: Vec<u8> = {
        // Chunks of PNG joined, wherever the file has any.
        let mut joined = Vec::new();
        for (at, _) in file.windows(4).enumerate().filter(|(_, w)| *w == b"IDAT") {
            if let Some(size) = at.checked_sub(4).and_then(|s| file.get(s..at)) {
                let size = u32::from_be_bytes(size.try_into().unwrap()) as usize;
                joined.extend(file.get(at + 4..at + 4 + size).unwrap_or_default());
            }
        }
        joined
    };
    let mut sources = vec![file.to_vec(), joined];
    let signs = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    for run in file.split(|b| !signs(b)).filter(|r| r.len() >= 40) {
        sources.push(unbase64(run));
    }
    for source in sources {
        for at in 0..source.len() {
            let head = source.get(at..at + 2).unwrap_or_default();
            if let &[a, b] = head
                && a & 15 == 8
                && (u16::from(a) << 8 | u16::from(b)) % 31 == 0
            {
                let mut inner = Vec::new();
                // A stream that breaks off has given what it has.
                let read = flate2::read::ZlibDecoder::new(&source[at..])
                    .take(1 << 20)
                    .read_to_end(&mut inner);
                if read.is_ok() || inner.len() > 4 {
                    out.push(inner);
                }
            }
        }
        out.push(source);
    }
    out
}

fn unbase64(text: &[u8]) -> Vec<u8> {
    let (mut out, mut bits, mut have) = (Vec::new(), 0u32, 0);
    for &b in text {
        let v = match b {
            b'A'..=b'Z' => b - 65,
            b'a'..=b'z' => b - 71,
            b'0'..=b'9' => b + 4,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(v);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    out
}

/// The forms in which a marker is searched for.
pub fn needles(marker: &str) -> Vec<Vec<u8>> {
    let mut list: Vec<Vec<u8>> = FORMS.iter().map(|f| form(f, marker)).collect();
    // Without its last two signs, which depend on what follows.
    for shift in 0..3 {
        let text = base64(&[&b"xxx"[..shift], marker.as_bytes()].concat());
        list.push(text.as_bytes()[if shift == 0 { 0 } else { 4 }..text.len() - 4].to_vec());
    }
    // Pieces, where a place holds only a part of it.
    list.push(PREFIX.as_bytes().to_vec());
    list
}
