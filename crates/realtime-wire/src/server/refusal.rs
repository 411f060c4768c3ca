//! What the server says to an event that it cannot take.

use std::fmt;

use serde_json::Value;

/// Body of an `error` event. The session goes on, and nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: ErrorCode,
    pub message: String,
    /// Path of the field at fault, such as `session.audio.input.format.rate`.
    pub param: Option<String>,
    /// The client's own id of the event that is refused.
    pub event_id: Option<String>,
}

/// The codes that clients test for. Codes that a client takes as fatal (quota, billing,
/// account) are left out on purpose: nothing that goes wrong here deserves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    ResponseCancelNotActive,
    ConversationAlreadyHasActiveResponse,
    ItemRetrieveInvalidItemId,
    ItemCreateDuplicateItemId,
    ItemCreateInvalidPreviousItemId,
    ItemDeleteInvalidItemId,
    ItemTruncateInvalidItemId,
    InputAudioBufferCommitEmpty,
    InvalidValue,
    MissingRequiredParameter,
    UnknownParameter,
    InvalidEvent,
    InvalidJson,
    /// Our side failed. The only code whose type is `server_error`.
    ServerError,
}

impl ErrorCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResponseCancelNotActive => "response_cancel_not_active",
            Self::ConversationAlreadyHasActiveResponse => {
                "conversation_already_has_active_response"
            }
            Self::ItemRetrieveInvalidItemId => "item_retrieve_invalid_item_id",
            Self::ItemCreateDuplicateItemId => "item_create_duplicate_item_id",
            Self::ItemCreateInvalidPreviousItemId => "item_create_invalid_previous_item_id",
            Self::ItemDeleteInvalidItemId => "item_delete_invalid_item_id",
            Self::ItemTruncateInvalidItemId => "item_truncate_invalid_item_id",
            Self::InputAudioBufferCommitEmpty => "input_audio_buffer_commit_empty",
            Self::InvalidValue => "invalid_value",
            Self::MissingRequiredParameter => "missing_required_parameter",
            Self::UnknownParameter => "unknown_parameter",
            Self::InvalidEvent => "invalid_event",
            Self::InvalidJson => "invalid_json",
            Self::ServerError => "server_error",
        }
    }

    pub const fn kind(self) -> &'static str {
        match self {
            Self::ServerError => "server_error",
            Self::ResponseCancelNotActive
            | Self::ConversationAlreadyHasActiveResponse
            | Self::ItemRetrieveInvalidItemId
            | Self::ItemCreateDuplicateItemId
            | Self::ItemCreateInvalidPreviousItemId
            | Self::ItemDeleteInvalidItemId
            | Self::ItemTruncateInvalidItemId
            | Self::InputAudioBufferCommitEmpty
            | Self::InvalidValue
            | Self::MissingRequiredParameter
            | Self::UnknownParameter
            | Self::InvalidEvent
            | Self::InvalidJson => "invalid_request_error",
        }
    }
}

impl Refusal {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None, event_id: None }
    }

    pub fn about(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// Says which event is meant; an id that is already there stays.
    pub fn answering(self, event_id: Option<&str>) -> Self {
        Self { event_id: self.event_id.or_else(|| event_id.map(str::to_owned)), ..self }
    }

    /// Cancelling when nothing runs. Clients test how this message begins.
    pub fn nothing_to_cancel() -> Self {
        Self::new(
            ErrorCode::ResponseCancelNotActive,
            "Cancellation failed: no active response found",
        )
    }

    pub fn response_active(running: &str) -> Self {
        Self::new(
            ErrorCode::ConversationAlreadyHasActiveResponse,
            format!(
                "Conversation already has an active response in progress: {running}. \
                 Wait until the response is finished before creating a new one."
            ),
        )
    }

    pub(crate) fn missing(param: &str) -> Self {
        Self::new(
            ErrorCode::MissingRequiredParameter,
            format!("Missing required parameter: '{param}'."),
        )
        .about(param)
    }

    pub(crate) fn wrong_type(param: &str, expected: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        Self::invalid(param, format!("expected {expected}, but got {found}."))
    }

    pub(crate) fn invalid(param: &str, why: impl fmt::Display) -> Self {
        Self::new(ErrorCode::InvalidValue, format!("Invalid value for '{param}': {why}"))
            .about(param)
    }
}
