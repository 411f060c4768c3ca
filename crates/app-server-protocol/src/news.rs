//! A thread's events, as the notifications that clients know.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::{
    ChangeKind, CloseReason, CommandItem, Event, EventBody, FileChange, FileChangeItem, Item,
    ItemBody, ItemId, ItemStatus, RealtimeNotice, ResponseId, Speaker, ThreadId, ThreadSettings,
    ToolItem, TranscriptLine, TurnFailure, TurnId, TurnStatus,
};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::item::{
    CommandAction, CommandStatus, FileUpdate, FileUpdateKind, PatchStatus, ThreadItem, ToolOutput,
    ToolStatus, UserInput,
};
use crate::notification::{
    AgentMessageDelta, CommandOutputDelta, ErrorNotice, ItemCompleted, ItemStarted, ReasoningDelta,
    ServerNotification, ThreadStarted, ThreadStatusChanged, TokenUsageUpdated, TurnCompleted,
    TurnStarted, WarningNotice,
};
use crate::realtime::{
    AudioChunk, RealtimeClosed, RealtimeError, RealtimeItemAdded, RealtimeOutputAudioDelta,
    RealtimePlayback, RealtimeStage, RealtimeStarted, RealtimeTranscriptDelta,
    RealtimeTranscriptDone,
};
use crate::thread::{Thread, ThreadStatus, TokenUsage};
use crate::turn::{Turn, TurnError, TurnState};

/// The rate of all sound inside, and so of all sound we send.
const SAMPLE_RATE: u32 = 24_000;

/// What clients are told of every thread and the thread itself does not know.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Our version, as `cliVersion`.
    pub version: &'a str,
    /// The thread's rollout file, if it has one.
    pub path: Option<&'a Path>,
}

/// What an event is to clients, in the order in which they are told. Nothing, for words of a
/// conversation that became items: clients had them as transcripts already.
pub fn news(event: &Event, origin: Origin<'_>) -> Vec<ServerNotification> {
    use ServerNotification as News;
    let Event { thread, seq: _, at, body } = event;
    let thread_id = || thread.to_string();
    match body {
        EventBody::ThreadStarted { settings } => {
            let thread = Thread::new(thread, settings, *at, origin);
            vec![News::ThreadStarted(ThreadStarted { thread })]
        }
        EventBody::TurnPreparing { turn: _ } => {
            vec![status(thread, ThreadStatus::Active { active_flags: Vec::new() })]
        }
        EventBody::TurnStarted { turn, source: _ } => vec![News::TurnStarted(TurnStarted {
            thread_id: thread_id(),
            turn: Turn {
                started_at: Some(seconds(*at)),
                ..Turn::new(turn, &TurnStatus::InProgress)
            },
        })],
        EventBody::ItemStarted { turn, item } => thread_item(item)
            .map(|item| {
                News::ItemStarted(ItemStarted {
                    thread_id: thread_id(),
                    turn_id: turn.to_string(),
                    item,
                    started_at_ms: millis(*at),
                })
            })
            .into_iter()
            .collect(),
        EventBody::AgentMessageDelta { turn, item, delta } => {
            vec![News::AgentMessageDelta(AgentMessageDelta {
                thread_id: thread_id(),
                turn_id: turn.to_string(),
                item_id: item.to_string(),
                delta: delta.clone(),
            })]
        }
        EventBody::ReasoningDelta { turn, item, delta } => {
            vec![News::ReasoningDelta(ReasoningDelta {
                thread_id: thread_id(),
                turn_id: turn.to_string(),
                item_id: item.to_string(),
                delta: delta.clone(),
                summary_index: 0,
            })]
        }
        EventBody::CommandOutputDelta { turn, item, delta } => {
            vec![News::CommandOutputDelta(CommandOutputDelta {
                thread_id: thread_id(),
                turn_id: turn.to_string(),
                item_id: item.to_string(),
                delta: delta.clone(),
            })]
        }
        EventBody::ItemCompleted { turn, item } => thread_item(item)
            .map(|it| with_reason(it, item))
            .map(|item| {
                News::ItemCompleted(ItemCompleted {
                    thread_id: thread_id(),
                    turn_id: turn.to_string(),
                    item,
                    completed_at_ms: millis(*at),
                })
            })
            .into_iter()
            .collect(),
        EventBody::TokenUsage { turn, last, total } => {
            vec![News::TokenUsageUpdated(TokenUsageUpdated {
                thread_id: thread_id(),
                turn_id: turn.to_string(),
                token_usage: TokenUsage {
                    total: (*total).into(),
                    last: (*last).into(),
                    model_context_window: None,
                },
            })]
        }
        EventBody::Retrying { turn, message, attempt, wait } => {
            let message = format!("{message} (try {attempt} in {} ms)", wait.as_millis());
            vec![failure(thread, turn, TurnError::new(message), /*will_retry*/ true)]
        }
        EventBody::TurnCompleted { turn, status: ended } => {
            let mut news = Vec::with_capacity(3);
            if let TurnStatus::Failed(TurnFailure { message }) = ended {
                let error = TurnError::new(message);
                news.push(failure(thread, turn, error, /*will_retry*/ false));
            }
            let now = match ended {
                TurnStatus::Failed(_) => ThreadStatus::SystemError,
                TurnStatus::InProgress | TurnStatus::Completed | TurnStatus::Interrupted => {
                    ThreadStatus::Idle
                }
            };
            news.push(status(thread, now));
            news.push(News::TurnCompleted(TurnCompleted {
                thread_id: thread_id(),
                turn: Turn { completed_at: Some(seconds(*at)), ..Turn::new(turn, ended) },
            }));
            news
        }
        EventBody::Warning { message } => vec![News::Warning(WarningNotice {
            thread_id: Some(thread_id()),
            message: message.clone(),
        })],
        EventBody::Realtime(notice) => vec![realtime(thread, *at, notice)],
    }
}

