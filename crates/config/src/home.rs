//! Where the user's files are.

use std::path::{Path, PathBuf};

use crate::{ConfigError, Environment};

/// The folder of config, credentials and sessions. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
    documents: Documents,
}

/// What the user has written into the home for us: `config.toml`, `AGENTS.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Documents {
    Read,
    Ignored,
}

impl Home {
    /// `$DUET_HOME`, else `$CODEX_HOME` (a client of the reference that starts us means that
    /// one), else `~/.duet`.
    pub fn find(environment: &Environment) -> Result<Self, ConfigError> {
        let named = ["DUET_HOME", "CODEX_HOME"].iter().find_map(|it| environment.path(it));
        let user = || environment.path("HOME").or_else(|| environment.path("USERPROFILE"));
        let path = named.or_else(|| Some(user()?.join(".duet"))).ok_or(ConfigError::NoHome)?;
        Ok(Self::at(path))
    }

    /// A relative path is taken from the current directory, once and for all.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, documents: Documents::Read }
    }

    /// The same place for sessions and keys, where nothing that the user has written is read: for
    /// what must go the same way on every machine.
    pub fn without_documents(self) -> Self {
        Self { documents: Documents::Ignored, ..self }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the user's own documents are, if they are read.
    pub fn documents(&self) -> Option<&Path> {
        match self.documents {
            Documents::Read => Some(&self.path),
            Documents::Ignored => None,
        }
    }

    pub fn config_file(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The rollouts of all threads.
    pub fn sessions(&self) -> PathBuf {
        self.path.join("sessions")
    }
}
