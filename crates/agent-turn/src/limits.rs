//! What bounds a turn, in one place, so that a model's size is asked here and nowhere else.

use std::time::Duration;

/// The bounds of one turn, fit to the model that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Model calls that succeed in one turn. The last one may only answer, so that a turn
    /// ends with words instead of in the middle of the work.
    pub model_calls: u32,
    /// What one tool call's output may take of the context.
    pub tool_output_tokens: usize,
    /// What one request may hold of the thread's history. The oldest exchanges are left out
    /// first; of the running turn, the oldest tool outputs are then only named.
    pub context_tokens: usize,
    pub repeats: Repeats,
    /// Tries after the first one of a model call that fails for a passing reason.
    pub retries: u32,
    /// How long an interrupted tool may take to let go before the turn ends without it.
    pub cancel_grace: Duration,
}

/// Whether a call that was already answered in this turn may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeats {
    Allowed,
    /// Small models repeat the same call until the limit (5 of 12 questions, measured), so
    /// they are told that they have its result, until something was written.
    Refused,
}

/// A service that has been down for the sum of these waits (200 ms doubling to 6.4 s, about
/// 13 s together) will not come back while somebody watches.
const RETRIES: u32 = 5;

/// A cancelled command is asked to end, and killed two seconds later if it does not listen; then
/// its whole output is reported. What takes longer than this hangs in the kernel.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

impl Limits {
    /// For models that are coding agents by themselves.
    pub fn full() -> Self {
        Self {
            // Long refactorings take more than a hundred; beyond this a model goes in circles.
            model_calls: 250,
            // The longest compiler and test outputs that are worth reading.
            tool_output_tokens: 10_000,
            // The smaller windows of today's services, less room for the answer.
            context_tokens: 180_000,
            repeats: Repeats::Allowed,
            retries: RETRIES,
            cancel_grace: CANCEL_GRACE,
        }
    }

    /// For the bundled model: 67 tokens of prompt per second on two cores, and little patience.
    pub fn small() -> Self {
        Self {
            // Measured: right answers came within five steps or not at all.
            model_calls: 6,
            // About nine seconds of reading.
            tool_output_tokens: 600,
            // A window of 8192, less instructions, tool descriptions and the answer.
            context_tokens: 5_000,
            repeats: Repeats::Refused,
            retries: RETRIES,
            cancel_grace: CANCEL_GRACE,
        }
    }
}
