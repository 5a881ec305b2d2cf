//! `doctor`: which layers of the sandbox hold here, and what is missing.

use super::redact::{models, start_workers};
use super::terminal::{Problem, Terminal};
use fernseed::exit::Exit;
use fernseed::host::job::limits;
use fernseed::host::workers::Silent;
use fernseed::protocol::{Role, Task};
use fernseed::report::ModelUsed;
use fernseed_sandbox::attack::AttackResult;
use fernseed_sandbox::{LandlockStatus, Level, Posture};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;

/// Everything doctor finds, for `--json`.
#[derive(Debug, Serialize)]
struct Diagnosis {
    program: String,
    posture: Posture,
    level: Level,
    attacks: Vec<AttackResult>,
    allowed_syscalls: Vec<&'static str>,
    /// Calls of that list that are allowed with some arguments only.
    conditions: BTreeMap<&'static str, &'static str>,
    models: Vec<ModelUsed>,
    advice: Vec<String>,
}

pub(crate) fn doctor(out: &Terminal) -> Result<Exit, Problem> {
    let workers = start_workers()?;
    let program = std::env::current_exe().map_err(Problem::io)?;
    let any_file = File::open(&program).map_err(Problem::io)?;
    let said = workers
        .run(Role::Attack, &[any_file.as_fd()], Task::Attack, limits(), &mut Silent)
        .map_err(|e| Problem::io(format!("the sandboxed worker did not answer: {e}")))?;
    let posture =
        said.posture.ok_or_else(|| Problem::io("the sandboxed worker did not say what holds"))?;
    let succeeded: Vec<String> =
        said.attack.iter().filter(|a| !a.outcome.contained()).map(|a| a.name.clone()).collect();
    let mut advice = advice();
    for name in &succeeded {
        advice.push(format!("a sealed worker could {name}: do not open files you do not trust"));
    }
    let level = posture.level();
    let exit = if level >= Level::B && succeeded.is_empty() && !said.attack.is_empty() {
        Exit::Clean
    } else {
        Exit::Look
    };
    let diagnosis = Diagnosis {
        program: concat!("fernseed ", env!("CARGO_PKG_VERSION")).to_owned(),
        level,
        allowed_syscalls: fernseed_sandbox::policy::allowed_syscalls(),
        conditions: fernseed_sandbox::policy::conditions().into_iter().collect(),
        models: models(),
        posture,
        attacks: said.attack,
        advice,
    };
    if out.json {
        out.json(&diagnosis)?;
    } else {
        print(out, &diagnosis, succeeded.len());
    }
    Ok(exit)
}

fn print(out: &Terminal, found: &Diagnosis, succeeded: usize) {
    out.result(&found.program);
    out.result(&format!("Sandbox: level {}", found.level));
    for (layer, holds) in layers(&found.posture) {
        out.result(&format!("  {} {layer}", if holds { "yes" } else { "NO " }));
    }
    for note in &found.posture.notes {
        out.result(&format!("  note: {note}"));
    }
    out.result(&format!(
        "Self-attack: {} forbidden acts tried in a sealed worker, {succeeded} succeeded",
        found.attacks.len()
    ));
    if out.verbose {
        for attack in &found.attacks {
            out.result(&format!("  {}: {:?}", attack.name, attack.outcome));
        }
        out.result(&format!(
            "System calls a worker may make: {}",
            found.allowed_syscalls.join(" ")
        ));
    }
    for model in &found.models {
        out.result(&format!("Model: {} ({}), SHA-256 {}", model.name, model.licence, model.sha256));
    }
    for line in &found.advice {
        out.result(&format!("Advice: {line}"));
    }
}

/// The layers in words, and whether each holds.
fn layers(posture: &Posture) -> [(String, bool); 6] {
    let landlock = posture.landlock.status == LandlockStatus::FullyEnforced;
    [
        ("system call filter (seccomp)".to_owned(), posture.seccomp && posture.no_new_privs),
        (format!("file system layer (Landlock ABI {})", posture.landlock.abi), landlock),
        ("empty network namespace".to_owned(), posture.network_namespace),
        ("resource limits".to_owned(), posture.resource_limits),
        ("capabilities dropped".to_owned(), posture.capabilities_dropped),
        ("no writable memory becomes executable".to_owned(), posture.memory_deny_write_execute),
    ]
}

/// What is not about the sandbox but matters to people at risk.
fn advice() -> Vec<String> {
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    let open = open_swaps(&swaps, encrypted);
    if open.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "swap on {} is not known to be encrypted: originals may be written to it; encrypt it or \
         turn it off",
        open.join(", ")
    )]
}

/// The swap devices of `/proc/swaps` that keep what is written to them.
fn open_swaps(swaps: &str, encrypted: impl Fn(&str) -> bool) -> Vec<&str> {
    swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        // Compressed memory is memory.
        .filter(|device| !device.starts_with("/dev/zram") && !encrypted(device))
        .collect()
}

/// True if a device is an encrypted one of the device mapper. Other mapped
/// devices (LVM) are not, whatever their name.
fn encrypted(device: &str) -> bool {
    let Ok(real) = std::fs::canonicalize(device) else { return false };
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let uuid = std::fs::read_to_string(format!("/sys/block/{name}/dm/uuid"));
    uuid.is_ok_and(|u| u.starts_with("CRYPT-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_swap_is_noticed() {
        const HEAD: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        let swaps = format!(
            "{HEAD}/dev/sda2 partition 8388604 0 -2\n/dev/zram0 partition 1 0 100\n\
             /dev/dm-1 partition 1 0 -3\n/dev/dm-2 partition 1 0 -4\n/swapfile file 1 0 -5\n"
        );
        let open = open_swaps(&swaps, |device| device == "/dev/dm-1");
        assert_eq!(open, ["/dev/sda2", "/dev/dm-2", "/swapfile"]);
        assert!(open_swaps(HEAD, |_| false).is_empty() && open_swaps("", |_| false).is_empty());
        assert!(!encrypted("/dev/null") && !encrypted("/nonexistent"));
    }
}
