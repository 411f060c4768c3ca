//! One client's one job.
//!
//! The thread of the connection does the job and writes the replies; a second one does nothing
//! but notice that the client left.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread;

use bytes::{Bytes, BytesMut};
use speech::{AsrError, AsrOptions, TtsError, TtsOptions, VAD_FRAME};

use super::Host;
use crate::Model;
use crate::agent::{AgentJob, Work};
use crate::scheduler::{Cancel, Cancelled, Priority};
use crate::wire::{
    Failure, Frame, FrameError, Job, Reply, Samples, floats_to_bytes, pcm_from_bytes, pcm_to_bytes,
};

/// More than the agent can say in one job: a reply per token and per step of loading.
const MAX_REPLIES: usize = 4_096;

pub(super) struct Connection<'h> {
    host: &'h Host,
    incoming: Incoming,
    outgoing: Outgoing,
    agent: SyncSender<AgentJob>,
    cancel: Cancel,
}

/// Why a job ended before its last reply.
enum Stop {
    /// The client is gone, or wrote something that is not understood.
    Gone,
    Failed(Failure),
}

impl<'h> Connection<'h> {
    pub(super) fn new(
        host: &'h Host,
        stream: UnixStream,
        agent: SyncSender<AgentJob>,
    ) -> io::Result<Self> {
        let outgoing = Outgoing { stream: stream.try_clone()? };
        let incoming = Incoming { stream, buffer: BytesMut::new() };
        Ok(Self { host, incoming, outgoing, agent, cancel: Cancel::default() })
    }

    pub(super) fn refuse(mut self, jobs: u32) {
        self.end(Err(Stop::Failed(Failure::Busy { jobs })));
    }

    pub(super) fn serve(mut self) {
        let (job, payload) = match self.incoming.next::<Job>() {
            Ok(Some(job)) => job,
            // A knock without a word: another host looked whether we are there.
            Ok(None) => return,
            Err(error) => {
                let failure = Failure::Rejected { message: error.to_string() };
                return self.end(Err(Stop::Failed(failure)));
            }
        };
        let done = match self.outgoing.say(&Reply::Accepted) {
            Ok(()) => self.work(job, &payload),
            Err(stop) => Err(stop),
        };
        self.end(done);
    }

    fn end(&mut self, done: Result<(), Stop>) {
        let said = match done {
            Ok(()) => self.outgoing.say(&Reply::Done),
            Err(Stop::Failed(failure)) => self.outgoing.say(&Reply::Failed { failure }),
            Err(Stop::Gone) => Ok(()),
        };
        // A client that left cannot be told, and need not be.
        drop(said);
    }

    fn work(&mut self, job: Job, payload: &Bytes) -> Result<(), Stop> {
        let model = model_of(&job);
        if job == Job::VoiceActivity {
            return unbroken(model, || self.voice_activity());
        }
        self.watched(model, |task| task.run(job, payload))
    }

    /// Does `work` until the client leaves.
    fn watched(
        &mut self,
        model: Model,
        work: impl FnOnce(Task<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let watched = self.incoming.stream.try_clone().map_err(|_| Stop::Gone)?;
        let Self { host, outgoing, agent, cancel, incoming } = self;
        thread::scope(|scope| {
            scope.spawn(|| {
                // The client has nothing more to say: bytes, an error and the end all mean
                // that it no longer follows.
                let mut byte = [0];
                drop((&watched).read(&mut byte));
                host.scheduler.cancel(cancel);
            });
            // Also when it panics: the watcher waits for the client, which waits for us.
            let done = unbroken(model, || work(Task { host, outgoing, agent, cancel }));
            // Wakes the watcher. What was written is still delivered.
            drop(incoming.stream.shutdown(Shutdown::Read));
            done
        })
    }

    /// Not scheduled: it is heard while everybody else computes.
    fn voice_activity(&mut self) -> Result<(), Stop> {
        let mut stream = self.host.speech.vad().map_err(Stop::Failed)?.stream();
        let mut pending: Vec<f32> = Vec::new();
        while let Some((Samples {}, payload)) = self
            .incoming
            .next()
            .map_err(|error| Stop::Failed(Failure::Rejected { message: error.to_string() }))?
        {
            pending.extend(pcm_from_bytes(&payload).into_iter().map(ear));
            let (frames, rest) = pending.as_chunks::<VAD_FRAME>();
            let mut probabilities = Vec::with_capacity(frames.len());
            for frame in frames {
                let heard = stream.hear(frame);
                probabilities.push(heard.map_err(|it| failed(Model::VoiceActivity, &it))?);
            }
            pending = rest.to_vec();
            if !probabilities.is_empty() {
                let payload = floats_to_bytes(&probabilities);
                self.outgoing.say_with(&Reply::Probabilities, payload)?;
            }
        }
        Ok(())
    }
}

/// One job that breaks is an error of that job: the others go on.
fn unbroken(model: Model, work: impl FnOnce() -> Result<(), Stop>) -> Result<(), Stop> {
    // What it leaves half done is its own: turns and models are given back as it unwinds. Its
    // words are in the log.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_panic| {
        let message = "it broke down in the middle".to_owned();
        Err(Stop::Failed(Failure::Model { model, message }))
    })
}

