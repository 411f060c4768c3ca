//! One thread: its history, the turn that runs, and the spoken conversation, behind one
//! ordered inbox. Here the pure part ends: whoever drives this acts, and decides nothing.
//!
//! The driver owns models, tools, links, the log and the clock. It says what happened
//! ([`Input`]) and when; the thread says what to do ([`Output`]) and when to come back
//! ([`Thread::deadline`]).
//!
//! Invariants:
//! * At most one turn and one conversation at a time; what comes for the next turn waits.
//! * Words are never lost: they reach the running turn, or the next one.
//! * Every request of a client is answered exactly once, at once.
//! * Every handoff is answered exactly once while its conversation lives, however the work
//!   ends; when words for the same work came too late for its turn, by the turn that takes them.
//! * A completion that belongs to an earlier turn or conversation changes nothing.

mod conversation;
mod frame;
mod instructions;
mod instructions_small;
mod outputs;
mod steps;

use std::collections::VecDeque;

use agent_turn::{Enforcement, Epoch, Limits, Permissions, Turn, UserInput};
use protocol::{
    EventBody, HandoffId, InputSource, Item, ItemBody, ItemId, ModelItem, ModelRequest,
    RealtimeCommand, RealtimeNotice, Role, Speaker, Stage, ThreadId, ThreadSettings, ToolCall,
    ToolSpec, TranscriptLine, TurnId, TurnStatus, Usage, utterance,
};
use realtime_session::{Answer, Delegation, DelegationKind, LinkEpoch, LinkNews, Session};
use stdx::{Time, never};

pub use crate::conversation::{ConversationId, Opening, Prompt, StartupContext, Steps};
pub use crate::instructions::ProjectDoc;
pub use crate::outputs::Outputs;

/// Utterances that are kept for the next typed turn. Who talked more than this meanwhile is
/// remembered by the newest of it.
const MAX_SAID: usize = 40;

/// What a thread starts from.
#[derive(Debug)]
pub struct Setup {
    pub thread: ThreadId,
    pub settings: ThreadSettings,
    pub model: ModelSize,
    /// What an earlier process recorded; every call in it is answered.
    pub history: Vec<ModelItem>,
    pub usage: Usage,
    /// Names of the first turns: one for the turn that is prepared, one for the words that
    /// come too late for it.
    pub turns: [TurnId; 2],
}

/// What the agent's model can take, which decides its instructions and limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelSize {
    /// A coding agent by itself.
    Full,
    /// The bundled model.
    Small,
}

/// Names a request of a client until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a turn is to know of the world, read when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    pub tools: Vec<ToolSpec>,
    pub enforcement: Enforcement,
    /// From the project's root down to the working directory.
    pub project_docs: Vec<ProjectDoc>,
    /// For people: `2026-11-23`.
    pub date: String,
    /// For the jitter of retries.
    pub seed: u64,
}

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The first input.
    Open,
    /// Words that start a turn, or join the one that runs.
    StartTurn {
        request: RequestId,
        input: UserInput,
    },
    /// Words for the running turn, which must be `expected` if that is given.
    Steer {
        request: RequestId,
        expected: Option<TurnId>,
        input: UserInput,
    },
    /// Stop the running turn, which must be `expected` if that is given.
    Interrupt {
        request: RequestId,
        expected: Option<TurnId>,
    },
    /// Answers [`Output::Prepare`].
    Prepared {
        turn: TurnId,
        /// Names a turn to come.
        name: TurnId,
        /// The error is a sentence for people: why the turn cannot be run.
        surroundings: Result<Surroundings, String>,
    },
    /// News of a model call or a tool of `turn`.
    Turn {
        turn: TurnId,
        news: agent_turn::Input,
    },
    /// Opens a conversation; one that runs is closed first.
    StartConversation(Opening),
    StopConversation {
        request: RequestId,
    },
    /// Text of the client for the voice model.
    AppendText {
        request: RequestId,
        text: String,
    },
    /// The client's speaker has played this much of `item`.
    Played {
        item: ItemId,
        upto: std::time::Duration,
    },
    Link {
        conversation: ConversationId,
        epoch: LinkEpoch,
        news: LinkNews,
    },
    /// The last request: stop everything, and record what still waits.
    Close,
    /// [`Thread::deadline`] has passed.
    Tick,
}