/// The item as clients know it. `None` for spoken words, which they know as transcripts.
pub fn thread_item(item: &Item) -> Option<ThreadItem> {
    let Item { id, body } = item;
    let id = id.to_string();
    Some(match body {
        ItemBody::UserMessage { text, source: _ } => {
            ThreadItem::UserMessage { id, content: vec![UserInput::text(text)] }
        }
        ItemBody::AgentMessage { text } => ThreadItem::AgentMessage { id, text: text.clone() },
        ItemBody::Reasoning { text } => {
            ThreadItem::Reasoning { id, summary: vec![text.clone()], content: Vec::new() }
        }
        ItemBody::Command(command) => command_item(id, command),
        ItemBody::FileChange(FileChangeItem { call: _, changes, status, output: _ }) => {
            ThreadItem::FileChange {
                id,
                changes: changes.iter().map(FileUpdate::from).collect(),
                status: (*status).into(),
                reason: None,
            }
        }
        ItemBody::Tool(tool) => tool_item(id, tool),
        ItemBody::Spoken { speaker: _, text: _ } => return None,
    })
}

/// What the tool told the model of a change that was not made.
fn with_reason(mut shown: ThreadItem, Item { id: _, body }: &Item) -> ThreadItem {
    if let (ThreadItem::FileChange { reason, .. }, ItemBody::FileChange(change)) =
        (&mut shown, body)
    {
        *reason = match change.status {
            ItemStatus::Failed | ItemStatus::Declined if !change.output.is_empty() => {
                Some(change.output.clone())
            }
            ItemStatus::Failed
            | ItemStatus::Declined
            | ItemStatus::InProgress
            | ItemStatus::Completed => None,
        };
    }
    shown
}

impl Thread {
    /// A thread at rest, as it is when it starts.
    pub fn new(
        id: &ThreadId,
        settings: &ThreadSettings,
        at: SystemTime,
        origin: Origin<'_>,
    ) -> Self {
        let ThreadSettings {
            cwd,
            model,
            model_provider,
            approval_policy: _,
            sandbox: _,
            developer_instructions: _,
            ephemeral,
        } = settings;
        Self {
            id: id.to_string(),
            session_id: id.to_string(),
            preview: String::new(),
            ephemeral: *ephemeral,
            model_provider: model_provider.clone(),
            model: Some(model.clone()),
            created_at: seconds(at),
            updated_at: seconds(at),
            status: ThreadStatus::Idle,
            path: origin.path.map(|path| path.to_string_lossy().into_owned()),
            cwd: cwd.to_string_lossy().into_owned(),
            cli_version: origin.version.to_owned(),
            source: "appServer".to_owned(),
            name: None,
            project_id: None,
            turns: Vec::new(),
        }
    }
}

