//! Large files over HTTP, from any offset, in chunks that the caller writes and counts.
//!
//! Only the length is judged here; whoever asked knows the hash. Dropping a [`Download`]
//! cancels it, and what was written so far is where the next one begins.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use reqwest::{Response, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use crate::Network;
use crate::http::{HttpError, Refusal, chain, parse_url, refusal, send_error, show};

/// A hub answers with one or two; ten are a loop.
const REDIRECTS: usize = 10;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    #[error("`{url}` is not a usable URL: {reason}")]
    Url { url: String, reason: String },
    #[error("cannot reach {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} does not exist there (status {status})")]
    NotFound { url: String, status: u16 },
    /// The file is shorter than what we have of it, so ours is not a part of it.
    #[error("{url} has only {total:?} bytes, but {have} were already there: begin anew")]
    PastTheEnd { url: String, have: u64, total: Option<u64> },
    #[error("{0}")]
    Refused(Box<Refusal>),
    #[error("{url} redirects too often or to where it must not: {to}")]
    Redirect { url: String, to: String },
    #[error("{url} sent nothing for {} s", limit.as_secs_f32())]
    Stalled { url: String, limit: Duration },
    /// What came before is good: the next attempt can go on behind it.
    #[error("the download of {url} broke off: {reason}")]
    Cut { url: String, reason: String },
}

/// A file on its way.
#[derive(Debug)]
pub struct Download {
    url: String,
    response: Response,
    /// Where the first chunk belongs: the asked offset, or 0 when the service has no ranges and
    /// sends the file from its beginning.
    pub starts_at: u64,
    /// Size of the whole file, where the service says it.
    pub total: Option<u64>,
    received: u64,
    idle: Duration,
    deadline: Instant,
}

impl Network {
    /// Asks for the bytes of `url` from `offset` on. `idle` is the longest silence.
    ///
    /// An `offset` at the end of the file is [`DownloadError::PastTheEnd`] with `have == total`.
    pub async fn download(
        &self,
        url: &str,
        offset: u64,
        idle: Duration,
    ) -> Result<Download, DownloadError> {
        let mut url = parse_url(url)?;
        for _ in 0..REDIRECTS {
            let shown = show(&url);
            // Compressed bytes would have other offsets.
            let mut request =
                self.client(&url).await?.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            if offset > 0 {
                request = request.header(RANGE, format!("bytes={offset}-"));
            }
            let deadline = Instant::now() + idle;
            let response = match timeout_at(deadline, request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(send_error(shown, &error).into()),
                Err(_) => return Err(DownloadError::Stalled { url: shown, limit: idle }),
            };
            if response.status().is_redirection() {
                url = follow(&url, &response)?;
                continue;
            }
            return accept(shown, response, offset, idle).await;
        }
        Err(DownloadError::Redirect { url: show(&url), to: format!("{REDIRECTS} more") })
    }
}

impl Download {
    /// The next bytes; `None` when the file is whole. Cancel-safe.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, DownloadError> {
        let url = || self.url.clone();
        match timeout_at(self.deadline, self.response.chunk()).await {
            Ok(Ok(Some(bytes))) => {
                self.deadline = Instant::now() + self.idle;
                self.received += bytes.len() as u64;
                Ok(Some(bytes))
            }
            Ok(Ok(None)) => match self.total {
                Some(total) if self.starts_at + self.received != total => {
                    let got = self.starts_at + self.received;
                    let reason = format!("it ended after {got} of {total} bytes");
                    Err(DownloadError::Cut { url: url(), reason })
                }
                _ => Ok(None),
            },
            Ok(Err(error)) => Err(DownloadError::Cut { url: url(), reason: chain(&error) }),
            Err(_) => Err(DownloadError::Stalled { url: url(), limit: self.idle }),
        }
    }
}

fn follow(from: &Url, response: &Response) -> Result<Url, DownloadError> {
    let location = response.headers().get(LOCATION).and_then(|it| it.to_str().ok());
    let to = location.and_then(|it| from.join(it).ok());
    let shown = to.as_ref().map_or_else(|| "nowhere".to_owned(), show);
    match to {
        Some(to) if to.scheme() == "https" || to.scheme() == from.scheme() => Ok(to),
        // From https to http, or to something that is no HTTP at all.
        Some(_) | None => Err(DownloadError::Redirect { url: show(from), to: shown }),
    }
}

async fn accept(
    url: String,
    response: Response,
    offset: u64,
    idle: Duration,
) -> Result<Download, DownloadError> {
    let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
    let (starts_at, total) = match response.status() {
        StatusCode::OK => (0, header(CONTENT_LENGTH).and_then(|it| it.trim().parse().ok())),
        StatusCode::PARTIAL_CONTENT => match header(CONTENT_RANGE).and_then(parse_range) {
            Some((start, total)) if start == offset => (start, total),
            other => {
                let reason = format!("asked for bytes from {offset}, it sends {other:?}");
                return Err(DownloadError::Cut { url, reason });
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let total = header(CONTENT_RANGE).and_then(|it| it.trim().strip_prefix("bytes */"));
            let total = total.and_then(|it| it.parse().ok());
            return Err(DownloadError::PastTheEnd { url, have: offset, total });
        }
        status @ (StatusCode::NOT_FOUND | StatusCode::GONE) => {
            return Err(DownloadError::NotFound { url, status: status.as_u16() });
        }
        _ => {
            return Err(DownloadError::Refused(Box::new(refusal(url, response).await)));
        }
    };
    let deadline = Instant::now() + idle;
    Ok(Download { url, response, starts_at, total, received: 0, idle, deadline })
}

/// `bytes 100-199/200`; the size may be `*`.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

impl From<HttpError> for DownloadError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Url { url, reason } => Self::Url { url, reason },
            HttpError::Unreachable { url, reason } => Self::Unreachable { url, reason },
            HttpError::Refused(refusal) => Self::Refused(refusal),
            HttpError::Idle { url, limit } => Self::Stalled { url, limit },
            HttpError::Broken { url, reason } => Self::Cut { url, reason },
            // Only streams of events end so.
            HttpError::NotEvents { url, content_type, .. } => {
                Self::Cut { url, reason: content_type }
            }
            HttpError::TooLarge { url, limit } => {
                Self::Cut { url, reason: format!("more than {limit} bytes") }
            }
        }
    }
}
