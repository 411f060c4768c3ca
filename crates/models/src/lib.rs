//! The model files Duet runs on without a network: which they are, where they come from, and
//! how they get onto this machine whole or not at all.
//!
//! Invariants:
//! * A file at its final path has the size and sha256 of the manifest: it was verified under
//!   another name and renamed.
//! * Two processes that fetch at once do the work once: the second waits for the first.
//! * An interrupted fetch goes on where it stopped.

mod fetch;
mod machine;
mod manifest;
mod package;
mod shelf;

pub use crate::fetch::{FetchError, Fetched, Fetcher, Options, Progress};
pub use crate::machine::{Machine, Unfit, size};
pub use crate::manifest::{File, Manifest, ManifestError, Part, Registry, Source};
pub use crate::shelf::{Condition, Missing, Shelf, free_space};
