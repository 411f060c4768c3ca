//! Replies as transcripts: the events that come in, the lines that come out.

use std::fmt::Write as _;

use protocol::{ModelEvent, ToolCall, Usage};
use responses_wire::{Reply, ReplyError};
use serde_json::{Value, json};

/// One line for each thing that comes out.
pub(crate) fn play<'a>(events: impl IntoIterator<Item = &'a str>) -> String {
    let mut reply = Reply::new();
    let mut out = String::new();
    for data in events {
        match reply.event(data) {
            Ok(events) => events.iter().for_each(|it| writeln!(out, "{}", show(it)).unwrap()),
            Err(ReplyError::Fault(fault)) => {
                writeln!(out, "fault {:?} {:?}", fault.kind, fault.message).unwrap();
            }
            Err(ReplyError::Decode(error)) => writeln!(out, "error {error}").unwrap(),
        }
    }
    if !reply.is_ended() {
        out.push_str("(not ended)\n");
    }
    out
}

fn show(event: &ModelEvent) -> String {
    match event {
        ModelEvent::TextDelta { delta } => format!("text {delta:?}"),
        ModelEvent::Message { text } => format!("message {text:?}"),
        ModelEvent::ReasoningDelta { delta } => format!("thinks {delta:?}"),
        ModelEvent::Reasoning { summary, opaque } => format!("thought {summary:?} {opaque}"),
        ModelEvent::ToolCall(ToolCall { call, name, arguments }) => {
            format!("call {call} {name} {arguments}")
        }
        ModelEvent::Completed { usage } => {
            let Usage { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens } =
                usage;
            let (input, output) = (input_tokens, output_tokens);
            format!("completed {input} ({cached_input_tokens}) {output} ({reasoning_tokens})")
        }
    }
}

#[track_caller]
fn check(events: &[Value], expected: &[&str]) {
    let events: Vec<String> = events.iter().map(Value::to_string).collect();
    let out = play(events.iter().map(String::as_str));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines, expected);
}

fn delta(item: &str, text: &str) -> Value {
    json!({ "type": "response.output_text.delta", "item_id": item, "delta": text })
}

fn message(item: &str, text: &str) -> Value {
    json!({ "type": "message", "id": item, "role": "assistant",
            "content": [{ "type": "output_text", "text": text, "annotations": [] }] })
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({ "type": "function_call", "id": "fc_1", "call_id": id, "name": name,
            "arguments": arguments })
}

fn done(item: Value) -> Value {
    json!({ "type": "response.output_item.done", "output_index": 0, "item": item })
}

fn completed() -> Value {
    json!({ "type": "response.completed", "response": { "id": "resp_1" } })
}

#[test]
fn a_message() {
    let part = json!({ "type": "output_text", "text": "" });
    check(
        &[
            json!({ "type": "response.created", "response": { "id": "resp_1" } }),
            json!({ "type": "response.in_progress", "response": {} }),
            json!({ "type": "response.output_item.added", "item": message("m", "") }),
            json!({ "type": "response.content_part.added", "item_id": "m", "part": part }),
            delta("m", "One "),
            delta("m", "fails."),
            json!({ "type": "response.output_text.done", "item_id": "m", "text": "One fails." }),
            done(message("m", "One fails.")),
            json!({ "type": "response.completed", "response": {
                "output": [message("m", "One fails.")],
                "usage": {
                    "input_tokens": 1000, "input_tokens_details": { "cached_tokens": 800 },
                    "output_tokens": 20, "output_tokens_details": { "reasoning_tokens": 5 },
                    "total_tokens": 1020
                }
            }}),
        ],
        &[
            "text \"One \"",
            "text \"fails.\"",
            "message \"One fails.\"",
            "completed 1000 (800) 20 (5)",
        ],
    );
}

