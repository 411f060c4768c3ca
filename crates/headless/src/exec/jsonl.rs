//! One JSON event per line, in the shapes that programs around the reference's `exec` read
//! (`docs/exec.md`). Written for them: nothing here is read back by us.

use std::io;

use app_server_protocol::{ThreadStartResult, TokenBreakdown, Turn, TurnState};
use serde::Serialize;

use super::{Progress, View};
use crate::console::Console;
use crate::deeds::Deeds;
use crate::exit::HeadlessError;
use crate::json_item::{Item, ItemNames, is_text};

pub(super) struct Jsonl {
    console: Console,
    usage: Option<TokenBreakdown>,
    names: ItemNames,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Event<'a> {
    #[serde(rename = "thread.started")]
    ThreadStarted { thread_id: &'a str },
    #[serde(rename = "turn.started")]
    TurnStarted {},
    #[serde(rename = "item.started")]
    ItemStarted { item: Item<'a> },
    #[serde(rename = "item.completed")]
    ItemCompleted { item: Item<'a> },
    #[serde(rename = "turn.completed")]
    TurnCompleted { usage: Usage },
    #[serde(rename = "turn.failed")]
    TurnFailed { error: Failure<'a> },
    #[serde(rename = "error")]
    Error { message: &'a str },
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
}

#[derive(Default, Serialize)]
struct Usage {
    input_tokens: u64,
    cached_input_tokens: u64,
    output_tokens: u64,
    reasoning_output_tokens: u64,
}

impl Jsonl {
    pub(super) fn new(console: Console) -> Self {
        Self { console, usage: None, names: ItemNames::default() }
    }

    fn say(&mut self, event: &Event<'_>) -> io::Result<()> {
        let line = serde_json::to_string(event)?;
        self.console.answer(&line)
    }
}

pub(super) fn cannot_begin(console: &mut Console, message: &str) -> io::Result<()> {
    console.answer(&serde_json::to_string(&Event::Error { message })?)
}

impl View for Jsonl {
    fn started(
        &mut self,
        thread: &ThreadStartResult,
        _prompt: &str,
        _piped: Option<&str>,
    ) -> io::Result<()> {
        self.say(&Event::ThreadStarted { thread_id: &thread.thread.id })
    }

    fn progress(&mut self, progress: &Progress<'_>) -> io::Result<()> {
        match progress {
            Progress::TurnStarted => self.say(&Event::TurnStarted {}),
            Progress::ItemStarted(item) if is_text(item) => Ok(()),
            Progress::ItemStarted(item) => match self.names.item(item) {
                Some(item) => self.say(&Event::ItemStarted { item }),
                None => Ok(()),
            },
            Progress::ItemCompleted(item) => match self.names.item(item) {
                Some(item) => self.say(&Event::ItemCompleted { item }),
                None => Ok(()),
            },
            Progress::Retrying(message) | Progress::Failing(message) => {
                self.say(&Event::Error { message })
            }
            Progress::Warning(message) => self.console.note(format_args!("warning: {message}")),
            Progress::Usage(usage) => {
                self.usage = Some(*usage);
                Ok(())
            }
        }
    }

    fn ended(&mut self, turn: &Turn, _deeds: &Deeds, unfinished: Option<&str>) -> io::Result<()> {
        if let Some(message) = unfinished {
            self.say(&Event::Error { message })?;
        }
        let failure = match turn.status {
            TurnState::Completed => None,
            TurnState::Failed => Some(turn.error.as_ref().map_or("failed", |it| &it.message)),
            TurnState::Interrupted | TurnState::InProgress => Some("interrupted"),
        };
        match failure {
            Some(message) => self.say(&Event::TurnFailed { error: Failure { message } }),
            None => {
                let usage = self.usage.map(Usage::from).unwrap_or_default();
                self.say(&Event::TurnCompleted { usage })
            }
        }
    }

    fn has_screen(&self) -> bool {
        false
    }

    fn status(&mut self, _line: &str) -> io::Result<()> {
        Ok(())
    }

    fn failed(&mut self, error: &HeadlessError) -> io::Result<()> {
        self.say(&Event::Error { message: &error.to_string() })
    }
}

impl From<TokenBreakdown> for Usage {
    fn from(tokens: TokenBreakdown) -> Self {
        let TokenBreakdown {
            total_tokens: _,
            input_tokens,
            cached_input_tokens,
            output_tokens,
            reasoning_output_tokens,
        } = tokens;
        Self { input_tokens, cached_input_tokens, output_tokens, reasoning_output_tokens }
    }
}
