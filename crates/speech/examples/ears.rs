//! What a local conversation hears in recordings, and when it takes the turn: for
//! `cargo xtask voice-quality`.
//!
//! `ears MODELS [THREADS]` reads a request per line and answers each with a line. The decisions are
//! those of `voice-pipeline`, the nets are asked as the local server asks them, and the clock is the
//! sound: nothing here depends on how fast the machine is.

use std::collections::VecDeque;
use std::io::{BufRead as _, Write as _};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use audio_dsp::{DUET_HZ, Resampler, SPEECH_HZ, f32_from_pcm16, f32_to_pcm16};
use serde::{Deserialize, Serialize};
use speech::{Asr, AsrFiles, AsrOptions, Cores, EndOfTurn, VAD_FRAME, Vad};
use voice_pipeline::{
    Detector, Event, Input, Job, JobNews, Output, Pipeline, SessionKind, Settings, Transcription,
};

/// A client's frame: 20 ms.
const PIECE: usize = DUET_HZ as usize / 50;

/// A verdict on speech covers this much of ours: 32 ms.
const VERDICT: usize = DUET_HZ as usize * 32 / 1_000;

/// Silence behind the recording: longer than any unfinished turn is waited for.
const SILENCE: Duration = Duration::from_millis(3_500);

/// Sound is over where it stays this far below the loudest 10 ms.
const QUIET_DB: f32 = 35.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    wav: PathBuf,
    /// Only up to here, then silence.
    until_ms: Option<u64>,
    /// Silence put in.
    pause: Option<Silence>,
    /// Words that are likely to be heard, as a client may name them.
    #[serde(default)]
    vocabulary: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Silence {
    at_ms: u64,
    ms: u64,
}

#[derive(Serialize)]
struct Answer {
    turns: Vec<Turn>,
    /// Where the sound is over.
    sound_ends_ms: u64,
    /// The quietest places inside the utterance, quietest first.
    dips_ms: Vec<u64>,
}

#[derive(Default, Serialize)]
struct Turn {
    starts_ms: u64,
    /// When the turn was taken: how much had been heard by then.
    taken_ms: u64,
    text: String,
    /// What the end-of-turn net said each time it was asked.
    complete: Vec<f32>,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "ears MODELS [THREADS]";
    let models = PathBuf::from(arguments.next().context(usage)?);
    let threads = arguments.next().map_or(Ok(2), |it| it.parse()).context(usage)?;
    let ears = Ears::load(&models, NonZeroUsize::new(threads).context(usage)?)?;
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let answer = ears.hear(&request).with_context(|| request.wav.display().to_string())?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    Ok(())
}

struct Ears {
    vad: Vad,
    end_of_turn: EndOfTurn,
    asr: Asr,
}

impl Ears {
    fn load(models: &Path, threads: NonZeroUsize) -> anyhow::Result<Self> {
        let cores = Cores::new(threads);
        Ok(Self {
            vad: Vad::load(&models.join("silero_vad_16k.onnx"), &Cores::new(NonZeroUsize::MIN))?,
            end_of_turn: EndOfTurn::load(&models.join("smart-turn-v3.2-cpu.onnx"), &cores)?,
            asr: Asr::load(&AsrFiles::beneath(models), &cores)?,
        })
    }

    fn hear(&self, request: &Request) -> anyhow::Result<Answer> {
        let mut sound = read(&request.wav)?;
        let whole = Loudness::of(&sound);
        if let Some(until) = request.until_ms {
            sound.truncate(samples(until));
        }
        let mut sound_ends = Loudness::of(&sound).ends();
        if let Some(Silence { at_ms, ms }) = request.pause {
            let at = samples(at_ms).min(sound.len());
            sound.splice(at..at, room(samples(ms)));
            sound_ends += samples(ms);
        }
        sound.extend(room(samples(SILENCE.as_millis() as u64)));
        Ok(Answer {
            turns: Conversation::new(self, request)?.listen(&sound)?,
            sound_ends_ms: millis(sound_ends),
            dips_ms: whole.dips().into_iter().map(millis).collect(),
        })
    }
}

