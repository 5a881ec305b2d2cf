//! The `fernseed` command.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The fork server is this same program; it must not do anything else
    // first, least of all start threads.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|a| a == "zygote") {
        let prepare = match args.next() {
            Some(kind) if kind == "reading" => fernseed::worker::Prepared::for_reading,
            _ => fernseed::worker::Prepared::new,
        };
        fernseed_sandbox::zygote_main(prepare, fernseed::worker::run);
    }
    cli::run().into()
}
