//! Making some groups of a finished file of our own anew.

use super::super::MediaError;
use super::reader::Place;
use super::survey::{self, Head, Survey};
use super::{Carried, Fallback, Splice, SpliceError};
use crate::ffi::{Demuxer, Packet};
use fernseed_core::limits::Limits;
use fernseed_core::time::TimeBase;
use std::fs::File;
use std::sync::Arc;

/// A finished file of ours, of which the groups without a changed frame are
/// carried over into another and the rest is coded again from the source.
///
/// Frames of the source and [`Carried`] pictures go to a
/// [`super::super::VideoWriter`] begun with
/// [`super::super::VideoWriter::create_spliced`]: at the first frame of every
/// carried group ([`Self::begins_carried`]) all its pictures
/// ([`Self::next_carried`]), and nothing for its other frames; every frame of
/// the other groups as it comes.
#[derive(Debug)]
pub struct Renewal {
    demuxer: Demuxer,
    video: usize,
    head: Head,
    splice: Splice,
    packet: Packet,
    /// Number of the next packet of the video.
    next_packet: usize,
}

impl Renewal {
    /// Opens `finished`, a file that [`super::super::VideoWriter`] has made as
    /// MP4 of a source with the time base `source`. `changed` says of each frame
    /// (from 0, in order of presentation) whether it will be another one.
    ///
    /// # Errors
    /// [`SpliceError::Fallback`] if nothing of the file can be carried over;
    /// [`SpliceError::Media`] if it cannot be read.
    pub fn open(
        finished: impl Into<Arc<File>>,
        source: TimeBase,
        changed: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Self, SpliceError> {
        let limits = Limits::default();
        let finished = finished.into();
        let splice = Survey::take(Arc::clone(&finished), &limits)?.renew(changed)?;
        let (mut demuxer, video, facts) = survey::open(finished, &limits)?;
        let head = Head::read(&demuxer.container(), &facts)?;
        if head.sets != splice.sets || head.pps.id != splice.source_pps {
            return Err(Fallback::HeaderChange.into());
        }
        for index in (0..demuxer.stream_count()).filter(|&i| i != video) {
            demuxer.discard(index);
        }
        // Ours count as their source does, but for those of numerators other
        // than 1 (AVI).
        if facts.time_base != source {
            return Err(Fallback::Clock.into());
        }
        let packet = Packet::new().map_err(MediaError::encoder)?;
        Ok(Self { demuxer, video, head, splice, packet, next_packet: 0 })
    }

    /// What is carried over, for the writer.
    #[must_use]
    pub const fn splice(&self) -> &Splice {
        &self.splice
    }

    /// True if a carried group begins with this frame.
    #[must_use]
    pub fn begins_carried(&self, frame: usize) -> bool {
        self.splice.group_of(frame).is_some_and(|g| g.carried && g.first == frame)
    }

    /// The next picture of the carried group that begins with frame `first`,
    /// in order of decoding; `None` after its last.
    ///
    /// Groups are asked for in their order.
    ///
    /// # Errors
    /// [`SpliceError::Fallback`] if the file is not as it was surveyed, or
    /// `first` does not begin a carried group that is still to come. What was
    /// written so far is then worthless.
    pub fn next_carried(&mut self, first: usize) -> Result<Option<Carried>, SpliceError> {
        let wanted = self.splice.group_of(first).filter(|g| g.carried && g.first == first);
        let wanted = wanted.ok_or(Fallback::Damaged)?.range();
        while self.next_packet < wanted.end {
            self.demuxer.read(&mut self.packet).map_err(|_end| Fallback::Damaged)?;
            if self.packet.stream() != self.video {
                continue;
            }
            let group = self.splice.group_of(self.next_packet).ok_or(Fallback::Damaged)?;
            let place = Place { splice: &self.splice, group, packet: self.next_packet };
            let picture = place.check(&self.head, &self.packet)?;
            self.next_packet += 1;
            if group.first == first {
                return Ok(Some(place.carry(&self.packet, picture)?));
            }
        }
        Ok(None)
    }
}
