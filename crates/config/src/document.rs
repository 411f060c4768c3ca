//! The file's text, and where in it things are.

use std::ops::Range;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_ignored::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{ConfigError, Place};
use crate::overrides::Override;

/// A key's segments, outermost first.
pub(crate) type KeyPath = Vec<String>;

pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Document {
    /// Reads `T`, and the keys that it does not have.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<(T, Vec<KeyPath>), ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            place: self.place_of(error.span()),
            reason: first_line(error.message()),
        };
        // Read twice: once for the syntax, whose errors have no key.
        toml::from_str::<toml::Table>(&self.text).map_err(syntax)?;
        let deserializer = toml::Deserializer::parse(&self.text).map_err(syntax)?;
        let mut unknown = Vec::new();
        let read = serde_ignored::deserialize(deserializer, |path| unknown.push(segments(&path)));
        match read {
            Ok(read) => Ok((read, unknown)),
            Err(error) => Err(ConfigError::Value {
                place: self.place_of(error.span()),
                key: self.key_at(error.span()),
                reason: first_line(error.message()),
            }),
        }
    }

    /// The line that sets `key`, or the nearest table around it.
    pub(crate) fn line_of(&self, key: &[String]) -> Option<usize> {
        let document = DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let mut line = None;
        for segment in key {
            let Some((name, value)) = table.iter().find(|(it, _)| it.get_ref() == segment) else {
                break;
            };
            line = Some(self.line_at(name.span().start));
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        line
    }

    fn place_of(&self, span: Option<Range<usize>>) -> Place {
        let path = self.path.clone();
        Place::File { path, line: self.line_at(span.map_or(0, |it| it.start)) }
    }

    fn line_at(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        before.iter().filter(|it| **it == b'\n').count() + 1
    }

    /// The innermost key whose name or value holds `span`.
    fn key_at(&self, span: Option<Range<usize>>) -> String {
        let Some((span, document)) = span.zip(DeTable::parse(&self.text).ok()) else {
            return String::new();
        };
        let mut path = Vec::new();
        let mut table = document.get_ref();
        while let Some((name, value)) = table.iter().find(|(name, value)| {
            holds(name, &span) || holds(value, &span) || holds_inside(value.get_ref(), &span)
        }) {
            path.push(name.get_ref().clone().into_owned());
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        show_key(&path)
    }
}

/// Reads one override alone, for its own errors.
pub(crate) fn read_override<T: DeserializeOwned>(
    over: &Override,
) -> Result<Vec<KeyPath>, ConfigError> {
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize::<_, _, T>(over.table(), |path| {
        unknown.push(segments(&path));
    });
    match read {
        Ok(_) => Ok(unknown),
        Err(error) => Err(ConfigError::Value {
            place: Place::Flag { text: over.shown().to_owned() },
            key: show_key(over.path()),
            reason: first_line(error.message()),
        }),
    }
}

/// As it would be written in a file.
pub(crate) fn show_key(path: &[String]) -> String {
    let bare = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let show = |it: &String| {
        let is_bare = !it.is_empty() && it.chars().all(bare);
        if is_bare { it.clone() } else { format!("{it:?}") }
    };
    path.iter().map(show).collect::<Vec<_>>().join(".")
}

fn segments(path: &Path<'_>) -> KeyPath {
    match path {
        Path::Root => Vec::new(),
        Path::Seq { parent, index } => extended(parent, index.to_string()),
        Path::Map { parent, key } => extended(parent, key.clone()),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => segments(parent),
    }
}

fn extended(parent: &Path<'_>, segment: String) -> KeyPath {
    let mut path = segments(parent);
    path.push(segment);
    path
}

fn holds<T>(spanned: &Spanned<T>, span: &Range<usize>) -> bool {
    let own = spanned.span();
    own.start <= span.start && span.end <= own.end
}

/// A table's own span is its header; its entries may be anywhere.
fn holds_inside(value: &DeValue<'_>, span: &Range<usize>) -> bool {
    let DeValue::Table(table) = value else { return false };
    table.iter().any(|(name, value)| {
        holds(name, span) || holds(value, span) || holds_inside(value.get_ref(), span)
    })
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
