//! Who said what, from deltas and finals in any mixture, each word once.
//!
//! Services differ: deltas and a final, a final alone, deltas alone; and the words of the
//! user come late, when the answer is being spoken already. An utterance takes its place
//! when it begins, so that the order is the order of speaking.
//!
//! It never holds more than [`MAX_LINES`] utterances of [`MAX_LINE_BYTES`].

use std::collections::VecDeque;

use protocol::{ItemId, Speaker, TranscriptLine};

/// More utterances than people make before they want something done.
const MAX_LINES: usize = 64;

/// Twenty minutes of speech in one utterance. What comes after is passed on, but not kept.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// What goes along with one handoff: about 2000 tokens, the newest.
const MAX_CONTEXT_BYTES: usize = 8 * 1024;

/// Utterances whose end is remembered, so that an end said twice counts once.
const MAX_FINISHED: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Transcript {
    lines: VecDeque<Line>,
    finished: VecDeque<(Speaker, ItemId)>,
}

#[derive(Debug)]
struct Line {
    speaker: Speaker,
    item: Option<ItemId>,
    text: String,
    state: State,
    context: Context,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Done,
}

/// Whether a handoff took this utterance along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    New,
    Taken,
}

/// A whole utterance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) speaker: Speaker,
    pub(crate) item: Option<ItemId>,
    pub(crate) text: String,
    /// What no delta had said.
    pub(crate) missing: Option<String>,
}

/// What to do with a delta.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Utterances that end because another one begins.
    pub(crate) finished: Vec<Finished>,
    /// Whether the delta is news.
    pub(crate) fresh: bool,
}

impl Transcript {
    /// Keeps a place for the words of the user, which come later.
    pub(crate) fn speech_started(&mut self, item: Option<&ItemId>) {
        if item.is_some() && self.open(Speaker::User, item).is_none() {
            self.push(Speaker::User, item);
        }
    }

    pub(crate) fn delta(&mut self, speaker: Speaker, item: Option<&ItemId>, delta: &str) -> Heard {
        if delta.is_empty() || self.is_finished(speaker, item) {
            return Heard { finished: Vec::new(), fresh: false };
        }
        // Without ids, the other side's turn is what ends an utterance.
        let finished = match item {
            None => self.finish_where(|it| it.item.is_none() && it.speaker != speaker),
            Some(_) => Vec::new(),
        };
        let index = self.open(speaker, item).unwrap_or_else(|| self.push(speaker, item));
        if let Some(line) = self.lines.get_mut(index)
            && line.text.len() + delta.len() <= MAX_LINE_BYTES
        {
            line.text.push_str(delta);
        }
        Heard { finished, fresh: true }
    }

    /// The whole utterance. `None` if it was finished already, or is empty.
    pub(crate) fn finish(
        &mut self,
        speaker: Speaker,
        item: Option<&ItemId>,
        text: &str,
    ) -> Option<Finished> {
        if self.is_finished(speaker, item) {
            return None;
        }
        let index = self.open(speaker, item).unwrap_or_else(|| self.push(speaker, item));
        let line = self.lines.get_mut(index)?;
        let missing = text.strip_prefix(line.text.as_str()).filter(|rest| !rest.is_empty());
        let missing = missing.map(str::to_owned);
        text.trim().clone_into(&mut line.text);
        self.close(index, missing)
    }

    /// The utterance will not come.
    pub(crate) fn fail(&mut self, speaker: Speaker, item: Option<&ItemId>) -> Option<Finished> {
        let index = self.open(speaker, item)?;
        self.close(index, None)
    }

    /// Everything of `speaker` that is still open ends here.
    pub(crate) fn flush(&mut self, speaker: Speaker) -> Vec<Finished> {
        self.finish_where(|it| it.speaker == speaker)
    }

    /// What was said since the last handoff, the newest that fits. An utterance that is
    /// still growing counts as said: its rest does not go along with the next handoff.
    pub(crate) fn take(&mut self) -> Vec<TranscriptLine> {
        let mut room = MAX_CONTEXT_BYTES;
        let mut taken = Vec::new();
        for line in self.lines.iter_mut().rev().filter(|it| it.context == Context::New) {
            line.context = Context::Taken;
            let text = line.text.trim();
            room = room.saturating_sub(text.len());
            if !text.is_empty() && 0 < room {
                taken.push(TranscriptLine { speaker: line.speaker, text: text.to_owned() });
            }
        }
        self.lines.retain(|it| it.state == State::Open);
        taken.reverse();
        taken
    }

    fn open(&self, speaker: Speaker, item: Option<&ItemId>) -> Option<usize> {
        self.lines.iter().rposition(|it| {
            it.state == State::Open && it.speaker == speaker && it.item.as_ref() == item
        })
    }

    /// Whether its end was said before. Without an id nobody knows.
    pub(crate) fn is_finished(&self, speaker: Speaker, item: Option<&ItemId>) -> bool {
        item.is_some_and(|item| self.finished.iter().any(|(who, it)| *who == speaker && it == item))
    }

    fn push(&mut self, speaker: Speaker, item: Option<&ItemId>) -> usize {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(Line {
            speaker,
            item: item.cloned(),
            text: String::new(),
            state: State::Open,
            context: Context::New,
        });
        self.lines.len() - 1
    }

    fn finish_where(&mut self, ends: impl Fn(&Line) -> bool) -> Vec<Finished> {
        let mut finished = Vec::new();
        while let Some(index) = self.lines.iter().position(|it| it.state == State::Open && ends(it))
        {
            finished.extend(self.close(index, None));
        }
        finished
    }

    /// Keeps the line only where a handoff may still want it.
    fn close(&mut self, index: usize, missing: Option<String>) -> Option<Finished> {
        let line = self.lines.get_mut(index)?;
        line.state = State::Done;
        let (speaker, item, text) = (line.speaker, line.item.clone(), line.text.trim().to_owned());
        if text.is_empty() || line.context == Context::Taken {
            self.lines.remove(index);
        }
        if let Some(item) = &item {
            if self.finished.len() == MAX_FINISHED {
                self.finished.pop_front();
            }
            self.finished.push_back((speaker, item.clone()));
        }
        (!text.is_empty()).then_some(Finished { speaker, item, text, missing })
    }
}
