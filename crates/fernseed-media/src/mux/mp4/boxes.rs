//! The boxes, one function each, from typed values to bytes.

use super::tables::{Chunks, Runs};
use super::{AudioTrack, VideoTrack};
use crate::video::nal::ParameterSets;

/// What a track carries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'a> {
    Video(&'a VideoTrack),
    Audio(&'a AudioTrack),
}

/// All that a `trak` box is made of.
#[derive(Debug)]
pub(super) struct Track<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) id: u32,
    pub(super) timescale: u32,
    /// In media units.
    pub(super) media_duration: u64,
    /// Time before the first sample, in movie units; 0 writes no empty edit.
    pub(super) empty_edit: u64,
    /// In movie units.
    pub(super) edit_duration: u64,
    /// Media time the edit begins at.
    pub(super) media_time: u64,
    pub(super) durations: &'a Runs<u32>,
    /// Composition offsets and what is added to all of them.
    pub(super) offsets: Option<(&'a Runs<i64>, u64)>,
    pub(super) sizes: &'a [u32],
    /// Key samples; `None` where every sample is one.
    pub(super) keys: Option<&'a [u32]>,
    pub(super) chunks: &'a Chunks,
}

/// A box under construction: fields are appended, the size is set at the end.
struct BoxWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl BoxWriter<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }
    fn u8(&mut self, v: u8) -> &mut Self {
        self.bytes(&[v])
    }
    fn u16(&mut self, v: u16) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    fn u32(&mut self, v: u32) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    fn u64(&mut self, v: u64) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    fn zeros(&mut self, n: usize) -> &mut Self {
        self.out.resize(self.out.len() + n, 0);
        self
    }
    fn count(&mut self, n: usize) -> &mut Self {
        // Tables with more entries make `moov` too large, which is refused
        // before anything is written.
        self.u32(u32::try_from(n).unwrap_or(u32::MAX))
    }
    fn child(&mut self, kind: &[u8; 4], fill: impl FnOnce(&mut BoxWriter<'_>)) -> &mut Self {
        put(self.out, kind, fill);
        self
    }
    /// A box with version and flags.
    fn full(
        &mut self,
        kind: &[u8; 4],
        version: u8,
        flags: u32,
        fill: impl FnOnce(&mut BoxWriter<'_>),
    ) -> &mut Self {
        self.child(kind, |b| {
            b.u32(u32::from(version) << 24 | flags);
            fill(b);
        })
    }
    /// The identity matrix (6.2.2).
    fn matrix(&mut self) -> &mut Self {
        for v in [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000] {
            self.u32(v);
        }
        self
    }
}

/// Appends a box whose contents `fill` writes.
fn put(out: &mut Vec<u8>, kind: &[u8; 4], fill: impl FnOnce(&mut BoxWriter<'_>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    fill(&mut BoxWriter { out });
    let size = u32::try_from(out.len() - start).unwrap_or(0);
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&size.to_be_bytes());
    }
}

/// File type: the same brands for every file.
pub(super) fn ftyp(out: &mut Vec<u8>) {
    put(out, b"ftyp", |b| {
        b.bytes(b"mp42").u32(0).bytes(b"mp42isomavc1");
    });
}

/// Header of `mdat` with a 64-bit size; `size` includes the header.
pub(super) fn mdat_header(out: &mut Vec<u8>, size: u64) {
    out.extend_from_slice(&1_u32.to_be_bytes());
    out.extend_from_slice(b"mdat");
    out.extend_from_slice(&size.to_be_bytes());
}

