//! The queue of things the driver still owes us.

use std::collections::VecDeque;
use std::collections::vec_deque::Drain;

use crate::event::Output;

/// Outputs of one [`handle`](crate::Pipeline::handle) call, in order.
///
/// It borrows the pipeline: the next input has to wait until these were carried out.
#[derive(Debug)]
#[must_use = "outputs that are not carried out are lost"]
pub struct Outputs<'a>(Drain<'a, Output>);

impl<'a> Outputs<'a> {
    pub(crate) fn new(queue: &'a mut VecDeque<Output>) -> Self {
        Self(queue.drain(..))
    }
}

impl Iterator for Outputs<'_> {
    type Item = Output;

    fn next(&mut self) -> Option<Output> {
        self.0.next()
    }
}

impl Drop for Outputs<'_> {
    fn drop(&mut self) {
        debug_assert!(self.0.len() == 0 || std::thread::panicking(), "outputs dropped: {self:?}");
    }
}
