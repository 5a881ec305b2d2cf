//! The command line: thin commands over the library.

mod args;
mod audit;
mod doctor;
mod folders;
mod inspect;
mod links;
mod manual;
mod plan_file;
mod progress;
mod redact;
mod schema;
mod strip;
mod summary;
mod terminal;

use args::{Cli, Command};
use clap::Parser;
use fernseed::exit::Exit;

/// Parses the command line and does what it says.
pub(crate) fn run() -> Exit {
    forbid_core_dumps();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help and version to stdout, mistakes to stderr.
            let printed = error.print();
            return match (error.use_stderr(), printed) {
                (true, _) => Exit::Usage,
                (false, Ok(())) => Exit::Clean,
                (false, Err(_)) => Exit::Io,
            };
        }
    };
    let out = terminal::Terminal::new(&cli.global);
    let result = match &cli.command {
        Command::Redact(args) => redact::redact(args, &out),
        Command::Scan(args) => redact::scan(args, &out),
        Command::Apply(args) => redact::apply(args, &out),
        Command::Strip(args) => strip::strip(args, &out),
        Command::Inspect(args) => inspect::inspect(args, &out),
        Command::Audit(args) => audit::audit(args, &out),
        Command::Doctor => doctor::doctor(&out),
        Command::Schema(args) => schema::schema(args, &out),
        Command::Completions(args) => manual::completions(args, &out),
        Command::Man(args) => manual::man(args, &out),
    };
    match result {
        Ok(exit) => exit,
        Err(problem) => {
            out.problem(&problem);
            problem.exit
        }
    }
}

/// A crash must not write memory to a disk. Workers see to it themselves.
fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Lowering a limit is refused to nobody.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).ok();
}
