//! Services that run a model.

use std::time::Duration;

use crate::{Environment, Secret};

/// Id of the provider that runs the bundled model.
pub const LOCAL: &str = "local";

/// Id of the provider that is used when `OPENAI_API_KEY` is set and nothing else.
pub const OPENAI: &str = "openai";

/// The reference's default, and sensible: a large model may think for minutes in silence.
pub(crate) const IDLE: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The key of `[model_providers.ID]`.
    pub id: String,
    /// For people.
    pub name: String,
    pub kind: ProviderKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderKind {
    /// The bundled model, in the model host.
    Local,
    /// A Responses API.
    Responses(Endpoint),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Without `/responses`, and without a slash at its end.
    pub base_url: String,
    pub key: KeySource,
    /// Added to every request, in order.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, Secret)>,
    /// Header name and the variable that holds its value; unset ones are left out.
    pub env_headers: Vec<(String, String)>,
    /// The longest silence in a stream.
    pub idle: Duration,
}

/// Where the key is. Looking it up is for `login`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable; `hint` tells how to get one.
    Variable { name: String, hint: Option<String> },
    /// In the file itself.
    Token(Secret),
    /// The service asks for none.
    None,
}

impl Provider {
    pub(crate) fn local() -> Self {
        let name = "the bundled model".to_owned();
        Self { id: LOCAL.to_owned(), name, kind: ProviderKind::Local }
    }

    pub(crate) fn openai(base_url: Option<&str>) -> Self {
        let base_url = base_url.unwrap_or("https://api.openai.com/v1");
        let hint = "make one at https://platform.openai.com/api-keys".to_owned();
        let key = KeySource::Variable { name: OPENAI_API_KEY.to_owned(), hint: Some(hint) };
        Self {
            id: OPENAI.to_owned(),
            name: "OpenAI".to_owned(),
            kind: ProviderKind::Responses(Endpoint {
                base_url: base_url.trim_end_matches('/').to_owned(),
                key,
                query: Vec::new(),
                headers: Vec::new(),
                env_headers: Vec::new(),
                idle: IDLE,
            }),
        }
    }
}

const OPENAI_API_KEY: &str = "OPENAI_API_KEY";

pub(crate) fn has_openai_key(environment: &Environment) -> bool {
    environment.get(OPENAI_API_KEY).is_some()
}
