//! pytest and unittest.

use super::place::Place;
use super::{Failure, Report, count};

pub(super) fn parse_pytest(output: &str) -> Option<Report> {
    let summary = output.lines().rev().find(|line| is_pytest_summary(line))?;
    let number = |word| count(summary, word).unwrap_or(0);
    let mut report = Report {
        passed: Some(number("passed")),
        failed: number("failed") + number("error") + number("errors"),
        skipped: number("skipped") + number("xfailed") + number("deselected"),
        ..Report::default()
    };
    let sections = pytest_sections(output);
    for line in output.lines() {
        let listed = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR "));
        let Some(listed) = listed else { continue };
        let (id, message) = listed.split_once(" - ").unwrap_or((listed, ""));
        let title = match id.split_once("::") {
            Some((_, test)) => test.replace("::", "."),
            None => format!("ERROR collecting {id}"),
        };
        let section = sections.iter().find(|section| {
            let name = &section.name;
            *name == title || name.strip_prefix("ERROR at setup of ") == Some(&title)
        });
        let mut failure = section.cloned().unwrap_or_default();
        failure.name = id.to_owned();
        if failure.message.is_empty() {
            failure.message = message.to_owned();
        }
        report.failures.push(failure);
    }
    // Without the short summary (`-q --no-summary`) the sections are all there is.
    if report.failures.is_empty() {
        report.failures = sections;
    }
    let collected_nothing = report.passed == Some(0) && number("failed") == 0;
    if collected_nothing && output.contains(" ERROR collecting ") && !report.failures.is_empty() {
        report.broken = Some(report.failures.remove(0));
    }
    Some(report)
}

/// `3 failed, 2 passed, 1 error in 0.10s`, with or without a frame of equals signs.
fn is_pytest_summary(line: &str) -> bool {
    let line = line.trim_matches(['=', ' ']);
    let Some((counts, time)) = line.rsplit_once(" in ") else { return false };
    let words = ["passed", "failed", "error", "skipped", "deselected", "xfailed", "no tests ran"];
    time.starts_with(|c: char| c.is_ascii_digit()) && words.iter().any(|word| counts.contains(word))
}

/// The tracebacks, each under its title between underscores.
fn pytest_sections(output: &str) -> Vec<Failure> {
    let mut sections: Vec<Failure> = Vec::new();
    for line in output.lines() {
        let framed = line.strip_prefix('_').and_then(|line| line.strip_suffix('_'));
        // Between two frames of one traceback stands `_ _ _ _`.
        let title = framed
            .map(|it| it.trim_matches('_'))
            .filter(|it| it.starts_with(' ') && it.chars().any(|c| c != '_' && c != ' '));
        if let Some(title) = title {
            sections.push(Failure::named(title));
        } else if line.starts_with("====") {
            // The next part of the output.
            if line.contains("short test summary") {
                break;
            }
        } else if let Some(section) = sections.last_mut() {
            if let Some(error) = line.strip_prefix("E  ") {
                section.say(error);
            } else if let Some(place) = Place::parse(line)
                && !line.starts_with(' ')
                && !is_library(&place)
            {
                section.place(place);
            }
        }
    }
    sections
}

/// Python's own files, and installed packages.
fn is_library(place: &Place) -> bool {
    place.path.contains("/lib/python") || place.path.contains("site-packages")
}

pub(super) fn parse_unittest(output: &str) -> Option<Report> {
    let ran = output.lines().rev().find_map(|line| {
        line.strip_prefix("Ran ").and_then(|it| it.split(' ').next()?.parse::<u32>().ok())
    })?;
    let verdict = output.lines().rev().find(|line| {
        line.starts_with("OK") || line.starts_with("FAILED (") || line.starts_with("NO TESTS RAN")
    })?;
    // Here the number follows its word.
    let number = |word: &str| {
        let after = verdict.split_once(&format!("{word}="));
        let digits = after.map(|(_, it)| it.split(|c: char| !c.is_ascii_digit()).next());
        digits.flatten().and_then(|it| it.parse::<u32>().ok()).unwrap_or(0)
    };
    let failed = number("failures") + number("errors") + number("unexpected successes");
    let skipped = number("skipped");
    let mut report = Report {
        passed: Some(ran.saturating_sub(failed + skipped)),
        failed,
        skipped,
        ..Report::default()
    };
    for block in output.split(&"=".repeat(70)).skip(1) {
        let mut lines = block.lines().skip_while(|line| line.is_empty());
        let header = lines.next().unwrap_or_default();
        let named = header.strip_prefix("FAIL: ").or_else(|| header.strip_prefix("ERROR: "));
        let Some(name) = named else { continue };
        let mut failure = Failure::named(unittest_name(name));
        for line in lines.take_while(|line| !line.starts_with("Ran ")) {
            if let Some(place) = Place::python_frame(line) {
                if !is_library(&place) {
                    failure.place(place);
                }
                // What came before was another exception's.
                failure.message.clear();
            } else if !line.starts_with([' ', '-']) && !line.starts_with("Traceback") {
                failure.say(line);
            }
        }
        report.failures.push(failure);
    }
    let loading = |failure: &Failure| failure.name.contains("_FailedTest");
    if report.passed == Some(0)
        && let Some(index) = report.failures.iter().position(loading)
    {
        report.broken = Some(report.failures.remove(index));
    }
    Some(report)
}

/// `test_add (test_calc.TestAdd.test_add)` says it twice.
fn unittest_name(header: &str) -> &str {
    let Some((name, rest)) = header.split_once(" (") else { return header };
    let qualified = rest.split(')').next().unwrap_or(rest);
    if qualified.rsplit('.').next() == Some(name) { qualified } else { header }
}
