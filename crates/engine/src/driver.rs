//! Drives one thread: takes the next input, feeds the machine, carries its outputs out in
//! order. The only place where a thread meets tokio; it decides nothing about the domain.
//!
//! It waits for nothing but the next input. What the disk must have done before (a sync, a new
//! file) shuts a gate, behind which outputs stay in order; sound and answers pass it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use agent_turn::{Epoch, Input as TurnInput};
use config::{Provider, ProviderKind};
use protocol::{
    EventBody, ItemBody, ItemStatus, ModelError, ModelErrorKind, ModelRequest, RepositoryFacts,
    ThreadId, ThreadSettings, ToolCall, ToolItem, TurnId, Usage,
};
use realtime_client::{Outbox, OutboxFull};
use realtime_session::{LinkEpoch, LinkNews};
use rollout::{Meta, Store, TurnContext, Writer};
use stdx::never;
use thread::{ConversationId, Input, ModelSize, Output, RequestId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tools::{Style, ToolContext};
use uuid::Uuid;

use crate::Services;
use crate::calls::{self, News, Reporter};
use crate::clock::Clock;
use crate::handle::{Command, Reply, Thread};
use crate::journal::{Journal, Trouble};
use crate::log::EventLog;
use crate::realtime::{self, Line, RealtimeStart};
use crate::resumed::Past;

/// News of tasks that wait for the thread. A model or a tool that is further ahead waits.
const NEWS: usize = 256;

/// Outputs that may wait for the disk. With more of them, whoever makes news waits too.
const HELD: usize = 256;

/// How long links may take to end.
pub(crate) const GOODBYE: Duration = Duration::from_secs(3);

pub(crate) struct Setup {
    pub(crate) services: Arc<Services>,
    pub(crate) store: Arc<Store>,
    pub(crate) thread: Thread,
    pub(crate) provider: Provider,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) test_time: Duration,
    pub(crate) originator: String,
    pub(crate) source: String,
    pub(crate) microphone: watch::Sender<Option<Outbox>>,
    /// Of a thread that goes on.
    pub(crate) past: Option<Past>,
}

pub(crate) struct Driver {
    id: ThreadId,
    machine: thread::Thread,
    begins: Begins,
    size: ModelSize,
    provider: Provider,
    secrets: Arc<BTreeSet<String>>,
    test_time: Duration,
    settings: Arc<ThreadSettings>,
    services: Arc<Services>,
    clock: Clock,
    log: Arc<EventLog>,
    journal: Journal,
    requests: HashMap<RequestId, Reply>,
    asked: u64,
    /// Read when the current turn started.
    facts: Arc<RepositoryFacts>,
    tasks: JoinSet<()>,
    jobs: HashMap<Id, Job>,
    stops: HashMap<(TurnId, Epoch), CancellationToken>,
    /// Conversations that are open; two while one replaces the other.
    lines: HashMap<ConversationId, Line>,
    epochs: HashMap<ConversationId, LinkEpoch>,
    /// What carrying out has found, for when it is done.
    owed: VecDeque<Input>,
    /// Work that waits for the disk: never awaited where inputs wait behind it.
    disk: JoinSet<DiskNews>,
    gate: Gate,
    /// Outputs behind the gate, in order.
    held: VecDeque<Output>,
    to_inbox: mpsc::Sender<News>,
    inbox: mpsc::Receiver<News>,
    microphone: watch::Sender<Option<Outbox>>,
}

/// Whether the thread's start is news, or was told with its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    New,
    Again,
}

/// Whether outputs are carried out. While it is shut the machine goes on deciding, and what is
/// of the conversation passes, and answers do: sound does not wait for the disk, nor do clients.
#[derive(Debug)]
enum Gate {
    Open,
    /// Until everything written so far is durable.
    Syncing,
    /// Until the thread has a file, of which this is the first event that must be in it.
    Making(EventBody),
}

#[derive(Debug)]
enum DiskNews {
    Synced(Result<(), rollout::Error>),
    Made(Result<Writer, rollout::Error>),
}

/// What a task does, to answer for it if it breaks.
#[derive(Debug)]
enum Job {
    Prepare(TurnId),
    Model(TurnId, Epoch),
    Tool(TurnId, Epoch, ToolCall),
    Link(ConversationId, LinkEpoch),
}

