//! Decoders, found by name on an allow-list.

use super::{AvError, Demuxer, Frame, Packet, check};
use ffmpeg_sys_the_third as av;
use std::ffi::CStr;
use std::ptr::{self, NonNull};

/// Codecs that are decoded, and the decoder of each.
const DECODERS: &[(av::AVCodecID, &CStr)] = &[
    (av::AVCodecID::H264, c"h264"),
    (av::AVCodecID::HEVC, c"hevc"),
    (av::AVCodecID::VP8, c"vp8"),
    (av::AVCodecID::VP9, c"vp9"),
    (av::AVCodecID::AV1, c"libdav1d"),
    (av::AVCodecID::MPEG1VIDEO, c"mpeg1video"),
    (av::AVCodecID::MPEG2VIDEO, c"mpeg2video"),
    (av::AVCodecID::MPEG4, c"mpeg4"),
    (av::AVCodecID::MSMPEG4V2, c"msmpeg4v2"),
    (av::AVCodecID::MSMPEG4V3, c"msmpeg4"),
    (av::AVCodecID::H263, c"h263"),
    (av::AVCodecID::MJPEG, c"mjpeg"),
    (av::AVCodecID::PRORES, c"prores"),
    (av::AVCodecID::AAC, c"aac"),
    (av::AVCodecID::AAC_LATM, c"aac_latm"),
    (av::AVCodecID::MP3, c"mp3float"),
    (av::AVCodecID::MP2, c"mp2float"),
    (av::AVCodecID::OPUS, c"opus"),
    (av::AVCodecID::VORBIS, c"vorbis"),
    (av::AVCodecID::AC3, c"ac3"),
    (av::AVCodecID::EAC3, c"eac3"),
    (av::AVCodecID::FLAC, c"flac"),
    (av::AVCodecID::ALAC, c"alac"),
    (av::AVCodecID::AMR_NB, c"amrnb"),
    (av::AVCodecID::AMR_WB, c"amrwb"),
    (av::AVCodecID::PCM_U8, c"pcm_u8"),
    (av::AVCodecID::PCM_S16LE, c"pcm_s16le"),
    (av::AVCodecID::PCM_S16BE, c"pcm_s16be"),
    (av::AVCodecID::PCM_S24LE, c"pcm_s24le"),
    (av::AVCodecID::PCM_S24BE, c"pcm_s24be"),
    (av::AVCodecID::PCM_S32LE, c"pcm_s32le"),
    (av::AVCodecID::PCM_S32BE, c"pcm_s32be"),
    (av::AVCodecID::PCM_F32LE, c"pcm_f32le"),
    (av::AVCodecID::PCM_F32BE, c"pcm_f32be"),
    (av::AVCodecID::PCM_ALAW, c"pcm_alaw"),
    (av::AVCodecID::PCM_MULAW, c"pcm_mulaw"),
];

/// How a decoder is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecodeOptions {
    /// Threads; 0 takes as many as there are processors.
    pub(crate) threads: usize,
    /// Skip the loop filter: faster, slightly blocky.
    pub(crate) rough: bool,
    /// Most pixels of a frame.
    pub(crate) max_pixels: u64,
}

/// What came out of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The frame was filled.
    Frame,
    /// More packets are needed.
    Hungry,
    /// Nothing will ever come again.
    End,
}

/// A decoder for one stream.
#[derive(Debug)]
pub(crate) struct Decoder(NonNull<av::AVCodecContext>);

// SAFETY: codec contexts may be used from any thread, one at a time, which
// `&mut self` guarantees.
unsafe impl Send for Decoder {}

impl Drop for Decoder {
    fn drop(&mut self) {
        let mut pointer = self.0.as_ptr();
        // SAFETY: made by avcodec_alloc_context3 and freed only here.
        unsafe { av::avcodec_free_context(&raw mut pointer) };
    }
}

impl Decoder {
    /// A decoder for a stream of an opened container.
    ///
    /// # Errors
    /// [`AvError::NOT_FOUND`] if the codec is not on the allow-list or not
    /// in this build of FFmpeg; else what the decoder says.
    pub(crate) fn open(
        demuxer: &Demuxer,
        index: usize,
        options: DecodeOptions,
    ) -> Result<Self, AvError> {
        let stream = demuxer.raw_stream(index).ok_or(AvError::NOT_FOUND)?;
        // SAFETY: codecpar lives with the stream. The context is checked for
        // null and owned by `this` from then on. Names are static strings.
        unsafe {
            let parameters = stream.codecpar.as_ref().ok_or(AvError::NOT_FOUND)?;
            let name = DECODERS.iter().find(|(id, _)| *id == parameters.codec_id);
            let (_, name) = name.ok_or(AvError::NOT_FOUND)?;
            let codec = av::avcodec_find_decoder_by_name(name.as_ptr());
            if codec.is_null() {
                return Err(AvError::NOT_FOUND);
            }
            let context = NonNull::new(av::avcodec_alloc_context3(codec));
            let mut this = Self(context.ok_or(AvError::NO_MEMORY)?);
            check(av::avcodec_parameters_to_context(this.0.as_ptr(), parameters))?;
            let c = this.0.as_mut();
            c.pkt_timebase = stream.time_base;
            c.framerate = stream.avg_frame_rate;
            c.thread_count = i32::try_from(options.threads.min(16)).unwrap_or(0);
            c.thread_type = av::FF_THREAD_FRAME | av::FF_THREAD_SLICE;
            c.max_pixels = i64::try_from(options.max_pixels).unwrap_or(i64::MAX);
            c.err_recognition = av::AV_EF_CRCCHECK | av::AV_EF_BITSTREAM | av::AV_EF_BUFFER;
            if options.rough {
                c.skip_loop_filter = av::AVDiscard::ALL;
            }
            check(av::avcodec_open2(this.0.as_ptr(), codec, ptr::null_mut()))?;
            Ok(this)
        }
    }

    /// Hands over a packet, or the end of the stream.
    pub(crate) fn send(&mut self, packet: Option<&Packet>) -> Result<(), AvError> {
        let packet = packet.map_or(ptr::null(), |p| p.as_ptr().cast_const());
        // SAFETY: an open decoder; null means end of stream.
        check(unsafe { av::avcodec_send_packet(self.0.as_ptr(), packet) }).map(drop)
    }

    /// Forgets everything, so that packets of another place may follow.
    pub(crate) fn flush(&mut self) {
        // SAFETY: an open decoder.
        unsafe { av::avcodec_flush_buffers(self.0.as_ptr()) };
    }

    /// Takes the next decoded frame.
    pub(crate) fn receive(&mut self, frame: &mut Frame) -> Result<Received, AvError> {
        // SAFETY: an open decoder and a valid frame, which is cleared first.
        match check(unsafe { av::avcodec_receive_frame(self.0.as_ptr(), frame.as_ptr()) }) {
            Ok(_) => Ok(Received::Frame),
            Err(e) if e.is_again() => Ok(Received::Hungry),
            Err(e) if e.is_eof() => Ok(Received::End),
            Err(e) => Err(e),
        }
    }
}
