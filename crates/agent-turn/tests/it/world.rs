//! A small world around one turn: a model with a mind of its own, tools that take their
//! time, a person who talks and changes their mind.
//!
//! Everything is drawn from one seed. A failure names it, and it replays exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_turn::{Enforcement, Epoch, Input, Limits, Output, Repeats, Turn, UserInput};
use protocol::{
    CallId, EventBody, InputSource, ItemId, ItemStatus, ModelError, ModelErrorKind, ModelEvent,
    ModelItem, ModelRequest, Role, SandboxMode, ToolCall, ToolChoice, ToolEffect, Usage,
};
use stdx::{Dice, Time};

use crate::table::{body, setup, tools};

#[test]
fn invariants_hold_on_any_schedule() {
    for seed in 0..2_000 {
        let mut world = World::new(seed);
        for _ in 0..150 {
            world.step(Mood::Lively);
        }
        for _ in 0..150 {
            world.step(Mood::Quiet);
        }
        world.check_settled();
    }
}

/// Quiet: the person says nothing more, the model comes to its end, tools finish.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Lively,
    Quiet,
}

struct World {
    seed: u64,
    dice: Dice,
    now: Time,
    turn: Turn,
    limits: Limits,
    model: Option<(Epoch, ModelRequest)>,
    /// Calls of the running reply, and of replies that counted.
    asked: usize,
    tools: BTreeMap<Epoch, Tool>,
    /// Late news is sent about these now and then.
    stale: Vec<Epoch>,
    /// Calls that ran.
    ran: BTreeSet<String>,
    /// Calls since the last write.
    made: Vec<(String, String)>,
    history: Vec<ModelItem>,
    open_items: BTreeSet<ItemId>,
    known_items: BTreeSet<ItemId>,
    synced: bool,
    said: u32,
    steered: Vec<String>,
    interrupted: Option<Time>,
    /// Whether a request was, so that outputs may be named instead of shown.
    too_long: bool,
    ended: bool,
}

