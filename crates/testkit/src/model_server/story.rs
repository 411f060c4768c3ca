//! What happened so far, for a failing test to tell.

use std::fmt::Write as _;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use super::SeenRequest;

/// Lines longer than this are cut: a failure should fit a screen.
const LINE: usize = 2_000;

#[derive(Debug, Default)]
pub(super) struct Story {
    /// Short critical sections, never held over an await; the test and the server both write.
    inner: Mutex<Inner>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    text: String,
    requests: Vec<SeenRequest>,
    problems: Vec<String>,
    replies_left: usize,
}

impl Story {
    pub(super) fn heard(&self, request: &SeenRequest) {
        let mut inner = self.lock();
        line(&mut inner.text, "client", &request.to_string());
        inner.requests.push(request.clone());
        drop(inner);
        self.arrived.notify_waiters();
    }

    pub(super) fn said(&self, what: &str) {
        line(&mut self.lock().text, "server", what);
    }

    pub(super) fn problem(&self, what: impl Into<String>) {
        self.lock().problems.push(what.into());
    }

    pub(super) fn requests(&self) -> Vec<SeenRequest> {
        self.lock().requests.clone()
    }

    pub(super) async fn wait_for_requests(&self, count: usize) -> Vec<SeenRequest> {
        loop {
            // Registered before the look, so that no arrival falls between.
            let arrived = self.arrived.notified();
            let requests = self.requests();
            if requests.len() >= count {
                return requests;
            }
            arrived.await;
        }
    }

    pub(super) fn set_replies_left(&self, count: usize) {
        self.lock().replies_left = count;
    }

    pub(super) fn replies_left(&self) -> usize {
        self.lock().replies_left
    }

    pub(super) fn fail_on_problems(&self, test: &Location<'_>) {
        let problems = std::mem::take(&mut self.lock().problems);
        if !problems.is_empty() {
            self.fail(test, &problems.join("\n"));
        }
    }

    pub(super) fn fail(&self, test: &Location<'_>, what: &str) -> ! {
        let mut what = what.to_owned();
        for problem in std::mem::take(&mut self.lock().problems) {
            write!(what, "\nalso: {problem}").unwrap();
        }
        let text = self.lock().text.clone();
        panic!("{test}: {what}\nconversation so far:\n{text}")
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn line(text: &mut String, who: &str, what: &str) {
    let end = what.floor_char_boundary(LINE);
    let rest = if end < what.len() { " ..." } else { "" };
    writeln!(text, "  {who}  {}{rest}", &what[..end]).unwrap();
}
