//! What a measurement has to itself: a folder, a home, a model host, a small project.

use std::fs;
use std::path::PathBuf;

use crate::model_host::OwnHost;
use crate::step::{git, output, target_dir};

/// A directory of our own below `target`, made anew; and a model host of our own.
pub(crate) struct Scratch {
    pub(crate) dir: PathBuf,
    pub(crate) host: OwnHost,
}

impl Scratch {
    pub(crate) fn new(name: &str) -> anyhow::Result<Self> {
        let dir = target_dir()?.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(dir.join("home"))?;
        Ok(Self { dir, host: OwnHost::new(name) })
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
