//! The model's context while a turn runs: what is recorded, and what of it a request holds.

use protocol::{CallId, ModelItem, Role, ToolCall};

use crate::elide::tokens;

/// What a tool call is answered with when its turn was interrupted.
pub(crate) const ABORTED: &str = "aborted by the user";

/// What a tool call is answered with when the log ends before its result.
const OUTCOME_UNKNOWN: &str = "outcome unknown: the agent was stopped while this was running. \
     It may have happened or not; look before doing it again.";

#[derive(Debug)]
pub(crate) struct Context {
    items: Vec<ModelItem>,
    /// Where the running turn begins.
    turn: usize,
    /// Tokens that a request may hold of `items`.
    budget: usize,
    /// Exchanges before this are left out, and outputs of the running turn before `shown` are
    /// only named. Both only ever move forward: services read a request anew from where it
    /// differs from the one before it.
    gone: usize,
    shown: usize,
}

impl Context {
    pub(crate) fn new(history: Vec<ModelItem>, budget: usize) -> Self {
        let turn = history.len();
        Self { items: history, turn, budget, gone: 0, shown: turn }
    }

    pub(crate) fn push(&mut self, item: ModelItem) {
        self.items.push(item);
    }

    pub(crate) fn items(&self) -> &[ModelItem] {
        &self.items
    }

    pub(crate) fn into_items(self) -> Vec<ModelItem> {
        self.items
    }

    /// What a request holds: as many of the newest exchanges as fit the budget, and the
    /// running turn. Where that alone is too long, its oldest tool outputs are only named;
    /// those that the model has not seen yet are always shown. What stands before the first
    /// exchange (the project's own instructions) always stays.
    pub(crate) fn fit(&mut self) -> Vec<ModelItem> {
        let (preface, from) = self.kept();
        self.gone = from;
        let preface_weight: usize = self.items[..preface].iter().map(weight).sum();
        let mut long = preface_weight + self.turn_weight();
        if long > self.budget {
            // Room for some steps at once, not one less output at every step.
            let goal = self.budget - self.budget / 4;
            while long > goal && self.shown < self.unseen() {
                let whole = self.shown_weight(self.shown);
                self.shown += 1;
                long = long + self.shown_weight(self.shown - 1) - whole;
            }
        }
        let rest = (from..self.items.len()).map(|at| match self.left_out(at) {
            Some(named) => named,
            None => self.items[at].clone(),
        });
        self.items[..preface].iter().cloned().chain(rest).collect()
    }

    /// After a service said that the request was too long: halves the budget. False when
    /// nothing is left to leave out.
    pub(crate) fn shrink(&mut self) -> bool {
        let (preface, from) = self.kept();
        let exchanges = from != self.turn && preface != self.turn;
        let outputs = (self.shown..self.unseen()).any(|at| named(&self.items[at]).is_some());
        if !exchanges && !outputs {
            return false;
        }
        let before: usize = self.items[from..self.turn].iter().map(weight).sum();
        self.budget = (before + self.turn_weight()) / 2;
        true
    }

    /// Where the outputs begin that no request has held yet.
    fn unseen(&self) -> usize {
        let ours = |item: &ModelItem| match item {
            ModelItem::ToolCall(_) | ModelItem::Reasoning { .. } => true,
            ModelItem::Message { role, text: _ } => *role == Role::Assistant,
            ModelItem::ToolOutput { .. } => false,
        };
        let last = self.items[self.turn..].iter().rposition(ours);
        last.map_or(self.turn, |at| self.turn + at)
    }

    fn turn_weight(&self) -> usize {
        (self.turn..self.items.len()).map(|at| self.shown_weight(at)).sum()
    }

    /// Of what a request holds in place of this item.
    fn shown_weight(&self, at: usize) -> usize {
        weight(self.left_out(at).as_ref().unwrap_or(&self.items[at]))
    }

    /// What stands for an item that is not shown.
    fn left_out(&self, at: usize) -> Option<ModelItem> {
        if self.turn <= at && at < self.shown { named(&self.items[at]) } else { None }
    }

