//! One connection, from its first event to its last.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use realtime_wire::server as wire;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use voice_pipeline::{ClientEvent, Input, Output, Pipeline};

use crate::convert::{Scribe, client_event, settings};
use crate::ears::listen;
use crate::jobs::Jobs;
use crate::outbox::{NotSent, Outbox, outbox};
use crate::phrases::Phrases;
use crate::services::{ServiceError, Services};
use crate::sound::Inlet;

/// Sound that a client may be ahead of the ear before it is no longer read: a minute, which is
/// a recording fed as fast as it can be. A live microphone is never ahead.
const AHEAD: u64 = 60 * audio_dsp::DUET_HZ as u64;

/// Speech that may wait to be written down before a client is no longer read: what is kept of
/// sound anyway. Only a recording of hours gets there.
const UNWRITTEN: u64 = 10 * 60 * audio_dsp::DUET_HZ as u64;

/// How often a silent client is asked whether it is there, and when it counts as gone.
const PING: Duration = Duration::from_secs(20);
const GONE: Duration = Duration::from_secs(60);

/// Sessions end after a day. The service ends them after an hour; nobody is waiting for ours.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a client may take to read what was left to say when its session ended. One that
/// does not read at all must not keep its place.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Bytes of a reason to close: 125 in a control frame, two for the code (RFC 6455, section 5.5).
const LONGEST_REASON: usize = 123;

/// What a session is made of.
pub(crate) struct Setup<S> {
    pub(crate) services: Arc<S>,
    pub(crate) phrases: Arc<Phrases>,
    pub(crate) session: wire::Session,
    /// New in the world: part of every id.
    pub(crate) seed: String,
    /// Spoken where the client does not say.
    pub(crate) language: String,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    ClientLeft,
    ClientGone,
    SlowReader,
    /// The listener failed, and the client does not commit by itself.
    Deaf(String),
    TooOld,
    Stopping,
}

/// Runs one session to its end.
pub(crate) async fn run<S: Services>(socket: WebSocket, setup: Setup<S>, stop: CancellationToken) {
    let (sink, mut stream) = socket.split();
    let (outbox, delivery) = outbox();
    let mut delivery = pin!(delivery.deliver(sink));
    let mut delivered = false;
    let end = {
        let mut session = pin!(Session::new(setup, outbox).run(&mut stream, stop));
        tokio::select! {
            end = &mut session => end,
            () = &mut delivery => {
                delivered = true;
                // It sees by itself that the socket is gone.
                session.await
            }
        }
    };
    let last_words = async {
        if !delivered {
            delivery.await;
        }
    };
    // A socket that is closed with something unread is reset, which takes our last words back
    // from a client that has not read them yet.
    let rest = async { while let Some(Ok(_)) = stream.next().await {} };
    if timeout(LAST_WORDS, async { tokio::join!(last_words, rest) }).await.is_err() {
        tracing::debug!("a client did not say goodbye");
    }
    tracing::info!(?end, "a realtime session ended");
}

struct Session<S> {
    pipeline: Pipeline,
    scribe: Scribe,
    inlet: Inlet,
    jobs: Jobs<S>,
    ears: Ears,
    outbox: Outbox,
    services: Arc<S>,
    language: String,
    heard_from: Instant,
}

/// The session's side of its listener, which starts with the first sound.
struct Ears {
    tasks: JoinSet<()>,
    to_listener: Option<mpsc::Sender<Vec<i16>>>,
    verdicts: mpsc::Receiver<Result<Vec<f32>, ServiceError>>,
    from_listener: mpsc::Sender<Result<Vec<f32>, ServiceError>>,
    /// Sound that the listener has not taken yet; bounded by [`AHEAD`].
    waiting: Vec<i16>,
}

impl<S: Services> Session<S> {
    fn new(setup: Setup<S>, outbox: Outbox) -> Self {
        let Setup { services, phrases, session, seed, language } = setup;
        let settings = settings(&session, &language);
        let (from_listener, verdicts) = mpsc::channel(64);
        Self {
            pipeline: Pipeline::new(settings, seed.clone()),
            inlet: Inlet::new(session.input_format),
            scribe: Scribe::new(session, seed),
            jobs: Jobs::new(Arc::clone(&services), phrases),
            ears: Ears {
                tasks: JoinSet::new(),
                to_listener: None,
                verdicts,
                from_listener,
                waiting: Vec::new(),
            },
            outbox,
            services,
            language,
            heard_from: Instant::now(),
        }
    }

    async fn run(mut self, stream: &mut SplitStream<WebSocket>, stop: CancellationToken) -> End {
        let end = match self.drive(stream, &stop).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        if let Some(reason) = goodbye(&end) {
            self.outbox.close(reason);
        }
        end
    }

