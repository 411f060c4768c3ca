//! A small world around one thread: clients, a voice model, the agent's model, tools, links
//! that come and go. Everything is drawn from one seed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use agent_turn::{Epoch, Input as TurnInput, UserInput};
use protocol::{
    CallId, CloseReason, EventBody, Fault, FaultKind, Handoff, HandoffId, InputSource, ItemBody,
    ItemId, ItemStatus, ModelError, ModelErrorKind, ModelEvent, ModelItem, RealtimeCommand,
    RealtimeEvent, RealtimeNotice, ResponseOutcome, Role, ThreadId, ToolCall, TurnId, Usage,
};
use realtime_session::{LinkEpoch, LinkNews};
use stdx::{Dice, Time};
use thread::{ConversationId, Input, ModelSize, Output, RequestId, Setup, Thread};

use crate::script::{finished, opening, settings, surroundings};

#[test]
fn invariants_hold_on_any_schedule() {
    for seed in 0..800 {
        let mut world = World::new(seed);
        for _ in 0..200 {
            world.step(Mood::Lively);
        }
        for _ in 0..200 {
            world.step(Mood::Quiet);
        }
        world.check_quiet();
        world.feed(Input::Close);
        for _ in 0..200 {
            world.step(Mood::Quiet);
        }
        world.check_closed();
    }
}

/// Quiet: nobody asks for anything new, so everything pending must settle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Lively,
    Quiet,
}

struct World {
    seed: u64,
    dice: Dice,
    now: Time,
    thread: Thread,
    names: u32,
    preparing: Option<TurnId>,
    turn: Option<TurnId>,
    /// Turns that began, in order.
    turns: Vec<TurnId>,
    completed: BTreeSet<TurnId>,
    model: Option<(TurnId, Epoch)>,
    tools: Vec<(TurnId, Epoch)>,
    stale: Vec<(TurnId, Epoch)>,
    requests: u64,
    unanswered: BTreeSet<u64>,
    /// Words given, until they are in the history; handed-over words are marked by the number
    /// of their handoff.
    owed: BTreeSet<String>,
    words: u32,
    conversation: Option<Conversation>,
    conversations: u32,
    closed: BTreeMap<String, u32>,
}

