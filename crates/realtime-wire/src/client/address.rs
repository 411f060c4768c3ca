//! Where the service is, and what is said to it before the first event.

use std::fmt;
use std::fmt::Write as _;

use protocol::RealtimeVersion;

/// What is configured about a service.
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    /// `http`, `https`, `ws` or `wss`; the path may stop at the host, at `/v1` or at
    /// `/realtime`.
    pub base_url: &'a str,
    pub version: RealtimeVersion,
    pub model: Option<&'a str>,
    /// The provider's query parameters, in order.
    pub query: &'a [(String, String)],
    /// Sent as `x-session-id`.
    pub session_id: Option<&'a str>,
    pub api_key: Option<&'a str>,
    /// The provider's headers. They win over `default_headers`.
    pub headers: &'a [(String, String)],
    pub default_headers: &'a [(String, String)],
}

/// A WebSocket upgrade, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    pub url: String,
    /// Names in lower case, each once.
    pub headers: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the realtime address `{url}` is no URL; write it like https://host/v1")]
    Malformed { url: String },
    #[error("unsupported realtime api_url scheme: {scheme}")]
    Scheme { scheme: String },
    /// The value is not shown: it may be a secret.
    #[error("invalid realtime {name} header: it holds characters that a header cannot carry")]
    Header { name: String },
    #[error("invalid realtime api key header: the key holds characters that a header cannot carry")]
    ApiKey,
}

/// Builds URL and headers. An explicit session id and key win over the provider's headers.
pub fn handshake(endpoint: &Endpoint<'_>) -> Result<Handshake, AddressError> {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: &str| {
        let name = name.to_ascii_lowercase();
        if !name.bytes().all(is_token) || name.is_empty() || !is_field_value(value) {
            return Err(AddressError::Header { name });
        }
        if headers.iter().all(|(it, _)| *it != name) {
            headers.push((name, value.to_owned()));
        }
        Ok(())
    };
    if let Some(id) = endpoint.session_id {
        add("x-session-id", id)?;
    }
    if let Some(key) = endpoint.api_key {
        add("authorization", &format!("Bearer {key}")).map_err(|_| AddressError::ApiKey)?;
    }
    for (name, value) in endpoint.headers.iter().chain(endpoint.default_headers) {
        add(name, value)?;
    }
    Ok(Handshake { url: url(endpoint)?, headers })
}

fn url(endpoint: &Endpoint<'_>) -> Result<String, AddressError> {
    let malformed = || AddressError::Malformed { url: endpoint.base_url.to_owned() };
    let (scheme, rest) = endpoint.base_url.trim().split_once("://").ok_or_else(malformed)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        other => return Err(AddressError::Scheme { scheme: other.to_owned() }),
    };
    let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    if host.is_empty() || !host.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(malformed());
    }
    if !path.bytes().chain(query.bytes()).all(|it| it.is_ascii_graphic()) {
        return Err(malformed());
    }
    let mut url = format!("{scheme}://{host}{}", normal(path));
    let mut separator = '?';
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
        separator = '&';
    }
    for (name, value) in parameters(endpoint) {
        url.push(separator);
        separator = '&';
        push_encoded(&mut url, name);
        url.push('=');
        push_encoded(&mut url, value);
    }
    Ok(url)
}

fn normal(path: &str) -> String {
    if matches!(path, "" | "/") {
        "/v1/realtime".to_owned()
    } else if path.ends_with("/realtime/") {
        path.trim_end_matches('/').to_owned()
    } else if path.ends_with("/v1") {
        format!("{path}/realtime")
    } else if path.ends_with("/v1/") {
        format!("{path}realtime")
    } else {
        path.to_owned()
    }
}

fn parameters<'a>(endpoint: &Endpoint<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let intent = match endpoint.version {
        RealtimeVersion::V1 => Some(("intent", "quicksilver")),
        RealtimeVersion::V2 => None,
    };
    let model = endpoint.model;
    // The dialect decides on `intent`, whatever the provider says.
    let own = endpoint.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let own =
        own.filter(move |(name, _)| *name != "intent" && (*name != "model" || model.is_none()));
    intent.into_iter().chain(model.map(|model| ("model", model))).chain(own)
}

/// As HTML forms do it.
fn push_encoded(url: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                url.push(char::from(byte));
            }
            b' ' => url.push('+'),
            // Writing to a string cannot fail.
            _ => write!(url, "%{byte:02X}").unwrap_or_default(),
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_field_value(value: &str) -> bool {
    let edge = |it: Option<char>| it == Some(' ');
    value.bytes().all(|it| it == b' ' || it.is_ascii_graphic())
        && !edge(value.chars().next())
        && !edge(value.chars().next_back())
}

impl fmt::Debug for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("base_url", &self.base_url)
            .field("version", &self.version)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// Headers hold keys: their values are never shown.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Handshake").field("url", &self.url).field("headers", &names).finish()
    }
}
