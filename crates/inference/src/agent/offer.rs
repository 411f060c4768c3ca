//! What of the catalogue is offered at this step of a turn.
//!
//! A small, greedy model has habits that cost whole turns, and all are cured by not offering:
//!
//! * It edits files to answer a question, and says that it has edited what it has not touched.
//!   Whether an edit is wanted, the words say or it knows ([`Kind`]): so it is asked first. A question gets no
//!   tool that writes; for an edit it looks once, then reads files, and then writes one or
//!   gives it up, and is told then that nothing was changed.
//! * It repeats a call whose result did not help it, until somebody stops it. What was asked
//!   since the last change of a file is not offered again: the tool itself where it takes
//!   nothing, the one option where that is its only argument. Anything else is noticed when
//!   it was written, and written anew without that tool ([`Asked::contains`]).
//! * It begins with the wrong tool, or with none and makes the answer up. What the words of the
//!   request rule out is not offered first ([`Cues`]), and a question is not answered before
//!   something was looked at.
//! * It changes files that it has not read. A tool that writes is offered only for files that
//!   were read.
//!
//! The description of the tools stays the same throughout, because its state is kept.

use std::collections::BTreeSet;

use protocol::{ModelItem, ModelRequest, Property, Role, Schema, ToolCall, ToolEffect, ToolSpec};
use serde_json::Value;

use super::cues::{self, Cues};

/// What the user's last words are: by themselves, or as the model itself says before its first reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Files stay as they are; also for greetings and tests that are to be run.
    Question,
    Edit,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Question, Self::Edit];

    /// Where they leave no doubt.
    pub(crate) fn by_first_words(request: &ModelRequest) -> Option<Self> {
        Cues::of(last_words(request)?).kind()
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Edit => "edit",
        }
    }
}

/// An argument of this name is a question in the user's words. The model puts it into words of its
/// own, and loses or invents what matters: so the first one is the user's, verbatim.
const QUESTION: &str = "question";

/// An argument of this name, with its options, is a file.
const PATH: &str = "path";

/// Names of which one may be the answer.
const MOST_NAMES: usize = 32;

/// Tools without arguments, or about one thing, say all they know at once. Who needs more than two is going round.
const OVERVIEWS: usize = 2;

/// Calls after which an edit may be given up: it turned out to be none, or none that can be
/// made here.
const LOOKS: usize = 3;

/// More of them after an edit that was refused: another file read, and another edit.
const RETRIES: usize = 2;

/// The edits since the user's last words, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Edits {
    made: usize,
    refused: usize,
}

impl Edits {
    /// After so many calls of the turn.
    fn may_be_given_up(self, calls: usize) -> bool {
        // Refused once, it is told why, and tries again.
        let looks = if self.refused == 1 { LOOKS + RETRIES } else { LOOKS };
        self.made == 0 && looks <= calls
    }

    /// Whether an edit may be given up now, and would be told as one that was made.
    pub(super) fn is_to_be_given_up(request: &ModelRequest) -> bool {
        Self::in_turn(request).may_be_given_up(calls_of_turn(request).len())
    }

    fn in_turn(request: &ModelRequest) -> Self {
        let mut asked = Vec::new();
        let mut edits = Self::default();
        for item in &request.input {
            match item {
                ModelItem::Message { role: Role::User, .. } => {
                    asked.clear();
                    edits = Self::default();
                }
                ModelItem::ToolCall(call) => {
                    if effect(&request.tools, &call.name) == Some(ToolEffect::Writes) {
                        asked.push(&call.call);
                    }
                }
                ModelItem::ToolOutput { call, output } if asked.contains(&call) => {
                    asked.retain(|it| *it != call);
                    // Everything else is a reason: of the tool, or of whoever refused the call.
                    match output.lines().next().is_some_and(|it| it.ends_with(IS_CHANGED)) {
                        true => edits.made += 1,
                        false => edits.refused += 1,
                    }
                }
                ModelItem::ToolOutput { .. }
                | ModelItem::Message { .. }
                | ModelItem::Reasoning { .. } => {}
            }
        }
        edits
    }
}

/// How the first line of an edit's result ends that was made (`write_file`, `replace_lines`).
const IS_CHANGED: &str = " is changed:";

