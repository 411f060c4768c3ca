//! When a spoken exchange is over: a pure machine over the news of one thread.
//!
//! No message says "that was all": a reply may be the acknowledgement of work that goes on,
//! and work may be followed by one more reply. The exchange is over when the question was
//! fed, something was heard, no work is open, a reply was finished after the last thing that
//! calls for one, and nothing more happened for a moment. Work is open from its handoff on: what
//! is said before its turn has ended only acknowledges it.

use std::time::Duration;

use stdx::Time;

/// Quiet after a finished reply that makes it the last one.
const GRACE: Duration = Duration::from_millis(1000);

/// For a reply that nobody owes, and that may come all the same.
const UNOWED_PATIENCE: Duration = Duration::from_secs(10);

/// Speech models may have to be loaded from a slow disk before anything is heard.
const HEARING_PATIENCE: Duration = Duration::from_secs(30);

/// From the last sign of life to a reply. Synthesising the first sentence on a busy machine
/// takes a few seconds, loading the voice some more.
const REPLY_PATIENCE: Duration = Duration::from_secs(60);

/// What happened, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The last sample of the question was fed.
    InputEnded,
    /// As [`Sign::InputEnded`], and there was nothing in it that anybody could hear.
    SilenceEnded,
    /// Of the silence behind the question so much was heard that a voice which counts time in
    /// sound has heard all of the question.
    Listened,
    /// The input waits for the end of the exchange.
    InputPaused,
    InputResumed,
    SpeechStarted,
    SpeechStopped,
    /// The words of an utterance.
    Understood,
    /// An utterance was written down, or could not be. Without [`Sign::Understood`] before it,
    /// there were no words in it.
    Transcribed,
    /// Somebody begins to speak over an answer, which waits.
    Held,
    /// What was said since it is held asks for nothing: it is a cough, or an "uh-huh" over an answer
    /// that goes on.
    SaidAside,
    /// Neither of what follows, but somebody is at work.
    Alive,
    /// Sound or words of a reply.
    Replying,
    ReplyDone,
    /// A reply that came to nothing: cut short, cancelled, failed.
    ReplyBroken,
    HandedOff,
    /// What was handed off came to its end, with a turn or without one.
    HandoffDone,
    /// The agent reads what a turn is to know, for as long as that takes.
    TurnPreparing,
    /// No turn runs, and none is prepared.
    AtRest,
    TurnStarted,
    TurnEnded,
}

/// How an exchange ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    NothingHeard,
    /// Somebody spoke, but no words came of it.
    NotUnderstood,
    /// Something was heard, and no reply came, or a broken one.
    Unanswered,
}

/// Who has the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floor {
    Free,
    /// Somebody speaks, as far as it was heard.
    User,
    /// An utterance waits for the end of its answer.
    Owed,
}

#[derive(Debug, Default)]
pub(crate) struct Exchange {
    input_ended: bool,
    /// Nothing in the input can be heard.
    silent: bool,
    /// Whoever spoke in it was heard by now.
    listened: bool,
    heard: bool,
    user_speaks: bool,
    /// Utterances that are not written down yet.
    unwritten: u32,
    /// The words of the next one that will be.
    words: bool,
    /// It asks for nothing, whatever its words are.
    aside: bool,
    dawn: Dawn,
    turns: u32,
    reply: Reply,
    /// What it was before the utterance that called for one.
    before: Before,
    /// What it was before the answer was held that somebody speaks over.
    held: Option<Before>,
    /// There is a result that no reply has begun to tell: one that began before the work
    /// ended only acknowledges it.
    untold: bool,
    last_sign: Time,
}

/// Work whose turn has not started.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Dawn {
    #[default]
    None,
    /// It is said that there is some, and nobody has begun with it.
    HandedOff,
    /// A turn is being prepared.
    Preparing,
}

/// The reply to the last thing that called for one.
#[derive(Debug, Default, PartialEq, Eq)]
enum Reply {
    #[default]
    Owed,
    /// It has begun, and is not over.
    Sounding,
    Given,
    Broken,
    /// There was an utterance without words: nobody has to answer it, though a service may.
    Needless,
}

