//! Sealed worker processes.
//!
//! A hostile file is never parsed in the host. The host starts its own binary
//! once more as a *zygote*, which loads what is slow to load (shared
//! libraries, model weights) and then forks one worker per file and role. A
//! worker seals itself before it reads its first input byte: it keeps the
//! files it was given, a control socket, memory and threads, and nothing else.
//! What it sends back is [`Untrusted`].
//!
//! Host:
//!
//! ```no_run
//! # use serde::{Deserialize, Serialize};
//! # use fernseed_sandbox::{SandboxError, Untrusted, Validate, WorkerLimits, Zygote, ZygoteConfig};
//! # use std::os::fd::AsFd as _;
//! # use std::time::{Duration, Instant};
//! # #[derive(Serialize)]
//! # struct Job { threads: u8 }
//! # #[derive(Deserialize)]
//! # struct Event { done: bool, frames: u32 }
//! # impl Validate for Event {
//! #     type Error = SandboxError;
//! #     fn validate(&self) -> Result<(), SandboxError> { Ok(()) }
//! # }
//! # const REDACT: u8 = 1;
//! # fn host(input: &std::fs::File, output: &std::fs::File) -> Result<(), SandboxError> {
//! let zygote = Zygote::start(&std::env::current_exe()?, &["zygote"], ZygoteConfig::default())?;
//! let files = [input.as_fd(), output.as_fd()];
//! let mut worker = zygote.spawn_worker(REDACT, &files, WorkerLimits::default())?;
//! worker.control().send(&Job { threads: 2 })?;
//! loop {
//!     let deadline = Instant::now() + Duration::from_secs(60);
//!     let event: Untrusted<Event> = worker.recv(deadline)?;
//!     if event.validate()?.done {
//!         break;
//!     }
//! }
//! let status = worker.wait()?;
//! # assert!(status.success());
//! # Ok(())
//! # }
//! ```
//!
//! The same binary's `main`, before it does anything else:
//!
//! ```no_run
//! # struct Models;
//! # fn load_models() -> Result<Models, String> { Ok(Models) }
//! # fn redact(_: &Models, _: fernseed_sandbox::WorkerContext) -> i32 { 0 }
//! if std::env::args().nth(1).as_deref() == Some("zygote") {
//!     fernseed_sandbox::zygote_main(load_models, |models, worker| match worker.role {
//!         1 => redact(models, worker),
//!         _ => 64,
//!     });
//! }
//! ```
//!
//! Needs Linux 5.10 or later on x86-64 or AArch64. Which layers a kernel
//! really gave is in [`Posture`]; a worker below the required [`Level`]
//! refuses to run.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "fernseed-sandbox only knows how to seal a worker on Linux (x86-64, AArch64); \
     building without a sandbox is not offered"
);

pub mod attack;
mod error;
mod libraries;
mod limits;
pub mod policy;
mod posture;
mod protocol;
mod seal;
mod serve;
mod sys;
mod untrusted;
mod wire;
mod worker;
mod zygote;

pub use error::SandboxError;
pub use libraries::leave_libraries_out_of_workers;
pub use limits::{MAX_FILES, WorkerLimits, ZygoteConfig};
pub use policy::DenyMode;
pub use posture::{LandlockLayer, LandlockStatus, Level, Posture};
pub use protocol::{Control, HostControl, MAX_MESSAGE, MAX_PLAN_MESSAGE, PROTOCOL_VERSION};
pub use serve::{EXIT_PANIC, EXIT_POSTURE, EXIT_SELF_TEST, EXIT_SETUP, WorkerContext, zygote_main};
pub use sys::release_free_memory;
pub use untrusted::{Untrusted, Validate, printable};
pub use worker::{Worker, WorkerStatus};
pub use zygote::Zygote;
