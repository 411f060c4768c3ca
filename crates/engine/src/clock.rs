//! The one place where the engine reads clocks.

use std::time::{Instant, SystemTime};

use stdx::Time;

/// Counts from the start of the thread's driver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn now(self) -> Time {
        Time::from_start(self.started.elapsed())
    }

    /// For people and files.
    pub(crate) fn date() -> SystemTime {
        SystemTime::now()
    }

    /// Never, when there is no deadline.
    pub(crate) async fn until(self, deadline: Option<Time>) {
        match deadline {
            Some(deadline) => {
                tokio::time::sleep_until((self.started + deadline.since_start()).into()).await;
            }
            None => std::future::pending().await,
        }
    }
}
