//! Measures how large the activations of both networks get on some pictures,
//! for their 8-bit forms.
//!
//! usage: `calibrate OUT_FOLDER PICTURE_OR_FOLDER...`
//!
//! Writes `centerface.ranges` and `yunet.ranges`.
//!
//! Each picture (`*.jpg`, `*.png`) is shown whole at several sizes, mirrored,
//! and darkened; the files hold only the largest values seen per channel. The
//! repository's `weights/*.ranges` were made from the pictures that
//! `docs/quantisation.md` names. None of them is of a set that judges.
#![allow(clippy::print_stdout, reason = "a tool talks on standard output")]

use fernseed_detect::{ActivationRanges, Engine, NetworkInput, YuNetRanges};
use image::{RgbImage, imageops};
use std::error::Error;
use std::path::PathBuf;

/// Longer sides at which each picture is shown.
const SIDES: [u32; 4] = [320, 640, 960, 1280];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [output, inputs @ ..] = args.as_slice() else {
        return Err("usage: calibrate OUT_FOLDER PICTURE_OR_FOLDER...".into());
    };
    let mut paths = Vec::new();
    for input in inputs {
        if input.is_dir() {
            for entry in std::fs::read_dir(input)? {
                paths.push(entry?.path());
            }
        } else {
            paths.push(input.clone());
        }
    }
    paths.retain(|path| path.extension().is_some_and(|e| e == "jpg" || e == "png"));
    paths.sort();
    let engine = Engine::new()?;
    let (mut centerface, mut yunet) = (ActivationRanges::default(), YuNetRanges::default());
    for path in &paths {
        let photo = image::open(path)?.to_rgb8();
        let longer = photo.width().max(photo.height()) as f32;
        for side in SIDES {
            let scale = side as f32 / longer;
            let sides = [photo.width(), photo.height()].map(|s| ((s as f32 * scale) as u32).max(1));
            let shown = imageops::resize(&photo, sides[0], sides[1], imageops::Triangle);
            let (mirrored, dark) = (imageops::flip_horizontal(&shown), darkened(&shown));
            for shown in [shown, mirrored, dark] {
                engine.measure_ranges(&padded(&shown)?, &mut centerface, &mut yunet);
            }
        }
    }
    std::fs::write(output.join("centerface.ranges"), centerface.to_bytes())?;
    std::fs::write(output.join("yunet.ranges"), yunet.to_bytes())?;
    println!("{} pictures", paths.len());
    Ok(())
}

/// With black to the right and below up to multiples of 32.
fn padded(photo: &RgbImage) -> Result<NetworkInput, Box<dyn Error>> {
    let (width, height) = photo.dimensions();
    let (wide, high) = (width.next_multiple_of(32), height.next_multiple_of(32));
    let mut canvas = RgbImage::new(wide, high);
    imageops::replace(&mut canvas, photo, 0, 0);
    NetworkInput::new(wide as usize, high as usize, canvas.into_raw())
        .ok_or_else(|| "not a picture the networks can look at".into())
}

fn darkened(photo: &RgbImage) -> RgbImage {
    let mut dark = photo.clone();
    dark.iter_mut().for_each(|value| *value /= 4);
    dark
}
