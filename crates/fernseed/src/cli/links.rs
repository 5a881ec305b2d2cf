//! `audit --link`: what ties the files of a folder to one source.

use super::inspect::name_of;
use super::redact::{cores, start_readers};
use super::terminal::{Paint, Problem, Terminal};
use fernseed::exit::Exit;
use fernseed::host::job::{limits, open_input};
use fernseed::host::listing::{Listed, list};
use fernseed::host::pool::in_order;
use fernseed::host::workers::{Silent, Workers};
use fernseed::protocol::{Role, Task};
use fernseed::report::LinksLine;
use fernseed_sandbox::printable;
use fernseed_scrub::link::Strength;
use fernseed_scrub::{LinkFacts, LinkGroup};
use std::os::fd::AsFd;
use std::path::Path;

/// Files of a group that are named without `-v`.
const MAX_NAMED: usize = 4;
/// Groups of one strength that are printed without `-v`.
const MAX_GROUPS: usize = 15;

/// Reads every file in a sealed worker and compares what they said.
pub(crate) fn links(folder: &Path, jobs: Option<usize>, out: &Terminal) -> Result<Exit, Problem> {
    if !folder.is_dir() {
        return Err(Problem::input(format!("{}: is no folder", folder.display())));
    }
    let (files, failed) = list(&[folder.to_owned()]);
    let mut exit = Exit::Clean;
    for error in failed {
        out.error(&error.to_string());
        exit = exit.max(Exit::Input);
    }
    let workers = start_readers()?;
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    in_order(
        &files,
        jobs.unwrap_or_else(cores),
        &|| workers.interrupted(),
        &|file| read(&workers, file),
        &mut |file, facts| match facts {
            Ok(facts) => {
                let inside = file.path.strip_prefix(folder).unwrap_or(&file.path);
                let name = printable(&inside.to_string_lossy(), 300);
                if facts.container == "unknown" {
                    unknown.push(name.clone());
                }
                known.push((name, facts));
            }
            Err(error) => {
                out.error(&format!("{}: {error}", name_of(file)));
                exit = exit.max(Exit::Input);
            }
        },
    );
    if workers.interrupted() {
        return Ok(Exit::Interrupted);
    }
    let line = LinksLine {
        folder: printable(&folder.to_string_lossy(), 300),
        compared: known.len() as u64,
        unknown,
        groups: fernseed_scrub::links(&known),
    };
    // One source cannot be read off traits that thousands of devices share.
    if line.groups.iter().any(|g| g.strength > Strength::Weak) {
        exit = exit.max(Exit::Look);
    }
    if out.json {
        out.json(&line)?;
    } else {
        print(out, &line);
    }
    Ok(exit)
}

fn read(workers: &Workers, file: &Listed) -> Result<LinkFacts, String> {
    let open = open_input(&file.path).map_err(|e| e.to_string())?;
    let files = [open.as_fd()];
    let said = workers
        .run(Role::Facts, &files, Task::Facts, limits(), &mut Silent)
        .map_err(|e| e.to_string())?;
    said.facts.ok_or_else(|| "the program that reads the file did not answer".to_owned())
}

fn print(out: &Terminal, line: &LinksLine) {
    let many =
        if line.compared == 1 { "1 file".to_owned() } else { format!("{} files", line.compared) };
    out.result(&format!("{}: {many} compared", out.paint(Paint::Strong, &line.folder)));
    if line.groups.is_empty() {
        out.result("  Nothing ties them together that this program knows of.");
    }
    for strength in [Strength::Strong, Strength::Medium, Strength::Weak] {
        let groups: Vec<&LinkGroup> =
            line.groups.iter().filter(|g| g.strength == strength).collect();
        if groups.is_empty() {
            continue;
        }
        let (title, paint) = match strength {
            Strength::Strong => ("strong ties (they belong to one source)", Paint::Bad),
            Strength::Medium => ("ties (few sources share them)", Paint::Doubt),
            Strength::Weak => ("weak ties (many sources share them)", Paint::Plain),
        };
        out.result(&format!("  {}", out.paint(paint, title)));
        let shown = if out.verbose { usize::MAX } else { MAX_GROUPS };
        for group in groups.iter().take(shown) {
            out.result(&format!("    {}", group.message));
            out.result(&format!("      {}", out.paint(Paint::Faint, &names(group, out.verbose))));
        }
        if groups.len() > shown {
            out.result(&format!("    and {} more (-v lists all)", groups.len() - shown));
        }
    }
    if !line.unknown.is_empty() {
        let few = line.unknown.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
        let rest = line.unknown.len().saturating_sub(MAX_NAMED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        out.result(&format!("  note: of no known format, hardly compared: {few}{more}"));
    }
    out.result(
        "  Not compared: what is in the pictures, and the trace that a camera's sensor leaves.",
    );
}

fn names(group: &LinkGroup, all: bool) -> String {
    let shown = if all { usize::MAX } else { MAX_NAMED };
    let rest = group.files.len().saturating_sub(shown);
    let few = group.files.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
    if rest > 0 { format!("{few} and {rest} more") } else { few }
}