/// What is owed if the last utterance turns out to be without words.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing: it is the first.
    #[default]
    Nothing,
    /// A reply to words.
    Owed,
    Sounding,
    Given,
    Broken,
}

impl Exchange {
    pub(crate) fn note(&mut self, sign: Sign, now: Time) {
        if sign == Sign::Listened && self.heard {
            // Nothing that anybody waits for.
            return;
        }
        self.last_sign = now;
        match sign {
            Sign::InputEnded | Sign::InputPaused => self.input_ended = true,
            Sign::InputResumed => self.input_ended = false,
            Sign::SilenceEnded => {
                self.input_ended = true;
                self.silent = true;
            }
            Sign::Listened => self.listened = true,
            Sign::SpeechStarted => {
                self.heard = true;
                self.user_speaks = true;
                self.call_for_reply();
            }
            Sign::SpeechStopped => {
                self.heard = true;
                self.user_speaks = false;
                self.unwritten += 1;
                self.call_for_reply();
            }
            Sign::Held => self.held = Some(self.before_speech()),
            Sign::SaidAside => {
                self.aside = true;
                // Words that were written down meanwhile asked for nothing either.
                self.before = self.held.take().unwrap_or(self.before);
            }
            Sign::Understood if self.aside => {}
            Sign::Understood => {
                self.words = true;
                self.before = Before::Owed;
                if self.reply == Reply::Needless {
                    self.reply = Reply::Owed;
                }
            }
            Sign::Transcribed => {
                self.unwritten = self.unwritten.saturating_sub(1);
                let words = std::mem::take(&mut self.words);
                self.aside = false;
                if !words && self.unwritten == 0 && self.reply == Reply::Owed && !self.untold {
                    self.reply = match self.before {
                        Before::Nothing => Reply::Needless,
                        Before::Owed => Reply::Owed,
                        Before::Sounding => Reply::Sounding,
                        Before::Given => Reply::Given,
                        Before::Broken => Reply::Broken,
                    };
                }
            }
            Sign::Alive => {}
            Sign::Replying => {
                if self.reply != Reply::Sounding {
                    self.reply = Reply::Sounding;
                    self.untold = false;
                }
            }
            Sign::ReplyDone => self.reply = if self.untold { Reply::Owed } else { Reply::Given },
            Sign::ReplyBroken => self.reply = if self.untold { Reply::Owed } else { Reply::Broken },
            Sign::HandedOff => match self.dawn {
                Dawn::None if self.turns == 0 => self.dawn = Dawn::HandedOff,
                // One that steers a turn starts none.
                Dawn::None | Dawn::HandedOff | Dawn::Preparing => {}
            },
            Sign::HandoffDone => match self.dawn {
                Dawn::HandedOff => {
                    self.dawn = Dawn::None;
                    self.owe_result();
                }
                Dawn::None | Dawn::Preparing => {}
            },
            Sign::TurnPreparing => {
                if self.turns == 0 {
                    self.dawn = Dawn::Preparing;
                }
            }
            Sign::AtRest => match self.dawn {
                Dawn::Preparing => {
                    self.dawn = Dawn::None;
                    self.owe_result();
                }
                Dawn::None | Dawn::HandedOff => {}
            },
            Sign::TurnStarted => {
                self.dawn = Dawn::None;
                self.turns += 1;
            }
            Sign::TurnEnded => {
                self.turns = self.turns.saturating_sub(1);
                self.owe_result();
            }
        }
    }

    fn owe_result(&mut self) {
        self.untold = true;
        if self.reply != Reply::Sounding {
            self.reply = Reply::Owed;
        }
    }

    fn call_for_reply(&mut self) {
        self.before = self.before_speech();
        self.reply = Reply::Owed;
    }

    /// What is owed, should nothing come of what is said next.
    fn before_speech(&self) -> Before {
        match self.reply {
            Reply::Owed => self.before,
            Reply::Given => Before::Given,
            // Whoever speaks may cut it short, which is told.
            Reply::Sounding => Before::Sounding,
            Reply::Broken => Before::Broken,
            Reply::Needless => Before::Nothing,
        }
    }

