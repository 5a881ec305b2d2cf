//! Measures exposure of clips with truth, by plans or in the pixels of
//! finished files (`exposure --help`).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use clap::Parser;
use fernseed_core::plan::Plan;
use fernseed_testkit::exposure::{
    Clip, PixelCover, PlanCover, Summary, contact_sheet, markdown, measure,
};
use fernseed_testkit::truth::Truth;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Measures how much of every true face a plan or a finished file hides.
/// Exits with 1 if a frame of the first tool is exposed.
#[derive(Parser)]
struct Options {
    /// Folder of clips with their truth beside them: NAME.mp4 (or any other
    /// file that NAME.json names) and NAME.json.
    clips: PathBuf,
    /// Looks at plans DIR/NAME.plan.json made before; with --scan keeps them there.
    #[arg(long, value_name = "DIR")]
    plans: Option<PathBuf>,
    /// Looks at the pixels of DIR/NAME.*; repeatable.
    #[arg(long, value_name = "TOOL=DIR", value_parser = tool_and_folder)]
    outputs: Vec<(String, PathBuf)>,
    /// Colour of the covers in outputs. With one that clips do not have, the
    /// area is exact; black cannot be told from what was dark before.
    #[arg(long, value_name = "RRGGBB", default_value = "000000", value_parser = colour)]
    fill: Colour,
    /// Only clips of this half: develop, judge or real.
    #[arg(long)]
    half: Option<String>,
    /// Only clips whose name contains this.
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Only clips that every tool of --outputs has made.
    #[arg(long)]
    common: bool,
    /// Writes FILE.md and FILE.json.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Draws the ten worst moments of the first tool, exposed or covered
    /// least, from the clips and below them from its outputs; shows people,
    /// so it must lie outside the repository.
    #[arg(long, value_name = "FILE.png")]
    contact_sheet: Option<PathBuf>,
    /// Runs `FERNSEED scan ARG...` on every clip and looks at the plans;
    /// must come last.
    #[arg(long, value_name = "FERNSEED [ARG]", num_args = 1.., allow_hyphen_values = true)]
    scan: Vec<String>,
}

/// Red, green, blue.
type Colour = [u8; 3];

fn colour(value: &str) -> Result<Colour, String> {
    let number = u32::from_str_radix(value, 16).ok().filter(|_| value.len() == 6);
    let [_, rgb @ ..] = number.ok_or("want RRGGBB")?.to_be_bytes();
    Ok(rgb)
}

fn tool_and_folder(value: &str) -> Result<(String, PathBuf), String> {
    let (tool, folder) = value.split_once('=').ok_or("want TOOL=DIR")?;
    Ok((tool.to_owned(), folder.into()))
}

fn truths(options: &Options) -> Fallible<Vec<Truth>> {
    let mut names: Vec<PathBuf> = std::fs::read_dir(&options.clips)?
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    names.sort();
    let mut all = Vec::new();
    for name in names {
        let truth: Truth = serde_json::from_slice(&std::fs::read(&name)?)
            .map_err(|e| format!("{}: {e}", name.display()))?;
        let wanted = options.half.as_ref().is_none_or(|h| *h == truth.half)
            && options.only.as_ref().is_none_or(|o| truth.clip.contains(o.as_str()));
        if wanted {
            all.push(truth);
        }
    }
    Ok(all)
}

fn stem(truth: &Truth) -> &str {
    truth.clip.rsplit_once('.').map_or(truth.clip.as_str(), |(stem, _)| stem)
}

/// The plan of a clip: made now, or read.
fn plan(options: &Options, truth: &Truth) -> Fallible<Plan> {
    let kept = options.plans.as_ref().map(|d| d.join(format!("{}.plan.json", stem(truth))));
    let json = match (options.scan.split_first(), kept) {
        (None, Some(path)) => std::fs::read(path)?,
        (None, None) => return Err("neither --scan nor --plans".into()),
        (Some((fernseed, more)), kept) => {
            let out = Command::new(fernseed)
                .args(["scan", "--quiet"])
                .args(more)
                .arg(options.clips.join(&truth.clip))
                .output()?;
            if out.stdout.is_empty() {
                return Err(String::from_utf8_lossy(&out.stderr).into_owned().into());
            }
            if let Some(path) = kept {
                path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                std::fs::write(path, &out.stdout)?;
            }
            out.stdout
        }
    };
    Ok(serde_json::from_slice(&json)?)
}

