//! Sound in and out: any codec to 48 kHz blocks on the file's clock, and
//! blocks to packets of one encoder frame each.

use super::{SOUND_RATE, Unit};
use crate::ffi::{
    AvError, DecodeOptions, Decoder, Demuxer, Encoder, Frame, Packet, Received, Resampler,
    StreamFacts,
};
use fernseed_core::sound::SampleBlock;
use fernseed_core::time::TimeBase;
use std::collections::VecDeque;

/// Differences up to this are rounding of the container's clock: 5 ms.
const JITTER: i64 = SOUND_RATE as i64 / 200;

/// Decodes one sound stream.
#[derive(Debug)]
pub(super) struct SoundIn {
    stream: usize,
    time_base: TimeBase,
    decoder: Decoder,
    resampler: Resampler,
    frame: Frame,
    /// Place of the next sample that comes out.
    next: Option<i64>,
    skipped: u64,
}

impl SoundIn {
    /// A decoder for a stream; `None` if it cannot be decoded.
    pub(super) fn open(
        demuxer: &Demuxer,
        stream: usize,
        facts: &StreamFacts,
        channels: u32,
    ) -> Option<Self> {
        if facts.encrypted {
            return None;
        }
        let options = DecodeOptions { threads: 1, rough: false, max_pixels: 1 };
        Some(Self {
            stream,
            time_base: facts.time_base,
            decoder: Decoder::open(demuxer, stream, options).ok()?,
            resampler: Resampler::new(SOUND_RATE, channels as usize),
            frame: Frame::new().ok()?,
            next: None,
            skipped: 0,
        })
    }

    /// Index of the stream.
    pub(super) const fn stream(&self) -> usize {
        self.stream
    }

    /// Packets that could not be decoded.
    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Decodes a packet, or what is left inside, into blocks. `shift` is
    /// added to all places, in samples.
    pub(super) fn decode(
        &mut self,
        packet: Option<&Packet>,
        shift: i64,
        blocks: &mut VecDeque<Unit>,
    ) {
        if self.decoder.send(packet).is_err() {
            self.skipped += 1;
        }
        loop {
            match self.decoder.receive(&mut self.frame) {
                Ok(Received::Frame) => {
                    if self.block(shift, blocks).is_err() {
                        self.skipped += 1;
                    }
                }
                Ok(Received::Hungry | Received::End) => break,
                Err(_) => {
                    self.skipped += 1;
                    break;
                }
            }
        }
        if packet.is_none()
            && let Ok(channels) = self.resampler.flush()
        {
            self.push(channels, blocks);
        }
    }

    fn block(&mut self, shift: i64, blocks: &mut VecDeque<Unit>) -> Result<(), AvError> {
        if self.resampler.must_change(&self.frame) {
            let rest = self.resampler.flush()?;
            self.push(rest, blocks);
        }
        let to = TimeBase { num: 1, den: SOUND_RATE };
        if let Some(at) = self.frame.pts().and_then(|p| self.time_base.rescale(p, to)) {
            let place = at.saturating_add(shift).saturating_sub(self.resampler.pending());
            let off = self.next.map(|n| n.abs_diff(place));
            if off.is_none_or(|d| d > JITTER as u64) {
                self.next = Some(place);
            }
        }
        let channels = self.resampler.convert(&self.frame)?;
        self.push(channels, blocks);
        Ok(())
    }

    fn push(&mut self, channels: Vec<Vec<f32>>, blocks: &mut VecDeque<Unit>) {
        let start = self.next.unwrap_or(0);
        let block = SampleBlock { rate: SOUND_RATE, start, channels };
        self.next = Some(start.saturating_add(block.len() as i64));
        if !block.is_empty() {
            blocks.push_back(Unit::Sound(block));
        }
    }
}

/// Longest gap that is filled with silence: 24 hours. Longer ones are errors
/// of a file's clock.
const MAX_GAP: i64 = 24 * 3600 * SOUND_RATE as i64;

/// Lays blocks end to end, fills gaps with silence, and encodes.
#[derive(Debug)]
pub(super) struct SoundOut {
    encoder: Encoder,
    packet: Packet,
    frame_size: usize,
    /// Samples that wait for a full encoder frame.
    rest: Vec<Vec<f32>>,
    /// Place of the first sample, once known.
    start: Option<i64>,
    /// Samples taken since then.
    taken: i64,
    /// Samples given to the encoder.
    sent: i64,
}

