//! What the language model is told of a conversation when it answers itself.

use protocol::{ModelItem, ModelRequest, Role as ModelRole, ToolCall};

use crate::item::{Item, ItemBody, Role};
use crate::settings::{Modality, Terms};

/// Characters of context at most, the oldest left out: about what the bundled model reads in
/// the time somebody waits for an answer.
const MOST_CHARS: usize = 8_000;

const NO_INSTRUCTIONS: &str = "You are a helpful voice assistant.";

/// Speech is not a page.
const SPOKEN: &str = "Your answer is spoken aloud. Use one to three short sentences of plain \
                      words: no lists, no markup, no code.";

/// The request for one reply. `key` is the session's: its requests share a prefix.
pub(crate) fn request<'a>(
    terms: &Terms,
    items: impl DoubleEndedIterator<Item = &'a Item>,
    key: &str,
) -> ModelRequest {
    let mut left = MOST_CHARS;
    let mut input = Vec::new();
    for item in items.rev().filter_map(model_item) {
        let len = chars(&item);
        // The newest is given whatever its length: it is the question.
        if left < len && !input.is_empty() {
            break;
        }
        left = left.saturating_sub(len);
        input.push(item);
    }
    input.reverse();
    // An output whose call was left out means nothing.
    let first = input.iter().position(|it| !matches!(it, ModelItem::ToolOutput { .. }));
    input.drain(..first.unwrap_or(0));
    ModelRequest {
        instructions: instructions(terms),
        input,
        tools: terms.allowed_tools().into_iter().cloned().collect(),
        tool_choice: terms.tool_choice(),
        cache_key: key.to_owned(),
    }
}

/// Letters that the model has to read.
pub(crate) fn weight(request: &ModelRequest) -> usize {
    request.instructions.len() + request.input.iter().map(chars).sum::<usize>()
}

fn instructions(terms: &Terms) -> String {
    let own = match terms.instructions.trim() {
        "" => NO_INSTRUCTIONS,
        own => own,
    };
    match terms.modality {
        Modality::Audio => format!("{own}\n\n{SPOKEN}"),
        Modality::Text => own.to_owned(),
    }
}

fn model_item(item: &Item) -> Option<ModelItem> {
    match &item.body {
        ItemBody::Message { role, .. } => {
            let text = item.text();
            let role = match role {
                Role::System => ModelRole::Developer,
                Role::User => ModelRole::User,
                Role::Assistant => ModelRole::Assistant,
            };
            (!text.trim().is_empty()).then_some(ModelItem::Message { role, text })
        }
        ItemBody::FunctionCall(it) => Some(ModelItem::ToolCall(ToolCall {
            call: it.call.clone(),
            name: it.name.clone(),
            arguments: it.arguments.clone(),
        })),
        ItemBody::FunctionCallOutput { call, output } => {
            Some(ModelItem::ToolOutput { call: call.clone(), output: output.clone() })
        }
    }
}

fn chars(item: &ModelItem) -> usize {
    match item {
        ModelItem::Message { text, .. } => text.len(),
        ModelItem::ToolCall(call) => call.name.len() + call.arguments.len(),
        ModelItem::ToolOutput { output, .. } => output.len(),
        ModelItem::Reasoning { opaque } => opaque.len(),
    }
}
