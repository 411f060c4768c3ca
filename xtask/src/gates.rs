//! Performance gates: what the hot paths and the start of the engine cost, in numbers that
//! repeat, held to the limits of `evals/gates.toml`.
//!
//! Nothing here looks at a clock. Instructions are counted by callgrind, which needs no
//! privileges and no counters of the processor; allocations by the program that allocates
//! (`crates/hot-paths`); files and processes by strace.

mod limits;
mod measure;
mod trace;

use std::fs;
use std::process::Command;

use anyhow::{Context as _, ensure};

use self::limits::{Finding, Limits, Tools};
use crate::step::output;

const FILE: &str = "evals/gates.toml";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write what is measured to evals/gates.toml, with the limits that follow from it
    #[arg(long)]
    update: bool,
}

pub(crate) fn hold(arguments: &Arguments) -> anyhow::Result<()> {
    let tools = tools()?;
    let measured = measure::all()?;
    let limits = match fs::read_to_string(FILE) {
        Ok(text) => text.parse().with_context(|| FILE.to_owned())?,
        Err(error) if arguments.update && error.kind() == std::io::ErrorKind::NotFound => {
            Limits::default()
        }
        Err(error) => return Err(error).context(FILE),
    };
    if arguments.update {
        let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
        let limits = limits.updated(&measured, tools, &date);
        print!("{}", limits.table(&measured));
        return fs::write(FILE, limits.to_string()).context(FILE);
    }
    print!("{}", limits.table(&measured));
    let findings = limits.judge(&measured, &tools);
    let mut failures = Vec::new();
    for finding in findings {
        match finding {
            Finding::Fails(sentence) => failures.push(sentence),
            Finding::Notable(sentence) => println!("note: {sentence}"),
        }
    }
    ensure!(failures.is_empty(), "performance gates:\n  {}", failures.join("\n  "));
    println!("gates: {} hold", measured.len());
    Ok(())
}

/// What instructions depend on besides our own sources.
fn tools() -> anyhow::Result<Tools> {
    let version = |text: String| text.split_whitespace().nth(1).unwrap_or(&text).to_owned();
    let valgrind = output(Command::new("valgrind").arg("--version"))
        .context("valgrind counts the instructions: install it (Debian: valgrind)")?;
    output(Command::new("strace").arg("--version"))
        .context("strace counts the files: install it (Debian: strace)")?;
    Ok(Tools {
        machine: std::env::consts::ARCH.to_owned(),
        rustc: version(output(Command::new("rustc").arg("--version"))?),
        valgrind: valgrind.trim_start_matches("valgrind-").to_owned(),
    })
}
