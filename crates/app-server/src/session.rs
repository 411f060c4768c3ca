//! One client's view of the engine: its requests carried out, its threads' news collected.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use agent_turn::UserInput as TurnInput;
use app_server_protocol::{
    Account, AccountReadResult, ClientInfo, ClientRequest, ConfigReadParams, ConfigReadResult,
    ConfigRequirementsReadResult, EffectiveConfig, Empty, ErrorObject, Model, ModelListResult,
    Origin, OutputModality, RealtimeAppendAudioParams, RealtimeAppendTextParams,
    RealtimeListVoicesResult, RealtimePrompt, RealtimeStartParams, RealtimeStopParams,
    RealtimeTransport, RealtimeVersionName, SandboxPolicyShape, ServerNotification,
    SkillsListResult, Thread as ThreadShape, ThreadLoadedListResult, ThreadReadParams,
    ThreadReadResult, ThreadResumeParams, ThreadStartParams, ThreadStartResult,
    ThreadUnsubscribeParams, ThreadUnsubscribeResult, Turn, TurnInterruptParams, TurnStartParams,
    TurnStartResult, TurnSteerParams, TurnSteerResult, UnsubscribeStatus, UserInput, WarningNotice,
    code, effort_name, news, replay,
};
use config::{ConfigError, KeySource, Override, ProviderKind};
use engine::{Cursor, RealtimeStart, Refused, Thread, ThreadStart};
use futures_util::FutureExt as _;
use futures_util::stream::{AbortHandle, SelectAll, Stream, StreamExt as _, abortable, unfold};
use protocol::{Event, InputSource, RealtimeVersion, ThreadId, TurnId, TurnStatus};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use thread::Prompt;

use crate::connection::{Service, result};
use crate::microphone::{Microphone, MicrophoneError};
use crate::{AppServer, voices};

/// A client after its connection was made.
pub(crate) struct Session<'a> {
    server: &'a AppServer,
    /// What kind of client this is, for the thread's log.
    source: &'a str,
    originator: String,
    threads: HashMap<ThreadId, Subscription>,
    subscribed: u64,
    events: SelectAll<Pin<Box<dyn Stream<Item = Heard> + Send>>>,
    /// Told before anything that happens later.
    pending: VecDeque<ServerNotification>,
}

struct Subscription {
    number: u64,
    thread: Thread,
    microphone: Microphone,
    unsubscribe: AbortHandle,
}

enum Heard {
    Event(Arc<Event>),
    /// The thread ended, or this subscription to it: by then there may be a newer one.
    End {
        thread: ThreadId,
        subscription: u64,
    },
}

