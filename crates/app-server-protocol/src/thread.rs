//! Threads: starting one, and what clients are told of one.

use protocol::{ApprovalPolicy, SandboxMode, SandboxPolicy, Usage};
use serde::{Deserialize, Serialize};

use crate::turn::Turn;

/// Everything left out comes from the configuration. Members that we do not know are
/// ignored, as the reference does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ThreadStartParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_policy: Option<ApprovalPolicyName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxModeName>,
    /// Keys of `config.toml`, dotted, over what the file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub developer_instructions: Option<String>,
    /// Not written to disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<bool>,
}

/// A thread of an earlier process goes on. What is left out is as it was (`cwd`, `model`,
/// `modelProvider`), or comes from the configuration: what a thread was allowed is not remembered.
/// One that runs here already keeps what it runs with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadResumeParams {
    pub thread_id: String,
    /// The answer's `thread.turns` stay empty.
    #[serde(default)]
    pub exclude_turns: bool,
    /// `ephemeral` has no meaning here.
    #[serde(flatten)]
    pub start: ThreadStartParams,
}

/// Of `thread/resume` too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadStartResult {
    pub thread: Thread,
    pub model: String,
    pub model_provider: String,
    pub cwd: String,
    pub approval_policy: ApprovalPolicyName,
    /// Always `user`: nobody else ever approves.
    pub approvals_reviewer: String,
    pub sandbox: SandboxPolicyShape,
    pub reasoning_effort: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thread {
    pub id: String,
    /// A thread is its own session.
    pub session_id: String,
    /// The first words of the person, for lists.
    pub preview: String,
    pub ephemeral: bool,
    pub model_provider: String,
    pub model: Option<String>,
    /// Seconds since 1970.
    pub created_at: i64,
    pub updated_at: i64,
    pub status: ThreadStatus,
    /// The rollout file. Told by `thread/read`, once there is one.
    pub path: Option<String>,
    pub cwd: String,
    pub cli_version: String,
    /// `appServer`, since every thread is started through it.
    pub source: String,
    pub name: Option<String>,
    pub project_id: Option<String>,
    /// Filled by `thread/read` when asked for.
    pub turns: Vec<Turn>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ThreadStatus {
    NotLoaded,
    Idle,
    /// The last turn failed. The thread can go on.
    SystemError,
    #[serde(rename_all = "camelCase")]
    Active {
        active_flags: Vec<ActiveFlag>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ActiveFlag {
    WaitingOnApproval,
    WaitingOnUserInput,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadReadParams {
    pub thread_id: String,
    #[serde(default)]
    pub include_turns: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadReadResult {
    pub thread: Thread,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThreadLoadedListParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadLoadedListResult {
    pub data: Vec<String>,
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadUnsubscribeParams {
    pub thread_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadUnsubscribeResult {
    pub status: UnsubscribeStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnsubscribeStatus {
    NotLoaded,
    NotSubscribed,
    Unsubscribed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalPolicyName {
    Untrusted,
    OnFailure,
    OnRequest,
    Never,
}

impl From<ApprovalPolicyName> for ApprovalPolicy {
    fn from(name: ApprovalPolicyName) -> Self {
        match name {
            ApprovalPolicyName::Untrusted => Self::Untrusted,
            ApprovalPolicyName::OnFailure => Self::OnFailure,
            ApprovalPolicyName::OnRequest => Self::OnRequest,
            ApprovalPolicyName::Never => Self::Never,
        }
    }
}

impl From<ApprovalPolicy> for ApprovalPolicyName {
    fn from(policy: ApprovalPolicy) -> Self {
        match policy {
            ApprovalPolicy::Untrusted => Self::Untrusted,
            ApprovalPolicy::OnFailure => Self::OnFailure,
            ApprovalPolicy::OnRequest => Self::OnRequest,
            ApprovalPolicy::Never => Self::Never,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxModeName {
    ReadOnly,
    WorkspaceWrite,
    DangerFullAccess,
}

impl From<SandboxModeName> for SandboxMode {
    fn from(name: SandboxModeName) -> Self {
        match name {
            SandboxModeName::ReadOnly => Self::ReadOnly,
            SandboxModeName::WorkspaceWrite => Self::WorkspaceWrite,
            SandboxModeName::DangerFullAccess => Self::DangerFullAccess,
        }
    }
}

impl From<SandboxMode> for SandboxModeName {
    fn from(mode: SandboxMode) -> Self {
        match mode {
            SandboxMode::ReadOnly => Self::ReadOnly,
            SandboxMode::WorkspaceWrite => Self::WorkspaceWrite,
            SandboxMode::DangerFullAccess => Self::DangerFullAccess,
        }
    }
}

/// A sandbox in full, as results carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum SandboxPolicyShape {
    DangerFullAccess,
    #[serde(rename_all = "camelCase")]
    ReadOnly {
        #[serde(default)]
        network_access: bool,
    },
    #[serde(rename_all = "camelCase")]
    WorkspaceWrite {
        #[serde(default)]
        writable_roots: Vec<String>,
        #[serde(default)]
        network_access: bool,
        #[serde(default)]
        exclude_tmpdir_env_var: bool,
        #[serde(default)]
        exclude_slash_tmp: bool,
    },
}

impl From<&SandboxPolicy> for SandboxPolicyShape {
    fn from(policy: &SandboxPolicy) -> Self {
        let SandboxPolicy { mode, writable_roots, network } = policy;
        match mode {
            SandboxMode::ReadOnly => Self::ReadOnly { network_access: *network },
            SandboxMode::WorkspaceWrite => Self::WorkspaceWrite {
                writable_roots: writable_roots
                    .iter()
                    .map(|root| root.to_string_lossy().into_owned())
                    .collect(),
                network_access: *network,
                exclude_tmpdir_env_var: false,
                exclude_slash_tmp: false,
            },
            SandboxMode::DangerFullAccess => Self::DangerFullAccess,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenUsage {
    pub total: TokenBreakdown,
    pub last: TokenBreakdown,
    pub model_context_window: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenBreakdown {
    pub total_tokens: u64,
    pub input_tokens: u64,
    pub cached_input_tokens: u64,
    pub output_tokens: u64,
    pub reasoning_output_tokens: u64,
}

impl From<Usage> for TokenBreakdown {
    fn from(usage: Usage) -> Self {
        let Usage { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens } = usage;
        Self {
            total_tokens: input_tokens.saturating_add(output_tokens),
            input_tokens,
            cached_input_tokens,
            output_tokens,
            reasoning_output_tokens: reasoning_tokens,
        }
    }
}