impl Driver {
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup {
            services,
            store,
            thread,
            provider,
            secrets,
            test_time,
            originator,
            source,
            microphone,
            past,
        } = setup;
        let Thread { id, settings, overrides: _, commands: _, log, microphone: _ } = thread;
        let meta = Meta {
            thread: id.clone(),
            at: Clock::date(),
            cwd: settings.cwd.clone(),
            originator,
            version: services.version.clone(),
            source,
            model_provider: settings.model_provider.clone(),
            branch: None,
        };
        let begins = if past.is_some() { Begins::Again } else { Begins::New };
        let (history, usage, journal) = match past {
            Some(Past { history, usage, writer }) => (history, usage, Journal::resumed(writer)),
            None if settings.ephemeral => (Vec::new(), Usage::default(), Journal::off()),
            None => (Vec::new(), Usage::default(), Journal::new(store, meta)),
        };
        let size = size(&provider);
        let (to_inbox, inbox) = mpsc::channel(NEWS);
        let machine = thread::Thread::new(thread::Setup {
            thread: id.clone(),
            settings: ThreadSettings::clone(&settings),
            model: size,
            history,
            usage,
            turns: [turn_id(), turn_id()],
        });
        Self {
            id,
            machine,
            begins,
            size,
            provider,
            secrets: Arc::new(secrets),
            test_time,
            settings,
            services,
            clock: Clock::start(),
            log,
            journal,
            requests: HashMap::new(),
            asked: 0,
            facts: Arc::default(),
            tasks: JoinSet::new(),
            jobs: HashMap::new(),
            stops: HashMap::new(),
            lines: HashMap::new(),
            epochs: HashMap::new(),
            owed: VecDeque::new(),
            disk: JoinSet::new(),
            gate: Gate::Open,
            held: VecDeque::new(),
            to_inbox,
            inbox,
            microphone,
        }
    }

    /// Runs until the thread is closed and quiet.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        match self.begins {
            Begins::New => self.feed(Input::Open),
            Begins::Again => {}
        }
        let mut closing: Vec<oneshot::Sender<()>> = Vec::new();
        while closing.is_empty() || self.machine.is_busy() || !self.disk.is_empty() {
            let sync_by = self.journal.sync_by();
            let listens = self.held.len() < HELD;
            // In this order, so that a run repeats: what people ask for must not wait behind
            // a model or a tool that talks faster than it is read.
            tokio::select! {
                biased;
                command = commands.recv(), if closing.is_empty() && listens => {
                    let done = self.on_command(command);
                    closing.extend(done);
                }
                Some(done) = self.disk.join_next() => self.on_disk(done),
                Some(news) = self.inbox.recv(), if listens => self.on_news(news),
                Some(joined) = self.tasks.join_next_with_id() => self.on_joined(joined),
                () = self.clock.until(self.machine.deadline()) => self.feed(Input::Tick),
                () = until(sync_by), if self.disk.is_empty() => self.sync(),
            }
        }
        // Tools have let go and models are cancelled; links say goodbye.
        let goodbye = async { while self.tasks.join_next().await.is_some() {} };
        drop(tokio::time::timeout(GOODBYE, goodbye).await);
        self.sync();
        while let Some(done) = self.disk.join_next().await {
            self.on_disk(done);
        }
        self.log.close();
        // Told by being dropped, now that the log is complete.
        drop(closing);
    }

    /// Returns what is to be dropped when the thread has ended, once it shall.
    fn on_command(&mut self, command: Option<Command>) -> Option<oneshot::Sender<()>> {
        let input = match command {
            Some(Command::StartTurn { input, reply }) => {
                Input::StartTurn { request: self.request(reply), input }
            }
            Some(Command::Steer { expected, input, reply }) => {
                Input::Steer { request: self.request(reply), expected, input }
            }
            Some(Command::Interrupt { expected, reply }) => {
                Input::Interrupt { request: self.request(reply), expected }
            }
            Some(Command::StartRealtime { start, reply }) => {
                let opened = self.open_line(*start);
                self.feed(opened);
                // Who asked may have gone; the conversation is opened all the same.
                reply.send(()).unwrap_or_default();
                return None;
            }
            Some(Command::StopRealtime { reply }) => {
                Input::StopConversation { request: self.request(reply) }
            }
            Some(Command::AppendText { text, reply }) => {
                Input::AppendText { request: self.request(reply), text }
            }
            Some(Command::Played { item, upto }) => Input::Played { item, upto },
            Some(Command::Close { done }) => {
                self.feed(Input::Close);
                return Some(done);
            }
            // The engine is gone, and every handle with it.
            None => {
                self.feed(Input::Close);
                return Some(oneshot::channel().0);
            }
        };
        self.feed(input);
        None
    }

    fn on_news(&mut self, news: News) {
        let input = match news {
            News::Thread(input) => *input,
            News::Warning { message } => return self.warn(Some(message)),
            News::Prepared { turn, read } => {
                let surroundings = read.map(|(facts, surroundings)| {
                    self.journal.on_branch(facts.branch.as_deref());
                    self.facts = Arc::new(facts);
                    surroundings
                });
                Input::Prepared { turn, name: turn_id(), surroundings }
            }
        };
        self.feed(input);
    }

    fn request(&mut self, reply: Reply) -> RequestId {
        self.asked += 1;
        let request = RequestId(self.asked);
        self.requests.insert(request, reply);
        request
    }

    fn feed(&mut self, input: Input) {
        self.owed.push_back(input);
        self.feed_owed();
    }

    fn feed_owed(&mut self) {
        while let Some(input) = self.owed.pop_front() {
            // Collected, because carrying them out may find more that is owed.
            let outputs: Vec<Output> = self.machine.handle(input, self.clock.now()).collect();
            for output in outputs {
                match &self.gate {
                    Gate::Syncing | Gate::Making(_) if !passes_the_gate(&output) => {
                        self.held.push_back(output);
                    }
                    Gate::Open | Gate::Syncing | Gate::Making(_) => self.carry_out(output),
                }
            }
        }
    }

    // The disk.

    fn sync(&mut self) {
        if let Some(syncer) = self.journal.take_syncer() {
            self.disk.spawn_blocking(move || DiskNews::Synced(syncer.sync()));
        }
    }

    fn on_disk(&mut self, done: Result<DiskNews, JoinError>) {
        let trouble = match done {
            Ok(DiskNews::Synced(synced)) => self.journal.synced(synced),
            Ok(DiskNews::Made(made)) => self.journal.made(made),
            // The runtime shuts down.
            Err(_join) => None,
        };
        self.warn(trouble);
        if !self.disk.is_empty() {
            return;
        }
        match std::mem::replace(&mut self.gate, Gate::Open) {
            // Whether or not there is a file: it is told, and written when there is one.
            Gate::Making(body) => self.event(body),
            Gate::Open | Gate::Syncing => (),
        }
        while matches!(self.gate, Gate::Open)
            && let Some(output) = self.held.pop_front()
        {
            self.carry_out(output);
        }
        self.feed_owed();
    }

    fn carry_out(&mut self, output: Output) {
        let trouble = match output {
            Output::Accepted { request, turn } => {
                if let Some(reply) = self.requests.remove(&request) {
                    // Who asked may have gone; what was asked is done all the same.
                    drop(reply.send(Ok(turn)));
                }
                None
            }
            Output::Refused { request, refusal } => {
                if let Some(reply) = self.requests.remove(&request) {
                    // As above.
                    drop(reply.send(Err(refusal)));
                }
                None
            }
            Output::Prepare { turn } => {
                self.prepare(turn);
                None
            }
            Output::LogContext { turn, realtime_active } => {
                let context = self.turn_context(turn, realtime_active);
                self.journal.context(Clock::date(), context)
            }
            Output::Record(item) => self.journal.record(Clock::date(), &item),
            Output::Sync => {
                self.sync();
                // Also for one that began before, of the lines up to then.
                if !self.disk.is_empty() {
                    self.gate = Gate::Syncing;
                }
                None
            }
            Output::Event(body) => {
                match self.journal.maker_for(&body) {
                    Some(maker) => {
                        self.disk.spawn_blocking(move || DiskNews::Made(maker.make()));
                        self.gate = Gate::Making(body);
                    }
                    None => self.event(body),
                }
                None
            }
            Output::CallModel { turn, epoch, request } => {
                self.call_model(turn, epoch, request);
                None
            }
            Output::RunTool { turn, run, call } => {
                self.run_tool(turn, run, call);
                None
            }
            Output::CancelModel { turn, epoch } | Output::CancelTool { turn, run: epoch } => {
                if let Some(stop) = self.stops.get(&(turn, epoch)) {
                    stop.cancel();
                }
                None
            }
            Output::Connect { conversation, epoch } => {
                self.connect(conversation, epoch);
                None
            }
            Output::Send { conversation, command } => {
                let sent = self.lines.get(&conversation).map(|line| line.outbox.send(command));
                self.on_sent(conversation, sent);
                None
            }
            Output::Ping { conversation } => {
                let sent = self.lines.get(&conversation).map(|line| line.outbox.ping());
                self.on_sent(conversation, sent);
                None
            }
            Output::Disconnect { conversation } => {
                self.hang_up(&conversation);
                None
            }
        };
        self.warn(trouble);
    }

    // Conversations.

    fn open_line(&mut self, start: RealtimeStart) -> Input {
        let conversation = ConversationId(Uuid::now_v7().to_string());
        let start = RealtimeStart {
            session_id: start.session_id.or_else(|| Some(self.id.to_string())),
            ..start
        };
        let opening = realtime::opening(conversation.clone(), &start, self.workspace());
        let line = Line::new(start);
        // Before the client hears that it may speak: what is said while the link is being
        // dialed waits in it.
        self.microphone.send_replace(Some(line.outbox.clone()));
        self.lines.insert(conversation, line);
        Input::StartConversation(opening)
    }

    /// Where the thread works, as far as it is known without looking.
    fn workspace(&self) -> Vec<String> {
        let cwd = &self.settings.cwd;
        let mut lines = vec![format!("Current working directory: {}", cwd.display())];
        if let Some(name) = cwd.file_name() {
            lines.push(format!("Working directory name: {}", name.display()));
        }
        if let Some(branch) = &self.facts.branch {
            lines.push(format!("Git branch: {branch}"));
        }
        lines
    }

    fn connect(&mut self, conversation: ConversationId, epoch: LinkEpoch) {
        let Some(line) = self.lines.get(&conversation) else {
            never!("connected a conversation that was not opened");
            return;
        };
        let call = realtime::Call {
            conversation: conversation.clone(),
            epoch,
            start: line.start.clone(),
            outbox: line.outbox.clone(),
            hang_up: line.hang_up.clone(),
            network: self.services.network.clone(),
            environment: self.services.environment.clone(),
            local_voice: self.services.local_voice.clone(),
            inbox: self.to_inbox.clone(),
        };
        self.epochs.insert(conversation.clone(), epoch);
        self.spawn(Job::Link(conversation, epoch), call.run());
    }

    /// A link that takes nothing any more is dead.
    fn on_sent(&mut self, conversation: ConversationId, sent: Option<Result<(), OutboxFull>>) {
        if let Some(Err(full)) = sent
            && let Some(epoch) = self.epochs.get(&conversation)
        {
            let news = LinkNews::Down { error: Some(full.to_string()) };
            self.owed.push_back(Input::Link { conversation, epoch: *epoch, news });
        }
    }

    fn hang_up(&mut self, conversation: &ConversationId) {
        self.epochs.remove(conversation);
        if let Some(line) = self.lines.remove(conversation) {
            line.hang_up.cancel();
        }
        if self.lines.is_empty() {
            self.microphone.send_replace(None);
        }
    }

    fn event(&mut self, body: EventBody) {
        let event = self.log.number(Clock::date(), body);
        let trouble = self.journal.event(&event);
        self.log.push(event);
        if let Some(message) = trouble {
            // Only shown: writing it would fail like what it is about.
            self.log.push(self.log.number(Clock::date(), EventBody::Warning { message }));
        }
    }

    fn warn(&mut self, trouble: Trouble) {
        if let Some(message) = trouble {
            self.event(EventBody::Warning { message });
        }
    }

    fn turn_context(&self, turn: TurnId, realtime_active: bool) -> TurnContext {
        let ThreadSettings {
            cwd,
            model,
            model_provider,
            approval_policy,
            sandbox,
            developer_instructions: _,
            ephemeral: _,
        } = ThreadSettings::clone(&self.settings);
        TurnContext { turn, cwd, approval_policy, sandbox, model, model_provider, realtime_active }
    }

    // Tasks.

    fn prepare(&mut self, turn: TurnId) {
        let (own, cwd) = (self.services.documents.clone(), self.settings.cwd.clone());
        let reporter = self.reporter(turn.clone());
        self.spawn(Job::Prepare(turn), calls::prepare(own, cwd, style(self.size), reporter));
    }

    fn call_model(&mut self, turn: TurnId, epoch: Epoch, request: ModelRequest) {
        let stream = self.services.models.stream(&self.provider, &self.settings.model, request);
        let reporter = self.reporter(turn.clone());
        let stop = self.stop(&turn, epoch);
        self.spawn(Job::Model(turn, epoch), calls::call_model(stream, epoch, stop, reporter));
    }

    fn run_tool(&mut self, turn: TurnId, run: Epoch, call: ToolCall) {
        let context = ToolContext {
            facts: Arc::clone(&self.facts),
            sandbox: self.settings.sandbox.clone(),
            style: style(self.size),
            secrets: Arc::clone(&self.secrets),
            test_time: self.test_time,
        };
        let tool = self.services.toolbox.start(&call, &context);
        let reporter = self.reporter(turn.clone());
        let stop = self.stop(&turn, run);
        self.spawn(Job::Tool(turn, run, call), calls::run_tool(tool, run, stop, reporter));
    }

    fn reporter(&self, turn: TurnId) -> Reporter {
        Reporter { turn, inbox: self.to_inbox.clone() }
    }

    fn stop(&mut self, turn: &TurnId, epoch: Epoch) -> CancellationToken {
        let stop = CancellationToken::new();
        self.stops.insert((turn.clone(), epoch), stop.clone());
        stop
    }

    fn spawn(&mut self, job: Job, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(task);
        self.jobs.insert(task.id(), job);
    }

    /// A task has ended. One that broke answers with that, because the thread waits for it.
    fn on_joined(&mut self, joined: Result<(Id, ()), JoinError>) {
        let (id, broken) = match joined {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(error.to_string())),
        };
        let Some(job) = self.jobs.remove(&id) else { return };
        let answer = match job {
            Job::Prepare(turn) => broken.map(|error| Input::Prepared {
                turn,
                name: turn_id(),
                surroundings: Err(format!("cannot look at the workspace: {error}")),
            }),
            Job::Model(turn, epoch) => {
                self.stops.remove(&(turn.clone(), epoch));
                broken.map(|error| Input::Turn { turn, news: model_failed(epoch, error) })
            }
            Job::Tool(turn, run, call) => {
                self.stops.remove(&(turn.clone(), run));
                broken.map(|error| Input::Turn { turn, news: tool_failed(run, call, error) })
            }
            Job::Link(conversation, epoch) => broken.map(|error| {
                let error = Some(format!("the realtime link broke: {error}"));
                Input::Link { conversation, epoch, news: LinkNews::Down { error } }
            }),
        };
        if let Some(input) = answer {
            self.feed(input);
        }
    }
}

