//! A running command, seen from the engine.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use rustix::net::Shutdown;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use crate::spawned::{GRACE, best_effort};
use crate::wire::{Report, take_frame};

/// How long a watcher may be silent after it should have reported. Only a watcher that was
/// stopped or killed from outside takes so long.
const WATCHER_LATE: Duration = Duration::from_secs(5);

/// Bytes of output that are left out before the reader takes its time, and how it does that: a
/// command that floods waits for its pipe at about fifty megabytes a second, instead of keeping a
/// whole core of ours busy with throwing its output away.
const FLOOD: u64 = 1 << 20;
const FLOOD_PAUSE: Duration = Duration::from_millis(1);

/// The size of a pipe.
const CHUNK: usize = 64 * 1024;

/// What a command says, in order; [`RunEvent::Exited`] is the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEvent {
    /// Output as it came, in pieces that may cut a character.
    Output(Vec<u8>),
    /// So much of the output is left out here; what follows is its end.
    Elided {
        bytes: u64,
    },
    Exited(Exit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    pub ending: Ending,
    pub code: Option<i32>,
    /// The signal that ended it, when there is no code.
    pub signal: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// By itself.
    Exited,
    /// By [`Running::kill`].
    Killed,
    TimedOut,
    /// Its watcher died. What it started was killed.
    Lost,
}

/// Dropping it kills the command and everything it started.
#[derive(Debug)]
pub struct Running {
    control: UnixStream,
    /// Bytes of reports that are not complete yet.
    received: Vec<u8>,
    /// `None` when every process has closed it.
    output: Option<pipe::Receiver>,
    chunk: Box<[u8]>,
    /// Output is not read before.
    read_again: Instant,
    window: Window,
    ready: VecDeque<RunEvent>,
    ended: bool,
    lost_at: Instant,
}

impl Running {
    pub(crate) fn new(
        control: UnixStream,
        received: Vec<u8>,
        output: pipe::Receiver,
        output_limit: usize,
        time_limit: Duration,
    ) -> Self {
        let patience = time_limit.saturating_add(GRACE).saturating_add(WATCHER_LATE);
        let now = Instant::now();
        Self {
            control,
            received,
            output: Some(output),
            chunk: vec![0; CHUNK].into(),
            read_again: now,
            window: Window::new(output_limit),
            ready: VecDeque::new(),
            ended: false,
            lost_at: now.checked_add(patience).unwrap_or(now + Duration::from_secs(86_400)),
        }
    }

    /// Asks every process of the command to end; two seconds later they are killed. The exit
    /// follows as an event.
    pub fn kill(&mut self) {
        self.lost_at = self.lost_at.min(Instant::now() + GRACE + WATCHER_LATE);
        // The watcher reads the end of our side as the order to stop: one way for a stop, a drop
        // and the engine's death. It fails only when the watcher is gone, which is noticed below.
        best_effort(rustix::net::shutdown(&self.control, Shutdown::Write));
    }