/// The model that a job needs first.
fn model_of(job: &Job) -> Model {
    match job {
        Job::VoiceActivity => Model::VoiceActivity,
        Job::EndOfTurn => Model::EndOfTurn,
        Job::Transcribe { .. } => Model::SpeechToText,
        Job::Synthesize { .. } => Model::TextToSpeech,
        Job::Generate { .. } | Job::Route { .. } => Model::Agent,
        Job::WarmUp { models } => models.first().copied().unwrap_or(Model::Agent),
    }
}

/// A job that computes in turn with others.
struct Task<'c> {
    host: &'c Host,
    outgoing: &'c mut Outgoing,
    agent: &'c SyncSender<AgentJob>,
    cancel: &'c Cancel,
}

impl Task<'_> {
    fn run(self, job: Job, payload: &Bytes) -> Result<(), Stop> {
        match job {
            Job::WarmUp { models } => self.warm_up(&models),
            Job::Generate { request } => self.ask_agent(Work::Generate(request.into())),
            Job::Route { words } => self.route(words),
            Job::EndOfTurn => self.end_of_turn(payload),
            Job::Transcribe { language, vocabulary } => {
                self.transcribe(payload, AsrOptions { language, vocabulary })
            }
            Job::Synthesize { text, speed } => self.synthesize(&text, speed),
            // Handled before: it reads while it works.
            Job::VoiceActivity => Ok(()),
        }
    }

    fn warm_up(mut self, models: &[Model]) -> Result<(), Stop> {
        for model in models {
            let model = *model;
            self.outgoing.say(&Reply::Loading { model, done: 0.0 })?;
            if model == Model::Agent {
                self.ask_agent_more(Work::Load)?;
            } else {
                self.host.speech.load(model).map_err(Stop::Failed)?;
            }
            self.outgoing.say(&Reply::Loading { model, done: 1.0 })?;
        }
        Ok(())
    }

    fn route(self, words: String) -> Result<(), Stop> {
        let route = self.host.router.route(words, self.cancel).map_err(Stop::Failed)?;
        self.outgoing.say(&Reply::Routed { route })
    }

    fn end_of_turn(self, payload: &Bytes) -> Result<(), Stop> {
        let model = self.host.speech.end_of_turn().map_err(Stop::Failed)?;
        let samples = ears(payload);
        let turn = self.host.scheduler.enter(Priority::EndOfTurn, self.cancel)?;
        let probability = model.probability(&samples);
        drop(turn);
        let probability = probability.map_err(|it| failed(Model::EndOfTurn, &it))?;
        self.outgoing.say(&Reply::EndOfTurn { probability })
    }

    fn transcribe(self, payload: &Bytes, options: AsrOptions) -> Result<(), Stop> {
        let model = self.host.speech.asr().map_err(Stop::Failed)?;
        let samples = ears(payload);
        let mut turn = self.host.scheduler.enter(Priority::SpeechToText, self.cancel)?;
        let heard = model.transcribe(&samples, &options, &mut || match turn.checkpoint() {
            Ok(()) => ControlFlow::Continue(()),
            Err(Cancelled) => ControlFlow::Break(()),
        });
        drop(turn);
        match heard {
            Ok(speech::Transcript { text, log_probability, no_speech }) => {
                self.outgoing.say(&Reply::Transcript { text, log_probability, no_speech })
            }
            Err(AsrError::Cancelled) => Err(Stop::Gone),
            Err(error @ AsrError::UnknownLanguage(_)) => {
                Err(Stop::Failed(Failure::Rejected { message: error.to_string() }))
            }
        }
    }

    fn synthesize(self, text: &str, speed: f32) -> Result<(), Stop> {
        let model = self.host.speech.tts().map_err(Stop::Failed)?;
        let mut stop = None;
        let mut turn = Some(self.host.scheduler.enter(Priority::TextToSpeech, self.cancel)?);
        let spoken = model.speak(text, &TtsOptions { speed }, &mut |sentence| {
            // A client that reads slowly must not hold the cores while we wait for it.
            turn = None;
            let speech::Sentence { text, pcm } = sentence;
            let sent =
                self.outgoing.say_with(&Reply::Sound { text }, pcm_to_bytes(&pcm)).and_then(|()| {
                    let again = self.host.scheduler.enter(Priority::TextToSpeech, self.cancel)?;
                    turn = Some(again);
                    Ok(())
                });
            match sent {
                Ok(()) => ControlFlow::Continue(()),
                Err(why) => {
                    stop = Some(why);
                    ControlFlow::Break(())
                }
            }
        });
        drop(turn);
        match (spoken, stop) {
            (_, Some(why)) => Err(why),
            (Ok(()), None) => Ok(()),
            (Err(TtsError::Cancelled), None) => Err(Stop::Gone),
            (Err(TtsError::Net(error)), None) => Err(failed(Model::TextToSpeech, &error)),
        }
    }

    fn ask_agent(mut self, work: Work) -> Result<(), Stop> {
        self.ask_agent_more(work)
    }

    /// Hands `work` to the agent's thread and passes on what it says, up to its end.
    fn ask_agent_more(&mut self, work: Work) -> Result<(), Stop> {
        let (replies, answers) = mpsc::sync_channel(MAX_REPLIES);
        let job = AgentJob { work, replies, cancel: self.cancel.clone() };
        self.agent.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => {
                Stop::Failed(Failure::Busy { jobs: super::MAX_AGENT_JOBS as u32 })
            }
            TrySendError::Disconnected(_) => Stop::Failed(Failure::Model {
                model: Model::Agent,
                message: "it broke down before".to_owned(),
            }),
        })?;
        for reply in answers {
            match reply {
                Reply::Done => return Ok(()),
                Reply::Failed { failure } => return Err(Stop::Failed(failure)),
                Reply::Accepted
                | Reply::Loading { .. }
                | Reply::TextDelta { .. }
                | Reply::Message { .. }
                | Reply::ToolCall { .. }
                | Reply::Usage { .. }
                | Reply::Probabilities
                | Reply::EndOfTurn { .. }
                | Reply::Transcript { .. }
                | Reply::Routed { .. }
                | Reply::Sound { .. } => self.outgoing.say(&reply)?,
            }
        }
        // It was cancelled, or its thread broke down in the middle; then nobody hears this.
        Err(Stop::Failed(Failure::Model {
            model: Model::Agent,
            message: "it stopped in the middle".to_owned(),
        }))
    }
}

