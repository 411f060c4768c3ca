//! A small table of tools, and words for inputs and outputs.

use std::time::Duration;

use agent_turn::{Enforcement, Epoch, Input, Limits, Output, Permissions, Setup, UserInput};
use protocol::{
    ApprovalPolicy, CallId, EventBody, InputSource, ItemBody, ItemStatus, ModelError,
    ModelErrorKind, ModelEvent, ModelItem, Property, Role, SandboxPolicy, Schema, ToolCall,
    ToolChoice, ToolEffect, ToolItem, ToolSpec, TurnId, TurnStatus, Usage,
};

pub(crate) fn setup(limits: Limits) -> Setup {
    Setup {
        turn: TurnId::from("t"),
        input: UserInput { text: "go".to_owned(), source: InputSource::Typed, material: None },
        instructions: "be good".to_owned(),
        history: Vec::new(),
        tools: tools(),
        permissions: Permissions {
            approval: ApprovalPolicy::Never,
            sandbox: SandboxPolicy::default(),
            enforcement: Enforcement::Sandboxed,
        },
        limits,
        cache_key: "thread".to_owned(),
        usage: Usage::default(),
        seed: 1,
    }
}

pub(crate) fn tools() -> Vec<ToolSpec> {
    let text = || Schema::Text { max_chars: None };
    let file = || Schema::Choice(vec!["a.rs".to_owned(), "b.rs".to_owned()]);
    let tool = |name: &str, parameters, effect| ToolSpec {
        name: name.to_owned(),
        description: format!("does {name}"),
        parameters,
        effect,
    };
    vec![
        tool(
            "read",
            vec![
                Property::required("file", "", file()),
                Property::optional("from", "", Schema::Integer { min: None, max: None }),
            ],
            ToolEffect::Reads,
        ),
        tool("search", vec![Property::required("text", "", text())], ToolEffect::Reads),
        tool(
            "write",
            vec![Property::required("file", "", file()), Property::required("text", "", text())],
            ToolEffect::Writes,
        ),
        tool("run_tests", Vec::new(), ToolEffect::Runs),
    ]
}

/// `begin`, `steer WORDS`, `interrupt`, `abandon WHY`, `tick`; of model call or tool run `#N`: `text ..`,
/// `says ..`, `thinks ..`, `calls ID TOOL JSON`, `done`, `fails`, `fails after MS`, `refuses`,
/// `too long`, `started`, `prints ..`, `finished ..`, `failed ..`.
pub(crate) fn parse(line: &str) -> Input {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let Some(number) = first.strip_prefix('#') else {
        return match first {
            "begin" => Input::Begin,
            "steer" => Input::Steer(UserInput {
                text: rest.to_owned(),
                source: InputSource::Spoken,
                material: None,
            }),
            "interrupt" => Input::Interrupt,
            "abandon" => Input::Abandon { message: rest.to_owned() },
            "tick" => Input::Tick,
            _ => panic!("not an input: {line}"),
        };
    };
    let epoch = Epoch(number.parse().expect("a number after #"));
    let run = epoch;
    let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let model = |event| Input::Model { epoch, event };
    let fails = |kind, message: &str| {
        let message = message.to_owned();
        Input::ModelFailed { epoch, error: ModelError { kind, message } }
    };
    match verb {
        "text" => model(ModelEvent::TextDelta { delta: rest.to_owned() }),
        "says" => model(ModelEvent::Message { text: rest.to_owned() }),
        "thinks" => {
            model(ModelEvent::Reasoning { summary: rest.to_owned(), opaque: format!("<{rest}>") })
        }
        "calls" => {
            let mut words = rest.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            model(ModelEvent::ToolCall(ToolCall {
                call: CallId::new(word()),
                name: word(),
                arguments: word(),
            }))
        }
        "done" => {
            model(ModelEvent::Completed { usage: Usage { input_tokens: 1, ..Usage::default() } })
        }
        "fails" => {
            let after = rest.strip_prefix("after ").map(|ms| ms.parse().expect("milliseconds"));
            let after = after.map(Duration::from_millis);
            fails(ModelErrorKind::Transient { after }, "overloaded")
        }
        "refuses" => fails(ModelErrorKind::Rejected, "no such model"),
        "too" => fails(ModelErrorKind::TooLong, "too long"),
        "started" => Input::ToolStarted { run, body: body(ItemStatus::InProgress, "") },
        "prints" => Input::ToolDelta { run, delta: rest.to_owned() },
        "finished" => finished(run, ItemStatus::Completed, rest),
        "failed" => finished(run, ItemStatus::Failed, rest),
        _ => panic!("not an input: {line}"),
    }
}

fn finished(run: Epoch, status: ItemStatus, output: &str) -> Input {
    Input::ToolFinished { run, body: body(status, output), output: output.to_owned() }
}

pub(crate) fn body(status: ItemStatus, result: &str) -> ItemBody {
    ItemBody::Tool(ToolItem {
        call: CallId::from("c"),
        tool: "tool".to_owned(),
        arguments: String::new(),
        status,
        result: result.to_owned(),
        duration: None,
    })
}

