//! MP4, QuickTime, M4A and 3GP (ISO/IEC 14496-12, QuickTime File Format).

mod boxes;
mod entry;
mod fragments;
mod parse;
mod sound_entry;
mod tables;
mod write;
mod write_entry;

pub(super) use parse::read;
pub(super) use write::write;
