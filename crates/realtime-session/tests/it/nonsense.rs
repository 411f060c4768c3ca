//! A service that keeps no rules at all. The conversation need not be good, but it must stay
//! whole: bounded, answering what it was asked once, closing once.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::{
    BargeIn, Fault, FaultKind, Handoff, HandoffId, ItemId, RealtimeCommand, RealtimeEvent,
    RealtimeNotice, ResponseId, ResponseOutcome,
};
use realtime_session::{Answer, Input, LinkEpoch, LinkNews, Output};
use stdx::{Dice, Time};

use crate::script;

#[test]
fn a_service_without_rules_breaks_nothing() {
    for seed in 0..500 {
        let mut dice = Dice::new(seed);
        let barge_in = if seed.is_multiple_of(2) { BargeIn::ByService } else { BargeIn::Weighed };
        let mut session = script::session(barge_in);
        let mut now = Time::ZERO;
        let mut inputs = vec![Input::Start, link(LinkNews::Up)];
        inputs.extend((0..400).map(|_| input(&mut dice)));
        inputs.push(Input::Stop);
        let (mut errors, mut closes, mut ends) = (0, 0, 0);
        let mut answered = BTreeSet::new();
        for input in inputs {
            now = now + Duration::from_millis(dice.roll(400));
            for output in session.handle(input, now) {
                assert_eq!(ends, 0, "seed {seed}: after the end: {output:?}");
                match output {
                    Output::Notice(RealtimeNotice::Error { .. }) => errors += 1,
                    Output::Notice(RealtimeNotice::Closed { .. }) => closes += 1,
                    Output::Ended => ends += 1,
                    Output::Send(RealtimeCommand::HandoffOutput { handoff, .. }) => {
                        assert!(answered.insert(handoff), "seed {seed}: answered twice");
                    }
                    Output::Connect { .. }
                    | Output::Send(_)
                    | Output::Ping
                    | Output::Disconnect
                    | Output::Play { .. }
                    | Output::Playback(_)
                    | Output::Delegate(_)
                    | Output::Spoken { .. }
                    | Output::Notice(_)
                    | Output::Warning { .. } => (),
                }
            }
            // A deadline that has passed is dealt with in one tick.
            if session.deadline().is_some_and(|deadline| deadline <= now) {
                session.handle(Input::Tick, now).for_each(|output| match output {
                    Output::Notice(RealtimeNotice::Error { .. }) => errors += 1,
                    Output::Notice(RealtimeNotice::Closed { .. }) => closes += 1,
                    Output::Ended => ends += 1,
                    _other => (),
                });
                assert!(
                    session.deadline().is_none_or(|deadline| now < deadline),
                    "seed {seed}: ticks without end",
                );
            }
        }
        assert_eq!((closes, ends), (1, 1), "seed {seed}");
        assert!(errors <= 1, "seed {seed}: {errors} errors");
    }
}

fn input(dice: &mut Dice) -> Input {
    let id = dice.roll(5).to_string();
    let item = || Some(ItemId::from(id.as_str()));
    let response = || Some(ResponseId::from(id.as_str()));
    let handoff = || HandoffId::from(id.as_str());
    let text = || "some words ".to_owned();
    let event = match dice.roll(22) {
        0 => RealtimeEvent::SessionCreated { session: None },
        1 => RealtimeEvent::SessionUpdated { session: None },
        2 => RealtimeEvent::SpeechStarted { item: item() },
        3 => RealtimeEvent::SpeechStopped { item: item() },
        4 => RealtimeEvent::InputTranscriptDelta { item: item(), delta: text() },
        5 => RealtimeEvent::InputTranscript { item: item(), text: text() },
        6 => RealtimeEvent::InputTranscriptFailed { item: item(), message: text() },
        7 => RealtimeEvent::ResponseCreated { response: response() },
        8 => RealtimeEvent::OutputTranscriptDelta { item: item(), delta: text() },
        9 => RealtimeEvent::OutputTranscript { item: None, text: text() },
        10 => RealtimeEvent::Audio { item: item(), pcm: vec![0; 4_800] },
        11 => RealtimeEvent::Audio { item: None, pcm: Vec::new() },
        12 => RealtimeEvent::ResponseDone {
            response: None,
            outcome: ResponseOutcome::Cancelled,
            problem: None,
        },
        13 | 14 => RealtimeEvent::HandoffRequested(Handoff {
            id: HandoffId::from(dice.roll(10_000).to_string().as_str()),
            item: ItemId::from("item"),
            input: String::new(),
            messages: Vec::new(),
        }),
        15 => fault(FaultKind::ResponseActive),
        16 => fault(FaultKind::NothingToCancel),
        17 if dice.once_in(40) => fault(FaultKind::Fatal),
        18 => return Input::Answer { handoff: handoff(), answer: Answer::Nothing },
        19 => return Input::Progress { handoff: handoff(), text: text() },
        20 => return Input::Played { item: ItemId::from("0"), upto: Duration::MAX },
        _ => return Input::MirrorText { text: text() },
    };
    link(LinkNews::Event(event))
}

fn link(news: LinkNews) -> Input {
    Input::Link { epoch: LinkEpoch(0), news }
}

fn fault(kind: FaultKind) -> RealtimeEvent {
    RealtimeEvent::Fault(Fault { kind, message: "no".into() })
}
