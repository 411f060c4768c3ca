//! What a test runner's output says, whichever runner it was.
//!
//! The runner is recognised by its words and not by the command: `make test` and `npm test` hide
//! it. What is not recognised is `None`, and the caller shows the output itself.

mod cargo;
mod go;
mod javascript;
mod place;
mod python;
#[cfg(test)]
mod tests;

pub(crate) use self::place::Place;

/// The outcome of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// `None` where the runner does not count them.
    pub(crate) passed: Option<u32>,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
    pub(crate) failures: Vec<Failure>,
    /// Why no test ran at all: the project does not compile, a file cannot be loaded.
    pub(crate) broken: Option<Failure>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// As the runner names it.
    pub(crate) name: String,
    /// Where, from the test inwards; the last one is where it was noticed.
    pub(crate) places: Vec<Place>,
    /// One line.
    pub(crate) message: String,
}

pub(crate) fn parse(output: &str) -> Option<Report> {
    const PARSERS: [fn(&str) -> Option<Report>; 9] = [
        cargo::parse,
        python::parse_pytest,
        python::parse_unittest,
        javascript::parse_jest,
        javascript::parse_vitest,
        javascript::parse_mocha,
        javascript::parse_node,
        javascript::parse_tap,
        go::parse,
    ];
    PARSERS.iter().find_map(|parse| parse(output))
}

impl Failure {
    fn named(name: &str) -> Self {
        Self { name: name.trim().to_owned(), ..Self::default() }
    }

    fn place(&mut self, place: Place) {
        if !self.places.contains(&place) {
            self.places.push(place);
        }
    }

    /// Adds a line of the message.
    fn say(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        if !self.message.is_empty() {
            // A colon or comma goes on by itself.
            let joint = if self.message.ends_with([':', ',']) { " " } else { ", " };
            self.message.push_str(joint);
        }
        self.message.push_str(line);
    }
}

/// The number before `word`: 3 in `2 passed; 3 failed` for `failed`.
fn count(line: &str, word: &str) -> Option<u32> {
    let words: Vec<&str> =
        line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok())
}
