//! Speech over a reply: is the floor wanted, or does somebody only cough, or say "uh-huh"?
//!
//! The reply is held meanwhile, so nothing presses: whoever wants the floor has it, and an answer
//! that goes on a second later has lost nothing. What counts is what was said, and, until that is
//! written down, for how long.

use std::time::Duration;

use protocol::{ItemId, utterance};
use stdx::Time;

/// Nobody listens that long with their voice: from here on it is a request, whatever it says.
const LONGEST_BACKCHANNEL: Duration = Duration::from_millis(1_500);

/// How long the words may take once the speech is over. A recogniser on a busy machine needs a
/// second or two for a few words; one that is slower has forgotten them.
const WORDS_PATIENCE: Duration = Duration::from_secs(6);

#[derive(Debug, Default)]
pub(crate) struct Overlap {
    state: State,
    /// What was said over this reply so far. Words of other items are not about it.
    items: Vec<Option<ItemId>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    None,
    Speaking(Time),
    /// Its words are not known.
    Spoken(Time),
}

/// What becomes of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    GoesOn,
    IsCut,
}

impl Overlap {
    pub(crate) fn is_open(&self) -> bool {
        self.state != State::None
    }

    /// Speech began over a reply, or goes on in what is held for it.
    pub(crate) fn speech_started(&mut self, item: Option<ItemId>, now: Time) {
        self.state = State::Speaking(now);
        self.items.push(item);
    }

    pub(crate) fn speech_stopped(&mut self, now: Time) {
        if let State::Speaking(_) = self.state {
            self.state = State::Spoken(now);
        }
    }

    /// What was said in `item`; empty for what is no speech.
    pub(crate) fn words(&mut self, item: Option<&ItemId>, text: &str) -> Option<Verdict> {
        let is_about_it = item.is_none() || self.items.iter().any(|it| it.as_ref() == item);
        if !self.is_open() || !is_about_it {
            return None;
        }
        let is_nothing = !text.chars().any(char::is_alphanumeric);
        if !is_nothing && !utterance::is_backchannel(text) {
            return Some(self.close(Verdict::IsCut));
        }
        let is_last = item.is_none() || self.items.last().is_some_and(|it| it.as_ref() == item);
        match self.state {
            // It may still turn into a sentence.
            State::Speaking(_) => None,
            State::Spoken(_) if is_last => Some(self.close(Verdict::GoesOn)),
            State::Spoken(_) | State::None => None,
        }
    }

    /// Nobody will know what was said in `item`.
    pub(crate) fn no_words(&mut self, item: Option<&ItemId>) -> Option<Verdict> {
        let is_about_it = item.is_none() || self.items.iter().any(|it| it.as_ref() == item);
        (self.is_open() && is_about_it).then(|| self.close(Verdict::IsCut))
    }

    pub(crate) fn tick(&mut self, now: Time) -> Option<Verdict> {
        (self.deadline()? <= now).then(|| self.close(Verdict::IsCut))
    }

    /// When [`Self::tick`] has a verdict, if nothing else happens.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::None => None,
            State::Speaking(since) => Some(since + LONGEST_BACKCHANNEL),
            State::Spoken(since) => Some(since + WORDS_PATIENCE),
        }
    }

    fn close(&mut self, verdict: Verdict) -> Verdict {
        *self = Self::default();
        verdict
    }
}
