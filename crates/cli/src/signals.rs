//! Ctrl-C and SIGTERM, as messages.

use headless::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::failure::Failure;

/// Signals that wait: after the second, nobody waits for anything.
const WAITING: usize = 4;

/// Signals of this process, for as long as the listener lives.
pub(crate) struct Signals {
    pub(crate) received: mpsc::Receiver<Signal>,
    _listener: JoinSet<()>,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |error| Failure::other(format!("cannot listen for signals: {error}"));
        let mut interrupts = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminations = signal(SignalKind::terminate()).map_err(failed)?;
        let (sender, received) = mpsc::channel(WAITING);
        let mut listener = JoinSet::new();
        listener.spawn(async move {
            loop {
                let signal = tokio::select! {
                    Some(()) = interrupts.recv() => Signal::Interrupt,
                    Some(()) = terminations.recv() => Signal::Terminate,
                    else => return,
                };
                if sender.send(signal).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { received, _listener: listener })
    }

    /// Tidies up, unless one more signal comes: whoever sends it wants to be gone.
    pub(crate) async fn or_leave(&mut self, tidying: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            Some(_) = self.received.recv() => {}
            () = tidying => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_more_signal_does_not_wait() {
        let (sender, received) = mpsc::channel(WAITING);
        let mut signals = Signals { received, _listener: JoinSet::new() };
        sender.send(Signal::Interrupt).await.unwrap();
        signals.or_leave(std::future::pending()).await;
        // Without one, everything is tidied up, whoever may still send some.
        let mut tidy = false;
        signals.or_leave(async { tidy = true }).await;
        assert!(tidy);
    }
}
