//! Models that do as they are told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use protocol::{CallId, ModelEvent, ModelRequest, ToolCall, Usage};
use realtime_server::{Hearing, Hint, ServiceError, Services, Speaking, Transcript, Writing};
use tokio::sync::watch;
use voice_pipeline::Route;

/// Shared by the server and the test.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    lines: Arc<Mutex<Lines>>,
    /// While false, nobody is spoken to the end.
    voice: watch::Sender<bool>,
    /// Everything that the voice was given, with its speed.
    spoken: watch::Sender<Vec<(String, f32)>>,
    /// How much was spoken before routes were prepared for.
    prepared_after: watch::Sender<Option<usize>>,
}

#[derive(Debug, Default)]
struct Lines {
    /// What is recognised next; a failure, once there is no more.
    transcripts: VecDeque<String>,
    replies: VecDeque<Vec<ModelEvent>>,
    /// Whom the next words are for; nobody says, once there is no more.
    routes: VecDeque<Route>,
    /// Why nobody listens.
    deaf: Option<String>,
    /// Speaking this breaks the worker.
    poison: Option<String>,
    /// What was spoken and asked, in order.
    log: Vec<String>,
}

impl Script {
    pub(crate) fn new() -> Self {
        let spoken = watch::Sender::new(Vec::new());
        let (voice, prepared_after) = (watch::Sender::new(true), watch::Sender::new(None));
        Self { lines: Arc::default(), voice, spoken, prepared_after }
    }

    pub(crate) fn will_hear(self, words: &str) -> Self {
        self.lines.lock().unwrap().transcripts.push_back(words.to_owned());
        self
    }

    pub(crate) fn will_route(self, route: Route) -> Self {
        self.lines.lock().unwrap().routes.push_back(route);
        self
    }

    pub(crate) fn will_reply(self, deltas: &[&str]) -> Self {
        let mut events: Vec<ModelEvent> =
            deltas.iter().map(|it| ModelEvent::TextDelta { delta: (*it).to_owned() }).collect();
        events.push(ModelEvent::Message { text: deltas.concat() });
        events.push(ModelEvent::Completed { usage: Usage::default() });
        self.lines.lock().unwrap().replies.push_back(events);
        self
    }

    pub(crate) fn will_call(self, name: &str, arguments: &str) -> Self {
        let call = ToolCall {
            call: CallId::new("from the model"),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        let events =
            vec![ModelEvent::ToolCall(call), ModelEvent::Completed { usage: Usage::default() }];
        self.lines.lock().unwrap().replies.push_back(events);
        self
    }

    pub(crate) fn without_ears(self) -> Self {
        self.without_ears_because("the ear's model is missing: run `duet models fetch`")
    }

    pub(crate) fn without_ears_because(self, why: &str) -> Self {
        self.lines.lock().unwrap().deaf = Some(why.to_owned());
        self
    }

    pub(crate) fn breaks_at(self, words: &str) -> Self {
        self.lines.lock().unwrap().poison = Some(words.to_owned());
        self
    }

    /// From now on the voice begins, and does not end.
    pub(crate) fn hold_the_voice(&self) {
        self.voice.send_replace(false);
    }

    /// What the voice was given, as soon as it is so much.
    pub(crate) async fn spoken(&self, count: usize) -> Vec<(String, f32)> {
        let mut spoken = self.spoken.subscribe();
        spoken.wait_for(|it| count <= it.len()).await.unwrap().clone()
    }

    /// How much was spoken before routes were prepared for, as soon as they were.
    pub(crate) async fn prepared_after(&self) -> usize {
        let mut prepared = self.prepared_after.subscribe();
        prepared.wait_for(Option::is_some).await.unwrap().unwrap()
    }

    /// What the models were asked, without what was rendered ahead.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().log.clone()
    }

    fn note(&self, what: String) {
        self.lines.lock().unwrap().log.push(what);
    }
}

impl Services for Script {
    type Hearing = Loudness;
    type Speaking = Monotone;
    type Writing = Written;

    async fn warm_up(&self) -> Result<(), ServiceError> {
        Ok(())
    }

    async fn warm_up_routes(&self) -> Result<(), ServiceError> {
        self.prepared_after.send_replace(Some(self.spoken.borrow().len()));
        Ok(())
    }

    async fn hear(&self) -> Result<Loudness, ServiceError> {
        match &self.lines.lock().unwrap().deaf {
            Some(why) => Err(ServiceError::new(why.clone())),
            None => Ok(Loudness { waiting: Vec::new() }),
        }
    }

    async fn end_of_turn(&self, pcm: Vec<i16>) -> Result<f32, ServiceError> {
        assert!(!pcm.is_empty());
        Ok(0.9)
    }

    async fn transcribe(&self, pcm: Vec<i16>, hint: Hint) -> Result<Transcript, ServiceError> {
        let ms = pcm.len() / 16;
        self.note(format!("transcribe about {}s in {:?}", ms.div_ceil(1_000), hint.language));
        let text = self.lines.lock().unwrap().transcripts.pop_front();
        let text = text.ok_or_else(|| ServiceError::new("nothing is scripted to be heard"))?;
        Ok(Transcript { text, log_probability: -0.1, no_speech: 0.0 })
    }

    async fn route(&self, words: String) -> Result<Route, ServiceError> {
        self.note(format!("route {words:?}"));
        let route = self.lines.lock().unwrap().routes.pop_front();
        match route {
            Some(route) => Ok(route),
            None => std::future::pending().await,
        }
    }

    fn speak(&self, text: String, speed: f32) -> Monotone {
        self.spoken.send_modify(|it| it.push((text.clone(), speed)));
        let poisoned = self.lines.lock().unwrap().poison.as_ref() == Some(&text);
        assert!(!poisoned, "the script breaks here");
        Monotone { text: Some(text), voice: self.voice.subscribe() }
    }

    fn write(&self, request: ModelRequest) -> Written {
        self.note(format!("reply with {} tools", request.tools.len()));
        let events = self.lines.lock().unwrap().replies.pop_front().unwrap_or_default();
        Written { events: events.into() }
    }
}

/// Loud frames are speech.
pub(crate) struct Loudness {
    waiting: Vec<i16>,
}

impl Hearing for Loudness {
    async fn push(&mut self, pcm: &[i16]) -> Result<(), ServiceError> {
        self.waiting.extend_from_slice(pcm);
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<f32>, ServiceError> {
        let whole = self.waiting.len() / 512 * 512;
        if whole == 0 {
            std::future::pending::<()>().await;
        }
        let loud = |frame: &[i16]| frame.iter().any(|it| 500 < it.unsigned_abs());
        let frames = self.waiting[..whole].chunks(512).map(|it| if loud(it) { 0.95 } else { 0.01 });
        let probabilities = frames.collect();
        self.waiting.drain(..whole);
        Ok(probabilities)
    }
}

/// Ten milliseconds for each letter.
pub(crate) struct Monotone {
    text: Option<String>,
    voice: watch::Receiver<bool>,
}

impl Speaking for Monotone {
    async fn next(&mut self) -> Option<Result<Vec<i16>, ServiceError>> {
        if let Some(text) = self.text.take() {
            return Some(Ok(vec![1_000; text.len() * 240]));
        }
        // Ends when the voice is let go, or the script is over.
        drop(self.voice.wait_for(|free| *free).await);
        None
    }
}

pub(crate) struct Written {
    events: VecDeque<ModelEvent>,
}

impl Writing for Written {
    async fn next(&mut self) -> Option<Result<ModelEvent, ServiceError>> {
        self.events.pop_front().map(Ok)
    }
}
