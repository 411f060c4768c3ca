//! What can go wrong between a file of weights and an answer.

use std::path::{Path, PathBuf};

/// A network could not be made from its files.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read the speech model {}: {source}; `duet models fetch` installs it", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The bytes are there but are not the model this build was written for.
    #[error("{} is not the speech model this version expects ({reason}); `duet models fetch` replaces it", path.display())]
    Unsuitable { path: PathBuf, reason: String },
}

impl LoadError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(crate) fn unsuitable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unsuitable { path: path.to_owned(), reason: reason.into() }
    }
}

/// A network that loaded did not run. Nothing the caller gave can cause it; the call may be repeated.
#[derive(Debug, thiserror::Error)]
#[error("the {network} network failed: {reason}")]
pub struct NetError {
    pub network: &'static str,
    pub reason: String,
}
