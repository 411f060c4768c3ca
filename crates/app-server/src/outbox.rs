//! What waits to be written to one client, and when it is too much.
//!
//! Answers and news keep their order. Deltas that wait are merged, so that a client that
//! reads slowly gets fewer and longer ones; nothing else is ever merged or dropped.

use std::collections::VecDeque;

use app_server_protocol::{ServerNotification, SpeakerName};

/// News a client may leave unread before it is disconnected.
pub(crate) const MAX_UNREAD_NEWS_BYTES: usize = 4 << 20;

/// Answers a client may leave unread before we stop reading its requests.
const MAX_UNREAD_ANSWERS: usize = 64;

/// What one write takes at most, so that what comes later can still be merged.
const BATCH_BYTES: usize = 64 << 10;

/// What an item's envelope costs besides its text, roughly.
const ENVELOPE_BYTES: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Entry>,
    answers: usize,
    news_bytes: usize,
    /// Whole lines on their way, and how much of them is written.
    batch: Vec<u8>,
    written: usize,
}

#[derive(Debug)]
enum Entry {
    Answer(String),
    News {
        line: String,
    },
    /// Text that may still grow.
    Delta {
        news: Box<ServerNotification>,
        bytes: usize,
    },
}

impl Outbox {
    pub(crate) fn answer(&mut self, line: String) {
        self.answers += 1;
        self.waiting.push_back(Entry::Answer(line));
    }

    pub(crate) fn tell(&mut self, mut news: ServerNotification) {
        let Some((text, more)) = delta(&mut news) else {
            let line = news.to_line();
            self.news_bytes += line.len();
            self.waiting.push_back(Entry::News { line });
            return;
        };
        if let Some(Entry::Delta { news: last, bytes }) = self.waiting.back_mut()
            && let Some((last_text, delta)) = delta(last)
            && last_text == text
        {
            delta.push_str(more);
            *bytes += more.len();
            self.news_bytes += more.len();
            return;
        }
        let bytes = more.len() + ENVELOPE_BYTES;
        self.news_bytes += bytes;
        self.waiting.push_back(Entry::Delta { news: Box::new(news), bytes });
    }

    /// Whether another request may be read.
    pub(crate) fn takes_answers(&self) -> bool {
        self.answers < MAX_UNREAD_ANSWERS
    }

    pub(crate) fn is_too_full(&self) -> bool {
        self.news_bytes > MAX_UNREAD_NEWS_BYTES
    }

    /// Makes what waits ready to be written, once the last batch is out.
    pub(crate) fn fill(&mut self) {
        if self.written < self.batch.len() {
            return;
        }
        self.batch.clear();
        self.written = 0;
        while self.batch.len() < BATCH_BYTES
            && let Some(entry) = self.waiting.pop_front()
        {
            match entry {
                Entry::Answer(line) => {
                    self.answers -= 1;
                    self.batch.extend_from_slice(line.as_bytes());
                }
                Entry::News { line } => {
                    self.news_bytes -= line.len();
                    self.batch.extend_from_slice(line.as_bytes());
                }
                Entry::Delta { news, bytes } => {
                    self.news_bytes -= bytes;
                    self.batch.extend_from_slice(news.to_line().as_bytes());
                }
            }
        }
    }

    /// What is to be written next; empty when there is nothing, see [`Outbox::fill`].
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.batch[self.written..]
    }

    pub(crate) fn wrote(&mut self, count: usize) {
        self.written = (self.written + count).min(self.batch.len());
    }
}

