//! A file as lines that remember how they ended.

/// Lines with their own ends. Put together they are the file again, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) lines: Vec<FileLine>,
    /// What new lines end with.
    end: End,
    /// The last line has an end.
    ended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileLine {
    pub(crate) text: String,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Unix,
    Windows,
}

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        let mut lines: Vec<FileLine> = Vec::new();
        for line in text.split_inclusive('\n') {
            let body = line.strip_suffix('\n').unwrap_or(line);
            let (text, end) = match body.strip_suffix('\r') {
                Some(text) if body.len() < line.len() => (text, End::Windows),
                Some(_) | None => (body, End::Unix),
            };
            lines.push(FileLine { text: text.to_owned(), end });
        }
        let windows = lines.iter().filter(|line| line.end == End::Windows).count();
        let end = if lines.len() < windows * 2 { End::Windows } else { End::Unix };
        Self { lines, end, ended: text.is_empty() || text.ends_with('\n') }
    }

    pub(crate) fn line(&self, text: &str) -> FileLine {
        // A patch may carry the ends of the file that it was made from.
        let text = if self.end == End::Windows { text.trim_end_matches('\r') } else { text };
        FileLine { text: text.to_owned(), end: self.end }
    }

    pub(crate) fn into_string(mut self) -> String {
        // What was last without an end has something after it now, and what is last now has none.
        let mut whole = String::new();
        let last = self.lines.pop();
        for line in &self.lines {
            whole.push_str(&line.text);
            whole.push_str(line.end.text());
        }
        if let Some(last) = last {
            whole.push_str(&last.text);
            whole.push_str(if self.ended { last.end.text() } else { "" });
        }
        whole
    }
}

impl End {
    fn text(self) -> &'static str {
        match self {
            Self::Unix => "\n",
            Self::Windows => "\r\n",
        }
    }
}
