//! What is configured, as clients may know it: no keys, no secrets.

use serde::{Deserialize, Serialize};

use crate::thread::{ApprovalPolicyName, SandboxModeName};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigReadParams {
    /// Layers are not told apart yet; the answer has none.
    pub include_layers: bool,
    pub cwd: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigReadResult {
    pub config: EffectiveConfig,
    /// Where each value came from. Always empty: origins are not tracked yet.
    pub origins: serde_json::Map<String, serde_json::Value>,
}

/// The keys of `config.toml` that a thread starts with, under their names there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveConfig {
    pub model: Option<String>,
    pub model_provider: Option<String>,
    pub approval_policy: Option<ApprovalPolicyName>,
    pub sandbox_mode: Option<SandboxModeName>,
    pub developer_instructions: Option<String>,
}

/// What an administrator demands. We have no such source, so nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRequirementsReadResult {
    pub requirements: Option<crate::rpc::Empty>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SkillsListParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwds: Option<Vec<String>>,
    pub force_reload: bool,
}

/// Always empty: there are no skills yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillsListResult {
    pub data: Vec<serde_json::Value>,
}