/// What the driver should do next, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// The request was taken; `turn` is the turn it belongs to, if it is about one.
    Accepted {
        request: RequestId,
        turn: Option<TurnId>,
    },
    Refused {
        request: RequestId,
        refusal: Refusal,
    },
    /// Read the surroundings, and report them as [`Input::Prepared`].
    Prepare {
        turn: TurnId,
    },
    /// The log's line for a turn that begins.
    LogContext {
        turn: TurnId,
        realtime_active: bool,
    },
    CallModel {
        turn: TurnId,
        epoch: Epoch,
        request: ModelRequest,
    },
    CancelModel {
        turn: TurnId,
        epoch: Epoch,
    },
    RunTool {
        turn: TurnId,
        run: Epoch,
        call: ToolCall,
    },
    CancelTool {
        turn: TurnId,
        run: Epoch,
    },
    /// Write this to the log before what follows is done.
    Record(ModelItem),
    /// Make the log durable before what follows is done.
    Sync,
    /// Number it, write it to the log, and show it to subscribers.
    Event(EventBody),
    /// Dial, and report as [`Input::Link`].
    Connect {
        conversation: ConversationId,
        epoch: LinkEpoch,
    },
    Send {
        conversation: ConversationId,
        command: RealtimeCommand,
    },
    Ping {
        conversation: ConversationId,
    },
    /// Close the link politely, or stop dialing.
    Disconnect {
        conversation: ConversationId,
    },
}

/// Why a client's request was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NoTurn,
    OtherTurn { running: TurnId },
    NoConversation,
}

/// One thread. See the crate's documentation for what it promises.
#[derive(Debug)]
pub struct Thread {
    id: ThreadId,
    settings: ThreadSettings,
    model: ModelSize,
    work: Work,
    /// Names of the next turns; never empty, since a turn brings the name of another.
    names: VecDeque<TurnId>,
    /// For the next turn.
    waiting: VecDeque<UserInput>,
    door: Door,
    conversation: Option<Conversation>,
    /// Said since the agent last heard from the conversation.
    said: VecDeque<TranscriptLine>,
    told: Told,
    stopped: Stopped,
    /// What would have allowed what was refused in the last turn.
    refused: Option<&'static str>,
    queue: VecDeque<Output>,
}

#[derive(Debug)]
enum Work {
    Idle {
        history: Vec<ModelItem>,
        usage: Usage,
    },
    Preparing {
        turn: TurnId,
        words: Vec<UserInput>,
        history: Vec<ModelItem>,
        usage: Usage,
        stop: Stop,
    },
    Running {
        turn: Box<Turn>,
        heard: Heard,
    },
}

/// Whether turns may still begin to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    Closing,
}

/// Whether the turn was interrupted before it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    Yes,
}

/// Whether the model has said anything in this turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Something,
}

/// Whether the last thing that happened by voice was a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    No,
    ByVoice,
}

#[derive(Debug)]
struct Conversation {
    id: ConversationId,
    session: Session,
    start_instructions: Option<String>,
    steps: Steps,
    spoken: u32,
}

/// What the model's context says already, so that only changes are told.
#[derive(Debug, Default)]
struct Told {
    project_docs: Option<String>,
    environment: Option<String>,
    conversation: ConversationState,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum ConversationState {
    #[default]
    None,
    Running(ConversationId),
}

impl Thread {
    pub fn new(setup: Setup) -> Self {
        let Setup { thread, settings, model, history, usage, turns } = setup;
        Self {
            id: thread,
            settings,
            model,
            work: Work::Idle { history, usage },
            names: turns.into(),
            waiting: VecDeque::new(),
            door: Door::Open,
            conversation: None,
            said: VecDeque::new(),
            told: Told::default(),
            stopped: Stopped::No,
            refused: None,
            queue: VecDeque::new(),
        }
    }

