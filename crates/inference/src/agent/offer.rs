//! What of the catalogue is offered at this step of a turn.
//!
//! Two habits of a small, greedy model cost whole turns, and both are cured by not offering:
//!
//! * It repeats a call whose result did not help it, until somebody stops it. What was asked
//!   since the last change of a file is not offered again: the tool itself where it takes
//!   nothing, the one option where that is its only argument. Anything else is noticed when
//!   it was written, and written anew without that tool ([`Asked::contains`]).
//! * It changes files that it has not seen. A tool that writes is offered only for files that
//!   some result has named.
//!
//! The description of the tools stays the same throughout, because its state is kept.

use std::collections::BTreeSet;

use protocol::{ModelItem, ModelRequest, Property, Role, Schema, ToolCall, ToolEffect, ToolSpec};
use serde_json::Value;

/// What a grammar leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Withheld {
    tools: BTreeSet<String>,
    /// Tool, argument, option.
    options: BTreeSet<(String, String, String)>,
}

impl Withheld {
    pub(crate) fn at_this_step(request: &ModelRequest, asked: &Asked) -> Self {
        let mut withheld = Self::default();
        withheld.what_was_asked(asked, &request.tools);
        withheld.what_was_not_seen(request);
        withheld
    }

    pub(crate) fn withhold(&mut self, tool: String) {
        self.tools.insert(tool);
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

    fn what_was_not_seen(&mut self, request: &ModelRequest) {
        let with_effect =
            |effect| request.tools.iter().filter(move |tool: &&ToolSpec| tool.effect == effect);
        let readable: BTreeSet<&str> = with_effect(ToolEffect::Reads)
            .flat_map(|tool| &tool.parameters)
            .filter(|it| matches!(it.schema, Schema::Choice(_)))
            .map(|it| it.name.as_str())
            .collect();
        let shown: Vec<&str> = request.input.iter().filter_map(shown).collect();
        for tool in with_effect(ToolEffect::Writes) {
            for argument in &tool.parameters {
                let Schema::Choice(options) = &argument.schema else { continue };
                if !readable.contains(argument.name.as_str()) {
                    continue;
                }
                let unseen =
                    options.iter().filter(|it| !shown.iter().any(|text| text.contains(*it)));
                self.options.extend(
                    unseen.map(|it| (tool.name.clone(), argument.name.clone(), it.clone())),
                );
            }
        }
    }
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
                ModelItem::Message { role: Role::Assistant | Role::Developer, .. }
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

/// Results, and the calls they answer: a result of `read_file` need not repeat the name.
fn shown(item: &ModelItem) -> Option<&str> {
    match item {
        ModelItem::ToolCall(call) => Some(&call.arguments),
        ModelItem::ToolOutput { call: _, output } => Some(output),
        ModelItem::Message { .. } | ModelItem::Reasoning { .. } => None,
    }
}
