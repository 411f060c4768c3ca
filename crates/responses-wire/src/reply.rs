//! The stream of one reply.
//!
//! Invariants of what comes out, whatever goes in:
//! * Messages come one after the other: each message's deltas, then the message, then the next.
//! * A tool call comes once, whole, under an id of its own.
//! * Nothing comes after the end.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use protocol::{CallId, ModelEvent, ToolCall, Usage};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::fault::{ErrorBody, Fault};

/// Text of one reply, all items together. A real one is a thousandth of it.
const TEXT_BYTES: usize = 64 * 1024 * 1024;

/// Items of one reply.
const ITEMS: usize = 4096;

/// Turns the events of one reply into model events.
#[derive(Debug, Default)]
pub struct Reply {
    messages: Messages,
    /// Items that came whole, by [`key`]: they are in the last event again.
    finished: HashSet<String>,
    calls: HashMap<CallId, ToolCall>,
    text_bytes: usize,
    ended: bool,
}

/// Why a reply has no more events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The service says so.
    #[error("the service failed: {}", .0.message)]
    Fault(Fault),
    /// The service does not speak the protocol.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("an event is not JSON: {reason}")]
    NotJson { reason: String },
    /// A field that is needed is missing or of another type.
    #[error("an event `{kind}` cannot be read: {reason}")]
    Event { kind: String, reason: String },
    #[error("two tool calls have the id `{call}`")]
    DuplicateCall { call: String },
    #[error("the reply has more than {limit} {of}")]
    TooLarge { of: &'static str, limit: usize },
}

impl Reply {
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether [`ModelEvent::Completed`] or an error came. A stream that ends before is broken.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Takes the data of one server-sent event. After an error the reply is ended.
    pub fn event(&mut self, data: &str) -> Result<Vec<ModelEvent>, ReplyError> {
        // Some services close the stream as the older API did.
        if self.ended || data.trim() == "[DONE]" {
            return Ok(Vec::new());
        }
        let result = self.decode(data);
        self.ended |= result.is_err();
        result
    }

    fn decode(&mut self, data: &str) -> Result<Vec<ModelEvent>, ReplyError> {
        // serde would read a list as the fields in their order.
        if !data.trim_start().starts_with('{') {
            let reason = "it is no object".to_owned();
            return Err(DecodeError::NotJson { reason }.into());
        }
        let Head { kind } = serde_json::from_str(data)
            .map_err(|error| DecodeError::NotJson { reason: error.to_string() })?;
        let event = Event { kind: &kind, data };
        let mut out = Vec::new();
        match &*kind {
            "response.output_text.delta" | "response.refusal.delta" => {
                let Delta { item_id, output_index, delta } = event.parse()?;
                let key = key(item_id, output_index);
                self.count_text(delta.len())?;
                if !self.finished.contains(&key) {
                    self.messages.delta(key, delta, &mut out);
                    self.count_items()?;
                }
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let Delta { item_id: _, output_index: _, delta } = event.parse()?;
                self.count_text(delta.len())?;
                out.push(ModelEvent::ReasoningDelta { delta });
            }
            "response.reasoning_summary_part.added" => {
                let SummaryPart { summary_index } = event.parse()?;
                if summary_index > 0 {
                    out.push(ModelEvent::ReasoningDelta { delta: "\n\n".into() });
                }
            }
            "response.output_item.done" => {
                let ItemDone { output_index, item } = event.parse()?;
                self.item(&event, output_index, item, &mut out)?;
            }
            "response.completed" => {
                let Completed { response } = event.parse()?;
                for (index, item) in (0..).zip(response.output) {
                    self.item(&event, index, item, &mut out)?;
                }
                self.messages.finish_all(&mut out);
                self.ended = true;
                out.push(ModelEvent::Completed { usage: response.usage.into() });
            }
            "response.failed" => {
                let Failed { response } = event.parse()?;
                return Err(ReplyError::Fault(Fault::from_error(response.error)));
            }
            "response.incomplete" => {
                let Incomplete { response } = event.parse()?;
                let reason = response.incomplete_details.reason;
                return Err(ReplyError::Fault(Fault::incomplete(&reason)));
            }
            "error" => {
                let TopError { error, code, message } = event.parse()?;
                let error = error.unwrap_or_else(|| ErrorBody::new(code, message));
                return Err(ReplyError::Fault(Fault::from_error(error)));
            }
            // Beginnings, parts of what comes whole later, and what is newer than we are.
            _ => (),
        }
        Ok(out)
    }

