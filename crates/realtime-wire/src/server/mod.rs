//! The server's side of the current (GA) protocol: client events in, server events out.
//!
//! What a client says is read into plain types with a refusal that names the field; what
//! the server says is written by the rules that real clients break on. Both are total:
//! nothing a client sends can panic here.

mod decode;
mod encode;
mod fields;
mod item;
mod refusal;
mod response;
mod session;

pub use self::decode::{ClientEvent, Received, decode};
pub use self::encode::{CallAt, Part, PartAt, RateLimit, ServerEvent, TranscriptionUsage, encode};
pub use self::item::{Content, Item, ItemBody, ItemStatus, NewItem, Place, Role};
pub use self::refusal::{ErrorCode, Refusal};
pub use self::response::{
    Audience, CancelReason, IncompleteReason, InputItem, Metadata, Response, ResponseRequest,
    ResponseStatus, Usage,
};
pub use self::session::{
    AudioFormat, Change, Detector, DetectorPatch, Eagerness, Effort, Function, MaxTokens, Modality,
    NoiseKind, NoisePatch, NoiseReduction, Session, SessionKind, SessionPatch, Tool, ToolChoice,
    Transcription, Truncation, TurnDetection, TurnPatch, Voice, VoiceUse,
};
