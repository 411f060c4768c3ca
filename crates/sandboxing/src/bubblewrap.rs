//! The same limits by bubblewrap, where the kernel has no Landlock: everything is mounted to be
//! read, the roots to be written, the network is one of its own, and our filters are installed
//! by it, at its end.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::MemfdFlags;

use crate::command::{Command, Confinement, Network, Writes};
use crate::confine::{ConfineError, KEPT, filters};

/// Where systems install it. Not looked up: a `PATH` may begin in the workspace.
const PLACES: [&str; 2] = ["/usr/bin/bwrap", "/usr/local/bin/bwrap"];

/// Made anew in there, so that devices of this machine cannot be written.
const SHARED_MEMORY: &str = "/dev/shm";

/// A command in its wrapping, to be started without any environment: bubblewrap itself runs
/// before there is a sandbox, and what `LD_LIBRARY_PATH` and its like name may lie in the workspace.
/// The files must stay open until it was started.
pub(crate) struct Wrapped {
    pub(crate) argv: Vec<OsString>,
    _files: Vec<OwnedFd>,
}

/// The program that wraps, where it is installed and nobody but root could have changed it.
pub(crate) fn program() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|place| {
        fs::metadata(place).is_ok_and(|it| {
            it.is_file() && it.uid() == 0 && it.permissions().mode() & 0o122 == 0o100
        })
    })
}

/// Whether it works on this machine: it needs user namespaces, or root.
pub(crate) fn try_it(program: &Path) -> Result<(), ConfineError> {
    let confinement = Confinement { writes: Writes::Only(Vec::new()), network: Network::Closed };
    let argv = [OsStr::new("/bin/true")];
    let wrapped = wrap(program, &argv, Path::new("/"), &[], &confinement)?;
    let failed = |why: String| ConfineError::Bubblewrap(why);
    let output = std::process::Command::new(&wrapped.argv[0])
        .args(&wrapped.argv[1..])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it says nothing").trim_start_matches("bwrap: ");
    if output.status.success() { Ok(()) } else { Err(failed(said.to_owned())) }
}

/// As [`wrap`], of a command. `None` when there is no such program: wrapped, that could not be
/// told from a program that fails.
pub(crate) fn wrap_command(
    wrapper: &Path,
    command: &Command,
) -> Result<Option<Wrapped>, ConfineError> {
    let Command { argv, cwd, env, confinement, .. } = command;
    let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    let is_there = argv.first().is_some_and(|program| is_program(program, cwd, path));
    if !is_there {
        return Ok(None);
    }
    let argv: Vec<&OsStr> = argv.iter().map(OsString::as_os_str).collect();
    wrap(wrapper, &argv, cwd, env, confinement).map(Some)
}

fn wrap(
    wrapper: &Path,
    argv: &[&OsStr],
    cwd: &Path,
    env: &[(OsString, OsString)],
    confinement: &Confinement,
) -> Result<Wrapped, ConfineError> {
    let Confinement { writes, network } = confinement;
    let mut options: Vec<u8> = Vec::new();
    let mut add = |words: &[&OsStr]| {
        for word in words {
            options.extend(word.as_encoded_bytes());
            options.push(0);
        }
    };
    for (name, value) in env {
        add(&["--setenv".as_ref(), name, value]);
    }
    let bind = |how: &'static str, path: &Path| [OsString::from(how), path.into(), path.into()];
    match writes {
        Writes::Anywhere => add(&["--bind".as_ref(), "/".as_ref(), "/".as_ref()]),
        Writes::Only(roots) => {
            add(&["--ro-bind".as_ref(), "/".as_ref(), "/".as_ref()]);
            add(&["--dev".as_ref(), "/dev".as_ref()]);
            // Parents before what lies in them, which they would hide.
            let mut roots: Vec<&Path> = roots.iter().map(|it| it.path.as_path()).collect();
            roots.sort_unstable();
            for root in roots {
                // One that does not exist gives nothing.
                let Ok(real) = root.canonicalize() else { continue };
                // Of devices only the shared memory is a place to write to.
                if real.starts_with("/dev") && !real.starts_with(SHARED_MEMORY) {
                    continue;
                }
                let words = bind("--bind", &real);
                add(&words.each_ref().map(OsString::as_os_str));
            }
        }
    }
    match network {
        Network::Open => {}
        Network::Closed => add(&["--unshare-net".as_ref()]),
    }
    // Others have none to lose.
    if rustix::process::geteuid().is_root() {
        let held = rustix::thread::capabilities(None).map_err(ConfineError::Capabilities)?;
        add(&["--cap-drop".as_ref(), "ALL".as_ref()]);
        for (_, name) in KEPT.iter().filter(|(it, _)| held.permitted.contains(*it)) {
            add(&["--cap-add".as_ref(), name.as_ref()]);
        }
    }
    let mut files = Vec::new();
    for filter in filters(*network)? {
        let file = in_memory(&filter).map_err(|error| ConfineError::Seccomp(error.to_string()))?;
        let number = OsString::from(file.as_raw_fd().to_string());
        add(&["--add-seccomp-fd".as_ref(), &number]);
        files.push(file);
    }
    add(&["--chdir".as_ref(), cwd.as_os_str()]);
    // In a file: everybody on this machine can read a command line, and the environment is in it.
    let options =
        in_memory(&options).map_err(|error| ConfineError::Bubblewrap(error.to_string()))?;
    let number = OsString::from(options.as_raw_fd().to_string());
    files.push(options);
    let mut wrapped = vec![wrapper.into(), "--args".into(), number, "--".into()];
    wrapped.extend(argv.iter().map(OsString::from));
    Ok(Wrapped { argv: wrapped, _files: files })
}

/// A file that the child inherits.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("filter", MemfdFlags::empty())?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Whether `execvp` would find it.
fn is_program(program: &OsStr, cwd: &Path, path: Option<&OsStr>) -> bool {
    let runs = |path: PathBuf| {
        fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    if program.as_encoded_bytes().contains(&b'/') {
        return runs(cwd.join(program));
    }
    std::env::split_paths(path.unwrap_or_default()).any(|dir| runs(cwd.join(dir).join(program)))
}
