//! Streams that no service sends: whatever comes in, the promises about what comes out hold.

use std::collections::HashSet;

use protocol::ModelEvent;
use responses_wire::{Fault, Reply};
use serde_json::{Value, json};
use stdx::Dice;

const SEEDS: u64 = 3_000;

/// What a reply can be made of, in an order that makes sense.
fn script() -> Vec<Value> {
    let part = |text: &str| json!([{ "type": "output_text", "text": text }]);
    let delta = |item: &str, text: &str| {
        json!({ "type": "response.output_text.delta", "item_id": item, "output_index": 0,
                "delta": text })
    };
    let done = |item: Value| json!({ "type": "response.output_item.done", "output_index": 1, "item": item });
    let message = |id: &str| json!({ "type": "message", "id": id, "content": part("hi ä") });
    let call = |id: &str, name: &str| json!({ "type": "function_call", "call_id": id, "name": name, "arguments": "{}" });
    vec![
        json!({ "type": "response.created", "response": {} }),
        json!({ "type": "response.reasoning_summary_text.delta", "item_id": "r", "delta": "t" }),
        done(json!({ "type": "reasoning", "id": "r", "summary": [], "encrypted_content": "e" })),
        delta("m1", "hi"),
        delta("m2", "ho"),
        delta("m1", " ä"),
        done(message("m1")),
        delta("", "nameless"),
        done(message("m2")),
        done(call("c1", "read")),
        done(call("c2", "read")),
        done(call("c1", "write")),
        json!({ "type": "response.failed", "response": { "error": { "code": "server_error" } } }),
        json!({ "type": "response.incomplete", "response": {} }),
        json!({ "type": "response.completed", "response": {
            "output": [message("m1"), message("m3"), call("c1", "read"), call("c3", "read")],
            "usage": { "input_tokens": 1 } } }),
        delta("m4", "late"),
    ]
}

/// Drops, repeats, swaps, cuts and flips; most events stay as they are.
fn spoil(dice: &mut Dice, script: &[Value]) -> Vec<String> {
    let mut events: Vec<String> = script.iter().map(Value::to_string).collect();
    for _ in 0..dice.roll(6) {
        let at = dice.roll(events.len() as u64) as usize;
        let other = dice.roll(events.len() as u64) as usize;
        match dice.roll(6) {
            0 if events.len() > 1 => drop(events.remove(at)),
            1 => events.insert(other, events[at].clone()),
            2 => events.swap(at, other),
            3 => {
                let end = dice.roll(events[at].len() as u64 + 1) as usize;
                let end = events[at].floor_char_boundary(end);
                events[at].truncate(end);
            }
            4 => {
                let mut bytes = std::mem::take(&mut events[at]).into_bytes();
                if !bytes.is_empty() {
                    let byte = dice.roll(bytes.len() as u64) as usize;
                    bytes[byte] = dice.roll(256) as u8;
                }
                events[at] = String::from_utf8_lossy(&bytes).into_owned();
            }
            _ => {
                let values = ["null", "7", "[]", "{}", "\"x\"", "1e999", "\u{0}"];
                let value = values[dice.roll(values.len() as u64) as usize];
                let quoted = ["\"m1\"", "\"c1\"", "{}", "\"hi\"", "[]"];
                let target = quoted[dice.roll(quoted.len() as u64) as usize];
                events[at] = events[at].replacen(target, value, 1);
            }
        }
    }
    events
}

#[test]
fn promises_hold_for_spoiled_streams() {
    let script = script();
    for seed in 0..SEEDS {
        let events = spoil(&mut Dice::new(seed), &script);
        check(seed, &events);
    }
}

fn check(seed: u64, events: &[String]) {
    let mut reply = Reply::new();
    let mut calls = HashSet::new();
    // What was said of the message that is being written.
    let mut saying = String::new();
    let mut ended = false;
    for data in events {
        let story = || format!("seed {seed}, at {data}\nof {events:#?}");
        assert_eq!(reply.is_ended(), ended, "{}", story());
        let Ok(out) = reply.event(data) else {
            assert!(!ended, "an error after the end: {}", story());
            ended = true;
            continue;
        };
        for event in out {
            assert!(!ended, "{event:?} after the end: {}", story());
            match event {
                ModelEvent::TextDelta { delta } => saying.push_str(&delta),
                ModelEvent::Message { text: _ } => saying.clear(),
                ModelEvent::ToolCall(call) => {
                    assert!(!call.arguments.is_empty(), "{}", story());
                    assert!(calls.insert(call.call), "a call twice: {}", story());
                }
                ModelEvent::Completed { usage: _ } => {
                    assert_eq!(saying, "", "a message without its end: {}", story());
                    ended = true;
                }
                ModelEvent::ReasoningDelta { .. } | ModelEvent::Reasoning { .. } => (),
            }
        }
    }
}

#[test]
fn refusals_of_any_bytes_are_read() {
    let body = r#"{"error":{"type":"t","code":"x","message":"try again in 1.5s"},"detail":"d"}"#;
    for seed in 0..SEEDS {
        let mut dice = Dice::new(seed);
        let mut bytes = body.as_bytes().to_vec();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(bytes.len() as u64) as usize;
            bytes[at] = dice.roll(256) as u8;
        }
        let status = dice.roll(600) as u16;
        let body = String::from_utf8_lossy(&bytes);
        let fault = Fault::from_status(status, None, &body);
        assert!(fault.message.len() <= body.len() + 3, "seed {seed}");
    }
}
