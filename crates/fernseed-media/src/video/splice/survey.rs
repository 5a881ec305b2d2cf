//! The pass over the packets that decides whether groups can be carried.

use super::super::avc::{Config, Pps, SliceStart, Sps, units};
use super::super::nal::ParameterSets;
use super::super::{MediaError, ReadReport, VideoInfo, coded_size};
use super::{Fallback, Group, Splice, SpliceError};
use crate::ffi::{Demuxer, Packet, StreamFacts, StreamKind};
use fernseed_core::Orientation;
use fernseed_core::limits::Limits;
use fernseed_core::time::TimeBase;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// Most packets a file may have, as in [`super::super::timeline`].
const MAX_PACKETS: usize = 20_000_000;

/// What a source's packets are made of.
#[derive(Clone, Debug)]
pub struct Survey {
    pub(super) head: Head,
    /// Length of a tick of the times.
    pub(super) time_base: TimeBase,
    times: Vec<i64>,
    groups: Vec<Group>,
}

/// What the stream's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) sets: ParameterSets,
    pub(super) sps: Sps,
    pub(super) pps: Pps,
    set_id: u32,
}

impl Head {
    /// Reads the header of a stream that may be spliced.
    pub(super) fn read(container: &str, facts: &StreamFacts) -> Result<Self, Fallback> {
        if !container.split(',').any(|name| matches!(name, "mov" | "matroska")) {
            return Err(Fallback::Container);
        }
        if facts.codec != "h264" {
            return Err(Fallback::Codec);
        }
        if facts.tag == "avc3" || facts.tag == "avc4" {
            return Err(Fallback::InBandSets);
        }
        let config = Config::read(&facts.header).ok_or(Fallback::Header)?;
        if config.length_size != 4 {
            return Err(Fallback::LengthSize);
        }
        let ([sps_unit], [pps_unit]) = (&config.sps[..], &config.pps[..]) else {
            return Err(Fallback::ParameterSets);
        };
        let sps = Sps::read(sps_unit).ok_or(Fallback::ParameterSets)?;
        let pps = Pps::read(pps_unit).ok_or(Fallback::ParameterSets)?;
        if pps.sps != sps.id {
            return Err(Fallback::ParameterSets);
        }
        if sps.chroma_format != 1 || sps.depth != 8 {
            return Err(Fallback::Samples);
        }
        if !matches!(sps.profile, 66 | 77 | 100) {
            return Err(Fallback::Profile);
        }
        if !sps.frames_only {
            return Err(Fallback::Interlaced);
        }
        let set_id = free_id(&[sps.id, pps.id]).ok_or(Fallback::SetId)?;
        let sets = ParameterSets { sps: sps_unit.clone(), pps: pps_unit.clone() };
        Ok(Self { sets, sps, pps, set_id })
    }

    /// The slices of a packet, as places in it, and what they say.
    pub(super) fn picture(&self, packet: &[u8]) -> Result<CodedPicture, Fallback> {
        let mut slices = Vec::new();
        let mut picture: Option<(SliceStart, bool, bool)> = None;
        let mut at = 0;
        for unit in units(packet, 4) {
            let unit = unit.ok_or(Fallback::Damaged)?;
            let start = at + 4;
            at = start + unit.len();
            let [header, ..] = unit else { return Err(Fallback::Damaged) };
            let idr = match header & 0x9F {
                1 => false,
                5 => true,
                // Supplements, delimiters, ends and filler stay behind.
                6 | 9..=12 => continue,
                7 if unit == self.sets.sps => continue,
                8 if unit == self.sets.pps => continue,
                7 | 8 => return Err(Fallback::InBandSets),
                _ => return Err(Fallback::Units),
            };
            let reference = header & 0x60 != 0;
            let slice = SliceStart::read(unit, &self.sps).ok_or(Fallback::Slices)?;
            let fits = slice.pps == self.pps.id
                && (reference || !idr)
                && match picture {
                    None => slice.first_macroblock == 0,
                    Some((first, was_idr, was_reference)) => {
                        slice.first_macroblock > 0
                            && slice.frame_num == first.frame_num
                            && was_idr == idr
                            && was_reference == reference
                    }
                };
            if !fits {
                return Err(Fallback::Slices);
            }
            picture = picture.or(Some((slice, idr, reference)));
            slices.push(start..start + unpadded(unit).len());
        }
        let (start, idr, reference) = picture.ok_or(Fallback::Slices)?;
        Ok(CodedPicture { slices, idr, reference, frame_num: start.frame_num })
    }
}

/// One coded picture, as its slices tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodedPicture {
    /// Places of the slices in the packet.
    pub(super) slices: Vec<Range<usize>>,
    pub(super) idr: bool,
    reference: bool,
    frame_num: u32,
}

/// A slice without zeros and `cabac_zero_words` (7.3.2.10) behind its end:
/// padding that means nothing to a decoder.
fn unpadded(mut unit: &[u8]) -> &[u8] {
    loop {
        unit = match unit {
            [rest @ .., 0, 0, 3] | [rest @ .., 0] => rest,
            _ => return unit,
        };
    }
}

