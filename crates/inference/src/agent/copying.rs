//! An edit that is a copy of the file is none.
//!
//! A small, greedy model that is to write a file again copies it, one likely line after the other,
//! past the place that was to be changed. It knew of that place: there something else was nearly as
//! likely. So each such place is remembered while the model copies, and when the copy is whole, it
//! goes back to where it hesitated most, and takes what it did not take.

use protocol::{ModelItem, ModelRequest, Role};

use super::grammar::{BLOCK_CLOSES, BLOCK_OPENS};

/// Natural logarithms between the likeliest token and the one beside it. Beyond this it did not
/// hesitate: what it would be made to write is nothing that it means.
const HESITATES: f32 = 12.0;

/// A place in a reply where something else might have been written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hesitation<T> {
    /// Bytes of the reply before it.
    pub(super) written: usize,
    /// Tokens of the context before it.
    pub(super) position: usize,
    pub(super) instead: T,
    /// How much less likely that was: natural logarithms.
    pub(super) gap: f32,
}

/// Watches a reply for a copy of a file that was read in this turn.
#[derive(Debug)]
pub(super) struct Copying<T> {
    files: Vec<String>,
    most: Option<Hesitation<T>>,
    has_turned_back: bool,
}

impl<T> Copying<T> {
    pub(super) fn new(request: &ModelRequest) -> Self {
        Self { files: read_in_turn(request), most: None, has_turned_back: false }
    }

    /// For a reply that edits nothing.
    pub(super) fn none() -> Self {
        Self { files: Vec::new(), most: None, has_turned_back: false }
    }

    /// Whether the reply is a block that is the beginning of a file so far.
    pub(super) fn follows(&self, written: &[u8]) -> bool {
        !self.has_turned_back && self.copied(written).next().is_some()
    }

    /// Whether the reply is no copy any more with `next`, and goes on.
    pub(super) fn leaves(&self, written: &[u8], next: &[u8]) -> bool {
        let mut reply = written.to_vec();
        reply.extend_from_slice(next);
        let closes = |it: &[u8]| it.windows(2).any(|it| it == b"``");
        !closes(next) && self.copied(&reply).next().is_none()
    }

    pub(super) fn note(&mut self, place: Hesitation<T>) {
        let is_more = self.most.as_ref().is_none_or(|most| place.gap < most.gap);
        if place.gap <= HESITATES && is_more {
            self.most = Some(place);
        }
    }

    /// Where to go back to from a reply that ends here: once, and only from a whole copy.
    pub(super) fn turn_back(&mut self, written: &[u8]) -> Option<Hesitation<T>> {
        let content = written.strip_suffix(BLOCK_CLOSES)?;
        let is_whole = self.copied(content).any(|rest| rest.trim().is_empty());
        if !is_whole || self.has_turned_back {
            return None;
        }
        self.has_turned_back = true;
        self.most.take()
    }

    /// What is left of each file that the block of this reply is the beginning of.
    fn copied(&self, written: &[u8]) -> impl Iterator<Item = &str> {
        let opens = BLOCK_OPENS.as_bytes();
        let at = written.windows(opens.len()).position(|it| it == opens);
        let block = at.map(|at| &written[at + opens.len()..]);
        self.files.iter().filter_map(move |file| {
            let rest = file.as_bytes().strip_prefix(block?)?;
            // In the middle of a character it is as good a beginning.
            Some(file.get(file.len() - rest.len()..).unwrap_or("�"))
        })
    }
}

/// The files that were shown whole since the user's last words.
fn read_in_turn(request: &ModelRequest) -> Vec<String> {
    let mut files = Vec::new();
    for item in &request.input {
        match item {
            ModelItem::Message { role: Role::User, .. } => files.clear(),
            ModelItem::ToolOutput { output, .. } => {
                let shown = output.split_once(BLOCK_OPENS).map(|it| it.1);
                let whole = shown.and_then(|it| it.trim_end().strip_suffix("\n```"));
                // A block ends behind a line break in any case.
                files.extend(whole.map(|it| format!("{it}\n")));
            }
            ModelItem::Message { .. } | ModelItem::ToolCall(_) | ModelItem::Reasoning { .. } => {}
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use protocol::{CallId, ToolChoice};

    use super::*;

    const CALL: &str = r#"{"name": "write_file", "arguments": {"path": "a.py"}}"#;

    fn copying(file: &str) -> Copying<char> {
        let output = format!("a.py:\n```\n{file}\n```");
        let user = |text: &str| ModelItem::Message { role: Role::User, text: text.into() };
        let told = |output: String| ModelItem::ToolOutput { call: CallId::from("1"), output };
        let input = vec![user("q"), told("b:\n```\nold\n```".into()), user("edit"), told(output)];
        Copying::new(&ModelRequest {
            instructions: String::new(),
            input,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            cache_key: String::new(),
        })
    }

    fn written(block: &str) -> Vec<u8> {
        format!("{CALL}{BLOCK_OPENS}{block}").into_bytes()
    }

    fn place(instead: char, gap: f32) -> Hesitation<char> {
        Hesitation { written: 0, position: 0, instead, gap }
    }

    #[test]
    fn a_copy_is_known_while_it_is_written() {
        let copying = copying("a = 1\nb = 2 €");
        for copy in ["", "a", "a = 1\n", "a = 1\nb = 2 €"] {
            assert!(copying.follows(&written(copy)), "{copy:?}");
        }
        assert!(!copying.follows(&written("a = 3")));
        // Read for what was asked before.
        assert!(!copying.follows(&written("old")));
        assert!(!copying.follows(CALL.as_bytes()));
        assert!(copying.leaves(&written("a = "), b"3"));
        assert!(!copying.leaves(&written("a = "), b"1\nb"));
        assert!(!copying.leaves(&written("a = 1\nb = 2 "), "€\n".as_bytes()));
        assert!(copying.leaves(&written("a = 1\nb = 2 "), "€\n\n".as_bytes()));
        // It would lose the rest of the file.
        assert!(!copying.leaves(&written("a = 1"), b"\n```"));
    }

    #[test]
    fn a_whole_copy_is_left_where_it_hesitated_most() {
        let mut copying = copying("a = 1\nb = 2");
        for (instead, gap) in [('x', 5.0), ('y', 2.0), ('z', 3.0)] {
            copying.note(place(instead, gap));
        }
        assert_eq!(copying.turn_back(&written("a = 1")), None);
        assert_eq!(copying.turn_back(&written("a = 1\n```")), None);
        assert_eq!(copying.turn_back(&written("a = 1\nb = 3\n```")), None);
        assert_eq!(copying.turn_back(&written("a = 1\nb = 2\n```")), Some(place('y', 2.0)));
        // And is not left again.
        copying.note(place('w', 1.0));
        assert_eq!(copying.turn_back(&written("a = 1\nb = 2\n```")), None);
    }

    #[test]
    fn who_is_sure_does_not_turn_back() {
        let mut copying = copying("a = 1");
        copying.note(place('x', HESITATES + 1.0));
        assert_eq!(copying.turn_back(&written("a = 1\n```")), None);
    }
}
