//! What is wrong with the settings, and where.

use std::fmt;
use std::path::PathBuf;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Lines count from 1.
    File { path: PathBuf, line: usize },
    /// `-c key=value`, or the key in a client's request.
    Flag { text: String },
    /// Nowhere: it is missing.
    Absent { path: PathBuf },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Flag { text } => write!(f, "`{text}`"),
            Self::Absent { path } => write!(f, "{}", path.display()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("no home directory: set DUET_HOME or HOME")]
    NoHome,
    #[error("cannot read {}: {cause}", .path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error("{place}: not valid TOML: {reason}")]
    Syntax { place: Place, reason: String },
    #[error("`-c {text}` is not `key=value`")]
    Flag { text: String },
    /// A wrong type, or a value that is not one of those that are known.
    #[error("{place}: `{key}`: {reason}")]
    Value { place: Place, key: String, reason: String },
    #[error(
        "{place}: `model_providers.{id}.wire_api` is \"chat\": Duet speaks only the Responses API \
         so far; use \"responses\", which most servers have by now"
    )]
    ChatApi { place: Place, id: String },
    #[error(
        "{place}: `{key}` names the provider `{id}`, which is not defined; defined are: {known}"
    )]
    UnknownProvider { place: Place, key: String, id: String, known: String },
    #[error("{place}: set `model`: the provider `{provider}` has no default")]
    NoModel { place: Place, provider: String },
}

impl ConfigError {
    /// Whether the command line is wrong, or a request, and no file.
    pub fn is_of_flag(&self) -> bool {
        match self {
            Self::Flag { .. } => true,
            Self::Syntax { place, .. }
            | Self::Value { place, .. }
            | Self::ChatApi { place, .. }
            | Self::UnknownProvider { place, .. }
            | Self::NoModel { place, .. } => matches!(place, Place::Flag { .. }),
            Self::NoHome | Self::Unreadable { .. } => false,
        }
    }
}

/// Something that does no harm, but that the user may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    UnknownKey {
        place: Place,
        key: String,
    },
    /// Known from the reference; Duet does nothing with it yet.
    NotYet {
        place: Place,
        key: String,
    },
    /// A provider that is built in cannot be defined again.
    Reserved {
        place: Place,
        id: String,
    },
    /// A model was asked for, but there is nobody who runs it.
    ModelIgnored {
        place: Place,
        model: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { place, key } => write!(f, "{place}: unknown key `{key}`"),
            Self::NotYet { place, key } => write!(f, "{place}: `{key}` has no effect yet"),
            Self::Reserved { place, id } => write!(
                f,
                "{place}: the provider `{id}` is built in and not changed by \
                 `model_providers.{id}`: give yours another name"
            ),
            Self::ModelIgnored { place, model } => write!(
                f,
                "{place}: no provider is set up for the model `{model}`, so the bundled one \
                 answers: set OPENAI_API_KEY, or `model_provider`"
            ),
        }
    }
}
