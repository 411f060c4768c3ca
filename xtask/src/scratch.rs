//! What a measurement has to itself: a folder, a home, a model host, a small project.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::step::{git, output, target_dir};

/// A directory of our own below `target`, made anew; and a model host of our own, which ends
/// with this, though it would wait for others.
pub(crate) struct Scratch {
    pub(crate) dir: PathBuf,
    name: &'static str,
}

impl Scratch {
    pub(crate) fn new(name: &'static str) -> anyhow::Result<Self> {
        let dir = target_dir()?.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(dir.join("home"))?;
        Ok(Self { dir, name })
    }

    /// Not below `target`, because the path of a socket must be short; not in the temporary
    /// directory, where commands may write and the host's socket therefore may not be.
    pub(crate) fn runtime_dir(&self) -> PathBuf {
        Path::new("/var/tmp").join(format!("duet-{}-{}", self.name, std::process::id()))
    }

    /// The model host that has its socket there.
    pub(crate) fn model_host(&self) -> anyhow::Result<Option<u32>> {
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else {
                continue;
            };
            // It may have ended since it was listed.
            let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
            if is_model_host(&line, &self.runtime_dir()) {
                return Ok(Some(pid));
            }
        }
        Ok(None)
    }

    pub(crate) fn end_model_host(&self) {
        if let Ok(Some(host)) = self.model_host() {
            // It may have ended by itself.
            drop(Command::new("kill").arg(host.to_string()).status());
        }
    }

    /// A crate with one test that passes and one that fails. Running them leaves nothing that is
    /// not ignored: a new file would be a new prompt, which would have to be read.
    pub(crate) fn sample_project(&self) -> anyhow::Result<PathBuf> {
        let project = self.dir.join("sample");
        fs::create_dir_all(project.join("src"))?;
        fs::write(
            project.join("Cargo.toml"),
            "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n",
        )?;
        fs::write(
            project.join("src/lib.rs"),
            "pub fn words(line: &str) -> usize {\n    line.split(' ').count()\n}\n\n\
             #[test]\nfn counts_two_words() {\n    assert_eq!(words(\"a b\"), 2);\n}\n\n\
             #[test]\nfn counts_empty_line() {\n    assert_eq!(words(\"\"), 0);\n}\n",
        )?;
        fs::write(project.join(".gitignore"), "/target\n")?;
        fs::write(
            project.join("Cargo.lock"),
            "version = 4\n\n[[package]]\nname = \"sample\"\nversion = \"0.1.0\"\n",
        )?;
        output(git().args(["init", "-q"]).arg(&project))?;
        Ok(project)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.end_model_host();
        // Made only by `talk`.
        drop(fs::remove_dir_all(self.runtime_dir()));
    }
}

/// Whether a command line, as `/proc` has it, is `duet model-host {"socket":"RUNTIME_DIR/..."..}`.
fn is_model_host(command_line: &[u8], runtime_dir: &Path) -> bool {
    let mut words = command_line.split(|byte| *byte == 0).skip(1);
    let named = words.next() == Some(b"model-host");
    let start = words.next().and_then(|it| serde_json::from_slice::<Value>(it).ok());
    let socket = start.as_ref().and_then(|it| it["socket"].as_str());
    named && socket.is_some_and(|socket| Path::new(socket).starts_with(runtime_dir))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_our_own_model_host_is_found() {
        let line = |name: &str, socket: &str| {
            format!("/x/duet\0{name}\0{}\0", json!({ "socket": socket, "options": {} }))
        };
        let is = |line: String| is_model_host(line.as_bytes(), Path::new("/tmp/duet-bench-7"));
        assert!(is(line("model-host", "/tmp/duet-bench-7/duet/1.sock")));
        assert!(!is(line("model-host", "/tmp/duet-0/1.sock")));
        assert!(!is(line("model-host", "/tmp/duet-bench-71/duet/1.sock")));
        assert!(!is(line("spawner", "/tmp/duet-bench-7/duet/1.sock")));
        assert!(!is("/x/duet\0model-host\0".to_owned()));
    }
}
