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
    screen: Option<Screen>,
}

/// A terminal, whose last line may come and go.
struct Screen {
    columns: usize,
    /// Characters of that line.
    drawn: usize,
}

impl Console {
    /// `color` is for progress only; an answer is never coloured.
    pub fn new(
        out: impl Write + Send + 'static,
        progress: impl Write + Send + 'static,
        color: bool,
    ) -> Self {
        Self {
            out: Box::new(out),
            progress: Box::new(progress),
            color,
            captioning: None,
            screen: None,
        }
    }

    /// Progress is seen on a terminal as wide as this: there, what goes on is shown as it lasts.
    #[must_use]
    pub fn on_screen(mut self, columns: u16) -> Self {
        self.screen = Some(Screen { columns: columns.into(), drawn: 0 });
        self
    }

    /// Whether [`Console::status`] is seen by anybody.
    pub(crate) fn has_screen(&self) -> bool {
        self.screen.is_some()
    }

    /// What goes on now, in place of what went on before. It is gone when anything else is said.
    pub(crate) fn status(&mut self, line: &str) -> io::Result<()> {
        if self.captioning.is_some() {
            return Ok(());
        }
        let Some(screen) = &mut self.screen else { return Ok(()) };
        // In the last column some terminals begin the next line. A command may have any
        // characters, and some move the cursor.
        let shown: String = line
            .chars()
            .map(|it| if it.is_control() { ' ' } else { it })
            .take(screen.columns.saturating_sub(1))
            .collect();
        let length = shown.chars().count();
        // Written over: what clears a line is an escape, and not everybody wants those.
        let rest = screen.drawn.saturating_sub(length);
        write!(self.progress, "\r{shown}{:rest$}", "")?;
        screen.drawn = length;
        self.progress.flush()
    }

    pub(crate) fn clear_status(&mut self) -> io::Result<()> {
        let Some(Screen { columns: _, drawn: drawn @ 1.. }) = &mut self.screen else {
            return Ok(());
        };
        let length = std::mem::take(drawn);
        write!(self.progress, "\r{:length$}\r", "")?;
        self.progress.flush()
    }

    /// A line of the answer.
    pub(crate) fn answer(&mut self, line: &str) -> io::Result<()> {
        // Perhaps on the same terminal.
        self.clear_status()?;
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

    /// A line of a unified diff.
    pub(crate) fn diff_line(&mut self, line: &str) -> io::Result<()> {
        let color = match line.as_bytes().first() {
            Some(b'+') => 32,
            Some(b'-') => 31,
            Some(_) | None => return self.aside(line),
        };
        if self.color {
            return self.note(format_args!("\x1b[{color}m{line}\x1b[0m"));
        }
        self.note(line)
    }

    fn end_caption(&mut self) -> io::Result<()> {
        self.clear_status()?;
        if self.captioning.take().is_some() {
            writeln!(self.progress)?;
        }
        Ok(())
    }
}

/// The prompt of a shell comes next.
impl Drop for Console {
    fn drop(&mut self) {
        // A terminal that has gone has nothing on it.
        self.clear_status().ok();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn console() -> (Console, Page) {
        let page = Page::default();
        (Console::new(page.clone(), page.clone(), /*color*/ false), page)
    }

    #[test]
    fn what_goes_on_is_gone_when_anything_is_said() {
        let (console, page) = console();
        let mut console = console.on_screen(16);
        console.status("running `a\tb\n`, 1 s").unwrap();
        assert_eq!(page.take(), "\rrunning `a b `,");
        console.status("thinking, 2 s").unwrap();
        assert_eq!(page.take(), "\rthinking, 2 s  ");
        console.note("exec").unwrap();
        assert_eq!(page.take(), "\r             \rexec\n");
        console.status("a").unwrap();
        console.answer("so").unwrap();
        assert_eq!(page.take(), "\ra\r \rso\n");
        console.status("b").unwrap();
        console.caption(SpeakerName::User, "hi").unwrap();
        // Not into the middle of what somebody says.
        console.status("c").unwrap();
        console.caption(SpeakerName::User, " there").unwrap();
        console.note("d").unwrap();
        assert_eq!(page.take(), "\rb\r \ryou: hi there\nd\n");
        console.status("e").unwrap();
        drop(console);
        assert_eq!(page.take(), "\re\r \r");
    }

    #[test]
    fn where_nobody_looks_nothing_goes_on() {
        let (mut console, page) = console();
        console.status("thinking, 2 s").unwrap();
        console.note("exec").unwrap();
        assert_eq!(page.take(), "exec\n");
    }
}
