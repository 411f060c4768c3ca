//! Reads what a turn is to know of the world.

use std::path::{Path, PathBuf};

use agent_turn::Enforcement;
use protocol::RepositoryFacts;
use sandboxing::Availability;
use stdx::Date;
use thread::{ProjectDoc, Surroundings};
use tools::{Style, Toolbox};
use uuid::Uuid;
use workspace::Root;

use crate::clock::Clock;

/// What all project documents together may take of the context (the reference's default).
const DOCS_BYTES: u64 = 32 * 1024;

/// In each directory the first of these that exists.
const DOC_NAMES: [&str; 2] = ["AGENTS.override.md", "AGENTS.md"];

/// Blocks: it asks git and reads files. `own` is where the user's documents are. The error is a
/// sentence for people.
pub(crate) fn read(
    own: Option<&Path>,
    cwd: &Path,
    style: Style,
) -> Result<(RepositoryFacts, Surroundings), String> {
    let facts = workspace::repository_facts(cwd).map_err(|error| error.to_string())?;
    let surroundings = Surroundings {
        tools: Toolbox::catalogue(style, &facts),
        enforcement: enforcement(),
        project_docs: project_docs(own, cwd),
        date: Date::of(Clock::date()).day_stamp(),
        seed: seed(),
    };
    Ok((facts, surroundings))
}

fn enforcement() -> Enforcement {
    match sandboxing::availability() {
        Availability::Confined { landlock_abi: _ } | Availability::Wrapped => {
            Enforcement::Sandboxed
        }
        Availability::Unavailable { reason } => Enforcement::Unavailable { why: reason.clone() },
    }
}

/// The random half of an id made for nothing else.
fn seed() -> u64 {
    u64::from_le_bytes(*Uuid::now_v7().as_bytes().last_chunk().unwrap_or(&[0; 8]))
}

/// The user's own document, then one per directory from the project's root down to `cwd`.
fn project_docs(own: Option<&Path>, cwd: &Path) -> Vec<ProjectDoc> {
    let root = cwd.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(cwd);
    let beneath = Root::open(root).ok();
    let folders: Vec<&Path> =
        cwd.ancestors().take_while(|folder| folder.starts_with(root)).collect();
    let mut room = DOCS_BYTES;
    let mut docs = Vec::new();
    let mut add = |folder: &Path, read: &dyn Fn(&Path, u64) -> Option<Vec<u8>>| {
        let doc = DOC_NAMES.iter().find_map(|name| {
            let path = folder.join(name);
            let bytes = read(&path, room)?;
            worded(path, &bytes)
        });
        if let Some(doc) = doc {
            room = room.saturating_sub(doc.text.len() as u64);
            docs.push(doc);
        }
    };
    if let Some(own) = own {
        add(own, &read_own);
    }
    for folder in folders.into_iter().rev() {
        // The repository is somebody else's: its links lead to nothing outside of it, and what is
        // no ordinary file holds nobody.
        add(folder, &|path, room| {
            let path = path.strip_prefix(root).ok()?.to_str()?;
            beneath.as_ref()?.read_start(path, room).ok()
        });
    }
    docs
}

/// A file of the user's, wherever their own link leads; ordinary all the same.
fn read_own(path: &Path, room: u64) -> Option<Vec<u8>> {
    let path = path.canonicalize().ok()?;
    Root::open(path.parent()?).ok()?.read_start(path.file_name()?.to_str()?, room).ok()
}

/// `None` for what has no words.
fn worded(path: PathBuf, bytes: &[u8]) -> Option<ProjectDoc> {
    let text = String::from_utf8_lossy(bytes).trim().to_owned();
    (!text.is_empty()).then_some(ProjectDoc { path, text })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn documents_from_home_and_root_down_to_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let (home, root) = (folder.path().join("home"), folder.path().join("root"));
        let cwd = root.join("a/b");
        fs::create_dir_all(&cwd).unwrap();
        fs::create_dir_all(&home).unwrap();
        fs::create_dir(root.join(".git")).unwrap();
        let write = |path: PathBuf, text: &str| fs::write(path, text).unwrap();
        write(folder.path().join("AGENTS.md"), "above the root");
        write(home.join("AGENTS.md"), "home");
        write(root.join("AGENTS.md"), "root");
        write(root.join("a/AGENTS.md"), " \n");
        write(cwd.join("AGENTS.md"), "not this");
        write(cwd.join("AGENTS.override.md"), "cwd");
        let texts: Vec<String> =
            project_docs(Some(&home), &cwd).into_iter().map(|doc| doc.text).collect();
        assert_eq!(texts, ["home", "root", "cwd"]);
        let others: Vec<String> =
            project_docs(None, &cwd).into_iter().map(|doc| doc.text).collect();
        assert_eq!(others, ["root", "cwd"]);
    }

    /// A repository can hold any link; the documents go to the model's service.
    #[test]
    fn a_repositorys_links_lead_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let (home, root) = (folder.path().join("home"), folder.path().join("root"));
        let cwd = root.join("a/b/c");
        fs::create_dir_all(&cwd).unwrap();
        fs::create_dir(&home).unwrap();
        fs::create_dir(root.join(".git")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(root.join("near.md"), "near").unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // The user's own link may lead where they like.
        symlink(folder.path().join("secret"), home.join("AGENTS.md")).unwrap();
        symlink("../secret", root.join("AGENTS.md")).unwrap();
        symlink("../near.md", root.join("a/AGENTS.md")).unwrap();
        // Nobody writes to it: opening it would not return.
        symlink(&pipe, root.join("a/b/AGENTS.md")).unwrap();
        assert!(
            std::process::Command::new("mkfifo")
                .arg(cwd.join("AGENTS.md"))
                .status()
                .unwrap()
                .success()
        );
        let texts: Vec<String> =
            project_docs(Some(&home), &cwd).into_iter().map(|doc| doc.text).collect();
        assert_eq!(texts, ["secret", "near"]);
    }
}