    /// The turn that runs or is about to.
    pub fn turn(&self) -> Option<&TurnId> {
        match &self.work {
            Work::Idle { .. } => None,
            Work::Preparing { turn, .. } => Some(turn),
            Work::Running { turn, .. } => Some(turn.id()),
        }
    }

    /// Whether a turn or a conversation goes on.
    pub fn is_busy(&self) -> bool {
        self.turn().is_some() || self.conversation.is_some()
    }

    /// When the driver must feed [`Input::Tick`], if nothing else happens first.
    pub fn deadline(&self) -> Option<Time> {
        let turn = match &self.work {
            Work::Running { turn, .. } => turn.deadline(),
            Work::Idle { .. } | Work::Preparing { .. } => None,
        };
        let session = self.conversation.as_ref().and_then(|it| it.session.deadline());
        turn.into_iter().chain(session).min()
    }

    /// Advances the thread.
    pub fn handle(&mut self, input: Input, now: Time) -> Outputs<'_> {
        match input {
            Input::Open => {
                let settings = self.settings.clone();
                self.event(EventBody::ThreadStarted { settings });
            }
            Input::StartTurn { request, input } => self.on_start_turn(request, input, now),
            Input::Steer { request, expected, input } => {
                self.on_steer(request, expected.as_ref(), input, now);
            }
            Input::Interrupt { request, expected } => match self.check_turn(expected.as_ref()) {
                Ok(turn) => {
                    self.queue.push_back(Output::Accepted { request, turn: Some(turn) });
                    self.interrupt(now);
                }
                Err(refusal) => self.queue.push_back(Output::Refused { request, refusal }),
            },
            Input::Prepared { turn, name, surroundings } => {
                self.names.push_back(name);
                self.on_prepared(&turn, surroundings, now);
            }
            Input::Turn { turn, news } => self.on_turn(&turn, news, now),
            Input::StartConversation(opening) => self.on_start_conversation(opening, now),
            Input::StopConversation { request } => {
                self.for_conversation(request, realtime_session::Input::Stop, now);
            }
            Input::AppendText { request, text } => {
                let input = realtime_session::Input::AppendText { text };
                self.for_conversation(request, input, now);
            }
            Input::Played { item, upto } => {
                self.drive_conversation(realtime_session::Input::Played { item, upto }, now);
            }
            Input::Link { conversation, epoch, news } => {
                if self.conversation.as_ref().is_some_and(|it| it.id == conversation) {
                    self.drive_conversation(realtime_session::Input::Link { epoch, news }, now);
                }
            }
            Input::Close => {
                self.door = Door::Closing;
                self.interrupt(now);
                self.drive_conversation(realtime_session::Input::Stop, now);
            }
            Input::Tick => {
                self.drive_turn(agent_turn::Input::Tick, now);
                self.drive_conversation(realtime_session::Input::Tick, now);
            }
        }
        Outputs::new(&mut self.queue)
    }

    // Words for the agent.

    fn on_start_turn(&mut self, request: RequestId, input: UserInput, now: Time) {
        self.mirror(&input, now);
        let turn = self.take_words(input, now);
        // An answer before news of the turn, so that the client knows whose news it is.
        self.queue.push_front(Output::Accepted { request, turn: Some(turn) });
    }

    fn on_steer(
        &mut self,
        request: RequestId,
        expected: Option<&TurnId>,
        input: UserInput,
        now: Time,
    ) {
        match self.check_turn(expected) {
            Ok(turn) => {
                self.queue.push_back(Output::Accepted { request, turn: Some(turn) });
                self.mirror(&input, now);
                self.take_words(input, now);
            }
            Err(refusal) => self.queue.push_back(Output::Refused { request, refusal }),
        }
    }

