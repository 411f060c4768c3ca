//! One turn of the coding agent, as a state machine: the model is called, its tool calls are
//! run, their outputs go back, until it answers without asking for more.
//!
//! The driver owns the model's connection, the tools and the clock. It says what happened
//! ([`Input`]) and when; the turn says what to do ([`Output`]) and when to come back
//! ([`Turn::deadline`]). Nothing here blocks, spawns, draws a number or reads a clock.
//!
//! Invariants:
//! * Every tool call in the history is answered exactly once, before anybody speaks again.
//! * A model call counts whole or not at all: tools begin when it has completed, so trying
//!   it again repeats nothing.
//! * Calls that may change the world run one at a time, in the model's order, each after a
//!   [`Output::Sync`].
//! * Every item that starts completes, and the turn ends exactly once, also when it is
//!   interrupted or fails. Nothing is said afterwards.
//! * A completion that belongs to an earlier epoch changes nothing.

mod arguments;
mod batch;
mod context;
mod elide;
mod items;
mod limits;
mod outputs;
mod permit;
mod repeats;
mod retry;

use std::collections::VecDeque;

use protocol::{
    EventBody, InputSource, ItemBody, ItemId, ItemStatus, ModelError, ModelErrorKind, ModelEvent,
    ModelItem, ModelRequest, Role, ToolCall, ToolChoice, ToolEffect, ToolItem, ToolSpec,
    TurnFailure, TurnId, TurnStatus, Usage,
};
use serde_json::{Map, Value};
use stdx::{Time, never};

pub use crate::context::close_open_calls;
pub use crate::elide::{elide, tokens};
pub use crate::limits::{Limits, Repeats};
pub use crate::outputs::Outputs;
pub use crate::permit::{Enforcement, Permissions};

use crate::batch::Batch;
use crate::context::{ABORTED, Context};
use crate::items::Items;
use crate::permit::Verdict;
use crate::repeats::Tools;
use crate::retry::Backoff;

/// What a turn starts from. All of it is settled for the turn's whole life.
#[derive(Debug)]
pub struct Setup {
    pub turn: TurnId,
    pub input: UserInput,
    pub instructions: String,
    /// What the model knows already; every call in it is answered ([`close_open_calls`]).
    pub history: Vec<ModelItem>,
    pub tools: Vec<ToolSpec>,
    pub permissions: Permissions,
    pub limits: Limits,
    /// Requests with the same key share a prefix: the thread's id.
    pub cache_key: String,
    /// What the thread has used before this turn.
    pub usage: Usage,
    /// For the jitter of retries.
    pub seed: u64,
}

/// Words for the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInput {
    pub text: String,
    pub source: InputSource,
    /// What the words are about, in its frame: data, and no request.
    pub material: Option<String>,
}

/// Names one model call or one run of a tool, so that what is late cannot be taken for what
/// is current. Counts up within a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The first input: begins the turn.
    Begin,
    /// More words of the user. They join the next model call of this turn.
    Steer(UserInput),
    Model {
        epoch: Epoch,
        event: ModelEvent,
    },
    ModelFailed {
        epoch: Epoch,
        error: ModelError,
    },
    /// A tool says how its item begins. Optional, and before its other news.
    ToolStarted {
        run: Epoch,
        body: ItemBody,
    },
    /// More of what a tool prints, for people.
    ToolDelta {
        run: Epoch,
        delta: String,
    },
    /// A tool is done, or has let go after [`Output::CancelTool`].
    ToolFinished {
        run: Epoch,
        body: ItemBody,
        /// For the model.
        output: String,
    },
    Interrupt,
    /// In place of [`Input::Begin`]: the turn cannot be run. The message names what is missing
    /// and the remedy.
    Abandon {
        message: String,
    },
    /// [`Turn::deadline`] has passed.
    Tick,
}

