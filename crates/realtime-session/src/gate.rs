//! Lets one response run at a time, and none while the user is speaking.
//!
//! A request is never lost: what cannot be asked for now is owed. The service begins
//! responses of its own, so a request can cross one on the wire; the refusal then makes it
//! owed again.

use std::time::Duration;

use stdx::Time;

/// How long an unanswered request counts as under way. Some services never say no.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// After the user's words the service answers by itself; only if it has not begun by then,
/// an owed response is asked for. Long enough for a speech recogniser on a busy machine.
const SETTLING: Duration = Duration::from_secs(2);

/// A reply without an end. Some services forget to tell of it; none speaks that long.
const LONGEST_REPLY: Duration = Duration::from_secs(120);

/// Speech without an end. Nobody speaks that long in one breath: the end was lost.
const LONGEST_SPEECH: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct ResponseGate {
    reply: Reply,
    floor: Floor,
    /// Somebody wants a response that was not asked for yet.
    owed: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Reply {
    #[default]
    None,
    Asked(Time),
    Running(Time),
}

/// Who may speak.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Floor {
    #[default]
    Free,
    User(Time),
    /// The user is done, and the service is about to answer.
    Settling(Time),
}

/// Ask the service for a response.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Ask;

impl ResponseGate {
    pub(crate) fn request(&mut self, now: Time) -> Option<Ask> {
        self.owed = true;
        self.settle(now)
    }

    /// Our request came while another response was running.
    pub(crate) fn refused(&mut self, now: Time) {
        self.owed = true;
        if let Reply::Asked(_) = self.reply {
            self.reply = Reply::Asked(now);
        }
    }

    /// A response began: ours, or one of the service's own.
    pub(crate) fn created(&mut self, now: Time) {
        self.reply = Reply::Running(now);
        self.floor = Floor::Free;
    }

    pub(crate) fn done(&mut self, now: Time) -> Option<Ask> {
        self.reply = Reply::None;
        self.settle(now)
    }

    pub(crate) fn speech_started(&mut self, now: Time) {
        self.floor = Floor::User(now);
    }

    pub(crate) fn speech_stopped(&mut self, now: Time) {
        self.floor = Floor::Settling(now);
    }

    pub(crate) fn tick(&mut self, now: Time) -> Option<Ask> {
        self.settle(now)
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.reply, Reply::Running(_))
    }

    /// When [`Self::tick`] may ask, if nothing else happens.
    pub(crate) fn deadline(&self) -> Option<Time> {
        if !self.owed {
            return None;
        }
        let free = match self.floor {
            Floor::Free => Time::ZERO,
            Floor::User(since) => since + LONGEST_SPEECH,
            Floor::Settling(since) => since + SETTLING,
        };
        match self.reply {
            Reply::None => Some(free),
            Reply::Asked(at) => Some(free.max(at + ASK_TIMEOUT)),
            Reply::Running(since) => Some(free.max(since + LONGEST_REPLY)),
        }
    }

    fn settle(&mut self, now: Time) -> Option<Ask> {
        if now < self.deadline()? {
            return None;
        }
        self.owed = false;
        self.reply = Reply::Asked(now);
        Some(Ask)
    }
}
