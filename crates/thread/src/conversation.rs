//! What a realtime conversation is opened with: the voice model's instructions.

use protocol::{BargeIn, ModelItem, RealtimeVersion, Role, SessionConfig, SessionMode};
use realtime_session::{Settings, budget};

use crate::frame::Frame;

/// Names one conversation of a thread; given by the driver, unique for ever, because items
/// are named after it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConversationId(pub String);

/// How a conversation is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    pub conversation: ConversationId,
    /// Told to clients, and sent to the service.
    pub session_id: Option<String>,
    pub version: RealtimeVersion,
    pub mode: SessionMode,
    pub voice: String,
    pub barge_in: BargeIn,
    pub prompt: Prompt,
    pub context: StartupContext,
    /// What the agent is told when the conversation begins, in place of our words.
    pub start_instructions: Option<String>,
    pub steps: Steps,
}

/// Whether the voice is told of each step of the agent's work when it begins.
///
/// Our own voice answers from it when it is asked what is going on. Services get what their
/// clients have always sent them, which is what the agent says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Steps {
    Told,
    Untold,
}

/// What the voice model is told to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Our own words. `user` is the user's first name.
    Default { user: Option<String> },
    /// These words; empty for none.
    Text(String),
}

/// What the voice model is told about the thread it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartupContext {
    /// From the thread's own history. `workspace` describes where it works, a line each.
    FromThread { workspace: Vec<String> },
    /// These words; empty for none.
    Text(String),
}

/// Budgets in tokens, as the reference's clients expect them.
const CURRENT_THREAD: usize = 1_200;
const ONE_TURN: usize = 300;
const WORKSPACE: usize = 400;

const INTRO: &str = "The most recent turns of this very thread, newest first.";

pub(crate) fn settings(opening: Opening, history: &[ModelItem]) -> Settings {
    let Opening {
        conversation: _,
        session_id,
        version,
        mode,
        voice,
        barge_in,
        prompt,
        context,
        start_instructions: _,
        steps: _,
    } = opening;
    let prompt = match prompt {
        Prompt::Default { user } => default_prompt(user.as_deref()),
        Prompt::Text(text) => text,
    };
    let context = match context {
        StartupContext::FromThread { workspace } => startup_context(history, &workspace),
        StartupContext::Text(text) => text,
    };
    let parts: Vec<&str> =
        [prompt.as_str(), context.as_str()].into_iter().filter(|it| !it.is_empty()).collect();
    let config = SessionConfig { mode, instructions: parts.join("\n\n"), voice, barge_in };
    Settings { config, session_id, version }
}

fn default_prompt(user: Option<&str>) -> String {
    let name = match user {
        Some(user) => format!(" The user's name is {user}; use it rarely."),
        None => String::new(),
    };
    format!(
        "You are the voice of Duet, a coding assistant for the repository the user has open.{name} \
         Speak like a friendly, quick colleague: one or \
         two short sentences, a little humour where it fits, never code or long paths.\n\n\
         A background agent can read, run and change everything in the repository; you cannot. \
         When in doubt, hand the request over to it, in the user's own words, and say so in a few \
         varying words. Hand over again when the user changes or adds something: it reaches the \
         work that is going on. While the agent works, report only what matters. Take what it \
         reports as fact, tell the result briefly, and invent nothing. Ask only when you cannot go \
         on without an answer. Never speak of tools, messages or this text."
    )
}

fn startup_context(history: &[ModelItem], workspace: &[String]) -> String {
    let mut sections = Vec::new();
    if let Some(turns) = current_thread(history) {
        sections.push(format!("## Current Thread\n{turns}"));
    }
    if !workspace.is_empty() {
        let lines = budget::fit(&workspace.join("\n"), WORKSPACE);
        sections.push(format!("## Machine / Workspace Map\n{lines}"));
    }
    if sections.is_empty() {
        return String::new();
    }
    Frame::StartupContext.around(&format!(
        "Startup context from Duet.\n\
         Background about the work so far. It may be stale or incomplete; let it inform what you \
         say, and do not recite it.\n\n\
         {}",
        sections.join("\n\n")
    ))
}

/// The newest turns that fit, each with its beginning and its end.
fn current_thread(history: &[ModelItem]) -> Option<String> {
    let mut text = INTRO.to_owned();
    let mut room = CURRENT_THREAD - budget::tokens(INTRO);
    let turns = exchanges(history);
    for (age, turn) in turns.iter().rev().enumerate() {
        let heading = match age {
            0 => "### Latest turn".to_owned(),
            age => format!("### Previous turn {age}"),
        };
        let turn = turn.render(&heading);
        let turn = budget::fit(&turn, ONE_TURN.min(room));
        if turn.is_empty() {
            break;
        }
        // The blank line before it counts too.
        room = room.saturating_sub(budget::tokens(&turn) + 1);
        text.push_str("\n\n");
        text.push_str(&turn);
    }
    (text.len() != INTRO.len()).then_some(text)
}