    /// The call's id, or one like it that is not taken: answers are matched by id, and some
    /// services begin to count anew with each response.
    pub(crate) fn unique(&self, mut call: ToolCall, also: &[ModelItem]) -> ToolCall {
        let taken = |id: &str| {
            self.items.iter().chain(also).any(|item| match item {
                ModelItem::ToolCall(call) => call.call.as_str() == id,
                ModelItem::Message { .. }
                | ModelItem::ToolOutput { .. }
                | ModelItem::Reasoning { .. } => false,
            })
        };
        let given = call.call.as_str();
        if given.is_empty() || taken(given) {
            let stem = if given.is_empty() { "call" } else { given };
            let free = (2..).map(|n| format!("{stem}-{n}")).find(|id| !taken(id));
            call.call = CallId::new(free.unwrap_or_default());
        }
        call
    }

    /// Items of the preface, and where the kept exchanges begin.
    fn kept(&self) -> (usize, usize) {
        let begins: Vec<usize> = (0..self.turn).filter(|&at| self.begins_exchange(at)).collect();
        let preface = begins.first().copied().unwrap_or(self.turn);
        let mut room = self.budget;
        let preface_weight: usize = self.items[..preface].iter().map(weight).sum();
        room = room.saturating_sub(preface_weight + self.turn_weight());
        let mut from = self.turn;
        for &begin in begins.iter().rev() {
            let exchange: usize = self.items[begin..from].iter().map(weight).sum();
            if begin < self.gone || room < exchange {
                break;
            }
            room -= exchange;
            from = begin;
        }
        (preface, from)
    }

    /// An exchange begins with words that are not the model's, after anything that is; the
    /// first one with the first words of the user.
    fn begins_exchange(&self, at: usize) -> bool {
        match at.checked_sub(1) {
            None => is_message(&self.items[at], Role::User),
            Some(before) if is_input(&self.items[before]) => {
                is_message(&self.items[at], Role::User) && self.items[..at].iter().all(is_told)
            }
            Some(_) => is_input(&self.items[at]),
        }
    }
}

/// Answers what a log left open, so that services accept the history: calls without an
/// output are told that nobody knows what happened.
pub fn close_open_calls(history: &mut Vec<ModelItem>) {
    let mut closed = Vec::with_capacity(history.len());
    let mut open: Vec<CallId> = Vec::new();
    for item in history.drain(..) {
        match &item {
            ModelItem::ToolCall(call) => open.push(call.call.clone()),
            ModelItem::ToolOutput { call, output: _ } => open.retain(|open| open != call),
            // The model may speak between its calls and their outputs; nobody else does.
            ModelItem::Message { role: Role::Assistant, text: _ } => (),
            ModelItem::Message { role: Role::User | Role::Developer | Role::Material, text: _ } => {
                closed.extend(open.drain(..).map(unknown));
            }
            ModelItem::Reasoning { .. } => (),
        }
        closed.push(item);
    }
    closed.extend(open.drain(..).map(unknown));
    *history = closed;
}

fn unknown(call: CallId) -> ModelItem {
    ModelItem::ToolOutput { call, output: OUTCOME_UNKNOWN.to_owned() }
}

fn is_input(item: &ModelItem) -> bool {
    is_message(item, Role::User) || is_told(item)
}

/// Before the user has said anything.
fn is_told(item: &ModelItem) -> bool {
    is_message(item, Role::Developer) || is_message(item, Role::Material)
}

fn is_message(item: &ModelItem, wanted: Role) -> bool {
    match item {
        ModelItem::Message { role, text: _ } => *role == wanted,
        ModelItem::ToolCall(_) | ModelItem::ToolOutput { .. } | ModelItem::Reasoning { .. } => {
            false
        }
    }
}

/// An output that is left out, said as such: the call keeps its answer. `None` for what would
/// not get shorter by it.
fn named(item: &ModelItem) -> Option<ModelItem> {
    match item {
        ModelItem::ToolOutput { call, output } => {
            let lines = output.lines().count();
            let plural = if lines == 1 { "" } else { "s" };
            let bytes = output.len();
            let named =
                format!("[... {lines} line{plural} ({bytes} bytes) left out to make room ...]");
            let shorter = tokens(&named) < tokens(output);
            shorter.then(|| ModelItem::ToolOutput { call: call.clone(), output: named })
        }
        ModelItem::Message { .. } | ModelItem::ToolCall(_) | ModelItem::Reasoning { .. } => None,
    }
}

