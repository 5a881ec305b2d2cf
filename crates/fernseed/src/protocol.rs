//! What host and worker say to each other.
//!
//! The host sends one [`Task`] and, where that holds a plan, the plan's
//! redactions as `Option<RedactionPart>`s, the last of them `None`; the worker
//! answers with [`Event`]s and ends with [`Event::Done`] or [`Event::Failed`].
//! Every event is hostile until its `validate` has passed: a worker has read
//! the file.

mod parts;

pub use parts::{
    MAX_PARTS, PART_KEYFRAMES, Parts, RedactionPart, join, receive_task, send_task, split,
};

use fernseed_core::Size;
use fernseed_core::finding::Finding;
use fernseed_core::plan::{FrameSpan, KeptSpan, MediaKind, Plan};
use fernseed_core::policy::Policy;
use fernseed_sandbox::{Validate, attack::AttackResult};
use fernseed_scrub::account::Structure;
use fernseed_scrub::{Inventory, LinkFacts, OutputKind, StripOptions, Stripped};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most findings, inventory items or attack results in one event.
const MAX_LIST: usize = 10_000;

/// The jobs a worker can be started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Find, destroy, write. Files: input, output.
    Redact = 1,
    /// Find and plan. Files: input.
    Scan = 2,
    /// Write by a plan. Files: input, output, and the output before if that
    /// is repaired.
    Apply = 3,
    /// Attack a finished file. Files: finished file, the original if there is
    /// one, and the output before if this is a repaired one.
    Audit = 4,
    /// List what a file gives away. Files: input.
    Inspect = 5,
    /// Try every forbidden act. Files: any readable file.
    Attack = 6,
    /// Rebuild from allowed parts, picture and sound as coded; no decoder is
    /// involved. Files: input, output.
    Strip = 7,
    /// The same by coding picture and sound again. Files: input, output.
    Reencode = 8,
    /// Read a stripped file without decoding it. Files: finished file, and
    /// the original if there is one.
    Check = 9,
    /// Read what ties a file to others. Files: input.
    Facts = 10,
}

impl Role {
    /// True if decoders written in C may run: such a worker needs a filter
    /// on system calls.
    #[must_use]
    pub const fn decodes(self) -> bool {
        !matches!(self, Self::Strip | Self::Check | Self::Inspect | Self::Facts | Self::Attack)
    }
}

impl Role {
    /// From the number that crosses the fork server's socket.
    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::Redact,
            2 => Self::Scan,
            3 => Self::Apply,
            4 => Self::Audit,
            5 => Self::Inspect,
            6 => Self::Attack,
            7 => Self::Strip,
            8 => Self::Reencode,
            9 => Self::Check,
            10 => Self::Facts,
            _ => return None,
        })
    }
}

/// Formats this program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// JPEG.
    Jpeg,
    /// PNG, animated (APNG) for animations.
    Png,
    /// WebP.
    Webp,
    /// MP4 with H.264.
    Mp4,
    /// WebM with VP9.
    Webm,
}

impl OutputFormat {
    /// The file name extension.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
        }
    }

    /// From a file name extension, without the dot, in any case.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" => Self::Jpeg,
            "png" => Self::Png,
            "webp" => Self::Webp,
            "mp4" | "m4v" => Self::Mp4,
            "webm" => Self::Webm,
            _ => return None,
        })
    }

    /// True for the video containers.
    #[must_use]
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::Webm)
    }
}

/// Quality of photos unless the user says otherwise.
pub const PHOTO_QUALITY: u8 = 90;

/// Quality of videos unless the user says otherwise (x264 CRF 20).
pub const VIDEO_QUALITY: u8 = 80;

