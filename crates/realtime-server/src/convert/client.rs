//! What a client says, as the pipeline takes it.

use protocol::{CallId, ItemId, ResponseId};
use realtime_wire::server as wire;
use voice_pipeline as ours;

use super::settings::{format, modality, most_tokens, tool_use, tools_of, voice_of};
use crate::sound;

/// The pipeline's event. Sound in items is in the session's input format.
///
/// `None` for the two that are not the pipeline's alone: settings, which the session object
/// takes first, and sound.
pub(crate) fn client_event(
    event: wire::ClientEvent,
    input_format: wire::AudioFormat,
) -> Option<ours::ClientEvent> {
    Some(match event {
        wire::ClientEvent::UpdateSession(_) | wire::ClientEvent::AppendAudio { .. } => return None,
        wire::ClientEvent::CommitAudio => ours::ClientEvent::CommitAudio,
        wire::ClientEvent::ClearAudio => ours::ClientEvent::ClearAudio,
        wire::ClientEvent::CreateItem { item, place } => ours::ClientEvent::CreateItem {
            item: new_item(item, input_format),
            place: match place {
                wire::Place::End => ours::Place::End,
                wire::Place::Root => ours::Place::Root,
                wire::Place::After(id) => ours::Place::After(ItemId::new(id)),
            },
        },
        wire::ClientEvent::RetrieveItem { item_id } => {
            ours::ClientEvent::RetrieveItem { item: ItemId::new(item_id) }
        }
        wire::ClientEvent::TruncateItem { item_id, content_index, audio_end_ms } => {
            ours::ClientEvent::TruncateItem {
                item: ItemId::new(item_id),
                content_index,
                audio_end_ms,
            }
        }
        wire::ClientEvent::DeleteItem { item_id } => {
            ours::ClientEvent::DeleteItem { item: ItemId::new(item_id) }
        }
        wire::ClientEvent::CreateResponse(request) => {
            ours::ClientEvent::CreateResponse(Box::new(response_request(*request, input_format)))
        }
        wire::ClientEvent::CancelResponse { response_id } => {
            ours::ClientEvent::CancelResponse { response: response_id.map(ResponseId::new) }
        }
        wire::ClientEvent::ClearOutputAudio => ours::ClientEvent::ClearOutputAudio,
    })
}

fn response_request(
    request: wire::ResponseRequest,
    input_format: wire::AudioFormat,
) -> ours::ResponseRequest {
    let wire::ResponseRequest {
        conversation,
        input,
        instructions,
        output,
        output_format,
        voice,
        tools,
        tool_choice,
        parallel_tool_calls: _,
        reasoning: _,
        max_output_tokens,
        metadata,
        prompt: _,
    } = request;
    let input_item = |item| match item {
        wire::InputItem::Reference(id) => ours::InputItem::Reference(ItemId::new(id)),
        wire::InputItem::New(item) => ours::InputItem::New(new_item(item, input_format)),
    };
    ours::ResponseRequest {
        audience: match conversation {
            wire::Audience::Conversation => ours::Audience::Conversation,
            wire::Audience::OutOfBand => ours::Audience::OutOfBand,
        },
        input: input.map(|items| items.into_iter().map(input_item).collect()),
        instructions,
        modality: output.map(modality),
        format: output_format.map(format),
        voice: voice.as_ref().map(voice_of),
        tools: tools.as_deref().map(tools_of),
        tool_use: tool_choice.as_ref().map(tool_use),
        max_output_tokens: max_output_tokens.map(most_tokens),
        metadata,
    }
}

fn new_item(item: wire::NewItem, input_format: wire::AudioFormat) -> ours::NewItem {
    let wire::NewItem { id, body } = item;
    let body = match body {
        wire::ItemBody::Message { role, content } => ours::ItemBody::Message {
            role: match role {
                wire::Role::System => ours::Role::System,
                wire::Role::User => ours::Role::User,
                wire::Role::Assistant => ours::Role::Assistant,
            },
            content: content.into_iter().map(|it| part(it, input_format)).collect(),
        },
        wire::ItemBody::FunctionCall { call_id, name, arguments } => {
            let call = CallId::new(call_id);
            ours::ItemBody::FunctionCall(ours::FunctionCall { call, name, arguments })
        }
        wire::ItemBody::FunctionCallOutput { call_id, output } => {
            ours::ItemBody::FunctionCallOutput { call: CallId::new(call_id), output }
        }
    };
    ours::NewItem { id: id.map(ItemId::new), body }
}

fn part(part: wire::Content, input_format: wire::AudioFormat) -> ours::Content {
    match part {
        wire::Content::InputText { text } => ours::Content::InputText { text },
        wire::Content::InputAudio { audio, transcript } => ours::Content::InputAudio {
            pcm: sound::from_format(input_format, &audio).into(),
            transcript,
        },
        wire::Content::InputImage { image_url, detail } => {
            ours::Content::InputImage { image_url, detail }
        }
        wire::Content::OutputText { text } => ours::Content::OutputText { text },
        wire::Content::OutputAudio { audio, transcript } => ours::Content::OutputAudio {
            pcm: sound::from_format(input_format, &audio).into(),
            transcript: transcript.unwrap_or_default(),
        },
    }
}