#[test]
fn thinking_then_two_calls() {
    let reasoning = json!({ "type": "reasoning", "id": "rs", "encrypted_content": "gAAA",
        "summary": [{ "type": "summary_text", "text": "**Look**" },
                    { "type": "summary_text", "text": "then act" }] });
    let thinks = |text| {
        json!({ "type": "response.reasoning_summary_text.delta", "item_id": "rs",
                                "summary_index": 0, "delta": text })
    };
    let part = |index| {
        json!({ "type": "response.reasoning_summary_part.added", "item_id": "rs",
                               "summary_index": index })
    };
    check(
        &[
            part(0),
            thinks("**Look**"),
            part(1),
            thinks("then act"),
            done(reasoning.clone()),
            json!({ "type": "response.function_call_arguments.delta", "delta": "{" }),
            done(call("c1", "read_file", r#"{"path":"a"}"#)),
            done(call("c2", "read_file", r#"{"path":"b"}"#)),
            completed(),
        ],
        &[
            "thinks \"**Look**\"",
            "thinks \"\\n\\n\"",
            "thinks \"then act\"",
            &format!("thought \"**Look**\\n\\nthen act\" {reasoning}"),
            r#"call c1 read_file {"path":"a"}"#,
            r#"call c2 read_file {"path":"b"}"#,
            "completed 0 (0) 0 (0)",
        ],
    );
}

#[test]
fn reasoning_that_only_the_stores_could_find_is_not_kept() {
    let open = json!({ "type": "reasoning", "id": "rs", "summary": [], "encrypted_content": null,
                       "content": [{ "type": "reasoning_text", "text": "hm" }] });
    check(&[done(open), completed()], &["thought \"hm\" ", "completed 0 (0) 0 (0)"]);
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let without = json!({ "type": "function_call", "call_id": "c1", "name": "git_status" });
    check(
        &[done(without), done(call("c2", "git_status", " "))],
        &["call c1 git_status {}", "call c2 git_status {}", "(not ended)"],
    );
}

#[test]
fn a_call_that_comes_again_is_one_call() {
    let same = call("c1", "run_tests", "{}");
    let last = json!({ "type": "response.completed", "response": { "output": [same.clone()] } });
    check(
        &[done(same.clone()), done(same), last],
        &["call c1 run_tests {}", "completed 0 (0) 0 (0)"],
    );
}

#[test]
fn two_calls_of_one_id_are_an_error() {
    check(
        &[done(call("c1", "read_file", "{}")), done(call("c1", "write_file", "{}")), completed()],
        &["call c1 read_file {}", "error two tool calls have the id `c1`"],
    );
}

#[test]
fn a_service_may_say_everything_at_the_end() {
    let output = json!([message("m", "hi"), call("c1", "t", "{}"), { "type": "web_search_call" }]);
    check(
        &[json!({ "type": "response.completed", "response": { "output": output, "usage": null } })],
        &["message \"hi\"", "call c1 t {}", "completed 0 (0) 0 (0)"],
    );
}

#[test]
fn a_message_whose_end_never_came_ends_with_the_reply() {
    check(
        &[delta("m", "half"), completed()],
        &["text \"half\"", "message \"half\"", "completed 0 (0) 0 (0)"],
    );
}

#[test]
fn deltas_after_their_message_are_dropped() {
    check(
        &[delta("m", "a"), done(message("m", "ab")), delta("m", "b"), completed()],
        &["text \"a\"", "message \"ab\"", "completed 0 (0) 0 (0)"],
    );
}

#[test]
fn messages_that_overlap_come_one_after_the_other() {
    check(
        &[
            delta("m1", "a"),
            delta("m2", "x"),
            delta("m1", "b"),
            delta("m2", "y"),
            done(message("m1", "ab")),
            delta("m2", "z"),
            done(message("m2", "xyz")),
            completed(),
        ],
        &[
            "text \"a\"",
            "text \"b\"",
            "message \"ab\"",
            "text \"xy\"",
            "text \"z\"",
            "message \"xyz\"",
            "completed 0 (0) 0 (0)",
        ],
    );
    check(
        &[delta("m1", "a"), done(message("m2", "x")), done(message("m1", "a")), completed()],
        &["text \"a\"", "message \"a\"", "message \"x\"", "completed 0 (0) 0 (0)"],
    );
}

#[test]
fn items_without_ids_are_told_apart_by_their_place() {
    let item = |index: u64, text: &str| {
        let item =
            json!({ "type": "message", "content": [{ "type": "output_text", "text": text }] });
        json!({ "type": "response.output_item.done", "output_index": index, "item": item })
    };
    let delta = |index: u64, text: &str| json!({ "type": "response.output_text.delta", "output_index": index, "delta": text });
    check(
        &[delta(0, "a"), item(0, "a"), delta(1, "b"), item(1, "b"), completed()],
        &["text \"a\"", "message \"a\"", "text \"b\"", "message \"b\"", "completed 0 (0) 0 (0)"],
    );
}

#[test]
fn a_refusal_is_what_the_model_says() {
    let item = json!({ "type": "message", "id": "m",
                       "content": [{ "type": "refusal", "refusal": "No." }] });
    check(
        &[
            json!({ "type": "response.refusal.delta", "item_id": "m", "delta": "No." }),
            done(item),
            completed(),
        ],
        &["text \"No.\"", "message \"No.\"", "completed 0 (0) 0 (0)"],
    );
}

#[test]
fn what_is_new_is_no_error() {
    let part = json!({ "type": "hologram", "shape": 1 });
    let item = json!({ "type": "message", "id": "m", "content": [part], "new": true });
    check(
        &[
            json!({ "type": "response.telepathy.delta", "delta": 1 }),
            json!({ "sequence_number": 1 }),
            done(json!({ "type": "telepathy_call", "call_id": 7 })),
            done(item),
            completed(),
        ],
        &["message \"\"", "completed 0 (0) 0 (0)"],
    );
}

#[test]
fn what_is_needed_and_missing_is_a_typed_error() {
    let refused = |event: Value, why: &str| {
        let out = play([event.to_string().as_str()]);
        assert!(out.starts_with("error ") && out.contains(why), "{out}");
    };
    refused(json!({ "type": "response.output_text.delta" }), "missing field `delta`");
    refused(json!({ "type": "response.output_item.done" }), "missing field `item`");
    refused(json!({ "type": "response.completed" }), "missing field `response`");
    refused(done(json!({ "type": "message", "id": "m" })), "missing field `content`");
    refused(done(json!({ "type": "function_call", "call_id": "c" })), "missing field `name`");
    refused(done(json!({ "type": "function_call", "name": "n" })), "missing field `call_id`");
    refused(done(json!({ "id": "m" })), "`type`");
    refused(done(call("c", "n", "{}")["name"].take()), "output_item.done` cannot be read");
}

#[test]
fn text_that_is_no_json_is_a_typed_error() {
    assert!(play(["{\"type\":"]).starts_with("error an event is not JSON"));
    assert!(play(["<html>"]).starts_with("error an event is not JSON"));
    assert_eq!(play(["[DONE]"]), "(not ended)\n");
}

#[test]
fn nothing_comes_after_the_end() {
    check(&[completed(), delta("m", "late"), completed()], &["completed 0 (0) 0 (0)"]);
    let failed = json!({ "type": "response.failed", "response": { "error": null } });
    check(&[failed, delta("m", "late"), completed()], &["fault Broken { after: None } \"\""]);
}

#[test]
fn failures_are_sorted_by_their_code() {
    let failed = |code: &str, message: &str| {
        json!({ "type": "response.failed", "response": {
            "error": { "code": code, "message": message } } })
    };
    let cases = [
        ("server_error", "oops", "fault Broken { after: None } \"oops\""),
        (
            "rate_limit_exceeded",
            "Please try again in 1.5s.",
            "fault Busy { after: Some(1.5s) } \"Please try again in 1.5s.\"",
        ),
        (
            "rate_limit_exceeded",
            "Please try again in 28ms.",
            "fault Busy { after: Some(28ms) } \"Please try again in 28ms.\"",
        ),
        ("rate_limit_exceeded", "soon", "fault Busy { after: None } \"soon\""),
        ("context_length_exceeded", "long", "fault ContextTooLong \"long\""),
        ("insufficient_quota", "pay", "fault Quota \"pay\""),
        ("invalid_prompt", "no", "fault Invalid \"no\""),
        ("brand_new", "?", "fault Broken { after: None } \"?\""),
    ];
    for (code, message, expected) in cases {
        check(&[failed(code, message)], &[expected]);
    }
}

#[test]
fn both_spellings_of_the_error_event() {
    let flat = json!({ "type": "error", "code": "insufficient_quota", "message": "pay" });
    let nested = json!({ "type": "error", "error": {
        "type": "insufficient_quota", "code": null, "message": "pay" } });
    check(&[flat], &["fault Quota \"pay\""]);
    check(&[nested], &["fault Quota \"pay\""]);
}

#[test]
fn an_incomplete_reply_says_why() {
    let incomplete = |details: Value| json!({ "type": "response.incomplete", "response": { "incomplete_details": details } });
    check(
        &[incomplete(json!({ "reason": "max_output_tokens" }))],
        &["fault OutputLimit \"max_output_tokens\""],
    );
    check(
        &[incomplete(json!({ "reason": "content_filter" }))],
        &["fault ContentFilter \"content_filter\""],
    );
    check(&[incomplete(Value::Null)], &["fault Broken { after: None } \"\""]);
}

#[test]
fn a_reply_is_bounded() {
    let mut reply = Reply::new();
    let flood = (0..=5000)
        .find_map(|index| reply.event(&done(message(&format!("m{index}"), "")).to_string()).err());
    let error = flood.expect("a reply without end").to_string();
    assert_eq!(error, "the reply has more than 4096 items");

    let mut reply = Reply::new();
    let megabyte = delta("m", &"x".repeat(1 << 20)).to_string();
    let flood = (0..=64).find_map(|_| reply.event(&megabyte).err());
    let error = flood.expect("a message without end").to_string();
    assert_eq!(error, "the reply has more than 67108864 bytes of text");
}
