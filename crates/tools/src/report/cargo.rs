//! `cargo test`.

use super::place::Place;
use super::{Failure, Report, count};

pub(super) fn parse(output: &str) -> Option<Report> {
    let mut report = Report::default();
    let mut lines = output.lines().peekable();
    let mut ran = false;
    while let Some(line) = lines.next() {
        if let Some(result) = line.strip_prefix("test result: ") {
            ran = true;
            *report.passed.get_or_insert(0) += count(result, "passed").unwrap_or(0);
            report.failed += count(result, "failed").unwrap_or(0);
            report.skipped += count(result, "ignored").unwrap_or(0);
        } else if let Some(name) = section(line) {
            let mut failure = Failure::named(name);
            while let Some(line) =
                lines.next_if(|line| section(line).is_none() && *line != "failures:")
            {
                describe(&mut failure, line);
            }
            report.failures.push(failure);
        } else if report.broken.is_none() && is_error(line) {
            let mut failure = Failure { message: line.to_owned(), ..Failure::default() };
            while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
                if let Some(place) = line.trim().strip_prefix("--> ").and_then(Place::parse) {
                    failure.place(place);
                } else if let Some(label) = label(line) {
                    failure.say(label);
                }
            }
            report.broken = Some(failure);
        }
    }
    if ran {
        // The last lines of a run with failures look like errors.
        report.broken = None;
        return Some(report);
    }
    output.contains("error: could not compile").then_some(report)
}

/// `---- tests::name stdout ----`
fn section(line: &str) -> Option<&str> {
    let name = line.strip_prefix("---- ")?.strip_suffix(" ----")?;
    Some(name.strip_suffix(" stdout").unwrap_or(name))
}

fn describe(failure: &mut Failure, line: &str) {
    let noise = ["note: run with `RUST_BACKTRACE", "stack backtrace:", "note: Some details are"];
    if noise.iter().any(|noise| line.starts_with(noise)) {
        return;
    }
    if let Some((_, at)) = line.split_once(" panicked at ") {
        failure.places.clear();
        failure.message.clear();
        failure.places.extend(Place::parse(at));
        // Compilers before 1.73 put the message on the same line, in quotes.
        if let Some(message) = at.strip_prefix('\'').and_then(|at| at.rsplit_once("', ")) {
            failure.say(message.0);
            failure.places.extend(Place::parse(message.1));
        }
        return;
    }
    if failure.places.is_empty()
        && let Some(place) = Place::last_in(line)
    {
        failure.place(place);
    }
    // A backtrace, and what the test printed before it panicked, are not the message.
    let frame = line.trim_start().split_once(':').is_some_and(|it| it.0.parse::<u32>().is_ok());
    if !frame && !line.trim_start().starts_with("at ") {
        failure.say(line.strip_prefix("note: ").unwrap_or(line));
    }
}

/// `error: ...` or `error[E0308]: ...`, but not cargo's own summing up.
fn is_error(line: &str) -> bool {
    let own = ["error: could not compile", "error: test failed", "error: aborting"];
    (line.starts_with("error: ") || line.starts_with("error["))
        && !own.iter().any(|own| line.starts_with(own))
}

/// The compiler's words below the marked source: `   |   ^^^ expected u32`.
fn label(line: &str) -> Option<&str> {
    let (_, marked) = line.split_once('|')?;
    let (_, label) = marked.rsplit_once('^')?;
    Some(label.trim()).filter(|label| !label.is_empty())
}
