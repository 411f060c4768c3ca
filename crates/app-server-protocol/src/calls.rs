//! Which answer belongs to which request.

use std::collections::HashMap;

use crate::rpc::RequestId;

/// Requests that wait for their answer. `T` is what the asker left to be told with.
#[derive(Debug)]
pub struct Calls<T> {
    next: u64,
    waiting: HashMap<u64, T>,
}

impl<T> Calls<T> {
    pub fn new() -> Self {
        Self { next: 0, waiting: HashMap::new() }
    }

    /// Names a new request.
    pub fn open(&mut self, asker: T) -> RequestId {
        let id = self.next;
        self.next += 1;
        self.waiting.insert(id, asker);
        RequestId::number(id)
    }

    /// Whoever asked, once. `None` for an answer to nothing.
    pub fn close(&mut self, id: &RequestId) -> Option<T> {
        self.waiting.remove(&id.as_json().parse().ok()?)
    }

    /// Everyone who will get no answer any more.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.waiting.drain().map(|(_, asker)| asker)
    }
}

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self::new()
    }
}
