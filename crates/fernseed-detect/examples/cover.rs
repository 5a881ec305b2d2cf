//! Hides the faces of a folder of photos with [`Effort::Still`], to measure
//! how much of each true face is covered.
//!
//! usage: `cover IN_FOLDER OUT_FOLDER [FILL_HEX [THRESHOLD]]`
//!
//! Reads `*.jpg` and `*.png`, writes `STEM.redacted.png` with an ellipse of
//! the fill colour over each detection, and prints the time detection took.
//! Looks, threshold and box corrections were chosen on every other photo of a
//! set of masked faces (the first, third, ... by name). The last step of the
//! margin (`RECOMMENDED_GROW`, `RECOMMENDED_PAD`) was made with both halves in
//! view, so no part of that set is entirely unseen.
#![allow(clippy::print_stdout, reason = "a measuring tool talks on standard output")]

use fernseed_core::detect::{Detector, Effort};
use fernseed_core::{Picture, PixelFormat, Plane, Size};
use fernseed_detect::{DEFAULT_THRESHOLD, FaceFinder, FinderConfig, recommended_shape};
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, rest @ ..] = args.as_slice() else {
        return Err("usage: cover IN_FOLDER OUT_FOLDER [FILL_HEX [THRESHOLD]]".into());
    };
    let fill = u32::from_str_radix(rest.first().map_or("00ff00", String::as_str), 16)?;
    let [_, red, green, blue] = fill.to_be_bytes();
    let threshold = rest.get(1).map_or(Ok(DEFAULT_THRESHOLD), |text| text.parse())?;
    let output = PathBuf::from(output);
    std::fs::create_dir_all(&output)?;
    let finder = FaceFinder::new(FinderConfig { threads: 1 })?;

    let (mut photos, mut faces, mut time) = (0, 0, Duration::ZERO);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(input)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "jpg" || e == "png"));
    paths.sort();
    for path in paths {
        let mut photo = image::open(&path)?.to_rgb8();
        let (width, height) = photo.dimensions();
        let row_bytes = width as usize * 3;
        let plane = Plane::packed(photo.as_raw().clone(), row_bytes, height as usize);
        let picture = Picture::new(Size::new(width, height), PixelFormat::Rgb8, vec![plane])?;
        let start = Instant::now();
        let found = finder.detect(&picture, Effort::Still, threshold)?;
        time += start.elapsed();
        for detection in &found {
            let shape = recommended_shape(detection.rect);
            let ((cx, cy), (rx, ry)) =
                (shape.centre(), (shape.width() / 2.0, shape.height() / 2.0));
            for (x, y, pixel) in photo.enumerate_pixels_mut() {
                let (u, v) = ((x as f32 + 0.5 - cx) / rx, (y as f32 + 0.5 - cy) / ry);
                if u * u + v * v <= 1.0 {
                    *pixel = image::Rgb([red, green, blue]);
                }
            }
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        photo.save(output.join(format!("{stem}.redacted.png")))?;
        photos += 1;
        faces += found.len();
    }
    println!("{photos} photos, {faces} faces, {:.1} s in detection", time.as_secs_f32());
    Ok(())
}
