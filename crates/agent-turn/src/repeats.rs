//! The tools of a turn, and for models that repeat themselves: the very same call is not
//! answered twice.
//!
//! Every request offers the whole catalogue all the same. It is part of the prefix whose
//! state the bundled model keeps, and reading it anew would cost more than any repetition;
//! the model's own grammar leaves out what was called before.

use protocol::{CallId, ToolCall, ToolEffect, ToolSpec};
use serde_json::{Map, Value};

use crate::limits::Repeats;

#[derive(Debug)]
pub(crate) struct Tools {
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

impl Tools {
    pub(crate) fn new(catalogue: Vec<ToolSpec>, repeats: Repeats) -> Self {
        Self { catalogue, repeats, made: Vec::new() }
    }

    pub(crate) fn catalogue(&self) -> &[ToolSpec] {
        &self.catalogue
    }

    pub(crate) fn find(&self, name: &str) -> Option<&ToolSpec> {
        self.catalogue.iter().find(|spec| spec.name == name)
    }

    /// Notes a call that is about to run. A refusal is a sentence for the model.
    pub(crate) fn note(
        &mut self,
        call: &ToolCall,
        arguments: Map<String, Value>,
    ) -> Result<(), String> {
        match self.repeats {
            Repeats::Allowed => return Ok(()),
            Repeats::Refused => (),
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

    /// A call has run. What was called before a write may be called again; what was called
    /// after it, in the same response, waits for it and may not.
    pub(crate) fn ran(&mut self, call: &CallId, effect: ToolEffect) {
        match effect {
            ToolEffect::Writes => {
                let at = self.made.iter().position(|made| made.call == *call);
                self.made.drain(..at.map_or(0, |at| at + 1));
            }
            // A program may write too, but running the tests must not allow the tests again.
            ToolEffect::Reads | ToolEffect::Runs => (),
        }
    }
}
