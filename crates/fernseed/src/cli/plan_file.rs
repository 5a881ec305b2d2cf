//! Plans and reports on disk. They are written as new files, never over
//! something that is there.

use super::terminal::{Problem, Terminal};
use fernseed::host::publish::PendingOutput;
use fernseed_core::plan::Plan;
use serde::Serialize;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

/// Largest plan that is read.
const MAX_PLAN_BYTES: u64 = 1 << 30;

/// Reads and checks a plan.
pub(crate) fn read(path: &Path) -> Result<Plan, Problem> {
    let wrong = |why: String| {
        Problem::input(format!("{}: {why}; make a plan with `fernseed scan`", path.display()))
    };
    let file = std::fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
    let text = BufReader::new(file.take(MAX_PLAN_BYTES));
    let plan: Plan = serde_json::from_reader(text).map_err(|e| match e.is_io() {
        true => wrong(e.to_string()),
        false => wrong(format!("no plan: {e}")),
    })?;
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
            write_new(path, plan)?;
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

/// Writes `value` as JSON that people can read to a new file, which has its
/// name only once it is whole.
pub(crate) fn write_new<T: Serialize>(path: &Path, value: &T) -> Result<(), Problem> {
    let failed = |e: String| Problem::io(format!("cannot write {}: {e}", path.display()));
    let name = path.file_name().ok_or_else(|| failed("it is no file's name".to_owned()))?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let pending = PendingOutput::create(folder).map_err(|e| failed(e.to_string()))?;
    let mut file = BufWriter::new(pending.file());
    serde_json::to_writer_pretty(&mut file, value).map_err(|e| failed(e.to_string()))?;
    file.write_all(b"\n").and_then(|()| file.flush()).map_err(|e| failed(e.to_string()))?;
    drop(file);
    pending.publish(name).map_err(|e| failed(e.to_string()))?;
    Ok(())
}
