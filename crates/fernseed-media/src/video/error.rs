//! What can go wrong with a video, in words for the person who owns it.

use crate::ffi::{self, AvError};

/// Why a video cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// Not a container this crate opens.
    #[error("this is not a video file that can be read{detail}")]
    NotMedia {
        /// FFmpeg's reason, led by a colon and a space, or empty.
        detail: String,
    },
    /// A codec, layout or feature that is not supported.
    #[error("the video uses something that is not supported: {what}")]
    Unsupported {
        /// What it is.
        what: String,
    },
    /// The file is encrypted.
    #[error("the video is encrypted (copy protection or a vault app); decrypt it first")]
    Encrypted,
    /// The file ends too early to be read at all.
    #[error("the file is cut off: {detail}")]
    Truncated {
        /// What is missing.
        detail: String,
    },
    /// The file is damaged beyond reading.
    #[error("the video is too damaged to be read: {detail}")]
    Damaged {
        /// What was found.
        detail: String,
    },
    /// The picture is larger than allowed.
    #[error("the picture is {width} x {height} pixels, which is more than allowed")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Another bound was reached.
    #[error("a limit was reached: {what}")]
    Limit {
        /// Which one.
        what: String,
    },
    /// There is no video in the file.
    #[error("the file holds no video")]
    NoVideo,
    /// The encoder refused its input or is missing.
    #[error("the video could not be encoded: {detail}")]
    Encoder {
        /// Why.
        detail: String,
    },
    /// Reading or writing the file failed.
    #[error("reading or writing the file failed: {0}")]
    Io(#[from] std::io::Error),
}

impl MediaError {
    /// An encoder error from a libav code and the last line of its log.
    pub(crate) fn encoder(error: AvError) -> Self {
        Self::Encoder { detail: words(error) }
    }

    /// The error for a file that could not be opened.
    pub(super) fn opening(error: AvError) -> Self {
        let line = ffi::take_last_error();
        let log = line.as_deref().unwrap_or_default();
        if log.contains("moov atom not found") {
            return Self::Truncated {
                detail: "its index (moov) is missing, probably because the recording was \
                         interrupted"
                    .into(),
            };
        }
        if error == AvError::NO_MEMORY {
            return Self::Limit { what: "memory for one structure of the file".into() };
        }
        let detail = line.map_or_else(|| format!(": {error}"), |l| format!(": {l}"));
        Self::NotMedia { detail }
    }

    /// The error for a decoder that could not be set up.
    pub(super) fn decoder(error: AvError, codec: &str) -> Self {
        if error == AvError::NO_MEMORY {
            return Self::Limit { what: "memory of the decoder".into() };
        }
        if error == AvError::INVALID_DATA {
            return Self::Damaged { detail: words(error) };
        }
        Self::Unsupported { what: format!("codec {codec}") }
    }
}

/// The library's code and log line in one sentence.
pub(super) fn words(error: AvError) -> String {
    ffi::take_last_error().map_or_else(|| error.to_string(), |line| format!("{error} ({line})"))
}
