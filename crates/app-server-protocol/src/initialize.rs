//! The first words of a connection.

use serde::{Deserialize, Serialize};

/// Key of [`Capabilities::extensions`] that turns on `thread/realtime/stage`, the times at
/// which each stage of a spoken request was reached. Its value is an empty object.
pub const STAGES_EXTENSION: &str = "duet/stages";

/// Key of [`Capabilities::extensions`] that turns on `thread/realtime/playback`: what is to become
/// of the sound that a client has and has not played. Its value is an empty object.
pub const PLAYBACK_EXTENSION: &str = "duet/playback";

/// Key of [`Capabilities::extensions`] that turns on `reason` in the `item/completed` of a
/// `fileChange` that failed. Its value is an empty object.
pub const REASONS_EXTENSION: &str = "duet/reasons";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeParams {
    pub client_info: ClientInfo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientInfo {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub version: String,
}

/// What the client can do and wants to hear.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capabilities {
    /// Wants the methods that may still change.
    pub experimental_api: bool,
    /// Exact names of notifications that this connection shall not get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_out_notification_methods: Option<Vec<String>>,
    /// Named extensions, each with its settings. Ours begin with `duet/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Capabilities {
    /// With these extensions, none of which has settings.
    pub fn with_extensions(self, names: &[&str]) -> Self {
        let settings = || serde_json::Value::Object(serde_json::Map::new());
        let extensions = names.iter().map(|name| ((*name).to_owned(), settings())).collect();
        Self { extensions: Some(extensions), ..self }
    }

    /// Whether the client named the extension, with whatever settings.
    pub fn has_extension(&self, name: &str) -> bool {
        self.extensions.as_ref().is_some_and(|extensions| extensions.contains_key(name))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeResult {
    /// `<client's name>/<protocol release> (<os>; <arch>) duet/<our version>`: clients read
    /// the release out of it to know which methods there are.
    pub user_agent: String,
    /// Our home. The name is the reference's.
    pub codex_home: String,
    pub platform_family: String,
    pub platform_os: String,
}
