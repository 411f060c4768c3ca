//! JSON-RPC 2.0 messages, one JSON text each. The `jsonrpc` member is optional and never sent.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Error codes of JSON-RPC, and the reference's where it has its own use for one.
pub mod code {
    pub const PARSE_ERROR: i64 = -32700;
    pub const INVALID_REQUEST: i64 = -32600;
    pub const METHOD_NOT_FOUND: i64 = -32601;
    pub const INVALID_PARAMS: i64 = -32602;
    pub const INTERNAL_ERROR: i64 = -32603;
    pub const OVERLOADED: i64 = -32001;
}

/// The caller's name for a request: a string or an integer, kept as the bytes it came in,
/// so that an answer carries exactly what was sent (`1` and `"1"` are different ids).
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct RequestId(Box<RawValue>);

impl RequestId {
    pub fn number(id: u64) -> Self {
        Self(raw(&id))
    }

    /// The id as JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    fn from_raw(raw: Box<RawValue>) -> Option<Self> {
        let text = raw.get();
        let is_string = text.starts_with('"');
        let is_integer = serde_json::from_str::<i64>(text).is_ok();
        (is_string || is_integer).then_some(Self(raw))
    }
}

impl PartialEq for RequestId {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for RequestId {}

/// One message, of either direction, with its payload still unread.
#[derive(Debug)]
pub enum Message {
    Request { id: RequestId, method: String, params: Option<Box<RawValue>> },
    Notification { method: String, params: Option<Box<RawValue>> },
    Answer { id: RequestId, result: Result<Box<RawValue>, ErrorObject> },
}

/// Text that is no JSON-RPC message. It is answered: with `id` where one could be read.
#[derive(Debug)]
pub struct Malformed {
    pub id: Option<RequestId>,
    pub error: ErrorObject,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorObject {
    pub code: i64,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

impl ErrorObject {
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(code::INVALID_REQUEST, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(code::INTERNAL_ERROR, message)
    }
}

/// `{}`: the result of methods whose real outcome arrives as notifications.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

impl Message {
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let envelope: Envelope = match serde_json::from_str(text) {
            Ok(envelope) => envelope,
            Err(error) if error.is_data() => {
                return Err(Malformed::invalid(None, format!("not a JSON-RPC message: {error}")));
            }
            Err(error) => {
                let error = ErrorObject::new(code::PARSE_ERROR, format!("not JSON: {error}"));
                return Err(Malformed { id: None, error });
            }
        };
        let id = match envelope.id.map(RequestId::from_raw) {
            Some(None) => {
                return Err(Malformed::invalid(None, "id must be a string or an integer"));
            }
            Some(id) => id,
            None => None,
        };
        match (envelope.method, id, envelope.result, envelope.error) {
            (Some(method), Some(id), None, None) => {
                Ok(Self::Request { id, method, params: envelope.params })
            }
            (Some(method), None, None, None) => {
                Ok(Self::Notification { method, params: envelope.params })
            }
            (None, Some(id), Some(result), None) => Ok(Self::Answer { id, result: Ok(result) }),
            (None, Some(id), None, Some(error)) => Ok(Self::Answer { id, result: Err(error) }),
            (_, id, _, _) => Err(Malformed::invalid(
                id,
                "a message has either a method, or an id with a result or an error",
            )),
        }
    }

    /// One line, with the newline that ends it.
    pub fn request<P: Serialize>(id: &RequestId, method: &str, params: &P) -> String {
        line(&Outgoing { id: Some(id), method: Some(method), params: Some(params), ..none() })
    }

    /// As [`Message::request`].
    pub fn notification<P: Serialize>(method: &str, params: &P) -> String {
        line(&Outgoing { method: Some(method), params: Some(params), ..none() })
    }

    /// As [`Message::request`].
    pub fn result<R: Serialize>(id: &RequestId, result: &R) -> String {
        line(&Outgoing { id: Some(id), result: Some(result), ..none::<R>() })
    }

    /// As [`Message::request`]. `None` is for a message whose id could not be read.
    pub fn error(id: Option<&RequestId>, error: &ErrorObject) -> String {
        line(&Failed { error, id })
    }
}

impl Malformed {
    fn invalid(id: Option<RequestId>, message: impl Into<String>) -> Self {
        Self { id, error: ErrorObject::invalid_request(message) }
    }
}

/// Members that are present with the value `null` are present.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default, deserialize_with = "present")]
    id: Option<Box<RawValue>>,
    method: Option<String>,
    params: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    error: Option<ErrorObject>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a T>,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a ErrorObject,
    id: Option<&'a RequestId>,
}

const fn none<'a, T>() -> Outgoing<'a, T> {
    Outgoing { id: None, method: None, params: None, result: None }
}

fn line<T: Serialize>(message: &T) -> String {
    let mut text = json(message);
    text.push('\n');
    text
}

/// Our shapes are structs, strings, numbers and string-keyed maps, which always serialise.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        debug_assert!(false, "a protocol shape does not serialise: {error}");
        "null".to_owned()
    })
}

fn raw<T: Serialize>(value: &T) -> Box<RawValue> {
    RawValue::from_string(json(value)).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
