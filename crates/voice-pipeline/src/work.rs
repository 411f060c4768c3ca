//! Work that was handed off and has not come back: what is known of it when somebody asks.

use std::time::Duration;

use audio_dsp::DUET_HZ;
use protocol::CallId;

use crate::event::Route;
use crate::for_the_ear::for_the_ear;

#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Each with its beginning, on the ear's clock.
    calls: Vec<(CallId, u64)>,
    /// The newest that was told of it, as it was written.
    news: Option<String>,
}

/// Whom the newest words are for, while work goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Routing {
    #[default]
    Unasked,
    Asked {
        words: String,
    },
    Known {
        words: String,
        route: Route,
    },
}

impl Work {
    pub(crate) fn goes_on(&self) -> bool {
        !self.calls.is_empty()
    }

    pub(crate) fn begins(&mut self, call: CallId, at: u64) {
        self.calls.push((call, at));
    }

    pub(crate) fn ends(&mut self, call: &CallId) {
        self.calls.retain(|(other, _)| other != call);
        if self.calls.is_empty() {
            self.news = None;
        }
    }

    pub(crate) fn is_told_of(&mut self, news: &str) {
        if self.goes_on() {
            self.news = Some(news.to_owned());
        }
    }

    /// What is known of it, for the ear.
    pub(crate) fn status(&self, now: u64) -> String {
        let news = self.news.as_deref().map(for_the_ear).filter(|it| !it.is_empty());
        let news = news.unwrap_or_else(|| "I'm still working on it.".to_owned());
        let since = self.calls.first().map_or(now, |(_, since)| *since);
        match so_far(Duration::from_secs(now.saturating_sub(since) / u64::from(DUET_HZ))) {
            Some(time) => format!("{news} It has been {time} so far."),
            None => news,
        }
    }
}

/// As people say it. A time that is too short to tell is none.
fn so_far(time: Duration) -> Option<String> {
    match time.as_secs() {
        0..10 => None,
        // A voice that says "37" seems to count.
        seconds @ 10..55 => Some(format!("{} seconds", (seconds + 2) / 5 * 5)),
        55..90 => Some("a minute".to_owned()),
        seconds => Some(format!("{} minutes", (seconds + 30) / 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let told = |seconds| so_far(Duration::from_secs(seconds)).unwrap_or_default();
        for (seconds, words) in [
            (0, ""),
            (9, ""),
            (10, "10 seconds"),
            (13, "15 seconds"),
            (54, "55 seconds"),
            (55, "a minute"),
            (89, "a minute"),
            (90, "2 minutes"),
            (149, "2 minutes"),
            (150, "3 minutes"),
            (3_600, "60 minutes"),
        ] {
            assert_eq!(told(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn the_newest_of_the_work_that_goes_on_is_told() {
        let mut work = Work::default();
        work.is_told_of("Nobody works.");
        work.begins(CallId::from("a"), 0);
        assert_eq!(work.status(0), "I'm still working on it.");
        work.is_told_of("Reading `src/lib.rs`");
        work.is_told_of("Running `cargo test`");
        work.begins(CallId::from("b"), 20 * u64::from(DUET_HZ));
        work.ends(&CallId::from("b"));
        let now = 30 * u64::from(DUET_HZ);
        assert_eq!(work.status(now), "Running cargo test. It has been 30 seconds so far.");
        work.ends(&CallId::from("a"));
        assert!(!work.goes_on());
        work.begins(CallId::from("c"), now);
        assert_eq!(work.status(now), "I'm still working on it.");
    }
}
