//! The `fernseed` command.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The fork server is this same program; it must not do anything else
    // first, least of all start threads.
    if std::env::args_os().nth(1).is_some_and(|a| a == "zygote") {
        fernseed_sandbox::zygote_main(fernseed::worker::Prepared::new, fernseed::worker::run);
    }
    cli::run().into()
}
