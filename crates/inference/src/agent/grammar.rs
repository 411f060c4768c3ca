//! What the agent's model may write, built from the tools of a request.
//!
//! A reply is one JSON object: a call of a tool, or the final message as a call of `answer`.
//!
//! ```text
//! {"name": "read_file", "arguments": {"path": "src/lib.rs"}}
//! {"name": "answer", "arguments": {"text": "One test fails: total_of_nothing."}}
//! ```
//!
//! A text that may be long is code. Small models lose line breaks and quotes when they write
//! code inside JSON, so it stands in a code block behind the object instead:
//!
//! ````text
//! {"name": "write_file", "arguments": {"path": "a.py"}}
//! ```
//! print("hello")
//! ```
//! ````
//!
//! The grammar is a program for the [`super::matcher`], which llama.cpp's own grammars were
//! given up for: those abort the process on inputs they did not expect, cannot count
//! characters cheaply, and mask 150 000 tokens where one byte comparison is enough.

use protocol::{Property, Schema, ToolChoice, ToolSpec};

use super::offer::{Kind, Withheld};

/// The call that stands for the final message.
pub(crate) const ANSWER: &str = "answer";
pub(crate) const ANSWER_TEXT: &str = "text";

/// Spoken answers are one to three sentences. What is longer was not going anywhere.
pub(super) const MAX_ANSWER_CHARS: u32 = 600;
/// Of an inline text whose schema says nothing, where a code block cannot stand.
const MAX_INLINE_CHARS: u32 = 400;
/// A text that may have this many characters is code.
const BLOCK_CHARS: u32 = 1_000;
const MAX_LIST: u32 = 16;

/// A block opens on the line after the object.
pub(super) const BLOCK_OPENS: &str = "\n```\n";
/// A block may end where this was just written.
pub(super) const BLOCK_CLOSES: &[u8] = b"\n```";

/// One step of the program. Addresses are indices into [`Grammar::program`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Byte(u8),
    /// Goes on at each of these.
    Fork(Vec<usize>),
    Jump(usize),
    /// Characters of a JSON string, without its quotes.
    Text {
        max_chars: u32,
        closes: Closes,
    },
    Integer {
        min: i64,
        max: i64,
    },
    /// Goes to `again` fewer than `most` times, then only past itself.
    Repeat {
        again: usize,
        most: u32,
    },
    /// The lines of a block. Must be followed by `End`.
    Block,
    End,
}

/// Where a text may end before it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closes {
    Anywhere,
    /// A small model forgets to escape the quotes of what it cites: the first one would end its
    /// answer in the middle (``should have returned `Err(``). Here only an escaped one fits.
    AfterSentence,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grammar {
    program: Vec<Step>,
}

impl Grammar {
    /// `None` where nothing may be said: a tool is required and there is none to call.
    pub(crate) fn of_reply(
        tools: &[ToolSpec],
        choice: ToolChoice,
        withheld: &Withheld,
    ) -> Option<Self> {
        let mut replies: Vec<Vec<Part>> = match choice {
            ToolChoice::Auto | ToolChoice::Required => {
                tools.iter().filter_map(|tool| call(tool, withheld)).collect()
            }
            ToolChoice::None => Vec::new(),
        };
        match choice {
            ToolChoice::Auto if !withheld.offers_answer() => {}
            ToolChoice::Auto | ToolChoice::None => replies.push(answer(withheld.openings())),
            ToolChoice::Required => {}
        }
        if replies.is_empty() {
            return None;
        }
        Some(Self::one_of(replies))
    }

    /// What the user's words are: `{"kind": "question"}`.
    pub(crate) fn of_kind() -> Self {
        let kinds = Kind::ALL.into_iter().map(Kind::as_str);
        Self::one_of(kinds.map(|it| vec![literal(&kind_text(it))]).collect())
    }

    fn one_of(alternatives: Vec<Vec<Part>>) -> Self {
        let mut program = Vec::new();
        emit(&Part::OneOf(alternatives), &mut program);
        program.push(Step::End);
        Self { program }
    }

