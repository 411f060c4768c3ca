//! A small world around one session: a service with a mind of its own, a line that delays
//! but does not reorder, an agent that works, a speaker that plays, a user who talks over
//! everybody.
//!
//! Everything is drawn from one seed. A failure names it, and it replays exactly.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use protocol::{
    BargeIn, Fault, FaultKind, Handoff, HandoffId, ItemId, PlaybackChange, RealtimeCommand,
    RealtimeEvent, RealtimeNotice, ResponseId, ResponseOutcome, Speaker, utterance,
};
use realtime_session::{Answer, DelegationKind, Input, LinkEpoch, LinkNews, Output, Session};
use stdx::{Dice, Time};

use crate::script;

#[test]
fn invariants_hold_on_any_schedule() {
    for seed in 0..1_500 {
        let mut world = World::new(seed);
        for _ in 0..300 {
            world.step(Mood::Lively);
        }
        for _ in 0..600 {
            world.step(Mood::Quiet);
        }
        world.check_settled();
        world.hang_up();
    }
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
    now: Time,
    session: Session,
    service: Service,
    up: Line<RealtimeCommand>,
    down: Line<RealtimeEvent>,
    agent: Option<Task>,
    speaker: Device,
    user: Floor,
    /// What the clients and the log were told.
    told: Told,
    running: Option<u32>,
    interrupted: BTreeSet<u32>,
    ended: bool,
}

#[derive(Default)]
struct Told {
    words: BTreeSet<String>,
    context: BTreeSet<String>,
    spoken: BTreeSet<(bool, String)>,
    delegated: BTreeSet<HandoffId>,
    errors: u32,
    closes: u32,
}

struct Task {
    handoff: HandoffId,
    ends: Time,
}

/// As the session knows it: what it was fed, not what is on the line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Floor {
    Free,
    User,
}

impl World {
    fn new(seed: u64) -> Self {
        let barge_in = if seed.is_multiple_of(2) { BargeIn::ByService } else { BargeIn::Weighed };
        let mut world = Self {
            seed,
            dice: Dice::new(seed),
            now: Time::ZERO,
            session: script::session(barge_in),
            service: Service { barge_in: Some(barge_in), ..Service::default() },
            up: Line::default(),
            down: Line::default(),
            agent: None,
            speaker: Device::default(),
            user: Floor::Free,
            told: Told::default(),
            running: None,
            interrupted: BTreeSet::new(),
            ended: false,
        };
        world.feed(Input::Start);
        world.link(LinkNews::Up);
        world
    }

