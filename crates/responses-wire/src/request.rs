//! One model call as the body of `POST /responses`.

use protocol::{
    ModelItem, ModelRequest, Reasoning, ReasoningEffort, ReasoningSummary, Role, ToolCall,
    ToolChoice, ToolSpec,
};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::schema::json_schema;

/// The body's JSON text. It always asks for a stream, and for nothing to be stored.
pub fn encode_request(model: &str, reasoning: Reasoning, request: &ModelRequest) -> String {
    let ModelRequest { instructions, input, tools, tool_choice, cache_key } = request;
    let tools_given = !tools.is_empty();
    let body = Body {
        model,
        instructions,
        input: input.iter().filter_map(InputItem::new).collect(),
        tools: tools.iter().map(Tool::new).collect(),
        // Without tools, the service takes neither.
        tool_choice: tools_given.then(|| choice(*tool_choice)),
        parallel_tool_calls: tools_given.then_some(true),
        reasoning: ReasoningBody::new(reasoning),
        store: false,
        stream: true,
        include: if may_reason(model) { &["reasoning.encrypted_content"] } else { &[] },
        prompt_cache_key: cache_key,
    };
    serde_json::to_string(&body).expect("strings and maps with string keys")
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instructions: &'a str,
    input: Vec<InputItem<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningBody>,
    store: bool,
    stream: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    include: &'static [&'static str],
    #[serde(skip_serializing_if = "str::is_empty")]
    prompt_cache_key: &'a str,
}

#[derive(Serialize)]
struct ReasoningBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

impl ReasoningBody {
    fn new(reasoning: Reasoning) -> Option<Self> {
        let Reasoning { effort, summary } = reasoning;
        let effort = effort.map(|effort| match effort {
            ReasoningEffort::None => "none",
            ReasoningEffort::Minimal => "minimal",
            ReasoningEffort::Low => "low",
            ReasoningEffort::Medium => "medium",
            ReasoningEffort::High => "high",
            ReasoningEffort::Xhigh => "xhigh",
        });
        let summary = summary.map(|summary| match summary {
            ReasoningSummary::Auto => "auto",
            ReasoningSummary::Concise => "concise",
            ReasoningSummary::Detailed => "detailed",
        });
        (effort.is_some() || summary.is_some()).then_some(Self { effort, summary })
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum InputItem<'a> {
    Known(KnownItem<'a>),
    /// The service's own item, given back as it came.
    Verbatim(&'a RawValue),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum KnownItem<'a> {
    Message { role: &'static str, content: [Part<'a>; 1] },
    FunctionCall { call_id: &'a str, name: &'a str, arguments: &'a str },
    FunctionCallOutput { call_id: &'a str, output: &'a str },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    InputText { text: &'a str },
    OutputText { text: &'a str },
}

impl<'a> InputItem<'a> {
    /// `None` for reasoning that the service cannot take back.
    fn new(item: &'a ModelItem) -> Option<Self> {
        let known = match item {
            ModelItem::Message { role, text } => {
                let (role, part) = match role {
                    Role::Developer => ("developer", Part::InputText { text }),
                    // The service knows nothing lower; the frame in the text says whose it is.
                    Role::User | Role::Material => ("user", Part::InputText { text }),
                    Role::Assistant => ("assistant", Part::OutputText { text }),
                };
                KnownItem::Message { role, content: [part] }
            }
            ModelItem::ToolCall(ToolCall { call, name, arguments }) => {
                KnownItem::FunctionCall { call_id: call.as_str(), name, arguments }
            }
            ModelItem::ToolOutput { call, output } => {
                KnownItem::FunctionCallOutput { call_id: call.as_str(), output }
            }
            ModelItem::Reasoning { opaque } => {
                return serde_json::from_str(opaque).ok().map(Self::Verbatim);
            }
        };
        Some(Self::Known(known))
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    name: &'a str,
    description: &'a str,
    /// The service's default is strict, which forbids optional arguments.
    strict: bool,
    parameters: Value,
}

impl<'a> Tool<'a> {
    fn new(spec: &'a ToolSpec) -> Self {
        // What a tool may do is our business, not the model's.
        let ToolSpec { name, description, parameters, effect: _ } = spec;
        let parameters = json_schema(parameters);
        Self { r#type: "function", name, description, strict: false, parameters }
    }
}

fn choice(choice: ToolChoice) -> &'static str {
    match choice {
        ToolChoice::Auto => "auto",
        ToolChoice::Required => "required",
        ToolChoice::None => "none",
    }
}

/// The service refuses to encrypt the reasoning of models that have none. Those are a closed,
/// old list; any other model, also of another vendor, may reason.
fn may_reason(model: &str) -> bool {
    let without = ["gpt-3.5", "gpt-4", "chatgpt-"];
    !without.iter().any(|it| model.starts_with(it)) && !model.contains("-chat")
}