    /// The turn that can still be steered or stopped.
    fn check_turn(&self, expected: Option<&TurnId>) -> Result<TurnId, Refusal> {
        let running = match &self.work {
            Work::Idle { .. } => return Err(Refusal::NoTurn),
            Work::Running { turn, .. } if turn.is_stopping() => return Err(Refusal::NoTurn),
            Work::Running { turn, .. } => turn.id(),
            Work::Preparing { stop: Stop::Yes, .. } => return Err(Refusal::NoTurn),
            Work::Preparing { turn, stop: Stop::No, .. } => turn,
        };
        if expected.is_some_and(|expected| expected != running) {
            return Err(Refusal::OtherTurn { running: running.clone() });
        }
        Ok(running.clone())
    }

    /// The turn that takes them.
    fn take_words(&mut self, mut input: UserInput, now: Time) -> TurnId {
        input.material = input.material.map(|it| instructions::piped(&it));
        match &mut self.work {
            Work::Idle { .. } => {
                self.waiting.push_back(input);
                self.prepare()
            }
            Work::Preparing { turn, words, stop: Stop::No, .. } => {
                words.push(input);
                turn.clone()
            }
            Work::Running { turn, .. } if !turn.is_stopping() => {
                let turn = turn.id().clone();
                self.drive_turn(agent_turn::Input::Steer(input), now);
                turn
            }
            Work::Preparing { stop: Stop::Yes, .. } | Work::Running { .. } => {
                self.waiting.push_back(input);
                self.next_name()
            }
        }
    }

    /// From idle to a turn that takes everything that waits.
    fn prepare(&mut self) -> TurnId {
        let turn = self.next_name();
        match std::mem::replace(&mut self.work, idle()) {
            Work::Idle { history, usage } => {
                self.names.pop_front();
                let words = std::mem::take(&mut self.waiting).into();
                let stop = match self.door {
                    Door::Open => Stop::No,
                    Door::Closing => Stop::Yes,
                };
                self.work = Work::Preparing { turn: turn.clone(), words, history, usage, stop };
                self.event(EventBody::TurnPreparing { turn: turn.clone() });
                self.queue.push_back(Output::Prepare { turn: turn.clone() });
            }
            busy @ (Work::Preparing { .. } | Work::Running { .. }) => {
                never!("prepared a turn beside another");
                self.work = busy;
            }
        }
        turn
    }

    fn next_name(&self) -> TurnId {
        match self.names.front() {
            Some(name) => name.clone(),
            None => {
                never!("a turn without a name");
                TurnId::new(self.id.as_str())
            }
        }
    }

    fn interrupt(&mut self, now: Time) {
        match &mut self.work {
            Work::Idle { .. } => (),
            Work::Preparing { stop, .. } => *stop = Stop::Yes,
            Work::Running { .. } => self.drive_turn(agent_turn::Input::Interrupt, now),
        }
    }

    // The turn.

