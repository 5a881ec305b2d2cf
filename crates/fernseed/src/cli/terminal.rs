//! Standard output and standard error, and who is looking.

use super::args::{Global, When};
use fernseed::exit::Exit;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Where results, words and problems go.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    /// True if progress bars are shown.
    pub(crate) progress: bool,
    /// True if standard output takes colours.
    colour: bool,
}

/// How a word is drawn on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Strong,
    Faint,
    Good,
    Doubt,
    Bad,
}

/// A problem that ends the command.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn usage(message: impl ToString) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    pub(crate) fn io(message: impl ToString) -> Self {
        Self { exit: Exit::Io, message: message.to_string() }
    }

    pub(crate) fn busy(message: impl ToString) -> Self {
        Self { exit: Exit::Busy, message: message.to_string() }
    }

    pub(crate) fn input(message: impl ToString) -> Self {
        Self { exit: Exit::Input, message: message.to_string() }
    }
}

impl Terminal {
    pub(crate) fn new(global: &Global) -> Self {
        let progress = match global.progress {
            When::Always => true,
            When::Never => false,
            When::Auto => std::io::stderr().is_terminal() && !global.quiet,
        };
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|v| v != "dumb");
        let colour = wanted && !global.json && std::io::stdout().is_terminal();
        Self { json: global.json, quiet: global.quiet, verbose: global.verbose, progress, colour }
    }

    /// The text, coloured if a person looks at a terminal.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => return text.to_owned(),
            Paint::Strong => 1,
            Paint::Faint => 2,
            Paint::Good => 32,
            Paint::Doubt => 33,
            Paint::Bad => 31,
        };
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// A line for people on standard output; silent with `--json` and `-q`.
    pub(crate) fn say(&self, line: &str) {
        if !self.json && !self.quiet {
            write_line(&mut std::io::stdout().lock(), line);
        }
    }

    /// A line on standard output in any case: the result itself.
    pub(crate) fn result(&self, line: &str) {
        write_line(&mut std::io::stdout().lock(), line);
    }

    /// A value as one line of JSON on standard output.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Problem> {
        let line = serde_json::to_string(value).map_err(Problem::io)?;
        self.result(&line);
        Ok(())
    }

    /// A warning on standard error; shown unless `-q`.
    pub(crate) fn warn(&self, line: &str) {
        if !self.quiet {
            write_line(&mut std::io::stderr().lock(), &format!("warning: {line}"));
        }
    }

    /// A problem on standard error, always.
    pub(crate) fn problem(&self, problem: &Problem) {
        self.error(&problem.message);
    }

    /// An error line on standard error, always.
    pub(crate) fn error(&self, line: &str) {
        write_line(&mut std::io::stderr().lock(), &format!("error: {line}"));
    }
}

/// Writes a line; a reader that went away (`| head`) is no error.
fn write_line(to: &mut impl Write, line: &str) {
    drop(writeln!(to, "{line}"));
}
