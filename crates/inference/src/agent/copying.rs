//! An edit that is a copy of the file is none.
//!
//! A small, greedy model that is to write a file again copies it, one likely line after the other,
//! past the place that was to be changed. It knew of that place: there something else was nearly as
//! likely. So each such place is remembered while the model copies, and when the copy is whole, it
//! goes back to where it hesitated most, and takes what it did not take.

use protocol::{ModelItem, ModelRequest, Role, ToolEffect};
use serde_json::Value;

use super::grammar::{BLOCK_CLOSES, BLOCK_OPENS};

/// Natural logarithms between the likeliest token and the one beside it. Where the change belonged it
/// was 0.5 (decision 0005); beyond this the model did not hesitate, and what it would be made to write
/// is nothing that it means.
const HESITATES: f32 = 2.5;

/// What a reply may grow by beside what it had already: the change.
const GROWS: usize = 200;

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

/// Watches one reply for a copy of the file that it is to change.
#[derive(Debug)]
pub(super) struct Copying<T> {
    files: Vec<Shown>,
    most: Option<Hesitation<T>>,
    has_turned_back: bool,
}

/// A file that was shown whole.
#[derive(Debug)]
struct Shown {
    path: String,
    text: String,
}

impl<T> Copying<T> {
    pub(super) fn new(request: &ModelRequest) -> Self {
        Self { files: shown_in_turn(request), most: None, has_turned_back: false }
    }

    /// For a reply that edits nothing.
    pub(super) fn none() -> Self {
        Self { files: Vec::new(), most: None, has_turned_back: false }
    }

    /// Whether the reply is a block that is the beginning of its file so far.
    pub(super) fn follows(&self, written: &[u8]) -> bool {
        !self.has_turned_back && self.left(written).is_some()
    }

    /// Whether the reply is no copy any more with `next`, and goes on: another word, or more behind
    /// the end. Another space or line break is no change that anybody asks for.
    pub(super) fn leaves(&self, written: &[u8], next: &[u8]) -> bool {
        let mut reply = written.to_vec();
        reply.extend_from_slice(next);
        let says = next.iter().any(|it| !it.is_ascii_whitespace());
        let is_at_end = || self.left(written).is_some_and(|it| it.trim_ascii().is_empty());
        !reply.ends_with(b"`") && self.left(&reply).is_none() && (says || is_at_end())
    }

    pub(super) fn note(&mut self, place: Hesitation<T>) {
        let is_more = self.most.as_ref().is_none_or(|most| place.gap < most.gap);
        if place.gap <= HESITATES && is_more {
            self.most = Some(place);
        }
    }

    /// Where to go back to from a reply that ends at `position` with room for `room` tokens: once,
    /// only from a whole copy, and only where the rest can be written again.
    pub(super) fn turn_back(
        &mut self,
        written: &[u8],
        position: usize,
        room: usize,
    ) -> Option<Hesitation<T>> {
        let content = written.strip_suffix(BLOCK_CLOSES)?;
        let is_whole = self.left(content).is_some_and(|it| it.trim_ascii().is_empty());
        if !is_whole || self.has_turned_back {
            return None;
        }
        self.has_turned_back = true;
        self.most.take().filter(|it| position.saturating_sub(it.position) + GROWS <= room)
    }

    /// What is left of the file that the block of this reply is the beginning of.
    fn left(&self, written: &[u8]) -> Option<&[u8]> {
        let opens = BLOCK_OPENS.as_bytes();
        let at = written.windows(opens.len()).position(|it| it == opens)?;
        let call: Value = serde_json::from_slice(&written[..at]).ok()?;
        let path = call.pointer("/arguments/path")?.as_str()?;
        let file = self.files.iter().rfind(|it| it.path == path)?;
        file.text.as_bytes().strip_prefix(&written[at + opens.len()..])
    }
}

