//! Who may come in.
//!
//! A listener on loopback is reachable by every program of this machine and, through a
//! browser, by every page that its user looks at. So a key is always asked for, a page must be
//! of this machine (`Origin`), and a name must not have been bent to this machine (`Host`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq as _;

/// The subprotocol that browsers put their key behind: they cannot set headers.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// What a client has to show. Never shown itself.
#[derive(Clone)]
pub struct ApiKey(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an API key has at least 16 visible ASCII characters and no spaces: for instance the output \
     of `openssl rand -hex 24`"
)]
pub struct ApiKeyError;

/// Whom the listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exposure {
    #[default]
    ThisMachine,
    /// Asked for by the user: without TLS everything is readable on the way.
    AnyMachine,
}

impl ApiKey {
    pub fn new(key: impl Into<String>) -> Result<Self, ApiKeyError> {
        let key = key.into();
        let fit = 16 <= key.len() && key.bytes().all(|it| it.is_ascii_graphic());
        if fit { Ok(Self(key)) } else { Err(ApiKeyError) }
    }

    /// One that nobody can guess.
    pub fn generate() -> Self {
        // 122 random bits each.
        let [a, b] = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
        Self(format!("duet-{}{}", a.simple(), b.simple()))
    }

    /// To hand it to the client that shall have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    ForeignHost,
    ForeignPage,
    NoKey,
    WrongKey,
}

impl TurnedAway {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::ForeignHost | Self::ForeignPage => StatusCode::FORBIDDEN,
            Self::NoKey | Self::WrongKey => StatusCode::UNAUTHORIZED,
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::ForeignHost => "invalid_host",
            Self::ForeignPage => "invalid_origin",
            Self::NoKey | Self::WrongKey => "invalid_api_key",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::ForeignHost => {
                "This server answers to localhost and 127.0.0.1 only. Use one of them in the URL."
            }
            Self::ForeignPage => {
                "This server takes connections only from pages of this machine (http://localhost)."
            }
            Self::NoKey => {
                "You didn't provide an API key. Send it as 'Authorization: Bearer KEY', or from a \
                 browser as the subprotocol 'openai-insecure-api-key.KEY'."
            }
            Self::WrongKey => "Incorrect API key provided.",
        }
    }
}

/// Looks at a request before anything else does.
pub(crate) fn check(
    headers: &HeaderMap,
    listens_on: SocketAddr,
    key: &ApiKey,
) -> Result<(), TurnedAway> {
    if listens_on.ip().is_loopback() {
        let host = text(headers, HOST).unwrap_or_default();
        if !is_this_machine(host) {
            return Err(TurnedAway::ForeignHost);
        }
        if let Some(origin) = text(headers, ORIGIN) {
            let page = origin.split_once("://").map(|(_, host)| host);
            if !page.is_some_and(is_this_machine) {
                return Err(TurnedAway::ForeignPage);
            }
        }
    }
    let shown = bearer(headers).or_else(|| key_protocol(headers)).ok_or(TurnedAway::NoKey)?;
    if key.is(shown) { Ok(()) } else { Err(TurnedAway::WrongKey) }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = text(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn key_protocol(headers: &HeaderMap) -> Option<&str> {
    let lists = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|it| it.to_str().ok());
    let mut protocols = lists.flat_map(|list| list.split(',')).map(str::trim);
    protocols.find_map(|it| it.strip_prefix(KEY_PROTOCOL))
}

/// Whether a host, with or without a port, is a loopback address or `localhost`.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

fn text(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const KEY: &str = "a-key-of-some-length";

    #[track_caller]
    fn check_headers(headers: &[(&'static str, &'static str)], expected: Result<(), TurnedAway>) {
        let listens_on = "127.0.0.1:8765".parse().unwrap();
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        assert_eq!(check(&headers, listens_on, &ApiKey::new(KEY).unwrap()), expected);
    }

    const LOCAL: (&str, &str) = ("host", "127.0.0.1:8765");
    const BEARER: (&str, &str) = ("authorization", "Bearer a-key-of-some-length");

    #[test]
    fn the_key_comes_by_header_or_by_subprotocol() {
        check_headers(&[LOCAL, BEARER], Ok(()));
        check_headers(&[LOCAL, ("authorization", "bearer a-key-of-some-length")], Ok(()));
        let protocols =
            "realtime, openai-insecure-api-key.a-key-of-some-length, openai-agents-sdk.1";
        check_headers(&[LOCAL, ("sec-websocket-protocol", protocols)], Ok(()));
    }

    #[test]
    fn without_the_key_nobody_comes_in() {
        check_headers(&[LOCAL], Err(TurnedAway::NoKey));
        check_headers(&[LOCAL, ("authorization", "Basic eA==")], Err(TurnedAway::NoKey));
        for wrong in ["Bearer ", "Bearer a-key", "Bearer a-key-of-some-lengthy"] {
            check_headers(&[LOCAL, ("authorization", wrong)], Err(TurnedAway::WrongKey));
        }
    }

    #[test]
    fn only_pages_and_names_of_this_machine() {
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:9", "[::1]:8765"] {
            check_headers(&[("host", host), BEARER], Ok(()));
        }
        for host in ["example.com", "localhost.example.com", "192.168.1.4:8765", "", "[::2]"] {
            check_headers(&[("host", host), BEARER], Err(TurnedAway::ForeignHost));
        }
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:80"] {
            check_headers(&[LOCAL, BEARER, ("origin", origin)], Ok(()));
        }
        for origin in ["https://example.com", "null", "http://localhost.example.com"] {
            check_headers(&[LOCAL, BEARER, ("origin", origin)], Err(TurnedAway::ForeignPage));
        }
    }

    #[test]
    fn a_key_is_not_shown_and_not_short() {
        assert_eq!(format!("{:?}", ApiKey::new(KEY).unwrap()), "ApiKey(..)");
        for bad in ["", "short", "with spaces in the middle", "with-ümlaut-characters"] {
            assert_eq!(ApiKey::new(bad).map(|_| ()), Err(ApiKeyError), "{bad:?}");
        }
        let made = ApiKey::generate();
        assert!(ApiKey::new(made.expose()).is_ok());
        assert_ne!(made.expose(), ApiKey::generate().expose());
    }
}