impl SoundOut {
    /// Wraps an opened encoder.
    pub(super) fn new(encoder: Encoder, channels: u32) -> Result<Self, AvError> {
        let frame_size = encoder.frame_size();
        if frame_size == 0 {
            return Err(AvError::INVALID_DATA);
        }
        Ok(Self {
            frame_size,
            encoder,
            packet: Packet::new()?,
            rest: vec![Vec::new(); channels as usize],
            start: None,
            taken: 0,
            sent: 0,
        })
    }

    /// Samples of one packet.
    pub(super) const fn frame_size(&self) -> usize {
        self.frame_size
    }

    /// Samples the decoder must drop from the start of the stream.
    pub(super) fn priming(&self) -> u32 {
        self.encoder.initial_padding()
    }

    /// Place of the first sample since time zero; 0 before any came.
    pub(super) fn start(&self) -> i64 {
        self.start.unwrap_or(0)
    }

    /// Samples taken, silence included.
    pub(super) const fn length(&self) -> i64 {
        self.taken
    }

    /// Takes a block and hands finished packets to `sink`.
    pub(super) fn write(
        &mut self,
        block: &SampleBlock,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), std::io::Error>,
    ) -> Result<(), SoundError> {
        if block.rate != SOUND_RATE || block.channels.len() != self.rest.len() {
            return Err(SoundError::Layout);
        }
        if block.channels.iter().any(|c| c.len() != block.len()) {
            return Err(SoundError::Layout);
        }
        // Sound before time zero cannot be placed and is left out.
        let mut skip = usize::try_from(block.start.saturating_neg()).unwrap_or(0);
        if let Some(start) = self.start {
            let ahead = block.start.saturating_sub(start).saturating_sub(self.taken);
            if ahead > MAX_GAP {
                return Err(SoundError::Layout);
            }
            if ahead > JITTER {
                self.silence(ahead, sink)?;
            } else if ahead < -JITTER {
                skip = skip.max(usize::try_from(-ahead).unwrap_or(0));
            }
        }
        if skip >= block.len() {
            return Ok(());
        }
        if self.start.is_none() {
            self.start = Some(block.start.max(0));
        }
        for (rest, channel) in self.rest.iter_mut().zip(&block.channels) {
            rest.extend_from_slice(&channel[skip..]);
        }
        self.taken += (block.len() - skip) as i64;
        self.send_full(sink)
    }

    fn silence(
        &mut self,
        mut count: i64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), std::io::Error>,
    ) -> Result<(), SoundError> {
        while count > 0 {
            let now = count.min(i64::from(SOUND_RATE));
            for rest in &mut self.rest {
                rest.resize(rest.len() + now as usize, 0.0);
            }
            self.taken += now;
            count -= now;
            self.send_full(sink)?;
        }
        Ok(())
    }

    fn send_full(
        &mut self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), std::io::Error>,
    ) -> Result<(), SoundError> {
        while self.rest.first().is_some_and(|r| r.len() >= self.frame_size) {
            let frame: Vec<Vec<f32>> =
                self.rest.iter_mut().map(|r| r.drain(..self.frame_size).collect()).collect();
            self.encoder.send_samples(&frame, self.sent)?;
            self.sent += self.frame_size as i64;
            self.receive(sink)?;
        }
        Ok(())
    }

    fn receive(
        &mut self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), std::io::Error>,
    ) -> Result<(), SoundError> {
        while self.encoder.receive(&mut self.packet)? {
            sink(self.packet.data())?;
        }
        Ok(())
    }

    /// Encodes what is left, padded with silence until the last real sample
    /// comes out of a decoder.
    pub(super) fn finish(
        &mut self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), std::io::Error>,
    ) -> Result<(), SoundError> {
        let wanted = self.taken.saturating_add(i64::from(self.priming()));
        while self.taken > 0 && self.sent < wanted {
            for rest in &mut self.rest {
                rest.resize(self.frame_size, 0.0);
            }
            self.send_full(sink)?;
        }
        self.encoder.finish()?;
        self.receive(sink)
    }
}

/// Why sound could not be written.
#[derive(Debug)]
pub(super) enum SoundError {
    /// Blocks of another rate, channel count or clock.
    Layout,
    /// The encoder refused.
    Encoder(AvError),
    /// The file refused.
    Io(std::io::Error),
}

impl From<AvError> for SoundError {
    fn from(error: AvError) -> Self {
        Self::Encoder(error)
    }
}

impl From<std::io::Error> for SoundError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
