//! Refusals in the service's codes, which clients test for.

use realtime_wire::server::{ErrorCode, Refusal};
use voice_pipeline as ours;

pub(super) fn refusal(refusal: ours::Refusal) -> Refusal {
    match refusal {
        ours::Refusal::NothingToCancel => Refusal::nothing_to_cancel(),
        ours::Refusal::ResponseActive { running } => Refusal::response_active(running.as_str()),
        ours::Refusal::TooManyResponses { most } => Refusal::new(
            ErrorCode::InvalidValue,
            format!(
                "At most {most} out-of-band responses run at a time. Wait until one of them is \
                 done."
            ),
        )
        .about("response.conversation"),
        ours::Refusal::NeverResponds => Refusal::new(
            ErrorCode::InvalidEvent,
            "A transcription session gives no responses. Connect without 'intent=transcription' \
             for a conversation.",
        ),
        ours::Refusal::RetrieveUnknown { item } => {
            unknown(ErrorCode::ItemRetrieveInvalidItemId, "retrieving", item.as_str())
        }
        ours::Refusal::DeleteUnknown { item } => {
            unknown(ErrorCode::ItemDeleteInvalidItemId, "deleting", item.as_str())
        }
        ours::Refusal::DeleteGrowing { item } => Refusal::new(
            ErrorCode::ItemDeleteInvalidItemId,
            format!(
                "Error deleting item: the item with id '{item}' belongs to a response that still \
                 runs. Cancel the response first."
            ),
        )
        .about("item_id"),
        ours::Refusal::TruncateUnknown { item } => {
            unknown(ErrorCode::ItemTruncateInvalidItemId, "truncating", item.as_str())
        }
        ours::Refusal::TruncateSilent { item } => Refusal::new(
            ErrorCode::InvalidValue,
            format!("Only sound of the assistant can be truncated, and '{item}' has none there."),
        )
        .about("content_index"),
        ours::Refusal::TruncateTooLong { item, audio_ms } => Refusal::new(
            ErrorCode::InvalidValue,
            format!("The audio of '{item}' is {audio_ms}ms long: it cannot end later than that."),
        )
        .about("audio_end_ms"),
        ours::Refusal::DuplicateItem { item } => Refusal::new(
            ErrorCode::ItemCreateDuplicateItemId,
            format!("Error adding item: an item with id '{item}' already exists."),
        )
        .about("item.id"),
        ours::Refusal::UnknownPrevious { item } => Refusal::new(
            ErrorCode::ItemCreateInvalidPreviousItemId,
            format!("Error adding item: the previous item with id '{item}' does not exist."),
        )
        .about("previous_item_id"),
        ours::Refusal::UnknownReference { item } => Refusal::new(
            ErrorCode::InvalidValue,
            format!("The item with id '{item}' does not exist."),
        )
        .about("response.input"),
        ours::Refusal::ConversationFull { items, bytes } => Refusal::new(
            ErrorCode::InvalidValue,
            format!(
                "A conversation holds at most {items} items and {} MiB of text. Delete items that \
                 are no longer needed, or begin a new session.",
                bytes >> 20
            ),
        )
        .about("item"),
        ours::Refusal::TooManyDictations { most } => Refusal::new(
            ErrorCode::InvalidValue,
            format!(
                "At most {most} items are transcribed at a time. Wait until one of them is, or \
                 give its 'transcript' with the audio."
            ),
        )
        .about("item.content"),
        ours::Refusal::NoImages => Refusal::new(
            ErrorCode::InvalidValue,
            "Images are not understood by this server. Say in an 'input_text' part what is on it.",
        )
        .about("item.content"),
        ours::Refusal::CommitEmpty { ms } => Refusal::new(
            ErrorCode::InputAudioBufferCommitEmpty,
            format!(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms \
                 of audio, but buffer only has {ms}.00ms of audio."
            ),
        ),
        ours::Refusal::NoOutputBuffer => Refusal::new(
            ErrorCode::InvalidEvent,
            "'output_audio_buffer.clear' is for WebRTC. Over a WebSocket you play the sound: stop \
             your player, and send 'conversation.item.truncate'.",
        ),
        ours::Refusal::Fault { message } => Refusal::new(ErrorCode::ServerError, message),
    }
}

fn unknown(code: ErrorCode, doing: &str, item: &str) -> Refusal {
    let message = format!("Error {doing} item: the item with id '{item}' does not exist.");
    Refusal::new(code, message).about("item_id")
}
