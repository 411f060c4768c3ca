//! Running other programs, visibly.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Child, Command};

use anyhow::{Context as _, ensure};

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments);
    command
}

pub(crate) fn git() -> Command {
    outside_git("git")
}

/// Without what a git hook leaves in the environment: `GIT_DIR` and its like would send every
/// `git` that the program runs to that hook's repository, whatever folder it is in.
pub(crate) fn outside_git(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    forget_git(&mut command, std::env::vars_os().map(|(name, _)| name));
    command
}

fn forget_git(command: &mut Command, environment: impl Iterator<Item = OsString>) {
    for name in environment.filter(|it| it.as_encoded_bytes().starts_with(b"GIT_")) {
        command.env_remove(name);
    }
}

/// Runs it with our own output, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    eprintln!("+ {command:?}");
    let status = command.status().with_context(|| format!("start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// What it prints, without the space around it.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let done = command.output().with_context(|| format!("start {command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}

pub(crate) fn target_dir() -> anyhow::Result<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let text = output(&mut cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"]))?;
    Ok(serde_json::from_str::<Metadata>(&text).context("parse cargo metadata")?.target_directory)
}

/// Ends the process also when what was to be done with it fails.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hooks_repository_is_not_ours() {
        let mut command = Command::new("git");
        forget_git(&mut command, ["GIT_DIR", "PATH", "GIT_INDEX_FILE"].map(Into::into).into_iter());
        let told: Vec<_> = command.get_envs().collect();
        assert_eq!(told, [("GIT_DIR".as_ref(), None), ("GIT_INDEX_FILE".as_ref(), None)]);
    }
}
