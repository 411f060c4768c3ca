//! The items of a turn as they start, grow and complete: each exactly once.

use protocol::{EventBody, Item, ItemBody, ItemId, ItemStatus, TurnId};

/// Names items, and keeps what the model is writing.
///
/// What is being written stays open when a model call fails: the next try goes on in the
/// same item, so that nobody sees half a message that never completes.
#[derive(Debug)]
pub(crate) struct Items {
    turn: TurnId,
    named: u32,
    message: Option<Open>,
    reasoning: Option<Open>,
}

#[derive(Debug)]
struct Open {
    id: ItemId,
    text: String,
    /// The call that wrote `text` has failed: what comes next replaces it.
    stale: bool,
}

impl Items {
    pub(crate) fn new(turn: TurnId) -> Self {
        Self { turn, named: 0, message: None, reasoning: None }
    }

    /// Unique in the thread, because the turn's id is.
    pub(crate) fn next_id(&mut self) -> ItemId {
        self.named += 1;
        ItemId::new(format!("{}-{}", self.turn, self.named))
    }

    pub(crate) fn started(&self, id: ItemId, body: ItemBody) -> EventBody {
        EventBody::ItemStarted { turn: self.turn.clone(), item: Item { id, body } }
    }

    pub(crate) fn completed(&self, id: ItemId, body: ItemBody) -> EventBody {
        EventBody::ItemCompleted { turn: self.turn.clone(), item: Item { id, body } }
    }

    /// An item that is complete as it starts.
    pub(crate) fn whole(&mut self, body: ItemBody) -> Vec<EventBody> {
        let id = self.next_id();
        self.whole_as(id, body)
    }

    pub(crate) fn whole_as(&self, id: ItemId, body: ItemBody) -> Vec<EventBody> {
        vec![self.started(id.clone(), body.clone()), self.completed(id, body)]
    }

    pub(crate) fn message_delta(&mut self, delta: String) -> Vec<EventBody> {
        let (id, begun) = self.grow(Kind::Message, &delta);
        let turn = self.turn.clone();
        begun.into_iter().chain([EventBody::AgentMessageDelta { turn, item: id, delta }]).collect()
    }

    /// `text` replaces what came in parts. A message without words that nobody saw begin is
    /// none.
    pub(crate) fn message_done(&mut self, text: String) -> Vec<EventBody> {
        self.done(Kind::Message, text)
    }

    pub(crate) fn reasoning_delta(&mut self, delta: String) -> Vec<EventBody> {
        let (id, begun) = self.grow(Kind::Reasoning, &delta);
        let turn = self.turn.clone();
        begun.into_iter().chain([EventBody::ReasoningDelta { turn, item: id, delta }]).collect()
    }

    pub(crate) fn reasoning_done(&mut self, text: String) -> Vec<EventBody> {
        self.done(Kind::Reasoning, text)
    }

    /// The model call failed: what is open is written anew by the next one.
    pub(crate) fn start_over(&mut self) {
        for open in self.message.iter_mut().chain(&mut self.reasoning) {
            open.stale = true;
        }
    }

    /// Completes what is open as it is; also says what the open message has come to.
    pub(crate) fn close_open(&mut self) -> (Vec<EventBody>, Option<String>) {
        let mut events = Vec::new();
        if let Some(Open { id, text, stale: _ }) = self.reasoning.take() {
            events.push(self.completed(id, Kind::Reasoning.body(text)));
        }
        let mut said = None;
        if let Some(Open { id, text, stale }) = self.message.take() {
            events.push(self.completed(id, Kind::Message.body(text.clone())));
            said = Some(text).filter(|text| !stale && !text.trim().is_empty());
        }
        (events, said)
    }

    fn grow(&mut self, kind: Kind, delta: &str) -> (ItemId, Option<EventBody>) {
        if let Some(open) = self.slot(kind) {
            if std::mem::take(&mut open.stale) {
                open.text.clear();
            }
            open.text.push_str(delta);
            return (open.id.clone(), None);
        }
        let id = self.next_id();
        *self.slot(kind) = Some(Open { id: id.clone(), text: delta.to_owned(), stale: false });
        let begun = self.started(id.clone(), kind.body(String::new()));
        (id, Some(begun))
    }

    fn done(&mut self, kind: Kind, text: String) -> Vec<EventBody> {
        match self.slot(kind).take() {
            Some(open) => vec![self.completed(open.id, kind.body(text))],
            None if text.trim().is_empty() => Vec::new(),
            None => self.whole(kind.body(text)),
        }
    }

    fn slot(&mut self, kind: Kind) -> &mut Option<Open> {
        match kind {
            Kind::Message => &mut self.message,
            Kind::Reasoning => &mut self.reasoning,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Message,
    Reasoning,
}

impl Kind {
    fn body(self, text: String) -> ItemBody {
        match self {
            Self::Message => ItemBody::AgentMessage { text },
            Self::Reasoning => ItemBody::Reasoning { text },
        }
    }
}

/// How a tool's item stands; words are always whole.
pub(crate) fn status(body: &ItemBody) -> ItemStatus {
    match body {
        ItemBody::Command(command) => command.status,
        ItemBody::FileChange(change) => change.status,
        ItemBody::Tool(tool) => tool.status,
        ItemBody::UserMessage { .. }
        | ItemBody::AgentMessage { .. }
        | ItemBody::Reasoning { .. }
        | ItemBody::Spoken { .. } => ItemStatus::Completed,
    }
}

/// The item of a tool that did not let go in time.
pub(crate) fn failed(mut body: ItemBody) -> ItemBody {
    match &mut body {
        ItemBody::Command(command) => command.status = ItemStatus::Failed,
        ItemBody::FileChange(change) => change.status = ItemStatus::Failed,
        ItemBody::Tool(tool) => tool.status = ItemStatus::Failed,
        ItemBody::UserMessage { .. }
        | ItemBody::AgentMessage { .. }
        | ItemBody::Reasoning { .. }
        | ItemBody::Spoken { .. } => (),
    }
    body
}
