//! What can be said on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use fernseed::protocol::OutputFormat;
use fernseed_core::policy::{AudioPolicy, Shape, Treatment};
use fernseed_scrub::UnknownMember;
use std::path::PathBuf;

/// Makes photos and videos safe to publish: finds every face, destroys it,
/// rebuilds the file without metadata, and attacks the result before you get it.
///
/// Works offline. Never changes an original. Never identifies anybody.
#[derive(Debug, Parser)]
#[command(name = "fernseed", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes (the highest of a batch wins):
  0    done, every output passed its audit
  1    a person must look: doubts, or nobody was found in a file
  2    the command line is wrong
  3    an input failed; nothing was written for it
  4    the audit refuted an output; it was withheld
  5    the disk, or reading and writing, failed
  6    another fernseed works in the folder
  130  interrupted";

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Print results as JSON Lines on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Show progress bars
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: When,
    /// Say less: only problems
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: every finding and every piece of metadata
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// When to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// If a person is looking.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find every face, destroy it, and write an audited new file
    Redact(RedactArgs),
    /// Find every face and write the plan, nothing else
    Scan(ScanArgs),
    /// Write a file by a plan, edited or not
    Apply(ApplyArgs),
    /// Take everything but picture and sound out of files
    Strip(StripArgs),
    /// Show what a file gives away
    Inspect(InspectArgs),
    /// Attack a finished file, ours or another tool's
    Audit(AuditArgs),
    /// Say which layers of the sandbox hold here and what is missing
    Doctor,
    /// Print the JSON Schema of a format
    Schema(SchemaArgs),
    /// Print completions for a shell
    #[command(hide = true)]
    Completions(CompletionArgs),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man(ManArgs),
}

/// What to hide and how.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// How faces are destroyed; mosaic and blur keep a little information
    #[arg(long, value_name = "STYLE", default_value = "solid", alias = "replacewith")]
    pub(crate) style: Style,
    /// Colour of the solid style: a name or #rrggbb
    #[arg(long, value_name = "COLOUR", default_value = "black", value_parser = parse_colour)]
    pub(crate) fill: [u8; 3],
    /// Outline of what is covered
    #[arg(long, default_value = "ellipse")]
    pub(crate) shape: ShapeArg,
    /// Size of what is covered relative to the face, 1.0 to 4.0
    #[arg(long, value_name = "FACTOR", alias = "mask-scale")]
    pub(crate) grow: Option<f32>,
    /// Confidence from which a face is hidden, 0.05 to 1.0; lower hides more
    #[arg(short, long, value_name = "CONFIDENCE", alias = "thresh")]
    pub(crate) threshold: Option<f32>,
    /// What to do with the sound of a video
    #[arg(long, default_value = "drop")]
    pub(crate) audio: AudioArg,
    /// The same as --audio keep
    #[arg(short, long = "keep-audio", hide = true)]
    pub(crate) keep_audio: bool,
    /// Accepted from other tools' scripts; fernseed chooses its scales itself
    #[arg(long, value_name = "WxH", hide = true, value_parser = parse_scale)]
    pub(crate) scale: Option<(u32, u32)>,
}

/// How to write the output.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Output file, or folder; beside the input if absent
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Output format; chosen by the input if absent
    #[arg(long)]
    pub(crate) format: Option<FormatArg>,
    /// Quality of the output, 1 (small) to 100 (best); 90 for photos and 80
    /// for video if absent
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) quality: Option<u8>,
    /// Publish under the final name in spite of doubts
    #[arg(long)]
    pub(crate) accept_uncertain: bool,
    /// Write a report of the run (JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Put the names of the originals into the report
    #[arg(long, requires = "report")]
    pub(crate) report_names: bool,
}

