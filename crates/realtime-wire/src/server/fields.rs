//! Reads the fields of a JSON object and knows their path, so that a refusal can name it.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// A JSON object and where it stands in its event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: Path<'a>,
}

/// One value and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) value: &'a Value,
    path: Path<'a>,
    name: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// A chain of steps on the stack, so that paths cost nothing until something is wrong.
#[derive(Debug, Clone, Copy)]
enum Path<'a> {
    Root,
    At(&'a Field<'a>),
}

impl<'a> Fields<'a> {
    pub(crate) const fn root(map: &'a Map<String, Value>) -> Self {
        Self { map, path: Path::Root }
    }

    /// The field as it is, null included.
    pub(crate) fn raw(&self, name: &'a str) -> Option<Field<'a>> {
        let value = self.map.get(name)?;
        Some(Field { value, path: self.path, name: Step::Key(name) })
    }

    /// The field, where null means the same as leaving it out.
    pub(crate) fn get(&self, name: &'a str) -> Option<Field<'a>> {
        self.raw(name).filter(|field| !field.value.is_null())
    }

    pub(crate) fn required(&self, name: &'a str) -> Result<Field<'a>, Refusal> {
        self.get(name).ok_or_else(|| {
            let missing = Field { value: &Value::Null, path: self.path, name: Step::Key(name) };
            Refusal::missing(&missing.path())
        })
    }

    pub(crate) fn text(&self, name: &'a str) -> Result<Option<String>, Refusal> {
        self.get(name).map(|field| field.text().map(str::to_owned)).transpose()
    }

    pub(crate) fn required_text(&self, name: &'a str) -> Result<String, Refusal> {
        self.required(name)?.text().map(str::to_owned)
    }

    pub(crate) fn boolean(&self, name: &'a str) -> Result<Option<bool>, Refusal> {
        self.get(name).map(|field| field.boolean()).transpose()
    }
}

impl<'a> Field<'a> {
    /// Such as `session.tools[2].name`.
    pub(crate) fn path(&self) -> String {
        let mut path = match self.path {
            Path::Root => String::new(),
            Path::At(parent) => parent.path(),
        };
        match self.name {
            Step::Key(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }

    pub(crate) fn fields(&'a self) -> Result<Fields<'a>, Refusal> {
        match self.value {
            Value::Object(map) => Ok(Fields { map, path: Path::At(self) }),
            other => Err(Refusal::wrong_type(&self.path(), "an object", other)),
        }
    }

    pub(crate) fn list(&'a self) -> Result<impl Iterator<Item = Field<'a>>, Refusal> {
        match self.value {
            Value::Array(values) => Ok(values.iter().enumerate().map(|(index, value)| Field {
                value,
                path: Path::At(self),
                name: Step::Index(index),
            })),
            other => Err(Refusal::wrong_type(&self.path(), "an array", other)),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, Refusal> {
        self.value.as_str().ok_or_else(|| Refusal::wrong_type(&self.path(), "a string", self.value))
    }

    pub(crate) fn boolean(&self) -> Result<bool, Refusal> {
        self.value
            .as_bool()
            .ok_or_else(|| Refusal::wrong_type(&self.path(), "a boolean", self.value))
    }

    pub(crate) fn integer(&self, range: RangeInclusive<u64>) -> Result<u64, Refusal> {
        // 20.0 is an integer to a JavaScript client.
        let number = match self.value {
            Value::Number(number) => number.as_u64().or_else(|| {
                let number = number.as_f64()?;
                // Exact: below 2^53, where every integer has its own double.
                (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
            }),
            other => return Err(Refusal::wrong_type(&self.path(), "an integer", other)),
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            let expected = match *high {
                u64::MAX => {
                    format!("expected an integer of at least {low}, but got {}.", self.value)
                }
                high => {
                    format!("expected an integer from {low} to {high}, but got {}.", self.value)
                }
            };
            Refusal::invalid(&self.path(), expected)
        })
    }

    pub(crate) fn number(&self, range: RangeInclusive<f64>) -> Result<f64, Refusal> {
        let number = self
            .value
            .as_f64()
            .ok_or_else(|| Refusal::wrong_type(&self.path(), "a number", self.value))?;
        if range.contains(&number) {
            Ok(number)
        } else {
            let (low, high) = (range.start(), range.end());
            Err(self.invalid(format!("expected a number from {low} to {high}, but got {number}.")))
        }
    }

    /// One of some words, each with its meaning.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Refusal> {
        let text = self.text()?;
        choices.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(
            || {
                let words: Vec<String> =
                    choices.iter().map(|(word, _)| format!("'{word}'")).collect();
                self.invalid(format!(
                    "'{text}' is not supported. Supported values are: {}.",
                    words.join(", ")
                ))
            },
        )
    }

    pub(crate) fn invalid(&self, why: impl std::fmt::Display) -> Refusal {
        Refusal::invalid(&self.path(), why)
    }
}