/// A session as `duet talk` opens it, except that nobody answers.
struct Conversation<'e> {
    ears: &'e Ears,
    pipeline: Pipeline,
    turns: Vec<Turn>,
    heard: usize,
    asked: Vec<f32>,
}

impl<'e> Conversation<'e> {
    fn new(ears: &'e Ears, request: &Request) -> anyhow::Result<Self> {
        let mut settings = Settings::new(SessionKind::Transcription);
        settings.transcription = Some(Transcription {
            language: Some("en".to_owned()),
            vocabulary: request.vocabulary.clone(),
        });
        if let Some(turns) = &mut settings.turn_detection
            && let Detector::Silence { silence, .. } = &mut turns.detector
        {
            // As the engine asks its own voice.
            *silence = protocol::OWN_SILENCE;
        }
        let pipeline = Pipeline::new(settings, "ears");
        Ok(Self { ears, pipeline, turns: Vec::new(), heard: 0, asked: Vec::new() })
    }

    fn listen(mut self, sound: &[i16]) -> anyhow::Result<Vec<Turn>> {
        let mut to_ear = Resampler::new(DUET_HZ, SPEECH_HZ)?;
        let mut stream = self.ears.vad.stream();
        let mut waiting = VecDeque::new();
        for piece in sound.chunks(PIECE) {
            self.give(Input::Audio { pcm: piece.to_vec() })?;
            let mut ear = Vec::new();
            to_ear.push(&f32_from_pcm16(piece), &mut ear);
            waiting.extend(ear);
            while VAD_FRAME <= waiting.len() {
                let frame: Vec<f32> = waiting.drain(..VAD_FRAME).collect();
                let frame = frame.first_chunk::<VAD_FRAME>().context("a whole frame")?;
                let probability = stream.hear(frame)?;
                self.heard += VERDICT;
                self.give(Input::Voice { probabilities: vec![probability] })?;
            }
        }
        Ok(self.turns)
    }

    fn give(&mut self, input: Input) -> anyhow::Result<()> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let outputs: Vec<Output> = self.pipeline.handle(input).collect();
            for output in outputs {
                match output {
                    Output::Start { epoch, job } => {
                        let news = self.work(job)?;
                        inputs.push_back(Input::Job { epoch, news });
                    }
                    Output::Send(event) => self.note(event),
                    Output::Cancel { .. } => (),
                }
            }
        }
        Ok(())
    }

    fn work(&mut self, job: Job) -> anyhow::Result<JobNews> {
        match job {
            Job::CheckEndOfTurn { pcm } => {
                let probability = self.ears.end_of_turn.probability(&for_the_nets(&pcm)?)?;
                self.asked.push(probability);
                Ok(JobNews::EndOfTurn { probability })
            }
            Job::Transcribe { pcm, language, vocabulary } => {
                let language = language.unwrap_or_else(|| "en".to_owned());
                let options = AsrOptions { language, vocabulary };
                let go_on = &mut || ControlFlow::Continue(());
                let heard = self.ears.asr.transcribe(&for_the_nets(&pcm)?, &options, go_on)?;
                let speech::Transcript { text, log_probability, no_speech } = heard;
                Ok(JobNews::Transcript { text, log_probability, no_speech })
            }
            Job::Route { .. } | Job::Reply { .. } | Job::Speak { .. } => {
                anyhow::bail!("a session that only writes down wants {job:?}")
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::SpeechStarted { audio_start_ms, .. } => {
                self.turns.push(Turn { starts_ms: audio_start_ms, ..Turn::default() });
            }
            Event::SpeechStopped { .. } => {
                let (taken_ms, complete) = (millis(self.heard), std::mem::take(&mut self.asked));
                if let Some(turn) = self.turns.last_mut() {
                    (turn.taken_ms, turn.complete) = (taken_ms, complete);
                }
            }
            Event::Transcribed { transcript, .. } => {
                if let Some(turn) = self.turns.last_mut() {
                    turn.text = transcript;
                }
            }
            _ => (),
        }
    }
}

