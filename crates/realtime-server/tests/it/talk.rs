use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{RealtimeCommand, RealtimeVersion};
use realtime_server::{ApiKey, Options, RealtimeServer};
use realtime_wire::client::Codec;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use voice_pipeline::{ACKNOWLEDGEMENTS, Route};

use crate::client::{Client, KEY, serve};
use crate::script::Script;

pub(crate) static AGENT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "type": "function",
        "name": "background_agent",
        "description": "Hands a request to the agent.",
        "parameters": {
            "type": "object",
            "properties": { "prompt": { "type": "string" } },
            "required": ["prompt"],
            "additionalProperties": false,
        },
    })
});

/// As our own client opens a session.
async fn configure(client: &mut Client, more: Value) -> Value {
    let mut session = json!({
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": { "type": "audio/pcm", "rate": 24000 },
                "transcription": { "model": "gpt-4o-mini-transcribe", "language": "en" },
                "turn_detection": { "type": "server_vad" },
            },
            "output": { "voice": "marin" },
        },
        "tools": [AGENT.clone()],
        "tool_choice": "auto",
    });
    if let Value::Object(more) = more {
        session.as_object_mut().unwrap().extend(more);
    }
    client.send(json!({ "type": "session.update", "session": session })).await;
    client.expect("session.updated").await["session"].clone()
}

pub(crate) async fn speak_for(client: &mut Client, ms: usize) {
    append(client, ms, 8_000).await;
}

async fn be_silent_for(client: &mut Client, ms: usize) {
    append(client, ms, 0).await;
}

/// In frames of 20 ms, as a microphone would.
async fn append(client: &mut Client, ms: usize, sample: i16) {
    let frame: Vec<u8> = [sample; 480].iter().flat_map(|it| it.to_le_bytes()).collect();
    let audio = STANDARD.encode(frame);
    for _ in 0..ms / 20 {
        client.send(json!({ "type": "input_audio_buffer.append", "audio": audio })).await;
    }
}

fn sound(events: &[Value]) -> Vec<u8> {
    let deltas = events.iter().filter(|it| it["type"] == "response.output_audio.delta");
    deltas.flat_map(|it| STANDARD.decode(it["delta"].as_str().unwrap()).unwrap()).collect()
}

const HEARD: [&str; 5] = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
];

const SAID: [&str; 9] = [
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
];

const CALLED: [&str; 6] = [
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
];

const OVER: [&str; 2] = ["response.done", "rate_limits.updated"];

#[tokio::test]
async fn a_spoken_request_goes_to_the_agent_and_its_result_is_spoken() {
    let script = Script::new().will_hear(" Run the tests and tell me what fails.");
    let server = serve(&script).await;
    let mut client = Client::connect(&server).await;
    let session = configure(&mut client, json!({})).await;
    assert_eq!(session["tools"][0]["name"], "background_agent");

    be_silent_for(&mut client, 400).await;
    speak_for(&mut client, 1_500).await;
    be_silent_for(&mut client, 600).await;
    let heard = client.expect_all(&HEARD).await;
    assert!(heard.iter().all(|it| {
        let id = it.get("item_id").unwrap_or(&it["item"]["id"]);
        id == &heard[0]["item_id"]
    }));
    assert_eq!(
        heard[3]["item"]["content"][0],
        json!({ "type": "input_audio", "transcript": null })
    );

    let written = client.expect("conversation.item.input_audio_transcription.completed").await;
    assert_eq!(written["transcript"], "Run the tests and tell me what fails.");
    assert_eq!(client.expect("response.created").await["response"]["status"], "in_progress");
    let said = client.expect_all(&SAID).await;
    assert_eq!(sound(&said).len(), "Okay, one moment.".len() * 480);
    let called = client.expect_all(&CALLED).await;
    assert_eq!(called[3]["name"], "background_agent");
    let arguments: Value = serde_json::from_str(called[3]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({ "prompt": "Run the tests and tell me what fails." }));
    let over = client.expect_all(&OVER).await;
    assert_eq!(over[0]["response"]["status"], "completed");
    assert_eq!(over[0]["response"]["output"].as_array().unwrap().len(), 2);

    client
        .send(json!({
            "type": "conversation.item.create",
            "item": {
                "type": "function_call_output",
                "call_id": called[3]["call_id"],
                "output": "\"Agent Final Message\":\n\nOne test fails: `adds_two` in `src/lib.rs:7`.",
            },
        }))
        .await;
    client.expect_all(&["conversation.item.added", "conversation.item.done"]).await;
    client.expect_silence().await;
    client.send(json!({ "type": "response.create" })).await;
    client.expect("response.created").await;
    let said = client.expect_all(&SAID).await;
    let transcript = said.iter().find(|it| it["type"] == SAID[5]).unwrap();
    assert_eq!(transcript["transcript"], "One test fails: adds two in lib dot R S line 7.");
    client.expect_all(&OVER).await;
    client.expect_silence().await;
    assert_eq!(script.log(), ["transcribe about 3s in Some(\"en\")"]);
}