impl From<Cancelled> for Stop {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Gone
    }
}

struct Incoming {
    stream: UnixStream,
    buffer: BytesMut,
}

impl Incoming {
    /// The next frame; `None` when the client closed between two.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<(T, Bytes)>, FrameError> {
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(frame) = Frame::decode(&mut self.buffer)? {
                return Ok(Some((frame.parse()?, frame.payload)));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) if self.buffer.is_empty() => return Ok(None),
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(size) => self.buffer.extend_from_slice(&chunk[..size]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

struct Outgoing {
    stream: UnixStream,
}

impl Outgoing {
    fn say(&mut self, reply: &Reply) -> Result<(), Stop> {
        self.say_with(reply, Bytes::new())
    }

    fn say_with(&mut self, reply: &Reply, payload: Bytes) -> Result<(), Stop> {
        let frame = Frame::new(reply, payload)
            .map_err(|error| Stop::Failed(Failure::Rejected { message: error.to_string() }))?;
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.stream.write_all(&bytes).map_err(|_| Stop::Gone)
    }
}

fn failed(model: Model, error: &speech::NetError) -> Stop {
    Stop::Failed(Failure::Model { model, message: error.to_string() })
}

fn ears(payload: &[u8]) -> Vec<f32> {
    pcm_from_bytes(payload).into_iter().map(ear).collect()
}

fn ear(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::path::Path;
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::ModelFiles;
    use crate::agent::Router;
    use crate::host::SpeechModels;
    use crate::scheduler::Scheduler;

    /// The client waits for an answer and keeps its connection open.
    #[test]
    fn a_job_that_breaks_is_answered() {
        let files = ModelFiles::beneath(Path::new("/nowhere"));
        let host = Host {
            scheduler: Scheduler::default(),
            router: Router::default(),
            speech: SpeechModels::new(&files, NonZeroU32::MIN),
            connections: AtomicU32::new(1),
        };
        let (ours, client) = UnixStream::pair().unwrap();
        let (jobs, _agent) = mpsc::sync_channel(1);
        let mut connection = Connection::new(&host, ours, jobs).unwrap();
        let done = connection.watched(Model::TextToSpeech, |task| {
            let _turn = task.host.scheduler.enter(Priority::TextToSpeech, task.cancel)?;
            panic!("a poisoned job, on purpose");
        });
        let Err(Stop::Failed(Failure::Model { model, message })) = done else {
            panic!("the job was not broken");
        };
        assert_eq!((model, message.as_str()), (Model::TextToSpeech, "it broke down in the middle"));
        drop(client);
        // The cores were given back.
        drop(host.scheduler.enter(Priority::Agent, &Cancel::default()).unwrap());
    }
}