    /// A whole item. It may come twice: on its own, and in the last event.
    fn item(
        &mut self,
        event: &Event<'_>,
        index: u64,
        raw: &RawValue,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        match event.parse_part(raw)? {
            OutputItem::Message { id, content } => {
                let key = key(id, index);
                if self.finished.insert(key.clone()) {
                    let text: String = content.iter().map(Part::text).collect();
                    self.count_text(text.len())?;
                    self.messages.whole(key, text, out);
                }
            }
            OutputItem::FunctionCall { call_id, name, arguments } => {
                self.count_text(arguments.len())?;
                // A tool without arguments: some services send nothing at all.
                let empty = arguments.trim().is_empty();
                let arguments = if empty { "{}".to_owned() } else { arguments };
                let call = ToolCall { call: CallId::new(call_id), name, arguments };
                match self.calls.insert(call.call.clone(), call.clone()) {
                    None => out.push(ModelEvent::ToolCall(call)),
                    Some(before) if before == call => (),
                    Some(_) => {
                        return Err(DecodeError::DuplicateCall { call: call.call.to_string() });
                    }
                }
            }
            OutputItem::Reasoning { id, summary, content, encrypted_content } => {
                if self.finished.insert(key(id, index)) {
                    let parts = if summary.is_empty() { &content } else { &summary };
                    let texts: Vec<&str> = parts.iter().map(Part::text).collect();
                    let summary = texts.join("\n\n");
                    // Without it the service would look for the item in a store that we decline.
                    let sealed = encrypted_content.is_some();
                    let opaque = if sealed { raw.get().to_owned() } else { String::new() };
                    self.count_text(summary.len() + opaque.len())?;
                    out.push(ModelEvent::Reasoning { summary, opaque });
                }
            }
            OutputItem::Unknown => (),
        }
        self.count_items()
    }

    fn count_text(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.text_bytes += bytes;
        let fits = self.text_bytes <= TEXT_BYTES;
        fits.then_some(()).ok_or(DecodeError::TooLarge { of: "bytes of text", limit: TEXT_BYTES })
    }

    fn count_items(&self) -> Result<(), DecodeError> {
        let items = self.finished.len() + self.calls.len() + self.messages.open.len();
        let fits = items <= ITEMS;
        fits.then_some(()).ok_or(DecodeError::TooLarge { of: "items", limit: ITEMS })
    }
}

/// Messages that are being written, in the order of their first sign.
///
/// Only the first one is heard; the others wait for it, since nobody above expects two at once.
#[derive(Debug, Default)]
struct Messages {
    open: VecDeque<OpenMessage>,
}

#[derive(Debug)]
struct OpenMessage {
    id: String,
    deltas: String,
    whole: Option<String>,
}

impl Messages {
    fn delta(&mut self, id: String, delta: String, out: &mut Vec<ModelEvent>) {
        let index = self.find_or_open(id);
        let message = &mut self.open[index];
        message.deltas.push_str(&delta);
        if index == 0 && !delta.is_empty() {
            out.push(ModelEvent::TextDelta { delta });
        }
    }

    fn whole(&mut self, id: String, text: String, out: &mut Vec<ModelEvent>) {
        let index = self.find_or_open(id);
        self.open[index].whole = Some(text);
        while let Some(text) = self.open.front_mut().and_then(|it| it.whole.take()) {
            self.open.pop_front();
            out.push(ModelEvent::Message { text });
            // The next one is heard from here on, with what it said while it waited.
            if let Some(next) = self.open.front()
                && next.whole.is_none()
                && !next.deltas.is_empty()
            {
                out.push(ModelEvent::TextDelta { delta: next.deltas.clone() });
            }
        }
    }

    /// What was never finished is taken as far as it came.
    fn finish_all(&mut self, out: &mut Vec<ModelEvent>) {
        for OpenMessage { id: _, deltas, whole } in self.open.drain(..) {
            let text = whole.unwrap_or(deltas);
            if !text.is_empty() {
                out.push(ModelEvent::Message { text });
            }
        }
    }

