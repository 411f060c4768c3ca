//! Names for what this session makes.

use protocol::{CallId, ItemId, ResponseId};

use crate::event::Epoch;

/// Counts, so that a session replays to the same names; the seed makes them new in the world.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: String,
    items: u64,
    responses: u64,
    calls: u64,
    epochs: u64,
}

impl Ids {
    pub(crate) fn new(seed: String) -> Self {
        Self { seed, items: 0, responses: 0, calls: 0, epochs: 0 }
    }

    pub(crate) fn item(&mut self) -> ItemId {
        self.items += 1;
        ItemId::new(format!("item_{}{}", self.seed, self.items))
    }

    pub(crate) fn response(&mut self) -> ResponseId {
        self.responses += 1;
        ResponseId::new(format!("resp_{}{}", self.seed, self.responses))
    }

    pub(crate) fn call(&mut self) -> CallId {
        self.calls += 1;
        CallId::new(format!("call_{}{}", self.seed, self.calls))
    }

    pub(crate) fn epoch(&mut self) -> Epoch {
        self.epochs += 1;
        Epoch(self.epochs)
    }
}
