//! The realtime model's requests for work: each is answered exactly once.
//!
//! One handoff is *active* while its work goes on. A second one is no second task: it steers
//! the running one, and is answered at once with an acknowledgement.

use std::collections::VecDeque;

use protocol::{Handoff, HandoffId, Speaker, TranscriptLine};

/// Ids that are remembered so that a request said twice is carried out once.
const MAX_SEEN: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Handoffs {
    active: Option<HandoffId>,
    seen: VecDeque<HandoffId>,
}

/// Work for the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    pub handoff: HandoffId,
    pub kind: DelegationKind,
    /// The request as the realtime model put it; may be empty where `transcript` is not.
    pub input: String,
    /// What was said since the last handoff, oldest first.
    pub transcript: Vec<TranscriptLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DelegationKind {
    /// No handoff is active: this one is, until [`Input::Answer`](crate::Input::Answer).
    Start,
    /// For the task that an earlier handoff started. Answered already.
    Steer,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Routed {
    /// Nothing to do is in it.
    Empty,
    Work(Delegation),
}

impl Delegation {
    /// The request as the agent's input.
    ///
    /// One who asked in one utterance is quoted verbatim. With more context every line
    /// names its speaker, and the request closes it unless it is among the lines.
    pub fn text(&self) -> String {
        let same = |line: &TranscriptLine| {
            line.speaker == Speaker::User && line.text.trim() == self.input.trim()
        };
        match self.transcript.as_slice() {
            [] => return self.input.clone(),
            [line] if line.speaker == Speaker::User && (self.input.is_empty() || same(line)) => {
                return line.text.clone();
            }
            _ => (),
        }
        let mut lines: Vec<String> = self.transcript.iter().map(named).collect();
        if !self.input.trim().is_empty() && !self.transcript.iter().any(same) {
            lines.push(format!("user: {}", self.input));
        }
        lines.join("\n")
    }
}

impl Handoffs {
    /// Whether this request was made before: services say some things twice.
    pub(crate) fn knows(&self, handoff: &HandoffId) -> bool {
        self.seen.contains(handoff)
    }

    pub(crate) fn request(&mut self, handoff: &Handoff, transcript: Vec<TranscriptLine>) -> Routed {
        if self.seen.len() == MAX_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(handoff.id.clone());
        let said = transcript.iter().any(|line| line.speaker == Speaker::User);
        if handoff.input.trim().is_empty() && !said {
            return Routed::Empty;
        }
        let kind = match self.active {
            None => DelegationKind::Start,
            Some(_) => DelegationKind::Steer,
        };
        self.active.get_or_insert_with(|| handoff.id.clone());
        Routed::Work(Delegation {
            handoff: handoff.id.clone(),
            kind,
            input: handoff.input.clone(),
            transcript,
        })
    }

    pub(crate) const fn active(&self) -> Option<&HandoffId> {
        self.active.as_ref()
    }

    /// Whether `handoff` is the active one; then it is not any more.
    pub(crate) fn finish(&mut self, handoff: &HandoffId) -> bool {
        self.active.take_if(|active| active == handoff).is_some()
    }
}

fn named(line: &TranscriptLine) -> String {
    let TranscriptLine { speaker, text } = line;
    match speaker {
        Speaker::User => format!("user: {text}"),
        Speaker::Assistant => format!("assistant: {text}"),
    }
}
