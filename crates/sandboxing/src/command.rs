//! What to run, and what it may touch.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// One command. Its standard input is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, looked up in `PATH` of `env` when it has no slash, and its arguments.
    pub argv: Vec<OsString>,
    pub cwd: PathBuf,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    pub confinement: Confinement,
    pub errors: Errors,
    /// After this, every process of the command is asked to end, then killed.
    pub time_limit: Duration,
    /// Bytes of output that are handed on: the first and the last of it when there is more.
    pub output_limit: usize,
}

/// What becomes of standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Errors {
    /// One stream with standard output, so that both stay in the order in which they came.
    WithOutput,
    /// For output that is parsed.
    Discarded,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    pub writes: Writes,
    pub network: Network,
}

impl Confinement {
    /// The rights of the user who started Duet.
    pub const NONE: Self = Self { writes: Writes::Anywhere, network: Network::Open };

    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// Where files may be made, changed, moved and removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writes {
    Anywhere,
    /// Beneath these, and to `/dev/null` and its like.
    Only(Vec<Root>),
}

/// A file, or a directory with all that is in it. One that does not exist gives nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    pub path: PathBuf,
    pub sockets: Sockets,
}

/// Unix sockets beneath a root, where somebody else listens who is not in the sandbox. Those that
/// a command made itself it can always reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sockets {
    /// Reached like the files around them.
    Open,
    /// Not reached, where the kernel can tell (Landlock 9): for directories that the command
    /// shares with whatever else runs on the machine.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    Open,
    /// Unix sockets only.
    Closed,
}
