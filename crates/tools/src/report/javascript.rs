//! node's own runner, jest, vitest, mocha, and anything that speaks TAP.

use super::place::Place;
use super::{Failure, Report, count};

pub(super) fn parse_jest(output: &str) -> Option<Report> {
    let summary = output
        .lines()
        .rev()
        .find(|line| line.starts_with("Tests:") && line.trim_end().ends_with("total"))?;
    let mut report = counted(summary);
    report.skipped += count(summary, "todo").unwrap_or(0);
    let mut sections: Vec<Section> = Vec::new();
    for line in output.lines() {
        // `  ● suite › name`; the summary at the end of a long run repeats them.
        let title = line.trim_start().strip_prefix("\u{25cf} ");
        if let Some(title) = title
            && title != "Console"
        {
            let repeated = sections.iter().any(|it| it.failure.name == title.trim());
            if repeated {
                break;
            }
            sections.push(Section::named(title));
        } else if line.starts_with("Test Suites:") {
            break;
        } else if let Some(section) = sections.last_mut() {
            section.read(line);
        }
    }
    report.failures = failures(sections);
    // A suite that could not be loaded is a section, but no test.
    let unloaded = "Test suite failed to run";
    if report.failed == 0
        && let Some(index) = report.failures.iter().position(|it| it.name.contains(unloaded))
    {
        report.broken = Some(report.failures.remove(index));
    }
    Some(report)
}

pub(super) fn parse_vitest(output: &str) -> Option<Report> {
    let summary = output.lines().rev().find(|line| {
        let line = line.trim_start();
        line.starts_with("Tests  ") && (line.contains(" passed") || line.contains(" failed"))
    })?;
    let mut sections: Vec<Section> = Vec::new();
    for line in output.lines() {
        if let Some(title) = line.strip_prefix(" FAIL  ") {
            sections.push(Section::named(title));
        } else if line.trim_start().starts_with("Test Files ") {
            break;
        } else if let Some(section) = sections.last_mut() {
            match line.trim_start().strip_prefix("\u{276f} ") {
                Some(frame) => section.frame(frame),
                None => section.read(line),
            }
        }
    }
    Some(Report { failures: failures(sections), ..counted(summary) })
}

pub(super) fn parse_mocha(output: &str) -> Option<Report> {
    let line_with = |word: &str| output.lines().find(|line| count(line, word).is_some());
    let passing = line_with("passing")?;
    let number = |word: &str| line_with(word).and_then(|line| count(line, word)).unwrap_or(0);
    let mut report = Report {
        passed: count(passing, "passing"),
        failed: number("failing"),
        skipped: number("pending"),
        ..Report::default()
    };
    let mut lines = output.lines().skip_while(|line| *line != passing).peekable();
    while let Some(line) = lines.next() {
        // `  1) suite` and, deeper, `       adds:`.
        let Some((number, title)) = line.trim_start().split_once(") ") else { continue };
        if number.parse::<u32>().is_err() {
            continue;
        }
        let mut name = title.trim().trim_end_matches(':').to_owned();
        while let Some(part) = lines.next_if(|line| !line.trim().is_empty()) {
            name = format!("{name} {}", part.trim().trim_end_matches(':'));
        }
        let mut section = Section::named(&name);
        let next_one = |line: &&str| {
            let number = line.trim_start().split_once(") ").map(|it| it.0.parse::<u32>().is_ok());
            number != Some(true)
        };
        while let Some(line) = lines.next_if(next_one) {
            section.read(line);
        }
        report.failures.extend(failures(vec![section]));
    }
    Some(report)
}

/// The `spec` reporter.
pub(super) fn parse_node(output: &str) -> Option<Report> {
    let number = |word: &str| {
        let prefix = format!("\u{2139} {word} ");
        output.lines().rev().find_map(|line| line.strip_prefix(&prefix)?.trim().parse().ok())
    };
    number("tests")?;
    let mut report = Report {
        passed: number("pass"),
        failed: number("fail").unwrap_or(0) + number("cancelled").unwrap_or(0),
        skipped: number("skipped").unwrap_or(0) + number("todo").unwrap_or(0),
        ..Report::default()
    };
    let mut lines = output.lines().skip_while(|line| *line != "\u{2716} failing tests:").skip(1);
    let mut sections: Vec<Section> = Vec::new();
    let mut declared = None;
    for line in lines.by_ref() {
        if let Some(at) = line.strip_prefix("test at ") {
            declared = Place::parse(at);
        } else if let Some(title) = line.strip_prefix("\u{2716} ") {
            let name = title.rsplit_once(" (").map_or(title, |(name, _time)| name);
            let section = Section::named(name);
            sections.push(Section { declared: declared.take(), ..section });
        } else if let Some(section) = sections.last_mut() {
            section.read(line);
        }
    }
    report.failures = failures(sections);
    Some(report)
}

