//! The session: takes every input in order and decides what follows.

mod beginning;
mod client;
mod hearing;
mod jobs;
mod making;
mod meanwhile;
mod writing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use audio_dsp::DUET_HZ;
use protocol::{ItemId, ResponseId, utterance};
use stdx::never;

use crate::context;
use crate::conversation::{Conversation, MOST_ITEMS, MOST_TEXT, Said};
use crate::ear::{Ear, Heard, millis};
use crate::event::{
    CallAt, CancelReason, ClientEvent, Epoch, Event, Input, Job, JobNews, Output, Part, Refusal,
    ResponseStatus, Route, Usage,
};
use crate::for_the_ear::{for_the_ear, is_acknowledgement, is_news, progress, say, without_label};
use crate::ids::Ids;
use crate::item::{Content, FunctionCall, Item, ItemBody, ItemStatus, NewItem, Place, Role};
use crate::outputs::Outputs;
use crate::phrases::{ACKNOWLEDGEMENTS, CHECK_IN, DONE, json_object, words_heard};
use crate::response::{Making, Message, Phase, Purpose, Running, SoundNeed};
use crate::segments::segments;
use crate::sentences::sentences;
use crate::settings::{
    Audience, Handoff, InputItem, Modality, ResponseRequest, SessionKind, Settings, Terms,
    Transcription, TurnDetection,
};
use crate::work::{Routing, Work};

/// Sound in one delta: often enough that a client never starves, seldom enough that the
/// envelope costs nothing.
const DELTA: usize = DUET_HZ as usize / 5;

/// The least that can be committed, as with the service: 100 ms.
const LEAST_COMMIT: u64 = DUET_HZ as u64 / 10;

/// Out-of-band responses at a time. They share the cores.
const MOST_OUT_OF_BAND: usize = 8;

/// Items of a client that are written down at a time. They share the cores, and their sound is
/// kept until they are.
pub(crate) const MOST_DICTATIONS: usize = 16;

/// From here on the end-of-turn model means "complete".
const COMPLETE: f32 = 0.5;

/// A recogniser that hears nobody and is unsure of every word has made them up. Both bounds are
/// those that Whisper's authors use.
const NOBODY_SPOKE: f32 = 0.6;
const A_GUESS: f32 = -1.0;

/// What is said over a reply and is as short as this (with the sound around it) may be a cough or
/// an "mm-hmm", for which a recogniser makes up a word and is less sure of it than this. Of five
/// synthetic voices "uh-huh", "mm-hmm", "hmm" and "yeah" came to -0.5 and less, 32 of 33; the words
/// "stop", "no", "wait", "what", "cancel" and short requests to -0.4 and more, 37 of 39.
const SHORT: usize = 3 * DUET_HZ as usize / 2;
const UNSURE: f32 = -0.45;

/// Tokens are not counted here but estimated: letters of one, and the service's own rates
/// for sound (ten a second heard, twenty a second said).
const CHARS_PER_TOKEN: usize = 4;
const SAMPLES_PER_TOKEN_HEARD: usize = DUET_HZ as usize / 10;
const SAMPLES_PER_TOKEN_SAID: usize = DUET_HZ as usize / 20;

/// One realtime session, server side.
#[derive(Debug)]
pub struct Pipeline {
    key: String,
    settings: Settings,
    ids: Ids,
    ear: Ear,
    /// Verdicts that wait while the end-of-turn model is asked.
    verdicts: VecDeque<f32>,
    /// Nobody judges sound any more, and why.
    deaf: Option<String>,
    /// The item that the speech which is going on will become.
    speech: Option<ItemId>,
    /// When that began, on the ear's clock, if it was over a reply: it may ask for nothing.
    over_reply: Option<u64>,
    conversation: Conversation,
    writing_down: BTreeMap<ItemId, Dictation>,
    /// The words of speech that is probably over.
    draft: Option<Draft>,
    /// What the user said, in order, that the next automatic response has to answer.
    unanswered: Vec<ItemId>,
    /// When everything that was said will have sounded, on the ear's clock, which is as fast as
    /// that of whoever plays it.
    sounds_until: u64,
    work: Work,
    routing: Routing,
    responses: Vec<Running>,
    jobs: BTreeMap<Epoch, Task>,
    acknowledged: usize,
    voice_was_heard: bool,
    idle: Idle,
    queue: VecDeque<Output>,
}

/// What a running job is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Task {
    EndOfTurn,
    Transcribe(ItemId),
    Draft,
    Route,
    Write(ResponseId),
    Speak(ResponseId),
}

/// What was heard of speech that is probably over, so that its words are there when it is.
#[derive(Debug)]
enum Draft {
    /// A recogniser is at work on it, for this item where the speech is over.
    Asked(Option<ItemId>),
    Written(Words),
}

/// What a recogniser made of a sound.
#[derive(Debug, Clone, PartialEq)]
struct Words {
    text: String,
    log_probability: f32,
    no_speech: f32,
}

/// The transcript of one item on its way.
#[derive(Debug)]
struct Dictation {
    parts: VecDeque<Arc<[i16]>>,
    text: Vec<String>,
    samples: usize,
    /// See [`Pipeline::over_reply`].
    over_reply: Option<u64>,
}

/// Whether it is time to ask if anybody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Idle {
    /// Before the first response, while one runs, and while the user speaks.
    Off,
    /// We have asked: not again before something else happens.
    Asked,
    /// Since the last response was played out, on the ear's clock.
    Since(u64),
}

