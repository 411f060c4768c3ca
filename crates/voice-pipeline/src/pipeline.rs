//! The session: takes every input in order and decides what follows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use audio_dsp::DUET_HZ;
use protocol::{ItemId, ResponseId};
use stdx::never;

use crate::context;
use crate::conversation::{Conversation, Said};
use crate::ear::{Ear, Heard, millis};
use crate::event::{
    CallAt, CancelReason, ClientEvent, Epoch, Event, Input, Job, JobNews, Output, Part, Refusal,
    ResponseStatus, Usage,
};
use crate::for_the_ear::{for_the_ear, is_news, say, without_label};
use crate::ids::Ids;
use crate::item::{Content, FunctionCall, Item, ItemBody, ItemStatus, NewItem, Place, Role};
use crate::outputs::Outputs;
use crate::phrases::{ACKNOWLEDGEMENTS, CHECK_IN, DONE, json_object, words_heard};
use crate::response::{Making, Message, Phase, Purpose, Running, SoundNeed};
use crate::segments::segments;
use crate::sentences::sentences;
use crate::settings::{
    Audience, Handoff, InputItem, Modality, ResponseRequest, SessionKind, Settings, Terms,
    TurnDetection,
};

/// Sound in one delta: often enough that a client never starves, seldom enough that the
/// envelope costs nothing.
const DELTA: usize = DUET_HZ as usize / 5;

/// The least that can be committed, as with the service: 100 ms.
const LEAST_COMMIT: u64 = DUET_HZ as u64 / 10;

/// Out-of-band responses at a time. They share the cores.
const MOST_OUT_OF_BAND: usize = 8;

/// From here on the end-of-turn model means "complete".
const COMPLETE: f32 = 0.5;

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
    /// Nobody judges sound any more.
    deaf: bool,
    /// The item that the speech which is going on will become.
    speech: Option<ItemId>,
    conversation: Conversation,
    writing_down: BTreeMap<ItemId, Dictation>,
    /// What the user said, in order, that the next automatic response has to answer.
    unanswered: Vec<ItemId>,
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
    Write(ResponseId),
    Speak(ResponseId),
}

