//! Keeps a greedy model from asking the same question twice.
//!
//! A model that always takes its likeliest word repeats a call whose result did not help it,
//! until somebody stops it. What was asked since the last change of a file is therefore not
//! offered again: the tool itself where it takes nothing, the one option where that is its
//! only argument. Anything else is noticed when it was written, and then written anew without
//! that tool ([`Asked::contains`]).

use protocol::{ModelItem, ModelRequest, Role, Schema, ToolCall, ToolEffect, ToolSpec};
use serde_json::Value;

use super::grammar::Spent;

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

    /// What the grammar can leave out from the start.
    pub(crate) fn spent(&self, tools: &[ToolSpec]) -> Spent {
        let mut spent = Spent::default();
        for (name, arguments) in &self.calls {
            let Some(tool) = tools.iter().find(|it| it.name == *name) else { continue };
            match tool.parameters.as_slice() {
                [] => spent.tools.push(name.clone()),
                [only] => {
                    if let (Schema::Choice(_), Some(value)) =
                        (&only.schema, arguments.get(&only.name).and_then(Value::as_str))
                    {
                        spent.choices.push((name.clone(), only.name.clone(), value.to_owned()));
                    }
                }
                [_, _, ..] => {}
            }
        }
        spent
    }
}

fn effect(tools: &[ToolSpec], name: &str) -> Option<ToolEffect> {
    tools.iter().find(|it| it.name == name).map(|it| it.effect)
}
