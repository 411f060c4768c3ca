//! How many threads the networks may use.

use std::num::NonZeroUsize;
use std::sync::Arc;

use rten::{RunOptions, ThreadPool};

/// A set of compute threads, shared by every network loaded with it.
///
/// The threads sleep while nothing runs. Two sets run independently of each other: give voice activity its
/// own, of one thread, and it never waits behind a transcription.
#[derive(Debug, Clone)]
pub struct Cores(Arc<ThreadPool>);

impl Cores {
    pub fn new(threads: NonZeroUsize) -> Self {
        Self(Arc::new(ThreadPool::with_num_threads(threads.get())))
    }

    /// Runs `work` on these threads and waits for it.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.0.run(work)
    }

    pub(crate) fn options(&self) -> RunOptions {
        RunOptions::default().with_thread_pool(Some(Arc::clone(&self.0)))
    }
}
