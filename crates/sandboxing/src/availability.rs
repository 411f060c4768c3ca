//! What sandbox this machine can give.

use std::sync::OnceLock;

use crate::bubblewrap;
use crate::command::{Confinement, Network, Writes};
use crate::confine::{ConfineError, confine_thread};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Commands can be confined. The number is Landlock's version: what it covers grows with it
    /// (`docs/security.md`).
    Confined { landlock_abi: i32 },
    /// They can be, by bubblewrap: the kernel has no Landlock.
    Wrapped,
    /// They cannot, for this reason: a phrase that names the remedy.
    Unavailable { reason: String },
}

/// Tries it: a thread of our own is confined and ends. Remembered, since it cannot change while
/// we run.
pub fn availability() -> &'static Availability {
    static TRIED: OnceLock<Availability> = OnceLock::new();
    TRIED.get_or_init(|| {
        let confinement =
            Confinement { writes: Writes::Only(Vec::new()), network: Network::Closed };
        let tried = std::thread::Builder::new()
            .name("sandbox probe".to_owned())
            .spawn(move || confine_thread(&confinement))
            .map(std::thread::JoinHandle::join);
        match tried {
            Ok(Ok(Ok(confined))) => Availability::Confined { landlock_abi: confined.landlock_abi },
            Ok(Ok(Err(error))) if error.lacks_landlock() => wrapped(&error),
            Ok(Ok(Err(error))) => Availability::Unavailable { reason: error.to_string() },
            Ok(Err(_panic)) => Availability::Unavailable { reason: "the probe failed".to_owned() },
            Err(error) => Availability::Unavailable { reason: format!("no thread: {error}") },
        }
    })
}

fn wrapped(landlock: &ConfineError) -> Availability {
    let Some(program) = bubblewrap::program() else {
        let remedy = "install bubblewrap (the package of that name), which does without";
        return Availability::Unavailable { reason: format!("{landlock}; or {remedy}") };
    };
    match bubblewrap::try_it(&program) {
        Ok(()) => Availability::Wrapped,
        Err(error) => Availability::Unavailable { reason: format!("{landlock}; {error}") },
    }
}
