//! How fast the model host is when everything happens at once, as JSON: `cargo xtask bench`
//! runs this and keeps the result.
//!
//! `host_bench MODELS ASSETS HOST [ARGUMENT...]`, where `HOST ARGUMENT...` becomes a model host:
//! `duet model-host`. The whole way is measured as Duet goes it: through the client, the socket
//! and the host's own scheduler.
//!
//! Recorded questions are streamed at the speed of speech, a frame when it would have been
//! spoken; then comes what follows a question: has the speaker finished, what did they say, an
//! answer aloud. First with an idle agent, then while it writes, then while it reads a long
//! prompt. A real-time factor is the time taken divided by the time of the sound.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use inference::{
    Client, Generation, HostCommand, HostOptions, Model, ModelFiles, TranscribeOptions, VadStream,
};
use protocol::{ModelEvent, ModelItem, ModelRequest, Role, ToolChoice, Usage};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

/// What the ears hear: 16 kHz, 512 samples to a verdict.
const EAR_RATE: u32 = 16_000;
const FRAME: usize = 512;
const FRAME_TIME: Duration = Duration::from_millis(32);

/// What the voice speaks.
const VOICE_RATE: f64 = 24_000.0;

const SPOKEN: &str = "Two tests failed and twelve passed. The failing test is called parse empty input. \
    It expected four, but it got five.";

/// Words of about a token each that the agent reads: to take its speed, and to keep it reading
/// for longer than any recording lasts.
const PROMPT_WORDS: usize = 400;
const LONG_PROMPT_WORDS: usize = 6_000;

const AGENT_RUNS: u32 = 3;

/// The host leaves soon after us.
const IDLE_EXIT: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let usage = "host_bench MODELS ASSETS HOST [ARGUMENT...]";
    let mut arguments = std::env::args_os().skip(1);
    let models = PathBuf::from(arguments.next().context(usage)?);
    let assets = PathBuf::from(arguments.next().context(usage)?);
    let program = PathBuf::from(arguments.next().context(usage)?);
    let dir = tempfile::tempdir()?;
    let client = Client::new(
        HostCommand { program, args: arguments.collect() },
        HostOptions {
            files: ModelFiles::beneath(&models),
            // Our own host: one that serves others too would measure them.
            runtime_dir: dir.path().join("run"),
            cache_dir: dir.path().join("prefixes"),
            idle_exit: IDLE_EXIT,
            threads: None,
        },
    );
    let mut rows = Rows::default();
    load(&client, &mut rows).await?;
    agent_alone(&client, &mut rows).await?;
    let questions = questions(&assets)?;
    for state in [State::Idle, State::Writing, State::Reading] {
        let mut agent = Agent::new(&client, state);
        agent.get_going().await?;
        for question in &questions {
            eprintln!("{}: {}", state.name(), question.name);
            let heard = agent.beside(converse(&client, question)).await?;
            heard.note(&mut rows, state, question);
            agent.settle();
        }
        agent.note(&mut rows);
    }
    println!("{:#}", Value::Array(rows.0));
    Ok(())
}

/// Numbers of one kind.
#[derive(Default)]
struct Rows(Vec<Value>);

impl Rows {
    fn add(&mut self, name: &str, unit: &str, sample: f64) {
        let row = self.0.iter_mut().find(|row| row["name"] == name);
        match row.and_then(|row| row["samples"].as_array_mut()) {
            Some(samples) => samples.push(json!(sample)),
            None => self.0.push(json!({ "name": name, "unit": unit, "samples": [sample] })),
        }
    }
}

/// From a host that does not run to every model ready, so that nothing below loads.
async fn load(client: &Client, rows: &mut Rows) -> anyhow::Result<()> {
    for model in [
        Model::VoiceActivity,
        Model::EndOfTurn,
        Model::SpeechToText,
        Model::TextToSpeech,
        Model::Agent,
    ] {
        let start = Instant::now();
        let mut loading = client.warm_up(vec![model]);
        while let Some(step) = loading.next().await {
            step?;
        }
        rows.add(&format!("load: {model}"), "ms", milliseconds(start.elapsed()));
    }
    Ok(())
}

