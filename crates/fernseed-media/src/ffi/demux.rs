//! Taking containers apart: libavformat over an already open file.

use super::frame::positive;
use super::{AvError, check, libc_errno};
use fernseed_core::time::TimeBase;
use ffmpeg_sys_the_third as av;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Containers that may be opened, by libavformat's names.
const FORMATS: &CStr = c"mov,matroska,avi,mpegts,mpeg,mpegvideo,h264,hevc";
/// Decoders that probing may open.
const CODECS: &CStr = c"h264,hevc,vp8,vp9,libdav1d,mpeg2video,mpeg1video,mpeg4,msmpeg4v2,msmpeg4,h263,mjpeg,prores,aac,aac_latm,mp3float,mp3,mp2float,mp2,opus,vorbis,ac3,eac3,flac,alac,amrnb,amrwb";
/// The same where the headers tell all of the video.
const CODECS_OF_SOUND: &CStr =
    c"aac,aac_latm,mp3float,mp3,mp2float,mp2,opus,vorbis,ac3,eac3,flac,alac,amrnb,amrwb";
/// Bytes read at a time.
const BUFFER: usize = 1 << 16;
/// Most bytes read to find out what is in a file.
const PROBE_BYTES: i64 = 16 << 20;
/// Most media time looked at to find out what is in a file, in microseconds.
const PROBE_TIME: i64 = 10_000_000;
/// Most streams in a file.
const MAX_STREAMS: i32 = 64;
/// Longest codec header that is looked into.
const MAX_HEADER: usize = 1 << 16;

/// The file behind the I/O callbacks, with its own position.
struct Source {
    file: Arc<File>,
    position: u64,
    size: u64,
    /// Where reads land before they are copied. libavformat's own buffer
    /// must stay as it is when nothing could be read: it still holds data
    /// that will be sought back to.
    scratch: Vec<u8>,
}

/// A positioned read that leaves the file's own position alone.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

/// A positioned read.
#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}

/// Read callback of libavformat.
unsafe extern "C" fn read(opaque: *mut c_void, buffer: *mut u8, length: c_int) -> c_int {
    let Ok(wanted) = usize::try_from(length) else { return av::AVERROR(libc_errno::EINVAL) };
    // SAFETY: opaque is the Source made in Demuxer::open and lives until
    // the context is closed; libavformat calls from one thread at a time.
    let source = unsafe { &mut *opaque.cast::<Source>() };
    let wanted = wanted.min(source.scratch.len());
    loop {
        match read_at(&source.file, &mut source.scratch[..wanted], source.position) {
            Ok(0) => return av::AVERROR_EOF,
            Ok(n) => {
                let n = n.min(wanted);
                source.position = source.position.saturating_add(n as u64);
                // SAFETY: the buffer is writable for `length` >= n bytes by
                // the callback's contract; scratch holds n bytes and is ours.
                unsafe { ptr::copy_nonoverlapping(source.scratch.as_ptr(), buffer, n) };
                return n as c_int;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return av::AVERROR(libc_errno::EIO),
        }
    }
}

/// Seek callback of libavformat.
unsafe extern "C" fn seek(opaque: *mut c_void, offset: i64, whence: c_int) -> i64 {
    // SAFETY: as in `read`.
    let source = unsafe { &mut *opaque.cast::<Source>() };
    let refused = i64::from(av::AVERROR(libc_errno::EINVAL));
    let base = match whence & !av::AVSEEK_FORCE {
        av::AVSEEK_SIZE => return i64::try_from(source.size).unwrap_or(refused),
        0 => 0,
        1 => source.position,
        2 => source.size,
        _ => return refused,
    };
    match base.checked_add_signed(offset) {
        Some(to) if i64::try_from(to).is_ok() => {
            source.position = to;
            to as i64
        }
        _ => refused,
    }
}

/// Refuses every wish of a demuxer to open something else.
unsafe extern "C" fn refuse_open(
    _: *mut av::AVFormatContext,
    _: *mut *mut av::AVIOContext,
    _: *const c_char,
    _: c_int,
    _: *mut *mut av::AVDictionary,
) -> c_int {
    av::AVERROR(libc_errno::EPERM)
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Video,
    Audio,
    Subtitle,
    Data,
    Attachment,
    Picture,
    Unknown,
}

/// What the container says about one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamFacts {
    pub(crate) kind: StreamKind,
    pub(crate) codec: String,
    /// Four-character code in the container, as printable text.
    pub(crate) tag: String,
    pub(crate) time_base: TimeBase,
    pub(crate) duration: Option<i64>,
    pub(crate) frames: u64,
    pub(crate) average_rate: Option<(u32, u32)>,
    pub(crate) sample_aspect: Option<(u32, u32)>,
    pub(crate) size: (u32, u32),
    pub(crate) channels: u32,
    /// The first four of the display matrix's numbers that turn: a, b, c, d.
    pub(crate) matrix: Option<[i32; 4]>,
    pub(crate) encrypted: bool,
    pub(crate) dolby_vision: bool,
    /// The codec's header, empty if it is implausibly long.
    pub(crate) header: Vec<u8>,
}