/// What a grammar leaves out, and what it fixes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Withheld {
    tools: BTreeSet<String>,
    /// Tool, argument, option.
    options: BTreeSet<(String, String, String)>,
    answer: bool,
    /// The user's words, which a question to a tool consists of.
    question: Option<String>,
    /// One of which the answer begins with.
    openings: Vec<String>,
}

impl Withheld {
    pub(crate) fn at_this_step(request: &ModelRequest, asked: &Asked, kind: Kind) -> Self {
        let mut withheld = Self::default();
        withheld.what_was_asked(asked, &request.tools);
        withheld.what_was_not_read(request);
        withheld.what_is_not_wanted(request, kind);
        withheld.what_the_words_rule_out(request, kind);
        withheld.question = verbatim(request, asked);
        withheld.openings = openings(request, kind);
        withheld
    }

    /// What must be passed for this argument, if it may not be chosen.
    pub(super) fn given(&self, argument: &Property) -> Option<&str> {
        self.question.as_deref().filter(|_| argument.name == QUESTION)
    }

    /// Asked where something is, or for its name, a small model says what it does. So the answer
    /// begins with one of these, where there are any.
    pub(super) fn openings(&self) -> &[String] {
        &self.openings
    }

    pub(crate) fn withhold(&mut self, tool: String) {
        self.tools.insert(tool);
    }

    pub(super) fn offers_answer(&self) -> bool {
        !self.answer
    }

    pub(super) fn offers(&self, tool: &ToolSpec) -> bool {
        !self.tools.contains(&tool.name)
    }

    pub(super) fn offers_option(&self, tool: &ToolSpec, argument: &Property, option: &str) -> bool {
        let key = (tool.name.clone(), argument.name.clone(), option.to_owned());
        !self.options.contains(&key)
    }

    fn what_was_asked(&mut self, asked: &Asked, tools: &[ToolSpec]) {
        for (name, arguments) in &asked.calls {
            let Some(tool) = tools.iter().find(|it| it.name == *name) else { continue };
            match tool.parameters.as_slice() {
                [] => self.withhold(name.clone()),
                [only] => {
                    if let (Schema::Choice(_), Some(value)) =
                        (&only.schema, arguments.get(&only.name).and_then(Value::as_str))
                    {
                        let key = (name.clone(), only.name.clone(), value.to_owned());
                        self.options.insert(key);
                    }
                }
                [_, _, ..] => {}
            }
        }
    }

    fn what_was_not_read(&mut self, request: &ModelRequest) {
        let reads: Vec<&ToolSpec> = with_effect(request, ToolEffect::Reads).collect();
        let enumerated: BTreeSet<&str> = reads
            .iter()
            .flat_map(|tool| &tool.parameters)
            .filter(|it| matches!(it.schema, Schema::Choice(_)))
            .map(|it| it.name.as_str())
            .collect();
        let calls: Vec<Value> = request
            .input
            .iter()
            .filter_map(|item| match item {
                ModelItem::ToolCall(call) if reads.iter().any(|it| it.name == call.name) => {
                    serde_json::from_str(&call.arguments).ok()
                }
                ModelItem::ToolCall(_)
                | ModelItem::Message { .. }
                | ModelItem::ToolOutput { .. }
                | ModelItem::Reasoning { .. } => None,
            })
            .collect();
        for tool in with_effect(request, ToolEffect::Writes) {
            for argument in &tool.parameters {
                let Schema::Choice(options) = &argument.schema else { continue };
                if !enumerated.contains(argument.name.as_str()) {
                    continue;
                }
                let was_read =
                    |option: &String| calls.iter().any(|it| it[&argument.name] == option.as_str());
                let unread = options.iter().filter(|it| !was_read(it));
                self.options.extend(
                    unread.map(|it| (tool.name.clone(), argument.name.clone(), it.clone())),
                );
            }
        }
    }

    fn what_is_not_wanted(&mut self, request: &ModelRequest, kind: Kind) {
        let calls = calls_of_turn(request);
        let of_kind = |kind: &dyn Fn(&ToolSpec) -> bool| {
            let tools = request.tools.iter().filter(|it| kind(it));
            let names: Vec<&str> = tools.map(|it| it.name.as_str()).collect();
            calls.iter().filter(|call| names.contains(&call.name.as_str())).count()
        };
        let writes = |it: &ToolSpec| it.effect == ToolEffect::Writes;
        let overview =
            |it: &ToolSpec| it.parameters.is_empty() || cues::is_about_something(&it.name);
        let edits = Edits::in_turn(request);
        match kind {
            Kind::Question => {
                self.withhold_all(request, writes);
                if OVERVIEWS <= of_kind(&overview) {
                    self.withhold_all(request, overview);
                }
            }
            Kind::Edit if 0 < edits.made => {}
            Kind::Edit => {
                self.answer = !edits.may_be_given_up(calls.len());
                if !calls.is_empty() {
                    // It has found the place, or will not by looking around.
                    self.withhold_all(request, |it| !writes(it) && !names_a_file(it));
                }
            }
        }
    }