/// As the server converts what its nets are asked about.
fn for_the_nets(pcm: &[i16]) -> anyhow::Result<Vec<f32>> {
    let mut resampler = Resampler::new(DUET_HZ, SPEECH_HZ)?;
    let mut out = Vec::new();
    resampler.push(&f32_from_pcm16(pcm), &mut out);
    resampler.finish(&mut out);
    Ok(f32_from_pcm16(&f32_to_pcm16(&out)))
}

/// At 24 kHz, as `talk` sends it.
fn read(wav: &Path) -> anyhow::Result<Vec<i16>> {
    let mut reader = hound::WavReader::open(wav)?;
    let spec = reader.spec();
    anyhow::ensure!(spec.channels == 1 && spec.bits_per_sample == 16, "not mono PCM16");
    let samples = reader.samples().collect::<Result<Vec<i16>, _>>()?;
    let mut resampler = Resampler::new(spec.sample_rate, DUET_HZ)?;
    let mut out = Vec::new();
    resampler.push(&f32_from_pcm16(&samples), &mut out);
    resampler.finish(&mut out);
    Ok(f32_to_pcm16(&out))
}

/// A quiet room, always the same: white noise at -60 dB. No microphone gives zeros.
fn room(samples: usize) -> Vec<i16> {
    const LOUDEST: u64 = 57;
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut noise = || {
        // Xorshift, by Marsaglia.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % (2 * LOUDEST + 1)) as i16 - LOUDEST as i16
    };
    (0..samples).map(|_| noise()).collect()
}

/// How loud each 10 ms are, in decibels.
struct Loudness(Vec<f32>);

const STEP: usize = DUET_HZ as usize / 100;

impl Loudness {
    fn of(sound: &[i16]) -> Self {
        let loud = |piece: &[i16]| audio_dsp::Levels::of_pcm16(piece).rms_dbfs();
        Self(sound.chunks(STEP).map(loud).collect())
    }

    fn sounds(&self) -> impl DoubleEndedIterator<Item = usize> {
        let peak = self.0.iter().copied().fold(f32::MIN, f32::max);
        (0..self.0.len()).filter(move |&at| peak - QUIET_DB <= self.0[at])
    }

    /// In samples.
    fn ends(&self) -> usize {
        self.sounds().next_back().map_or(0, |at| (at + 1) * STEP)
    }

    /// The middles of the quietest stretches between a quarter and four fifths of the utterance,
    /// in samples: where words, or better phrases, meet.
    fn dips(&self) -> Vec<usize> {
        const WIDE: usize = 5;
        let (Some(first), Some(last)) = (self.sounds().next(), self.sounds().next_back()) else {
            return Vec::new();
        };
        let spoken = last - first;
        let mean = |at: usize| self.0[at..at + WIDE].iter().sum::<f32>() / WIDE as f32;
        let places = first + spoken / 4..(first + spoken * 4 / 5).saturating_sub(WIDE);
        let mut places: Vec<(f32, usize)> = places.map(|at| (mean(at), at)).collect();
        places.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut dips: Vec<usize> = Vec::new();
        for (_, at) in places {
            // A fifth of a second apart: a dip is one place.
            if dips.iter().all(|other| 20 <= other.abs_diff(at)) {
                dips.push(at);
            }
        }
        dips.iter().take(6).map(|at| (at + WIDE / 2) * STEP).collect()
    }
}

fn samples(ms: u64) -> usize {
    ms as usize * DUET_HZ as usize / 1_000
}

fn millis(samples: usize) -> u64 {
    samples as u64 * 1_000 / u64::from(DUET_HZ)
}