    pub(super) fn step(&self, at: usize) -> &Step {
        // Every address was made by `emit`; a wrong one would end the reply, not the process.
        self.program.get(at).unwrap_or(&Step::End)
    }
}

/// Up to where kinds differ.
pub(crate) const KIND_OPENS: &str = r#"{"kind": ""#;

pub(crate) fn kind_text(kind: &str) -> String {
    format!("{KIND_OPENS}{kind}\"}}")
}

/// The property that is written as a block: the last required text that may be long.
pub(crate) fn block_property(tool: &ToolSpec) -> Option<&Property> {
    tool.parameters.iter().rfind(|it| it.required && may_be_long(&it.schema))
}

fn may_be_long(schema: &Schema) -> bool {
    match schema {
        Schema::Text { max_chars } => max_chars.is_none_or(|it| it >= BLOCK_CHARS),
        Schema::Object(_)
        | Schema::Choice(_)
        | Schema::Integer { .. }
        | Schema::Boolean
        | Schema::List(_) => false,
    }
}

/// A grammar before it is laid out as a program.
enum Part {
    Literal(Vec<u8>),
    Text(u32, Closes),
    Integer(i64, i64),
    OneOf(Vec<Vec<Part>>),
    /// Of an object, in their order, with commas between those that are there.
    Fields(Vec<Field>),
    /// `(of (, of)*)?`, at most this often.
    List {
        of: Vec<Part>,
        most: u32,
    },
    Block,
}

struct Field {
    parts: Vec<Part>,
    required: bool,
}

