//! The report: what was done to each file, what was noticed, what was not
//! protected. Serialised as JSON; the schema is printed by `fernseed schema`.
//!
//! A report names no original and holds no metadata value unless the user
//! asks for it: it may lie beside what is published.

mod reading;

pub use reading::{AuditLine, InspectLine, LinksLine, SidecarLine};

use crate::protocol::{FailureKind, OutputFormat};
use fernseed_core::finding::{Finding, Verdict};
use fernseed_core::geometry::{Rect, Size};
use fernseed_core::plan::MediaKind;
use fernseed_core::policy::Policy;
use fernseed_sandbox::Posture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the report format.
pub const REPORT_VERSION: u32 = 1;

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`REPORT_VERSION`] of the writer.
    pub version: u32,
    /// Name and version of the program.
    pub program: String,
    /// The models that looked, with version and SHA-256 of their weights.
    pub models: Vec<ModelUsed>,
    /// What the user asked to be hidden; absent where only metadata goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// One entry per file, in the order of the command line.
    pub files: Vec<FileReport>,
    /// The exit code of the run.
    pub exit_code: u8,
}

/// A model and the hash of its weights.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelUsed {
    /// Name.
    pub name: String,
    /// Licence of the weights.
    pub licence: String,
    /// SHA-256 of the weights file, hexadecimal.
    pub sha256: String,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Audited and published under its final name.
    Published,
    /// Published although nobody was found in it.
    NothingFound,
    /// Held as `NAME.needs-review.EXT` until a person has looked.
    Held,
    /// The audit refuted it; nothing was written.
    Withheld,
    /// It could not be processed; nothing was written.
    Failed,
    /// Not a picture or a video; skipped in a folder.
    Skipped,
    /// Only looked at (`--dry-run`, `scan`).
    Planned,
    /// The user interrupted before it was done.
    Interrupted,
}

/// What became of one file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileReport {
    /// Name of the original, only if the user asked for names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Name of the output file, without folder, if there is one. In a
    /// report file it is absent where it holds the original's name, unless
    /// the user asked for names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// SHA-256 of the output file, if there is one, in hexadecimal digits: tells
    /// which file this is about, and whether it still is what was audited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_sha256: Option<String>,
    /// What became of it.
    pub status: Status,
    /// What the findings add up to.
    pub verdict: Verdict,
    /// What kind of file it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<MediaKind>,
    /// Format of the source in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Format that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_format: Option<OutputFormat>,
    /// Size of the upright picture in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Number of frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Length in seconds, for video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What stripping came to; only `strip` writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stripped: Option<StripReport>,
    /// Everything that was hidden.
    pub hidden: Vec<Hidden>,
    /// Metadata of the original that was found and not carried over.
    pub metadata_dropped: Vec<Dropped>,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// What this did not protect against, in plain words.
    pub not_protected: Vec<String>,
    /// Which sandbox layers really held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Posture>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
}

/// What stripping a file came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StripReport {
    /// True if picture and sound are bit for bit what they were when decoded.
    pub bit_exact: bool,
    /// Why they had to be coded again, if they had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// File name extension of the output.
    pub extension: String,
    /// What a user should know: colour profiles replaced, members left out.
    pub notes: Vec<String>,
    /// What the audit of the output looked at.
    pub checked: Vec<String>,
    /// True if the output took the place of the original.
    pub in_place: bool,
    /// Name of the backup of the original, if one was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

/// Why a file failed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureReport {
    /// What went wrong.
    pub kind: FailureKind,
    /// In words, with what to do.
    pub message: String,
}

/// One hidden subject.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// Number in the plan.
    pub id: u32,
    /// Number of the appearance it is part of: where it is not certain which
    /// way somebody went, each way is covered, and all have one number. Absent
    /// where it is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<u32>,
    /// First and last frame in which it is covered.
    pub frames: (u64, u64),
    /// Their times in seconds after the first frame of the output.
    pub seconds: (f64, f64),
    /// Where it is first covered, in pixels of the upright picture.
    pub first_rect: Rect,
    /// Highest confidence of the detector; absent where a person added it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// Longest run of frames that were covered without a detection.
    pub longest_gap: u64,
}

/// A piece of metadata that was not carried over. Never its value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// What it could tell: place, time, device and so on.
    pub category: String,
    /// What it is.
    pub what: String,
    /// Where it stood in the original.
    pub path: String,
}
