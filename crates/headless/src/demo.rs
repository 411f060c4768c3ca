//! The parts of `duet demo`: a small repository to talk about, and the verdict.
//!
//! The talk itself is [`crate::talk`], as for anybody; who transcribes the answer back is the
//! caller's choice.

mod sample;
mod sound;
mod verdict;

pub use self::sample::{Sample, SampleError};
pub use self::sound::utterances;
pub use self::verdict::{TestRun, names_in, test_run};
