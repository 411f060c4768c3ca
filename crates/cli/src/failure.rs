//! Why a command did not do what it was asked, as a sentence and an exit code.

use std::fmt;

use config::ConfigError;
use headless::{Exit, HeadlessError};

#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be.
    Usage(String),
    /// What it takes is missing: trying again will not help.
    Impossible(String),
    Headless(HeadlessError),
    Other(String),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn other(error: impl fmt::Display) -> Self {
        Self::Other(error.to_string())
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Misused,
            Self::Impossible(_) => Exit::NothingDone,
            Self::Headless(error) => error.exit(),
            Self::Other(_) => Exit::Failed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Impossible(message) | Self::Other(message) => {
                f.write_str(message)
            }
            Self::Headless(error) => error.fmt(f),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error.is_of_flag() {
            true => Self::Usage(error.to_string()),
            false => Self::Other(error.to_string()),
        }
    }
}

impl From<HeadlessError> for Failure {
    fn from(error: HeadlessError) -> Self {
        Self::Headless(error)
    }
}
