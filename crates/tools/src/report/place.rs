//! A file and a line, in the ways in which runners write them.

/// A place in a source file. The path is as it was written: absolute or relative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: usize,
}

impl Place {
    /// From `path:12`, `path:12:5` and either with more text after a colon.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("file://").unwrap_or(text);
        let (path, rest) = text.split_once(':')?;
        let digits: &str = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
        let line = digits.parse().ok()?;
        let name = path.rsplit('/').next().unwrap_or(path);
        // Not `12:30:01`, nor `node:internal`.
        let has_extension = name.rsplit_once('.').is_some_and(|(_, it)| !it.is_empty());
        let plain = !path.contains(char::is_whitespace);
        (has_extension && plain && line != 0).then(|| Self { path: path.to_owned(), line })
    }

    /// The last place in a line, between brackets or after a space: `at f (/a/b.js:3:4)`.
    pub(crate) fn last_in(line: &str) -> Option<Self> {
        line.split([' ', '(', ')', '\'', '"', ',']).rev().find_map(Self::parse)
    }

    /// From Python's `File "path", line 12, in name`.
    pub(crate) fn python_frame(line: &str) -> Option<Self> {
        let (path, rest) = line.trim().strip_prefix("File \"")?.split_once('"')?;
        let rest = rest.strip_prefix(", line ")?;
        let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
        Some(Self { path: path.to_owned(), line: digits.parse().ok()? })
    }
}