impl Turn {
    /// A turn without its items and times.
    pub fn new(id: &TurnId, status: &TurnStatus) -> Self {
        let (status, error) = match status {
            TurnStatus::InProgress => (TurnState::InProgress, None),
            TurnStatus::Completed => (TurnState::Completed, None),
            TurnStatus::Interrupted => (TurnState::Interrupted, None),
            TurnStatus::Failed(TurnFailure { message }) => {
                (TurnState::Failed, Some(TurnError::new(message)))
            }
        };
        Self {
            id: id.to_string(),
            items: Vec::new(),
            status,
            error,
            started_at: None,
            completed_at: None,
        }
    }
}

impl From<&FileChange> for FileUpdate {
    fn from(change: &FileChange) -> Self {
        let FileChange { path, kind, diff } = change;
        let kind = match kind {
            ChangeKind::Add => FileUpdateKind::Add,
            ChangeKind::Delete => FileUpdateKind::Delete,
            ChangeKind::Update { moved_to } => {
                FileUpdateKind::Update { move_path: moved_to.clone() }
            }
        };
        Self { path: path.clone(), kind, diff: diff.clone() }
    }
}

impl From<ItemStatus> for CommandStatus {
    fn from(status: ItemStatus) -> Self {
        match status {
            ItemStatus::InProgress => Self::InProgress,
            ItemStatus::Completed => Self::Completed,
            ItemStatus::Failed => Self::Failed,
            ItemStatus::Declined => Self::Declined,
        }
    }
}

impl From<ItemStatus> for PatchStatus {
    fn from(status: ItemStatus) -> Self {
        match status {
            ItemStatus::InProgress => Self::InProgress,
            ItemStatus::Completed => Self::Completed,
            ItemStatus::Failed => Self::Failed,
            ItemStatus::Declined => Self::Declined,
        }
    }
}

impl From<ItemStatus> for ToolStatus {
    fn from(status: ItemStatus) -> Self {
        match status {
            ItemStatus::InProgress => Self::InProgress,
            ItemStatus::Completed => Self::Completed,
            ItemStatus::Failed | ItemStatus::Declined => Self::Failed,
        }
    }
}

fn command_item(id: String, item: &CommandItem) -> ThreadItem {
    let CommandItem { call: _, command, cwd, status, exit_code, output, duration } = item;
    ThreadItem::CommandExecution {
        id,
        command: command.clone(),
        cwd: cwd.to_string_lossy().into_owned(),
        status: (*status).into(),
        command_actions: vec![CommandAction::Unknown { command: command.clone() }],
        aggregated_output: (*status != ItemStatus::InProgress).then(|| output.clone()),
        exit_code: *exit_code,
        duration_ms: duration.map(whole_millis),
    }
}

fn tool_item(id: String, item: &ToolItem) -> ThreadItem {
    let ToolItem { call: _, tool, arguments, status, result, duration } = item;
    let ended = *status != ItemStatus::InProgress;
    ThreadItem::DynamicToolCall {
        id,
        namespace: None,
        tool: tool.clone(),
        // What the model wrote may not be JSON; then it is shown as the text it is.
        arguments: serde_json::from_str(arguments)
            .unwrap_or_else(|_| Value::String(arguments.clone())),
        status: (*status).into(),
        content_items: ended.then(|| vec![ToolOutput::InputText { text: result.clone() }]),
        success: match status {
            ItemStatus::Completed => Some(true),
            ItemStatus::Failed => Some(false),
            ItemStatus::InProgress | ItemStatus::Declined => None,
        },
        duration_ms: duration.map(whole_millis),
    }
}

