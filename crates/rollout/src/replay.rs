//! From lines back to a thread.

use std::path::Path;

use protocol::{Item, ThreadId, TurnFailure, TurnId, TurnStatus};
use serde_json::Value;
use stdx::Date;

use crate::lines::{self, AnyLine, EventMsg, Git, SessionMeta};
use crate::{Error, Meta, Session, Turn};

/// A log's whole lines.
pub(crate) struct Lines<'a> {
    pub(crate) whole: Vec<&'a str>,
    /// Bytes they take. What stands after them was torn off.
    pub(crate) bytes: usize,
}

impl<'a> Lines<'a> {
    /// A last line without its end, or one that is not JSON, was torn off by a crash.
    pub(crate) fn of(log: &'a [u8]) -> Self {
        let mut whole = Vec::new();
        let mut bytes = 0;
        for line in log.split_inclusive(|byte| *byte == b'\n') {
            let Some(text) = line.strip_suffix(b"\n").and_then(|line| str::from_utf8(line).ok())
            else {
                // A line in the middle that is no text is skipped by whoever parses it.
                whole.push("");
                bytes += line.len();
                continue;
            };
            whole.push(text);
            bytes += line.len();
        }
        while let Some(last) = whole.last()
            && serde_json::from_str::<AnyLine>(last).is_err()
        {
            whole.pop();
            let end = log[..bytes].strip_suffix(b"\n").unwrap_or(&log[..bytes]);
            bytes = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        }
        Self { whole, bytes }
    }
}

pub(crate) fn session(path: &Path, lines: &Lines<'_>) -> Result<Session, Error> {
    let mut lines = lines.whole.iter();
    let first = lines.next().copied().unwrap_or_default();
    let meta =
        meta(first).map_err(|why| Error::NotALog { path: path.to_owned(), why: why.to_owned() })?;
    let mut session = Session {
        path: path.to_owned(),
        meta,
        context: None,
        history: Vec::new(),
        turns: Vec::new(),
        between: Vec::new(),
        usage: protocol::Usage::default(),
        skipped: 0,
    };
    for line in lines {
        if session.take(line).is_none() {
            session.skipped += 1;
        }
    }
    Ok(session)
}

pub(crate) fn meta(first: &str) -> Result<Meta, &'static str> {
    let line: AnyLine = serde_json::from_str(first).map_err(|_| "its first line is not ours")?;
    if line.kind != "session_meta" {
        return Err("it does not begin with `session_meta`");
    }
    let meta = serde_json::from_value(line.payload).map_err(|_| "its `session_meta` is broken")?;
    let SessionMeta { id, timestamp, cwd, originator, cli_version, source, model_provider, git } =
        meta;
    Ok(Meta {
        thread: ThreadId::new(id),
        at: Date::parse_rfc3339(&timestamp).ok_or("its `session_meta` has no time")?,
        cwd,
        originator,
        version: cli_version,
        source,
        model_provider,
        branch: git.and_then(|Git { branch }| branch),
    })
}

/// The words of a line that completes the user's message.
pub(crate) fn user_words(line: &str) -> Option<String> {
    let line: AnyLine = serde_json::from_str(line).ok()?;
    if line.kind != "event_msg" {
        return None;
    }
    match serde_json::from_value(line.payload).ok()? {
        EventMsg::ItemCompleted { turn_id: _, item } => match Item::from(item).body {
            protocol::ItemBody::UserMessage { text, source: _ } => Some(text),
            protocol::ItemBody::AgentMessage { .. }
            | protocol::ItemBody::Reasoning { .. }
            | protocol::ItemBody::Command(_)
            | protocol::ItemBody::FileChange(_)
            | protocol::ItemBody::Tool(_)
            | protocol::ItemBody::Spoken { .. } => None,
        },
        EventMsg::TaskStarted { .. }
        | EventMsg::TokenCount { .. }
        | EventMsg::TaskComplete { .. }
        | EventMsg::TurnAborted { .. }
        | EventMsg::Warning { .. }
        | EventMsg::TaskFailed { .. } => None,
    }
}

impl Session {
    fn take(&mut self, line: &str) -> Option<()> {
        let AnyLine { timestamp, kind, payload } = serde_json::from_str(line).ok()?;
        match kind.as_str() {
            "turn_context" => {
                let context: lines::TurnContext = serde_json::from_value(payload).ok()?;
                self.context = Some(context.into_context(&self.meta.model_provider));
            }
            "response_item" => self.history.push(lines::model_item(payload)?),
            "event_msg" => self.take_event(&timestamp, payload)?,
            _ => return None,
        }
        Some(())
    }

    fn take_event(&mut self, timestamp: &str, payload: Value) -> Option<()> {
        match serde_json::from_value(payload).ok()? {
            EventMsg::TaskStarted { turn_id, source } => self.turns.push(Turn {
                id: TurnId::new(turn_id),
                source: source.into(),
                at: Date::parse_rfc3339(timestamp)?,
                status: TurnStatus::InProgress,
                ended_at: None,
                items: Vec::new(),
            }),
            EventMsg::ItemCompleted { turn_id, item } => match self.turn(&turn_id) {
                Some(turn) => turn.items.push(item.into()),
                None => self.between.push(item.into()),
            },
            EventMsg::TokenCount { turn_id: _, info } => {
                self.usage = info.total_token_usage.into();
            }
            EventMsg::TaskComplete { turn_id } => {
                self.end_turn(&turn_id, TurnStatus::Completed, timestamp)?;
            }
            EventMsg::TurnAborted { turn_id, reason: _ } => {
                self.end_turn(&turn_id, TurnStatus::Interrupted, timestamp)?;
            }
            EventMsg::TaskFailed { turn_id, message } => {
                let status = TurnStatus::Failed(TurnFailure { message });
                self.end_turn(&turn_id, status, timestamp)?;
            }
            EventMsg::Warning { message: _ } => (),
        }
        Some(())
    }

    fn end_turn(&mut self, id: &str, status: TurnStatus, timestamp: &str) -> Option<()> {
        let turn = self.turn(id)?;
        turn.status = status;
        turn.ended_at = Date::parse_rfc3339(timestamp);
        Some(())
    }

    fn turn(&mut self, id: &str) -> Option<&mut Turn> {
        self.turns.iter_mut().rev().find(|turn| turn.id.as_str() == id)
    }
}
