//! What a model host is told when it starts.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
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

/// Where a host's socket, lock and log are: `$XDG_RUNTIME_DIR/duet`, else `duet/run` in the
/// user's cache directory, else `/var/tmp/duet-UID`.
///
/// Never where a confined command may write, the temporary directories and `writable` (as far as
/// there is a place outside those): whoever can put a socket there hears what the user says, and
/// whoever can put a link there chooses the file that the log is written to.
pub fn default_runtime_dir(writable: &[PathBuf]) -> io::Result<PathBuf> {
    let uid = rustix::process::getuid().as_raw();
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME")
        .filter(|dir| dir.is_absolute())
        .or_else(|| folder("HOME").map(|home| home.join(".cache")));
    let candidates = [
        folder("XDG_RUNTIME_DIR").map(|dir| dir.join("duet")),
        cache.map(|dir| dir.join("duet").join("run")),
        Some(PathBuf::from(format!("/var/tmp/duet-{uid}"))),
    ];
    let temporary = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/dev/shm")];
    first_safe(candidates.into_iter().flatten(), &temporary, writable).ok_or_else(|| {
        io::Error::other(
            "commands may write to every place that there is for it: set XDG_RUNTIME_DIR to a \
             folder of yours with a short path, outside the temporary directories",
        )
    })
}

/// The bytes that a socket's path may have: `sun_path` of Linux, less its end.
pub(crate) const MAX_SOCKET_PATH: usize = 107;

/// `/host-0123456789abcdef.sock`
const SOCKET_NAME: usize = 27;

fn first_safe(
    candidates: impl Iterator<Item = PathBuf>,
    temporary: &[PathBuf],
    writable: &[PathBuf],
) -> Option<PathBuf> {
    let is_below = |dir: &Path, roots: &[PathBuf]| {
        roots.iter().any(|root| resolved(dir).starts_with(resolved(root)))
    };
    let usable: Vec<PathBuf> = candidates
        .filter(|dir| dir.is_absolute())
        .filter(|dir| dir.as_os_str().len() + SOCKET_NAME <= MAX_SOCKET_PATH)
        .filter(|dir| !is_below(dir, temporary))
        .collect();
    // Whoever works in `/` has opened everything; that is no reason to do nothing at all.
    let outside = usable.iter().find(|dir| !is_below(dir, writable));
    outside.or(usable.first()).cloned()
}

/// Without links, as far as the path exists.
fn resolved(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|it| Some((it, it.canonicalize().ok()?)));
    match found {
        Some((existing, real)) => match path.strip_prefix(existing) {
            Ok(rest) => real.join(rest),
            Err(_) => path.to_owned(),
        },
        None => path.to_owned(),
    }
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
    // Not followed: a link may be somebody's trap.
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

/// Opens or makes a file of ours in a runtime directory. A link is refused: whoever made it
/// would choose what is written to.
pub(crate) fn open_ours(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits();
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot open {}: {error}", path.display()))
    };
    options.create(true).mode(0o600).custom_flags(no_follow.cast_signed()).open(path).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(candidates: &[&Path], writable: &[&Path], expected: Option<&Path>) {
        let temporary = [PathBuf::from("/tmp"), PathBuf::from("/dev/shm")];
        let candidates = candidates.iter().map(|it| it.to_path_buf());
        let writable: Vec<PathBuf> = writable.iter().map(|it| it.to_path_buf()).collect();
        assert_eq!(first_safe(candidates, &temporary, &writable).as_deref(), expected);
    }

    #[test]
    fn a_host_never_lives_where_commands_write() {
        let path = Path::new;
        let (run, cache) = (path("/run/user/7/duet"), path("/home/a/.cache/duet/run"));
        let last = path("/var/tmp/duet-7");
        let work = path("/home/a/work");
        check(&[run, cache, last], &[work], Some(run));
        check(&[path("/tmp/run-7/duet"), cache, last], &[work], Some(cache));
        check(&[path("/dev/shm/duet"), path("relative"), last], &[work], Some(last));
        // A workspace around it, also one that holds every place.
        check(&[cache, last], &[path("/home/a")], Some(last));
        check(&[cache, last], &[work, path("/home/a/.cache")], Some(last));
        check(&[cache, last], &[path("/")], Some(cache));
        check(&[path("/tmp/duet")], &[work], None);
    }

    #[test]
    fn a_link_into_a_temporary_directory_is_one() {
        let temporary = tempfile::tempdir_in("/tmp").unwrap();
        let home = tempfile::tempdir_in("/var/tmp").unwrap();
        let link = home.path().join("link");
        std::os::unix::fs::symlink(temporary.path(), &link).unwrap();
        let last = Path::new("/var/tmp/duet-7");
        check(&[&link.join("duet"), last], &[Path::new("/home/a/work")], Some(last));
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_passed_over() {
        let long = PathBuf::from(format!("/home/{}", "a".repeat(80)));
        let last = Path::new("/var/tmp/duet-7");
        check(&[&long, last], &[Path::new("/w")], Some(last));
    }
}
