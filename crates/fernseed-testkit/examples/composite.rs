//! Writes the composite set: `composite OUT [--half develop|judge|both]
//! [--only SCENARIO] [--seeds N] [--pinned]`. Clips that are there already
//! are left alone.

#![allow(clippy::print_stdout, reason = "a tool for the terminal")]

use fernseed_testkit::composite::{Clip, Half, Material, Sources, clips, write};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (mut out, mut half, mut only, mut seeds) = (None, "both".to_owned(), None, 2);
    let mut pinned = false;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--half" => half = value()?,
            "--only" => only = Some(value()?),
            "--seeds" => seeds = value()?.parse()?,
            "--pinned" => pinned = true,
            _ => out = Some(PathBuf::from(arg)),
        }
    }
    let out = out.ok_or("where to? composite OUT [--half develop|judge|both]")?;
    std::fs::create_dir_all(&out)?;
    let material = match fernseed_testkit::shared() {
        Some(shared) if !pinned => Material::WithShared(shared),
        _ => Material::Pinned,
    };
    let halves: &[Half] = match half.as_str() {
        "develop" => &[Half::Develop],
        "judge" => &[Half::Judge],
        _ => &[Half::Develop, Half::Judge],
    };
    for half in halves {
        let wanted = clips(*half, seeds)
            .into_iter()
            .filter(|c| only.as_ref().is_none_or(|o| o == c.scenario))
            .filter(|c| !out.join(c.name()).with_extension("json").is_file())
            .collect();
        make(wanted, &Sources::load(*half, &material)?, &out)?;
    }
    Ok(())
}

/// Makes the clips, as many at a time as there are processors.
fn make(wanted: Vec<Clip>, sources: &Sources, out: &Path) -> Result<(), String> {
    let queue = Mutex::new(wanted);
    let next = || queue.lock().ok()?.pop();
    let work = || {
        while let Some(clip) = next() {
            let (truth, path) = write(&clip, sources, out).map_err(|e| e.to_string())?;
            println!("{} {} frames", path.display(), truth.frames.len());
        }
        Ok::<(), String>(())
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().try_for_each(|t| t.join().map_err(|_panic| "a thread died".to_owned())?)
    })
}