    fn on_prepared(
        &mut self,
        wanted: &TurnId,
        surroundings: Result<Surroundings, String>,
        now: Time,
    ) {
        let (id, words, mut history, usage, stop) = match std::mem::replace(&mut self.work, idle())
        {
            Work::Preparing { turn, words, history, usage, stop } if turn == *wanted => {
                (turn, words, history, usage, stop)
            }
            other => {
                never!("prepared a turn that nobody waits for");
                self.work = other;
                return;
            }
        };
        let mut words = words.into_iter();
        let Some(input) = words.next() else {
            never!("a turn without words");
            self.work = Work::Idle { history, usage };
            return;
        };
        let realtime_active = self.conversation.is_some();
        self.queue.push_back(Output::LogContext { turn: id.clone(), realtime_active });
        let (begin, surroundings) = match (surroundings, stop) {
            (Err(message), _) => (agent_turn::Input::Abandon { message }, nothing()),
            (Ok(surroundings), Stop::Yes) => (agent_turn::Input::Interrupt, surroundings),
            (Ok(surroundings), Stop::No) => {
                for note in self.news(input.source, &surroundings) {
                    history.push(note.clone());
                    self.queue.push_back(Output::Record(note));
                }
                (agent_turn::Input::Begin, surroundings)
            }
        };
        let turn = Turn::new(agent_turn::Setup {
            turn: id,
            input,
            instructions: self.instructions(),
            history,
            tools: surroundings.tools,
            permissions: Permissions {
                approval: self.settings.approval_policy,
                sandbox: self.settings.sandbox.clone(),
                enforcement: surroundings.enforcement,
            },
            limits: self.limits(),
            cache_key: self.id.to_string(),
            usage,
            seed: surroundings.seed,
        });
        self.work = Work::Running { turn: Box::new(turn), heard: Heard::Nothing };
        // Heard before it begins, so that the first model call has them all.
        for input in words {
            self.drive_turn(agent_turn::Input::Steer(input), now);
        }
        self.drive_turn(begin, now);
    }

    fn instructions(&self) -> String {
        match self.model {
            ModelSize::Full => instructions::full(&self.settings),
            ModelSize::Small => instructions_small::small(&self.settings),
        }
    }

    fn limits(&self) -> Limits {
        match self.model {
            ModelSize::Full => Limits::full(),
            ModelSize::Small => Limits::small(),
        }
    }

    /// What changed since the model was last told. The small model is told nothing of it:
    /// it would read half a minute.
    fn news(&mut self, source: InputSource, surroundings: &Surroundings) -> Vec<ModelItem> {
        let said: Vec<TranscriptLine> = std::mem::take(&mut self.said).into();
        match self.model {
            ModelSize::Small => return Vec::new(),
            ModelSize::Full => (),
        }
        let mut news = Vec::new();
        let docs = instructions::project_docs(&surroundings.project_docs);
        if docs.is_some() && docs != self.told.project_docs {
            news.extend(docs.clone().map(|text| note(Role::Material, text)));
            self.told.project_docs = docs;
        }
        let environment = instructions::environment(&self.settings, &surroundings.date);
        if self.told.environment.as_ref() != Some(&environment) {
            news.push(note(Role::Developer, environment.clone()));
            self.told.environment = Some(environment);
        }
        let changes = self.conversation_news();
        news.extend(changes.into_iter().map(|text| note(Role::Developer, text)));
        match source {
            // A handoff brings what was said with it.
            InputSource::Spoken => (),
            InputSource::Typed if said.is_empty() => (),
            InputSource::Typed => {
                news.push(note(Role::Material, instructions::said_aloud(&said)));
            }
        }
        news
    }

    fn conversation_news(&mut self) -> Vec<String> {
        let now = match &self.conversation {
            Some(conversation) => ConversationState::Running(conversation.id.clone()),
            None => ConversationState::None,
        };
        let before = std::mem::replace(&mut self.told.conversation, now.clone());
        let theirs = self.conversation.as_ref().and_then(|it| it.start_instructions.as_deref());
        let started = || instructions::conversation_started(theirs);
        match (before, now) {
            (ConversationState::None, ConversationState::None) => Vec::new(),
            (ConversationState::None, ConversationState::Running(_)) => vec![started()],
            (ConversationState::Running(_), ConversationState::None) => {
                vec![instructions::conversation_ended("inactive")]
            }
            (ConversationState::Running(before), ConversationState::Running(now)) => {
                if before == now {
                    Vec::new()
                } else {
                    vec![instructions::conversation_ended("replaced"), started()]
                }
            }
        }
    }

    fn on_turn(&mut self, wanted: &TurnId, news: agent_turn::Input, now: Time) {
        let Work::Running { turn, heard } = &mut self.work else { return };
        if turn.id() != wanted {
            return;
        }
        if *heard == Heard::Nothing && is_first_token(&news) {
            *heard = Heard::Something;
            self.stage(Stage::FirstToken);
        }
        self.drive_turn(news, now);
    }