/// How fast the bundled agent reads and writes when nobody speaks. The same is asked twice: the
/// second time the prompt is known, so that only the answer takes time, and it is the same one.
async fn agent_alone(client: &Client, rows: &mut Rows) -> anyhow::Result<()> {
    for run in 0..AGENT_RUNS {
        eprintln!("agent alone: {} of {AGENT_RUNS}", run + 1);
        let cold = answer(client, request(run, PROMPT_WORDS)).await?;
        let warm = answer(client, request(run, PROMPT_WORDS)).await?;
        let known = warm.usage.cached_input_tokens.saturating_sub(cold.usage.cached_input_tokens);
        let writing = warm.took.as_secs_f64();
        // On a machine that others use the known prompt may take the longer of the two.
        if let Some(reading) = cold.took.checked_sub(warm.took) {
            let rate = known as f64 / reading.as_secs_f64().max(f64::EPSILON);
            rows.add("agent alone: prompt", "tokens/s", rate);
        }
        rows.add("agent alone: answer", "tokens/s", warm.usage.output_tokens as f64 / writing);
        rows.add("agent alone: answer, text", "letters/s", warm.letters as f64 / writing);
    }
    Ok(())
}

struct Answered {
    usage: Usage,
    letters: usize,
    took: Duration,
}

async fn answer(client: &Client, request: ModelRequest) -> anyhow::Result<Answered> {
    let start = Instant::now();
    let mut generation = client.generate(request);
    let mut letters = 0;
    loop {
        match generation.next().await.context("the agent ended without a word")? {
            Ok(ModelEvent::TextDelta { delta }) => letters += delta.chars().count(),
            Ok(ModelEvent::Completed { usage }) => {
                return Ok(Answered { usage, letters, took: start.elapsed() });
            }
            Ok(_) => (),
            Err(error) => anyhow::bail!(error.message),
        }
    }
}

/// What the agent does while somebody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Writing,
    Reading,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "agent idle",
            Self::Writing => "agent writing",
            Self::Reading => "agent reading",
        }
    }
}

/// The bundled agent at work on something that nobody waits for.
struct Agent<'c> {
    client: &'c Client,
    state: State,
    generation: Option<Generation>,
    /// No two prompts begin alike, or the second would be known before.
    prompts: u32,
    letters: usize,
    busy: Duration,
}

impl<'c> Agent<'c> {
    fn new(client: &'c Client, state: State) -> Self {
        let prompts = AGENT_RUNS;
        Self { client, state, generation: None, prompts, letters: 0, busy: Duration::ZERO }
    }

    /// Before the first question. Writing has begun when a sentence has come.
    async fn get_going(&mut self) -> anyhow::Result<()> {
        match self.state {
            State::Idle | State::Reading => Ok(()),
            State::Writing => {
                while self.letters == 0 {
                    self.step().await?;
                }
                self.letters = 0;
                Ok(())
            }
        }
    }

    /// Does `work`, and never lets the agent pause meanwhile.
    async fn beside<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                stepped = self.step() => stepped?,
            }
        };
        self.busy += start.elapsed();
        done
    }

    /// Until it has said something more. Nothing is lost when this is dropped.
    async fn step(&mut self) -> anyhow::Result<()> {
        let words = match self.state {
            State::Idle => return std::future::pending().await,
            State::Writing => 0,
            State::Reading => LONG_PROMPT_WORDS,
        };
        let generation = match &mut self.generation {
            Some(generation) => generation,
            None => {
                self.prompts += 1;
                self.generation.insert(self.client.generate(request(self.prompts, words)))
            }
        };
        match generation.next().await {
            Some(Ok(ModelEvent::TextDelta { delta })) => self.letters += delta.chars().count(),
            Some(Ok(_)) => (),
            Some(Err(error)) => anyhow::bail!(error.message),
            None => self.generation = None,
        }
        Ok(())
    }

    /// After a question: a prompt that is still being read must last for the next one too.
    fn settle(&mut self) {
        match self.state {
            State::Idle | State::Writing => (),
            State::Reading => self.generation = None,
        }
    }

    fn note(&self, rows: &mut Rows) {
        match self.state {
            State::Writing => {
                let rate = self.letters as f64 / self.busy.as_secs_f64();
                rows.add("agent writing: its text meanwhile", "letters/s", rate);
            }
            State::Idle | State::Reading => (),
        }
    }
}

fn request(number: u32, words: usize) -> ModelRequest {
    let instructions = format!("Visitor {number}: be friendly. {}", "word ".repeat(words));
    let text = "Tell a long story about a compiler.".to_owned();
    ModelRequest {
        instructions,
        input: vec![ModelItem::Message { role: Role::User, text }],
        tools: Vec::new(),
        tool_choice: ToolChoice::None,
        cache_key: "bench".to_owned(),
    }
}

