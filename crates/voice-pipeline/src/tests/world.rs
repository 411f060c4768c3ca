//! A small world around one session: a user who talks when they like, models that are slow,
//! late and sometimes broken, and a client that asks for anything at any time.
//!
//! Everything is drawn from one seed. A [`Witness`] reads what the client is sent and knows
//! the protocol's order; it knows nothing of how the session works.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stdx::Dice;

use super::*;

#[test]
fn a_gentle_client_loses_no_words() {
    for seed in 0..150 {
        let mut world = World::new(seed, Manners::Gentle);
        for _ in 0..250 {
            world.step(Mood::Lively);
        }
        world.settle();
        world.check_words();
        assert!(world.results_told(), "seed {seed}: a result was not told");
    }
}

#[test]
fn the_order_holds_whatever_a_client_asks_for() {
    for seed in 0..250 {
        let mut world = World::new(seed, Manners::Rough);
        for _ in 0..250 {
            world.step(Mood::Lively);
        }
        world.settle();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manners {
    /// Results are answered, nothing is cancelled or cleared; models do not fail.
    Gentle,
    Rough,
}

/// Quiet: nobody starts anything new, so everything pending must settle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Lively,
    Quiet,
}

struct World {
    seed: u64,
    dice: Dice,
    manners: Manners,
    interrupts: bool,
    /// Speech is written down before it is over, and again where it goes on.
    drafts: bool,
    pipeline: Pipeline,
    witness: Witness,
    /// Jobs that run, and what they still have to say.
    models: BTreeMap<Epoch, Model>,
    /// Jobs that are over or cancelled: news of them must change nothing.
    gone: Vec<Epoch>,
    /// Frames of speech that the user still has breath for.
    breath: u64,
    /// Words that were recognised, in order.
    said: Vec<String>,
    /// Those of them that a model took for questions to us, at least once.
    asides: BTreeSet<String>,
    /// Calls whose result the client still owes, with a response for it.
    owed: VecDeque<CallId>,
    /// A result was given and no response was asked for it yet.
    asks: bool,
    results: u64,
    words: u64,
}

struct Model {
    job: Job,
    steps: u64,
    /// What a recogniser will find: settled when it starts, because models answer in any
    /// order.
    words: String,
}

impl World {
    fn new(seed: u64, manners: Manners) -> Self {
        let mut dice = Dice::new(seed);
        let words = match (manners, dice.roll(5)) {
            (Manners::Gentle, 0 | 2) => "polite",
            (Manners::Gentle, 1) => "text",
            (Manners::Gentle, 3) => "polite silence=608",
            (Manners::Gentle, _) => "",
            (Manners::Rough, 0) => "chat",
            (Manners::Rough, 1) => "manual",
            (Manners::Rough, 2) => "chat text tokens=20",
            (Manners::Rough, 3) => "idle=3000",
            (Manners::Rough, _) => "",
        };
        Self {
            seed,
            dice,
            manners,
            interrupts: !words.starts_with("polite"),
            drafts: words.contains("silence"),
            pipeline: Pipeline::new(settings(words), ""),
            witness: Witness::default(),
            models: BTreeMap::new(),
            gone: Vec::new(),
            breath: 0,
            said: Vec::new(),
            asides: BTreeSet::new(),
            owed: VecDeque::new(),
            asks: false,
            results: 0,
            words: 0,
        }
    }

    fn step(&mut self, mood: Mood) {
        self.hear(mood);
        for _ in 0..self.dice.roll(4) {
            self.model_step(mood);
        }
        if mood == Mood::Lively && self.dice.once_in(20) {
            self.stale_news();
        }
        match self.manners {
            Manners::Gentle => self.gentle_client(),
            Manners::Rough if mood == Mood::Lively && self.dice.once_in(3) => self.rough_client(),
            Manners::Rough => (),
        }
    }

    /// 32 to 320 ms of sound, with verdicts that may come late.
    fn hear(&mut self, mood: Mood) {
        if mood == Mood::Lively && self.breath == 0 && self.dice.once_in(8) {
            self.breath = 1 + self.dice.roll(40);
        }
        let frames = 1 + self.dice.roll(10);
        self.feed(Input::Audio { pcm: vec![7; frames as usize * 32 * MS] });
        let mut probabilities = Vec::new();
        for _ in 0..frames {
            let voiced = 0 < self.breath && mood == Mood::Lively;
            self.breath = self.breath.saturating_sub(1);
            let unsure = self.dice.once_in(12);
            probabilities.push(match (voiced, unsure) {
                (_, true) => 0.4,
                (true, false) => 0.9,
                (false, false) => 0.05,
            });
        }
        self.feed(Input::Voice { probabilities });
    }

    /// One job says its next thing.
    fn model_step(&mut self, mood: Mood) {
        let epochs: Vec<Epoch> = self.models.keys().copied().collect();
        if epochs.is_empty() {
            return;
        }
        let epoch = epochs[self.dice.roll(epochs.len() as u64) as usize];
        let fails = self.manners == Manners::Rough && mood == Mood::Lively && self.dice.once_in(15);
        let Some(model) = self.models.get_mut(&epoch) else { return };
        let over = model.steps == 0;
        model.steps = model.steps.saturating_sub(1);
        let news = match &model.job {
            _ if fails => JobNews::Failed { message: "broken".to_owned() },
            Job::CheckEndOfTurn { .. } => {
                JobNews::EndOfTurn { probability: if self.dice.once_in(2) { 0.9 } else { 0.1 } }
            }
            Job::Transcribe { .. } => heard(model.words.clone(), -0.2, 0.01),
            Job::Route { words } => match self.dice.roll(3) {
                0 => JobNews::Routed { route: Route::Work },
                aside => {
                    self.asides.extend(words.split(' ').map(str::to_owned));
                    let route = if aside == 1 { Route::Status } else { Route::Repeat };
                    JobNews::Routed { route }
                }
            },
            Job::Reply { .. } if over => JobNews::Done,
            Job::Reply { .. } if self.dice.once_in(12) => {
                JobNews::Call { name: "weather".to_owned(), arguments: "{}".to_owned() }
            }
            Job::Reply { .. } => {
                let pieces = ["Hello", " there.", " A", " B. ", "```\n", "\n", "x", "", "**so**"];
                let piece = pieces[self.dice.roll(pieces.len() as u64) as usize];
                JobNews::Text { delta: piece.to_owned() }
            }
            Job::Speak { .. } if over => JobNews::Done,
            Job::Speak { .. } => JobNews::Sound { pcm: vec![1; self.dice.roll(9_000) as usize] },
        };
        let ends = match &news {
            JobNews::Text { .. } | JobNews::Call { .. } | JobNews::Sound { .. } => false,
            JobNews::EndOfTurn { .. }
            | JobNews::Transcript { .. }
            | JobNews::Routed { .. }
            | JobNews::Done
            | JobNews::Failed { .. } => true,
        };
        if ends {
            self.models.remove(&epoch);
            self.gone.push(epoch);
        }
        self.feed(Input::Job { epoch, news });
    }

    /// Words that nobody said before, or a noise.
    fn words(&mut self) -> String {
        if self.dice.once_in(4) {
            return "(noise)".to_owned();
        }
        self.words += 1;
        let words = format!("w{}", self.words);
        self.said.push(words.clone());
        words
    }

    fn stale_news(&mut self) {
        let Some(epoch) = self.gone.get(self.dice.roll(self.gone.len() as u64) as usize).copied()
        else {
            return;
        };
        let news = match self.dice.roll(5) {
            0 => JobNews::Done,
            4 => JobNews::Routed { route: Route::Status },
            1 => JobNews::Sound { pcm: vec![1; 10] },
            2 => JobNews::Text { delta: "stale".to_owned() },
            _ => JobNews::EndOfTurn { probability: 1.0 },
        };
        let outputs: Vec<Output> = self.pipeline.handle(Input::Job { epoch, news }).collect();
        assert_eq!(outputs, [], "seed {}: stale news of {epoch:?} was heard", self.seed);
    }

    /// Answers each call some time, and asks for a response until it gets one.
    fn gentle_client(&mut self) {
        self.owed.extend(std::mem::take(&mut self.witness.calls));
        if self.dice.once_in(6)
            && let Some(call) = self.owed.pop_front()
        {
            self.results += 1;
            let output = format!("Result {}.", self.results);
            self.client(create(None, ItemBody::FunctionCallOutput { call, output }, Place::End));
            self.asks = true;
        }
        if self.asks && self.witness.default_response.is_none() {
            self.asks = false;
            self.client(ClientEvent::CreateResponse(Box::default()));
        }
    }

    fn rough_client(&mut self) {
        let item = self.some_item();
        let event = match self.dice.roll(14) {
            0 => ClientEvent::CommitAudio,
            1 => ClientEvent::ClearAudio,
            2 => create(None, message(Role::User, "typed words".to_owned()), Place::End),
            3 => {
                let place = if self.dice.once_in(2) { Place::Root } else { Place::After(item) };
                create(None, message(Role::System, "be brief".to_owned()), place)
            }
            4 => {
                let pcm = vec![3; self.dice.roll(48_000) as usize];
                let part = Content::InputAudio { pcm: pcm.into(), transcript: None };
                let body = ItemBody::Message { role: Role::User, content: vec![part] };
                create(None, body, Place::End)
            }
            5 => ClientEvent::RetrieveItem { item },
            6 => ClientEvent::DeleteItem { item },
            7 | 8 => ClientEvent::TruncateItem {
                item,
                content_index: self.dice.roll(2) as u32,
                audio_end_ms: self.dice.roll(900),
            },
            9 => ClientEvent::CancelResponse { response: None },
            10 => ClientEvent::CreateResponse(Box::new(ResponseRequest {
                audience: Audience::OutOfBand,
                ..ResponseRequest::default()
            })),
            11 => {
                let body = ItemBody::FunctionCallOutput {
                    call: CallId::new("call_1"),
                    output: "A result. With words.".to_owned(),
                };
                create(None, body, Place::End)
            }
            12 => {
                let words = ["", "chat", "manual", "text", "mute", "polite", "patient=4000"];
                let words = words[self.dice.roll(words.len() as u64) as usize];
                ClientEvent::Configure(Box::new(settings(words)))
            }
            _ => ClientEvent::CreateResponse(Box::default()),
        };
        self.client(event);
        if self.dice.once_in(300) {
            self.feed(Input::VoiceLost { message: "no ears".to_owned() });
        }
    }

    fn some_item(&mut self) -> ItemId {
        let items: Vec<&ItemId> = self.witness.items.keys().collect();
        match items.get(self.dice.roll(items.len() as u64 + 1) as usize) {
            Some(item) => (*item).clone(),
            None => ItemId::new("nobody"),
        }
    }

    fn client(&mut self, event: ClientEvent) {
        self.feed(Input::Client { event_id: Some("e".to_owned()), event });
    }

    fn feed(&mut self, input: Input) {
        let outputs: Vec<Output> = self.pipeline.handle(input).collect();
        for output in outputs {
            match output {
                Output::Start { epoch, job } => {
                    let steps = self.dice.roll(6);
                    let words = match &job {
                        Job::Transcribe { .. } => self.words(),
                        Job::CheckEndOfTurn { .. }
                        | Job::Route { .. }
                        | Job::Reply { .. }
                        | Job::Speak { .. } => String::new(),
                    };
                    let routes = |it: &Model| matches!(it.job, Job::Route { .. });
                    let twice =
                        matches!(job, Job::Route { .. }) && self.models.values().any(routes);
                    assert!(!twice, "seed {}: two routes at once", self.seed);
                    let before = self.models.insert(epoch, Model { job, steps, words });
                    assert!(before.is_none() && !self.gone.contains(&epoch), "seed {}", self.seed);
                }
                Output::Cancel { epoch } => {
                    assert!(
                        self.models.remove(&epoch).is_some(),
                        "seed {}: {epoch:?} was cancelled and does not run",
                        self.seed
                    );
                    self.gone.push(epoch);
                }
                Output::Send(event) => self.witness.see(&event, self.seed),
            }
        }
    }

    fn settle(&mut self) {
        let mut calm = 0;
        for _ in 0..3_000 {
            self.step(Mood::Quiet);
            let waits = !self.models.is_empty() || !self.owed.is_empty() || self.asks;
            calm = if waits || !self.witness.is_quiet() { 0 } else { calm + 1 };
            // Longer than the longest wait for the end of speech.
            if calm == 80 {
                break;
            }
        }
        assert!(self.models.is_empty(), "seed {}: jobs never end", self.seed);
        assert!(self.witness.is_quiet(), "seed {}: {:?}", self.seed, self.witness);
    }

    /// The agent heard all words in their order, but for questions that were answered here.
    fn check_words(&self) {
        let mut handed = self.witness.handed.iter().flat_map(|it| it.split(' ')).peekable();
        for word in &self.said {
            if self.drafts && !self.witness.transcribed.contains(word) {
                continue;
            }
            if handed.next_if(|it| it == word).is_none() {
                assert!(self.asides.contains(word), "seed {}: {word} was lost", self.seed);
            }
        }
        assert_eq!(handed.next(), None, "seed {}: the agent heard something else", self.seed);
    }

    /// Each result was in what the assistant said, unless speech may have cut it off.
    fn results_told(&self) -> bool {
        self.interrupts
            || (1..=self.results).all(|it| self.witness.spoken.contains(&format!("Result {it}.")))
    }
}

/// What a strict client knows of the session.
#[derive(Debug, Default)]
struct Witness {
    /// True when done.
    items: BTreeMap<ItemId, bool>,
    default_response: Option<ResponseId>,
    responses: BTreeMap<ResponseId, Seen>,
    over: BTreeSet<ResponseId>,
    /// Announced speech, and whether it has stopped.
    speech: Option<(ItemId, bool)>,
    /// Arguments of the calls, without their JSON.
    handed: Vec<String>,
    calls: Vec<CallId>,
    /// What the client was told that the user said.
    transcribed: BTreeSet<String>,
    /// Everything that was said or begun to be said.
    spoken: String,
    log: VecDeque<String>,
}

/// A running response.
#[derive(Debug, Default)]
struct Seen {
    done: Vec<ItemId>,
    item: Option<Growing>,
}

#[derive(Debug)]
struct Growing {
    id: ItemId,
    /// The part is open; never of a function call.
    part: Option<PartSeen>,
    text: String,
    arguments_done: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct PartSeen {
    text_done: bool,
    sound_done: bool,
    closed: bool,
}

impl Witness {
    fn is_quiet(&self) -> bool {
        self.responses.is_empty()
            && self.items.values().all(|done| *done)
            && self.speech.as_ref().is_none_or(|(_, stopped)| !*stopped)
    }

    #[track_caller]
    fn see(&mut self, event: &Event, seed: u64) {
        self.log.push_back(show_event(event));
        if 60 < self.log.len() {
            self.log.pop_front();
        }
        if let Err(wrong) = self.judge(event) {
            let log: Vec<&str> = self.log.iter().map(String::as_str).collect();
            panic!("seed {seed}: {wrong}\n  {}", log.join("\n  "));
        }
    }

    fn judge(&mut self, event: &Event) -> Result<(), String> {
        let ensure = |is: bool, what: &str| if is { Ok(()) } else { Err(what.to_owned()) };
        match event {
            Event::Refused { .. } | Event::Configured | Event::RateLimits => (),
            Event::SpeechStarted { item, .. } => {
                if let Some((open, stopped)) = &self.speech {
                    // Cleared or switched off in the middle; then it may go on under its name.
                    ensure(!stopped, "speech started before the last was committed")?;
                    ensure(open == item || !self.items.contains_key(item), "an old item speaks")?;
                }
                ensure(!self.items.contains_key(item), "speech became an old item")?;
                self.speech = Some((item.clone(), false));
            }
            Event::SpeechStopped { item, .. } => {
                ensure(
                    self.speech == Some((item.clone(), false)),
                    "speech stopped that did not start",
                )?;
                self.speech = Some((item.clone(), true));
            }
            Event::Committed { item, .. } => {
                ensure(!self.items.contains_key(item), "committed twice")?;
                match self.speech.take() {
                    Some((speech, true)) => ensure(speech == *item, "another item was committed")?,
                    other => self.speech = other,
                }
            }
            Event::Cleared => self.speech = None,
            Event::TimeoutTriggered { item, .. } => {
                ensure(self.default_response.is_none(), "impatient during a response")?;
                ensure(!self.items.contains_key(item), "a timeout of an old item")?;
            }
            Event::ItemAdded { item, previous } => {
                ensure(self.items.insert(item.id.clone(), false).is_none(), "added twice")?;
                if let Some(previous) = previous {
                    ensure(self.items.contains_key(previous), "added after nothing")?;
                }
            }
            Event::ItemDone { item, .. } => {
                let before = self.items.insert(item.id.clone(), true);
                ensure(before == Some(false), "done before it was added, or twice")?;
                ensure(item.status != ItemStatus::InProgress, "done and in progress")?;
            }
            Event::ItemDeleted { item } => {
                ensure(self.items.remove(item) == Some(true), "deleted what is not there")?;
            }
            Event::ItemRetrieved { item } => {
                ensure(self.items.contains_key(&item.id), "retrieved from nowhere")?;
            }
            Event::Transcribed { item, transcript, .. } => {
                ensure(self.items.contains_key(item), "words of no item")?;
                self.transcribed.extend(transcript.split(' ').map(str::to_owned));
            }
            Event::ItemTruncated { item, .. } | Event::TranscriptionFailed { item, .. } => {
                let growing = self.responses.values().filter_map(|it| it.item.as_ref());
                let mut growing = growing.filter(|it| it.id == *item);
                ensure(
                    self.items.contains_key(item) || growing.next().is_some(),
                    "news of no item",
                )?;
            }
            Event::ResponseCreated(response) => {
                ensure(!self.over.contains(&response.id), "a response came back")?;
                let seen = self.responses.insert(response.id.clone(), Seen::default());
                ensure(seen.is_none(), "created twice")?;
                if response.audience == Audience::Conversation {
                    ensure(self.default_response.is_none(), "two responses at once")?;
                    self.default_response = Some(response.id.clone());
                }
            }
            Event::ResponseDone(response) => {
                let seen = self.responses.remove(&response.id).ok_or("done without a start")?;
                ensure(seen.item.is_none(), "done while an item is open")?;
                let output: Vec<ItemId> = response.output.iter().map(|it| it.id.clone()).collect();
                ensure(output == seen.done, "reports other items than were made")?;
                ensure(response.usage.is_some(), "done without a count of tokens")?;
                ensure(response.status != ResponseStatus::InProgress, "done and in progress")?;
                self.over.insert(response.id.clone());
                if self.default_response.as_ref() == Some(&response.id) {
                    self.default_response = None;
                }
            }
            Event::OutputItemAdded { response, output_index, item } => {
                let seen = self.responses.get_mut(response).ok_or("an item of no response")?;
                ensure(seen.item.is_none(), "two items at once")?;
                ensure(*output_index as usize == seen.done.len(), "a wrong index")?;
                ensure(item.status == ItemStatus::InProgress, "begins finished")?;
                seen.item = Some(Growing {
                    id: item.id.clone(),
                    part: None,
                    text: String::new(),
                    arguments_done: false,
                });
            }
            Event::OutputItemDone { response, output_index, item } => {
                let is_default = self.default_response.as_ref() == Some(response);
                ensure(
                    !is_default || self.items.get(&item.id) == Some(&true),
                    "the item is done in the response before the conversation",
                )?;
                let seen = self.responses.get_mut(response).ok_or("an item of no response")?;
                let growing = seen.item.take().ok_or("done without an item")?;
                ensure(growing.id == item.id, "another item is done")?;
                ensure(*output_index as usize == seen.done.len(), "a wrong index")?;
                match &item.body {
                    ItemBody::Message { .. } => {
                        ensure(growing.part.is_some_and(|it| it.closed), "an open part")?;
                        ensure(growing.text == raw_text(item), "the deltas do not make the text")?;
                        self.spoken.push_str(&growing.text);
                    }
                    ItemBody::FunctionCall(call) => {
                        ensure(growing.arguments_done, "open arguments")?;
                        ensure(growing.text == call.arguments, "the deltas make no arguments")?;
                        ensure(item.status == ItemStatus::Completed, "an incomplete call")?;
                        if let Some(words) = call.arguments.strip_prefix("{\"prompt\":\"") {
                            self.handed.push(words.trim_end_matches("\"}").to_owned());
                        }
                        self.calls.push(call.call.clone());
                    }
                    ItemBody::FunctionCallOutput { .. } => return Err("we made a result".into()),
                }
                seen.done.push(item.id.clone());
            }
            Event::PartAdded { at, .. } => {
                let growing = self.growing(at)?;
                ensure(growing.part.is_none(), "two parts")?;
                growing.part = Some(PartSeen::default());
            }
            Event::TextDelta { at, delta } | Event::TranscriptDelta { at, delta } => {
                let growing = self.growing(at)?;
                let open = growing.part.as_ref().is_some_and(|it| !it.text_done);
                ensure(open, "words after the last")?;
                growing.text.push_str(delta);
            }
            Event::AudioDelta { at, pcm, .. } => {
                ensure(!pcm.is_empty() && pcm.len() <= 200 * MS, "an odd piece of sound")?;
                let growing = self.growing(at)?;
                let open = growing.part.as_ref().is_some_and(|it| !it.sound_done);
                ensure(open, "sound after the last")?;
            }
            Event::AudioDone { at } => {
                let part = self.growing(at)?.part.as_mut().ok_or("no part")?;
                ensure(!part.sound_done && !part.text_done, "sound is done twice, or late")?;
                part.sound_done = true;
            }
            Event::TextDone { at, text } | Event::TranscriptDone { at, transcript: text } => {
                let growing = self.growing(at)?;
                ensure(growing.text == *text, "the deltas do not make the text")?;
                let part = growing.part.as_mut().ok_or("no part")?;
                ensure(!part.text_done, "words are done twice")?;
                part.text_done = true;
            }
            Event::PartDone { at, .. } => {
                let part = self.growing(at)?.part.as_mut().ok_or("no part")?;
                ensure(part.text_done && !part.closed, "a part that is not done")?;
                part.closed = true;
            }
            Event::ArgumentsDelta { at, delta } => {
                let growing = self.call(at)?;
                ensure(!growing.arguments_done, "arguments after the last")?;
                growing.text.push_str(delta);
            }
            Event::ArgumentsDone { at, arguments, .. } => {
                let growing = self.call(at)?;
                ensure(growing.text == *arguments, "the deltas make no arguments")?;
                growing.arguments_done = true;
            }
        }
        Ok(())
    }

    fn growing(&mut self, at: &PartAt) -> Result<&mut Growing, String> {
        let is_default = self.default_response.as_ref() == Some(&at.response);
        if is_default && self.items.get(&at.item) != Some(&false) {
            return Err("a part of an item that was not added".into());
        }
        let seen = self.responses.get_mut(&at.response).ok_or("a part of no response")?;
        if at.output_index as usize != seen.done.len() || at.content_index != 0 {
            return Err("a part in a wrong place".into());
        }
        seen.item.as_mut().filter(|it| it.id == at.item).ok_or("a part of no item".into())
    }

    fn call(&mut self, at: &CallAt) -> Result<&mut Growing, String> {
        let seen = self.responses.get_mut(&at.response).ok_or("a call of no response")?;
        if at.output_index as usize != seen.done.len() {
            return Err("a call in a wrong place".into());
        }
        seen.item.as_mut().filter(|it| it.id == at.item).ok_or("a call of no item".into())
    }
}

fn raw_text(item: &Item) -> &str {
    match &item.body {
        ItemBody::Message { content, .. } => match content.first() {
            Some(Content::OutputText { text } | Content::OutputAudio { transcript: text, .. }) => {
                text
            }
            Some(
                Content::InputText { .. } | Content::InputAudio { .. } | Content::InputImage { .. },
            )
            | None => "",
        },
        ItemBody::FunctionCall(_) | ItemBody::FunctionCallOutput { .. } => "",
    }
}
