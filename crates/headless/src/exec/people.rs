//! Progress for people on standard error, the answer alone on standard output.

use std::io;

use app_server_protocol::{
    ApprovalPolicyName, SandboxPolicyShape, ThreadItem, ThreadStartResult, TokenBreakdown, Turn,
    TurnState,
};

use super::{Progress, View};
use crate::console::Console;
use crate::deeds::Deeds;
use crate::exit::HeadlessError;
use crate::steps;

pub(super) struct People {
    console: Console,
    version: String,
    /// A message that may be the answer: said as progress when another item follows.
    last_message: Option<String>,
    usage: Option<TokenBreakdown>,
}

impl People {
    pub(super) fn new(console: Console, version: String) -> Self {
        Self { console, version, last_message: None, usage: None }
    }

    fn message_was_not_the_last(&mut self) -> io::Result<()> {
        let Some(text) = self.last_message.take() else { return Ok(()) };
        self.console.heading("agent")?;
        self.console.note(text)
    }
}

impl View for People {
    fn started(
        &mut self,
        thread: &ThreadStartResult,
        prompt: &str,
        piped: Option<&str>,
    ) -> io::Result<()> {
        let console = &mut self.console;
        let sandbox = match &thread.sandbox {
            SandboxPolicyShape::DangerFullAccess => "danger-full-access",
            SandboxPolicyShape::ReadOnly { .. } => "read-only",
            SandboxPolicyShape::WorkspaceWrite { .. } => "workspace-write",
        };
        let approval = match thread.approval_policy {
            ApprovalPolicyName::Untrusted => "untrusted",
            ApprovalPolicyName::OnFailure => "on-failure",
            ApprovalPolicyName::OnRequest => "on-request",
            ApprovalPolicyName::Never => "never",
        };
        console.heading(&format!("Duet v{}", self.version))?;
        console.note("--------")?;
        for (name, value) in [
            ("workdir", thread.cwd.as_str()),
            ("model", &thread.model),
            ("provider", &thread.model_provider),
            ("approval", approval),
            ("sandbox", sandbox),
            ("session id", &thread.thread.id),
        ] {
            console.note(format_args!("{name}: {value}"))?;
        }
        console.note("--------")?;
        console.heading("user")?;
        console.note(prompt.trim_end())?;
        match piped.map(|it| it.lines().count()) {
            None => Ok(()),
            Some(1) => console.aside("and 1 line that was piped in"),
            Some(lines) => console.aside(&format!("and {lines} lines that were piped in")),
        }
    }

    fn progress(&mut self, progress: &Progress<'_>) -> io::Result<()> {
        match progress {
            Progress::ItemStarted(item) => {
                self.message_was_not_the_last()?;
                steps::started(&mut self.console, item)
            }
            Progress::ItemCompleted(item) => {
                self.message_was_not_the_last()?;
                if let ThreadItem::AgentMessage { text, id: _ } = item {
                    self.last_message = Some(text.clone());
                }
                steps::completed(&mut self.console, item)
            }
            Progress::Retrying(message) => {
                self.console.note(format_args!("trying again: {message}"))
            }
            Progress::Warning(message) => self.console.note(format_args!("warning: {message}")),
            Progress::Usage(usage) => {
                self.usage = Some(*usage);
                Ok(())
            }
            Progress::TurnStarted | Progress::Failing(_) => Ok(()),
        }
    }

    fn ended(&mut self, turn: &Turn, deeds: &Deeds, unfinished: Option<&str>) -> io::Result<()> {
        if let Some(usage) = self.usage {
            self.console.heading("tokens used")?;
            self.console.note(usage.total_tokens)?;
        }
        if let Some(summary) = deeds.summary() {
            self.console.note(summary)?;
        }
        if let Some(error) = &turn.error {
            self.message_was_not_the_last()?;
            self.console.note(format_args!("error: {}", error.message))?;
        }
        if let Some(why) = unfinished {
            self.console.note(format_args!("error: {why}"))?;
        }
        if turn.status == TurnState::Interrupted {
            self.message_was_not_the_last()?;
            self.console.note("interrupted")?;
        }
        match self.last_message.take() {
            Some(text) => self.console.answer(text.trim_end()),
            None => Ok(()),
        }
    }

    fn has_screen(&self) -> bool {
        self.console.has_screen()
    }

    fn status(&mut self, line: &str) -> io::Result<()> {
        self.console.status(line)
    }

    fn failed(&mut self, _error: &HeadlessError) -> io::Result<()> {
        self.message_was_not_the_last()
    }
}
