//! Writes a request the way the bundled model (Qwen2.5-Coder, ChatML) reads it.
//!
//! Nothing that came from outside can end a message or begin one: marks are [`Piece::Mark`],
//! everything else is text, and the tokenizer never looks for marks in text.
//!
//! What is the same in every request of a thread comes first, so that its computed state can
//! be kept: instructions, tools, the names that arguments may have. Only then the talk.

use protocol::{ModelItem, ModelRequest, Property, Role, Schema, ToolCall, ToolChoice, ToolSpec};
use serde::Serialize as _;
use serde_json::Value;

use super::grammar::{ANSWER, ANSWER_TEXT, BLOCK_OPENS, block_property, kind_text};
use super::offer::{Edits, Kind};
use crate::Route;

/// Options of one argument that are still told in its own line; longer lists stand below the
/// tools, where the eye of a small model is not led away from what the tools are for.
const OPTIONS_INLINE: usize = 8;

/// What questions and edits are, by examples: told in words alone a third is taken wrongly, and
/// asked for yes or no ("must files be edited") a seventh.
const KINDS: [(&str, Kind); 13] = [
    ("who wrote the parser", Kind::Question),
    ("rename the class Item to Entry", Kind::Edit),
    ("what changed last week", Kind::Question),
    ("make the banner green", Kind::Edit),
    ("are there any unused imports", Kind::Question),
    ("repair the broken link", Kind::Edit),
    ("why does the page load slowly", Kind::Question),
    ("delete the old endpoint", Kind::Edit),
    ("in which folder are the images", Kind::Question),
    ("let the menu close on escape", Kind::Edit),
    ("is everything pushed", Kind::Question),
    ("run the linter", Kind::Question),
    ("good morning", Kind::Question),
];

/// What the routes are, in words. "A question about the code" is there because it is a question
/// too, and must not be taken for one about the work.
const ROUTING: &str = "\
A coding agent is working for its user, and the user says something. What is it?
status: asks what is going on, how far the work is, or how long it still takes
repeat: did not hear the last words and wants the same words once more
work: anything else: something to do, to add, to change or to stop, or a question about the code
";

/// And by examples.
const ROUTES: [(&str, Route); 25] = [
    ("what are you up to", Route::Status),
    ("add a button to the menu", Route::Work),
    ("say that again", Route::Repeat),
    ("where is the login page", Route::Work),
    ("how much longer will it take", Route::Status),
    ("no, I meant the other one", Route::Work),
    ("sorry, I was not listening", Route::Repeat),
    ("which modules use the cache", Route::Work),
    ("is it still running", Route::Status),
    ("and then delete the old one", Route::Work),
    ("come again", Route::Repeat),
    ("why does the upload break", Route::Work),
    ("did you find anything so far", Route::Status),
    ("do that again with the new version", Route::Work),
    ("one more time, please", Route::Repeat),
    ("forget about it", Route::Work),
    ("have you got the first part ready", Route::Status),
    ("has the server any routes for images", Route::Work),
    ("how is the weather module tested", Route::Work),
    ("wait, not so fast", Route::Work),
    ("actually, sort them by date", Route::Work),
    ("repeat the benchmark", Route::Work),
    ("what is going on in the scheduler", Route::Work),
    ("okay", Route::Work),
    ("how many lines changed this week", Route::Work),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A token of its own.
    Mark(Mark),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Start,
    End,
}

impl Mark {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "<|im_start|>",
            Self::End => "<|im_end|>",
        }
    }
}

/// A request as text, cut where the part ends that the next requests share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) prefix: Vec<Piece>,
    pub(crate) talk: Vec<Piece>,
}

impl Prompt {
    /// Up to the user's last words; next comes what they are.
    pub(crate) fn of_kind(request: &ModelRequest) -> Self {
        let is_user =
            |item: &ModelItem| matches!(item, ModelItem::Message { role: Role::User, .. });
        let words = request.input.iter().rposition(is_user).map_or(0, |it| it + 1);
        Self::of_items(request, &request.input[..words], Kind::Question)
    }