fn weight(item: &ModelItem) -> usize {
    match item {
        ModelItem::Message { role: _, text } => tokens(text),
        ModelItem::ToolCall(ToolCall { call: _, name, arguments }) => {
            tokens(name) + tokens(arguments)
        }
        ModelItem::ToolOutput { call: _, output } => tokens(output),
        ModelItem::Reasoning { opaque } => tokens(opaque),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn message(role: Role, words: &str) -> ModelItem {
        // Forty tokens each, told apart by their first word.
        ModelItem::Message { role, text: format!("{words:<160}") }
    }

    /// `D` developer, `M` material, `U` user, `A` assistant; what is kept at each budget.
    #[track_caller]
    fn check(history: &str, turn: &str, expected: &str) {
        let item = |(at, letter): (usize, char)| {
            let role = match letter {
                'D' => Role::Developer,
                'M' => Role::Material,
                'U' => Role::User,
                _ => Role::Assistant,
            };
            message(role, &format!("{letter}{at}"))
        };
        let history: Vec<ModelItem> = history.chars().enumerate().map(item).collect();
        let turn: Vec<ModelItem> = turn
            .chars()
            .enumerate()
            .map(|(at, letter)| item((at + history.len(), letter)))
            .collect();
        let mut table = String::new();
        for budget in [40, 160, 200, 400] {
            let mut context = Context::new(history.clone(), budget);
            turn.iter().for_each(|item| context.push(item.clone()));
            write!(table, "{budget}:").unwrap();
            for item in context.fit() {
                let ModelItem::Message { role: _, text } = item else { unreachable!() };
                write!(table, " {}", text.trim()).unwrap();
            }
            table.push('\n');
        }
        assert_eq!(table.trim(), expected.trim());
    }

    #[test]
    fn oldest_exchanges_are_left_out_first() {
        check(
            "UAUAUA",
            "U",
            "
40: U6
160: U4 A5 U6
200: U2 A3 U4 A5 U6
400: U0 A1 U2 A3 U4 A5 U6
",
        );
    }

    #[test]
    fn preface_and_turn_stay_and_notes_go_with_their_exchange() {
        check(
            "DUADUA",
            "UA",
            "
40: D0 U6 A7
160: D0 U6 A7
200: D0 U6 A7
400: D0 U1 A2 D3 U4 A5 U6 A7
",
        );
    }

    /// What the repository says is told first and stays, as what we say does.
    #[test]
    fn material_stays_where_it_was_told() {
        check(
            "MDUAMUA",
            "U",
            "
40: M0 D1 U7
160: M0 D1 U7
200: M0 D1 U7
400: M0 D1 U2 A3 M4 U5 A6 U7
",
        );
    }

    #[test]
    fn shrinking_ends_with_the_turn_itself() {
        let history = ["U0", "U2"]
            .iter()
            .flat_map(|words| [message(Role::User, words), message(Role::Assistant, "A")]);
        let mut context = Context::new(history.collect(), 1_000);
        context.push(message(Role::User, "U4"));
        assert_eq!(context.fit().len(), 5);
        assert!(context.shrink());
        assert_eq!(context.fit().len(), 1);
        assert!(!context.shrink());
    }

    #[test]
    fn open_calls_are_closed_before_the_next_words() {
        let call = |id: &str| {
            ModelItem::ToolCall(ToolCall {
                call: CallId::from(id),
                name: "shell".to_owned(),
                arguments: "{}".to_owned(),
            })
        };
        let output = |id: &str, output: &str| ModelItem::ToolOutput {
            call: CallId::from(id),
            output: output.to_owned(),
        };
        let words = ModelItem::Message { role: Role::User, text: "again".to_owned() };
        let mut history = vec![call("a"), call("b"), output("a", "done"), words.clone(), call("c")];
        close_open_calls(&mut history);
        assert_eq!(
            history,
            [
                call("a"),
                call("b"),
                output("a", "done"),
                output("b", OUTCOME_UNKNOWN),
                words,
                call("c"),
                output("c", OUTCOME_UNKNOWN),
            ]
        );
    }
}
