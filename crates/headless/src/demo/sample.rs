//! A small Rust repository with one failing test.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Easy to say, easy to hear, and like none of the other tests.
const FAILING_TEST: &str = "parses_empty_line";

const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", CARGO_TOML),
    (".gitignore", "/target\n"),
    ("README.md", README),
    ("src/lib.rs", LIB),
];

/// The repository, and what there is to find out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub dir: PathBuf,
    pub failing_test: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    #[error("cannot write the sample repository in {}: {source}", dir.display())]
    Write { dir: PathBuf, source: io::Error },
    #[error("cannot run git for the sample repository: {source}; install git")]
    NoGit { source: io::Error },
    #[error("git could not make the sample repository in {}: {message}", dir.display())]
    Git { dir: PathBuf, message: String },
}

impl Sample {
    /// Makes the repository in `dir`, which should be empty.
    pub fn create(dir: &Path) -> Result<Self, SampleError> {
        write(dir).map_err(|source| SampleError::Write { dir: dir.to_owned(), source })?;
        git(dir, &["init", "--quiet", "--initial-branch=main"])?;
        git(dir, &["add", "--all"])?;
        git(dir, &["commit", "--quiet", "--message=settings: one setting per line"])?;
        Ok(Self { dir: dir.to_owned(), failing_test: FAILING_TEST })
    }
}

fn write(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir.join("src"))?;
    FILES.iter().try_for_each(|(name, text)| fs::write(dir.join(name), text))
}

/// Neither the user's identity nor their hooks and signing have a part in this, nor the
/// repository in which the demo was started.
fn git(dir: &Path, args: &[&str]) -> Result<(), SampleError> {
    let mut git = Command::new("git");
    forget_repository(&mut git, env::vars_os().map(|(name, _)| name));
    let output = git
        .args(["-c", "user.name=Duet", "-c", "user.email=duet@localhost"])
        .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| SampleError::NoGit { source })?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(SampleError::Git { dir: dir.to_owned(), message })
}

/// Takes away every `GIT_*`: a hook or an alias that calls us has some, which point git at its
/// own repository (`GIT_DIR`, `GIT_INDEX_FILE`).
fn forget_repository(command: &mut Command, environment: impl Iterator<Item = OsString>) {
    for name in environment.filter(|name| name.as_encoded_bytes().starts_with(b"GIT_")) {
        command.env_remove(name);
    }
}

const CARGO_TOML: &str = r#"[package]
name = "settings"
version = "0.1.0"
edition = "2021"

# Not part of any workspace around it.
[workspace]
"#;

const README: &str = "\
# settings

Reads settings: one `name = value` per line. Empty lines are skipped.
";

const LIB: &str = r#"//! Settings, one `name = value` per line.

#[derive(Debug, PartialEq)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

/// Reads one line. Empty lines are no setting and no error.
pub fn parse_line(line: &str) -> Result<Option<Setting>, String> {
    let Some((name, value)) = line.split_once('=') else {
        return Err(format!("no equals sign in {line:?}"));
    };
    Ok(Some(Setting { name: name.trim().to_string(), value: value.trim().to_string() }))
}

/// Reads a whole file.
pub fn parse(text: &str) -> Result<Vec<Setting>, String> {
    text.lines().filter_map(|line| parse_line(line).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Setting {
        Setting { name: name.to_string(), value: value.to_string() }
    }

    #[test]
    fn reads_one_setting() {
        assert_eq!(parse_line("color = blue"), Ok(Some(setting("color", "blue"))));
    }

    #[test]
    fn trims_spaces() {
        assert_eq!(parse_line("  size =  4 "), Ok(Some(setting("size", "4"))));
    }

    #[test]
    fn keeps_order() {
        assert_eq!(parse("b = 1\na = 2"), Ok(vec![setting("b", "1"), setting("a", "2")]));
    }

    #[test]
    fn allows_no_value() {
        assert_eq!(parse_line("name ="), Ok(Some(setting("name", ""))));
    }

    #[test]
    fn refuses_a_bare_word() {
        assert!(parse_line("hello").is_err());
    }

    #[test]
    fn parses_empty_line() {
        assert_eq!(parse_line(""), Ok(None));
    }
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_is_not_led_to_another_repository() {
        let mut command = Command::new("git");
        let names = ["GIT_DIR", "HOME", "GIT_INDEX_FILE", "DIGIT_", "GIT_CONFIG_COUNT"];
        forget_repository(&mut command, names.into_iter().map(OsString::from));
        let removed: Vec<_> = command.get_envs().collect();
        let gone = ["GIT_CONFIG_COUNT", "GIT_DIR", "GIT_INDEX_FILE"];
        assert_eq!(removed, gone.map(|name| (name.as_ref(), None)));
    }
}
