//! A link to a realtime service: commands and sound go out, events come in.
//!
//! It dials, speaks through the codec, and says how it ended. It decides nothing: what an
//! event means, whether to dial again, when to give up is for the conversation above.
//!
//! Invariants:
//! * Sending never waits for receiving, nor the other way round.
//! * Commands overtake sound, keep their order, and are never dropped.
//! * No sound is sent before the first command: a session is configured before it hears.
//! * Sound that waits is bounded, and none of it is dropped: who has more waits too.

mod link;
mod outbox;
mod recorder;

pub use crate::link::{DialError, Ending, Link, Received, Target};
pub use crate::outbox::{Outbox, OutboxClosed, OutboxFull};
pub use crate::recorder::{Direction, Recorder};
