//! What the bundled small model is told. Every token of it is read before the first answer
//! (its state is kept on disk, so once per machine), and it must not vary: what differs
//! between repositories belongs into tools and turns.
//!
//! Tuned by measurement against the bundled model; see `docs/decisions/`.

use protocol::ThreadSettings;

use crate::instructions::with_developer_instructions;

const SMALL: &str = "\
You are Duet, a coding agent working in one repository. The user speaks; words may be misheard. \
Work step by step with the tools. Answer only from the results you have seen, in one to three short \
sentences of plain words. Do not invent names, numbers or files. When the results are enough, answer.";

/// Put after the outputs of a step: the model forgets to answer without it.
pub(crate) const NUDGE: &str = "If this is enough, answer.";

pub(crate) fn small(settings: &ThreadSettings) -> String {
    with_developer_instructions(SMALL, settings)
}
