//! The answer's text on standard output; steps, captions and latency on standard error.

use std::io;

use app_server_protocol::{ServerNotification, SpeakerName, ThreadStartResult};

use super::{Latency, Output, Silenced, TalkReport, View};
use crate::console::Console;
use crate::exit::{Exit, HeadlessError};
use crate::steps;

pub(super) struct People<'a> {
    console: &'a mut Console,
    captions: bool,
}

impl<'a> People<'a> {
    pub(super) fn new(console: &'a mut Console, captions: bool) -> Self {
        Self { console, captions }
    }

    /// What was heard is always shown: it may not be what was said.
    fn shows(&self, speaker: SpeakerName) -> bool {
        match speaker {
            SpeakerName::User => true,
            SpeakerName::Assistant => self.captions,
        }
    }
}

impl View for People<'_> {
    fn started(&mut self, thread: &ThreadStartResult) -> io::Result<()> {
        let ThreadStartResult { cwd, model, model_provider, thread, .. } = thread;
        self.console
            .aside(&format!("in {cwd}, with {model} of {model_provider}, session {}", thread.id))
    }

    fn devices(&mut self, microphone: Option<&str>, speaker: Option<&str>) -> io::Result<()> {
        let echo = "wear headphones, or the voice hears itself";
        match (microphone, speaker) {
            (Some(microphone), Some(speaker)) => self.console.note(format_args!(
                "listening to {microphone}, speaking through {speaker}: {echo}; Ctrl-C ends"
            )),
            (Some(microphone), None) => {
                self.console.note(format_args!("listening to {microphone}; Ctrl-C ends"))
            }
            (None, Some(speaker)) => self.console.note(format_args!("speaking through {speaker}")),
            (None, None) => Ok(()),
        }
    }

    fn news(&mut self, news: &ServerNotification) -> io::Result<()> {
        use ServerNotification as News;
        match news {
            News::RealtimeTranscriptDelta(it) if self.shows(it.role) => {
                self.console.caption(it.role, &it.delta)
            }
            News::RealtimeTranscriptDone(it) if self.shows(it.role) => {
                self.console.captioned(it.role, &it.text)
            }
            News::ItemStarted(it) => steps::started(self.console, &it.item),
            News::ItemCompleted(it) => steps::completed(self.console, &it.item),
            News::Error(it) if it.will_retry => {
                self.console.note(format_args!("trying again: {}", it.error.message))
            }
            News::Error(it) => self.console.note(format_args!("error: {}", it.error.message)),
            News::Warning(it) => self.console.note(format_args!("warning: {}", it.message)),
            News::RealtimeTranscriptDelta(_)
            | News::RealtimeTranscriptDone(_)
            | News::ThreadStarted(_)
            | News::ThreadStatusChanged(_)
            | News::TokenUsageUpdated(_)
            | News::TurnStarted(_)
            | News::TurnCompleted(_)
            | News::AgentMessageDelta(_)
            | News::ReasoningDelta(_)
            | News::CommandOutputDelta(_)
            | News::RealtimeStarted(_)
            | News::RealtimeItemAdded(_)
            | News::RealtimeOutputAudioDelta(_)
            | News::RealtimeError(_)
            | News::RealtimeClosed(_)
            | News::RealtimeStage(_)
            | News::RealtimePlayback(_)
            | News::Unknown { .. } => Ok(()),
        }
    }

    fn answered(&mut self, latency: Latency, answer: Option<&str>) -> io::Result<()> {
        self.console.note(latency)?;
        match answer {
            Some(answer) => self.console.answer(answer.trim_end()),
            None => Ok(()),
        }
    }

    fn silenced(&mut self, silenced: Silenced) -> io::Result<()> {
        let Silenced { after_ms, dropped_ms } = silenced;
        self.console.note(format_args!(
            "silenced {:.2} s after you were heard, {:.2} s unsaid",
            after_ms as f64 / 1000.0,
            dropped_ms as f64 / 1000.0,
        ))
    }

    fn resumed(&mut self, _after_ms: u64) -> io::Result<()> {
        // It is heard.
        Ok(())
    }

    fn lost_sound(&mut self, output: &Output) -> io::Result<()> {
        self.console.note(format_args!("warning: {}", super::lost_sound(output)))
    }

    fn ended(&mut self, report: &TalkReport, output: &Output) -> io::Result<()> {
        if let Some(summary) = &report.deeds {
            self.console.note(summary)?;
        }
        match report.exit {
            Exit::Interrupted | Exit::Terminated => self.console.note("interrupted")?,
            Exit::Done | Exit::Failed | Exit::Misused | Exit::NothingDone => {}
        }
        match output {
            Output::Wav(_) if !report.kept => {}
            Output::Wav(path) => {
                self.console.note(format_args!("the spoken answer is in {}", path.display()))?;
            }
            // It has been heard.
            Output::Raw(_) | Output::Speaker(_) => {}
        }
        match &report.unfinished {
            Some(why) => self.console.note(format_args!("error: {why}")),
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
        self.console.clear_status()
    }
}