    fn drive_turn(&mut self, input: agent_turn::Input, now: Time) {
        let Work::Running { turn, .. } = &mut self.work else { return };
        let id = turn.id().clone();
        let outputs: Vec<agent_turn::Output> = turn.handle(input, now).collect();
        for output in outputs {
            let turn = id.clone();
            let output = match output {
                agent_turn::Output::CallModel { epoch, request } => {
                    Output::CallModel { turn, epoch, request }
                }
                agent_turn::Output::CancelModel { epoch } => Output::CancelModel { turn, epoch },
                agent_turn::Output::RunTool { run, item: _, call } => {
                    Output::RunTool { turn, run, call }
                }
                agent_turn::Output::CancelTool { run } => Output::CancelTool { turn, run },
                agent_turn::Output::Record(item) => Output::Record(item),
                agent_turn::Output::Sync => Output::Sync,
                agent_turn::Output::Event(event) => {
                    let step = self.step_to_tell(&event);
                    self.event(event);
                    if let Some(step) = step {
                        self.tell_progress(step, now);
                    }
                    continue;
                }
                agent_turn::Output::Progress { text } => {
                    self.tell_progress(text, now);
                    continue;
                }
                agent_turn::Output::Ended { status, answer, unheard } => {
                    self.on_turn_ended(status, answer, unheard, now);
                    continue;
                }
            };
            self.queue.push_back(output);
        }
    }

    fn step_to_tell(&self, event: &EventBody) -> Option<String> {
        match self.conversation.as_ref()?.steps {
            Steps::Untold => None,
            Steps::Told => steps::step(event),
        }
    }

    fn tell_progress(&mut self, text: String, now: Time) {
        if let Some(handoff) = self.active_handoff() {
            let input = realtime_session::Input::Progress { handoff, text };
            self.drive_conversation(input, now);
        }
    }

    fn on_turn_ended(
        &mut self,
        status: TurnStatus,
        answer: Option<String>,
        unheard: Vec<UserInput>,
        now: Time,
    ) {
        match std::mem::replace(&mut self.work, idle()) {
            Work::Running { turn, heard: _ } => {
                let usage = turn.usage();
                self.refused = turn.refused();
                self.work = Work::Idle { history: turn.into_history(), usage };
            }
            other @ (Work::Idle { .. } | Work::Preparing { .. }) => {
                never!("a turn ended that did not run");
                self.work = other;
            }
        }
        self.stage(Stage::AgentDone);
        for input in unheard.into_iter().rev() {
            self.waiting.push_front(input);
        }
        let goes_on = self.waiting.iter().any(|input| input.source == InputSource::Spoken);
        if let Some(handoff) = self.active_handoff()
            && !goes_on
        {
            let answer = match (status, answer) {
                (TurnStatus::Completed, Some(text)) => Answer::Message(text),
                (TurnStatus::Completed | TurnStatus::InProgress, _) => Answer::Nothing,
                (TurnStatus::Interrupted, _) => Answer::Interrupted,
                (TurnStatus::Failed(failure), _) => Answer::Failed(failure.message),
            };
            self.drive_conversation(realtime_session::Input::Answer { handoff, answer }, now);
        }
        if !self.waiting.is_empty() {
            self.prepare();
        }
    }

    // The conversation.

    fn on_start_conversation(&mut self, opening: Opening, now: Time) {
        self.drive_conversation(realtime_session::Input::Stop, now);
        let id = opening.conversation.clone();
        let (start_instructions, steps) = (opening.start_instructions.clone(), opening.steps);
        let session = Session::new(conversation::settings(opening, self.history()));
        let conversation = Conversation { id, session, start_instructions, steps, spoken: 0 };
        self.conversation = Some(conversation);
        self.drive_conversation(realtime_session::Input::Start, now);
    }