    fn step(&mut self, mood: Mood) {
        self.now = self.now + Duration::from_millis(1 + self.dice.roll(60));
        while let Some(command) = self.up.arrived(self.now) {
            let answer = self.service.receive(self.seed, &command, self.now, &mut self.dice);
            self.reply(answer);
        }
        while let Some(event) = self.down.arrived(self.now) {
            self.event(event);
        }
        let events = self.service.act(mood, self.now, &mut self.dice);
        self.reply(events);
        for (item, upto) in self.speaker.play(self.now) {
            if self.dice.roll(2) == 0 {
                self.speaker.reported.insert(item.clone(), upto);
                self.feed(Input::Played { item, upto });
            }
        }
        self.work(mood);
        if mood == Mood::Lively && self.dice.once_in(40) {
            self.feed(Input::MirrorText { text: "typed".into() });
        }
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.feed(Input::Tick);
        }
    }

    fn work(&mut self, mood: Mood) {
        let Some(task) = &self.agent else { return };
        let handoff = task.handoff.clone();
        if task.ends <= self.now {
            self.agent = None;
            let answer = match self.dice.roll(4) {
                0 => Answer::Message("done".into()),
                1 => Answer::Nothing,
                2 => Answer::Interrupted,
                _ => Answer::Failed("broken".into()),
            };
            self.feed(Input::Answer { handoff, answer });
        } else if mood == Mood::Lively && self.dice.once_in(10) {
            self.feed(Input::Progress { handoff, text: "news".into() });
        }
    }

    fn reply(&mut self, events: Vec<RealtimeEvent>) {
        for event in events {
            self.down.put(event, self.now, &mut self.dice);
        }
    }

    fn event(&mut self, event: RealtimeEvent) {
        match &event {
            RealtimeEvent::ResponseCreated { response } => {
                self.running = response.as_ref().and_then(|it| it.as_str().parse().ok());
                self.user = Floor::Free;
            }
            RealtimeEvent::ResponseDone { .. } => self.running = None,
            RealtimeEvent::SpeechStarted { .. } => self.user = Floor::User,
            RealtimeEvent::SpeechStopped { .. } => self.user = Floor::Free,
            _ => (),
        }
        self.link(LinkNews::Event(event));
    }

    fn link(&mut self, news: LinkNews) {
        self.feed(Input::Link { epoch: LinkEpoch(0), news });
    }

    fn feed(&mut self, input: Input) {
        let outputs: Vec<Output> = self.session.handle(input, self.now).collect();
        for output in outputs {
            assert!(!self.ended, "seed {}: after the end: {output:?}", self.seed);
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        let seed = self.seed;
        match output {
            Output::Connect { link } => assert_eq!(link, LinkEpoch(0), "seed {seed}"),
            Output::Send(command) => {
                assert!(
                    command != RealtimeCommand::CreateResponse || self.user == Floor::Free,
                    "seed {seed}: asked for a response over the user's words",
                );
                if let RealtimeCommand::Truncate { item, heard } = &command {
                    self.speaker.check_truncation(seed, item, *heard);
                }
                self.up.put(command, self.now, &mut self.dice);
            }
            Output::Ping => self.down_alive(),
            Output::Disconnect => (),
            Output::Play { item, pcm } => {
                let response = u32::from(pcm[0].unsigned_abs());
                assert!(
                    !self.interrupted.contains(&response),
                    "seed {seed}: played response {response} after it was interrupted",
                );
                self.speaker.queue(item, pcm.len());
            }
            Output::Playback(PlaybackChange::Held) => {
                assert!(
                    !std::mem::replace(&mut self.speaker.held, true),
                    "seed {seed}: held twice"
                );
            }
            Output::Playback(PlaybackChange::Resumed) => {
                assert!(std::mem::take(&mut self.speaker.held), "seed {seed}: nothing was held");
            }
            Output::Playback(PlaybackChange::Stopped) => {
                self.interrupted.extend(self.running);
                self.speaker.stop();
            }
            Output::Delegate(delegation) => {
                assert!(
                    self.told.delegated.insert(delegation.handoff.clone()),
                    "seed {seed}: {} was delegated twice",
                    delegation.handoff,
                );
                for line in &delegation.transcript {
                    for word in content_words(&line.text) {
                        assert!(
                            self.told.context.insert(word.to_owned()),
                            "seed {seed}: {word} went along twice",
                        );
                    }
                }
                match delegation.kind {
                    DelegationKind::Start => {
                        assert!(self.agent.is_none(), "seed {seed}: a second task");
                        let ends = self.now + Duration::from_millis(self.dice.roll(1_500));
                        self.agent = Some(Task { handoff: delegation.handoff, ends });
                    }
                    DelegationKind::Steer => {
                        assert!(self.agent.is_some(), "seed {seed}: nothing to steer");
                    }
                }
            }
            Output::Spoken { item, speaker, text } => {
                let item = item.expect("this service names its items").to_string();
                let key = (speaker == Speaker::User, item);
                assert!(!text.is_empty(), "seed {seed}: an empty utterance");
                assert!(self.told.spoken.insert(key), "seed {seed}: spoken twice: {text}");
            }
            Output::Notice(notice) => self.notice(notice),
            Output::Warning { .. } => (),
            Output::Ended => self.ended = true,
        }
    }

    fn notice(&mut self, notice: RealtimeNotice) {
        let seed = self.seed;
        match notice {
            RealtimeNotice::TranscriptDelta { delta, .. } => {
                for word in content_words(&delta) {
                    assert!(self.told.words.insert(word.to_owned()), "seed {seed}: twice: {word}");
                }
            }
            RealtimeNotice::Error { .. } => self.told.errors += 1,
            RealtimeNotice::Closed { .. } => self.told.closes += 1,
            RealtimeNotice::Started { .. }
            | RealtimeNotice::ItemAdded { .. }
            | RealtimeNotice::TranscriptDone { .. }
            | RealtimeNotice::Audio { .. }
            | RealtimeNotice::SpeechStarted { .. }
            | RealtimeNotice::Playback { .. }
            | RealtimeNotice::ResponseCancelled { .. }
            | RealtimeNotice::Handoff { .. }
            | RealtimeNotice::Stage { .. } => (),
        }
    }

    fn down_alive(&mut self) {
        self.link(LinkNews::Alive);
    }

    fn check_settled(&self) {
        let seed = self.seed;
        assert!(!self.ended, "seed {seed}: ended");
        assert!(!self.speaker.held, "seed {seed}: a reply is held for ever");
        for (handoff, answered) in &self.service.handoffs {
            assert!(*answered, "seed {seed}: {handoff} was never answered");
        }
        assert!(
            self.service.last_output <= self.service.last_start,
            "seed {seed}: the answer at {:?} was never spoken",
            self.service.last_output,
        );
        for (item, text) in &self.service.said {
            for word in content_words(text) {
                assert!(self.told.words.contains(word), "seed {seed}: {word} was lost");
            }
            assert!(
                self.told.spoken.contains(&(true, item.clone())),
                "seed {seed}: {item} was not kept",
            );
        }
    }

    fn hang_up(&mut self) {
        let errors = match self.dice.roll(4) {
            0 => {
                self.feed(Input::Stop);
                0
            }
            1 => {
                self.link(LinkNews::Down { error: None });
                0
            }
            2 => {
                self.link(LinkNews::Down { error: Some("reset".into()) });
                1
            }
            _ => {
                let fault = Fault { kind: FaultKind::Fatal, message: "over".into() };
                self.event(RealtimeEvent::Fault(fault));
                1
            }
        };
        self.feed(Input::Stop);
        self.link(LinkNews::Down { error: Some("late".into()) });
        self.feed(Input::Tick);
        let seed = self.seed;
        assert!(self.ended, "seed {seed}: it goes on");
        assert_eq!((self.told.errors, self.told.closes), (errors, 1), "seed {seed}");
        assert_eq!(self.session.deadline(), None, "seed {seed}");
    }
}

