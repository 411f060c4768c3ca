//! What is settled for a thread and how its turns end.

use std::path::PathBuf;

/// Who is asked before a risky act. Names are the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ApprovalPolicy {
    Untrusted,
    OnFailure,
    #[default]
    OnRequest,
    /// Nobody is asked: what would need an approval is refused, and the agent is told why.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SandboxMode {
    ReadOnly,
    /// Writes below the workspace and the temporary directory, no network.
    #[default]
    WorkspaceWrite,
    DangerFullAccess,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SandboxPolicy {
    pub mode: SandboxMode,
    /// Written to besides the workspace and the temporary directory.
    pub writable_roots: Vec<PathBuf>,
    pub network: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadSettings {
    pub cwd: PathBuf,
    pub model: String,
    /// Key of `[model_providers.ID]`; `local` is the bundled model.
    pub model_provider: String,
    pub approval_policy: ApprovalPolicy,
    pub sandbox: SandboxPolicy,
    /// The user's own instructions, put after ours.
    pub developer_instructions: Option<String>,
    /// Not written to disk.
    pub ephemeral: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnStatus {
    InProgress,
    Completed,
    Interrupted,
    Failed(TurnFailure),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnFailure {
    /// A sentence for people: what failed and what to do.
    pub message: String,
}