/// What part of a video to keep.
#[derive(Debug, Args)]
pub(crate) struct SpanArgs {
    /// Cut the video to begin here: seconds, or [h:]mm:ss[.mmm]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) start: Option<i64>,
    /// Cut the video to end here
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) end: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct RedactArgs {
    /// Files and folders; folders are searched with everything inside
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Encode only those parts of a video anew in which there is something
    /// to hide (H.264 in MP4, MOV or Matroska); the rest keeps the traces of
    /// the source's encoder, and whatever was overlooked in it
    #[arg(long)]
    pub(crate) keep_untouched: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) span: SpanArgs,
    /// Do not count a file in which nobody was found as a reason to look
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Give outputs random names that say nothing of the originals'
    #[arg(long)]
    pub(crate) rename: bool,
    /// Look and say what would be done, write nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Files worked on at the same time
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Keep a ledger in the output folder, and leave out what it says is done
    #[arg(long, requires = "output", conflicts_with = "dry_run")]
    pub(crate) resume: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// A photo or a video
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,
    /// Where to write the plan; standard output if absent
    #[arg(short, long, value_name = "PLAN")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) span: SpanArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The plan that `fernseed scan` wrote
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// The photo or video it was made for
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StripArgs {
    /// Files and folders; folders are searched with everything inside
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Output file, or folder; beside the input if absent
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Put the clean file in the place of the original, after its audit
    #[arg(long, conflicts_with_all = ["output", "rename"])]
    pub(crate) in_place: bool,
    /// With --in-place: keep the original as NAME.original.EXT
    #[arg(long, requires = "in_place")]
    pub(crate) backup: bool,
    /// Give outputs random names that say nothing of the originals'
    #[arg(long)]
    pub(crate) rename: bool,
    /// What to do with a member of an archive that cannot be cleaned
    #[arg(long, value_name = "WHAT", default_value = "abort")]
    pub(crate) unknown: UnknownArg,
    /// Fail where picture or sound would have to be coded again
    #[arg(long)]
    pub(crate) no_reencode: bool,
    /// Quality of what has to be coded again, 1 (small) to 100 (best)
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) quality: Option<u8>,
    /// Publish under the final name in spite of doubts
    #[arg(long)]
    pub(crate) accept_uncertain: bool,
    /// Write a report of the run (JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Put the names of the originals into the report
    #[arg(long, requires = "report")]
    pub(crate) report_names: bool,
    /// Files worked on at the same time
    #[arg(short, long, value_name = "N", value_parser = parse_jobs)]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Files and folders to look at
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Files read at the same time
    #[arg(short, long, value_name = "N", value_parser = parse_jobs)]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Finished files, and folders of them
    #[arg(required_unless_present = "link", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The plan by which the file was written
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,
    /// Say what ties the files of this folder to one source; nothing else
    #[arg(long, value_name = "DIR", conflicts_with_all = ["files", "plan", "against"])]
    pub(crate) link: Option<PathBuf>,
    /// The original: nothing of its metadata may be in the file
    #[arg(long, value_name = "ORIGINAL")]
    pub(crate) against: Option<PathBuf>,
    /// Confidence from which a face counts as visible [default: 0.4, with a
    /// plan a little less than the plan's]
    #[arg(short, long, value_name = "CONFIDENCE")]
    pub(crate) threshold: Option<f32>,
    /// Files read at the same time
    #[arg(short, long, value_name = "N", value_parser = parse_jobs)]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which format
    pub(crate) format: SchemaArg,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder
    pub(crate) folder: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaArg {
    /// What `scan` writes and `apply` reads.
    Plan,
    /// What `--report` writes.
    Report,
    /// What `inspect --json` prints.
    Inventory,
    /// What `audit --json` prints.
    Audit,
    /// What `audit --link --json` prints.
    Links,
}

/// A value enum of the command line for one of the library's.
macro_rules! mirrored {
    ($(#[$doc:meta])* $name:ident => $target:ty { $($(#[$vdoc:meta])* $variant:ident => $value:expr),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub(crate) enum $name { $($(#[$vdoc])* $variant),+ }
        impl From<$name> for $target {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => $value),+ }
            }
        }
    };
}

mirrored! {
    /// [`Treatment`] on the command line.
    Style => Treatment {
        /// A constant colour.
        Solid => Treatment::Solid,
        /// A few coarse cells of colour.
        Mosaic => Treatment::Mosaic,
        /// The same cells, smoothly drawn.
        Blur => Treatment::Blur,
    }
}

mirrored! {
    /// [`Shape`] on the command line.
    ShapeArg => Shape {
        /// An ellipse.
        Ellipse => Shape::Ellipse,
        /// A rectangle.
        Box => Shape::Box,
    }
}

mirrored! {
    /// [`AudioPolicy`] on the command line.
    AudioArg => AudioPolicy {
        /// No sound in the output.
        Drop => AudioPolicy::Drop,
        /// Sound is encoded anew; voices stay recognisable.
        Keep => AudioPolicy::Keep,
    }
}

mirrored! {
    /// [`UnknownMember`] on the command line.
    UnknownArg => UnknownMember {
        /// The whole archive fails.
        Abort => UnknownMember::Abort,
        /// The member is left out, and said so.
        Omit => UnknownMember::Omit,
    }
}