impl Pipeline {
    /// `seed` makes the ids of this session new in the world; the driver draws it.
    pub fn new(settings: Settings, seed: impl Into<String>) -> Self {
        let seed = seed.into();
        Self {
            ear: Ear::new(settings.turn_detection.map(|it| it.detector)),
            ids: Ids::new(seed.clone()),
            key: seed,
            settings,
            verdicts: VecDeque::new(),
            deaf: None,
            speech: None,
            over_reply: None,
            conversation: Conversation::default(),
            writing_down: BTreeMap::new(),
            draft: None,
            unanswered: Vec::new(),
            sounds_until: 0,
            work: Work::default(),
            routing: Routing::default(),
            responses: Vec::new(),
            jobs: BTreeMap::new(),
            acknowledged: 0,
            voice_was_heard: false,
            idle: Idle::Off,
            queue: VecDeque::new(),
        }
    }

    /// Whether any voice was sent: from then on the voice cannot be changed.
    pub fn voice_was_heard(&self) -> bool {
        self.voice_was_heard
    }

    /// Sound that was appended and not judged yet, in samples: the driver stops reading a
    /// client that is too far ahead.
    pub fn unjudged(&self) -> u64 {
        match self.deaf {
            Some(_) => 0,
            None => self.ear.received().saturating_sub(self.ear.judged()),
        }
    }

    /// Sound of utterances that are not written down yet, in samples: as [`Self::unjudged`].
    pub fn unwritten(&self) -> u64 {
        self.writing_down.values().map(|it| it.samples as u64).sum()
    }

    /// Why the session cannot do what it was told: it was to find out when somebody speaks, and
    /// nobody listens any more. The driver ends it; otherwise it would seem to work, and hear
    /// nothing for ever.
    pub fn lost(&self) -> Option<&str> {
        self.deaf.as_deref().filter(|_| self.turn_detection().is_some())
    }

    /// Advances the session.
    pub fn handle(&mut self, input: Input) -> Outputs<'_> {
        match input {
            Input::Client { event_id, event } => {
                if let Err(refusal) = self.on_client(event) {
                    self.send(Event::Refused { event_id, refusal });
                }
            }
            Input::Audio { pcm } => self.ear.append(&pcm),
            Input::Voice { probabilities } => {
                self.verdicts.extend(probabilities);
                self.listen();
            }
            Input::VoiceLost { message } => self.go_deaf(message),
            Input::Job { epoch, news } => self.on_job(epoch, news),
        }
        Outputs::new(&mut self.queue)
    }

    fn send(&mut self, event: Event) {
        self.queue.push_back(Output::Send(event));
    }

    fn start(&mut self, job: Job, task: Task) {
        let epoch = self.ids.epoch();
        self.jobs.insert(epoch, task);
        self.queue.push_back(Output::Start { epoch, job });
    }

    fn cancel_jobs(&mut self, is: impl Fn(&Task) -> bool) {
        let gone: Vec<Epoch> =
            self.jobs.iter().filter(|(_, task)| is(task)).map(|(epoch, _)| *epoch).collect();
        for epoch in gone {
            self.jobs.remove(&epoch);
            self.queue.push_back(Output::Cancel { epoch });
        }
    }

    fn take_response(&mut self, is: impl Fn(&Running) -> bool) -> Option<Running> {
        let at = self.responses.iter().position(is)?;
        Some(self.responses.remove(at))
    }

    fn is_default(running: &Running) -> bool {
        running.terms.audience == Audience::Conversation
    }

    fn is_busy(&self) -> bool {
        self.responses.iter().any(Self::is_default)
    }

    fn turn_detection(&self) -> Option<TurnDetection> {
        self.settings.turn_detection
    }

    fn answers_speech(&self) -> bool {
        self.settings.kind == SessionKind::Realtime
            && self.turn_detection().is_some_and(|it| it.create_response)
    }

    fn is_known(&self, id: &ItemId) -> bool {
        self.speech.as_ref() == Some(id) || self.conversation.get(id).is_some()
    }

    fn new_item(&mut self, NewItem { id, body }: NewItem) -> Item {
        let body = match body {
            ItemBody::FunctionCall(call) if call.call.as_str().is_empty() => {
                ItemBody::FunctionCall(FunctionCall { call: self.ids.call(), ..call })
            }
            body => body,
        };
        let id = id.unwrap_or_else(|| self.ids.item());
        Item { id, status: ItemStatus::Completed, body }
    }

    fn resolve(&mut self, input: Vec<InputItem>) -> Result<Vec<Item>, Refusal> {
        let mut items = Vec::with_capacity(input.len());
        for item in input {
            items.push(match item {
                InputItem::Reference(id) => match self.conversation.get(&id) {
                    Some(item) => item.clone(),
                    None => return Err(Refusal::UnknownReference { item: id }),
                },
                InputItem::New(new) if new.body.has_image() => return Err(Refusal::NoImages),
                InputItem::New(new) => self.new_item(new),
            });
        }
        Ok(items)
    }

    fn mark_handled(&mut self, ids: &[ItemId]) {
        for entry in self.conversation.entries_mut().filter(|it| ids.contains(&it.item.id)) {
            entry.handled = true;
        }
    }

    fn words_of(&self, ids: &[ItemId]) -> String {
        let words = ids.iter().filter_map(|it| self.conversation.get(it)).map(Item::text);
        words.filter(|it| !it.trim().is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn sound_of(&self, ids: &[ItemId]) -> u64 {
        let items = ids.iter().filter_map(|it| self.conversation.get(it));
        (items.map(Item::samples).sum::<usize>() / SAMPLES_PER_TOKEN_HEARD) as u64
    }
}

fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(CHARS_PER_TOKEN) as u64
}
