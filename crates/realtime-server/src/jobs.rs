//! A session's jobs: each a task of its own, all of them owned here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::ModelEvent;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::timeout;
use voice_pipeline::{Epoch, Job, JobNews};

use crate::phrases::Phrases;
use crate::services::{Hint, ServiceError, Services, Speaking as _, Transcript, Writing as _};
use crate::sound::for_the_nets;

/// News that wait for the session. When it is full the models wait: a client that does not
/// read must not fill our memory.
const NEWS: usize = 32;

/// How long it may take to find out whom the user speaks to. It takes a third of a second, and a
/// step or two of whoever computes; who waits longer is better off with the agent.
const ROUTING: Duration = Duration::from_secs(2);

pub(crate) struct Jobs<S> {
    services: Arc<S>,
    phrases: Arc<Phrases>,
    tasks: JoinSet<()>,
    running: HashMap<Epoch, AbortHandle>,
    epochs: HashMap<Id, Epoch>,
    to_session: mpsc::Sender<(Epoch, JobNews)>,
    news: mpsc::Receiver<(Epoch, JobNews)>,
}

impl<S: Services> Jobs<S> {
    pub(crate) fn new(services: Arc<S>, phrases: Arc<Phrases>) -> Self {
        let (to_session, news) = mpsc::channel(NEWS);
        let (running, epochs) = (HashMap::new(), HashMap::new());
        Self { services, phrases, tasks: JoinSet::new(), running, epochs, to_session, news }
    }

    pub(crate) fn start(&mut self, epoch: Epoch, job: Job) {
        let worker = Worker {
            services: Arc::clone(&self.services),
            phrases: Arc::clone(&self.phrases),
            news: self.to_session.clone(),
            epoch,
        };
        let handle = self.tasks.spawn(worker.work(job));
        self.epochs.insert(handle.id(), epoch);
        self.running.insert(epoch, handle);
    }

    pub(crate) fn cancel(&mut self, epoch: Epoch) {
        if let Some(handle) = self.running.remove(&epoch) {
            handle.abort();
        }
    }

    /// The next news of any job. Cancel-safe.
    pub(crate) async fn next(&mut self) -> (Epoch, JobNews) {
        loop {
            tokio::select! {
                biased;
                Some(news) = self.news.recv() => return news,
                Some(ended) = self.tasks.join_next_with_id() => {
                    let (id, broke) = match &ended {
                        Ok((id, ())) => (*id, false),
                        Err(error) => (error.id(), error.is_panic()),
                    };
                    let Some(epoch) = self.epochs.remove(&id) else { continue };
                    self.running.remove(&epoch);
                    if broke {
                        let message = "the server broke while it worked on this; try again, and \
                                       report it if it happens again"
                            .to_owned();
                        return (epoch, JobNews::Failed { message });
                    }
                }
                // We hold a sender, so the first branch never ends; no task may run.
                else => std::future::pending().await,
            }
        }
    }
}

struct Worker<S> {
    services: Arc<S>,
    phrases: Arc<Phrases>,
    news: mpsc::Sender<(Epoch, JobNews)>,
    epoch: Epoch,
}

impl<S: Services> Worker<S> {
    async fn work(self, job: Job) {
        let last = match self.try_work(job).await {
            Ok(last) => last,
            Err(ServiceError { message }) => {
                tracing::warn!(epoch = self.epoch.0, message, "a job failed");
                JobNews::Failed { message }
            }
        };
        self.tell(last).await;
    }

    /// Ends with the last news of the job.
    async fn try_work(&self, job: Job) -> Result<JobNews, ServiceError> {
        match job {
            Job::CheckEndOfTurn { pcm } => {
                let probability = self.services.end_of_turn(for_the_nets(&pcm)).await?;
                Ok(JobNews::EndOfTurn { probability })
            }
            Job::Transcribe { pcm, language, vocabulary } => {
                let hint = Hint { language, vocabulary };
                let Transcript { text, log_probability, no_speech } =
                    self.services.transcribe(for_the_nets(&pcm), hint).await?;
                Ok(JobNews::Transcript { text, log_probability, no_speech })
            }
            Job::Route { words } => {
                let routed = timeout(ROUTING, self.services.route(words)).await;
                let late = |_| ServiceError::new("nobody said in time whom the user speaks to");
                let route = routed.map_err(late)??;
                Ok(JobNews::Routed { route })
            }
            Job::Speak { text, speed } => {
                if let Some(pcm) = self.phrases.get(&text, speed) {
                    self.tell(JobNews::Sound { pcm: pcm.to_vec() }).await;
                    return Ok(JobNews::Done);
                }
                let mut speaking = self.services.speak(text, speed);
                while let Some(pcm) = speaking.next().await {
                    self.tell(JobNews::Sound { pcm: pcm? }).await;
                }
                Ok(JobNews::Done)
            }
            Job::Reply { request } => {
                let mut writing = self.services.write(*request);
                // Some providers send a message only whole.
                let mut deltas = false;
                while let Some(event) = writing.next().await {
                    match event? {
                        ModelEvent::TextDelta { delta } => {
                            deltas = true;
                            self.tell(JobNews::Text { delta }).await;
                        }
                        ModelEvent::Message { text } => {
                            if !std::mem::take(&mut deltas) {
                                self.tell(JobNews::Text { delta: text }).await;
                            }
                        }
                        ModelEvent::ToolCall(call) => {
                            let (name, arguments) = (call.name, call.arguments);
                            self.tell(JobNews::Call { name, arguments }).await;
                        }
                        ModelEvent::ReasoningDelta { .. } | ModelEvent::Reasoning { .. } => (),
                        ModelEvent::Completed { .. } => return Ok(JobNews::Done),
                    }
                }
                Err(ServiceError::new("the model's reply ended in the middle; try again"))
            }
        }
    }

    async fn tell(&self, news: JobNews) {
        // Nobody to tell: the session is over, and so are we.
        drop(self.news.send((self.epoch, news)).await);
    }
}
