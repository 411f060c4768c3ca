//! Where a command writes: the answer to one stream, progress to another.

use std::fmt;
use std::io::{self, Write};

use app_server_protocol::SpeakerName;

/// Standard output and error, or what a test puts in their place.
pub struct Console {
    out: Box<dyn Write + Send>,
    progress: Box<dyn Write + Send>,
    color: bool,
    /// Who is in the middle of a caption: the last line of progress has no end yet.
    captioning: Option<SpeakerName>,
}

impl Console {
    /// `color` is for progress only; an answer is never coloured.
    pub fn new(
        out: impl Write + Send + 'static,
        progress: impl Write + Send + 'static,
        color: bool,
    ) -> Self {
        Self { out: Box::new(out), progress: Box::new(progress), color, captioning: None }
    }

    /// A line of the answer.
    pub(crate) fn answer(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// A line of progress.
    pub(crate) fn note(&mut self, line: impl fmt::Display) -> io::Result<()> {
        self.end_caption()?;
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

    /// More of what somebody is saying.
    pub(crate) fn caption(&mut self, speaker: SpeakerName, words: &str) -> io::Result<()> {
        if self.captioning != Some(speaker) {
            self.end_caption()?;
            self.captioning = Some(speaker);
            let (name, color) = match speaker {
                SpeakerName::User => ("you", 36),
                SpeakerName::Assistant => ("duet", 35),
            };
            if self.color {
                write!(self.progress, "\x1b[{color}m{name}:\x1b[0m ")?;
            } else {
                write!(self.progress, "{name}: ")?;
            }
        }
        let words = words.replace(['\n', '\r'], " ");
        write!(self.progress, "{words}")?;
        self.progress.flush()
    }

    /// All that somebody said, in case not every word was captioned as it came.
    pub(crate) fn captioned(&mut self, speaker: SpeakerName, text: &str) -> io::Result<()> {
        if self.captioning != Some(speaker) {
            self.caption(speaker, text)?;
        }
        self.end_caption()
    }

    fn end_caption(&mut self) -> io::Result<()> {
        if self.captioning.take().is_some() {
            writeln!(self.progress)?;
        }
        Ok(())
    }
}
