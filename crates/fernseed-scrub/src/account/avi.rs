//! AVI: one header list, one list of frames, one index, and nothing else
//! (Microsoft, "AVI RIFF File Reference").

use super::claims::Claims;
use super::frames::{self, Coding};
use super::{Parts, VideoAccount, coded};
use crate::bytes::{fourcc, le32, part};
use crate::source::Source;
use fernseed_core::Size;
use fernseed_core::finding::FindingCode;

/// Most chunks of frames.
const MAX_CHUNKS: usize = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chunk {
    kind: [u8; 4],
    start: u64,
    body: u64,
    end: u64,
}

impl Chunk {
    const fn next(&self) -> u64 {
        self.end + (self.end - self.body) % 2
    }
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    video: bool,
    coding: Coding,
    tick: (u32, u32),
    width: u32,
    height: u32,
}

struct Walk<'s, 'f> {
    source: &'s mut Source<'f>,
    claims: &'s mut Claims,
    streams: Vec<Stream>,
    /// `(code, offset from the list's type, length)`.
    frames: Vec<([u8; 4], u64, u32)>,
    bad: u64,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    let len = source.len();
    let mut w = Walk { source, claims, streams: Vec::new(), frames: Vec::new(), bad: 0 };
    if w.file(len).is_none() {
        w.claims.wrong("RIFF", 0, len, "The file cannot be read to its end.");
    }
    let Walk { streams, frames, claims, .. } = w;
    let videos = streams.iter().filter(|s| s.video).count();
    if videos > 1 || streams.is_empty() || videos == 1 && !streams.first().is_some_and(|s| s.video)
    {
        claims.wrong("hdrl", 0, 0, "There may be one video stream, which comes first.");
    }
    if let Some(video) = streams.first().filter(|s| s.video) {
        let mine = frames.iter().filter(|f| f.0 == *b"00dc");
        let times: Vec<i64> = (0i64..).zip(mine).filter(|(_, f)| f.2 > 0).map(|t| t.0).collect();
        let (scale, rate) = video.tick;
        parts.size = Some(Size::new(video.width, video.height));
        parts.video = Some(VideoAccount {
            timescale: rate / scale.max(1),
            sample_count: times.len() as u64,
            presentation_times: times,
            hidden_samples: 0,
            width: video.width,
            height: video.height,
            has_audio: streams.len() > 1,
        });
    }
}

impl Walk<'_, '_> {
    fn chunk(&mut self, at: u64, end: u64) -> Option<Chunk> {
        let head = self.source.array::<8>(at).ok()?;
        let kind = head[..4].try_into().ok()?;
        let stop = at.checked_add(8 + u64::from(le32(&head, 4)?))?;
        let c = Chunk { kind, start: at, body: at + 8, end: stop };
        let padded = c.next() == stop || self.source.array::<1>(stop).ok()? == [0];
        if !padded {
            self.claims.wrong("RIFF", stop, stop + 1, "Padding that is not zero.");
        }
        (c.next() <= end).then_some(c)
    }

    /// A list of this type at `at`.
    fn list(&mut self, at: u64, end: u64, kind: &[u8; 4]) -> Option<Chunk> {
        let c = self.chunk(at, end)?;
        let name = self.source.array::<4>(c.body).ok()?;
        if c.kind != *b"LIST" || name != *kind {
            let name = fourcc(c.kind);
            self.claims.foreign(&name, c.start, c.next(), "A chunk that does not belong here.");
            return None;
        }
        self.claims.own(&fourcc(*kind), c.start, c.body + 4);
        Some(c)
    }

    fn file(&mut self, len: u64) -> Option<()> {
        let riff = self.chunk(0, len)?;
        self.claims.own("RIFF", 0, 12);
        if riff.end != len {
            self.claims.wrong("RIFF", 0, 12, "The file is not as long as it says.");
        }
        let hdrl = self.list(12, len, b"hdrl")?;
        let avih = self.leaf(hdrl.body + 4, hdrl.end, b"avih")?;
        let fixed = |b: &[u8], at: usize| le32(b, at);
        let body = self.source.bytes(avih.body, avih.end - avih.body).ok()?;
        let exact = body.len() == 56
            && fixed(&body, 4) == Some(0)
            && fixed(&body, 8) == Some(0)
            && fixed(&body, 12) == Some(0x110)
            && fixed(&body, 20) == Some(0)
            && fixed(&body, 28) == Some(0)
            && part(&body, 40, 16) == Some(&[0; 16]);
        if !exact {
            self.claims.wrong("avih", avih.start, avih.end, "A field that must have one value.");
        }
        let mut at = avih.next();
        while at < hdrl.end {
            let strl = self.list(at, hdrl.end, b"strl")?;
            self.stream(strl)?;
            at = strl.next();
        }
        let movi = self.list(hdrl.next(), len, b"movi")?;
        let mut at = movi.body + 4;
        while at < movi.end {
            let c = self.chunk(at, movi.end)?;
            self.frame(c, movi.body);
            at = c.next();
        }
        let idx1 = self.leaf(movi.next(), len, b"idx1")?;
        self.index(idx1)?;
        if idx1.next() != len {
            self.claims.foreign("RIFF", idx1.next(), len, "Bytes after the index.");
        }
        Some(())
    }

