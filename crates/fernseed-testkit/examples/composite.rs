//! Writes the composite set: moving faces over backgrounds, with exact truth
//! (`composite --help`).

#![allow(clippy::print_stdout, reason = "a tool for the terminal")]

use clap::{Parser, ValueEnum};
use fernseed_testkit::composite::{Album, Clip, Half, Material, MediaError, Sources, clips, write};
use fernseed_testkit::truth::Truth;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Mutex;

/// Writes clips with exact truth, NAME.mp4 and NAME.json. Clips that are
/// there already are left alone.
#[derive(Parser)]
struct Options {
    /// Folder for the clips; made if it is not there.
    out: PathBuf,
    /// Which half of the faces and seeds; the judge half must not be used
    /// to tune anything.
    #[arg(long, value_enum, default_value_t = Which::Both)]
    half: Which,
    /// Only this scenario; repeatable.
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<String>,
    /// Clips of each scenario.
    #[arg(long, default_value_t = 2)]
    seeds: usize,
    /// Number of the first of them: later ones are other clips.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from: usize,
    /// Only faces of pinned packages, even if shared test data is there.
    #[arg(long)]
    pinned: bool,
    /// Labelled photographs under a moving camera instead of cut-outs; needs
    /// shared test data.
    #[arg(long, conflicts_with_all = ["pinned", "only"])]
    panned: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Develop,
    Judge,
    Both,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let scenarios: Vec<_> = clips(Half::Develop, 1).iter().map(|c| c.scenario).collect();
    if let Some(unknown) = options.only.iter().find(|o| !scenarios.contains(&o.as_str())) {
        return Err(format!("no scenario {unknown}; there are {}", scenarios.join(", ")).into());
    }
    std::fs::create_dir_all(&options.out)?;
    let halves: &[Half] = match options.half {
        Which::Develop => &[Half::Develop],
        Which::Judge => &[Half::Judge],
        Which::Both => &[Half::Develop, Half::Judge],
    };
    let shared = fernseed_testkit::shared();
    let absent = |c: &Clip| !options.out.join(c.name()).with_extension("json").is_file();
    let numbers = options.from..options.from + options.seeds;
    for half in halves {
        if options.panned {
            let shared = shared.as_deref().ok_or("there is no shared test data")?;
            let album = Album::load(*half, shared)?;
            let wanted = album.clips(numbers.clone()).into_iter().filter(absent).collect();
            make(wanted, &|clip| album.write(clip, &options.out))?;
            continue;
        }
        let material = match &shared {
            Some(shared) if !options.pinned => Material::WithShared(shared.clone()),
            _ => Material::Pinned,
        };
        let wanted = clips(*half, numbers.end)
            .into_iter()
            .filter(|c| c.number >= options.from)
            .filter(|c| options.only.is_empty() || options.only.iter().any(|o| o == c.scenario))
            .filter(absent)
            .collect();
        let sources = Sources::load(*half, &material)?;
        make(wanted, &|clip| write(clip, &sources, &options.out))?;
    }
    Ok(())
}

/// Draws and writes a clip.
type Draw<'a> = &'a (dyn Fn(&Clip) -> Result<(Truth, PathBuf), MediaError> + Sync);

/// Makes the clips, as many at a time as there are processors.
fn make(wanted: Vec<Clip>, draw: Draw<'_>) -> Result<(), String> {
    let queue = Mutex::new(wanted);
    let next = || queue.lock().ok()?.pop();
    let work = || {
        while let Some(clip) = next() {
            let (truth, path) = draw(&clip).map_err(|e| e.to_string())?;
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
