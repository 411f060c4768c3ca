//! The session by transcripts, and in a world of its own.

use std::fmt::Write as _;
use std::time::Duration;

use audio_dsp::DUET_HZ;
use protocol::{CallId, ItemId, Property, ResponseId, Schema, ToolEffect, ToolSpec};

use super::*;

mod barge_in;
mod ear;
mod items;
mod meanwhile;
mod reply;
mod turns;
mod world;

const MS: usize = DUET_HZ as usize / 1_000;

/// Replays the `>` lines of a transcript and expects the same transcript back.
///
/// A `>` line is an input; the indented lines under it are everything that followed. Words of
/// the first line, before any `>`, change the settings.
#[track_caller]
fn check(transcript: &str) {
    let mut lines = transcript.trim().lines().peekable();
    let words = lines.next_if(|line| !line.starts_with('>')).unwrap_or_default();
    let mut pipeline = Pipeline::new(settings(words), "");
    let mut replay = String::new();
    if !words.is_empty() {
        writeln!(replay, "{words}").unwrap();
    }
    for line in lines.filter(|line| line.starts_with('>')) {
        writeln!(replay, "{line}").unwrap();
        for input in parse(&line[1..]) {
            for output in pipeline.handle(input) {
                writeln!(replay, "  {}", show(&output)).unwrap();
            }
        }
    }
    assert_eq!(replay.trim(), transcript.trim(), "\n--- what happened:\n{replay}");
}

/// A session that offers the agent as a tool and wants transcripts, changed by words.
fn settings(words: &str) -> Settings {
    let mut settings = Settings::new(SessionKind::Realtime);
    settings.transcription = Some(Transcription::default());
    settings.tools = vec![agent()];
    let mut turns = TurnDetection::default();
    for word in words.split_whitespace() {
        let number = word.split_once('=').map_or(0, |(_, number)| number.parse().unwrap());
        match word.split_once('=').map_or(word, |(name, _)| name) {
            "chat" => settings.tools.clear(),
            "text" => settings.modality = Modality::Text,
            "manual" => settings.turn_detection = None,
            "untold" => settings.transcription = None,
            "transcription" => settings.kind = SessionKind::Transcription,
            "mute" => turns.create_response = false,
            "polite" => turns.interrupt_response = false,
            "tokens" => settings.max_output_tokens = Some(number as u32),
            "patient" => {
                turns.detector = Detector::Meaning { patience: Duration::from_millis(number) };
            }
            "silence" | "idle" => {
                let Detector::Silence { threshold, prefix_padding, silence, idle } = turns.detector
                else {
                    panic!("not a silence detector")
                };
                let given = Duration::from_millis(number);
                turns.detector = match word.starts_with("idle") {
                    true => {
                        Detector::Silence { threshold, prefix_padding, silence, idle: Some(given) }
                    }
                    false => Detector::Silence { threshold, prefix_padding, silence: given, idle },
                };
            }
            _ => panic!("not a setting: {word}"),
        }
    }
    if settings.turn_detection.is_some() {
        settings.turn_detection = Some(turns);
    }
    settings
}

fn agent() -> ToolSpec {
    ToolSpec {
        name: "background_agent".to_owned(),
        description: "Does the work.".to_owned(),
        parameters: vec![Property::required(
            "prompt",
            "the request",
            Schema::Text { max_chars: None },
        )],
        effect: ToolEffect::Runs,
    }
}