    fn leaf(&mut self, at: u64, end: u64, kind: &[u8; 4]) -> Option<Chunk> {
        let c = self.chunk(at, end)?;
        if c.kind != *kind {
            let name = fourcc(c.kind);
            let message = format!("A chunk that does not belong here: {name}.");
            self.claims.foreign_as(FindingCode::MetadataLeft, &name, c.start, c.next(), &message);
            return None;
        }
        self.claims.own(&fourcc(*kind), c.start, c.next());
        Some(c)
    }

    fn stream(&mut self, strl: Chunk) -> Option<()> {
        let strh = self.leaf(strl.body + 4, strl.end, b"strh")?;
        let strf = self.leaf(strh.next(), strl.end, b"strf")?;
        if strf.next() != strl.next() {
            self.claims.foreign("strl", strf.next(), strl.next(), "More than two headers.");
        }
        let h = self.source.bytes(strh.body, strh.end - strh.body).ok()?;
        let limit = strf.end - strf.body;
        let f = self.source.bytes(strf.body, (limit <= 4096).then_some(limit)?).ok()?;
        let video = part(&h, 0, 4)? == b"vids";
        let handler = if video { part(&f, 16, 4)? } else { &[0; 4] };
        let exact = h.len() == 56
            && (video || part(&h, 0, 4)? == b"auds")
            && part(&h, 4, 4)? == handler
            && part(&h, 8, 12)? == [0; 12]
            && le32(&h, 36)? == 0
            && le32(&h, 40)? == u32::MAX
            && part(&h, 48, 4)? == [0; 4];
        if !exact {
            self.claims.wrong("strh", strh.start, strh.end, "A field that must have one value.");
        }
        let coding = if video { coded::windows(&f) } else { coded::wave(&f) };
        if coding.is_none() {
            self.claims.wrong("strf", strf.start, strf.end, "The format is not exact.");
        }
        let side = |at| if video { le32(&f, at).unwrap_or(0) } else { 0 };
        self.streams.push(Stream {
            video,
            coding: coding.unwrap_or_default(),
            tick: (le32(&h, 20)?, le32(&h, 24)?),
            width: side(4),
            height: side(8),
        });
        (self.streams.len() <= 33).then_some(())
    }

    fn frame(&mut self, c: Chunk, base: u64) {
        let name = fourcc(c.kind);
        let [a, b, x, y] = c.kind;
        let number = usize::from(a.wrapping_sub(b'0')) * 10 + usize::from(b.wrapping_sub(b'0'));
        let stream = self.streams.get(number).copied();
        let fits = stream.is_some_and(|s| [x, y] == if s.video { *b"dc" } else { *b"wb" });
        let Some(stream) = stream.filter(|_| fits && self.frames.len() < MAX_CHUNKS) else {
            return self.claims.foreign("movi", c.start, c.next(), &format!("A chunk {name}."));
        };
        self.claims.own("movi (frames)", c.start, c.next());
        let len = c.end - c.body;
        self.frames.push((c.kind, c.start - base, len as u32));
        // An empty chunk repeats the picture before.
        if stream.coding == Coding::Opaque || len == 0 {
            return;
        }
        let Ok(sample) = self.source.bytes(c.body, len) else {
            return self.claims.wrong("movi", c.start, c.end, "The frame cannot be read.");
        };
        let (claims, bad) = (&mut *self.claims, &mut self.bad);
        frames::check(stream.coding, &sample, &mut |from, to, what| {
            *bad += 1;
            if *bad <= 20 {
                claims.wrong("movi", c.body + from as u64, c.body + to as u64, what);
            }
        });
    }

    fn index(&mut self, c: Chunk) -> Option<()> {
        let mut at = c.body;
        let mut i = 0usize;
        let mut exact = c.end - c.body == 16 * self.frames.len() as u64;
        while at + 16 <= c.end && exact {
            let e = self.source.array::<16>(at).ok()?;
            let &(kind, offset, len) = self.frames.get(i)?;
            exact &= e[..4] == kind
                && matches!(le32(&e, 4), Some(0 | 0x10))
                && le32(&e, 8).map(u64::from) == Some(offset)
                && le32(&e, 12) == Some(len);
            at += 16;
            i += 1;
        }
        if !exact {
            self.claims.wrong("idx1", c.start, c.end, "The index does not list every frame once.");
        }
        Some(())
    }
}