/// The files that were shown whole since the user's last words, as they still are.
fn shown_in_turn(request: &ModelRequest) -> Vec<Shown> {
    let mut files: Vec<Shown> = Vec::new();
    for item in &request.input {
        match item {
            ModelItem::Message { role: Role::User, .. } => files.clear(),
            ModelItem::ToolOutput { output, .. } => {
                // `read_file` says it so.
                let shown = output.split_once(&format!(":{BLOCK_OPENS}"));
                if let Some((path, rest)) = shown
                    && let Some(text) = rest.trim_end().strip_suffix("\n```")
                {
                    // A block ends behind a line break in any case.
                    files.push(Shown { path: path.to_owned(), text: format!("{text}\n") });
                }
            }
            ModelItem::ToolCall(call) => {
                let tool = request.tools.iter().find(|it| it.name == call.name);
                if tool.is_some_and(|it| it.effect == ToolEffect::Writes) {
                    let arguments: Value =
                        serde_json::from_str(&call.arguments).unwrap_or_default();
                    files.retain(|it| arguments["path"] != *it.path);
                }
            }
            ModelItem::Message { .. } | ModelItem::Reasoning { .. } => {}
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use protocol::{CallId, ToolCall, ToolChoice, ToolSpec};

    use super::*;

    const CALL: &str = r#"{"name": "write_file", "arguments": {"path": "a.py"}}"#;

    fn copying(file: &str) -> Copying<char> {
        let output = format!("a.py:\n```\n{file}\n```");
        let user = |text: &str| ModelItem::Message { role: Role::User, text: text.into() };
        let told = |output: String| ModelItem::ToolOutput { call: CallId::from("1"), output };
        let other = told("b.py:\n```\nother\n```".into());
        let input =
            vec![user("q"), told("a.py:\n```\nold\n```".into()), user("edit"), told(output), other];
        Copying::new(&request(input))
    }

    fn request(input: Vec<ModelItem>) -> ModelRequest {
        let write = ToolSpec {
            name: "write_file".into(),
            description: String::new(),
            parameters: Vec::new(),
            effect: ToolEffect::Writes,
        };
        ModelRequest {
            instructions: String::new(),
            input,
            tools: vec![write],
            tool_choice: ToolChoice::Auto,
            cache_key: String::new(),
        }
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
        for (block, next) in [("a = 1", "\n```"), ("a = 1\n", "`"), ("a = 1\n``", "`")] {
            assert!(!copying.leaves(&written(block), next.as_bytes()), "{block:?} {next:?}");
        }
        assert!(!copying.leaves(&written("a = 1"), b"\n\n"));
        // The text of another file is none of this one's.
        assert!(!copying.follows(&written("other")));
    }

    const ROOM: usize = 1_000;

    #[test]
    fn a_whole_copy_is_left_where_it_hesitated_most() {
        let mut copying = copying("a = 1\nb = 2");
        for (instead, gap) in [('x', 2.0), ('y', 0.5), ('z', 1.0)] {
            copying.note(place(instead, gap));
        }
        let mut back = |block: &str| copying.turn_back(&written(block), 50, ROOM);
        assert_eq!(back("a = 1"), None);
        assert_eq!(back("a = 1\n```"), None);
        assert_eq!(back("a = 1\nb = 3\n```"), None);
        assert_eq!(back("a = 1\nb = 2\n```"), Some(place('y', 0.5)));
        // And is not left again.
        copying.note(place('w', 0.1));
        assert_eq!(copying.turn_back(&written("a = 1\nb = 2\n```"), 50, ROOM), None);
    }

    #[test]
    fn who_is_sure_or_has_no_room_does_not_turn_back() {
        let mut sure = copying("a = 1");
        sure.note(place('x', HESITATES + 0.1));
        assert_eq!(sure.turn_back(&written("a = 1\n```"), 50, ROOM), None);
        let mut full = copying("a = 1");
        full.note(place('x', 0.5));
        assert_eq!(full.turn_back(&written("a = 1\n```"), 50, GROWS + 49), None);
    }

    /// What is written again as it was may be meant.
    #[test]
    fn a_file_that_was_written_is_not_known_any_more() {
        let told = ModelItem::ToolOutput {
            call: CallId::from("1"),
            output: "a.py:\n```\na = 1\n```".into(),
        };
        let call = ModelItem::ToolCall(ToolCall {
            call: CallId::from("2"),
            name: "write_file".into(),
            arguments: r#"{"path": "a.py", "content": "a = 2"}"#.into(),
        });
        let before = Copying::<char>::new(&request(vec![told.clone()]));
        assert!(before.follows(&written("a = 1")));
        let after = Copying::<char>::new(&request(vec![told, call]));
        assert!(!after.follows(&written("a = 1")));
    }
}
