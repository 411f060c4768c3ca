//! `run_tests`: the project's own tests, and what they say in a few sentences.

use std::time::Duration;

use protocol::{
    CommandItem, ItemBody, ItemStatus, Property, RepositoryFacts, Schema, TestCommand, ToolEffect,
    ToolSpec,
};
use sandboxing::{Ending, SpawnError};
use workspace::{Patience, Root};

use super::Tool;
use super::shell::completed;
use crate::arguments::{Arguments, BadArguments};
use crate::command::{Finished, TimeLimit, run};
use crate::looking::{NotSeen, look};
use crate::policy::cell;
use crate::report::{Failure, Report, parse};
use crate::running::{Ports, RunningTool, ToolOutcome};
use crate::source::Sources;
use crate::text::{clip, clip_line};
use crate::toolbox::{Job, Style};

pub(crate) const TOOL: Tool = Tool { name: "run_tests", spec, start };

/// Bytes for a model that reads sixty tokens a second.
const TYPED_LIMIT: usize = 2400;
const FULL_LIMIT: usize = 16_000;

/// The code that failed tests call is found by then or not shown.
const QUOTING_LIMIT: Duration = Duration::from_secs(3);

/// Failures that are described; more are only named.
const DESCRIBED: usize = 3;
const NAMED: usize = 10;

fn spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    let description = match (style, facts.test_commands.first()) {
        // Also where there are none: asked for them, a small model that cannot look makes some up.
        (Style::Typed, _) => "runs the tests and shows which fail and why".to_owned(),
        (Style::Full, Some(first)) => format!(
            "Runs the project's tests (`{}`, found in {}) and returns a summary and the output.",
            first.argv.join(" "),
            first.found_in
        ),
        (Style::Full, None) => return None,
    };
    let filter = Property::optional(
        "filter",
        "Runs only tests whose name contains this.",
        Schema::Text { max_chars: Some(80) },
    );
    let parameters = match style {
        Style::Typed => Vec::new(),
        Style::Full => vec![filter],
    };
    Some(ToolSpec {
        name: "run_tests".to_owned(),
        description,
        parameters,
        effect: ToolEffect::Runs,
    })
}

fn start(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let filter = arguments.optional_text("filter")?.map(str::to_owned);
    let commands = job.context.facts.test_commands.clone();
    if commands.is_empty() {
        let message = "No tests were found: there is no Cargo.toml, go.mod, package.json with a \
                       test script, Python test file or Makefile with a test target.";
        return Err(BadArguments(message.to_owned()));
    }
    let argvs: Vec<Vec<String>> =
        commands.iter().map(|command| filtered(command, filter.as_deref())).collect();
    let item = CommandItem {
        call: job.call.call.clone(),
        command: argvs[0].join(" "),
        cwd: job.context.facts.root.clone(),
        status: ItemStatus::InProgress,
        exit_code: None,
        output: String::new(),
        duration: None,
    };
    Ok(RunningTool::new(ItemBody::Command(item.clone()), move |mut ports| async move {
        run_first_that_exists(&job, &mut ports, item, argvs).await
    }))
}