    /// What was said while the agent works; next comes what it is. The prefix is the same for
    /// all.
    pub(crate) fn of_route(words: &str) -> Self {
        let mut rules = ROUTING.to_owned();
        for (said, route) in ROUTES {
            rules.push_str(&format!("\n\"{said}\" - {}", kind_text(route.as_str())));
        }
        let mut prefix = Pieces::default();
        prefix.message("system", &rules);
        let mut talk = Pieces::default();
        talk.message("user", &format!("\"{}\"", words.trim()));
        talk.open("assistant");
        Self { prefix: prefix.0, talk: talk.0 }
    }

    pub(crate) fn of(request: &ModelRequest, kind: Kind) -> Self {
        Self::of_items(request, &request.input, kind)
    }

    fn of_items(request: &ModelRequest, items: &[ModelItem], kind: Kind) -> Self {
        let mut prefix = Pieces::default();
        prefix.message("system", &system(request));
        let mut talk = Pieces::default();
        let mut asked = "";
        let results = items.iter().filter(|it| matches!(it, ModelItem::ToolOutput { .. })).count();
        let mut told = 0;
        for item in items {
            match item {
                ModelItem::Message { role, text } => {
                    if *role == Role::User {
                        asked = text;
                    }
                    talk.message(role_name(*role), text);
                }
                ModelItem::ToolCall(call) => {
                    talk.message("assistant", &written(call, &request.tools));
                }
                ModelItem::ToolOutput { call: _, output } => {
                    told += 1;
                    let last = told == results;
                    let fact = match kind {
                        Kind::Edit if last && Edits::is_to_be_given_up(request) => UNCHANGED,
                        Kind::Edit | Kind::Question => "",
                    };
                    talk.message(
                        "user",
                        &format!("Result:\n{}\n\n{}{fact}", output.trim_end(), reminder(asked)),
                    );
                }
                // Another model's thoughts, sealed for its own service.
                ModelItem::Reasoning { opaque: _ } => {}
            }
        }
        talk.open("assistant");
        Self { prefix: prefix.0, talk: talk.0 }
    }

    /// How much text there is, for a bound before the tokenizer sees it.
    pub(crate) fn bytes(&self) -> usize {
        let sizes = self.prefix.iter().chain(&self.talk).map(|it| match it {
            Piece::Mark(_) => 0,
            Piece::Text(text) => text.len(),
        });
        sizes.sum()
    }
}

/// Put after each result: by then the model has forgotten what it was asked, and goes on looking
/// or answers something else.
fn reminder(asked: &str) -> String {
    format!("The user said: \"{}\" If that is done or answered now, answer.", asked.trim())
}

/// Left alone the model says that it did what it could not do.
const UNCHANGED: &str = " No file was changed so far.";

/// JSON with a space after each comma and colon, as models write it.
pub(crate) fn spaced_json(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Spaced);
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        // A `Value` has string keys only, and a `Vec` takes every byte.
        Err(_) => value.to_string(),
    }
}

/// Joins adjacent texts.
#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn message(&mut self, role: &str, text: &str) {
        self.open(role);
        self.text(text.trim_end());
        self.0.push(Piece::Mark(Mark::End));
        self.text("\n");
    }

    fn open(&mut self, role: &str) {
        self.0.push(Piece::Mark(Mark::Start));
        self.text(role);
        self.text("\n");
    }

    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            Some(Piece::Mark(_)) | None => self.0.push(Piece::Text(text.to_owned())),
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Developer => "system",
        Role::User | Role::Material => "user",
        Role::Assistant => "assistant",
    }
}

