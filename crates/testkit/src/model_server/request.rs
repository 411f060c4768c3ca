//! What a client asked, and the API's rules for it.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

/// One request as it came over the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    /// Which of the client's connections it came over, from 0.
    pub connection: usize,
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The parsed body; a string when it was no JSON.
    pub body: Value,
}

impl SeenRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    pub fn instructions(&self) -> &str {
        self.body["instructions"].as_str().unwrap_or_default()
    }

    /// The context, oldest first.
    pub fn input(&self) -> &[Value] {
        self.body["input"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The text of each message of `role`, oldest first.
    pub fn messages(&self, role: &str) -> Vec<String> {
        let messages = self.input().iter().filter(|it| kind(it) == "message" && it["role"] == role);
        messages.map(text_of).collect()
    }

    /// What a tool call was answered with.
    pub fn tool_output(&self, call: &str) -> Option<&str> {
        self.input()
            .iter()
            .find(|it| kind(it) == "function_call_output" && it["call_id"] == call)
            .and_then(|it| it["output"].as_str())
    }

    pub fn tool_names(&self) -> Vec<&str> {
        let tools = self.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
        tools.iter().filter_map(|it| it["name"].as_str()).collect()
    }

    /// The rules that the service enforces and that a client may get wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let path = self.target.split('?').next().unwrap_or_default();
        if (self.method.as_str(), path) != ("POST", "/v1/responses") {
            return Err("only POST /v1/responses is served here".into());
        }
        if self.header("content-type") != Some("application/json") {
            return Err("content-type must be application/json".into());
        }
        let Some(body) = self.body.as_object() else {
            return Err("the body must be a JSON object".into());
        };
        if self.model().is_empty() {
            return Err("`model` is missing".into());
        }
        if body.get("stream") != Some(&Value::Bool(true)) {
            return Err("`stream` must be true: this server only streams".into());
        }
        if !self.body["input"].is_array() {
            return Err("`input` must be a list".into());
        }
        check_tools(&self.body)?;
        check_input(self.input())
    }
}

/// Method, target and body, as a failing test prints it.
impl fmt::Display for SeenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.target, self.body)
    }
}

/// `message` may be left out.
fn kind(item: &Value) -> &str {
    item["type"].as_str().unwrap_or("message")
}

fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|it| it["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn check_tools(body: &Value) -> Result<(), String> {
    let mut names = HashSet::new();
    for tool in body["tools"].as_array().map_or(&[][..], Vec::as_slice) {
        if tool["type"] != "function" {
            continue;
        }
        let name = tool["name"].as_str().unwrap_or_default();
        let legal = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
            return Err(format!("tool name `{name}` must be 1 to 64 of a-z A-Z 0-9 _ -"));
        }
        if !names.insert(name) {
            return Err(format!("tool `{name}` is named twice"));
        }
        if tool["parameters"]["type"] != "object" {
            return Err(format!("the parameters of tool `{name}` must be an object schema"));
        }
    }
    match body["tool_choice"].as_str() {
        Some("required") if names.is_empty() => Err("`tool_choice` required, but no tools".into()),
        _ => Ok(()),
    }
}

/// Every output has its call before it, every call has exactly one output.
fn check_input(input: &[Value]) -> Result<(), String> {
    let mut open = HashSet::new();
    let mut seen = HashSet::new();
    for item in input {
        let call = item["call_id"].as_str().unwrap_or_default();
        match kind(item) {
            "message" => {
                let role = item["role"].as_str().unwrap_or_default();
                if !["user", "assistant", "developer", "system"].contains(&role) {
                    return Err(format!("a message of unknown role `{role}`"));
                }
                check_parts(role, &item["content"])?;
            }
            "function_call" => {
                if call.is_empty() || !item["name"].is_string() || !item["arguments"].is_string() {
                    return Err("a function_call needs call_id, name and arguments".into());
                }
                if !seen.insert(call) {
                    return Err(format!("two function calls of call_id `{call}`"));
                }
                open.insert(call);
            }
            "function_call_output" => {
                if !open.remove(call) {
                    return Err(format!("no tool call found for function call output `{call}`"));
                }
                if !item["output"].is_string() && !item["output"].is_array() {
                    return Err(format!("the output of `{call}` must be a string or a list"));
                }
            }
            "reasoning" => {
                if !item["summary"].is_array() {
                    return Err("a reasoning item needs its summary".into());
                }
            }
            other => return Err(format!("an input item of unknown type `{other}`")),
        }
    }
    match open.into_iter().min() {
        Some(call) => Err(format!("no tool output found for function call `{call}`")),
        None => Ok(()),
    }
}

fn check_parts(role: &str, content: &Value) -> Result<(), String> {
    let expected = if role == "assistant" { "output_text" } else { "input_text" };
    match content {
        Value::String(_) => Ok(()),
        Value::Array(parts) => {
            let wrong = parts.iter().find(|it| it["type"] != expected || !it["text"].is_string());
            match wrong {
                Some(part) => Err(format!("a {role} message has {expected} parts, not {part}")),
                None => Ok(()),
            }
        }
        other => Err(format!("a message's content cannot be {other}")),
    }
}
