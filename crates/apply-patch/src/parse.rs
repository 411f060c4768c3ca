//! From text to hunks.

/// A patch as it was written; nothing is known of the files yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// In order, at least one. Later ones see what earlier ones did.
    pub operations: Vec<Operation>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    Add {
        path: String,
        lines: Vec<String>,
    },
    Delete {
        path: String,
    },
    Update {
        path: String,
        moved_to: Option<String>,
        /// Empty only when the file is moved.
        hunks: Vec<Hunk>,
    },
}

/// Lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// After `@@`, outermost first: the hunk is below all of them.
    pub contexts: Vec<String>,
    pub lines: Vec<Line>,
    /// The last line is the last of the file.
    pub at_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Keep(String),
    Remove(String),
    Add(String),
}

/// Why a text is no patch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the patch: {message}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl Patch {
    /// Reads a patch. Text before `*** Begin Patch` is refused, except for what models wrap
    /// around it: a shell's here-document, a fence of backticks, empty lines.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut lines = Lines::new(text)?;
        let mut operations = Vec::new();
        loop {
            let Some((number, line)) = lines.next() else {
                let message = "the patch ends without `*** End Patch`".to_owned();
                return Err(ParseError { line: lines.count, message });
            };
            match Marker::of(line) {
                Some(Marker::End) => break,
                Some(Marker::Add(path)) => operations.push(lines.add(path)?),
                Some(Marker::Delete(path)) => {
                    operations.push(Operation::Delete { path: path.to_owned() });
                }
                Some(Marker::Update(path)) => operations.push(lines.update(number, path)?),
                Some(Marker::Move(_) | Marker::EndOfFile) | None if !line.trim().is_empty() => {
                    return Err(wrong(
                        number,
                        line,
                        "one of `*** Add File: PATH`, `*** Update File: PATH`, `*** Delete File: PATH` and `*** End Patch`",
                    ));
                }
                Some(Marker::Move(_) | Marker::EndOfFile) | None => (),
            }
        }
        if operations.is_empty() {
            let message = "the patch changes no file".to_owned();
            return Err(ParseError { line: lines.count, message });
        }
        Ok(Self { operations })
    }

    /// Every file that is read or written, as the patch names it.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.operations
            .iter()
            .flat_map(|operation| match operation {
                Operation::Add { path, lines: _ } | Operation::Delete { path } => {
                    [Some(path), None]
                }
                Operation::Update { path, moved_to, hunks: _ } => [Some(path), moved_to.as_ref()],
            })
            .flatten()
            .map(String::as_str)
    }

    /// Names files another way, for instance relative to the workspace.
    pub fn try_map_paths<E>(mut self, map: impl Fn(&str) -> Result<String, E>) -> Result<Self, E> {
        for operation in &mut self.operations {
            match operation {
                Operation::Add { path, lines: _ } | Operation::Delete { path } => {
                    *path = map(path)?;
                }
                Operation::Update { path, moved_to, hunks: _ } => {
                    *path = map(path)?;
                    if let Some(target) = moved_to {
                        *target = map(target)?;
                    }
                }
            }
        }
        Ok(self)
    }
}

