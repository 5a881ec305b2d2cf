//! What a worker may use, and how a zygote is set up.

use crate::policy::DenyMode;
use crate::posture::Level;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most files one worker can be given (file descriptors 3 to 6).
pub const MAX_FILES: usize = 4;

/// Descriptor of the first file in a worker. By convention the input.
pub(crate) const FIRST_FILE_FD: i32 = 3;

/// Descriptor of the control socket in a worker, behind all files.
pub(crate) const CONTROL_FD: i32 = FIRST_FILE_FD + MAX_FILES as i32;

/// Resource bounds of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerLimits {
    /// `RLIMIT_AS`: bytes of address space, *including* what the zygote has
    /// already mapped (libraries, packed weights). Every thread reserves a
    /// stack (8 MiB) from it; all have one heap.
    pub address_space: u64,
    /// `RLIMIT_CPU`: seconds of processor time over all threads; the kernel
    /// kills with SIGKILL. `None` leaves it unbounded.
    pub cpu_seconds: Option<u64>,
    /// `RLIMIT_FSIZE`: largest size in bytes any file can be written to.
    /// Writing past it fails with `EFBIG`.
    pub file_size: u64,
    /// Wall clock from fork to exit. Zygote and host both enforce it.
    pub wall: Duration,
}

impl Default for WorkerLimits {
    /// 4 GiB of address space, no processor bound, 16 GiB files, one hour.
    fn default() -> Self {
        Self {
            address_space: 4 << 30,
            cpu_seconds: None,
            file_size: 16 << 30,
            wall: Duration::from_secs(3600),
        }
    }
}

/// How a [`crate::Zygote`] treats the workers it forks.
#[derive(Clone, Copy, Debug)]
pub struct ZygoteConfig {
    /// What a forbidden system call does to the worker.
    pub deny: DenyMode,
    /// Workers whose sandbox is weaker refuse to run. [`Level::D`] is never
    /// accepted whatever is written here.
    pub minimum: Level,
    /// How long the zygote may take to prepare, and a worker to seal itself.
    pub start_timeout: Duration,
    /// Most bytes of standard error kept (the first ones; the rest is read
    /// and dropped).
    pub stderr_limit: usize,
    /// Pass `RUST_BACKTRACE` on. Everything else in the environment is gone.
    pub keep_backtrace: bool,
    /// Ask for huge pages for the heap. Forks and short work are faster with
    /// them; long work takes more and more memory, since the kernel joins pages
    /// that are used in part.
    pub huge_pages: bool,
}

impl Default for ZygoteConfig {
    /// `Errno`, level B, 30 s, 4 KiB of standard error, no backtraces, huge
    /// pages.
    fn default() -> Self {
        Self {
            deny: DenyMode::Errno,
            minimum: Level::B,
            start_timeout: Duration::from_secs(30),
            stderr_limit: 4096,
            keep_backtrace: false,
            huge_pages: true,
        }
    }
}
