//! Which tools a request offers: for models that repeat themselves, the very same call is
//! never offered twice.

use protocol::{CallId, Property, Schema, ToolCall, ToolEffect, ToolSpec};
use serde_json::{Map, Value};

use crate::limits::Repeats;

/// The tools of a turn, and the calls that were made with them.
#[derive(Debug)]
pub(crate) struct Offer {
    catalogue: Vec<ToolSpec>,
    repeats: Repeats,
    /// Since the last write: after it, the same question may have another answer.
    made: Vec<Made>,
}

#[derive(Debug)]
struct Made {
    call: CallId,
    tool: String,
    arguments: Map<String, Value>,
}

impl Offer {
    pub(crate) fn new(catalogue: Vec<ToolSpec>, repeats: Repeats) -> Self {
        Self { catalogue, repeats, made: Vec::new() }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&ToolSpec> {
        self.catalogue.iter().find(|spec| spec.name == name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.catalogue.iter().map(|spec| spec.name.as_str())
    }

    /// What the next request offers.
    pub(crate) fn next(&self) -> Vec<ToolSpec> {
        match self.repeats {
            Repeats::Allowed => self.catalogue.clone(),
            Repeats::NotOffered => {
                self.catalogue.iter().filter_map(|spec| self.without_made(spec)).collect()
            }
        }
    }

    /// Notes a call that is about to run. A refusal is for the model: grammars cannot keep
    /// free text from being written twice.
    pub(crate) fn note(
        &mut self,
        call: &ToolCall,
        arguments: Map<String, Value>,
    ) -> Result<(), String> {
        match self.repeats {
            Repeats::Allowed => return Ok(()),
            Repeats::NotOffered => (),
        }
        let ToolCall { call: id, name, arguments: _ } = call;
        if self.made.iter().any(|made| made.tool == *name && made.arguments == arguments) {
            return Err(format!(
                "{name} was already called with the same arguments; its result is above. \
                 Answer with it, or do something else."
            ));
        }
        self.made.push(Made { call: id.clone(), tool: name.clone(), arguments });
        Ok(())
    }

    /// A call has run. What was called before a write is offered again; what was called
    /// after it, in the same response, waits for it and is not.
    pub(crate) fn ran(&mut self, call: &CallId, effect: ToolEffect) {
        match effect {
            ToolEffect::Writes => {
                let at = self.made.iter().position(|made| made.call == *call);
                self.made.drain(..at.map_or(0, |at| at + 1));
            }
            // A program may write too, but running the tests must not offer the tests again.
            ToolEffect::Reads | ToolEffect::Runs => (),
        }
    }

    fn without_made(&self, spec: &ToolSpec) -> Option<ToolSpec> {
        let made = || self.made.iter().filter(|made| made.tool == spec.name);
        if spec.parameters.is_empty() {
            return made().next().is_none().then(|| spec.clone());
        }
        let mut spec = spec.clone();
        let Some((name, choices)) = only_choice(&mut spec.parameters) else {
            return Some(spec);
        };
        choices.retain(|choice| {
            !made().any(|made| {
                made.arguments.len() == 1
                    && made.arguments.get(&name).and_then(Value::as_str) == Some(choice)
            })
        });
        (!choices.is_empty()).then_some(spec)
    }
}

/// The enumerated argument of a tool that needs nothing else: it alone makes the call.
fn only_choice(parameters: &mut [Property]) -> Option<(String, &mut Vec<String>)> {
    let mut required = parameters.iter_mut().filter(|property| property.required);
    let (only, None) = (required.next()?, required.next()) else {
        return None;
    };
    match &mut only.schema {
        Schema::Choice(choices) => Some((only.name.clone(), choices)),
        Schema::Object(_)
        | Schema::Text { .. }
        | Schema::Integer { .. }
        | Schema::Boolean
        | Schema::List(_) => None,
    }
}