fn realtime(thread: &ThreadId, at: SystemTime, notice: &RealtimeNotice) -> ServerNotification {
    use ServerNotification as News;
    let thread_id = thread.to_string();
    match notice {
        RealtimeNotice::Started { session, version } => News::RealtimeStarted(RealtimeStarted {
            thread_id,
            realtime_session_id: session.clone(),
            session_id: session.clone(),
            version: (*version).into(),
        }),
        RealtimeNotice::ItemAdded { raw } => News::RealtimeItemAdded(RealtimeItemAdded {
            thread_id,
            item: RawValue::from_string(raw.clone()).unwrap_or_else(|_| as_json(raw)),
        }),
        RealtimeNotice::TranscriptDelta { speaker, delta } => {
            News::RealtimeTranscriptDelta(RealtimeTranscriptDelta {
                thread_id,
                role: (*speaker).into(),
                delta: delta.clone(),
            })
        }
        RealtimeNotice::TranscriptDone { speaker, text } => {
            News::RealtimeTranscriptDone(RealtimeTranscriptDone {
                thread_id,
                role: (*speaker).into(),
                text: text.clone(),
            })
        }
        RealtimeNotice::Audio { item, pcm } => {
            News::RealtimeOutputAudioDelta(RealtimeOutputAudioDelta {
                thread_id,
                audio: AudioChunk::new(pcm, SAMPLE_RATE, item.as_ref().map(ToString::to_string)),
            })
        }
        RealtimeNotice::SpeechStarted { item } => News::RealtimeItemAdded(RealtimeItemAdded {
            thread_id,
            item: as_json(&SpeechStarted {
                kind: "input_audio_buffer.speech_started",
                item_id: item.as_ref().map(ItemId::as_str),
            }),
        }),
        RealtimeNotice::ResponseCancelled { response } => {
            News::RealtimeItemAdded(RealtimeItemAdded {
                thread_id,
                item: as_json(&ResponseCancelled {
                    kind: "response.cancelled",
                    response_id: response.as_ref().map(ResponseId::as_str),
                }),
            })
        }
        RealtimeNotice::Handoff { handoff, item, text, transcript } => {
            News::RealtimeItemAdded(RealtimeItemAdded {
                thread_id,
                item: as_json(&HandoffRequest {
                    kind: "handoff_request",
                    handoff_id: handoff.as_str(),
                    item_id: item.as_str(),
                    input_transcript: text,
                    active_transcript: transcript.iter().map(Line::from).collect(),
                }),
            })
        }
        RealtimeNotice::Error { message } => {
            News::RealtimeError(RealtimeError { thread_id, message: message.clone() })
        }
        RealtimeNotice::Closed { reason } => {
            let reason = match reason {
                CloseReason::Requested => "requested",
                CloseReason::TransportClosed => "transport_closed",
                CloseReason::Error => "error",
            };
            News::RealtimeClosed(RealtimeClosed { thread_id, reason: Some(reason.to_owned()) })
        }
        RealtimeNotice::Playback { change } => News::RealtimePlayback(RealtimePlayback {
            thread_id,
            change: (*change).into(),
            at_ms: millis(at),
        }),
        RealtimeNotice::Stage { stage } => News::RealtimeStage(RealtimeStage {
            thread_id,
            stage: (*stage).into(),
            at_ms: millis(at),
        }),
    }
}

/// The reference's made-up conversation item for a handoff, in its own snake_case.
#[derive(Serialize)]
struct HandoffRequest<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    handoff_id: &'a str,
    item_id: &'a str,
    input_transcript: &'a str,
    active_transcript: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    role: &'a str,
    text: &'a str,
}

impl<'a> From<&'a TranscriptLine> for Line<'a> {
    fn from(line: &'a TranscriptLine) -> Self {
        let TranscriptLine { speaker, text } = line;
        let role = match speaker {
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        };
        Self { role, text }
    }
}

/// As the service says it, without its own ids and times.
#[derive(Serialize)]
struct SpeechStarted<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    item_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ResponseCancelled<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    response_id: Option<&'a str>,
}

fn status(thread: &ThreadId, status: ThreadStatus) -> ServerNotification {
    ServerNotification::ThreadStatusChanged(ThreadStatusChanged {
        thread_id: thread.to_string(),
        status,
    })
}

fn failure(
    thread: &ThreadId,
    turn: &TurnId,
    error: TurnError,
    will_retry: bool,
) -> ServerNotification {
    ServerNotification::Error(ErrorNotice {
        thread_id: thread.to_string(),
        turn_id: turn.to_string(),
        error,
        will_retry,
    })
}

fn as_json<T: Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Times before 1970 count as 1970.
fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn seconds(at: SystemTime) -> i64 {
    i64::try_from(since_epoch(at).as_secs()).unwrap_or(i64::MAX)
}

fn millis(at: SystemTime) -> u64 {
    whole_millis(since_epoch(at))
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
