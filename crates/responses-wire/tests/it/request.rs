use protocol::{
    CallId, ModelItem, ModelRequest, Property, Reasoning, ReasoningEffort, ReasoningSummary, Role,
    Schema, ToolCall, ToolChoice, ToolEffect, ToolSpec,
};
use responses_wire::{encode_request, json_schema};
use serde_json::{Value, json};

fn request() -> ModelRequest {
    ModelRequest {
        instructions: "Be brief.".into(),
        input: Vec::new(),
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        cache_key: "thread-1".into(),
    }
}

fn encode(model: &str, request: &ModelRequest) -> Value {
    serde_json::from_str(&encode_request(model, Reasoning::default(), request)).unwrap()
}

#[test]
fn a_whole_request() {
    let reasoning = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}"#;
    let request = ModelRequest {
        input: vec![
            ModelItem::Message { role: Role::Developer, text: "Rules".into() },
            ModelItem::Message { role: Role::Material, text: "Theirs".into() },
            ModelItem::Message { role: Role::User, text: "Run the tests".into() },
            ModelItem::Reasoning { opaque: reasoning.into() },
            ModelItem::ToolCall(ToolCall {
                call: CallId::new("call_1"),
                name: "run_tests".into(),
                arguments: "{}".into(),
            }),
            ModelItem::ToolOutput { call: CallId::new("call_1"), output: "1 failed".into() },
            ModelItem::Message { role: Role::Assistant, text: "One fails.".into() },
        ],
        tools: vec![ToolSpec {
            name: "run_tests".into(),
            description: "Runs the tests".into(),
            parameters: vec![Property::optional("filter", "Which ones", Schema::Boolean)],
            effect: ToolEffect::Runs,
        }],
        tool_choice: ToolChoice::Required,
        ..request()
    };
    let expected = json!({
        "model": "gpt-5.5",
        "instructions": "Be brief.",
        "input": [
            { "type": "message", "role": "developer",
              "content": [{ "type": "input_text", "text": "Rules" }] },
            { "type": "message", "role": "user",
              "content": [{ "type": "input_text", "text": "Theirs" }] },
            { "type": "message", "role": "user",
              "content": [{ "type": "input_text", "text": "Run the tests" }] },
            { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA" },
            { "type": "function_call", "call_id": "call_1", "name": "run_tests",
              "arguments": "{}" },
            { "type": "function_call_output", "call_id": "call_1", "output": "1 failed" },
            { "type": "message", "role": "assistant",
              "content": [{ "type": "output_text", "text": "One fails." }] },
        ],
        "tools": [{
            "type": "function", "name": "run_tests", "description": "Runs the tests",
            "strict": false,
            "parameters": {
                "type": "object",
                "properties": { "filter": { "type": "boolean", "description": "Which ones" } },
                "required": [],
                "additionalProperties": false,
            },
        }],
        "tool_choice": "required",
        "parallel_tool_calls": true,
        "store": false,
        "stream": true,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "thread-1",
    });
    assert_eq!(encode("gpt-5.5", &request), expected);
}

/// The service's prompt cache works on bytes: what does not change must not move.
#[test]
fn a_longer_conversation_begins_with_the_same_bytes() {
    let mut request = request();
    request.input.push(ModelItem::Message { role: Role::User, text: "one".into() });
    let short = encode_request("m", Reasoning::default(), &request);
    request.input.push(ModelItem::Message { role: Role::Assistant, text: "two".into() });
    let long = encode_request("m", Reasoning::default(), &request);
    let (prefix, _) = short.split_once("]}]").unwrap();
    assert!(long.starts_with(prefix), "{short}\n{long}");
}

#[test]
fn what_is_empty_is_left_out() {
    let request = ModelRequest {
        instructions: String::new(),
        // Required of nothing: the service refuses that.
        tool_choice: ToolChoice::Required,
        cache_key: String::new(),
        ..request()
    };
    let expected = json!({
        "model": "m", "input": [], "store": false, "stream": true,
        "include": ["reasoning.encrypted_content"],
    });
    assert_eq!(encode("m", &request), expected);
}

#[test]
fn reasoning_that_cannot_go_back_is_left_out() {
    let reasoning = |opaque: &str| ModelItem::Reasoning { opaque: opaque.into() };
    let input = vec![reasoning(""), reasoning("{"), reasoning(r#"{"a":1}"#)];
    let request = ModelRequest { input, ..request() };
    assert_eq!(encode("m", &request)["input"], json!([{ "a": 1 }]));
}

#[test]
fn models_without_reasoning_are_not_asked_for_it() {
    let asked = |model: &str| encode(model, &request()).get("include").is_some();
    for model in ["gpt-5.5", "o3", "gpt-oss-20b", "qwen3-coder:30b"] {
        assert!(asked(model), "{model}");
    }
    for model in
        ["gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo", "chatgpt-4o-latest", "gpt-5-chat-latest"]
    {
        assert!(!asked(model), "{model}");
    }
}

#[test]
fn reasoning_is_the_users_choice() {
    let encode = |reasoning| {
        let body = encode_request("m", reasoning, &request());
        serde_json::from_str::<Value>(&body).unwrap()["reasoning"].clone()
    };
    assert_eq!(encode(Reasoning::default()), Value::Null);
    let effort = Reasoning { effort: Some(ReasoningEffort::Xhigh), summary: None };
    assert_eq!(encode(effort), json!({ "effort": "xhigh" }));
    let summary = Reasoning { effort: None, summary: Some(ReasoningSummary::Auto) };
    assert_eq!(encode(summary), json!({ "summary": "auto" }));
}

#[test]
fn every_shape_of_an_argument() {
    let nested = Schema::Object(vec![Property::required("deep", "", Schema::Boolean)]);
    let properties = [
        Property::required("text", "Free", Schema::Text { max_chars: Some(9) }),
        Property::optional("choice", "", Schema::Choice(vec!["a".into(), "b".into()])),
        Property::required("number", "", Schema::Integer { min: Some(-1), max: None }),
        Property::optional("list", "Many", Schema::List(Box::new(nested))),
    ];
    let expected = json!({
        "type": "object",
        "properties": {
            "text": { "type": "string", "description": "Free" },
            "choice": { "type": "string", "enum": ["a", "b"] },
            "number": { "type": "integer", "minimum": -1 },
            "list": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "deep": { "type": "boolean" } },
                    "required": ["deep"],
                    "additionalProperties": false,
                },
                "description": "Many",
            },
        },
        "required": ["text", "number"],
        "additionalProperties": false,
    });
    assert_eq!(json_schema(&properties), expected);
}