/// One question and what follows it.
#[derive(Default)]
struct Heard {
    /// From the moment a frame was spoken to its verdict: the longest, and all together since
    /// it was sent.
    verdict_gap: Duration,
    verdicts: Duration,
    end_of_turn: Duration,
    transcript: Duration,
    first_sound: Duration,
    speech: Duration,
    spoken: f64,
    /// The longest that a speaker would have been silent between two sentences.
    silence: Duration,
}

async fn converse(client: &Client, question: &Question) -> anyhow::Result<Heard> {
    let mut heard = Heard::default();
    let ears = client.vad().await?;
    listen(ears, &question.samples, &mut heard).await?;

    let start = Instant::now();
    client.end_of_turn(&question.samples).await?;
    heard.end_of_turn = start.elapsed();

    let start = Instant::now();
    let transcript = client.transcribe(&question.samples, TranscribeOptions::default()).await?;
    heard.transcript = start.elapsed();
    ensure!(!transcript.text.is_empty(), "{}: nothing was understood", question.name);

    speak(client, &mut heard).await?;
    Ok(heard)
}

async fn listen(mut ears: VadStream, samples: &[i16], heard: &mut Heard) -> anyhow::Result<()> {
    let start = Instant::now();
    for (spoken, frame) in (1..).zip(samples.as_chunks::<FRAME>().0) {
        // On time even after a verdict that came late: the speaker does not wait for us.
        let spoken = start + FRAME_TIME * spoken;
        sleep_until(spoken).await;
        let sent = Instant::now();
        ears.push(frame).await?;
        ensure!(ears.next().await?.len() == 1, "a frame has one verdict");
        heard.verdicts += sent.elapsed();
        heard.verdict_gap = heard.verdict_gap.max(spoken.elapsed());
    }
    Ok(())
}

async fn speak(client: &Client, heard: &mut Heard) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut speech = client.synthesize(SPOKEN.to_owned(), 1.0);
    // When what has come would have been played out.
    let mut played_out: Option<Instant> = None;
    while let Some(sentence) = speech.next().await {
        let (sentence, now) = (sentence?, Instant::now());
        let sound = sentence.pcm.len() as f64 / VOICE_RATE;
        match played_out {
            None => heard.first_sound = now - start,
            Some(at) => heard.silence = heard.silence.max(now.saturating_duration_since(at)),
        }
        heard.spoken += sound;
        let plays = played_out.map_or(now, |at| at.max(now));
        played_out = Some(plays + Duration::from_secs_f64(sound));
    }
    heard.speech = start.elapsed();
    ensure!(0.0 < heard.spoken, "nothing was spoken");
    Ok(())
}

impl Heard {
    fn note(&self, rows: &mut Rows, state: State, question: &Question) {
        let Self {
            verdict_gap,
            verdicts,
            end_of_turn,
            transcript,
            first_sound,
            speech,
            spoken,
            silence,
        } = self;
        let seconds = question.samples.len() as f64 / f64::from(EAR_RATE);
        let mut add = |what: &str, unit, value| {
            rows.add(&format!("{}: {what}", state.name()), unit, value);
        };
        let ms = |time: &Duration| milliseconds(*time);
        add("voice activity, largest gap to a verdict", "ms", ms(verdict_gap));
        add("voice activity, real-time factor", "", verdicts.as_secs_f64() / seconds);
        add("end of turn", "ms", ms(end_of_turn));
        add("speech to text", "ms", ms(transcript));
        add("speech to text, real-time factor", "", transcript.as_secs_f64() / seconds);
        add("text to speech, first sound", "ms", ms(first_sound));
        add("text to speech, real-time factor", "", speech.as_secs_f64() / spoken);
        add("text to speech, largest silence between sentences", "ms", ms(silence));
        add(
            "end of question to first sound",
            "ms",
            ms(&(*end_of_turn + *transcript + *first_sound)),
        );
    }
}

struct Question {
    name: String,
    samples: Vec<i16>,
}

fn questions(assets: &Path) -> anyhow::Result<Vec<Question>> {
    let mut files = vec![assets.join("demo/request.wav")];
    let folder = assets.join("questions");
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wav"));
    files.sort();
    let read = |file: &PathBuf| {
        let mut reader =
            hound::WavReader::open(file).with_context(|| file.display().to_string())?;
        let rate = reader.spec().sample_rate;
        ensure!(rate == EAR_RATE, "{} is at {rate} Hz, not {EAR_RATE}", file.display());
        let samples = reader.samples().collect::<Result<Vec<i16>, _>>()?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Question { name, samples })
    };
    files.iter().map(read).collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