    async fn drive(
        &mut self,
        stream: &mut SplitStream<WebSocket>,
        stop: &CancellationToken,
    ) -> Result<std::convert::Infallible, End> {
        let created = wire::ServerEvent::SessionCreated(Box::new(self.scribe.session.clone()));
        self.post(&created)?;
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let oldest = Instant::now() + LONGEST;
        loop {
            let reads = self.pipeline.unjudged() < AHEAD && self.pipeline.unwritten() < UNWRITTEN;
            let has_room = self.outbox.has_room();
            // In this order, so that a run repeats: what a client asks for does not wait
            // behind what models say.
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(End::Stopping),
                () = self.outbox.gone() => return Err(End::ClientGone),
                message = stream.next(), if reads => self.on_message(message)?,
                Some(verdicts) = self.ears.verdicts.recv() => self.on_verdicts(verdicts)?,
                permit = room(self.ears.to_listener.clone()), if !self.ears.waiting.is_empty() => {
                    // A listener that is gone has said why.
                    if let Some(permit) = permit {
                        permit.send(std::mem::take(&mut self.ears.waiting));
                    } else {
                        self.ears.waiting.clear();
                    }
                }
                (epoch, news) = self.jobs.next(), if has_room => {
                    self.handle(Input::Job { epoch, news })?;
                }
                () = self.outbox.room(), if !has_room => (),
                _ = pings.tick() => {
                    if reads && GONE < self.heard_from.elapsed() {
                        return Err(End::ClientGone);
                    }
                    self.put(Message::Ping(Vec::new().into()))?;
                }
                () = tokio::time::sleep_until(oldest) => return Err(End::TooOld),
            }
        }
    }

    fn on_message(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard_from = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => match wire::decode(&text) {
                Ok(wire::Received { event_id, event }) => self.on_event(event_id, event),
                Err(refusal) => self.post(&wire::ServerEvent::Error(refusal)),
            },
            Some(Ok(Message::Binary(_))) => {
                self.post(&wire::ServerEvent::Error(wire::Refusal::new(
                    wire::ErrorCode::InvalidEvent,
                    "Events are text frames of JSON; sound is base64 in \
                     'input_audio_buffer.append'.",
                )))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(End::ClientLeft),
            Some(Err(error)) => {
                tracing::debug!(%error, "a client's socket broke");
                Err(End::ClientGone)
            }
        }
    }

    fn on_event(&mut self, event_id: Option<String>, event: wire::ClientEvent) -> Result<(), End> {
        match event {
            wire::ClientEvent::UpdateSession(patch) => {
                let voice = match self.pipeline.voice_was_heard() {
                    true => wire::VoiceUse::Heard,
                    false => wire::VoiceUse::Unheard,
                };
                if let Err(refusal) = self.scribe.session.apply(*patch, voice) {
                    let refusal = refusal.answering(event_id.as_deref());
                    return self.post(&wire::ServerEvent::Error(refusal));
                }
                let session = &self.scribe.session;
                self.inlet.set_format(session.input_format);
                let settings = Box::new(settings(session, &self.language));
                self.handle(Input::Client { event_id, event: ClientEvent::Configure(settings) })
            }
            wire::ClientEvent::AppendAudio { audio } => {
                let pcm = self.inlet.push(&audio);
                if pcm.is_empty() {
                    return Ok(());
                }
                let for_the_ear = self.inlet.for_the_ear(&pcm);
                self.hear(&for_the_ear);
                self.handle(Input::Audio { pcm })
            }
            event => {
                if matches!(event, wire::ClientEvent::ClearAudio) {
                    self.inlet.reset();
                }
                match client_event(event, self.scribe.session.input_format) {
                    Some(event) => self.handle(Input::Client { event_id, event }),
                    None => Ok(()),
                }
            }
        }
    }

    fn hear(&mut self, pcm: &[i16]) {
        if self.ears.to_listener.is_none() {
            let (to_listener, sound) = mpsc::channel(1);
            let services = Arc::clone(&self.services);
            let verdicts = self.ears.from_listener.clone();
            self.ears.tasks.spawn(async move { listen(&*services, sound, verdicts).await });
            self.ears.to_listener = Some(to_listener);
        }
        if self.ears.to_listener.as_ref().is_some_and(|it| !it.is_closed()) {
            self.ears.waiting.extend_from_slice(pcm);
        }
    }

    fn on_verdicts(&mut self, verdicts: Result<Vec<f32>, ServiceError>) -> Result<(), End> {
        match verdicts {
            Ok(probabilities) => self.handle(Input::Voice { probabilities }),
            Err(ServiceError { message }) => self.handle(Input::VoiceLost { message }),
        }
    }

    fn handle(&mut self, input: Input) -> Result<(), End> {
        let outputs: Vec<Output> = self.pipeline.handle(input).collect();
        for output in outputs {
            match output {
                Output::Send(event) => {
                    for frame in self.scribe.frames(event) {
                        self.put(Message::Text(frame.into()))?;
                    }
                }
                Output::Start { epoch, job } => self.jobs.start(epoch, job),
                Output::Cancel { epoch } => self.jobs.cancel(epoch),
            }
        }
        match self.pipeline.lost() {
            Some(why) => Err(End::Deaf(why.to_owned())),
            None => Ok(()),
        }
    }

    fn post(&mut self, event: &wire::ServerEvent) -> Result<(), End> {
        let frame = self.scribe.frame(event);
        self.put(Message::Text(frame.into()))
    }

    fn put(&self, message: Message) -> Result<(), End> {
        self.outbox.put(message).map_err(|error| match error {
            NotSent::Full => End::SlowReader,
            NotSent::Gone => End::ClientGone,
        })
    }
}

/// Waits until the listener takes more; `None` when it is gone.
async fn room(to_listener: Option<mpsc::Sender<Vec<i16>>>) -> Option<mpsc::OwnedPermit<Vec<i16>>> {
    to_listener?.reserve_owned().await.ok()
}

/// What a client is told that does not know why it ends.
fn goodbye(end: &End) -> Option<CloseFrame> {
    // RFC 6455, section 7.4.1.
    let (code, reason) = match end {
        End::ClientLeft | End::ClientGone => return None,
        End::Deaf(why) => (1011, shortened(why)),
        End::SlowReader => (1008, "you read more slowly than you asked for events"),
        End::TooOld => (1000, "a session lasts a day: connect again"),
        End::Stopping => (1001, "the server stops"),
    };
    Some(CloseFrame { code, reason: reason.into() })
}

/// What fits into a close frame. The whole of it went before, as an `error` event.
fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(LONGEST_REASON)]
}
