//! Conversations as transcripts: `>` lines are inputs, indented lines are outputs.

use std::fmt::Write as _;
use std::time::Duration;

use protocol::{
    BargeIn, Fault, FaultKind, Handoff, HandoffId, ItemId, PlaybackChange, RealtimeCommand,
    RealtimeEvent, RealtimeNotice, RealtimeVersion, ResponseId, ResponseOutcome, SessionConfig,
    SessionMode, Speaker,
};
use realtime_session::{
    Answer, DelegationKind, Input, LinkEpoch, LinkNews, Output, Session, Settings,
};
use stdx::Time;

pub(crate) fn session(barge_in: BargeIn) -> Session {
    Session::new(Settings {
        config: SessionConfig {
            mode: SessionMode::Conversational,
            instructions: "be brief".into(),
            voice: "marin".into(),
            barge_in,
        },
        session_id: Some("conv".into()),
        version: RealtimeVersion::V2,
    })
}

/// Replays the `>` lines of a transcript and expects the same transcript back.
///
/// A `>` line is an input, optionally after `@` and the time in milliseconds, or
/// `@deadline`. The indented lines under it are everything the session wanted done.
#[track_caller]
pub(crate) fn check(transcript: &str) {
    replay(session(BargeIn::ByService), transcript);
}

/// The same, in a session that is open.
#[track_caller]
pub(crate) fn check_live(transcript: &str) {
    replay(live(BargeIn::ByService), transcript);
}

/// The same, and it is weighed what is said over a reply.
#[track_caller]
pub(crate) fn check_weighed(transcript: &str) {
    replay(live(BargeIn::Weighed), transcript);
}

#[track_caller]
fn live(barge_in: BargeIn) -> Session {
    let mut session = session(barge_in);
    let link = |news| Input::Link { epoch: LinkEpoch(0), news };
    let opened = RealtimeEvent::SessionUpdated { session: None };
    for input in [Input::Start, link(LinkNews::Up), link(LinkNews::Event(opened))] {
        session.handle(input, Time::ZERO).for_each(drop);
    }
    assert!(session.is_live());
    session
}

#[track_caller]
fn replay(mut session: Session, transcript: &str) {
    let mut now = Time::ZERO;
    let mut replay = String::new();
    for line in transcript.lines().filter(|line| line.starts_with('>')) {
        writeln!(replay, "{line}").unwrap();
        let mut words = line[1..].trim();
        if let Some(at) = words.strip_prefix('@') {
            let (at, rest) = at.split_once(' ').unwrap();
            now = match at {
                "deadline" => session.deadline().expect("nothing to wait for"),
                ms => Time::from_millis(ms.parse().unwrap()),
            };
            words = rest;
        }
        for output in session.handle(parse(words), now) {
            writeln!(replay, "  {}", show(&output)).unwrap();
        }
    }
    assert_eq!(replay.trim(), transcript.trim());
}