/// The next command is taken when the runner of one is not installed.
async fn run_first_that_exists(
    job: &Job,
    ports: &mut Ports,
    mut item: CommandItem,
    argvs: Vec<Vec<String>>,
) -> ToolOutcome {
    let limit = TimeLimit {
        tool: TOOL.name,
        time: job.context.test_time,
        remedy: "set `tools.test_timeout_sec` in config.toml to more",
    };
    let not_run = |item: CommandItem, message: String| {
        let status = ItemStatus::Failed;
        let item = CommandItem { status, output: message.clone(), ..item };
        ToolOutcome { item: ItemBody::Command(item), output: message }
    };
    let mut last = argvs.len();
    for argv in argvs {
        last -= 1;
        item.command = argv.join(" ");
        let cell = match cell(&job.context.sandbox, &job.context.facts.root) {
            Ok(cell) => cell,
            Err(error) => {
                return not_run(item, format!("No temporary directory can be made: {error}."));
            }
        };
        let argv = argv.into_iter().map(Into::into).collect();
        let finished = match run(job, ports, argv, &cell, limit.time).await {
            Ok(finished) if 0 < last && runner_is_missing(&finished) => continue,
            Ok(finished) => finished,
            Err(SpawnError::NotFound(_)) if 0 < last => continue,
            Err(error) => return not_run(item, format!("The tests were not run: {error}.")),
        };
        let hint = finished.sandbox_hint(&cell.confinement);
        let style = job.context.style;
        let facts = job.context.facts.clone();
        let command = item.command.clone();
        let item = completed(item, finished.clone(), limit);
        // Reads source files to quote them.
        let told = look(ports, QUOTING_LIMIT, move |patience| {
            let told = tell(&command, &finished, limit, style, &facts, patience);
            hint.map_or(told.clone(), |hint| format!("{told}\n{hint}"))
        });
        // The tests have ended, so their own words are there in any case.
        let output = told.await.unwrap_or_else(|NotSeen(_)| clip(&item.output, FULL_LIMIT));
        return ToolOutcome { item: ItemBody::Command(item), output };
    }
    not_run(item, "No test runner of the project is installed.".to_owned())
}

/// Python itself is there, and says so.
fn runner_is_missing(finished: &Finished) -> bool {
    !finished.succeeded() && finished.output.contains("No module named pytest")
}

fn filtered(command: &TestCommand, filter: Option<&str>) -> Vec<String> {
    let mut argv = command.argv.clone();
    let Some(filter) = filter else { return argv };
    let words: Vec<&str> = command.argv.iter().map(String::as_str).collect();
    let option: &[&str] = match words.as_slice() {
        ["cargo", ..] => &[],
        ["go", ..] => &["-run"],
        ["node", ..] => &["--test-name-pattern"],
        [_, "-m", "pytest" | "unittest", ..] => &["-k"],
        ["npm" | "pnpm" | "yarn", ..] => &["--", "-t"],
        // Make and whatever else: all of them.
        _ => return argv,
    };
    argv.extend(option.iter().map(|it| it.to_string()));
    argv.push(filter.to_owned());
    argv
}

/// What the model reads.
fn tell(
    command: &str,
    finished: &Finished,
    limit: TimeLimit,
    style: Style,
    facts: &RepositoryFacts,
    patience: &Patience,
) -> String {
    if runner_is_missing(finished) {
        return "No test was run: the tests need pytest, which is not installed here.".to_owned();
    }
    let raw = finished.plain_output();
    let room = match style {
        Style::Typed => TYPED_LIMIT,
        Style::Full => FULL_LIMIT,
    };
    let Some(report) = parse(&raw).filter(|_| finished.exit.ending == Ending::Exited) else {
        let ending = finished.ending(limit);
        return format!("Ran `{command}`. {ending}\n{}", clip(&raw, room));
    };
    if let Some(unexplained) = unexplained(&report, finished) {
        // Only the output can say why: it is shown to either model.
        return format!("Ran `{command}`. {unexplained}\n{}", clip(&raw, room));
    }
    let summary = summary(&report);
    match style {
        Style::Full => {
            format!("Ran `{command}`. {summary}\n{}", clip(&raw, FULL_LIMIT))
        }
        Style::Typed => {
            let details = match Root::of(facts) {
                Ok(root) => details(&report, &Sources { root: &root, facts }, patience),
                // Gone meanwhile; the numbers stay true.
                Err(_) => String::new(),
            };
            clip(format!("{summary}\n{details}").trim_end(), TYPED_LIMIT)
        }
    }
}

fn summary(report: &Report) -> String {
    let Report { passed, failed, skipped, failures: _, broken } = report;
    if broken.is_some() {
        return "No test ran: the project is broken.".to_owned();
    }
    let skipped = if *skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    match (passed, failed) {
        (Some(0), 0) => format!("No test was run{skipped}."),
        (Some(1), 0) => format!("The only test passed{skipped}."),
        (Some(passed), 0) => format!("All {passed} tests passed{skipped}."),
        (None, 0) => format!("All tests passed{skipped}."),
        (Some(passed), failed) => {
            let (all, names) = (passed + failed, failing_names(report));
            format!("{failed} of {all} tests failed{skipped}: {names}.")
        }
        (None, failed) => format!("{failed} failed{skipped}: {}.", failing_names(report)),
    }
}