/// What goes past the gate: the conversation, and the answers to clients, whose sound waits
/// behind a request that is not answered. These keep their order among each other, and nothing
/// that lasts depends on them.
fn passes_the_gate(output: &Output) -> bool {
    match output {
        Output::Accepted { .. }
        | Output::Refused { .. }
        | Output::Connect { .. }
        | Output::Send { .. }
        | Output::Ping { .. }
        | Output::Disconnect { .. } => true,
        Output::Event(body) => matches!(body, EventBody::Realtime(_)),
        Output::Prepare { .. }
        | Output::LogContext { .. }
        | Output::Record(_)
        | Output::Sync
        | Output::CallModel { .. }
        | Output::RunTool { .. }
        | Output::CancelModel { .. }
        | Output::CancelTool { .. } => false,
    }
}

/// What the provider's model can take.
fn size(provider: &Provider) -> ModelSize {
    match provider.kind {
        ProviderKind::Local => ModelSize::Small,
        ProviderKind::Responses(_) => ModelSize::Full,
    }
}

/// However it ends, also by being dropped or by breaking: readers must not wait for ever.
impl Drop for Driver {
    fn drop(&mut self) {
        self.log.close();
    }
}

fn style(size: ModelSize) -> Style {
    match size {
        ModelSize::Full => Style::Full,
        ModelSize::Small => Style::Typed,
    }
}

fn turn_id() -> TurnId {
    TurnId::new(Uuid::now_v7().to_string())
}

fn model_failed(epoch: Epoch, error: String) -> TurnInput {
    let message = format!("the call of the model broke: {error}");
    TurnInput::ModelFailed { epoch, error: ModelError { kind: ModelErrorKind::Rejected, message } }
}

fn tool_failed(run: Epoch, call: ToolCall, error: String) -> TurnInput {
    let output = format!("{} broke: {error}", call.name);
    let ToolCall { call, name, arguments } = call;
    let body = ItemBody::Tool(ToolItem {
        call,
        tool: name,
        arguments,
        status: ItemStatus::Failed,
        result: output.clone(),
        duration: None,
    });
    TurnInput::ToolFinished { run, body, output }
}

async fn until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