/// With `openings` it begins with one of them, or with there being none.
fn answer(openings: &[String]) -> Vec<Part> {
    let mut parts =
        vec![literal(&format!(r#"{{"name": "{ANSWER}", "arguments": {{"{ANSWER_TEXT}": ""#))];
    if !openings.is_empty() {
        let inside = |text: &str| vec![literal(json(text).trim_matches('"'))];
        let all = openings.iter().map(String::as_str).chain(["No"]);
        parts.push(Part::OneOf(all.map(inside).collect()));
    }
    parts.push(Part::Text(MAX_ANSWER_CHARS, Closes::AfterSentence));
    parts.push(literal(r#""}}"#));
    parts
}

/// `None` for a tool that is not offered, or that nothing can be passed to.
fn call(tool: &ToolSpec, withheld: &Withheld) -> Option<Vec<Part>> {
    if !withheld.offers(tool) {
        return None;
    }
    let block = block_property(tool);
    let inline: Vec<Property> = tool
        .parameters
        .iter()
        .filter(|it| block.is_none_or(|block| !std::ptr::eq(*it, block)))
        .map(|it| match withheld.given(it) {
            Some(words) => {
                Property { schema: Schema::Choice(vec![words.to_owned()]), ..it.clone() }
            }
            None => it.clone(),
        })
        .collect();
    let mut parts = vec![literal(&format!(r#"{{"name": {}, "arguments": "#, json(&tool.name)))];
    parts.extend(object(&inline.iter().collect::<Vec<_>>(), &|property, option| {
        withheld.offers_option(tool, property, option)
    })?);
    parts.push(literal("}"));
    if block.is_some() {
        parts.push(literal(BLOCK_OPENS));
        parts.push(Part::Block);
    }
    Some(parts)
}

type Offered<'a> = &'a dyn Fn(&Property, &str) -> bool;

/// Properties in their order; `None` when a required one can have no value.
fn object(properties: &[&Property], offered: Offered<'_>) -> Option<Vec<Part>> {
    let mut fields = Vec::new();
    for property in properties {
        match (field(property, offered), property.required) {
            (Some(parts), required) => fields.push(Field { parts, required }),
            (None, true) => return None,
            (None, false) => {}
        }
    }
    Some(vec![literal("{"), Part::Fields(fields), literal("}")])
}

fn field(property: &Property, offered: Offered<'_>) -> Option<Vec<Part>> {
    let mut parts = vec![literal(&format!("{}: ", json(&property.name)))];
    let schema = match &property.schema {
        Schema::Choice(options) => {
            let options: Vec<String> =
                options.iter().filter(|it| offered(property, it)).cloned().collect();
            value(&Schema::Choice(options))
        }
        other @ (Schema::Object(_)
        | Schema::Text { .. }
        | Schema::Integer { .. }
        | Schema::Boolean
        | Schema::List(_)) => value(other),
    };
    parts.extend(schema?);
    Some(parts)
}

fn value(schema: &Schema) -> Option<Vec<Part>> {
    Some(match schema {
        Schema::Object(properties) => object(&properties.iter().collect::<Vec<_>>(), &|_, _| true)?,
        Schema::Text { max_chars } => {
            let most = max_chars.unwrap_or(MAX_INLINE_CHARS);
            vec![literal("\""), Part::Text(most, Closes::Anywhere), literal("\"")]
        }
        Schema::Choice(options) if options.is_empty() => return None,
        Schema::Choice(options) => {
            vec![Part::OneOf(options.iter().map(|it| vec![literal(&json(it))]).collect())]
        }
        Schema::Integer { min, max } => {
            let (min, max) = (min.unwrap_or(i64::MIN), max.unwrap_or(i64::MAX));
            if min > max {
                return None;
            }
            vec![Part::Integer(min, max)]
        }
        Schema::Boolean => {
            vec![Part::OneOf(vec![vec![literal("true")], vec![literal("false")]])]
        }
        Schema::List(of) => {
            let Some(of) = value(of) else { return Some(vec![literal("[]")]) };
            vec![literal("["), Part::List { of, most: MAX_LIST }, literal("]")]
        }
    })
}

/// Each part is laid out once: a program is as long as its schema, however deep that is. A
/// tool may come from another program, and its schema with it.
fn emit(part: &Part, program: &mut Vec<Step>) {
    match part {
        Part::Literal(bytes) => program.extend(bytes.iter().map(|it| Step::Byte(*it))),
        Part::Text(max_chars, closes) => {
            program.push(Step::Text { max_chars: *max_chars, closes: *closes });
        }
        Part::Integer(min, max) => program.push(Step::Integer { min: *min, max: *max }),
        Part::Block => program.push(Step::Block),
        Part::OneOf(alternatives) => {
            let fork = program.len();
            program.push(Step::Fork(Vec::new()));
            let mut starts = Vec::new();
            let mut jumps = Vec::new();
            for alternative in alternatives {
                starts.push(program.len());
                alternative.iter().for_each(|it| emit(it, program));
                jumps.push(program.len());
                program.push(Step::Jump(0));
            }
            let end = program.len();
            jumps.into_iter().for_each(|at| program[at] = Step::Jump(end));
            program[fork] = Step::Fork(starts);
        }
        Part::Fields(fields) => {
            // Whether a comma is due depends on what came before. The first field that is
            // there is entered behind its comma, all later ones before it.
            let first = program.len();
            program.push(Step::Fork(Vec::new()));
            let mut firsts = Vec::new();
            for field in fields {
                let comma = program.len();
                if !field.required {
                    program.push(Step::Fork(Vec::new()));
                }
                emit(&literal(", "), program);
                let begins = program.len();
                field.parts.iter().for_each(|it| emit(it, program));
                if !field.required {
                    program[comma] = Step::Fork(vec![comma + 1, program.len()]);
                }
                firsts.push((begins, field.required));
            }
            let required = firsts.iter().position(|(_, required)| *required);
            let reachable = required.map_or(firsts.len(), |at| at + 1);
            let mut entries: Vec<usize> =
                firsts.iter().take(reachable).map(|(begins, _)| *begins).collect();
            if required.is_none() {
                entries.push(program.len());
            }
            program[first] = Step::Fork(entries);
        }
        Part::List { of, most } => {
            let enter = program.len();
            program.push(Step::Fork(Vec::new()));
            let again = program.len();
            emit(&literal(", "), program);
            let begins = program.len();
            of.iter().for_each(|it| emit(it, program));
            program.push(Step::Repeat { again, most: *most });
            program[enter] = Step::Fork(vec![begins, program.len()]);
        }
    }
}

fn literal(text: &str) -> Part {
    Part::Literal(text.as_bytes().to_vec())
}

/// The one spelling of a string that is accepted.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
