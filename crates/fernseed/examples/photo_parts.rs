//! What a folder of photos costs at least: `photo_parts THREADS FILE...`
//! decodes every photo, looks at it as `redact` does, covers what it finds
//! and encodes it as JPEG, in one process without sandbox, audit or disk
//! output. Prints wall and processor seconds; `bench/photos.sh` sets them
//! beside the product's.

#![allow(clippy::print_stdout, reason = "a tool for the terminal")]

use fernseed_core::detect::{Detector, Effort};
use fernseed_core::limits::Limits;
use fernseed_core::policy::Policy;
use fernseed_core::render::{Mask, Renderer};
use fernseed_core::track::plan::covered_rect;
use fernseed_detect::{FaceFinder, FinderConfig};
use fernseed_media::still::{StillFrames, StillOutput, decode, encode};
use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// As the product writes photos.
const QUALITY: u8 = 90;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn one(path: &str, finder: &FaceFinder, policy: &Policy) -> Fallible<usize> {
    let bytes = std::fs::read(path)?;
    let StillFrames::One(picture) = decode(&bytes, &Limits::default())?.frames else {
        return Err(format!("{path} is an animation").into());
    };
    let found = finder.detect(&picture, Effort::Still, policy.threshold)?;
    let masks: Vec<Mask> = (1..)
        .zip(&found)
        .map(|(track, face)| Mask { track, rect: covered_rect(face.rect, policy) })
        .collect();
    let covered = Renderer::new(policy).render(picture, &masks);
    Ok(encode(&covered, StillOutput::Jpeg { quality: QUALITY })?.len())
}

/// User and system time of this process in seconds.
fn processor_seconds() -> Fallible<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?.1;
    let ticks = |i: usize| -> Fallible<f64> {
        Ok(after.split_whitespace().nth(i).ok_or("a short /proc/self/stat")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().and_then(|n| n.parse::<usize>().ok()).filter(|n| *n > 0);
    let files: Vec<String> = arguments.collect();
    let Some(threads) = threads.filter(|_| !files.is_empty()) else {
        return Err("usage: photo_parts THREADS FILE...".into());
    };
    let start = Instant::now();
    let finder = FaceFinder::new(FinderConfig::default())?;
    let policy = Policy::default();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let work = || {
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(e) = one(path, &finder, &policy)
                && let Ok(mut failed) = failed.lock()
            {
                *failed = Some(format!("{path}: {e}"));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    if let Some(message) = failed.into_inner().ok().flatten() {
        return Err(message.into());
    }
    println!("{:.2} {:.2}", start.elapsed().as_secs_f64(), processor_seconds()?);
    Ok(())
}
