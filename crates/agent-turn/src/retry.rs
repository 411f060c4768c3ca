//! How long to wait before a model is asked again.

use std::time::Duration;

use stdx::Dice;

/// The first wait; it doubles with each further failure.
const FIRST: Duration = Duration::from_millis(200);

/// A service that asks for more patience than this is down for the person who waits.
const LONGEST: Duration = Duration::from_secs(60);

/// Counts the failures in a row of one model call.
#[derive(Debug)]
pub(crate) struct Backoff {
    dice: Dice,
    failures: u32,
    retries: u32,
}

impl Backoff {
    pub(crate) fn new(retries: u32, seed: u64) -> Self {
        Self { dice: Dice::new(seed), failures: 0, retries }
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The number of this failure from 1, and the wait after it; `None` when it is enough.
    ///
    /// `after` is the service's wish: it is a lower bound, so that many clients that were
    /// told the same second do not come back in the same millisecond.
    pub(crate) fn failed(&mut self, after: Option<Duration>) -> Option<(u32, Duration)> {
        self.failures += 1;
        if self.retries < self.failures || after.is_some_and(|after| LONGEST < after) {
            return None;
        }
        let doubled = FIRST * 2u32.saturating_pow(self.failures - 1);
        let jitter = Duration::from_millis(self.dice.roll(1 + as_millis(doubled) / 4));
        Some((self.failures, after.unwrap_or(Duration::ZERO).max(doubled).min(LONGEST) + jitter))
    }
}

fn as_millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