/// As people say them: without the modules, files and classes around them.
fn failing_names(report: &Report) -> String {
    let name = |failure: &Failure| {
        let name = failure.name.as_str();
        let is_sentence = name.contains(char::is_whitespace);
        let last = name.rsplit(['.', ':', '/']).next().filter(|_| !is_sentence);
        last.unwrap_or(name).to_owned()
    };
    let mut names: Vec<String> = report.failures.iter().take(DESCRIBED).map(name).collect();
    if DESCRIBED < report.failures.len() {
        names.push("others".to_owned());
    }
    names.join(", ")
}

/// What to say of a run that failed without a test that did: a test binary that aborted, an exit
/// in the middle, a second runner, a threshold of coverage. `None` where the report explains it.
fn unexplained(report: &Report, finished: &Finished) -> Option<String> {
    let Report { passed, failed, skipped, failures, broken } = report;
    if finished.succeeded() || 0 < *failed || !failures.is_empty() || broken.is_some() {
        return None;
    }
    let how = match (finished.exit.code, finished.exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    };
    let skipped = if *skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    Some(match passed {
        Some(0) => format!("No test was run{skipped}, and the run failed ({how})."),
        Some(passed) => format!("{passed} passed{skipped}, but the run failed ({how})."),
        None => format!("No test is said to have failed{skipped}, but the run failed ({how})."),
    })
}

fn details(report: &Report, sources: &Sources<'_>, patience: &Patience) -> String {
    let mut text = String::new();
    if let Some(broken) = &report.broken {
        text.push_str(&describe("Error", broken, sources, patience));
    }
    let room = TYPED_LIMIT / 2;
    for failure in report.failures.iter().take(DESCRIBED) {
        let described = if text.len() < room {
            describe("Failing", failure, sources, patience)
        } else {
            one_line("Failing", failure, sources)
        };
        text.push_str(&described);
    }
    let more: Vec<&str> =
        report.failures.iter().skip(DESCRIBED).map(|failure| failure.name.as_str()).collect();
    if !more.is_empty() {
        let named = more.len().min(NAMED);
        text.push_str(&format!("Also failing: {}", more[..named].join(", ")));
        if named < more.len() {
            text.push_str(&format!(" and {} more", more.len() - named));
        }
        text.push_str(".\n");
    }
    text
}

fn one_line(word: &str, failure: &Failure, sources: &Sources<'_>) -> String {
    let ours = failure.places.iter().find_map(|place| Some((sources.resolve(place)?, place.line)));
    let place = ours.map(|(path, line)| format!(" ({path} line {line})")).unwrap_or_default();
    let name = if failure.name.is_empty() { String::new() } else { format!(" {}", failure.name) };
    format!("{word}{}{place}: {}\n", name, clip_line(&failure.message, 300))
}

/// The sentence, the failing lines, and the code that they call.
fn describe(word: &str, failure: &Failure, sources: &Sources<'_>, patience: &Patience) -> String {
    let mut text = one_line(word, failure, sources);
    let ours: Vec<(String, usize)> = failure
        .places
        .iter()
        .filter_map(|place| Some((sources.resolve(place)?, place.line)))
        .collect();
    let Some((path, line)) = ours.first() else { return text };
    let Some(code) = sources.around(path, *line) else { return text };
    text.push_str(&code.numbered(Some(*line)));
    // Where it was noticed, if that is elsewhere.
    if let Some((path, line)) = ours.last().filter(|_| 1 < ours.len())
        && let Some(deepest) = sources.around(path, *line)
    {
        text.push_str(&format!("It fails in {path}:\n{}", deepest.numbered(Some(*line))));
        return text;
    }
    let called = sources.called_from(&code, 2, patience);
    for (name, definition) in &called {
        let path = &definition.path;
        text.push_str(&format!("{name} is in {path}:\n{}", definition.numbered(None)));
    }
    if let Some((_, tested)) = called.first().filter(|it| it.1.path != *path) {
        text.push_str(&format!("So the mistake may be in {}.\n", tested.path));
    }
    text
}
