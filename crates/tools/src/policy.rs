//! From a thread's sandbox policy to the confinement of one command.

use std::path::{Path, PathBuf};

use protocol::{SandboxMode, SandboxPolicy};
use sandboxing::{Confinement, Network, Root, Sockets, Writes};
use tempfile::TempDir;

/// A command's confinement, and the directory that exists for it alone, if any.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) confinement: Confinement,
    pub(crate) temporary: Option<TempDir>,
}

/// Fails only when a private temporary directory cannot be made.
pub(crate) fn cell(policy: &SandboxPolicy, root: &Path) -> std::io::Result<Cell> {
    let SandboxPolicy { mode, writable_roots, network } = policy;
    let network = if *network { Network::Open } else { Network::Closed };
    match mode {
        SandboxMode::DangerFullAccess => {
            Ok(Cell { confinement: Confinement::NONE, temporary: None })
        }
        SandboxMode::WorkspaceWrite => {
            let ours = |path: &Path| Root { path: path.to_owned(), sockets: Sockets::Open };
            let mut roots = vec![ours(root)];
            roots.extend(temporary_directories());
            roots.extend(writable_roots.iter().map(|it| ours(it)));
            let confinement = Confinement { writes: Writes::Only(roots), network };
            Ok(Cell { confinement, temporary: None })
        }
        SandboxMode::ReadOnly => {
            // Shells and test runners fail without a place for their scraps; this one is theirs
            // alone and goes with them.
            let temporary = tempfile::Builder::new().prefix("duet-").tempdir()?;
            let path = temporary.path().to_owned();
            let writes = Writes::Only(vec![Root { path, sockets: Sockets::Closed }]);
            let confinement = Confinement { writes, network };
            Ok(Cell { confinement, temporary: Some(temporary) })
        }
    }
}

/// For commands of ours that only read: nothing may be written and nobody called, whatever the
/// thread's policy allows.
pub(crate) fn reading() -> Confinement {
    Confinement { writes: Writes::Only(Vec::new()), network: Network::Closed }
}

/// Whether our own code may write beneath the workspace: a sentence when not. The turn has asked
/// before; this is the last door.
pub(crate) fn may_write(policy: &SandboxPolicy) -> Result<(), String> {
    match policy.mode {
        SandboxMode::WorkspaceWrite | SandboxMode::DangerFullAccess => Ok(()),
        SandboxMode::ReadOnly => Err("Files may only be read in this thread.".to_owned()),
    }
}

/// The user's, the one that programs name without asking, and the one in memory, where the C
/// library keeps semaphores: without it no process pool starts. Terminals, editors and displays
/// listen there as well, and start what they are told to outside of the sandbox.
fn temporary_directories() -> impl Iterator<Item = Root> {
    let mut directories = vec![std::env::temp_dir()];
    for usual in ["/tmp", "/dev/shm"] {
        if !directories.iter().any(|it| it == Path::new(usual)) {
            directories.push(PathBuf::from(usual));
        }
    }
    directories.into_iter().map(|path| Root { path, sockets: Sockets::Closed })
}

/// Where a confined command may write, for a sentence to the model.
pub(crate) fn writable_roots(confinement: &Confinement) -> Option<String> {
    match &confinement.writes {
        Writes::Anywhere => None,
        Writes::Only(roots) => {
            let roots: Vec<String> = roots.iter().map(|it| it.path.display().to_string()).collect();
            Some(roots.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What listens in the workspace belongs to the work; what listens in `/tmp` belongs to
    /// whoever is logged in.
    #[test]
    fn sockets_are_reached_where_the_work_is() {
        let policy = SandboxPolicy {
            mode: SandboxMode::WorkspaceWrite,
            writable_roots: vec!["/data".into()],
            network: false,
        };
        let cell = cell(&policy, Path::new("/w")).unwrap();
        let Writes::Only(roots) = cell.confinement.writes else { panic!("not confined") };
        let open = roots.iter().filter(|root| root.sockets == Sockets::Open);
        let open: Vec<&Path> = open.map(|root| root.path.as_path()).collect();
        assert_eq!(open, [Path::new("/w"), Path::new("/data")]);
        assert!(roots.iter().any(|root| root.path == Path::new("/tmp")));
    }
}