    fn what_the_words_rule_out(&mut self, request: &ModelRequest, kind: Kind) {
        let is_first = calls_of_turn(request).is_empty();
        let Some(words) = last_words(request).filter(|_| is_first) else { return };
        let cues = Cues::of(words);
        let looks = |it: &ToolSpec| it.effect != ToolEffect::Writes;
        // A catalogue without the tool that is meant is offered as it is.
        let is_there = |only: &&[&str]| {
            request.tools.iter().any(|it| self.offers(it) && only.contains(&it.name.as_str()))
        };
        let only = match kind {
            Kind::Question => cues.only().filter(is_there),
            Kind::Edit => None,
        };
        let is_kept = |it: &ToolSpec| {
            cues.allow(&it.name) && only.is_none_or(|only| only.contains(&it.name.as_str()))
        };
        if request.tools.iter().any(|it| looks(it) && self.offers(it) && is_kept(it)) {
            self.withhold_all(request, |it| looks(it) && !is_kept(it));
            self.answer |= kind == Kind::Question && !cues.may_be_talk();
        }
    }

    fn withhold_all(&mut self, request: &ModelRequest, which: impl Fn(&ToolSpec) -> bool) {
        let tools = request.tools.iter().filter(|it| which(it));
        tools.for_each(|it| self.withhold(it.name.clone()));
    }
}

/// How an answer may begin to a question that asks for a place or a name: with what the results of
/// this turn have of it.
fn openings(request: &ModelRequest, kind: Kind) -> Vec<String> {
    let Some(words) = last_words(request).filter(|_| kind == Kind::Question) else {
        return Vec::new();
    };
    let cues = Cues::of(words);
    let quoted = |it: &String| format!("`{it}`");
    if cues.ask_where() {
        let places = places(request);
        places.iter().flat_map(|it| [format!("In {}", quoted(it)), quoted(it)]).collect()
    } else if let Some(keywords) = cues.ask_name() {
        defined(request, keywords).iter().map(quoted).collect()
    } else {
        Vec::new()
    }
}

/// The files that are named.
fn places(request: &ModelRequest) -> Vec<String> {
    let files =
        request.tools.iter().flat_map(|it| &it.parameters).find_map(|it| match &it.schema {
            Schema::Choice(options) if it.name == PATH => Some(options),
            Schema::Object(_)
            | Schema::Text { .. }
            | Schema::Choice(_)
            | Schema::Integer { .. }
            | Schema::Boolean
            | Schema::List(_) => None,
        });
    let is_named = |file: &&String| results_of_turn(request).any(|it| names(it, file));
    files.into_iter().flatten().filter(is_named).cloned().collect()
}

/// The names that are defined with one of these words, at the beginning of a line.
fn defined(request: &ModelRequest, keywords: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in
        results_of_turn(request).flat_map(str::lines).filter_map(|it| defined_in(it, keywords))
    {
        if !names.iter().any(|it| it == name) && names.len() < MOST_NAMES {
            names.push(name.to_owned());
        }
    }
    names
}

fn defined_in<'l>(line: &'l str, keywords: &[&str]) -> Option<&'l str> {
    const BEFORE: [&str; 9] = [
        "abstract",
        "async",
        "const",
        "default",
        "export",
        "pub",
        "pub(crate)",
        "static",
        "unsafe",
    ];
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    // As it is shown: with its number, maybe with its file.
    let code = line.split_once(": ").map_or(line, |it| it.1).trim_start();
    let mut rest = code;
    loop {
        let (word, after) = rest.split_once(' ')?;
        rest = after.trim_start();
        if keywords.contains(&word) {
            break;
        }
        if !BEFORE.contains(&word) {
            return None;
        }
    }
    // Go's receiver.
    if let Some((_, after)) = rest.strip_prefix('(').and_then(|it| it.split_once(')')) {
        rest = after.trim_start();
    }
    let end = rest.find(|it| !is_part(it)).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|it| it.starts_with(|it: char| it.is_alphabetic() || it == '_'))
}

