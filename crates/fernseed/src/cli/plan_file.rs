//! Plans and reports on disk. They are written as new files, never over
//! something that is there.

use super::terminal::{Problem, Terminal};
use fernseed_core::plan::Plan;
use std::io::{Read, Write};
use std::path::Path;

/// Largest plan that is read.
const MAX_PLAN_BYTES: u64 = 1 << 30;

/// Reads and checks a plan.
pub(crate) fn read(path: &Path) -> Result<Plan, Problem> {
    let wrong = |why: String| {
        Problem::input(format!("{}: {why}; make a plan with `fernseed scan`", path.display()))
    };
    let file = std::fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
    let mut text = String::new();
    file.take(MAX_PLAN_BYTES).read_to_string(&mut text).map_err(|e| wrong(e.to_string()))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|e| wrong(format!("no plan: {e}")))?;
    plan.check().map_err(|e| wrong(e.to_string()))?;
    Ok(plan)
}

/// Writes a plan to a new file, or to standard output.
pub(crate) fn write(plan: &Plan, path: Option<&Path>, out: &Terminal) -> Result<(), Problem> {
    match path {
        None => {
            let text = serde_json::to_string(plan).map_err(Problem::io)?;
            out.result(&text);
            Ok(())
        }
        Some(path) => {
            let text = serde_json::to_string_pretty(plan).map_err(Problem::io)?;
            write_new(path, &text)?;
            out.say(&format!("The plan is in {}.", path.display()));
            Ok(())
        }
    }
}

/// Fails early if a file that is to be written exists.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Problem> {
    if path.symlink_metadata().is_ok() {
        return Err(Problem::usage(format!(
            "{} already exists; remove it or choose another name",
            path.display()
        )));
    }
    Ok(())
}

/// Writes a new file.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Problem> {
    refuse_existing(path)?;
    let failed = |e: std::io::Error| Problem::io(format!("cannot write {}: {e}", path.display()));
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.write_all(b"\n").map_err(failed)?;
    file.sync_all().map_err(failed)
}
