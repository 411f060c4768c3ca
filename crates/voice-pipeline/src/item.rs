//! Items of the conversation, as plain data.

use std::sync::Arc;

use protocol::{CallId, ItemId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub id: ItemId,
    pub status: ItemStatus,
    pub body: ItemBody,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemStatus {
    InProgress,
    Completed,
    /// Cut short: cancelled, interrupted, failed, out of tokens.
    Incomplete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemBody {
    Message { role: Role, content: Vec<Content> },
    FunctionCall(FunctionCall),
    FunctionCallOutput { call: CallId, output: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    System,
    User,
    Assistant,
}

/// A part of a message. Sound is 24 kHz mono PCM16, shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    InputText {
        text: String,
    },
    /// `transcript` is `None` until it is known.
    InputAudio {
        pcm: Arc<[i16]>,
        transcript: Option<String>,
    },
    InputImage {
        image_url: String,
        detail: Option<String>,
    },
    OutputText {
        text: String,
    },
    OutputAudio {
        pcm: Arc<[i16]>,
        transcript: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCall {
    pub call: CallId,
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

/// An item as a client creates it: the id is ours if the client gave none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    pub id: Option<ItemId>,
    pub body: ItemBody,
}

/// Where a new item goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    End,
    Root,
    After(ItemId),
}

impl Item {
    /// The words of it that are known, whoever said or wrote them.
    pub(crate) fn text(&self) -> String {
        let ItemBody::Message { content, .. } = &self.body else { return String::new() };
        let words = content.iter().filter_map(|part| match part {
            Content::InputText { text } | Content::OutputText { text } => Some(text.as_str()),
            Content::InputAudio { transcript, .. } => transcript.as_deref(),
            Content::OutputAudio { transcript, .. } => Some(transcript.as_str()),
            Content::InputImage { .. } => None,
        });
        words.filter(|it| !it.trim().is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// Samples of sound in it.
    pub(crate) fn samples(&self) -> usize {
        let ItemBody::Message { content, .. } = &self.body else { return 0 };
        content.iter().map(Content::samples).sum()
    }
}

impl ItemBody {
    /// Bytes of all that is written in it.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Message { role: _, content } => content.iter().map(Content::text_bytes).sum(),
            Self::FunctionCall(FunctionCall { call, name, arguments }) => {
                call.as_str().len() + name.len() + arguments.len()
            }
            Self::FunctionCallOutput { call, output } => call.as_str().len() + output.len(),
        }
    }

    /// Whether there is a picture in it.
    pub(crate) fn has_image(&self) -> bool {
        match self {
            Self::Message { role: _, content } => {
                content.iter().any(|part| matches!(part, Content::InputImage { .. }))
            }
            Self::FunctionCall(_) | Self::FunctionCallOutput { .. } => false,
        }
    }

    /// Sound that nobody has written down yet.
    pub(crate) fn unwritten(&self) -> Option<&Arc<[i16]>> {
        let Self::Message { role: _, content } = self else { return None };
        content.iter().find_map(|part| match part {
            Content::InputAudio { pcm, transcript: None } => Some(pcm),
            Content::InputAudio { transcript: Some(_), .. }
            | Content::InputText { .. }
            | Content::InputImage { .. }
            | Content::OutputText { .. }
            | Content::OutputAudio { .. } => None,
        })
    }
}

impl Content {
    fn text_bytes(&self) -> usize {
        match self {
            Self::InputText { text } | Self::OutputText { text } => text.len(),
            Self::InputAudio { pcm: _, transcript } => transcript.as_ref().map_or(0, String::len),
            Self::InputImage { image_url, detail } => {
                image_url.len() + detail.as_ref().map_or(0, String::len)
            }
            Self::OutputAudio { pcm: _, transcript } => transcript.len(),
        }
    }

    fn samples(&self) -> usize {
        match self {
            Self::InputAudio { pcm, .. } | Self::OutputAudio { pcm, .. } => pcm.len(),
            Self::InputText { .. } | Self::InputImage { .. } | Self::OutputText { .. } => 0,
        }
    }
}