/// What tools gave since the user's last words.
fn results_of_turn(request: &ModelRequest) -> impl Iterator<Item = &str> {
    let users = |it: &ModelItem| matches!(it, ModelItem::Message { role: Role::User, .. });
    let since = request.input.iter().rposition(users).unwrap_or_default();
    request.input[since..].iter().filter_map(|it| match it {
        ModelItem::ToolOutput { output, .. } => Some(output.as_str()),
        ModelItem::Message { .. } | ModelItem::ToolCall(_) | ModelItem::Reasoning { .. } => None,
    })
}

/// Whether a line of `text` begins with the file.
fn names(text: &str, file: &str) -> bool {
    text.lines().any(|it| it.strip_prefix(file).is_some_and(|rest| rest.starts_with(':')))
}

/// The user's last words, unless they were passed on already, or are too long for it.
fn verbatim(request: &ModelRequest, asked: &Asked) -> Option<String> {
    let argument =
        request.tools.iter().flat_map(|it| &it.parameters).find(|it| it.name == QUESTION)?;
    let most = match argument.schema {
        Schema::Text { max_chars } => max_chars.map_or(usize::MAX, |it| it as usize),
        Schema::Object(_)
        | Schema::Choice(_)
        | Schema::Integer { .. }
        | Schema::Boolean
        | Schema::List(_) => return None,
    };
    let words = last_words(request)?;
    let is_new = asked.calls.iter().all(|(_, arguments)| arguments[QUESTION] != words);
    (is_new && !words.is_empty() && words.chars().count() <= most).then(|| words.to_owned())
}

/// The user's.
fn last_words(request: &ModelRequest) -> Option<&str> {
    request.input.iter().rev().find_map(|item| match item {
        ModelItem::Message { role: Role::User, text } => Some(text.trim()),
        ModelItem::Message { role: Role::Assistant | Role::Developer | Role::Material, .. }
        | ModelItem::ToolCall(_)
        | ModelItem::ToolOutput { .. }
        | ModelItem::Reasoning { .. } => None,
    })
}

fn names_a_file(tool: &ToolSpec) -> bool {
    tool.parameters.iter().any(|it| it.required && matches!(it.schema, Schema::Choice(_)))
}

fn with_effect(request: &ModelRequest, effect: ToolEffect) -> impl Iterator<Item = &ToolSpec> {
    request.tools.iter().filter(move |it| it.effect == effect)
}

/// Since the user's last words.
fn calls_of_turn(request: &ModelRequest) -> Vec<&ToolCall> {
    let mut calls = Vec::new();
    for item in &request.input {
        match item {
            ModelItem::Message { role: Role::User, .. } => calls.clear(),
            ModelItem::ToolCall(call) => calls.push(call),
            ModelItem::Message {
                role: Role::Assistant | Role::Developer | Role::Material, ..
            }
            | ModelItem::ToolOutput { .. }
            | ModelItem::Reasoning { .. } => {}
        }
    }
    calls
}

/// The calls of this turn whose results still stand.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    calls: Vec<(String, Value)>,
}

impl Asked {
    pub(crate) fn in_turn(request: &ModelRequest) -> Self {
        let mut calls = Vec::new();
        for item in &request.input {
            match item {
                ModelItem::Message { role: Role::User, .. } => calls.clear(),
                ModelItem::ToolCall(ToolCall { call: _, name, arguments }) => {
                    if effect(&request.tools, name) == Some(ToolEffect::Writes) {
                        calls.clear();
                    }
                    let arguments = serde_json::from_str(arguments).unwrap_or_default();
                    calls.push((name.clone(), arguments));
                }
                ModelItem::Message {
                    role: Role::Assistant | Role::Developer | Role::Material,
                    ..
                }
                | ModelItem::ToolOutput { .. }
                | ModelItem::Reasoning { .. } => {}
            }
        }
        Self { calls }
    }

    pub(crate) fn contains(&self, name: &str, arguments: &str) -> bool {
        let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
        self.calls.iter().any(|(asked, with)| asked == name && *with == arguments)
    }
}

fn effect(tools: &[ToolSpec], name: &str) -> Option<ToolEffect> {
    tools.iter().find(|it| it.name == name).map(|it| it.effect)
}
