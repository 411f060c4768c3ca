//! The bundled model as an agent: twenty requests on three small repositories, judged by what
//! was done and said (`evals/agent/tasks.toml`).

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::requests::{Outcome, Requests, Task, Usage, attempt, bundled};
use crate::step::{self, cargo, output, run, target_dir};

const FOLDER: &str = "evals/agent";
const PAGE: &str = "docs/agent-eval.md";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only tasks whose name contains this; writes no record
    #[arg(long)]
    only: Option<String>,
    /// This program instead of building one
    #[arg(long)]
    duet: Option<PathBuf>,
    /// Print what each step got and gave
    #[arg(long)]
    trace: bool,
}

pub(crate) fn run_all(arguments: &Arguments) -> anyhow::Result<()> {
    let duet = match &arguments.duet {
        Some(duet) => duet.clone(),
        None => {
            run(&mut cargo(&["build", "--release", "--locked", "--package", "cli"]))?;
            target_dir()?.join("release").join("duet")
        }
    };
    let requests = Requests::read(FOLDER, "tasks.toml")?;
    let scratch = std::env::temp_dir().join(format!("duet-agent-eval-{}", std::process::id()));
    let mut outcomes = Vec::new();
    for task in &requests.tasks {
        if arguments.only.as_ref().is_some_and(|only| !task.id.contains(only.as_str())) {
            continue;
        }
        let dir = scratch.join(&task.id).join(&task.repository);
        requests.make(task, &dir)?;
        let mut exec = bundled(&duet, &dir.with_file_name("home"));
        exec.args(["exec", "--json", "--cd"]).arg(&dir).arg(&task.prompt);
        let outcome = attempt(&mut exec, task, &dir, arguments.trace)?;
        println!(
            "{} {:<20} {:>6.1} s  {}\n     {}",
            if outcome.problems.is_empty() { "ok  " } else { "FAIL" },
            task.id,
            outcome.took.as_secs_f64(),
            outcome.steps.join(" > "),
            outcome.answer.replace('\n', " / "),
        );
        outcome.problems.iter().for_each(|it| println!("     ! {it}"));
        outcomes.push((task, outcome));
    }
    fs::remove_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
    let passed = outcomes.iter().filter(|it| it.1.problems.is_empty()).count();
    println!("{passed} of {}", outcomes.len());
    if arguments.only.is_none() {
        fs::write(PAGE, page(&requests, &outcomes)?).context(PAGE)?;
        println!("written to {PAGE}");
    }
    Ok(())
}

fn page(requests: &Requests, outcomes: &[(&Task, Outcome)]) -> anyhow::Result<String> {
    let passed = outcomes.iter().filter(|it| it.1.problems.is_empty()).count();
    let commit = output(step::git().args(["rev-parse", "--short", "HEAD"]))?;
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let mut page = format!(
        "# The bundled model as an agent\n\nWritten by `cargo xtask agent-eval`. {date}, commit \
         {commit}: **{passed} of {}**. What it means: `decisions/0005-bundled-agent.md`.\n\n\
         | task | language | request | result | s | tokens in (known before) / out | steps | answer |\n\
         |---|---|---|---|---|---|---|---|\n",
        outcomes.len()
    );
    for (task, outcome) in outcomes {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let language = &requests.repository(task)?.language;
        let result = match outcome.problems.as_slice() {
            [] => "ok".to_owned(),
            [first, ..] => format!("**failed**: {}", cell(first)),
        };
        let Usage { input_tokens, cached_input_tokens, output_tokens } = outcome.usage;
        writeln!(
            page,
            "| {} | {language} | {} | {result} | {:.1} | {input_tokens} ({cached_input_tokens}) / \
             {output_tokens} | {} | {} |",
            task.id,
            cell(&task.prompt),
            outcome.took.as_secs_f64(),
            cell(&outcome.steps.join(" > ")),
            cell(&outcome.answer),
        )?;
    }
    Ok(page)
}
