//! Completions and manual pages, generated from the grammar itself.

use super::args::{Cli, CompletionArgs, ManArgs};
use super::terminal::{Problem, Terminal};
use clap::CommandFactory;
use fernseed::exit::Exit;

pub(crate) fn completions(args: &CompletionArgs, out: &Terminal) -> Result<Exit, Problem> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "fernseed", &mut text);
    out.result(&String::from_utf8_lossy(&text));
    Ok(Exit::Clean)
}

pub(crate) fn man(args: &ManArgs, out: &Terminal) -> Result<Exit, Problem> {
    let failed =
        |e: std::io::Error| Problem::io(format!("cannot write {}: {e}", args.folder.display()));
    std::fs::create_dir_all(&args.folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.folder).map_err(failed)?;
    out.say(&format!("The manual pages are in {}.", args.folder.display()));
    Ok(Exit::Clean)
}
