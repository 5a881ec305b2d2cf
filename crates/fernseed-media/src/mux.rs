//! The container writers: fixed structures, written from typed values.
//!
//! There is no way to hand these writers a tag, a name or a date. What they
//! write is the same for every source; only sizes, times, colour and the
//! coded data differ.

pub(crate) mod mp4;
pub(crate) mod webm;
