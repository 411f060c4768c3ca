//! Settings that are given for one run: `-c key=value`.

use serde::Serialize;
use toml::{Table, Value};

use crate::ConfigError;

/// One key and its value, stronger than the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    path: Vec<String>,
    value: Value,
    shown: String,
}

impl Override {
    /// `a.b.c=value`: the key as in TOML, the value as in TOML, or plain text where it is no
    /// TOML (so that `model=gpt-5.5` needs no quotes).
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Flag { text: text.to_owned() };
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let path = parse_key(key.trim()).ok_or_else(wrong)?;
        let value = value.trim();
        let value = parse_value(value).unwrap_or_else(|| Value::String(value.to_owned()));
        Ok(Self { path, value, shown: format!("-c {text}") })
    }

    /// As a client gives it: a dotted key and a value that TOML can hold.
    pub fn set(key: &str, value: impl Serialize) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Flag { text: key.to_owned() };
        let value = Value::try_from(value).map_err(|_| wrong())?;
        let path = parse_key(key).ok_or_else(wrong)?;
        Ok(Self { path, value, shown: key.to_owned() })
    }

    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) fn path(&self) -> &[String] {
        &self.path
    }

    /// The value below its key, as a file would say it.
    pub(crate) fn table(&self) -> Table {
        let nested = self.path.iter().rev().fold(self.value.clone(), |value, key| {
            Value::Table(Table::from_iter([(key.clone(), value)]))
        });
        match nested {
            Value::Table(table) => table,
            // A path has at least one key, so this is not reached.
            other => Table::from_iter([(String::new(), other)]),
        }
    }
}

/// `over` wins; tables are joined.
pub(crate) fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn parse_key(key: &str) -> Option<Vec<String>> {
    let mut table: Table = toml::from_str(&format!("{key} = 0")).ok()?;
    let mut path = Vec::new();
    loop {
        let mut entries = std::mem::take(&mut table).into_iter();
        let (key, value) = entries.next()?;
        if entries.next().is_some() {
            return None;
        }
        path.push(key);
        match value {
            Value::Table(inner) => table = inner,
            _ => return Some(path),
        }
    }
}

fn parse_value(text: &str) -> Option<Value> {
    let mut table: Table = toml::from_str(&format!("value = {text}")).ok()?;
    let value = table.remove("value");
    // More than one line of TOML is no value.
    if table.is_empty() { value } else { None }
}
