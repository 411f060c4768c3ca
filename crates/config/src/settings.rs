//! The settings themselves, and how they follow from file, flags and environment.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{
    ApprovalPolicy, RealtimeVersion, SandboxMode, SandboxPolicy, SessionMode, ThreadSettings,
};
use responses_wire::Reasoning;
use toml::Table;

use crate::document::{Document, KeyPath, read_override, show_key};
use crate::error::{ConfigError, Place, Warning};
use crate::overrides::{Override, merge};
use crate::provider::has_openai_key;
use crate::provider::{Endpoint, IDLE, KeySource, LOCAL, OPENAI, Provider, ProviderKind};
use crate::raw::{
    NOT_YET, PROVIDER_NOT_YET, RawConfig, RawProvider, RawRealtime, RawTools, RawWorkspaceWrite,
    WireApi,
};
use crate::{Environment, Home};

/// The service's own recommendation for coding agents (November 2026).
const OPENAI_MODEL: &str = "gpt-5.5";

/// The bundled one, by the name that people know.
const LOCAL_MODEL: &str = "qwen2.5-coder-1.5b-instruct";

const REALTIME_MODEL: &str = "gpt-realtime-1.5";

/// What the synthesiser does well.
const SPEEDS: std::ops::RangeInclusive<f32> = 0.5..=2.0;

/// A first build is part of it.
const TEST_SECONDS: u64 = 600;

/// Longer than a day is a mistake.
const TEST_SECONDS_RANGE: std::ops::RangeInclusive<u64> = 1..=86_400;

#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub home: Home,
    pub agent: AgentSettings,
    /// The built-in ones and those of the file, by id.
    pub providers: BTreeMap<String, Provider>,
    /// What `workspace-write` lets commands write besides the workspace, also where another mode
    /// is configured: for who chooses this one, or adds to them.
    pub writable_roots: Vec<PathBuf>,
    pub realtime: RealtimeSettings,
    pub warnings: Vec<Warning>,
}

/// Who does the work, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    pub provider: Provider,
    pub model: String,
    pub reasoning: Reasoning,
    pub approval_policy: ApprovalPolicy,
    pub sandbox: SandboxPolicy,
    pub developer_instructions: Option<String>,
    /// How long the project's tests may take.
    pub test_time: Duration,
}

/// Who talks, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct RealtimeSettings {
    pub enabled: bool,
    pub service: VoiceService,
    pub version: RealtimeVersion,
    pub model: String,
    pub mode: SessionMode,
    /// `None` is the version's default.
    pub voice: Option<String>,
    /// Wins over the prompt of a start request.
    pub backend_prompt: Option<String>,
    /// In place of the generated one; empty for none.
    pub startup_context: Option<String>,
    /// In place of our words to the agent when a conversation starts.
    pub start_instructions: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum VoiceService {
    /// Our own realtime server.
    Local(LocalVoice),
    Remote(RemoteVoice),
}

#[derive(Debug, Clone, PartialEq)]
pub struct LocalVoice {
    /// 1 is the voice's own rate.
    pub speed: f32,
    /// Two letters; what is spoken to us.
    pub language: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteVoice {
    /// The provider's, or what replaces it for the WebSocket only.
    pub base_url: String,
    /// Whose key, headers and query are used.
    pub provider: String,
    pub endpoint: Endpoint,
}

impl Config {
    /// Reads the home's file, where there is one that counts, and lays `overrides` over it: later ones win.
    pub fn load(
        home: &Home,
        overrides: &[Override],
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let path = home.config_file();
        let text = match home.documents() {
            Some(_) => read_file(&path)?,
            None => String::new(),
        };
        let layers = Layers { file: Document { path, text }, overrides };
        let (raw, warnings) = layers.read()?;
        Resolver { layers, environment, warnings }.resolve(home.clone(), raw)
    }

