//! Hours of conversation with the program as it is shipped: does memory stay flat, do the
//! clocks stay together, is anything that was said lost?
//!
//! The program hears and speaks through pipes in real time, with the local voice; what its agent's
//! model does is a script, so that what should come of a turn is known and two cores are enough.
//! `--bundled` has the bundled model instead. The numbers are raw in `target/soak`.

mod agent;
mod director;
mod plan;
mod processes;
mod sound;
mod verdict;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Serialize;

use self::agent::Agent;
use self::director::{Act, Complaint, Director, Note, Record};
use self::plan::{Plan, Turn};
use self::sound::Watch;
use self::verdict::{Sample, Seen, judge};
use crate::bench::Profile;
use crate::model_host::{RUNTIME_DIR, models};
use crate::page;
use crate::scratch::Scratch;
use crate::step::{Guard, outside_git, target_dir};

const PAGE: &str = "docs/soak.md";

/// Between two looks at memory and clocks.
const LOOK: Duration = Duration::from_secs(10);

/// What was said may be asked about so often.
const STEP: Duration = Duration::from_millis(50);

/// From the end of the microphone to the end of the program.
const GOODBYE: Duration = Duration::from_secs(90);

/// The longest silence, of which there is one every quarter of an hour or so.
const PAUSE: Duration = Duration::from_secs(240);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long things are said
    #[arg(long, default_value_t = 120)]
    minutes: u32,
    /// Of the conversation: the same number is the same script
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The bundled model is the agent, not a script
    #[arg(long)]
    bundled: bool,
    /// This program instead of building one
    #[arg(long, value_name = "PATH")]
    duet: Option<PathBuf>,
    /// What the program was built from [default: what is checked out]
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,
    /// Where the models are [default: $DUET_MODELS, else the user's cache]
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Add the figures to docs/soak.md
    #[arg(long)]
    record: bool,
    /// Talk to nobody: judge what an earlier run has seen so far [default: target/soak]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["duet", "minutes", "models"])]
    again: Option<Option<PathBuf>>,
}

/// What can be said.
struct Recording {
    words: String,
    samples: Vec<i16>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let recordings = recordings()?;
    let words: Vec<String> = recordings.iter().map(|it| it.words.clone()).collect();
    let target = target_dir()?;
    let log = match &arguments.again {
        Some(Some(folder)) => Log { folder: folder.clone() },
        Some(None) | None => Log { folder: target.join("soak") },
    };
    if arguments.again.is_none() {
        // Two at once would write each other's numbers.
        let lock = File::create(target.join("soak.lock"))?;
        lock.try_lock().context("another soak goes on in this target folder")?;
        converse(arguments, &recordings, &log)?;
    }
    let samples: Vec<Sample> = log.read("samples")?;
    let records: Vec<Record> = log.read("turns")?;
    let complaints: Vec<Complaint> = log.read("complaints")?;
    let end: Vec<String> = log.read("end")?;
    let seen = Seen {
        samples: &samples,
        records: &records,
        complaints: &complaints,
        end: end.last().map(String::as_str),
        words: &words,
    };
    let (text, problems) = judge(&seen);
    println!("{text}");
    if arguments.record {
        let agent = if arguments.bundled { "the bundled model" } else { "a script" };
        let title = page::title(arguments.commit.as_deref())?;
        let entry = format!(
            "\n### {title}; the agent's model is {agent}; seed {}\n\n{text}",
            arguments.seed
        );
        page::put_on_top(PAGE, &entry)?;
    }
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(())
}