    fn history(&self) -> &[ModelItem] {
        match &self.work {
            Work::Idle { history, .. } | Work::Preparing { history, .. } => history,
            Work::Running { turn, .. } => turn.history(),
        }
    }

    fn for_conversation(&mut self, request: RequestId, input: realtime_session::Input, now: Time) {
        if self.conversation.is_some() {
            self.queue.push_back(Output::Accepted { request, turn: None });
            self.drive_conversation(input, now);
        } else {
            let refusal = Refusal::NoConversation;
            self.queue.push_back(Output::Refused { request, refusal });
        }
    }

    fn drive_conversation(&mut self, input: realtime_session::Input, now: Time) {
        let Some(conversation) = &mut self.conversation else { return };
        let id = conversation.id.clone();
        let outputs: Vec<realtime_session::Output> =
            conversation.session.handle(input, now).collect();
        let mut delegations = Vec::new();
        for output in outputs {
            let conversation = id.clone();
            let output = match output {
                realtime_session::Output::Connect { link } => {
                    Output::Connect { conversation, epoch: link }
                }
                realtime_session::Output::Send(command) => Output::Send { conversation, command },
                realtime_session::Output::Ping => Output::Ping { conversation },
                realtime_session::Output::Disconnect => Output::Disconnect { conversation },
                realtime_session::Output::Play { item, pcm } => {
                    Output::Event(EventBody::Realtime(RealtimeNotice::Audio { item, pcm }))
                }
                // Clients own the speakers.
                realtime_session::Output::Playback(change) => {
                    Output::Event(EventBody::Realtime(RealtimeNotice::Playback { change }))
                }
                realtime_session::Output::Delegate(delegation) => {
                    delegations.push(delegation);
                    continue;
                }
                realtime_session::Output::Spoken { item: _, speaker, text } => {
                    self.on_spoken(speaker, text, now);
                    continue;
                }
                realtime_session::Output::Notice(notice) => {
                    Output::Event(EventBody::Realtime(notice))
                }
                realtime_session::Output::Warning { message } => {
                    Output::Event(EventBody::Warning { message })
                }
                realtime_session::Output::Ended => {
                    self.conversation = None;
                    continue;
                }
            };
            self.queue.push_back(output);
        }
        // Last, so that an acknowledgement comes before the answer that the work may bring.
        for delegation in delegations {
            self.on_delegation(delegation, now);
        }
    }

    fn on_spoken(&mut self, speaker: Speaker, text: String, now: Time) {
        let turn = self.turn().cloned().unwrap_or_else(|| TurnId::new(self.id.as_str()));
        if let Some(Conversation { id, spoken, .. }) = &mut self.conversation {
            *spoken += 1;
            let id = ItemId::new(format!("{}-{spoken}", id.0));
            let item = Item { id, body: ItemBody::Spoken { speaker, text: text.clone() } };
            self.event(EventBody::ItemStarted { turn: turn.clone(), item: item.clone() });
            self.event(EventBody::ItemCompleted { turn, item });
        }
        if self.said.len() == MAX_SAID {
            self.said.pop_front();
        }
        // A voice model need not hand over a stop; it is obeyed all the same.
        let stops = speaker == Speaker::User && utterance::is_stop(&text);
        self.said.push_back(TranscriptLine { speaker, text });
        if stops && self.turn().is_some() {
            self.stopped = Stopped::ByVoice;
            self.interrupt(now);
        }
    }

