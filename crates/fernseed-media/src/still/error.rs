//! Why a still picture could not be read or written.

/// Why a still picture could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StillError {
    /// The bytes do not begin like any picture format known here.
    #[error("this is not a picture of a known format")]
    NotAPicture,
    /// A picture, but one that uses something this crate cannot read.
    #[error("the picture uses {what}, which is not supported")]
    Unsupported {
        /// What it uses.
        what: String,
    },
    /// The file ends before the picture does.
    #[error("the file ends before the picture does")]
    Truncated,
    /// The file breaks the rules of its format.
    #[error("the picture is damaged: {what}")]
    Damaged {
        /// What is wrong with it.
        what: String,
    },
    /// The picture's sides exceed the limits (or are zero).
    #[error("a picture of {width}x{height} pixels is outside the allowed size")]
    TooLarge {
        /// Width in pixels as the file declares it.
        width: u64,
        /// Height in pixels as the file declares it.
        height: u64,
    },
    /// Another bound was exceeded: bytes of input, frames, memory.
    #[error("the picture exceeds the limit on {what}")]
    Limit {
        /// What there was too much of.
        what: &'static str,
    },
    /// The picture could not be written.
    #[error("the picture could not be written: {what}")]
    Encoder {
        /// What the encoder said.
        what: String,
    },
}

impl StillError {
    /// The file breaks the rules of its format.
    pub(super) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged { what: what.to_string() }
    }

    /// The picture uses something that cannot be read.
    pub(super) fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::Unsupported { what: what.to_string() }
    }

    /// The picture could not be written.
    pub(super) fn encoder(what: impl std::fmt::Display) -> Self {
        Self::Encoder { what: what.to_string() }
    }

    /// What a reader's I/O error means for input that is a slice: its end
    /// was reached, or the decoder wraps its own complaint.
    pub(super) fn from_io(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            Self::Truncated
        } else {
            Self::damaged(error)
        }
    }
}
