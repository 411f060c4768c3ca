//! `go test`, which counts nothing but what failed.

use super::place::Place;
use super::{Failure, Report};

pub(super) fn parse(output: &str) -> Option<Report> {
    let package = |line: &str| {
        let mut fields = line.split('\t').map(str::trim);
        matches!(fields.next(), Some("ok" | "FAIL"))
            && fields.next().is_some_and(|it| !it.is_empty())
    };
    if !output.lines().any(package) {
        return None;
    }
    let mut report = Report::default();
    let mut passed = 0;
    let mut verbose = false;
    for line in output.lines() {
        let trimmed = line.trim_start();
        if let Some(name) = result(trimmed, "--- FAIL: ") {
            // A test with subtests fails because of them.
            report.failures.retain(|failure| {
                !(name.starts_with(&format!("{}/", failure.name)) && failure.message.is_empty())
            });
            report.failures.push(Failure::named(name));
        } else if result(trimmed, "--- PASS: ").is_some() {
            passed += 1;
            verbose = true;
        } else if result(trimmed, "--- SKIP: ").is_some() {
            report.skipped += 1;
        } else if line.starts_with(' ')
            && let Some(failure) = report.failures.last_mut()
        {
            match trimmed.split_once(": ") {
                Some((at, message)) if Place::parse(at).is_some() => {
                    failure.places.extend(Place::parse(at));
                    failure.say(message);
                }
                Some(_) | None => failure.say(trimmed),
            }
        } else if trimmed.contains("[build failed]") || trimmed.contains("[setup failed]") {
            report.broken = report.broken.or_else(|| first_error(output));
        }
    }
    report.failed = u32::try_from(report.failures.len()).unwrap_or(u32::MAX);
    report.passed = verbose.then_some(passed);
    Some(report)
}

fn result<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    line.strip_prefix(prefix).map(|rest| rest.split(' ').next().unwrap_or(rest))
}

/// `./calc.go:3:9: undefined: x`
fn first_error(output: &str) -> Option<Failure> {
    output.lines().find_map(|line| {
        let (at, message) = line.split_once(": ")?;
        let place = Place::parse(at)?;
        Some(Failure { name: String::new(), places: vec![place], message: message.to_owned() })
    })
}
