//! Whether a tool may run: decided from what it may do, what the person settled, and what
//! the machine can enforce. Nobody is asked here; what would need a question is refused.

use protocol::{ApprovalPolicy, SandboxMode, SandboxPolicy, ToolEffect};

/// What was settled for the thread, and what this machine can enforce of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    pub approval: ApprovalPolicy,
    pub sandbox: SandboxPolicy,
    pub enforcement: Enforcement,
}

/// Whether the operating system can confine the programs that tools start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforcement {
    Sandboxed,
    /// `why` is a clause for people: "this kernel has no Landlock".
    Unavailable {
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Run,
    Refuse {
        /// For the model and for people: why, and what would allow it.
        output: String,
        /// What would allow it, alone.
        remedy: &'static str,
    },
}

const WRITABLE: &str = "start with `--sandbox workspace-write`";
const CONTAINED: &str =
    "start with `--sandbox danger-full-access` inside a container or virtual machine";
const TRUSTED: &str = "start with `-c approval_policy=on-request` or `never`";

impl Permissions {
    pub(crate) fn verdict(&self, tool: &str, effect: ToolEffect) -> Verdict {
        match effect {
            ToolEffect::Reads => Verdict::Run,
            ToolEffect::Writes => self.on_writes(tool),
            ToolEffect::Runs => self.on_runs(tool),
        }
    }

    fn on_writes(&self, tool: &str) -> Verdict {
        match (self.sandbox.mode, self.approval) {
            (SandboxMode::ReadOnly, _) => {
                refuse(format!("{tool} would change files, and this thread is read-only"), WRITABLE)
            }
            (
                SandboxMode::WorkspaceWrite | SandboxMode::DangerFullAccess,
                ApprovalPolicy::Untrusted,
            ) => needs_approval(tool, "change files"),
            (
                SandboxMode::WorkspaceWrite | SandboxMode::DangerFullAccess,
                ApprovalPolicy::OnFailure | ApprovalPolicy::OnRequest | ApprovalPolicy::Never,
            ) => Verdict::Run,
        }
    }

    fn on_runs(&self, tool: &str) -> Verdict {
        match self.approval {
            ApprovalPolicy::Untrusted => return needs_approval(tool, "run a program"),
            ApprovalPolicy::OnFailure | ApprovalPolicy::OnRequest | ApprovalPolicy::Never => (),
        }
        match (self.sandbox.mode, &self.enforcement) {
            (SandboxMode::DangerFullAccess, _) => Verdict::Run,
            (SandboxMode::ReadOnly | SandboxMode::WorkspaceWrite, Enforcement::Sandboxed) => {
                Verdict::Run
            }
            (
                SandboxMode::ReadOnly | SandboxMode::WorkspaceWrite,
                Enforcement::Unavailable { why },
            ) => refuse(
                format!("{tool} would run a program, and no sandbox can be had here ({why})"),
                CONTAINED,
            ),
        }
    }
}

fn needs_approval(tool: &str, act: &str) -> Verdict {
    let why = format!(
        "{tool} would {act}, which needs the user's approval under the approval policy \
         `untrusted`, and nobody can be asked here"
    );
    refuse(why, TRUSTED)
}

fn refuse(why: String, remedy: &'static str) -> Verdict {
    let output = format!("refused: {why}. Do without it, or tell the user to {remedy}.");
    Verdict::Refuse { output, remedy }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_case() {
        let mut table = String::new();
        for mode in
            [SandboxMode::ReadOnly, SandboxMode::WorkspaceWrite, SandboxMode::DangerFullAccess]
        {
            for approval in [
                ApprovalPolicy::Untrusted,
                ApprovalPolicy::OnFailure,
                ApprovalPolicy::OnRequest,
                ApprovalPolicy::Never,
            ] {
                write!(table, "{mode:?} {approval:?}:").unwrap();
                for (effect, enforcement) in [
                    (ToolEffect::Reads, Enforcement::Unavailable { why: "test".to_owned() }),
                    (ToolEffect::Writes, Enforcement::Unavailable { why: "test".to_owned() }),
                    (ToolEffect::Runs, Enforcement::Unavailable { why: "test".to_owned() }),
                    (ToolEffect::Runs, Enforcement::Sandboxed),
                ] {
                    let sandbox = SandboxPolicy { mode, ..SandboxPolicy::default() };
                    let permissions = Permissions { approval, sandbox, enforcement };
                    let verdict = match permissions.verdict("tool", effect) {
                        Verdict::Run => "run",
                        Verdict::Refuse { .. } => "refuse",
                    };
                    write!(table, " {verdict}").unwrap();
                }
                table.push('\n');
            }
        }
        // Reads, writes, runs without a sandbox, runs with one.
        assert_eq!(
            table,
            "\
ReadOnly Untrusted: run refuse refuse refuse
ReadOnly OnFailure: run refuse refuse run
ReadOnly OnRequest: run refuse refuse run
ReadOnly Never: run refuse refuse run
WorkspaceWrite Untrusted: run refuse refuse refuse
WorkspaceWrite OnFailure: run run refuse run
WorkspaceWrite OnRequest: run run refuse run
WorkspaceWrite Never: run run refuse run
DangerFullAccess Untrusted: run refuse refuse refuse
DangerFullAccess OnFailure: run run run run
DangerFullAccess OnRequest: run run run run
DangerFullAccess Never: run run run run
"
        );
    }
}