fn converse(arguments: &Arguments, recordings: &[Recording], log: &Log) -> anyhow::Result<()> {
    let duet = match &arguments.duet {
        Some(duet) => fs::canonicalize(duet).with_context(|| duet.display().to_string())?,
        None => fs::canonicalize(Profile::Release.build_duet()?)?,
    };
    let models = models(arguments.models.as_deref())?;
    let scratch = Scratch::new("soak")?;
    log.begin()?;
    let project = scratch.sample_project()?;
    let pipe = scratch.dir.join("sound.pcm");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)?;
    let (notes, noted) = mpsc::channel();
    let agent = Agent::start(notes.clone())?;

    let mut command = outside_git(&duet);
    command.args(["talk", "--json", "--input", "-", "--config", "realtime.provider=local"]);
    if arguments.bundled {
        command.args(["--config", "model_provider=local"]);
    } else {
        command.args(["--config", "model_provider=script", "--config", "model=script"]).args([
            "--config".to_owned(),
            format!("model_providers.script.base_url=\"{}\"", agent.base_url),
        ]);
    }
    let errors = File::create(log.folder.join("stderr"))?;
    let mut talk = Guard(
        command
            .arg("--output")
            .arg(&pipe)
            .arg("--cd")
            .arg(&project)
            .env("DUET_HOME", scratch.dir.join("home"))
            .env("DUET_MODELS", &models)
            .env("XDG_CACHE_HOME", scratch.dir.join("cache"))
            .env(RUNTIME_DIR, scratch.host.runtime_dir())
            .env_remove("OPENAI_API_KEY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("start {}", duet.display()))?,
    );
    let start = Instant::now();
    let watch = Watch::default();
    let (say, to_say) = mpsc::channel();
    let stdin = talk.0.stdin.take().context("stdin")?;
    let stdout = talk.0.stdout.take().context("stdout")?;
    // They end with the program, whose pipes they hold.
    spawn("events", {
        let notes = notes.clone();
        move || listen(stdout, &notes)
    })?;
    spawn("microphone", {
        let (watch, notes) = (watch.clone(), notes.clone());
        move || {
            if let Err(error) = sound::microphone(stdin, &to_say, &watch, &notes) {
                eprintln!("the microphone: {error}");
            }
        }
    })?;
    spawn("player", {
        let watch = watch.clone();
        move || {
            if let Err(error) = sound::player(&pipe, &watch, &notes) {
                eprintln!("the player: {error}");
            }
        }
    })?;

    let until = Duration::from_secs(u64::from(arguments.minutes) * 60);
    // Of a short run only a short pause is seen.
    let plan = Plan::new(arguments.seed, recordings.len(), PAUSE.min(until / 12));
    let mut director = Director::new(plan, until, start.elapsed());
    let mut say = Some(say);
    let mut look_at = LOOK;
    let mut told = 0;
    loop {
        let mut gone = false;
        match noted.recv_timeout(STEP) {
            Ok(note) => {
                gone = matches!(note, Note::Gone);
                log.note(&note, start.elapsed())?;
                director.note(note, start.elapsed());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => gone = true,
        }
        let now = start.elapsed();
        match director.act(now) {
            Some(Act::Say(Turn { recording, manner: _, script })) => {
                agent.play(script);
                if let Some(say) = &say {
                    // A microphone that has ended is a program that has, which is told below.
                    say.send(recordings[recording].samples.clone()).ok();
                }
            }
            Some(Act::Finish) => drop(say.take()),
            None => {}
        }
        if look_at <= now || gone {
            look_at += LOOK;
            let sample = Sample {
                at_s: now.as_secs_f64(),
                processes: processes::held(&duet, talk.0.id(), &scratch),
                clocks: watch.take(),
                load: load(),
            };
            log.append("samples", &sample)?;
            log.write("turns", &director.records)?;
            log.write("complaints", &director.complaints)?;
            if told < now.as_secs() / 60 {
                told = now.as_secs() / 60;
                progress(told, &sample, &director.records);
            }
        }
        if gone || until + GOODBYE <= now && say.is_none() && director.end.is_none() {
            break;
        }
    }
    if let Some(end) = &director.end {
        log.write("end", std::slice::from_ref(end))?;
    }
    Ok(())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body)?;
    Ok(())
}

/// The events of `talk --json`, to the last.
fn listen(stdout: ChildStdout, notes: &Sender<Note>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            // The director has ended when nobody takes it.
            Ok(event) => notes.send(Note::Event(event)).ok(),
            Err(error) => {
                eprintln!("no event: {error}: {line}");
                None
            }
        };
    }
    notes.send(Note::Gone).ok();
}

fn progress(minute: u64, sample: &Sample, records: &[Record]) {
    let memory: Vec<String> =
        sample.processes.iter().map(|(name, it)| format!("{name} {:.1}", it.rss)).collect();
    let counts = records.iter().fold(std::collections::BTreeMap::new(), |mut counts, it| {
        *counts.entry(format!("{:?}", it.fate)).or_insert(0_u32) += 1;
        counts
    });
    println!(
        "{minute:>4} min  load {:.1}  MB: {}  lead {:.0}..{:.0} ms  backlog {:.0} ms  turns {counts:?}",
        sample.load,
        memory.join(", "),
        sample.clocks.lead_min,
        sample.clocks.lead_max,
        sample.clocks.backlog,
    );
}

fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(f64::NAN)
}

fn recordings() -> anyhow::Result<Vec<Recording>> {
    let read = |sound: &Path, words: String| -> anyhow::Result<Recording> {
        let samples = audio_io::WavReader::open(sound)?.read_to_end()?;
        Ok(Recording { words, samples })
    };
    let mut all = vec![read(
        Path::new("assets/demo/request.wav"),
        "Run the tests and tell me what fails.".to_owned(),
    )?];
    let mut texts: Vec<PathBuf> =
        fs::read_dir("assets/questions")?.flatten().map(|it| it.path()).collect();
    texts.retain(|it| it.extension().is_some_and(|it| it == "txt"));
    texts.sort();
    for text in texts {
        all.push(read(&text.with_extension("wav"), fs::read_to_string(&text)?.trim().to_owned())?);
    }
    Ok(all)
}

/// Raw numbers, a line each.
struct Log {
    folder: PathBuf,
}

impl Log {
    fn begin(&self) -> anyhow::Result<()> {
        for name in ["samples", "turns", "complaints", "end", "notes"] {
            self.write::<()>(name, &[])?;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("jsonl")
    }

    fn append(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.path(name))?;
        writeln!(file, "{}", serde_json::to_string(value)?)?;
        Ok(())
    }

    fn write<T: Serialize>(&self, name: &str, values: &[T]) -> anyhow::Result<()> {
        let lines = values.iter().map(|it| Ok(serde_json::to_string(it)? + "\n"));
        let text = lines.collect::<anyhow::Result<String>>()?;
        fs::write(self.path(name), text).with_context(|| self.path(name).display().to_string())
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> anyhow::Result<Vec<T>> {
        let text = fs::read_to_string(self.path(name))
            .with_context(|| self.path(name).display().to_string())?;
        text.lines().map(|it| Ok(serde_json::from_str(it)?)).collect()
    }

    /// For who looks closer.
    fn note(&self, note: &Note, now: Duration) -> anyhow::Result<()> {
        let what = match note {
            Note::Event(event) => event.clone(),
            Note::Gone | Note::Asked | Note::Replying | Note::Sounds | Note::Quiet | Note::Said => {
                format!("{note:?}").into()
            }
        };
        self.append("notes", &serde_json::json!({ "at_ms": now.as_millis() as u64, "note": what }))
    }
}
