//! How fast the four networks are here, as one line of JSON: `cargo xtask bench` runs this and keeps the result.
//!
//! `speech_bench MODELS ASSETS [THREADS]`. Times are the least of several runs, since the question is what the
//! machine can do; the real-time factor is the time taken divided by the time of the sound.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};
use speech::{
    Asr, AsrFiles, AsrOptions, Cores, EAR_RATE, EndOfTurn, Tts, TtsFiles, TtsOptions, VAD_FRAME,
    VOICE_RATE, Vad,
};

const RUNS: usize = 5;

const SPOKEN: &str = "Two tests failed and twelve passed. The failing test is called parse empty input. \
    It expected four, but it got five.";

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "speech_bench MODELS ASSETS [THREADS]";
    let models = PathBuf::from(arguments.next().context(usage)?);
    let assets = PathBuf::from(arguments.next().context(usage)?);
    let threads = arguments.next().map_or(Ok(2), |threads| threads.parse()).context(usage)?;
    let threads = std::num::NonZeroUsize::new(threads).context("THREADS is at least 1")?;
    let cores = Cores::new(threads);

    let clips = clips(&assets)?;
    let stages = json!({
        "threads": threads.get(),
        "voice_activity": voice_activity(&models, &clips)?,
        "end_of_turn": end_of_turn(&models, &cores, &clips)?,
        "speech_to_text": speech_to_text(&models, &cores, &clips)?,
        "text_to_speech": text_to_speech(&models, &cores)?,
        "peak_memory_bytes": peak_memory(),
    });
    println!("{stages}");
    Ok(())
}

struct Clip {
    name: String,
    samples: Vec<f32>,
}

impl Clip {
    fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(EAR_RATE)
    }
}

fn voice_activity(models: &Path, clips: &[Clip]) -> anyhow::Result<Value> {
    let one = Cores::new(std::num::NonZeroUsize::MIN);
    let (load_ms, vad) = timed(|| Vad::load(&models.join("silero_vad_16k.onnx"), &one));
    let (vad, mut least, mut seconds) = (vad?, 0.0, 0.0);
    for clip in clips {
        seconds += clip.seconds();
        least += least_of(|| {
            let mut stream = vad.stream();
            clip.samples
                .as_chunks::<VAD_FRAME>()
                .0
                .iter()
                .try_for_each(|frame| stream.hear(frame).map(drop))
        })?;
    }
    let frames = seconds * f64::from(EAR_RATE) / VAD_FRAME as f64;
    Ok(
        json!({ "load_ms": load_ms, "frame_ms": least / frames, "real_time_factor": least / 1e3 / seconds }),
    )
}

fn end_of_turn(models: &Path, cores: &Cores, clips: &[Clip]) -> anyhow::Result<Value> {
    let (load_ms, turn) =
        timed(|| EndOfTurn::load(&models.join("smart-turn-v3.2-cpu.onnx"), cores));
    let (turn, clip) = (turn?, clips.first().context("there is no recording")?);
    let least = least_of(|| turn.probability(&clip.samples).map(drop))?;
    Ok(json!({ "load_ms": load_ms, "decision_ms": least }))
}

fn speech_to_text(models: &Path, cores: &Cores, clips: &[Clip]) -> anyhow::Result<Value> {
    let (load_ms, asr) = timed(|| Asr::load(&AsrFiles::beneath(models), cores));
    let asr = asr?;
    let (mut phrases, mut total, mut seconds) = (Vec::new(), 0.0, 0.0);
    for clip in clips {
        let least = least_of(|| {
            asr.transcribe(&clip.samples, &AsrOptions::default(), &mut || ControlFlow::Continue(()))
                .map(drop)
        })?;
        phrases.push(json!({ "recording": clip.name, "seconds": clip.seconds(), "ms": least }));
        total += least;
        seconds += clip.seconds();
    }
    Ok(json!({
        "load_ms": load_ms,
        "phrase_ms": total / clips.len() as f64,
        "real_time_factor": total / 1e3 / seconds,
        "phrases": phrases,
    }))
}

fn text_to_speech(models: &Path, cores: &Cores) -> anyhow::Result<Value> {
    let (load_ms, tts) = timed(|| Tts::load(&TtsFiles::beneath(models), cores));
    let tts = tts?;
    let (mut first, mut samples) = (f64::MAX, 0);
    let least = least_of(|| {
        let started = Instant::now();
        let mut spoken = 0;
        let outcome = tts.speak(SPOKEN, &TtsOptions::default(), &mut |sentence| {
            if spoken == 0 {
                first = first.min(milliseconds(started));
            }
            spoken += sentence.pcm.len();
            ControlFlow::Continue(())
        });
        samples = spoken;
        outcome
    })?;
    let seconds = samples as f64 / f64::from(VOICE_RATE);
    Ok(
        json!({ "load_ms": load_ms, "first_sound_ms": first, "real_time_factor": least / 1e3 / seconds }),
    )
}

fn clips(assets: &Path) -> anyhow::Result<Vec<Clip>> {
    let mut files = vec![assets.join("demo/request.wav")];
    for folder in ["audio", "questions"] {
        for entry in std::fs::read_dir(assets.join(folder))? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wav"));
    files.sort();
    files
        .iter()
        .map(|file| {
            let mut reader =
                hound::WavReader::open(file).with_context(|| file.display().to_string())?;
            anyhow::ensure!(
                reader.spec().sample_rate == EAR_RATE,
                "{} is not at 16 kHz",
                file.display()
            );
            let samples = reader.samples().collect::<Result<Vec<i16>, _>>()?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Clip { name, samples: audio_dsp::f32_from_pcm16(&samples) })
        })
        .collect()
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let started = Instant::now();
    let result = work();
    (milliseconds(started), result)
}

/// The least of several runs, in milliseconds.
fn least_of<E>(mut work: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let mut least = f64::MAX;
    for _ in 0..RUNS {
        let started = Instant::now();
        work()?;
        least = least.min(milliseconds(started));
    }
    Ok(least)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