impl Service for Session<'_> {
    fn greeted(&mut self, client: &ClientInfo) {
        self.originator = client.name.clone();
    }

    async fn handle(&mut self, request: ClientRequest) -> Result<Box<RawValue>, ErrorObject> {
        match request {
            ClientRequest::ThreadStart(params) => result(&self.start_thread(params)?),
            ClientRequest::ThreadResume(params) => result(&self.resume_thread(params).await?),
            ClientRequest::ThreadRead(params) => result(&self.read_thread(&params)?),
            ClientRequest::ThreadLoadedList(_) => result(&ThreadLoadedListResult {
                data: self.server.engine.loaded().iter().map(ToString::to_string).collect(),
                next_cursor: None,
            }),
            ClientRequest::ThreadUnsubscribe(params) => result(&self.unsubscribe(&params)),
            ClientRequest::TurnStart(params) => result(&self.start_turn(params).await?),
            ClientRequest::TurnSteer(params) => result(&self.steer(params).await?),
            ClientRequest::TurnInterrupt(params) => result(&self.interrupt(params).await?),
            ClientRequest::RealtimeStart(params) => result(&self.start_realtime(params).await?),
            ClientRequest::RealtimeAppendAudio(params) => result(&self.append_audio(&params)?),
            ClientRequest::RealtimeAppendText(params) => result(&self.append_text(params).await?),
            ClientRequest::RealtimeStop(params) => result(&self.stop_realtime(&params).await?),
            ClientRequest::RealtimeListVoices(_) => {
                result(&RealtimeListVoicesResult { voices: voices::all() })
            }
            ClientRequest::ModelList(_) => result(&self.list_models()?),
            ClientRequest::AccountRead(_) => result(&self.read_account()?),
            ClientRequest::ConfigRead(params) => result(&self.read_config(&params)?),
            ClientRequest::ConfigRequirementsRead(Empty {}) => {
                result(&ConfigRequirementsReadResult::default())
            }
            ClientRequest::SkillsList(_) => result(&SkillsListResult::default()),
            ClientRequest::Initialize(_) => {
                Err(ErrorObject::invalid_request("Already initialized"))
            }
        }
    }

    async fn next_news(&mut self) -> ServerNotification {
        loop {
            if let Some(news) = self.pending.pop_front() {
                return news;
            }
            let Self { threads, events, .. } = self;
            let flush = async {
                match threads.values_mut().find(|it| it.microphone.is_waiting()) {
                    Some(subscription) => subscription.microphone.flush().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(heard) = events.next() => self.hear(&heard),
                () = flush => {}
                else => std::future::pending().await,
            }
        }
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(server: &'a AppServer, source: &'a str) -> Self {
        Self {
            server,
            source,
            originator: String::new(),
            threads: HashMap::new(),
            subscribed: 0,
            events: SelectAll::new(),
            pending: VecDeque::new(),
        }
    }

    fn hear(&mut self, heard: &Heard) {
        match heard {
            Heard::Event(event) => {
                self.pending.extend(news(event, self.server.origin()));
            }
            Heard::End { thread, subscription } => {
                if self.threads.get(thread).is_some_and(|it| it.number == *subscription) {
                    self.threads.remove(thread);
                }
            }
        }
    }

    // Threads

    fn start_thread(
        &mut self,
        params: ThreadStartParams,
    ) -> Result<ThreadStartResult, ErrorObject> {
        let ephemeral = params.ephemeral.unwrap_or(false);
        let cwd = params.cwd.clone().unwrap_or_default();
        let (mut start, warnings) = self.configured(params, Vec::new(), Path::new(&cwd))?;
        start.settings.ephemeral = ephemeral;
        let thread = self.server.engine.start_thread(start).map_err(refuse)?;
        self.warn(&thread, warnings);
        let cursor = thread.subscribe_from(0);
        self.listen(thread.clone(), cursor);
        let now = std::time::SystemTime::now();
        let shape = ThreadShape::new(thread.id(), thread.settings(), now, self.server.origin());
        Ok(started(&thread, shape))
    }

    async fn resume_thread(
        &mut self,
        params: ThreadResumeParams,
    ) -> Result<ThreadStartResult, ErrorObject> {
        let ThreadResumeParams { thread_id, exclude_turns, start } = params;
        let id = ThreadId::from(thread_id.as_str());
        let thread = match self.server.engine.thread(&id) {
            Some(thread) => thread,
            None => self.reopen_thread(id, start).await?,
        };
        let mut shape = self.shape(&thread)?;
        if exclude_turns {
            shape.turns.clear();
        }
        if !self.threads.contains_key(thread.id()) {
            let cursor = thread.subscribe();
            self.listen(thread.clone(), cursor);
        }
        Ok(started(&thread, shape))
    }

    async fn reopen_thread(
        &mut self,
        id: ThreadId,
        params: ThreadStartParams,
    ) -> Result<Thread, ErrorObject> {
        let engine = Arc::clone(&self.server.engine);
        let reopened = tokio::task::spawn_blocking(move || engine.reopen(&id))
            .await
            .map_err(|error| ErrorObject::internal(error.to_string()))?
            .map_err(refuse)?;
        let context = reopened.session.context.as_ref();
        let cwd = match (&params.cwd, context) {
            (Some(cwd), _) => PathBuf::from(cwd),
            (None, Some(context)) => context.cwd.clone(),
            (None, None) => reopened.session.meta.cwd.clone(),
        };
        let before = context.into_iter().flat_map(|context| {
            [
                Override::set("model", &context.model),
                Override::set("model_provider", &context.model_provider),
            ]
        });
        let before = before.collect::<Result<_, _>>().map_err(misconfigured)?;
        let (start, warnings) = self.configured(params, before, &cwd)?;
        let thread = self.server.engine.resume_thread(reopened, start).map_err(refuse)?;
        self.warn(&thread, warnings);
        Ok(thread)
    }

    /// What a thread in `cwd` is started with, and what of the configuration is doubtful.
    fn configured(
        &self,
        params: ThreadStartParams,
        before: Vec<Override>,
        cwd: &Path,
    ) -> Result<(ThreadStart, Vec<String>), ErrorObject> {
        // Without `.` and trailing slashes, which would be a different workspace to a reader.
        let cwd: PathBuf = self.server.cwd.join(cwd).components().collect();
        let overrides = overrides(params)?;
        let config = self.server.config_over(before, overrides.clone())?;
        let start = ThreadStart {
            settings: config.thread_settings(cwd),
            provider: config.agent.provider.clone(),
            reasoning: config.agent.reasoning,
            secrets: config.secret_variables(),
            test_time: config.agent.test_time,
            overrides,
            originator: self.originator.clone(),
            source: self.source.to_owned(),
        };
        Ok((start, config.warnings.iter().map(ToString::to_string).collect()))
    }

    fn warn(&mut self, thread: &Thread, warnings: Vec<String>) {
        self.pending.extend(warnings.into_iter().map(|message| {
            let thread_id = Some(thread.id().to_string());
            ServerNotification::Warning(WarningNotice { thread_id, message })
        }));
    }

    /// The thread with its turns.
    fn shape(&self, thread: &Thread) -> Result<ThreadShape, ErrorObject> {
        let events = so_far(thread.subscribe_from(0));
        let origin = Origin { path: thread.log_path(), ..self.server.origin() };
        replay(events.iter().map(AsRef::as_ref), origin)
            .ok_or_else(|| ErrorObject::internal("the thread has not started yet"))
    }

    fn read_thread(&mut self, params: &ThreadReadParams) -> Result<ThreadReadResult, ErrorObject> {
        let ThreadReadParams { thread_id, include_turns } = params;
        let thread = self.thread(thread_id)?.clone();
        let mut shape = self.shape(&thread)?;
        if !include_turns {
            shape.turns.clear();
        }
        Ok(ThreadReadResult { thread: shape })
    }

    fn unsubscribe(&mut self, params: &ThreadUnsubscribeParams) -> ThreadUnsubscribeResult {
        let id = ThreadId::from(params.thread_id.as_str());
        let status = match self.threads.remove(&id) {
            Some(subscription) => {
                subscription.unsubscribe.abort();
                UnsubscribeStatus::Unsubscribed
            }
            None if self.server.engine.thread(&id).is_some() => UnsubscribeStatus::NotSubscribed,
            None => UnsubscribeStatus::NotLoaded,
        };
        ThreadUnsubscribeResult { status }
    }

    /// The thread, whose news this client gets from now on.
    fn thread(&mut self, id: &str) -> Result<&mut Thread, ErrorObject> {
        Ok(&mut self.subscription(id)?.thread)
    }

    fn subscription(&mut self, id: &str) -> Result<&mut Subscription, ErrorObject> {
        let id = ThreadId::from(id);
        if !self.threads.contains_key(&id) {
            let thread = self.server.engine.thread(&id);
            let thread = thread.ok_or_else(|| not_found(&id))?;
            let cursor = thread.subscribe();
            self.listen(thread, cursor);
        }
        self.threads.get_mut(&id).ok_or_else(|| not_found(&id))
    }

    fn listen(&mut self, thread: Thread, cursor: Cursor) {
        let id = thread.id().clone();
        self.subscribed += 1;
        let number = self.subscribed;
        let events = unfold(cursor, async |mut cursor: Cursor| {
            cursor.next().await.map(|event| (Heard::Event(event), cursor))
        });
        let (events, unsubscribe) = abortable(events);
        let end = Heard::End { thread: id.clone(), subscription: number };
        let end = futures_util::stream::iter([end]);
        self.events.push(Box::pin(events.chain(end)));
        let microphone = Microphone::new(thread.clone());
        self.threads.insert(id, Subscription { number, thread, microphone, unsubscribe });
    }

    // Turns

    async fn start_turn(
        &mut self,
        params: TurnStartParams,
    ) -> Result<TurnStartResult, ErrorObject> {
        let thread = self.thread(&params.thread_id)?;
        check_overrides(&params, thread)?;
        let words = TurnInput { material: params.material, ..input(&params.input)? };
        let turn = thread.start_turn(words).await.map_err(refuse)?;
        Ok(TurnStartResult { turn: Turn::new(&turn, &TurnStatus::InProgress) })
    }

    async fn steer(&mut self, params: TurnSteerParams) -> Result<TurnSteerResult, ErrorObject> {
        let TurnSteerParams { thread_id, input: words, expected_turn_id } = params;
        let thread = self.thread(&thread_id)?;
        if expected_turn_id.is_empty() {
            return Err(ErrorObject::invalid_request("expectedTurnId must not be empty"));
        }
        let expected = Some(TurnId::from(expected_turn_id.as_str()));
        let turn =
            thread.steer(expected, input(&words)?).await.map_err(|refused| match refused {
                Refused::NoTurn => ErrorObject::invalid_request("no active turn to steer"),
                other => refuse(other),
            })?;
        Ok(TurnSteerResult { turn_id: turn.to_string() })
    }

    async fn interrupt(&mut self, params: TurnInterruptParams) -> Result<Empty, ErrorObject> {
        let TurnInterruptParams { thread_id, turn_id } = params;
        let expected = (!turn_id.is_empty()).then(|| TurnId::from(turn_id.as_str()));
        self.thread(&thread_id)?.interrupt(expected).await.map_err(|refused| match refused {
            Refused::NoTurn => ErrorObject::invalid_request("no active turn to interrupt"),
            other => refuse(other),
        })?;
        Ok(Empty {})
    }

    // The conversation

    async fn start_realtime(&mut self, params: RealtimeStartParams) -> Result<Empty, ErrorObject> {
        let RealtimeStartParams {
            thread_id,
            prompt,
            realtime_session_id,
            session_id,
            transport,
            voice,
            output_modality,
            version,
            model,
        } = params;
        let overrides = self.thread(&thread_id)?.overrides().to_vec();
        let realtime = self.server.config(overrides)?.realtime;
        let thread = self.thread(&thread_id)?;
        if !realtime.enabled {
            return Err(ErrorObject::invalid_request(format!(
                "thread {thread_id} does not support realtime conversation"
            )));
        }
        match transport {
            None | Some(RealtimeTransport::Websocket) => {}
            Some(RealtimeTransport::Webrtc { .. } | RealtimeTransport::ExistingCall { .. }) => {
                return Err(ErrorObject::invalid_request(
                    "only the websocket transport is supported: use {\"type\":\"websocket\"}",
                ));
            }
        }
        match output_modality {
            None | Some(OutputModality::Audio) => {}
            Some(OutputModality::Text) => {
                return Err(ErrorObject::invalid_request(
                    "only audio output is supported: use outputModality \"audio\"",
                ));
            }
        }
        let version = match version {
            None => realtime.version,
            Some(RealtimeVersionName::V1) => RealtimeVersion::V1,
            Some(RealtimeVersionName::V2) => RealtimeVersion::V2,
            Some(RealtimeVersionName::V3) => {
                return Err(ErrorObject::invalid_request(
                    "realtime version v3 is not supported: use v1 or v2",
                ));
            }
        };
        let voice = voices::choose(version, voice.as_deref().or(realtime.voice.as_deref()))
            .map_err(ErrorObject::invalid_request)?;
        let prompt = match (realtime.backend_prompt, prompt) {
            (Some(configured), _) => Prompt::Text(configured),
            (None, RealtimePrompt::Default) => Prompt::Default { user: None },
            (None, RealtimePrompt::Nothing) => Prompt::Text(String::new()),
            (None, RealtimePrompt::Text(text)) => Prompt::Text(text),
        };
        let start = RealtimeStart {
            session_id: realtime_session_id.or(session_id),
            service: realtime.service,
            version,
            model: model.unwrap_or(realtime.model),
            mode: realtime.mode,
            voice,
            prompt,
            context: realtime.startup_context,
            start_instructions: realtime.start_instructions,
        };
        thread.start_realtime(start).await.map_err(refuse)?;
        Ok(Empty {})
    }

    fn append_audio(&mut self, params: &RealtimeAppendAudioParams) -> Result<Empty, ErrorObject> {
        let RealtimeAppendAudioParams { thread_id, audio } = params;
        let appended = self.subscription(thread_id)?.microphone.append(audio);
        appended.map(|()| Empty {}).map_err(|error| match error {
            MicrophoneError::Shape(_) | MicrophoneError::Rate(_) => {
                ErrorObject::new(code::INVALID_PARAMS, error.to_string())
            }
            MicrophoneError::Refused(refused) => refuse(refused),
            MicrophoneError::TooFast => ErrorObject::new(code::OVERLOADED, error.to_string()),
        })
    }

    async fn append_text(
        &mut self,
        params: RealtimeAppendTextParams,
    ) -> Result<Empty, ErrorObject> {
        let RealtimeAppendTextParams { thread_id, text } = params;
        self.thread(&thread_id)?.append_text(text).await.map_err(refuse)?;
        Ok(Empty {})
    }

    async fn stop_realtime(&mut self, params: &RealtimeStopParams) -> Result<Empty, ErrorObject> {
        match self.thread(&params.thread_id)?.stop_realtime().await {
            // What was wanted is so.
            Ok(()) | Err(Refused::NoConversation) => Ok(Empty {}),
            Err(refused @ (Refused::NoTurn | Refused::OtherTurn { .. } | Refused::Closed)) => {
                Err(refuse(refused))
            }
        }
    }

    // What is configured

    fn list_models(&self) -> Result<ModelListResult, ErrorObject> {
        let agent = self.server.config(Vec::new())?.agent;
        let description = match agent.provider.kind {
            ProviderKind::Local => "Runs on this machine, without a network",
            ProviderKind::Responses(_) => "As configured",
        };
        Ok(ModelListResult {
            data: vec![Model {
                id: agent.model.clone(),
                model: agent.model.clone(),
                display_name: agent.model,
                description: format!("{description} ({})", agent.provider.name),
                hidden: false,
                is_default: true,
                supported_reasoning_efforts: Vec::new(),
                default_reasoning_effort: "none".to_owned(),
                input_modalities: vec!["text".to_owned()],
            }],
            next_cursor: None,
        })
    }

    /// Nobody has to log in: a provider has its key from the environment or the file.
    fn read_account(&self) -> Result<AccountReadResult, ErrorObject> {
        let agent = self.server.config(Vec::new())?.agent;
        let account = match agent.provider.kind {
            ProviderKind::Local => None,
            ProviderKind::Responses(endpoint) => match endpoint.key {
                KeySource::Variable { .. } | KeySource::Token(_) => Some(Account::ApiKey {}),
                KeySource::None => None,
            },
        };
        Ok(AccountReadResult { account, requires_openai_auth: false })
    }

    fn read_config(&self, _params: &ConfigReadParams) -> Result<ConfigReadResult, ErrorObject> {
        let agent = self.server.config(Vec::new())?.agent;
        Ok(ConfigReadResult {
            config: EffectiveConfig {
                model: Some(agent.model),
                model_provider: Some(agent.provider.id),
                approval_policy: Some(agent.approval_policy.into()),
                sandbox_mode: Some(agent.sandbox.mode.into()),
                developer_instructions: agent.developer_instructions,
            },
            origins: serde_json::Map::new(),
        })
    }
}

/// What the client wants otherwise than the file: the dotted keys first, since the named
/// members of the request are the clearer wish.
fn overrides(params: ThreadStartParams) -> Result<Vec<Override>, ErrorObject> {
    let ThreadStartParams {
        cwd: _,
        model,
        model_provider,
        approval_policy,
        sandbox,
        config,
        developer_instructions,
        ephemeral: _,
    } = params;
    let mut overrides = Vec::new();
    for (key, value) in config.into_iter().flatten() {
        // TOML has no null; in a request it means "as it is".
        if !value.is_null() {
            overrides.push(Override::set(&key, value));
        }
    }
    let named = [
        ("model", model.map(Value::from)),
        ("model_provider", model_provider.map(Value::from)),
        ("approval_policy", approval_policy.map(|it| json!(it))),
        ("sandbox_mode", sandbox.map(|it| json!(it))),
        ("developer_instructions", developer_instructions.map(Value::from)),
    ];
    let named = named.into_iter().filter_map(|(key, value)| Some(Override::set(key, value?)));
    overrides.into_iter().chain(named).collect::<Result<_, _>>().map_err(misconfigured)
}

/// A turn runs with its thread's settings. Another wish is refused, not ignored.
fn check_overrides(params: &TurnStartParams, thread: &Thread) -> Result<(), ErrorObject> {
    let settings = thread.settings();
    let TurnStartParams {
        thread_id: _,
        input: _,
        material: _,
        cwd,
        model,
        approval_policy,
        sandbox_policy,
        output_schema,
    } = params;
    let same_sandbox = |wanted: &SandboxPolicyShape| {
        let own = SandboxPolicyShape::from(&settings.sandbox);
        std::mem::discriminant(wanted) == std::mem::discriminant(&own)
    };
    let refused = [
        ("cwd", cwd.as_ref().is_some_and(|it| Path::new(it) != settings.cwd)),
        ("model", model.as_ref().is_some_and(|it| *it != settings.model)),
        ("approvalPolicy", approval_policy.is_some_and(|it| it != settings.approval_policy.into())),
        ("sandboxPolicy", sandbox_policy.as_ref().is_some_and(|it| !same_sandbox(it))),
        ("outputSchema", output_schema.is_some()),
    ];
    match refused.into_iter().find(|(_, differs)| *differs) {
        Some((name, _)) => Err(ErrorObject::invalid_request(format!(
            "turn/start.{name} is not supported: start another thread with it"
        ))),
        None => Ok(()),
    }
}

/// The words of a request.
fn input(input: &[UserInput]) -> Result<TurnInput, ErrorObject> {
    let mut texts = Vec::new();
    for part in input {
        match part {
            UserInput::Text { text } => texts.push(text.as_str()),
            UserInput::Image {}
            | UserInput::LocalImage {}
            | UserInput::Audio {}
            | UserInput::LocalAudio {}
            | UserInput::Skill {}
            | UserInput::Mention {}
            | UserInput::Unknown => {
                return Err(ErrorObject::invalid_request(
                    "only input of type `text` is supported so far",
                ));
            }
        }
    }
    let text = texts.join("\n");
    if text.trim().is_empty() {
        return Err(ErrorObject::invalid_request("input must not be empty"));
    }
    Ok(TurnInput { text, source: InputSource::Typed, material: None })
}

/// The events that have happened.
fn so_far(mut cursor: Cursor) -> Vec<Arc<Event>> {
    let mut events = Vec::new();
    while let Some(Some(event)) = cursor.next().now_or_never() {
        events.push(event);
    }
    events
}

fn started(thread: &Thread, shape: ThreadShape) -> ThreadStartResult {
    let settings = thread.settings();
    ThreadStartResult {
        thread: shape,
        model: settings.model.clone(),
        model_provider: settings.model_provider.clone(),
        cwd: settings.cwd.to_string_lossy().into_owned(),
        approval_policy: settings.approval_policy.into(),
        approvals_reviewer: "user".to_owned(),
        sandbox: SandboxPolicyShape::from(&settings.sandbox),
        reasoning_effort: thread.reasoning().effort.map(|it| effort_name(it).to_owned()),
    }
}

fn not_found(id: &ThreadId) -> ErrorObject {
    ErrorObject::invalid_request(format!("thread not found: {id}"))
}

fn refuse(error: impl std::error::Error) -> ErrorObject {
    ErrorObject::invalid_request(error.to_string())
}

pub(crate) fn misconfigured(error: ConfigError) -> ErrorObject {
    ErrorObject::invalid_request(error.to_string())
}