struct Tool {
    effect: ToolEffect,
    started: bool,
    cancelled: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut limits = if dice.once_in(2) { Limits::full() } else { Limits::small() };
        limits.model_calls = 2 + u32::try_from(dice.roll(6)).expect("small");
        let mut setup = setup(limits.clone());
        setup.seed = seed;
        if dice.once_in(8) {
            setup.permissions.enforcement = Enforcement::Unavailable { why: "none".to_owned() };
        }
        if dice.once_in(8) {
            setup.permissions.sandbox.mode = SandboxMode::ReadOnly;
        }
        let mut world = Self {
            seed,
            dice,
            now: Time::ZERO,
            turn: Turn::new(setup),
            limits,
            model: None,
            asked: 0,
            tools: BTreeMap::new(),
            stale: Vec::new(),
            ran: BTreeSet::new(),
            made: Vec::new(),
            history: Vec::new(),
            open_items: BTreeSet::new(),
            known_items: BTreeSet::new(),
            synced: false,
            said: 0,
            steered: vec!["go".to_owned()],
            interrupted: None,
            too_long: false,
            ended: false,
        };
        world.feed(Input::Begin);
        world
    }

    fn step(&mut self, mood: Mood) {
        self.now = self.now + Duration::from_millis(1 + self.dice.roll(120));
        if self.turn.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.feed(Input::Tick);
        }
        self.model_acts(mood);
        self.a_tool_acts(mood);
        if mood == Mood::Lively {
            self.late_news();
            self.person_acts();
        }
    }

    fn model_acts(&mut self, mood: Mood) {
        let Some((epoch, request)) = &self.model else { return };
        let (epoch, answer_only) = (*epoch, request.tool_choice == ToolChoice::None);
        let fails = |kind| Input::ModelFailed {
            epoch,
            error: ModelError { kind, message: "down".to_owned() },
        };
        let input = match self.dice.roll(24) {
            0..4 => ModelEvent::TextDelta { delta: self.words() },
            4..6 => ModelEvent::Message { text: self.words() },
            6 => ModelEvent::Reasoning { summary: self.words(), opaque: self.words() },
            7 => ModelEvent::ReasoningDelta { delta: self.words() },
            8 if mood == Mood::Lively => {
                let after =
                    self.dice.once_in(2).then(|| Duration::from_millis(self.dice.roll(900)));
                return self.model_ends(fails(ModelErrorKind::Transient { after }));
            }
            9 if mood == Mood::Lively && self.dice.once_in(6) => {
                self.too_long = true;
                return self.model_ends(fails(ModelErrorKind::TooLong));
            }
            10 if mood == Mood::Lively && self.dice.once_in(6) => {
                return self.model_ends(fails(ModelErrorKind::Rejected));
            }
            11..18 if mood == Mood::Lively && (!answer_only || self.dice.once_in(4)) => {
                self.asked += 1;
                ModelEvent::ToolCall(self.tool_call())
            }
            _ => {
                let usage = Usage { output_tokens: 1, ..Usage::default() };
                return self
                    .model_ends(Input::Model { epoch, event: ModelEvent::Completed { usage } });
            }
        };
        self.feed(Input::Model { epoch, event: input });
    }

    fn model_ends(&mut self, input: Input) {
        if let Some((epoch, _)) = self.model.take() {
            self.stale.push(epoch);
        }
        self.feed(input);
    }

    fn tool_call(&mut self) -> ToolCall {
        let (name, arguments) = match self.dice.roll(9) {
            0 => ("read", r#"{"file":"a.rs"}"#),
            1 => ("read", r#"{"file":"b.rs"}"#),
            2 => ("read", r#"{"file":"a.rs","from":1}"#),
            3 => ("search", r#"{"text":"x"}"#),
            4 => ("write", r#"{"file":"a.rs","text":"x"}"#),
            5 => ("write", r#"{"file":"a.rs"}"#),
            6 => ("run_tests", ""),
            7 => ("run_tests", "not JSON"),
            _ => ("nothing", "{}"),
        };
        // Services that count anew with each response give the same id again.
        let id =
            if self.dice.once_in(4) { "call_0".to_owned() } else { format!("c{}", self.asked) };
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        ToolCall { call: CallId::new(id), name, arguments }
    }

    fn a_tool_acts(&mut self, mood: Mood) {
        let running = u64::try_from(self.tools.len()).expect("few");
        let nth = usize::try_from(self.dice.roll(running)).expect("few");
        let Some((&run, tool)) = self.tools.iter_mut().nth(nth) else { return };
        // Now and then a tool hangs when it is told to stop.
        if tool.cancelled && run.0.is_multiple_of(5) {
            return;
        }
        match self.dice.roll(6) {
            0 if !tool.started => {
                tool.started = true;
                self.feed(Input::ToolStarted { run, body: body(ItemStatus::InProgress, "") });
            }
            1 if mood == Mood::Lively => {
                let delta = self.words();
                self.feed(Input::ToolDelta { run, delta });
            }
            2.. => {
                let status = match self.dice.roll(2) {
                    0 => ItemStatus::Completed,
                    _ => ItemStatus::Failed,
                };
                self.tools.remove(&run);
                self.stale.push(run);
                let output = self.words();
                self.feed(Input::ToolFinished { run, body: body(status, &output), output });
            }
            _ => (),
        }
    }

    fn late_news(&mut self) {
        let count = u64::try_from(self.stale.len()).expect("few");
        let nth = usize::try_from(self.dice.roll(count)).expect("few");
        let Some(&epoch) = self.stale.get(nth) else { return };
        let before = self.turn.history().len();
        let outputs = match self.dice.roll(12) {
            0 => self.feed(Input::Model {
                epoch,
                event: ModelEvent::TextDelta { delta: "late".to_owned() },
            }),
            1 => self.feed(Input::ToolFinished {
                run: epoch,
                body: body(ItemStatus::Completed, "late"),
                output: "late".to_owned(),
            }),
            2 => self.feed(Input::ToolDelta { run: epoch, delta: "late".to_owned() }),
            3 => self.feed(Input::ModelFailed {
                epoch,
                error: ModelError { kind: ModelErrorKind::Rejected, message: "late".to_owned() },
            }),
            _ => 0,
        };
        assert_eq!((outputs, before), (0, self.turn.history().len()), "{self}: late news counted");
    }

    fn person_acts(&mut self) {
        if self.ended {
            return;
        }
        if self.dice.once_in(20) {
            let text = self.words();
            self.steered.push(text.clone());
            self.feed(Input::Steer(UserInput {
                text,
                source: InputSource::Spoken,
                material: None,
            }));
        }
        if self.dice.once_in(60) {
            self.interrupted.get_or_insert(self.now);
            self.feed(Input::Interrupt);
        }
    }

    fn words(&mut self) -> String {
        self.said += 1;
        format!("w{}", self.said)
    }

    fn feed(&mut self, input: Input) -> usize {
        let outputs: Vec<Output> = self.turn.handle(input, self.now).collect();
        let count = outputs.len();
        for output in outputs {
            assert!(!self.ended, "{self}: after the end: {output:?}");
            self.carry_out(output);
        }
        count
    }

    fn carry_out(&mut self, output: Output) {
        let synced = std::mem::replace(&mut self.synced, output == Output::Sync);
        match output {
            Output::CallModel { epoch, request } => {
                assert!(self.model.is_none(), "{self}: two model calls at once");
                assert!(self.tools.is_empty(), "{self}: the model is called while tools run");
                check_history(&request.input, &self.to_string());
                let shown = shown(&request.input, &self.history, self.too_long);
                assert_eq!(shown, self.history, "{self}: request is not the history");
                self.model = Some((epoch, request));
            }
            Output::CancelModel { epoch } => {
                let cancelled = self.model.take().map(|(epoch, _)| epoch);
                assert_eq!(cancelled, Some(epoch), "{self}: cancelled another call");
                self.stale.push(epoch);
            }
            Output::RunTool { run, item: _, call } => self.run(run, &call, synced),
            Output::CancelTool { run } => {
                let tool = self.tools.get_mut(&run);
                tool.expect("cancelled what does not run").cancelled = true;
            }
            Output::Record(item) => self.history.push(item),
            Output::Sync | Output::Progress { .. } => (),
            Output::Event(event) => self.on_event(event),
            Output::Ended { status: _, answer: _, unheard } => {
                self.ended = true;
                let unheard: Vec<&str> = unheard.iter().map(|input| input.text.as_str()).collect();
                self.steered.retain(|text| !unheard.contains(&text.as_str()));
            }
        }
    }

    fn run(&mut self, run: Epoch, call: &ToolCall, synced: bool) {
        let spec = tools().into_iter().find(|spec| spec.name == call.name);
        let effect = spec.expect("ran an unknown tool").effect;
        assert!(self.interrupted.is_none(), "{self}: began a tool after the interrupt");
        let recorded = ModelItem::ToolCall(call.clone());
        assert!(self.history.contains(&recorded), "{self}: ran what is not in the log");
        let changes = |effect| effect != ToolEffect::Reads;
        if changes(effect) {
            assert!(synced, "{self}: an effect before its record is durable");
            assert!(self.tools.is_empty(), "{self}: an effect beside other tools");
        }
        assert!(
            !self.tools.values().any(|tool| changes(tool.effect)),
            "{self}: a tool beside an effect",
        );
        self.check_repeats(call);
        let before = self.ran.insert(call.call.to_string());
        assert!(before, "{self}: {} ran again", call.call);
        self.tools.insert(run, Tool { effect, started: false, cancelled: false });
    }

    /// Small models do not get the same answer twice before something was written.
    fn check_repeats(&mut self, call: &ToolCall) {
        if self.limits.repeats == Repeats::Allowed {
            return;
        }
        let made = (call.name.clone(), call.arguments.clone());
        assert!(!self.made.contains(&made), "{self}: the same call ran twice: {made:?}");
        if call.name == "write" {
            self.made.clear();
        } else {
            self.made.push(made);
        }
    }

    fn on_event(&mut self, event: EventBody) {
        match event {
            EventBody::ItemStarted { turn: _, item } => {
                assert!(
                    self.known_items.insert(item.id.clone()),
                    "{self}: {} began twice",
                    item.id
                );
                self.open_items.insert(item.id);
            }
            EventBody::ItemCompleted { turn: _, item } => {
                assert!(self.open_items.remove(&item.id), "{self}: {} was not open", item.id);
            }
            EventBody::AgentMessageDelta { turn: _, item, delta: _ }
            | EventBody::ReasoningDelta { turn: _, item, delta: _ }
            | EventBody::CommandOutputDelta { turn: _, item, delta: _ } => {
                assert!(self.open_items.contains(&item), "{self}: a delta of {item}, not open");
            }
            EventBody::TurnPreparing { .. }
            | EventBody::TurnStarted { .. }
            | EventBody::TokenUsage { .. }
            | EventBody::Retrying { .. }
            | EventBody::TurnCompleted { .. }
            | EventBody::Warning { .. }
            | EventBody::ThreadStarted { .. }
            | EventBody::Realtime(_) => (),
        }
    }

    fn check_settled(&self) {
        assert!(self.ended, "{self}: never ended");
        assert!(self.open_items.is_empty(), "{self}: left open: {:?}", self.open_items);
        assert_eq!(self.turn.history(), self.history, "{self}: recorded something else");
        assert_eq!(self.turn.deadline(), None, "{self}: wants to be woken after the end");
        let heard: Vec<&str> = self.history.iter().filter_map(user_words).collect();
        assert_eq!(heard, self.steered, "{self}: words were lost or moved");
        check_history(&self.history, &self.to_string());
    }
}

/// `input` with the outputs in it that are only named, as they may be once a request was too
/// long, put back from the history. What the model has not seen must be shown.
fn shown(input: &[ModelItem], history: &[ModelItem], too_long: bool) -> Vec<ModelItem> {
    let models = |item: &ModelItem| match item {
        ModelItem::ToolCall(_) | ModelItem::Reasoning { .. } => true,
        ModelItem::Message { role, text: _ } => *role == Role::Assistant,
        ModelItem::ToolOutput { .. } => false,
    };
    let unseen = history.iter().rposition(models).unwrap_or(0);
    let put_back = |(at, item): (usize, &ModelItem)| match (item, history.get(at)) {
        (ModelItem::ToolOutput { call, output }, Some(whole))
            if too_long && at < unseen && output.ends_with(" left out to make room ...]") =>
        {
            let ModelItem::ToolOutput { call: answered, output: _ } = whole else {
                return item.clone();
            };
            if answered == call { whole.clone() } else { item.clone() }
        }
        (other, _) => other.clone(),
    };
    input.iter().enumerate().map(put_back).collect()
}

/// What every service accepts: each call has one output, before anybody but the model
/// speaks again, and each output has its call.
#[track_caller]
fn check_history(history: &[ModelItem], world: &str) {
    let mut open = BTreeSet::new();
    let mut known = BTreeSet::new();
    for item in history {
        match item {
            ModelItem::ToolCall(call) => {
                assert!(known.insert(&call.call), "{world}: two calls are named {}", call.call);
                open.insert(&call.call);
            }
            ModelItem::ToolOutput { call, output: _ } => {
                assert!(open.remove(call), "{world}: an output without its call {call}");
            }
            ModelItem::Message { role: Role::Assistant, text: _ } | ModelItem::Reasoning { .. } => {
            }
            ModelItem::Message { role: Role::User | Role::Developer | Role::Material, text: _ } => {
                assert!(open.is_empty(), "{world}: spoken before {open:?} were answered");
            }
        }
    }
    assert!(open.is_empty(), "{world}: never answered: {open:?}");
}

fn user_words(item: &ModelItem) -> Option<&str> {
    match item {
        ModelItem::Message { role: Role::User, text } => Some(text),
        ModelItem::Message {
            role: Role::Assistant | Role::Developer | Role::Material,
            text: _,
        }
        | ModelItem::ToolCall(_)
        | ModelItem::ToolOutput { .. }
        | ModelItem::Reasoning { .. } => None,
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {} at {:?}", self.seed, self.now)
    }
}