/// What our own client tells of running work, and of what was typed to the agent, would go round
/// for ever if it were handed back to the agent.
#[tokio::test]
async fn what_our_client_tells_of_the_work_is_no_request() {
    let script = Script::new().will_reply(&["Still at it."]).will_reply(&["Noted."]);
    let server = serve(&script).await;
    let mut client = Client::connect(&server).await;
    configure(&mut client, json!({ "output_modalities": ["text"] })).await;
    let codec = Codec::new(RealtimeVersion::V2);
    for news in [
        RealtimeCommand::Progress { handoff: "call_1".into(), text: "Two tests are left.".into() },
        RealtimeCommand::Mirror { text: "Run only the fast ones.".into() },
    ] {
        for command in [news, RealtimeCommand::CreateResponse] {
            client.send_raw(Message::text(codec.encode(&command).unwrap())).await;
        }
        client.expect_all(&["conversation.item.added", "conversation.item.done"]).await;
        client.expect("response.created").await;
        let said = [
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
        ];
        client.expect_all(&said).await;
        client.expect_all(&OVER).await;
    }
    assert_eq!(script.log(), ["reply with 1 tools", "reply with 1 tools"]);
}

/// What somebody asks the voice while the agent works does not reach the agent, and its result
/// comes as if nobody had asked.
#[tokio::test]
async fn who_asks_about_running_work_is_answered_by_the_voice() {
    let script = Script::new()
        .will_hear("Run the tests.")
        .will_hear("What are you doing?")
        .will_route(Route::Status)
        .will_hear("Pardon?")
        .will_route(Route::Repeat);
    let server = serve(&script).await;
    let mut client = Client::connect(&server).await;
    configure(&mut client, json!({})).await;
    let call = hand_over(&mut client).await;

    let codec = Codec::new(RealtimeVersion::V2);
    let (handoff, text) = ("call_1".into(), "Running `cargo test`.".into());
    let news = codec.encode(&RealtimeCommand::Progress { handoff, text }).unwrap();
    client.send_raw(Message::text(news)).await;
    client.expect_all(&["conversation.item.added", "conversation.item.done"]).await;
    client.expect_silence().await;

    for _ in 0..2 {
        speak_for(&mut client, 500).await;
        be_silent_for(&mut client, 600).await;
        client.expect_all(&HEARD).await;
        client.expect("conversation.item.input_audio_transcription.completed").await;
        client.expect("response.created").await;
        let said = client.expect_all(&SAID).await;
        let transcript = said.iter().find(|it| it["type"] == SAID[5]).unwrap();
        assert_eq!(transcript["transcript"], "Running cargo test.");
        let over = client.expect_all(&OVER).await;
        assert_eq!(over[0]["response"]["output"].as_array().unwrap().len(), 1, "nothing is called");
    }

    let item = json!({ "type": "function_call_output", "call_id": call, "output": "All pass." });
    client.send(json!({ "type": "conversation.item.create", "item": item })).await;
    client.expect_all(&["conversation.item.added", "conversation.item.done"]).await;
    client.send(json!({ "type": "response.create" })).await;
    client.expect("response.created").await;
    client.expect_all(&SAID).await;
    client.expect_all(&OVER).await;
    let routes = script.log().into_iter().filter(|it| it.starts_with("route"));
    let asked = ["route \"What are you doing?\"", "route \"Pardon?\""];
    assert_eq!(routes.collect::<Vec<_>>(), asked);
}

/// The first words need ears and a voice, and must not wait for anything else.
#[tokio::test]
async fn routes_are_prepared_for_when_the_voice_is_ready() {
    let script = Script::new();
    let server = serve(&script).await;
    let _client = Client::connect(&server).await;
    assert_eq!(script.prepared_after().await, ACKNOWLEDGEMENTS.len() + 1, "and the check-in");
}

/// The script routes nothing, and never says so.
#[tokio::test]
async fn what_is_not_routed_in_time_is_for_the_agent() {
    let script = Script::new().will_hear("Run the tests.").will_hear("What are you doing?");
    let server = serve(&script).await;
    let mut client = Client::connect(&server).await;
    configure(&mut client, json!({})).await;
    hand_over(&mut client).await;
    speak_for(&mut client, 500).await;
    be_silent_for(&mut client, 600).await;
    client.expect_all(&HEARD).await;
    client.expect("conversation.item.input_audio_transcription.completed").await;
    client.expect("response.created").await;
    client.expect_all(&SAID).await;
    let called = client.expect_all(&CALLED).await;
    let arguments: Value = serde_json::from_str(called[3]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({ "prompt": "What are you doing?" }));
    client.expect_all(&OVER).await;
}