/// A line that begins with three stars.
enum Marker<'a> {
    End,
    Add(&'a str),
    Delete(&'a str),
    Update(&'a str),
    Move(&'a str),
    EndOfFile,
}

impl<'a> Marker<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let marker = line.trim().strip_prefix("***")?.trim_start();
        let path =
            |word: &str| marker.strip_prefix(word).map(str::trim).filter(|it| !it.is_empty());
        match marker {
            "End Patch" => return Some(Self::End),
            "End of File" => return Some(Self::EndOfFile),
            _ => (),
        }
        let add = path("Add File:").map(Self::Add);
        let delete = || path("Delete File:").map(Self::Delete);
        let update = || path("Update File:").map(Self::Update);
        let moved = || path("Move to:").map(Self::Move);
        add.or_else(delete).or_else(update).or_else(moved)
    }
}

/// The lines between the first and the last marker, with their numbers.
struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
    /// Of the whole text.
    count: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        // A patch that was written with Windows' line ends has none of its own.
        let lines: Vec<&str> = text.lines().collect();
        let count = lines.len();
        let begin = lines.iter().position(|line| line.trim() == "*** Begin Patch");
        let wrapping = |line: &&str| {
            let line = line.trim();
            line.is_empty() || line.starts_with("```") || line.contains("<<")
        };
        match begin {
            Some(begin) if lines[..begin].iter().all(wrapping) => {
                Ok(Self { lines, at: begin + 1, count })
            }
            Some(_) | None => {
                let message = "a patch begins with `*** Begin Patch`".to_owned();
                Err(ParseError { line: 1, message })
            }
        }
    }

    fn next(&mut self) -> Option<(usize, &'a str)> {
        let line = self.lines.get(self.at)?;
        self.at += 1;
        Some((self.at, line))
    }

    fn next_if(&mut self, wanted: impl Fn(&str) -> bool) -> Option<(usize, &'a str)> {
        let line = self.lines.get(self.at)?;
        if wanted(line) { self.next() } else { None }
    }

    fn add(&mut self, path: &str) -> Result<Operation, ParseError> {
        let mut added = Vec::new();
        // Empty lines without their `+`: an editor or a model has taken it off. Between lines of
        // the file they are lines of it; before the first and after the last they only separate.
        let mut bare = 0;
        while let Some((number, line)) = self.next_if(|line| Marker::of(line).is_none()) {
            match line.strip_prefix('+') {
                Some(line) => {
                    let between = if added.is_empty() { 0 } else { bare };
                    added.extend(std::iter::repeat_n(String::new(), between));
                    bare = 0;
                    added.push(line.to_owned());
                }
                None if line.trim().is_empty() => bare += 1,
                None => return Err(wrong(number, line, "a line of the new file, after a `+`")),
            }
        }
        Ok(Operation::Add { path: path.to_owned(), lines: added })
    }

    fn update(&mut self, number: usize, path: &str) -> Result<Operation, ParseError> {
        let mut moved_to = None;
        if let Some((_, line)) =
            self.next_if(|line| matches!(Marker::of(line), Some(Marker::Move(_))))
            && let Some(Marker::Move(target)) = Marker::of(line)
        {
            moved_to = Some(target.to_owned());
        }
        let mut hunks = Vec::new();
        while let Some(hunk) = self.hunk()? {
            hunks.push(hunk);
        }
        if hunks.is_empty() && moved_to.is_none() {
            let message = format!("nothing is changed in {path}");
            return Err(ParseError { line: number, message });
        }
        Ok(Operation::Update { path: path.to_owned(), moved_to, hunks })
    }

    /// `None` at the next marker.
    fn hunk(&mut self) -> Result<Option<Hunk>, ParseError> {
        let mut hunk = Hunk { contexts: Vec::new(), lines: Vec::new(), at_end: false };
        let begun = self.at;
        while let Some((_, line)) = self.next_if(|line| line.starts_with("@@")) {
            // Models close it as a unified diff does: `@@ fn x() @@`.
            let context = line[2..].trim();
            let context = context.strip_suffix("@@").unwrap_or(context).trim_end();
            if !context.is_empty() {
                hunk.contexts.push(context.to_owned());
            }
        }
        while let Some((number, line)) =
            self.next_if(|line| Marker::of(line).is_none() && !line.starts_with("@@"))
        {
            let mut chars = line.chars();
            let kind = chars.next();
            let rest = chars.as_str().to_owned();
            hunk.lines.push(match kind {
                Some('+') => Line::Add(rest),
                Some('-') => Line::Remove(rest),
                Some(' ') => Line::Keep(rest),
                // Trailing spaces are often lost, and then an empty line is that alone.
                None => Line::Keep(String::new()),
                Some('\t') => Line::Keep(line.to_owned()),
                Some(_) => {
                    return Err(wrong(
                        number,
                        line,
                        "a line that begins with a space, a `+` or a `-`",
                    ));
                }
            });
        }
        if self.next_if(|line| matches!(Marker::of(line), Some(Marker::EndOfFile))).is_some() {
            hunk.at_end = true;
        }
        // Empty lines before a marker separate, they are not context.
        if !hunk.at_end {
            while hunk.lines.last() == Some(&Line::Keep(String::new())) && self.at_marker() {
                hunk.lines.pop();
            }
        }
        if self.at == begun {
            return Ok(None);
        }
        if hunk.lines.is_empty() {
            if self.at_marker() && hunk.contexts.is_empty() && !hunk.at_end {
                return Ok(None);
            }
            let message = "this hunk has no lines".to_owned();
            return Err(ParseError { line: begun + 1, message });
        }
        Ok(Some(hunk))
    }

    fn at_marker(&self) -> bool {
        self.lines.get(self.at).is_none_or(|line| Marker::of(line).is_some())
    }
}

fn wrong(line: usize, text: &str, expected: &str) -> ParseError {
    let shown: String = text.chars().take(80).collect();
    ParseError { line, message: format!("`{shown}` is not {expected}") }
}
