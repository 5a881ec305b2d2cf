//! Progress bars on standard error, and results as files end.

use super::redact::show;
use super::terminal::Terminal;
use fernseed::host::batch::Display;
use fernseed::host::inputs::Input;
use fernseed::host::job::Finished;
use fernseed::host::workers::Listener;
use fernseed::protocol::Phase;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The bars of a run.
pub(crate) struct Bars<'a> {
    out: &'a Terminal,
    all: MultiProgress,
    overall: Option<ProgressBar>,
    words_to_stderr: bool,
}

impl<'a> Bars<'a> {
    pub(crate) fn new(out: &'a Terminal, files: usize, _allow_empty: bool) -> Self {
        let all = MultiProgress::new();
        if !out.progress {
            all.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let overall = (files > 1).then(|| {
            let style = style("{pos}/{len} files {wide_bar} {eta}");
            all.add(ProgressBar::new(files as u64).with_style(style))
        });
        Self { out, all, overall, words_to_stderr: false }
    }

    /// Words for people go to standard error, since standard output holds
    /// the result itself.
    pub(crate) fn words_to_stderr(mut self) -> Self {
        self.words_to_stderr = true;
        self
    }

    /// Takes the bars away.
    pub(crate) fn clear(&self) {
        // A terminal that went away needs no clearing.
        drop(self.all.clear());
    }
}

impl Bars<'_> {
    /// Work on a file begins.
    pub(crate) fn begin_file(&self, input: &Input) -> Box<dyn Listener> {
        let name = input.path.file_name().unwrap_or_default().to_string_lossy();
        let name = fernseed_sandbox::printable(&name, 40);
        let bar = self.all.add(ProgressBar::new_spinner().with_message(name));
        bar.set_style(style("{msg} {prefix} {spinner}"));
        Box::new(Bar { bar })
    }

    /// Work on a file has ended; `show` prints what became of it.
    pub(crate) fn end_file(&self, show: impl FnOnce()) {
        if let Some(overall) = &self.overall {
            overall.inc(1);
        }
        self.all.suspend(show);
    }
}

impl Display for Bars<'_> {
    fn begin(&self, input: &Input) -> Box<dyn Listener> {
        self.begin_file(input)
    }

    fn end(&self, input: &Input, finished: &Finished) {
        self.end_file(|| show(self.out, input, finished, self.words_to_stderr));
    }
}

struct Bar {
    bar: ProgressBar,
}

impl Listener for Bar {
    fn progress(&mut self, phase: Phase, done: u64, total: Option<u64>) {
        self.bar.set_prefix(phase.word());
        match total {
            Some(total) if total > 1 => {
                self.bar.set_style(style("{msg} {prefix} {wide_bar} {pos}/{len} {eta}"));
                self.bar.set_length(total.max(done));
                self.bar.set_position(done);
            }
            _ => self.bar.tick(),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
