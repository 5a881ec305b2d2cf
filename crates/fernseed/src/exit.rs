//! Exit codes. The highest of a batch wins.

/// What the process tells its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done and every audit passed.
    #[default]
    Clean = 0,
    /// A person must look: doubts, or nothing was found in a file.
    Look = 1,
    /// The command line or a setting is wrong.
    Usage = 2,
    /// An input failed; nothing was written for it.
    Input = 3,
    /// The audit refuted an output; it was withheld.
    Withheld = 4,
    /// The disk, or reading and writing, failed.
    Io = 5,
    /// Another run works in the folder.
    Busy = 6,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_wins() {
        let worst = [Exit::Look, Exit::Withheld, Exit::Clean].into_iter().max();
        assert_eq!(worst, Some(Exit::Withheld));
        assert_eq!(Exit::Interrupted as u8, 130);
    }
}
