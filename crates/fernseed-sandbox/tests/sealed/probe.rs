//! A host in a process of its own that prints what it found as JSON.

use crate::roles;
use fernseed_sandbox::attack::{self, AttackResult};
use fernseed_sandbox::{
    DenyMode, Level, Posture, SandboxError, WorkerLimits, Zygote, ZygoteConfig,
};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What a probe says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) uid: u32,
    /// `None` if the worker was refused.
    pub(crate) posture: Option<Posture>,
    pub(crate) refused: Option<String>,
    pub(crate) attacks: Vec<AttackResult>,
}

/// `probe sealed LEVEL`, `probe unsealed` or `probe linger`.
pub(crate) fn main(args: &[String]) {
    let uid = rustix::process::getuid().as_raw();
    let report = match args[0].as_str() {
        "linger" => return linger(),
        "unsealed" => {
            let (input, _output) = roles::files();
            let raw = input.as_raw_fd();
            assert!(raw >= 3);
            place_input(raw);
            Report { uid, posture: None, refused: None, attacks: attack::run_all() }
        }
        _ => match sealed(&args[1]) {
            Ok((posture, attacks)) => {
                Report { uid, posture: Some(posture), refused: None, attacks }
            }
            Err(SandboxError::BelowPosture { found, required }) => {
                let refused = Some(format!("below {required}"));
                Report { uid, posture: Some(*found), refused, attacks: Vec::new() }
            }
            Err(error) => {
                let refused = Some(error.to_string());
                Report { uid, posture: None, refused, attacks: Vec::new() }
            }
        },
    };
    println!("{}", serde_json::to_string(&report).unwrap());
}

#[allow(unsafe_code, reason = "the attacks expect the input at descriptor 3")]
fn place_input(fd: i32) {
    // SAFETY: a process made for this; nobody owns descriptor 3 or uses it.
    assert!(unsafe { libc::dup2(fd, 3) } == 3);
}

/// Starts a worker that sleeps, prints the two process ids and stays.
fn linger() {
    let zygote =
        Zygote::start(&std::env::current_exe().unwrap(), &["zygote"], ZygoteConfig::default())
            .unwrap();
    let worker = zygote.spawn_worker(roles::SLEEP, &[], WorkerLimits::default()).unwrap();
    println!("[{}, {}]", zygote.pid(), worker.pid());
    std::thread::sleep(Duration::from_secs(60));
}

fn sealed(level: &str) -> Result<(Posture, Vec<AttackResult>), SandboxError> {
    let minimum = if level == "C" { Level::C } else { Level::B };
    let config = ZygoteConfig { minimum, deny: DenyMode::Errno, ..ZygoteConfig::default() };
    let zygote = Zygote::start(&std::env::current_exe()?, &["zygote"], config)?;
    let (input, _output) = roles::files();
    let mut worker =
        zygote.spawn_worker(roles::ATTACK, &[input.as_fd()], WorkerLimits::default())?;
    let attacks = worker
        .recv::<Vec<AttackResult>>(Instant::now() + Duration::from_secs(20))?
        .validate_with(
            |list| if list.len() == attack::all().len() { Ok(()) } else { Err("length") },
        )
        .unwrap();
    let posture = worker.posture().clone();
    assert!(worker.wait()?.success());
    Ok((posture, attacks))
}

/// Runs a probe through `command` (this binary, or something that runs it).
pub(crate) fn report(mut command: Command, args: &[&str]) -> Report {
    let output = command.arg("probe").args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(text.trim())
        .unwrap_or_else(|e| panic!("{e}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

/// This binary as a normal user, `None` if we are one already.
pub(crate) fn as_nobody(exe: &Path) -> Option<Command> {
    use std::os::unix::process::CommandExt as _;
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let mut command = Command::new(exe);
    command.uid(65534).gid(65534).current_dir("/");
    Some(command)
}
