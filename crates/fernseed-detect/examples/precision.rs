//! What a network sees on a folder of photos in floats and in 8 bits, as a
//! table for comparing recall and false positives.
//!
//! usage: `precision FOLDER [centerface|yunet [SCALE]] > TABLE`
//!
//! One line per box: photo, precision, score, left, top, right, bottom; tabs.
#![allow(clippy::print_stdout, reason = "a measuring tool talks on standard output")]

use fernseed_core::{Picture, PixelFormat, Plane, Size};
use fernseed_detect::{Backend, Engine, FaceFinder, FinderConfig, Look, Network};
use std::error::Error;
use std::path::PathBuf;

/// Scores below this are left out.
const FLOOR: f32 = 0.05;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: precision FOLDER [centerface|yunet [SCALE]]";
    let folder = std::env::args_os().nth(1).ok_or(usage)?;
    let network = match std::env::args().nth(2).as_deref() {
        None | Some("centerface") => Network::CenterFace,
        Some("yunet") => Network::YuNet,
        Some(_) => return Err(usage.into()),
    };
    let scale = std::env::args().nth(3).map_or(Ok(1.0), |text| text.parse())?;
    let finder = |backend| {
        Ok::<_, Box<dyn Error>>(FaceFinder::with_engine(
            Engine::with_backend(backend)?,
            FinderConfig { threads: 1 },
        ))
    };
    let best = finder(Backend::best())?;
    let avx2 = Backend::Avx2.is_supported().then(|| finder(Backend::Avx2)).transpose()?;
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "jpg" || e == "png"));
    paths.sort();
    let look = Look::new(network, scale);
    for path in paths {
        let photo = image::open(&path)?.to_rgb8();
        let (width, height) = photo.dimensions();
        let row_bytes = width as usize * 3;
        let plane = Plane::packed(photo.into_raw(), row_bytes, height as usize);
        let picture = Picture::new(Size::new(width, height), PixelFormat::Rgb8, vec![plane])?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut runs = vec![("full", &best, look), ("fast", &best, look.fast())];
        runs.extend(avx2.as_ref().map(|finder| ("fast-avx2", finder, look.fast())));
        for (precision, finder, look) in runs {
            for (_, found) in finder.look(&picture, &[look], FLOOR) {
                let r = found.rect;
                println!(
                    "{name}\t{precision}\t{:.5}\t{:.1}\t{:.1}\t{:.1}\t{:.1}",
                    found.score, r.left, r.top, r.right, r.bottom
                );
            }
        }
    }
    Ok(())
}