/// Speaks the first request, and returns the call that hands it over.
async fn hand_over(client: &mut Client) -> Value {
    speak_for(client, 500).await;
    be_silent_for(client, 600).await;
    client.expect_all(&HEARD).await;
    client.expect("conversation.item.input_audio_transcription.completed").await;
    client.expect("response.created").await;
    client.expect_all(&SAID).await;
    let called = client.expect_all(&CALLED).await;
    client.expect_all(&OVER).await;
    called[3]["call_id"].clone()
}

#[tokio::test]
async fn speech_cuts_the_voice_off() {
    let script = Script::new().will_hear("[coughs]");
    let server = serve(&script).await;
    let mut client = Client::connect(&server).await;
    configure(&mut client, json!({})).await;
    let item = json!({ "type": "function_call_output", "call_id": "c", "output": "All is well." });
    client.send(json!({ "type": "conversation.item.create", "item": item })).await;
    client.expect_all(&["conversation.item.added", "conversation.item.done"]).await;
    script.hold_the_voice();
    client.send(json!({ "type": "response.create" })).await;
    let begun = client.expect_all(&["response.created", SAID[0], SAID[1], SAID[2], SAID[3]]).await;
    let item = begun[1]["item"]["id"].clone();
    // A tenth of a second and some more of what is held.
    client.expect("response.output_audio.delta").await;

    speak_for(&mut client, 300).await;
    let cut = client
        .expect_all(&[
            "input_audio_buffer.speech_started",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
            "rate_limits.updated",
        ])
        .await;
    let done = &cut[cut.len() - 2]["response"];
    assert_eq!(done["status"], "cancelled");
    assert_eq!(done["status_details"], json!({ "type": "cancelled", "reason": "turn_detected" }));
    assert_eq!(done["output"][0]["status"], "incomplete");

    client
        .send(json!({
            "type": "conversation.item.truncate",
            "item_id": item,
            "content_index": 0,
            "audio_end_ms": 60,
        }))
        .await;
    client.expect("conversation.item.truncated").await;
    client.send(json!({ "type": "conversation.item.retrieve", "item_id": item })).await;
    let kept = client.expect("conversation.item.retrieved").await["item"]["content"][0].clone();
    assert_eq!(kept["transcript"], "All");
    assert_eq!(STANDARD.decode(kept["audio"].as_str().unwrap()).unwrap().len(), 60 * 48);

    // A cough is no request.
    be_silent_for(&mut client, 600).await;
    client.expect_all(&HEARD[1..]).await;
    client.expect("conversation.item.input_audio_transcription.completed").await;
    client.expect_silence().await;
}