    pub(crate) fn floor(&self) -> Floor {
        let owed = match self.reply {
            Reply::Owed | Reply::Sounding | Reply::Broken => self.heard,
            Reply::Given | Reply::Needless => false,
        };
        if self.user_speaks {
            Floor::User
        } else if owed || 0 < self.turns || self.dawn != Dawn::None {
            Floor::Owed
        } else {
            Floor::Free
        }
    }

    /// When everything that was said so far counts as answered, whether or not more will be said.
    pub(crate) fn answered_at(&self) -> Option<Time> {
        match self.patience_for_answer()? {
            (patience, Outcome::Answered) => Some(self.last_sign + patience),
            (_, Outcome::NothingHeard | Outcome::NotUnderstood | Outcome::Unanswered) => None,
        }
    }

    /// When [`Exchange::outcome`] is worth another look although nothing happened.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.patience().map(|(patience, _)| self.last_sign + patience)
    }

    pub(crate) fn outcome(&self, now: Time) -> Option<Outcome> {
        let (patience, outcome) = self.patience()?;
        (self.last_sign + patience <= now).then_some(outcome)
    }

    /// How long to wait for the next sign, and what its absence means. `None` while what we
    /// wait for has limits of its own: the input, a turn of the agent and what goes before it.
    fn patience(&self) -> Option<(Duration, Outcome)> {
        if !self.input_ended {
            return None;
        }
        self.patience_for_answer()
    }

    fn patience_for_answer(&self) -> Option<(Duration, Outcome)> {
        if self.turns > 0 || self.dawn == Dawn::Preparing {
            return None;
        }
        if !self.heard && (self.silent || self.listened) {
            return Some((Duration::ZERO, Outcome::NothingHeard));
        }
        if !self.heard {
            return Some((HEARING_PATIENCE, Outcome::NothingHeard));
        }
        if self.user_speaks {
            return Some((REPLY_PATIENCE, Outcome::Unanswered));
        }
        if self.dawn == Dawn::HandedOff {
            return Some((REPLY_PATIENCE, Outcome::Unanswered));
        }
        Some(match self.reply {
            Reply::Given => (GRACE, Outcome::Answered),
            Reply::Owed | Reply::Sounding => (REPLY_PATIENCE, Outcome::Unanswered),
            // Speech models that listen by themselves may have understood more than was written.
            Reply::Needless => (UNOWED_PATIENCE, Outcome::NotUnderstood),
            // Whoever cut it short may say another one.
            Reply::Broken => (UNOWED_PATIENCE, Outcome::Unanswered),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays signs at seconds, then says when and how the exchange ends by itself.
    #[track_caller]
    fn check(signs: &[(u64, Sign)], expected: Option<(u64, Outcome)>) {
        let mut exchange = Exchange::default();
        for (second, sign) in signs {
            let now = Time::from_millis(second * 1000);
            assert_eq!(exchange.outcome(now), None, "before {sign:?} at {second} s");
            exchange.note(*sign, now);
        }
        let ended = exchange.deadline().map(|at| {
            let just_before = at - Time::ZERO - Duration::from_millis(1);
            assert_eq!(exchange.outcome(Time::from_start(just_before)), None);
            (at.since_start().as_secs(), exchange.outcome(at).unwrap())
        });
        assert_eq!(ended, expected);
    }

    #[test]
    fn work_is_acknowledged_done_and_reported() {
        use Sign::*;
        let signs = [
            (1, SpeechStarted),
            (3, InputEnded),
            (4, SpeechStopped),
            (4, HandedOff),
            (4, TurnStarted),
            (5, ReplyDone),
            (20, TurnEnded),
            (22, Replying),
            (23, ReplyDone),
        ];
        check(&signs, Some((24, Outcome::Answered)));
        check(&signs[..6], None);
        check(&signs[..8], Some((82, Outcome::Unanswered)));
    }

    /// Somebody coughs while the answer sounds, or says "uh-huh": it goes on, and counts.
    #[test]
    fn an_aside_calls_for_no_reply() {
        use Sign::*;
        let aside = |before: Sign| {
            vec![
                (1, SpeechStarted),
                (2, SpeechStopped),
                (3, InputEnded),
                (3, Understood),
                (3, Transcribed),
                (4, Replying),
                (4, before),
                (4, Held),
                (4, SpeechStarted),
                (6, SpeechStopped),
                (7, SaidAside),
                (7, Understood),
                (7, Transcribed),
            ]
        };
        check(&aside(ReplyDone), Some((8, Outcome::Answered)));
        // Two of them: the words of the first come while the second is spoken.
        let mut two = aside(ReplyDone);
        two.splice(
            9..9,
            [(5, SpeechStopped), (5, SpeechStarted), (5, Understood), (5, Transcribed)],
        );
        check(&two, Some((8, Outcome::Answered)));
        let mut sounding = aside(Replying);
        check(&sounding, Some((67, Outcome::Unanswered)));
        sounding.push((9, ReplyDone));
        check(&sounding, Some((10, Outcome::Answered)));
    }

    /// Its first sentence was said long ago: the rest of it is still being made.
    #[test]
    fn a_reply_that_has_begun_is_heard_to_its_end() {
        use Sign::*;
        let signs = [
            (1, SpeechStarted),
            (2, SpeechStopped),
            (3, InputEnded),
            (4, ReplyDone),
            (4, Replying),
            (30, Replying),
            (50, ReplyDone),
        ];
        check(&signs, Some((51, Outcome::Answered)));
        check(&signs[..6], Some((90, Outcome::Unanswered)));
    }

    /// A turn that is over before it was acknowledged: the end of the acknowledgement is not
    /// the end of the answer.
    #[test]
    fn an_acknowledgement_is_not_the_result() {
        use Sign::*;
        let signs = [
            (1, SpeechStarted),
            (2, SpeechStopped),
            (3, InputEnded),
            (3, Replying),
            (3, HandedOff),
            (3, TurnStarted),
            (4, TurnEnded),
            (5, Replying),
            (6, ReplyDone),
            (9, Replying),
            (20, ReplyDone),
        ];
        check(&signs, Some((21, Outcome::Answered)));
        check(&signs[..9], Some((66, Outcome::Unanswered)));
        // Of a reply that only calls the agent nothing sounds.
        let silent = [
            (1, SpeechStarted),
            (2, SpeechStopped),
            (3, InputEnded),
            (3, TurnStarted),
            (4, TurnEnded),
            (4, ReplyDone),
        ];
        check(&silent, Some((64, Outcome::Unanswered)));
    }

    #[test]
    fn a_reply_without_work_is_the_answer() {
        use Sign::*;
        let signs = [(1, SpeechStarted), (2, SpeechStopped), (3, InputEnded), (5, ReplyDone)];
        check(&signs, Some((6, Outcome::Answered)));
    }

    #[test]
    fn the_turn_may_start_before_its_handoff_is_told() {
        use Sign::*;
        let signs = [
            (1, SpeechStarted),
            (2, SpeechStopped),
            (3, InputEnded),
            (3, TurnStarted),
            (3, HandedOff),
            (4, TurnEnded),
            (5, Replying),
            (5, ReplyDone),
        ];
        check(&signs, Some((6, Outcome::Answered)));
    }

    /// A repository on a slow disk is looked at before the turn starts.
    #[test]
    fn an_acknowledged_handoff_is_no_answer_however_long_its_turn_is_prepared() {
        use Sign::*;
        let signs = [
            (1, SpeechStarted),
            (2, SpeechStopped),
            (3, InputEnded),
            (3, HandedOff),
            (4, Replying),
            (5, ReplyDone),
            (5, TurnPreparing),
            (400, TurnStarted),
            (500, TurnEnded),
            (500, HandoffDone),
            (501, Replying),
            (502, ReplyDone),
        ];
        check(&signs, Some((503, Outcome::Answered)));
        check(&signs[..7], None);
        // Nobody says that it is taken up.
        check(&signs[..6], Some((65, Outcome::Unanswered)));
        // One that is prepared and then given up.
        let given_up = [&signs[..7], &[(6, AtRest)]].concat();
        check(&given_up, Some((66, Outcome::Unanswered)));
    }

    /// "Stop" where nothing runs, or a call of the agent without a request.
    #[test]
    fn a_handoff_without_work_ends_with_its_reply() {
        use Sign::*;
        let signs = [
            (1, SpeechStarted),
            (2, SpeechStopped),
            (3, InputEnded),
            (3, HandedOff),
            (3, HandoffDone),
            // Of the reply that called the agent.
            (4, ReplyDone),
            (5, Replying),
            (6, ReplyDone),
        ];
        check(&signs, Some((7, Outcome::Answered)));
        check(&signs[..6], Some((64, Outcome::Unanswered)));
    }

    #[test]
    fn a_file_with_two_questions_is_fed_to_its_end() {
        use Sign::*;
        let signs = [(1, SpeechStarted), (2, SpeechStopped), (4, ReplyDone), (30, SpeechStarted)];
        check(&signs, None);
    }

    /// Of somebody who may go on speaking.
    #[test]
    fn each_question_of_a_conversation_is_answered_in_its_time() {
        use Sign::*;
        let check = |signs: &[(u64, Sign)], expected: Option<u64>| {
            let mut exchange = Exchange::default();
            for (second, sign) in signs {
                exchange.note(*sign, Time::from_millis(second * 1000));
            }
            let answered = exchange.answered_at().map(|at| at.since_start().as_secs());
            assert_eq!(answered, expected, "{signs:?}");
        };
        let signs = [
            (1, SpeechStarted),
            (2, SpeechStopped),
            (3, HandedOff),
            (3, TurnStarted),
            (4, ReplyDone),
            (9, TurnEnded),
            (10, Replying),
            (12, ReplyDone),
            (20, SpeechStarted),
        ];
        check(&[], None);
        check(&signs[..5], None);
        check(&signs[..7], None);
        check(&signs[..8], Some(13));
        check(&signs, None);
    }

    #[test]
    fn silence_and_broken_replies_have_names() {
        use Sign::*;
        check(&[(3, InputEnded)], Some((33, Outcome::NothingHeard)));
        check(&[(3, SilenceEnded)], Some((3, Outcome::NothingHeard)));
        check(&[(3, InputEnded), (9, Listened)], Some((9, Outcome::NothingHeard)));
        let late = [(3, InputEnded), (8, SpeechStarted), (9, Listened), (9, SpeechStopped)];
        check(&late, Some((69, Outcome::Unanswered)));
        check(
            &[(1, SpeechStarted), (2, SpeechStopped), (3, InputEnded), (4, ReplyBroken)],
            Some((14, Outcome::Unanswered)),
        );
    }
    #[test]
    fn sound_without_words_calls_for_no_reply() {
        use Sign::*;
        let cough = [(1, SpeechStarted), (2, SpeechStopped), (3, InputEnded), (4, Transcribed)];
        check(&cough, Some((14, Outcome::NotUnderstood)));
        // A service that listens by itself answers all the same.
        let answered = [(5, Replying), (8, ReplyDone)];
        check(&[&cough[..], &answered].concat(), Some((9, Outcome::Answered)));
        let question = [(1, SpeechStarted), (2, SpeechStopped), (3, Understood), (3, Transcribed)];
        check(&[&question[..], &[(4, InputEnded)]].concat(), Some((64, Outcome::Unanswered)));
        // A cough behind a question takes nothing back, whichever is written down first.
        let behind = [(4, SpeechStarted), (5, SpeechStopped), (5, InputEnded), (6, Transcribed)];
        check(&[&question[..], &behind].concat(), Some((66, Outcome::Unanswered)));
        let spoken = [(3, Replying), (3, ReplyDone)];
        check(&[&question[..], &spoken, &behind].concat(), Some((7, Outcome::Answered)));
        let both = [
            (1, SpeechStarted),
            (2, SpeechStopped),
            (3, SpeechStarted),
            (4, SpeechStopped),
            (4, InputEnded),
            (5, Transcribed),
            (20, Understood),
            (20, Transcribed),
        ];
        check(&both, Some((80, Outcome::Unanswered)));
    }
}