/// One compressed packet.
#[derive(Debug)]
pub(crate) struct Packet(NonNull<av::AVPacket>);

// SAFETY: packets are plain reference-counted data without thread affinity.
unsafe impl Send for Packet {}

impl Drop for Packet {
    fn drop(&mut self) {
        let mut pointer = self.0.as_ptr();
        // SAFETY: made by av_packet_alloc and freed only here.
        unsafe { av::av_packet_free(&raw mut pointer) };
    }
}

impl Packet {
    /// An empty packet.
    pub(crate) fn new() -> Result<Self, AvError> {
        // SAFETY: no arguments; null is handled.
        NonNull::new(unsafe { av::av_packet_alloc() }).map(Self).ok_or(AvError::NO_MEMORY)
    }

    pub(super) const fn as_ptr(&self) -> *mut av::AVPacket {
        self.0.as_ptr()
    }

    const fn get(&self) -> &av::AVPacket {
        // SAFETY: valid for the life of self; written only by calls that
        // take `&mut Packet`.
        unsafe { self.0.as_ref() }
    }

    /// Drops the content.
    pub(crate) fn clear(&mut self) {
        // SAFETY: a valid packet; unref of an empty one is allowed.
        unsafe { av::av_packet_unref(self.as_ptr()) };
    }

    pub(crate) fn stream(&self) -> usize {
        usize::try_from(self.get().stream_index).unwrap_or(usize::MAX)
    }

    pub(crate) const fn pts(&self) -> Option<i64> {
        let pts = self.get().pts;
        if pts == av::AV_NOPTS_VALUE { None } else { Some(pts) }
    }

    pub(crate) const fn dts(&self) -> Option<i64> {
        let dts = self.get().dts;
        if dts == av::AV_NOPTS_VALUE { None } else { Some(dts) }
    }

    pub(crate) const fn is_corrupt(&self) -> bool {
        self.get().flags & av::AV_PKT_FLAG_CORRUPT != 0
    }

    /// True for packets that must be decoded but not shown.
    pub(crate) const fn is_discarded(&self) -> bool {
        self.get().flags & av::AV_PKT_FLAG_DISCARD != 0
    }

    /// Duration in ticks, 0 if unknown.
    pub(crate) fn duration(&self) -> i64 {
        self.get().duration.max(0)
    }

    pub(crate) const fn is_key(&self) -> bool {
        self.get().flags & av::AV_PKT_FLAG_KEY != 0
    }

    /// True if the payload is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        let kind = av::AVPacketSideDataType::ENCRYPTION_INFO;
        let mut size = 0;
        // SAFETY: a valid packet and a valid place for the size.
        !unsafe { av::av_packet_get_side_data(self.as_ptr(), kind, &raw mut size) }.is_null()
    }

    /// True if the stream's header or parameters change with this packet.
    pub(crate) fn has_new_header(&self) -> bool {
        let kinds =
            [av::AVPacketSideDataType::NEW_EXTRADATA, av::AVPacketSideDataType::PARAM_CHANGE];
        kinds.into_iter().any(|kind| {
            let mut size = 0;
            // SAFETY: a valid packet and a valid place for the size.
            !unsafe { av::av_packet_get_side_data(self.as_ptr(), kind, &raw mut size) }.is_null()
        })
    }

    /// The payload.
    pub(crate) fn data(&self) -> &[u8] {
        let p = self.get();
        match usize::try_from(p.size) {
            // SAFETY: libav keeps `size` readable bytes at `data` for the
            // life of the packet.
            Ok(n) if n > 0 && !p.data.is_null() => unsafe { std::slice::from_raw_parts(p.data, n) },
            _ => &[],
        }
    }
}

