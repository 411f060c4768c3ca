//! Who we are to a service: where its key comes from, and the headers that say so.
//!
//! Invariant: a key leaves this crate only inside [`Headers`] and [`Secret`], which do not print it.

use config::{Endpoint, Environment, KeySource, Secret};
use transport::{Headers, InvalidHeader};

/// A key that was found. It does not print itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    key: Secret,
}

impl Credential {
    /// For handshakes that take their headers as pairs.
    pub fn key(&self) -> &Secret {
        &self.key
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error("{provider} needs a key: set the environment variable {variable}{}", hinted(.hint))]
    MissingKey { provider: String, variable: String, hint: Option<String> },
    #[error("the key of {provider} ({origin}) has characters that no key has: copy it again")]
    InvalidKey { provider: String, origin: String },
    #[error("{provider}: {header}: check `http_headers` and `env_http_headers` in config.toml")]
    InvalidHeader { provider: String, header: InvalidHeader },
}

/// Looks up the key of a service; `None` where it asks for none.
///
/// `provider` is its name for people.
pub fn credential(
    provider: &str,
    source: &KeySource,
    environment: &Environment,
) -> Result<Option<Credential>, LoginError> {
    match source {
        KeySource::Variable { name, hint } => match environment.secret(name) {
            Some(key) => Ok(Some(Credential { key })),
            None => Err(LoginError::MissingKey {
                provider: provider.to_owned(),
                variable: name.clone(),
                hint: hint.clone(),
            }),
        },
        KeySource::Token(key) => Ok(Some(Credential { key: key.clone() })),
        KeySource::None => Ok(None),
    }
}

/// The headers of every request to a service: the configured ones, and its key.
pub fn headers(
    provider: &str,
    endpoint: &Endpoint,
    environment: &Environment,
) -> Result<Headers, LoginError> {
    let mut headers = Headers::new();
    let invalid = |header| LoginError::InvalidHeader { provider: provider.to_owned(), header };
    for (name, value) in &endpoint.headers {
        headers.insert_secret(name, value.expose()).map_err(invalid)?;
    }
    for (name, variable) in &endpoint.env_headers {
        if let Some(value) = environment.secret(variable) {
            headers.insert_secret(name, value.expose()).map_err(invalid)?;
        }
    }
    if let Some(Credential { key }) = credential(provider, &endpoint.key, environment)? {
        headers.insert_bearer(key.expose()).map_err(|_| LoginError::InvalidKey {
            provider: provider.to_owned(),
            origin: origin(&endpoint.key),
        })?;
    }
    Ok(headers)
}

/// Where a key is set, for sentences about it.
pub fn origin(source: &KeySource) -> String {
    match source {
        KeySource::Variable { name, hint: _ } => format!("from the environment variable {name}"),
        KeySource::Token(_) => "from experimental_bearer_token in config.toml".to_owned(),
        KeySource::None => "none is set; `env_key` names its variable".to_owned(),
    }
}

fn hinted(hint: &Option<String>) -> String {
    hint.as_ref().map(|it| format!(" ({it})")).unwrap_or_default()
}
