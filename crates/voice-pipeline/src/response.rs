//! A response that is being made: what it still has to say, and what it has said.

use std::collections::VecDeque;

use protocol::{ItemId, ResponseId};

use crate::conversation::Said;
use crate::event::{PartAt, Response, ResponseStatus, Usage};
use crate::item::{Content, FunctionCall, Item, ItemBody, ItemStatus, Role};
use crate::sentences::SentenceStream;
use crate::settings::{Handoff, Modality, Terms};

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: ResponseId,
    pub(crate) terms: Terms,
    pub(crate) phase: Phase,
    /// Finished items.
    pub(crate) output: Vec<Item>,
    /// The message that is being said.
    pub(crate) message: Option<Message>,
    /// What the user said that this response owes an answer: until it is handed off, or until the
    /// answer sounds.
    pub(crate) owed: Vec<ItemId>,
    pub(crate) usage: Usage,
}

#[derive(Debug)]
pub(crate) enum Phase {
    /// Somebody has to write down first what the user said, or the user is speaking.
    Waiting(Purpose),
    Making(Making),
}

/// What a response is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// The results that came since the last response are told.
    TellResults,
    /// The user's words go to whoever offered the tool.
    HandOff { request: ItemId, tool: Handoff },
    /// The language model answers: this input, or else the conversation.
    Answer { input: Option<Vec<Item>> },
}

/// Carried out in this order: what is to be said, what a model still writes, the calls.
#[derive(Debug)]
pub(crate) struct Making {
    pub(crate) sentences: VecDeque<String>,
    /// A sentence is being turned into sound: the next one waits for it.
    pub(crate) speaking: bool,
    pub(crate) writer: Option<Writer>,
    pub(crate) calls: VecDeque<FunctionCall>,
    pub(crate) sound: SoundNeed,
    /// How it ends once everything is out.
    pub(crate) ending: ResponseStatus,
}

/// Whether the response fails when it cannot be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SoundNeed {
    Needed,
    /// An acknowledgement: the request behind it counts more.
    Nice,
}

/// A language model at work.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) sentences: SentenceStream,
    pub(crate) chars: usize,
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) item: ItemId,
    pub(crate) text: String,
    pub(crate) said: Vec<Said>,
    pub(crate) pcm: Vec<i16>,
    /// The client heard no more than this of it, in samples.
    pub(crate) heard: Option<usize>,
}

impl Making {
    pub(crate) fn saying(sentences: Vec<String>, sound: SoundNeed) -> Self {
        Self {
            sentences: sentences.into(),
            speaking: false,
            writer: None,
            calls: VecDeque::new(),
            sound,
            ending: ResponseStatus::Completed,
        }
    }

    pub(crate) fn then_call(mut self, call: FunctionCall) -> Self {
        self.calls.push_back(call);
        self
    }

    pub(crate) fn being_written() -> Self {
        let writer = Writer { sentences: SentenceStream::default(), chars: 0 };
        Self { writer: Some(writer), ..Self::saying(Vec::new(), SoundNeed::Needed) }
    }
}

impl Running {
    /// The place of the part that is being said. Messages have one part.
    pub(crate) fn part(&self, item: &ItemId) -> PartAt {
        PartAt {
            response: self.id.clone(),
            item: item.clone(),
            output_index: self.output.len() as u32,
            content_index: 0,
        }
    }

    pub(crate) fn report(&self, status: ResponseStatus) -> Response {
        let usage = (status != ResponseStatus::InProgress).then_some(self.usage);
        Response {
            id: self.id.clone(),
            status,
            output: self.output.clone(),
            audience: self.terms.audience,
            modality: self.terms.modality,
            max_output_tokens: self.terms.max_output_tokens,
            look: self.terms.look.clone(),
            metadata: self.terms.metadata.clone(),
            usage,
        }
    }
}

impl Message {
    pub(crate) fn new(item: ItemId) -> Self {
        Self { item, text: String::new(), said: Vec::new(), pcm: Vec::new(), heard: None }
    }

    /// The message as an item, as far as it has come.
    pub(crate) fn to_item(&self, modality: Modality, status: ItemStatus) -> Item {
        let part = match modality {
            Modality::Text => Content::OutputText { text: self.text.clone() },
            Modality::Audio => Content::OutputAudio {
                pcm: self.pcm.as_slice().into(),
                transcript: self.text.clone(),
            },
        };
        Item {
            id: self.item.clone(),
            status,
            body: ItemBody::Message { role: Role::Assistant, content: vec![part] },
        }
    }

    /// As it is announced: nothing is in it yet.
    pub(crate) fn announced(&self) -> Item {
        Item {
            id: self.item.clone(),
            status: ItemStatus::InProgress,
            body: ItemBody::Message { role: Role::Assistant, content: Vec::new() },
        }
    }
}