struct Conversation {
    id: ConversationId,
    epoch: LinkEpoch,
    up: bool,
    connected: bool,
    started: bool,
    /// Handoffs that the voice model waits for, and those it was answered.
    open: BTreeSet<HandoffId>,
    answered: BTreeSet<HandoffId>,
    handoffs: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let model = if dice.once_in(2) { ModelSize::Full } else { ModelSize::Small };
        let thread = Thread::new(Setup {
            thread: ThreadId::from("th"),
            settings: settings(),
            model,
            history: Vec::new(),
            usage: Usage::default(),
            turns: [TurnId::from("t1"), TurnId::from("t2")],
        });
        let mut world = Self {
            seed,
            dice,
            now: Time::ZERO,
            thread,
            names: 2,
            preparing: None,
            turn: None,
            turns: Vec::new(),
            completed: BTreeSet::new(),
            model: None,
            tools: Vec::new(),
            stale: Vec::new(),
            requests: 0,
            unanswered: BTreeSet::new(),
            owed: BTreeSet::new(),
            words: 0,
            conversation: None,
            conversations: 0,
            closed: BTreeMap::new(),
        };
        world.feed(Input::Open);
        world
    }

    fn step(&mut self, mood: Mood) {
        self.now = self.now + Duration::from_millis(1 + self.dice.roll(150));
        if self.thread.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.feed(Input::Tick);
        }
        self.surroundings_come();
        self.model_acts(mood);
        self.a_tool_ends();
        self.link_acts(mood);
        if mood == Mood::Lively {
            self.late_news();
            self.client_acts();
        }
    }

    fn surroundings_come(&mut self) {
        if self.dice.once_in(3)
            && let Some(turn) = self.preparing.take()
        {
            self.names += 1;
            let name = TurnId::new(format!("t{}", self.names));
            let surroundings =
                if self.dice.once_in(10) { Err("gone".to_owned()) } else { Ok(surroundings()) };
            self.feed(Input::Prepared { turn, name, surroundings });
        }
    }

    fn model_acts(&mut self, mood: Mood) {
        let Some((turn, epoch)) = self.model.clone() else { return };
        let words = self.say();
        let (news, ends) = match self.dice.roll(12) {
            0..3 => (model(epoch, ModelEvent::Message { text: words }), false),
            3..6 if mood == Mood::Lively => {
                let call = ToolCall {
                    call: CallId::new(words),
                    name: "shell".to_owned(),
                    arguments: r#"{"command":"x"}"#.to_owned(),
                };
                (model(epoch, ModelEvent::ToolCall(call)), false)
            }
            6 if mood == Mood::Lively => {
                let kind = if self.dice.once_in(2) {
                    ModelErrorKind::Rejected
                } else {
                    ModelErrorKind::Transient { after: None }
                };
                let error = ModelError { kind, message: "down".to_owned() };
                (TurnInput::ModelFailed { epoch, error }, true)
            }
            7 | 8 => (model(epoch, ModelEvent::Completed { usage: Usage::default() }), true),
            _ => return,
        };
        if ends {
            self.stale.extend(self.model.take());
        }
        self.feed(Input::Turn { turn, news });
    }

    fn a_tool_ends(&mut self) {
        let count = u64::try_from(self.tools.len()).expect("few");
        let nth = usize::try_from(self.dice.roll(count)).expect("few");
        if self.tools.is_empty() || !self.dice.once_in(3) {
            return;
        }
        let (turn, run) = self.tools.remove(nth);
        self.stale.push((turn.clone(), run));
        let status = if self.dice.once_in(2) { ItemStatus::Completed } else { ItemStatus::Failed };
        let news = finished(run, status, "output".to_owned());
        self.feed(Input::Turn { turn, news });
    }

    fn link_acts(&mut self, mood: Mood) {
        let Some(conversation) = &mut self.conversation else { return };
        if !conversation.connected {
            return;
        }
        let (id, epoch) = (conversation.id.clone(), conversation.epoch);
        let news = if !conversation.up {
            conversation.up = true;
            if self.dice.once_in(12) {
                LinkNews::Failed { message: "refused".to_owned() }
            } else {
                LinkNews::Up
            }
        } else {
            match self.dice.roll(30) {
                0 => LinkNews::Event(RealtimeEvent::SessionUpdated { session: None }),
                1..5 if mood == Mood::Lively => LinkNews::Event(self.handoff()),
                5 | 6 if mood == Mood::Lively => {
                    let text = if self.dice.once_in(4) { "stop".to_owned() } else { self.say() };
                    LinkNews::Event(RealtimeEvent::InputTranscript { item: None, text })
                }
                7 => LinkNews::Event(RealtimeEvent::ResponseCreated { response: None }),
                8 => LinkNews::Event(RealtimeEvent::ResponseDone {
                    response: None,
                    outcome: ResponseOutcome::Completed,
                    problem: None,
                }),
                9 => LinkNews::Alive,
                10 if mood == Mood::Lively && self.dice.once_in(5) => {
                    LinkNews::Down { error: None }
                }
                11 if mood == Mood::Lively && self.dice.once_in(5) => {
                    let message = "broken".to_owned();
                    let fault = Fault { kind: FaultKind::Fatal, message };
                    LinkNews::Event(RealtimeEvent::Fault(fault))
                }
                _ => LinkNews::Alive,
            }
        };
        self.feed(Input::Link { conversation: id, epoch, news });
    }

    fn handoff(&mut self) -> RealtimeEvent {
        let input = if self.dice.once_in(5) {
            "cancel that".to_owned()
        } else {
            let words = format!("asked {}", self.say());
            self.owed.insert(words.clone());
            words
        };
        let conversation = self.conversation.as_mut().expect("a link speaks");
        conversation.handoffs += 1;
        let id = HandoffId::new(format!("{}-h{}", conversation.id.0, conversation.handoffs));
        conversation.open.insert(id.clone());
        let item = ItemId::from("i");
        RealtimeEvent::HandoffRequested(Handoff { id, item, input, messages: Vec::new() })
    }

    /// What comes for turns and conversations that are over changes nothing.
    fn late_news(&mut self) {
        let count = u64::try_from(self.stale.len()).expect("few");
        let nth = usize::try_from(self.dice.roll(count)).expect("few");
        let outputs = match self.dice.roll(12) {
            0 => match self.stale.get(nth).cloned() {
                Some((turn, epoch)) => {
                    let news = model(epoch, ModelEvent::Completed { usage: Usage::default() });
                    self.feed(Input::Turn { turn, news })
                }
                None => 0,
            },
            1 => self.feed(Input::Link {
                conversation: ConversationId("c0".to_owned()),
                epoch: LinkEpoch::default(),
                news: LinkNews::Down { error: None },
            }),
            _ => 0,
        };
        assert_eq!(outputs, 0, "{self}: late news counted");
    }

    fn client_acts(&mut self) {
        let text = self.say();
        let source = InputSource::Typed;
        match self.dice.roll(60) {
            0..3 => {
                self.owed.insert(text.clone());
                let request = self.request();
                self.feed(Input::StartTurn {
                    request,
                    input: UserInput { text, source, material: None },
                });
            }
            3..5 => {
                // A refused steer leaves its words with the client.
                let request = self.request();
                let taken = self.turn.is_some() || self.preparing.is_some();
                let input = UserInput { text: text.clone(), source, material: None };
                let outputs = self.feed_all(Input::Steer { request, expected: None, input });
                if outputs.iter().any(|it| matches!(it, Output::Accepted { .. })) {
                    assert!(taken, "{self}: steered nothing");
                    // It may have been recorded already, when it ended an answer.
                    let mut heard = outputs.iter().filter_map(user_words);
                    if !heard.any(|words| words == text) {
                        self.owed.insert(text);
                    }
                }
            }
            5 | 6 => {
                let request = self.request();
                self.feed(Input::Interrupt { request, expected: None });
            }
            7 => {
                self.conversations += 1;
                let id = format!("c{}", self.conversations);
                self.feed(Input::StartConversation(opening(&id)));
            }
            8 if self.dice.once_in(3) => {
                let request = self.request();
                self.feed(Input::StopConversation { request });
            }
            9 => {
                let request = self.request();
                self.feed(Input::AppendText { request, text });
            }
            _ => (),
        }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        self.unanswered.insert(self.requests);
        RequestId(self.requests)
    }

    fn say(&mut self) -> String {
        self.words += 1;
        format!("w{}", self.words)
    }

    fn feed(&mut self, input: Input) -> usize {
        self.feed_all(input).len()
    }

    fn feed_all(&mut self, input: Input) -> Vec<Output> {
        let outputs: Vec<Output> = self.thread.handle(input, self.now).collect();
        for output in &outputs {
            self.carry_out(output);
        }
        assert!(self.unanswered.is_empty(), "{self}: unanswered: {:?}", self.unanswered);
        outputs
    }

    fn carry_out(&mut self, output: &Output) {
        match output {
            Output::Accepted { request, turn: _ } | Output::Refused { request, refusal: _ } => {
                assert!(self.unanswered.remove(&request.0), "{self}: answered twice");
            }
            Output::Prepare { turn } => {
                assert!(self.turn.is_none(), "{self}: prepares beside a turn");
                assert!(self.preparing.replace(turn.clone()).is_none(), "{self}: prepares twice");
                assert!(!self.turns.contains(turn), "{self}: {turn} again");
            }
            Output::CallModel { turn, epoch, request } => {
                assert_eq!(Some(turn), self.turn.as_ref(), "{self}: not the turn's call");
                assert!(self.model.is_none() && self.tools.is_empty(), "{self}: busy");
                assert!(!request.input.is_empty());
                self.model = Some((turn.clone(), *epoch));
            }
            Output::CancelModel { .. } => self.stale.extend(self.model.take()),
            Output::RunTool { turn, run, call: _ } => {
                assert_eq!(Some(turn), self.turn.as_ref(), "{self}: not the turn's tool");
                self.tools.push((turn.clone(), *run));
            }
            Output::CancelTool { .. } | Output::Sync | Output::LogContext { .. } => (),
            Output::Record(_) => {
                if let Some(words) = user_words(output) {
                    // A handoff's words may be quoted among others.
                    self.owed.retain(|owed| !words.lines().any(|line| line.ends_with(owed)));
                }
            }
            Output::Event(event) => self.on_event(event),
            Output::Connect { conversation, epoch } => {
                assert!(self.conversation.is_none(), "{self}: two conversations");
                self.conversation = Some(Conversation {
                    id: conversation.clone(),
                    epoch: *epoch,
                    up: false,
                    connected: true,
                    started: false,
                    open: BTreeSet::new(),
                    answered: BTreeSet::new(),
                    handoffs: 0,
                });
            }
            Output::Send { conversation, command } => self.on_command(conversation, command),
            Output::Ping { .. } => (),
            Output::Disconnect { conversation } => {
                let ended = self.conversation.take().expect("disconnected nothing");
                assert_eq!(ended.id, *conversation, "{self}: disconnected another");
                if ended.started {
                    self.closed.insert(ended.id.0, 0);
                }
            }
        }
    }

    fn on_command(&mut self, to: &ConversationId, command: &RealtimeCommand) {
        let world = self.to_string();
        let conversation = self.conversation.as_mut().expect("a command without a conversation");
        assert_eq!(conversation.id, *to, "{world}: a command for another conversation");
        match command {
            RealtimeCommand::HandoffOutput { handoff, text: _, is_final: _ } => {
                assert!(conversation.open.remove(handoff), "{world}: {handoff} was not open");
                conversation.answered.insert(handoff.clone());
            }
            RealtimeCommand::Progress { handoff, text: _ } => {
                assert!(conversation.open.contains(handoff), "{world}: news of a closed handoff");
            }
            RealtimeCommand::UpdateSession(_)
            | RealtimeCommand::AppendAudio { .. }
            | RealtimeCommand::Text { .. }
            | RealtimeCommand::Mirror { .. }
            | RealtimeCommand::CreateResponse
            | RealtimeCommand::CancelResponse
            | RealtimeCommand::Truncate { .. } => (),
        }
    }

    fn on_event(&mut self, event: &EventBody) {
        match event {
            EventBody::TurnPreparing { turn: _ } => {
                assert!(self.turn.is_none(), "{self}: prepares a turn beside another");
            }
            EventBody::TurnStarted { turn, source: _ } => {
                assert!(self.turn.is_none(), "{self}: two turns");
                self.turn = Some(turn.clone());
                self.turns.push(turn.clone());
            }
            EventBody::TurnCompleted { turn, status: _ } => {
                assert_eq!(self.turn.take().as_ref(), Some(turn), "{self}: another turn ended");
                assert!(self.completed.insert(turn.clone()), "{self}: {turn} ended twice");
                // Tools that would not let go report later, to nobody.
                self.stale.append(&mut self.tools);
            }
            EventBody::Realtime(RealtimeNotice::Started { .. }) => {
                let conversation = self.conversation.as_mut().expect("started without a link");
                conversation.started = true;
            }
            EventBody::Realtime(RealtimeNotice::Closed { reason }) => {
                assert!(matches!(
                    reason,
                    CloseReason::Requested | CloseReason::TransportClosed | CloseReason::Error
                ));
            }
            EventBody::ItemCompleted { turn, item } => {
                let between = turn.as_str() == "th";
                let spoken = matches!(item.body, ItemBody::Spoken { .. });
                assert!(spoken || !between, "{self}: an item of no turn: {item:?}");
            }
            EventBody::Realtime(_)
            | EventBody::ThreadStarted { .. }
            | EventBody::ItemStarted { .. }
            | EventBody::AgentMessageDelta { .. }
            | EventBody::ReasoningDelta { .. }
            | EventBody::CommandOutputDelta { .. }
            | EventBody::TokenUsage { .. }
            | EventBody::Retrying { .. }
            | EventBody::Warning { .. } => (),
        }
    }

    fn check_quiet(&self) {
        assert_eq!(self.thread.turn(), None, "{self}: a turn never ended");
        assert!(self.owed.is_empty(), "{self}: words were lost: {:?}", self.owed);
        assert_eq!(self.turns.len(), self.completed.len());
        if let Some(conversation) = &self.conversation {
            assert!(conversation.open.is_empty(), "{self}: unanswered: {:?}", conversation.open);
        }
    }

    fn check_closed(&self) {
        assert!(!self.thread.is_busy(), "{self}: busy after it was closed");
        assert!(self.conversation.is_none(), "{self}: connected after it was closed");
        assert_eq!(self.thread.deadline(), None, "{self}: wants to be woken");
    }
}

fn model(epoch: Epoch, event: ModelEvent) -> TurnInput {
    TurnInput::Model { epoch, event }
}

fn user_words(output: &Output) -> Option<&str> {
    match output {
        Output::Record(ModelItem::Message { role: Role::User, text }) => Some(text),
        _other => None,
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {} at {:?}", self.seed, self.now)
    }
}