fn system(request: &ModelRequest) -> String {
    let mut text = request.instructions.trim().to_owned();
    let offered = match request.tool_choice {
        ToolChoice::Auto | ToolChoice::Required | ToolChoice::None => &request.tools,
    };
    text.push_str("\n\nEach reply is one JSON object, one of these:\n");
    for tool in offered {
        text.push_str(&shape(tool));
        text.push_str(" - ");
        text.push_str(tool.description.trim());
        text.push('\n');
    }
    text.push_str(&format!(
        "{{\"name\": \"{ANSWER}\", \"arguments\": {{\"{ANSWER_TEXT}\": TEXT}}}} - ends your work \
         and tells the user the result in one to three plain sentences\n"
    ));
    text.push_str("\nBefore the first tool, say whether it is a question or an edit of files:\n");
    for (said, kind) in KINDS {
        text.push_str(&format!("\"{said}\" - {}\n", kind_text(kind.as_str())));
    }
    for (name, options) in long_choices(offered) {
        text.push_str(&format!("\n{} is one of:\n{}\n", name.to_uppercase(), options.join("\n")));
    }
    text
}

/// A call of the tool with names in place of values.
fn shape(tool: &ToolSpec) -> String {
    let block = block_property(tool);
    let arguments: Vec<String> = tool
        .parameters
        .iter()
        .filter(|it| block.is_none_or(|block| !std::ptr::eq(*it, block)))
        .map(|it| format!("\"{}\": {}", it.name, placeholder(it)))
        .collect();
    let call =
        format!("{{\"name\": \"{}\", \"arguments\": {{{}}}}}", tool.name, arguments.join(", "));
    match block {
        Some(block) => format!("{call} and then {} in a code block", block.name.to_uppercase()),
        None => call,
    }
}

fn placeholder(property: &Property) -> String {
    let value = match &property.schema {
        Schema::Choice(options) if options.len() <= OPTIONS_INLINE => {
            let options: Vec<String> = options.iter().map(|it| format!("\"{it}\"")).collect();
            options.join(" or ")
        }
        Schema::Choice(_) | Schema::Text { .. } | Schema::Object(_) => property.name.to_uppercase(),
        Schema::Integer { .. } => "NUMBER".to_owned(),
        Schema::Boolean => "true or false".to_owned(),
        Schema::List(_) => format!("[{}, ...]", property.name.to_uppercase()),
    };
    if property.required { value } else { format!("{value} (may be left out)") }
}

/// Each long list of options once, though several tools take it.
fn long_choices(tools: &[ToolSpec]) -> Vec<(&str, &[String])> {
    let mut lists: Vec<(&str, &[String])> = Vec::new();
    for property in tools.iter().flat_map(|it| &it.parameters) {
        if let Schema::Choice(options) = &property.schema
            && options.len() > OPTIONS_INLINE
            && !lists.iter().any(|(name, seen)| *name == property.name && *seen == options)
        {
            lists.push((&property.name, options));
        }
    }
    lists
}

/// A call as the model wrote it.
fn written(call: &ToolCall, tools: &[ToolSpec]) -> String {
    // Not JSON where another model wrote it badly; shown all the same.
    let arguments = serde_json::from_str::<Value>(&call.arguments);
    let block = tools.iter().find(|it| it.name == call.name).and_then(block_property);
    let name = spaced_json(&Value::from(call.name.as_str()));
    match (arguments, block) {
        (Ok(Value::Object(mut arguments)), Some(block)) => {
            let content = arguments.shift_remove(&block.name);
            let content = content.as_ref().and_then(Value::as_str).unwrap_or_default();
            let arguments = spaced_json(&Value::Object(arguments));
            format!(
                "{{\"name\": {name}, \"arguments\": {arguments}}}{BLOCK_OPENS}{}\n```",
                content.trim_end_matches('\n')
            )
        }
        (Ok(arguments), _) => {
            format!("{{\"name\": {name}, \"arguments\": {}}}", spaced_json(&arguments))
        }
        (Err(_), _) => format!("{{\"name\": {name}, \"arguments\": {}}}", call.arguments),
    }
}

struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}
