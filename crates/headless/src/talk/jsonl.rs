//! One JSON event per line (`docs/talk.md`).

use std::io;

use app_server_protocol::{ServerNotification, SpeakerName, ThreadStartResult};
use serde::{Deserialize, Serialize};

use super::{Latency, Output, Silenced, TalkReport, View};
use crate::console::Console;
use crate::exit::{Exit, HeadlessError};
use crate::json_item::{Item, ItemNames, is_text};

pub(super) struct Jsonl<'a> {
    console: &'a mut Console,
    names: ItemNames,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    Start {
        thread_id: &'a str,
        cwd: &'a str,
        model: &'a str,
        model_provider: &'a str,
    },
    Devices {
        #[serde(skip_serializing_if = "Option::is_none")]
        microphone: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        speaker: Option<&'a str>,
    },
    UserTranscript {
        text: &'a str,
    },
    SpokenTranscript {
        text: &'a str,
    },
    Handoff {
        id: &'a str,
        request: &'a str,
    },
    Item {
        status: &'a str,
        item: Item<'a>,
    },
    Warning {
        message: &'a str,
    },
    Error {
        message: &'a str,
    },
    Silenced {
        after_ms: i64,
        dropped_ms: u64,
    },
    Resumed {
        after_ms: u64,
    },
    Latency(Latency),
    Answer {
        text: &'a str,
    },
    End {
        status: &'a str,
        answer: Option<&'a str>,
        output: Option<String>,
        rollout: Option<&'a str>,
    },
}

/// The one item of a conversation that is shown here.
#[derive(Deserialize)]
struct Handoff {
    r#type: String,
    handoff_id: String,
    input_transcript: String,
}

impl<'a> Jsonl<'a> {
    pub(super) fn new(console: &'a mut Console) -> Self {
        Self { console, names: ItemNames::default() }
    }

    pub(super) fn end_without_answer(&mut self, message: &str, exit: Exit) -> io::Result<()> {
        self.say(&Event::Error { message })?;
        let status = status(exit);
        self.say(&Event::End { status, answer: None, output: None, rollout: None })
    }

    fn say(&mut self, event: &Event<'_>) -> io::Result<()> {
        let line = serde_json::to_string(event)?;
        self.console.answer(&line)
    }
}

impl View for Jsonl<'_> {
    fn started(&mut self, thread: &ThreadStartResult) -> io::Result<()> {
        let ThreadStartResult { cwd, model, model_provider, thread, .. } = thread;
        self.say(&Event::Start { thread_id: &thread.id, cwd, model, model_provider })
    }

    fn devices(&mut self, microphone: Option<&str>, speaker: Option<&str>) -> io::Result<()> {
        match (microphone, speaker) {
            (None, None) => Ok(()),
            (Some(_), _) | (_, Some(_)) => self.say(&Event::Devices { microphone, speaker }),
        }
    }

    fn news(&mut self, news: &ServerNotification) -> io::Result<()> {
        use ServerNotification as News;
        match news {
            News::RealtimeTranscriptDone(it) => match it.role {
                SpeakerName::User => self.say(&Event::UserTranscript { text: &it.text }),
                SpeakerName::Assistant => self.say(&Event::SpokenTranscript { text: &it.text }),
            },
            News::RealtimeItemAdded(it) => {
                match serde_json::from_str::<Handoff>(it.item.get()) {
                    Ok(Handoff { r#type, handoff_id, input_transcript })
                        if r#type == "handoff_request" =>
                    {
                        self.say(&Event::Handoff { id: &handoff_id, request: &input_transcript })
                    }
                    // The service's own items have no place here.
                    Ok(_) | Err(_) => Ok(()),
                }
            }
            News::ItemStarted(it) if is_text(&it.item) => Ok(()),
            News::ItemStarted(it) => match self.names.item(&it.item) {
                Some(item) => self.say(&Event::Item { status: "started", item }),
                None => Ok(()),
            },
            News::ItemCompleted(it) => match self.names.item(&it.item) {
                Some(item) => self.say(&Event::Item { status: "completed", item }),
                None => Ok(()),
            },
            News::Error(it) => self.say(&Event::Error { message: &it.error.message }),
            News::Warning(it) => self.say(&Event::Warning { message: &it.message }),
            News::ThreadStarted(_)
            | News::ThreadStatusChanged(_)
            | News::TokenUsageUpdated(_)
            | News::TurnStarted(_)
            | News::TurnCompleted(_)
            | News::AgentMessageDelta(_)
            | News::ReasoningDelta(_)
            | News::CommandOutputDelta(_)
            | News::RealtimeStarted(_)
            | News::RealtimeTranscriptDelta(_)
            | News::RealtimeOutputAudioDelta(_)
            // The end says so, whatever it was.
            | News::RealtimeError(_)
            | News::RealtimeClosed(_)
            | News::RealtimeStage(_)
            | News::RealtimePlayback(_)
            | News::Unknown { .. } => Ok(()),
        }
    }

    fn answered(&mut self, latency: Latency, answer: Option<&str>) -> io::Result<()> {
        self.say(&Event::Latency(latency))?;
        match answer {
            Some(text) => self.say(&Event::Answer { text }),
            None => Ok(()),
        }
    }

    fn silenced(&mut self, silenced: Silenced) -> io::Result<()> {
        let Silenced { after_ms, dropped_ms } = silenced;
        self.say(&Event::Silenced { after_ms, dropped_ms })
    }

    fn resumed(&mut self, after_ms: u64) -> io::Result<()> {
        self.say(&Event::Resumed { after_ms })
    }

    fn lost_sound(&mut self, output: &Output) -> io::Result<()> {
        self.say(&Event::Warning { message: &super::lost_sound(output) })
    }

    fn ended(&mut self, report: &TalkReport, output: &Output) -> io::Result<()> {
        let TalkReport { exit, thread: _, answer, unfinished, deeds: _, kept, latency: _, rollout } =
            report;
        if let Some(message) = unfinished {
            self.say(&Event::Error { message })?;
        }
        let status = status(*exit);
        let output = output.path().filter(|_| *kept).map(|it| it.display().to_string());
        let rollout = rollout.as_deref();
        self.say(&Event::End { status, answer: answer.as_deref(), output, rollout })
    }

    fn has_screen(&self) -> bool {
        false
    }

    fn status(&mut self, _line: &str) -> io::Result<()> {
        Ok(())
    }

    fn failed(&mut self, error: &HeadlessError) -> io::Result<()> {
        self.end_without_answer(&error.to_string(), error.exit())
    }
}

fn status(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "done",
        Exit::Failed | Exit::Misused => "failed",
        Exit::NothingDone => "nothing_done",
        Exit::Interrupted | Exit::Terminated => "stopped",
    }
}
