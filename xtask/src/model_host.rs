//! A model host of our own, whatever else runs on this machine, and the models it loads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Where the model host has its socket.
pub(crate) const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";

/// Where `duet models fetch` puts them.
pub(crate) fn models(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || {
        let cache = set("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
        let cache = cache.or_else(|| set("HOME").map(|home| home.join(".cache")));
        cache.map(|dir| dir.join("duet").join("models"))
    };
    let named = named.map(PathBuf::from).or_else(|| set("DUET_MODELS"));
    let dir = named.or_else(cache).context("no place for models: say --models DIR")?;
    ensure!(
        dir.join("silero_vad_16k.onnx").is_file(),
        "{} holds no models: run `duet models fetch`, or name their folder with --models DIR",
        dir.display()
    );
    Ok(fs::canonicalize(dir)?)
}

/// Ends with this, though it would wait for others.
pub(crate) struct OwnHost {
    runtime_dir: PathBuf,
}

impl OwnHost {
    /// `purpose` tells the folders of several commands apart.
    ///
    /// Not below `target`, because the path of a socket must be short; not in the temporary
    /// directory, where commands may write and the host's socket therefore may not be.
    pub(crate) fn new(purpose: &str) -> Self {
        let name = format!("duet-{purpose}-{}", std::process::id());
        Self { runtime_dir: Path::new("/var/tmp").join(name) }
    }

    pub(crate) fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }

    /// The one that has its socket there.
    pub(crate) fn process(&self) -> anyhow::Result<Option<u32>> {
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else {
                continue;
            };
            // It may have ended since it was listed.
            let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
            if is_model_host(&line, &self.runtime_dir) {
                return Ok(Some(pid));
            }
        }
        Ok(None)
    }

    pub(crate) fn end(&self) {
        if let Ok(Some(host)) = self.process() {
            // It may have ended by itself.
            drop(Command::new("kill").arg(host.to_string()).status());
        }
    }
}

impl Drop for OwnHost {
    fn drop(&mut self) {
        self.end();
        // Made only when a model was needed.
        drop(fs::remove_dir_all(&self.runtime_dir));
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