#[derive(Debug, Default)]
struct Exchange<'a> {
    user: Vec<&'a str>,
    assistant: Vec<&'a str>,
}

impl Exchange<'_> {
    fn render(&self, heading: &str) -> String {
        let mut parts = vec![heading.to_owned()];
        if !self.user.is_empty() {
            parts.push(format!("User:\n{}", self.user.join("\n\n")));
        }
        if !self.assistant.is_empty() {
            parts.push(format!("Assistant:\n{}", self.assistant.join("\n\n")));
        }
        parts.join("\n\n")
    }
}

/// Each begins with the user's words; what the model says before any is left out.
fn exchanges(history: &[ModelItem]) -> Vec<Exchange<'_>> {
    let mut exchanges: Vec<Exchange<'_>> = Vec::new();
    for item in history {
        match item {
            ModelItem::Message { role: Role::User, text } if !text.trim().is_empty() => {
                exchanges.push(Exchange { user: vec![text.trim()], assistant: Vec::new() });
            }
            ModelItem::Message { role: Role::Assistant, text } if !text.trim().is_empty() => {
                if let Some(exchange) = exchanges.last_mut() {
                    exchange.assistant.push(text.trim());
                }
            }
            ModelItem::Message {
                role: Role::User | Role::Assistant | Role::Developer | Role::Material,
                text: _,
            }
            | ModelItem::ToolCall(_)
            | ModelItem::ToolOutput { .. }
            | ModelItem::Reasoning { .. } => (),
        }
    }
    exchanges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: Role, text: &str) -> ModelItem {
        ModelItem::Message { role, text: text.to_owned() }
    }

    fn instructions(prompt: Prompt, context: StartupContext, history: &[ModelItem]) -> String {
        let opening = Opening {
            conversation: ConversationId("c".to_owned()),
            session_id: None,
            version: RealtimeVersion::V2,
            mode: SessionMode::Conversational,
            voice: "marin".to_owned(),
            barge_in: BargeIn::ByService,
            prompt,
            context,
            start_instructions: None,
            steps: Steps::Untold,
        };
        settings(opening, history).config.instructions
    }

    #[test]
    fn prompt_and_context_are_joined_by_a_blank_line() {
        let text = |it: &str| Prompt::Text(it.to_owned());
        let context = |it: &str| StartupContext::Text(it.to_owned());
        assert_eq!(instructions(text("a"), context("b"), &[]), "a\n\nb");
        assert_eq!(instructions(text(""), context("b"), &[]), "b");
        assert_eq!(instructions(text("a"), context(""), &[]), "a");
        assert_eq!(instructions(text(""), context(""), &[]), "");
        let user = Some("Ada".to_owned());
        let default = instructions(Prompt::Default { user }, context(""), &[]);
        assert!(default.contains("The user's name is Ada"), "{default}");
    }

    #[test]
    fn newest_turns_come_first_and_fit() {
        let long = "word ".repeat(500);
        let mut history = vec![said(Role::Assistant, "before anything")];
        for turn in 0..9 {
            history.push(said(Role::User, &format!("ask {turn} {long}")));
            history.push(said(Role::Developer, "not shown"));
            history.push(said(Role::Material, "not shown"));
            history.push(said(Role::Assistant, &format!("answer {turn}")));
        }
        let context = StartupContext::FromThread { workspace: vec!["cwd: /w".to_owned()] };
        let text = instructions(Prompt::Text(String::new()), context, &history);
        assert!(text.contains("### Latest turn\n\nUser:\nask 8"), "{text}");
        assert!(text.contains("### Previous turn 2\n\nUser:\nask 6"), "{text}");
        assert!(text.contains("Assistant:\nanswer 8"), "{text}");
        assert!(text.contains("## Machine / Workspace Map\ncwd: /w"), "{text}");
        assert!(!text.contains("ask 4") && !text.contains("not shown"), "{text}");
        let section = current_thread(&history).unwrap();
        assert!(budget::tokens(&section) <= CURRENT_THREAD);
    }

    #[test]
    fn nothing_known_is_nothing_said() {
        let context = StartupContext::FromThread { workspace: Vec::new() };
        assert_eq!(instructions(Prompt::Text(String::new()), context, &[]), "");
    }
}
