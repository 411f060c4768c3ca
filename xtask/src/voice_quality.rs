//! The voice, measured: requests that are spoken (or typed) to the agent, how many words are
//! misheard, and whether turns end where the speaker's do.
//!
//! Each group writes its own part of `docs/voice-quality.md`; what is said around the tables there
//! is written by hand.

mod ears;
mod requests;
mod score;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use clap::ValueEnum;

use crate::step::{self, cargo, output, run, target_dir};

const FOLDER: &str = "evals/voice";
const PAGE: &str = "docs/voice-quality.md";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this group
    #[arg(long)]
    only: Option<Group>,
    /// The requests typed instead of spoken
    #[arg(long)]
    typed: bool,
    /// Typed to this provider of your own configuration, instead of the bundled model
    #[arg(long, requires = "typed", value_name = "ID")]
    provider: Option<String>,
    /// Judge what the run before heard and answered again, after a transcript or a list of words
    /// was mended
    #[arg(long)]
    rejudge: bool,
    /// Only what has this in its name; writes no record
    #[arg(long, value_name = "NAME", conflicts_with = "record")]
    matching: Option<String>,
    /// The coding phrases with the file names of the repositories told to the ears
    #[arg(long)]
    with_names: bool,
    /// Where evals/voice/fetch_human.py left the recordings of people
    #[arg(long, value_name = "DIR")]
    human: Option<PathBuf>,
    /// Write the tables to docs/voice-quality.md
    #[arg(long)]
    record: bool,
    /// This program instead of building one
    #[arg(long, value_name = "PATH")]
    duet: Option<PathBuf>,
    /// What that program was built from, where it is not the commit here
    #[arg(long, requires = "duet", value_name = "COMMIT")]
    commit: Option<String>,
    /// Where the models are [default: $DUET_MODELS, else the user's cache]
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// The sixty requests to the agent
    Requests,
    /// Words misheard, of people
    Human,
    /// Words misheard, of a hundred coding phrases
    Phrases,
    /// Whether turns end where the speaker's do
    Turns,
}

pub(crate) fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let wanted = |group| arguments.only.is_none_or(|only| only == group);
    if wanted(Group::Requests) {
        requests::ask_all(arguments)?;
    }
    if wanted(Group::Human) {
        ears::human(arguments)?;
    }
    if wanted(Group::Phrases) {
        ears::phrases(arguments)?;
    }
    if wanted(Group::Turns) {
        ears::turns(arguments)?;
    }
    Ok(())
}

fn duet(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    match &arguments.duet {
        // It is started in other folders than ours.
        Some(duet) => fs::canonicalize(duet).with_context(|| duet.display().to_string()),
        None => {
            run(&mut cargo(&["build", "--release", "--locked", "--package", "cli"]))?;
            Ok(target_dir()?.join("release").join("duet"))
        }
    }
}

/// Where what was measured is kept whole, for who looks closer.
fn details(name: &str) -> anyhow::Result<PathBuf> {
    let dir = target_dir()?.join("voice-quality");
    fs::create_dir_all(&dir)?;
    Ok(dir.join(name))
}

/// When, of what, and on what.
fn stamp(arguments: &Arguments) -> anyhow::Result<String> {
    let commit = match &arguments.commit {
        Some(commit) => commit.clone(),
        None => output(step::git().args(["rev-parse", "--short", "HEAD"]))?,
    };
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]))?;
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|it| it.strip_prefix("model name")).unwrap_or("");
    let cpu = cpu.trim_start_matches([' ', '\t', ':']);
    Ok(format!("{date}, commit {commit}, {} cores of {cpu}", std::thread::available_parallelism()?))
}

/// Puts `text` between the marks of `part` in the page.
fn record(part: &str, text: &str) -> anyhow::Result<()> {
    let page = fs::read_to_string(PAGE).with_context(|| PAGE.to_owned())?;
    fs::write(PAGE, with_part(&page, part, text)?).with_context(|| PAGE.to_owned())?;
    println!("written to {PAGE}");
    Ok(())
}

fn with_part(page: &str, part: &str, text: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- end of {part} -->"));
    let lost = || format!("{PAGE} has lost its marks of {part}");
    let (head, rest) = page.split_once(&begin).with_context(lost)?;
    let (_, tail) = rest.split_once(&end).with_context(lost)?;
    Ok(format!("{head}{begin}{text}{end}{tail}"))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn recording(folder: &Path, name: &str) -> PathBuf {
    folder.join("recordings").join(format!("{name}.wav"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_and_nothing_else() {
        let page = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n";
        let again = with_part(page, "x", "new\n").expect("both marks");
        assert_eq!(again, "a\n<!-- x -->\nnew\n<!-- end of x -->\nb\n");
        assert!(with_part(page, "y", "").is_err());
    }
}
