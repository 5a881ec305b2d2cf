//! Ogg with one Vorbis or Opus stream (RFC 3533, RFC 7845, Vorbis I).
//!
//! Packets are taken out of their pages and laid into new ones: one serial
//! number for everybody, pages cut by a rule that looks only at the packets,
//! an empty comment header. Granule positions are counted anew from what the
//! packets say about their length; what a stream says about samples to be
//! left out at its start and its end is kept.

mod opus;
mod pages;
mod vorbis;
mod writer;

use super::flow::{Output, damaged};
use crate::source::Source;
use crate::strip::{StripError, Stripped};
use pages::{Packet, Packets};
use writer::Writer;

/// Which codec a stream holds.
#[derive(Debug)]
enum Codec {
    Vorbis(Box<vorbis::Headers>),
    Opus(opus::Head),
}

impl Codec {
    /// Samples that a packet adds, given the packet before it; `None` if it
    /// is no sound and left out. `packet` may be cleaned on the way.
    fn duration(&self, packet: &mut [u8], previous: &mut Option<u64>) -> Option<u64> {
        match self {
            Self::Vorbis(headers) => {
                let block = headers.block(packet)?;
                let samples = previous.map_or(0, |p| (p + block) / 4);
                *previous = Some(block);
                Some(samples)
            }
            Self::Opus(head) => opus::clean(packet, head.streams),
        }
    }
}

/// What the first reading finds out.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    packets: u64,
    /// Samples of all packets.
    samples: i64,
    /// Granule position of the first sample; negative if samples are left
    /// out at the start.
    start: i64,
    /// Granule position at the end.
    end: i64,
    dropped: u64,
    uneven: bool,
}

/// Strips an Ogg file.
pub(super) fn rebuild(
    source: &mut Source<'_>,
    output: &mut impl Output,
) -> Result<Stripped, StripError> {
    let mut notes = Vec::new();
    let (serial, codec) = headers(source, &mut notes)?;
    let span = measure(source, serial, &codec)?;
    if span.packets == 0 {
        return Err(damaged("it holds no sound"));
    }
    if span.dropped > 0 {
        notes.push(format!("{} packets that are no sound are left out.", span.dropped));
    }
    if span.uneven {
        let what = "Time stamps inside had gaps and are counted anew from the sound.";
        notes.push(what.to_owned());
    }
    let mut writer = Writer::new(output, span.end);
    match &codec {
        Codec::Vorbis(h) => {
            writer.packet(&h.identification(), 0)?;
            writer.page()?;
            writer.packet(&vorbis::comment(), 0)?;
            writer.packet(&h.setup, 0)?;
        }
        Codec::Opus(h) => {
            writer.packet(&h.write(), 0)?;
            writer.page()?;
            writer.packet(&opus::tags(), 0)?;
        }
    }
    writer.page()?;
    writer.audio(span.start);
    let mut packets = Packets::new(source, Some(serial));
    packets.skip = header_count(&codec);
    let mut previous = None;
    let mut granule = span.start;
    while let Some(mut packet) = packets.next(source)? {
        let Some(samples) = codec.duration(&mut packet.bytes, &mut previous) else { continue };
        granule = granule.saturating_add_unsigned(samples);
        writer.packet(&packet.bytes, granule)?;
    }
    writer.finish()?;
    let (container, extension) = match codec {
        Codec::Vorbis(_) => ("Ogg Vorbis sound", "ogg"),
        Codec::Opus(_) => ("Opus sound", "opus"),
    };
    Ok(Stripped { container: container.to_owned(), extension: extension.to_owned(), notes })
}

/// Header packets of a codec.
const fn header_count(codec: &Codec) -> usize {
    match codec {
        Codec::Vorbis(_) => 3,
        Codec::Opus(_) => 2,
    }
}

/// Finds the one stream of sound and reads its headers.
fn headers(source: &mut Source<'_>, notes: &mut Vec<String>) -> Result<(u32, Codec), StripError> {
    let first = pages::beginnings(source)?;
    let mut sound = None;
    let mut others = 0;
    for (serial, packet) in &first {
        let b = packet.as_slice();
        if b.starts_with(b"\x01vorbis") || b.starts_with(b"OpusHead") {
            if sound.is_some() {
                others += 1;
            } else {
                sound = Some((*serial, b.starts_with(b"OpusHead")));
            }
        } else if b.starts_with(b"\x80theora") || b.starts_with(b"BBCD\0") {
            return Err(StripError::Unsupported("video in an Ogg file".to_owned()));
        } else {
            others += 1;
        }
    }
    let Some((serial, is_opus)) = sound else {
        let what = "an Ogg file with neither Vorbis nor Opus";
        return Err(StripError::Unsupported(what.to_owned()));
    };
    if others > 0 {
        notes.push(format!("{others} further streams are left out."));
    }
    let mut packets = Packets::new(source, Some(serial));
    let mut next = |source: &mut Source<'_>| -> Result<Packet, StripError> {
        packets.next(source)?.ok_or_else(|| StripError::Truncated("its headers".to_owned()))
    };
    let head = next(source)?.bytes;
    let comment = next(source)?.bytes;
    let codec = if is_opus {
        if !comment.starts_with(b"OpusTags") {
            return Err(damaged("its headers are not in order"));
        }
        Codec::Opus(opus::Head::parse(&head)?)
    } else {
        if !comment.starts_with(b"\x03vorbis") {
            return Err(damaged("its headers are not in order"));
        }
        let setup = next(source)?.bytes;
        Codec::Vorbis(Box::new(vorbis::Headers::parse(&head, &setup)?))
    };
    Ok((serial, codec))
}

/// Reads all packets once.
fn measure(source: &mut Source<'_>, serial: u32, codec: &Codec) -> Result<Span, StripError> {
    let mut span = Span::default();
    let mut packets = Packets::new(source, Some(serial));
    packets.skip = header_count(codec);
    let mut previous = None;
    // Difference between a page's granule position and the samples so far.
    let mut offset: Option<i64> = None;
    let mut last: Option<(i64, i64)> = None;
    while let Some(mut packet) = packets.next(source)? {
        match codec.duration(&mut packet.bytes, &mut previous) {
            Some(samples) => {
                span.packets += 1;
                span.samples = span.samples.saturating_add_unsigned(samples);
            }
            None => span.dropped += 1,
        }
        let Some(granule) = packet.granule.filter(|&g| g >= 0) else { continue };
        if let Some((granule, samples)) = last {
            // A page that is not the last: its position is exact.
            let here = granule.saturating_sub(samples);
            span.uneven |= offset.is_some_and(|o| o != here);
            offset = offset.or(Some(here));
        }
        last = Some((granule, span.samples));
    }
    let offset = offset.unwrap_or(0);
    // A positive start tells when, in a longer stream, the recording began.
    span.start = offset.min(0).max(-span.samples);
    if matches!(codec, Codec::Opus(_)) {
        span.start = 0;
    }
    let full = span.start.saturating_add(span.samples);
    span.end = match last {
        Some((granule, samples)) if !span.uneven && samples == span.samples => {
            let shown = granule.saturating_sub(offset).saturating_add(span.start);
            if shown < full && shown >= 0 { shown } else { full }
        }
        _ => full,
    };
    Ok(span)
}