pub(crate) fn show(output: &Output) -> String {
    match output {
        Output::CallModel { epoch, request } => {
            let choice = match request.tool_choice {
                ToolChoice::Auto => "auto",
                ToolChoice::Required => "required",
                ToolChoice::None => "none",
            };
            let input = request.input.len();
            let tools = offered(&request.tools);
            let named = named(&request.input);
            format!("call #{} with {input} items{named}, {choice}:{tools}", epoch.0)
        }
        Output::CancelModel { epoch } => format!("cancel #{}", epoch.0),
        Output::RunTool { run, item, call } => {
            format!("run #{} {item} {} {} {}", run.0, call.call, call.name, call.arguments)
        }
        Output::CancelTool { run } => format!("stop #{}", run.0),
        Output::Record(item) => format!("record {}", show_item(item)),
        Output::Sync => "sync".to_owned(),
        Output::Progress { text } => format!("progress {text}"),
        Output::Ended { status, answer, unheard } => {
            let answer = answer.as_deref().unwrap_or("-");
            let unheard: String =
                unheard.iter().map(|it| format!(" unheard: {}", it.text)).collect();
            format!("ended {}, answer: {answer}{unheard}", show_status(status))
        }
        Output::Event(event) => show_event(event),
    }
}

/// The calls whose outputs a request only names.
fn named(input: &[ModelItem]) -> String {
    let named: Vec<&str> = input
        .iter()
        .filter_map(|item| match item {
            ModelItem::ToolOutput { call, output } if output.contains("left out to make room") => {
                Some(call.as_str())
            }
            ModelItem::ToolOutput { .. }
            | ModelItem::ToolCall(_)
            | ModelItem::Message { .. }
            | ModelItem::Reasoning { .. } => None,
        })
        .collect();
    if named.is_empty() { String::new() } else { format!(" (named: {})", named.join(" ")) }
}

fn offered(tools: &[ToolSpec]) -> String {
    let choices = |spec: &ToolSpec| -> String {
        spec.parameters
            .iter()
            .filter_map(|property| match &property.schema {
                Schema::Choice(choices) => Some(format!("({})", choices.join(" "))),
                Schema::Object(_)
                | Schema::Text { .. }
                | Schema::Integer { .. }
                | Schema::Boolean
                | Schema::List(_) => None,
            })
            .collect()
    };
    tools.iter().map(|spec| format!(" {}{}", spec.name, choices(spec))).collect()
}

fn show_item(item: &ModelItem) -> String {
    match item {
        ModelItem::Message { role: Role::User, text } => format!("user: {text}"),
        ModelItem::Message { role: Role::Assistant, text } => format!("assistant: {text}"),
        ModelItem::Message { role: Role::Developer, text } => format!("developer: {text}"),
        ModelItem::Message { role: Role::Material, text } => format!("material: {text}"),
        ModelItem::ToolCall(call) => format!("call {} {}", call.call, call.name),
        ModelItem::ToolOutput { call, output } => format!("output {call}: {output}"),
        ModelItem::Reasoning { opaque } => format!("reasoning {opaque}"),
    }
}

fn show_event(event: &EventBody) -> String {
    match event {
        EventBody::TurnStarted { turn: _, source } => format!("* turn started, {source:?}"),
        EventBody::ItemStarted { turn: _, item } => {
            format!("* + {} {}", item.id, show_body(&item.body))
        }
        EventBody::ItemCompleted { turn: _, item } => {
            format!("* = {} {}", item.id, show_body(&item.body))
        }
        EventBody::AgentMessageDelta { turn: _, item, delta }
        | EventBody::ReasoningDelta { turn: _, item, delta }
        | EventBody::CommandOutputDelta { turn: _, item, delta } => format!("* ~ {item} {delta}"),
        EventBody::TokenUsage { turn: _, last, total } => {
            format!("* usage {} of {}", last.input_tokens, total.input_tokens)
        }
        EventBody::Retrying { turn: _, message, attempt, wait } => {
            format!("* retry {attempt} in {}ms: {message}", wait.as_millis())
        }
        EventBody::TurnCompleted { turn: _, status } => {
            format!("* turn {}", show_status(status))
        }
        EventBody::Warning { message } => format!("* warning: {message}"),
        EventBody::ThreadStarted { .. }
        | EventBody::TurnPreparing { .. }
        | EventBody::Realtime(_) => {
            panic!("not a turn's to say: {event:?}")
        }
    }
}

fn show_body(body: &ItemBody) -> String {
    match body {
        ItemBody::UserMessage { text, source: _ } => format!("user: {text}"),
        ItemBody::AgentMessage { text } => format!("agent: {text}"),
        ItemBody::Reasoning { text } => format!("reasoning: {text}"),
        ItemBody::Tool(tool) => format!("{} {:?} {}", tool.tool, tool.status, tool.result),
        ItemBody::Command(_) | ItemBody::FileChange(_) | ItemBody::Spoken { .. } => {
            panic!("not in the table: {body:?}")
        }
    }
}

fn show_status(status: &TurnStatus) -> String {
    match status {
        TurnStatus::InProgress => "in progress".to_owned(),
        TurnStatus::Completed => "completed".to_owned(),
        TurnStatus::Interrupted => "interrupted".to_owned(),
        TurnStatus::Failed(failure) => format!("failed: {}", failure.message),
    }
}
