//! The sixty requests of `evals/voice/requests.toml`, spoken through `duet talk` or typed through
//! `duet exec`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::json;

use super::score::{Errors, words};
use super::{Arguments, FOLDER, cell, details, duet, recording, stamp};
use crate::model_host::{OwnHost, RUNTIME_DIR, models};
use crate::requests::{Outcome, Requests, Task, attempt, bundled, wrong_words};
use crate::step::outside_git;

pub(super) fn ask_all(arguments: &Arguments) -> anyhow::Result<()> {
    let requests = Requests::read(FOLDER, "requests.toml")?;
    let asker = Asker { duet: duet(arguments)?, arguments, host: OwnHost::new("voice") };
    let scratch = std::env::temp_dir().join(format!("duet-voice-quality-{}", std::process::id()));
    let way = if arguments.typed { "typed" } else { "spoken" };
    let mut log = fs::File::create(details(&format!("{way}.jsonl"))?)?;
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
    let passed = outcomes.iter().filter(|it| it.1.problems.is_empty()).count();
    println!("{passed} of {} {way}", outcomes.len());
    if arguments.record {
        super::record(way, &page(&requests, &outcomes, arguments)?)?;
    }
    Ok(())
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
    let mut page = format!("{}. **{} of {}**", stamp()?, all.0, all.1);
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