/// An opened container.
pub(crate) struct Demuxer {
    context: *mut av::AVFormatContext,
    io: *mut av::AVIOContext,
    source: *mut Source,
}

// SAFETY: the context is used through `&mut self` only and has no thread
// affinity; the file behind it is owned.
unsafe impl Send for Demuxer {}

impl std::fmt::Debug for Demuxer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demuxer").field("container", &self.container()).finish_non_exhaustive()
    }
}

impl Drop for Demuxer {
    fn drop(&mut self) {
        // SAFETY: each pointer is null or owned by self and freed once; the
        // context goes first since it may still use the I/O context, whose
        // buffer may have been replaced and is therefore freed through it.
        unsafe {
            if !self.context.is_null() {
                av::avformat_close_input(&raw mut self.context);
            }
            if !self.io.is_null() {
                av::av_freep((&raw mut (*self.io).buffer).cast());
                av::avio_context_free(&raw mut self.io);
            }
            if !self.source.is_null() {
                drop(Box::from_raw(self.source));
            }
        }
    }
}

impl Demuxer {
    /// Opens a container from the start of a file and looks at its streams.
    ///
    /// libavformat decodes pictures to learn what headers may leave out; that
    /// costs as much as it takes to decode a key frame with one thread. Where
    /// `told` says of every video stream that its headers leave out nothing,
    /// none is decoded.
    pub(crate) fn open(
        file: Arc<File>,
        told: impl Fn(&str, &StreamFacts) -> bool,
    ) -> Result<Self, AvError> {
        super::init();
        let size =
            (&*file).seek(SeekFrom::End(0)).ok().ok_or(AvError(av::AVERROR(libc_errno::EIO)))?;
        let source =
            Box::into_raw(Box::new(Source { file, position: 0, size, scratch: vec![0; BUFFER] }));
        let mut this = Self { context: ptr::null_mut(), io: ptr::null_mut(), source };
        // SAFETY: every allocation is checked before use and stored in
        // `this`, whose Drop frees what exists at any early return. The
        // strings are copied by av_strdup and freed with the context.
        // avformat_open_input frees the context and clears the pointer on
        // failure.
        unsafe {
            let buffer = av::av_malloc(BUFFER);
            if buffer.is_null() {
                return Err(AvError::NO_MEMORY);
            }
            this.io = av::avio_alloc_context(
                buffer.cast(),
                BUFFER as c_int,
                0,
                source.cast(),
                Some(read),
                None,
                Some(seek),
            );
            if this.io.is_null() {
                av::av_free(buffer);
                return Err(AvError::NO_MEMORY);
            }
            this.context = av::avformat_alloc_context();
            let Some(c) = this.context.as_mut() else { return Err(AvError::NO_MEMORY) };
            c.pb = this.io;
            c.flags |= av::AVFMT_FLAG_CUSTOM_IO;
            c.io_open = Some(refuse_open);
            c.format_whitelist = av::av_strdup(FORMATS.as_ptr());
            c.protocol_whitelist = av::av_strdup(c"none".as_ptr());
            if c.format_whitelist.is_null() || c.protocol_whitelist.is_null() {
                return Err(AvError::NO_MEMORY);
            }
            c.probesize = PROBE_BYTES;
            c.max_analyze_duration = PROBE_TIME;
            c.max_streams = MAX_STREAMS;
            c.error_recognition = av::AV_EF_CRCCHECK;
            this.allow(CODECS)?;
            let name = c"".as_ptr();
            check(av::avformat_open_input(
                &raw mut this.context,
                name,
                ptr::null(),
                ptr::null_mut(),
            ))?;
        }
        for index in 0..this.stream_count() {
            let facts = this.stream(index);
            if facts.is_some_and(|f| !matches!(f.kind, StreamKind::Video | StreamKind::Audio)) {
                this.discard(index);
            }
        }
        let container = this.container();
        let videos: Vec<StreamFacts> = (0..this.stream_count())
            .filter_map(|index| this.stream(index))
            .filter(|facts| matches!(facts.kind, StreamKind::Video | StreamKind::Picture))
            .collect();
        if !videos.is_empty() && videos.iter().all(|facts| told(&container, facts)) {
            this.allow(CODECS_OF_SOUND)?;
            super::log::refusing_decoders(|| this.find_streams())?;
            this.allow(CODECS)?;
        } else {
            this.find_streams()?;
        }
        Ok(this)
    }

