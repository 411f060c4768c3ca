//! Why a call of the model host failed.

use std::path::PathBuf;

use protocol::{ModelError, ModelErrorKind};

/// A variant exists where a caller acts on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the model file {} is missing: run `duet models fetch`", .file.display())]
    ModelMissing { file: PathBuf },
    #[error(
        "the model file {} cannot be used ({reason}): run `duet models fetch` again",
        .file.display()
    )]
    ModelUnusable { file: PathBuf, reason: String },
    #[error(
        "this processor lacks {lacking}, which the bundled models need: \
         set another provider in config.toml"
    )]
    UnsupportedProcessor { lacking: String },
    #[error(
        "the model host {} did not start ({reason}); its log is {}",
        .program.display(), .log.display()
    )]
    HostStart { program: PathBuf, reason: String, log: PathBuf },
    /// It is started again by the next call.
    #[error("the model host stopped while it worked; its log is {}", .log.display())]
    HostStopped { log: PathBuf },
    #[error("the model host is busy with {jobs} jobs: try again when one is done")]
    Busy { jobs: u32 },
    #[error(
        "{tokens} tokens do not fit the bundled model's context of {limit}: give it less at once, \
         or set up a larger model (`model_provider`)"
    )]
    TooLong { tokens: u64, limit: u64 },
    /// The request was malformed or out of bounds: the same request fails again.
    #[error("{message}")]
    Rejected { message: String },
    /// The model itself failed.
    #[error("the {model} model failed: {message}")]
    Model { model: crate::Model, message: String },
}

impl From<Error> for ModelError {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::HostStopped { .. } | Error::Busy { .. } => {
                ModelErrorKind::Transient { after: None }
            }
            Error::TooLong { .. } => ModelErrorKind::TooLong,
            Error::ModelMissing { .. }
            | Error::ModelUnusable { .. }
            | Error::UnsupportedProcessor { .. }
            | Error::HostStart { .. }
            | Error::Rejected { .. }
            | Error::Model { .. } => ModelErrorKind::Rejected,
        };
        Self { kind, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_names_the_size_and_the_remedy() {
        let error = ModelError::from(Error::TooLong { tokens: 75_676, limit: 7_680 });
        assert_eq!(error.kind, ModelErrorKind::TooLong);
        for words in ["75676 tokens", "context of 7680", "`model_provider`"] {
            assert!(error.message.contains(words), "{}", error.message);
        }
    }
}