fn by_plans(options: &Options, truths: &[Truth]) -> Fallible<Vec<Clip>> {
    let mut clips = Vec::new();
    for truth in truths {
        let plan = plan(options, truth).map_err(|e| format!("{}: {e}", truth.clip))?;
        if plan.source.frames != truth.frames.len() as u64 {
            let (p, t) = (plan.source.frames, truth.frames.len());
            return Err(format!("{}: plan of {p} frames, truth of {t}", truth.clip).into());
        }
        clips.push(measure(truth, &mut PlanCover::new(&plan))?);
        told(&clips);
    }
    Ok(clips)
}

/// What a tool made of a clip, whatever it made it into.
fn output_of(folder: &Path, truth: &Truth) -> Fallible<Option<PathBuf>> {
    let mut entries = std::fs::read_dir(folder)?.filter_map(|e| Some(e.ok()?.path()));
    Ok(entries.find(|p| p.file_stem() == Some(stem(truth).as_ref())))
}

/// Clips for which there is an output; others are left out of the table.
fn by_pixels(options: &Options, folder: &Path, truths: &[Truth]) -> Fallible<Vec<Clip>> {
    let mut clips = Vec::new();
    for truth in truths {
        let Some(output) = output_of(folder, truth)? else { continue };
        let source = options.clips.join(&truth.clip);
        let mut cover = PixelCover::open(&source, &output, truth.size, options.fill)?;
        clips.push(measure(truth, &mut cover)?);
        told(&clips);
    }
    Ok(clips)
}

fn told(clips: &[Clip]) {
    if let Some(clip) = clips.last() {
        eprintln!("{}: {} of {} frames exposed", clip.clip, clip.exposed_frames, clip.frames);
    }
}

fn main() -> Fallible<ExitCode> {
    let options = Options::parse();
    let mut truths = truths(&options)?;
    if options.common {
        let made = |t: &Truth, dir: &Path| output_of(dir, t).map(|o| o.is_some());
        for (_, folder) in &options.outputs {
            let has: Vec<bool> = truths.iter().map(|t| made(t, folder)).collect::<Fallible<_>>()?;
            let mut has = has.into_iter();
            truths.retain(|_| has.next().unwrap_or(false));
        }
    }
    let mut tools = Vec::new();
    if !options.scan.is_empty() || options.plans.is_some() {
        tools.push(("fernseed (plan)".to_owned(), by_plans(&options, &truths)?));
    }
    for (tool, folder) in &options.outputs {
        tools.push((tool.clone(), by_pixels(&options, folder, &truths)?));
    }
    let table = markdown(&tools);
    println!("{table}");
    if let Some(report) = &options.report {
        std::fs::write(report.with_extension("md"), &table)?;
        let json: Vec<_> = tools
            .iter()
            .map(|(tool, clips)| {
                serde_json::json!({"tool": tool, "summary": Summary::of(clips), "clips": clips})
            })
            .collect();
        std::fs::write(report.with_extension("json"), serde_json::to_vec_pretty(&json)?)?;
    }
    let Some((_, first)) = tools.first() else { return Err("nothing to measure".into()) };
    if let Some(sheet) = &options.contact_sheet {
        let runs: Vec<_> =
            first.iter().flat_map(|c| [c.runs.clone(), c.closest.clone()]).flatten().collect();
        let truth = |clip: &str| truths.iter().find(|t| t.clip == clip);
        let size = |clip: &str| truth(clip).map(|t| t.size);
        let by_plan = tools.len() > options.outputs.len();
        let made = options.outputs.first().filter(|_| !by_plan);
        let files = |clip: &str| {
            let of = |folder: &PathBuf| output_of(folder, truth(clip)?).ok().flatten();
            let output = made.and_then(|(_, folder)| of(folder));
            std::iter::once(options.clips.join(clip)).chain(output).collect()
        };
        for run in contact_sheet(&runs, &size, &files, sheet)? {
            let covered = 100.0 * run.covered;
            println!(
                "sheet: {} face {} frame {}, {covered:.0} % covered ({})",
                run.clip, run.face, run.worst, run.cause
            );
        }
    }
    let clean = !first.is_empty() && first.iter().all(|c| c.exposed_frames == 0);
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
