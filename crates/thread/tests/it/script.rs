//! Inputs and outputs of a thread in words.

use std::path::PathBuf;
use std::time::Duration;

use agent_turn::{Enforcement, Epoch, Input as TurnInput, UserInput};
use protocol::{
    ApprovalPolicy, BargeIn, CallId, CommandItem, EventBody, Handoff, HandoffId, InputSource,
    ItemBody, ItemId, ItemStatus, ModelError, ModelErrorKind, ModelEvent, ModelItem, Property,
    RealtimeCommand, RealtimeEvent, RealtimeNotice, RealtimeVersion, Role, SandboxPolicy, Schema,
    SessionMode, Speaker, ThreadId, ThreadSettings, ToolCall, ToolEffect, ToolItem, ToolSpec,
    TurnId, TurnStatus, Usage,
};
use realtime_session::{LinkEpoch, LinkNews};
use stdx::Time;
use thread::{
    ConversationId, Input, ModelSize, Opening, Output, ProjectDoc, Prompt, Refusal, RequestId,
    Setup, StartupContext, Steps, Surroundings, Thread,
};

/// A thread, and what the words of a script refer to.
pub(crate) struct Script {
    pub(crate) thread: Thread,
    now: Time,
    turn: TurnId,
    turns: u32,
    model: Epoch,
    run: Epoch,
    conversation: ConversationId,
    link: LinkEpoch,
    requests: u64,
    docs: Vec<ProjectDoc>,
}

pub(crate) fn settings() -> ThreadSettings {
    ThreadSettings {
        cwd: PathBuf::from("/w"),
        model: "m".to_owned(),
        model_provider: "p".to_owned(),
        approval_policy: ApprovalPolicy::Never,
        sandbox: SandboxPolicy::default(),
        developer_instructions: None,
        ephemeral: false,
    }
}

pub(crate) fn surroundings() -> Surroundings {
    let text = Schema::Text { max_chars: None };
    Surroundings {
        tools: vec![ToolSpec {
            name: "shell".to_owned(),
            description: "runs a command".to_owned(),
            parameters: vec![Property::required("command", "", text)],
            effect: ToolEffect::Runs,
        }],
        enforcement: Enforcement::Sandboxed,
        project_docs: Vec::new(),
        date: "2026-11-23".to_owned(),
        seed: 1,
    }
}

impl Script {
    pub(crate) fn new(model: ModelSize) -> Self {
        Self::with(model, settings())
    }

    fn with(model: ModelSize, settings: ThreadSettings) -> Self {
        let thread = Thread::new(Setup {
            thread: ThreadId::from("th"),
            settings,
            model,
            history: Vec::new(),
            usage: Usage::default(),
            turns: [TurnId::from("t1"), TurnId::from("t2")],
        });
        Self {
            thread,
            now: Time::ZERO,
            turn: TurnId::from("t1"),
            turns: 2,
            model: Epoch(0),
            run: Epoch(0),
            conversation: ConversationId("-".to_owned()),
            link: LinkEpoch::default(),
            requests: 0,
            docs: Vec::new(),
        }
    }

    /// Feeds one line, without its `>`, and returns what the thread wants done.
    pub(crate) fn feed(&mut self, line: &str) -> Vec<Output> {
        let input = self.parse(line);
        let outputs: Vec<Output> = self.thread.handle(input, self.now).collect();
        for output in &outputs {
            match output {
                Output::Prepare { turn } => self.turn = turn.clone(),
                Output::CallModel { turn: _, epoch, request: _ } => self.model = *epoch,
                Output::RunTool { turn: _, run, call: _ } => self.run = *run,
                Output::Connect { conversation, epoch } => {
                    (self.conversation, self.link) = (conversation.clone(), *epoch);
                }
                Output::Accepted { .. }
                | Output::Refused { .. }
                | Output::LogContext { .. }
                | Output::CancelModel { .. }
                | Output::CancelTool { .. }
                | Output::Record(_)
                | Output::Sync
                | Output::Event(_)
                | Output::Send { .. }
                | Output::Ping { .. }
                | Output::Disconnect { .. } => (),
            }
        }
        outputs
    }

