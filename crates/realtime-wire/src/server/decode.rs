//! Client events, read.

use serde_json::Value;

use super::fields::Fields;
use super::item::{NewItem, Place, base64};
use super::refusal::{ErrorCode, Refusal};
use super::response::ResponseRequest;
use super::session::SessionPatch;

/// One client event, and the id by which an `error` must answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub event_id: Option<String>,
    pub event: ClientEvent,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    UpdateSession(Box<SessionPatch>),
    /// Bytes in the session's input format. May end in the middle of a sample: join
    /// with [`crate::Samples`].
    AppendAudio {
        audio: Vec<u8>,
    },
    CommitAudio,
    ClearAudio,
    CreateItem {
        item: NewItem,
        place: Place,
    },
    RetrieveItem {
        item_id: String,
    },
    TruncateItem {
        item_id: String,
        content_index: u32,
        audio_end_ms: u64,
    },
    DeleteItem {
        item_id: String,
    },
    CreateResponse(Box<ResponseRequest>),
    CancelResponse {
        response_id: Option<String>,
    },
    ClearOutputAudio,
}

#[derive(Clone, Copy)]
enum Kind {
    UpdateSession,
    AppendAudio,
    CommitAudio,
    ClearAudio,
    CreateItem,
    RetrieveItem,
    TruncateItem,
    DeleteItem,
    CreateResponse,
    CancelResponse,
    ClearOutputAudio,
}

const KINDS: [(&str, Kind); 11] = [
    ("session.update", Kind::UpdateSession),
    ("input_audio_buffer.append", Kind::AppendAudio),
    ("input_audio_buffer.commit", Kind::CommitAudio),
    ("input_audio_buffer.clear", Kind::ClearAudio),
    ("conversation.item.create", Kind::CreateItem),
    ("conversation.item.retrieve", Kind::RetrieveItem),
    ("conversation.item.truncate", Kind::TruncateItem),
    ("conversation.item.delete", Kind::DeleteItem),
    ("response.create", Kind::CreateResponse),
    ("response.cancel", Kind::CancelResponse),
    ("output_audio_buffer.clear", Kind::ClearOutputAudio),
];

/// The service's bound for one `append`, in bytes of sound.
const MAX_APPEND: usize = 15 * 1024 * 1024;

/// Reads one text frame. Fields that we do not know are passed over, so that a newer
/// client works; a refusal carries the client's event id as far as it could be read.
pub fn decode(frame: &str) -> Result<Received, Refusal> {
    let value: Value = serde_json::from_str(frame).map_err(|error| {
        Refusal::new(ErrorCode::InvalidJson, format!("The event is not valid JSON: {error}."))
    })?;
    let Value::Object(map) = &value else {
        return Err(Refusal::new(ErrorCode::InvalidEvent, "An event is a JSON object."));
    };
    let event_id = map.get("event_id").and_then(Value::as_str).map(str::to_owned);
    match decode_event(&Fields::root(map)) {
        Ok(event) => Ok(Received { event_id, event }),
        Err(refusal) => Err(refusal.answering(event_id.as_deref())),
    }
}

fn decode_event(event: &Fields<'_>) -> Result<ClientEvent, Refusal> {
    Ok(match event.required("type")?.choice(&KINDS)? {
        Kind::UpdateSession => {
            ClientEvent::UpdateSession(Box::new(SessionPatch::decode(&event.required("session")?)?))
        }
        Kind::AppendAudio => {
            let field = event.required("audio")?;
            let audio = base64(&field)?;
            if MAX_APPEND < audio.len() {
                return Err(field.invalid("at most 15 MiB of sound in one event."));
            }
            ClientEvent::AppendAudio { audio }
        }
        Kind::CommitAudio => ClientEvent::CommitAudio,
        Kind::ClearAudio => ClientEvent::ClearAudio,
        Kind::CreateItem => {
            let place = match event.text("previous_item_id")? {
                None => Place::End,
                Some(id) if id == "root" => Place::Root,
                Some(id) => Place::After(id),
            };
            ClientEvent::CreateItem { item: NewItem::decode(&event.required("item")?)?, place }
        }
        Kind::RetrieveItem => {
            ClientEvent::RetrieveItem { item_id: event.required_text("item_id")? }
        }
        Kind::TruncateItem => {
            let index = event.required("content_index")?.integer(0..=u64::from(u32::MAX))?;
            ClientEvent::TruncateItem {
                item_id: event.required_text("item_id")?,
                content_index: u32::try_from(index).unwrap_or(u32::MAX),
                audio_end_ms: event.required("audio_end_ms")?.integer(0..=u64::MAX)?,
            }
        }
        Kind::DeleteItem => ClientEvent::DeleteItem { item_id: event.required_text("item_id")? },
        Kind::CreateResponse => {
            let request = match event.get("response") {
                Some(response) => ResponseRequest::decode(&response.fields()?)?,
                None => ResponseRequest::default(),
            };
            ClientEvent::CreateResponse(Box::new(request))
        }
        Kind::CancelResponse => {
            ClientEvent::CancelResponse { response_id: event.text("response_id")? }
        }
        Kind::ClearOutputAudio => ClientEvent::ClearOutputAudio,
    })
}
