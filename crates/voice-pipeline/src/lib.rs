//! One local realtime session, server side, as a pure machine.
//!
//! The driver owns the socket, the models and the bytes. It tells us what the client said,
//! what sound came and what the models found ([`Input`]); we tell it what to answer and what
//! to ask the models for ([`Output`]). The clock is the sound received, so a recording may be
//! fed faster than it plays and is answered as if it were live.
//!
//! The voice role without a cloud model is decided here: where the client offers a tool that
//! takes one text, what the user said is handed to it verbatim, behind a short
//! acknowledgement, and its result is spoken for the ear. While that work goes on a model says
//! first whom the user speaks to: who asks what is going on, or did not hear the last words, is
//! answered here, and the work does not hear of it. Without such a tool a language model answers,
//! sentence by sentence.
//!
//! **Invariants**
//! * Nothing of a response follows its [`Event::ResponseDone`], and each has exactly one.
//! * Every item is added once and done once, in this order.
//! * The item announced by speech is the item that is committed.
//! * At most one response of the conversation runs; a commit or a function's output never
//!   starts one.
//! * News of a job that was cancelled changes nothing.
//! * What is answered here cancels and delays no work; where nobody can tell, it is for the work.
//! * What a client asks for and cannot have changes nothing.

mod context;
mod conversation;
mod ear;
mod event;
mod for_the_ear;
mod ids;
mod item;
mod outputs;
mod phrases;
mod pipeline;
mod response;
mod segments;
mod sentences;
mod settings;
#[cfg(test)]
mod tests;
mod work;

pub use crate::event::{
    CallAt, CancelReason, ClientEvent, Epoch, Event, Input, Job, JobNews, Output, Part, PartAt,
    Refusal, Response, ResponseStatus, Route, Usage,
};
pub use crate::for_the_ear::for_the_ear;
pub use crate::item::{Content, FunctionCall, Item, ItemBody, ItemStatus, NewItem, Place, Role};
pub use crate::outputs::Outputs;
pub use crate::phrases::{ACKNOWLEDGEMENTS, CHECK_IN};
pub use crate::pipeline::Pipeline;
pub use crate::settings::{
    Audience, Detector, InputItem, Look, Metadata, Modality, ResponseRequest, SessionKind,
    Settings, SoundFormat, ToolUse, Transcription, TurnDetection, Voice,
};