    fn parse(&mut self, line: &str) -> Input {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let text = rest.to_owned();
        let model = |event| TurnInput::Model { epoch: self.model, event };
        let news = match verb {
            "says" => model(ModelEvent::Message { text }),
            "calls" => model(ModelEvent::ToolCall(ToolCall {
                call: CallId::from("c"),
                name: "shell".to_owned(),
                arguments: format!("{{\"command\":\"{text}\"}}"),
            })),
            "done" => model(ModelEvent::Completed { usage: Usage::default() }),
            "fails" => TurnInput::ModelFailed {
                epoch: self.model,
                error: ModelError { kind: ModelErrorKind::Rejected, message: text },
            },
            "overloaded" => {
                let after = Some(Duration::from_millis(text.parse().expect("milliseconds")));
                let (kind, message) = (ModelErrorKind::Transient { after }, "busy".to_owned());
                TurnInput::ModelFailed { epoch: self.model, error: ModelError { kind, message } }
            }
            "runs" => TurnInput::ToolStarted { run: self.run, body: running(text) },
            "finished" => finished(self.run, ItemStatus::Completed, text),
            "failed" => finished(self.run, ItemStatus::Failed, text),
            _ => return self.parse_other(verb, rest),
        };
        Input::Turn { turn: self.turn.clone(), news }
    }