/// How the output is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputOptions {
    /// The format, or `None` to choose by the source: JPEG for lossy photos,
    /// PNG for lossless ones and animations, WebP for WebP, MP4 for video.
    pub format: Option<OutputFormat>,
    /// 1 (small) to 100 (best); `None` takes what suits the format, see
    /// [`PHOTO_QUALITY`] and [`VIDEO_QUALITY`].
    pub quality: Option<u8>,
    /// The part of a video to keep.
    pub span: KeptSpan,
    /// Threads the worker may use.
    pub threads: usize,
    /// True to decode every frame of a video when looking for people, also
    /// those no other depends on: slower, and right for damaged files.
    pub every_frame: bool,
    /// True to decode a video with one thread, which is sure of what is
    /// damaged: several mark a frame when it is output, and that may be before
    /// another one meets the damage in it (seen in FFmpeg 5.1). A worker with
    /// several gives up where its decoder complains.
    pub one_decoder: bool,
    /// True to carry groups of pictures without anything to hide over as
    /// they are coded, where the source allows it.
    pub keep_untouched: bool,
}

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// Find, destroy, write.
    Redact {
        /// What to hide and how.
        policy: Policy,
        /// How to write it.
        output: OutputOptions,
    },
    /// Find and plan.
    Scan {
        /// What to hide and how.
        policy: Policy,
        /// How it would be written.
        output: OutputOptions,
    },
    /// Write by a plan.
    Apply {
        /// What to destroy.
        plan: Plan,
        /// How to write it.
        output: OutputOptions,
        /// If an output is to be repaired, which comes as one more file: the
        /// frames that change. The worker may carry over the others.
        repair: Option<Vec<FrameSpan>>,
    },
    /// Attack a finished file.
    Audit {
        /// What should be destroyed in it; `None` for a foreign file.
        plan: Option<Plan>,
        /// True if the second file is the original.
        with_original: bool,
        /// Confidence at which the auditor reports a face.
        threshold: f32,
        /// Threads the worker may use.
        threads: usize,
        /// If an earlier output was audited, which comes as one more file: the
        /// frames in which the plan has changed since, in which alone that
        /// audit saw anything. Pictures of other frames that are coded the
        /// same in both files need no second look.
        mended: Option<Vec<FrameSpan>>,
    },
    /// List what a file gives away.
    Inspect,
    /// Try every forbidden act.
    Attack,
    /// Rebuild from allowed parts.
    Strip {
        /// How.
        options: StripOptions,
    },
    /// Code picture and sound again, with nothing hidden.
    Reencode {
        /// How to write it.
        output: OutputOptions,
    },
    /// Read a stripped file without decoding it.
    Check {
        /// True if the second file is the original.
        with_original: bool,
    },
    /// Read what ties a file to others.
    Facts,
}

/// The long steps of a job, in their order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Looking for people.
    Scan,
    /// Destroying and writing.
    Write,
    /// Attacking the result.
    Audit,
}

impl Phase {
    /// The word shown beside a progress bar.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scan => "looking",
            Self::Write => "writing",
            Self::Audit => "checking",
        }
    }
}

/// What was learned of the source before the work began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// What kind of file it is.
    pub kind: MediaKind,
    /// Its format in plain words.
    pub format: String,
    /// The format that will be written.
    pub output: OutputFormat,
    /// Size of the upright picture.
    pub size: Size,
}

/// Why a worker could not do its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Not a picture or a video at all.
    NotMedia,
    /// A format, codec or feature that is not supported.
    Unsupported,
    /// Cut short.
    Truncated,
    /// Broken.
    Damaged,
    /// Encrypted or protected.
    Encrypted,
    /// Larger than the limits.
    TooLarge,
    /// Only possible by coding picture or sound again.
    NeedsReencoding,
    /// The output would be of another format than its name says.
    OtherFormat,
    /// The plan does not belong to the file, or is not valid.
    Plan,
    /// What was tried cannot be done for certain; the host tries a slower way.
    StartOver,
    /// Reading or writing failed.
    Io,
    /// Our fault.
    Internal,
}

/// A failure and its explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// One English sentence without the file's name.
    pub message: String,
}

impl Failure {
    /// A failure with its explanation.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// What the bytes of an audited file belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// What the file is.
    pub container: OutputKind,
    /// Bytes that belong to no allowed structure.
    pub unclaimed: u64,
    /// Allowed structures in file order.
    pub structures: Vec<Structure>,
}

