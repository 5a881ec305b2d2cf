//! Forking workers without the shared libraries they have no use for.
//!
//! A binary that links a hundred libraries has many hundred mappings, and
//! `fork` copies the list of all of them, with the pages that relocation
//! touched. A worker that only runs Rust code needs none of that. Left out,
//! it starts in a fraction of the time, and the codecs are not even in its
//! memory.
//!
//! The zygote itself gives the libraries up: were they only kept from its
//! children (`MADV_DONTFORK`), each fork would still copy the list of all
//! mappings to take most of them out of it again, which was most of its cost.
//!
//! The price: in such processes no code may be called that lives in those
//! libraries, and no thread be started (the C library would initialise the
//! thread-local data of every library it once loaded). Both end in a
//! segmentation fault, which the host takes for a dead worker.

use crate::sys;
use std::io;

/// Libraries that Rust code itself needs: the C library, its mathematics, its
/// loader, and the unwinder.
const NEEDED: [&str; 6] =
    ["libc.so", "libm.so", "libpthread.so", "libdl.so", "ld-linux-", "libgcc_s.so"];

/// Takes every shared library that plain Rust code does not need out of this
/// process and those forked from it. Returns how many mappings that were.
///
/// To be called while preparing a zygote that, like its workers, runs Rust
/// code alone from now on, on one thread, and never returns from `main`. All symbols must be bound already ([`crate::Zygote::start`]
/// sees to that): looking one up would search the missing libraries.
///
/// # Errors
/// If the system does not tell the mappings or does not leave one out.
pub fn leave_libraries_out_of_workers() -> io::Result<usize> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut count = 0;
    for (start, end) in maps.lines().filter_map(needless) {
        count += 1;
        match runs.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => runs.push((start, end)),
        }
    }
    for (start, end) in runs {
        sys::give_up(start, end - start)?;
    }
    Ok(count)
}

/// Start and end of the mapping in a line of `/proc/self/maps`, if it is of a
/// library that is not needed.
fn needless(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let name = fields.nth(4)?.rsplit_once('/')?.1;
    let library = name.contains(".so") && !NEEDED.iter().any(|n| name.starts_with(n));
    let number = |text| usize::from_str_radix(text, 16).ok();
    if library { Some((number(start)?, number(end)?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::needless;

    #[test]
    fn only_libraries_of_others_are_left_out() {
        let line = |path: &str| format!("7f00-7f10 r-xp 00000000 08:01 1234   {path}");
        for kept in ["/lib/x/libc.so.6", "/lib/ld-linux-x86-64.so.2", "/usr/bin/fernseed", "[vdso]"]
        {
            assert_eq!(needless(&line(kept)), None, "{kept}");
        }
        assert_eq!(needless("7f00-7f10 rw-p 00000000 00:00 0 "), None);
        let gone = line("/usr/lib/libavcodec.so.59");
        assert_eq!(needless(&gone), Some((0x7f00, 0x7f10)));
    }
}
