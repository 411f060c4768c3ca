//! Request headers that are legal and whose secrets do not print.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(HeaderMap);

/// The value is not shown: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("header `{name}` has characters that HTTP does not allow in its name or value")]
pub struct InvalidHeader {
    pub name: String,
}

impl Headers {
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces a header of the same name.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let (name, value) = parse(name, value)?;
        self.0.insert(name, value);
        Ok(())
    }

    /// As [`Headers::insert`]; the value is left out of `Debug` and of HTTP/2's header tables.
    pub fn insert_secret(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let (name, mut value) = parse(name, value)?;
        value.set_sensitive(true);
        self.0.insert(name, value);
        Ok(())
    }

    /// `Authorization: Bearer <key>`.
    pub fn insert_bearer(&mut self, key: &str) -> Result<(), InvalidHeader> {
        self.insert_secret("authorization", &format!("Bearer {key}"))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn as_map(&self) -> &HeaderMap {
        &self.0
    }
}

fn parse(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), InvalidHeader> {
    let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
    parsed.ok_or_else(|| InvalidHeader { name: name.to_owned() })
}
