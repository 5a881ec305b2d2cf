//! Smart rendering: re-encoding only the groups of pictures in which there
//! is something to hide, and carrying the others over as they are coded.
//!
//! 1. [`Survey::take`] walks the packets of a source without decoding and
//!    refuses every stream in which a group might not stand for itself.
//! 2. [`Survey::choose`] decides which groups are carried, from what a full
//!    decoding pass has met and from what is to be hidden.
//! 3. [`SpliceReader`] delivers the decoded pictures of the groups to be
//!    encoded anew and [`Carried`] pictures of all others, in one order;
//!    [`super::VideoWriter::create_spliced`] takes both.
//! 4. [`verify`] decodes source and result and compares.
//!
//! A carried picture is its slices, bit for bit, and nothing else: no
//! supplemental information, no delimiters, no filler, no parameter sets, no
//! unit of any other type. [`Carried`] values come from no other place, as
//! redacted pictures come from the renderer only.
//!
//! What this costs: the carried groups keep the fingerprint of the source's
//! encoder, and the original quality of whatever a detector has overlooked.
//!
//! A [`Renewal`] does the same with a finished file of our own, of which only
//! some groups have to be made anew from the source; it costs nothing of that.
//! A [`Sequel`] reads the result beside the file it was renewed from, and decodes
//! only what is not in both.

mod reader;
mod renewal;
mod sequel;
mod survey;
mod verify;

pub use reader::{SpliceReader, SpliceUnit};
pub use renewal::Renewal;
pub use sequel::{Sequel, SequelUnit};
pub use survey::Survey;
pub use verify::{Verified, verify};

use super::avc::Sps;
use super::nal::ParameterSets;
use super::{Cicp, MediaError};
use std::ops::Range;

/// Why a source must be encoded anew as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fallback {
    /// Neither MP4, MOV nor Matroska.
    #[error("the container is neither MP4 nor Matroska")]
    Container,
    /// Not H.264.
    #[error("the codec is not H.264")]
    Codec,
    /// No decoder configuration record (`avcC`).
    #[error("the stream has no decoder configuration of the usual form")]
    Header,
    /// Units are not behind lengths of four bytes.
    #[error("units are not stored behind lengths of four bytes")]
    LengthSize,
    /// Not exactly one sequence and one picture parameter set, or one that
    /// holds more than this project reads (scaling matrices, slice groups,
    /// anything after its end).
    #[error("the parameter sets are not one of each, or hold something unusual")]
    ParameterSets,
    /// Parameter sets inside the stream that differ (`avc3`, a change).
    #[error("parameter sets change inside the stream")]
    InBandSets,
    /// The header changes between packets.
    #[error("the stream's header changes on the way")]
    HeaderChange,
    /// Neither Baseline, Main nor High.
    #[error("the profile is neither Baseline, Main nor High")]
    Profile,
    /// Not 8 bits or not 4:2:0.
    #[error("samples are not 8-bit 4:2:0")]
    Samples,
    /// Fields, or macroblocks coded as fields.
    #[error("the video may be interlaced")]
    Interlaced,
    /// The file turns its pictures.
    #[error("pictures are stored turned")]
    Rotation,
    /// Container and stream disagree about the shape of a pixel.
    #[error("container and stream disagree about the shape of a pixel")]
    Aspect,
    /// High dynamic range, or colours that had to be approximated.
    #[error("the colour description is not one that is kept as it is")]
    Colour,
    /// The shown size is odd or differs from the container's.
    #[error("the coded size is unusual")]
    Size,
    /// A key frame that is no IDR picture: groups may be open.
    #[error("groups of pictures may be open")]
    OpenGroup,
    /// A picture of one group is shown among those of another.
    #[error("pictures are shown across the border of a group")]
    Crossing,
    /// A packet without time, before zero, or two at one time.
    #[error("times are missing, negative or not distinct")]
    Times,
    /// Packets that are decoded but not shown (edit lists).
    #[error("an edit list hides some pictures")]
    Hidden,
    /// The container marks packets as corrupt, or ends too early.
    #[error("the file is damaged or cut off")]
    Damaged,
    /// A unit that is neither slice, supplement, delimiter nor filler.
    #[error("the stream holds units of unusual types")]
    Units,
    /// Slices that do not make one whole picture of the one parameter set.
    #[error("a packet is not one plain picture")]
    Slices,
    /// A picture that others refer to is missing.
    #[error("a picture is missing inside a group")]
    Gap,
    /// All 31 other numbers for a parameter set are taken.
    #[error("no number is free for a second parameter set")]
    SetId,
    /// A finished file counts time in other ticks than its source.
    #[error("its ticks are not those of its source")]
    Clock,
    /// A decoding pass met other frames than the packets promise.
    #[error("decoding did not give one sound frame for each packet")]
    Decoding,
    /// Every group holds something to hide, or there is one group only.
    #[error("no group of pictures can be carried over")]
    NothingToCarry,
}

