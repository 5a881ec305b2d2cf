//! The one place that speaks to FFmpeg's libraries, and the only one in this
//! crate where `unsafe` is allowed.
//!
//! Everything that leaves this module is safe to use: owned wrappers with
//! checked plane views, errors as values. Nothing here opens a file or a
//! socket; input comes through a callback that reads an already open
//! [`std::fs::File`], and libavformat is never asked to write.
#![allow(unsafe_code)]

mod decode;
mod demux;
mod encode;
mod frame;
mod log;
mod resample;
mod scale;

pub(crate) use decode::{DecodeOptions, Decoder, Received};
pub(crate) use demux::{Demuxer, Packet, StreamFacts, StreamKind};
pub(crate) use encode::{AudioSetup, Encoder, VideoSetup, encoder_exists};
pub(crate) use frame::{Frame, FrameFormat};
pub(crate) use log::{error_count, take_last_error};
pub(crate) use resample::Resampler;
pub(crate) use scale::{Scaler, Target};

use ffmpeg_sys_the_third as av;
use std::ffi::CStr;

/// A negative return value of a libav function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AvError(pub(crate) i32);

impl AvError {
    /// Out of memory, or an allocation beyond the limit was refused.
    pub(crate) const NO_MEMORY: Self = Self(av::AVERROR(libc_errno::ENOMEM));
    /// The data is not what it says it is.
    pub(crate) const INVALID_DATA: Self = Self(av::AVERROR_INVALIDDATA);
    /// No such encoder or decoder in this build.
    pub(crate) const NOT_FOUND: Self = Self(av::AVERROR_ENCODER_NOT_FOUND);

    /// True at the regular end of a stream.
    pub(crate) const fn is_eof(self) -> bool {
        self.0 == av::AVERROR_EOF
    }

    /// True if the operation wants to be repeated after other input.
    pub(crate) const fn is_again(self) -> bool {
        self.0 == av::AVERROR(libc_errno::EAGAIN)
    }
}

impl std::fmt::Display for AvError {
    /// The library's own words for the code.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut buffer = [0_u8; 128];
        // SAFETY: the buffer is writable for the length given; av_strerror
        // always ends it with a zero within that length.
        unsafe { av::av_strerror(self.0, buffer.as_mut_ptr().cast(), buffer.len()) };
        let text = CStr::from_bytes_until_nul(&buffer).map_or("".into(), CStr::to_string_lossy);
        f.write_str(&text)
    }
}

/// The few error numbers the callbacks need (the same on every platform
/// FFmpeg builds for).
mod libc_errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const EIO: i32 = 5;
    pub(super) const EAGAIN: i32 = if cfg!(target_os = "macos") { 35 } else { 11 };
    pub(super) const ENOMEM: i32 = 12;
    pub(super) const EINVAL: i32 = 22;
}

/// Turns a libav return value into a result.
const fn check(code: i32) -> Result<i32, AvError> {
    if code < 0 { Err(AvError(code)) } else { Ok(code) }
}

/// Most bytes FFmpeg may take in one allocation.
const MAX_ALLOCATION: usize = 1 << 30;

/// Prepares the libraries: own log sink, bounded single allocations.
/// Cheap; may be called any number of times.
pub(crate) fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: sets one process-wide number; no pointers are involved.
        unsafe { av::av_max_alloc(MAX_ALLOCATION) };
        log::install();
    });
}
