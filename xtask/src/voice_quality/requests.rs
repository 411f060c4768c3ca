//! The sixty requests of `evals/voice/requests.toml`, spoken through `duet talk` or typed through
//! `duet exec`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use super::score::{Errors, words};
use super::{Arguments, FOLDER, cell, details, duet, recording, stamp};
use crate::model_host::{OwnHost, RUNTIME_DIR, models};
use crate::requests::{Outcome, Requests, Task, Usage, attempt, bundled, wrong_words};
use crate::step::outside_git;

pub(super) fn ask_all(arguments: &Arguments) -> anyhow::Result<()> {
    let requests = Requests::read(FOLDER, "requests.toml")?;
    if arguments.rejudge {
        let log = fs::read_to_string(details(&format!("{}.jsonl", way(arguments)))?)?;
        return told(&requests, &judged_again(&requests, &log)?, arguments);
    }
    let asker = Asker { duet: duet(arguments)?, arguments, host: OwnHost::new("voice") };
    let scratch = std::env::temp_dir().join(format!("duet-voice-quality-{}", std::process::id()));
    let mut log = fs::File::create(details(&format!("{}.jsonl", way(arguments)))?)?;
    let mut outcomes = Vec::new();
    for task in &requests.tasks {
        if arguments.matching.as_ref().is_some_and(|only| !task.id.contains(only.as_str())) {
            continue;
        }
        let dir = scratch.join(&task.id).join(&task.repository);
        requests.make(task, &dir)?;
        let outcome = attempt(&mut asker.command(task, &dir)?, task, &dir, false)?;
        println!(
            "{} {:<22} {:>6.1} s  {}\n     {}",
            if outcome.problems.is_empty() { "ok  " } else { "FAIL" },
            task.id,
            outcome.took.as_secs_f64(),
            outcome.steps.join(" > "),
            outcome.answer.replace('\n', " / "),
        );
        if !arguments.typed {
            println!("     heard: {}", outcome.heard.join(" / "));
        }
        outcome.problems.iter().for_each(|it| println!("     ! {it}"));
        writeln!(log, "{}", whole(task, &outcome))?;
        outcomes.push((task, outcome));
    }
    fs::remove_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
    told(&requests, &outcomes, arguments)
}

fn way(arguments: &Arguments) -> &'static str {
    if arguments.typed { "typed" } else { "spoken" }
}

fn told(
    requests: &Requests,
    outcomes: &[(&Task, Outcome)],
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let passed = outcomes.iter().filter(|it| it.1.problems.is_empty()).count();
    println!("{passed} of {} {}", outcomes.len(), way(arguments));
    if arguments.record {
        super::record(way(arguments), &page(requests, outcomes, arguments)?)?;
    }
    Ok(())
}

/// The outcomes of a run before, their words judged by the lists as they are now.
fn judged_again<'r>(requests: &'r Requests, log: &str) -> anyhow::Result<Vec<(&'r Task, Outcome)>> {
    let mut outcomes = Vec::new();
    for line in log.lines() {
        let Whole { id, heard, steps, answer, spoken, mut problems, seconds } =
            serde_json::from_str(line)?;
        let task = requests.tasks.iter().find(|it| it.id == id).with_context(|| id.clone())?;
        problems.retain(|it| !it.starts_with("the answer "));
        problems.extend(wrong_words(task, &answer));
        let took = Duration::from_secs_f64(seconds);
        let usage = Usage::default();
        outcomes.push((task, Outcome { problems, steps, answer, usage, took, heard, spoken }));
    }
    Ok(outcomes)
}

/// What [`whole`] wrote.
#[derive(Deserialize)]
struct Whole {
    id: String,
    heard: Vec<String>,
    steps: Vec<String>,
    answer: String,
    spoken: Vec<String>,
    problems: Vec<String>,
    seconds: f64,
}

struct Asker<'a> {
    duet: std::path::PathBuf,
    arguments: &'a Arguments,
    host: OwnHost,
}

impl Asker<'_> {
    fn command(&self, task: &Task, dir: &Path) -> anyhow::Result<Command> {
        let mut command = match &self.arguments.provider {
            // As the person at the keyboard has it, with the keys.
            Some(_) => outside_git(&self.duet),
            None => bundled(&self.duet, &dir.with_file_name("home")),
        };
        if self.arguments.typed {
            command.args(["exec", "--json", "--cd"]).arg(dir);
            if let Some(provider) = &self.arguments.provider {
                command.arg("--config").arg(format!("model_provider={provider}"));
            } else {
                self.use_own_host(&mut command)?;
            }
            command.arg(&task.prompt);
        } else {
            let question =
                fs::canonicalize(recording(Path::new(FOLDER), &format!("requests/{}", task.id)))
                    .with_context(|| format!("{}: no recording", task.id))?;
            command.args(["talk", "--json", "--input"]).arg(question);
            command.arg("--output").arg(dir.with_file_name("answer.wav")).arg("--cd").arg(dir);
            self.use_own_host(&mut command)?;
        }
        Ok(command)
    }

    fn use_own_host(&self, command: &mut Command) -> anyhow::Result<()> {
        let models = models(self.arguments.models.as_deref())?;
        command.env(RUNTIME_DIR, self.host.runtime_dir()).env("DUET_MODELS", models);
        Ok(())
    }
}

fn whole(task: &Task, outcome: &Outcome) -> serde_json::Value {
    json!({
        "id": task.id, "kind": task.kind, "prompt": task.prompt, "expected": task.answer,
        "heard": outcome.heard, "steps": outcome.steps, "answer": outcome.answer,
        "spoken": outcome.spoken, "problems": outcome.problems,
        "seconds": outcome.took.as_secs_f64(),
    })
}

