//! What a model host is told when it starts.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where the host finds its models and keeps its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostOptions {
    pub files: ModelFiles,
    /// Holds the socket, the lock and the host's log. Made with mode 0700 if it is missing;
    /// refused if others may enter it.
    pub runtime_dir: PathBuf,
    /// Holds prompt prefixes that were already computed. May be deleted at any time.
    pub cache_dir: PathBuf,
    /// The host leaves after this long without a connection.
    pub idle_exit: Duration,
    /// Threads of the language model; `None` takes every core, at most eight (more do not
    /// help: decoding is bound by memory).
    pub threads: Option<u32>,
}

impl HostOptions {
    /// Ten minutes: a pause in a conversation must not cost loading the models again.
    pub const IDLE_EXIT: Duration = Duration::from_secs(600);
}

/// The files of the models, as `duet models fetch` puts them. They are opened on first use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFiles {
    /// Qwen2.5-Coder-Instruct as GGUF.
    pub agent: PathBuf,
    /// The folder of the speech models, under their names in the manifest.
    pub speech: PathBuf,
}

impl ModelFiles {
    /// Where `duet models fetch` puts them below the models' folder.
    pub fn beneath(models: &Path) -> Self {
        Self {
            agent: models.join("agent/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
            speech: models.to_owned(),
        }
    }
}

/// One of the models of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    VoiceActivity,
    EndOfTurn,
    SpeechToText,
    TextToSpeech,
    Agent,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VoiceActivity => "voice activity",
            Self::EndOfTurn => "end of turn",
            Self::SpeechToText => "speech to text",
            Self::TextToSpeech => "text to speech",
            Self::Agent => "agent",
        })
    }
}

/// `$XDG_RUNTIME_DIR/duet`, else `duet-UID` in the temporary directory.
///
/// Sockets do not belong in a home: it may be on a network, and its path may be too long.
pub fn default_runtime_dir() -> io::Result<PathBuf> {
    let uid = rustix::process::getuid().as_raw();
    Ok(match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if PathBuf::from(&dir).is_absolute() => PathBuf::from(dir).join("duet"),
        Some(_) | None => std::env::temp_dir().join(format!("duet-{uid}")),
    })
}

/// The one argument of a host's start, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostStart {
    pub(crate) socket: PathBuf,
    pub(crate) options: HostOptions,
}

/// Makes `dir` for us alone, or makes sure that it is.
pub(crate) fn secure_dir(dir: &Path) -> io::Result<()> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Not followed: in a shared temporary directory a link may be somebody's trap.
    let found = fs::symlink_metadata(dir)?;
    let ours = found.is_dir() && found.uid() == rustix::process::getuid().as_raw();
    if !ours || found.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} must be a folder that only you can enter: chmod 700 it", dir.display()),
        ));
    }
    Ok(())
}
