//! Stripped pictures: no canary survives, the account is clean, equal
//! pictures give equal files, the picture stays as it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::build::{self, Avif};
use common::canary;
use common::pictures as pic;
use common::samples;
use fernseed_scrub::{StripError, StripOptions, Stripped, account, strip};
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

fn stripped(file: &[u8]) -> Result<(Vec<u8>, Stripped), StripError> {
    let mut out = Cursor::new(Vec::new());
    let done =
        strip(&mut Cursor::new(file), file.len() as u64, &mut out, &StripOptions::default())?;
    Ok((out.into_inner(), done))
}

/// Strips, and holds the output to what every output must be.
fn good(file: &[u8], name: &str) -> Vec<u8> {
    let (out, _) = stripped(file).unwrap_or_else(|e| panic!("{name}: {e}"));
    let report = account(&mut Cursor::new(&out), out.len() as u64);
    assert!(report.is_clean(), "{name}: {:#?}", report.findings);
    let owned: u64 = report.structures.iter().map(|s| s.end - s.start).sum();
    assert_eq!(owned, out.len() as u64, "{name}: bytes without an owner");
    assert_eq!(stripped(&out).unwrap().0, out, "{name}: not stable");
    out
}

#[test]
fn no_canary_survives() {
    let all = canary::all();
    assert!(all.len() >= 400, "{} canaries", all.len());
    let (mut cleaned, mut refused) = (0, Vec::new());
    for planted in &all {
        let name = format!("{} ({})", planted.place, planted.form);
        if let Err(error) = stripped(&planted.file) {
            refused.push(format!("{name}: {error}"));
            continue;
        }
        let out = good(&planted.file, &name);
        let needles = canary::needles(&planted.marker);
        for layer in canary::layers(&out) {
            for needle in &needles {
                let found = layer.windows(needle.len()).any(|w| w == needle);
                assert!(!found, "{name}: a canary survived");
            }
        }
        cleaned += 1;
    }
    println!("{} canaries, {cleaned} cleaned, {} refused", all.len(), refused.len());
    for line in &refused {
        println!("refused {line}");
    }
    // A refusal is safe, but no way to pass.
    assert!(refused.len() * 50 <= all.len(), "{refused:#?}");
}

#[test]
fn the_search_finds_what_is_planted() {
    for planted in canary::all().into_iter().filter(|p| matches!(p.form, "utf8" | "base64")) {
        let needles = canary::needles(&planted.marker);
        let found = canary::layers(&planted.file)
            .iter()
            .any(|l| needles.iter().any(|n| l.windows(n.len()).any(|w| w == n)));
        // Places too small for the whole marker.
        let partial = planted.place.contains("colours");
        assert!(found || partial, "{} ({})", planted.place, planted.form);
    }
}

#[test]
fn pictures_that_differ_in_metadata_only_become_equal() {
    let mut groups: std::collections::BTreeMap<String, Vec<Vec<u8>>> = Default::default();
    for (n, (place, plant)) in canary::places().into_iter().enumerate() {
        let format = place.split(' ').next().unwrap().to_owned();
        // These places change the picture's structure, not its metadata.
        let other = [
            "palette",
            "unused codes",
            "second",
            "inside",
            "pnm P",
            "NETSCAPE",
            "gif after the codes",
        ];
        if format == "svg" || other.iter().any(|o| place.contains(o)) {
            continue;
        }
        let file = plant(format!("different {n}").as_bytes());
        if stripped(&file).is_ok() {
            groups.entry(format).or_default().push(good(&file, &place));
        }
    }
    for (format, outputs) in groups {
        let first = &outputs[0];
        if matches!(format.as_str(), "jpeg" | "png" | "webp" | "tiff" | "heif" | "jxl") {
            assert!(outputs.len() >= 10, "{format}: {} sources", outputs.len());
        }
        assert!(outputs.iter().all(|o| o == first), "{format}: outputs differ");
    }
}

#[test]
fn orientation_is_all_that_is_left_of_exif() {
    let block =
        build::exif(&[(0x0112, 3, &[6, 0]), (0x010F, 2, b"Maker of cameras\0")], &[], &[], &[]);
    let app1 = pic::segment(0xE1, &[&b"Exif\0\0"[..], &block].concat());
    let list = [
        ("jpeg", pic::jpeg_with(&app1, &[0x0F])),
        (
            "png",
            pic::png_of(&[
                pic::chunk(b"eXIf", &block),
                pic::chunk(b"IDAT", &pic::deflate(&pic::rows(16, 16))),
            ]),
        ),
        ("webp", build::webp(8, &[], &[pic::riff(b"EXIF", &block)])),
    ];
    for (name, file) in list {
        let out = good(&file, name);
        let at = out.windows(8).position(|w| w == b"MM\0*\0\0\0\x08").expect(name);
        assert_eq!(
            &out[at + 8..at + 26],
            b"\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
            "{name}"
        );
        assert!(!out.windows(5).any(|w| w == b"Maker"), "{name}");
    }
}