/// The transcript of one item on its way.
#[derive(Debug)]
struct Dictation {
    parts: VecDeque<Arc<[i16]>>,
    text: Vec<String>,
    samples: usize,
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
            deaf: false,
            speech: None,
            conversation: Conversation::default(),
            writing_down: BTreeMap::new(),
            unanswered: Vec::new(),
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
            true => 0,
            false => self.ear.received().saturating_sub(self.ear.judged()),
        }
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

    // The client.

    fn on_client(&mut self, event: ClientEvent) -> Result<(), Refusal> {
        match event {
            ClientEvent::Configure(settings) => self.configure(*settings),
            ClientEvent::CommitAudio => self.commit_by_client()?,
            ClientEvent::ClearAudio => self.clear_audio(),
            ClientEvent::CreateItem { item, place } => self.create_item(item, &place)?,
            ClientEvent::RetrieveItem { item } => self.retrieve(item)?,
            ClientEvent::TruncateItem { item, content_index, audio_end_ms } => {
                self.truncate(item, content_index, audio_end_ms)?;
            }
            ClientEvent::DeleteItem { item } => self.delete(item)?,
            ClientEvent::CreateResponse(request) => self.respond_to_client(*request)?,
            ClientEvent::CancelResponse { response } => {
                let running = match response {
                    Some(id) => self.take_response(|it| it.id == id),
                    None => self.take_response(Self::is_default),
                };
                let Some(running) = running else { return Err(Refusal::NothingToCancel) };
                self.stop(running, ResponseStatus::Cancelled(CancelReason::ClientCancelled));
            }
            ClientEvent::ClearOutputAudio => return Err(Refusal::NoOutputBuffer),
        }
        Ok(())
    }

    fn configure(&mut self, settings: Settings) {
        let detector = settings.turn_detection.map(|it| it.detector);
        self.settings = settings;
        self.send(Event::Configured);
        if !self.deaf {
            self.ear.set_detector(detector);
        }
        if !self.ear.is_asking() {
            self.cancel_jobs(|task| *task == Task::EndOfTurn);
        }
        self.listen();
        self.go_on();
    }

    fn commit_by_client(&mut self) -> Result<(), Refusal> {
        if self.ear.waiting() < LEAST_COMMIT {
            return Err(Refusal::CommitEmpty { ms: millis(self.ear.waiting()) });
        }
        let pcm = self.ear.take();
        let item = match self.forget_speech() {
            // It was announced as speech, so it is closed as speech.
            Some(item) => {
                let audio_end_ms = millis(self.ear.received());
                self.send(Event::SpeechStopped { audio_end_ms, item: item.clone() });
                item
            }
            None => self.ids.item(),
        };
        self.commit(item, pcm);
        self.listen();
        self.go_on();
        Ok(())
    }

    fn clear_audio(&mut self) {
        drop(self.ear.take());
        self.forget_speech();
        self.send(Event::Cleared);
        self.listen();
        self.go_on();
    }

    fn create_item(&mut self, new: NewItem, place: &Place) -> Result<(), Refusal> {
        if let Some(id) = &new.id
            && self.is_known(id)
        {
            return Err(Refusal::DuplicateItem { item: id.clone() });
        }
        let item = self.new_item(new);
        let id = item.id.clone();
        if !self.conversation.insert(item.clone(), place) {
            let previous = match place {
                Place::After(previous) => previous.clone(),
                Place::End | Place::Root => id,
            };
            return Err(Refusal::UnknownPrevious { item: previous });
        }
        let previous = self.conversation.previous(&id);
        self.send(Event::ItemAdded { item: item.clone(), previous: previous.clone() });
        self.send(Event::ItemDone { item: item.clone(), previous });
        let spoken = |part: &Content| matches!(part, Content::InputAudio { transcript: None, .. });
        if let ItemBody::Message { content, .. } = item.body
            && let Some(Content::InputAudio { pcm, .. }) = content.into_iter().find(spoken)
        {
            self.write_down(id, &pcm);
        }
        Ok(())
    }

    fn retrieve(&mut self, id: ItemId) -> Result<(), Refusal> {
        let growing = self.responses.iter().find_map(|it| {
            let message = it.message.as_ref().filter(|message| message.item == id)?;
            Some(message.to_item(it.terms.modality, ItemStatus::InProgress))
        });
        let Some(item) = growing.or_else(|| self.conversation.get(&id).cloned()) else {
            return Err(Refusal::RetrieveUnknown { item: id });
        };
        self.send(Event::ItemRetrieved { item });
        Ok(())
    }

    fn truncate(&mut self, id: ItemId, index: u32, audio_end_ms: u64) -> Result<(), Refusal> {
        let samples = usize::try_from(audio_end_ms.saturating_mul(u64::from(DUET_HZ) / 1_000));
        let samples = samples.unwrap_or(usize::MAX);
        let message = self.responses.iter_mut().filter(|it| it.terms.modality == Modality::Audio);
        let growing =
            message.filter_map(|it| it.message.as_mut()).find(|message| message.item == id);
        let len = match (&growing, self.conversation.entry_mut(&id)) {
            (Some(message), _) => message.pcm.len(),
            (None, None) => return Err(Refusal::TruncateUnknown { item: id }),
            (None, Some(entry)) => match &entry.item.body {
                ItemBody::Message { content, .. } => match content.get(index as usize) {
                    // Sound that is no longer kept still had its length.
                    Some(Content::OutputAudio { .. }) => {
                        entry.said.iter().map(|it| it.samples).sum()
                    }
                    Some(
                        Content::InputText { .. }
                        | Content::InputAudio { .. }
                        | Content::InputImage { .. }
                        | Content::OutputText { .. },
                    )
                    | None => return Err(Refusal::TruncateSilent { item: id }),
                },
                ItemBody::FunctionCall(_) | ItemBody::FunctionCallOutput { .. } => {
                    return Err(Refusal::TruncateSilent { item: id });
                }
            },
        };
        if index != 0 {
            return Err(Refusal::TruncateSilent { item: id });
        }
        if len < samples {
            return Err(Refusal::TruncateTooLong { item: id, audio_ms: millis(len as u64) });
        }
        match growing {
            Some(message) => message.heard = Some(samples),
            None => {
                if let Some(entry) = self.conversation.entry_mut(&id) {
                    entry.truncate(samples);
                }
            }
        }
        self.send(Event::ItemTruncated { item: id, content_index: index, audio_end_ms });
        Ok(())
    }

    fn delete(&mut self, id: ItemId) -> Result<(), Refusal> {
        let growing = |it: &Running| it.message.as_ref().is_some_and(|message| message.item == id);
        if self.responses.iter().any(growing) {
            return Err(Refusal::DeleteGrowing { item: id });
        }
        if self.conversation.remove(&id).is_none() {
            return Err(Refusal::DeleteUnknown { item: id });
        }
        self.unanswered.retain(|it| *it != id);
        self.writing_down.remove(&id);
        self.cancel_jobs(|task| *task == Task::Transcribe(id.clone()));
        self.send(Event::ItemDeleted { item: id });
        self.go_on();
        Ok(())
    }

    // The ear.

    fn listen(&mut self) {
        while !self.ear.is_asking()
            && let Some(probability) = self.verdicts.pop_front()
        {
            let heard = self.ear.judge(probability);
            self.on_heard(heard);
            self.check_idle();
        }
    }

    fn on_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Nothing => (),
            Heard::SpeechStarted { at } => {
                // Still there if detection was switched off in the middle of speech.
                let item = self.speech.take().unwrap_or_else(|| self.ids.item());
                self.speech = Some(item.clone());
                self.idle = Idle::Off;
                self.send(Event::SpeechStarted { audio_start_ms: millis(at), item });
                if self.turn_detection().is_some_and(|it| it.interrupt_response)
                    && let Some(running) = self.take_response(Self::is_default)
                {
                    self.stop(running, ResponseStatus::Cancelled(CancelReason::TurnDetected));
                }
            }
            Heard::Asking { pcm } => self.start(Job::CheckEndOfTurn { pcm }, Task::EndOfTurn),
            Heard::SpeechEnded { end, pcm } => {
                let Some(item) = self.speech.take() else {
                    never!("speech ended that never began");
                    return;
                };
                self.send(Event::SpeechStopped { audio_end_ms: millis(end), item: item.clone() });
                if self.answers_speech() {
                    self.unanswered.push(item.clone());
                }
                self.commit(item, pcm);
                self.go_on();
            }
        }
    }

    /// The sound becomes an item of the conversation. Never starts a response by itself.
    fn commit(&mut self, id: ItemId, pcm: Arc<[i16]>) {
        let previous = self.conversation.last();
        self.send(Event::Committed { item: id.clone(), previous: previous.clone() });
        let part = Content::InputAudio { pcm: Arc::clone(&pcm), transcript: None };
        let item = Item {
            id: id.clone(),
            status: ItemStatus::Completed,
            body: ItemBody::Message { role: Role::User, content: vec![part] },
        };
        self.conversation.push(item.clone());
        self.send(Event::ItemAdded { item: item.clone(), previous: previous.clone() });
        self.send(Event::ItemDone { item, previous });
        self.write_down(id, &pcm);
    }

    fn go_deaf(&mut self, message: String) {
        if self.deaf {
            return;
        }
        self.deaf = true;
        self.verdicts.clear();
        self.send(Event::Refused { event_id: None, refusal: Refusal::Fault { message } });
        // What was said so far is not lost.
        let heard = self.ear.hang_up();
        self.on_heard(heard);
        self.ear.set_detector(None);
        self.cancel_jobs(|task| *task == Task::EndOfTurn);
        self.go_on();
    }

    /// The speech that is going on will not be ended by the ear.
    fn forget_speech(&mut self) -> Option<ItemId> {
        self.cancel_jobs(|task| *task == Task::EndOfTurn);
        self.speech.take()
    }

    fn check_idle(&mut self) {
        let (Some(limit), Idle::Since(since)) = (self.ear.idle_after(), self.idle) else { return };
        let now = self.ear.judged();
        let busy = self.ear.is_speech() || self.is_busy() || !self.unanswered.is_empty();
        if busy || now < since.saturating_add(limit) || !self.answers_speech() {
            return;
        }
        let item = self.ids.item();
        self.send(Event::TimeoutTriggered {
            audio_start_ms: millis(since),
            audio_end_ms: millis(now),
            item: item.clone(),
        });
        let previous = self.conversation.last();
        self.send(Event::Committed { item: item.clone(), previous: previous.clone() });
        let part =
            Content::InputAudio { pcm: self.ear.copy(since..now), transcript: Some(String::new()) };
        let body = ItemBody::Message { role: Role::User, content: vec![part] };
        let item = Item { id: item, status: ItemStatus::Completed, body };
        self.conversation.push(item.clone());
        self.mark_handled(std::slice::from_ref(&item.id));
        self.send(Event::ItemAdded { item: item.clone(), previous: previous.clone() });
        self.send(Event::ItemDone { item, previous });
        let terms = Terms::new(&self.settings, ResponseRequest::default());
        let running = self.open(terms);
        self.idle = Idle::Asked;
        self.make(running, Making::saying(vec![CHECK_IN.to_owned()], SoundNeed::Needed));
    }

    // What was said, in words.

    fn write_down(&mut self, id: ItemId, pcm: &Arc<[i16]>) {
        let mut parts: VecDeque<Arc<[i16]>> = match segments(pcm).as_slice() {
            [_] => [Arc::clone(pcm)].into(),
            pieces => pieces.iter().map(|it| Arc::from(&pcm[it.clone()])).collect(),
        };
        let first = parts.pop_front().unwrap_or_default();
        let dictation = Dictation { parts, text: Vec::new(), samples: pcm.len() };
        self.writing_down.insert(id.clone(), dictation);
        self.transcribe(id, first);
    }

    fn transcribe(&mut self, id: ItemId, pcm: Arc<[i16]>) {
        let vocabulary = self
            .settings
            .transcription
            .as_ref()
            .map(|it| it.vocabulary.clone())
            .unwrap_or_default();
        self.start(Job::Transcribe { pcm, vocabulary }, Task::Transcribe(id));
    }

    fn on_transcript(&mut self, id: ItemId, text: &str) {
        let Some(dictation) = self.writing_down.get_mut(&id) else { return };
        dictation.text.extend(Some(words_heard(text)).filter(|it| !it.is_empty()));
        if let Some(next) = dictation.parts.pop_front() {
            self.transcribe(id, next);
            return;
        }
        let transcript = dictation.text.join(" ");
        let seconds = dictation.samples as f64 / f64::from(DUET_HZ);
        self.writing_down.remove(&id);
        if let Some(entry) = self.conversation.entry_mut(&id)
            && let ItemBody::Message { content, .. } = &mut entry.item.body
        {
            let spoken =
                |part: &&mut Content| matches!(part, Content::InputAudio { transcript: None, .. });
            if let Some(Content::InputAudio { transcript: unknown, .. }) =
                content.iter_mut().find(spoken)
            {
                *unknown = Some(transcript.clone());
            }
        }
        if self.settings.transcription.is_some() {
            self.send(Event::Transcribed { item: id, content_index: 0, transcript, seconds });
        }
        self.go_on();
    }

    fn on_transcription_failed(&mut self, id: ItemId, message: String) {
        self.writing_down.remove(&id);
        self.unanswered.retain(|it| *it != id);
        if self.settings.transcription.is_some() {
            let item = id.clone();
            let message = message.clone();
            self.send(Event::TranscriptionFailed { item, content_index: 0, message });
        } else {
            let refusal = Refusal::Fault { message: message.clone() };
            self.send(Event::Refused { event_id: None, refusal });
        }
        let waits = |it: &Running| match &it.phase {
            Phase::Waiting(Purpose::HandOff { request, .. }) => *request == id,
            Phase::Waiting(Purpose::TellResults | Purpose::Answer { .. }) | Phase::Making(_) => {
                false
            }
        };
        if let Some(running) = self.take_response(waits) {
            self.stop(running, ResponseStatus::Failed { message });
        }
        self.go_on();
    }

    /// Something that was waited for has come, or never will.
    fn go_on(&mut self) {
        while let Some(at) = self.responses.iter().position(|it| self.is_ready(it)) {
            let mut running = self.responses.remove(at);
            let nothing = Phase::Making(Making::saying(Vec::new(), SoundNeed::Needed));
            match std::mem::replace(&mut running.phase, nothing) {
                Phase::Waiting(purpose) => self.begin(running, purpose),
                Phase::Making(_) => never!("what is ready to begin has begun"),
            }
        }
        self.respond_to_speech();
    }

    fn is_ready(&self, running: &Running) -> bool {
        let Phase::Waiting(purpose) = &running.phase else { return false };
        // Nobody is talked over.
        let may_speak = !self.ear.is_speech() || running.terms.audience == Audience::OutOfBand;
        may_speak
            && match purpose {
                Purpose::TellResults => true,
                Purpose::HandOff { request, .. } => !self.writing_down.contains_key(request),
                Purpose::Answer { input: None } => self.writing_down.is_empty(),
                Purpose::Answer { input: Some(_) } => true,
            }
    }

    fn begin(&mut self, running: Running, purpose: Purpose) {
        match purpose {
            Purpose::TellResults => self.tell_results(running),
            Purpose::HandOff { request, tool } => self.hand_off(running, &[request], &tool),
            Purpose::Answer { input } => self.answer(running, input),
        }
    }

    // Responses: how they begin.

    /// Answers what the user said, if it is our turn to speak.
    fn respond_to_speech(&mut self) {
        let waiting = self.unanswered.iter().any(|it| self.writing_down.contains_key(it));
        if self.unanswered.is_empty() || waiting || self.ear.is_speech() || self.is_busy() {
            return;
        }
        let items = std::mem::take(&mut self.unanswered);
        if self.words_of(&items).is_empty() {
            // Noise: nothing was said, so nothing is answered.
            self.mark_handled(&items);
            return;
        }
        let terms = Terms::new(&self.settings, ResponseRequest::default());
        let handoff = terms.handoff();
        let mut running = self.open(terms);
        match handoff {
            Some(tool) => {
                running.owed = items.clone();
                self.hand_off(running, &items, &tool);
            }
            None => {
                self.mark_handled(&items);
                self.answer(running, None);
            }
        }
    }

    fn respond_to_client(&mut self, mut request: ResponseRequest) -> Result<(), Refusal> {
        match self.settings.kind {
            SessionKind::Transcription => return Err(Refusal::NeverResponds),
            SessionKind::Realtime => (),
        }
        match request.audience {
            Audience::Conversation => {
                if let Some(running) = self.responses.iter().find(|it| Self::is_default(it)) {
                    return Err(Refusal::ResponseActive { running: running.id.clone() });
                }
            }
            Audience::OutOfBand => {
                let running = self.responses.iter().filter(|it| !Self::is_default(it)).count();
                if MOST_OUT_OF_BAND <= running {
                    return Err(Refusal::TooManyResponses { most: MOST_OUT_OF_BAND });
                }
            }
        }
        let input = request.input.take().map(|it| self.resolve(it)).transpose()?;
        let terms = Terms::new(&self.settings, request);
        let handoff = terms.handoff().filter(|_| input.is_none());
        let purpose = match (handoff, self.newest_waiting()) {
            (Some(_), Some(Waiting::Results)) => Purpose::TellResults,
            (Some(tool), Some(Waiting::Request(request))) => Purpose::HandOff { request, tool },
            (Some(_), None) => Purpose::Answer { input },
            (None, _) => {
                // The answer is to everything that was said.
                if terms.audience == Audience::Conversation {
                    self.unanswered.clear();
                }
                Purpose::Answer { input }
            }
        };
        let mut running = self.open(terms);
        running.phase = Phase::Waiting(purpose);
        self.responses.push(running);
        self.go_on();
        Ok(())
    }

    /// The newest thing in the conversation that a response has to be asked for.
    ///
    /// What was spoken is answered without being asked. What a client writes about running
    /// work is not a request: handed back, it would go round for ever.
    fn newest_waiting(&self) -> Option<Waiting> {
        let newest = self.conversation.entries().rev().find(|it| {
            let news = matches!(it.item.body, ItemBody::Message { .. }) && is_news(&it.item.text());
            it.waits() && !news && !self.unanswered.contains(&it.item.id)
        })?;
        Some(match newest.item.body {
            ItemBody::FunctionCallOutput { .. } => Waiting::Results,
            ItemBody::Message { .. } | ItemBody::FunctionCall(_) => {
                Waiting::Request(newest.item.id.clone())
            }
        })
    }

    /// Announces a response that then has to be made.
    fn open(&mut self, terms: Terms) -> Running {
        let running = Running {
            id: self.ids.response(),
            terms,
            phase: Phase::Making(Making::saying(Vec::new(), SoundNeed::Needed)),
            output: Vec::new(),
            message: None,
            owed: Vec::new(),
            usage: Usage::default(),
        };
        self.idle = Idle::Off;
        let report = running.report(ResponseStatus::InProgress);
        self.send(Event::ResponseCreated(Box::new(report)));
        running
    }

    /// A short acknowledgement, then the user's words, verbatim, to whoever offered the tool.
    fn hand_off(&mut self, mut running: Running, requests: &[ItemId], tool: &Handoff) {
        let words = self.words_of(requests);
        self.mark_handled(requests);
        running.usage.input_text += tokens(&words);
        running.usage.input_audio += self.sound_of(requests);
        if words.is_empty() {
            return self.finish(running, ResponseStatus::Completed);
        }
        let acknowledgement = ACKNOWLEDGEMENTS[self.acknowledged % ACKNOWLEDGEMENTS.len()];
        self.acknowledged += 1;
        let call = FunctionCall {
            call: self.ids.call(),
            name: tool.name.clone(),
            arguments: json_object(&tool.parameter, &words),
        };
        let making = Making::saying(vec![acknowledgement.to_owned()], SoundNeed::Nice);
        self.make(running, making.then_call(call));
    }

    /// Says the results that came since the last response.
    fn tell_results(&mut self, mut running: Running) {
        let mut said = Vec::new();
        for entry in self.conversation.entries_mut().filter(|it| it.waits()) {
            if let ItemBody::FunctionCallOutput { output, .. } = &entry.item.body {
                running.usage.input_text += tokens(output);
                match running.terms.modality {
                    Modality::Audio => {
                        let text = for_the_ear(output);
                        said.extend(sentences(&text).into_iter().map(str::to_owned));
                    }
                    Modality::Text => said.push(without_label(output).to_owned()),
                }
                entry.handled = true;
            }
        }
        said.retain(|it| !it.is_empty());
        if said.is_empty() {
            said.push(DONE.to_owned());
        }
        self.make(running, Making::saying(said, SoundNeed::Needed));
    }

    /// The language model answers.
    fn answer(&mut self, mut running: Running, input: Option<Vec<Item>>) {
        let request = match &input {
            Some(items) => context::request(&running.terms, items.iter(), &self.key),
            None => context::request(&running.terms, self.conversation.items(), &self.key),
        };
        running.usage.input_text += (context::weight(&request) / CHARS_PER_TOKEN) as u64;
        let job = Job::Reply { request: Box::new(request) };
        self.start(job, Task::Write(running.id.clone()));
        self.make(running, Making::being_written());
    }

    // Responses: how they go on.

    fn make(&mut self, mut running: Running, making: Making) {
        running.phase = Phase::Making(making);
        self.advance(running);
    }

    /// Does what can be done now, up to the end if nothing has to be waited for.
    fn advance(&mut self, mut running: Running) {
        while let Phase::Making(making) = &mut running.phase {
            if making.speaking {
                break;
            }
            if let Some(sentence) = making.sentences.pop_front() {
                self.say(&mut running, sentence);
                continue;
            }
            if making.writer.is_some() {
                break;
            }
            let ending = making.ending.clone();
            if running.message.is_some() {
                let status = match ending {
                    ResponseStatus::Completed | ResponseStatus::InProgress => ItemStatus::Completed,
                    ResponseStatus::Cancelled(_)
                    | ResponseStatus::OutOfTokens
                    | ResponseStatus::Failed { .. } => ItemStatus::Incomplete,
                };
                self.close_message(&mut running, status);
                continue;
            }
            if let Some(call) = making.calls.pop_front() {
                self.call(&mut running, call);
                continue;
            }
            return self.finish(running, ending);
        }
        self.responses.push(running);
    }

    /// A sentence to be heard, or the next words to be read.
    fn say(&mut self, running: &mut Running, sentence: String) {
        let message = self.message(running);
        let piece = match message.text.is_empty() {
            true => sentence.clone(),
            false => format!(" {sentence}"),
        };
        self.put(running, piece);
        match running.terms.modality {
            Modality::Text => (),
            Modality::Audio => {
                let job = Job::Speak { text: sentence, speed: running.terms.speed };
                self.start(job, Task::Speak(running.id.clone()));
                if let Phase::Making(making) = &mut running.phase {
                    making.speaking = true;
                }
            }
        }
    }

    /// Text of the message that is being made.
    fn put(&mut self, running: &mut Running, piece: String) {
        running.usage.output_text += tokens(&piece);
        let message = self.message(running);
        message.text.push_str(&piece);
        message.said.push(Said { text: piece.clone(), samples: 0 });
        let item = message.item.clone();
        let at = running.part(&item);
        self.send(match running.terms.modality {
            Modality::Text => Event::TextDelta { at, delta: piece },
            Modality::Audio => Event::TranscriptDelta { at, delta: piece },
        });
    }

    /// The message that is being made; announces it if there is none.
    fn message<'a>(&mut self, running: &'a mut Running) -> &'a mut Message {
        let message = match running.message.take() {
            Some(message) => message,
            None => {
                let message = Message::new(self.ids.item());
                self.announce(running, message.announced());
                let part = match running.terms.modality {
                    Modality::Text => Part::Text { text: String::new() },
                    Modality::Audio => Part::Audio { transcript: String::new() },
                };
                self.send(Event::PartAdded { at: running.part(&message.item), part });
                message
            }
        };
        running.message.insert(message)
    }

    /// A new item of the response, in progress.
    fn announce(&mut self, running: &Running, item: Item) {
        self.send(Event::OutputItemAdded {
            response: running.id.clone(),
            output_index: running.output.len() as u32,
            item: item.clone(),
        });
        match running.terms.audience {
            Audience::OutOfBand => (),
            Audience::Conversation => {
                let previous = self.conversation.last();
                self.conversation.push(item.clone());
                self.send(Event::ItemAdded { item, previous });
            }
        }
    }

    /// An item of the response is finished.
    fn conclude(&mut self, running: &mut Running, item: Item, said: Vec<Said>) {
        match running.terms.audience {
            Audience::OutOfBand => (),
            Audience::Conversation => {
                let previous = self.conversation.previous(&item.id);
                self.conversation.finish(item.clone(), said);
                self.send(Event::ItemDone { item: item.clone(), previous });
            }
        }
        self.send(Event::OutputItemDone {
            response: running.id.clone(),
            output_index: running.output.len() as u32,
            item: item.clone(),
        });
        running.output.push(item);
    }

    fn close_message(&mut self, running: &mut Running, status: ItemStatus) {
        let Some(message) = running.message.take() else { return };
        let at = running.part(&message.item);
        let part = match running.terms.modality {
            Modality::Text => {
                self.send(Event::TextDone { at: at.clone(), text: message.text.clone() });
                Part::Text { text: message.text.clone() }
            }
            Modality::Audio => {
                let transcript = message.text.clone();
                self.send(Event::AudioDone { at: at.clone() });
                self.send(Event::TranscriptDone { at: at.clone(), transcript: transcript.clone() });
                Part::Audio { transcript }
            }
        };
        self.send(Event::PartDone { at, part });
        let item = message.to_item(running.terms.modality, status);
        let id = item.id.clone();
        self.conclude(running, item, message.said);
        if let (Some(heard), Some(entry)) = (message.heard, self.conversation.entry_mut(&id)) {
            entry.truncate(heard);
        }
    }

    fn call(&mut self, running: &mut Running, call: FunctionCall) {
        running.usage.output_text += tokens(&call.arguments);
        let at = CallAt {
            response: running.id.clone(),
            item: self.ids.item(),
            output_index: running.output.len() as u32,
            call: call.call.clone(),
        };
        let item =
            |status, call| Item { id: at.item.clone(), status, body: ItemBody::FunctionCall(call) };
        let announced = FunctionCall { arguments: String::new(), ..call.clone() };
        self.announce(running, item(ItemStatus::InProgress, announced));
        let FunctionCall { name, arguments, .. } = call.clone();
        self.send(Event::ArgumentsDelta { at: at.clone(), delta: arguments.clone() });
        self.send(Event::ArgumentsDone { at: at.clone(), name, arguments });
        self.conclude(running, item(ItemStatus::Completed, call), Vec::new());
        running.owed.clear();
    }

    // Responses: how they end.

    /// Ends it in the middle of what it does.
    fn stop(&mut self, mut running: Running, status: ResponseStatus) {
        let id = running.id.clone();
        self.cancel_jobs(|task| {
            *task == Task::Write(id.clone()) || *task == Task::Speak(id.clone())
        });
        self.close_message(&mut running, ItemStatus::Incomplete);
        if status == ResponseStatus::Cancelled(CancelReason::TurnDetected) {
            // The user spoke on before the request was passed on: it is passed on with the
            // rest of what they say.
            let owed = std::mem::take(&mut running.owed);
            self.unanswered.splice(0..0, owed);
        }
        self.finish(running, status);
    }

    fn finish(&mut self, running: Running, status: ResponseStatus) {
        let is_default = Self::is_default(&running);
        let samples: usize = running.output.iter().map(Item::samples).sum();
        let mut running = running;
        running.usage.output_audio = (samples / SAMPLES_PER_TOKEN_SAID) as u64;
        self.send(Event::ResponseDone(Box::new(running.report(status))));
        self.send(Event::RateLimits);
        if is_default {
            self.idle = match self.idle {
                Idle::Asked => Idle::Asked,
                // It is still being played, on a clock as fast as ours.
                Idle::Off | Idle::Since(_) => Idle::Since(self.ear.judged() + samples as u64),
            };
            self.respond_to_speech();
        }
    }

    // Jobs.

    fn on_job(&mut self, epoch: Epoch, news: JobNews) {
        let Some(task) = self.jobs.get(&epoch).cloned() else { return };
        match (task, news) {
            (Task::EndOfTurn, JobNews::EndOfTurn { probability }) => {
                self.jobs.remove(&epoch);
                self.on_end_of_turn(Some(COMPLETE <= probability));
            }
            (Task::EndOfTurn, JobNews::Failed { .. }) => {
                // Silence alone ends this utterance: slower, and nothing is lost.
                self.jobs.remove(&epoch);
                self.on_end_of_turn(None);
            }
            (Task::Transcribe(item), JobNews::Transcript { text }) => {
                self.jobs.remove(&epoch);
                self.on_transcript(item, &text);
            }
            (Task::Transcribe(item), JobNews::Failed { message }) => {
                self.jobs.remove(&epoch);
                self.on_transcription_failed(item, message);
            }
            (Task::Write(response), JobNews::Text { delta }) => self.on_text(&response, &delta),
            (Task::Write(response), JobNews::Call { name, arguments }) => {
                let call = FunctionCall { call: self.ids.call(), name, arguments };
                if let Some(mut running) = self.take_response(|it| it.id == response) {
                    if let Phase::Making(making) = &mut running.phase {
                        making.calls.push_back(call);
                    }
                    self.advance(running);
                }
            }
            (Task::Write(response), JobNews::Done) => {
                self.jobs.remove(&epoch);
                self.on_written(&response);
            }
            (Task::Speak(response), JobNews::Sound { pcm }) => self.on_sound(&response, &pcm),
            (Task::Speak(response), JobNews::Done) => {
                self.jobs.remove(&epoch);
                self.on_spoken(&response, None);
            }
            (Task::Speak(response), JobNews::Failed { message }) => {
                self.jobs.remove(&epoch);
                self.on_spoken(&response, Some(message));
            }
            (Task::Write(response), JobNews::Failed { message }) => {
                self.jobs.remove(&epoch);
                if let Some(running) = self.take_response(|it| it.id == response) {
                    self.stop(running, ResponseStatus::Failed { message });
                }
            }
            (
                Task::EndOfTurn,
                JobNews::Transcript { .. }
                | JobNews::Text { .. }
                | JobNews::Call { .. }
                | JobNews::Sound { .. }
                | JobNews::Done,
            )
            | (
                Task::Transcribe(_),
                JobNews::EndOfTurn { .. }
                | JobNews::Text { .. }
                | JobNews::Call { .. }
                | JobNews::Sound { .. }
                | JobNews::Done,
            )
            | (
                Task::Write(_),
                JobNews::EndOfTurn { .. } | JobNews::Transcript { .. } | JobNews::Sound { .. },
            )
            | (
                Task::Speak(_),
                JobNews::EndOfTurn { .. }
                | JobNews::Transcript { .. }
                | JobNews::Text { .. }
                | JobNews::Call { .. },
            ) => never!("a job was answered with another job's news"),
        }
    }

    fn on_end_of_turn(&mut self, complete: Option<bool>) {
        let heard = self.ear.answer(complete);
        self.on_heard(heard);
        self.listen();
    }

    fn on_text(&mut self, id: &ResponseId, delta: &str) {
        let Some(mut running) = self.take_response(|it| it.id == *id) else { return };
        let limit = running.terms.max_output_tokens;
        let modality = running.terms.modality;
        let Phase::Making(making) = &mut running.phase else {
            never!("text for a response that still waits for words");
            return self.responses.push(running);
        };
        let Some(writer) = &mut making.writer else {
            never!("text for a response that nobody writes");
            return self.responses.push(running);
        };
        writer.chars += delta.chars().count();
        let too_long = limit
            .is_some_and(|limit| (limit as usize).saturating_mul(CHARS_PER_TOKEN) < writer.chars);
        if too_long {
            making.ending = ResponseStatus::OutOfTokens;
            making.calls.clear();
            let rest = writer.sentences.finish();
            making.writer = None;
            self.cancel_jobs(|task| *task == Task::Write(id.clone()));
            if let (Modality::Audio, Some(rest)) = (modality, rest) {
                self.plan_to_say(&mut running, &rest);
            }
            return self.advance(running);
        }
        match modality {
            Modality::Text => {
                if !delta.is_empty() {
                    self.put(&mut running, delta.to_owned());
                }
            }
            Modality::Audio => {
                for sentence in writer.sentences.push(delta) {
                    self.plan_to_say(&mut running, &sentence);
                }
            }
        }
        self.advance(running);
    }

    fn on_written(&mut self, id: &ResponseId) {
        let Some(mut running) = self.take_response(|it| it.id == *id) else { return };
        let Phase::Making(making) = &mut running.phase else {
            never!("a response is written before its words are known");
            return self.responses.push(running);
        };
        if let Some(mut writer) = making.writer.take() {
            let rest = writer.sentences.finish();
            let only_code = rest.is_none()
                && writer.sentences.saw_code()
                && making.sentences.is_empty()
                && running.message.is_none();
            match running.terms.modality {
                Modality::Text => (),
                Modality::Audio if only_code => {
                    self.plan_to_say(&mut running, "There is code on the screen.");
                }
                Modality::Audio => {
                    if let Some(rest) = rest {
                        self.plan_to_say(&mut running, &rest);
                    }
                }
            }
        }
        self.advance(running);
    }

    fn plan_to_say(&mut self, running: &mut Running, written: &str) {
        let sentence = say(written);
        if let (Phase::Making(making), false) = (&mut running.phase, sentence.is_empty()) {
            making.sentences.push_back(sentence);
        }
    }

    fn on_sound(&mut self, id: &ResponseId, pcm: &[i16]) {
        let Some(at) = self.responses.iter().position(|it| it.id == *id) else { return };
        let running = &mut self.responses[at];
        let format = running.terms.look.format;
        let Some(message) = &mut running.message else {
            never!("sound without a message");
            return;
        };
        message.pcm.extend_from_slice(pcm);
        if let Some(said) = message.said.last_mut() {
            said.samples += pcm.len();
        }
        let item = message.item.clone();
        let part = running.part(&item);
        for piece in pcm.chunks(DELTA) {
            let pcm = piece.to_vec();
            self.send(Event::AudioDelta { at: part.clone(), format, pcm });
            self.voice_was_heard = true;
        }
    }

    fn on_spoken(&mut self, id: &ResponseId, failed: Option<String>) {
        let Some(mut running) = self.take_response(|it| it.id == *id) else { return };
        let Phase::Making(making) = &mut running.phase else {
            never!("a response speaks before its words are known");
            return self.responses.push(running);
        };
        making.speaking = false;
        match (failed, making.sound) {
            (None, _) | (Some(_), SoundNeed::Nice) => self.advance(running),
            (Some(message), SoundNeed::Needed) => {
                self.stop(running, ResponseStatus::Failed { message });
            }
        }
    }

    // Small things.

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

/// What a client's request for a response is about.
#[derive(Debug, PartialEq, Eq)]
enum Waiting {
    Results,
    Request(ItemId),
}

fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(CHARS_PER_TOKEN) as u64
}
