//! What goes on, for somebody who waits before a terminal.

use app_server_protocol::{ServerNotification, StageName, ThreadItem, ThreadStatus};
use tokio::time::Instant;

/// Follows the news of one thread.
#[derive(Debug, Default)]
pub(crate) struct Doing {
    /// Of the agent, which goes first: the voice says only that it works.
    work: Option<Step>,
    voice: Option<Step>,
}

#[derive(Debug, PartialEq, Eq)]
struct Step {
    what: String,
    since: Instant,
}

impl Doing {
    pub(crate) fn note(&mut self, news: &ServerNotification, now: Instant) {
        use ServerNotification as News;
        let (work, voice) = (&mut self.work, &mut self.voice);
        match news {
            News::ThreadStatusChanged(it) => match it.status {
                ThreadStatus::Active { .. } => set(work, "looking at the workspace", now),
                ThreadStatus::Idle | ThreadStatus::SystemError | ThreadStatus::NotLoaded => {
                    *work = None;
                }
            },
            News::TurnStarted(_) | News::ItemCompleted(_) | News::ReasoningDelta(_) => {
                set(work, "thinking", now);
            }
            News::ItemStarted(it) => match &it.item {
                ThreadItem::CommandExecution { command, .. } => {
                    let line = command.trim().lines().next().unwrap_or_default();
                    set(work, &format!("running `{line}`"), now);
                }
                ThreadItem::DynamicToolCall { tool, .. } => {
                    set(work, &format!("using {tool}"), now);
                }
                ThreadItem::FileChange { .. } => set(work, "changing files", now),
                ThreadItem::UserMessage { .. }
                | ThreadItem::AgentMessage { .. }
                | ThreadItem::Reasoning { .. } => {}
            },
            News::AgentMessageDelta(_) => set(work, "writing", now),
            News::TurnCompleted(_) => {
                *work = None;
                set(voice, "preparing the spoken answer", now);
            }
            News::RealtimeStarted(_) => set(voice, "listening", now),
            News::RealtimeStage(it) => match it.stage {
                StageName::SpeechStarted | StageName::ReplyDone | StageName::ReplyBroken => {
                    set(voice, "listening", now);
                }
                StageName::SpeechStopped => set(voice, "writing down what was said", now),
                StageName::Transcribed => set(voice, "thinking", now),
                StageName::FirstAudio => set(voice, "speaking", now),
                StageName::HandedOff | StageName::FirstToken | StageName::AgentDone => {}
            },
            News::Error(_)
            | News::Warning(_)
            | News::ThreadStarted(_)
            | News::TokenUsageUpdated(_)
            | News::CommandOutputDelta(_)
            | News::RealtimeItemAdded(_)
            | News::RealtimeTranscriptDelta(_)
            | News::RealtimeTranscriptDone(_)
            | News::RealtimeOutputAudioDelta(_)
            | News::RealtimePlayback(_)
            | News::RealtimeError(_)
            | News::RealtimeClosed(_)
            | News::Unknown { .. } => {}
        }
    }

    /// `running `cargo test`, 12 s`
    pub(crate) fn line(&self, now: Instant) -> String {
        match self.work.as_ref().or(self.voice.as_ref()) {
            Some(Step { what, since }) => format!("{what}, {} s", (now - *since).as_secs()),
            None => String::new(),
        }
    }
}

/// What goes on already began when it began.
fn set(step: &mut Option<Step>, what: &str, now: Instant) {
    if step.as_ref().is_none_or(|it| it.what != what) {
        *step = Some(Step { what: what.to_owned(), since: now });
    }
}