#[test]
fn what_is_hidden_behind_the_picture_is_refused() {
    // A second scan of the same component would replace the first.
    let plain = pic::jpeg();
    let sos = plain.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
    let twice = [&plain[..plain.len() - 2], &plain[sos..]].concat();
    assert!(matches!(stripped(&twice), Err(StripError::Damaged(_))));
    // Arithmetic coding, two frames in one coded picture, a profile of no
    // standard.
    let arithmetic = pic::jpeg_with(&pic::segment(0xC9, &[8, 0, 8, 0, 16, 1, 1, 0x11, 0]), &[0x0F]);
    assert!(matches!(stripped(&arithmetic), Err(StripError::NeedsReencoding(_))));
    let two = build::avif(&Avif { units: vec![0x32, 2, 1, 1], ..Avif::default() });
    assert!(matches!(stripped(&two), Err(StripError::NeedsReencoding(_))));
    let mut profile = common::icc::srgb(b"x");
    let at = profile.windows(4).position(|w| w == b"XYZ ").unwrap();
    profile[at + 8..at + 200].fill(0x11);
    let odd = build::webp(32, &[pic::riff(b"ICCP", &profile)], &[]);
    assert!(matches!(stripped(&odd), Err(StripError::NeedsReencoding(_))));
    for file in [pic::jpeg(), pic::png(), samples::heic(), samples::jxl(), samples::webp_lossy()] {
        for cut in [4, file.len() / 3, file.len() / 2, file.len() * 2 / 3] {
            if let Ok((out, _)) = stripped(&file[..cut]) {
                good(&out, "a cut file");
            }
        }
    }
}

/// Decoded pixels of a file, as a tool sees them.
fn pixels(path: &Path, extension: &str) -> Option<Vec<u8>> {
    let folder = std::env::temp_dir().join(format!("fernseed-pixels-{}", std::process::id()));
    std::fs::create_dir_all(&folder).ok()?;
    let png = folder.join("decoded.png");
    let convert = |from: &Path| {
        let out = Command::new("convert")
            .arg(from)
            .args(["-strip", "+profile", "*", "-depth", "16", "rgba:-"])
            .output()
            .ok()?;
        (!out.stdout.is_empty()).then_some(out.stdout)
    };
    match extension {
        "heic" | "heif" | "avif" | "jxl" => {
            let tool = if extension == "jxl" { "djxl" } else { "heif-convert" };
            drop(std::fs::remove_file(&png));
            Command::new(tool).arg(path).arg(&png).output().ok()?;
            convert(&png)
        }
        // ImageMagick misreads some headers of OS/2.
        "bmp" => {
            let run = Command::new("ffmpeg")
                .args(["-v", "quiet", "-i"])
                .arg(path)
                .args(["-pix_fmt", "rgba", "-f", "rawvideo", "-"])
                .output()
                .ok()?;
            (!run.stdout.is_empty()).then_some(run.stdout)
        }
        _ => convert(path),
    }
}

#[test]
fn decoded_pixels_stay_equal() {
    let folder = std::env::temp_dir().join(format!("fernseed-strip-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut list: Vec<(String, Vec<u8>)> = vec![
        ("a.webp".into(), samples::webp_lossless()),
        ("b.webp".into(), samples::webp_lossy()),
        ("a.jxl".into(), samples::jxl()),
        ("b.jxl".into(), samples::jxl_lossless()),
        ("a.heic".into(), samples::heic()),
        ("a.gif".into(), build::gif(&[7; 42], b"", &[], 2, b"tail")),
        ("a.tif".into(), build::tiff(&[], b"gap", b"tail")),
        ("a.bmp".into(), build::bmp(&[7; 56], b"gap!", b"tail")),
        ("a.jpg".into(), pic::jpeg()),
        ("a.png".into(), pic::png()),
        ("b.png".into(), build::palette_png(&[9; 24], &[], b"tail")),
        ("a.ppm".into(), b"P3 # x\n2 1 255 1 2 3 4 5 6".to_vec()),
        ("a.pbm".into(), b"P1\n3 2 101 010".to_vec()),
    ];
    for part in ["data/metadata", "data/fuzz/pngsuite_bmpsuite"] {
        let Some(shared) = common::shared(part) else { continue };
        // One in nineteen, and no giants: the whole takes minutes.
        for path in common::files(&shared).iter().step_by(19) {
            let Ok(data) = std::fs::read(path) else { continue };
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            let still =
                ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jxl"];
            if data.len() < 200_000 && still.contains(&extension.as_str()) {
                list.push((path.display().to_string(), data));
            }
        }
    }
    let (mut compared, mut undecoded) = (0, 0);
    for (name, data) in list {
        let Ok((out, done)) = stripped(&data) else { continue };
        good(&data, &name);
        let source = Path::new(&name).extension().unwrap().to_string_lossy().to_lowercase();
        let (a, b) =
            (folder.join(format!("a.{source}")), folder.join(format!("b.{}", done.extension)));
        std::fs::write(&a, &data).unwrap();
        std::fs::write(&b, &out).unwrap();
        let Some(before) = pixels(&a, &source) else {
            undecoded += 1;
            continue;
        };
        let after = pixels(&b, &done.extension);
        assert!(after.as_ref() == Some(&before), "{name}: the picture changed");
        compared += 1;
    }
    std::fs::remove_dir_all(&folder).unwrap();
    println!("{compared} pictures decode to equal pixels, {undecoded} could not be decoded");
    assert!(compared > 0 || Command::new("convert").arg("-version").output().is_err());
}