    /// The next event; `None` after the exit. Cancel-safe.
    pub async fn next(&mut self) -> Option<RunEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            // A quick command's end arrives together with its start.
            self.read_reports();
            if self.ended {
                continue;
            }
            let mut reports = [0; 256];
            let output = async {
                tokio::time::sleep_until(self.read_again).await;
                match &mut self.output {
                    Some(output) => output.read(&mut self.chunk).await,
                    None => std::future::pending().await,
                }
            };
            // Output before the report of the exit, so that none of it is lost; the clock before
            // both, so that a flood cannot outrun it.
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.lost_at) => self.finish(LOST),
                read = output => self.on_output(read),
                read = self.control.read(&mut reports) => self.on_control(read, &reports),
            }
        }
    }

    fn on_output(&mut self, read: io::Result<usize>) {
        match read {
            // A pipe fails to be read only when it is not one: nothing more will come.
            Ok(0) | Err(_) => self.output = None,
            Ok(len) => {
                let head = self.window.push(&self.chunk[..len]);
                self.ready.extend(head.map(RunEvent::Output));
                if FLOOD < self.window.elided {
                    self.read_again = Instant::now() + FLOOD_PAUSE;
                }
            }
        }
    }

    fn on_control(&mut self, read: io::Result<usize>, bytes: &[u8]) {
        let Ok(len @ 1..) = read else { return self.finish(LOST) };
        self.received.extend(&bytes[..len]);
    }

    fn read_reports(&mut self) {
        loop {
            match take_frame(&mut self.received).map(|it| it.map(|frame| Report::decode(&frame))) {
                Ok(None) => return,
                Ok(Some(Ok(Report::Started))) => (),
                Ok(Some(Ok(Report::Ended(exit)))) => return self.finish(exit),
                Ok(Some(Ok(Report::Refused { .. }) | Err(_))) | Err(_) => {
                    return self.finish(LOST);
                }
            }
        }
    }

    fn finish(&mut self, exit: Exit) {
        self.drain();
        let (elided, tail) = self.window.take_tail();
        if 0 < elided {
            self.ready.push_back(RunEvent::Elided { bytes: elided });
        }
        if !tail.is_empty() {
            self.ready.push_back(RunEvent::Output(tail));
        }
        self.ready.push_back(RunEvent::Exited(exit));
        self.ended = true;
        self.output = None;
    }

    /// Everybody who could write has ended, so what they wrote is in the pipe already; only the
    /// watcher may still hold it open. At most one pipe's worth, in case that is not so.
    fn drain(&mut self) {
        const MOST: usize = 1 << 20;
        let mut drained = 0;
        while let Some(output) = &self.output
            && drained < MOST
        {
            let Ok(len @ 1..) = output.try_read(&mut self.chunk) else { return };
            drained += len;
            let head = self.window.push(&self.chunk[..len]);
            self.ready.extend(head.map(RunEvent::Output));
        }
    }
}

const LOST: Exit = Exit { ending: Ending::Lost, code: None, signal: None };

/// Lets the first half of the limit through at once and keeps the last half for the end.
#[derive(Debug)]
struct Window {
    head_left: usize,
    tail_limit: usize,
    tail: VecDeque<u8>,
    elided: u64,
}

impl Window {
    fn new(limit: usize) -> Self {
        let head_left = limit / 2;
        Self { head_left, tail_limit: limit - head_left, tail: VecDeque::new(), elided: 0 }
    }

    fn push(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_left));
        self.head_left -= head.len();
        let skipped = rest.len().saturating_sub(self.tail_limit);
        let kept = &rest[skipped..];
        let overflow = (self.tail.len() + kept.len()).saturating_sub(self.tail_limit);
        self.tail.drain(..overflow);
        self.tail.extend(kept);
        self.elided += (skipped + overflow) as u64;
        (!head.is_empty()).then(|| head.to_vec())
    }

    fn take_tail(&mut self) -> (u64, Vec<u8>) {
        (std::mem::take(&mut self.elided), std::mem::take(&mut self.tail).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: usize, pieces: &[&str], expect: &str) {
        let mut window = Window::new(limit);
        let mut shown = String::new();
        for piece in pieces {
            let head = window.push(piece.as_bytes()).unwrap_or_default();
            shown.push_str(std::str::from_utf8(&head).unwrap());
        }
        let (elided, tail) = window.take_tail();
        if 0 < elided {
            shown.push_str(&format!("[{elided}]"));
        }
        shown.push_str(std::str::from_utf8(&tail).unwrap());
        assert_eq!(shown, expect);
    }

    #[test]
    fn a_window_keeps_both_ends() {
        check(10, &[], "");
        check(10, &["abcdefghij"], "abcdefghij");
        check(10, &["abc", "defgh", "ij"], "abcdefghij");
        check(10, &["abcdefghijk"], "abcde[1]ghijk");
        check(10, &["abcdefghijklmnopqrstuvwxyz"], "abcde[16]vwxyz");
        check(10, &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"], "abcde[2]hijkl");
        check(0, &["abc"], "[3]");
        check(1, &["abc"], "[2]c");
    }
}