/// Why a splice cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SpliceError {
    /// The source must be encoded anew as a whole. Never an error of the
    /// source itself. If a [`SpliceReader`] says so, what was written until
    /// then must be thrown away.
    #[error("everything is encoded anew: {0}")]
    Fallback(#[from] Fallback),
    /// The source cannot be read at all.
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// Which groups of a file are carried over; made by [`Survey::choose`].
#[derive(Clone, Debug)]
pub struct Splice {
    /// Times of all frames in order of presentation, in ticks.
    times: Vec<i64>,
    groups: Vec<Group>,
    sets: ParameterSets,
    sps: Sps,
    /// Number of the parameter set pictures are referred to by.
    source_pps: u32,
    /// Number of our own parameter sets.
    set_id: u32,
    /// True if the carried groups are our own encoder's: then those that are
    /// made anew are coded as all of a file is, with the same parameter sets.
    ours: bool,
}

/// One closed group of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    /// First frame in order of presentation.
    first: usize,
    frames: usize,
    carried: bool,
}

impl Group {
    const fn range(self) -> Range<usize> {
        self.first..self.first + self.frames
    }
}

impl Splice {
    /// Number of frames of the source.
    #[must_use]
    pub const fn frames(&self) -> usize {
        self.times.len()
    }

    /// Number of frames that are carried over as coded.
    #[must_use]
    pub fn carried_frames(&self) -> usize {
        self.groups.iter().filter(|g| g.carried).map(|g| g.frames).sum()
    }

    /// `(groups carried, groups)`.
    #[must_use]
    pub fn groups(&self) -> (usize, usize) {
        (self.groups.iter().filter(|g| g.carried).count(), self.groups.len())
    }

    /// True if the frame (from 0, in order of presentation) is carried over.
    #[must_use]
    pub fn is_carried(&self, frame: usize) -> bool {
        self.group_of(frame).is_some_and(|g| g.carried)
    }

    /// The group of a frame.
    fn group_of(&self, frame: usize) -> Option<Group> {
        let index = self.groups.partition_point(|g| g.first + g.frames <= frame);
        self.groups.get(index).copied()
    }

    /// Presentation times of all frames, in ticks.
    #[must_use]
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// The splice if its carried groups come from an encoder that is not ours
    /// and has to be told apart from it.
    pub(super) fn foreign(&self) -> Option<&Self> {
        (!self.ours).then_some(self)
    }

    /// True if a group begins at this time.
    pub(super) fn begins_group(&self, pts: i64) -> bool {
        let time = |g: &Group| self.times.get(g.first).copied().unwrap_or(i64::MAX);
        self.groups.binary_search_by_key(&pts, time).is_ok()
    }

    /// The source's parameter sets.
    pub(super) const fn sets(&self) -> &ParameterSets {
        &self.sets
    }

    /// Number that the encoder's own sets must have.
    pub(super) const fn set_id(&self) -> u32 {
        self.set_id
    }

    /// The source's profile, in x264's words.
    pub(super) const fn profile(&self) -> &'static str {
        match self.sps.profile {
            66 => "baseline",
            77 => "main",
            _ => "high",
        }
    }

    /// Colour as the source's stream tells it.
    pub(super) const fn colour(&self) -> Cicp {
        self.sps.colour
    }
}

/// One coded picture of a carried group: slices only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    data: Vec<u8>,
    units: Vec<Range<usize>>,
    pts: i64,
    duration: i64,
    key: bool,
    /// Times of the whole group, in order of presentation, with its first
    /// picture.
    times: Vec<i64>,
}

impl Carried {
    /// Presentation time in ticks. Pictures come in order of decoding.
    #[must_use]
    pub const fn pts(&self) -> i64 {
        self.pts
    }

    /// NAL units, without lengths.
    pub(super) fn units(&self) -> Vec<&[u8]> {
        self.units.iter().filter_map(|r| self.data.get(r.clone())).collect()
    }

    pub(super) const fn duration(&self) -> i64 {
        self.duration
    }

    pub(super) const fn is_key(&self) -> bool {
        self.key
    }

    pub(super) fn group_times(&self) -> &[i64] {
        &self.times
    }
}
