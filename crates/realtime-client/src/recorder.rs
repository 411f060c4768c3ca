//! The flight recorder's plug: every frame as it passes the codec. Off unless one is plugged
//! in; what it keeps and hides is its own business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    In,
    Out,
}

/// Sees every text frame, in the order in which each direction has them. Called on the way
/// of live sound, so it must be quick.
pub trait Recorder: Send + Sync {
    /// `at` counts from the moment the link was up.
    fn record(&self, at: Duration, direction: Direction, frame: &str);
}

/// One link's recorder, if it has one.
#[derive(Clone)]
pub(crate) struct Tape {
    recorder: Option<Arc<dyn Recorder>>,
    start: Instant,
}

impl Tape {
    pub(crate) fn start(recorder: Option<Arc<dyn Recorder>>) -> Self {
        Self { recorder, start: Instant::now() }
    }

    pub(crate) fn record(&self, direction: Direction, frame: &str) {
        if let Some(recorder) = &self.recorder {
            recorder.record(self.start.elapsed(), direction, frame);
        }
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("on", &self.recorder.is_some()).finish_non_exhaustive()
    }
}
