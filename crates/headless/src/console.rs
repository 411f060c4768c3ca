//! Where a command writes: the answer to one stream, progress to another.

use std::fmt;
use std::io::{self, Write};

/// Standard output and error, or what a test puts in their place.
pub struct Console {
    out: Box<dyn Write + Send>,
    progress: Box<dyn Write + Send>,
    color: bool,
}

impl Console {
    /// `color` is for progress only; an answer is never coloured.
    pub fn new(
        out: impl Write + Send + 'static,
        progress: impl Write + Send + 'static,
        color: bool,
    ) -> Self {
        Self { out: Box::new(out), progress: Box::new(progress), color }
    }

    /// A line of the answer.
    pub(crate) fn answer(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// A line of progress.
    pub(crate) fn note(&mut self, line: impl fmt::Display) -> io::Result<()> {
        writeln!(self.progress, "{line}")?;
        self.progress.flush()
    }

    /// A line of progress that heads others.
    pub(crate) fn heading(&mut self, line: &str) -> io::Result<()> {
        if self.color {
            return self.note(format_args!("\x1b[1m{line}\x1b[0m"));
        }
        self.note(line)
    }

    /// A line of progress of little weight.
    pub(crate) fn aside(&mut self, line: &str) -> io::Result<()> {
        if self.color {
            return self.note(format_args!("\x1b[2m{line}\x1b[0m"));
        }
        self.note(line)
    }
}
