//! Where the user's files are.

use std::path::{Path, PathBuf};

use crate::{ConfigError, Environment};

/// The folder of config, credentials and sessions. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

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
        Self(std::path::absolute(&path).unwrap_or(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn config_file(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The rollouts of all threads.
    pub fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }
}