/// The lowest number from 1 to 31 that is not taken.
fn free_id(taken: &[u32]) -> Option<u32> {
    (1..=31).find(|id| !taken.contains(id))
}

/// Opens the container at its main video, other streams left aside.
pub(super) fn open(
    file: Arc<File>,
    limits: &Limits,
) -> Result<(Demuxer, usize, StreamFacts), MediaError> {
    let demuxer = super::super::told::open(file).map_err(MediaError::opening)?;
    let video = demuxer.best(false).ok_or(MediaError::NoVideo)?;
    let facts = demuxer.stream(video).ok_or(MediaError::NoVideo)?;
    if facts.kind != StreamKind::Video {
        return Err(MediaError::NoVideo);
    }
    if facts.encrypted {
        return Err(MediaError::Encrypted);
    }
    let (width, height) = facts.size;
    if !limits.allow(fernseed_core::Size::new(width, height)) {
        return Err(MediaError::TooLarge { width, height });
    }
    Ok((demuxer, video, facts))
}

impl Survey {
    /// Walks the packets of a file's main video without decoding them.
    ///
    /// # Errors
    /// [`SpliceError::Fallback`] for every stream that is not plainly a
    /// sequence of closed groups; [`SpliceError::Media`] as
    /// [`super::super::VideoReader::open`].
    pub fn take(file: impl Into<Arc<File>>, limits: &Limits) -> Result<Self, SpliceError> {
        let (mut demuxer, video, facts) = open(file.into(), limits)?;
        let head = Head::read(&demuxer.container(), &facts)?;
        for index in (0..demuxer.stream_count()).filter(|&i| i != video) {
            demuxer.discard(index);
        }
        let mut packet = Packet::new().map_err(MediaError::encoder)?;
        let mut walk = Walk::default();
        loop {
            match demuxer.read(&mut packet) {
                Ok(()) if packet.stream() != video => {}
                Ok(()) => walk.packet(&head, &packet)?,
                Err(e) if e.is_eof() => break,
                Err(_) => return Err(Fallback::Damaged.into()),
            }
            if walk.times.len() > MAX_PACKETS {
                return Err(MediaError::Limit { what: "number of frames".into() }.into());
            }
        }
        if (walk.times.len() as u64) < facts.frames {
            return Err(Fallback::Damaged.into());
        }
        let (times, groups) = walk.finish()?;
        Ok(Self { head, time_base: facts.time_base, times, groups })
    }