    /// Says which decoders libavformat may open.
    fn allow(&mut self, codecs: &CStr) -> Result<(), AvError> {
        // SAFETY: an opened context, whose list is null or a string of its
        // own; both are freed with av_free.
        unsafe {
            let list = av::av_strdup(codecs.as_ptr());
            if list.is_null() {
                return Err(AvError::NO_MEMORY);
            }
            let before = std::mem::replace(&mut (*self.context).codec_whitelist, list);
            av::av_free(before.cast());
        }
        Ok(())
    }

    /// Learns what the container does not tell of its streams.
    fn find_streams(&mut self) -> Result<(), AvError> {
        // SAFETY: an opened context; null options are allowed.
        check(unsafe { av::avformat_find_stream_info(self.context, ptr::null_mut()) }).map(drop)
    }

    const fn context(&self) -> &av::AVFormatContext {
        // SAFETY: non-null after a successful open, valid until drop.
        unsafe { &*self.context }
    }

    /// libavformat's short name of the container.
    pub(crate) fn container(&self) -> String {
        // SAFETY: iformat is null or static; its name is a static string.
        unsafe { self.context().iformat.as_ref() }.map_or_else(String::new, |f| text(f.name))
    }

    /// Length of the whole file in microseconds, if told.
    pub(crate) const fn duration_micros(&self) -> Option<i64> {
        let d = self.context().duration;
        if d == av::AV_NOPTS_VALUE || d <= 0 { None } else { Some(d) }
    }

    /// Number of streams; may grow while reading a transport stream.
    pub(crate) const fn stream_count(&self) -> usize {
        self.context().nb_streams as usize
    }

    pub(super) fn raw_stream(&self, index: usize) -> Option<&av::AVStream> {
        if index >= self.stream_count() {
            return None;
        }
        // SAFETY: streams holds nb_streams valid pointers.
        unsafe { (*self.context().streams.add(index)).as_ref() }
    }

    /// Number of chapters.
    pub(crate) const fn chapter_count(&self) -> u32 {
        self.context().nb_chapters
    }

    /// Makes the demuxer skip a stream.
    pub(crate) fn discard(&mut self, index: usize) {
        if index < self.stream_count() {
            // SAFETY: index is in range; the stream is owned by the context
            // that `&mut self` guards.
            unsafe { (**(*self.context).streams.add(index)).discard = av::AVDiscard::ALL };
        }
    }

    /// The stream libavformat holds for the main one of its kind.
    pub(crate) fn best(&self, audio: bool) -> Option<usize> {
        let kind = if audio { av::AVMediaType::AUDIO } else { av::AVMediaType::VIDEO };
        // SAFETY: an opened context; no decoder is asked for.
        let found =
            unsafe { av::av_find_best_stream(self.context, kind, -1, -1, ptr::null_mut(), 0) };
        usize::try_from(found).ok()
    }