    fn on_delegation(&mut self, delegation: Delegation, now: Time) {
        self.said.clear();
        let text = match self.model {
            ModelSize::Full => delegation.text(),
            ModelSize::Small => last_words(&delegation),
        };
        let words = last_words(&delegation);
        if utterance::is_stop(&words) {
            return self.on_stop(delegation, now);
        }
        self.stopped = Stopped::No;
        if delegation.kind == DelegationKind::Start
            && self.turn().is_none()
            && utterance::is_consent(&words)
            && let Some(remedy) = self.refused
        {
            let answer = Answer::Message(format!(
                "Nothing is approved by voice. To allow what was refused, {remedy}."
            ));
            let handoff = delegation.handoff;
            self.stage(Stage::AgentDone);
            return self
                .drive_conversation(realtime_session::Input::Answer { handoff, answer }, now);
        }
        self.take_words(UserInput { text, source: InputSource::Spoken, material: None }, now);
    }

    fn on_stop(&mut self, delegation: Delegation, now: Time) {
        let stopped = std::mem::replace(&mut self.stopped, Stopped::ByVoice);
        if self.turn().is_some() {
            // Its end answers the handoff.
            return self.interrupt(now);
        }
        match delegation.kind {
            // Answered already.
            DelegationKind::Steer => (),
            DelegationKind::Start => {
                let text = match stopped {
                    Stopped::ByVoice => "Stopped.",
                    Stopped::No => "Nothing is running.",
                };
                let answer = Answer::Message(text.to_owned());
                let handoff = delegation.handoff;
                self.stage(Stage::AgentDone);
                self.drive_conversation(realtime_session::Input::Answer { handoff, answer }, now);
            }
        }
    }

    /// What was typed, for the voice model to know.
    fn mirror(&mut self, input: &UserInput, now: Time) {
        match input.source {
            InputSource::Spoken => (),
            InputSource::Typed => {
                let text = input.text.clone();
                self.drive_conversation(realtime_session::Input::MirrorText { text }, now);
            }
        }
    }

    fn active_handoff(&self) -> Option<HandoffId> {
        self.conversation.as_ref()?.session.active_handoff().cloned()
    }

    /// Stages belong to spoken requests.
    fn stage(&mut self, stage: Stage) {
        if self.active_handoff().is_some() {
            self.event(EventBody::Realtime(RealtimeNotice::Stage { stage }));
        }
    }

    fn event(&mut self, event: EventBody) {
        self.queue.push_back(Output::Event(event));
    }
}

/// The request alone, as it was spoken: a small model takes what was said around it for a
/// part of it.
fn last_words(delegation: &Delegation) -> String {
    let line = delegation.transcript.iter().rev().find(|line| line.speaker == Speaker::User);
    match line {
        _ if !delegation.input.trim().is_empty() => delegation.input.trim().to_owned(),
        Some(line) => line.text.trim().to_owned(),
        None => String::new(),
    }
}

fn note(role: Role, text: String) -> ModelItem {
    ModelItem::Message { role, text }
}

fn is_first_token(news: &agent_turn::Input) -> bool {
    match news {
        agent_turn::Input::Model { event, .. } => match event {
            protocol::ModelEvent::TextDelta { .. }
            | protocol::ModelEvent::Message { .. }
            | protocol::ModelEvent::ToolCall(_) => true,
            protocol::ModelEvent::ReasoningDelta { .. }
            | protocol::ModelEvent::Reasoning { .. }
            | protocol::ModelEvent::Completed { .. } => false,
        },
        agent_turn::Input::Begin
        | agent_turn::Input::Steer(_)
        | agent_turn::Input::ModelFailed { .. }
        | agent_turn::Input::ToolStarted { .. }
        | agent_turn::Input::ToolDelta { .. }
        | agent_turn::Input::ToolFinished { .. }
        | agent_turn::Input::Interrupt
        | agent_turn::Input::Abandon { .. }
        | agent_turn::Input::Tick => false,
    }
}

/// Stands in while the real work is taken out of its place.
fn idle() -> Work {
    Work::Idle { history: Vec::new(), usage: Usage::default() }
}

/// For a turn that cannot be run.
fn nothing() -> Surroundings {
    Surroundings {
        tools: Vec::new(),
        enforcement: Enforcement::Sandboxed,
        project_docs: Vec::new(),
        date: String::new(),
        seed: 0,
    }
}