#[tokio::test]
async fn without_an_agent_a_model_answers() {
    let script = Script::new()
        .will_hear("What can you do?")
        .will_reply(&["I can **read**", " files. And", " more."])
        .will_call("get_weather", r#"{"city":"Oslo","unit":"C"}"#);
    let server = serve(&script).await;
    let mut client = Client::connect(&server).await;
    configure(&mut client, json!({ "tools": [] })).await;
    speak_for(&mut client, 500).await;
    be_silent_for(&mut client, 600).await;
    client.expect_all(&HEARD).await;
    client.expect("conversation.item.input_audio_transcription.completed").await;
    client.expect("response.created").await;
    let said =
        client.expect_all(&[SAID[0], SAID[1], SAID[2], SAID[3], SAID[3], SAID[4], SAID[5]]).await;
    assert_eq!(said.last().unwrap()["transcript"], "I can read files. And more.");
    client.expect_all(&SAID[6..]).await;
    client.expect_all(&OVER).await;

    // By text, with a function of the client's.
    let tool = json!({
        "type": "function",
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": { "city": { "type": "string" }, "unit": { "enum": ["C", "F"] } },
            "required": ["city", "unit"],
        },
    });
    let text = json!({ "tools": [tool], "output_modalities": ["text"] });
    configure(&mut client, text).await;
    let content = json!([{ "type": "input_text", "text": "Is it cold?" }]);
    let item = json!({ "type": "message", "role": "user", "content": content });
    client.send(json!({ "type": "conversation.item.create", "item": item })).await;
    client.expect_all(&["conversation.item.added", "conversation.item.done"]).await;
    client
        .send(json!({
            "type": "response.create",
            "response": { "metadata": { "client_event_id": "17" } },
        }))
        .await;
    let created = client.expect("response.created").await;
    assert_eq!(created["response"]["metadata"], json!({ "client_event_id": "17" }));
    let called = client.expect_all(&CALLED).await;
    assert_eq!(called[3]["arguments"], r#"{"city":"Oslo","unit":"C"}"#);
    client.expect_all(&OVER).await;
    assert_eq!(
        script.log(),
        ["transcribe about 1s in Some(\"en\")", "reply with 0 tools", "reply with 1 tools"]
    );
}

/// Whatever the configured speed: an acknowledgement must not wait for the voice.
#[tokio::test]
async fn acknowledgements_are_spoken_before_they_are_needed() {
    let script = Script::new().will_hear("Run the tests.");
    let mut options = Options::new("127.0.0.1:0".parse().unwrap(), ApiKey::new(KEY).unwrap());
    options.speed = 1.25;
    let server = RealtimeServer::bind(options, script.clone()).await.unwrap();
    let mut client = Client::connect(&server).await;
    configure(&mut client, json!({})).await;
    // Four acknowledgements, and the question whether anybody is there.
    let ahead = script.spoken(5).await;
    assert!(ahead.iter().all(|(_, speed)| *speed == 1.25), "{ahead:?}");
    speak_for(&mut client, 500).await;
    be_silent_for(&mut client, 600).await;
    client.expect_all(&HEARD).await;
    client.expect("conversation.item.input_audio_transcription.completed").await;
    client.expect("response.created").await;
    let said = client.expect_all(&SAID).await;
    assert!(!sound(&said).is_empty());
    assert_eq!(script.spoken(5).await, ahead, "it was spoken again");
}

/// Half an hour of speech, made in no time: the voice waits for its reader, nothing is lost
/// and nothing hangs.
#[tokio::test]
async fn a_long_answer_waits_for_its_reader() {
    let sentence = format!("{}. ", "word ".repeat(40).trim_end());
    let sentences = vec![sentence.as_str(); 200];
    let server = serve(&Script::new().will_reply(&sentences)).await;
    let mut client = Client::connect(&server).await;
    configure(&mut client, json!({ "tools": [] })).await;
    client.send(json!({ "type": "response.create" })).await;
    client.expect("response.created").await;
    let mut kinds = SAID[..3].to_vec();
    kinds.extend([SAID[3]; 200]);
    kinds.extend(&SAID[4..]);
    let said = client.expect_all(&kinds).await;
    assert_eq!(sound(&said).len(), 200 * (sentence.len() - 1) * 480);
    client.expect_all(&OVER).await;
}

/// The same by telephone: a byte a sample, 8 kHz, in both directions.
#[tokio::test]
async fn telephone_sound_is_understood() {
    let server = serve(&Script::new().will_hear("Hello.")).await;
    let mut client = Client::connect(&server).await;
    let audio = json!({
        "input": { "format": { "type": "audio/pcmu" } },
        "output": { "format": { "type": "audio/pcma" } },
    });
    configure(&mut client, json!({ "audio": audio })).await;
    let loud = audio_dsp::g711::encode_ulaw(8_000);
    let quiet = audio_dsp::g711::encode_ulaw(0);
    for (code, frames) in [(loud, 25), (quiet, 40)] {
        let audio = STANDARD.encode(vec![code; 160]);
        for _ in 0..frames {
            client.send(json!({ "type": "input_audio_buffer.append", "audio": audio })).await;
        }
    }
    client.expect_all(&HEARD).await;
    client.expect("response.created").await;
    let said = client.expect_all(&SAID).await;
    let words = said.iter().find(|it| it["type"] == SAID[5]).unwrap()["transcript"].clone();
    // Ten milliseconds for each letter.
    let samples = words.as_str().unwrap().len() * 80;
    assert_eq!(sound(&said).len(), samples, "of {words}");
}

#[tokio::test]
async fn a_transcription_session_only_writes_down() {
    let server = serve(&Script::new().will_hear("Hello there.")).await;
    let (mut client, _) =
        Client::connect_to(&format!("{}?intent=transcription", server.url())).await;
    let input = json!({ "transcription": { "model": "whisper-1" } });
    let session = json!({ "type": "transcription", "audio": { "input": input } });
    client.send(json!({ "type": "session.update", "session": session })).await;
    client.expect("session.updated").await;
    speak_for(&mut client, 500).await;
    be_silent_for(&mut client, 600).await;
    client.expect_all(&HEARD).await;
    let written = client.expect("conversation.item.input_audio_transcription.completed").await;
    assert_eq!(written["transcript"], "Hello there.");
    client.expect_silence().await;
}

#[tokio::test]
async fn sessions_do_not_hear_each_other() {
    let script = Script::new().will_hear("one");
    let server = serve(&script).await;
    let mut quiet = Client::connect(&server).await;
    let mut loud = Client::connect(&server).await;
    configure(&mut quiet, json!({})).await;
    configure(&mut loud, json!({})).await;
    speak_for(&mut loud, 500).await;
    be_silent_for(&mut loud, 600).await;
    loud.expect_all(&HEARD).await;
    quiet.expect_silence().await;
}
