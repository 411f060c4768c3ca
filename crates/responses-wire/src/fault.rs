//! What a service complains about, sorted by its codes, so that nobody above reads its words.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// A refusal, or the failure of a reply under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// The service's own words; may be empty.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Too many requests, or too busy. `after` is the service's wish.
    Busy {
        after: Option<Duration>,
    },
    /// The service broke.
    Broken {
        after: Option<Duration>,
    },
    /// The account has no credit left; waiting does not help.
    Quota,
    /// No key, or one that is not known.
    Unauthorized,
    /// The key is known and may not.
    Forbidden,
    /// No such model. Some services say it so that it looks like [`FaultKind::NotFound`].
    UnknownModel,
    /// Nothing is served at this address.
    NotFound,
    ContextTooLong,
    /// The reply stopped at the limit for its length.
    OutputLimit,
    /// The service's own filter stopped the reply.
    ContentFilter,
    /// The service does not take the request as it is.
    Invalid,
}

impl Fault {
    /// From an HTTP status other than success, with the body as it came.
    pub fn from_status(status: u16, retry_after: Option<Duration>, body: &str) -> Self {
        let error = parse_body(body).unwrap_or_default();
        let described = !error.is_empty();
        let by_status = match status {
            401 => FaultKind::Unauthorized,
            402 => FaultKind::Quota,
            403 => FaultKind::Forbidden,
            // A service that describes its error got the request: the model is missing.
            404 if described => FaultKind::UnknownModel,
            404 | 405 => FaultKind::NotFound,
            408 | 409 | 425 | 429 => FaultKind::Busy { after: retry_after },
            413 => FaultKind::ContextTooLong,
            500..=599 => FaultKind::Broken { after: retry_after },
            _ => FaultKind::Invalid,
        };
        let kind = error.kind(retry_after).unwrap_or(by_status);
        // Text that is no JSON is shown in short: an HTML page says little.
        let message = if described { error.message } else { first_line(body) };
        Self { kind, message }
    }

    /// From the `error` of a failed reply, or from an `error` event.
    pub(crate) fn from_error(error: ErrorBody) -> Self {
        let kind = error.kind(None).unwrap_or(FaultKind::Broken { after: None });
        Self { kind, message: error.message }
    }

    pub(crate) fn incomplete(reason: &str) -> Self {
        let kind = match reason {
            "max_output_tokens" => FaultKind::OutputLimit,
            "content_filter" => FaultKind::ContentFilter,
            _ => FaultKind::Broken { after: None },
        };
        Self { kind, message: reason.to_owned() }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ErrorBody {
    /// A string; some services send the status as a number.
    #[serde(default)]
    code: Value,
    #[serde(default)]
    r#type: Value,
    #[serde(default)]
    pub(crate) message: String,
}

impl ErrorBody {
    pub(crate) fn new(code: Value, message: String) -> Self {
        Self { code, r#type: Value::Null, message }
    }

    fn is_empty(&self) -> bool {
        self.code.is_null() && self.r#type.is_null() && self.message.is_empty()
    }

    fn kind(&self, retry_after: Option<Duration>) -> Option<FaultKind> {
        let after = || retry_after.or_else(|| wait_in(&self.message));
        let code = |code: &Value| {
            Some(match code.as_str()? {
                "invalid_api_key" | "authentication_error" => FaultKind::Unauthorized,
                "insufficient_quota" | "billing_hard_limit_reached" => FaultKind::Quota,
                "model_not_found" => FaultKind::UnknownModel,
                // The second is llama.cpp's.
                "context_length_exceeded" | "exceed_context_size_error" => {
                    FaultKind::ContextTooLong
                }
                "rate_limit_exceeded"
                | "slow_down"
                | "server_is_overloaded"
                | "overloaded_error" => FaultKind::Busy { after: after() },
                "server_error" => FaultKind::Broken { after: after() },
                "invalid_prompt" => FaultKind::Invalid,
                _ => return None,
            })
        };
        // vLLM has words only.
        let words = || {
            let too_long = self.message.contains("maximum context length");
            too_long.then_some(FaultKind::ContextTooLong)
        };
        code(&self.code).or_else(|| code(&self.r#type)).or_else(words)
    }
}

/// The usual shapes: `{"error": {...}}`, `{"error": "text"}`, `{"detail": "text"}`, `{...}`.
fn parse_body(body: &str) -> Option<ErrorBody> {
    let body: Value = serde_json::from_str(body).ok()?;
    match [&body["error"], &body["detail"], &body].into_iter().find(|it| !it.is_null())? {
        Value::String(message) => Some(ErrorBody::new(Value::Null, message.clone())),
        // serde would read a list as the fields in their order.
        error if error.is_object() => ErrorBody::deserialize(error).ok(),
        _ => None,
    }
}

fn first_line(body: &str) -> String {
    const SHOWN: usize = 200;
    let line = body.trim().lines().next().unwrap_or_default();
    let end = line.floor_char_boundary(SHOWN);
    let rest = if end < line.len() { "..." } else { "" };
    format!("{}{rest}", &line[..end])
}

/// "Please try again in 1.5s": the stream has no header for it.
fn wait_in(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("try again in ")?;
    let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
    let (number, unit) = rest.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let seconds = if unit.starts_with("ms") {
        number / 1000.0
    } else if unit.trim_start().starts_with('s') {
        number
    } else {
        return None;
    };
    Duration::try_from_secs_f64(seconds).ok()
}