    fn find_or_open(&mut self, id: String) -> usize {
        match self.open.iter().position(|it| it.id == id) {
            Some(index) => index,
            None => {
                self.open.push_back(OpenMessage { id, deltas: String::new(), whole: None });
                self.open.len() - 1
            }
        }
    }
}

/// What names an item within its reply: its id, or its place where the service gives no ids.
fn key(id: String, index: u64) -> String {
    if id.is_empty() { format!("#{index}") } else { id }
}

struct Event<'a> {
    kind: &'a str,
    data: &'a str,
}

impl<'a> Event<'a> {
    fn parse<T: Deserialize<'a>>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.data).map_err(|error| self.unreadable(&error))
    }

    fn parse_part<'b, T: Deserialize<'b>>(&self, part: &'b RawValue) -> Result<T, DecodeError> {
        serde_json::from_str(part.get()).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &serde_json::Error) -> DecodeError {
        DecodeError::Event { kind: self.kind.to_owned(), reason: error.to_string() }
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    item_id: String,
    #[serde(default)]
    output_index: u64,
    delta: String,
}

#[derive(Deserialize)]
struct SummaryPart {
    #[serde(default)]
    summary_index: u64,
}

#[derive(Deserialize)]
struct ItemDone<'a> {
    #[serde(default)]
    output_index: u64,
    #[serde(borrow)]
    item: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutputItem {
    Message {
        #[serde(default)]
        id: String,
        content: Vec<Part>,
    },
    FunctionCall {
        call_id: String,
        name: String,
        #[serde(default)]
        arguments: String,
    },
    Reasoning {
        #[serde(default)]
        id: String,
        #[serde(default)]
        summary: Vec<Part>,
        #[serde(default, deserialize_with = "null_is_empty")]
        content: Vec<Part>,
        encrypted_content: Option<String>,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    OutputText {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    SummaryText {
        text: String,
    },
    ReasoningText {
        text: String,
    },
    #[serde(other)]
    Unknown,
}

impl Part {
    fn text(&self) -> &str {
        match self {
            Self::OutputText { text }
            | Self::SummaryText { text }
            | Self::ReasoningText { text }
            | Self::Refusal { refusal: text } => text,
            Self::Unknown => "",
        }
    }
}

#[derive(Deserialize)]
struct Completed<'a> {
    #[serde(borrow)]
    response: CompletedResponse<'a>,
}

#[derive(Deserialize)]
struct CompletedResponse<'a> {
    #[serde(borrow, default)]
    output: Vec<&'a RawValue>,
    #[serde(default, deserialize_with = "null_is_empty")]
    usage: WireUsage,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireUsage {
    input_tokens: u64,
    #[serde(deserialize_with = "null_is_empty")]
    input_tokens_details: InputDetails,
    output_tokens: u64,
    #[serde(deserialize_with = "null_is_empty")]
    output_tokens_details: OutputDetails,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InputDetails {
    cached_tokens: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let WireUsage { input_tokens, input_tokens_details, output_tokens, output_tokens_details } =
            usage;
        let InputDetails { cached_tokens } = input_tokens_details;
        let OutputDetails { reasoning_tokens } = output_tokens_details;
        Self { input_tokens, cached_input_tokens: cached_tokens, output_tokens, reasoning_tokens }
    }
}

#[derive(Deserialize)]
struct Failed {
    response: FailedResponse,
}

#[derive(Deserialize)]
struct FailedResponse {
    #[serde(default, deserialize_with = "null_is_empty")]
    error: ErrorBody,
}

#[derive(Deserialize)]
struct Incomplete {
    response: IncompleteResponse,
}

#[derive(Deserialize)]
struct IncompleteResponse {
    #[serde(default, deserialize_with = "null_is_empty")]
    incomplete_details: IncompleteDetails,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IncompleteDetails {
    reason: String,
}

/// The documents have the error's fields at the top, the service has them in `error`.
#[derive(Deserialize)]
struct TopError {
    error: Option<ErrorBody>,
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: String,
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