/// A text that grows: deltas of the same one can be put together.
#[derive(PartialEq)]
enum Text<'a> {
    Message(&'a str),
    Reasoning(&'a str, u32),
    Output(&'a str),
    Transcript(&'a str, SpeakerName),
}

/// Which text this is a piece of, and the piece.
fn delta(news: &mut ServerNotification) -> Option<(Text<'_>, &mut String)> {
    use ServerNotification as News;
    match news {
        News::AgentMessageDelta(it) => Some((Text::Message(&it.item_id), &mut it.delta)),
        News::ReasoningDelta(it) => {
            Some((Text::Reasoning(&it.item_id, it.summary_index), &mut it.delta))
        }
        News::CommandOutputDelta(it) => Some((Text::Output(&it.item_id), &mut it.delta)),
        News::RealtimeTranscriptDelta(it) => {
            Some((Text::Transcript(&it.thread_id, it.role), &mut it.delta))
        }
        News::ThreadStarted(_)
        | News::ThreadStatusChanged(_)
        | News::TokenUsageUpdated(_)
        | News::TurnStarted(_)
        | News::TurnCompleted(_)
        | News::ItemStarted(_)
        | News::ItemCompleted(_)
        | News::Error(_)
        | News::Warning(_)
        | News::RealtimeStarted(_)
        | News::RealtimeItemAdded(_)
        | News::RealtimeTranscriptDone(_)
        | News::RealtimeOutputAudioDelta(_)
        | News::RealtimeError(_)
        | News::RealtimeClosed(_)
        | News::RealtimeStage(_)
        | News::RealtimePlayback(_)
        | News::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use app_server_protocol::{AgentMessageDelta, WarningNotice};

    use super::*;

    fn delta(item: &str, text: &str) -> ServerNotification {
        ServerNotification::AgentMessageDelta(AgentMessageDelta {
            thread_id: "t".into(),
            turn_id: "u".into(),
            item_id: item.into(),
            delta: text.into(),
        })
    }

    fn warning(message: &str) -> ServerNotification {
        ServerNotification::Warning(WarningNotice { thread_id: None, message: message.into() })
    }

    /// Everything that waits, as `method text`, without writing it.
    fn waiting(outbox: &mut Outbox) -> Vec<String> {
        outbox.fill();
        let text = String::from_utf8(outbox.bytes().to_vec()).unwrap();
        outbox.wrote(usize::MAX);
        let shown = |line: &str| {
            let message: serde_json::Value = serde_json::from_str(line).unwrap();
            let params = &message["params"];
            let text = params["delta"].as_str().or(params["message"].as_str()).unwrap_or("");
            format!("{} {text}", message["method"].as_str().unwrap_or("answer"))
        };
        text.lines().map(shown).collect()
    }

    #[test]
    fn waiting_deltas_of_one_item_become_one() {
        let mut outbox = Outbox::default();
        for text in ["a", "b", "c"] {
            outbox.tell(delta("1", text));
        }
        outbox.tell(delta("2", "d"));
        outbox.tell(warning("w"));
        outbox.tell(delta("2", "e"));
        outbox.answer("{\"id\":1,\"result\":{}}\n".into());
        outbox.tell(delta("2", "f"));
        let expected = [
            "item/agentMessage/delta abc",
            "item/agentMessage/delta d",
            "warning w",
            "item/agentMessage/delta e",
            "answer ",
            "item/agentMessage/delta f",
        ];
        assert_eq!(waiting(&mut outbox), expected);
        assert_eq!((outbox.news_bytes, outbox.answers), (0, 0));
    }

    #[test]
    fn what_is_being_written_is_not_changed() {
        let mut outbox = Outbox::default();
        outbox.tell(delta("1", "a"));
        outbox.fill();
        let batch = outbox.bytes().to_vec();
        outbox.wrote(3);
        outbox.tell(delta("1", "b"));
        outbox.fill();
        assert_eq!(outbox.bytes(), &batch[3..]);
        outbox.wrote(batch.len());
        assert_eq!(waiting(&mut outbox), ["item/agentMessage/delta b"]);
    }

    #[test]
    fn unread_answers_stop_the_reading_and_unread_news_end_it() {
        let mut outbox = Outbox::default();
        for _ in 0..MAX_UNREAD_ANSWERS {
            assert!(outbox.takes_answers());
            outbox.answer("{}\n".into());
        }
        assert!(!outbox.takes_answers());
        assert!(!outbox.is_too_full());
        outbox.fill();
        assert!(outbox.takes_answers());

        let line = "x".repeat(1 << 20);
        for _ in 0..4 {
            outbox.tell(warning(&line));
        }
        assert!(outbox.is_too_full());
    }
}