    /// Presentation times of all frames, in ticks.
    #[must_use]
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// Number of groups.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Decides which groups are carried: all without a hidden frame.
    ///
    /// `info` and `report` come from a [`super::super::VideoReader`] that
    /// has decoded every frame of the same file (no
    /// [`super::super::OpenOptions::references_only`]: damage in a frame
    /// that was left out would be carried along unseen); `hidden` says of each frame (from
    /// 0, in order of presentation) whether there is anything to hide in it.
    ///
    /// # Errors
    /// A [`Fallback`] if pictures would not stay as they are, if that pass
    /// met anything odd, or if no group is left to carry.
    pub fn choose(
        self,
        info: &VideoInfo,
        report: &ReadReport,
        hidden: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Splice, Fallback> {
        looks_as_coded(&self.head.sps, info)?;
        let sound = report.frames == self.times.len() as u64
            && report.damaged
                + report.skipped_packets
                + report.skipped_frames
                + report.dropped_frames
                + report.timeline_shifts
                + report.invented_times
                + report.decoder_messages
                == 0
            && !report.truncated;
        if !sound {
            return Err(Fallback::Decoding);
        }
        self.carry_all_but(hidden)
    }

    /// Decides which groups need not be decoded: those of which every frame
    /// (from 0, in order of presentation) may be left out. A [`super::SpliceReader`]
    /// delivers the frames of all others as a [`super::super::VideoReader`]
    /// would, of which `info` comes.
    ///
    /// # Errors
    /// A [`Fallback`] if frames would not be the same, or if there is no such group.
    pub fn leave_out(
        self,
        info: &VideoInfo,
        left_out: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Splice, Fallback> {
        looks_as_coded(&self.head.sps, info)?;
        self.carry_all_but(&mut |frame| !left_out(frame))
    }

    /// Decides which groups of a file of our own writer are carried: all
    /// without a frame (as in [`Self::choose`]) that has changed.
    ///
    /// # Errors
    /// [`Fallback::NothingToCarry`].
    pub(super) fn renew(self, changed: &mut dyn FnMut(usize) -> bool) -> Result<Splice, Fallback> {
        Ok(Splice { ours: true, ..self.carry_all_but(changed)? })
    }

    fn carry_all_but(mut self, anew: &mut dyn FnMut(usize) -> bool) -> Result<Splice, Fallback> {
        for group in &mut self.groups {
            group.carried = !group.range().any(&mut *anew);
        }
        // Neighbouring IDR pictures must differ in a number that only their
        // encoder can choose, so no border between coded anew and carried
        // may lie behind a group of one picture.
        loop {
            let border = |pair: &[Group]| pair[0].frames == 1 && pair[0].carried != pair[1].carried;
            let Some(at) = self.groups.windows(2).position(border) else { break };
            for group in self.groups.iter_mut().skip(at).take(2) {
                group.carried = false;
            }
        }
        if !self.groups.iter().any(|g| g.carried) {
            return Err(Fallback::NothingToCarry);
        }
        Ok(Splice {
            times: self.times,
            groups: self.groups,
            sets: self.head.sets,
            sps: self.head.sps,
            source_pps: self.head.pps.id,
            set_id: self.head.set_id,
            ours: false,
        })
    }
}

/// Checks that delivered pictures are the coded ones: nothing is turned,
/// scaled or converted on the way.
fn looks_as_coded(sps: &Sps, info: &VideoInfo) -> Result<(), Fallback> {
    if info.orientation != Orientation::Upright {
        return Err(Fallback::Rotation);
    }
    let size = info.size;
    let coded = (size.width.div_ceil(16), size.height.div_ceil(16));
    if sps.size != (size.width, size.height)
        || coded_size(super::super::Container::Mp4, size) != size
        || sps.macroblocks != coded
    {
        return Err(Fallback::Size);
    }
    let (a, b) = (sps.aspect.unwrap_or((1, 1)), info.sample_aspect);
    if u64::from(a.0) * u64::from(b.1) != u64::from(a.1) * u64::from(b.0) {
        return Err(Fallback::Aspect);
    }
    let (told, kept) = (sps.colour, info.colour.cicp());
    let same = |told: u8, kept: u8| told == 2 || told == kept;
    let colour = info.hdr.is_none()
        && told.full_range == kept.full_range
        && same(told.primaries, kept.primaries)
        && same(told.transfer, kept.transfer)
        && (same(told.matrix, kept.matrix) || (told.matrix == 5 && kept.matrix == 6))
        && sps.usual_chroma_place;
    if colour { Ok(()) } else { Err(Fallback::Colour) }
}

/// The state of the walk over all packets.
#[derive(Debug, Default)]
struct Walk {
    times: Vec<i64>,
    groups: Vec<Group>,
    previous: Option<u32>,
}

impl Walk {
    fn packet(&mut self, head: &Head, packet: &Packet) -> Result<(), SpliceError> {
        if packet.is_encrypted() {
            return Err(MediaError::Encrypted.into());
        }
        if packet.is_discarded() {
            return Err(Fallback::Hidden.into());
        }
        if packet.is_corrupt() {
            return Err(Fallback::Damaged.into());
        }
        if packet.has_new_header() {
            return Err(Fallback::HeaderChange.into());
        }
        let pts = packet.pts().filter(|&pts| pts >= 0).ok_or(Fallback::Times)?;
        let picture = head.picture(packet.data())?;
        self.picture(&picture, packet.is_key(), pts, &head.sps).map_err(Into::into)
    }

    fn picture(
        &mut self,
        picture: &CodedPicture,
        key: bool,
        pts: i64,
        sps: &Sps,
    ) -> Result<(), Fallback> {
        if picture.idr != key || (self.groups.is_empty() && !picture.idr) {
            return Err(Fallback::OpenGroup);
        }
        let expected = match (picture.idr, self.previous) {
            (true, _) => 0,
            (false, Some(last)) => (last + 1) & ((1 << sps.frame_num_bits) - 1),
            (false, None) => return Err(Fallback::Gap),
        };
        if picture.frame_num != expected {
            return Err(Fallback::Gap);
        }
        if picture.reference {
            self.previous = Some(picture.frame_num);
        }
        if picture.idr {
            self.close_group()?;
            self.groups.push(Group { first: self.times.len(), frames: 0, carried: false });
        }
        if let Some(group) = self.groups.last_mut() {
            group.frames += 1;
        }
        self.times.push(pts);
        Ok(())
    }

    /// Puts the times of the last group in order of presentation.
    fn close_group(&mut self) -> Result<(), Fallback> {
        let Some(group) = self.groups.last() else { return Ok(()) };
        let first = group.first;
        let coded_first = self.times.get(first).copied();
        let Some(times) = self.times.get_mut(first..) else { return Ok(()) };
        times.sort_unstable();
        if times.windows(2).any(|w| w[0] == w[1]) {
            return Err(Fallback::Times);
        }
        // Nothing may be shown before the IDR picture it is decoded after,
        // nor before the end of the group before.
        let shown_first = times.first().copied();
        let before = first.checked_sub(1).and_then(|i| self.times.get(i)).copied();
        if shown_first != coded_first || shown_first <= before {
            return Err(Fallback::Crossing);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(Vec<i64>, Vec<Group>), Fallback> {
        self.close_group()?;
        if self.times.is_empty() { Err(Fallback::Damaged) } else { Ok((self.times, self.groups)) }
    }
}

#[cfg(test)]
mod tests;