/// The index. `None` if it would not fit the 32-bit size of its box.
pub(super) fn moov(timescale: u32, tracks: &[Track<'_>]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let total = |t: &Track<'_>| t.empty_edit.saturating_add(t.edit_duration);
    let duration = tracks.iter().map(total).max().unwrap_or(0);
    put(&mut out, b"moov", |b| {
        b.full(b"mvhd", 1, 0, |b| {
            b.u64(0).u64(0).u32(timescale).u64(duration);
            b.u32(0x1_0000).u16(0x100).zeros(10).matrix().zeros(24);
            b.u32(tracks.len() as u32 + 1);
        });
        for track in tracks {
            b.child(b"trak", |b| trak(b, track));
        }
    });
    u32::try_from(out.len()).is_ok().then_some(out)
}

fn trak(b: &mut BoxWriter<'_>, track: &Track<'_>) {
    // Flags: enabled, in movie, in preview.
    b.full(b"tkhd", 1, 7, |b| {
        let total = track.empty_edit.saturating_add(track.edit_duration);
        b.u64(0).u64(0).u32(track.id).u32(0).u64(total).zeros(8).u16(0);
        let sound = matches!(track.kind, Kind::Audio(_));
        b.u16(0).u16(if sound { 0x100 } else { 0 }).u16(0).matrix();
        let (width, height) = match track.kind {
            Kind::Video(v) => (shown_width(v), u32::from(v.height) << 16),
            Kind::Audio(_) => (0, 0),
        };
        b.u32(width).u32(height);
    });
    b.child(b"edts", |b| {
        let empty = track.empty_edit > 0;
        b.full(b"elst", 1, 0, |b| {
            b.u32(1 + u32::from(empty));
            if empty {
                b.u64(track.empty_edit).u64(u64::MAX).u32(0x1_0000);
            }
            b.u64(track.edit_duration).u64(track.media_time).u32(0x1_0000);
        });
    });
    b.child(b"mdia", |b| {
        b.full(b"mdhd", 1, 0, |b| {
            // 0x55C4 is "und", three letters of five bits.
            b.u64(0).u64(0).u32(track.timescale).u64(track.media_duration).u16(0x55C4).u16(0);
        });
        b.full(b"hdlr", 0, 0, |b| {
            let kind = if matches!(track.kind, Kind::Video(_)) { b"vide" } else { b"soun" };
            b.u32(0).bytes(kind).zeros(12).u8(0);
        });
        b.child(b"minf", |b| {
            match track.kind {
                Kind::Video(_) => b.full(b"vmhd", 0, 1, |b| _ = b.zeros(8)),
                Kind::Audio(_) => b.full(b"smhd", 0, 0, |b| _ = b.zeros(4)),
            };
            b.child(b"dinf", |b| {
                b.full(b"dref", 0, 0, |b| {
                    b.u32(1).full(b"url ", 0, 1, |_| {});
                });
            });
            b.child(b"stbl", |b| stbl(b, track));
        });
    });
}

/// Width on screen as 16.16: coded width times the sample aspect ratio.
fn shown_width(video: &VideoTrack) -> u32 {
    let (num, den) = video.sample_aspect;
    let width = u64::from(video.width) * u64::from(num) * 65_536 / u64::from(den.max(1));
    u32::try_from(width).unwrap_or(u32::MAX)
}

fn stbl(b: &mut BoxWriter<'_>, track: &Track<'_>) {
    b.full(b"stsd", 0, 0, |b| {
        b.u32(1);
        match track.kind {
            Kind::Video(v) => b.child(b"avc1", |b| avc1(b, v)),
            Kind::Audio(a) => b.child(b"mp4a", |b| mp4a(b, a)),
        };
    });
    b.full(b"stts", 0, 0, |b| {
        b.count(track.durations.runs().len());
        for &(count, duration) in track.durations.runs() {
            b.u32(count).u32(duration);
        }
    });
    if let Some((offsets, shift)) = track.offsets {
        b.full(b"ctts", 0, 0, |b| {
            b.count(offsets.runs().len());
            for &(count, offset) in offsets.runs() {
                let moved = i128::from(offset) + i128::from(shift);
                b.u32(count).u32(u32::try_from(moved).unwrap_or(u32::MAX));
            }
        });
    }
    if let Some(keys) = track.keys {
        b.full(b"stss", 0, 0, |b| {
            b.count(keys.len());
            for &key in keys {
                b.u32(key);
            }
        });
    }
    b.full(b"stsc", 0, 0, |b| {
        let runs = track.chunks.runs();
        b.count(runs.len());
        for (first, samples) in runs {
            b.u32(first).u32(samples).u32(1);
        }
    });
    b.full(b"stsz", 0, 0, |b| {
        b.u32(0).count(track.sizes.len());
        for &size in track.sizes {
            b.u32(size);
        }
    });
    b.full(b"co64", 0, 0, |b| {
        b.count(track.chunks.offsets().len());
        for &offset in track.chunks.offsets() {
            b.u64(offset);
        }
    });
}

/// ISO/IEC 14496-15, 5.4.2: AVC sample entry.
fn avc1(b: &mut BoxWriter<'_>, video: &VideoTrack) {
    b.zeros(6).u16(1).zeros(16).u16(video.width).u16(video.height);
    b.u32(0x48_0000).u32(0x48_0000).u32(0).u16(1).zeros(32).u16(0x18).u16(0xFFFF);
    b.child(b"avcC", |b| {
        let byte = |set: &ParameterSets, i: usize| set.sps.get(i).copied().unwrap_or(0);
        // Profile and level that cover all sets; what all sets keep to.
        let most = |i: usize| video.sets.iter().map(|s| byte(s, i)).max().unwrap_or(0);
        let kept = video.sets.iter().fold(0xFF, |all, s| all & byte(s, 2));
        let count = u8::try_from(video.sets.len()).unwrap_or(0) & 31;
        b.u8(1).u8(most(1)).u8(kept).u8(most(3)).u8(0xFF);
        let list = |b: &mut BoxWriter<'_>, set: &[u8]| {
            b.u16(u16::try_from(set.len()).unwrap_or(0)).bytes(set);
        };
        b.u8(0xE0 | count);
        for set in &video.sets {
            list(b, &set.sps);
        }
        b.u8(count);
        for set in &video.sets {
            list(b, &set.pps);
        }
        // High profiles tell the chroma layout and depths again: 4:2:0, 8 bit.
        if matches!(most(1), 100 | 110 | 122 | 144) {
            b.u8(0xFD).u8(0xF8).u8(0xF8).u8(0);
        }
    });
    b.child(b"colr", |b| {
        let c = video.colour;
        b.bytes(b"nclx").u16(c.primaries.into()).u16(c.transfer.into()).u16(c.matrix.into());
        b.u8(if c.full_range { 0x80 } else { 0 });
    });
    b.child(b"pasp", |b| {
        b.u32(video.sample_aspect.0).u32(video.sample_aspect.1);
    });
}

/// ISO/IEC 14496-14, 5.6: MPEG-4 audio sample entry with an AAC-LC
/// decoder configuration.
fn mp4a(b: &mut BoxWriter<'_>, audio: &AudioTrack) {
    b.zeros(6).u16(1).zeros(8).u16(audio.channels).u16(16).zeros(4);
    b.u32(crate::video::SOUND_RATE << 16);
    b.full(b"esds", 0, 0, |b| {
        // ES descriptor, decoder configuration (MPEG-4 audio, audio stream),
        // AudioSpecificConfig (AAC-LC, 48 kHz), SL configuration.
        let channels = (audio.channels as u8) << 3;
        b.bytes(&[3, 25, 0, 0, 0]);
        b.bytes(&[4, 17, 0x40, 0x15, 0, 0, 0]).u32(0).u32(0);
        b.bytes(&[5, 2, 0x11, 0x80 | channels]);
        b.bytes(&[6, 1, 2]);
    });
}
