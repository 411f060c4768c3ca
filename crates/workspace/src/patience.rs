//! How long somebody waits for a look at many files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One limit for all of a look, asked between files. Clones are the same patience: what one of
/// them ends, is over for all.
#[derive(Debug, Clone)]
pub struct Patience {
    /// `None` when it is further away than the clock goes.
    until: Option<Instant>,
    ended: Arc<AtomicBool>,
}

impl Patience {
    pub fn of(time: Duration) -> Self {
        Self { until: Instant::now().checked_add(time), ended: Arc::default() }
    }

    /// Nobody waits any more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
            || self.until.is_some_and(|until| until <= Instant::now())
    }
}