/// Passed, and of how many.
#[derive(Default, Clone, Copy)]
struct Share(usize, usize);

impl Share {
    fn count(&mut self, passed: bool) {
        self.0 += usize::from(passed);
        self.1 += 1;
    }
}

fn page(
    requests: &Requests,
    outcomes: &[(&Task, Outcome)],
    arguments: &Arguments,
) -> anyhow::Result<String> {
    let (mut all, mut aloud) = (Share::default(), Share::default());
    let mut parts: BTreeMap<(usize, &str), Share> = BTreeMap::new();
    let mut misheard = Errors::default();
    for (task, outcome) in outcomes {
        let passed = outcome.problems.is_empty();
        all.count(passed);
        // What was said alone, for who does not look at the screen.
        aloud.count(passed && wrong_words(task, &outcome.spoken.join(" ")).is_empty());
        parts.entry((0, &requests.repository(task)?.language)).or_default().count(passed);
        parts.entry((1, &task.kind)).or_default().count(passed);
        misheard += Errors::between(&words(&task.prompt), &words(&outcome.heard.join(" ")));
    }
    let mut page = format!("{}. **{} of {}**", stamp(arguments)?, all.0, all.1);
    if arguments.typed {
        let provider = arguments.provider.as_deref().unwrap_or("the bundled model");
        writeln!(page, " typed, by {provider}.\n")?;
    } else {
        writeln!(
            page,
            " spoken (goal: 42 of 60). In {} of them the spoken words alone hold the facts. Words \
             misheard: {misheard}.\n",
            aloud.0
        )?;
    }
    writeln!(page, "| part | right |\n|---|---|")?;
    for ((_, part), Share(right, of)) in &parts {
        writeln!(page, "| {part} | {right} of {of} |")?;
    }
    writeln!(
        page,
        "\n| request | result | s | {}steps | answer |",
        match arguments.typed {
            true => "",
            false => "heard | ",
        }
    )?;
    writeln!(page, "|---|---|---|{}---|---|", if arguments.typed { "" } else { "---|" })?;
    for (task, outcome) in outcomes {
        let result = match outcome.problems.as_slice() {
            [] => "ok".to_owned(),
            [first, ..] => format!("**failed**: {}", cell(first)),
        };
        let heard = match arguments.typed {
            true => String::new(),
            false => format!("{} | ", cell(&outcome.heard.join(" / "))),
        };
        writeln!(
            page,
            "| {}: {} | {result} | {:.0} | {heard}{} | {} |",
            task.id,
            cell(&task.prompt),
            outcome.took.as_secs_f64(),
            cell(&outcome.steps.join(" > ")),
            cell(&outcome.answer),
        )?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn requests() -> Requests {
        // Tests run in the folder of their package.
        Requests::read("../evals/voice", "requests.toml").expect("the requests")
    }

    #[test]
    fn there_are_twenty_of_each_language_and_all_are_judged() {
        let requests = requests();
        let mut languages = BTreeMap::new();
        for task in &requests.tasks {
            let language = &requests.repository(task).expect("its repository").language;
            *languages.entry(language.as_str()).or_insert(0) += 1;
            assert!(task.is_judged(), "{}", task.id);
        }
        assert_eq!(languages, [("JavaScript", 20), ("Python", 20), ("Rust", 20)].into());
    }

    #[test]
    fn what_was_recorded_is_what_is_asked() {
        let index = fs::read_to_string("../evals/voice/recordings/index.json").expect("the index");
        let index: Vec<serde_json::Value> = serde_json::from_str(&index).expect("JSON");
        let said = |name: &str| index.iter().find(|it| it["name"] == name).map(|it| &it["text"]);
        for task in requests().tasks {
            let name = format!("requests/{}", task.id);
            assert_eq!(said(&name), Some(&json!(task.prompt)));
            assert!(recording(Path::new("../evals/voice"), &name).is_file(), "{name}");
        }
    }

    #[test]
    fn a_run_before_is_judged_by_the_words_as_they_are_now() {
        let requests = requests();
        let said = |answer: &str| {
            let outcome = Outcome {
                answer: answer.to_owned(),
                problems: vec![
                    "the answer has none of [\"35\"]".to_owned(),
                    "x was changed".to_owned(),
                ],
                ..Outcome::default()
            };
            whole(&requests.tasks[0], &outcome).to_string()
        };
        let again = judged_again(&requests, &said("34 knots")).expect("what was written");
        assert_eq!(again[0].1.problems, ["x was changed"]);
        let again = judged_again(&requests, &said("35 knots")).expect("what was written");
        assert_eq!(again[0].1.problems.len(), 2);
    }

    #[test]
    fn ones_own_provider_is_asked_with_ones_own_configuration() {
        let line = ["voice-quality", "--typed", "--provider", "acme"];
        let Line { arguments } = Line::try_parse_from(line).expect("a command line");
        let host = OwnHost::new("test");
        let asker = Asker { duet: "duet".into(), arguments: &arguments, host };
        let task = &requests().tasks[0];
        let command = asker.command(task, Path::new("/r")).expect("a command");
        let words: Vec<_> = command.get_args().collect();
        let prompt = task.prompt.as_str();
        assert_eq!(
            words,
            ["exec", "--json", "--cd", "/r", "--config", "model_provider=acme", prompt]
        );
        assert!(command.get_envs().all(|(name, value)| name != "DUET_HOME" && value.is_none()));
    }
}
