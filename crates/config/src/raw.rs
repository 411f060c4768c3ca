//! The file's own shape. Everything is optional here: one layer may set a part of a table.

use std::collections::BTreeMap;

use protocol::{ApprovalPolicy, RealtimeVersion, SandboxMode, SessionMode};
use responses_wire::{Effort, Summary};
use serde::Deserialize;

use crate::Secret;

/// Keys of the reference's file that Duet does nothing with yet, by their beginnings.
pub(crate) const NOT_YET: &[&[&str]] = &[
    &["agents"],
    &["allow_login_shell"],
    &["analytics"],
    &["approvals_reviewer"],
    &["apps"],
    &["audio"],
    &["chatgpt_base_url"],
    &["check_for_update_on_startup"],
    &["cli_auth_credentials_store"],
    &["compact_prompt"],
    &["default_permissions"],
    &["experimental_instructions_file"],
    &["experimental_realtime_webrtc_call_base_url"],
    &["features"],
    &["feedback"],
    &["file_opener"],
    &["forced_login_method"],
    &["hide_agent_reasoning"],
    &["history"],
    &["hooks"],
    &["instructions"],
    &["log_dir"],
    &["mcp_oauth_credentials_store"],
    &["mcp_servers"],
    &["memories"],
    &["model_auto_compact_token_limit"],
    &["model_catalog_json"],
    &["model_context_window"],
    &["model_instructions_file"],
    &["model_verbosity"],
    &["notice"],
    &["notify"],
    &["oss_provider"],
    &["otel"],
    &["permissions"],
    &["personality"],
    &["plan_mode_reasoning_effort"],
    &["profile"],
    &["profiles"],
    &["project_doc_fallback_filenames"],
    &["project_doc_max_bytes"],
    &["project_root_markers"],
    &["projects"],
    &["realtime", "transport"],
    &["review_model"],
    &["sandbox_workspace_write", "exclude_slash_tmp"],
    &["sandbox_workspace_write", "exclude_tmpdir_env_var"],
    &["service_tier"],
    &["shell_environment_policy"],
    &["show_raw_agent_reasoning"],
    &["skills"],
    &["sqlite_home"],
    &["tool_output_token_limit"],
    &["tools"],
    &["tui"],
    &["web_search"],
];

/// The same below `[model_providers.ID]`.
pub(crate) const PROVIDER_NOT_YET: &[&str] = &[
    "auth",
    "request_max_retries",
    "requires_openai_auth",
    "stream_max_retries",
    "supports_websockets",
    "websocket_connect_timeout_ms",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(crate) struct RawConfig {
    pub(crate) model: Option<String>,
    pub(crate) model_provider: Option<String>,
    pub(crate) model_reasoning_effort: Option<RawEffort>,
    pub(crate) model_reasoning_summary: Option<RawSummary>,
    pub(crate) developer_instructions: Option<String>,
    pub(crate) approval_policy: Option<RawApproval>,
    pub(crate) sandbox_mode: Option<RawSandboxMode>,
    pub(crate) sandbox_workspace_write: RawWorkspaceWrite,
    pub(crate) model_providers: BTreeMap<String, RawProvider>,
    pub(crate) openai_base_url: Option<String>,
    pub(crate) experimental_realtime_ws_base_url: Option<String>,
    pub(crate) experimental_realtime_ws_model: Option<String>,
    pub(crate) experimental_realtime_ws_backend_prompt: Option<String>,
    pub(crate) experimental_realtime_ws_startup_context: Option<String>,
    pub(crate) experimental_realtime_start_instructions: Option<String>,
    pub(crate) realtime: RawRealtime,
    pub(crate) features: RawFeatures,
    pub(crate) tools: RawTools,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(crate) struct RawProvider {
    pub(crate) name: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) env_key: Option<String>,
    pub(crate) env_key_instructions: Option<String>,
    pub(crate) experimental_bearer_token: Option<RawSecret>,
    pub(crate) wire_api: Option<RawWireApi>,
    pub(crate) query_params: BTreeMap<String, String>,
    pub(crate) http_headers: BTreeMap<String, RawSecret>,
    pub(crate) env_http_headers: BTreeMap<String, String>,
    pub(crate) stream_idle_timeout_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(crate) struct RawWorkspaceWrite {
    pub(crate) writable_roots: Vec<std::path::PathBuf>,
    pub(crate) network_access: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(crate) struct RawRealtime {
    pub(crate) version: Option<RawVersion>,
    #[serde(rename = "type")]
    pub(crate) mode: Option<RawMode>,
    pub(crate) voice: Option<String>,
    /// Ours: who speaks. A provider's id, or `local`.
    pub(crate) provider: Option<String>,
    /// Ours: settings of the local voice.
    pub(crate) local: RawLocalVoice,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(crate) struct RawLocalVoice {
    pub(crate) speed: Option<f32>,
    pub(crate) language: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(crate) struct RawFeatures {
    pub(crate) realtime_conversation: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(crate) struct RawTools {
    /// Ours.
    pub(crate) test_timeout_sec: Option<u64>,
}

/// Text whose value no error message repeats.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct RawSecret(pub(crate) Secret);

impl From<String> for RawSecret {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// Names of a file's values, and what they mean.
macro_rules! names {
    ($raw:ident => $meaning:ty { $($name:literal $variant:ident => $value:expr,)* }) => {
        #[derive(Debug, Clone, Copy, Deserialize)]
        #[serde(expecting = "a string")]
        pub(crate) enum $raw {
            $(#[serde(rename = $name)] $variant,)*
        }

        impl From<$raw> for $meaning {
            fn from(raw: $raw) -> Self {
                match raw {
                    $($raw::$variant => $value,)*
                }
            }
        }
    };
}

names! { RawWireApi => WireApi {
    "responses" Responses => WireApi::Responses,
    "chat" Chat => WireApi::Chat,
}}

names! { RawApproval => ApprovalPolicy {
    "untrusted" Untrusted => Self::Untrusted,
    "on-failure" OnFailure => Self::OnFailure,
    "on-request" OnRequest => Self::OnRequest,
    "never" Never => Self::Never,
}}

names! { RawSandboxMode => SandboxMode {
    "read-only" ReadOnly => Self::ReadOnly,
    "workspace-write" WorkspaceWrite => Self::WorkspaceWrite,
    "danger-full-access" DangerFullAccess => Self::DangerFullAccess,
}}

names! { RawVersion => RealtimeVersion {
    "v1" V1 => Self::V1,
    "v2" V2 => Self::V2,
}}

names! { RawMode => SessionMode {
    "conversational" Conversational => Self::Conversational,
    "transcription" Transcription => Self::Transcription,
}}

names! { RawEffort => Effort {
    "none" None => Self::None,
    "minimal" Minimal => Self::Minimal,
    "low" Low => Self::Low,
    "medium" Medium => Self::Medium,
    "high" High => Self::High,
    "xhigh" Xhigh => Self::Xhigh,
}}

names! { RawSummary => Option<Summary> {
    "auto" Auto => Some(Summary::Auto),
    "concise" Concise => Some(Summary::Concise),
    "detailed" Detailed => Some(Summary::Detailed),
    "none" None => None,
}}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireApi {
    Responses,
    Chat,
}