    /// The environment variables that hold keys and headers of any provider: for requests to that
    /// provider, and for nothing else.
    pub fn secret_variables(&self) -> BTreeSet<String> {
        let endpoints = self.providers.values().filter_map(|provider| match &provider.kind {
            ProviderKind::Local => None,
            ProviderKind::Responses(endpoint) => Some(endpoint),
        });
        let names = endpoints.flat_map(|endpoint| {
            let key = match &endpoint.key {
                KeySource::Variable { name, hint: _ } => Some(name),
                KeySource::Token(_) | KeySource::None => None,
            };
            key.into_iter().chain(endpoint.env_headers.iter().map(|(_, variable)| variable))
        });
        names.cloned().collect()
    }

    /// What a new thread in `cwd` starts with.
    pub fn thread_settings(&self, cwd: PathBuf) -> ThreadSettings {
        let AgentSettings {
            provider,
            model,
            // Belongs to the model's client, as the same for all threads.
            reasoning: _,
            approval_policy,
            sandbox,
            developer_instructions,
            // Of the tools.
            test_time: _,
        } = &self.agent;
        ThreadSettings {
            cwd,
            model: model.clone(),
            model_provider: provider.id.clone(),
            approval_policy: *approval_policy,
            sandbox: sandbox.clone(),
            developer_instructions: developer_instructions.clone(),
            ephemeral: false,
        }
    }
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(cause) => Err(ConfigError::Unreadable { path: path.to_owned(), cause }),
    }
}

/// File and flags, weakest first.
struct Layers<'a> {
    file: Document,
    overrides: &'a [Override],
}

impl Layers<'_> {
    /// Each layer is read alone, so that its errors name its own place, then all together.
    fn read(&self) -> Result<(RawConfig, Vec<Warning>), ConfigError> {
        let (_, unknown) = self.file.read::<RawConfig>()?;
        let mut warnings: Vec<Warning> =
            unknown.into_iter().filter_map(|key| self.warn(key)).collect();
        let mut merged: Table = toml::from_str(&self.file.text).unwrap_or_default();
        for over in self.overrides {
            let unknown = read_override::<RawConfig>(over)?;
            warnings.extend(unknown.into_iter().filter_map(|key| self.warn(key)));
            merge(&mut merged, over.table());
        }
        let raw = merged.try_into().map_err(|error: toml::de::Error| ConfigError::Value {
            place: Place::Absent { path: self.file.path.clone() },
            key: String::new(),
            reason: error.message().to_owned(),
        })?;
        Ok((raw, warnings))
    }

    fn warn(&self, key: KeyPath) -> Option<Warning> {
        let segments: Vec<&str> = key.iter().map(String::as_str).collect();
        let not_yet = match segments.as_slice() {
            ["model_providers", _, name, ..] => PROVIDER_NOT_YET.contains(name),
            segments => NOT_YET.iter().any(|it| segments.starts_with(it)),
        };
        let (place, key) = (self.place(&segments), show_key(&key));
        Some(if not_yet {
            Warning::NotYet { place, key }
        } else {
            Warning::UnknownKey { place, key }
        })
    }

    /// Where `key` was set last.
    fn place(&self, key: &[&str]) -> Place {
        let key: KeyPath = key.iter().map(|it| (*it).to_owned()).collect();
        let set = |it: &&Override| it.path().starts_with(&key) || key.starts_with(it.path());
        if let Some(over) = self.overrides.iter().rev().find(set) {
            return Place::Flag { text: over.shown().to_owned() };
        }
        let path = self.file.path.clone();
        match self.file.line_of(&key) {
            Some(line) => Place::File { path, line },
            None => Place::Absent { path },
        }
    }
}

struct Resolver<'a> {
    layers: Layers<'a>,
    environment: &'a Environment,
    warnings: Vec<Warning>,
}