/// Version 13 and 14, with node's details where they are.
pub(super) fn parse_tap(output: &str) -> Option<Report> {
    if !output.lines().any(|line| line.starts_with("TAP version")) {
        return None;
    }
    let mut report = Report { passed: Some(0), ..Report::default() };
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        let (passed, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => continue,
        };
        let details: Vec<&str> = match lines.next_if(|line| line.trim() == "---") {
            Some(_) => lines.by_ref().take_while(|line| line.trim() != "...").collect(),
            None => Vec::new(),
        };
        // A group repeats what its tests said.
        if details.iter().any(|line| line.trim() == "type: 'suite'") {
            continue;
        }
        let name = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let name = name.strip_prefix("- ").unwrap_or(name);
        let directive = name.rsplit_once(" # ").map(|it| it.1.to_ascii_uppercase());
        let skipped = directive.is_some_and(|it| it.starts_with("SKIP") || it.starts_with("TODO"));
        match (skipped, passed) {
            (true, _) => report.skipped += 1,
            (false, true) => report.passed = report.passed.map(|passed| passed + 1),
            (false, false) => {
                report.failed += 1;
                report.failures.extend(failures(vec![tap_section(name, &details)]));
            }
        }
    }
    Some(report)
}

fn tap_section(name: &str, details: &[&str]) -> Section {
    let mut section = Section::named(name);
    let mut block = None;
    for line in details {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some((inside, key)) = block
            && (inside < indent || line.is_empty())
        {
            match key {
                "error" => section.failure.say(line),
                "stack" => section.frame(line),
                _ => (),
            }
            continue;
        }
        block = None;
        let Some((key, value)) = line.split_once(": ") else { continue };
        let value = value.trim_matches('\'');
        match (key, value) {
            (key, "|-" | "|" | ">-" | ">") => block = Some((indent, key)),
            ("error" | "message", value) => section.failure.say(value),
            ("location" | "at", value) => section.declared = Place::parse(value),
            (_, _) => (),
        }
    }
    section
}

/// The lines about one failed test, as they are read.
struct Section {
    failure: Failure,
    /// Where the test begins: better than nothing.
    declared: Option<Place>,
    /// Of the stack, innermost first.
    frames: Vec<Place>,
    /// What follows repeats the message, or is somebody else's.
    told: bool,
}

impl Section {
    fn named(name: &str) -> Self {
        Self { failure: Failure::named(name), declared: None, frames: Vec::new(), told: false }
    }

    /// A line of an error as JavaScript engines print it.
    fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(frame) = line.strip_prefix("at ") {
            return self.frame(frame);
        }
        // The difference between what was expected and what was seen.
        let difference = ["+ expected - actual", "- Expected", "+ Received"];
        self.told |= difference.iter().any(|it| line.starts_with(it));
        // Quoted source, frames drawn around it, and the fields of the error object.
        let marked = line.starts_with(['>', '|', '^', '{', '}', '\u{23af}', '\u{23d1}']);
        let numbered = line.split_once('|').is_some_and(|it| it.0.trim().parse::<u32>().is_ok());
        if !(self.told || marked || numbered) {
            self.failure.say(line);
        }
    }

    /// A frame of the stack, if it is the project's.
    fn frame(&mut self, frame: &str) {
        self.told |= !self.failure.message.is_empty();
        let place = Place::last_in(frame).filter(|place| !place.path.contains("node_modules"));
        self.frames.extend(place);
    }

    /// The outermost frame is the test's; the innermost is where it was noticed.
    fn finish(self) -> Failure {
        let Self { mut failure, declared, frames, told: _ } = self;
        match (frames.last(), frames.first()) {
            (Some(test), Some(inner)) if test.path != inner.path => {
                failure.places = vec![test.clone(), inner.clone()];
            }
            (_, Some(inner)) => failure.places = vec![inner.clone()],
            (_, None) => failure.places.extend(declared),
        }
        failure
    }
}

fn failures(sections: Vec<Section>) -> Vec<Failure> {
    sections.into_iter().map(Section::finish).collect()
}

fn counted(summary: &str) -> Report {
    let number = |word| count(summary, word).unwrap_or(0);
    Report {
        passed: Some(number("passed")),
        failed: number("failed"),
        skipped: number("skipped"),
        ..Report::default()
    }
}