    fn parse_other(&mut self, verb: &str, rest: &str) -> Input {
        let typed = |text: &str| UserInput {
            text: text.to_owned(),
            source: InputSource::Typed,
            material: None,
        };
        let event = match verb {
            "open" => return Input::Open,
            "start" => return Input::StartTurn { request: self.request(), input: typed(rest) },
            "steer" => {
                let request = self.request();
                return Input::Steer { request, expected: None, input: typed(rest) };
            }
            "steer-wrong" => {
                let expected = Some(TurnId::from("other"));
                let request = self.request();
                return Input::Steer { request, expected, input: typed(rest) };
            }
            "interrupt" => return Input::Interrupt { request: self.request(), expected: None },
            "close" => return Input::Close,
            "docs" => {
                let doc = ProjectDoc { path: PathBuf::from("/w/AGENTS.md"), text: rest.to_owned() };
                self.docs = vec![doc];
                return self.prepared(Ok(surroundings()));
            }
            "prepared" => return self.prepared(Ok(surroundings())),
            "unprepared" => return self.prepared(Err(rest.to_owned())),
            "tick" => {
                self.now = Time::from_millis(rest.parse().expect("milliseconds"));
                return Input::Tick;
            }
            "talk" => return Input::StartConversation(opening(rest)),
            "talk-here" => {
                let opening = Opening { steps: Steps::Told, ..opening(rest) };
                return Input::StartConversation(opening);
            }
            "hang-up" => return Input::StopConversation { request: self.request() },
            "tell" => {
                return Input::AppendText { request: self.request(), text: rest.to_owned() };
            }
            "up" => return self.link(LinkNews::Up),
            "down" => return self.link(LinkNews::Down { error: None }),
            "stale-down" => {
                return Input::Link {
                    conversation: ConversationId("old".to_owned()),
                    epoch: self.link,
                    news: LinkNews::Down { error: None },
                };
            }
            "opened" => RealtimeEvent::SessionUpdated { session: None },
            "heard" => RealtimeEvent::InputTranscript { item: None, text: rest.to_owned() },
            "spoke" => RealtimeEvent::OutputTranscript { item: None, text: rest.to_owned() },
            "handoff" => {
                let (id, input) = rest.split_once(' ').unwrap_or((rest, ""));
                RealtimeEvent::HandoffRequested(Handoff {
                    id: HandoffId::from(id),
                    item: ItemId::from("i"),
                    input: input.to_owned(),
                    messages: Vec::new(),
                })
            }
            _ => panic!("not an input: {verb} {rest}"),
        };
        self.link(LinkNews::Event(event))
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    fn prepared(&mut self, surroundings: Result<Surroundings, String>) -> Input {
        self.turns += 1;
        let docs = self.docs.clone();
        let surroundings = surroundings.map(|read| Surroundings { project_docs: docs, ..read });
        Input::Prepared {
            turn: self.turn.clone(),
            name: TurnId::new(format!("t{}", self.turns)),
            surroundings,
        }
    }

    fn link(&self, news: LinkNews) -> Input {
        Input::Link { conversation: self.conversation.clone(), epoch: self.link, news }
    }
}

pub(crate) fn opening(conversation: &str) -> Opening {
    Opening {
        conversation: ConversationId(conversation.to_owned()),
        session_id: None,
        version: RealtimeVersion::V2,
        mode: SessionMode::Conversational,
        voice: "marin".to_owned(),
        barge_in: BargeIn::ByService,
        prompt: Prompt::Text("be brief".to_owned()),
        context: StartupContext::Text(String::new()),
        start_instructions: None,
        steps: Steps::Untold,
    }
}

fn running(command: String) -> ItemBody {
    ItemBody::Command(CommandItem {
        call: CallId::from("c"),
        command,
        cwd: PathBuf::from("/w"),
        status: ItemStatus::InProgress,
        exit_code: None,
        output: String::new(),
        duration: None,
    })
}

pub(crate) fn finished(run: Epoch, status: ItemStatus, output: String) -> TurnInput {
    let body = ItemBody::Tool(ToolItem {
        call: CallId::from("c"),
        tool: "shell".to_owned(),
        arguments: String::new(),
        status,
        result: output.clone(),
        duration: None,
    });
    TurnInput::ToolFinished { run, body, output }
}

/// `None` for what the crates below answer for: items as they come and go, the log's syncs.
pub(crate) fn show(output: &Output) -> Option<String> {
    let line = match output {
        Output::Accepted { request, turn } => {
            let turn = turn.as_ref().map_or("-", TurnId::as_str);
            format!("accepted {} {turn}", request.0)
        }
        Output::Refused { request, refusal } => {
            let why = match refusal {
                Refusal::NoTurn => "no turn".to_owned(),
                Refusal::OtherTurn { running } => format!("{running} is running"),
                Refusal::NoConversation => "no conversation".to_owned(),
            };
            format!("refused {} {why}", request.0)
        }
        Output::Prepare { turn } => format!("prepare {turn}"),
        Output::LogContext { turn, realtime_active } => {
            let voice = if *realtime_active { ", in conversation" } else { "" };
            format!("log {turn}{voice}")
        }
        Output::CallModel { turn, epoch, request } => {
            format!("call {turn} #{} with {} items", epoch.0, request.input.len())
        }
        Output::CancelModel { turn, epoch } => format!("cancel {turn} #{}", epoch.0),
        Output::RunTool { turn, run, call } => {
            format!("run {turn} #{} {} {}", run.0, call.name, call.arguments)
        }
        Output::CancelTool { turn, run } => format!("stop {turn} #{}", run.0),
        Output::Record(item) => show_record(item),
        Output::Sync => return None,
        Output::Event(event) => show_event(event)?,
        Output::Connect { conversation, epoch } => {
            format!("connect {} {}", conversation.0, epoch.0)
        }
        Output::Send { conversation, command } => {
            format!("send {} {}", conversation.0, show_command(command))
        }
        Output::Ping { conversation } => format!("ping {}", conversation.0),
        Output::Disconnect { conversation } => format!("disconnect {}", conversation.0),
    };
    Some(line)
}

fn show_record(item: &ModelItem) -> String {
    match item {
        ModelItem::Message { role: Role::User, text } => format!("record user: {text}"),
        ModelItem::Message { role: Role::Assistant, text } => format!("record agent: {text}"),
        ModelItem::Message { role: Role::Developer, text } => {
            let first = text.lines().next().unwrap_or_default();
            format!("record developer: {first}")
        }
        ModelItem::Message { role: Role::Material, text } => {
            let first = text.lines().next().unwrap_or_default();
            format!("record material: {first}")
        }
        ModelItem::ToolCall(call) => format!("record call {}", call.name),
        ModelItem::ToolOutput { call: _, output } => format!("record output: {output}"),
        ModelItem::Reasoning { opaque } => format!("record reasoning {opaque}"),
    }
}

fn show_event(event: &EventBody) -> Option<String> {
    let line = match event {
        EventBody::ThreadStarted { settings } => {
            format!("* thread in {}", settings.cwd.display())
        }
        EventBody::TurnPreparing { turn } => format!("* {turn} is prepared"),
        EventBody::TurnStarted { turn, source } => format!("* {turn} started, {source:?}"),
        EventBody::TurnCompleted { turn, status } => {
            let status = match status {
                TurnStatus::InProgress => "in progress".to_owned(),
                TurnStatus::Completed => "completed".to_owned(),
                TurnStatus::Interrupted => "interrupted".to_owned(),
                TurnStatus::Failed(failure) => format!("failed: {}", failure.message),
            };
            format!("* {turn} {status}")
        }
        EventBody::ItemCompleted { turn, item } => match &item.body {
            ItemBody::Spoken { speaker, text } => {
                let speaker = match speaker {
                    Speaker::User => "user",
                    Speaker::Assistant => "voice",
                };
                format!("* {} in {turn}: {speaker}: {text}", item.id)
            }
            ItemBody::UserMessage { .. }
            | ItemBody::AgentMessage { .. }
            | ItemBody::Reasoning { .. }
            | ItemBody::Command(_)
            | ItemBody::FileChange(_)
            | ItemBody::Tool(_) => return None,
        },
        EventBody::Warning { message } => format!("* warning: {message}"),
        EventBody::Realtime(notice) => match notice {
            RealtimeNotice::Playback { change } => format!("* playback {change:?}"),
            RealtimeNotice::Stage { stage } => format!("* stage {stage:?}"),
            RealtimeNotice::Started { .. } => "* conversation started".to_owned(),
            RealtimeNotice::Closed { reason } => format!("* conversation closed, {reason:?}"),
            RealtimeNotice::Error { message } => format!("* conversation error: {message}"),
            RealtimeNotice::Audio { .. } => "* sound".to_owned(),
            RealtimeNotice::ItemAdded { .. }
            | RealtimeNotice::TranscriptDelta { .. }
            | RealtimeNotice::TranscriptDone { .. }
            | RealtimeNotice::SpeechStarted { .. }
            | RealtimeNotice::ResponseCancelled { .. }
            | RealtimeNotice::Handoff { .. } => return None,
        },
        EventBody::ItemStarted { .. }
        | EventBody::AgentMessageDelta { .. }
        | EventBody::ReasoningDelta { .. }
        | EventBody::CommandOutputDelta { .. }
        | EventBody::TokenUsage { .. }
        | EventBody::Retrying { .. } => return None,
    };
    Some(line)
}

fn show_command(command: &RealtimeCommand) -> String {
    match command {
        RealtimeCommand::UpdateSession(_) => "session".to_owned(),
        RealtimeCommand::AppendAudio { pcm } => format!("{} samples", pcm.len()),
        RealtimeCommand::Text { text } => format!("text {text}"),
        RealtimeCommand::Mirror { text } => format!("mirror {text}"),
        RealtimeCommand::Progress { handoff, text } => format!("progress {handoff}: {text}"),
        RealtimeCommand::HandoffOutput { handoff, text, is_final } => {
            let kind = if *is_final { "answer" } else { "acknowledge" };
            format!("{kind} {handoff}: {text}")
        }
        RealtimeCommand::CreateResponse => "respond".to_owned(),
        RealtimeCommand::CancelResponse => "cancel".to_owned(),
        RealtimeCommand::Truncate { item, heard } => format!("truncate {item} {heard:?}"),
    }
}

/// Replays the `>` lines of a transcript and expects the same transcript back.
#[track_caller]
pub(crate) fn check(model: ModelSize, transcript: &str) {
    replay(Script::new(model), transcript);
}

/// The same, where every command needs an approval.
#[track_caller]
pub(crate) fn check_untrusted(transcript: &str) {
    let settings = ThreadSettings { approval_policy: ApprovalPolicy::Untrusted, ..settings() };
    replay(Script::with(ModelSize::Full, settings), transcript);
}

#[track_caller]
fn replay(mut script: Script, transcript: &str) {
    let mut replay = String::new();
    for line in transcript.lines() {
        let Some(input) = line.strip_prefix("> ") else { continue };
        replay += &format!("{line}\n");
        for output in script.feed(input).iter().filter_map(show) {
            replay += &format!("  {}\n", output.trim_end());
        }
    }
    assert_eq!(replay.trim(), transcript.trim());
}