impl Resolver<'_> {
    fn resolve(mut self, home: Home, raw: RawConfig) -> Result<Config, ConfigError> {
        let RawConfig {
            model,
            model_provider,
            model_reasoning_effort,
            model_reasoning_summary,
            developer_instructions,
            approval_policy,
            sandbox_mode,
            sandbox_workspace_write,
            model_providers,
            openai_base_url,
            experimental_realtime_ws_base_url,
            experimental_realtime_ws_model,
            experimental_realtime_ws_backend_prompt,
            experimental_realtime_ws_startup_context,
            experimental_realtime_start_instructions,
            realtime,
            features,
            tools: RawTools { test_timeout_sec },
        } = raw;
        let providers = self.providers(model_providers, openai_base_url.as_deref())?;
        let provider = self.agent_provider(model_provider, &providers)?;
        let model = self.agent_model(model, &provider)?;
        let service = self.voice_service(
            &realtime,
            experimental_realtime_ws_base_url,
            &provider,
            &providers,
        )?;
        let RawRealtime { version, mode, voice, provider: _, local: _ } = realtime;
        let RawWorkspaceWrite { writable_roots, network_access } = sandbox_workspace_write;
        let writable_roots = self.writable_roots(&home, writable_roots)?;
        let agent = AgentSettings {
            provider,
            model,
            reasoning: Reasoning {
                effort: model_reasoning_effort.map(Into::into),
                summary: model_reasoning_summary.and_then(Into::into),
            },
            approval_policy: approval_policy.map(Into::into).unwrap_or_default(),
            sandbox: sandbox(
                sandbox_mode.map(Into::into).unwrap_or_default(),
                writable_roots.clone(),
                network_access,
            ),
            developer_instructions: not_blank(developer_instructions),
            test_time: self.test_time(test_timeout_sec)?,
        };
        let realtime = RealtimeSettings {
            enabled: features.realtime_conversation.unwrap_or(true),
            service,
            version: version.map(Into::into).unwrap_or_default(),
            model: not_blank(experimental_realtime_ws_model)
                .unwrap_or_else(|| REALTIME_MODEL.to_owned()),
            mode: mode.map_or(SessionMode::Conversational, Into::into),
            voice: not_blank(voice),
            backend_prompt: not_blank(experimental_realtime_ws_backend_prompt),
            startup_context: experimental_realtime_ws_startup_context,
            start_instructions: experimental_realtime_start_instructions,
        };
        Ok(Config { home, agent, providers, writable_roots, realtime, warnings: self.warnings })
    }

    fn test_time(&self, seconds: Option<u64>) -> Result<Duration, ConfigError> {
        let (seconds, range) = (seconds.unwrap_or(TEST_SECONDS), TEST_SECONDS_RANGE);
        if !range.contains(&seconds) {
            let reason = format!("{seconds} is not from {} to {}", range.start(), range.end());
            return Err(self.wrong(&["tools", "test_timeout_sec"], reason));
        }
        Ok(Duration::from_secs(seconds))
    }

    /// In full. A relative one of the file's lies beside the file; of a flag's or a client's we do
    /// not guess beside what.
    fn writable_roots(
        &self,
        home: &Home,
        roots: Vec<PathBuf>,
    ) -> Result<Vec<PathBuf>, ConfigError> {
        let key = ["sandbox_workspace_write", "writable_roots"];
        let in_full = |root: PathBuf| match self.layers.place(&key) {
            Place::Flag { .. } if root.is_relative() => {
                let reason = format!("`{}` is not a full path", root.display());
                Err(self.wrong(&key, reason))
            }
            Place::Flag { .. } | Place::File { .. } | Place::Absent { .. } => {
                Ok(home.path().join(root))
            }
        };
        roots.into_iter().map(in_full).collect()
    }

    fn providers(
        &mut self,
        raw: BTreeMap<String, RawProvider>,
        openai_base_url: Option<&str>,
    ) -> Result<BTreeMap<String, Provider>, ConfigError> {
        if let Some(url) = openai_base_url {
            self.check_url(&["openai_base_url"], url)?;
        }
        let built_in = [Provider::local(), Provider::openai(openai_base_url)];
        let mut providers: BTreeMap<String, Provider> =
            built_in.into_iter().map(|it| (it.id.clone(), it)).collect();
        for (id, raw) in raw {
            if providers.contains_key(&id) {
                let place = self.layers.place(&["model_providers", &id]);
                self.warnings.push(Warning::Reserved { place, id });
                continue;
            }
            let provider = self.provider(&id, raw)?;
            providers.insert(id, provider);
        }
        Ok(providers)
    }

    fn provider(&self, id: &str, raw: RawProvider) -> Result<Provider, ConfigError> {
        let RawProvider {
            name,
            base_url,
            env_key,
            env_key_instructions,
            experimental_bearer_token,
            wire_api,
            query_params,
            http_headers,
            env_http_headers,
            stream_idle_timeout_ms,
        } = raw;
        match wire_api.map(Into::into) {
            Some(WireApi::Responses) | None => (),
            Some(WireApi::Chat) => {
                let place = self.layers.place(&["model_providers", id, "wire_api"]);
                return Err(ConfigError::ChatApi { place, id: id.to_owned() });
            }
        }
        let key_path = ["model_providers", id, "base_url"];
        let base_url = base_url.unwrap_or_default();
        self.check_url(&key_path, &base_url)?;
        let key = match (not_blank(env_key), experimental_bearer_token) {
            (Some(name), _) => KeySource::Variable { name, hint: not_blank(env_key_instructions) },
            (None, Some(token)) => KeySource::Token(token.0),
            (None, None) => KeySource::None,
        };
        Ok(Provider {
            id: id.to_owned(),
            name: not_blank(name).unwrap_or_else(|| id.to_owned()),
            kind: ProviderKind::Responses(Endpoint {
                base_url: base_url.trim_end_matches('/').to_owned(),
                key,
                query: query_params.into_iter().collect(),
                headers: http_headers.into_iter().map(|(name, value)| (name, value.0)).collect(),
                env_headers: env_http_headers.into_iter().collect(),
                idle: stream_idle_timeout_ms.map_or(IDLE, Duration::from_millis),
            }),
        })
    }

    /// What is named; else the one that the file defines; else OpenAI with a key; else ours.
    fn agent_provider(
        &self,
        named: Option<String>,
        providers: &BTreeMap<String, Provider>,
    ) -> Result<Provider, ConfigError> {
        let mut own = providers.values().filter(|it| it.id != LOCAL && it.id != OPENAI);
        let id = match (named, own.next(), own.next()) {
            (Some(id), _, _) => return self.find("model_provider", &id, providers),
            (None, Some(only), None) => return Ok(only.clone()),
            (None, _, _) if has_openai_key(self.environment) => OPENAI,
            (None, _, _) => LOCAL,
        };
        self.find("model_provider", id, providers)
    }

    fn agent_model(
        &mut self,
        model: Option<String>,
        provider: &Provider,
    ) -> Result<String, ConfigError> {
        match (&provider.kind, not_blank(model)) {
            (ProviderKind::Local, Some(model)) if model != LOCAL_MODEL => {
                let place = self.layers.place(&["model"]);
                self.warnings.push(Warning::ModelIgnored { place, model });
                Ok(LOCAL_MODEL.to_owned())
            }
            (ProviderKind::Local, _) => Ok(LOCAL_MODEL.to_owned()),
            (ProviderKind::Responses(_), Some(model)) => Ok(model),
            (ProviderKind::Responses(_), None) if provider.id == OPENAI => {
                Ok(OPENAI_MODEL.to_owned())
            }
            (ProviderKind::Responses(_), None) => Err(ConfigError::NoModel {
                place: self.layers.place(&["model"]),
                provider: provider.id.clone(),
            }),
        }
    }

    /// The voice stays on this machine unless somebody else was named for it, or OpenAI does
    /// the agent's work anyway.
    fn voice_service(
        &self,
        raw: &RawRealtime,
        base_url: Option<String>,
        agent: &Provider,
        providers: &BTreeMap<String, Provider>,
    ) -> Result<VoiceService, ConfigError> {
        if let Some(url) = &base_url {
            self.check_url(&["experimental_realtime_ws_base_url"], url)?;
        }
        let provider = match (&raw.provider, &base_url) {
            (Some(id), _) => Some(self.find("realtime.provider", id, providers)?),
            (None, Some(_)) if agent.id == LOCAL => providers.get(OPENAI).cloned(),
            (None, Some(_)) => Some(agent.clone()),
            (None, None) if agent.id == OPENAI => Some(agent.clone()),
            (None, None) => None,
        };
        let remote = provider.and_then(|Provider { id, name: _, kind }| match kind {
            ProviderKind::Local => None,
            ProviderKind::Responses(endpoint) => Some((id, endpoint)),
        });
        match remote {
            Some((provider, endpoint)) => {
                let base_url = base_url.unwrap_or_else(|| endpoint.base_url.clone());
                Ok(VoiceService::Remote(RemoteVoice { base_url, provider, endpoint }))
            }
            None => Ok(VoiceService::Local(self.local_voice(raw)?)),
        }
    }

    fn local_voice(&self, raw: &RawRealtime) -> Result<LocalVoice, ConfigError> {
        let speed = raw.local.speed.unwrap_or(1.0);
        if !SPEEDS.contains(&speed) {
            let reason = format!("{speed} is not from {} to {}", SPEEDS.start(), SPEEDS.end());
            return Err(self.wrong(&["realtime", "local", "speed"], reason));
        }
        let language = raw.local.language.clone().unwrap_or_else(|| "en".to_owned());
        if language.len() != 2 || !language.chars().all(|it| it.is_ascii_lowercase()) {
            let reason = format!("`{language}` is not a language's two small letters");
            return Err(self.wrong(&["realtime", "local", "language"], reason));
        }
        Ok(LocalVoice { speed, language })
    }

    fn find(
        &self,
        key: &str,
        id: &str,
        providers: &BTreeMap<String, Provider>,
    ) -> Result<Provider, ConfigError> {
        providers.get(id).cloned().ok_or_else(|| ConfigError::UnknownProvider {
            place: self.layers.place(&key.split('.').collect::<Vec<_>>()),
            key: key.to_owned(),
            id: id.to_owned(),
            known: providers.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    fn check_url(&self, key: &[&str], url: &str) -> Result<(), ConfigError> {
        let schemes = ["http://", "https://", "ws://", "wss://"];
        let rest = schemes.iter().find_map(|it| url.strip_prefix(it));
        if rest.is_some_and(|it| !it.is_empty()) {
            return Ok(());
        }
        let reason = match url {
            "" => "it is missing: set the URL of the service's API".to_owned(),
            url => format!("`{url}` does not begin with http:// or https://"),
        };
        Err(self.wrong(key, reason))
    }

    fn wrong(&self, key: &[&str], reason: String) -> ConfigError {
        let segments: KeyPath = key.iter().map(|it| (*it).to_owned()).collect();
        ConfigError::Value { place: self.layers.place(key), key: show_key(&segments), reason }
    }
}

/// The table speaks of `workspace-write` alone: a network for it is none for `read-only`.
fn sandbox(mode: SandboxMode, writable_roots: Vec<PathBuf>, network: bool) -> SandboxPolicy {
    match mode {
        SandboxMode::WorkspaceWrite => SandboxPolicy { mode, writable_roots, network },
        SandboxMode::ReadOnly | SandboxMode::DangerFullAccess => {
            SandboxPolicy { mode, writable_roots: Vec::new(), network: false }
        }
    }
}

fn not_blank(text: Option<String>) -> Option<String> {
    text.filter(|it| !it.trim().is_empty())
}