/// What a worker tells the host.
#[derive(Debug, Serialize, Deserialize)]
pub enum Event {
    /// How far a phase is: in frames where there are several, in looks at a
    /// single picture.
    Progress {
        /// The phase.
        phase: Phase,
        /// Frames or looks done.
        done: u64,
        /// How many in all, if known.
        total: Option<u64>,
    },
    /// What the source is; sent before the work begins.
    Source(SourceFacts),
    /// What the source gives away.
    Inventory(Inventory),
    /// Something noticed.
    Findings(Vec<Finding>),
    /// What is destroyed, its redactions left out.
    Plan(Box<Plan>),
    /// Redactions of the plan.
    Hidden(RedactionPart),
    /// People the audit still sees, as redactions that would hide them.
    Missed(RedactionPart),
    /// What the bytes of an audited file belong to.
    Account(Contents),
    /// What a stripped file is.
    Stripped(Stripped),
    /// What an auditor looked at, in plain words.
    Checked(Vec<String>),
    /// What ties a file to others.
    Facts(LinkFacts),
    /// Forbidden acts and what came of them.
    Attack(Vec<AttackResult>),
    /// The task is done.
    Done,
    /// The task failed.
    Failed(Failure),
}

impl Task {
    /// The plan that the task is about.
    pub fn plan_mut(&mut self) -> Option<&mut Plan> {
        match self {
            Self::Apply { plan, .. } | Self::Audit { plan: Some(plan), .. } => Some(plan),
            _ => None,
        }
    }
}

impl Validate for Event {
    type Error = String;

    fn validate(&self) -> Result<(), String> {
        let bounded = |n: usize, what: &str| {
            if n > MAX_LIST { Err(format!("{n} {what} in one message")) } else { Ok(()) }
        };
        match self {
            Self::Plan(plan) => {
                if !plan.redactions.is_empty() {
                    return Err("a plan that is not in parts".to_owned());
                }
                plan.check().map_err(|e| e.to_string())
            }
            Self::Hidden(part) | Self::Missed(part) => part.check(),
            Self::Findings(list) => {
                bounded(list.len(), "findings")?;
                let real = |finding: &Finding| finding.place.is_real();
                if list.iter().all(real) { Ok(()) } else { Err("a place that is none".to_owned()) }
            }
            Self::Inventory(inventory) => bounded(inventory.items.len(), "items"),
            Self::Account(contents) => bounded(contents.structures.len(), "structures"),
            Self::Checked(list) => bounded(list.len(), "lines"),
            Self::Facts(facts) => bounded(facts.traits.len().max(facts.times.len()), "traits"),
            Self::Stripped(stripped) => {
                bounded(stripped.notes.len(), "notes")?;
                // It becomes part of a file's name.
                let extension = &stripped.extension;
                let plain = (1..=5).contains(&extension.len())
                    && extension.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
                if plain { Ok(()) } else { Err("an extension that is none".to_owned()) }
            }
            Self::Attack(list) => bounded(list.len(), "attacks"),
            Self::Source(facts) => {
                if facts.size.width == 0 || facts.size.height == 0 {
                    return Err("a picture without size".to_owned());
                }
                Ok(())
            }
            Self::Progress { .. } | Self::Done | Self::Failed(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_survive_the_socket() {
        for role in [
            Role::Redact,
            Role::Scan,
            Role::Apply,
            Role::Audit,
            Role::Inspect,
            Role::Attack,
            Role::Strip,
            Role::Reencode,
            Role::Check,
            Role::Facts,
        ] {
            assert_eq!(Role::from_u8(role as u8), Some(role));
        }
        assert_eq!(Role::from_u8(0), None);
        assert_eq!(Role::from_u8(99), None);
    }

    #[test]
    fn hostile_events_are_refused() {
        let empty = SourceFacts {
            kind: MediaKind::Still,
            format: String::new(),
            output: OutputFormat::Png,
            size: Size::new(0, 3),
        };
        assert!(Event::Source(empty).validate().is_err());
        let note = Finding::new(
            fernseed_core::finding::FindingCode::Note,
            fernseed_core::finding::Severity::Info,
            "x",
        );
        assert!(Event::Findings(vec![note; MAX_LIST + 1]).validate().is_err());
        assert!(Event::Done.validate().is_ok());
        for (extension, allowed) in
            [("jpg", true), ("7z", true), ("", false), ("../x", false), ("JPG", false)]
        {
            let stripped = Stripped {
                container: "x".to_owned(),
                extension: extension.to_owned(),
                notes: Vec::new(),
            };
            assert_eq!(Event::Stripped(stripped).validate().is_ok(), allowed, "{extension}");
        }
    }
}