/// What the driver should do next, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Answered by [`Input::Model`] up to its `Completed`, or by [`Input::ModelFailed`].
    CallModel {
        epoch: Epoch,
        request: ModelRequest,
    },
    /// Nothing of this call is wanted any more.
    CancelModel {
        epoch: Epoch,
    },
    /// Answered by [`Input::ToolFinished`].
    RunTool {
        run: Epoch,
        item: ItemId,
        call: ToolCall,
    },
    /// The tool is to stop at once; its [`Input::ToolFinished`] is awaited for a while.
    CancelTool {
        run: Epoch,
    },
    /// Write this to the log as part of the model's context, before what follows is done.
    Record(ModelItem),
    /// Make the log durable before what follows is done.
    Sync,
    Event(EventBody),
    /// What the model said on its way, now that it goes on working.
    Progress {
        text: String,
    },
    /// The last output. `answer` is the model's last message, if the turn completed with one;
    /// `unheard` is what was steered too late.
    Ended {
        status: TurnStatus,
        answer: Option<String>,
        unheard: Vec<UserInput>,
    },
}

/// One turn. See the crate's documentation for what it promises.
#[derive(Debug)]
pub struct Turn {
    turn: TurnId,
    instructions: String,
    permissions: Permissions,
    limits: Limits,
    cache_key: String,
    context: Context,
    tools: Tools,
    backoff: Backoff,
    items: Items,
    usage: Usage,
    phase: Phase,
    /// Heard, and not yet part of the context.
    heard: VecDeque<UserInput>,
    model_calls: u32,
    epochs: u64,
    /// What would have allowed the last call that was refused.
    refused: Option<&'static str>,
    queue: VecDeque<Output>,
}

#[derive(Debug)]
enum Phase {
    Ready {
        input: UserInput,
    },
    Calling {
        epoch: Epoch,
        reply: Reply,
        mode: Mode,
    },
    /// For another try.
    Waiting {
        until: Time,
    },
    Working(Batch),
    /// Interrupted: the running tools have until then to let go. `before` was heard before
    /// the interrupt, so it is part of what was interrupted.
    Stopping {
        batch: Batch,
        by: Time,
        before: Vec<UserInput>,
    },
    Ended,
}

/// Whether a model call may ask for tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    MayCall,
    AnswerOnly,
}

/// What a running model call has said so far. None of it counts before it completes.
#[derive(Debug, Default)]
struct Reply {
    /// In the order of the response, as the next request must repeat them.
    items: Vec<ModelItem>,
    calls: Vec<ToolCall>,
    said: Option<String>,
}

impl Turn {
    /// A turn that waits for [`Input::Begin`].
    pub fn new(setup: Setup) -> Self {
        let Setup {
            turn,
            input,
            instructions,
            history,
            tools,
            permissions,
            limits,
            cache_key,
            usage,
            seed,
        } = setup;
        Self {
            items: Items::new(turn.clone()),
            turn,
            instructions,
            permissions,
            context: Context::new(history, limits.context_tokens),
            tools: Tools::new(tools, limits.repeats),
            backoff: Backoff::new(limits.retries, seed),
            limits,
            cache_key,
            usage,
            phase: Phase::Ready { input },
            heard: VecDeque::new(),
            model_calls: 0,
            epochs: 0,
            refused: None,
            queue: VecDeque::new(),
        }
    }

    pub fn id(&self) -> &TurnId {
        &self.turn
    }

    /// The history it was given, and everything recorded since.
    pub fn history(&self) -> &[ModelItem] {
        self.context.items()
    }

    pub fn into_history(self) -> Vec<ModelItem> {
        self.context.into_items()
    }