fn parse(line: &str) -> Input {
    let (words, quoted) = match line.split_once('"') {
        Some((words, rest)) => (words, rest.trim_end_matches('"').to_owned()),
        None => (line, String::new()),
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let link = |news| Input::Link { epoch: LinkEpoch(0), news };
    let event = |event| link(LinkNews::Event(event));
    let item = |name: &str| (name != "-").then(|| ItemId::from(name));
    let response = |name: &str| Some(ResponseId::from(name));
    let fault = |kind| event(RealtimeEvent::Fault(Fault { kind, message: quoted.clone() }));
    let ended = |name: &str, outcome, problem| {
        event(RealtimeEvent::ResponseDone { response: response(name), outcome, problem })
    };
    match words[..] {
        ["start"] => Input::Start,
        ["up"] => link(LinkNews::Up),
        ["stale", "down"] => {
            Input::Link { epoch: LinkEpoch(7), news: LinkNews::Down { error: None } }
        }
        ["no", "link"] => link(LinkNews::Failed { message: quoted }),
        ["alive"] => link(LinkNews::Alive),
        ["down"] => link(LinkNews::Down { error: (!quoted.is_empty()).then_some(quoted) }),
        ["greeted"] => event(RealtimeEvent::SessionCreated { session: None }),
        ["opened"] => event(RealtimeEvent::SessionUpdated { session: None }),
        ["speech", id] => event(RealtimeEvent::SpeechStarted { item: item(id) }),
        ["quiet", id] => event(RealtimeEvent::SpeechStopped { item: item(id) }),
        ["words", id] => {
            event(RealtimeEvent::InputTranscriptDelta { item: item(id), delta: quoted })
        }
        ["said", id] => event(RealtimeEvent::InputTranscript { item: item(id), text: quoted }),
        ["unclear", id] => {
            event(RealtimeEvent::InputTranscriptFailed { item: item(id), message: quoted })
        }
        ["reply", id] => event(RealtimeEvent::ResponseCreated { response: response(id) }),
        ["speaks", id] => {
            event(RealtimeEvent::OutputTranscriptDelta { item: item(id), delta: quoted })
        }
        ["spoke", id] => event(RealtimeEvent::OutputTranscript { item: item(id), text: quoted }),
        ["audio", id, ms] => {
            let samples = 24 * ms.parse::<usize>().unwrap();
            event(RealtimeEvent::Audio { item: item(id), pcm: vec![1; samples] })
        }
        ["done", id] => ended(id, ResponseOutcome::Completed, None),
        ["cancelled", id] => ended(id, ResponseOutcome::Cancelled, None),
        ["incomplete", id] => ended(id, ResponseOutcome::Incomplete, Some(quoted)),
        ["failed", id] => ended(id, ResponseOutcome::Failed, Some(quoted)),
        ["item", id] => event(RealtimeEvent::ItemAdded { item: item(id), raw: quoted }),
        ["handoff", id] => event(RealtimeEvent::HandoffRequested(Handoff {
            id: HandoffId::from(id),
            item: ItemId::from(format!("item_{id}").as_str()),
            input: quoted,
            messages: Vec::new(),
        })),
        ["busy"] => fault(FaultKind::ResponseActive),
        ["nothing", "to", "cancel"] => fault(FaultKind::NothingToCancel),
        ["refused"] => fault(FaultKind::Refused),
        ["fatal"] => fault(FaultKind::Fatal),
        ["text"] => Input::AppendText { text: quoted },
        ["mirror"] => Input::MirrorText { text: quoted },
        ["progress", id] => Input::Progress { handoff: HandoffId::from(id), text: quoted },
        ["answer", id] => {
            Input::Answer { handoff: HandoffId::from(id), answer: Answer::Message(quoted) }
        }
        ["answer", id, "nothing"] => {
            Input::Answer { handoff: HandoffId::from(id), answer: Answer::Nothing }
        }
        ["answer", id, "interrupted"] => {
            Input::Answer { handoff: HandoffId::from(id), answer: Answer::Interrupted }
        }
        ["answer", id, "failed"] => {
            Input::Answer { handoff: HandoffId::from(id), answer: Answer::Failed(quoted) }
        }
        ["played", id, ms] => Input::Played {
            item: ItemId::from(id),
            upto: Duration::from_millis(ms.parse().unwrap()),
        },
        ["stop"] => Input::Stop,
        ["tick"] => Input::Tick,
        _ => panic!("not an input: {line}"),
    }
}

fn show(output: &Output) -> String {
    match output {
        Output::Connect { link } => format!("connect {}", link.0),
        Output::Send(command) => format!("send {}", show_command(command)),
        Output::Ping => "ping".to_owned(),
        Output::Disconnect => "disconnect".to_owned(),
        Output::Play { item, pcm } => format!("play {} {}ms", name(item.as_ref()), pcm.len() / 24),
        Output::Playback(PlaybackChange::Held) => "hold playback".to_owned(),
        Output::Playback(PlaybackChange::Resumed) => "resume playback".to_owned(),
        Output::Playback(PlaybackChange::Stopped) => "stop playback".to_owned(),
        Output::Delegate(delegation) => {
            let kind = match delegation.kind {
                DelegationKind::Start => "start",
                DelegationKind::Steer => "steer",
            };
            format!("delegate {kind} {} {:?}", delegation.handoff, delegation.text())
        }
        Output::Spoken { item, speaker, text } => {
            format!("spoken {} {} {text:?}", who(*speaker), name(item.as_ref()))
        }
        Output::Notice(notice) => show_notice(notice),
        Output::Warning { message } => format!("warning {message:?}"),
        Output::Ended => "ended".to_owned(),
    }
}

fn show_command(command: &RealtimeCommand) -> String {
    match command {
        RealtimeCommand::UpdateSession(config) => format!("session {:?}", config.instructions),
        RealtimeCommand::AppendAudio { pcm } => format!("audio {}", pcm.len()),
        RealtimeCommand::Text { text } => format!("text {text:?}"),
        RealtimeCommand::Mirror { text } => format!("mirror {text:?}"),
        RealtimeCommand::Progress { handoff, text } => format!("progress {handoff} {text:?}"),
        RealtimeCommand::HandoffOutput { handoff, text, is_final: true } => {
            format!("final {handoff} {text:?}")
        }
        RealtimeCommand::HandoffOutput { handoff, text, is_final: false } => {
            format!("acknowledge {handoff} {text:?}")
        }
        RealtimeCommand::CreateResponse => "create".to_owned(),
        RealtimeCommand::CancelResponse => "cancel".to_owned(),
        RealtimeCommand::Truncate { item, heard } => {
            format!("truncate {item} {}ms", heard.as_millis())
        }
    }
}

fn show_notice(notice: &RealtimeNotice) -> String {
    match notice {
        RealtimeNotice::Started { session, version } => {
            format!("started {} {version:?}", session.as_deref().unwrap_or("-"))
        }
        RealtimeNotice::ItemAdded { raw } => format!("item {raw}"),
        RealtimeNotice::TranscriptDelta { speaker, delta } => {
            format!("delta {} {delta:?}", who(*speaker))
        }
        RealtimeNotice::TranscriptDone { speaker, text } => {
            format!("whole {} {text:?}", who(*speaker))
        }
        RealtimeNotice::Audio { item, pcm } => {
            format!("audio {} {}", name(item.as_ref()), pcm.len())
        }
        RealtimeNotice::Playback { change } => format!("playback {change:?}"),
        RealtimeNotice::SpeechStarted { item } => format!("speech {}", name(item.as_ref())),
        RealtimeNotice::ResponseCancelled { response } => {
            format!("cancelled {}", response.as_ref().map_or("-", ResponseId::as_str))
        }
        RealtimeNotice::Handoff { handoff, item, text, transcript } => {
            format!("handoff {handoff} {item} {text:?} after {} lines", transcript.len())
        }
        RealtimeNotice::Error { message } => format!("error {message:?}"),
        RealtimeNotice::Closed { reason } => format!("closed {reason:?}"),
        RealtimeNotice::Stage { stage } => format!("stage {stage:?}"),
    }
}

fn who(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::User => "user",
        Speaker::Assistant => "model",
    }
}

fn name(item: Option<&ItemId>) -> &str {
    item.map_or("-", ItemId::as_str)
}
