//! Events of the Responses API, as the service sends them.

use serde_json::{Value, json};

/// A whole reply: the text in two deltas, the finished message, the end.
pub fn message_reply(text: &str) -> Vec<Value> {
    let middle = text.floor_char_boundary(text.len() / 2);
    let (first, second) = text.split_at(middle);
    let deltas = [first, second].into_iter().filter(|it| !it.is_empty()).map(text_delta);
    let mut events = vec![created()];
    events.extend(deltas);
    events.extend([message(text), completed(100, 10)]);
    events
}

/// A whole reply: one tool call, the end.
pub fn tool_call_reply(call: &str, name: &str, arguments: &Value) -> Vec<Value> {
    vec![created(), tool_call(call, name, arguments), completed(100, 10)]
}

pub fn created() -> Value {
    json!({ "type": "response.created", "response": { "id": "resp_1", "status": "in_progress" } })
}

pub fn text_delta(delta: &str) -> Value {
    json!({
        "type": "response.output_text.delta",
        "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": delta
    })
}

/// The finished message.
pub fn message(text: &str) -> Value {
    json!({ "type": "response.output_item.done", "output_index": 0, "item": {
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [] }]
    }})
}

/// A finished tool call; the arguments travel as JSON text.
pub fn tool_call(call: &str, name: &str, arguments: &Value) -> Value {
    json!({ "type": "response.output_item.done", "output_index": 0, "item": {
        "type": "function_call", "id": format!("fc_{call}"), "status": "completed",
        "call_id": call, "name": name, "arguments": arguments.to_string()
    }})
}

pub fn reasoning_delta(delta: &str) -> Value {
    json!({
        "type": "response.reasoning_summary_text.delta",
        "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": delta
    })
}

/// Finished reasoning, with what only the service can read.
pub fn reasoning(summary: &str, encrypted: &str) -> Value {
    json!({ "type": "response.output_item.done", "output_index": 0, "item": {
        "type": "reasoning", "id": "rs_1",
        "summary": [{ "type": "summary_text", "text": summary }],
        "encrypted_content": encrypted
    }})
}

pub fn completed(input_tokens: u64, output_tokens: u64) -> Value {
    json!({ "type": "response.completed", "response": {
        "id": "resp_1", "status": "completed",
        "usage": {
            "input_tokens": input_tokens, "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": output_tokens, "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": input_tokens + output_tokens
        }
    }})
}

pub fn failed(code: &str, message: &str) -> Value {
    json!({ "type": "response.failed", "response": {
        "id": "resp_1", "status": "failed", "error": { "code": code, "message": message }
    }})
}

pub fn incomplete(reason: &str) -> Value {
    json!({ "type": "response.incomplete", "response": {
        "id": "resp_1", "status": "incomplete", "incomplete_details": { "reason": reason }
    }})
}

/// One event in the stream's own form.
pub(super) fn encode(event: &Value) -> String {
    match event["type"].as_str() {
        Some(kind) => format!("event: {kind}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    }
}