/// A service with server-side turn detection.
#[derive(Default)]
struct Service {
    configured: bool,
    barge_in: Option<BargeIn>,
    running: Option<Running>,
    responses: u32,
    items: u32,
    words: u32,
    /// The user's item, while they speak.
    speech: Option<ItemId>,
    /// Speech that ended, and is not written down yet.
    unwritten: VecDeque<ItemId>,
    half_written: Option<(ItemId, String)>,
    said: BTreeMap<String, String>,
    /// An answer to the user's words is due.
    due: bool,
    handoffs: BTreeMap<HandoffId, bool>,
    audio: BTreeMap<ItemId, Duration>,
    last_output: Time,
    last_start: Time,
}

struct Running {
    number: u32,
    item: ItemId,
}

impl Service {
    fn receive(
        &mut self,
        seed: u64,
        command: &RealtimeCommand,
        now: Time,
        dice: &mut Dice,
    ) -> Vec<RealtimeEvent> {
        let first = !std::mem::replace(&mut self.configured, true);
        assert_eq!(first, matches!(command, RealtimeCommand::UpdateSession(_)), "seed {seed}");
        match command {
            RealtimeCommand::UpdateSession(_) => {
                vec![RealtimeEvent::SessionUpdated { session: None }]
            }
            RealtimeCommand::CreateResponse if self.running.is_some() => {
                vec![fault(FaultKind::ResponseActive)]
            }
            RealtimeCommand::CreateResponse => vec![self.start(now)],
            RealtimeCommand::HandoffOutput { handoff, .. } => {
                self.last_output = now;
                let answered = self.handoffs.get_mut(handoff).expect("a handoff of ours");
                assert!(!*answered, "seed {seed}: {handoff} was answered twice");
                *answered = true;
                Vec::new()
            }
            RealtimeCommand::Progress { handoff, .. } => {
                let answered = self.handoffs.get(handoff).expect("a handoff of ours");
                assert!(!*answered, "seed {seed}: news after the answer to {handoff}");
                Vec::new()
            }
            RealtimeCommand::Truncate { item, heard } => {
                let sent = self.audio.get(item).expect("an item of ours");
                assert!(heard <= sent, "seed {seed}: truncated behind the end");
                if dice.once_in(3) { vec![fault(FaultKind::Refused)] } else { Vec::new() }
            }
            RealtimeCommand::Text { text } | RealtimeCommand::Mirror { text } => {
                assert_eq!(text, "typed", "seed {seed}");
                Vec::new()
            }
            RealtimeCommand::CancelResponse => {
                assert_eq!(self.barge_in, Some(BargeIn::Weighed), "seed {seed}");
                match self.running {
                    Some(_) => self.finish(ResponseOutcome::Cancelled),
                    None => vec![fault(FaultKind::NothingToCancel)],
                }
            }
            RealtimeCommand::AppendAudio { .. } => panic!("seed {seed}: {command:?}"),
        }
    }

