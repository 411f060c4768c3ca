//! Other people's clients against our server: they decide what the protocol is.
//!
//! Each is a script that exits with 0 when it is content. The clients come from their
//! registries, at pinned versions, into the target directory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../it/script.rs"]
#[allow(dead_code, reason = "each test uses the part of the script that it needs")]
mod script;

use std::path::{Path, PathBuf};

use realtime_server::{ApiKey, Options, RealtimeServer};
use tokio::process::Command;

use crate::script::Script;

const OPENAI: &str = "openai[realtime]==3.54.0";

#[tokio::test]
async fn openai_python() {
    let script = Script::new()
        .will_hear(" Run the tests.")
        .will_hear("Who are you?")
        .will_reply(&["I am Duet. ", "I listen."])
        .will_reply(&["Four."]);
    let python = python_with("openai", OPENAI).await;
    let key = ApiKey::generate();
    let options = Options::new("127.0.0.1:0".parse().unwrap(), key.clone());
    let server = RealtimeServer::bind(options, script).await.unwrap();
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/openai_realtime.py");
    let ran = Command::new(python)
        .arg(client)
        .env("OPENAI_BASE_URL", server.base_url())
        .env("OPENAI_API_KEY", key.expose())
        .output()
        .await
        .unwrap();
    assert!(
        ran.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// A Python with this package, made once.
async fn python_with(name: &str, package: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = home.join("bin/python");
    let run = async |program: &Path, arguments: &[&str]| {
        let ran = Command::new(program).args(arguments).output().await.unwrap();
        assert!(
            ran.status.success(),
            "{} {arguments:?}: {}",
            program.display(),
            String::from_utf8_lossy(&ran.stderr)
        );
    };
    if !home.join("ready").exists() {
        run(Path::new("python3"), &["-m", "venv", home.to_str().unwrap()]).await;
        run(&python, &["-m", "pip", "install", "--quiet", package]).await;
        std::fs::write(home.join("ready"), package).unwrap();
    }
    python
}