    /// What would have allowed the last call that was refused, as in "start with ...".
    pub fn refused(&self) -> Option<&'static str> {
        self.refused
    }

    /// What the thread has used, this turn included.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether it was interrupted and waits for its tools to let go: what is steered now is
    /// handed back as unheard.
    pub fn is_stopping(&self) -> bool {
        match self.phase {
            Phase::Stopping { .. } | Phase::Ended => true,
            Phase::Ready { .. }
            | Phase::Calling { .. }
            | Phase::Waiting { .. }
            | Phase::Working(_) => false,
        }
    }

    /// When the driver must feed [`Input::Tick`], if nothing else happens first.
    pub fn deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Waiting { until } => Some(*until),
            Phase::Stopping { by, .. } => Some(*by),
            Phase::Ready { .. } | Phase::Calling { .. } | Phase::Working(_) | Phase::Ended => None,
        }
    }

    /// Advances the turn.
    pub fn handle(&mut self, input: Input, now: Time) -> Outputs<'_> {
        match input {
            Input::Begin => self.begin(),
            Input::Steer(input) => self.steer(input),
            Input::Model { epoch, event } => self.on_model(epoch, event),
            Input::ModelFailed { epoch, error } => self.on_model_failed(epoch, error, now),
            Input::ToolStarted { run, body } => self.on_tool_started(run, body),
            Input::ToolDelta { run, delta } => self.on_tool_delta(run, delta),
            Input::ToolFinished { run, body, output } => self.on_tool_finished(run, body, output),
            Input::Interrupt => self.interrupt(now),
            Input::Abandon { message } => self.abandon(message),
            Input::Tick => self.on_tick(now),
        }
        Outputs::new(&mut self.queue)
    }

    fn begin(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ready { input } => {
                let source = input.source;
                self.event(EventBody::TurnStarted { turn: self.turn.clone(), source });
                self.heard.push_front(input);
                self.call_model();
            }
            other => {
                never!("a turn begins once");
                self.phase = other;
            }
        }
    }

    fn abandon(&mut self, message: String) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ready { input } => {
                let source = input.source;
                self.event(EventBody::TurnStarted { turn: self.turn.clone(), source });
                for input in std::iter::once(input).chain(std::mem::take(&mut self.heard)) {
                    self.user_message(input);
                }
                self.end(failed(message), None);
            }
            other => {
                never!("abandoned after it began");
                self.phase = other;
            }
        }
    }

    fn steer(&mut self, input: UserInput) {
        match self.phase {
            Phase::Ended => never!("steered after the end"),
            Phase::Ready { .. }
            | Phase::Calling { .. }
            | Phase::Waiting { .. }
            | Phase::Working(_)
            | Phase::Stopping { .. } => self.heard.push_back(input),
        }
    }

    // The model.

    fn call_model(&mut self) {
        for input in std::mem::take(&mut self.heard) {
            self.user_message(input);
        }
        let tools = self.tools.catalogue().to_vec();
        let last = self.limits.model_calls <= self.model_calls + 1;
        let (mode, tool_choice) = if last || tools.is_empty() {
            (Mode::AnswerOnly, ToolChoice::None)
        } else {
            (Mode::MayCall, ToolChoice::Auto)
        };
        let request = ModelRequest {
            instructions: self.instructions.clone(),
            input: self.context.fit(),
            tools,
            tool_choice,
            cache_key: self.cache_key.clone(),
        };
        let epoch = self.next_epoch();
        self.phase = Phase::Calling { epoch, reply: Reply::default(), mode };
        self.queue.push_back(Output::CallModel { epoch, request });
    }

    fn user_message(&mut self, UserInput { text, source, material }: UserInput) {
        if let Some(text) = material {
            self.record(ModelItem::Message { role: Role::Material, text });
        }
        self.record(ModelItem::Message { role: Role::User, text: text.clone() });
        let events = self.items.whole(ItemBody::UserMessage { text, source });
        self.events(events);
    }

    fn on_model(&mut self, wanted: Epoch, event: ModelEvent) {
        let Phase::Calling { epoch, reply, mode } = &mut self.phase else { return };
        if *epoch != wanted {
            return;
        }
        let events = match event {
            ModelEvent::TextDelta { delta } => self.items.message_delta(delta),
            ModelEvent::Message { text } => {
                if !text.trim().is_empty() {
                    reply.said = Some(text.clone());
                    let role = Role::Assistant;
                    reply.items.push(ModelItem::Message { role, text: text.clone() });
                }
                self.items.message_done(text)
            }
            ModelEvent::ReasoningDelta { delta } => self.items.reasoning_delta(delta),
            ModelEvent::Reasoning { summary, opaque } => {
                if !opaque.is_empty() {
                    reply.items.push(ModelItem::Reasoning { opaque });
                }
                self.items.reasoning_done(summary)
            }
            ModelEvent::ToolCall(call) => {
                let call = self.context.unique(call, &reply.items);
                reply.items.push(ModelItem::ToolCall(call.clone()));
                reply.calls.push(call);
                Vec::new()
            }
            ModelEvent::Completed { usage } => {
                let (reply, mode) = (std::mem::take(reply), *mode);
                return self.on_completed(reply, mode, usage);
            }
        };
        self.events(events);
    }

    fn on_completed(&mut self, mut reply: Reply, mode: Mode, usage: Usage) {
        self.backoff.succeeded();
        self.model_calls += 1;
        let (events, open) = self.items.close_open();
        self.events(events);
        if let (None, Some(text)) = (&reply.said, open) {
            reply.items.insert(0, ModelItem::Message { role: Role::Assistant, text: text.clone() });
            reply.said = Some(text);
        }
        add(&mut self.usage, usage);
        let (turn, total) = (self.turn.clone(), self.usage);
        self.event(EventBody::TokenUsage { turn, last: usage, total });
        for item in reply.items {
            self.record(item);
        }
        if reply.calls.is_empty() {
            if self.heard.is_empty() || self.limits.model_calls <= self.model_calls {
                return self.end(TurnStatus::Completed, reply.said);
            }
            return self.call_model();
        }
        match mode {
            Mode::MayCall => {
                if let Some(text) = reply.said {
                    self.queue.push_back(Output::Progress { text });
                }
                self.work(reply.calls);
            }
            Mode::AnswerOnly => self.end_without_tools(reply.calls, reply.said),
        }
    }

    /// The model asked for tools where it was told to answer.
    fn end_without_tools(&mut self, calls: Vec<ToolCall>, said: Option<String>) {
        for call in calls {
            let output = "not run: no more tools in this turn".to_owned();
            self.record(ModelItem::ToolOutput { call: call.call, output });
        }
        let status = match said {
            Some(_) => TurnStatus::Completed,
            None => failed(format!(
                "the model found no answer within {} steps; ask for less at once, or use a \
                 larger model",
                self.model_calls
            )),
        };
        self.end(status, said);
    }

    fn on_model_failed(&mut self, wanted: Epoch, error: ModelError, now: Time) {
        let Phase::Calling { epoch, .. } = &self.phase else { return };
        if *epoch != wanted {
            return;
        }
        self.items.start_over();
        let ModelError { kind, message } = error;
        match kind {
            ModelErrorKind::Transient { after } => match self.backoff.failed(after) {
                Some((attempt, wait)) => {
                    let turn = self.turn.clone();
                    self.event(EventBody::Retrying { turn, message, attempt, wait });
                    self.phase = Phase::Waiting { until: now + wait };
                }
                None => self.end(failed(message), None),
            },
            ModelErrorKind::TooLong if self.context.shrink() => {
                self.event(EventBody::Warning {
                    message: "the conversation no longer fits the model; its oldest part is left \
                              out"
                    .to_owned(),
                });
                self.call_model();
            }
            ModelErrorKind::TooLong | ModelErrorKind::Unauthorized | ModelErrorKind::Rejected => {
                self.end(failed(message), None);
            }
        }
    }

    // The tools.

    fn work(&mut self, calls: Vec<ToolCall>) {
        let mut batch = Batch::default();
        for call in calls {
            let item = self.items.next_id();
            match self.judge(&call) {
                Ok(effect) => batch.add(call, effect, item),
                Err(NotRun { status, output }) => {
                    let body = ItemBody::Tool(ToolItem {
                        call: call.call.clone(),
                        tool: call.name.clone(),
                        arguments: call.arguments.clone(),
                        status,
                        result: output.clone(),
                        duration: None,
                    });
                    let events = self.items.whole_as(item.clone(), body);
                    self.events(events);
                    batch.add_answered(call, item, output);
                }
            }
        }
        self.phase = Phase::Working(batch);
        self.go_on();
    }

    fn judge(&mut self, call: &ToolCall) -> Result<ToolEffect, NotRun> {
        let wrong = |output| NotRun { status: ItemStatus::Failed, output };
        let Some(spec) = self.tools.find(&call.name) else {
            let known = self.tools.catalogue().iter();
            let names: Vec<&str> = known.map(|spec| spec.name.as_str()).collect();
            return Err(wrong(format!(
                "there is no tool `{}`; the tools are {}",
                call.name,
                names.join(", ")
            )));
        };
        let effect = spec.effect;
        let arguments: Map<String, Value> =
            arguments::parse(spec, &call.arguments).map_err(wrong)?;
        match self.permissions.verdict(&call.name, effect) {
            Verdict::Run => (),
            Verdict::Refuse { output, remedy } => {
                self.refused = Some(remedy);
                return Err(NotRun { status: ItemStatus::Declined, output });
            }
        }
        self.tools.note(call, arguments).map_err(wrong)?;
        Ok(effect)
    }

    fn on_tool_started(&mut self, run: Epoch, body: ItemBody) {
        let Some(running) = self.phase.batch().and_then(|batch| batch.running(run)) else {
            return;
        };
        if running.body.is_some() {
            never!("a tool starts once");
            return;
        }
        *running.body = Some(body.clone());
        let event = self.items.started(running.item.clone(), body);
        self.event(event);
    }

    fn on_tool_delta(&mut self, run: Epoch, delta: String) {
        let Some(running) = self.phase.batch().and_then(|batch| batch.running(run)) else {
            return;
        };
        // Before the item is known there is nothing to add to; the final body has it all.
        if running.body.is_none() {
            return;
        }
        let (turn, item) = (self.turn.clone(), running.item.clone());
        self.event(EventBody::CommandOutputDelta { turn, item, delta });
    }

    fn on_tool_finished(&mut self, run: Epoch, body: ItemBody, output: String) {
        let stopping = matches!(self.phase, Phase::Stopping { .. });
        let Some(batch) = self.phase.batch() else { return };
        let Some(running) = batch.running(run) else { return };
        let (item, effect) = (running.item.clone(), running.effect);
        self.tools.ran(running.call, effect);
        let started = running.body.is_some();
        // One that had finished before it could be stopped has done what it says.
        let output = if stopping && items::status(&body) != ItemStatus::Completed {
            aborted(&output)
        } else {
            output
        };
        batch.finish(run, output);
        let events = if started {
            vec![self.items.completed(item, body)]
        } else {
            self.items.whole_as(item, body)
        };
        self.events(events);
        self.go_on();
    }

    /// Records what was answered, begins what may begin, and goes to the next step when
    /// nothing is left.
    fn go_on(&mut self) {
        while let Some((call, output)) = self.phase.batch().and_then(|batch| batch.next_answer()) {
            let output = elide(&output, self.limits.tool_output_tokens);
            self.record(ModelItem::ToolOutput { call, output });
        }
        match &mut self.phase {
            Phase::Working(batch) if batch.is_done() => self.call_model(),
            Phase::Working(batch) => {
                let epochs = &mut self.epochs;
                while let Some(begin) = batch.begin(|| count(epochs)) {
                    match begin.effect {
                        ToolEffect::Writes | ToolEffect::Runs => {
                            self.queue.push_back(Output::Sync);
                        }
                        ToolEffect::Reads => (),
                    }
                    let batch::Begin { run, item, call, effect: _ } = begin;
                    self.queue.push_back(Output::RunTool { run, item, call });
                }
            }
            Phase::Stopping { batch, before, .. } if !batch.is_running() => {
                let before = std::mem::take(before);
                self.end_interrupted(before);
            }
            Phase::Stopping { .. }
            | Phase::Ready { .. }
            | Phase::Calling { .. }
            | Phase::Waiting { .. }
            | Phase::Ended => (),
        }
    }

    // Stopping.

    fn interrupt(&mut self, now: Time) {
        if matches!(self.phase, Phase::Stopping { .. } | Phase::Ended) {
            return;
        }
        let before: Vec<UserInput> = std::mem::take(&mut self.heard).into();
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ready { input } => {
                let source = input.source;
                self.event(EventBody::TurnStarted { turn: self.turn.clone(), source });
                self.end_interrupted(std::iter::once(input).chain(before).collect());
            }
            Phase::Calling { epoch, reply, mode: _ } => {
                self.queue.push_back(Output::CancelModel { epoch });
                self.keep_words(reply);
                self.end_interrupted(before);
            }
            Phase::Waiting { until: _ } => self.end_interrupted(before),
            Phase::Working(mut batch) => {
                for run in batch.runs() {
                    self.queue.push_back(Output::CancelTool { run });
                }
                batch.abandon_waiting(ABORTED);
                let by = now + self.limits.cancel_grace;
                self.phase = Phase::Stopping { batch, by, before };
                self.go_on();
            }
            phase @ (Phase::Stopping { .. } | Phase::Ended) => self.phase = phase,
        }
    }

    /// What an interrupted reply has said was read or heard, so it stays in the context. Its
    /// reasoning and calls do not: services take them back only whole.
    fn keep_words(&mut self, reply: Reply) {
        for item in reply.items {
            match item {
                ModelItem::Message { .. } => self.record(item),
                ModelItem::ToolCall(_)
                | ModelItem::ToolOutput { .. }
                | ModelItem::Reasoning { .. } => (),
            }
        }
        let (events, open) = self.items.close_open();
        self.events(events);
        if let Some(text) = open {
            self.record(ModelItem::Message { role: Role::Assistant, text });
        }
    }

    fn end_interrupted(&mut self, before: Vec<UserInput>) {
        for input in before {
            self.user_message(input);
        }
        self.record(ModelItem::Message {
            role: Role::Developer,
            text: "The user interrupted the work above before it was finished.".to_owned(),
        });
        self.end(TurnStatus::Interrupted, None);
    }

    fn on_tick(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Waiting { until } if *until <= now => self.call_model(),
            Phase::Stopping { batch, by, .. } if *by <= now => {
                let mut closed = Vec::new();
                for run in batch.runs() {
                    if let Some(running) = batch.running(run) {
                        let item = running.item.clone();
                        closed.extend(running.body.take().map(|body| (item, body)));
                    }
                    batch.finish(run, aborted("it may still be ending"));
                }
                for (item, body) in closed {
                    let event = self.items.completed(item, items::failed(body));
                    self.event(event);
                }
                self.go_on();
            }
            Phase::Waiting { .. }
            | Phase::Stopping { .. }
            | Phase::Ready { .. }
            | Phase::Calling { .. }
            | Phase::Working(_)
            | Phase::Ended => (),
        }
    }

    fn end(&mut self, status: TurnStatus, answer: Option<String>) {
        let (events, _) = self.items.close_open();
        self.events(events);
        self.phase = Phase::Ended;
        let (turn, unheard) = (self.turn.clone(), std::mem::take(&mut self.heard).into());
        self.event(EventBody::TurnCompleted { turn, status: status.clone() });
        self.queue.push_back(Output::Sync);
        self.queue.push_back(Output::Ended { status, answer, unheard });
    }

    fn record(&mut self, item: ModelItem) {
        self.context.push(item.clone());
        self.queue.push_back(Output::Record(item));
    }

    fn event(&mut self, event: EventBody) {
        self.queue.push_back(Output::Event(event));
    }

    fn events(&mut self, events: Vec<EventBody>) {
        self.queue.extend(events.into_iter().map(Output::Event));
    }

    fn next_epoch(&mut self) -> Epoch {
        count(&mut self.epochs)
    }
}

impl Phase {
    fn batch(&mut self) -> Option<&mut Batch> {
        match self {
            Self::Working(batch) | Self::Stopping { batch, .. } => Some(batch),
            Self::Ready { .. } | Self::Calling { .. } | Self::Waiting { .. } | Self::Ended => None,
        }
    }
}

/// A call that is answered without being run.
struct NotRun {
    status: ItemStatus,
    output: String,
}

fn count(epochs: &mut u64) -> Epoch {
    *epochs += 1;
    Epoch(*epochs)
}

fn failed(message: String) -> TurnStatus {
    TurnStatus::Failed(TurnFailure { message })
}

fn aborted(output: &str) -> String {
    if output.trim().is_empty() { ABORTED.to_owned() } else { format!("{ABORTED}\n{output}") }
}

fn add(total: &mut Usage, last: Usage) {
    let Usage { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens } = last;
    total.input_tokens += input_tokens;
    total.cached_input_tokens += cached_input_tokens;
    total.output_tokens += output_tokens;
    total.reasoning_tokens += reasoning_tokens;
}