    fn act(&mut self, mood: Mood, now: Time, dice: &mut Dice) -> Vec<RealtimeEvent> {
        if !self.configured {
            return Vec::new();
        }
        match dice.roll(20) {
            0 if mood == Mood::Lively && self.speech.is_none() => self.speech_starts(),
            1 | 2 if self.speech.is_some() => self.speech_stops(dice),
            3..=5 => self.write_down(dice),
            6 | 7 if self.due && self.running.is_none() => {
                self.due = false;
                vec![self.start(now)]
            }
            8 if mood == Mood::Lively && self.running.is_some() => self.hand_off(dice),
            9 | 10 if self.running.is_some() => {
                let outcome = match dice.roll(6) {
                    0 => ResponseOutcome::Failed,
                    1 => ResponseOutcome::Incomplete,
                    _ => ResponseOutcome::Completed,
                };
                self.finish(outcome)
            }
            11 => self.next_item(),
            12..=18 => self.speak(dice),
            _ => Vec::new(),
        }
    }

    fn speech_starts(&mut self) -> Vec<RealtimeEvent> {
        let item = self.item("u");
        self.speech = Some(item.clone());
        let mut events = vec![RealtimeEvent::SpeechStarted { item: Some(item) }];
        // What was already on its way comes first.
        events.extend(self.sound(480));
        if self.running.is_some() && self.barge_in == Some(BargeIn::ByService) {
            events.extend(self.finish(ResponseOutcome::Cancelled));
        }
        events
    }

    fn speech_stops(&mut self, dice: &mut Dice) -> Vec<RealtimeEvent> {
        let item = self.speech.take();
        self.unwritten.extend(item.clone());
        self.due = !dice.once_in(4);
        vec![RealtimeEvent::SpeechStopped { item }]
    }

    /// Deltas and a final, or a final alone, or none.
    fn write_down(&mut self, dice: &mut Dice) -> Vec<RealtimeEvent> {
        let Some((item, text)) = self.half_written.take() else {
            let text = match dice.roll(3) {
                0 => "Uh-huh. ".to_owned(),
                1 => format!("okay {} ", self.word()),
                _ => format!("{} ", self.word()),
            };
            self.half_written = self.unwritten.pop_front().map(|item| (item, text));
            return Vec::new();
        };
        let id = Some(item.clone());
        match dice.roll(3) {
            0 => {
                let more = match utterance::is_backchannel(&text) {
                    true => "okay ".to_owned(),
                    false => format!("{} ", self.word()),
                };
                let delta = RealtimeEvent::InputTranscriptDelta { item: id, delta: text.clone() };
                // The service owes the rest in the final.
                self.said.insert(item.to_string(), format!("{text}{more}"));
                let text = format!("{text}{more}");
                vec![delta, RealtimeEvent::InputTranscript { item: Some(item), text }]
            }
            1 => {
                self.said.insert(item.to_string(), text.clone());
                let end = RealtimeEvent::InputTranscript { item: id, text };
                vec![end.clone(), end]
            }
            _ => vec![RealtimeEvent::InputTranscriptFailed { item: id, message: "noise".into() }],
        }
    }

    fn hand_off(&mut self, dice: &mut Dice) -> Vec<RealtimeEvent> {
        let item = self.item("h");
        let id = HandoffId::from(item.as_str());
        self.handoffs.insert(id.clone(), false);
        let input = if dice.once_in(5) { "" } else { "do it" };
        let handoff = Handoff { id, item, input: input.into(), messages: Vec::new() };
        let mut events = vec![RealtimeEvent::HandoffRequested(handoff.clone())];
        if dice.once_in(3) {
            events.push(RealtimeEvent::HandoffRequested(handoff));
        }
        events
    }

    fn speak(&mut self, dice: &mut Dice) -> Vec<RealtimeEvent> {
        let Some(item) = self.running.as_ref().map(|it| it.item.clone()) else {
            return Vec::new();
        };
        let delta = format!("{} ", self.word());
        let delta = RealtimeEvent::OutputTranscriptDelta { item: Some(item), delta };
        let samples = 24 * usize::try_from(20 + dice.roll(400)).unwrap();
        std::iter::once(delta).chain(self.sound(samples)).collect()
    }