mirrored! {
    /// [`OutputFormat`] on the command line.
    FormatArg => OutputFormat {
        /// JPEG.
        Jpeg => OutputFormat::Jpeg,
        /// PNG, or APNG for animations.
        Png => OutputFormat::Png,
        /// WebP.
        Webp => OutputFormat::Webp,
        /// MP4 with H.264.
        Mp4 => OutputFormat::Mp4,
        /// WebM with VP9.
        Webm => OutputFormat::Webm,
    }
}

/// Colours that have a name.
const COLOURS: [(&str, [u8; 3]); 9] = [
    ("black", [0, 0, 0]),
    ("white", [255, 255, 255]),
    ("grey", [128, 128, 128]),
    ("gray", [128, 128, 128]),
    ("red", [255, 0, 0]),
    ("green", [0, 128, 0]),
    ("blue", [0, 0, 255]),
    ("yellow", [255, 255, 0]),
    ("magenta", [255, 0, 255]),
];

fn parse_colour(text: &str) -> Result<[u8; 3], String> {
    let lower = text.to_ascii_lowercase();
    if let Some((_, rgb)) = COLOURS.iter().find(|(name, _)| *name == lower) {
        return Ok(*rgb);
    }
    let digits = lower.strip_prefix('#').unwrap_or(&lower);
    let hexadecimal = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    match u32::from_str_radix(digits, 16) {
        Ok(v) if hexadecimal => Ok([(v >> 16) as u8, (v >> 8) as u8, v as u8]),
        _ => Err("write a colour as #rrggbb, or black, white, grey, red, green, blue, yellow, \
                  magenta"
            .to_owned()),
    }
}

/// A time in microseconds from `SS`, `MM:SS` or `HH:MM:SS`, each with an
/// optional fraction.
fn parse_time(text: &str) -> Result<i64, String> {
    let wrong = || "write a time as seconds (12.5) or [h:]mm:ss[.mmm] (1:02:03.500)".to_owned();
    let mut seconds = 0.0f64;
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 {
        return Err(wrong());
    }
    for (i, part) in parts.iter().enumerate() {
        let Ok(value) = part.parse::<f64>() else { return Err(wrong()) };
        let last = i + 1 == parts.len();
        if !value.is_finite() || value < 0.0 || (!last && value.fract() != 0.0) {
            return Err(wrong());
        }
        if i > 0 && value >= 60.0 {
            return Err(wrong());
        }
        seconds = seconds * 60.0 + value;
    }
    if seconds > 1e9 {
        return Err(wrong());
    }
    Ok((seconds * 1e6).round() as i64)
}

fn parse_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=64).contains(&n) => Ok(n),
        _ => Err("write a number between 1 and 64".to_owned()),
    }
}

fn parse_scale(text: &str) -> Result<(u32, u32), String> {
    let (w, h) = text.split_once('x').ok_or("write a size as WIDTHxHEIGHT")?;
    match (w.parse(), h.parse()) {
        (Ok(w), Ok(h)) if w > 0 && h > 0 => Ok((w, h)),
        _ => Err("write a size as WIDTHxHEIGHT".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_read_like_a_player() {
        assert_eq!(parse_time("12.5"), Ok(12_500_000));
        assert_eq!(parse_time("1:02:03.500"), Ok(3_723_500_000));
        assert_eq!(parse_time("90"), Ok(90_000_000));
        for wrong in ["", "-1", "1:60", "a", "1:2:3:4", "1.5:00", "inf", "nan"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn colours_have_names_and_numbers() {
        assert_eq!(parse_colour("#ff00FF"), Ok([255, 0, 255]));
        assert_eq!(parse_colour("Black"), Ok([0, 0, 0]));
        for wrong in ["", "#12345", "#1234567", "puce", "#gggggg", "+12345"] {
            assert!(parse_colour(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn scripts_of_other_tools_keep_working() {
        let line = "fernseed redact a.mp4 --thresh 0.3 --mask-scale 1.4 --replacewith mosaic \
                    --keep-audio --scale 640x360 -o b.mp4";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Redact(args) = cli.command else { panic!("not redact") };
        assert_eq!(args.policy.threshold, Some(0.3));
        assert_eq!(args.policy.grow, Some(1.4));
        assert_eq!(args.policy.style, Style::Mosaic);
        assert!(args.policy.keep_audio);
        assert_eq!(args.policy.scale, Some((640, 360)));
    }
}
