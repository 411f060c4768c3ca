//! HTTP requests, and what can go wrong with them before and while the body comes.

use std::fmt;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::time::{Instant, timeout, timeout_at};

use crate::headers::Headers;
use crate::sse::SseStream;
use crate::{Network, tls};

/// For a TCP and TLS handshake. A healthy service takes well below a second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Of a refusal's body, enough for any error message.
const REFUSAL_BYTES: usize = 16 * 1024;

/// A refusal's body may be as slow as this; the status is already known.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(5);

/// A JSON body whose answer is a stream of events.
#[derive(Debug, Clone)]
pub struct Post {
    pub url: String,
    pub headers: Headers,
    pub body: Bytes,
    /// The longest silence: before the answer begins, and between its bytes.
    pub idle: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("`{url}` is not a usable URL: {reason}")]
    Url { url: String, reason: String },
    #[error("cannot reach {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{0}")]
    Refused(Box<Refusal>),
    #[error("{url} answered with {content_type} where a stream of events was asked for: {head}")]
    NotEvents { url: String, content_type: String, head: String },
    #[error("{url} sent nothing for {} s", limit.as_secs_f32())]
    Idle { url: String, limit: Duration },
    #[error("the answer of {url} broke off: {reason}")]
    Broken { url: String, reason: String },
    #[error("{url} sent an event of more than {limit} bytes")]
    TooLarge { url: String, limit: usize },
}

/// A status other than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub url: String,
    pub status: u16,
    /// How long the service asks us to wait.
    pub retry_after: Option<Duration>,
    /// The beginning of the body.
    pub body: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered with status {}", self.url, self.status)?;
        match self.body.trim() {
            "" => Ok(()),
            body => write!(f, ": {body}"),
        }
    }
}

/// The URL of one resource of an API: `path` behind the base's own, `query` behind the base's.
pub fn join_url(base: &str, path: &str, query: &[(String, String)]) -> Result<String, HttpError> {
    let mut url = parse_url(base)?;
    url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url.into())
}

impl Network {
    /// Sends a request and waits for its stream to begin. Dropping the future or the stream
    /// cancels the request.
    pub async fn post_sse(&self, post: &Post) -> Result<SseStream, HttpError> {
        let Post { url, headers, body, idle } = post;
        let url = parse_url(url)?;
        let shown = show(&url);
        let mut headers = headers.as_map().clone();
        headers.insert(CONTENT_TYPE, "application/json".parse().expect("a legal value"));
        headers.insert(ACCEPT, "text/event-stream".parse().expect("a legal value"));
        let client = self.client(&url).await?;
        let request = client.post(url).headers(headers).body(body.clone());
        let deadline = Instant::now() + *idle;
        let response = match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(send_error(shown, &error)),
            Err(_) => return Err(HttpError::Idle { url: shown, limit: *idle }),
        };
        if !response.status().is_success() {
            return Err(HttpError::Refused(Box::new(refusal(shown, response).await)));
        }
        // Absent is taken for right: small servers forget it.
        let content_type = response.headers().get(CONTENT_TYPE).map(|it| it.to_str());
        match content_type {
            Some(Ok(it)) if it.to_ascii_lowercase().starts_with("text/event-stream") => (),
            None => (),
            Some(other) => {
                let content_type = other.unwrap_or("an unreadable content-type").to_owned();
                let head = body_head(response).await;
                return Err(HttpError::NotEvents { url: shown, content_type, head });
            }
        }
        Ok(SseStream::new(shown, response, *idle))
    }

    pub(crate) async fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        if url.scheme() == "https" {
            self.tls.warm().await;
        }
        self.http
            .for_url(url, &self.tls)
            .map_err(|error| HttpError::Unreachable { url: show(url), reason: chain(&error) })
    }
}

/// Clients pool connections, so each is made once; the making is left to the first request.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// By the system's proxy settings.
    proxied: OnceLock<Client>,
    /// To this machine: no proxy can reach it for us.
    direct: OnceLock<Client>,
}

impl Clients {
    fn for_url(&self, url: &Url, tls: &tls::Tls) -> Result<&Client, reqwest::Error> {
        let direct = is_loopback(url);
        let cell = if direct { &self.direct } else { &self.proxied };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let builder = builder(tls);
        let client = if direct { builder.no_proxy() } else { builder }.build()?;
        Ok(cell.get_or_init(|| client))
    }
}

fn builder(tls: &tls::Tls) -> reqwest::ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls.for_http())
        .connect_timeout(CONNECT_TIMEOUT)
        // A model's API that moved is misconfigured; downloads follow by themselves.
        .redirect(Policy::none())
        .user_agent(concat!("duet/", env!("CARGO_PKG_VERSION")))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|it| it.is_loopback())
}

pub(crate) fn parse_url(text: &str) -> Result<Url, HttpError> {
    // What does not parse may hold a secret anywhere: only the part before a query is shown.
    let shown = || text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let url = Url::parse(text)
        .map_err(|error| HttpError::Url { url: shown(), reason: error.to_string() })?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(HttpError::Url {
            url: show(&url),
            reason: "it must begin with http:// or https://".into(),
        }),
    }
}

/// Without user, password, query and fragment: those may be secrets.
pub(crate) fn show(url: &Url) -> String {
    let (scheme, host, path) = (url.scheme(), url.host_str().unwrap_or_default(), url.path());
    match url.port() {
        Some(port) => format!("{scheme}://{host}:{port}{path}"),
        None => format!("{scheme}://{host}{path}"),
    }
}

pub(crate) async fn refusal(url: String, response: Response) -> Refusal {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    Refusal { url, status, retry_after, body: body_head(response).await }
}

/// In seconds or as a date (RFC 9110), or in OpenAI's milliseconds.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = text("retry-after-ms").and_then(|it| it.parse().ok()).map(Duration::from_millis);
    let seconds = || text(RETRY_AFTER.as_str())?.parse().ok().map(Duration::from_secs);
    let date = || {
        let date = httpdate::parse_http_date(text(RETRY_AFTER.as_str())?).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    };
    millis.or_else(seconds).or_else(date)
}

async fn body_head(mut response: Response) -> String {
    let mut head = Vec::new();
    let read = async {
        // A break in the middle of an error's text leaves the text so far.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = REFUSAL_BYTES - head.len();
            head.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if head.len() == REFUSAL_BYTES {
                break;
            }
        }
    };
    // Slow is like broken: what came so far is the answer.
    drop(timeout(REFUSAL_PATIENCE, read).await);
    String::from_utf8_lossy(&head).into_owned()
}

pub(crate) fn send_error(url: String, error: &reqwest::Error) -> HttpError {
    let reason = chain(error);
    if error.is_connect() || error.is_timeout() {
        HttpError::Unreachable { url, reason }
    } else {
        HttpError::Broken { url, reason }
    }
}

/// The innermost causes say what happened; the outer ones repeat the URL, so they are left out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    match causes.as_slice() {
        [] => error.to_string(),
        [.., before, last] if !before.contains(last.as_str()) => format!("{before}: {last}"),
        [.., last] => last.clone(),
    }
}
