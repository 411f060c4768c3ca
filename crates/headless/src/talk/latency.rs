//! How long each stage of a spoken request took, counted from the end of the question.

use std::fmt;

use app_server_protocol::StageName;
use serde::Serialize;

/// Milliseconds from the last sample of the question; negative where the stage came before
/// it (a file that ends with silence). Stages that did not happen are absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_stopped_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcribed_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handed_off_ms: Option<i64>,
    /// The first sound of the acknowledgement that the work has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_done_ms: Option<i64>,
    /// The first sound of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_done_ms: Option<i64>,
}

impl Latency {
    /// Of stages in the order in which they were reached, with their times in milliseconds
    /// since 1970, for a question that ended at `question_end_ms`.
    pub(crate) fn of(
        stages: impl IntoIterator<Item = (StageName, u64)>,
        question_end_ms: u64,
    ) -> Self {
        let mut latency = Self::default();
        for (stage, at_ms) in stages {
            let ms = Some(at_ms.cast_signed().wrapping_sub(question_end_ms.cast_signed()));
            match stage {
                StageName::SpeechStarted | StageName::ReplyBroken => {}
                // The last utterance is the one that was answered.
                StageName::SpeechStopped => {
                    latency = Self { speech_stopped_ms: ms, ..Self::default() };
                }
                StageName::Transcribed => latency.transcribed_ms = ms,
                StageName::HandedOff => latency.handed_off_ms = ms,
                StageName::FirstToken => latency.first_token_ms = latency.first_token_ms.or(ms),
                StageName::AgentDone => {
                    latency.agent_done_ms = ms;
                    // What sounded before the work was done acknowledged it.
                    latency.acknowledged_ms = latency.acknowledged_ms.or(latency.answer_ms.take());
                    latency.answer_done_ms = None;
                }
                StageName::FirstAudio => latency.answer_ms = latency.answer_ms.or(ms),
                StageName::ReplyDone => latency.answer_done_ms = ms,
            }
        }
        latency
    }
}

/// One line, in seconds.
impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            speech_stopped_ms,
            transcribed_ms,
            handed_off_ms,
            acknowledged_ms,
            first_token_ms,
            agent_done_ms,
            answer_ms,
            answer_done_ms,
        } = *self;
        f.write_str("latency")?;
        let mut between = ": ";
        for (name, ms) in [
            ("end of speech", speech_stopped_ms),
            ("transcript", transcribed_ms),
            ("handed off", handed_off_ms),
            ("acknowledged", acknowledged_ms),
            ("first token", first_token_ms),
            ("agent done", agent_done_ms),
            ("answer sounds", answer_ms),
            ("answer complete", answer_done_ms),
        ] {
            if let Some(ms) = ms {
                write!(f, "{between}{name} {:.2} s", ms as f64 / 1000.0)?;
                between = " · ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use StageName::*;

    use super::*;

    #[test]
    fn what_sounds_before_the_work_is_done_acknowledges_it() {
        let stages = [
            (SpeechStarted, 9_000),
            (SpeechStopped, 10_500),
            (Transcribed, 10_800),
            (HandedOff, 10_810),
            (FirstAudio, 10_900),
            (ReplyDone, 11_500),
            (FirstToken, 12_000),
            (FirstToken, 13_000),
            (AgentDone, 16_000),
            (FirstAudio, 16_500),
            (ReplyDone, 18_000),
        ];
        let latency = Latency::of(stages, 10_000);
        assert_eq!(
            latency.to_string(),
            "latency: end of speech 0.50 s · transcript 0.80 s · handed off 0.81 s · \
             acknowledged 0.90 s · first token 2.00 s · agent done 6.00 s · \
             answer sounds 6.50 s · answer complete 8.00 s"
        );
    }

    #[test]
    fn stages_that_did_not_happen_are_absent() {
        let latency = Latency::of([(SpeechStopped, 9_900), (FirstAudio, 10_300)], 10_000);
        assert_eq!(
            serde_json::to_string(&latency).unwrap(),
            r#"{"speech_stopped_ms":-100,"answer_ms":300}"#
        );
    }
}
