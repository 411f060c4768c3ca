//! What a client asks of the host.

use protocol::{
    CallId, ModelItem, ModelRequest, Property, Role, Schema, ToolCall, ToolChoice, ToolEffect,
    ToolSpec,
};
use serde::{Deserialize, Serialize};

use crate::Model;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Job {
    WarmUp {
        models: Vec<Model>,
    },
    Generate {
        request: WireRequest,
    },
    /// Said while the agent works.
    Route {
        words: String,
    },
    /// [`Samples`] follow until the connection closes.
    VoiceActivity,
    /// The payload is 16 kHz PCM16.
    EndOfTurn,
    /// The payload is 16 kHz PCM16.
    Transcribe {
        language: String,
        vocabulary: String,
    },
    Synthesize {
        text: String,
        speed: f32,
    },
}

/// More sound for [`Job::VoiceActivity`]: the payload is 16 kHz PCM16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Samples {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireRequest {
    instructions: String,
    input: Vec<WireItem>,
    tools: Vec<WireTool>,
    tool_choice: WireToolChoice,
    cache_key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case")]
enum WireItem {
    Message { role: WireRole, text: String },
    ToolCall { call: String, name: String, arguments: String },
    ToolOutput { call: String, output: String },
    Reasoning { opaque: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireRole {
    Developer,
    User,
    Material,
    Assistant,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct WireTool {
    name: String,
    description: String,
    parameters: Vec<WireProperty>,
    effect: WireEffect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireEffect {
    Reads,
    Writes,
    Runs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireToolChoice {
    Auto,
    Required,
    None,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct WireProperty {
    name: String,
    description: String,
    schema: WireSchema,
    required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireSchema {
    Object { properties: Vec<WireProperty> },
    Text { max_chars: Option<u32> },
    Choice { options: Vec<String> },
    Integer { min: Option<i64>, max: Option<i64> },
    Boolean,
    List { of: Box<WireSchema> },
}

impl From<ModelRequest> for WireRequest {
    fn from(request: ModelRequest) -> Self {
        let ModelRequest { instructions, input, tools, tool_choice, cache_key } = request;
        Self {
            instructions,
            input: input.into_iter().map(WireItem::from).collect(),
            tools: tools.into_iter().map(WireTool::from).collect(),
            tool_choice: match tool_choice {
                ToolChoice::Auto => WireToolChoice::Auto,
                ToolChoice::Required => WireToolChoice::Required,
                ToolChoice::None => WireToolChoice::None,
            },
            cache_key,
        }
    }
}

impl From<WireRequest> for ModelRequest {
    fn from(request: WireRequest) -> Self {
        let WireRequest { instructions, input, tools, tool_choice, cache_key } = request;
        Self {
            instructions,
            input: input.into_iter().map(ModelItem::from).collect(),
            tools: tools.into_iter().map(ToolSpec::from).collect(),
            tool_choice: match tool_choice {
                WireToolChoice::Auto => ToolChoice::Auto,
                WireToolChoice::Required => ToolChoice::Required,
                WireToolChoice::None => ToolChoice::None,
            },
            cache_key,
        }
    }
}

impl From<ModelItem> for WireItem {
    fn from(item: ModelItem) -> Self {
        match item {
            ModelItem::Message { role, text } => Self::Message {
                role: match role {
                    Role::Developer => WireRole::Developer,
                    Role::User => WireRole::User,
                    Role::Material => WireRole::Material,
                    Role::Assistant => WireRole::Assistant,
                },
                text,
            },
            ModelItem::ToolCall(ToolCall { call, name, arguments }) => {
                Self::ToolCall { call: call.as_str().to_owned(), name, arguments }
            }
            ModelItem::ToolOutput { call, output } => {
                Self::ToolOutput { call: call.as_str().to_owned(), output }
            }
            ModelItem::Reasoning { opaque } => Self::Reasoning { opaque },
        }
    }
}

impl From<WireItem> for ModelItem {
    fn from(item: WireItem) -> Self {
        match item {
            WireItem::Message { role, text } => Self::Message {
                role: match role {
                    WireRole::Developer => Role::Developer,
                    WireRole::User => Role::User,
                    WireRole::Material => Role::Material,
                    WireRole::Assistant => Role::Assistant,
                },
                text,
            },
            WireItem::ToolCall { call, name, arguments } => {
                Self::ToolCall(ToolCall { call: CallId::new(call), name, arguments })
            }
            WireItem::ToolOutput { call, output } => {
                Self::ToolOutput { call: CallId::new(call), output }
            }
            WireItem::Reasoning { opaque } => Self::Reasoning { opaque },
        }
    }
}

impl From<ToolSpec> for WireTool {
    fn from(tool: ToolSpec) -> Self {
        let ToolSpec { name, description, parameters, effect } = tool;
        Self {
            name,
            description,
            parameters: parameters.into_iter().map(WireProperty::from).collect(),
            effect: match effect {
                ToolEffect::Reads => WireEffect::Reads,
                ToolEffect::Writes => WireEffect::Writes,
                ToolEffect::Runs => WireEffect::Runs,
            },
        }
    }
}

impl From<WireTool> for ToolSpec {
    fn from(tool: WireTool) -> Self {
        let WireTool { name, description, parameters, effect } = tool;
        Self {
            name,
            description,
            parameters: parameters.into_iter().map(Property::from).collect(),
            effect: match effect {
                WireEffect::Reads => ToolEffect::Reads,
                WireEffect::Writes => ToolEffect::Writes,
                WireEffect::Runs => ToolEffect::Runs,
            },
        }
    }
}

impl From<Property> for WireProperty {
    fn from(property: Property) -> Self {
        let Property { name, description, schema, required } = property;
        Self { name, description, schema: schema.into(), required }
    }
}

impl From<WireProperty> for Property {
    fn from(property: WireProperty) -> Self {
        let WireProperty { name, description, schema, required } = property;
        Self { name, description, schema: schema.into(), required }
    }
}

impl From<Schema> for WireSchema {
    fn from(schema: Schema) -> Self {
        match schema {
            Schema::Object(properties) => Self::Object {
                properties: properties.into_iter().map(WireProperty::from).collect(),
            },
            Schema::Text { max_chars } => Self::Text { max_chars },
            Schema::Choice(options) => Self::Choice { options },
            Schema::Integer { min, max } => Self::Integer { min, max },
            Schema::Boolean => Self::Boolean,
            Schema::List(of) => Self::List { of: Box::new((*of).into()) },
        }
    }
}

impl From<WireSchema> for Schema {
    fn from(schema: WireSchema) -> Self {
        match schema {
            WireSchema::Object { properties } => {
                Self::Object(properties.into_iter().map(Property::from).collect())
            }
            WireSchema::Text { max_chars } => Self::Text { max_chars },
            WireSchema::Choice { options } => Self::Choice(options),
            WireSchema::Integer { min, max } => Self::Integer { min, max },
            WireSchema::Boolean => Self::Boolean,
            WireSchema::List { of } => Self::List(Box::new((*of).into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_the_wire() {
        let request = ModelRequest {
            instructions: "be brief".into(),
            input: vec![
                ModelItem::Message { role: Role::Developer, text: "rules".into() },
                ModelItem::Message { role: Role::Material, text: "theirs".into() },
                ModelItem::Message { role: Role::User, text: "<|im_end|>\u{1F980}\0".into() },
                ModelItem::ToolCall(ToolCall {
                    call: CallId::from("1"),
                    name: "read_file".into(),
                    arguments: "{not json".into(),
                }),
                ModelItem::ToolOutput { call: CallId::from("1"), output: "fn main() {}".into() },
                ModelItem::Reasoning { opaque: "{}".into() },
                ModelItem::Message { role: Role::Assistant, text: "done".into() },
            ],
            tools: vec![ToolSpec {
                name: "read_file".into(),
                description: "shows a file".into(),
                parameters: vec![
                    Property::required("path", "", Schema::Choice(vec!["a".into()])),
                    Property::optional(
                        "more",
                        "",
                        Schema::Object(vec![
                            Property::required(
                                "n",
                                "",
                                Schema::Integer { min: Some(1), max: None },
                            ),
                            Property::required("b", "", Schema::Boolean),
                            Property::required(
                                "l",
                                "",
                                Schema::List(Box::new(Schema::Text { max_chars: Some(9) })),
                            ),
                        ]),
                    ),
                ],
                effect: ToolEffect::Reads,
            }],
            tool_choice: ToolChoice::Required,
            cache_key: "thread".into(),
        };
        let job = Job::Generate { request: request.clone().into() };
        let text = serde_json::to_string(&job).unwrap();
        let Job::Generate { request: back } = serde_json::from_str(&text).unwrap() else {
            panic!("{text}");
        };
        assert_eq!(ModelRequest::from(back), request);
    }
}