    /// What the container says about a stream.
    pub(crate) fn stream(&self, index: usize) -> Option<StreamFacts> {
        let s = self.raw_stream(index)?;
        // SAFETY: codecpar is allocated with the stream and lives with it.
        let p = unsafe { s.codecpar.as_ref() }?;
        let known = |v: i64| (v != av::AV_NOPTS_VALUE).then_some(v);
        let kind = match p.codec_type {
            av::AVMediaType::VIDEO if s.disposition & av::AV_DISPOSITION_ATTACHED_PIC != 0 => {
                StreamKind::Picture
            }
            av::AVMediaType::VIDEO => StreamKind::Video,
            av::AVMediaType::AUDIO => StreamKind::Audio,
            av::AVMediaType::SUBTITLE => StreamKind::Subtitle,
            av::AVMediaType::DATA => StreamKind::Data,
            av::AVMediaType::ATTACHMENT => StreamKind::Attachment,
            _ => StreamKind::Unknown,
        };
        let encryption = av::AVPacketSideDataType::ENCRYPTION_INIT_INFO;
        let tag = p.codec_tag.to_le_bytes();
        let num = u32::try_from(s.time_base.num).ok()?;
        let den = u32::try_from(s.time_base.den).ok()?;
        Some(StreamFacts {
            kind,
            // SAFETY: returns a static string for every value.
            codec: text(unsafe { av::avcodec_get_name(p.codec_id) }),
            tag: tag.iter().filter(|b| b.is_ascii_graphic()).map(|&b| b as char).collect(),
            time_base: TimeBase::new(num, den)?,
            duration: known(s.duration).filter(|&d| d > 0),
            frames: u64::try_from(s.nb_frames).unwrap_or(0),
            average_rate: positive(s.avg_frame_rate),
            sample_aspect: positive(s.sample_aspect_ratio)
                .or_else(|| positive(p.sample_aspect_ratio)),
            size: (u32::try_from(p.width).unwrap_or(0), u32::try_from(p.height).unwrap_or(0)),
            channels: u32::try_from(p.ch_layout.nb_channels).unwrap_or(0),
            matrix: display_matrix(s),
            encrypted: matches!(&tag, b"encv" | b"enca" | b"drmi" | b"drms")
                || side_data(s, encryption).is_some(),
            dolby_vision: side_data(s, av::AVPacketSideDataType::DOVI_CONF).is_some(),
            header: header(p).to_vec(),
        })
    }

    /// Reads the next packet of any stream that is not discarded.
    pub(crate) fn read(&mut self, packet: &mut Packet) -> Result<(), AvError> {
        packet.clear();
        // SAFETY: an opened context and an empty packet.
        check(unsafe { av::av_read_frame(self.context, packet.as_ptr()) }).map(drop)
    }

    /// True if the demuxer ran into the end of the file or an I/O error.
    pub(crate) const fn hit_end(&self) -> bool {
        // SAFETY: io is non-null after a successful open.
        unsafe { (*self.io).eof_reached != 0 || (*self.io).error != 0 }
    }
}

/// A stream's codec header.
fn header(parameters: &av::AVCodecParameters) -> &[u8] {
    match usize::try_from(parameters.extradata_size) {
        // SAFETY: libav keeps `extradata_size` bytes at `extradata` for the
        // life of the parameters.
        Ok(n) if n > 0 && n <= MAX_HEADER && !parameters.extradata.is_null() => unsafe {
            std::slice::from_raw_parts(parameters.extradata, n)
        },
        _ => &[],
    }
}

/// Bytes of a stream's side data.
fn side_data(stream: &av::AVStream, kind: av::AVPacketSideDataType) -> Option<&[u8]> {
    let mut size = 0_usize;
    // SAFETY: a valid stream; the data found lives with the stream and has
    // `size` bytes.
    unsafe {
        let data = av::av_stream_get_side_data(stream, kind, &raw mut size);
        (!data.is_null()).then(|| std::slice::from_raw_parts(data, size))
    }
}

/// The turning part of the display matrix.
fn display_matrix(stream: &av::AVStream) -> Option<[i32; 4]> {
    let bytes = side_data(stream, av::AVPacketSideDataType::DISPLAYMATRIX)?;
    let mut numbers = bytes.chunks_exact(4).map(|b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    let (a, b) = (numbers.next()?, numbers.next()?);
    numbers.next()?;
    Some([a, b, numbers.next()?, numbers.next()?])
}

/// A static C string as text.
fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: callers pass static zero-ended strings of the library.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
