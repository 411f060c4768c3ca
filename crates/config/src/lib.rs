//! Settings, from the home's `config.toml`, flags and the environment.
//!
//! Invariants:
//! * Only the home's file is read: a repository sets nothing, least of all providers and keys.
//! * What we do not know is a [`Warning`], so that a file of a newer version works; what we do
//!   know and cannot use is an error that names file, line and key.
//! * Nothing here reads the process' environment except [`Environment::of_process`].

mod document;
mod environment;
mod error;
mod home;
mod overrides;
mod provider;
mod raw;
mod settings;

pub use crate::environment::{Environment, Secret};
pub use crate::error::{ConfigError, Place, Warning};
pub use crate::home::Home;
pub use crate::overrides::Override;
pub use crate::provider::{Endpoint, KeySource, LOCAL, OPENAI, Provider, ProviderKind};
pub use crate::settings::{
    AgentSettings, Config, LocalVoice, RealtimeSettings, RemoteVoice, VoiceService,
};