/// `speech 320` and `silence 320` are that many milliseconds of sound with their verdicts.
fn parse(line: &str) -> Vec<Input> {
    let (words, text) = match line.split_once('"') {
        Some((words, text)) => (words, text.trim_end().trim_end_matches('"').to_owned()),
        None => (line, String::new()),
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let client = |event| vec![Input::Client { event_id: Some("e1".to_owned()), event }];
    let job = |epoch: &str, news| {
        let epoch = Epoch(epoch.trim_start_matches('#').parse().unwrap());
        vec![Input::Job { epoch, news }]
    };
    match words[..] {
        ["sound", ms] => vec![Input::Audio { pcm: tone(ms) }],
        ["speech", ms] => hear(ms, 0.9),
        ["silence", ms] => hear(ms, 0.02),
        ["murmur", ms] => hear(ms, 0.4),
        ["verdicts", ms, probability] => {
            let frames = ms.parse::<usize>().unwrap() / 32;
            vec![Input::Voice { probabilities: vec![probability.parse().unwrap(); frames] }]
        }
        ["deaf"] => vec![Input::VoiceLost { message: text }],
        ["complete", epoch] => job(epoch, JobNews::EndOfTurn { probability: 0.9 }),
        ["unfinished", epoch] => job(epoch, JobNews::EndOfTurn { probability: 0.1 }),
        ["heard", epoch] => job(epoch, heard(text, -0.2, 0.01)),
        ["unsure", epoch] => job(epoch, heard(text, -0.7, 0.01)),
        ["guessed", epoch] => job(epoch, heard(text, -1.4, 0.8)),
        ["routed", epoch, route] => {
            let route = match route {
                "status" => Route::Status,
                "repeat" => Route::Repeat,
                "work" => Route::Work,
                _ => panic!("not a route: {route}"),
            };
            job(epoch, JobNews::Routed { route })
        }
        ["pcm", epoch, ms] => job(epoch, JobNews::Sound { pcm: tone(ms) }),
        ["wrote", epoch] => job(epoch, JobNews::Text { delta: text.replace("\\n", "\n") }),
        ["called", epoch, name] => {
            job(epoch, JobNews::Call { name: name.to_owned(), arguments: text })
        }
        ["ready", epoch] => job(epoch, JobNews::Done),
        ["failed", epoch] => job(epoch, JobNews::Failed { message: text }),
        ["settings", ..] => {
            client(ClientEvent::Configure(Box::new(settings(&words[1..].join(" ")))))
        }
        ["commit"] => client(ClientEvent::CommitAudio),
        ["clear"] => client(ClientEvent::ClearAudio),
        ["clear", "output"] => client(ClientEvent::ClearOutputAudio),
        ["user", id] => client(create(Some(id), message(Role::User, text), Place::End)),
        ["user", id, "after", "root"] => {
            client(create(Some(id), message(Role::User, text), Place::Root))
        }
        ["user", id, "after", other] => {
            client(create(Some(id), message(Role::User, text), Place::After(ItemId::new(other))))
        }
        ["user"] => client(create(None, message(Role::User, text), Place::End)),
        ["recording", id, ms] => {
            let part = Content::InputAudio { pcm: tone(ms).into(), transcript: None };
            let body = ItemBody::Message { role: Role::User, content: vec![part] };
            client(create(Some(id), body, Place::End))
        }
        ["progress"] => {
            let text = format!("{}{text}", protocol::labels::PROGRESS);
            client(create(None, message(Role::User, text), Place::End))
        }
        ["result", call] => client(create(
            None,
            ItemBody::FunctionCallOutput { call: CallId::new(call), output: text },
            Place::End,
        )),
        ["respond"] => client(ClientEvent::CreateResponse(Box::default())),
        ["respond", "aside"] => client(ClientEvent::CreateResponse(Box::new(ResponseRequest {
            audience: Audience::OutOfBand,
            metadata: Some([("topic".to_owned(), "aside".to_owned())].into()),
            ..ResponseRequest::default()
        }))),
        ["respond", "to", id] => client(ClientEvent::CreateResponse(Box::new(ResponseRequest {
            input: Some(vec![InputItem::Reference(ItemId::new(id))]),
            ..ResponseRequest::default()
        }))),
        ["cancel"] => client(ClientEvent::CancelResponse { response: None }),
        ["cancel", id] => {
            client(ClientEvent::CancelResponse { response: Some(ResponseId::new(id)) })
        }
        ["retrieve", id] => client(ClientEvent::RetrieveItem { item: ItemId::new(id) }),
        ["delete", id] => client(ClientEvent::DeleteItem { item: ItemId::new(id) }),
        ["truncate", id, ms] => client(ClientEvent::TruncateItem {
            item: ItemId::new(id),
            content_index: 0,
            audio_end_ms: ms.parse().unwrap(),
        }),
        _ => panic!("not an input: {line}"),
    }
}

fn heard(text: String, log_probability: f32, no_speech: f32) -> JobNews {
    JobNews::Transcript { text, log_probability, no_speech }
}

fn create(id: Option<&str>, body: ItemBody, place: Place) -> ClientEvent {
    ClientEvent::CreateItem { item: NewItem { id: id.map(ItemId::new), body }, place }
}

fn message(role: Role, text: String) -> ItemBody {
    ItemBody::Message { role, content: vec![Content::InputText { text }] }
}

fn tone(ms: &str) -> Vec<i16> {
    vec![100; ms.parse::<usize>().unwrap() * MS]
}

fn hear(ms: &str, probability: f32) -> Vec<Input> {
    let frames = ms.parse::<usize>().unwrap() / 32;
    let pcm = vec![100; frames * 32 * MS];
    vec![Input::Audio { pcm }, Input::Voice { probabilities: vec![probability; frames] }]
}

fn show(output: &Output) -> String {
    match output {
        Output::Start { epoch, job } => format!("start #{} {}", epoch.0, show_job(job)),
        Output::Cancel { epoch } => format!("cancel #{}", epoch.0),
        Output::Send(event) => show_event(event),
    }
}

fn show_job(job: &Job) -> String {
    match job {
        Job::CheckEndOfTurn { pcm } => format!("end of turn? after {}", ms(pcm.len())),
        Job::Transcribe { pcm, .. } => format!("transcribe {}", ms(pcm.len())),
        Job::Route { words } => format!("route {words:?}"),
        Job::Speak { text, .. } => format!("speak {text:?}"),
        Job::Reply { request } => {
            let items = request.input.iter().map(|it| match it {
                protocol::ModelItem::Message { role, text } => format!("{role:?}: {text}"),
                protocol::ModelItem::ToolCall(call) => format!("Call: {}", call.name),
                protocol::ModelItem::ToolOutput { output, .. } => format!("Output: {output}"),
                protocol::ModelItem::Reasoning { .. } => "Reasoning".to_owned(),
            });
            format!("reply to [{}]", items.collect::<Vec<_>>().join(" | "))
        }
    }
}

fn show_event(event: &Event) -> String {
    let after = |previous: &Option<ItemId>| {
        previous.as_ref().map_or("first".to_owned(), |it| format!("after {it}"))
    };
    match event {
        Event::Refused { event_id, refusal } => match event_id {
            Some(id) => format!("refuse {id}: {refusal:?}"),
            None => format!("error: {refusal:?}"),
        },
        Event::Configured => "configured".to_owned(),
        Event::SpeechStarted { audio_start_ms, item } => {
            format!("speech started {item} at {audio_start_ms}ms")
        }
        Event::SpeechStopped { audio_end_ms, item } => {
            format!("speech stopped {item} at {audio_end_ms}ms")
        }
        Event::Committed { item, previous } => format!("committed {item} {}", after(previous)),
        Event::Cleared => "cleared".to_owned(),
        Event::TimeoutTriggered { audio_start_ms, audio_end_ms, item } => {
            format!("timeout {item} {audio_start_ms}ms to {audio_end_ms}ms")
        }
        Event::ItemAdded { item, previous } => {
            format!("added {} {}", show_item(item), after(previous))
        }
        Event::ItemDone { item, previous } => {
            format!("done {} {}", show_item(item), after(previous))
        }
        Event::ItemRetrieved { item } => {
            format!("retrieved {} with {}", show_item(item), ms(item.samples()))
        }
        Event::ItemTruncated { item, content_index: _, audio_end_ms } => {
            format!("truncated {item} at {audio_end_ms}ms")
        }
        Event::ItemDeleted { item } => format!("deleted {item}"),
        Event::Transcribed { item, content_index: _, transcript, seconds } => {
            format!("transcribed {item} {transcript:?} of {seconds}s")
        }
        Event::TranscriptionFailed { item, content_index: _, message } => {
            format!("not transcribed {item}: {message}")
        }
        Event::ResponseCreated(response) => {
            format!("response {} created{}", response.id, show_metadata(response))
        }
        Event::ResponseDone(response) => {
            let output: Vec<&str> = response.output.iter().map(|it| it.id.as_str()).collect();
            let (id, status) = (&response.id, &response.status);
            format!("response {id} {status:?} [{}]{}", output.join(" "), show_metadata(response))
        }
        Event::OutputItemAdded { response, output_index, item } => {
            format!("{response}/{output_index} added {}", show_item(item))
        }
        Event::OutputItemDone { response, output_index, item } => {
            format!("{response}/{output_index} done {}", show_item(item))
        }
        Event::PartAdded { at, part } => format!("{} part {}", show_at(at), show_part(part)),
        Event::PartDone { at, part } => format!("{} part done {}", show_at(at), show_part(part)),
        Event::TextDelta { at, delta } => format!("{} text +{delta:?}", show_at(at)),
        Event::TextDone { at, text } => format!("{} text done {text:?}", show_at(at)),
        Event::AudioDelta { at, pcm, .. } => format!("{} sound +{}", show_at(at), ms(pcm.len())),
        Event::AudioDone { at } => format!("{} sound done", show_at(at)),
        Event::TranscriptDelta { at, delta } => format!("{} words +{delta:?}", show_at(at)),
        Event::TranscriptDone { at, transcript } => {
            format!("{} words done {transcript:?}", show_at(at))
        }
        Event::ArgumentsDelta { at, delta } => format!("{} arguments +{delta}", at.item),
        Event::ArgumentsDone { at, name, arguments } => {
            format!("{} arguments done {name} {arguments}", at.item)
        }
        Event::RateLimits => "rate limits".to_owned(),
    }
}

fn show_item(item: &Item) -> String {
    let what = match &item.body {
        ItemBody::Message { role, .. } => format!("{role:?} {:?}", item.text()),
        ItemBody::FunctionCall(FunctionCall { call, name, arguments }) => {
            format!("{call} {name}({arguments})")
        }
        ItemBody::FunctionCallOutput { call, output } => format!("{call} -> {output:?}"),
    };
    let status = match item.status {
        ItemStatus::Completed => "",
        ItemStatus::InProgress => " (in progress)",
        ItemStatus::Incomplete => " (incomplete)",
    };
    format!("{} {what}{status}", item.id)
}

fn show_at(at: &PartAt) -> String {
    format!("{}", at.item)
}

fn show_part(part: &Part) -> String {
    match part {
        Part::Text { text } => format!("text {text:?}"),
        Part::Audio { transcript } => format!("audio {transcript:?}"),
    }
}

fn show_metadata(response: &Response) -> String {
    response.metadata.as_ref().map_or(String::new(), |it| format!(" {it:?}"))
}

fn ms(samples: usize) -> String {
    format!("{}ms", samples / MS)
}