    fn sound(&mut self, samples: usize) -> Option<RealtimeEvent> {
        let Running { number, item } = self.running.as_ref()?;
        *self.audio.entry(item.clone()).or_default() += length(samples);
        // The sound says which response it belongs to.
        let pcm = vec![i16::try_from(*number).unwrap(); samples];
        Some(RealtimeEvent::Audio { item: Some(item.clone()), pcm })
    }

    fn start(&mut self, now: Time) -> RealtimeEvent {
        self.responses += 1;
        self.last_start = now;
        let (number, item) = (self.responses, self.item("a"));
        self.running = Some(Running { number, item });
        RealtimeEvent::ResponseCreated { response: response(number) }
    }

    fn next_item(&mut self) -> Vec<RealtimeEvent> {
        let item = self.item("a");
        if let Some(running) = &mut self.running {
            running.item = item;
        }
        Vec::new()
    }

    fn finish(&mut self, outcome: ResponseOutcome) -> Vec<RealtimeEvent> {
        let running = self.running.take();
        let response = running.and_then(|it| response(it.number));
        vec![RealtimeEvent::ResponseDone { response, outcome, problem: None }]
    }

    fn item(&mut self, kind: &str) -> ItemId {
        self.items += 1;
        ItemId::from(format!("{kind}{}", self.items).as_str())
    }

    fn word(&mut self) -> String {
        self.words += 1;
        format!("w{}", self.words)
    }
}

/// The host's speaker: plays what it was given, in order and in time.
#[derive(Default)]
struct Device {
    held: bool,
    queue: VecDeque<(ItemId, Duration)>,
    played: BTreeMap<ItemId, Duration>,
    reported: BTreeMap<ItemId, Duration>,
    at: Time,
}

impl Device {
    fn queue(&mut self, item: Option<ItemId>, samples: usize) {
        let item = item.expect("this service names its items");
        match self.queue.back_mut() {
            Some((last, left)) if *last == item => *left += length(samples),
            _ => self.queue.push_back((item, length(samples))),
        }
    }

    /// Where each item that sounded meanwhile got to.
    fn play(&mut self, now: Time) -> Vec<(ItemId, Duration)> {
        let mut time = if self.held { Duration::ZERO } else { now - self.at };
        self.at = now;
        let mut heard = Vec::new();
        while !time.is_zero()
            && let Some((item, left)) = self.queue.front_mut()
        {
            let part = time.min(*left);
            time -= part;
            *left -= part;
            let played = self.played.entry(item.clone()).or_default();
            *played += part;
            heard.push((item.clone(), *played));
            if left.is_zero() {
                self.queue.pop_front();
            }
        }
        heard
    }

    fn stop(&mut self) {
        self.held = false;
        self.queue.clear();
    }

    /// What was reported counts, exactly.
    fn check_truncation(&self, seed: u64, item: &ItemId, heard: Duration) {
        if let Some(reported) = self.reported.get(item) {
            assert_eq!(heard, *reported, "seed {seed}: {item} was not cut where it was heard");
        }
    }
}

/// One direction of the connection: delays, keeps order.
struct Line<T> {
    in_flight: VecDeque<(Time, T)>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { in_flight: VecDeque::new() }
    }
}

impl<T> Line<T> {
    fn put(&mut self, event: T, now: Time, dice: &mut Dice) {
        let arrives = now + Duration::from_millis(dice.roll(150));
        let after = self.in_flight.back().map_or(Time::ZERO, |(arrives, _)| *arrives);
        self.in_flight.push_back((arrives.max(after), event));
    }

    fn arrived(&mut self, now: Time) -> Option<T> {
        let (_, event) = self.in_flight.pop_front_if(|(arrives, _)| *arrives <= now)?;
        Some(event)
    }
}

/// What is said once in a world, so that it is told once.
fn content_words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| !utterance::is_backchannel(word))
}

fn fault(kind: FaultKind) -> RealtimeEvent {
    RealtimeEvent::Fault(Fault { kind, message: "refused".into() })
}

fn response(number: u32) -> Option<ResponseId> {
    Some(ResponseId::from(number.to_string().as_str()))
}

fn length(samples: usize) -> Duration {
    Duration::from_micros(u64::try_from(samples).unwrap() * 1_000 / 24)
}
